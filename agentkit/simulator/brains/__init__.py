"""What answers in a simulator: a function from a `Turn` (what a model would be shown) to a `Plan` (what it says)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agentkit.simulator.plan import Call, Plan
from agentkit.simulator.request import Chat, Message, Tool

__all__ = ["Brain", "Call", "Message", "Plan", "Tool", "Turn", "turn_of"]


@dataclass(frozen=True, slots=True)
class Turn:
    """What a model is asked.

    Attributes:
        model: The model name as requested.
        messages: All messages, in order.
        tools: The tools that may be called: none under `tool_choice` none, only the one that is named.
        must_call: Whether an answer without a call is not wanted (`required`, or a named tool).
        thinking: Whether reasoning is wanted before the answer; a plan's reasoning is dropped where it is not.
        effort: How much: `"low"`, `"high"`, `"max"`, or `None` where the request does not say.
        json: Whether the answer must be a JSON object.
        now: Seconds since the epoch, for a brain that is asked about today.
    """

    model: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    must_call: bool = False
    thinking: bool = False
    effort: str | None = None
    json: bool = False
    now: float = 0.0


Brain = Callable[[Turn], Plan]


def turn_of(chat: Chat, thinking: bool, now: float) -> Turn:
    """What a model is asked by a request.

    Args:
        chat: The request.
        thinking: Whether it thinks.
        now: Seconds since the epoch.
    """
    tools = chat.tools
    if chat.tool_choice == "none":
        tools = ()
    elif chat.tool_choice == "named":
        tools = tuple(tool for tool in tools if tool.name == chat.named)
    return Turn(
        model=chat.model,
        messages=chat.messages,
        tools=tools,
        must_call=chat.tool_choice in ("required", "named"),
        thinking=thinking,
        effort=chat.effort,
        json=chat.response_format == "json_object",
        now=now,
    )
