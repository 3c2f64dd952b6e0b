"""Runs within runs: what the run of an agent that is a tool shares with the run that called it.

It spends from the same ledger and within the same time, it may ask for verdicts where the outer run does, and what it
spends and shows goes up: usage and cost as a note beside the answer of the call, events as `Nested`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from agentkit.events import Event, Nested
from agentkit.frozen import frozen
from agentkit.ledger import Ledger
from agentkit.messages import Assistant, Note, ToolCall
from agentkit.transcript import DELEGATED, DISCARDED, Transcript


@frozen
class Lent:
    """What a run lends to the runs that its tools begin.

    Attributes:
        ledger: Its money; `None` without a limit.
        deadline: The `time.monotonic` value at which its time is over; `None` for no limit.
        approve: Asked for verdicts; `None` where nobody is.
    """

    ledger: Ledger | None = None
    deadline: float | None = None
    approve: Callable[[ToolCall], Any] | None = None


class Within:
    """A run within a call: counts what it spends, and shows its events as the call's.

    Args:
        lent: What it has of the outer run.
        call: The call that it answers.
        show: Takes its events; `None` when nobody looks.
    """

    def __init__(self, lent: Lent, call: ToolCall, show: Callable[[Nested], object] | None) -> None:
        self.lent = lent
        self._call = call
        self._show = show
        self._spent = Transcript()  # of replies alone, for its counts

    def heard(self, event: Event) -> None:
        """Take an event of the inner run, in its thread."""
        if isinstance(event, Assistant) or (isinstance(event, Note) and event.kind in (DISCARDED, DELEGATED)):
            self._spent.append(event)
        if self._show is not None:
            self._show(Nested(self._call.id, self._call.name, event))

    def note(self) -> Note | None:
        """What was spent so far; `None` for nothing."""
        spent = self._spent
        if not spent.steps:
            return None
        data = {"call": self._call.id, "usage": asdict(spent.usage), "unpriced": spent.unpriced}
        return Note(DELEGATED, {**data, "cost": spent.cost.dump()} if spent.cost.amounts else data)
