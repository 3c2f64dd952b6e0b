"""`<tool_call>`: the mark of many models, and what each of them puts into it.

Hermes and Qwen put JSON there (our own notation, see `own`), Qwen3-coder `<function=…>`, GLM a name and pairs, Gemma 4
`call:…{…}`. One reader opens the mark and sees from the first characters whose it is.
"""

from __future__ import annotations

from dataclasses import replace

from agentkit.models.dialects.notations import function, gemma, glm, objects, tags, values
from agentkit.models.dialects.notations.found import Found, merged, unread
from agentkit.models.dialects.notations.known import Tools
from agentkit.models.dialects.notations.source import BLANKS, Source, Steps
from agentkit.models.dialects.notations.tags import Tag

NAME = "tool_call"

WORDS = frozenset({"toolcall", "functioncall"})


def read(src: Source, tools: Tools, opening: Tag) -> Steps[Found | None]:
    """Take the rest of a `<tool_call>`, as far as it can be read; `None` where it holds nothing like a call."""
    if opening.closing or opening.empty:
        return None
    yield from src.blanks()
    char = yield from src.next()
    if not char:
        return unread(NAME, "A call was cut off where it began.")
    if char in "{[`":
        return (yield from _json(src, tools, opening))
    if char == "<":
        return (yield from _elements(src, tools))
    if char == "c" and (yield from src.accept("call:")):
        src.back(len("call:"))
        return (yield from gemma.read(src, tools))
    found = yield from glm.read(src, tools)
    if found is not None:
        yield from _end(src)
    return found


def _elements(src: Source, tools: Tools) -> Steps[Found | None]:
    """Elements `<function=…>`, and the end of the mark."""
    parts: list[Found] = []
    while True:
        blanks = yield from src.blanks()
        inner = yield from tags.ahead(src, function.WORDS)
        if inner is None or inner.closing or not inner.name:
            src.back(len(blanks))
            break
        src.take(inner.length)
        part = yield from function.read(src, tools, inner)
        if part is not None:
            parts.append(part)
    if not parts:
        return None
    yield from _end(src)
    return merged(parts)


def _json(src: Source, tools: Tools, opening: Tag) -> Steps[Found | None]:
    """Objects and lists, in a fence perhaps, and the end of the mark."""
    fenced = yield from src.accept("```")
    if fenced:
        yield from src.until(BLANKS + "{[<`")
        yield from src.blanks()
    parts: list[Found] = []
    while (char := (yield from src.next())) and char in "{[":
        span = yield from values.value(src, quotes="'\"")
        part = _found(span, opening, tools)
        if span.end == "broken":
            src.back(len(span.text))
            return merged([*parts, replace(part, lost=(yield from tags.past(src, WORDS, WORDS)))])
        parts.append(part)
        blanks = yield from src.blanks(BLANKS + ",;")
        if (yield from src.next()) not in ("{", "["):
            src.back(len(blanks))
            break
    if not parts:
        return None
    if fenced:
        blanks = yield from src.blanks()
        if not (yield from src.accept("```")):
            src.back(len(blanks))
    yield from _end(src)
    return merged(parts)


def _found(span: values.Span, opening: Tag, tools: Tools) -> Found:
    if opening.name is not None:
        return objects.arguments_call(span, opening.name, tools, NAME)
    if span.end != "whole":
        return objects.cut_off(span, NAME)
    return objects.calls(span.text, tools, NAME, sure=True) or Found()


def _end(src: Source) -> Steps[None]:
    """Take the end of the mark if it stands here, and nothing if something else does."""
    blanks = yield from src.blanks()
    inner = yield from tags.ahead(src, WORDS)
    if inner is not None and (inner.closing or inner.dsml):  # `<tool_call|>` ends Gemma's
        src.take(inner.length)
    else:
        src.back(len(blanks))
