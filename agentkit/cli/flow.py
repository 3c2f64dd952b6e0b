"""Words that come piece by piece, shown under a hanging indent."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator


class Flow:
    """Streamed words under a hanging indent, broken between words where there is a width to keep."""

    def __init__(self, write: Callable[[str], None], *, start: int, indent: int, width: int | None) -> None:
        self._write = write
        self._column = start
        self._indent = indent
        self._width = width
        self._gap = self._word = ""

    def feed(self, text: str) -> None:
        """Show a piece of text; its last word waits until it is known to be whole."""
        pieces = re.findall(r"\n|[^\S\n]+|\S+", self._word + text)
        self._word = pieces.pop() if pieces and not pieces[-1].isspace() else ""
        self._show(pieces)

    def end(self) -> None:
        """Show what still waits, and go to the next line."""
        self._show([self._word, "\n"] if self._word else ["\n"])
        self._word = ""

    def _show(self, pieces: list[str]) -> None:
        shown = "".join(text for piece in pieces for text in self._laid_out(piece))
        if shown:
            self._write(shown)

    def _laid_out(self, piece: str) -> Iterator[str]:
        from rich.cells import cell_len

        if piece == "\n":
            self._column, self._gap = 0, ""
            yield "\n"
            return
        if piece.isspace():
            self._gap += piece  # shown with the word after it, if that is on the same line
            return
        needed = cell_len(self._gap) + cell_len(piece)
        if self._width is not None and self._column > self._indent and self._column + needed > self._width:
            self._column, self._gap = 0, ""
            yield "\n"
        if self._column == 0:
            self._column = self._indent
            yield " " * self._indent
        yield self._gap + piece
        self._column += cell_len(self._gap) + cell_len(piece)
        self._gap = ""
