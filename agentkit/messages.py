"""What is said in a run: frozen messages, and notes that are kept but never sent.

A transcript is a list of these. `dump` and `load` carry it to JSON and back through one pydantic adapter,
which is made at its first use: importing this module costs no pydantic.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any, Literal

from agentkit.errors import ConfigurationError
from agentkit.frozen import frozen
from agentkit.money import Cost

if TYPE_CHECKING:
    from pydantic import TypeAdapter


@frozen
class Usage:
    """Tokens that requests cost; `+` adds two of them.

    `prompt_tokens` is always `cache_hit_tokens + cache_miss_tokens`: where an endpoint reports no cache,
    all of the prompt counts as missed. `reasoning_tokens` are a part of `completion_tokens` (WIRE section 4).
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    cache_hit_tokens: int = 0
    cache_miss_tokens: int = 0
    requests: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            self.cache_hit_tokens + other.cache_hit_tokens,
            self.cache_miss_tokens + other.cache_miss_tokens,
            self.requests + other.requests,
        )

    @property
    def total_tokens(self) -> int:
        """Prompt and completion tokens together."""
        return self.prompt_tokens + self.completion_tokens


@frozen
class Text:
    """A text part of a user message."""

    text: str
    type: Literal["text"] = field(default="text", repr=False)


@frozen
class Image:
    """An image part of a user message: an `https:` or `data:` URL, and how closely the model should look."""

    url: str
    detail: Literal["auto", "low", "high", "original"] = "auto"
    type: Literal["image"] = field(default="image", repr=False)


Part = Text | Image


@frozen
class System:
    """An instruction that stands above the conversation."""

    text: str
    role: Literal["system"] = field(default="system", repr=False)


@frozen
class User:
    """What the user said: a text, or a tuple of text and image parts.

    Attributes:
        content: The words.
        name: Who of several users said it; optional.
        by: Who wrote it in the user's place: `None` is the caller, `"review"` an objection to an answer,
            `"repeats"` a remark on calls that go round.
    """

    content: str | tuple[Part, ...]
    name: str | None = None
    by: str | None = None
    role: Literal["user"] = field(default="user", repr=False)

    @property
    def text(self) -> str:
        """The words alone: text parts joined with a blank line, as the endpoint joins them (WIRE section 7)."""
        if isinstance(self.content, str):
            return self.content
        return "\n\n".join(part.text for part in self.content if isinstance(part, Text))


@frozen
class ToolCall:
    """A call that the model asks for.

    Attributes:
        id: The id that the tool message answers with.
        name: The tool's name.
        arguments: The arguments as the model wrote them, usually the text of one JSON object.
    """

    id: str
    name: str
    arguments: str


_source: ContextVar[str] = ContextVar("agentkit_ids", default="")


def make_ids_of(source: str) -> None:
    """Let ids that are made in this context from now on come of a text, the same of the same; of `""`, at random."""
    _source.set(source)


def ids_made_of() -> str:
    """The text that ids are made of in this context; `""` where they are random."""
    return _source.get()


def _made(position: int, size: int) -> str:
    source = _source.get()
    if not source:
        return os.urandom(size).hex()
    from hashlib import sha256

    return sha256(f"{source}/{position}".encode()).hexdigest()[: 2 * size]


def told_apart(calls: Sequence[ToolCall]) -> tuple[ToolCall, ...]:
    """The calls of one message, each with an id of its own: a missing one is made, a repeated one gets a tail.

    Small servers leave ids out or repeat them, and two calls under one id cannot both be answered (WIRE section 9).
    """
    ids = {call.id for call in calls}
    if len(ids) == len(calls) and "" not in ids:
        return tuple(calls)
    taken: set[str] = set()
    apart: list[ToolCall] = []
    for position, call in enumerate(calls):
        if not call.id:
            call = replace(call, id=f"call_{position:02}_{_made(position, 12)}")
        elif call.id in taken:
            call = replace(call, id=f"{call.id}_{position:02}_{_made(position, 4)}")
        taken.add(call.id)
        apart.append(call)
    return tuple(apart)


@frozen
class TokenLogprob:
    """How likely a token was.

    Attributes:
        token: The token's text; of a character that several tokens make up, each has its part.
        logprob: The natural logarithm of its probability.
        top: The likeliest tokens at this place with theirs, where `top_logprobs` asked for them.
    """

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@frozen
class Logprobs:
    """How likely the tokens of a reply were.

    Attributes:
        content: Those of the answer.
        reasoning: Those of the reasoning, where the endpoint sends them.
    """

    content: tuple[TokenLogprob, ...] = ()
    reasoning: tuple[TokenLogprob, ...] = ()


@frozen
class Assistant:
    """What the model said.

    Attributes:
        text: The answer, or the words beside the calls; `""` where there were none.
        reasoning: The thinking that came apart from the answer, verbatim; `None` where the endpoint sent no such
            field, `""` where it sent an empty one (the difference matters to DeepSeek, WIRE section 6).
        tool_calls: The calls, in the model's order.
        finish_reason: The endpoint's word for why the reply ended; `None` where it gave none.
        usage: What the reply cost; `None` where the endpoint did not say.
        model: The name of the model that served the request, which need not be the one that was asked for.
        attempts: The models that failed before this one answered, each with its error, where several stand in for
            each other (`agentkit.models.Fallback`).
        logprobs: The log probabilities of the tokens, where `Settings(logprobs=True)` asked for them.
        cost: What it cost, at the price of the hour; `None` where price or usage is not known, which is not nothing.
        continued: How many times the answer was cut and gone on with; 0 for one that came in one piece.
    """

    text: str = ""
    reasoning: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str | None = None
    usage: Usage | None = None
    model: str | None = None
    attempts: tuple[str, ...] = ()
    logprobs: Logprobs | None = None
    cost: Cost | None = None
    continued: int = 0
    role: Literal["assistant"] = field(default="assistant", repr=False)


@frozen
class ToolMessage:
    """The one answer to one tool call.

    Attributes:
        tool_call_id: Which call it answers.
        name: The tool's name, as the model wrote it.
        text: What the model is told.
        ok: Whether the tool did what it was asked.
        data: A JSON value for the program, apart from the text for the model; `None` where there is none.
        final: Whether this answer ends the run (the output tool's does).
    """

    tool_call_id: str
    name: str
    text: str
    ok: bool = True
    data: Any = None
    final: bool = False
    role: Literal["tool"] = field(default="tool", repr=False)


@frozen
class Note:
    """Something to be remembered that is never sent to a model and counts as nothing said.

    Attributes:
        kind: What it is about: `"run"` (a run began), `"discarded"` (a reply that was paid for and thrown away), …
        data: A JSON object with what there is to know.
    """

    kind: str
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    role: Literal["note"] = field(default="note", repr=False)


Message = System | User | Assistant | ToolMessage
Entry = Message | Note
"""What a transcript holds."""


@functools.cache
def adapter() -> TypeAdapter[Any]:
    """The one pydantic adapter that checks, saves and loads a list of messages and notes."""
    from typing import Annotated

    from pydantic import Field, TypeAdapter

    return TypeAdapter(list[Annotated[Entry, Field(discriminator="role")]])


def write(adapter: TypeAdapter[Any], value: Any, *, fallback: Callable[[Any], Any] | None = None) -> bytes:
    """A value as JSON, which `read` reads back without loss, half surrogate pairs in texts too.

    Raises:
        ConfigurationError: It holds what JSON cannot carry, and `fallback` does not say what to write in its place.
    """
    from pydantic_core import PydanticSerializationError

    try:
        try:
            return adapter.dump_json(value, warnings="error", fallback=fallback)
        except PydanticSerializationError as error:
            if "surrogates not allowed" not in str(error):
                raise
            return json.dumps(adapter.dump_python(value, mode="json", warnings="error", fallback=fallback)).encode()
    except PydanticSerializationError as error:
        raise ConfigurationError(
            f"this cannot be written as JSON: {error}; let tools and notes hold texts, numbers, lists and mappings",
            code="not-json",
        ) from error


def read(adapter: TypeAdapter[Any], data: bytes | str) -> Any:
    """What `write` wrote; raises pydantic's `ValidationError` where it is something else."""
    from pydantic import ValidationError

    try:
        return adapter.validate_json(data)
    except ValidationError as error:
        if error.errors(include_url=False)[0]["type"] != "json_invalid":
            raise
        try:
            value = json.loads(data)  # takes half pairs, which pydantic's parser does not
        except ValueError:
            raise error from None
        return adapter.validate_python(value)


def dump(entries: Iterable[Entry]) -> bytes:
    """Write messages and notes as a JSON array (UTF-8), which `load` reads back without loss.

    Raises:
        ConfigurationError: The `data` of a tool message or a note holds what JSON cannot carry.
    """
    return write(adapter(), list(entries))


def load(data: bytes | str) -> list[Entry]:
    """Read what `dump` wrote.

    Raises:
        ConfigurationError: The data is not a JSON array of messages and notes.
    """
    from pydantic import ValidationError

    try:
        return read(adapter(), data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"]) or "the top"
        raise ConfigurationError(
            f"this is no saved transcript: at `{where}`: {first['msg']}; give what `agentkit.messages.dump` wrote",
            code="bad-saved",
        ) from error
