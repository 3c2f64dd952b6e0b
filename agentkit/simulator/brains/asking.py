"""In which form a prompt asks for the answer: by the call of a tool, or as a JSON object that fits a schema.

Some clients want the answer as data. Where the endpoint lets them, they force a call; where it does not, they say so in
words: in the system message, at the head of the conversation, or in a user message when the answer came otherwise.
Read here is what such words have in common, and no client's own:

- *By a tool*: a sentence with a word for the answer, one for calling, and a tool's name. Without such a sentence, a
  tool whose name says it (`final_result`), or which must be called and has no other word in its name (`respond`).
- *As JSON*: `JSON Schema:` and an object, where the answer must be JSON.

These words say how to answer and not about what. So they are taken out of the conversation before the rules look at it,
and a message that says nothing else goes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from agentkit.simulator.brains import Turn
from agentkit.simulator.brains.schemas import as_map
from agentkit.simulator.brains.words import stem, words
from agentkit.simulator.request import Message, Tool

FINAL = frozenset(stem(word) for word in "final answer output result respond response submit finish".split())
"""Words in the names of tools that take the answer itself."""

_NAMED = re.compile(
    r"""[`'"]([\w.-]+)[`'"]|\b(?:call|calling|use|using)\s+(?:the\s+)?"""
    r"(?!the\b)(?:(?:tool|function)\s+([A-Za-z][\w-]*)|([A-Za-z][\w-]*)\s+(?:tool|function)\b)",
    re.IGNORECASE,
)
_CALLING = re.compile(r"\b(?:call|calling|use|using)\b", re.IGNORECASE)
_ANSWER = re.compile(r"\b(?:answer|output|result|respond|response|reply)\b", re.IGNORECASE)
_BY_CALLING = re.compile(r"\bby\s+(?:calling|using|a\s+call)\b", re.IGNORECASE)
_COMPLAINT = re.compile(r"\s*(?:your|the)\s+(?:last\s+|final\s+)?(?:answer|output|response|reply)\b", re.IGNORECASE)
_SCHEMA = re.compile(r"\bJSON Schema:\s*(?=\{)")
_HINTS = ("nswer", "esult", "utput", "espon", "JSON Schema")
"""What a text has at least one of, if it asks for anything of this."""
_READ = 2_000
"""How many characters at the beginning and at the end of a message are read for such words."""
_EXAMPLE = re.compile(r"\s*\bexample\b[^\n{]*:\s*(?=\{)|\s*For example[^\n{]*:\s*(?=\{)", re.IGNORECASE)
_END = re.compile(r"[.!?](?=\s|$)|\n|$")
_JSON = json.JSONDecoder(strict=False)


@dataclass(frozen=True, slots=True)
class Asked:
    """The form in which the answer is wanted.

    Attributes:
        tool: Its parameters are what the answer is made of.
        by_call: Whether it is given by calling that tool; else it is a JSON object.
    """

    tool: Tool
    by_call: bool


def asking(turn: Turn) -> tuple[Asked | None, Turn]:
    """The form in which a turn asks for the answer, and the turn without what it says of that.

    A turn that asks for none comes back as it is.
    """
    names: list[str] = []
    schemas: list[dict[str, Any]] = []
    messages = _without_words(turn, names, schemas)
    tool = next((tool for name in names for tool in turn.tools if tool.name == name), None) or _by_its_name(turn)
    if tool is not None:
        rest = tuple(one for one in turn.tools if one.name != tool.name)
        return Asked(tool, True), replace(turn, messages=messages, tools=rest, must_call=False, json=False)
    if schemas:
        source = json.dumps(schemas[-1], ensure_ascii=False)
        asked = Asked(Tool("answer", "", schemas[-1], source=source), False)
        return asked, replace(turn, messages=messages, json=False)
    return None, turn


def _by_its_name(turn: Turn) -> Tool | None:
    """The tool whose name says that it takes the answer."""
    for tool in turn.tools:
        parts = {stem(word) for word in words(tool.name)}
        if parts and parts <= FINAL and (turn.must_call or (len(parts) > 1 and "final" in parts)):
            return tool
    return None


def _without_words(turn: Turn, names: list[str], schemas: list[dict[str, Any]]) -> tuple[Message, ...]:
    """The messages without the words on the form of the answer; what they name is added to the lists."""
    kept: list[Message] = []
    begun = False
    for message in turn.messages:
        text = message.text or ""
        if message.role in ("assistant", "tool"):
            begun = True
        elif any(hint in text for hint in _HINTS):
            rest = _without_schema(text, schemas) if turn.json else text
            rest = _without_asking(rest, names, complained=begun and message.role == "user")
            if not rest.strip() and text.strip() and begun:
                continue
            message = message if rest == text else replace(message, text=rest)
        kept.append(message)
    return tuple(kept)


def _without_asking(text: str, names: list[str], *, complained: bool) -> str:
    """A text without the sentences that ask for the answer by a tool.

    Args:
        text: The text.
        names: The tools that are named are added to this.
        complained: Whether what stands before them says only why an answer was not taken, if it begins so.
    """
    pieces: list[str] = []
    at = 0
    for start, end, name in _sentences(text):
        names.append(name)
        if not (complained and _COMPLAINT.match(text)):
            pieces.append(text[at:start])
        at = end
    return text if at == 0 else "".join((*pieces, text[at:])).strip()


def _sentences(text: str) -> Iterator[tuple[int, int, str]]:
    """The sentences that ask for the answer by a tool: where each begins and ends, and the tool's name."""
    at = 0
    for match in _named(text):
        if match.start() < at:
            continue
        begin = max(at, max(text.rfind(sign, at, match.start()) for sign in ("\n", ". ", "! ", "? ")) + 1)
        ends = _END.search(text, match.end())
        end = ends.end() if ends else len(text)
        sentence, name = text[begin:end], next(filter(None, match.groups()))
        if not (_ANSWER.search(sentence) and _CALLING.search(sentence)):
            continue
        if {stem(word) for word in words(name)} <= FINAL or _BY_CALLING.search(sentence):
            at = end
            yield begin, end, name


def _named(text: str) -> Iterator[re.Match[str]]:
    if len(text) <= 2 * _READ:
        return _NAMED.finditer(text)
    return chain(_NAMED.finditer(text, 0, _READ), _NAMED.finditer(text, len(text) - _READ))


def _without_schema(text: str, schemas: list[dict[str, Any]]) -> str:
    """A text without the paragraph that gives the schema of the answer, and the example behind it."""
    match = _SCHEMA.search(text)
    if match is None:
        return text
    try:
        schema, end = _JSON.raw_decode(text, match.end())
        if example := _EXAMPLE.match(text, end):
            end = _JSON.raw_decode(text, example.end())[1]
    except ValueError:
        return text
    if "properties" not in as_map(schema):
        return text
    schemas.append(as_map(schema))
    begin = text.rfind("\n\n", 0, match.start())
    return f"{text[: max(begin, 0)]}{text[end:]}".strip()
