"""Request bodies of `/chat/completions` (WIRE sections 3, 6 and 7).

The messages of a run only grow, so each is encoded once, into one bytearray whose beginning does not change; a body is
that array and the tail behind it: tools, settings, whether to stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from agentkit.messages import Assistant, Entry, Image, Message, Note, Part, System, ToolCall, ToolMessage, User
from agentkit.models import jsontext
from agentkit.transcript import Transcript

if TYPE_CHECKING:
    from agentkit.models.catalog import ModelRow
    from agentkit.models.request import Request, Settings
    from agentkit.tools import Tool

UNANSWERED = "This call was interrupted and never answered."
"""What an endpoint is told of a call in an old history that no tool message answers; it refuses a call without one."""

_definitions: WeakKeyDictionary[Tool[..., Any], bytes] = WeakKeyDictionary()

CHOICES = ("auto", "none", "required")
"""The values of `tool_choice` that are no name of a tool."""

_PLAIN = (
    "max_tokens",
    "temperature",
    "top_p",
    "frequency_penalty",
    "presence_penalty",
    "reasoning_effort",
    "logprobs",
    "top_logprobs",
    "seed",
    "user_id",
)


class ChatEncoder:
    """The request bodies of one run with one model.

    Messages go out in the order of the transcript, but for two things that endpoints insist on (WIRE section 7): the
    answers to the calls of a message follow it at once and in the order of the calls, whoever finished first; and
    what was said before all of them were there comes after them. Notes are not sent, nor is a tool message that
    answers no open call.
    """

    __slots__ = (
        "_answers",
        "_body",
        "_calls",
        "_head",
        "_late",
        "_mark",
        "_next",
        "_row",
        "_tail",
        "_tail_of",
        "_thinks",
        "_tools",
        "_tools_of",
        "_transcript",
        "_turn",
    )

    def __init__(self, row: ModelRow) -> None:
        self._row = row
        self._transcript: Transcript | None = None
        self._head: tuple[str | None, object] | None = None  # instructions and model of the body
        self._thinks = False
        self._body = bytearray()  # the body up to the last message, each message with a comma before it
        self._next = 0  # the position in the transcript up to which the body reaches
        self._turn = -1  # the position of the last message of the real user
        self._mark: tuple[int, int] | None = None  # where the turn's first reasoning stands: position and offset
        self._calls: dict[str, ToolCall] = {}  # the calls that wait for answers, in their order
        self._answers: dict[str, bytes] = {}
        self._late: list[bytes] = []  # what was said while calls waited
        self._tail = b""
        self._tail_of: tuple[object, object, bool] | None = None
        self._tools = b""
        self._tools_of: object = None

    def encode(self, request: Request, *, stream: bool) -> bytes:
        """The body of the next request (UTF-8 JSON).

        Raises:
            ConfigurationError: `extra_body` holds something that JSON cannot carry.
        """
        self._begin(request)
        transcript = request.transcript
        entries = transcript.since(self._next)
        if entries:
            self._look_for_turn(entries)
            for entry in transcript.since(self._next):
                self._add(entry)
                self._next += 1
        tail = self._tail_for(request, stream)
        if self._calls:
            return b"".join((self._body, *self._answered(), tail))
        return b"".join((self._body, tail))

    def _begin(self, request: Request) -> None:
        """Start anew where what stands before the messages, or how they are written, is not what it was."""
        settings = request.settings
        head = (request.instructions, settings.extra_body.get("model", self._row.name))
        thinks = self._row.thinks(settings.thinking)
        if self._transcript is request.transcript and self._head == head and self._thinks == thinks:
            return
        self._transcript, self._head, self._thinks = request.transcript, head, thinks
        self._next, self._turn, self._mark = 0, -1, None
        self._calls, self._answers, self._late = {}, {}, []
        self._body = bytearray(b'{"model":' + jsontext.write(head[1]) + b',"messages":[')
        if head[0]:
            self._put(jsontext.write({"role": "system", "content": head[0]}))

    def _look_for_turn(self, entries: Sequence[Entry]) -> None:
        """Find the last message of the real user; reasoning before it is no longer sent where the row says "turn"."""
        for position in range(len(entries) - 1, -1, -1):
            entry = entries[position]
            if isinstance(entry, User) and entry.by is None:
                self._turn = self._next + position
                break
        if self._row.reasoning == "turn" and self._mark is not None and self._mark[0] < self._turn:
            self._next, end = self._mark
            del self._body[end:]
            self._mark = None
            self._calls, self._answers, self._late = {}, {}, []

    def _put(self, message: bytes) -> None:
        if not self._body.endswith(b"["):  # only the list of messages that is still empty ends so
            self._body += b","
        self._body += message

    def _add(self, entry: Entry) -> None:
        if isinstance(entry, Note):
            return
        if isinstance(entry, ToolMessage):
            self._answer(entry)
            return
        if isinstance(entry, Assistant):
            self._flush()
            start = len(self._body)
            for call in entry.tool_calls:
                self._calls.setdefault(call.id, call)
            message, reasoned = self._assistant(entry)
            if reasoned and self._mark is None:
                self._mark = (self._next, start)
            self._put(message)
        elif self._calls:
            self._late.append(_said(entry))
        else:
            self._put(_said(entry))

    def _answer(self, entry: ToolMessage) -> None:
        if entry.tool_call_id in self._calls and entry.tool_call_id not in self._answers:
            self._answers[entry.tool_call_id] = _reply(entry.tool_call_id, entry.text)
            if len(self._answers) == len(self._calls):
                self._flush()

    def _flush(self) -> None:
        """Close the open calls: write their answers, and then what was said meanwhile."""
        if self._calls:
            self._body += b"".join(self._answered())
            self._calls, self._answers, self._late = {}, {}, []

    def _answered(self) -> list[bytes]:
        """The answers to the open calls in the order of the calls, and what was said meanwhile."""
        messages = [self._answers.get(id) or _reply(id, UNANSWERED) for id in self._calls]
        return [part for message in messages + self._late for part in (b",", message)]

    def _assistant(self, message: Assistant) -> tuple[bytes, bool]:
        """The message with the calls just opened as JSON, and whether it carries reasoning."""
        fields: dict[str, Any] = {"role": "assistant", "content": message.text}
        policy = self._row.reasoning
        if policy == "always" or (policy == "turn" and self._next > self._turn):
            if self._thinks:
                fields["reasoning_content"] = message.reasoning or ""
            elif message.reasoning:
                fields["reasoning_content"] = message.reasoning
        if self._calls:
            fields["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": _replayed(call.arguments)},
                }
                for call in self._calls.values()
            ]
        return jsontext.write(fields), "reasoning_content" in fields

    def _tail_for(self, request: Request, stream: bool) -> bytes:
        """What stands behind the messages; made anew only when tools, settings or `stream` are others."""
        of = (request.tools, request.settings, stream)
        known = self._tail_of
        if known is not None and known[0] is of[0] and known[1] is of[1] and known[2] is stream:
            return self._tail
        fields = _options(request.settings, tools=bool(request.tools))
        if stream:
            fields |= {"stream": True, "stream_options": {"include_usage": True}}
        fields |= request.settings.extra_body
        fields.pop("model", None)  # it stands in the head
        if not fields.get("stream"):
            fields.pop("stream_options", None)  # refused without (WIRE section 3)
        tail = b"]"
        if request.tools and "tools" not in fields:
            if self._tools_of is not request.tools:
                self._tools = b",".join([_defined(tool) for tool in request.tools])
                self._tools_of = request.tools
            tail += b',"tools":[' + self._tools + b"]"
        written = jsontext.write(fields)
        self._tail = tail + (b"," + written[1:] if fields else b"}")
        self._tail_of = of
        return self._tail


def _defined(tool: Tool[..., Any]) -> bytes:
    """The tool's definition as JSON; many runs share a tool, so it is kept as long as the tool lives."""
    written = _definitions.get(tool)
    if written is None:
        written = _definitions[tool] = jsontext.write(tool.definition())
    return written


def _options(settings: Settings, *, tools: bool) -> dict[str, Any]:
    """The fields of the request that settings stand for (WIRE section 3)."""
    fields: dict[str, Any] = {}
    choice = settings.tool_choice
    if tools and choice is not None:
        fields["tool_choice"] = choice if choice in CHOICES else {"type": "function", "function": {"name": choice}}
    if tools and settings.parallel_tool_calls is not None:
        fields["parallel_tool_calls"] = settings.parallel_tool_calls
    if settings.thinking is not None:
        fields["thinking"] = {"type": "enabled" if settings.thinking else "disabled"}
    for name in _PLAIN:
        value = getattr(settings, name)
        if value is not None:
            fields[name] = value
    if settings.response_format is not None:
        fields["response_format"] = dict(settings.response_format)
    if settings.stop:
        fields["stop"] = settings.stop if isinstance(settings.stop, str) else list(settings.stop)
    return fields


def _said(message: Message) -> bytes:
    """A system or user message as JSON."""
    if not isinstance(message, User):
        assert isinstance(message, System)
        return jsontext.write({"role": "system", "content": message.text})
    fields: dict[str, Any] = {"role": "user", "content": message.content}
    if not isinstance(message.content, str):
        fields["content"] = [_part(part) for part in message.content]
    if message.name is not None:
        fields["name"] = message.name
    return jsontext.write(fields)


def _part(part: Part) -> dict[str, Any]:
    if not isinstance(part, Image):
        return {"type": "text", "text": part.text}
    address = {"url": part.url} if part.detail == "auto" else {"url": part.url, "detail": part.detail}
    return {"type": "image_url", "image_url": address}


def _reply(id: str, text: str) -> bytes:
    return jsontext.write({"role": "tool", "tool_call_id": id, "content": text})


def _replayed(arguments: str) -> str:
    """The arguments if they are one JSON object, else `{}`: endpoints refuse a history with others (WIRE section 7)."""
    try:
        return arguments if type(jsontext.core().from_json(arguments, allow_inf_nan=False)) is dict else "{}"
    except (ValueError, TypeError):  # a text with a lone surrogate is a TypeError
        return "{}"
