"""A written reply as bytes: one JSON body, or a stream of events (WIRE sections 4, 5 and 9).

A stream is written with strings, since a JSON encoder would spend most of its time on keys that never change. Only
texts go through an encoder, which leaves non-ASCII characters as they are, as the endpoint does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from json.encoder import encode_basestring as quoted
from typing import Any

from agentkit.simulator.logprobs import Entry
from agentkit.simulator.plan import Piece, Written
from agentkit.simulator.refusal import encoded
from agentkit.simulator.wire import Wire


@dataclass(frozen=True, slots=True)
class Envelope:
    """What does not depend on what is said.

    Attributes:
        id: The reply's id.
        created: Seconds since the epoch.
        model: The model that served.
        fingerprint: The `system_fingerprint`; `None`: no such key.
        call_ids: An id for each call.
        wire: The habits of the server.
        thinking: Whether the reply has reasoning, if only an empty one.
        entry: Makes log probabilities, where they were asked for.
    """

    id: str
    created: int
    model: str
    fingerprint: str | None
    call_ids: tuple[str, ...]
    wire: Wire
    thinking: bool
    entry: Entry | None = None


def usage(written: Written, prompt_tokens: int, cached: int, wire: Wire, *, thinking: bool) -> dict[str, Any]:
    """The usage object: prompt tokens are hits and misses, reasoning is a part of the completion."""
    completion = written.completion_tokens
    counted: dict[str, Any] = {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion,
        "total_tokens": prompt_tokens + completion,
    }
    if wire.routed:
        return counted | _routed_usage(written, prompt_tokens, cached)
    if wire.sorted:
        counted = dict(sorted(counted.items()))
    if wire.cached_tokens:
        counted["prompt_tokens_details"] = {"cached_tokens": cached}
    if wire.reasoning_tokens and thinking:
        counted["completion_tokens_details"] = {"reasoning_tokens": written.reasoning_tokens}
    if wire.cache_fields:
        counted["prompt_cache_hit_tokens"] = cached
        counted["prompt_cache_miss_tokens"] = prompt_tokens - cached
    return counted


def _routed_usage(written: Written, prompt_tokens: int, cached: int) -> dict[str, Any]:
    """OpenRouter's additions (recorded); the prices are invented."""
    upstream = {"prompt": prompt_tokens * 2.5e-7, "completions": written.completion_tokens * 4e-7}
    return {
        "prompt_tokens_details": {
            "audio_tokens": 0,
            "cache_write_tokens": 0,
            "cached_tokens": cached,
            "video_tokens": 0,
        },
        "completion_tokens_details": {
            "audio_tokens": 0,
            "image_tokens": 0,
            "reasoning_tokens": written.reasoning_tokens,
        },
        "cost": sum(upstream.values()),
        "cost_details": {
            "upstream_inference_cost": sum(upstream.values()),
            **{f"upstream_inference_{name}_cost": cost for name, cost in upstream.items()},
        },
        "is_byok": False,
    }


def _timings(counted: Mapping[str, Any]) -> dict[str, Any]:
    """llama.cpp's `timings` (recorded); the machine is an invented one that takes 5 ms for a token."""
    cached = counted["prompt_tokens_details"]["cached_tokens"]
    timings: dict[str, Any] = {"cache_n": cached}
    for name, number, each in (
        ("prompt", counted["prompt_tokens"] - cached, 1.0),
        ("predicted", counted["completion_tokens"], 5.0),
    ):
        timings |= {
            f"{name}_n": number,
            f"{name}_ms": number * each,
            f"{name}_per_token_ms": each,
            f"{name}_per_second": 1_000.0 / each,
        }
    return timings


def _texts(written: Written, kind: str) -> str:
    return "".join([piece.text for piece in written.pieces if piece.kind == kind])


# ── Whole ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def whole(envelope: Envelope, written: Written, counted: Mapping[str, Any]) -> bytes:
    """The body of a reply that is not streamed. Keys without a value are absent, not null."""
    wire = envelope.wire
    choice: dict[str, Any] = {"index": 0, "message": _message(envelope, written)}
    logs = _whole_logprobs(envelope, written)
    if wire.logprobs or logs:
        choice["logprobs"] = logs
    choice["finish_reason"] = written.finish_reason
    body: dict[str, Any] = {
        "id": envelope.id,
        "object": "chat.completion",
        "created": envelope.created,
        "model": envelope.model,
        "choices": [_in_order(choice, wire)],
        "usage": counted,
    }
    if envelope.fingerprint is not None:
        body["system_fingerprint"] = envelope.fingerprint
    if wire.routed:
        choice["native_finish_reason"] = written.finish_reason
        body |= {"provider": "Simulator", "service_tier": None, "system_fingerprint": None, "choices": [choice]}
    if wire.timings:
        body["timings"] = _timings(counted)
    if wire.sorted:
        body = {"id": body.pop("id"), **_in_order(body, wire)}
    if wire.note and written.finish_reason == "stop":
        body["note"] = wire.note
    return encoded(body)


def _in_order(body: dict[str, Any], wire: Wire) -> dict[str, Any]:
    return dict(sorted(body.items())) if wire.sorted else body


def _message(envelope: Envelope, written: Written) -> dict[str, Any]:
    wire = envelope.wire
    calls = _calls(envelope, written)
    content: str | None = _texts(written, "text")
    if not content and (calls or wire.routed):
        content = wire.content_beside_calls
    message: dict[str, Any] = {"role": "assistant", "content": content}
    if wire.routed:
        message |= {"refusal": None, "reasoning": None}
    reasoning = _texts(written, "reasoning")
    if envelope.thinking and (reasoning or wire.both_texts):
        message[wire.reasoning] = reasoning
        if wire.routed:
            detail = {"type": "reasoning.text", "text": reasoning, "format": "unknown", "index": 0}
            message["reasoning_details"] = [detail]
    if calls:
        message["tool_calls"] = calls
    return _in_order(message, wire)


def _calls(envelope: Envelope, written: Written) -> list[dict[str, Any]]:
    arguments: dict[int, list[str]] = {}
    names: dict[int, str] = {}
    for piece in written.pieces:
        if piece.kind == "call":
            names[piece.call] = piece.text
            arguments[piece.call] = []
        elif piece.kind == "arguments":
            arguments[piece.call].append(piece.text)
    wire = envelope.wire
    calls: list[dict[str, Any]] = []
    for number, name in names.items():
        call: dict[str, Any] = {"index": number} if wire.call_index else {}
        function = {"name": name, "arguments": "".join(arguments[number])}
        call |= {"id": envelope.call_ids[number], "type": "function", "function": _in_order(function, wire)}
        calls.append(call)
    return calls


def _whole_logprobs(envelope: Envelope, written: Written) -> dict[str, Any] | None:
    if envelope.entry is None:
        return None
    found: dict[str, list[Any]] = {}
    place = 0
    for piece in written.pieces:
        if piece.kind in _LOGGED:
            found.setdefault(_LOGGED[piece.kind], []).append(json.loads(envelope.entry(place, piece.text)))
        place += piece.cost
    return dict(sorted(found.items())) or None


_LOGGED = {"text": "content", "reasoning": "reasoning_content"}
"""Under which key of `logprobs` the tokens of a piece stand (recorded of V4)."""


# ── Streamed ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def events(envelope: Envelope, written: Written, counted: Mapping[str, Any], *, include_usage: bool) -> Iterator[bytes]:
    """The events of a streamed reply, one piece in each, `[DONE]` last.

    Args:
        envelope: What does not depend on what is said.
        written: What is said.
        counted: The usage object.
        include_usage: Whether the request asks for usage.
    """
    wire = envelope.wire
    head = _head(envelope)
    null = ',"usage":null' if include_usage and wire.usage_nulls else ""
    native = ',"native_finish_reason":null' if wire.routed else ""
    silent = ',"logprobs":null' if wire.logprobs else ""
    tail = f"{native}}}]{null}}}\n\n"
    yield f'{head}[{{"index":0,"delta":{_first(envelope)}{silent},"finish_reason":null{tail}'.encode()
    place = 0
    for piece, delta in _deltas(envelope, written):
        logs = silent
        if envelope.entry is not None and piece.kind in _LOGGED:
            logs = f',"logprobs":{{"{_LOGGED[piece.kind]}":[{envelope.entry(place, piece.text)}]}}'
        place += piece.cost
        if delta:
            text = f'{head}[{{"index":0,"delta":{delta}{logs},"finish_reason":null{tail}'
            yield text.encode("utf-8", "replace")
    yield from _ending(envelope, written, counted, include_usage)


def _head(envelope: Envelope) -> str:
    fingerprint = "" if envelope.fingerprint is None else f'"system_fingerprint":{quoted(envelope.fingerprint)},'
    provider = '"provider":"Simulator",' if envelope.wire.routed else ""
    return (
        f'data: {{"id":"{envelope.id}",{provider}"object":"chat.completion.chunk","created":{envelope.created},'
        f'"model":{quoted(envelope.model)},{fingerprint}"choices":'
    )


def _first(envelope: Envelope) -> str:
    wire = envelope.wire
    if wire.both_texts and envelope.thinking:
        return f'{{"role":"assistant","content":{json.dumps(wire.opening_thinking)},"{wire.reasoning}":""}}'
    return f'{{"role":"assistant","content":{json.dumps(wire.opening)}}}'


def _deltas(envelope: Envelope, written: Written) -> Iterator[tuple[Piece, str]]:
    """Each piece and the delta that carries it; nothing for what is not seen."""
    wire = envelope.wire
    both = wire.both_texts and envelope.thinking
    before = '"content":null,' if both else ""
    after = f',"{wire.reasoning}":null' if both else ""
    pieces, openings = _regrouped(written, wire)
    names: dict[int, str] = {}
    for piece in pieces:
        kind, text, _, call = piece
        if kind == "reasoning":
            yield piece, f'{{{before}"{wire.reasoning}":{quoted(text)}}}'
        elif kind == "text":
            yield piece, f'{{"content":{quoted(text)}{after}}}'
        elif kind == "call":
            names[call] = text
            yield piece, _call_delta(envelope, call, text, openings.get(call, ""))
        elif kind == "arguments" and wire.repeated:
            yield piece, _call_delta(envelope, call, names[call], text)
        elif kind == "arguments":
            yield piece, f'{{"tool_calls":[{{"index":{call},"function":{{"arguments":{quoted(text)}}}}}]}}'
        else:
            yield piece, ""


def _call_delta(envelope: Envelope, call: int, name: str, arguments: str) -> str:
    return (
        f'{{"tool_calls":[{{"index":{call},"id":"{envelope.call_ids[call]}","type":"function",'
        f'"function":{{"name":{quoted(name)},"arguments":{quoted(arguments)}}}}}]}}'
    )


def _regrouped(written: Written, wire: Wire) -> tuple[list[Piece], dict[int, str]]:
    """The pieces, and for each call the arguments that stand in its opener where a server writes them there."""
    openings: dict[int, str] = {}
    if wire.opener == "empty":
        return written.pieces, openings
    rest: list[Piece] = []
    for piece in written.pieces:
        if piece.kind != "arguments" or (wire.opener == "first" and piece.call in openings):
            rest.append(piece)
        elif wire.opener == "first" and piece.text == "{}":  # a call without arguments comes in two (recorded)
            openings[piece.call] = "{"
            rest.append(piece._replace(text="}"))
        else:
            openings[piece.call] = openings.get(piece.call, "") + piece.text
    return rest, openings


def _ending(envelope: Envelope, written: Written, counted: Mapping[str, Any], include_usage: bool) -> Iterator[bytes]:
    wire, head = envelope.wire, _head(envelope)
    if wire.last_delta is None:
        delta = "{}"
    elif wire.both_texts and envelope.thinking:
        delta = f'{{"content":"","{wire.reasoning}":null}}'
    else:
        delta = '{"content":""}'
    silent = ',"logprobs":null' if wire.logprobs else ""
    native = f',"native_finish_reason":"{written.finish_reason}"' if wire.routed else ""
    end = f'[{{"index":0,"delta":{delta}{silent},"finish_reason":"{written.finish_reason}"{native}}}]'
    body = json.dumps(counted, separators=(",", ":"))
    timings = f',"timings":{json.dumps(_timings(counted), separators=(",", ":"))}' if wire.timings else ""
    if wire.usage == "finish":
        yield f'{head}{end},"usage":{body}{timings}}}\n\n'.encode("utf-8", "replace")
    elif wire.usage == "asked" and not include_usage:
        yield f"{head}{end}{timings}}}\n\n".encode("utf-8", "replace")
    else:
        null = ',"usage":null' if include_usage and wire.usage_nulls else ""
        yield f"{head}{end}{null}}}\n\n".encode("utf-8", "replace")
        yield f'{head}[],"usage":{body}{timings}}}\n\n'.encode("utf-8", "replace")
    yield b"data: [DONE]\n\n"
