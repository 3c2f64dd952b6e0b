"""Values within calls: where a JSON text ends, what its members are, and Python's way of writing the same."""

from __future__ import annotations

import json
import math
import re
import sys
from typing import Any, Literal

from agentkit.frozen import frozen
from agentkit.models import jsontext
from agentkit.models.dialects.notations.source import BLANKS, Source, Steps, first

DEEPEST = 200
"""Values that are nested deeper are not read; pydantic_core stops there too."""

_CLOSES = {"{": "}", "[": "]"}
_BARE = frozenset(BLANKS + ",:+-.0123456789" + "truefalsenullNaNInfinityTrueFalseNone")
"""What JSON and Python have outside strings: a text that has something else is no value."""

Verdict = Literal["more", "whole", "broken"]


@frozen
class Span:
    """A value as it was written.

    Attributes:
        text: What was taken of it.
        end: Whether it is `"whole"`, `"broken"` by something that no value has, or `"cut"` by the end of the reply.
    """

    text: str
    end: Literal["whole", "broken", "cut"]


class Brackets:
    """Looks for the end of a value that is an object or a list, string-aware, in pieces cut anywhere."""

    __slots__ = ("_escaped", "_lines", "_open", "_quote", "_quotes")

    def __init__(self, quotes: str, *, lines: bool) -> None:
        self._quotes = quotes
        self._lines = lines
        self._quote = ""
        self._escaped = False
        self._open: list[str] = []

    def step(self, text: str, at: int) -> tuple[int, Verdict]:
        """Go on from here; the place behind what belongs to the value, and whether it ended there."""
        while at < len(text):
            if self._quote:
                at = self._in_string(text, at)
                if self._quote and at < len(text) and not self._escaped:
                    return at, "broken"
                continue
            char = text[at]
            if char in _BARE:
                at += 1
            elif char in self._quotes:
                self._quote = char
                at += 1
            elif char in "{[":
                self._open.append(_CLOSES[char])
                at += 1
            elif char in "}]" and self._open and self._open.pop() == char:
                at += 1
                if not self._open:
                    return at, "whole"
            else:
                return at, "broken"
        return at, "more"

    def _in_string(self, text: str, at: int) -> int:
        """Go on within a string: behind its end, or to the end of the piece, or to a line's end that breaks it."""
        if self._escaped:
            self._escaped = False
            at += 1
        stops = self._quote + ("\\" if self._lines else "\\\n")
        while (at := first(text, stops, at)) < len(text):
            if text[at] == "\\":
                at += 2
                if at > len(text):
                    self._escaped = True
                    return at - 1
            elif text[at] == "\n":
                return at
            else:
                self._quote = ""
                return at + 1
        return at


def value(src: Source, *, quotes: str = '"', lines: bool = True) -> Steps[Span]:
    """Take the object or list that begins here.

    Args:
        src: The text.
        quotes: What begins strings; Python has `'` too.
        lines: Whether strings may hold ends of lines, as JSON may not and models write them.
    """
    brackets = Brackets(quotes, lines=lines)
    pieces: list[str] = []
    while (yield from src.next()):
        end, verdict = brackets.step(src.text, src.at)
        pieces.append(src.take(end - src.at))
        if verdict == "more":
            continue
        return Span("".join(pieces), verdict)
    return Span("".join(pieces), "cut")


@frozen
class Member:
    """A member of an object, or an element of a list: its value, and the text of it."""

    value: Any
    text: str


def members(text: str) -> dict[str, Member] | list[Member]:
    """What a JSON object or list holds, each with its own text. Of members of one name the last counts.

    Raises:
        ValueError: It is no JSON, or nested too deeply.
    """
    decoder = json.JSONDecoder(strict=False)
    found: list[Member] = []
    names: list[str] = []
    at = _past(text, 0)
    is_object = text[at : at + 1] == "{"
    at = _past(text, at + 1)
    more = text[at : at + 1] != ("}" if is_object else "]")
    while more:
        if is_object:
            name, at = _decoded(decoder, text, at)
            if not isinstance(name, str):
                raise ValueError("a name in it is no text")
            names.append(name)
            at = _mark(text, at, ":")
        start = at
        one, at = _decoded(decoder, text, at)
        found.append(Member(one, text[start:at]))
        at = _past(text, at)
        more = text[at : at + 1] == ","
        if more:
            at = _past(text, at + 1)
    at = _past(text, _mark(text, at, "}" if is_object else "]"))
    if at < len(text):
        raise ValueError(f"something follows it: `{text[at : at + 20]}`")
    return dict(zip(names, found, strict=True)) if is_object else found


def _decoded(decoder: json.JSONDecoder, text: str, at: int) -> tuple[Any, int]:
    try:
        return decoder.raw_decode(text, at)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _mark(text: str, at: int, mark: str) -> int:
    """The place of what follows this mark, blanks apart.

    Raises:
        ValueError: Something else stands here.
    """
    at = _past(text, at)
    if text[at : at + 1] != mark:
        raise ValueError(f"`{mark}` is missing at character {at + 1}")
    return _past(text, at + 1)


def _past(text: str, at: int) -> int:
    while at < len(text) and text[at] in BLANKS:
        at += 1
    return at


def is_json(text: str) -> bool:
    """Whether this is the text of one JSON value."""
    try:
        jsontext.read(text.encode())
    except ValueError:
        return False
    return True


def is_object(text: str) -> bool:
    """Whether this is the text of one JSON object."""
    try:
        return isinstance(jsontext.read(text.encode()), dict)
    except ValueError:
        return False


def told(value: Any) -> str:
    """JSON of a value, written as DeepSeek's endpoint writes arguments (WIRE section 4)."""
    return json.dumps(value, ensure_ascii=False)


def joined(pairs: dict[str, str]) -> str:
    """The text of an object whose values are JSON texts already."""
    return "{" + ", ".join(f"{told(name)}: {text}" for name, text in pairs.items()) + "}"


def python_value(text: str) -> Any:
    """The value of a literal in Python's notation, JSON's words and commas too many included; nothing is run.

    Raises:
        ValueError: It is no literal, or one that JSON cannot carry (bytes, a set, a number that is not finite).
    """
    reader = _Literal(text)
    found = reader.value(0)
    if reader.past() < len(text):
        raise ValueError(f"`{text[reader.at : reader.at + 20]}` makes no sense at character {reader.at + 1}")
    return found


_WORDS: dict[str, Any] = {"True": True, "False": False, "None": None, "true": True, "false": False, "null": None}
_ESCAPES = {char: char for char in "\\'\"/"} | dict(zip("ntrbfav\n", [*"\n\t\r\b\f\a\v", ""], strict=True))
_CODES = {"x": 2, "u": 4, "U": 8}
_WORD = re.compile(r"[+-]?[\w.]+(?:(?<=[eE])[+-]?\d+)?")


class _Literal:
    """Reads a literal from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def past(self) -> int:
        self.at = _past(self.text, self.at)
        return self.at

    def value(self, depth: int) -> Any:
        if depth > DEEPEST:
            raise ValueError("it is nested too deeply")
        char = self.text[self.past() : self.at + 1]
        if char == "{":
            return self._dict(depth)
        if char and char in "[(":
            return self._list(depth, "]" if char == "[" else ")")
        if char and char in "'\"":
            return self._string()
        return self._word()

    def _list(self, depth: int, close: str) -> list[Any]:
        self.at += 1
        found: list[Any] = []
        while self.text[self.past() : self.at + 1] != close:
            found.append(self.value(depth + 1))
            self._comma(close)
        self.at += 1
        return found

    def _dict(self, depth: int) -> dict[str, Any]:
        self.at += 1
        found: dict[str, Any] = {}
        while self.text[self.past() : self.at + 1] != "}":
            name = self.value(depth + 1)
            if not isinstance(name, str):
                raise ValueError(f"the name `{name}` is no text")
            self.at = _mark(self.text, self.at, ":")
            found[name] = self.value(depth + 1)
            self._comma("}")
        self.at += 1
        return found

    def _comma(self, close: str) -> None:
        char = self.text[self.past() : self.at + 1]
        if char == ",":
            self.at += 1
        elif char != close:
            raise ValueError(f"`,` or `{close}` is missing at character {self.at + 1}")

    def _word(self) -> Any:
        match = _WORD.match(self.text, self.at)
        word = match[0] if match else ""
        if match and word in _WORDS:
            self.at = match.end()
            return _WORDS[word]
        if match and word.lstrip("+-")[:1] in tuple("0123456789."):
            self.at = match.end()
            number = _number(word)
            if isinstance(number, int) or math.isfinite(number):
                return number
        raise ValueError(f"`{(word or self.text[self.at : self.at + 20])[:40]}` is no value")

    def _string(self) -> str:
        quote = self.text[self.at]
        if self.text.startswith(quote * 3, self.at):
            quote *= 3
        self.at += len(quote)
        start = self.at
        while True:
            end = first(self.text, quote[0] + "\\", self.at)
            if end >= len(self.text):
                raise ValueError("a text in it does not end")
            if self.text[end] == "\\":
                self.at = end + 2
            elif self.text.startswith(quote, end):
                self.at = end + len(quote)
                return _unescaped(self.text[start:end])
            else:
                self.at = end + 1


def _number(word: str) -> int | float:
    try:
        return int(word, 0)
    except ValueError:
        return float(word)


def _unescaped(text: str) -> str:
    """What a string in Python or JSON says."""
    if "\\" not in text:
        return text
    pieces: list[str] = []
    at = 0
    while (slash := text.find("\\", at)) >= 0:
        pieces.append(text[at:slash])
        char = text[slash + 1 : slash + 2]
        at = slash + 2
        if char in _ESCAPES:
            pieces.append(_ESCAPES[char])
        elif char in _CODES and len(code := text[at : at + _CODES[char]]) == _CODES[char]:
            if (number := int(code, 16)) > sys.maxunicode:
                raise ValueError(f"there is no character `\\{char}{code}`")
            pieces.append(chr(number))
            at += len(code)
        else:
            pieces.append("\\" + char)
    pieces.append(text[at:])
    whole = "".join(pieces)
    return whole.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
