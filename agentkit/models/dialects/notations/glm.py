"""GLM's pairs, within `<tool_call>`:

<tool_call>weather
<arg_key>city</arg_key>
<arg_value>Paris</arg_value>
</tool_call>
"""

from __future__ import annotations

from agentkit.models.dialects.notations import objects, tags, values
from agentkit.models.dialects.notations.found import Found, TextCall, unread
from agentkit.models.dialects.notations.known import Tools
from agentkit.models.dialects.notations.source import BLANKS, Source, Steps

NAME = "glm"

_KEY = frozenset({"argkey"})
_VALUE = frozenset({"argvalue"})
_END = frozenset({"toolcall"})
_FOLLOW = _KEY | _END


def read(src: Source, tools: Tools) -> Steps[Found | None]:
    """Take the rest of a `<tool_call>` that begins with a name; `None` where it is not followed by pairs."""
    name = yield from src.until(BLANKS + "<{", tools.longest)
    tool = tools.named(name)
    yield from src.blanks()
    char = yield from src.next()
    if not char:
        return unread(NAME, f"The call of `{tool}` was cut off.") if tool else None
    if char == "{":
        if tool is None:
            return None
        return objects.arguments_call((yield from values.value(src, quotes="'\"")), tool, tools, NAME)
    given: dict[str, str] = {}
    pairs = False
    while (inner := (yield from tags.ahead(src, _FOLLOW))) is not None and inner.word in _KEY:
        pairs = True
        key = yield from _pair(src)
        if key is None:
            lost = yield from tags.past(src, _END, _END)
            return unread(NAME, f"The call of `{tool or name}` holds a name or a value that does not end.", lost=lost)
        if tool is not None:
            given[key[0]] = tools.argument(tool, key[0], key[1])
    if inner is None:
        if not pairs:
            return None
        lost = yield from tags.past(src, _END, _END)
        return unread(NAME, f"The call of `{tool or name}` was cut off, or holds what is no pair.", lost=lost)
    if tool is None:
        return tools.stranger(NAME, name) if pairs else None
    return Found(calls=(TextCall(tool, values.joined(given), NAME),))


def _pair(src: Source) -> Steps[tuple[str, str] | None]:
    """A name and its value; `None` where one of them does not end."""
    yield from tags.tag(src, _KEY)
    key = yield from src.until("<")
    closing = yield from tags.tag(src, _KEY)
    if closing is None or not closing.closing:
        return None
    yield from src.blanks()
    opening = yield from tags.tag(src, _VALUE)
    if opening is None or opening.closing:
        return None
    text = yield from tags.content(src, opening, _VALUE, _FOLLOW)
    return None if text is None else (key.strip(), text)
