"""Filling in the middle: `POST /beta/completions` (WIRE section 3, "FIM")."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from json.encoder import encode_basestring as quoted
from typing import Any

from agentkit.simulator import tokens
from agentkit.simulator.logprobs import Entry
from agentkit.simulator.plan import Written
from agentkit.simulator.profiles import Profile, Served
from agentkit.simulator.refusal import Refusal, encoded
from agentkit.simulator.request import read_stop
from agentkit.simulator.serde import a_boolean, a_number, a_string, an_integer, an_object, missing, read

DEFAULT_TOKENS = 4_096
"""The budget where `max_tokens` is not sent; the documents give it as the most, too, which is not checked here."""


@dataclass(frozen=True, slots=True)
class Fim:
    """A request to fill in what stands between `prompt` and `suffix`, its types checked and nothing else."""

    model: str
    prompt: str
    suffix: str = ""
    echo: bool = False
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    logprobs: int | None = None
    stop: tuple[str, ...] = ()
    stream: bool = False
    include_usage: bool = False


def read_fim(body: bytes, profile: Profile) -> Fim:
    """Read the body of `POST /beta/completions`.

    Raises:
        Refusal: It is not JSON, or does not fit; see `agentkit.simulator.serde.read`.
    """
    return read(body, profile, "CompletionRequest", _fim)


def _fim(body: dict[str, Any], _: Profile) -> Fim:
    for name in ("model", "prompt"):
        if name not in body:
            missing(name, ())
    options = body.get("stream_options")
    path = ("stream_options",)
    return Fim(
        model=a_string(body["model"], ("model",)),
        prompt=a_string(body["prompt"], ("prompt",)),
        suffix="" if body.get("suffix") is None else a_string(body["suffix"], ("suffix",)),
        echo=a_boolean(body, "echo"),
        max_tokens=an_integer(body, "max_tokens"),
        temperature=a_number(body, "temperature"),
        top_p=a_number(body, "top_p"),
        logprobs=an_integer(body, "logprobs"),
        stop=read_stop(body.get("stop")),
        stream=a_boolean(body, "stream"),
        include_usage=options is not None
        and a_boolean(an_object(options, "struct StreamOptions", path), "include_usage", path),
    )


def check(fim: Fim, profile: Profile) -> Served:
    """The model that fills in, once the request is found sound. Texts without a place in WIRE are ours.

    Raises:
        Refusal: It is not.
    """
    served = profile.served(fim.model)
    if served is None:
        names = " or ".join(reversed(profile.listed))
        raise profile.refusal("model", names=names, model=fim.model)
    if not served.fim:
        raise Refusal(f"{fim.model} does not support FIM completion")
    if fim.max_tokens is not None and not 1 <= fim.max_tokens <= served.max_tokens:
        raise Refusal(f"Invalid max_tokens value, the valid range of max_tokens is [1, {served.max_tokens}]")
    if fim.temperature is not None and not 0 <= fim.temperature <= 2:
        raise Refusal("temperature must be in [0, 2]")
    if fim.top_p is not None and not 0 < fim.top_p <= 1:
        raise Refusal("top_p must be in (0, 1]")
    if fim.logprobs is not None and not 0 <= fim.logprobs <= 20:
        raise Refusal("Invalid logprobs value, the valid range of logprobs is [0, 20]")
    if len(fim.stop) > profile.max_stops:
        raise Refusal(f"ChatCompletionStopSequences string array too long: {len(fim.stop)}")
    return served


def prompt_tokens(fim: Fim) -> list[str]:
    """The prompt as the model is shown it: both sides, each behind its marker."""
    return ["<begin>", "<fim_begin>", *tokens.split(fim.prompt), "<fim_hole>", *tokens.split(fim.suffix), "<fim_end>"]


@dataclass(frozen=True, slots=True)
class Envelope:
    """What does not depend on what is filled in; see `agentkit.simulator.render.Envelope`."""

    id: str
    created: int
    model: str
    fingerprint: str
    entry: Entry | None = None


def _logprobs(envelope: Envelope, texts: list[str], start: int, offset: int) -> str:
    """Log probabilities in the form that completions have had since before chat: four lists (our reading)."""
    if envelope.entry is None:
        return "null"
    found: dict[str, list[Any]] = {"text_offset": [], "token_logprobs": [], "tokens": [], "top_logprobs": []}
    for place, text in enumerate(texts):
        entry: Mapping[str, Any] = json.loads(envelope.entry(start + place, text))
        found["text_offset"].append(offset)
        found["token_logprobs"].append(entry["logprob"])
        found["tokens"].append(text)
        found["top_logprobs"].append({other["token"]: other["logprob"] for other in entry["top_logprobs"]})
        offset += len(text)
    return json.dumps(found, ensure_ascii=False, separators=(",", ":"))


def whole(envelope: Envelope, fim: Fim, written: Written, usage: Mapping[str, Any]) -> bytes:
    """The body of a completion that is not streamed."""
    texts = [piece.text for piece in written.pieces]
    text = (fim.prompt if fim.echo else "") + "".join(texts)
    logs = _logprobs(envelope, texts, 0, len(text) - sum(map(len, texts)))
    choice = {
        "text": text,
        "index": 0,
        "logprobs": json.loads(logs),
        "finish_reason": written.finish_reason,
    }
    return encoded(
        {
            "id": envelope.id,
            "object": "text_completion",
            "created": envelope.created,
            "model": envelope.model,
            "choices": [choice],
            "usage": usage,
            "system_fingerprint": envelope.fingerprint,
        }
    )


def events(envelope: Envelope, fim: Fim, written: Written, usage: Mapping[str, Any]) -> Iterator[bytes]:
    """The events of a streamed completion; usage rides on the last, as it does in chats."""
    head = (
        f'data: {{"id":"{envelope.id}","object":"text_completion","created":{envelope.created},'
        f'"model":{quoted(envelope.model)},"system_fingerprint":{quoted(envelope.fingerprint)},"choices":[{{"text":'
    )
    null = ',"usage":null' if fim.include_usage else ""
    offset = 0
    for place, text in enumerate([fim.prompt] * fim.echo + [piece.text for piece in written.pieces]):
        logs = "null" if fim.echo and not place else _logprobs(envelope, [text], place, offset)
        offset += len(text)
        line = f'{head}{quoted(text)},"index":0,"logprobs":{logs},"finish_reason":null}}]{null}}}\n\n'
        yield line.encode("utf-8", "replace")
    body = json.dumps(usage, separators=(",", ":"))
    end = f'"","index":0,"logprobs":null,"finish_reason":"{written.finish_reason}"}}],"usage":{body}}}\n\n'
    yield f"{head}{end}".encode("utf-8", "replace")
    yield b"data: [DONE]\n\n"
