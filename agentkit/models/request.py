"""What a model is asked, and the protocols of those who ask and answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, fields, replace
from typing import TYPE_CHECKING, Any, Protocol

from agentkit.events import Closing, Delta, Emit, Warned
from agentkit.frozen import frozen
from agentkit.ledger import Ledger
from agentkit.messages import Assistant
from agentkit.threads import Stop
from agentkit.tools import Tool
from agentkit.transcript import Transcript

if TYPE_CHECKING:
    from agentkit.models.rows import ModelRow


@frozen(kw_only=True)
class Settings:
    """The fields of a request that a caller may set (WIRE section 3); `None` leaves one to the endpoint.

    Ranges are checked before a request is sent, against the model's row. A setting that the model does not take is left
    out, with a `Warned` event, or is a `ConfigurationError` where the answer would be another without it.

    Attributes:
        max_tokens: The most tokens to write, from 1; reasoning counts against it.
        temperature: 0 to 2; DeepSeek ignores it while thinking. Set this or `top_p`, not both.
        top_p: Above 0, up to 1.
        frequency_penalty: -2 to 2; deprecated at DeepSeek, without effect there.
        presence_penalty: The same.
        stop: Up to 16 texts at which the model stops.
        n: How many answers: only 1 is possible.
        thinking: Whether the model thinks before it answers, where that can be chosen.
        reasoning_effort: How much: `"low"`, `"high"`, `"max"` at DeepSeek; `"none"` is `thinking=False` there.
        tool_choice: `"auto"`, `"none"`, `"required"`, or the name of the one tool that must be called.
        response_format: `{"type": "json_object"}` or what else the endpoint takes.
        logprobs: Whether to send the tokens' log probabilities.
        top_logprobs: How many alternatives for each token, 0 to 20; needs `logprobs`.
        seed: For endpoints that sample repeatably, from 0.
        parallel_tool_calls: For endpoints that can be kept from calling several tools at once.
        user_id: Whom the endpoint should hold apart from others, `[A-Za-z0-9_-]`, up to 512 characters.
        continuations: How many times an answer that was cut is gone on with, where the model can (2 by default; 0 for
            never). It is not sent.
        extra_body: Fields that go into the request as they are, unchecked, in place of ours of the same name.
        extra_headers: Headers that go with the request as they are.
    """

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    stop: str | Sequence[str] | None = None
    n: int | None = None
    thinking: bool | None = None
    reasoning_effort: str | None = None
    tool_choice: str | None = None
    response_format: Mapping[str, Any] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    seed: int | None = None
    parallel_tool_calls: bool | None = None
    user_id: str | None = None
    continuations: int | None = None
    extra_body: Mapping[str, Any] = field(default_factory=dict[str, Any])
    extra_headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)  # may hold secrets

    def over(self, base: Settings | None) -> Settings:
        """These settings on top of `base`: what is set here wins; extras are merged by key."""
        if base is None:
            return self
        changes: dict[str, Any] = {}
        for one in fields(self):
            mine, under = getattr(self, one.name), getattr(base, one.name)
            if one.name.startswith("extra_"):
                changes[one.name] = {**under, **mine}
            elif mine is None and under is not None:
                changes[one.name] = under
        return replace(self, **changes)


@frozen(eq=False)
class Request:
    """What a model is asked: the transcript and the standing orders.

    Attributes:
        transcript: What has been said.
        instructions: The agent's instructions, sent before all else; `None` for none.
        tools: The tools that the model may call.
        final: The name of the tool that gives the answer, asked for as firmly as the model's row allows; `None` where
            the answer is words.
        settings: The fields of the request that the caller set.
        stream: Whether the caller wants to see the reply as it comes.
        restart: Whether a reply that breaks off may be asked for anew although deltas of it were shown.
        emit: Takes events; `None` when nobody looks, so that none are made.
        warned: The warnings that the run's onlookers have heard, so that each is told once.
        encoders: What the run keeps for its models from call to call: an encoder per dialect and row.
        stop: Set when a run on threads must end at once; `None` on an event loop, where the task is cancelled.
        deadline: The `time.monotonic` value at which the run's time is over; `None` for no limit.
        ledger: Where money is set aside before a request; `None` for no limit on it.
    """

    transcript: Transcript
    instructions: str | None = None
    tools: tuple[Tool[..., Any], ...] = ()
    final: str | None = None
    settings: Settings = field(default_factory=Settings)
    stream: bool = False
    restart: bool = False
    emit: Emit | None = None
    warned: set[str] = field(default_factory=set[str])
    encoders: dict[Any, Encoder] = field(default_factory=dict[Any, "Encoder"])
    stop: Stop | None = None
    deadline: float | None = None
    ledger: Ledger | None = None

    def warn(self, text: str) -> None:
        """Tell the onlooker, once in a run, that something is not as it was asked for."""
        if self.emit is not None and text not in self.warned:
            self.warned.add(text)
            self.emit(Warned(text))


class Model(Protocol):
    """Whatever answers requests: over HTTP, from a script, or by handing them to other models."""

    @property
    def name(self) -> str:
        """The name to show, e.g. `deepseek:deepseek-flash`."""
        ...

    def call(self, request: Request) -> Assistant:
        """Answer in the calling thread. Raises `ModelError`, or `Truncated` for a cut answer."""
        ...

    async def acall(self, request: Request) -> Assistant:
        """Answer on the running event loop. Raises as `call` does."""
        ...


class Encoder(Protocol):
    """Turns the growing transcript of one run into request bodies; a message is encoded once."""

    def encode(self, request: Request, *, stream: bool) -> bytes:
        """The body of the next request (UTF-8 JSON); `stream` is whether the wire shall stream."""
        ...


class Decoder(Protocol):
    """Turns the bytes of one reply into deltas and at the end into one message."""

    @property
    def begun(self) -> bool:
        """Whether anything of the answer has come; keep-alives are nothing."""
        ...

    def feed(self, chunk: bytes) -> Sequence[Delta]:
        """Take the next bytes, cut anywhere; give what they added. Raises `Unreadable` or an error the reply holds."""
        ...

    def finish(self) -> Assistant:
        """The whole message. Raises `Unreadable`, or `ConnectionLost` where the reply broke off."""
        ...

    def rest(self) -> Sequence[Closing]:
        """After `finish`: the deltas that only the end of the reply brought, and that calls were salvaged."""
        ...

    def flaw(self) -> tuple[str, str] | None:
        """After `finish`: the reply as it was written and what is wrong with it, where it should be said again."""
        ...

    def partial(self) -> Assistant:
        """What has come so far, perhaps nothing."""
        ...


class Dialect(Protocol):
    """How requests and replies of one wire format are written."""

    def encoder(self, row: ModelRow) -> Encoder:
        """A new encoder for one run."""
        ...

    def decoder(self, row: ModelRow, *, deltas: bool, request: Request | None = None) -> Decoder:
        """A new decoder for one reply to `request`; without `deltas`, `feed` gives none and saves the work."""
        ...
