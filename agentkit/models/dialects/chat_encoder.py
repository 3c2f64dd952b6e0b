"""Request bodies of `/chat/completions` (WIRE section 3).

The messages of a run only grow, so each is encoded once, into one bytearray whose beginning does not change; a body is
that array and the tail behind it: tools, settings, whether to stream. Tail and messages are made anew only when the
standing orders are others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentkit.messages import ToolMessage
from agentkit.models import jsontext
from agentkit.models.dialects.chat_history import History, Turns
from agentkit.models.fit import Fitted, check_length, fit, takes
from agentkit.transcript import Transcript

if TYPE_CHECKING:
    from agentkit.models.request import Request
    from agentkit.models.rows import ModelRow
    from agentkit.tools import Tool


class ChatEncoder:
    """The request bodies of one run with one model."""

    __slots__ = (
        "_fitted",
        "_head",
        "_history",
        "_row",
        "_tail",
        "_tail_of",
        "_transcript",
    )

    def __init__(self, row: ModelRow) -> None:
        self._row = row
        self._transcript: Transcript | None = None
        self._head: tuple[str | None, object, bool] | None = None  # instructions, model, and whether it thinks
        self._history: History | Turns
        self._fitted: Fitted
        self._tail = b""
        self._tail_of: tuple[object, object, bool] | None = None

    def encode(self, request: Request, *, stream: bool) -> bytes:
        """The body of the next request (UTF-8 JSON). What is not sent as it was asked for is an event, once.

        Raises:
            ConfigurationError: The row does not take what is asked (see `fit`), there are images for a model without
                vision, or `extra_body` holds something that JSON cannot carry.
            ContextOverflow: The messages are far longer than the row's input limit.
        """
        tail = self._tail_for(request, stream)
        self._begin(request)
        pieces = self._history.pieces()
        if self._fitted.reminder is not None and not isinstance(request.transcript.last, ToolMessage):
            pieces += [b",", jsontext.write({"role": "system", "content": self._fitted.reminder})]
        if self._row.input:
            body = b"".join(pieces)
            long = check_length(body, request, self._row)
            if long:
                request.warn(long)
            return body + tail
        return b"".join((*pieces, tail))

    def _begin(self, request: Request) -> None:
        """Start anew where what stands before the messages, or how they are written, is not what it was."""
        model = request.settings.extra_body.get("model", self._row.sent or self._row.name)
        head = (request.instructions, model, self._fitted.thinks)
        if self._transcript is request.transcript and self._head == head:
            return
        self._transcript, self._head = request.transcript, head
        opening = b'{"model":' + jsontext.write(model) + b',"messages":['
        if self._row.roles == "alternate":
            self._history = Turns(self._row, request.transcript, opening, request.instructions)
        else:
            self._history = History(self._row, request.transcript, opening, request.instructions, self._fitted.thinks)

    def _tail_for(self, request: Request, stream: bool) -> bytes:
        """What stands behind the messages; made anew only when tools, settings or `stream` are others."""
        of = (request.tools, request.settings, stream)
        known = self._tail_of
        if known is not None and known[0] is of[0] and known[1] is of[1] and known[2] is stream:
            return self._tail
        self._fitted = fitted = fit(request.settings, request.tools, self._row, request.final)
        for text in fitted.warnings:
            request.warn(text)
        fields = dict(fitted.fields)
        if stream:
            fields |= {"stream": True}
            if takes(self._row, "stream_options"):
                fields |= {"stream_options": {"include_usage": True}}
        fields |= request.settings.extra_body
        fields.pop("model", None)  # it stands in the head
        if not fields.get("stream"):
            fields.pop("stream_options", None)  # refused without (WIRE section 3)
        end = b"," + jsontext.write(fields)[1:] if fields else b"}"
        if fitted.tools and "tools" not in fields:
            tools = b",".join([_defined(tool) for tool in fitted.tools])
            end = b"".join((b',"tools":[', tools, b"]", end))
        self._tail = b"]" + end
        self._tail_of = of
        return self._tail


def _defined(tool: Tool[..., Any]) -> bytes:
    """The tool's definition as JSON."""
    if tool.written is None:
        tool.written = jsontext.write(tool.definition())
    return tool.written
