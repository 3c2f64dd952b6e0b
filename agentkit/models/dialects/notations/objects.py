"""Calls as JSON objects: `{"name": …, "arguments": {…}}` and what else models make of it.

Hermes and Qwen write `arguments`, Llama `parameters`, LangChain's prompts `action` and `action_input`; OpenAI's shapes
(`tool_calls`, `function`, `function_call`) come from models that have seen many transcripts.
"""

from __future__ import annotations

from typing import Final, cast

from agentkit.frozen import frozen
from agentkit.models.dialects.notations import values
from agentkit.models.dialects.notations.found import Found, TextCall, merged, unread
from agentkit.models.dialects.notations.known import Tools
from agentkit.models.dialects.notations.source import Source, Steps
from agentkit.models.dialects.notations.values import Member, Span

NAMES: Final = ("name", "tool", "tool_name", "function", "function_name", "action", "recipient_name")
ARGUMENTS: Final = ("arguments", "parameters", "args", "action_input", "tool_input", "input", "kwargs", "params")
LISTS: Final = ("tool_calls", "calls", "tool_uses")
WRAPPERS: Final = ("function", "function_call", "tool_call")
OTHERS: Final = (
    "type",
    "id",
    "index",
    "thought",
    "thoughts",
    "reasoning",
    "call_id",
    "tool_call_id",
    "content",
    "role",
)
KEYS: Final = frozenset({*NAMES, *ARGUMENTS, *LISTS, *WRAPPERS, *OTHERS})
"""The names that an object may begin with if it is a call."""

_BEGINNINGS = frozenset(key[:end] for key in KEYS for end in range(len(key) + 1))


@frozen
class _Said:
    """A call as it was said: the name, and the text of its arguments or what is wrong with them."""

    name: str
    arguments: str | None
    problem: str = ""
    doubtful: bool = False
    """Whether it is a call only where marks say so."""


def calls(text: str, tools: Tools, notation: str, *, sure: bool) -> Found | None:
    """The calls in a text that is an object or a list.

    Args:
        text: The text, whole as far as its brackets say.
        tools: The known tools.
        notation: What the calls are written in.
        sure: Whether marks around it say that it is a call. Then whatever is wrong is told. If not, what names no known
            tool, has no arguments or is the description of a tool is no call, and `None` where there is none else.
    """
    try:
        said = _said(values.members(text), 4)
    except ValueError as error:
        try:
            if not sure:
                return None
            said = _said(values.members(values.told(values.python_value(text))), 4)
        except ValueError:
            return unread(notation, f"A call is no valid JSON: {error}.")
    if not sure:
        if not any(tools.named(one.name) is not None and not one.doubtful for one in said):
            return None
        said = [one for one in said if not one.doubtful]
    if not said:
        return unread(notation, "A call does not name a tool.")
    return merged([_call(one, tools, notation) for one in said])


def _call(said: _Said, tools: Tools, notation: str) -> Found:
    name = tools.named(said.name)
    if name is None:
        return tools.stranger(notation, said.name)
    if said.problem:
        return unread(notation, f"The arguments of `{name}` {said.problem}.")
    return Found(calls=(TextCall(name, said.arguments or "{}", notation),))


def _said(found: dict[str, Member] | list[Member], depth: int) -> list[_Said]:
    """The calls in an object or a list; wrappers are opened `depth` deep."""
    if isinstance(found, list):
        inner = [one for one in found if isinstance(one.value, dict)]
        return [call for one in inner for call in _said(values.members(one.text), depth - 1)] if depth else []
    for key in LISTS if depth else ():
        if key in found and isinstance(found[key].value, list):
            return _said(values.members(found[key].text), depth - 1)
    for key in WRAPPERS if depth else ():
        if key in found and isinstance(found[key].value, dict):
            return _said(values.members(found[key].text), depth - 1)
    name = next((found[key].value for key in NAMES if key in found and isinstance(found[key].value, str)), None)
    if name is None:
        return []
    given = next((found[key] for key in ARGUMENTS if key in found), None)
    if given is None:
        strange = [key for key in found if key not in KEYS]
        problem = f"are missing; `{strange[0]}` stands where they should" if strange else ""
        return [_Said(name, None, problem, doubtful=True)]
    return [_Said(name, *_arguments(given), doubtful="description" in found and _is_schema(given.value))]


def _is_schema(value: object) -> bool:
    fields = cast("dict[str, object]", value) if isinstance(value, dict) else {}
    return fields.get("type") == "object" and isinstance(fields.get("properties"), dict)


def _arguments(given: Member) -> tuple[str | None, str]:
    """The text of the arguments, or what is wrong with them. Arguments within a string are taken out of it."""
    text, value = given.text, given.value
    for _ in range(2):  # OpenAI's shape has them in a string, and some models do that once more (WIRE section 9)
        if not isinstance(value, str):
            break
        text = value
        if not text.strip():
            return "{}", ""
        try:
            value = values.members(f"[{text}]")
        except ValueError:
            return None, "are no JSON object but a text"
        if not isinstance(value, list) or len(value) != 1:
            return None, "are no JSON object but a text"
        value = value[0].value
    if isinstance(value, dict):
        return text.strip(), ""
    if value is None:
        return "{}", ""
    return None, "are no JSON object"


def object_text(text: str) -> str:
    """The arguments in a text that is an object by its brackets: as they were written if that is JSON, else mended.

    Raises:
        ValueError: It is no object. The message says what is wrong.
    """
    try:
        if isinstance(values.members(text), dict):
            return text.strip()
    except ValueError:
        try:
            value = values.python_value(text)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise
        return values.told(value)
    raise ValueError("they are no JSON object")


def arguments_call(span: Span, name: str, tools: Tools, notation: str) -> Found:
    """The call of a tool whose arguments were taken as a value."""
    tool = tools.named(name)
    if tool is None:
        return tools.stranger(notation, name, lost=span.end == "broken")
    if span.end != "whole":
        return unread(notation, f"The call of `{tool}` " + broken(span), lost=span.end == "broken")
    try:
        return Found(calls=(TextCall(tool, object_text(span.text), notation),))
    except ValueError as error:
        return unread(notation, f"The arguments of `{tool}` are no valid JSON object: {error}.")


def begun(src: Source, tools: Tools) -> Steps[bool]:
    """Whether the object or list of objects that begins here may be a call; nothing is taken.

    It is looked at as far as its first name and, if that says the tool, the name of it; so answers in JSON are not
    held back.
    """
    count = 0
    brackets = ""
    while True:
        if not (yield from src.need(count + 1)):
            return True  # cut: `value` will say so
        char = src.text[src.at + count]
        count += 1
        if char in "{[" and brackets + char in ("{", "[", "[{"):
            brackets += char
        elif char == '"' and brackets.endswith("{"):
            return (yield from _key(src, count, tools))
        elif not char.isspace() or count > _WIDEST:
            return False


_WIDEST = 50
"""More blanks are not looked past."""


def _key(src: Source, count: int, tools: Tools) -> Steps[bool]:
    """Whether the name whose first letter is so far ahead may be the first of a call."""
    key = ""
    while (yield from src.need(count + 1)):
        char = src.text[src.at + count]
        count += 1
        if char == '"':
            return key in KEYS and (key not in NAMES or (yield from _name(src, count, tools)))
        key += char
        if key not in _BEGINNINGS:
            return False
    return True


def _name(src: Source, count: int, tools: Tools) -> Steps[bool]:
    """Whether what follows a name may say a known tool."""
    name: str | None = None
    colon = False
    start = count
    while (yield from src.need(count + 1)):
        char = src.text[src.at + count]
        count += 1
        if name is not None:
            if char == '"':
                return tools.named(name) is not None
            name += char
            if char != "\\" and "\\" not in name and not tools.begins(name):
                return False
        elif char == ":" and not colon:
            colon = True
        elif char == '"' and colon:
            name = ""
        elif char == "{" and colon:
            return True
        elif not char.isspace() or count - start > _WIDEST:
            return False
    return True


def read(
    src: Source, tools: Tools, notation: str, *, sure: bool, lines: bool = True
) -> Steps[tuple[Found | None, Span]]:
    """Take the object or list that begins here, and say what calls it holds, as `calls` does.

    Texts in it may hold ends of lines where `lines` is set.
    """
    span = yield from values.value(src, quotes="'\"" if sure else '"', lines=lines)
    if span.end == "whole":
        return calls(span.text, tools, notation, sure=sure), span
    return (cut_off(span, notation) if sure else None), span


def cut_off(span: Span, notation: str) -> Found:
    """A call that was begun with a value that does not end."""
    return unread(notation, "A call " + broken(span), lost=span.end == "broken")


def broken(span: Span) -> str:
    """What is wrong with a value that does not end, in words for the model."""
    if span.end == "cut":
        return "was cut off before its JSON ended."
    return "is no valid JSON: it breaks off after " + values.told(span.text[-30:]) + "."


def names_tool(span: Span, tools: Tools) -> bool:
    """Whether a text that is no whole value has the name of a known tool in it, so that it was a call."""
    return any(f'"{name}"' in span.text for name in tools.names)
