"""`agentkit show`: what was said in a session or a run, and what was sent and received."""

from __future__ import annotations

import json as jsonlib
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from agentkit.cli.exit import DONE
from agentkit.cli.text import call_line, clean, one_line
from agentkit.errors import ConfigurationError
from agentkit.messages import Assistant, Entry, Note, ToolMessage, User
from agentkit.sessions import Session, every
from agentkit.transcript import RUN

if TYPE_CHECKING:
    from agentkit.messages import System


def show(name: str, *, raw: bool, json: bool) -> int:
    """Write what was said in a session, or in one run of it; the exit code.

    Args:
        name: The name of a session, or the id of a run.
        raw: Whether what was sent and received is written instead, as `run --log` kept it.
        json: Whether entries are written as JSON, one a line; `raw` always is.

    Raises:
        ConfigurationError: There is no such session or run, or what it sent was not kept.
    """
    placed = list(_found(name))
    if raw:
        return _raw(name, placed)
    if not placed:
        raise ConfigurationError(
            f"of `{name}` only what was sent and received is kept: `agentkit show {name} --raw`", code="no-log"
        )
    if json:
        from agentkit.messages import dump

        for position, entry in placed:
            line = {"position": position, "entry": jsonlib.loads(dump([entry]))[0]}
            sys.stdout.write(jsonlib.dumps(line, ensure_ascii=False) + "\n")
        return DONE
    for position, entry in placed:
        for number, line in enumerate(_lines(entry)):
            sys.stdout.write(f"{position:>4}  {line}\n" if number == 0 else f"      {line}\n")
    return DONE


def _found(name: str) -> Iterator[tuple[int, Entry]]:
    """The entries of a session, or of the run with this id, with their positions."""
    named = [one.name for one in every()]
    if name in named:
        yield from enumerate(Session(name).entries())
        return
    for session in named:
        of_run = False
        found = False
        for position, entry in enumerate(Session(session).entries()):
            if isinstance(entry, Note) and entry.kind == RUN:
                of_run = entry.data.get("id") == name
            if of_run:
                found = True
                yield position, entry
        if found:
            return
    from agentkit.cli.wire import file_of

    if not (name.isalnum() and file_of(name).exists()):
        raise ConfigurationError(
            f"there is neither a session nor a run `{name}`; `agentkit sessions` lists the sessions, and"
            " `agentkit run --session NAME` or `--log` keeps what is said",
            code="no-session",
        )


def _raw(name: str, placed: Sequence[tuple[int, Entry]]) -> int:
    """The traffic of a run, or of all runs of a session that kept theirs."""
    from agentkit.cli.wire import file_of

    runs = [str(entry.data.get("id")) for _, entry in placed if isinstance(entry, Note) and entry.kind == RUN]
    files = [path for run in runs or [name] if (path := file_of(run)).exists()]
    if not files:
        raise ConfigurationError(
            f"what `{name}` sent and received was not kept: `agentkit run --log` and `agentkit chat --log` keep it",
            code="no-log",
        )
    for path in files:
        sys.stdout.buffer.write(path.read_bytes())
    return DONE


def _lines(entry: Entry) -> list[str]:
    """An entry as people read it."""
    match entry:
        case Note(kind, data):
            return [f"note       {one_line(kind, 40)} {one_line(jsonlib.dumps(dict(data), ensure_ascii=False))}"]
        case User():
            return _under("user" if entry.by is None else entry.by, entry.text)
        case Assistant():
            return _assistant(entry)
        case ToolMessage(_, name, text, ok):
            return _under("tool" if ok else "tool (failed)", f"{one_line(name, 80)} → {clean(text)}")
        case _:
            return _system(entry)


def _assistant(entry: Assistant) -> list[str]:
    lines: list[str] = []
    if entry.reasoning:
        lines += _under("thinks", entry.reasoning)
    if entry.text:
        lines += _under("assistant", entry.text)
    for call in entry.tool_calls:
        lines += _under("calls", call_line(call.name, call.arguments, 10_000))
    return lines or ["assistant  (nothing)"]


def _system(entry: System) -> list[str]:
    return _under("system", entry.text)


def _under(head: str, text: str) -> list[str]:
    """Text under a head, its further lines indented."""
    first, *rest = clean(text).split("\n")
    return [f"{head:<10} {first}", *(f"{'':10} {line}" for line in rest)]
