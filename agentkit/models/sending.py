"""One answer under way: what is sent, what is shown, and whether to send again. Pure but for the clock.

Which replies are asked for again, and how often, is a table in docs/reference/errors.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Self

from agentkit.errors import (
    ConnectionLost,
    ContextOverflow,
    LimitReached,
    ModelError,
    TimedOut,
    Truncated,
    Unavailable,
    Unreadable,
)
from agentkit.events import CallDelta, Closing, Continued, Queued, ReasoningDelta, Restarted, Retried, TextDelta
from agentkit.frozen import frozen
from agentkit.messages import Assistant, Usage, User
from agentkit.models.billing import Bill
from agentkit.models.catalog import ModelRow
from agentkit.models.continuing import TIMES, Seam, joined, opening
from agentkit.models.failures import largest, no_tools
from agentkit.models.fit import asked_to_think, flipped, other_model
from agentkit.models.jsonmode import with_the_schema, with_the_word
from agentkit.models.request import Decoder, Dialect, Request
from agentkit.models.retry import Retries, elsewhere
from agentkit.models.transport import Patience
from agentkit.transcript import Transcript

UNREAD = 2
"""How many times a model is told that a call it wrote as text cannot be read."""

BUDGET = 4096
"""How many tokens a reply may take that is asked for again because it was cut within a call, at the least."""


@frozen
class Manner:
    """How a model is asked, the same for every answer.

    Attributes:
        name: The model's name, for errors.
        row: What is known of it.
        dialect: The wire format.
        prompted: The dialect that tells tools in words; `None` where that must not be.
        always_prompted: Whether tools are told in words although the row takes them.
        retries: How often a busy endpoint is asked again.
        patience: How long to wait for what.
        chance: A number from 0 to 1, for jitter.
        learn: Takes the row as the endpoint turned out to want it, for the answers to come.
        date: Seconds since 1970.
        beta: Whether there is an address at which a cut answer can be gone on with.
    """

    name: str
    row: ModelRow
    dialect: Dialect
    prompted: Dialect | None
    always_prompted: bool
    retries: Retries
    patience: Patience
    chance: Callable[[], float]
    learn: Callable[[ModelRow], None]
    date: Callable[[], float]
    beta: bool = False


class Sending:
    """One answer under way: the body, the attempts, and what was shown of the reply so far."""

    def __init__(self, manner: Manner, request: Request) -> None:
        self.manner = manner
        self.row = manner.row
        self.request = request = with_the_word(with_the_schema(request, manner.row))
        self.dialect = self._choose()
        self.attempts = 0
        self.before = 0  # of those, how many were for what is done with
        self.order: tuple[int, ...] = ()  # of the endpoint's addresses; those that are out come last
        self.moves = 0  # how often to go to another of them
        self.shown = False
        self.began = 0.0
        self.until = request.deadline  # when there is no more time for the answer, with all that it takes to get it
        self.spent = Usage()
        self.repeated: set[str] = set()
        self.kept = ""  # what was said beside calls that could not be read
        self.part: Assistant | None = None  # what came of an answer that was cut and is gone on with
        self.seam: Seam | None = None
        self.unread = 0
        self.thinks = self.row.thinks(asked_to_think(request.settings))
        self.stream = self.row.streams(asked=request.stream, thinks=self.thinks)
        self.bill = Bill(manner.name, request, manner.date)
        self.body = self._encode()
        self.sent = b""  # the body, with as much room for the answer as there is money for
        self.decoder: Decoder | None = None

    def _choose(self) -> Dialect:
        """The dialect that the row asks for, or that the run has come to (DESIGN section 3)."""
        manner = self.manner
        if manner.prompted is None:
            return manner.dialect
        known = (type(manner.prompted), manner.row) in self.request.encoders
        return manner.prompted if manner.always_prompted or not manner.row.tools or known else manner.dialect

    def _encode(self) -> bytes:
        """The body of the request: for the answer, or for the rest of one that was cut."""
        request = self.request
        if self.part is not None:
            return opening(self.dialect, self.row, request, self.part, stream=self.stream)
        key = (type(self.dialect), self.row)
        encoder = request.encoders.get(key)
        if encoder is None:
            encoder = request.encoders[key] = self.dialect.encoder(self.row)
        return encoder.encode(request, stream=self.stream)

    def begin(self) -> Patience:
        """The next attempt begins; how long it may take."""
        self.decoder = None
        sent = self.bill.open(self.body, self.row, self._room(), thinks=self.thinks)
        if sent is None:
            raise self._out_of_money(self.part)
        self.sent = sent
        self.attempts += 1
        self.shown = False
        self.began = time.monotonic()
        self.seam = None if self.part is None else Seam(self.part.text)
        deltas = self.request.emit is not None
        self.decoder = self.dialect.decoder(self.row, deltas=deltas, request=self.request)
        patience = self.manner.patience
        if self.attempts == 1 and patience.total is not None:
            until = self.began + patience.total
            self.until = until if self.until is None else min(until, self.until)
        if self.until is not None:
            patience = replace(patience, total=max(0.0, self.until - self.began))
        return patience

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.bill.drop(self._came)  # what was under way when it was stopped

    def _came(self) -> Assistant | None:
        """What has come of a reply that did not end; `None` where it had not begun."""
        return self.decoder.partial() if self.decoder is not None and self.decoder.begun else None

    def _room(self) -> int | None:
        """How many tokens the answer may have, where the caller says."""
        settings = self.request.settings
        asked = settings.extra_body.get("max_tokens", settings.max_tokens)
        return asked if isinstance(asked, int) and asked > 0 else None

    def queued(self, seconds: float) -> None:
        """Tell the onlooker that the request has waited that long for a place at the endpoint."""
        if self.request.emit is not None:
            self.request.emit(Queued(seconds))

    def feed(self, chunk: bytes) -> bool:
        """Hand bytes to the decoder and its deltas to the onlooker; whether the answer has begun."""
        decoder, emit = self.decoder, self.request.emit
        assert decoder is not None
        deltas = decoder.feed(chunk)
        if emit is not None:
            if deltas:
                self._show(deltas)
            elif not decoder.begun:  # a keep-alive: the endpoint has the request, and has not begun with it
                emit(Queued(time.monotonic() - self.began))
        return decoder.begun

    def _show(self, deltas: Sequence[Closing], *, last: bool = False) -> None:
        """Hand deltas to the onlooker; of a cut answer's rest, not what he has seen."""
        emit, seam = self.request.emit, self.seam
        if emit is None:
            return
        if seam is not None:
            fresh: list[Closing] = []
            for delta in deltas:
                if isinstance(delta, TextDelta):
                    delta = TextDelta(seam.feed(delta.text))
                elif isinstance(delta, CallDelta):
                    fresh.append(TextDelta(seam.end()))
                fresh.append(delta)
            if last:
                fresh.append(TextDelta(seam.end()))
            deltas = [delta for delta in fresh if not isinstance(delta, TextDelta) or delta.text]
        for delta in deltas:
            self.shown = True
            emit(delta)

    def finish(self) -> Assistant | None:
        """The whole message, or `None` where the reply is no answer and is asked for once more.

        Raises:
            ModelError: The reply cannot be read, or says that the endpoint could not go on.
            LimitReached: It was cut since there was no money for more.
        """
        decoder = self.decoder
        assert decoder is not None
        message = decoder.finish()
        self.bill.close(message.usage)
        self._show(decoder.rest(), last=True)
        if other := other_model(self.row, self.request.tools, self.thinks, message.model):
            self.request.warn(other)
        if message.finish_reason == "insufficient_system_resource":
            self.spent += message.usage or Usage()
            raise Unavailable(
                f"`{self.manner.name}` broke its answer off for want of resources (finish reason"
                " `insufficient_system_resource`); try again later"
            )
        flaw = decoder.flaw()
        used = message.usage or Usage(requests=1)
        if message.finish_reason == "length" and self.bill.short:
            self.spent += used
            raise self._out_of_money(message if self.part is None else joined(self.part, message))
        if self._corrected(message, flaw) or (flaw is None and (self._again(message) or self._goes_on(message))):
            self.spent += used
            return None
        if flaw is not None and not message.tool_calls:  # told often enough: then its words are the answer
            message = replace(message, text=flaw[0])
        if self.part is not None:
            message = joined(self.part, message)
        if self.spent.requests:
            message = replace(message, text=self.kept + message.text, usage=self.spent + used)
        return message if self.bill.cost is None else replace(message, cost=self.bill.cost)

    def _corrected(self, message: Assistant, flaw: tuple[str, str] | None) -> bool:
        """Whether the model is told that a call it wrote as text cannot be read; what it said beside it stays said."""
        if flaw is None or self.unread >= UNREAD:
            return False
        self.unread += 1
        said, problem = flaw
        transcript = Transcript([*self.request.transcript, Assistant(said), User(problem, by="dialect")])
        encoder = self.dialect.encoder(self.row)  # one of its own: these two are not part of the run
        self.body = encoder.encode(replace(self.request, transcript=transcript), stream=self.stream)
        self.kept += message.text
        if self.request.emit is not None:
            self.request.emit(Retried(self.attempts, 0.0, problem))
        return True

    def _again(self, message: Assistant) -> bool:
        """Whether to ask again for a reply that is no answer; prepares the next request."""
        if message.finish_reason == "length" and message.tool_calls:
            return self._repeat("cut within a tool call") and self._enlarge(message)
        if self.part is not None:  # nothing more to say is an end too
            return False
        if message.finish_reason in ("stop", "tool_calls") and not message.tool_calls and not message.text.strip():
            return self._repeat("empty") and self._without_json_output()
        if message.finish_reason == "tool_calls" and not message.tool_calls:
            return self._repeat("`tool_calls` without a call")
        return False

    def _without_json_output(self) -> bool:
        """Ask for plain words that are JSON: with JSON output, an answer may come empty (WIRE section 3)."""
        settings = self.request.settings
        if settings.response_format is not None:
            self.request = replace(self.request, settings=replace(settings, response_format=None))
            self.body = self._encode()
        return True

    def _repeat(self, why: str) -> bool:
        """Whether the reply may be asked for once more for this reason; tells the onlooker."""
        if why in self.repeated or not self._may_repeat():
            return False
        self.repeated.add(why)
        self._tell(0.0, f"the reply was {why}")
        return True

    def _may_repeat(self) -> bool:
        """Whether what was shown of this reply may be shown again: to one who streams, only if he said so."""
        return not (self.shown and self.request.stream) or self.request.restart

    def _enlarge(self, message: Assistant) -> bool:
        """Ask with twice the room that the reply had."""
        settings = self.request.settings
        used = message.usage.completion_tokens if message.usage else 0
        room = 2 * max(BUDGET // 2, used, settings.max_tokens or 0)
        room = min(room, self.row.output or room)
        self.request = replace(self.request, settings=replace(settings, max_tokens=room))
        self.body = self._encode()
        return True

    def _goes_on(self, message: Assistant) -> bool:
        """Whether the answer was cut within its text and the model can go on with it; prepares the next request."""
        if message.finish_reason != "length" or message.tool_calls or not (self.row.prefix and self.manner.beta):
            return False
        if self.dialect is self.manner.prompted and self.request.tools:  # the cut may go through a call
            return False
        whole = message if self.part is None else joined(self.part, message)
        times = self.request.settings.continuations
        if not whole.text.strip() or whole.continued >= (TIMES if times is None else times):
            return False
        self.part = whole
        self.before = self.attempts  # the rest is a request of its own
        self.body = self._encode()
        if self.request.emit is not None:
            self.request.emit(Continued(whole.continued + 1))
        return True

    def failed(self, error: ModelError) -> float | None:
        """Seconds to wait before the next attempt; `None` where there is none, and the caller raises `error`.

        It is not raised here: in a local of its own traceback, it would keep the run alive until the next collection.

        Raises:
            Truncated: The error keeps the rest of a cut answer from coming.
        """
        lost = isinstance(error, ConnectionLost | TimedOut | Unreadable)
        self.bill.drop(lambda: self._came() if lost else None)
        error.model, error.attempts = self.manner.name, self.attempts
        self.moves += elsewhere(error)
        if isinstance(error, ContextOverflow):
            error.args = (f"{error}. {largest(self.request.transcript.messages(), self.request.instructions)}",)
        if self._without_tools(error) or self._other_reasoning(error):
            return 0.0
        delay = self.manner.retries.delay(error, self.attempts - self.before, self.manner.chance())
        if isinstance(error, Unreadable) and "unreadable" not in self.repeated:
            self.repeated.add("unreadable")
            delay = self.manner.retries.first
        until = self.until
        late = delay is not None and until is not None and time.monotonic() + delay >= until
        out_of_time = isinstance(error, TimedOut) and until is not None and time.monotonic() >= until
        if delay is None or late or out_of_time or not self._may_repeat():
            if self.attempts > 1:
                error.args = (f"{error} (after {self.attempts} attempts)",)
            if self.part is not None and not out_of_time:
                raise self._unfinished(self.part, error) from error
            return None
        self._tell(delay, f"{type(error).__name__}: {error}")
        return delay

    def _unfinished(self, part: Assistant, error: ModelError) -> Truncated:
        """The error that an answer stays cut, since its rest could not be had; it is returned, not raised."""
        return Truncated(
            f"the answer of `{self.manner.name}` was cut after {len(part.text)} characters (finish reason `length`),"
            f" and its rest could not be had: {error}. Raise `Settings(max_tokens=…)`, or ask for less; the part that"
            " came is in the error's `.text`",
            finish_reason="length",
            text=part.text,
            partial=replace(part, usage=self.spent, cost=self.bill.cost),
        )

    def _out_of_money(self, part: Assistant | None) -> LimitReached:
        """The error that the run's money is not enough to go on; it is returned, not raised."""
        if part is None and self.spent.requests:  # replies that were thrown away
            part = Assistant(self.kept)
        return LimitReached(
            f"the run stopped at its limit `cost`: {self.bill.left()}, which is not enough for the answer of"
            f" `{self.manner.name}`; raise it with `limits=Limits(cost=…)`, or set `Settings(max_tokens=…)`, since"
            " money is set aside for as many tokens as an answer may have",
            limit="cost",
            text=(part.text if part is not None else "") or self.request.transcript.text,
            partial=None if part is None else replace(part, usage=self.spent, cost=self.bill.cost),
        )

    def _without_tools(self, error: ModelError) -> bool:
        """Whether the endpoint says that the model has no function calling; the run then tells tools in words."""
        prompted = self.manner.prompted
        if prompted is None or self.dialect is prompted or not self.request.tools or not no_tools(error):
            return False
        self.dialect = prompted
        self.body = self._encode()
        self._tell(0.0, f"{error}; from here on the tools are told in words")
        return True

    def _other_reasoning(self, error: ModelError) -> bool:
        """Whether the endpoint says that it wants the reasoning back, or that it does not; once per endpoint."""
        if self.row is not self.manner.row or (found := flipped(self.row, error)) is None:
            return False
        self.row, warning = found
        self.body = self._encode()
        self.manner.learn(self.row)
        self.request.warn(warning)
        self._tell(0.0, f"{type(error).__name__}: {error}")
        return True

    def _tell(self, delay: float, why: str) -> None:
        if self.request.emit is not None:
            self.request.emit(Retried(self.attempts, delay, why))
            if self.shown:
                self.request.emit(Restarted())
                if self.part is not None:  # what is gone on with stays
                    if self.part.reasoning:
                        self.request.emit(ReasoningDelta(self.part.reasoning))
                    self.request.emit(TextDelta(self.part.text))
