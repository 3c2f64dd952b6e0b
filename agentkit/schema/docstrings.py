"""What a docstring says: a description, and a line for each parameter.

Four styles are read, found out per docstring by their marks: Google (`Args:`), NumPy (underlined sections),
reST (`:param x:`) and Epydoc (`@param x:`). The first is read here, since it is the common one and a tool's schema
should be cheap; the fields of the others are cut out here and read by docstring_parser, imported only for them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import field
from inspect import cleandoc
from typing import TYPE_CHECKING

from agentkit.frozen import frozen

if TYPE_CHECKING:
    from docstring_parser import Docstring

_NUMPY = re.compile(r"^([A-Za-z][A-Za-z ]*)[ \t]*\n-{3,}[ \t]*$", re.M)
_FIELD = re.compile(
    r"^[ \t]*([:@])(?:param|parameter|arg|argument|key|keyword|attribute|type|ivar|cvar)\s+[^\n:]+:", re.M
)
_ANY_FIELD = re.compile(r"^[ \t]*[:@](\w+)\b[^\n:]*:(?=\s|$)")
_BLANK = "\0"  # for a blank line within a field, which docstring_parser would drop
_UNDERLINE = re.compile(r"^-{3,}[ \t]*$")
_HEADER = re.compile(r"^([A-Z][A-Za-z]*(?: [A-Za-z]+)?|参数|參數|引数)[ \t]*[:\uff1a][ \t]*$")
_ENTRY = re.compile(r"^(\*{0,2}\w+)[ \t]*(?:\((?:.*?)\))?[ \t]*(?:[:\uff1a]|[ \t]-{1,2}[ \t])[ \t]*(.*)$")
_BULLET = re.compile(r"(?:[-*+•]|\d+[.)])\s")

_PARAMETERS = frozenset(
    {
        *("args", "arguments", "parameters", "params", "parameter", "attributes", "参数", "參數", "引数"),
        *("keyword args", "keyword arguments", "other parameters", "other args", "other arguments"),
    }
)
_ERRORS = frozenset({"raises", "raise", "except", "exceptions", "warns"})
_DROPPED_FIELDS = frozenset(
    "param parameter arg argument key keyword attribute type ivar cvar raises raise except exception rtype".split()
)


@frozen
class Doc:
    """What a docstring says.

    Attributes:
        description: The text without the sections about parameters and errors: summary, body, what is returned.
        parameters: The description of each parameter that is named, in that order; `*args` goes by `args`.
    """

    description: str = ""
    parameters: dict[str, str] = field(default_factory=dict[str, str])


def parse(text: str | None) -> Doc:
    """Read a docstring in whichever of the four styles it is written. It never fails: at worst all is description."""
    text = cleandoc(text or "").strip()
    if not text:
        return Doc()
    if "\n" not in text:
        return Doc(text)
    first, _, rest = text.partition("\n")
    if not rest[0].isspace() and _HEADER.match(first):
        from textwrap import indent

        text = f"{first}\n{indent(rest, '    ')}"  # `cleandoc` leaves the first line out when it measures
    mark = _FIELD.search(text) if ":" in text else None
    if mark:
        return _fields(text, mark.group(1))
    if "\n---" in text and any(found.group(1).strip().lower() in _PARAMETERS for found in _NUMPY.finditer(text)):
        return _numpy(text)
    return _google(text)


def _google(text: str) -> Doc:
    """Read `Args:` sections; an entry is `name (type): text`, what is indented below goes on with it."""
    body: list[str] = []
    found: dict[str, list[str]] = {}
    section: frozenset[str] | None = None
    current: list[str] | None = None
    entry_indent = 0
    for line in text.split("\n"):
        stripped = line.lstrip()
        indent = len(line) - len(stripped)
        if stripped and not indent:
            section = None
            if line[-1] in ":\uff1a" and (header := _HEADER.match(line)):
                word = header.group(1).lower()
                section = _PARAMETERS if word in _PARAMETERS else _ERRORS if word in _ERRORS else None
                current, entry_indent = None, 0
        elif section is _PARAMETERS:
            entry_indent = entry_indent or indent
            entry = _ENTRY.match(stripped) if indent and indent <= entry_indent else None
            if entry:
                current = found.setdefault(entry.group(1).lstrip("*"), [])
                current.append(entry.group(2))
            elif current is not None:
                current.append(line)
            else:
                body.append(line)
            continue
        if section is None:
            body.append(line)
    return Doc(_tidy(body), {name: flow(lines) for name, lines in found.items()})


def _fields(text: str, mark: str) -> Doc:
    """Cut reST or Epydoc fields out of the text: a field goes on as long as lines are blank or indented."""
    body: list[str] = []
    fields: list[str] = []
    target = body
    for line in text.split("\n"):
        found = _ANY_FIELD.match(line)
        if found and found.group(1).lower() in _DROPPED_FIELDS:
            target, line = fields, line.lstrip()
        elif found and (word := found.group(1).lower().rstrip("s")) in ("return", "yield"):
            target, line = body, f"{word.capitalize()}s: {line[found.end() :].strip()}"
        elif line and not line[0].isspace() and target is fields:
            target = body
            body.append("")
        target.append(line or _BLANK if target is fields else line)
    from docstring_parser import epydoc, rest

    return _read(rest.parse if mark == ":" else epydoc.parse, "\n".join(fields), body)


def _numpy(text: str) -> Doc:
    """Cut the parameter and error sections out of a NumPy docstring; the others stay in the description."""
    body: list[str] = []
    sections: list[str] = []
    target = body
    lines = text.split("\n")
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if _UNDERLINE.match(below) and line and not line[0].isspace():
            word = line.strip().lower()
            target = sections if word in _PARAMETERS else [] if word in _ERRORS else body
        if target is sections and (_UNDERLINE.match(below) or _UNDERLINE.match(line)):
            continue  # several sections become one
        target.append(line)
    from docstring_parser import numpydoc

    return _read(numpydoc.parse, "\n".join(["Parameters", "----------", *sections]), body)


def _read(parser: Callable[[str], Docstring], fields: str, body: list[str]) -> Doc:
    """Let docstring_parser read the fields; what it cannot read stays in the description, so that nothing is lost."""
    from docstring_parser import ParseError

    try:
        params = parser(fields).params
    except (ParseError, ValueError):
        return Doc(_tidy([*body, "", fields]))
    found: dict[str, str] = {}
    for one in params:
        words = flow((one.description or "").split("\n"))
        for name in one.arg_name.split(","):  # NumPy's `x, y : int`
            found[name.strip().lstrip("*\\")] = words
    return Doc(_tidy(body), found)


def _tidy(lines: Iterable[str]) -> str:
    """Lines as a text without blank ends and without more than one blank line in a row."""
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in lines)).strip()


def flow(lines: Iterable[str]) -> str:
    """Join the wrapped lines of a description: a blank line parts paragraphs, list items keep their lines.

    Between CJK characters no space is put, since a line break there is none.
    """
    text = ""
    pending = ""
    for line in map(str.strip, lines):
        if line in ("", _BLANK):
            pending = "\n\n" if text else ""
            continue
        if text and not pending:
            wide = _is_wide(line[0]) and (_is_wide(text[-1]) or not text[-1].isalnum())
            pending = "\n" if _BULLET.match(line) else "" if wide else " "
        text, pending = text + pending + line, ""
    return text


def _is_wide(char: str) -> bool:
    return "\u2e80" <= char <= "\u9fff" or "\uf900" <= char <= "\ufaff" or "\uff00" <= char <= "\uffef"
