"""What the model would be shown, as far as counting needs it."""

from __future__ import annotations

from agentkit.simulator import tokens
from agentkit.simulator.request import Chat, Message

_PER_MESSAGE = 3
"""Tokens of the markers round a message."""

_TOOLS_PREAMBLE = 190
"""Tokens of the text that explains tool calling to the model, paid once where there are tools (measured over recorded
requests, where a single tool of 60 tokens makes a prompt 290 tokens longer)."""


def tokens_of(chat: Chat) -> int:
    """The prompt tokens of a request, by the simulator's own count."""
    total = sum(_message(message) for message in chat.messages)
    if chat.tools and chat.tool_choice != "none":
        total += _TOOLS_PREAMBLE
        total += sum(tokens.count(tool.source) for tool in chat.tools)
    return total + 1


def _message(message: Message) -> int:
    total = _PER_MESSAGE + (tokens.count(message.text) if message.text else 0)
    for call in message.calls or ():
        total += 20 + tokens.count(call.name) + tokens.count(call.arguments)
    return total
