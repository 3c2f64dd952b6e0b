"""What is held back, until it is known what it is.

The text before the first call can be shown as it comes. What follows a call is held until the reply ends or nothing
that was taken for a call is left. Three things can still show that it was none: a `</think>` whose opening stood in the
prompt, so that all before was thought; a backtick or a quotation mark that closes a quotation around it; and text after
a fence, which is then an example. And what follows a call may be an answer that the model invented.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from agentkit.models.dialects.notations.found import Found, Reading, Unread, merged
from agentkit.models.dialects.notations.source import BLANKS

_SEPARATORS = BLANKS + ";,"
"""What stands between calls and says nothing."""

_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "«": "»", "「": "」", "『": "』"}


_NOTHING = Found()


@dataclass(slots=True)
class _Part:
    """A piece of what is held.

    Attributes:
        kind: Text, a token that only orders the conversation (`<|im_end|>`), or something with calls.
        text: The piece.
        found: What it holds.
    """

    kind: Literal["text", "control", "call"]
    text: str
    found: Found = _NOTHING


class Held:
    """The text of a reply as far as it was scanned."""

    __slots__ = (
        "_alone",
        "_closing",
        "_examples",
        "_last",
        "_live",
        "_newest",
        "_parts",
        "_shown",
        "_ticked",
    )

    def __init__(self) -> None:
        self._shown: list[str] = []
        self._parts: list[_Part] = []
        self._live = 0  # how many of them hold calls, or what was begun as one
        self._newest: _Part | None = None
        self._alone: list[_Part] = []  # those that hold none if text follows
        self._examples = False  # whether a fence was an example: then all are
        self._closing = ""  # the quotation mark that would close one around the last of them
        self._last = ""
        self._ticked: list[_Part] = []  # those that may stand in an inline quotation

    @property
    def waiting(self) -> bool:
        """Whether a call, or what was begun as one, was found."""
        return self._live > 0

    def closes(self, char: str) -> bool:
        """Whether this character closes the quotation mark that stands right before what comes next."""
        return _QUOTES.get(self._last) == char

    def say(self, text: str) -> None:
        """Add text."""
        if not text:
            return
        self._last = text[-1]
        if not self._parts:
            self._shown.append(text)
            return
        if self._newest is not None and self._closing and text[0] == self._closing:
            self._dismiss([self._newest])
        self._closing = ""
        self._parts.append(_Part("text", text))
        if text.strip(_SEPARATORS):
            if self._alone:
                self._examples = True
                self._dismiss(self._alone)
            if not self._live:
                self._let_go()

    def control(self, text: str) -> None:
        """Add a token that only orders the conversation: it belongs to the calls beside it, if there are any."""
        self._parts.append(_Part("control", text))
        self._last = ""
        self._closing = ""

    def call(self, text: str, found: Found, *, ticked: bool) -> None:
        """Add what holds calls, or was begun as one; `ticked` where an inline quotation may be open around it."""
        if found.alone and self._examples:
            self.say(text)
            return
        found = replace(found, unread=_with_text(found.unread, text))
        part = _Part("call", text, found)
        self._ticked.extend([part] if ticked else [])
        self._parts.append(part)
        self._newest = part
        self._live += 1
        self._alone.extend([part] if found.alone else [])
        self._closing = _QUOTES.get(self._last, "")
        self._last = ""

    def quotation_closed(self) -> None:
        """An inline quotation ended: what was found in it is an example."""
        self._dismiss(self._ticked)
        self._ticked = []

    def quotation_void(self) -> None:
        """What seemed to open an inline quotation did not: it was not closed."""
        self._ticked = []

    def thought(self) -> None:
        """All so far was thought aloud."""
        self._dismiss(self._parts)

    def shown(self) -> str:
        """What can be shown that was not given before."""
        text = "".join(self._shown)
        self._shown.clear()
        return text

    def reading(self, cut: str) -> Reading:
        """The end."""
        if not self._live:
            self._let_go()
        text = self.shown() + "".join(_outside(self._parts))
        found = merged([part.found for part in self._parts if part.kind == "call"])
        return Reading(text, found.calls, found.unread, cut)

    def _dismiss(self, parts: list[_Part]) -> None:
        """These are no calls."""
        for part in parts:
            if part.kind == "call":
                part.kind = "text"
                self._live -= 1
        if parts is self._alone:
            self._alone = []
        if not self._live:
            self._let_go()

    def _let_go(self) -> None:
        self._shown.extend(part.text for part in self._parts)
        self._parts = []
        self._alone = []
        self._ticked = []
        self._newest = None


def _with_text(unread: tuple[Unread, ...], text: str) -> tuple[Unread, ...]:
    return tuple(replace(one, text=text) for one in unread[:1]) + unread[1:]


def _outside(parts: list[_Part]) -> Iterator[str]:
    """The text outside of the calls, without what only separates them from each other and from the end.

    Blanks between two calls, or between the last one and the end, belong to the markup, and so do control tokens beside
    a call.
    """
    between: list[_Part] = []
    after_call = False
    for part in [*parts, _Part("call", "")]:
        if part.kind == "control" or (part.kind == "text" and not part.text.strip(_SEPARATORS)):
            between.append(part)
            continue
        if part.kind == "text":
            yield from (one.text for one in between if not (after_call and one.kind == "control"))
            yield part.text
        elif not after_call:
            yield from (one.text for one in between if one.kind == "text")
        between.clear()
        after_call = part.kind == "call"
