"""JSON output: the word that it needs, and answers of a type for models that have it but no function calling.

It needs the word: a prompt without "json" in some form is refused (HTTP 400; WIRE section 3).

So where nobody says it the instructions do. Only what stands before the model's first message is looked at: what is
added must not come and go as a run grows, since the endpoint's cache is paid for by the byte.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from agentkit.messages import Assistant
from agentkit.models.request import Request
from agentkit.models.rows import ModelRow

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


def with_the_schema(request: Request, row: ModelRow) -> Request:
    """The request, asking for the answer as JSON in words where the model has JSON output but no function calling.

    Only where the answer's tool is the only one: with others, all of them are told in words.
    """
    settings = request.settings
    if request.final is None or row.tools or len(request.tools) != 1 or "json_object" not in row.formats:
        return request
    if settings.response_format is not None:
        return request
    schema = request.tools[0].schema
    shown = json.dumps(schema, ensure_ascii=False), json.dumps(example(schema), ensure_ascii=False)
    words = f"{WORDS} It follows this JSON Schema:\n{shown[0]}\nFor example, with values of your own:\n{shown[1]}"
    return replace(
        request,
        tools=(),
        final=None,
        instructions=f"{request.instructions}\n\n{words}" if request.instructions else words,
        settings=replace(settings, response_format={"type": "json_object"}, tool_choice=None),
    )


def example(schema: Mapping[str, Any]) -> Any:
    """A small value of the form that a schema describes; what it says beside types may not hold of it."""
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    for key in ("enum", "examples"):
        if schema.get(key):
            return schema[key][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return example(schema[key][0])
    kind = schema.get("type")
    if kind == "object":
        properties = cast("dict[str, Mapping[str, Any]]", schema.get("properties", {}))
        return {name: example(one) for name, one in properties.items()}
    if kind == "array":
        items = cast("list[Mapping[str, Any]]", schema.get("prefixItems") or [schema.get("items") or {}])
        return [example(one) for one in items]
    return {"string": "…", "integer": 1, "number": 1.5, "boolean": True}.get(cast("str", kind))
