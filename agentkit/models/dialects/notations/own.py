"""Our own notation, the one that models are told to write:

    <tool_call>
    {"name": "weather", "arguments": {"city": "Paris"}}
    </tool_call>

It is that of Hermes and Qwen. Three reasons:

- *Models write it.* It stands in the chat templates and the training of more open models than any other, and it is
  plain text to those that have tokens of their own. An own invention would have to be taught with each prompt.
- *It nests.* The arguments stand there as the JSON that they are, and JSON says itself where its strings end. So a
  string may hold fences, tags and `</tool_call>` itself, without a second layer of escapes: what XML's parameters need
  and models forget.
- *It is no fence.* Fences are how examples are quoted; a mark of its own leaves them to that.

It is read by `tool_call`.
"""

from __future__ import annotations

from collections.abc import Iterable

from agentkit.models.dialects.notations import values

NAME = "tool_call"
"""The name of the notation that `write` writes."""


def write(calls: Iterable[tuple[str, str]]) -> str:
    """Calls in our own notation.

    Args:
        calls: The name of each call's tool, and its arguments as the model wrote them. What is not the text of one JSON
            object becomes `{}`, as DeepSeek's endpoint wants it in a history (WIRE section 7).
    """
    return "\n".join(
        f'<tool_call>\n{{"name": {values.told(name)}, "arguments": {_object(arguments)}}}\n</tool_call>'
        for name, arguments in calls
    )


def _object(arguments: str) -> str:
    try:
        return arguments.strip() if isinstance(values.members(arguments), dict) else "{}"
    except ValueError:
        return "{}"
