"""Tools that a prompt tells of in words, for models that have no function calling: read as such a model would.

Some client says, in the system message or at the head of the conversation, which tools there are, how a call is to be
written, and between which marks the results will stand. Nothing of that is known here beforehand but how such prompts
are written; what the marks are, and what the keys of a call are called, is taken from the prompt:

- *The form of a call* is a paragraph with a JSON object whose values are words in capitals: a text for the tool's name,
  and an object for its arguments. The lines before and behind the object are its marks.
- *The results* stand `between MARK and MARK`, as JSON with a name and a content.
- *The tools* are the list behind a line that ends with `tools:`. An entry is a signature, `name(a: integer, b: string =
  "x"): what it does`, with a line for each parameter that is described, or a name with a JSON Schema on the next line.

The rules then see the conversation as if tools had been given and called, and what they want to call is written in the
form. This is an independent reading: it shares no code with any client.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from agentkit.simulator.brains import Turn
from agentkit.simulator.brains.schemas import as_map
from agentkit.simulator.plan import Call, Plan
from agentkit.simulator.request import Message, Tool

_OBJECT = re.compile(r'^\{"(\w+)": "[A-Z_]+", "(\w+)": \{"[A-Z_]+": [A-Z_]+\}\}$', re.MULTILINE)
_BETWEEN = re.compile(r"\bbetween\s+(\S+)\s+and\s+(\S+?)[.,;]?(?:\s|$)")
_LIST = re.compile(r"^.*\btools:[ \t]*$", re.MULTILINE)
_MUST = re.compile(r"^.*\bcall (?:a tool|the tool `([^`]+)`) before you answer\b.*$", re.MULTILINE)
_SCHEMA = re.compile(r"^\s+JSON Schema of its arguments: (?=\{)")
_ONE_OBJECT = re.compile(r"\banswer with (?:one|a) JSON object and nothing else\b", re.IGNORECASE)
_JSON = json.JSONDecoder(strict=False)


@dataclass(frozen=True, slots=True)
class Told:
    """What a prompt says of tools.

    Attributes:
        opening: The lines before the object of a call.
        name: The key of the tool's name.
        arguments: The key of the arguments.
        closing: The lines behind it.
        results: The marks between which a result stands.
        tools: The tools.
        must: Whether a call is wanted before the answer.
        before: What the message says before it comes to the tools.
        after: What it says behind them.
    """

    opening: str
    name: str
    arguments: str
    closing: str
    results: tuple[str, str]
    tools: tuple[Tool, ...]
    must: bool
    before: str
    after: str

    def written(self, plan: Plan) -> Plan:
        """What is said, its calls as text in the form that was asked for."""
        if not plan.calls:
            return plan
        blocks = [
            "".join(
                (
                    self.opening,
                    f'{{"{self.name}": {json.dumps(call.name, ensure_ascii=False)}, ',
                    f'"{self.arguments}": {call.arguments or "{}"}}}',
                    self.closing,
                )
            )
            for call in plan.calls
        ]
        return replace(plan, content="\n".join(filter(None, (plan.content, *blocks))), calls=())

    def message(self, message: Message, number: int, open_calls: Sequence[Call]) -> list[Message]:
        """A message as it would be if tools were given and called natively.

        Args:
            message: The message.
            number: Its place, for the ids of calls.
            open_calls: The calls of the message before it.
        """
        text = message.text or ""
        if message.role == "assistant":
            calls = tuple(
                Call(name, arguments, f"{number}.{place}") for place, (name, arguments) in enumerate(self._calls(text))
            )
            said = text.partition(self.opening)[0].rstrip() if calls else text
            return [replace(message, text=said, calls=calls or message.calls)]
        if message.role != "user" or not open_calls or not text.startswith(self.results[0]):
            return [message]
        answers, rest = self._answers(text)
        found = [Message("tool", answer, call_id=call.id) for call, answer in zip(open_calls, answers, strict=False)]
        return [*found, *([Message("user", rest)] if rest else [])]

    def _calls(self, text: str) -> Iterator[tuple[str, str]]:
        at = 0
        while (start := text.find(self.opening, at)) >= 0:
            begin = start + len(self.opening)
            try:
                value, at = _JSON.raw_decode(text, begin)
            except ValueError:
                return
            call = as_map(value)
            yield str(call.get(self.name)), json.dumps(call.get(self.arguments) or {}, ensure_ascii=False)

    def _answers(self, text: str) -> tuple[list[str], str]:
        """The results that a message begins with, and what it says behind them."""
        opening, closing = self.results
        answers: list[str] = []
        while text.startswith(opening) and (end := text.find(closing)) >= 0:
            inner = text[len(opening) : end].strip()
            try:
                inner = str(as_map(json.loads(inner)).get("content", inner))
            except ValueError:
                pass
            answers.append(inner)
            text = text[end + len(closing) :].lstrip()
        return answers, text


def in_words(turn: Turn) -> tuple[Told | None, Turn]:
    """What the prompt of a turn says of tools, and the turn as it would be if they were given natively.

    A turn in which no tools are told of comes back as it is; so does one that has tools.
    """
    if turn.tools:
        return None, turn
    if not turn.json and any(_wants_object(one.text or "") for one in turn.messages if one.role != "assistant"):
        turn = replace(turn, json=True)
    for place, message in enumerate(turn.messages):
        if message.role == "assistant":
            break
        text = message.text or ""
        told = _told(text) if "tools:" in text else None  # long texts are neither searched for forms nor remembered
        if told is not None:
            return told, _natively(turn, place, told)
    return None, turn


def _natively(turn: Turn, place: int, told: Told) -> Turn:
    """The turn with the tools that are told of in the message at a place."""
    head = turn.messages[place]
    rest = [told.before, told.after] if head.role == "system" else [told.after]
    messages = [*turn.messages[:place]]
    if head.role != "system" and told.before:
        messages.append(Message("system", told.before))
    if text := "\n\n".join(filter(None, rest)):
        messages.append(replace(head, text=text))
    calls: Sequence[Call] = ()
    for number, message in enumerate(turn.messages[place + 1 :], place + 1):
        messages += told.message(message, number, calls)
        calls = messages[-1].calls or () if message.role == "assistant" else ()
    return replace(turn, messages=tuple(messages), tools=told.tools, must_call=told.must)


def _wants_object(text: str) -> bool:
    return "object" in text.lower() and bool(_ONE_OBJECT.search(text))


@lru_cache(maxsize=64)
def _told(text: str) -> Told | None:
    """What a message says of tools; `None` where that is nothing, or no form of a call is given."""
    listed, form = _LIST.search(text), _OBJECT.search(text)
    if listed is None or form is None:
        return None
    tools, end = _tools(text, listed.end())
    if not tools:
        return None
    opening = text[text.rfind("\n\n", 0, form.start()) + 2 : form.start()]
    closing = text[form.end() : text.find("\n\n", form.end())]
    between = _BETWEEN.search(text)
    after = text[end:].strip("\n")
    must = _MUST.match(after)
    if must is not None:
        after = after[must.end() :].strip("\n")
        tools = tuple(tool for tool in tools if must[1] in (None, tool.name))
    before = text[: min(_paragraph(text, form.start()), listed.start())].strip("\n")
    marks = (between[1], between[2]) if between else (opening, closing)
    return Told(opening, form[1], form[2], closing, marks, tools, must is not None, before, after)


def _paragraph(text: str, form: int) -> int:
    """Where the words begin that lead to the form: the paragraph before its own."""
    own = text.rfind("\n\n", 0, form)
    return max(0, text.rfind("\n\n", 0, max(own, 0)))


def _tools(text: str, at: int) -> tuple[tuple[Tool, ...], int]:
    """The tools that are listed from here on, and where the list ends: at the first line that does not belong to it."""
    tools: list[Tool] = []
    while (end := text.find("\n", at)) >= 0 or at < len(text):
        begin = at + (text[at : at + 1] == "\n")
        end = text.find("\n", begin)
        line = text[begin : end if end >= 0 else len(text)]
        if line.startswith("- "):
            tools.append(_entry(line[2:]))
        elif tools and line.startswith(" "):
            tools[-1] = _described(tools[-1], line)
        else:
            break
        at = begin + len(line)
    return tuple(_whole(tool) for tool in tools), at


def _entry(line: str) -> Tool:
    """A tool by its first line: a signature, or a name, and what it does."""
    name = re.match(r"[\w.-]+", line)
    if name is None:
        return Tool(line.partition(":")[0].strip())
    rest = line[name.end() :]
    schema: dict[str, Any] = {"type": "object", "properties": {}, "required": []}
    if rest.startswith("("):
        rest = _parameters(rest[1:], schema)
    return Tool(name[0], rest.removeprefix(":").strip(), schema)


def _parameters(text: str, schema: dict[str, Any]) -> str:
    """Put the parameters of a signature into a schema; what follows the signature."""
    while text and not text.startswith(")"):
        name, _, text = text.partition(": ")
        found, text = _type(text)
        if text.startswith(" = "):
            found["default"], end = _JSON.raw_decode(text, 3)
            text = text[end:]
        else:
            schema["required"].append(name)
        schema["properties"][name] = found
        text = text.removeprefix(", ")
    return text.removeprefix(")")


def _type(text: str) -> tuple[dict[str, Any], str]:
    """A type in words (`integer`, `list of string`, `"a" | "b"`) as a schema, and what follows it."""
    if text.startswith("list of "):
        items, rest = _type(text.removeprefix("list of "))
        return {"type": "array", "items": items}, rest
    word = re.match(r"(?:string|integer|number|boolean|array|null)\b", text)
    if word is not None and word[0] != "null":
        return {"type": word[0]}, text[word.end() :]
    values: list[Any] = []
    at = 0
    while True:
        value, at = _JSON.raw_decode(text, at)
        values.append(value)
        if not text.startswith(" | ", at):
            return {"enum": values}, text[at:]
        at += 3


def _described(tool: Tool, line: str) -> Tool:
    """A tool with what a further line says of it."""
    if schema := _SCHEMA.match(line):
        return replace(tool, parameters=_JSON.raw_decode(line, schema.end())[0])
    name, colon, words = line.strip().partition(": ")
    parameters: Mapping[str, Any] = tool.parameters
    if colon and name in parameters["properties"]:
        parameters["properties"][name]["description"] = words
    return tool


def _whole(tool: Tool) -> Tool:
    """A tool with its definition as text, by which tools are told apart."""
    told = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return replace(tool, source=json.dumps(told, ensure_ascii=False))
