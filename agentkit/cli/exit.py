"""How commands end: one table of exit codes, errors in one paragraph, tracebacks for defects alone."""

from __future__ import annotations

import errno
import os
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from agentkit.cli.text import clean
from agentkit.errors import (
    AgentkitError,
    Cancelled,
    ConfigurationError,
    LimitReached,
    ModelError,
    OutputInvalid,
    SessionBusy,
    Truncated,
)

DONE = 0
DEFECT = 1
USAGE = 2
WAITING = 3
"""Calls are left that want a verdict."""
STOPPED = 130
PIPE_CLOSED = 141
"""What a shell reports for a program whose reader went away (128 + SIGPIPE)."""

CODES: tuple[tuple[type[BaseException], int], ...] = (
    (ConfigurationError, USAGE),
    (SessionBusy, USAGE),
    (LimitReached, 4),
    (Truncated, 4),
    (ModelError, 5),
    (OutputInvalid, 6),
    (Cancelled, STOPPED),
    (KeyboardInterrupt, STOPPED),
)
"""The exit code of each error, the first that fits; any other error is a `DEFECT`."""


def code_of(error: BaseException) -> int:
    """The exit code that an error ends the program with."""
    return next((code for kind, code in CODES if isinstance(error, kind)), DEFECT)


def guarded(work: Callable[[], int]) -> int:
    """Do a command's work and turn whatever ends it into an exit code and at most one message on stderr."""
    _ready_streams()
    code = _ended(work)
    try:
        sys.stdout.flush()
    except OSError as error:
        return code or _unwritten(error)
    return code


def _ended(work: Callable[[], int]) -> int:
    try:
        return work()
    except KeyboardInterrupt as error:
        _say(str(error) or "stopped")
        return STOPPED
    except AgentkitError as error:
        notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
        _say(paragraph(f"error: {error}{notes} [{error.code}]"))
        return code_of(error)
    except SystemExit as error:
        _say(paragraph(f"error: the target's code ended the program with `SystemExit({error.code!r})`"))
        return DEFECT
    except BaseException as error:
        if isinstance(error, OSError) and error.errno in (errno.EPIPE, errno.ENOSPC):
            return _unwritten(error)
        _say(_defect(error))
        return DEFECT


def _unwritten(error: OSError) -> int:
    """End without a further try to write: the interpreter would make one, and complain, when it ends."""
    _let_go(sys.stdout)
    if error.errno == errno.EPIPE:
        _let_go(sys.stderr)  # which may be the same pipe
        return PIPE_CLOSED
    _say(f"error: cannot write: {error.strerror}")
    return DEFECT


def paragraph(text: str) -> str:
    """An error's message as one paragraph: cleaned, and wrapped for people where stderr is a terminal."""
    text = " ".join(clean(text).split())
    if not sys.stderr.isatty():
        return text
    width = max(40, os.get_terminal_size(sys.stderr.fileno()).columns)
    return textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False)


def _say(text: str) -> None:
    try:
        sys.stderr.write(text.rstrip("\n") + "\n")
        sys.stderr.flush()
    except OSError:  # nobody listens any more; the exit code still speaks
        _let_go(sys.stderr)


def _defect(error: BaseException) -> str:
    """The traceback, from the first frame on that is neither of this package nor of the import machinery."""
    from traceback import TracebackException

    here = str(Path(__file__).parent)
    told = TracebackException.from_exception(error)
    foreign = [not frame.filename.startswith((here, "<frozen ")) for frame in told.stack]
    if any(foreign):
        del told.stack[: foreign.index(True)]
    elif isinstance(error, SyntaxError):  # it names the file and the line by itself
        return clean("".join(told.format_exception_only()))
    return clean("".join(told.format()))


def _let_go(stream: TextIO) -> None:
    """Point a stream that nobody reads at nothing, so that the interpreter's last flush stays quiet."""
    try:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, stream.fileno())
        os.close(nothing)
    except (OSError, ValueError):
        return


def _ready_streams() -> None:
    """Have somewhere to write to, and write `?` for what an encoding has no sign for rather than fail half-way."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by whoever started the program
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - open until the end
        elif (reconfigure := getattr(stream, "reconfigure", None)) is not None:
            reconfigure(errors="replace")
