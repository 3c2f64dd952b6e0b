"""The simulator itself: from a request's bytes to a `Reply`, without a socket and without waiting."""

from __future__ import annotations

import hashlib
import itertools
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from agentkit.simulator import plan, render
from agentkit.simulator.brains import Brain, Plan, Turn, turn_of
from agentkit.simulator.brains.function import function
from agentkit.simulator.brains.rules import answer
from agentkit.simulator.checks import Case, run_checks
from agentkit.simulator.endpoints import profile_named
from agentkit.simulator.exchange import Exchange, Handler, Layer
from agentkit.simulator.faults import Faults, Rule
from agentkit.simulator.log import Log
from agentkit.simulator.profiles import Profile
from agentkit.simulator.refusal import Refusal, encoded
from agentkit.simulator.reply import Reply
from agentkit.simulator.request import Chat, read_chat

if TYPE_CHECKING:
    from agentkit.simulator.transport import SimulatorTransport

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


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
    ) -> None:
        self.profile = profile_named(profile)
        self.brain: Brain = answer if brain is None else function(brain)
        self._key = key
        self._seed = seed
        self._clock = clock
        self._numbers = itertools.count()
        self._routes: dict[tuple[str, str], Callable[[Exchange], Reply]] = {}
        for prefix in ("", "/v1", "/beta"):
            self._routes["POST", f"{prefix}/chat/completions"] = self._chat
        for prefix in ("", "/v1"):
            self._routes["GET", f"{prefix}/models"] = self._models
            for name in self.profile.models:
                self._routes["GET", f"{prefix}/models/{name}"] = self._model
        self._paths = {path for _, path in self._routes}
        self.log = Log()
        self.faults = Faults(faults, seed=seed, time_scale=time_scale)
        self._handler: Handler = self._answer
        for layer in reversed((self.log, self.faults, *layers)):
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
        seal = exchange.seal
        route = self._routes.get((exchange.method, exchange.path))
        if route is None:
            return self._no_route(exchange.path, seal)
        try:
            exchange.key = self._authorized(exchange.headers)
            if exchange.refuse is not None:
                raise exchange.refuse
            return route(exchange)
        except Refusal as refusal:
            kind = "application/json" if refusal.status == 401 else "application/octet-stream"
            return Reply(
                refusal.status,
                _headers(kind, seal, cache="Error"),
                (encoded(exchange.profile.errors(refusal)),),
                length=True,
            )

    def transport(self) -> SimulatorTransport:
        """This simulator as an httpx transport, for `httpx.Client` and `httpx.AsyncClient` alike."""
        from agentkit.simulator.transport import SimulatorTransport

        return SimulatorTransport(self.handle)

    def _seal(self, body: bytes, number: int) -> bytes:
        seal = hashlib.blake2b(body, digest_size=64)
        seal.update(b"%d|%d" % (self._seed, number))
        return seal.digest()

    def _authorized(self, headers: Mapping[str, str]) -> str:
        """The key of a request, or the 401."""
        value = headers.get("authorization", "")
        scheme, _, key = value.partition(" ")
        key = key.strip()
        if scheme.lower() != "bearer" or not key:
            raise self.profile.refusal("no key")
        if self._key is not None and key != self._key:
            raise self.profile.refusal("key", end=key[-4:])
        return key

    def _no_route(self, path: str, seal: bytes) -> Reply:
        """A path that is not there, with the body that is reported of DeepSeek's; that of 405 is like it, and ours."""
        status, text = (405, "Method Not Allowed") if path in self._paths else (404, "Not Found")
        event = f"30-sim-{status}-{seal[:8].hex()}"
        body = f'{{\n  "event_id": "{event}",\n  "error_msg": "{text}. Please check the configuration."\n}}\n\n'
        return Reply(status, _headers("application/json", seal, cache="Error"), (body.encode(),), length=True)

    def _models(self, exchange: Exchange) -> Reply:
        entries = [self._entry(name) for name in self.profile.listed]
        return _json({"object": "list", "data": entries}, exchange.seal)

    def _model(self, exchange: Exchange) -> Reply:
        return _json(self._entry(exchange.path.rpartition("/")[2]), exchange.seal)

    def _entry(self, name: str) -> dict[str, object]:
        details = self.profile.models[name].details
        return {"id": name, "object": "model", "owned_by": "deepseek", **details}

    def _chat(self, exchange: Exchange) -> Reply:
        """The way of a chat completion: read, check, ask the brain, say it in pieces, put it on the wire."""
        chat = exchange.chat = read_chat(exchange.body, exchange.profile)
        case = exchange.case = Case(chat, exchange.profile)
        run_checks(case)
        exchange.turn = turn_of(chat, case.thinking, exchange.now)
        exchange.plan = self._said(exchange, exchange.turn)
        return self._rendered(exchange, chat, case, exchange.plan)

    def _said(self, exchange: Exchange, turn: Turn) -> Plan:
        said = self.brain(turn)
        return said if exchange.revise is None else exchange.revise(said)

    def _rendered(self, exchange: Exchange, chat: Chat, case: Case, said: Plan) -> Reply:
        profile, seal, thinking = exchange.profile, exchange.seal, case.thinking
        said = plan.stopped(said, chat.stop)
        written = exchange.written = plan.write(said, thinking=thinking, budget=_budget(profile, chat, thinking))
        envelope = render.Envelope(
            id=_uuid(seal),
            created=int(exchange.now),
            model=profile.models[chat.model].model,
            fingerprint=profile.fingerprint,
            call_ids=tuple(call.id or _call_id(number, seal) for number, call in enumerate(said.calls)),
        )
        usage = render.usage(written, case.prompt_tokens, 0, thinking=thinking)
        if not chat.stream:
            body = render.whole(envelope, written, usage, thinking=thinking)
            return Reply(200, _headers("application/json", seal), (body,))
        steps = render.events(envelope, written, usage, thinking=thinking, include_usage=chat.include_usage)
        return Reply(200, _headers("text/event-stream; charset=utf-8", seal), steps, streamed=True)


def _budget(profile: Profile, chat: Chat, thinking: bool) -> int:
    if chat.max_tokens is not None:
        return chat.max_tokens
    plain, thoughtful, most = profile.models[chat.model].default_output
    if not thinking:
        return plain
    return most if chat.effort == "max" else thoughtful


def _behind(layer: Layer, handler: Handler) -> Handler:
    return lambda exchange: layer(exchange, handler)


def _uuid(seal: bytes) -> str:
    text = seal[:16].hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{'89ab'[seal[8] & 3]}{text[17:20]}-{text[20:]}"


def _call_id(number: int, seal: bytes) -> str:
    """`call_`, the position, `_`, and 24 characters of which the last four are digits (WIRE section 4)."""
    own = hashlib.blake2b(seal, digest_size=24, salt=number.to_bytes(8, "big")).digest()
    letters = "".join([_LETTERS[byte % 62] for byte in own[:20]])
    return f"call_{number:02}_{letters}{''.join([str(byte % 10) for byte in own[20:]])}"


_FIXED = (
    ("server", "elb"),
    ("vary", "origin, access-control-request-method, access-control-request-headers"),
    ("access-control-allow-credentials", "true"),
    ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
    ("x-content-type-options", "nosniff"),
    ("via", "1.1 simulator.cloudfront.net (CloudFront)"),
    ("x-amz-cf-pop", "SIM50-P1"),
)


def _headers(content_type: str, seal: bytes, *, cache: str = "Miss") -> tuple[tuple[str, str], ...]:
    """The headers that DeepSeek sends (WIRE section 1.4); no `Retry-After`, no `x-ratelimit-*`."""
    own = (
        ("content-type", content_type),
        *_FIXED,
        ("x-ds-trace-id", seal[32:48].hex()),
        ("x-cache", f"{cache} from cloudfront"),
        ("x-amz-cf-id", seal[36:64].hex()),
    )
    return (*own, ("cache-control", "no-cache")) if content_type.startswith("text/event-stream") else own


def _json(value: object, seal: bytes) -> Reply:
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Reply(200, _headers("application/json", seal), (body,))
