"""What answers in a simulator: a function from a `Turn` (what a model would be shown) to a `Plan` (what it says)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agentkit.simulator.checks import Case
from agentkit.simulator.plan import Call, Plan
from agentkit.simulator.request import Message, Tool

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
        prefix: The beginning of the answer, which the plan goes on from (it may repeat it); the last message has it.
        suffix: What stands behind the gap that is to be filled in, where the only message says what stands before it;
            `None` in a chat.
        temperature: What holds: as asked for, or the model's own where nothing was, or where asking has no effect.
        top_p: Likewise.
    """

    model: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    must_call: bool = False
    thinking: bool = False
    effort: str | None = None
    json: bool = False
    now: float = 0.0
    prefix: str = ""
    suffix: str | None = None
    temperature: float = 1.0
    top_p: float = 1.0


Brain = Callable[[Turn], Plan]


def turn_of(case: Case, now: float) -> Turn:
    """What a model is asked by a request.

    Args:
        case: The request before its endpoint.
        now: Seconds since the epoch.
    """
    chat, served = case.chat, case.served
    sampled = not case.thinking  # while thinking, temperature and top_p have no effect (WIRE section 3)
    return Turn(
        model=chat.model,
        messages=chat.messages,
        tools=case.tools,
        must_call=case.forced,
        thinking=case.thinking,
        effort=chat.effort,
        json=chat.response_format != "text" and served.json == "yes",
        now=now,
        prefix=(chat.messages[-1].text or "") if case.continues else "",
        temperature=chat.temperature if sampled and chat.temperature is not None else served.temperature,
        top_p=chat.top_p if sampled and chat.top_p is not None else served.top_p,
    )
