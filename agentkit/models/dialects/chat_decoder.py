"""Replies of `/chat/completions`, whole or streamed, as messages (WIRE sections 4, 5 and 9).

One decoder reads both: it looks at the first byte that is not blank, since the content type of some endpoints is wrong.
Whatever hosts are known to do otherwise than DeepSeek is read too; what cannot be read is an error that shows it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from agentkit.errors import ConnectionLost, ModelError, Unreadable
from agentkit.events import CallDelta, Closing, Delta, ReasoningDelta, Repaired, TextDelta
from agentkit.messages import Assistant, ToolCall, Usage, told_apart
from agentkit.models import jsontext
from agentkit.models.dialects.alike import Alike
from agentkit.models.dialects.think import Thoughts
from agentkit.models.failures import error_in, raise_error_in, shown
from agentkit.models.logprobs import read as read_logprobs
from agentkit.models.sse import Events

if TYPE_CHECKING:
    from agentkit.models.rows import ModelRow

_BOM = b"\xef\xbb\xbf"
_BLANKS = b" \t\r\n"
_ARGUMENTS = ("tool_calls", 0, "function", "arguments")
"""Where the arguments of the first call stand in a delta."""


class _Call:
    """A call under way."""

    __slots__ = ("id", "index", "name", "opened", "pieces", "shown")

    def __init__(self, index: int) -> None:
        self.index = index
        self.id = ""
        self.name = ""
        self.pieces: list[str] = []
        self.shown = False
        self.opened = False  # its arguments came as an object, where the text of one belongs

    def rename(self, name: str) -> str:
        """Take the name of a fragment; give what it adds. Some servers repeat it whole in each fragment."""
        if not name or name == self.name:
            return ""
        added = name[len(self.name) :] if name.startswith(self.name) else name
        self.name += added
        return added

    def whole(self) -> bool:
        """Whether the arguments are one JSON object already."""
        try:
            return type(jsontext.read("".join(self.pieces).encode())) is dict
        except ValueError:
            return False


_Take = Callable[["ChatDecoder", str, list[Delta]], None]
"""A method of the decoder by itself: kept as a bound one, it would hold the decoder in a circle."""


class ChatDecoder:
    """Reads one reply, whole or streamed, cut anywhere.

    Attributes:
        begun: Whether anything of the answer has come; keep-alives (comments, blank lines) are nothing.
    """

    __slots__ = (
        "_alike",
        "_at",
        "_body",
        "_calls",
        "_deltas",
        "_done",
        "_events",
        "_finish",
        "_from_json",
        "_growing",
        "_head",
        "_index",
        "_logprobs",
        "_model",
        "_more",
        "_reasoning",
        "_rest",
        "_served",
        "_tags",
        "_text",
        "_usage",
        "_whole",
        "begun",
    )

    def __init__(self, row: ModelRow, *, deltas: bool) -> None:
        self._model = row.name
        self._deltas = deltas
        self._from_json: Callable[[bytes], Any] = jsontext.core().from_json
        self.begun = False
        self._head = b""  # what came before the kind of the body was known
        self._events: Events | None = None  # of a streamed body
        self._body: list[bytes] | None = None  # the pieces of a whole body
        self._whole = False  # the body was read to its end
        self._done = False  # `[DONE]` came
        self._index: object = None  # which of several choices is read: the first that comes
        self._text: list[str] = []
        self._reasoning: list[str] | None = None
        self._calls: list[_Call] = []
        self._at: dict[int, _Call] = {}  # the call that fragments with this index belong to
        self._finish: str | None = None
        self._served: object = None
        self._usage: dict[str, Any] | None = None
        self._logprobs: list[object] = []  # of a stream, a piece with each token
        self._alike = Alike(self._from_json)
        self._more: _Take | None = None  # what takes the string of a chunk that is alike to the last one
        self._growing: _Call | None = None  # the call whose arguments the last chunk made longer
        self._rest: list[Delta] = []  # what only the end brought
        self._tags = (
            None
            if row.thinking == "never"
            else Thoughts(always=row.thinking == "always" and row.tags, opened=not row.tags)
        )

    def feed(self, chunk: bytes) -> Sequence[Delta]:
        """Take the next bytes; give what they added, or nothing where no deltas were asked for.

        The deltas of a whole body come with its last byte.

        Raises:
            Unreadable: An event of a stream holds no JSON, or JSON of another shape.
            ModelError: The reply says that the endpoint failed.
        """
        out: list[Delta] = []
        events = self._events
        if events is not None:
            if self._more is not None and events.between and (piece := self._alike.alone(chunk)):
                self._more(self, piece, out)  # of a chunk that is sent by itself, the event need not be read either
                return out
            self._read(events.feed(chunk), out)
            self.begun = events.begun
        elif self._body is None:
            chunk = (self._head + chunk).lstrip(_BLANKS)
            self._head = b""
            if _BOM.startswith(chunk):
                self._head = chunk
                return out
            chunk = chunk.removeprefix(_BOM).lstrip(_BLANKS)
            if chunk[:1] in (b"{", b"["):
                self._body = []
            elif chunk:
                self._events = Events()
            if chunk:
                return self.feed(chunk)
        elif chunk:
            self.begun = True
            self._body.append(chunk)
            if self._deltas and (end := chunk.rstrip(_BLANKS)):
                self._whole = end.endswith((b"}", b"]")) and self._try_body(out)
        return out

    def finish(self) -> Assistant:
        """The whole message, after the last byte.

        Raises:
            Unreadable: The reply is empty, no JSON, or JSON of another shape.
            ConnectionLost: It broke off; `partial` has what came of it.
            ModelError: It says that the endpoint failed.
        """
        if self._events is not None:
            try:
                self._read(self._events.close(), self._rest)
            except Unreadable:  # the last event was cut in its middle
                pass
            if self._finish is None and not self._done:
                raise self._broken_off(self._events)
        elif self._body is None:
            raise Unreadable(
                f"`{self._model}` sent an empty reply; try again later",
                model=self._model,
                status=200,
                code="empty-reply",
            )
        elif not self._whole:
            body = b"".join(self._body)
            try:
                data = jsontext.read(body)
            except ValueError as error:
                raise self._no_json(body) from error
            self._take_body(data, [])
            self._whole = True
        return self.partial()

    def rest(self) -> Sequence[Closing]:
        """After `finish`: the deltas of an event that the endpoint did not close, and of text that was held back.

        Behind them, which calls came with an object where the text of one belongs.
        """
        opened = [call for call in self._calls if call.opened]
        told = [ToolCall(call.id, call.name, "".join(call.pieces)) for call in opened]
        return [*self._rest, *(Repaired(one, {"object for a text": 1}) for one in told)] if self._deltas else self._rest

    def flaw(self) -> tuple[str, str] | None:
        """Nothing: a reply that is read is as good as it gets."""
        return None

    def partial(self) -> Assistant:
        """What has come so far, also of a stream that broke off; calls may have arguments that were cut."""
        self._end_tags()
        calls = told_apart([ToolCall(call.id, call.name, "".join(call.pieces)) for call in self._calls])
        for call, told in zip(self._calls, calls, strict=True):
            call.id = told.id  # a made one stays the same, whoever asks again
        return Assistant(
            "".join(self._text),
            None if self._reasoning is None else "".join(self._reasoning),
            calls,
            self._finish,
            None if self._usage is None else _usage(self._usage),
            self._served if isinstance(self._served, str) else None,
            logprobs=read_logprobs(self._logprobs) if self._logprobs else None,
        )

    def _read(self, payloads: list[bytes], out: list[Delta]) -> None:
        """The hot loop: one turn for each event of a stream."""
        from_json, alike = self._from_json, self._alike.read
        for payload in payloads:
            if self._more is not None and (piece := alike(payload)):
                self._more(self, piece, out)
                continue
            self._more = None
            try:
                chunk = from_json(payload)
            except ValueError:
                chunk = self._odd_payload(payload)
            if self._done:
                return
            try:
                choice = chunk["choices"][0]
                delta = choice["delta"]
                get = delta.get
            except (LookupError, TypeError, AttributeError):
                self._odd_chunk(chunk, out)
                continue
            if choice.get("index") != self._index and not self._chosen(choice):
                continue
            thought = get("reasoning_content")
            words = get("content")
            if not thought and (not words or "reasoning" in delta) and (other := _thought(get)) is not None:
                thought = other
            if thought is not None:
                self._think(thought, out)
            if words:
                self._add(words, out)
            call = self._fragments(parts, out) if (parts := get("tool_calls")) else None
            if choice.get("finish_reason") is not None or choice.get("logprobs") is not None:
                self._ended(chunk, choice)
            elif bool(thought) + bool(words) + bool(parts) == 1:
                self._more = self._pattern(payload, delta, call)
            if (usage := chunk.get("usage")) is not None:
                self._usage = usage
            self._served = self._served or chunk.get("model")

    def _pattern(self, payload: bytes, delta: dict[str, Any], call: _Call | None) -> _Take | None:
        """Propose a chunk that has brought one string, and no more, as the pattern of those to come.

        Args:
            payload: The chunk.
            delta: The delta in it.
            call: The call whose arguments the string belongs to, if it does to those of one that was known.

        Returns:
            What takes the string of a chunk that differs from this one in it alone; `None` where the chunk is no
            pattern.
        """
        if type(words := delta.get("content")) is str and words:
            return ChatDecoder._add if self._alike.propose(payload, words, "content") else None
        if type(thought := delta.get("reasoning_content")) is str and thought:
            return ChatDecoder._think if self._alike.propose(payload, thought, "reasoning_content") else None
        if call is not None and self._alike.propose(payload, call.pieces[-1], *_ARGUMENTS):
            return ChatDecoder._extend
        return None

    def _odd_payload(self, payload: bytes) -> Any:
        """An event that is no plain JSON: the end mark, nothing, half a surrogate pair, or rubbish."""
        payload = payload.strip()
        if payload == b"[DONE]":
            self._done = True
        if self._done or not payload:
            return {}
        try:
            return jsontext.read(payload)
        except ValueError as error:
            raise self._unreadable("an event that is no JSON", payload) from error

    def _odd_chunk(self, chunk: object, out: list[Delta]) -> None:
        """A chunk without a delta: usage alone, a finish without words, an error, or a whole message."""
        if type(chunk) is not dict:
            raise self._unreadable("an event that is no chunk of an answer", jsontext.write(chunk))
        fields = cast("dict[str, Any]", chunk)
        choices = fields.get("choices")
        if not choices or fields.get("error"):
            raise_error_in(fields, model=self._model)
        choice = cast("list[object]", choices)[0] if type(choices) is list and choices else None
        if type(choice) is dict and self._chosen(choice := cast("dict[str, Any]", choice)):
            if type(choice.get("message")) is dict and not (self._text or self._calls or self._reasoning):
                self._take_message(choice["message"], out)
            self._ended(fields, choice)
        self._bill(fields)

    def _chosen(self, choice: dict[str, Any]) -> bool:
        """Whether this is the choice that is read: the first that came, should there be several."""
        index = choice.get("index")
        if self._index is None:
            self._index = index
        return index is None or index == self._index

    def _think(self, thought: object, out: list[Delta]) -> None:
        words = thought if type(thought) is str else self._words(thought)
        if self._reasoning is None:
            self._reasoning = []
        if words:
            self._reasoning.append(words)
            if self._deltas:
                out.append(ReasoningDelta(words))
            if self._tags is not None and not self._text:
                self._tags = None  # this host tells them apart

    def _add(self, words: object, out: list[Delta]) -> None:
        """Take text; nearly always a piece of the answer that is to be told as it is."""
        tags = self._tags
        if type(words) is str and (tags is None or tags.passes(words)):
            if tags is not None and tags.over:
                self._tags = None
            self._text.append(words)
            if self._deltas:
                out.append(TextDelta(words))
        else:
            self._say(words, out)

    def _say(self, content: object, out: list[Delta]) -> None:
        """Take text, which may hold reasoning before `</think>`."""
        words, tags = self._words(content), self._tags
        pieces = [(False, words)] if tags is None else tags.feed(words)
        if tags is not None and tags.late:
            self._reasoning = [*(self._reasoning or ()), *self._text]
            self._text = []
        elif tags is not None and tags.over:
            self._tags = None
        self._put(pieces, out)

    def _put(self, pieces: list[tuple[bool, str]], out: list[Delta]) -> None:
        for thought, piece in pieces:
            if thought:
                self._reasoning = self._reasoning or []
                self._reasoning.append(piece)
            else:
                self._text.append(piece)
            if self._deltas and piece:
                out.append(ReasoningDelta(piece) if thought else TextDelta(piece))

    def _end_tags(self) -> None:
        """Let go of what was held back; an answer that was taken for reasoning, since no tag came, is an answer."""
        tags, self._tags = self._tags, None
        if tags is None:
            return
        self._put(tags.end(), self._rest)
        if tags.assumed and self._finish != "length":
            self._text, self._reasoning = self._reasoning or [], None
            if self._deltas and self._text:
                self._rest.append(TextDelta("".join(self._text)))

    def _words(self, content: object) -> str:
        """The text of content that came in parts."""
        if isinstance(content, str):
            return content
        if isinstance(content, list):
            parts = [cast("dict[str, Any]", part) for part in cast("list[object]", content) if isinstance(part, dict)]
            return "".join(text for part in parts if isinstance(text := part.get("text"), str))
        raise self._unreadable("content that is no text", jsontext.write(content))

    def _ended(self, chunk: dict[str, Any], choice: dict[str, Any]) -> None:
        """A choice that says why it ended, of two that do the first counts; or how likely its tokens were."""
        reason = choice.get("finish_reason")
        if choice.get("logprobs") is not None:
            self._logprobs.append(choice["logprobs"])
        if chunk.get("error") or choice.get("error"):
            raise_error_in(chunk, model=self._model)
            raise_error_in(choice, model=self._model)
        if reason and isinstance(reason, str) and self._finish is None:
            self._finish = reason
        if choice.get("usage") is not None:  # Moonshot's place
            self._usage = choice["usage"]
        self._bill(chunk)

    def _bill(self, reply: dict[str, Any]) -> None:
        """Read usage and served model of a chunk or a body."""
        usage = reply.get("usage")
        if usage is None and type(groq := reply.get("x_groq")) is dict:
            usage = cast("dict[str, Any]", groq).get("usage")
        if usage is not None:
            self._usage = usage
        if self._served is None:
            self._served = reply.get("model") or None

    def _extend(self, piece: str, out: list[Delta]) -> None:
        """Take a piece of the arguments of the call that the last chunk made longer."""
        call = self._growing
        assert call is not None
        call.pieces.append(piece)
        if self._deltas:
            out.append(CallDelta(call.index, "", "", piece))

    def _fragments(self, parts: Any, out: list[Delta]) -> _Call | None:
        """Take the pieces of calls in one chunk; nearly always it is one of the arguments of a known call.

        Returns:
            That call; `None` where the chunk brought anything else.
        """
        try:
            (part,) = parts
            function = part["function"]
            call, piece = self._at[part["index"]], function["arguments"]
            if type(piece) is str and not part.get("id") and not function.get("name"):
                if not piece:
                    return None
                self._growing = call
                self._extend(piece, out)
                return call
        except (LookupError, TypeError, ValueError, AttributeError):  # the long way is for the others
            pass
        for part in self._listed(parts):
            id, name, piece, opened = self._fields(part)
            index = part.get("index")
            call = self._at.get(index) if type(index) is int else None
            if call is None or id or name:
                call = self._call_of(call, index, id, name, piece)
            self._grow(call, id, name, piece, out)
            call.opened |= opened
        return None

    def _listed(self, parts: object) -> list[dict[str, Any]]:
        """The elements of `tool_calls`."""
        if type(parts) is not list:
            raise self._unreadable("tool calls that are no list", jsontext.write(parts))
        for part in cast("list[object]", parts):
            if type(part) is not dict:
                raise self._unreadable("a tool call that is no object", jsontext.write(part))
        return cast("list[dict[str, Any]]", parts)

    def _fields(self, part: dict[str, Any]) -> tuple[str, str, str, bool]:
        """The id, the name and the piece of arguments of an element, `""` where there is none.

        The last says whether the arguments came as an object in place of its text.
        """
        function = part.get("function")
        fields = cast("dict[str, Any]", function if type(function) is dict else {})
        id, name, piece = part.get("id"), fields.get("name"), fields.get("arguments")
        if type(id) is not str:
            id = str(id) if isinstance(id, int) else ""
        if type(name) is not str:
            name = ""
        if type(piece) is str:
            return id, name, piece, False
        # some gateways send an object, or null
        return id, name, "" if piece is None else jsontext.write(piece).decode(), piece is not None

    def _call_of(self, known: _Call | None, index: object, id: str, name: str, piece: str) -> _Call:
        """The call that a fragment belongs to: by index, then by id, then by order (WIRE section 9)."""
        if type(index) is int:
            if known is not None and _differs(known, id, name, piece):
                known = self._by_id(id)
            if known is None:
                known = self._open()
            self._at[index] = known
            return known
        known = self._by_id(id) or (self._calls[-1] if self._calls else None)
        return self._open() if known is None or _differs(known, id, name, piece) else known

    def _by_id(self, id: str) -> _Call | None:
        return next((call for call in self._calls if call.id == id), None) if id else None

    def _open(self) -> _Call:
        call = _Call(len(self._calls))
        self._calls.append(call)
        return call

    def _grow(self, call: _Call, id: str, name: str, piece: str, out: list[Delta]) -> None:
        """Put a fragment into its call."""
        shown = "" if call.id else id
        call.id = call.id or id
        added = call.rename(name) if name else ""
        if piece:
            call.pieces.append(piece)
        if self._deltas and (piece or shown or added or not call.shown):
            call.shown = True
            out.append(CallDelta(call.index, shown, added, piece))

    def _try_body(self, out: list[Delta]) -> bool:
        """Read the body if this is all of it, so that an onlooker gets its deltas."""
        try:
            data = jsontext.read(b"".join(self._body or ()))
        except ValueError:
            return False
        self._take_body(data, out)
        return True

    def _take_body(self, data: object, out: list[Delta]) -> None:
        """A reply that is one JSON object."""
        fields = cast("dict[str, Any]", data) if type(data) is dict else {}
        choices = fields.get("choices")
        choice = cast("list[object]", choices)[0] if type(choices) is list and choices else None
        if type(choice) is not dict:
            raise error_in(cast("object", data), model=self._model) or self._unreadable(
                "JSON that is no chat completion", jsontext.write(data)
            )
        choice = cast("dict[str, Any]", choice)
        self._ended(fields, choice)
        message = choice.get("message") or choice.get("delta")
        if type(message) is not dict:
            raise self._unreadable("a choice without a message", jsontext.write(data))
        self._take_message(cast("dict[str, Any]", message), out)

    def _take_message(self, message: dict[str, Any], out: list[Delta]) -> None:
        """A message that comes whole: each element of its calls is a call of its own."""
        thought = message.get("reasoning_content")
        if not thought and (other := _thought(message.get)) is not None:
            thought = other
        if thought is not None:
            self._think(thought, out)
        if content := message.get("content"):
            self._say(content, out)
        for part in self._listed(message.get("tool_calls") or []):
            call = self._open()
            call.id, call.name, piece, call.opened = self._fields(part)
            call.pieces.append(piece)
            if self._deltas:
                out.append(CallDelta(call.index, call.id, call.name, piece))

    def _unreadable(self, what: str, data: bytes) -> Unreadable:
        return Unreadable(
            f"`{self._model}` sent {what}; is this address a chat completions endpoint? It begins: {shown(data)}",
            model=self._model,
            status=200,
        )

    def _no_json(self, body: bytes) -> ModelError:
        """What is wrong with a body that begins like JSON but is none: cut, or something else."""
        from_json = jsontext.core().from_json
        text = body.decode("utf-8", "ignore")  # a cut goes through a character too
        try:
            from_json(text)
        except ValueError as error:
            if not str(error).startswith("EOF while parsing"):
                return self._unreadable("a reply that is no JSON", body)
        try:
            self._take_body(from_json(text, allow_partial="trailing-strings"), [])
        except ModelError:  # it was cut before anything of the answer
            pass
        return self._lost(f"the reply broke off after {len(body)} bytes")

    def _broken_off(self, events: Events) -> ModelError:
        """What is wrong with a stream that ended without saying so."""
        if events.stray:
            try:
                failure = error_in(jsontext.read(events.stray), model=self._model)
            except ValueError:
                failure = None
            if failure is not None:
                return failure
        if events.begun:
            return self._lost("the stream broke off: it ended without `finish_reason` and `[DONE]`")
        if events.stray:
            return self._unreadable("neither JSON nor a stream of events", events.stray)
        return self._lost("the stream ended before the answer began")

    def _lost(self, what: str) -> ConnectionLost:
        return ConnectionLost(f"`{self._model}`: {what}; send the request again", model=self._model, status=200)


def _thought(get: Callable[[str], Any]) -> Any:
    """Reasoning under another key than DeepSeek's (WIRE section 9); `None` where there is no such key."""
    value = get("reasoning")
    for key in () if value else ("thinking", "reasoning_details"):
        if (other := get(key)) and type(other) in (str, list):
            return other
    return value


def _differs(call: _Call, id: str, name: str, piece: str) -> bool:
    """Whether a fragment with an id or a name begins another call than the one it seems to belong to."""
    if id and call.id:
        if id != call.id:
            return True
    elif name and call.name and name != call.name:
        return True
    return bool(id or name) and piece.lstrip(" \t\r\n").startswith("{") and call.whole()


def _usage(raw: object) -> Usage | None:
    """Usage in any of the shapes of WIRE section 4 and of other hosts; `None` where it is no object or empty."""
    if type(raw) is not dict or not raw:
        return None
    usage = cast("dict[str, Any]", raw)
    get = usage.get
    prompt = _count(get("prompt_tokens"))
    hit = _count(get("prompt_cache_hit_tokens"))
    if hit is None:
        hit = _count(_part(get("prompt_tokens_details"), "cached_tokens"))
    if hit is None:
        hit = _count(get("cached_tokens")) or 0
    if prompt is None:
        prompt = hit + (_count(get("prompt_cache_miss_tokens")) or 0)
    hit = min(hit, prompt)
    reasoning = _count(_part(get("completion_tokens_details"), "reasoning_tokens"))
    if reasoning is None:
        reasoning = _count(get("reasoning_tokens")) or 0
    return Usage(prompt, _count(get("completion_tokens")) or 0, reasoning, hit, prompt - hit, 1)


def _part(details: object, name: str) -> object:
    """A field of details, which are no object everywhere."""
    return cast("dict[str, object]", details).get(name) if type(details) is dict else None


def _count(value: object) -> int | None:
    """A number of tokens, or `None` where there is none or it makes no sense."""
    if value is None:
        return None
    if isinstance(value, float) and math.isfinite(value):
        value = int(value)
    return max(0, value) if type(value) is int else None
