"""Qwen3-coder's elements, and Llama 3's with JSON in them:

<function=weather>          <function=weather>{"city": "Paris"}</function>
<parameter=city>
Paris
</parameter>
</function>
"""

from __future__ import annotations

from dataclasses import replace

from agentkit.models.dialects.notations import objects, tags, values
from agentkit.models.dialects.notations.found import Found, TextCall, unread
from agentkit.models.dialects.notations.known import Tools
from agentkit.models.dialects.notations.source import Source, Steps
from agentkit.models.dialects.notations.tags import Tag

NAME = "function"

WORDS = frozenset({"function"})
_PARAMETERS = frozenset({"parameter", "param"})
_INSIDE = _PARAMETERS | WORDS
_FOLLOW = _INSIDE | {"toolcall"}


def read(src: Source, tools: Tools, opening: Tag) -> Steps[Found | None]:
    """Take the rest of an element `<function=…>`, as far as it can be read."""
    name = opening.name or ""
    if opening.closing or not name:
        return None
    tool = tools.named(name)
    given: dict[str, str] = {}
    while not opening.empty:
        yield from src.blanks()
        if (yield from src.next()) == "{" and not given:
            return (yield from _json(src, tools, name))
        inner = yield from tags.tag(src, _INSIDE)
        if inner is None:
            return (yield from _unreadable(src, tool or name))
        if inner.word in _PARAMETERS and not inner.closing:
            text = yield from tags.content(src, inner, _PARAMETERS, _FOLLOW)
            if text is None:
                return unread(NAME, f"The call of `{tool or name}` was cut off within a parameter.")
            if tool is not None:
                given[inner.name or ""] = tools.argument(tool, inner.name or "", _trimmed(text))
        elif inner.closing and inner.word in WORDS:
            break
    if tool is None:
        return tools.stranger(NAME, name)
    return Found(calls=(TextCall(tool, values.joined(given), NAME),))


def _json(src: Source, tools: Tools, name: str) -> Steps[Found]:
    span = yield from values.value(src, quotes="'\"")
    found = objects.arguments_call(span, name, tools, NAME)
    if span.end == "broken":
        src.back(len(span.text))
        return replace(found, lost=(yield from tags.past(src, WORDS, _FOLLOW)))
    blanks = yield from src.blanks()
    inner = yield from tags.ahead(src, WORDS)
    if inner is not None and inner.closing:
        src.take(inner.length)
    else:
        src.back(len(blanks))
    return found


def _unreadable(src: Source, name: str) -> Steps[Found]:
    if not (yield from src.next()):
        return unread(NAME, f"The call of `{name}` was cut off.")
    lost = yield from tags.past(src, WORDS, _FOLLOW)
    return unread(NAME, f"The call of `{name}` holds neither JSON nor parameters.", lost=lost)


def _trimmed(text: str) -> str:
    """The value without the end of a line that its template puts on each side."""
    return text.removeprefix("\n").removesuffix("\n")
