"""Calls as Python writes them: `[weather(city="Paris"), clock()]`, Llama's `weather.call(city="Paris")`.

They are read as data. Nothing is run, and a call whose arguments are more than literals cannot be read.
"""

from __future__ import annotations

from agentkit.models.dialects.notations import values
from agentkit.models.dialects.notations.found import Found, TextCall, merged, unread
from agentkit.models.dialects.notations.known import Tools
from agentkit.models.dialects.notations.source import Source, Steps
from agentkit.models.dialects.notations.values import Span

NAME = "pythonic"

_CLOSES = {"(": ")", "[": "]", "{": "}"}
_CALL = ".call"


def read(src: Source, tools: Tools, notation: str = NAME) -> Steps[Found | None]:
    """Take the call or the list of calls that begins here; `None` where its brackets do not fit."""
    if (yield from src.next()) != "[":
        return (yield from _one(src, tools, notation))
    src.take(1)
    parts: list[Found] = []
    while True:
        span = yield from part(src, ",]")
        if span.end == "broken":
            return None
        if span.text.strip():
            parts.append(call(span.text, tools, notation))
        if span.end == "cut":
            return merged([*parts[:-1], unread(notation, "A list of calls was cut off.")])
        if src.take(1) == "]":
            return merged(parts)


def _one(src: Source, tools: Tools, notation: str) -> Steps[Found | None]:
    name = yield from src.until("(", tools.longest)
    if (yield from src.next()) != "(":
        return None
    src.take(1)
    span = yield from part(src, ")")
    if span.end == "broken":
        return None
    if span.end == "cut":
        return unread(notation, f"The call of `{name.strip()}` was cut off.")
    src.take(1)
    return call(f"{name}({span.text})", tools, notation)


def starts(src: Source, tools: Tools) -> Steps[bool]:
    """Whether a call of a known tool begins here, or a list of calls; nothing is taken."""
    if (yield from src.next()) != "[":
        return (yield from begins(src, tools))
    src.take(1)
    blanks = yield from src.blanks()
    found = yield from begins(src, tools)
    src.back(len(blanks) + 1)
    return found


def begins(src: Source, tools: Tools) -> Steps[bool]:
    """Whether the call of a known tool begins here; nothing is taken."""
    count = 0
    while (yield from src.need(count + 1)):
        name = src.text[src.at : src.at + count + 1]
        count += 1
        if name.endswith("("):
            return tools.named(name[:-1].removesuffix(_CALL)) is not None
        tool, dot, rest = name.rpartition(".")
        if not (tools.begins(name) or (dot and _CALL.startswith(dot + rest) and tools.named(tool) is not None)):
            return False
    return False


def statements(text: str, tools: Tools, notation: str) -> Found | None:
    """The calls in lines of code; `None` where there is anything else in it, comments and `print` apart."""
    parts: list[Found] = []
    try:
        lines = _pieces(text, "\n;")
    except ValueError:
        return None
    for line in lines:
        code = line.strip()
        while code.startswith("print(") and code.endswith(")"):
            code = code[len("print(") : -1].strip()
        if not code or code.startswith("#"):
            continue
        name, bracket, _ = code.partition("(")
        if not bracket or tools.named(name) is None:
            return None
        parts.append(call(code, tools, notation))
    return merged(parts) if parts else None


def call(text: str, tools: Tools, notation: str) -> Found:
    """The call that this piece of code is."""
    name, bracket, rest = text.strip().partition("(")
    tool = tools.named(name.removesuffix(_CALL))
    if tool is None:
        return tools.stranger(notation, name)
    if not bracket or not rest.endswith(")"):
        return unread(notation, f"The call of `{tool}` is not of the form `{tool}(name=value)`.")
    given: dict[str, str] = {}
    known = tools.parameters(tool)
    try:
        for place, piece in enumerate(_pieces(rest[:-1], ",")):
            key, equals, value = piece.partition("=")
            if not piece.strip():
                continue
            if equals and key.strip().isidentifier():
                given[key.strip()] = values.told(values.python_value(value))
            elif place < len(known):
                given[known[place]] = values.told(values.python_value(piece))
            else:
                raise ValueError("an argument has no name")
    except ValueError as error:
        return unread(notation, f"The arguments of `{tool}` cannot be read: {error}.")
    return Found(calls=(TextCall(tool, values.joined(given), notation),))


def _pieces(text: str, separators: str) -> list[str]:
    """The text in pieces, cut where a separator stands outside of brackets and strings.

    Raises:
        ValueError: Brackets or strings do not close.
    """
    src = Source(text, ended=True)
    pieces: list[str] = []
    while True:
        span = _done(part(src, separators))
        if span.end == "broken":
            raise ValueError("its brackets do not fit")
        pieces.append(span.text)
        if span.end == "cut":
            return pieces
        src.take(1)


def _done(steps: Steps[Span]) -> Span:
    """The result of steps that need not wait."""
    try:
        while True:
            next(steps)
    except StopIteration as stop:
        return stop.value


def part(src: Source, stops: str) -> Steps[Span]:
    """Take all before one of these characters that stands outside of brackets and strings.

    It is `"cut"` where the text ends before, and `"broken"` where a bracket closes another.
    """
    pieces: list[str] = []
    open_: list[str] = []
    while True:
        pieces.append((yield from src.until("'\"()[]{}" + stops)))
        char = yield from src.next()
        if not char:
            return Span("".join(pieces), "cut")
        if not open_ and char in stops:
            return Span("".join(pieces), "whole")
        if char in "'\"":
            pieces.append((yield from _string(src, char)))
            continue
        if char in _CLOSES:
            open_.append(_CLOSES[char])
        elif char in ")]}" and (not open_ or open_.pop() != char):
            return Span("".join(pieces), "broken")
        pieces.append(src.take(1))


def _string(src: Source, quote: str) -> Steps[str]:
    """Take a string, with its quotes."""
    if (yield from src.accept(quote * 3)):
        quote *= 3
    elif (yield from src.accept(quote * 2)):
        return quote * 2
    else:
        src.take(1)
    pieces = [quote]
    while True:
        pieces.append((yield from src.until(quote[0] + "\\")))
        if not (yield from src.next()):
            return "".join(pieces)
        if src.text[src.at] == "\\":
            yield from src.need(2)
            pieces.append(src.take(2))
        elif (yield from src.accept(quote)):
            return "".join([*pieces, quote])
        else:
            pieces.append(src.take(1))
