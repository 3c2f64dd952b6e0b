"""`agentkit tools check`: what a careful author would mend in the tools of a target, and what they cost in tokens."""

from __future__ import annotations

import json as jsonlib
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from agentkit.cli.exit import DEFECT, DONE
from agentkit.cli.text import one_line
from agentkit.schema import strict_form
from agentkit.tools import Tool

LONG = 1_000
"""A definition of more tokens than this is over-long: it is paid for with each request."""

MOST = 128
"""So many tools endpoints take in one request (WIRE section 3)."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


@dataclass(slots=True)
class Checked:
    """What was found of one tool.

    Attributes:
        name: The tool's name.
        where: Its place in the source, `shop.py:12`; `""` where there is none.
        tokens: About how many tokens its definition takes in each request.
        findings: What should be mended.
        notes: What is worth knowing.
    """

    name: str
    where: str
    tokens: int
    findings: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])


def check(target: str, *, json: bool) -> int:
    """Write what was found of the tools that a target names; exit code 0 for nothing to mend, else 1.

    Raises:
        ConfigurationError: There are no tools.
        Exception: Whatever the target's own code raises.
    """
    from agentkit.cli.target import tools_of

    checked, together = checks(tools_of(target))
    tokens = sum(one.tokens for one in checked)
    count = sum(len(one.findings) for one in checked) + len(together)
    if json:
        fields = ("name", "where", "tokens", "findings", "notes")
        made = [{name: getattr(one, name) for name in fields} for one in checked]
        sys.stdout.write(jsonlib.dumps({"tools": made, "findings": together, "tokens": tokens}, indent=2) + "\n")
    else:
        _write(checked, together, tokens, count)
    return DEFECT if count else DONE


def checks(tools: Sequence[Tool[..., Any]]) -> tuple[list[Checked], list[str]]:
    """What was found of each tool, and of all of them together."""
    together = _alike(tools)
    if len(tools) > MOST:
        together.append(f"there are {len(tools)} tools, but endpoints take at most {MOST} in one request")
    return [_checked(tool) for tool in tools], together


def _checked(tool: Tool[..., Any]) -> Checked:
    one = Checked(tool.name, tool.where, _tokens(tool), tool.findings())
    if not tool.shape.described:
        one.findings.insert(0, "it has no description: the model is told its name in words")
    if one.tokens > LONG:
        one.findings.append(f"its definition takes about {one.tokens:,} tokens in each request; {LONG:,} are a lot")
    if tool.sequential and tool.timeout is not None and not tool.is_async:
        one.findings.append("`timeout` has no effect: a plain `sequential` function runs in the caller's thread")
    if not tool.strict:
        form = strict_form(tool.schema)
        one.notes += [f"strict mode is out of reach: {words}" for words in form.obstacles]
        one.notes += [f"strict mode would leave to the local check: {words}" for words in form.dropped]
    return one


def _tokens(tool: Tool[..., Any]) -> int:
    """About how many tokens a definition takes: counted as the simulator counts, on its JSON."""
    from agentkit.simulator.tokens import count

    return count(jsonlib.dumps(tool.definition(), ensure_ascii=False))


def _alike(tools: Sequence[Tool[..., Any]]) -> list[str]:
    """Tools that a model may take for each other: by names of the same words, or by the same description."""
    found: list[str] = []
    for what, key in (("names are", _words), ("descriptions are", _description)):
        groups: dict[Any, list[str]] = {}
        for tool in tools:
            groups.setdefault(key(tool), []).append(f"`{tool.name}`")
        found += [
            f"{' and '.join(names)} are hard to tell apart: their {what} nearly the same"
            for names in groups.values()
            if len(names) > 1
        ]
    return found


def _words(tool: Tool[..., Any]) -> tuple[str, ...]:
    """The words of a name, without order, number and what counts it: `getUser`, `user_get`, `get_users2`."""
    words = [word.lower() for word in _WORD.findall(tool.name)]
    return tuple(sorted(word.removesuffix("s") if len(word) > 3 else word for word in words)) or (tool.name,)


def _description(tool: Tool[..., Any]) -> str:
    return " ".join(re.findall(r"\w+", tool.description.lower())) or tool.name


def _write(checked: Sequence[Checked], together: Sequence[str], tokens: int, count: int) -> None:
    """One line for each thing, as compilers write them."""
    lines = [f"{one.name}: about {one.tokens:,} tokens in each request" for one in checked]
    for one in checked:
        place = f"{one.where}: {one.name}" if one.where else one.name
        lines += [f"{place}: {words}" for words in one.findings]
        lines += [f"{place}: note: {words}" for words in one.notes]
    lines += together
    number = "nothing to mend" if not count else "1 finding" if count == 1 else f"{count} findings"
    tools = "1 tool" if len(checked) == 1 else f"{len(checked)} tools"
    lines.append(f"{tools}, about {tokens:,} tokens in each request (as the simulator counts them); {number}")
    sys.stdout.write("".join(f"{one_line(line, 1_000)}\n" for line in lines))
