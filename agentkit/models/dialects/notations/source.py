"""The text of a reply as it comes, read forward only.

The readers are generators: where they need text that has not come yet they `yield`, and go on at that very place when
it has. So a reply costs the same however it is cut, nothing is read twice but a few characters of lookahead, and how
the text was cut cannot make a difference: no reader can see it.

Generators are asked with `yield from`; `Steps[T]` is one that ends with a `T`.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")
Steps = Generator[None, None, T]

BLANKS = " \t\r\n"


class Source:
    """What has come and was not taken yet, and what was taken since `taken` was last asked.

    Attributes:
        text: The piece of the text that is at hand.
        at: The place in `text` up to which it was taken.
        ended: Whether all has come.
    """

    __slots__ = ("_taken", "at", "ended", "text")

    def __init__(self, text: str = "", *, ended: bool = False) -> None:
        self.text = text
        self.at = 0
        self.ended = ended
        self._taken: list[str] = []

    def feed(self, text: str) -> None:
        """Add what has come."""
        self.text = self.text[self.at :] + text
        self.at = 0

    def take(self, count: int) -> str:
        """Take so many characters of those at hand."""
        piece = self.text[self.at : self.at + count]
        self.at += count
        self._taken.append(piece)
        return piece

    def back(self, count: int) -> None:
        """Put back the last so many characters that were taken."""
        pieces: list[str] = []
        left = count
        while left > 0:
            piece = self._taken.pop()
            if len(piece) > left:
                self._taken.append(piece[:-left])
                piece = piece[-left:]
            pieces.append(piece)
            left -= len(piece)
        if count <= self.at:
            self.at -= count
        else:
            self.text = "".join(reversed(pieces)) + self.text[self.at :]
            self.at = 0

    def taken(self) -> str:
        """All that was taken since this was last asked."""
        text = "".join(self._taken)
        self._taken.clear()
        return text

    def run(self, stops: str) -> str:
        """Take what is at hand up to one of these characters, without waiting for more."""
        return self.take(first(self.text, stops, self.at) - self.at)

    def need(self, count: int) -> Steps[bool]:
        """Wait for so many characters; whether they are at hand."""
        while len(self.text) - self.at < count and not self.ended:
            yield
        return len(self.text) - self.at >= count

    def next(self) -> Steps[str]:
        """The next character, which is not taken; `""` at the end."""
        while self.at >= len(self.text):
            if self.ended:
                return ""
            yield
        return self.text[self.at]

    def blanks(self, which: str = BLANKS) -> Steps[str]:
        """Take blanks."""
        pieces: list[str] = []
        while (yield from self.next()) and self.text[self.at] in which:
            end = self.at + 1
            while end < len(self.text) and self.text[end] in which:
                end += 1
            pieces.append(self.take(end - self.at))
        return "".join(pieces)

    def until(self, stops: str, limit: int = sys.maxsize) -> Steps[str]:
        """Take all before the first of these characters, or all that is left where none comes, or so many."""
        pieces: list[str] = []
        while limit > 0 and (yield from self.next()):
            end = min(first(self.text, stops, self.at), self.at + limit)
            if end == self.at:
                break
            limit -= end - self.at
            pieces.append(self.take(end - self.at))
        return "".join(pieces)

    def before(self, mark: str) -> Steps[str | None]:
        """Take all up to this mark, and the mark; give what is before it, or `None` where it does not come."""
        pieces: list[str] = []
        while True:
            pieces.append((yield from self.until(mark[0])))
            if not (yield from self.next()):
                return None
            if (yield from self.accept(mark)):
                return "".join(pieces)
            pieces.append(self.take(1))

    def accept(self, mark: str, *, fold: bool = False) -> Steps[bool]:
        """Take this mark if it stands here; it is not waited for longer than it may be here.

        Args:
            mark: The mark, in small letters where `fold` is set.
            fold: Whether capitals are as good.
        """
        while True:
            here = self.text[self.at : self.at + len(mark)]
            if fold:
                here = here.lower()
            if here == mark:
                self.take(len(mark))
                return True
            if self.ended or not mark.startswith(here):
                return False
            yield


def first(text: str, stops: str, start: int) -> int:
    """The place of the first of these characters, or the length of the text.

    Searched in windows that grow, so that the cost follows the way to the first of them, and not to the last.
    """
    if len(stops) == 1:
        return found if (found := text.find(stops, start)) >= 0 else len(text)
    width, length = 32, len(text)
    while start < length:
        end = best = min(length, start + width)
        for stop in stops:
            if (found := text.find(stop, start, best)) >= 0:
                best = found
        if best < end:
            return best
        start = end
        width *= 2
    return length
