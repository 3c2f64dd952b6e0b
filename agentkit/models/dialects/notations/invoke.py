"""DSML of DeepSeek V3.2, V4 and V4.1, and the same elements without its marker (WIRE section 5):

    <｜DSML｜tool_calls>
    <｜DSML｜invoke name="weather">
    <｜DSML｜parameter name="city" string="true">Paris</｜DSML｜parameter>
    <｜DSML｜parameter name="days" string="false">3</｜DSML｜parameter>
    </｜DSML｜invoke>
    </｜DSML｜tool_calls>

The block is called `function_calls` by V3.2, `tool_calls` by V4 and ` calls` by V4.1. Parameters are not escaped.
Instead of them an `invoke` may hold JSON. Claude's older elements, `<tool_name>` and `<parameters>`, are read too.
"""

from __future__ import annotations

from dataclasses import replace

from agentkit.models.dialects.notations import objects, tags, tool_call, values
from agentkit.models.dialects.notations.found import Found, TextCall, merged, unread
from agentkit.models.dialects.notations.known import Tools
from agentkit.models.dialects.notations.source import Source, Steps
from agentkit.models.dialects.notations.tags import Tag, with_markers

DSML = "dsml"
XML = "xml"

_BLOCKS = frozenset({"functioncalls", "toolcalls", "calls"})
_PARAMETERS = with_markers("parameter")
_INVOKES = with_markers("invoke")
_STOPS = with_markers("invoke", *_BLOCKS) - {"calls"}
_FOLLOW = _STOPS | _PARAMETERS
_OLD = frozenset({"toolname", "parameters"})
_INSIDE = _STOPS | tool_call.WORDS

DSML_WORDS = frozenset({"dsml" + word for word in ("invoke", *_BLOCKS)})
XML_WORDS = frozenset({marker + word for word in ("invoke", "functioncalls", "toolcalls") for marker in ("", "antml")})


def read(src: Source, tools: Tools, opening: Tag) -> Steps[Found | None]:
    """Take the rest of a block of calls, or of one call, as far as it can be read."""
    if opening.closing:
        return None
    notation = DSML if opening.dsml else XML
    if opening.word == "invoke":
        return (yield from _invoke(src, tools, opening, notation))
    parts: list[Found] = []
    while True:
        blanks = yield from src.blanks()
        inner = yield from tags.tag(src, _INSIDE)
        if inner is None:
            if parts or not opening.dsml:
                src.back(len(blanks))
                if not parts and (yield from src.next()) in ("{", "["):
                    parts.append((yield from _list(src, tools, notation)))
                break
            yield from tags.skip(src, _STOPS)
            parts.append(unread(notation, "A block of calls holds something that is no call."))
        elif inner.word == "invoke" and not inner.closing:
            part = yield from _invoke(src, tools, inner, notation)
            parts.extend([part] if part is not None else [])
        elif inner.word in tool_call.WORDS:
            part = yield from tool_call.read(src, tools, inner)
            parts.extend([part] if part is not None else [])
        elif inner.word in _BLOCKS and inner.closing:
            break
    if not parts:
        return unread(notation, "A block of calls was begun, but there is no call in it.") if opening.dsml else None
    return merged(parts)


def _list(src: Source, tools: Tools, notation: str) -> Steps[Found]:
    """JSON in a block that should hold elements."""
    span = yield from values.value(src, quotes="'\"")
    if span.end == "broken":
        src.back(len(span.text))
        return replace(objects.cut_off(span, notation), lost=(yield from tags.past(src, _STOPS, _STOPS)))
    found = objects.cut_off(span, notation)
    if span.end == "whole":
        found = objects.calls(span.text, tools, notation, sure=True) or Found()
    blanks = yield from src.blanks()
    inner = yield from tags.ahead(src, _STOPS)
    if inner is not None and inner.closing:
        src.take(inner.length)
    else:
        src.back(len(blanks))
    return found


def _invoke(src: Source, tools: Tools, opening: Tag, notation: str) -> Steps[Found | None]:
    """One call, behind its opening tag."""
    name = opening.name
    given: dict[str, tuple[str, bool | None]] = {}
    problem = ""
    lost = False
    while not opening.empty:
        yield from src.blanks()
        char = yield from src.next()
        if char == "{" and not given and name is not None:
            return (yield from _json(src, tools, name, notation))
        inner = yield from tags.ahead(src, _FOLLOW | _OLD)
        if inner is not None and inner.word in _OLD and not inner.closing and notation == XML:
            src.take(inner.length)
            name, problem = yield from _old(src, inner.word, name, given)
        elif inner is None or inner.word in _OLD:
            problem = "was cut off" if not char else "holds neither parameters nor JSON"
        elif inner.word == "parameter":
            src.take(inner.length)
            if not inner.closing and not (yield from _parameter(src, inner, given)):
                problem = "was cut off within a parameter"
        else:
            if inner.word == "invoke" and inner.closing:
                src.take(inner.length)
            break
        if problem:
            lost = yield from tags.past(src, _INVOKES, _STOPS)
            break
    if name is None:
        return unread(notation, "A call does not name its tool.", lost=lost) if opening.dsml or given else None
    tool = tools.named(name)
    if tool is None:
        return tools.stranger(notation, name, lost=lost)
    if problem:
        return unread(notation, f"The call of `{tool}` {problem}.", lost=lost)
    return Found(calls=(TextCall(tool, _object(tools, tool, given), notation),))


def _parameter(src: Source, opening: Tag, given: dict[str, tuple[str, bool | None]]) -> Steps[bool]:
    """Take a parameter; whether it ended."""
    text = "" if opening.empty else (yield from tags.content(src, opening, _PARAMETERS, _FOLLOW))
    if text is None:
        return False
    string = {"true": True, "false": False}.get(opening.attributes.get("string", "").casefold())
    given[opening.name or ""] = (text, string)
    return True


def _object(tools: Tools, tool: str, given: dict[str, tuple[str, bool | None]]) -> str:
    """The arguments that the parameters make."""
    pairs = {name: tools.argument(tool, name, *how) for name, how in given.items()}
    if len(pairs) == 1:
        ((name, text),) = pairs.items()
        known = tools.parameters(tool)
        if name in objects.ARGUMENTS and known and name not in known and values.is_object(text):
            return text  # all of them put into one that the tool does not have
    return values.joined(pairs)


def _json(src: Source, tools: Tools, name: str, notation: str) -> Steps[Found]:
    """JSON in the place of parameters, and the end of the call."""
    span = yield from values.value(src, quotes="'\"")
    found = objects.arguments_call(span, name, tools, notation)
    if span.end == "broken":
        src.back(len(span.text))
        return replace(found, lost=(yield from tags.past(src, _INVOKES, _STOPS)))
    blanks = yield from src.blanks()
    inner = yield from tags.ahead(src, _INVOKES)
    if inner is not None and inner.closing:
        src.take(inner.length)
    else:
        src.back(len(blanks))
    return found


def _old(
    src: Source, word: str, name: str | None, given: dict[str, tuple[str, bool | None]]
) -> Steps[tuple[str | None, str]]:
    """Take one of Claude's older elements; the name that is known then, and what is wrong."""
    if word == "toolname":
        said = yield from src.before("</tool_name>")
        return (said or name), ("" if said else "was cut off")
    text = yield from src.before("</parameters>")
    if text is None:
        return name, "was cut off"
    at = 0
    while (start := text.find("<", at)) >= 0:
        key = text[start + 1 : (end := text.find(">", start))]
        close = text.find(f"</{key}>", end) if end >= 0 else -1
        if close < 0:
            return name, "holds a parameter that does not end"
        given[key.strip()] = (text[end + 1 : close], None)
        at = close + len(key) + 3
    return name, ""
