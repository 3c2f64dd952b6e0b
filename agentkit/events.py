"""What an onlooker sees of a run, in order: effects, deltas, messages, what became of tools and requests.

Events are frozen dataclasses without identity; `dump` stamps them with run, step and sequence number as one JSON
line, `load` reads that back; `Stamper` counts the places. Messages of `agentkit.messages` are events too: each is
shown once it was written down.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from agentkit import messages
from agentkit.errors import ConfigurationError
from agentkit.frozen import frozen
from agentkit.messages import Assistant, Note, System, ToolCall, ToolMessage, User
from agentkit.result import Result
from agentkit.transcript import RUN

if TYPE_CHECKING:
    from pydantic import TypeAdapter


@frozen
class CallModel:
    """Effect: the model is asked for its next message."""


@frozen
class CallTools:
    """Effect: these calls are carried out, all at once where they may be.

    Attributes:
        calls: The calls that have no answer yet.
        interrupted: They are not run but answered as interrupted, since the user spoke before they were.
    """

    calls: tuple[ToolCall, ...]
    interrupted: bool = False


@frozen
class Review:
    """Effect: the answer is looked at; silence accepts it."""


Effect = CallModel | CallTools | Review


@frozen
class TextDelta:
    """A piece of the answer's text."""

    text: str


@frozen
class ReasoningDelta:
    """A piece of the model's reasoning."""

    text: str


@frozen
class CallDelta:
    """A piece of a tool call.

    Attributes:
        index: The position of the call in the message, from 0.
        id: The call's id in its first delta, else `""`; a missing or repeated one may be replaced in the message.
        name: The tool's name in its first delta, else `""`.
        arguments: A piece of the text of the arguments.
    """

    index: int
    id: str
    name: str
    arguments: str


@frozen
class Salvaged:
    """The endpoint left calls in the reply's text; they were read there, and are carried out like any other.

    Attributes:
        calls: The calls.
        notations: How they were written: `"dsml"`, `"deepseek"`, `"tool_call"`, … (docs/guides/prompt-only.md).
    """

    calls: tuple[ToolCall, ...]
    notations: tuple[str, ...]


@frozen
class Repeated:
    """The model made the same call several times in a row with the same result; it is told so, this once.

    Attributes:
        tool: The tool's name.
        times: How many times.
    """

    tool: str
    times: int


@frozen
class Repaired:
    """The arguments of a call were not as they should be, but could not be misunderstood; its function runs.

    Attributes:
        call: The call, with the arguments as the model wrote them.
        repairs: How often each kind of repair was made: `{"trailing comma": 1, "text for a number": 2}`.
    """

    call: ToolCall
    repairs: Mapping[str, int]


@frozen
class ToolStarted:
    """A tool's function begins to run, with arguments that passed the check."""

    call: ToolCall


@frozen
class ToolFinished:
    """A call has its answer; the `ToolMessage` was written down just before.

    Attributes:
        call: The call.
        ok: Whether the tool did what it was asked.
        seconds: How long it took.
        traceback: The traceback of the exception that ended it, for the developer only; `None` where there was none.
        text: All of the result's text, where the model is told a part; else `None`.
    """

    call: ToolCall
    ok: bool
    seconds: float
    traceback: str | None = None
    text: str | None = None


@frozen
class Retried:
    """A request failed and is sent again.

    Attributes:
        attempt: The number of the attempt that failed, from 1.
        delay: Seconds until the next one.
        error: The class and message of what went wrong.
    """

    attempt: int
    delay: float
    error: str


@frozen
class Queued:
    """The request waits, for this many seconds so far.

    Either the endpoint keeps the connection alive but has not begun to answer, or there is no place yet among the
    requests that it takes at once (`agentkit.models.limiter`).
    """

    seconds: float


@frozen
class Restarted:
    """Deltas of this step shown so far are void: the reply broke off and is asked for anew."""


@frozen
class Continued:
    """The answer was cut by the token limit and is gone on with: the deltas to come belong to the same message.

    Attributes:
        number: How many times it has been so far, from 1.
    """

    number: int


@frozen
class LimitNear:
    """Four fifths of a limit of the run are used up; told once for each limit.

    Attributes:
        limit: Which one, by its field in `Limits`.
        used: How much is used up, as a part of the limit, e.g. 0.85.
    """

    limit: str
    used: float


@frozen
class Warned:
    """Something is not as it was asked for, though the run goes on: a sentence that says what, and why.

    A setting that the model does not take or heed, a tool choice told in words, a retired name, messages that are
    perhaps too long, another model that answered, a result of a tool that JSON has no form for.
    """

    text: str


@frozen
class FellBack:
    """A model could not answer, and the next one is asked (`agentkit.models.fallback`).

    Attributes:
        model: The one that could not.
        next: The one that is asked now.
        error: The class and message of what went wrong.
    """

    model: str
    next: str
    error: str


@frozen
class Finished:
    """The last event of a run."""

    result: Result[Any]


@frozen
class Nested:
    """An event of a run within this one: of an agent that was called as a tool.

    Attributes:
        call: The id of the call.
        tool: The tool's name.
        event: What happened there.
    """

    call: str
    tool: str
    event: Event


Event = (
    Effect
    | TextDelta
    | ReasoningDelta
    | CallDelta
    | System
    | User
    | Assistant
    | ToolMessage
    | Note
    | Nested
    | Salvaged
    | Repeated
    | Repaired
    | ToolStarted
    | ToolFinished
    | Retried
    | Queued
    | Restarted
    | Continued
    | LimitNear
    | Warned
    | FellBack
    | Finished
)
Delta = TextDelta | ReasoningDelta | CallDelta
Closing = Delta | Salvaged | Repaired
"""What only the end of a reply brings."""

Emit = Callable[[Event], None]


@frozen
class Stamped:
    """An event with its place: which run, which step (model call, from 1; 0 before the first), which number in it."""

    run: str
    step: int
    seq: int
    event: Event


class Stamper:
    """Gives the events of a run their places, in the order in which it is called with them.

    The run's id comes with the first note of the run. The step rises with each `CallModel`, which is number 0 of its
    step. One stamper serves one stream of events from its beginning on.
    """

    __slots__ = ("_run", "_seq", "_step")

    def __init__(self) -> None:
        self._run = ""
        self._step = self._seq = 0

    def __call__(self, event: Event) -> Stamped:
        """The event with its place."""
        if isinstance(event, CallModel):
            self._step += 1
            self._seq = 0
        elif isinstance(event, Note) and event.kind == RUN:
            self._run = str(event.data.get("id", ""))
        stamped = Stamped(self._run, self._step, self._seq, event)
        self._seq += 1
        return stamped


_KINDS: Mapping[str, type[Any]] = {kind.__name__: kind for kind in Event.__args__}


@functools.cache
def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    messages.adapter()  # resolves the message types that events refer to
    return TypeAdapter(kind)


def dump(stamped: Stamped) -> bytes:
    """One JSON object (UTF-8, no line break) that `load` reads back without loss.

    Its keys: `run`, `step`, `seq`, `event` (the class name) and `data` (its fields).
    """
    kind = type(stamped.event)
    head = {"run": stamped.run, "step": stamped.step, "seq": stamped.seq, "event": kind.__name__}
    return json.dumps(head, separators=(",", ":"))[:-1].encode() + b',"data":' + _data(stamped.event) + b"}"


def _data(event: Event) -> bytes:
    """The fields of an event as a JSON object."""
    if not isinstance(event, Nested):
        return messages.write(_adapter(type(event)), event, fallback=repr)
    head = {"call": event.call, "tool": event.tool, "event": type(event.event).__name__}
    return json.dumps(head, separators=(",", ":"))[:-1].encode() + b',"data":' + _data(event.event) + b"}"


def _event(kind: str, data: Any) -> Event:
    """The event that `_data` wrote, from its JSON value."""
    if kind == Nested.__name__:
        return Nested(str(data["call"]), str(data["tool"]), _event(data["event"], data["data"]))
    return messages.read(_adapter(_KINDS[kind]), json.dumps(data))


def load(data: bytes | str) -> Stamped:
    """Read what `dump` wrote.

    Raises:
        ConfigurationError: It is not one stamped event.
    """
    from pydantic import ValidationError

    try:
        fields = json.loads(data)
        event = _event(fields["event"], fields["data"])
        return Stamped(str(fields["run"]), int(fields["step"]), int(fields["seq"]), event)
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise ConfigurationError(
            f"this is no event as `agentkit` writes them: {error}; give one line that `agentkit.events.dump` wrote",
            code="bad-saved",
        ) from error
