"""What the caller gets: a reading of the finished transcript. Data only."""

from __future__ import annotations

from dataclasses import field
from typing import Generic, NoReturn, TypeVar

from agentkit.approval import Pending
from agentkit.errors import ConfigurationError
from agentkit.frozen import frozen
from agentkit.messages import Assistant, Entry, Message, Usage
from agentkit.money import Cost
from agentkit.transcript import Transcript

OutputT = TypeVar("OutputT", covariant=True)


@frozen
class Result(Generic[OutputT]):
    """How a run ended.

    Attributes:
        output: The answer, of the type that the agent was made with.
        entries: The whole transcript, notes included: hand the result itself on as `history=` to go on from here.
        start: The position in `entries` at which this run began.
        usage: The tokens of this run, replies that were thrown away included.
        steps: How many model calls it took.
        cost: What the run cost, an amount in each currency, and what the cache saved; `None` where the price of any of
            its replies is not known. Each message has its own.
        pending: Calls that wait for a verdict or for an answer from outside; empty when the run is over.
            A tuple that can be saved (`agentkit.approval.Pending`).
    """

    output: OutputT
    entries: tuple[Entry, ...] = field(repr=False)
    start: int = field(default=0, repr=False)
    usage: Usage = field(default_factory=Usage)
    steps: int = 0
    cost: Cost | None = None
    pending: Pending = field(default_factory=Pending)

    @property
    def transcript(self) -> Transcript:
        """The transcript anew, counts and all."""
        return Transcript(self.entries)

    @property
    def messages(self) -> tuple[Message, ...]:
        """All that was said, the history that the run was given included; no notes."""
        return Transcript(self.entries).messages()

    @property
    def new_messages(self) -> tuple[Message, ...]:
        """What was said in this run: from its prompt to its answer."""
        return Transcript(self.entries[self.start :]).messages()

    @property
    def last(self) -> Assistant | None:
        """The last assistant message, with its reasoning, usage and the model that served it."""
        return next((entry for entry in reversed(self.entries) if isinstance(entry, Assistant)), None)

    @property
    def text(self) -> str:
        """The words of the answer."""
        return self.last.text if self.last else ""

    @property
    def finish_reason(self) -> str | None:
        """The endpoint's word for why the last reply ended: `"stop"` for an answer."""
        return self.last.finish_reason if self.last else None

    def __await__(self) -> NoReturn:
        raise ConfigurationError(
            "`run` is not awaited, it has run already: on an event loop write `await agent.arun(…)`",
            code="sync-or-async",
        )
