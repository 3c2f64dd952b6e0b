"""Llama's calls behind `<|python_tag|>`, or from `<|python_start|>` to `<|python_end|>`: JSON, or calls in Python."""

from __future__ import annotations

from agentkit.models.dialects.notations import objects, pythonic, tags, values
from agentkit.models.dialects.notations.found import Found, merged, unread
from agentkit.models.dialects.notations.known import Tools
from agentkit.models.dialects.notations.source import BLANKS, Source, Steps

NAME = "llama"

WORDS = frozenset({"pythontag", "pythonstart"})
_END = frozenset({"pythonend"})


def read(src: Source, tools: Tools) -> Steps[Found]:
    """Take the calls behind the token."""
    parts: list[Found] = []
    while True:
        blanks = yield from src.blanks(BLANKS + ";,")
        char = yield from src.next()
        if char == "{" or (char == "[" and (yield from objects.begun(src, tools))):
            span = yield from values.value(src, quotes="'\"")
            if span.end == "whole":
                parts.append(objects.calls(span.text, tools, NAME, sure=True) or Found())
            else:
                parts.append(objects.cut_off(span, NAME))
        elif char == "[" or (char and (yield from pythonic.begins(src, tools))):
            parts.append((yield from pythonic.read(src, tools, NAME)) or unread(NAME, "A list cannot be read."))
        elif (yield from tags.tag(src, _END)) is not None:
            break
        else:
            src.back(len(blanks))
            break
    return merged(parts) if parts else unread(NAME, "A call was begun, but no known tool is called.")
