"""Tags as models write them: `<tool_call>`, `<｜tool▁call▁begin｜>`, `</｜DSML｜ invoke>`, `<function=…>`.

Models mix up the marks around the words of a special token: full-width and half-width bars, one or two, `_` for `▁`,
a colon, or no bars at all (WIRE section 9, leak spellings). So only the letters of a tag count here. Both
`<｜tool▁calls▁begin｜>` and `<tool_calls_begin>` are `toolcallsbegin`; `<｜DSML｜ invoke>` and `<||DSML||:invoke>` are
`dsmlinvoke`.
"""

from __future__ import annotations

import functools
import string
from collections.abc import Mapping

from agentkit.frozen import frozen
from agentkit.models.dialects.notations.source import BLANKS, Source, Steps

BARS = "|｜‖￨│┃∣❘⏐¦"
"""Bars that stand beside the words of special tokens."""

STARTS = "<\\" + BARS[:2]
"""What a tag begins with. The marker of DSML is also seen without its `<`, and with its bars escaped."""

NAMED = frozenset({"invoke", "parameter", "toolcall", "functioncall", "function", "param"})
"""Words that may have attributes, `name="…"`, or a value, `=…`."""

_MARKERS = ("dsml", "antml")
_JOINTS = "_▁-"
_LONGEST = 300
"""A tag is not longer than this."""

SECONDS = frozenset(BARS + "/\\" + string.ascii_letters)
"""What a tag goes on with, after its `<`."""
_MOST_BARS = 6
"""A tag has not more bars than this."""

_NAMED = NAMED | {marker + word for word in NAMED for marker in _MARKERS}


@frozen
class Tag:
    """A tag.

    Attributes:
        word: Its letters, small, without those of a marker: `toolcallsbegin`, `invoke`.
        closing: Whether it has a slash before its word.
        empty: Whether it has a slash at its end, so that nothing belongs to it.
        dsml: Whether it has the marker `DSML`, or at least its bars.
        headless: Whether its `<` is missing.
        attributes: Its attributes; the value of `<function=…>` has the name `""`.
        length: How many characters it has.
    """

    word: str
    closing: bool
    empty: bool
    dsml: bool
    headless: bool
    attributes: Mapping[str, str]
    length: int

    @property
    def ends(self) -> bool:
        """Whether something ends with it."""
        return self.closing or self.word.endswith("end")

    @property
    def name(self) -> str | None:
        """What it names, as an attribute or as its value."""
        return self.attributes.get("name", self.attributes.get(""))


def tag(src: Source, words: frozenset[str]) -> Steps[Tag | None]:
    """Take the tag that begins here if it is one of these words; take nothing if it is not.

    Args:
        src: The text.
        words: Small letters only, with the marker of those that must have one: `dsmlinvoke`.
    """
    if (yield from src.next()) == "<" and (yield from src.need(2)) and src.text[src.at + 1] not in SECONDS:
        return None
    look = _Look(words, _beginnings(words))
    count = 0
    while count < _LONGEST:
        if src.at + count >= len(src.text) and not (yield from src.need(count + 1)):
            return None
        decided = look.step(src.text[src.at + count])
        count += 1
        if decided is not None:
            if not decided:
                return None
            src.take(count)
            return look.tag(count)
    return None


def ahead(src: Source, words: frozenset[str]) -> Steps[Tag | None]:
    """The tag that begins here if it is one of these words; it is not taken."""
    found = yield from tag(src, words)
    if found is not None:
        src.back(found.length)
    return found


def skip(src: Source, words: frozenset[str], starts: str = "<") -> Steps[None]:
    """Take all before the next tag of one of these words, or all that is left."""
    while True:
        yield from src.until(starts)
        if not (yield from src.next()) or (yield from ahead(src, words)) is not None:
            return
        src.take(1)


def past(src: Source, words: frozenset[str], follow: frozenset[str]) -> Steps[bool]:
    """Take all up to the tag that ends a call which cannot be read, and that tag.

    Args:
        src: The text.
        words: What that tag may be.
        follow: What the tag behind it may be.

    Returns:
        Whether the call is lost: it does not seem to end there, since none of those tags follows, nor the end.
    """
    while True:
        yield from src.until("<")
        if not (yield from src.next()):
            return False
        found = yield from tag(src, words)
        if found is None:
            src.take(1)
        elif found.ends:
            break
    blanks = yield from src.blanks()
    lost = bool((yield from src.next())) and (yield from ahead(src, follow)) is None
    src.back(len(blanks))
    return lost


def content(src: Source, opening: Tag, words: frozenset[str], follow: frozenset[str]) -> Steps[str | None]:
    """Take what an element holds, its closing tag and the blanks behind it; `None` where it does not end.

    The content is not escaped, so it may hold the closing tag itself. The true one is followed by a tag that may come
    next, or by the end of the reply.

    Args:
        src: The text, behind the opening tag.
        opening: The opening tag. One with the marker of DSML is only closed by one with it.
        words: What the closing tag may be.
        follow: What the tag behind it may be.
    """
    starts = STARTS + "/" if opening.headless else "<"
    pieces: list[str] = []
    while True:
        pieces.append((yield from src.until(starts)))
        if not (yield from src.next()):
            return None
        found = yield from ahead(src, words)
        if found is None or not found.closing or (opening.dsml and not found.dsml):
            pieces.append(src.take(1))
            continue
        tag_text = src.take(found.length)
        blanks = yield from src.blanks()
        if not (yield from src.next()) or (yield from ahead(src, follow)) is not None:
            return "".join(pieces)
        pieces.append(tag_text + blanks)


def with_markers(*words: str) -> frozenset[str]:
    """These words, without a marker and with each."""
    return frozenset(words) | {marker + word for word in words for marker in _MARKERS}


@functools.lru_cache(maxsize=64)
def _beginnings(words: frozenset[str]) -> frozenset[str]:
    return frozenset(word[:end] for word in words for end in range(len(word) + 1))


class _Look:
    """Decides character by character whether a text is a tag with one of some words, as early as that is possible."""

    __slots__ = (
        "_bars",
        "_beginnings",
        "_closing",
        "_empty",
        "_headless",
        "_quote",
        "_rest",
        "_started",
        "_word",
        "_words",
    )

    def __init__(self, words: frozenset[str], beginnings: frozenset[str]) -> None:
        self._words = words
        self._beginnings = beginnings
        self._word = ""
        self._bars = 0
        self._closing = False
        self._empty = False
        self._headless = False
        self._started = False
        self._rest: list[str] | None = None  # its attributes, once they have begun
        self._quote = ""

    def step(self, char: str) -> bool | None:
        """Take the next character; whether it is such a tag, or `None` where that is not known yet."""
        if self._rest is not None:
            return self._attribute(char)
        if not self._started:
            self._started = True
            self._headless = char != "<"
            self._bars = int(char in BARS)
            self._closing = char == "/"
            return None if char == "<" or self._bars or self._closing or char == "\\" else False
        if char.isascii() and char.isalpha():
            return self._letter(char.lower())
        if char in BARS:
            self._bars += 1
            return None if self._bars <= (_MOST_BARS if self._word or not self._headless else 2) else False
        if char == "/":
            self._empty = self._word in self._words
            self._closing = self._closing or not self._empty
            return None if self._empty or self._word in ("", *_MARKERS) else False
        if char == ">":
            return self._word in self._words
        return self._joint(char)

    def tag(self, length: int) -> Tag:
        """The tag, once it is one."""
        rest = "".join(self._rest or []).removesuffix(">")
        word = self._word
        for marker in _MARKERS:
            word = word.removeprefix(marker)
        attributes = _attributes(rest)
        empty = self._empty or rest.endswith("/")
        return Tag(word, self._closing, empty, self._bars > 0 or word != self._word, self._headless, attributes, length)

    def _letter(self, char: str) -> bool | None:
        if self._empty:
            return False
        self._word += char
        if self._headless and self._word[:4] != _MARKERS[0][: len(self._word)]:
            return False
        return None if self._word in self._beginnings else False

    def _joint(self, char: str) -> bool | None:
        """What is neither letter nor bar nor the end: something between words, or the beginning of attributes."""
        if char in "= \t\r\n" and self._word in self._words and self._word in _NAMED:
            self._rest = [char]
            return None
        if char in _JOINTS or (char == ":" and (self._bars or self._word in _MARKERS)):
            return None
        return None if (self._bars and char == " ") or (char == "\\" and (self._bars or not self._word)) else False

    def _attribute(self, char: str) -> bool | None:
        rest = self._rest
        assert rest is not None
        if self._quote:
            self._quote = "" if char == self._quote else self._quote
        elif char in "'\"" and "".join(rest[-3:]).rstrip(BLANKS).endswith("="):
            self._quote = char
        elif char == "<":
            return False
        rest.append(char)
        return True if char == ">" and not self._quote else None


def _attributes(text: str) -> dict[str, str]:
    """Attributes as `name="value"`, `name='value'` or `name=value`."""
    found: dict[str, str] = {}
    at = 0
    while (equals := text.find("=", at)) >= 0:
        name = text[at:equals].strip()
        at = equals + 1
        while text[at : at + 1] in tuple(BLANKS):
            at += 1
        quote = text[at : at + 1]
        if quote and quote in "'\"" and (end := text.find(quote, at + 1)) >= 0:
            found[name] = text[at + 1 : end]
            at = end + 1
            continue
        end = at
        while end < len(text) and (text[end] not in BLANKS or not name):
            end += 1
        found[name] = text[at:end].strip().removesuffix("/")
        at = end
    return found
