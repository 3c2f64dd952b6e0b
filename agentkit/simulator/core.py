"""The simulator itself: from a request's bytes to a `Reply`, without a socket and without waiting."""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from agentkit.simulator import fim, plan, render
from agentkit.simulator.balance import Balance
from agentkit.simulator.brains import Brain, Plan, Turn, turn_of
from agentkit.simulator.brains.function import function
from agentkit.simulator.brains.rules import answer
from agentkit.simulator.cache import PrefixCache
from agentkit.simulator.checks import Case, overflow, run_checks
from agentkit.simulator.endpoints import profile_named
from agentkit.simulator.exchange import Exchange, Handler, Layer
from agentkit.simulator.faults import Faults, Rule
from agentkit.simulator.log import Log
from agentkit.simulator.logprobs import entries
from agentkit.simulator.plan import Written
from agentkit.simulator.profiles import Profile
from agentkit.simulator.prompt import reply_tokens
from agentkit.simulator.refusal import Refusal, encoded
from agentkit.simulator.reply import Reply
from agentkit.simulator.request import Chat, Message, read_chat
from agentkit.simulator.seals import call_id, headers, reply_id

if TYPE_CHECKING:
    from agentkit.simulator.transport import SimulatorTransport

_FULL = Balance()


class Simulator:
    """An endpoint on this machine.

    Args:
        profile: Which endpoint, by name or as a `Profile`.
        brain: What answers: a function that takes a `Turn` and gives a `Plan`, or a text, or calls
            (`agentkit.simulator.brains.said`); by default the rule-based stand-in for a model
            (`agentkit.simulator.brains.rules`).
        key: The only API key that is accepted; by default every key is, as long as there is one.
        seed: Decides ids and everything else that looks random; same seed and same requests, same replies.
        clock: Seconds since the epoch, for `created` and for a brain that is asked about today.
        layers: What stands between a request and the endpoint, the outermost first (`agentkit.simulator.exchange`).
        faults: How it misbehaves and when, such as `["429:0.1", "stall(20s)@3"]` (`agentkit.simulator.faults.rules`).
        time_scale: How long a second of a fault lasts, in seconds.
        balance: What is left in the account; without any, requests are refused with HTTP 402.

    Attributes:
        brain: What answers; another may be put in its place at any time.
        log: The latest requests and what was answered.
        faults: The faults to come; they may be changed at any time.

    Raises:
        ConfigurationError: There is no profile of that name, or no such fault.
    """

    def __init__(
        self,
        profile: str | Profile = "deepseek",
        *,
        brain: Callable[[Turn], object] | None = None,
        key: str | None = None,
        seed: int = 0,
        clock: Callable[[], float] = time.time,
        layers: Sequence[Layer] = (),
        faults: str | Rule | Iterable[str | Rule] = (),
        time_scale: float = 1.0,
        balance: Balance = _FULL,
    ) -> None:
        self.profile = profile_named(profile)
        self.brain: Brain = answer if brain is None else function(brain)
        self._key = key
        self._seed = seed
        self._clock = clock
        self._numbers = itertools.count()
        self._balance = balance
        self._cache = PrefixCache()
        self._routes = self._routed()
        self.log = Log()
        self.faults = Faults(faults, seed=seed, time_scale=time_scale)
        self._handler: Handler = self._answer
        for layer in reversed((*layers, self.log, self.faults)):
            self._handler = _behind(layer, self._handler)

    def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Answer one HTTP request. Never raises for what is in the request; that becomes an error reply.

        Args:
            method: `"GET"`, `"POST"`, ….
            path: The path, with or without a query, such as `/v1/chat/completions`.
            headers: The request's headers, their names in lower case or of a mapping that does not mind.
            body: The whole body.
        """
        number = next(self._numbers)
        return self._handler(
            Exchange(
                method=method,
                path=path.partition("?")[0],
                headers=headers,
                body=body,
                number=number,
                now=self._clock(),
                seal=self._seal(body, number),
                profile=self.profile,
            )
        )

    def _answer(self, exchange: Exchange) -> Reply:
        """The endpoint itself, behind all layers."""
        profile, seal = exchange.profile, exchange.seal
        route = self._route(exchange.method, exchange.path)
        if route is None:
            return self._no_route(exchange)
        try:
            exchange.key = self._authorized(exchange)
            if exchange.refuse is not None:
                raise exchange.refuse
            return route(exchange)
        except Refusal as refusal:
            kind = "application/octet-stream" if profile.headers and refusal.status != 401 else "application/json"
            body = encoded(profile.errors(refusal))
            return Reply(refusal.status, headers(profile, kind, seal, cache="Error"), (body,), length=True)

    def _routed(self) -> dict[tuple[str, str], Handler]:
        """What there is at which address of this endpoint (WIRE section 1)."""
        profile, routes = self.profile, dict[tuple[str, str], Handler]()
        for prefix in profile.prefixes:
            routes["POST", f"{prefix}/chat/completions"] = self._chat
            if profile.beta:
                routes["POST", f"{prefix}/completions"] = _no_fim
            if profile.listing:
                routes["GET", f"{prefix}/models"] = self._models
        if profile.balance:
            routes["GET", "/user/balance"] = self._account
        if profile.beta:
            routes["POST", f"{profile.beta}/chat/completions"] = self._chat
            routes["POST", f"{profile.beta}/completions"] = self._fim
        return routes

    def _route(self, method: str, path: str) -> Handler | None:
        route = self._routes.get((method, path))
        if route is None and method == "GET" and self.profile.listing:
            start, _, name = path.partition("/models/")
            if start in self.profile.prefixes and name in self.profile.models:
                return self._model
        return route

    def transport(self) -> SimulatorTransport:
        """This simulator as an httpx transport, for `httpx.Client` and `httpx.AsyncClient` alike."""
        from agentkit.simulator.transport import SimulatorTransport

        return SimulatorTransport(self.handle)

    def _seal(self, body: bytes, number: int) -> bytes:
        seal = hashlib.blake2b(body, digest_size=64)
        seal.update(b"%d|%d" % (self._seed, number))
        return seal.digest()

    def _authorized(self, exchange: Exchange) -> str:
        """The key of a request, or the 401."""
        scheme, _, key = exchange.headers.get("authorization", "").partition(" ")
        key = key.strip()
        if scheme.lower() != "bearer" or not key:
            raise exchange.profile.refusal("no key")
        if self._key is not None and key != self._key:
            raise exchange.profile.refusal("key", end=key[-4:])
        return key

    def _no_route(self, exchange: Exchange) -> Reply:
        """A path that is not there, with the body that is reported of DeepSeek's; that of 405 is like it, and ours."""
        profile, seal = exchange.profile, exchange.seal
        there = any(path == exchange.path for _, path in self._routes)
        status, text = (405, "Method Not Allowed") if there else (404, "Not Found")
        if profile.headers:
            event = f"30-sim-{status}-{seal[:8].hex()}"
            told = f'{{\n  "event_id": "{event}",\n  "error_msg": "{text}. Please check the configuration."\n}}\n\n'
            body = told.encode()
        else:
            body = encoded(profile.errors(Refusal(text, status=status)))
        return Reply(status, headers(profile, "application/json", seal, cache="Error"), (body,), length=True)

    def _models(self, exchange: Exchange) -> Reply:
        entries = [self._entry(name) for name in self.profile.listed]
        return _json({"object": "list", "data": entries}, exchange)

    def _model(self, exchange: Exchange) -> Reply:
        return _json(self._entry(exchange.path.partition("/models/")[2]), exchange)

    def _entry(self, name: str) -> dict[str, object]:
        details = self.profile.models[name].details
        return {"id": name, "object": "model", "owned_by": self.profile.owner, **details}

    def _account(self, exchange: Exchange) -> Reply:
        return _json(self._balance.body(), exchange)

    def _chat(self, exchange: Exchange) -> Reply:
        """The way of a chat completion: read, check, ask the brain, say it in pieces, put it on the wire."""
        profile = exchange.profile
        self._charged(profile)
        chat = exchange.chat = read_chat(exchange.body, profile)
        beta = bool(profile.beta) and exchange.path.startswith(f"{profile.beta}/")
        case = exchange.case = Case(chat, profile, beta=beta)
        run_checks(case)
        exchange.turn = turn_of(case, exchange.now)
        exchange.plan = self._said(exchange, exchange.turn)
        return self._rendered(exchange, chat, case, exchange.plan)

    def _charged(self, profile: Profile) -> None:
        if self._balance.total <= 0:
            raise profile.refusal("balance")

    def _said(self, exchange: Exchange, turn: Turn) -> Plan:
        said = plan.habitual(plan.continued(self.brain(turn), turn.prefix), exchange.profile.wire)
        return said if exchange.revise is None else exchange.revise(said)

    def _rendered(self, exchange: Exchange, chat: Chat, case: Case, said: Plan) -> Reply:
        profile, seal, served, wire = exchange.profile, exchange.seal, case.served, exchange.profile.wire
        thinking = case.thinking and bool(wire.reasoning)
        written = exchange.written = plan.write(
            plan.stopped(said, chat.stop),
            thinking=thinking,
            budget=_budget(chat, case),
            reasoning_budget=served.reasoning_budget,
            forced=case.forced,
        )
        logged = chat.logprobs and served.logprobs in ("yes", "plain")
        envelope = render.Envelope(
            id=reply_id(seal, wire),
            created=int(exchange.now),
            model=served.model or chat.model,
            fingerprint=profile.fingerprint,
            call_ids=tuple(call.id or call_id(number, seal, wire) for number, call in enumerate(said.calls)),
            wire=wire,
            thinking=thinking,
            entry=entries(seal, chat.top_logprobs or 0) if logged else None,
        )
        cached = self._cached(exchange, envelope.model, case.prompt, written)
        usage = render.usage(written, len(case.prompt), cached, wire, thinking=thinking)
        if not chat.stream:
            return Reply(200, headers(profile, "application/json", seal), (render.whole(envelope, written, usage),))
        steps = render.events(envelope, written, usage, include_usage=chat.include_usage)
        return Reply(200, headers(profile, "text/event-stream", seal), steps, streamed=True)

    def _cached(self, exchange: Exchange, model: str, prompt: list[str], written: Written) -> int:
        """How many tokens of a prompt are a hit; from now on, it and its reply are remembered."""
        cache = exchange.profile.cache
        if cache is None:
            return 0
        owner = (exchange.key, model)
        hit = self._cache.hits(owner, prompt, cache)
        self._cache.remember(owner, [*prompt, *reply_tokens(written.pieces)], cache)
        return hit

    def _fim(self, exchange: Exchange) -> Reply:
        """The way of a completion that fills in the middle."""
        profile, seal = exchange.profile, exchange.seal
        self._charged(profile)
        asked = fim.read_fim(exchange.body, profile)
        served = fim.check(asked, profile)
        shown = fim.prompt_tokens(asked)
        if len(shown) + (asked.max_tokens or 0) > served.context:
            raise overflow(profile, served, len(shown), asked.max_tokens or 0)
        messages = (Message("user", asked.prompt),)
        exchange.turn = Turn(asked.model, messages, suffix=asked.suffix, now=exchange.now)
        exchange.plan = self._said(exchange, exchange.turn)
        said = plan.stopped(replace(exchange.plan, calls=(), reasoning=""), asked.stop)
        written = exchange.written = plan.write(said, thinking=False, budget=asked.max_tokens or fim.DEFAULT_TOKENS)
        envelope = fim.Envelope(
            reply_id(seal, profile.wire),
            int(exchange.now),
            served.model,
            profile.fingerprint or "",
            None if asked.logprobs is None else entries(seal, asked.logprobs),
        )
        cached = self._cached(exchange, served.model, shown, written)
        usage = render.usage(written, len(shown), cached, profile.wire, thinking=False)
        if not asked.stream:
            body = fim.whole(envelope, asked, written, usage)
            return Reply(200, headers(profile, "application/json", seal), (body,))
        steps = fim.events(envelope, asked, written, usage)
        return Reply(200, headers(profile, "text/event-stream", seal), steps, streamed=True)


def _no_fim(exchange: Exchange) -> Reply:
    raise exchange.profile.refusal("fim")


def _budget(chat: Chat, case: Case) -> int:
    if chat.max_tokens is not None:
        return chat.max_tokens
    plain, thoughtful, most = case.served.default_output
    if not case.thinking:
        return plain
    return most if chat.effort == "max" else thoughtful


def _behind(layer: Layer, handler: Handler) -> Handler:
    return lambda exchange: layer(exchange, handler)


def _json(value: object, exchange: Exchange) -> Reply:
    return Reply(200, headers(exchange.profile, "application/json", exchange.seal), (encoded(value),))
