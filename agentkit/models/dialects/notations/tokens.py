"""The special tokens of DeepSeek V3, R1 and V3.1, and of Kimi, also as they leak in ASCII (WIRE section 5).

<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>weather
```json
{"city": "Paris"}
```<｜tool▁call▁end｜><｜tool▁calls▁end｜>                                                          V3, R1

<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>weather<｜tool▁sep｜>{"city": "Paris"}<｜tool▁call▁end｜>…      V3.1
<tool_call_begin>function<tool_sep>weather ```json {"city": "Paris"} ```<tool_call_end>           leaks
<|tool_call_begin|>functions.weather:0<|tool_call_argument_begin|>{"city": "Paris"}<|tool_call_end|>  Kimi
"""

from __future__ import annotations

from dataclasses import replace

from agentkit.models.dialects.notations import objects, tags, values
from agentkit.models.dialects.notations.found import Found, merged, unread
from agentkit.models.dialects.notations.known import Tools
from agentkit.models.dialects.notations.source import BLANKS, Source, Steps
from agentkit.models.dialects.notations.tags import Tag

DEEPSEEK = "deepseek"
KIMI = "kimi"

_BLOCK = frozenset({"toolcallsbegin", "toolcallssectionbegin"})
_ONE = frozenset({"toolcallbegin"})
_ENDS = frozenset({"toolcallsend", "toolcallssectionend"})
_MARKS = _BLOCK | _ONE | _ENDS | {"toolcallend"}
_SEPARATORS = frozenset({"toolsep", "toolcallargumentbegin"})
WORDS = _BLOCK | _ONE


def read(src: Source, tools: Tools, opening: Tag) -> Steps[Found | None]:
    """Take the rest of a block of calls, or of calls whose block's tokens are missing."""
    parts: list[Found] = []
    one = opening.word in _ONE
    while True:
        if one:
            part = yield from _call(src, tools)
            if part is None:
                return merged(parts) if parts else None
            parts.append(part)
        blanks = yield from src.blanks()
        inner = yield from tags.tag(src, _MARKS)
        if inner is None and parts:
            src.back(len(blanks))
            break
        if inner is not None and inner.word in _ENDS:
            break
        one = inner is None or inner.word in _ONE  # a call without a token of its own is the first
    return merged(parts) if parts else unread(DEEPSEEK, "A block of calls was begun, but there is no call in it.")


def _call(src: Source, tools: Tools) -> Steps[Found | None]:
    """One call, behind the token that begins it; `None` where it does not begin like one."""
    yield from src.blanks()
    word = yield from src.until(BLANKS + "<`{\"'(", tools.longest)
    yield from src.blanks()
    separator = yield from tags.tag(src, _SEPARATORS)
    if separator is None:
        if not (yield from src.next()):
            return unread(DEEPSEEK, "A call was cut off before its arguments.")
        if word != "function" and tools.named(word) is None:
            return None
        lost = yield from tags.past(src, _MARKS, _MARKS)
        return unread(DEEPSEEK, f"The call of `{word}` has no separator between name and arguments.", lost=lost)
    notation = DEEPSEEK
    if separator.word == "toolcallargumentbegin":
        notation = KIMI
        head, colon, number = word.rpartition(":")
        word = head if colon and number.isdigit() else word
    elif word == "function" and (yield from src.next()) != "{":
        yield from src.blanks()
        word = yield from src.until("\n`{<", tools.longest)
    return (yield from _arguments(src, tools, word, notation))


def _arguments(src: Source, tools: Tools, name: str, notation: str) -> Steps[Found]:
    """The arguments of a call, in a fence perhaps, and the token that ends it."""
    yield from src.blanks()
    fenced = yield from src.accept("```")
    if fenced:
        yield from src.until(BLANKS + "{[<`")
        yield from src.blanks()
    if (yield from src.next()) == "{":
        span = yield from values.value(src, quotes="'\"")
    elif (yield from tags.ahead(src, _MARKS)) is not None and not fenced:
        span = values.Span("{}", "whole")
    else:
        span = values.Span("", "broken" if (yield from src.next()) else "cut")
    found = objects.arguments_call(span, name, tools, notation)
    if span.end == "broken":
        src.back(len(span.text))
        return replace(found, lost=(yield from tags.past(src, _MARKS, _MARKS)))
    if fenced:
        blanks = yield from src.blanks()
        if not (yield from src.accept("```")):
            src.back(len(blanks))
    yield from _end(src)
    return found


def _end(src: Source) -> Steps[None]:
    blanks = yield from src.blanks()
    inner = yield from tags.ahead(src, _MARKS)
    if inner is not None and inner.word == "toolcallend":
        src.take(inner.length)
    else:
        src.back(len(blanks))
