"""What has been said decides what happens next; doing it says more.

`decide` reads the transcript and names the next effect; a driver has it performed and writes down what comes back,
until a whole step says nothing new. There is one driver for threads and one for an event loop; nothing else in
agentkit decides what a run does next.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields

from agentkit.errors import ConfigurationError, LimitReached
from agentkit.events import CallModel, CallTools, Effect, Emit, Review
from agentkit.messages import Assistant, Entry, ToolMessage
from agentkit.transcript import Transcript

Say = Callable[[Entry], None]
"""Writes a message or note down, then shows it."""

Perform = Callable[[Effect, Say], None]
APerform = Callable[[Effect, Say], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one run may spend; `None` is no limit.

    Attributes:
        steps: Model calls.
        tool_calls: Tool calls; a batch that would go beyond it is not begun.
        tokens: Prompt and completion tokens together, as the endpoint counts them after each step.
        seconds: Wall time. Requests and tools under way are stopped when it is over.
    """

    steps: int | None = 25
    tool_calls: int | None = None
    tokens: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for one in fields(self):
            value: object = getattr(self, one.name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0):
                raise ConfigurationError(f"`Limits({one.name}={value!r})`: it must be a number from 0 on, or `None`")


def decide(transcript: Transcript, limits: Limits) -> Effect | None:
    """What the transcript calls for next; `None` when only calls are left that wait for a verdict.

    Raises:
        ConfigurationError: Nothing has been said.
        LimitReached: The next effect would go beyond a limit.
    """
    last = transcript.last
    if last is None:
        raise ConfigurationError("there is nothing to answer: give a prompt, or a history that holds a message")
    if calls := transcript.open_calls:
        if not isinstance(last, Assistant | ToolMessage):
            return CallTools(calls, interrupted=True)
        if not (ready := transcript.ready_calls):
            return None
        _check("tool_calls", transcript.tool_calls + len(ready) - 1, limits.tool_calls, transcript)
        return CallTools(ready)
    if transcript.final or isinstance(last, Assistant):
        return Review()
    _check("steps", transcript.steps, limits.steps, transcript)
    _check("tokens", transcript.usage.total_tokens, limits.tokens, transcript)
    return CallModel()


def _check(name: str, spent: int, limit: int | None, transcript: Transcript) -> None:
    if limit is not None and spent >= limit:
        raise LimitReached(
            f"the run stopped at its limit `{name}={limit}` before it had an answer;"
            f" raise it with `limits=Limits({name}=…)`, or go on from the error's `.transcript`",
            limit=name,
            text=transcript.text,
        )


def drive(transcript: Transcript, perform: Perform, say: Say, show: Emit | None, limits: Limits) -> None:
    """Run to the end in the calling thread. `say` must append to `transcript` before it shows anything."""
    said = -1
    while said != transcript.said:
        said = transcript.said
        if (effect := decide(transcript, limits)) is None:
            return
        if show is not None:
            show(effect)
        perform(effect, say)


async def adrive(transcript: Transcript, perform: APerform, say: Say, show: Emit | None, limits: Limits) -> None:
    """The same on the running event loop."""
    said = -1
    while said != transcript.said:
        said = transcript.said
        if (effect := decide(transcript, limits)) is None:
            return
        if show is not None:
            show(effect)
        await perform(effect, say)
