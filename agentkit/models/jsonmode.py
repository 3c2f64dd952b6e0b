"""JSON output needs the word: a prompt without "json" in some form is refused (HTTP 400; WIRE section 3).

So where nobody says it the instructions do. Only what stands before the model's first message is looked at: what is
added must not come and go as a run grows, since the endpoint's cache is paid for by the byte.
"""

from __future__ import annotations

from dataclasses import replace

from agentkit.messages import Assistant
from agentkit.models.request import Request

WORDS = "Answer with one JSON object and nothing else."
"""What is added to the instructions."""


def with_the_word(request: Request) -> Request:
    """The request, with `WORDS` in its instructions if it asks for JSON output without speaking of JSON."""
    wanted = request.settings.response_format
    if wanted is None or wanted.get("type") != "json_object":
        return request
    instructions = request.instructions or ""
    if "json" in instructions.lower():
        return request
    for message in request.transcript.messages():
        if isinstance(message, Assistant):
            break
        if "json" in message.text.lower():
            return request
    return replace(request, instructions=f"{instructions}\n\n{WORDS}" if instructions else WORDS)
