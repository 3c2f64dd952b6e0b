"""What the model would be shown, in tokens: as far as counting and the prefix cache need it.

The order is that of DeepSeek's own templates: system text, tools, then the messages, each behind its marker, and the
marker that opens the answer. What a model has said is shown to it again as it said it, so that the prompt of the next
request begins with this prompt and its reply, token for token.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from agentkit.simulator import plan, tokens
from agentkit.simulator.plan import Call, Piece, Plan
from agentkit.simulator.request import Message, Tool

_BEGIN, _USER, _ASSISTANT, _END = "<begin>", "<user>", "<assistant>", "<end>"
_THINK, _THOUGHT = "<think>", "</think>"
_ALL = 1 << 62

_PREAMBLE = ("<tools>",) * 190
"""The text that explains tool calling to the model, paid once where there are tools (measured over recorded requests,
where a single tool of 60 tokens makes a prompt 290 tokens longer)."""

_RESULT = ("<tool_result>",) * 3
"""The markers round a tool's answer."""


def rendered(
    messages: Sequence[Message], tools: Sequence[Tool], *, thinking: bool, back: str, forced: bool = False
) -> list[str]:
    """The prompt of a request, one text per token; `len` is its count.

    Args:
        messages: The messages, in order. If the last one is a prefix, the answer goes on right behind it.
        tools: The tools that the model is shown.
        thinking: Whether it thinks before it answers.
        back: The `reasoning_back` of the model: which earlier reasoning it is shown again.
        forced: Whether a call must be made, so that its opening is part of the prompt (WIRE section 7).
    """
    shown = [_BEGIN]
    start = 0
    while start < len(messages) and messages[start].role == "system":
        shown += tokens.kept(messages[start].text or "")
        start += 1
    if tools:
        shown += _PREAMBLE
        for tool in tools:
            shown += tokens.kept(tool.source)
    kept = _first_with_reasoning(messages, tools, thinking, back)
    for place in range(start, len(messages)):
        shown += _message(messages[place], with_reasoning=place >= kept)
    if not (messages and messages[-1].prefix):
        shown += (_ASSISTANT, _THINK if thinking else _THOUGHT)
    if forced:
        shown += reply_tokens(plan.OPENING)
    return shown


def _first_with_reasoning(messages: Sequence[Message], tools: Sequence[Tool], thinking: bool, back: str) -> int:
    """From which message on reasoning is shown again: while thinking with tools, all or the current turn's."""
    if not thinking or not tools or back in ("refused", "ignored"):
        return len(messages)
    if back == "tool_turns":
        return 0
    return max((place for place, message in enumerate(messages) if message.role == "user"), default=0)


def _message(message: Message, *, with_reasoning: bool) -> Iterable[str]:
    text = message.text or ""
    if message.role == "assistant":
        reasoning = message.reasoning if with_reasoning else None
        calls = message.calls or ()
        size = len(text) + len(reasoning or "") + sum(len(call.arguments) for call in calls)
        said = (_kept_said if size <= _SHORT else _said)(text, calls, reasoning)
        return said if message.prefix else (*said, _END)
    if message.role == "tool":
        return (*_RESULT, *tokens.kept(text))
    return (_USER, *tokens.kept(text))


def _said(text: str, calls: tuple[Call, ...], reasoning: str | None) -> tuple[str, ...]:
    thinking = reasoning is not None
    if not calls:  # then each piece is a token, and a message may have a million of them
        thought = (*tokens.split(reasoning or ""), "</think>") if thinking else ()
        return (_ASSISTANT, _THINK if thinking else _THOUGHT, *thought, *tokens.split(text))
    calls = tuple(Call(call.name, call.arguments) for call in calls)
    pieces = plan.write(Plan(text, calls, reasoning or ""), thinking=thinking, budget=_ALL).pieces
    return (_ASSISTANT, _THINK if thinking else _THOUGHT, *reply_tokens(pieces))


_SHORT = 8_192
"""Up to how many characters a message of the model is remembered."""
_kept_said = lru_cache(maxsize=256)(_said)


def reply_tokens(pieces: Iterable[Piece]) -> list[str]:
    """A reply as the tokens that it cost; what is free hangs on the token before it."""
    said: list[str] = []
    for piece in pieces:
        if piece.cost:
            said.append(piece.text)
            said += [""] * (piece.cost - 1)
        elif said:
            said[-1] += piece.text
    return said
