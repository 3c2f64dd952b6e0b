"""Endpoints as data: which models they serve, what they accept and what they insist on.

A profile is dated, since the endpoints change. `PROFILES` holds the ready ones by name; make your own with
`dataclasses.replace(PROFILES["deepseek"], …)`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from agentkit.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Served:
    """A model name that an endpoint accepts.

    Attributes:
        model: The name that the reply carries: the model that served the request (WIRE section 2.1).
        thinking: Whether it thinks when the request does not say.
        listed: Whether `GET /models` and the text about unknown models name it.
        details: Further keys of its entry in `GET /models`.
    """

    model: str
    thinking: bool = True
    listed: bool = False
    details: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType[str, Any]({}))


ReasoningBack = Literal["tool_turns", "ignored"]
"""What an endpoint wants of earlier `reasoning_content` while thinking with tools (WIRE section 6):
`"tool_turns"`: as a string on every assistant turn with tool calls; `"ignored"`: it does not look."""


@dataclass(frozen=True, slots=True)
class Profile:
    """How one endpoint behaves, at one date.

    Attributes:
        name: The name that `Simulator` and the command line know it by.
        date: The day it describes, as `YYYY-MM-DD`.
        models: The model names it accepts.
        context: The context window in tokens, prompt and completion together.
        max_tokens: The largest `max_tokens` it accepts.
        default_output: The budget in tokens where `max_tokens` is not sent: plain, thinking, thinking at effort max.
        roles: The roles of messages that it knows.
        parts: The content parts of user messages that it knows.
        efforts: The values of `reasoning_effort` that it accepts, and what each one means to it.
        max_tools: How many tools one request may carry.
        max_name: The longest tool name.
        max_stops: How many stop sequences one request may carry.
        forced_choice_while_thinking: Whether `required` or a named tool is accepted while thinking.
        reasoning_back: What it wants of earlier reasoning.
        fingerprint: The `system_fingerprint` of its replies.
    """

    name: str
    date: str
    models: Mapping[str, Served]
    context: int = 1_048_565
    max_tokens: int = 393_216
    default_output: tuple[int, int, int] = (8_192, 65_536, 131_072)
    roles: tuple[str, ...] = ("system", "user", "assistant", "tool", "latest_reminder")
    parts: tuple[str, ...] = ("text",)
    efforts: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType(
            {
                "none": "none",
                "minimal": "low",
                "low": "low",
                "medium": "high",
                "high": "high",
                "xhigh": "high",
                "max": "max",
                "ultra": "max",
            }
        )
    )
    max_tools: int = 128
    max_name: int = 128
    max_stops: int = 16
    forced_choice_while_thinking: bool = False
    reasoning_back: ReasoningBack = "tool_turns"
    fingerprint: str = ""

    @property
    def listed(self) -> list[str]:
        """The model names that `GET /models` lists, in order."""
        return [name for name, served in self.models.items() if served.listed]


def _fingerprint(name: str, date: str) -> str:
    """32 hexadecimal digits, as DeepSeek's fingerprints since late August 2026 (WIRE section 4), but our own."""
    return hashlib.md5(f"agentkit simulator {name} {date}".encode(), usedforsecurity=False).hexdigest()


_V41_DETAILS: Mapping[str, Any] = MappingProxyType(
    {
        "context_window": 1_048_576,
        "max_output_tokens": 393_216,
        "input_modalities": ["text", "image"],
        "output_modalities": ["text"],
        "effort": {"supported_levels": ["low", "high", "max"], "default_level": "high"},
    }
)

PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        "deepseek": Profile(
            name="deepseek",
            date="2026-11-21",
            models=MappingProxyType(
                {
                    "deepseek-flash": Served("deepseek-flash", listed=True, details=_V41_DETAILS),
                    "deepseek-v4-pro": Served("deepseek-flash", listed=True, details=_V41_DETAILS),
                    "deepseek-v4-flash": Served("deepseek-flash"),
                    "deepseek-v4-flash-vision-exp": Served("deepseek-flash"),
                    "deepseek-chat": Served("deepseek-flash", thinking=False),
                    "deepseek-reasoner": Served("deepseek-flash"),
                }
            ),
            parts=("text", "image_url", "file"),
            fingerprint=_fingerprint("deepseek", "2026-11-21"),
        ),
        "deepseek-v4": Profile(
            name="deepseek-v4",
            date="2026-08-20",
            models=MappingProxyType(
                {
                    "deepseek-v4-flash": Served("deepseek-v4-flash", listed=True),
                    "deepseek-v4-pro": Served("deepseek-v4-pro", listed=True),
                    "deepseek-chat": Served("deepseek-v4-flash", thinking=False),
                    "deepseek-reasoner": Served("deepseek-v4-flash"),
                }
            ),
            fingerprint=_fingerprint("deepseek-v4", "2026-08-20"),
        ),
    }
)


def profile_named(profile: str | Profile) -> Profile:
    """The profile of that name; a `Profile` is handed back as it is.

    Raises:
        ConfigurationError: No profile has that name; the text lists those that there are.
    """
    if isinstance(profile, Profile):
        return profile
    try:
        return PROFILES[profile]
    except KeyError:
        known = ", ".join(f"`{name}`" for name in PROFILES)
        raise ConfigurationError(f"there is no simulator profile `{profile}`; there are: {known}") from None
