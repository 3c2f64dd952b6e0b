"""`agentkit sessions`: what is kept, to look at, to fork, to delete, to take elsewhere."""

from __future__ import annotations

import json as jsonlib
import sys
from dataclasses import asdict
from pathlib import Path

from agentkit.cli.exit import DONE
from agentkit.cli.listing import table
from agentkit.cli.text import call_line, one_line
from agentkit.errors import ConfigurationError
from agentkit.messages import Assistant, Entry, Note
from agentkit.sessions import Session, every


def listed(file: Path | None, *, json: bool) -> int:
    """Write the sessions of a file, the last written first; the exit code.

    Raises:
        ConfigurationError: The file is no file of sessions.
    """
    found = every(file)
    if json:
        sys.stdout.write(jsonlib.dumps([asdict(one) for one in found], indent=2) + "\n")
        return DONE
    rows = [
        (
            one.name,
            one.messages,
            _minute(one.created),
            _minute(one.written or one.created),
            "" if one.parent is None else f"{one.parent} at {one.forked_at}",
        )
        for one in found
    ]
    table(("SESSION", "MESSAGES", "BEGUN (UTC)", "LAST WRITTEN", "FORKED FROM"), rows)
    return DONE


def show(name: str, file: Path | None, *, json: bool) -> int:
    """Write what was said in a session, each message and note with its position; the exit code.

    Raises:
        ConfigurationError: There is no such session.
    """
    session = Session(name, file=file)
    if json:
        return export(name, None, file)
    rows = [(position, entry.role, _told(entry)) for position, entry in enumerate(session.entries())]
    table(("AT", "WHO", "WHAT"), rows)
    return DONE


def fork(name: str, new: str, at: int | None, file: Path | None) -> int:
    """Begin a session with what was said in another; the exit code.

    Raises:
        ConfigurationError: There is one of the new name, none of the old, or no such position.
        SessionBusy: A run holds the new name.
    """
    made = Session(name, file=file).fork(new, at=at)
    sys.stdout.write(f"{one_line(new)} holds {len(made.entries())} entries of {one_line(name)}\n")
    return DONE


def delete(names: list[str], file: Path | None) -> int:
    """Delete sessions, all that are named or none; the exit code.

    Raises:
        ConfigurationError: There is none of a name.
        SessionBusy: A run holds one.
    """
    sessions = [Session(name, file=file) for name in names]
    for session in sessions:
        session.entries()  # an unknown name is told before anything is gone
    for session in sessions:
        session.delete()
    return DONE


def export(name: str, target: Path | None, file: Path | None) -> int:
    """Write a session as JSON lines, to a file or to standard output; the exit code.

    Raises:
        ConfigurationError: There is no such session, or the file cannot be written.
    """
    lines = b"".join(Session(name, file=file).lines())
    if target is None:
        sys.stdout.buffer.write(lines)
        return DONE
    try:
        target.write_bytes(lines)
    except OSError as error:
        raise ConfigurationError(
            f"`{target}` cannot be written: {error.strerror}; name another file", code="bad-path"
        ) from error
    return DONE


def bring(name: str, source: Path | None, file: Path | None) -> int:
    """Read what `export` wrote, from a file or from standard input, into a new session; the exit code.

    Raises:
        ConfigurationError: There is a session of that name already, or what is read is no session.
        SessionBusy: A run holds the name.
    """
    if any(one.name == name for one in every(file)):
        raise ConfigurationError(
            f"there is a session `{name}` already: choose another name, or delete it", code="session-exists"
        )
    try:
        data = sys.stdin.buffer.read() if source is None else source.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"`{source}` cannot be read: {error.strerror}; name another file", code="bad-path"
        ) from error
    Session(name, file=file).add_lines(data.splitlines())
    return DONE


def _minute(time: str) -> str:
    return time[:16].replace("T", " ")


def _told(entry: Entry) -> str:
    """An entry in one line."""
    if isinstance(entry, Note):
        return one_line(f"({entry.kind}) " + jsonlib.dumps(dict(entry.data), ensure_ascii=False))
    if isinstance(entry, Assistant):
        return one_line(" ".join([entry.text, *(call_line(one.name, one.arguments) for one in entry.tool_calls)]))
    return one_line(entry.text)
