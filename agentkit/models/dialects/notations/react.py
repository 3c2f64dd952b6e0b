"""ReAct's lines:

    Action: weather
    Action Input: {"city": "Paris"}

`Thought:` and `Final Answer:` are text. Some models write the JSON right behind the name, or an object that names the
tool, in a fence (LangChain's structured chat).
"""

from __future__ import annotations

from agentkit.models.dialects.notations import objects, values
from agentkit.models.dialects.notations.found import Found, TextCall, unread
from agentkit.models.dialects.notations.known import Tools
from agentkit.models.dialects.notations.source import BLANKS, Source, Steps

NAME = "react"

_DECORATION = "*_`\"' \t"
_FINAL = frozenset({"final", "none", "n/a"})
"""What takes the place of a tool's name where none is called: `Final Answer`."""


def starts(src: Source) -> Steps[bool]:
    """Whether an action may begin here, at the beginning of a line; nothing is taken."""
    marks = yield from src.blanks("*_")
    found = yield from src.accept("action", fold=True)
    src.back(len(marks) + 6 * found)
    return found


def read(src: Source, tools: Tools) -> Steps[Found | None]:
    """Take an action and its input, at the beginning of a line; `None` where it is none."""
    if not (yield from _label(src, "action")):
        return None
    yield from src.blanks(_DECORATION)
    name = (yield from src.until(BLANKS + "{(`\"'*", tools.longest)).strip()
    yield from src.blanks(_DECORATION)
    char = yield from src.next()
    if not name:
        return (yield from _object(src, tools))
    if name.casefold() in _FINAL:
        return None
    if char == "{":
        if tools.named(name) is None:
            return None
        return objects.arguments_call((yield from values.value(src)), name, tools, NAME)
    if char not in ("\n", "\r"):
        return None
    yield from src.blanks()
    if not (yield from _label(src, "action input")):
        return None
    return (yield from _input(src, tools, name))


def _label(src: Source, word: str) -> Steps[bool]:
    """Take `Action:` or `**Action:**`, in whatever case."""
    yield from src.blanks("*_")
    for piece in word.split():
        yield from src.blanks(" _")
        if not (yield from src.accept(piece, fold=True)):
            return False
    yield from src.blanks("* \t")
    return (yield from src.accept(":")) or (yield from src.accept("："))


def _fence(src: Source) -> Steps[bool]:
    """Take the opening of a fence, up to the object in it."""
    if not (yield from src.accept("```")):
        return False
    yield from src.until(BLANKS + "{[<`")
    yield from src.blanks()
    return True


def _end_of_fence(src: Source) -> Steps[None]:
    blanks = yield from src.blanks()
    if not (yield from src.accept("```")):
        src.back(len(blanks))


def _object(src: Source, tools: Tools) -> Steps[Found | None]:
    """An object that names the tool, in place of the name."""
    yield from src.blanks()
    fenced = yield from _fence(src)
    if (yield from src.next()) != "{" or not (yield from objects.begun(src, tools)):
        return None
    found, span = yield from objects.read(src, tools, NAME, sure=False)
    if span.end != "whole":
        return objects.cut_off(span, NAME)
    if found is not None and fenced:
        yield from _end_of_fence(src)
    return found


def _input(src: Source, tools: Tools, name: str) -> Steps[Found | None]:
    yield from src.blanks("* \t")
    tool = tools.named(name)
    if (yield from src.next()) in ("\n", "\r"):
        yield from src.blanks()  # the input stands on the next line, or there is none
    fenced = yield from _fence(src)
    if (yield from src.next()) == "{":
        span = yield from values.value(src)
        if span.end == "broken" and tool is None:
            return None
        if fenced and span.end == "whole":
            yield from _end_of_fence(src)
        return objects.arguments_call(span, name, tools, NAME)
    if tool is None or fenced:
        return None if tool is None else unread(NAME, f"The input of `{tool}` is no JSON object.")
    line = yield from src.until("\n")
    text = line.strip()
    if not text or text.casefold().startswith("observation"):
        src.back(len(line))
        return Found(calls=(TextCall(tool, "{}", NAME),))
    lone = tools.lone(tool)
    if lone is None:
        return unread(NAME, f"The input of `{tool}` must be one JSON object with its parameters.")
    return Found(calls=(TextCall(tool, values.joined({lone: tools.argument(tool, lone, text.strip("\"'"))}), NAME),))
