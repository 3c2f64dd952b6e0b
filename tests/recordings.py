"""The recorded exchanges with real endpoints in ../shared/wire/recorded: listed, classified, read naively.

What a recording is follows by rule from its address, its status and the file of its reply, never from its name. The
naive reading is written apart from agentkit, by the plain text of WIRE sections 4 and 5, to compare with.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(__file__).resolve().parents[1] / ".." / "shared"
FOLDER = SHARED / "wire" / "recorded"
REASON = "needs ../shared"
needs_shared = pytest.mark.skipif(not FOLDER.is_dir(), reason=REASON)


@dataclass(frozen=True, eq=False)
class Exchange:
    """One request and the reply to it.

    Attributes:
        name: Its folder.
        method: The HTTP method.
        url: The address, or what the recording's maker put in its place.
        status: The HTTP status.
        headers: The headers of the reply, one value each.
        request: The body of the request as read from JSON; `None` where it was not kept.
        body: The body of the reply.
        suffix: What the body is: `json`, `sse` or `ndjson`.
    """

    name: str
    method: str
    url: str
    status: int
    headers: dict[str, str]
    request: Any
    body: bytes
    suffix: str

    @property
    def api(self) -> str:
        """What was asked: `completions`, `responses`, `ollama` (its native one) or `other`."""
        if self.url.endswith("/chat/completions") or self.url == "azure":
            return "completions"
        if self.url.endswith("/responses"):
            return "responses"
        return "ollama" if self.url.endswith("/api/chat") else "other"

    @property
    def step(self) -> tuple[str, int]:
        """The name of the recording that it is a part of, and its number in it."""
        stem, _, number = self.name.rpartition("__")
        return (stem, int(number)) if number.isdecimal() else (self.name, 1)

    @property
    def deepseek(self) -> bool:
        """Whether DeepSeek itself answered."""
        return self.url.startswith("https://api.deepseek.com/")

    @property
    def streamed(self) -> bool:
        """Whether the reply is a stream of events."""
        return self.suffix == "sse"


@functools.cache
def exchanges() -> tuple[Exchange, ...]:
    """All of them, by name; none where ../shared is missing."""
    return tuple(_load(path) for path in sorted(FOLDER.iterdir()) if path.is_dir()) if FOLDER.is_dir() else ()


def _load(folder: Path) -> Exchange:
    request = json.loads((folder / "request.json").read_bytes())
    meta = json.loads((folder / "response_meta.json").read_bytes())
    reply = next(folder.glob("response.*"))
    headers = {
        name: value if isinstance(value, str) else ", ".join(value) for name, value in (meta["headers"] or {}).items()
    }
    return Exchange(
        name=folder.name,
        method=request["method"],
        url=request["url"],
        status=meta["status"],
        headers=headers,
        request=request.get("body"),
        body=reply.read_bytes(),
        suffix=reply.suffix[1:],
    )


def completions(*, streamed: bool | None = None, deepseek: bool | None = None) -> list[Exchange]:
    """The chat completions that succeeded, perhaps only the streamed ones or only DeepSeek's (or only the others)."""
    return [
        one
        for one in exchanges()
        if one.api == "completions"
        and one.status == 200
        and streamed in (None, one.streamed)
        and deepseek in (None, one.deepseek)
    ]


def failures() -> list[Exchange]:
    """The requests that an endpoint refused, or failed at."""
    return [one for one in exchanges() if one.status != 200]


def conversations() -> list[list[Exchange]]:
    """Chat completions in which each request after the first sends the calls of the reply before it, answered.

    The steps of a recording lie in folders of one name that are numbered from 1.
    """
    found: list[list[Exchange]] = []
    for one in sorted(completions(), key=lambda one: one.step):
        chain = found[-1] if found and follows(found[-1][-1], one) else []
        if not chain:
            found.append(chain)
        chain.append(one)
    return [chain for chain in found if len(chain) > 1]


def follows(first: Exchange, second: Exchange) -> bool:
    """Whether the second request is the first one's with the calls of its reply and their answers behind it."""
    if not first.request or not second.request or first.step != (second.step[0], second.step[1] - 1):
        return False
    before, after = first.request["messages"], second.request["messages"]
    if len(after) <= len(before) + 1 or after[: len(before)] != before:
        return False
    ids = [call["id"] for call in after[len(before)].get("tool_calls") or ()]
    return bool(ids) and ids == [call["id"] for call in naive(first)["calls"]]


def each(select: Callable[[], list[Exchange]]) -> pytest.MarkDecorator:
    """Run a test with each of these recordings as `recording`; skip it where there is no ../shared."""
    if not FOLDER.is_dir():
        return pytest.mark.parametrize("recording", [pytest.param(None, marks=pytest.mark.skip(reason=REASON))])
    return pytest.mark.parametrize("recording", select(), ids=lambda one: one.name)


def naive(recording: Exchange) -> dict[str, Any]:
    """What a chat completion says: text, reasoning, calls (id, name, arguments), finish, usage, model."""
    if not recording.streamed:
        body = json.loads(recording.body)
        choice = body["choices"][0]
        message = choice["message"]
        calls = [
            {"id": call["id"], "name": call["function"]["name"], "arguments": call["function"]["arguments"]}
            for call in message.get("tool_calls") or []
        ]
        return {
            "text": message.get("content") or "",
            "reasoning": message.get("reasoning_content", message.get("reasoning")),
            "calls": calls,
            "finish": choice["finish_reason"],
            "usage": body.get("usage"),
            "model": body["model"],
        }
    chunks = [
        json.loads(line[5:])
        for line in recording.body.decode().splitlines()
        if line.startswith("data:") and line[5:].strip() != "[DONE]"
    ]
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    deltas = [choice["delta"] for choice in choices]
    thoughts = [delta.get("reasoning_content", delta.get("reasoning")) for delta in deltas]
    thoughts = [thought for thought in thoughts if thought is not None]
    calls: dict[int, dict[str, str]] = {}
    for delta in deltas:
        for part in delta.get("tool_calls") or []:
            call = calls.setdefault(part["index"], {"id": "", "name": "", "arguments": ""})
            call["id"] = call["id"] or part.get("id", "")
            call["name"] = call["name"] or part["function"].get("name", "")
            call["arguments"] += part["function"].get("arguments", "")
    usages = [chunk.get("usage") or (chunk.get("x_groq") or {}).get("usage") for chunk in chunks]
    return {
        "text": "".join(delta.get("content") or "" for delta in deltas),
        "reasoning": "".join(thoughts) if thoughts else None,
        "calls": [calls[index] for index in sorted(calls)],
        "finish": next((choice["finish_reason"] for choice in choices if choice.get("finish_reason")), None),
        "usage": next((usage for usage in reversed(usages) if usage), None),
        "model": next((chunk["model"] for chunk in chunks if chunk["model"]), None),
    }
