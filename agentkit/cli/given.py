"""What is said to an agent: the prompt of the command line, and what is piped in."""

from __future__ import annotations

import os
import select
import stat
import sys

from agentkit.errors import ConfigurationError

PATIENCE = 2.0
"""After how many seconds of a silent pipe it is said what the command waits for."""


def prompt_of(prompt: str | None) -> str:
    """The words of the prompt, those of standard input, or both with a blank line between them.

    Args:
        prompt: What the command line says; `None` and `"-"` stand for standard input. Otherwise a file or a pipe that
            is there is read too; a terminal, `/dev/null` and the like are not.

    Raises:
        ConfigurationError: There is no prompt.
    """
    if prompt in (None, "-"):
        if sys.stdin is None or sys.stdin.isatty():
            raise ConfigurationError("there is no prompt: write it after the target, or pipe it in", code="no-prompt")
        return _read()
    assert prompt is not None
    return "\n\n".join(filter(None, [prompt, _read() if _attached() else ""]))


def _read() -> str:
    return sys.stdin.buffer.read().decode("utf-8", "replace").strip()


def _attached() -> bool:
    """Whether something is piped in."""
    if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
        return False
    try:
        number = sys.stdin.fileno()
        mode = os.fstat(number).st_mode
    except (OSError, ValueError):  # no file of the system
        return True
    if stat.S_ISFIFO(mode) and os.name == "posix" and not select.select([number], [], [], PATIENCE)[0]:
        sys.stderr.write("waiting for the end of standard input; `< /dev/null` says that there is nothing to attach\n")
        sys.stderr.flush()
    return stat.S_ISREG(mode) or stat.S_ISFIFO(mode)
