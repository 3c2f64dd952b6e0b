"""Tools told in words, in front of another dialect: for models that have no function calling.

The transcript is told again as plain conversation: tools in the instructions, past calls as text, their answers as one
user message. The reply's text is read for calls, which come out as ordinary tool calls; the loop never hears of it.
Which text is a call, and why: docs/guides/prompt-only.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from agentkit.events import Closing, Delta, Repaired, Salvaged, TextDelta
from agentkit.messages import Assistant, Entry, Note, ToolCall, ToolMessage, User
from agentkit.models.catalog import ModelRow
from agentkit.models.dialects.notations import ALL, write
from agentkit.models.dialects.sieve import Sieve, call_deltas, numbered
from agentkit.models.fit import STOPS, fit, takes
from agentkit.models.jsonmode import WORDS
from agentkit.models.request import Decoder, Dialect, Encoder, Request, Settings
from agentkit.tools import Tool
from agentkit.transcript import Transcript

RESPONSE = "<tool_response>"
"""How the answer to a call begins; the model stops before it writes one itself."""

_FORM = """\
You can call tools. To call one, write a block of exactly this form, its arguments as one JSON object:

<tool_call>
{"name": "NAME", "arguments": {"PARAMETER": VALUE}}
</tool_call>

Write a block for each call; those of one reply run at the same time. Then end your reply: the results come in the \
next message, each between <tool_response> and </tool_response>. Never write a result yourself. When you need no more \
calls, answer in plain words without a block.

The tools:
"""
_MUST = "\n\nIn this conversation, call a tool before you answer."
_MUST_ONE = "\n\nIn this conversation, call the tool `{}` before you answer."

_FINAL = "\n\nGive the final answer by calling the tool `{}`, alone and not in plain words."


class Prompted:
    """A dialect that tells tools in words, over one that knows none.

    Args:
        inner: The dialect that carries the conversation.
    """

    __slots__ = ("inner",)

    def __init__(self, inner: Dialect) -> None:
        self.inner = inner

    def encoder(self, row: ModelRow) -> PromptedEncoder:
        """A new encoder for one run."""
        return PromptedEncoder(self.inner.encoder(row), row)

    def decoder(self, row: ModelRow, *, deltas: bool, request: Request | None = None) -> PromptedDecoder:
        """A new decoder for one reply; the request says which tools there are."""
        plain = None if request is None else replace(request, tools=())
        return PromptedDecoder(self.inner.decoder(row, deltas=True, request=plain), deltas, request)


class PromptedEncoder:
    """Tells the growing transcript of one run again as plain conversation, each entry once."""

    __slots__ = ("_answers", "_calls", "_inner", "_late", "_orders", "_plain", "_read", "_row", "_told", "_transcript")

    def __init__(self, inner: Encoder, row: ModelRow) -> None:
        self._inner = inner
        self._row = row
        self._transcript: Transcript | None = None
        self._plain = Transcript()
        self._read = 0
        self._calls: dict[str, ToolCall] = {}
        self._answers: dict[str, ToolMessage] = {}
        self._late: list[Entry] = []
        self._orders: tuple[object, object, object, object] | None = None
        self._told: tuple[str | None, Settings] = (None, Settings())

    def encode(self, request: Request, *, stream: bool) -> bytes:
        """The body of the next request (UTF-8 JSON), without tools.

        Raises:
            ConfigurationError: As `fit` does; as many tools may be told as the row would take in the request.
        """
        if self._transcript is not request.transcript:
            self._transcript, self._plain, self._read = request.transcript, Transcript(), 0
            self._calls, self._answers, self._late = {}, {}, []
        for entry in request.transcript.since(self._read):
            self._read += 1
            self._add(entry)
        self._flush()
        instructions, settings = self._orders_of(request)
        plain = replace(request, transcript=self._plain, instructions=instructions, tools=(), settings=settings)
        return self._inner.encode(plain, stream=stream)

    def _orders_of(self, request: Request) -> tuple[str | None, Settings]:
        """Instructions with the tools in them, and settings without what speaks of tools; made once per run."""
        of = (request.instructions, request.tools, request.settings, request.final)
        if self._orders is None or any(one is not other for one, other in zip(self._orders, of, strict=True)):
            told = tell(request.tools, request.settings.tool_choice, request.final)
            settings = self._settings(request, stops=bool(told))
            form = _form(request, settings)
            parts = [part for part in (request.instructions, told, form) if part]
            self._told = ("\n\n".join(parts) or None, settings)
            self._orders = of
        return self._told

    def _settings(self, request: Request, *, stops: bool) -> Settings:
        """The settings without what speaks of tools; with a stop before the first result, where the row takes one.

        JSON output is left out where the row has none, and where calls are to be written: they are no JSON object.
        """
        given, row = request.settings, self._row
        fit(replace(given, response_format=None), request.tools, replace(row, tools=True))  # for what it refuses
        settings = replace(given, tool_choice=None, parallel_tool_calls=None)
        kind = (given.response_format or {}).get("type", "text")
        if kind != "text" and (stops or kind not in row.formats):
            settings = replace(settings, response_format=None)
            request.warn(f"`response_format` is told to `{row.name}` in words")
        texts = (given.stop,) if isinstance(given.stop, str) else tuple(given.stop or ())
        if stops and takes(row, "stop") and len(texts) + 1 in row.ranges.get("stop", STOPS):
            settings = replace(settings, stop=(*texts, RESPONSE))
        return settings

    def _add(self, entry: Entry) -> None:
        if isinstance(entry, Note):
            return
        if isinstance(entry, ToolMessage):
            if entry.tool_call_id in self._calls:
                self._answers.setdefault(entry.tool_call_id, entry)
        elif isinstance(entry, Assistant):
            self._flush()
            self._calls = {call.id: call for call in entry.tool_calls}
            self._plain.append(_in_words(entry) if entry.tool_calls else entry)
        elif self._calls and len(self._answers) < len(self._calls):
            self._late.append(entry)
        else:
            self._flush()
            self._plain.append(entry)

    def _flush(self) -> None:
        """Say the answers to the calls, in the order of the calls, as one message; then what was said meanwhile."""
        if self._calls:
            blocks = [_response(call, self._answers.get(id)) for id, call in self._calls.items()]
            self._plain.append(User("\n".join(blocks), by="tools"))
            self._calls, self._answers = {}, {}
        for entry in self._late:
            self._plain.append(entry)
        self._late = []


def _form(request: Request, settings: Settings) -> str:
    """What is said of the form of the answer where the request cannot say it; `""` for nothing."""
    wanted = request.settings.response_format
    if wanted is None or settings.response_format is not None or wanted.get("type") == "text":
        return ""
    schema: object = cast("Mapping[str, Any]", wanted.get("json_schema") or {}).get("schema")
    words = "" if WORDS in (request.instructions or "") else WORDS
    fits = f"The object fits this JSON Schema: {json.dumps(schema, ensure_ascii=False)}" if schema else ""
    return " ".join(filter(None, (words, fits)))


def _in_words(message: Assistant) -> Assistant:
    """A message with calls as one whose text holds them.

    A `</think>` in a text of theirs is escaped, as JSON allows: said again by a model whose reasoning stands in the
    text, it would make all before it a thought.
    """
    written = write((call.name, call.arguments.replace("</think>", "<\\/think>")) for call in message.tool_calls)
    return replace(message, text="\n".join(part for part in (message.text, written) if part), tool_calls=())


def _response(call: ToolCall, answer: ToolMessage | None) -> str:
    text = "interrupted: this call was never answered" if answer is None else answer.text
    told = json.dumps({"name": call.name, "content": text}, ensure_ascii=False)
    return f"{RESPONSE}\n{told.replace('</', '<' + chr(92) + '/')}\n</tool_response>"


class PromptedDecoder:
    """Reads calls out of the text of a reply; what may be the beginning of one is held back and never shown."""

    __slots__ = ("_deltas", "_flaw", "_inner", "_request", "_rest", "_sieve")

    def __init__(self, inner: Decoder, deltas: bool, request: Request | None) -> None:
        tools = request.tools if request is not None else ()
        self._inner = inner
        self._deltas = deltas
        self._request = request
        self._sieve = Sieve(tools, ALL)
        self._rest: list[Closing] = []
        self._flaw: tuple[str, str] | None = None

    @property
    def begun(self) -> bool:
        """Whether anything of the answer has come."""
        return self._inner.begun

    def feed(self, chunk: bytes) -> Sequence[Delta]:
        """Take the next bytes; give what can be shown of them."""
        out: list[Delta] = []
        for delta in self._inner.feed(chunk):
            self._take(delta, out)
        return out if self._deltas else ()

    def _take(self, delta: Delta, out: list[Delta] | list[Closing]) -> None:
        if isinstance(delta, TextDelta):
            if text := self._sieve.take(delta.text):
                out.append(TextDelta(text))
        elif not isinstance(delta, Salvaged):
            out.append(delta)

    def finish(self) -> Assistant:
        """The message with the calls that stand in its text."""
        message = self._inner.finish()
        for item in self._inner.rest():
            if isinstance(item, Salvaged | Repaired):
                self._rest.append(item)
            else:
                self._take(item, self._rest)
        reading = self._sieve.end(message.text)
        if left := self._sieve.left(reading.text):
            self._rest.append(TextDelta(left))
        if reading.problem is not None:
            self._flaw = (message.text, reading.problem)
        calls = numbered(reading, self._request)
        self._rest += call_deltas(calls)
        return replace(message, text=reading.text, tool_calls=calls)

    def rest(self) -> Sequence[Closing]:
        """After `finish`: the deltas that only the end brought."""
        return self._rest if self._deltas else ()

    def flaw(self) -> tuple[str, str] | None:
        """After `finish`: the reply as it was written and what is wrong with it, where a call cannot be read."""
        return self._flaw

    def partial(self) -> Assistant:
        """What has come so far, as the model wrote it."""
        return self._inner.partial()


def tell(tools: Iterable[Tool[..., Any]], choice: str | None = None, final: str | None = None) -> str:
    """What a model is told of the tools, how to call them, and by which it gives its answer; `""` for none."""
    told = [_tell_one(tool) for tool in tools] if choice != "none" else []
    if not told:
        return ""
    must = _MUST if choice == "required" else _MUST_ONE.format(choice) if choice not in (None, "auto") else ""
    return _FORM + "\n".join(told) + must + (_FINAL.format(final) if final else "")


def _tell_one(tool: Tool[..., Any]) -> str:
    """A tool in a few lines: a signature where its types are plain, else its JSON Schema."""
    schema = tool.schema
    properties: Mapping[str, Any] = schema.get("properties", {})
    description = " ".join(tool.description.split())
    if any(_plain_type(one) is None for one in properties.values()) or schema.get("additionalProperties"):
        return f"- {tool.name}: {description}\n  JSON Schema of its arguments: {json.dumps(schema, ensure_ascii=False)}"
    required = schema.get("required", ())
    parameters = ", ".join(
        f"{name}: {_plain_type(one)}" + ("" if name in required else f" = {json.dumps(one.get('default'))}")
        for name, one in properties.items()
    )
    lines = [f"- {tool.name}({parameters}): {description}"]
    lines += [
        f"    {name}: {' '.join(str(one['description']).split())}"
        for name, one in properties.items()
        if one.get("description")
    ]
    return "\n".join(lines)


def _plain_type(schema: Mapping[str, Any]) -> str | None:
    """A type in a word or two; `None` where that would leave something out."""
    if set(schema) - {"type", "description", "default", "enum", "items", "title"}:
        return None
    if "enum" in schema:
        return " | ".join(json.dumps(one, ensure_ascii=False) for one in schema["enum"])
    kind = schema.get("type")
    if kind == "array":
        items = _plain_type(cast("Mapping[str, Any]", schema.get("items", {})))
        return f"list of {items}" if items else None
    return kind if isinstance(kind, str) and kind != "object" else None
