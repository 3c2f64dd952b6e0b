"""Reasoning within the text: `<think>…</think>` before the answer, cut anywhere (WIRE section 9).

Servers without a parser for reasoning hand it out so. The opening tag may be missing, since the templates of R1 and
V3.1 end the prompt with it.
"""

from __future__ import annotations

OPEN, CLOSE = "<think>", "</think>"


class Thoughts:
    """Splits a text as it comes: what is reasoning, and what is the answer.

    A closing tag without an opening one ends reasoning too: where the model always thinks, the text before it is taken
    for reasoning at once; else it was shown as text, and `late` says so. A tag in backquotes is talked about.

    Args:
        always: Whether the model always thinks.
        opened: Whether nothing but an opening tag at the very beginning is reasoning: the host has a field for it.

    Attributes:
        over: Whether all that is still to come is text, as it comes.
        late: Whether all text so far turned out to be reasoning, in the last call of `feed`.
        assumed: Whether text was taken for reasoning though no tag has said so.
    """

    __slots__ = ("_always", "_held", "_last", "_open", "_opened", "_over", "_started", "assumed", "late", "over")

    def __init__(self, *, always: bool, opened: bool = False) -> None:
        self._always = always
        self._opened = opened
        self._held: str = ""  # what may be the beginning of a tag, or blanks before the answer
        self._last: str = ""  # the character before it
        self._started = False  # whether it is known how the text begins
        self._open = False  # whether what comes is reasoning
        self._over = False  # whether a closing tag came: from there on all is text
        self.late = False
        self.assumed = False
        self.over = False

    def feed(self, text: str) -> list[tuple[bool, str]]:
        """The next piece of text as pieces, each with whether it is reasoning."""
        self.late = False
        text, self._held = self._held + text, ""
        if not self._started:
            words = text.lstrip()
            if OPEN.startswith(words) and words != OPEN:  # also where there are blanks only
                self._held = text
                return []
            self._started = True
            if words.startswith(OPEN):
                self._open, text = True, words[len(OPEN) :]
            elif self._opened:
                self.over = True
                return [(False, text)]
            else:
                self._open = self.assumed = self._always
        return self._split(text)

    def passes(self, text: str) -> bool:
        """Take a piece of the answer that holds no tag; `False`, and nothing is taken, where it must be split."""
        if not self._started and self._opened and not self._held and text[0] != "<" and not text[0].isspace():
            self._started = self.over = True  # no opening tag stands at the beginning, as it nearly always is
            return True
        if not self._started or self._open or self._held or "<" in text or (self._over and not self._last):
            return False
        self.late = False
        self._last = text[-1]
        return True

    def _split(self, text: str) -> list[tuple[bool, str]]:
        if self._over:
            if not self._last:
                text = text.lstrip("\r\n")
            self._last = self._last or text[:1]
            return [(False, text)] if text else []
        at = self._closes(text)
        if at < 0:
            kept = len(text) - _begun(text)
            self._held = text[kept:]
            return self._said(text[:kept])
        self.late, self.assumed = not self._open, False
        thought = text[:at]
        self._open, self._over, self._last = False, True, ""
        return [*([(True, thought)] if thought else []), *self._split(text[at + len(CLOSE) :])]

    def _closes(self, text: str) -> int:
        """Where a closing tag stands that is one, or -1."""
        at = text.find(CLOSE)
        while at >= 0 and (text[at - 1] if at else self._last) == "`":
            at = text.find(CLOSE, at + 1)
        return at

    def _said(self, text: str) -> list[tuple[bool, str]]:
        if not text:
            return []
        self._last = text[-1]
        return [(self._open, text)]

    def end(self) -> list[tuple[bool, str]]:
        """What was held back, once no more comes."""
        held, self._held = self._held, ""
        return [(self._open, held)] if held and not self._over else []


def _begun(text: str) -> int:
    """How many characters at the end may be the beginning of a closing tag."""
    at = text.rfind("<", max(0, len(text) + 1 - len(CLOSE)))
    return len(text) - at if at >= 0 and CLOSE.startswith(text[at:]) else 0
