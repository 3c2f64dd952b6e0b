"""Mistral's calls behind `[TOOL_CALLS]`: a list of objects, or a name and JSON, with `[ARGS]` between perhaps."""

from __future__ import annotations

from agentkit.models.dialects.notations import objects, values
from agentkit.models.dialects.notations.found import Found, merged, unread
from agentkit.models.dialects.notations.known import Tools
from agentkit.models.dialects.notations.source import BLANKS, Source, Steps

NAME = "mistral"
MARK = "[TOOL_CALLS]"


def read(src: Source, tools: Tools) -> Steps[Found]:
    """Take what follows the mark, as far as it can be read."""
    parts: list[Found] = []
    while True:
        yield from src.blanks()
        name = yield from src.until("[{\n")
        char = yield from src.next()
        if char == "[" and ((yield from src.accept("[ARGS]")) or (yield from _call_id(src))):
            yield from src.blanks()
            char = yield from src.next()
        if char == "{" and name.strip():
            parts.append(objects.arguments_call((yield from values.value(src)), name, tools, NAME))
        elif char and char in "[{":
            parts.append((yield from _list(src, tools)))
        else:
            what = "was cut off" if not char else "is followed by no call"
            parts.append(unread(NAME, f"`{MARK}` {what}."))
        blanks = yield from src.blanks()
        if not (yield from src.accept(MARK)):
            src.back(len(blanks))
            return merged(parts)


def _call_id(src: Source) -> Steps[bool]:
    """Take an id between name and arguments."""
    if not (yield from src.accept("[CALL_ID]")):
        return False
    yield from src.until(BLANKS + "[{")
    yield from src.accept("[ARGS]")
    return True


def _list(src: Source, tools: Tools) -> Steps[Found]:
    span = yield from values.value(src, quotes="'\"")
    if span.end == "whole":
        return objects.calls(span.text, tools, NAME, sure=True) or Found()
    return objects.cut_off(span, NAME)
