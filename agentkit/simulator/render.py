"""A written reply as bytes: one JSON body, or a stream of events (WIRE sections 4 and 5).

The two renderers write the parts that repeat once and join strings, since a JSON encoder would spend most of its time
on keys that never change. Only texts go through an encoder, which leaves non-ASCII characters as they are, as the
endpoint does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from json.encoder import encode_basestring as quoted

from agentkit.simulator.plan import Written


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is the same for every chunk of a reply."""

    id: str
    created: int
    model: str
    fingerprint: str
    call_ids: tuple[str, ...]


def usage(written: Written, prompt_tokens: int, cached: int, *, thinking: bool) -> str:
    """The usage object: prompt tokens are hits and misses, reasoning is a part of the completion."""
    completion = written.completion_tokens
    reasoning = f'"completion_tokens_details":{{"reasoning_tokens":{written.reasoning_tokens}}},' if thinking else ""
    return (
        f'{{"prompt_tokens":{prompt_tokens},"completion_tokens":{completion},'
        f'"total_tokens":{prompt_tokens + completion},"prompt_tokens_details":{{"cached_tokens":{cached}}},{reasoning}'
        f'"prompt_cache_hit_tokens":{cached},"prompt_cache_miss_tokens":{prompt_tokens - cached}}}'
    )


def whole(envelope: Envelope, written: Written, usage_object: str, *, thinking: bool) -> bytes:
    """The body of a reply that is not streamed. Keys without a value are absent, not null."""
    content = "".join([piece.text for piece in written.pieces if piece.kind == "text"])
    message = f'{{"role":"assistant","content":{quoted(content)}'
    if thinking:
        reasoning = "".join([piece.text for piece in written.pieces if piece.kind == "reasoning"])
        message += f',"reasoning_content":{quoted(reasoning)}'
    calls = _whole_calls(envelope, written)
    if calls:
        message += f',"tool_calls":[{",".join(calls)}]'
    return (
        f'{{"id":"{envelope.id}","object":"chat.completion","created":{envelope.created},'
        f'"model":{quoted(envelope.model)},"choices":[{{"index":0,"message":{message}}},"logprobs":null,'
        f'"finish_reason":"{written.finish_reason}"}}],"usage":{usage_object},'
        f'"system_fingerprint":{quoted(envelope.fingerprint)}}}'
    ).encode("utf-8", "replace")


def _whole_calls(envelope: Envelope, written: Written) -> list[str]:
    arguments: dict[int, list[str]] = {}
    names: dict[int, str] = {}
    for piece in written.pieces:
        if piece.kind == "call":
            names[piece.call] = piece.text
            arguments[piece.call] = []
        elif piece.kind == "arguments":
            arguments[piece.call].append(piece.text)
    return [
        f'{{"index":{number},"id":"{envelope.call_ids[number]}","type":"function",'
        f'"function":{{"name":{quoted(name)},"arguments":{quoted("".join(arguments[number]))}}}}}'
        for number, name in names.items()
    ]


def events(
    envelope: Envelope, written: Written, usage_object: str, *, thinking: bool, include_usage: bool
) -> Iterator[bytes]:
    """The events of a streamed reply, one piece in each, `[DONE]` last. Usage rides on the finish chunk."""
    head = (
        f'data: {{"id":"{envelope.id}","object":"chat.completion.chunk","created":{envelope.created},'
        f'"model":{quoted(envelope.model)},"system_fingerprint":{quoted(envelope.fingerprint)},'
        '"choices":[{"index":0,"delta":'
    )
    tail = ',"logprobs":null,"finish_reason":null}]' + (',"usage":null}\n\n' if include_usage else "}\n\n")
    first = (
        '{"role":"assistant","content":null,"reasoning_content":""}'
        if thinking
        else '{"role":"assistant","content":""}'
    )
    yield f"{head}{first}{tail}".encode("utf-8", "replace")
    after_text = ',"reasoning_content":null}' if thinking else "}"
    for kind, text, _, call in written.pieces:
        if kind == "markup":
            continue
        if kind == "reasoning":
            delta = f'{{"content":null,"reasoning_content":{quoted(text)}}}'
        elif kind == "text":
            delta = f'{{"content":{quoted(text)}{after_text}'
        elif kind == "arguments":
            delta = f'{{"tool_calls":[{{"index":{call},"function":{{"arguments":{quoted(text)}}}}}]}}'
        else:
            delta = (
                f'{{"tool_calls":[{{"index":{call},"id":"{envelope.call_ids[call]}","type":"function",'
                f'"function":{{"name":{quoted(text)},"arguments":""}}}}]}}'
            )
        yield f"{head}{delta}{tail}".encode("utf-8", "replace")
    end = f',"logprobs":null,"finish_reason":"{written.finish_reason}"}}],"usage":{usage_object}}}\n\n'
    yield f'{head}{{"content":""{after_text}{end}'.encode("utf-8", "replace")
    yield b"data: [DONE]\n\n"
