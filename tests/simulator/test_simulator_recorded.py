"""Recorded exchanges as judges: what DeepSeek accepted and refused, and the bytes it answered with.

The brain is made to say what the recorded reply says, so that everything else can be compared.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from simulator_requests import RECORDED

from agentkit.simulator import Simulator
from agentkit.simulator.brains import Call, Plan

pytestmark = pytest.mark.skipif(not RECORDED.is_dir(), reason="needs ../shared")

ORIGIN = "https://api.deepseek.com"
RAW = ("ruby_llm__", "vercel-ai__")
"""Recordings whose bytes were kept; the others had their keys sorted."""


def exchanges() -> list[Path]:
    """The chat completions that DeepSeek's own host answered, with their requests."""
    found: list[Path] = []
    for folder in sorted(RECORDED.iterdir()) if RECORDED.is_dir() else []:
        file = folder / "request.json"
        if not file.exists():
            continue
        request = json.loads(file.read_text())
        masked = "<MASSIVE_TEXT>" in file.read_text()  # the text that was too long is not in the recording
        ours = str(request.get("url", "")).startswith(ORIGIN) and "chat/completions" in request["url"]
        if ours and isinstance(request.get("body"), dict) and not masked:
            found.append(folder)
    return found


EXCHANGES = exchanges()


def recorded(folder: Path) -> tuple[int, str]:
    """Status and body of a recorded reply."""
    body = next(folder / name for name in ("response.json", "response.sse") if (folder / name).exists())
    return json.loads((folder / "response_meta.json").read_text())["status"], body.read_text()


def events(body: str) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in body.splitlines() if line.startswith("data: {")]


def said(status: int, body: str) -> Plan:
    """What a recorded reply says, as a plan; nothing for an error."""
    if status != 200:
        return Plan()
    if body.startswith("{"):
        choice = json.loads(body)["choices"][0]
        message = choice["message"]
        calls = [(call["function"]["name"], call["function"]["arguments"]) for call in message.get("tool_calls", ())]
        finish, content, reasoning = choice["finish_reason"], message["content"], message.get("reasoning_content")
    else:
        content = reasoning = finish = ""
        calls: list[Any] = []
        for event in events(body):
            delta = event["choices"][0]["delta"]
            content += delta.get("content") or ""
            reasoning += delta.get("reasoning_content") or ""
            finish = event["choices"][0]["finish_reason"] or finish
            for part in delta.get("tool_calls", ()):
                if "name" in part["function"]:
                    calls.append([part["function"]["name"], ""])
                calls[-1][1] += part["function"]["arguments"]
    return Plan(content or "", tuple(Call(name, text) for name, text in calls), reasoning or "", finish)


def replayed(folder: Path) -> tuple[int, str, int, str]:
    """A recorded exchange and the simulator's: status, body, status, body."""
    request = json.loads((folder / "request.json").read_text())
    status, body = recorded(folder)
    simulator = Simulator("deepseek-v4", brain=lambda _: said(status, body), key="sk-good")
    key = "sk-bad-key" if status == 401 else "sk-good"
    data = json.dumps(request["body"], ensure_ascii=False).encode()
    path = request["url"].removeprefix(ORIGIN)
    reply = simulator.handle(request["method"], path, {"authorization": f"Bearer {key}"}, data)
    return status, body, reply.status, reply.body.decode()


def test_there_are_recordings_to_judge_by() -> None:
    assert len(EXCHANGES) >= 200


@pytest.mark.parametrize("folder", EXCHANGES, ids=lambda folder: folder.name)
def test_the_simulator_accepts_and_refuses_as_the_endpoint_did(folder: Path) -> None:
    status, body, our_status, ours = replayed(folder)
    assert our_status == status, ours
    if status != 200:
        error, our_error = json.loads(body)["error"], json.loads(ours)["error"]
        assert re.sub(r"\d+", "N", our_error.pop("message")) == re.sub(r"\d+", "N", error.pop("message"))
        assert our_error == error


def faceless(body: Any) -> Any:
    """A reply without what differs from one to the next: ids, times, names of builds, counts of tokens."""
    if isinstance(body, dict):
        return {
            key: type(value).__name__
            if key in ("id", "created", "system_fingerprint", "model") or isinstance(value, int)
            else faceless(value)
            for key, value in body.items()
            if key != "logprobs"  # not simulated yet: always null
        }
    return [faceless(item) for item in body] if isinstance(body, list) else body


WHOLE = [folder for folder in EXCHANGES if recorded(folder)[0] == 200 and recorded(folder)[1].startswith("{")]
STREAMED = [folder for folder in EXCHANGES if recorded(folder)[0] == 200 and not recorded(folder)[1].startswith("{")]


@pytest.mark.parametrize("folder", WHOLE, ids=lambda folder: folder.name)
def test_a_whole_reply_equals_the_recorded_one_but_for_ids_and_counts(folder: Path) -> None:
    _, body, _, ours = replayed(folder)
    theirs, mine = faceless(json.loads(body)), faceless(json.loads(ours))
    assert mine == theirs
    if folder.name.startswith(RAW):  # key for key in order, without looking at white space
        assert json.dumps(mine) == json.dumps(theirs)


def grammar(stream: list[dict[str, Any]]) -> list[str]:
    """The kinds of chunks in a stream, repeats folded: the keys of each delta, and the call that it belongs to."""
    kinds: list[str] = []
    for event in stream:
        choice = event["choices"][0]
        delta = choice["delta"]
        kind = ",".join(
            sorted(f"{key}:{'null' if value is None else type(value).__name__}" for key, value in delta.items())
        )
        for part in delta.get("tool_calls", ()):
            kind += f" {part['index']} {sorted(part)} {sorted(part['function'])}"
        kind += f" {choice['finish_reason']} {'usage' in event} {bool(event.get('usage'))}"
        if not kinds or kinds[-1] != kind:
            kinds.append(kind)
    return kinds


@pytest.mark.parametrize("folder", STREAMED, ids=lambda folder: folder.name)
def test_a_stream_has_the_grammar_of_the_recorded_one(folder: Path) -> None:
    _, body, _, ours = replayed(folder)
    theirs, mine = events(body), events(ours)
    assert grammar(mine) == grammar(theirs)
    assert mine[-1]["usage"].keys() == theirs[-1]["usage"].keys()
    assert ours.endswith("data: [DONE]\n\n")
    if folder.name.startswith(RAW):
        assert list(mine[0]) == list(theirs[0])
        assert [list(event["choices"][0]["delta"]) for event in (mine[0], mine[-1])] == [
            list(event["choices"][0]["delta"]) for event in (theirs[0], theirs[-1])
        ]


def test_the_token_count_is_near_the_recorded_one() -> None:
    """What docs/guides/simulator.md says of the count: near in sum, each within a factor that most of them keep."""
    prompts: list[float] = []
    completions: list[float] = []
    for folder in WHOLE:
        _, body, _, ours = replayed(folder)
        theirs, mine = json.loads(body)["usage"], json.loads(ours)["usage"]
        prompts.append(mine["prompt_tokens"] / theirs["prompt_tokens"])
        completions.append(mine["completion_tokens"] / theirs["completion_tokens"])
    for ratios in (sorted(prompts), sorted(completions)):
        tenth = len(ratios) // 10
        assert ratios[tenth] > 0.75
        assert 0.95 < ratios[len(ratios) // 2] < 1.05
        assert ratios[-tenth] < 1.2
