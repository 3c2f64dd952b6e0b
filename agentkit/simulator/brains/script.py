"""Replies from a list, each with what the request for it must look like: `Script`.

    Script(
        {
            "calls": [{"name": "weather", "arguments": {"city": "Paris"}}],
            "expect": {"last": "Paris", "tools": ["weather"]},
        },
        "Sunny.",
    )

The same as a TOML file, for `Script.read` and `agentkit sim --script FILE`:

    [[reply]]
    calls = [{ name = "weather", arguments = { city = "Paris" } }]
    expect = { last = "Paris", tools = ["weather"] }

    [[reply]]
    text = "Sunny."
"""

from __future__ import annotations

import re
import threading
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from os import PathLike
from pathlib import Path
from typing import Any, cast

from agentkit.errors import ConfigurationError
from agentkit.simulator.brains import Turn
from agentkit.simulator.brains.said import Said, only, plan_of, text_of
from agentkit.simulator.plan import Plan
from agentkit.simulator.refusal import Refusal


@dataclass(frozen=True, slots=True)
class Expect:
    """What a request must look like; what is `None` may be anything.

    Attributes:
        last: A text that the last message contains.
        matches: A regular expression that is found in the last message.
        role: The role of the last message.
        system: A text that the system messages contain.
        tools: The names of the tools that are offered, in any order.
        messages: How many messages there are.
        model: The model name.
        thinking: Whether thinking is asked for.
        check: Called with the `Turn`; it raises `AssertionError` or gives `False` where something is wrong.
    """

    last: str | None = None
    matches: str | None = None
    role: str | None = None
    system: str | None = None
    tools: tuple[str, ...] | None = None
    messages: int | None = None
    model: str | None = None
    thinking: bool | None = None
    check: Callable[[Turn], object] | None = None

    def complaints(self, turn: Turn) -> list[str]:
        """What is not as expected, one sentence each."""
        last = turn.messages[-1] if turn.messages else None
        text = (last.text or "") if last else ""
        system = "\n".join(message.text or "" for message in turn.messages if message.role == "system")
        offered = sorted(tool.name for tool in turn.tools)
        found: list[str] = []
        if self.last is not None and self.last not in text:
            found.append(f"the last message does not contain {_quoted(self.last)}; it is {_quoted(text)}")
        if self.matches is not None and not re.search(self.matches, text):
            found.append(f"the last message does not match {_quoted(self.matches)}; it is {_quoted(text)}")
        if self.system is not None and self.system not in system:
            found.append(f"no system message contains {_quoted(self.system)}; they are {_quoted(system)}")
        if self.tools is not None and sorted(self.tools) != offered:
            found.append(f"the tools are {_listed(offered)}, not {_listed(sorted(self.tools))}")
        for what, wanted, is_so in (
            ("the last message's role", self.role, last.role if last else None),
            ("the number of messages", self.messages, len(turn.messages)),
            ("the model", self.model, turn.model),
            ("thinking", self.thinking, turn.thinking),
        ):
            if wanted is not None and wanted != is_so:
                found.append(f"{what} is {is_so!r}, not {wanted!r}")
        return [*found, *self._checked(turn)]

    def _checked(self, turn: Turn) -> list[str]:
        if self.check is None:
            return []
        try:
            good = self.check(turn)
        except AssertionError as error:
            return [str(error) or "the check raised `AssertionError`"]
        return ["the check says no"] if good is False else []


@dataclass(frozen=True, slots=True)
class Line:
    """One reply of a script, and what the request for it must look like."""

    say: Plan
    expect: Expect = Expect()


class Script:
    """A brain that gives its replies one after the other.

    A request that is not as expected, or one too many, is refused with a 400 that says why; `failures` keeps it.
    """

    def __init__(self, *replies: Line | Said | Callable[[Turn], object], name: str = "script") -> None:
        """Take the replies.

        Args:
            replies: Each a text, a `Call` or a list of them, a `Plan`, a mapping with the keys `text`, `reasoning`,
                `calls`, `finish` and `expect`, a `Line`, or a function that takes the `Turn` and gives one of these.
            name: What messages call it.

        Raises:
            ConfigurationError: One is no reply.
        """
        self.name = name
        self.failures: list[str] = []
        self._asked = 0
        self._lock = threading.Lock()
        self._replies = [
            reply if callable(reply) else _line(reply, f"{name}, reply {number}")
            for number, reply in enumerate(replies, 1)
        ]

    @classmethod
    def read(cls, path: str | PathLike[str]) -> Script:
        """Read a script from a TOML file: a list `reply` of tables with the keys of the mapping above.

        Raises:
            ConfigurationError: The file cannot be read, is no TOML, or has something in it that is not known.
        """
        name = str(path)
        try:
            content: dict[str, Any] = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigurationError(
                f"cannot read the script `{name}`: {error.strerror}", code="bad-simulator"
            ) from error
        except ValueError as error:  # no TOML, or no UTF-8
            raise ConfigurationError(f"the script `{name}` is no TOML: {error}", code="bad-simulator") from error
        only(content, ("reply",), f"script `{name}`")
        replies: Any = content.get("reply", [])
        if not isinstance(replies, list) or not replies:
            raise ConfigurationError(f"script `{name}`: it has no `[[reply]]`", code="bad-simulator")
        return cls(*cast("list[Mapping[str, Any]]", replies), name=f"script `{name}`")

    @property
    def asked(self) -> int:
        """How many requests there were."""
        return self._asked

    def __call__(self, turn: Turn) -> Plan:
        """The next reply.

        Raises:
            Refusal: There is none, or the request is not as expected.
        """
        with self._lock:
            self._asked += 1
            number = self._asked
        where = f"{self.name}, reply {number}"
        if number > len(self._replies):
            raise self._failed(f"{self.name} has {len(self._replies)} replies, and this is request {number}")
        reply = self._replies[number - 1]
        if not isinstance(reply, Line):
            try:
                reply = _line(reply(turn), where)
            except ConfigurationError as error:
                raise self._failed(str(error)) from error
        complaints = reply.expect.complaints(turn)
        if complaints:
            raise self._failed(f"{where}: {'; '.join(complaints)}")
        return reply.say

    def assert_complete(self) -> None:
        """Check that every reply was asked for, once, by the request that was expected.

        Raises:
            AssertionError: It was not so; the text says all of it.
        """
        wrong = list(self.failures)
        if self._asked < len(self._replies):
            wrong.append(f"{self.name}: {self._asked} of {len(self._replies)} replies were asked for")
        if wrong:
            raise AssertionError("\n".join(wrong))

    def _failed(self, text: str) -> Refusal:
        with self._lock:
            self.failures.append(text)
        return Refusal(text)


def _line(said: object, where: str) -> Line:
    if isinstance(said, Line):
        return said
    if not isinstance(said, Mapping):
        return Line(plan_of(said, where))
    reply = dict(cast("Mapping[str, Any]", said))
    expect: Any = reply.pop("expect", None)
    only(reply, ("text", "reasoning", "calls", "finish", "expect"), where)
    return Line(plan_of(reply, where), _expect(expect, f"{where}, expect"))


def _expect(said: object, where: str) -> Expect:
    if said is None or isinstance(said, Expect):
        return said or Expect()
    if not isinstance(said, Mapping):
        raise ConfigurationError(f"{where}: {said!r} is no table of what to expect", code="bad-simulator")
    wanted = cast("Mapping[str, Any]", said)
    only(wanted, [field.name for field in fields(Expect)], where)
    for key in ("last", "matches", "role", "system", "model"):
        text_of(wanted, key, where)
    try:
        re.compile(wanted.get("matches", ""))
    except re.error as error:
        raise ConfigurationError(
            f"{where}: `matches` is no regular expression: {error}", code="bad-simulator"
        ) from error
    for key, kind in (("messages", int), ("thinking", bool)):
        if key in wanted and type(wanted[key]) is not kind:
            raise ConfigurationError(
                f"{where}: `{key}` is {wanted[key]!r}; it must be of the type {kind.__name__}", code="bad-simulator"
            )
    tools: Any = wanted.get("tools")
    if tools is not None:
        names = cast("Sequence[object]", tools if isinstance(tools, (list, tuple)) else (None,))
        if not all(isinstance(name, str) for name in names):
            raise ConfigurationError(f"{where}: `tools` is {tools!r}; it must be a list of names", code="bad-simulator")
        wanted = {**wanted, "tools": tuple(names)}
    return Expect(**wanted)


def _quoted(text: str) -> str:
    line = " ".join(text.split())
    return f"“{line}”" if len(line) <= 200 else f"“{line[:200]} …”"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"
