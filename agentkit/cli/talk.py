"""A conversation at the prompt, apart from screen and keys: what was said, undone, forked, and what a line asks for."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from agentkit.calls import interrupted
from agentkit.errors import ConfigurationError
from agentkit.events import Event, ToolFinished, ToolStarted
from agentkit.frozen import frozen
from agentkit.messages import Assistant, Entry, ToolCall, Usage, User
from agentkit.money import Cost
from agentkit.transcript import Transcript

COMMANDS: dict[str, tuple[str, str]] = {
    "help": ("", "show these commands"),
    "tools": ("", "list the tools that the model may call"),
    "model": ("[NAME]", "say which model answers, or take another one from now on"),
    "usage": ("", "tokens and money so far"),
    "think": ("[on|off]", "show the reasoning of the last answer; `on` shows it as it comes"),
    "go": ("", "go on after Ctrl-C, an error or a call that waited, without saying anything"),
    "undo": ("", "take the last prompt back, with all that followed it"),
    "fork": ("[N]", "go on in a copy of the conversation; with N, in one that ends before your prompt number N"),
    "switch": ("[N]", "list the conversations of this chat, or go back to number N"),
    "save": ("[FILE]", "write the conversation to a file, one JSON object a line"),
    "quit": ("", "end; so does Ctrl-D"),
}
"""The commands by name: what follows the name, and what it does."""


@frozen
class Command:
    """A line that begins with a slash.

    Attributes:
        name: A key of `COMMANDS`.
        rest: What follows it.
    """

    name: str
    rest: str


def read(line: str) -> Command | str:
    """What a line asks for: a command, or words for the model; `//` begins words with one slash.

    Raises:
        ConfigurationError: There is no such command.
    """
    text = line.strip()
    if text.startswith("//"):
        return text[1:]
    if not text.startswith("/") or "\n" in text:
        return text
    name, _, rest = text[1:].partition(" ")
    name = {"exit": "quit", "q": "quit", "?": "help", "h": "help"}.get(name, name)
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean `/{near[0]}`?" if near else "`/help` lists them;"
        raise ConfigurationError(
            f"there is no command `/{name}`; {hint} `//` begins words with a slash", code="bad-option"
        )
    return Command(name, rest.strip())


@dataclass(slots=True)
class Branch:
    """One conversation.

    Attributes:
        entries: What was said and noted.
        session: The session that keeps it; `None` where none does.
        parent: The number of the one it was forked from.
    """

    entries: Sequence[Entry] = ()
    session: str | None = None
    parent: int | None = None

    def prompts(self) -> list[tuple[int, str]]:
        """Where the user spoke, as positions in `entries`, and what he said."""
        return [
            (position, entry.text)
            for position, entry in enumerate(self.entries)
            if isinstance(entry, User) and entry.by is None
        ]

    def before(self, number: int) -> int:
        """How many entries stand before the turn of the prompt with this number, counted from 1.

        Raises:
            ConfigurationError: There is no such prompt.
        """
        prompts = self.prompts()
        if not 1 <= number <= len(prompts):
            there = f"there are {len(prompts)}" if prompts else "nothing was said yet"
            raise ConfigurationError(f"there is no prompt number {number}: {there}", code="bad-option")
        position = prompts[number - 1][0]
        while position and self.entries[position - 1].role == "note":  # the note that its run begins
            position -= 1
        return position

    def title(self) -> str:
        """Its last prompt."""
        prompts = self.prompts()
        return prompts[-1][1] if prompts else "(nothing said yet)"

    def reasoning(self) -> list[str]:
        """The reasoning of the last turn."""
        since = self.prompts()[-1][0] if self.prompts() else 0
        return [entry.reasoning for entry in self.entries[since:] if isinstance(entry, Assistant) and entry.reasoning]


@dataclass(slots=True)
class Talk:
    """The state of a chat: its conversations, of which one is under way.

    Attributes:
        model: The model in place of the agent's; `None` for the agent's own.
        unfolded: Whether reasoning is shown as it comes.
        usage: The tokens of all runs of this chat.
        cost: What they cost, as far as it is known.
        unpriced: How many runs cost what is not known.
        runs: How many runs there were.
    """

    model: str | None = None
    unfolded: bool = False
    branches: list[Branch] = field(default_factory=lambda: [Branch()])
    number: int = 0
    usage: Usage = field(default_factory=Usage)
    runs: int = 0
    cost: Cost = field(default_factory=Cost)
    unpriced: int = 0

    @property
    def branch(self) -> Branch:
        """The conversation under way."""
        return self.branches[self.number]

    def count(self, usage: Usage, cost: Cost | None) -> None:
        """Count a run in."""
        self.runs += 1
        self.usage += usage
        self.cost += cost or Cost()
        self.unpriced += cost is None

    def fork(self, end: int, session: str | None = None) -> Branch:
        """Go on in a copy of the conversation that holds its first `end` entries."""
        self.branches.append(Branch(tuple(self.branch.entries[:end]), session, self.number))
        self.number = len(self.branches) - 1
        return self.branch

    def switch(self, number: int) -> Branch:
        """Go back to a conversation by its number, from 1.

        Raises:
            ConfigurationError: There is no such conversation.
        """
        if not 1 <= number <= len(self.branches):
            raise ConfigurationError(
                f"there is no conversation number {number}: there are {len(self.branches)}", code="bad-option"
            )
        self.number = number - 1
        return self.branch

    def undo(self) -> str:
        """Take the last prompt back, with all that followed it; what it was.

        Raises:
            ConfigurationError: Nothing was said yet.
        """
        prompts = self.branch.prompts()
        if not prompts:
            raise ConfigurationError("there is nothing to take back: nothing was said yet", code="bad-option")
        self.branch.entries = tuple(self.branch.entries[: self.branch.before(len(prompts))])
        return prompts[-1][1]


def stopped(entries: Iterable[Entry], under_way: Iterable[ToolCall]) -> tuple[Entry, ...]:
    """What was said in a run that was stopped, ready to go on from.

    Calls whose functions had begun are answered: nobody knows what they did, so they must not be made again unasked.
    """
    kept = tuple(entries)
    open_ones = {call.id for call in Transcript(kept).open_calls}
    return (*kept, *(interrupted(call) for call in under_way if call.id in open_ones))


class UnderWay:
    """The calls of a run whose functions have begun and not ended, told by its events."""

    def __init__(self) -> None:
        self.calls: dict[str, ToolCall] = {}

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, ToolStarted):
            self.calls[event.call.id] = event.call
        elif isinstance(event, ToolFinished):
            self.calls.pop(event.call.id, None)
