"""What a profile is: an endpoint as data, which models it serves, what it accepts and what it insists on.

A profile is dated, since the endpoints change. The ready ones stand in `agentkit.simulator.endpoints`; make your own
with `dataclasses.replace(profile_named("deepseek"), …)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from agentkit.simulator.refusal import ErrorBody, Refusal, deepseek_body
from agentkit.simulator.wire import Wire

Stance = Literal["yes", "refused", "ignored"]
"""What is done with a feature that a request asks for: it is there, the request is refused, or nothing happens."""

ReasoningBack = Literal["tool_turns", "current_turn", "refused", "ignored"]
"""What an endpoint wants of earlier `reasoning_content` (WIRE section 6). `"tool_turns"`: while thinking with tools, as
a string on every assistant message with calls; `"current_turn"`: the same, after the last user message only;
`"refused"`: never, except on a last message with `prefix`; `"ignored"`: it does not look."""

_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Served:
    """A model name that an endpoint accepts, and what the model behind it can do.

    Attributes:
        model: The name that the reply carries: the model that served the request (WIRE section 2.1).
        thinking: Whether it thinks when the request does not say.
        toggle: Whether `thinking` and `reasoning_effort` are obeyed.
        listed: Whether `GET /models` and the text about unknown models name it.
        details: Further keys of its entry in `GET /models`.
        context: The context window in tokens, prompt and completion together.
        max_input: The longest prompt in tokens, where that has a limit of its own.
        max_tokens: The largest `max_tokens` it accepts.
        default_output: The budget in tokens where `max_tokens` is not sent: plain, thinking, thinking at effort max.
        reasoning_budget: The budget of the reasoning in tokens where it does not count against `max_tokens`.
        tools: Whether it calls tools; `"elsewhere"`: another model of the profile answers requests with tools.
        tools_model: The name of that other model.
        choices: The values of `tool_choice` that it accepts.
        forced_choice: Whether `required` or a named tool is accepted while thinking.
        json: Whether it has JSON output.
        logprobs: Whether it gives log probabilities; `"plain"`: only while it does not think, else it refuses.
        refuses: Request fields that it refuses when they are sent (and not null).
        prefix: Whether it completes a prefix.
        fim: Whether it fills in the middle.
        reasoning_back: What it wants of earlier reasoning.
        alternating: Whether users and assistants must take turns, beginning with a user (WIRE section 7, R1).
        temperature: What holds where the request does not say.
        top_p: What holds where the request does not say.
    """

    model: str
    thinking: bool = True
    toggle: bool = True
    listed: bool = False
    details: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    context: int = 1_048_565
    max_input: int | None = None
    max_tokens: int = 393_216
    default_output: tuple[int, int, int] = (8_192, 65_536, 131_072)
    reasoning_budget: int | None = None
    tools: Stance | Literal["elsewhere"] = "yes"
    tools_model: str = ""
    choices: tuple[str, ...] = ("none", "auto", "required", "named")
    forced_choice: bool = False
    json: Stance = "yes"
    logprobs: Stance | Literal["plain"] = "yes"
    refuses: tuple[str, ...] = ()
    prefix: bool = True
    fim: bool = True
    reasoning_back: ReasoningBack = "tool_turns"
    alternating: bool = False
    temperature: float = 1.0
    top_p: float = 1.0


@dataclass(frozen=True, slots=True)
class Cache:
    """A prefix cache (WIRE section 4): hits in whole blocks of `unit` tokens, and none shorter than `least` tokens."""

    unit: int
    least: int


@dataclass(frozen=True, slots=True)
class Words:
    """What is said to a refused request: a text with places for values, a status, and the two words with it."""

    text: str
    status: int = 400
    type: str = "invalid_request_error"
    code: str | int = "invalid_request_error"


_EFFORTS = {
    "none": "none",
    "minimal": "low",
    "low": "low",
    "medium": "high",
    "high": "high",
    "xhigh": "high",
    "max": "max",
    "ultra": "max",
}

WORDS: Mapping[str, Words] = MappingProxyType(
    {
        "model": Words("The supported API model names are {names}, but you passed {model}."),
        "choice": Words("Thinking mode does not support this tool_choice"),
        "choices": Words("This model does not support this tool_choice"),
        "name": Words("tools.{number}.function.name: expected 1-{most} ASCII letters, digits, underscores or hyphens"),
        "tools": Words("{model} does not support Function Calling"),
        "json": Words("{model} does not support Json Output."),
        "parameter": Words("{model} does not support the parameter `{name}`"),
        "prefix": Words('prefix is only available when using beta api (set base_url="https://api.deepseek.com/beta")'),
        "fim": Words(
            'completions api is only available when using beta api (set base_url="https://api.deepseek.com/beta")'
        ),
        "reasoning": Words("The `reasoning_content` in the thinking mode must be passed back to the API."),
        "overflow": Words(
            "This model's maximum context length is {context} tokens. However, you requested {asked} tokens "
            "({prompt} in the messages, {completion} in the completion). "
            "Please reduce the length of the messages or completion."
        ),
        "key": Words("Authentication Fails, Your api key: ****{end} is invalid", 401, "authentication_error"),
        "no key": Words(
            "Authentication Fails (auth header format should be Bearer sk-...)", 401, "authentication_error"
        ),
        "balance": Words("Insufficient Balance", 402, "unknown_error"),
        "type": Words(
            "Failed to deserialize the JSON body into the target type: thinking: invalid type: boolean `true`, "
            "expected struct ThinkingOptions at line 1 column 64",
            422,
        ),
        "concurrency": Words(  # ours: its last sentence (the report ends after `top up`), the type and the code
            "Your current concurrency is 40, which exceeds your concurrency limit of 39 based on your remaining "
            "balance. Please top up to raise it.",
            429,
            "rate_limit_error",
            "rate_limit_error",
        ),
        "rate": Words("Rate limit reached for TPM", 429, "rate_limit_error", "rate_limit_error"),
        "broken": Words("Internal Server Error", 500, "server_error", "server_error"),  # all of it is ours
        "busy": Words(
            "Service is too busy. We advise users to temporarily switch to alternative LLM API service providers.",
            503,
            "service_unavailable_error",
            "service_unavailable_error",
        ),
        "risk": Words("Content Exists Risk"),
    }
)
"""What endpoints say where it differs between them, as DeepSeek says it today."""


_CACHE, _WIRE = Cache(128, 256), Wire()


@dataclass(frozen=True, slots=True)
class Profile:
    """How one endpoint behaves, at one date.

    Attributes:
        name: The name that `Simulator` and the command line know it by.
        date: The day it describes, as `YYYY-MM-DD`.
        models: The model names it accepts.
        about: What it is, in a line.
        unknown: What serves a model name that is not among them; `None`: such a request is refused.
        any_case: Whether capitals in model names do not matter.
        owner: The `owned_by` of its models.
        prefixes: The paths under which it answers; the first one belongs to its documented address.
        beta: The path with its beta features, or nothing.
        listing: Whether it has `GET /models`.
        balance: Whether it has `GET /user/balance`.
        hosts: Its documented addresses; the second and further ones to fall back to.
        roles: The roles of messages that it knows.
        parts: The content parts of user messages that it knows.
        thinking_field: Whether it reads `thinking`; otherwise that is an unknown field, which nobody looks at.
        efforts: The values of `reasoning_effort` that it accepts, and what each one means to it; none: not read.
        max_tools: How many tools one request may carry.
        max_name: The longest tool name.
        max_stops: How many stop sequences one request may carry.
        skips: The checks of `agentkit.simulator.checks` that it does not make, by name.
        words: What it says otherwise than DeepSeek does today, by the names of `WORDS`.
        errors: The body of its errors.
        cache: Its prefix cache, if it has one.
        wire: How it writes replies.
        fingerprint: The `system_fingerprint` of its replies; `None`: there is no such key.
        headers: Whether its replies have DeepSeek's headers (WIRE section 1.4).
    """

    name: str
    date: str
    models: Mapping[str, Served]
    about: str = ""
    unknown: Served | None = None
    any_case: bool = False
    owner: str = "deepseek"
    prefixes: tuple[str, ...] = ("", "/v1")
    beta: str = "/beta"
    listing: bool = True
    balance: bool = True
    hosts: tuple[str, ...] = ("api.deepseek.com",)
    roles: tuple[str, ...] = ("system", "user", "assistant", "tool", "latest_reminder")
    parts: tuple[str, ...] = ("text",)
    thinking_field: bool = True
    efforts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType(_EFFORTS))
    max_tools: int = 128
    max_name: int = 128
    max_stops: int = 16
    skips: frozenset[str] = frozenset()
    words: Mapping[str, Words] = field(default_factory=lambda: _NOTHING)
    errors: ErrorBody = deepseek_body
    cache: Cache | None = _CACHE
    wire: Wire = _WIRE
    fingerprint: str | None = ""
    headers: bool = True

    @property
    def listed(self) -> list[str]:
        """The model names that `GET /models` lists, in order."""
        return [name for name, served in self.models.items() if served.listed]

    @property
    def context(self) -> int:
        """The largest context window of its models, in tokens."""
        served = (*self.models.values(), *((self.unknown,) if self.unknown else ()))
        return max(one.context for one in served)

    @property
    def base(self) -> str:
        """The path of its documented address, such as `/v1`; empty at the root."""
        return self.prefixes[0]

    def served(self, name: str) -> Served | None:
        """What serves a model name; `None` where nothing does."""
        return self.models.get(name.lower() if self.any_case else name, self.unknown)

    def refusal(self, name: str, /, **values: object) -> Refusal:
        """The refusal of this endpoint that has this name among `WORDS`, its values filled in."""
        words = self.words.get(name) or WORDS[name]
        return Refusal(words.text.format(**values), status=words.status, type=words.type, code=words.code, **values)
