"""Where the words of `agentkit chat` come from: a line editor on a terminal, lines of standard input off it.

With prompt_toolkit (the extra `cli`) the editor has a history that outlives the program and takes several lines;
without it, Python's own `input` has to do, where a line that ends in a backslash goes on.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TextIO

from agentkit.cli.text import clean

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

HISTORY = "chat_history"
"""The name of the file of earlier prompts."""


class Reader(Protocol):
    """Asks somebody for words."""

    @property
    def help(self) -> str:
        """How several lines are written."""
        ...

    def ask(self, prompt: str, *, default: str = "", keep: bool = True) -> str:
        """One answer.

        Args:
            prompt: What stands before it.
            default: What stands in it already, where that can be edited.
            keep: Whether it belongs to the history of prompts.

        Raises:
            EOFError: There is nobody, or no more.
            KeyboardInterrupt: Ctrl-C.
        """
        ...


class Lines:
    """Lines of standard input, off a terminal: nothing is written, and a line that ends in a backslash goes on."""

    help = "a line that ends in \\ goes on in the next"

    def __init__(self) -> None:
        self._read: Callable[[], str] = (lambda: "") if sys.stdin is None else sys.stdin.readline

    def ask(self, prompt: str, *, default: str = "", keep: bool = True) -> str:  # noqa: ARG002 - the face of a reader
        """The next line."""
        return joined(self._line)

    def _line(self, _: bool) -> str:
        line = self._read()
        if not line:
            raise EOFError
        return line.removesuffix("\n").removesuffix("\r")


class Plain:
    """Python's own line editor.

    Args:
        tell: Where prompts are written, where that is not the terminal's standard output.
    """

    help = "a line that ends in \\ goes on in the next"

    def __init__(self, tell: TextIO | None = None) -> None:
        self._tell = tell
        with contextlib.suppress(ImportError):  # not there on Windows
            import_module("readline")  # gives `input` arrow keys and a history

    def ask(self, prompt: str, *, default: str = "", keep: bool = True) -> str:  # noqa: ARG002 - the face of a reader
        """What is typed; a default cannot be edited here, so it is shown."""
        shown = f"{clean(default)}\n{prompt}" if default else prompt
        return joined(lambda first: self._input(shown if first else " " * (len(prompt) - 2) + "… "))

    def _input(self, prompt: str) -> str:
        if self._tell is None:
            return input(prompt)
        self._tell.write(prompt)
        self._tell.flush()
        return input()


def joined(line: Callable[[bool], str]) -> str:
    """Lines up to the first that does not end in a backslash; `line` is told whether it is asked for the first."""
    lines: list[str] = []
    while (said := line(not lines)).endswith("\\"):
        lines.append(said[:-1])
    return "\n".join([*lines, said])


class Editor:
    """prompt_toolkit's editor: history, search in it, several lines, pasting."""

    help = "Alt-Enter begins a new line; arrows and Ctrl-R look through what you said before"

    def __init__(self, history: Path | None) -> None:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.history import FileHistory, InMemoryHistory

        kept = InMemoryHistory() if history is None else FileHistory(str(history))
        bindings = _bindings()
        self._prompts: PromptSession[str] = PromptSession(history=kept, key_bindings=bindings, multiline=True)
        self._answers: PromptSession[str] = PromptSession(key_bindings=bindings, multiline=True)

    def ask(self, prompt: str, *, default: str = "", keep: bool = True) -> str:
        """What is typed."""
        session = self._prompts if keep else self._answers
        return session.prompt(prompt, default=clean(default), prompt_continuation=_further)


def _further(width: int, line: int, wraps: int) -> str:  # noqa: ARG001 - prompt_toolkit gives them
    """What stands before further lines."""
    return " " * (width - 2) + "… "


def _bindings() -> KeyBindings:
    """Enter sends, Alt-Enter breaks the line: the other way round than prompt_toolkit has it for several lines."""
    from prompt_toolkit.key_binding import KeyBindings

    def send(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    def new_line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    bindings = KeyBindings()
    bindings.add("enter")(send)
    bindings.add("escape", "enter")(new_line)
    return bindings


def reader(*, terminal: bool, folder: Path | None) -> Reader:
    """The reader for where the program runs.

    Args:
        terminal: Whether somebody sits at one.
        folder: Where the history is kept; it is made where it is not there. `None` for nowhere.
    """
    if not terminal:
        return Lines()
    try:
        return Editor(_history(folder) if folder is not None else None)
    except ImportError:
        return Plain()


def _history(folder: Path) -> Path | None:
    """The file of earlier prompts, which nobody else may read; `None` where it cannot be had."""
    path = folder / HISTORY
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError:
        return None
    return path
