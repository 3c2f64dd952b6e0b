"""Fences: calls in a code block that holds nothing else.

    ```json
    {"name": "weather", "arguments": {"city": "Paris"}}
    ```

A fence is also how an example is shown. So it is a call only where nothing but calls follows it to the end of the
reply, unless its language says that it is one (`tool_call`, and Gemma's `tool_code` with Python in it).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from agentkit.models.dialects.notations import objects, pythonic
from agentkit.models.dialects.notations.found import Found, merged
from agentkit.models.dialects.notations.known import Tools
from agentkit.models.dialects.notations.source import BLANKS, Source, Steps

NAME = "fenced"

_PLAIN = frozenset({"", "json", "jsonc", "json5", "xml", "text", "txt", "plaintext", "plain"})
_SURE = frozenset({"tool_call", "tool_calls", "toolcall", "tool", "tool_use", "function_call", "function_calls"})
_CODE = frozenset({"tool_code"})

Tagged = Callable[[], Steps[Found | None]]
"""Takes the calls in a notation with tags that begin here; `None` where none does."""


def read(src: Source, tools: Tools, fence: str, tagged: Tagged) -> Steps[tuple[Found | None, bool]]:
    """Take a fence, behind its opening marks.

    Args:
        src: The text.
        tools: The known tools.
        fence: The opening marks.
        tagged: Reads calls in other notations within the fence.

    Returns:
        What it holds, `None` for no calls; and whether the fence is still open then, since it was only taken as far as
        it may have been calls.
    """
    language = (yield from src.until(BLANKS + "{[<`")).casefold()
    yield from src.blanks(" \t")
    if language in _CODE:
        return (yield from _code(src, tools, fence))
    if language not in _PLAIN | _SURE or (yield from src.next()) not in ("\n", "\r", "{", "[", "<", ""):
        return None, True
    yield from src.blanks()
    parts: list[Found] = []
    while (char := (yield from src.next())) and char in "{[<":
        part = yield from (_object(src, tools) if char != "<" else tagged())
        if part is None:
            return None, True
        parts.append(part)
        if part.lost:
            break
        yield from src.blanks(BLANKS + ",;")
    if parts and parts[-1].lost:
        return replace(merged(parts), alone=language not in _SURE), False
    if not parts or not ((yield from closed(src, fence)) or not (yield from src.next())):
        return None, True
    return replace(merged(parts), alone=language not in _SURE), False


def _object(src: Source, tools: Tools) -> Steps[Found | None]:
    if not (yield from objects.begun(src, tools)):
        return None
    found, span = yield from objects.read(src, tools, NAME, sure=False)
    if span.end == "broken":
        src.back(len(span.text))  # the end of the fence may be in it
    if span.end == "cut" and objects.names_tool(span, tools):
        return objects.cut_off(span, NAME)
    return found


def closed(src: Source, fence: str) -> Steps[bool]:
    """Take the closing marks, if they stand here."""
    if not (yield from src.accept(fence)):
        return False
    yield from src.blanks(fence[0])
    return True


def _code(src: Source, tools: Tools, fence: str) -> Steps[tuple[Found | None, bool]]:
    """Take a fence with Python in it."""
    lines: list[str] = []
    while (yield from src.next()):
        blanks = yield from src.blanks()
        if "\n" in blanks and (yield from closed(src, fence)):
            break
        lines.append(blanks + (yield from src.until("\n")))
    return pythonic.statements("".join(lines), tools, NAME), False
