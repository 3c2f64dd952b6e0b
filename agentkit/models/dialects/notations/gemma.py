"""Gemma's calls, whose strings stand between tokens of their own instead of quotes:

<start_function_call>call:weather{city:<escape>Paris<escape>,days:3}<end_function_call>
<|tool_call>call:weather{city:<|"|>Paris<|"|>,days:3}<tool_call|>
"""

from __future__ import annotations

from typing import Any

from agentkit.models.dialects.notations import tags, values
from agentkit.models.dialects.notations.found import Found, TextCall, unread
from agentkit.models.dialects.notations.known import Tools
from agentkit.models.dialects.notations.source import Source, Steps

NAME = "gemma"

WORDS = frozenset({"startfunctioncall"})
_ENDS = frozenset({"endfunctioncall", "toolcall"})
_QUOTES = ("<escape>", '<|"|>')


def read(src: Source, tools: Tools) -> Steps[Found | None]:
    """Take a call that begins with `call:`, and the token that ends it."""
    yield from src.blanks()
    if not (yield from src.accept("call:")):
        return None if (yield from src.next()) else unread(NAME, "A call was cut off before the name of its tool.")
    name = yield from src.until("{<\n", tools.longest)
    tool = tools.named(name)
    text, ended = yield from _body(src)
    if tool is None:
        return tools.stranger(NAME, name)
    if not ended and not text.rstrip().endswith("}"):
        return unread(NAME, f"The call of `{tool}` was cut off.")
    try:
        arguments = _Values(text).whole()
    except ValueError as error:
        return unread(NAME, f"The arguments of `{tool}` cannot be read: {error}.")
    return Found(calls=(TextCall(tool, values.told(arguments), NAME),))


def _body(src: Source) -> Steps[tuple[str, bool]]:
    """Take all up to the token that ends the call, which is taken too; whether it came."""
    pieces: list[str] = []
    quote = ""
    while True:
        pieces.append((yield from src.until("<")))
        if not (yield from src.next()):
            return "".join(pieces), False
        mark = yield from _quote(src, quote)
        if mark:
            pieces.append(mark)
            quote = "" if quote else mark
        elif not quote and (yield from tags.tag(src, _ENDS)) is not None:
            return "".join(pieces), True
        else:
            pieces.append(src.take(1))


def _quote(src: Source, open_: str) -> Steps[str]:
    """Take the token that begins a string here, or the one that ends it if one is open; `""` where there is none."""
    for mark in _QUOTES:
        if open_ in ("", mark) and (yield from src.accept(mark)):
            return mark
    return ""


class _Values:
    """Reads the values of a call, from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text.strip()
        self.at = 0

    def whole(self) -> dict[str, Any]:
        if not self.text:
            return {}
        if self.text[0] != "{":
            raise ValueError("they do not begin with `{`")
        found = self._members(0)
        if self.at < len(self.text):
            raise ValueError(f"something follows them: `{self.text[self.at : self.at + 20]}`")
        return found

    def _members(self, depth: int) -> dict[str, Any]:
        self.at += 1
        found: dict[str, Any] = {}
        while self._char() != "}":
            name = self._string()
            if name is None:
                end = self.text.find(":", self.at)
                name = self.text[self.at : end].strip().strip("\"'")
                self.at = end if end >= 0 else len(self.text)
            self._mark(":")
            found[name] = self._value(depth + 1)
            if self._char() != "}":
                self._mark(",")
        self.at += 1
        return found

    def _list(self, depth: int) -> list[Any]:
        self.at += 1
        found: list[Any] = []
        while self._char() != "]":
            found.append(self._value(depth + 1))
            if self._char() != "]":
                self._mark(",")
        self.at += 1
        return found

    def _value(self, depth: int) -> Any:
        if depth > values.DEEPEST:
            raise ValueError("they are nested too deeply")
        char = self._char()
        if char == "{":
            return self._members(depth)
        if char == "[":
            return self._list(depth)
        if (text := self._string()) is not None:
            return text
        end = self.at
        if char and char in "\"'":
            end = self.text.find(char, self.at + 1) + 1 or len(self.text)
        while end < len(self.text) and self.text[end] not in ",}]":
            end += 1
        word = self.text[self.at : end].strip()
        self.at = end
        try:
            return values.python_value(word)
        except ValueError:
            return word  # a string that is not marked as one

    def _string(self) -> str | None:
        """The string between two tokens that begins here, or `None`."""
        self._char()
        for quote in _QUOTES:
            if self.text.startswith(quote, self.at):
                start = self.at + len(quote)
                end = self.text.find(quote, start)
                if end < 0:
                    raise ValueError("a text in them does not end")
                self.at = end + len(quote)
                return self.text[start:end]
        return None

    def _char(self) -> str:
        """The next character that is no blank; `""` at the end."""
        while self.text[self.at : self.at + 1].isspace():
            self.at += 1
        if self.at >= len(self.text):
            raise ValueError("they do not end")
        return self.text[self.at]

    def _mark(self, mark: str) -> None:
        if self._char() != mark:
            raise ValueError(f"`{mark}` is missing before `{self.text[self.at : self.at + 20]}`")
        self.at += 1
