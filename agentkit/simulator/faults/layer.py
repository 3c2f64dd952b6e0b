"""The layer that puts faults into replies (`agentkit.simulator.exchange`)."""

from __future__ import annotations

import hashlib
import math
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from random import Random

from agentkit.errors import ConfigurationError
from agentkit.simulator.exchange import Exchange, Handler
from agentkit.simulator.faults.kinds import Draw, Fault
from agentkit.simulator.faults.rules import Rule, at_once, shown
from agentkit.simulator.faults.rules import rules as read
from agentkit.simulator.faults.shapes import reshaped
from agentkit.simulator.plan import Plan
from agentkit.simulator.refusal import Refusal
from agentkit.simulator.reply import Reply

HEADER = "x-sim-fault"
"""In a request: the faults that it meets, with `+` between them. In a reply: those that it met."""

Drawn = tuple[Fault, Draw]
"""A fault, and how it happens to one request."""


class Faults:
    """Which faults happen to which requests: `simulator.faults`.

    A request is a `POST`; listings and the like are left in peace, unless their header asks for a fault. Everything
    that is left to chance follows from the seed, the number of the request and the place of the rule.
    """

    def __init__(
        self, rules: str | Rule | Iterable[str | Rule] = (), *, seed: int = 0, time_scale: float = 1.0
    ) -> None:
        """Begin with some rules.

        Args:
            rules: Rules, or texts (`agentkit.simulator.faults.rules` says how they are written).
            seed: Decides rates and places.
            time_scale: How long a second of a fault lasts, in seconds: 0.001 makes half an hour 1.8 seconds.

        Raises:
            ConfigurationError: A text is no rule, or the scale is negative or infinite.
        """
        if not 0 <= time_scale < math.inf:
            raise ConfigurationError(
                f"`time_scale={time_scale}`: it must be 0 or more, and finite", code="bad-simulator"
            )
        self._seed = seed
        self._time_scale = time_scale
        self._lock = threading.Lock()
        self._count = 0
        self._next: deque[tuple[Rule, ...]] = deque()
        self._rules: tuple[Rule, ...] = ()
        self.add(*read(rules))

    def add(self, *faults: str | Rule) -> None:
        """Add rules to those that there are.

        Raises:
            ConfigurationError: A text is no rule.
        """
        self._rules += read(faults)

    def next(self, *faults: str | None) -> None:
        """What the next requests meet, one after the other, before all rules; `None` stands for no fault.

        Several faults of one request are written with `+` between them.

        Raises:
            ConfigurationError: A text is no fault, or says when it happens.
        """
        found = [at_once(text or "") for text in faults]
        with self._lock:
            self._next.extend(found)

    def clear(self) -> None:
        """Forget all rules and what was to come next, and count from 1 again."""
        with self._lock:
            self._rules, self._count = (), 0
            self._next.clear()

    def __call__(self, exchange: Exchange, handler: Handler) -> Reply:
        """Answer an exchange, with its faults."""
        try:
            draws = self._draws(exchange)
        except ConfigurationError as error:
            exchange.refuse = Refusal(f"header `X-Sim-Fault`: {error}")
            return handler(exchange)
        return _answered(exchange, handler, draws) if draws else handler(exchange)

    def _draws(self, exchange: Exchange) -> list[Drawn]:
        """The faults of a request."""
        header = exchange.headers.get(HEADER)
        if exchange.method != "POST" and header is None:
            return []
        asked = at_once(header) if header is not None else None
        with self._lock:
            self._count += exchange.method == "POST"
            number, known = self._count, self._rules
            chosen = asked if asked is not None else (self._next.popleft() if self._next else None)
        if chosen is None and not known:
            return []
        draws: list[Drawn] = []
        for place, one in enumerate(known if chosen is None else chosen):
            random = self._random(number, place) if chosen is not None or not one.numbers else None
            if chosen is not None or one.meets(number, random.random() if random else 0.0):
                random = random or self._random(number, place)
                draws.append((one.fault, Draw(one.options, random, exchange, self._time_scale)))
        return draws

    def _random(self, number: int, place: int) -> Random:
        return Random(hashlib.blake2b(b"%d|%d|%d" % (self._seed, number, place), digest_size=16).digest())


def _answered(exchange: Exchange, handler: Handler, draws: Sequence[Drawn]) -> Reply:
    """The reply with all faults in it: another answer if there is one, else words, JSON and sending in this order."""
    answers = [one for one in draws if one[0].reply is not None]
    acted: list[Draw] = []
    if answers:
        reply = _instead(exchange, handler, *answers[0])
        acted.append(answers[0][1])
    else:
        exchange.revise = _revised(exchange.revise, [one for one in draws if one[0].words], acted)
        reply = handler(exchange)
    able: list[Drawn] = []
    idle: list[str] = []
    for fault, draw in draws:
        if draw in acted or (not fault.reply and not fault.words and _can(fault, exchange, reply)):
            able.append((fault, draw))
        else:
            idle.append(shown(fault, draw.options))
    met = tuple(shown(fault, draw.options) for fault, draw in able)
    reply = replace(_spoilt(reply, able), faults=met, idle=tuple(idle))
    return replace(reply, headers=(*reply.headers, (HEADER, " + ".join(met)))) if met else reply


def _spoilt(reply: Reply, able: Sequence[Drawn]) -> Reply:
    """The reply with its JSON and its sending changed."""
    changes = [fault.shape(draw) for fault, draw in able if fault.shape]
    if changes:
        reply = replace(reply, steps=reshaped(reply, changes))
    for fault, draw in able:
        if fault.carriage:
            reply = replace(reply, steps=tuple(fault.carriage(list(reply.steps), reply, draw)), length=False)
        if fault.wait:
            reply = replace(reply, wait=reply.wait + fault.wait(draw))
    return reply


def _instead(exchange: Exchange, handler: Handler, fault: Fault, draw: Draw) -> Reply:
    assert fault.reply is not None
    answer = fault.reply(draw)
    if isinstance(answer, Reply):
        return answer
    exchange.refuse = answer
    reply = handler(exchange)
    after: str = draw.options.get("retry_after", "")
    return replace(reply, headers=(*reply.headers, ("retry-after", after))) if after else reply


def _revised(
    before: Callable[[Plan], Plan] | None, draws: Sequence[Drawn], acted: list[Draw]
) -> Callable[[Plan], Plan] | None:
    if not draws:
        return before

    def revise(plan: Plan) -> Plan:
        plan = plan if before is None else before(plan)
        for fault, draw in draws:
            if fault.words and (plan.calls or fault.needs != "calls"):
                plan = fault.words(plan, draw)
                acted.append(draw)
        return plan

    return revise


def _can(fault: Fault, exchange: Exchange, reply: Reply) -> bool:
    """Whether a reply has what a fault acts on."""
    if (fault.shape or fault.needs) and (exchange.plan is None or reply.status != 200):
        return False
    calls = exchange.plan.calls if exchange.plan else ()
    return {
        "": True,
        "calls": bool(calls),
        "several calls": len(calls) > 1,
        "a stream": reply.streamed,
        "streamed calls": reply.streamed and bool(calls),
        "reasoning": exchange.turn is not None and exchange.turn.thinking,
    }[fault.needs]
