"""What models write in the place of one JSON object, as one: only repairs that cannot change what was meant.

Models close one bracket too many or too few (5 of 11,766 calls measured, WIRE section 5), put the object into a code
fence, write it as Python, or write it as the text of a text (WIRE section 9). Each such repair is counted. Whatever
else is wrong is left as it is, so that the call is refused: a call that is guessed at does harm, one that is refused
comes again.

There is one pass over the text, token by token, which knows what is a string and what is not; it neither recurses nor
looks back, so nesting and length cost no more than their characters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import cast

from agentkit.frozen import frozen

FENCE = "code fence"
HEADER = "json header"
PYTHON = "Python literal"
COMMA = "trailing comma"
SURPLUS = "surplus bracket"
MISSING = "missing bracket"
TWICE = "double encoding"
EMPTY = "nothing for an empty object"

_BLANKS = " \t\r\n"
_TEXTS = 3
"""So many times a text may be the text of a text."""

_DEEPEST = 250
"""So many brackets may stand one in the other: readers of JSON go no deeper than 200."""

_TOKEN = re.compile(
    r"""[ \t\r\n]*+(?:
        (?P<string>"[^"\\]*+(?:\\.[^"\\]*+)*+")
      | (?P<quoted>'[^'\\]*+(?:\\.[^'\\]*+)*+')
      | (?P<open>[{\[])
      | (?P<close>[}\]])
      | (?P<comma>,)
      | (?P<colon>:)
      | (?P<number>-?[0-9][0-9.eE+-]*+)
      | (?P<word>[A-Za-z]\w*+)
    )""",
    re.VERBOSE | re.DOTALL,
)
_WORDS = {"true": "true", "false": "false", "null": "null"}
_PYTHON_WORDS = {"True": "true", "False": "false", "None": "null"}
_OPENER = {"}": "{", "]": "["}
_CLOSER = {"{": "}", "[": "]"}
_FENCED = re.compile(r"```[A-Za-z0-9]*+(?=[\s{\[\"'])")
_HEADED = re.compile(r"json(?=[\s{\[\"'])", re.IGNORECASE)
_QUOTED_PART = re.compile(r"""\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)|["]""", re.DOTALL)
_SAME_ESCAPES = frozenset("\\nrtbf")
"""Escapes that mean the same in a Python string and in a JSON string."""


@frozen
class Mended:
    """A text after its repairs.

    Attributes:
        text: The text of one JSON object, as far as brackets, commas and literals go.
        repairs: How often each kind of repair was made.
    """

    text: str
    repairs: Mapping[str, int]


def mend(text: str, *, complete: bool) -> Mended | None:
    """Make one JSON object of what a model wrote in its place.

    Args:
        text: What the model wrote; no JSON object as it stands.
        complete: Whether the reply is known to have come to its end. What was cut is not mended.

    Returns:
        The mended text; `None` if no repair helps, or more would be needed than cannot change the meaning.
    """
    if not complete:
        return None
    counts: dict[str, int] = {}
    for _ in range(_TEXTS):
        text = _bare(text.strip(_BLANKS), counts)
        if text in ("", "null", "None"):
            return Mended("{}", {**counts, EMPTY: 1})
        scan = _Scan(text, counts, brackets=not counts.keys() & {SURPLUS, MISSING})
        if not scan.whole():
            return None
        text = scan.mended()
        if scan.root == "{":
            return Mended(text, counts) if counts else None
        if scan.root != "string":
            return None
        try:
            text = cast("str", json.loads(text))
        except ValueError:
            return None
        counts[TWICE] = counts.get(TWICE, 0) + 1
    return None


def mend_value(text: str) -> str | None:
    """The JSON text of a list or an object that was written as a string, or `None` if it is the text of neither.

    Python literals and trailing commas are mended; brackets are not, since the text stands in quotes and so is whole.
    """
    scan = _Scan(text, {}, brackets=False)
    return scan.mended() if scan.whole() and scan.root in _CLOSER else None


def _bare(text: str, counts: dict[str, int]) -> str:
    """The text without the fence around it, and without the word `json` before it."""
    fenced = _FENCED.match(text)
    if fenced is not None and text.endswith("```") and len(text) >= fenced.end() + 3:
        text = text[fenced.end() : -3].strip(_BLANKS)
        counts[FENCE] = counts.get(FENCE, 0) + 1
    headed = _HEADED.match(text)
    if headed is not None:
        text = text[headed.end() :].lstrip(_BLANKS)
        counts[HEADER] = counts.get(HEADER, 0) + 1
    return text


class _Scan:
    """One pass over a text that should be one JSON value.

    Attributes:
        root: What the value is: `{`, `[`, `string`, …; `""` before it was seen.
    """

    __slots__ = ("_brackets", "_comma", "_counts", "_edits", "_last", "_stack", "_state", "_text", "root")

    def __init__(self, text: str, counts: dict[str, int], *, brackets: bool) -> None:
        self.root = ""
        self._text = text
        self._counts = counts
        self._brackets = brackets  # whether a bracket may be added or taken away, which is done once
        self._edits: list[tuple[int, int, str]] = []
        self._stack: list[str] = []
        self._state = "value"  # what may come: value, first value, key, first key, colon, next, end
        self._last = ""  # the kind of the last token
        self._comma = -1  # where the last comma stands

    def whole(self) -> bool:
        """Read all of it; whether it is one value, repairs included."""
        position = 0
        while (token := _TOKEN.match(self._text, position)) is not None:
            kind = cast("str", token.lastgroup)
            start, position = token.span(kind)
            if not self._take(kind, start, position):
                return False
            self._last = kind
        if self._text[position:].strip(_BLANKS):
            return False
        return self._state == "end" or self._close_the_last()

    def mended(self) -> str:
        """The text with the repairs made."""
        if not self._edits:
            return self._text
        parts: list[str] = []
        position = 0
        for start, end, new in self._edits:
            parts += (self._text[position:start], new)
            position = end
        parts.append(self._text[position:])
        return "".join(parts)

    def _take(self, kind: str, start: int, end: int) -> bool:
        """Take one token; whether it may stand here."""
        state = self._state
        if kind == "comma":
            if state != "next":
                return False
            self._comma = start
            self._state = "key" if self._stack[-1] == "{" else "value"
            return True
        if kind == "colon":
            self._state = "value"
            return state == "colon"
        if kind == "close":
            return self._take_close(self._text[start], start, end)
        if state in ("key", "first key"):
            self._state = "colon"
            return kind in ("string", "quoted") and self._take_scalar(kind, start, end)
        if state not in ("value", "first value"):
            return False
        if kind == "open":
            bracket = self._text[start]
            self.root = self.root or bracket
            if len(self._stack) >= _DEEPEST:
                return False
            self._stack.append(bracket)
            self._state = "first key" if bracket == "{" else "first value"
            return True
        self.root = self.root or ("string" if kind == "quoted" else kind)
        self._state = "next" if self._stack else "end"
        return self._take_scalar(kind, start, end)

    def _take_scalar(self, kind: str, start: int, end: int) -> bool:
        if kind == "word":
            word = self._text[start:end]
            if (new := _PYTHON_WORDS.get(word)) is None:
                return word in _WORDS
            self._edit(PYTHON, start, end, new)
        elif kind == "quoted":
            if (new := _as_json_string(self._text[start + 1 : end - 1])) is None:
                return False
            self._edit(PYTHON, start, end, new)
        return True

    def _take_close(self, bracket: str, start: int, end: int) -> bool:
        if self._state == "end":
            if not self._brackets or self.root not in _CLOSER:
                return False
            self._brackets = False
            self._edit(SURPLUS, start, end, "")
            return True
        if not self._stack or self._stack[-1] != _OPENER[bracket]:
            return False
        if self._last == "comma":
            self._edit(COMMA, self._comma, self._comma + 1, "")
        elif self._state not in ("next", "first key", "first value"):
            return False
        self._stack.pop()
        self._state = "next" if self._stack else "end"
        return True

    def _close_the_last(self) -> bool:
        """Put the one closing bracket that is missing, unless the text may have been cut within a number."""
        if not self._brackets or len(self._stack) != 1 or self._state != "next" or self._last == "number":
            return False
        self._edit(MISSING, len(self._text), len(self._text), _CLOSER[self._stack[0]])
        return True

    def _edit(self, repair: str, start: int, end: int, new: str) -> None:
        self._edits.append((start, end, new))
        self._counts[repair] = self._counts.get(repair, 0) + 1


def _as_json_string(body: str) -> str | None:
    """What stands between single quotes as a JSON string; `None` where an escape means something else in Python."""
    odd = False

    def part(found: re.Match[str]) -> str:
        nonlocal odd
        escape: str | None = found[1]
        if escape is None:
            return '\\"'
        if escape in _SAME_ESCAPES or (escape[0] == "u" and len(escape) == 5):
            return found[0]
        if escape in ("'", '"'):
            return escape if escape == "'" else '\\"'
        if escape[0] == "x" and len(escape) == 3:
            return f"\\u00{escape[1:]}"
        odd = True
        return ""

    made = _QUOTED_PART.sub(part, body)
    return None if odd else f'"{made}"'
