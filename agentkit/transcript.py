"""The append-only record of what has been said: the whole state of a run.

It keeps its counts as it grows, so every question that the loop asks of it is answered in constant time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any, overload

from agentkit.messages import Assistant, Entry, Message, Note, ToolCall, ToolMessage, Usage, User
from agentkit.money import Cost

RUN = "run"
"""The kind of the note with which a run begins; limits count from there."""

DISCARDED = "discarded"
"""The kind of the note that keeps the usage of a reply that was paid for and thrown away."""

WAITING = "waiting"
"""The kind of the note that a call is not carried out before a verdict; `data["call"]` is its id."""

VERDICT = "verdict"
"""The kind of the note with a verdict on the call `data["call"]`; `data["always"]` names a tool that needs none now."""

DELEGATED = "delegated"
"""The kind of the note that keeps what the run of an agent spent that was called as a tool, by `data["call"]`."""

HANDOVER = "handover"
"""The kind of the note that the agent `data["agent"]` has taken over."""

BEGUN = "begun"
"""The kind of the note that the calls `data["calls"]` are about to be carried out, whatever becomes of the process."""


class Transcript(Sequence[Entry]):
    """Messages and notes in the order in which they were said; it only grows.

    It is a `Sequence`, so it can be handed on as `history=`. One thread writes to it at a time; reading a
    prefix while it grows is safe, since entries are frozen and never move.

    Attributes:
        last: The last message said (notes do not count), or `None`.
        final: Whether an answer to a call of the last assistant message ends the run.
        steps: Model calls since the run began, discarded replies included.
        tool_calls: Tool calls answered since the run began.
        usage: Tokens since the run began, discarded replies and agents called as tools included.
        cost: What the replies since the run began cost, as far as it is known, likewise.
        unpriced: Of how many replies since then it is not.
        repeats: How many times in a row, in so many replies, a call of the last reply came with the same arguments and
            the same result, since the run began; of several calls the most.
        verdicts: What was decided on open calls, by their ids: the data of the notes.
        handed: The name of the agent that took over last, or `None`.
        allowed: The tools whose calls need no verdict any more, until the user speaks again.
        said: How many messages were said in all.
        start: The position at which the run began: that of its note, or 0.
        run: The id in that note; `""` where there is none.
        asked: The run and the position in which the last assistant message was said: the same after any restart.
    """

    __slots__ = (
        "__weakref__",
        "_before",
        "_begun",
        "_entries",
        "_open",
        "_spoke",
        "_streaks",
        "_waiting",
        "allowed",
        "asked",
        "cost",
        "final",
        "handed",
        "last",
        "repeats",
        "run",
        "said",
        "start",
        "steps",
        "tool_calls",
        "unpriced",
        "usage",
        "verdicts",
    )

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._entries: list[Entry] = []
        self._open: dict[str, ToolCall] = {}
        self._waiting: set[str] = set()
        self._begun: set[str] = set()
        self.allowed: set[str] = set()
        self.verdicts: dict[str, Mapping[str, Any]] = {}
        self.last: Message | None = None
        self.final = False
        self.handed: str | None = None
        self.steps = 0
        self.tool_calls = 0
        self.usage = Usage()
        self.cost = Cost()
        self.unpriced = 0
        self.said = 0
        self.start = 0
        self.run = ""
        self.asked = ("", 0)
        self._spoke = 0
        self._before: dict[tuple[str, str, str, bool], int] = {}  # of the reply before the last: calls with results
        self._streaks: dict[tuple[str, str, str, bool], int] = {}  # and how many times in a row they came
        self.repeats = 0
        for entry in entries:
            self.append(entry)

    def append(self, entry: Entry) -> None:
        """Write one message or note down. What was written is never changed or taken back."""
        if isinstance(entry, Note):
            self._count_note(entry)
        else:
            self.said += 1
            self.last = entry
            if isinstance(entry, ToolMessage):
                if (call := self._open.pop(entry.tool_call_id, None)) is not None:
                    self._count_repeat(call, entry)
                    self.tool_calls += 1
                    self.final = self.final or entry.final
            elif isinstance(entry, Assistant):
                self.asked = (self.run, len(self._entries))
                self._open = {call.id: call for call in entry.tool_calls}
                self._waiting.clear()
                self._begun.clear()
                self.final = False
                self.verdicts.clear()
                self.steps += 1
                if entry.usage is not None:
                    self.usage += entry.usage
                self._pay(entry.cost)
                self._before, self._streaks, self.repeats = self._streaks, {}, 0
            elif isinstance(entry, User):
                self.final = False
                if entry.by is None:
                    self.allowed.clear()
                    self._spoke = len(self._entries)
        self._entries.append(entry)

    def _count_note(self, note: Note) -> None:
        if note.kind == RUN:
            self.steps = self.tool_calls = self.unpriced = 0
            self.usage = Usage()
            self.cost = Cost()
            self._before, self._streaks, self.repeats = {}, {}, 0
            self.start = len(self._entries)
            self.run = str(note.data.get("id", ""))
        elif note.kind == DISCARDED:
            self.steps += 1
            spent: dict[str, int] = note.data.get("usage") or {}
            self.usage += Usage(**spent)
            paid = note.data.get("cost")
            self._pay(None if paid is None else Cost.load(paid))
        elif note.kind == DELEGATED:
            counts: dict[str, int] = note.data.get("usage") or {}
            self.usage += Usage(**counts)
            self.unpriced += int(note.data.get("unpriced") or 0)
            self.cost += Cost.load(note.data.get("cost") or {})
        elif note.kind == HANDOVER:
            self.handed = str(note.data.get("agent"))
        elif note.kind == WAITING:
            self._waiting.add(str(note.data.get("call")))
        elif note.kind == VERDICT:
            call = str(note.data.get("call"))
            self._waiting.discard(call)
            self.verdicts[call] = note.data
            if "always" in note.data:
                self.allowed.add(str(note.data["always"]))
        elif note.kind == BEGUN:
            self._begun.update(map(str, note.data.get("calls", ())))

    def _count_repeat(self, call: ToolCall, answer: ToolMessage) -> None:
        key = (call.name, call.arguments, answer.text, answer.ok)
        self._streaks[key] = times = self._before.get(key, 0) + 1
        self.repeats = max(self.repeats, times)

    def repeated(self, times: int) -> tuple[str, ...]:
        """The names of the tools of which a call came just so many times in a row with the same result."""
        return tuple(dict.fromkeys(key[0] for key, count in self._streaks.items() if count == times))

    def _pay(self, cost: Cost | None) -> None:
        if cost is None:
            self.unpriced += 1
        else:
            self.cost += cost

    @property
    def open_calls(self) -> tuple[ToolCall, ...]:
        """The calls of the last assistant message that have no answer yet, in its order."""
        return tuple(self._open.values())

    @property
    def waiting(self) -> tuple[ToolCall, ...]:
        """The open calls that are not carried out before a verdict."""
        return tuple(call for call in self._open.values() if call.id in self._waiting) if self._waiting else ()

    @property
    def ready_calls(self) -> tuple[ToolCall, ...]:
        """The open calls up to the first that waits for a verdict: those behind it may build on what it does."""
        if not self._waiting:
            return self.open_calls
        return tuple(takewhile(lambda call: call.id not in self._waiting, self._open.values()))

    @property
    def unknown_calls(self) -> tuple[ToolCall, ...]:
        """The calls that were begun and have no answer: of a transcript that was saved, nobody knows what they did."""
        return tuple(call for call in self.ready_calls if call.id in self._begun) if self._begun else ()

    def messages(self, start: int = 0) -> tuple[Message, ...]:
        """What was said from position `start` on, without the notes."""
        return tuple(entry for entry in self._entries[start:] if not isinstance(entry, Note))

    @property
    def turn(self) -> int:
        """Where the answer under way began: with the run, or with the user's last words if it goes on with those."""
        return min(self.start, self._spoke)

    @property
    def text(self) -> str:
        """The last words of the model in this turn; `""` if it has not spoken."""
        for entry in reversed(self._entries[self.turn :]):
            if isinstance(entry, Assistant) and entry.text:
                return entry.text
        return ""

    def since(self, position: int) -> Sequence[Entry]:
        """The entries from `position` on: what an encoder that stopped there has still to read."""
        return self._entries[position:]

    @overload
    def __getitem__(self, index: int) -> Entry: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Entry]: ...
    def __getitem__(self, index: int | slice) -> Any:
        return self._entries[index]

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def __repr__(self) -> str:
        return f"Transcript({self._entries!r})"
