"""Messages of `/chat/completions` (WIRE sections 3, 6 and 7): a transcript as JSON, each message written once.

`History` is for endpoints that take any order of messages, `Turns` for those that want users and assistants by turns.
Both only ever add to what they have written, so the beginning of each request is the request before; where the row's
policy looks back, `History` takes back what it must.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from agentkit.errors import ConfigurationError
from agentkit.messages import Assistant, Entry, Image, Message, Note, Part, System, ToolCall, ToolMessage, User
from agentkit.models import jsontext
from agentkit.schema.repair import mend

if TYPE_CHECKING:
    from agentkit.models.rows import ModelRow
    from agentkit.transcript import Transcript

UNANSWERED = "This call was interrupted and never answered."
"""What an endpoint is told of a call in an old history that no tool message answers; it refuses a call without one."""

GO_ON = "Go on."
"""What the user says where the order of turns wants him to and he said nothing."""


class History:
    """Messages in the order of the transcript, but for two things that endpoints insist on (WIRE section 7).

    The answers to the calls of a message follow it at once and in the order of the calls, whoever finished first; and
    what was said before all of them were there comes after them. Notes are not sent, nor is a tool message that
    answers no open call. Where the row takes no tools, calls of the past and their answers are told in words.
    """

    __slots__ = (
        "_answers",
        "_body",
        "_calls",
        "_late",
        "_mark",
        "_next",
        "_row",
        "_thinks",
        "_transcript",
        "_turn",
    )

    def __init__(self, row: ModelRow, transcript: Transcript, head: bytes, instructions: str | None, thinks: bool):
        self._row = row
        self._transcript = transcript
        self._thinks = thinks
        self._body = bytearray(head)  # the body up to the last message, each message with a comma before it
        self._next = 0  # the position in the transcript up to which the body reaches
        self._turn = -1  # the position of the last message of the real user
        self._mark: tuple[int, int] | None = None  # where the turn's first reasoning stands: position and offset
        self._calls: dict[str, ToolCall] = {}  # the calls that wait for answers, in their order
        self._answers: dict[str, bytes] = {}
        self._late: list[bytes] = []  # what was said while calls waited
        if instructions:
            self._put(jsontext.write({"role": "system", "content": instructions}))

    def pieces(self) -> list[bytes | bytearray]:
        """The body up to its last message, in pieces to be joined."""
        entries = self._transcript.since(self._next)
        if entries:
            self._look_for_turn(entries)
            for entry in self._transcript.since(self._next):
                self._add(entry)
                self._next += 1
        return [self._body, *self._answered()] if self._calls else [self._body]

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
            if self._row.tools:
                for call in entry.tool_calls:
                    self._calls.setdefault(call.id, call)
            message, reasoned = self._assistant(entry)
            if reasoned and self._mark is None:
                self._mark = (self._next, start)
            self._put(message)
        elif self._calls:
            self._late.append(_said(entry, self._row))
        else:
            self._put(_said(entry, self._row))

    def _answer(self, entry: ToolMessage) -> None:
        if not self._row.tools:
            self._put(jsontext.write({"role": "user", "content": answer_in_words(entry)}))
        elif entry.tool_call_id in self._calls and entry.tool_call_id not in self._answers:
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
            whole = message.finish_reason in ("stop", "tool_calls")  # what was cut is not mended, nor was it run
            fields["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": _replayed(call.arguments, whole)},
                }
                for call in self._calls.values()
            ]
        elif message.tool_calls:
            fields["content"] = "\n\n".join(calls_in_words(message))
        return jsontext.write(fields), "reasoning_content" in fields


class Turns:
    """Users and assistants by turns, as R1 wants them (WIRE sections 2.3 and 7).

    There is no system message: it is said by the user, so that instructions open the first message of the user.
    Messages of one side in a row become one; calls and their answers are told in words, reasoning is left out. The
    first message and the last are the user's. The message that may still grow stands behind what is written for good.
    """

    __slots__ = ("_body", "_next", "_open", "_role", "_row", "_transcript")

    def __init__(self, row: ModelRow, transcript: Transcript, head: bytes, instructions: str | None):
        self._row = row
        self._transcript = transcript
        self._body = bytearray(head)
        self._next = 0
        self._role = ""
        self._open: list[str | dict[str, Any]] = []  # texts and other parts of the message that may still grow
        if instructions:
            self._say("user", instructions)

    def pieces(self) -> list[bytes | bytearray]:
        """The body up to its last message, in pieces to be joined."""
        for entry in self._transcript.since(self._next):
            self._add(entry)
            self._next += 1
        closed = self._body
        if self._role == "user":
            return [closed, self._message()]
        last = jsontext.write({"role": "user", "content": GO_ON})
        return [closed, self._message(), b",", last] if self._role else [closed, last]

    def _add(self, entry: Entry) -> None:
        if isinstance(entry, Assistant):
            self._say("assistant", *filter(None, calls_in_words(entry)))
        elif isinstance(entry, ToolMessage):
            self._say("user", answer_in_words(entry))
        elif isinstance(entry, System):
            self._say("user", entry.text)
        elif isinstance(entry, User):
            content = entry.content
            self._say("user", *([content] if isinstance(content, str) else [_part(one, self._row) for one in content]))

    def _say(self, role: str, *words: str | dict[str, Any]) -> None:
        """Add to the message under way, or close it and begin the next."""
        if not words:
            return
        if not self._role and role == "assistant":
            self._say("user", GO_ON)
        if self._role and self._role != role:
            self._body += self._message() + b","
            self._open = []
        self._role = role
        self._open += words

    def _message(self) -> bytes:
        texts = [one["text"] if isinstance(one, dict) and one["type"] == "text" else one for one in self._open]
        if all(isinstance(one, str) for one in texts):
            return jsontext.write({"role": self._role, "content": "\n\n".join(map(str, texts))})
        parts = [{"type": "text", "text": one} if isinstance(one, str) else one for one in texts]
        return jsontext.write({"role": self._role, "content": parts})


def calls_in_words(message: Assistant) -> list[str]:
    """A message of the model with its calls told in words, for a model that knows no calls."""
    return [message.text, *(f"I call `{call.name}` with {call.arguments or '{}'}" for call in message.tool_calls)]


def answer_in_words(message: ToolMessage) -> str:
    """The answer to a call told in words."""
    return f"`{message.name or 'the tool'}` answered: {message.text}"


def _said(message: Message, row: ModelRow) -> bytes:
    """A system or user message as JSON."""
    if not isinstance(message, User):
        assert isinstance(message, System)
        return jsontext.write({"role": "system", "content": message.text})
    fields: dict[str, Any] = {"role": "user", "content": message.content}
    if not isinstance(message.content, str):
        fields["content"] = [_part(part, row) for part in message.content]
    if message.name is not None:
        fields["name"] = message.name
    return jsontext.write(fields)


def _part(part: Part, row: ModelRow) -> dict[str, Any]:
    if not isinstance(part, Image):
        return {"type": "text", "text": part.text}
    if not row.vision:
        raise ConfigurationError(
            f"`{row.name}` takes no images, but one is in the conversation; ask a model with vision"
            " (`agentkit models` lists them), or leave the image out",
            code="model-cannot",
        )
    address = {"url": part.url} if part.detail == "auto" else {"url": part.url, "detail": part.detail}
    return {"type": "image_url", "image_url": address}


def _reply(id: str, text: str) -> bytes:
    return jsontext.write({"role": "tool", "tool_call_id": id, "content": text})


def _replayed(arguments: str, whole: bool) -> str:
    """The arguments as one JSON object, since endpoints refuse a history with others (WIRE section 7).

    What was mended before the call ran goes back as it ran; what nobody could read goes back as `{}`, and the answer to
    the call says why.
    """
    if _is_object(arguments):
        return arguments
    mended = mend(arguments, complete=whole)
    return mended.text if mended is not None and _is_object(mended.text) else "{}"


def _is_object(text: str) -> bool:
    try:
        return type(jsontext.core().from_json(text, allow_inf_nan=False)) is dict
    except (ValueError, TypeError):  # a text with a lone surrogate is a TypeError
        return False
