"""Faults of the JSON: keys that are missing, repeated, named otherwise or of another type (WIRE section 9).

They work on the reply's own JSON, so that they fit whatever a profile writes. Each gives a function for one reply,
which is called with every JSON object of it (the body, or each chunk in turn) and the message or delta in that, and
says whether the object is sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from agentkit.simulator.faults.kinds import Change, Draw, Json
from agentkit.simulator.reply import Reply, Step


def reshaped(reply: Reply, changes: Sequence[Change]) -> Iterable[Step]:
    """The steps of a reply, with its JSON changed."""
    if reply.streamed:
        return _stream(reply.steps, changes)
    body: Json = json.loads(reply.body)
    _changed(body, changes)
    return (_bytes(body),)


def _stream(steps: Iterable[Step], changes: Sequence[Change]) -> Iterator[Step]:
    for step in steps:
        if not isinstance(step, bytes) or not step.startswith(b"data: {"):
            yield step
            continue
        chunk: Json = json.loads(step[6:])
        if _changed(chunk, changes):
            yield b"data: " + _bytes(chunk) + b"\n\n"


def _changed(body: Json, changes: Sequence[Change]) -> bool:
    choice: Json = body["choices"][0] if body.get("choices") else {}
    said: Json = choice["delta"] if "delta" in choice else choice.get("message", {})
    sent = [change(body, said) for change in changes]
    return all(sent)


def _bytes(value: Json) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _calls(said: Json) -> list[Json]:
    return said.get("tool_calls") or []


def _is_last(body: Json) -> bool:
    return any(choice.get("finish_reason") for choice in body.get("choices", ()))


# ── Calls ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def object_arguments(draw: Draw) -> Change:
    """`arguments` is an object. In a stream it comes whole, with the chunk that opens the call."""
    plan = draw.exchange.plan
    whole = [call.arguments for call in plan.calls] if plan else []
    opened: set[int] = set()  # some servers repeat the name in each fragment

    def change(_: Json, said: Json) -> bool:
        named = [(int(call.get("index", n)), call) for n, call in enumerate(_calls(said)) if "name" in call["function"]]
        kept = [(place, call) for place, call in named if place not in opened]
        for place, call in kept:
            opened.add(place)
            text = whole[place]
            try:
                call["function"]["arguments"] = json.loads(text)
            except ValueError:
                call["function"]["arguments"] = text
        return bool(kept) or not _calls(said)

    return change


def missing_ids(draw: Draw) -> Change:
    """No `id`: the key is absent, or its value is null or empty."""
    instead = {"null": None, "empty": ""}

    def change(_: Json, said: Json) -> bool:
        for call in _calls(said):
            if "id" in call:
                if draw.options["as"] == "absent":
                    del call["id"]
                else:
                    call["id"] = instead[draw.options["as"]]
        return True

    return change


def duplicate_ids(_: Draw) -> Change:
    """All calls have the id of the first."""
    first: list[str] = []

    def change(_: Json, said: Json) -> bool:
        for call in _calls(said):
            if "id" in call:
                first.append(call["id"])
                call["id"] = first[0]
        return True

    return change


def repeated_ids(_: Draw) -> Change:
    """Each fragment of a stream repeats id, type and name."""
    opened: dict[int, Json] = {}

    def change(_: Json, said: Json) -> bool:
        said["tool_calls"] = [_with_head(call, opened) for call in _calls(said)]
        if not said["tool_calls"]:
            del said["tool_calls"]
        return True

    return change


def _with_head(call: Json, opened: dict[int, Json]) -> Json:
    if "name" in call["function"]:
        opened[call["index"]] = call
        return call
    head = opened[call["index"]]
    function = {"name": head["function"]["name"], "arguments": call["function"]["arguments"]}
    return {"index": call["index"], "id": head["id"], "type": head["type"], "function": function}


def same_index(_: Draw) -> Change:
    """All calls have index 0."""

    def change(_: Json, said: Json) -> bool:
        for call in _calls(said):
            call["index"] = 0
        return True

    return change


def empty_calls(draw: Draw) -> Change:
    """`tool_calls` is an empty list."""

    def change(body: Json, said: Json) -> bool:
        if _is_last(body):
            said["tool_calls"] = []
        return True

    del draw
    return change


# ── Reasoning, usage, chunks ─────────────────────────────────────────────────────────────────────────────────────────


def reasoning_key(draw: Draw) -> Change:
    """The reasoning under another key."""
    key: str = draw.options["key"]

    def change(_: Json, said: Json) -> bool:
        items = list(said.items())
        said.clear()
        for name, value in items:
            if name not in ("reasoning_content", "reasoning"):
                said[name] = value
            elif key == "reasoning_details":
                said[key] = [{"type": "reasoning.text", "text": value}] if value else []
            else:
                said[key] = value
        return True

    return change


def no_reasoning_key(_: Draw) -> Change:
    """No `reasoning_content` at all."""

    def change(_: Json, said: Json) -> bool:
        said.pop("reasoning_content", None)
        said.pop("reasoning", None)
        return True

    return change


def no_tokens(_: Draw) -> Change:
    """Usage says that nothing was written."""

    def change(body: Json, _: Json) -> bool:
        usage: Json = body.get("usage") or {}
        if usage:
            usage["completion_tokens"], usage["total_tokens"] = 0, usage["prompt_tokens"]
            usage.pop("completion_tokens_details", None)
        return True

    return change


def no_usage(_: Draw) -> Change:
    """No `usage`."""

    def change(body: Json, _: Json) -> bool:
        body.pop("usage", None)
        return True

    return change


def no_delta(_: Draw) -> Change:
    """The last chunk has no `delta`."""

    def change(body: Json, _: Json) -> bool:
        if _is_last(body):
            body["choices"][0].pop("delta", None)
        return True

    return change
