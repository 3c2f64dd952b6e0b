"""What is held back, until it is known what it is.

The text before the first call can be shown as it comes. What follows a call is held until the reply ends or nothing
that was taken for a call is left. Three things can still show that it was none: a `</think>` whose opening stood in the
prompt, so that all before was thought; a backtick or a quotation mark that closes a quotation around it; and text after
a fence, which is then an example. And what follows a call may be an answer that the model invented.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

from agentkit.models.dialects.notations.found import Found, Reading, TextCall, Unread
from agentkit.models.dialects.notations.source import BLANKS

_SEPARATORS = BLANKS + ";,"
"""What stands between calls and says nothing."""

_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "«": "»", "「": "」", "『": "』"}


Kind = Literal["text", "control", "call"]
"""Text, a token that only orders the conversation (`<|im_end|>`), or something that holds calls."""


class Held:
    """The text of a reply as far as it was scanned.

    What is held stands in three lists of one length, and pieces are known by their place; calls are kept as plain
    tuples of texts. So a reply with very many of them makes few objects that the garbage collector goes through.
    """

    __slots__ = (
        "_alone",
        "_closing",
        "_examples",
        "_found",
        "_kinds",
        "_last",
        "_live",
        "_newest",
        "_shown",
        "_texts",
        "_ticked",
    )

    def __init__(self) -> None:
        self._shown: list[str] = []
        self._texts: list[str] = []
        self._kinds: list[Kind] = []
        self._found: list[Found | tuple[str, ...] | None] = []  # a tuple has three texts for each call
        self._live = 0  # how many pieces hold calls, or what was begun as one
        self._newest = 0  # the place of the last of them
        self._alone: list[int] = []  # those that hold none if text follows
        self._ticked: list[int] = []  # those that may stand in an inline quotation
        self._examples = False  # whether a fence was an example: then all are
        self._closing = ""  # the quotation mark that would close one around the last of them
        self._last = ""

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
        if not self._texts:
            self._shown.append(text)
            return
        if self._closing and text[0] == self._closing:
            self._dismiss([self._newest])
        self._closing = ""
        self._add("text", text, None)
        if text.strip(_SEPARATORS):
            if self._alone:
                self._examples = True
                self._dismiss(self._alone)
                self._alone = []
            if not self._live:
                self._let_go()

    def control(self, text: str) -> None:
        """Add a token that only orders the conversation: it belongs to the calls beside it, if there are any."""
        self._add("control", text, None)
        self._last = ""
        self._closing = ""

    def call(self, text: str, found: Found, *, ticked: bool) -> None:
        """Add what holds calls, or was begun as one; `ticked` where an inline quotation may be open around it."""
        if found.alone and self._examples:
            self.say(text)
            return
        if found.unread:
            found = replace(found, unread=(replace(found.unread[0], text=text), *found.unread[1:]))
        self._newest = len(self._texts)
        self._add("call", text, found if found.unread else _flat(found.calls))
        self._live += 1
        self._alone.extend([self._newest] if found.alone else [])
        self._ticked.extend([self._newest] if ticked else [])
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
        self._dismiss(range(len(self._texts)))

    def shown(self) -> str:
        """What can be shown that was not given before."""
        text = "".join(self._shown)
        self._shown.clear()
        return text

    def reading(self, cut: str) -> Reading:
        """The end."""
        if not self._live:
            self._let_go()
        text = self.shown() + "".join(self._outside())
        calls: list[TextCall] = []
        unread: list[Unread] = []
        for found, kind in zip(self._found, self._kinds, strict=True):
            if kind == "call" and isinstance(found, Found):
                calls.extend(found.calls)
                unread.extend(found.unread)
            elif kind == "call" and isinstance(found, tuple):
                calls.extend(TextCall(*found[at : at + 3]) for at in range(0, len(found), 3))
        return Reading(text, tuple(calls), tuple(unread), cut)

    def _add(self, kind: Kind, text: str, found: Found | tuple[str, ...] | None) -> None:
        self._kinds.append(kind)
        self._texts.append(text)
        self._found.append(found)

    def _dismiss(self, places: Sequence[int]) -> None:
        """What stands there is no call."""
        for place in places:
            if place < len(self._kinds) and self._kinds[place] == "call":
                self._kinds[place] = "text"
                self._live -= 1
        if not self._live:
            self._let_go()

    def _let_go(self) -> None:
        self._shown.extend(self._texts)
        self._texts = []
        self._kinds = []
        self._found = []
        self._alone = []
        self._ticked = []
        self._closing = ""

    def _outside(self) -> Iterator[str]:
        """The text outside of the calls, without what only separates them from each other and from the end.

        Blanks between two calls, or between the last one and the end, belong to the markup, and so do control tokens
        beside a call.
        """
        between: list[tuple[Kind, str]] = []
        after_call = False
        for kind, text in [*zip(self._kinds, self._texts, strict=True), ("call", "")]:
            if kind == "control" or (kind == "text" and not text.strip(_SEPARATORS)):
                between.append((kind, text))
                continue
            if kind == "text":
                yield from (one for what, one in between if not (after_call and what == "control"))
                yield text
            elif not after_call:
                yield from (one for what, one in between if what == "text")
            between.clear()
            after_call = kind == "call"


def _flat(calls: Sequence[TextCall]) -> tuple[str, ...]:
    """Name, arguments and notation of each call."""
    return tuple(text for call in calls for text in (call.name, call.arguments, call.notation))
