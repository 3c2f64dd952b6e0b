"""What a fault is: data that says what it does, and functions that do it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from agentkit.simulator.exchange import Exchange
from agentkit.simulator.plan import Plan
from agentkit.simulator.refusal import Refusal
from agentkit.simulator.reply import Pause, Reply, Step


@dataclass(frozen=True, slots=True)
class Option:
    """Something that a fault may be told, as in `stall(20, after=3)`.

    Attributes:
        name: Its name; the first option of a fault may be given without.
        default: What holds where it is not given; its type says what is expected. `None` stands for an integer that
            is drawn where it is not given.
        what: What it means, in a few words.
        seconds: Whether it is a time; it may then be written as `500ms`, `20s` or `30m`.
        choices: The values that there are, where not every text will do.
    """

    name: str
    default: float | int | str | None
    what: str
    seconds: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """One fault as it happens to one request.

    Attributes:
        options: The value of each of its options.
        random: What is left to chance comes from here: the same seed, request number and rule, the same draw.
        exchange: The request.
        time_scale: How long a second of a fault lasts, in seconds.
    """

    options: Mapping[str, Any]
    random: Random
    exchange: Exchange
    time_scale: float = 1.0

    def pause(self, seconds: float) -> Pause:
        """A pause of so many seconds of the fault's own time."""
        return Pause(seconds * self.time_scale)

    def place(self, most: int) -> int:
        """Where in a sequence something happens: what the option `after` says, or anywhere; 0 to `most`."""
        asked = self.options.get("after")
        return self.random.randint(0, max(0, most)) if asked is None else min(int(asked), max(0, most))


Words = Callable[[Plan, Draw], Plan]
"""Changes what is said, before it is put on the wire."""

Json = dict[str, Any]
"""A JSON object."""

Change = Callable[[Json, Json], bool]
"""Changes a reply's JSON in place: called with each object of it (the body, or each chunk in turn) and the message or
delta in that; says whether the object is sent at all."""

Shape = Callable[[Draw], Change]
"""Gives the change of one reply's JSON."""

Carriage = Callable[[list[Step], Reply, Draw], Sequence[Step]]
"""Changes how a reply is carried: its steps, whatever they say."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A way to misbehave.

    Attributes:
        name: What it is called in code, on the command line and in the request header.
        what: One line that says what the client meets.
        options: What it may be told.
        needs: What a reply must have for the fault to act on it: `"calls"`, `"several calls"`, `"reasoning"`,
            `"a stream"`, `"streamed calls"`; of one that lacks it, nothing is changed.
        reply: Answers in the endpoint's stead.
        words: Changes what is said.
        shape: Changes the JSON.
        carriage: Changes the sending.
        wait: For how many seconds nothing at all is sent.
    """

    name: str
    what: str
    options: tuple[Option, ...] = ()
    needs: str = ""
    reply: Callable[[Draw], Reply | Refusal] | None = None
    words: Words | None = None
    shape: Shape | None = None
    carriage: Carriage | None = None
    wait: Callable[[Draw], float] | None = None

    @property
    def kind(self) -> str:
        """What it concerns: `"answer"` (another one comes), `"words"`, `"shape"` or `"carriage"`."""
        if self.reply is not None:
            return "answer"
        if self.carriage is not None or self.wait is not None:
            return "carriage"
        return "words" if self.words is not None else "shape"
