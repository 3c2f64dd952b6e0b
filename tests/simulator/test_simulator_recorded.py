"""Recorded exchanges as judges: what real endpoints accepted and refused, and the bytes they answered with.

The brain is made to say what the recorded reply says, so that everything else can be compared. DeepSeek's own
recordings judge the profile of their time, llama.cpp's and OpenRouter's judge theirs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from simulator_requests import RECORDED

from agentkit.simulator import Simulator
from agentkit.simulator.brains import Call, Plan
from agentkit.simulator.endpoints import profile_named
from agentkit.simulator.profiles import Profile

pytestmark = pytest.mark.skipif(not RECORDED.is_dir(), reason="needs ../shared")

PAGE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "simulator.md"
ORIGINS = {"https://api.deepseek.com": "deepseek-v4", "llamacpp:": "llama.cpp", "openrouter:": "openrouter"}
"""Whose recordings judge which profile, by the beginning of their address."""
RAW = ("ruby_llm__", "vercel-ai__")
"""Recordings whose bytes were kept; the others had their keys sorted."""


@dataclass(frozen=True, eq=False)
class Exchange:
    """A chat completion: its folder, the profile that it judges, the request, and the reply."""

    name: str
    profile: str
    path: str
    request: Mapping[str, Any]
    status: int
    body: str

    @property
    def streamed(self) -> bool:
        return not self.body.lstrip().startswith("{")

    @property
    def events(self) -> list[dict[str, Any]]:
        return events(self.body)


def exchanges() -> list[Exchange]:
    """The chat completions with their requests, and December 2025's, whose requests were not kept; one text was not
    kept either, since it was too long for the endpoint, and is made up again."""
    found: list[Exchange] = []
    for folder in sorted(RECORDED.iterdir()) if RECORDED.is_dir() else []:
        file = folder / "request.json"
        if not file.exists():
            continue
        request = json.loads(file.read_text().replace("<MASSIVE_TEXT>", "字" * 1_100_000))
        url = str(request.get("url", ""))
        origin = next((origin for origin in ORIGINS if url.startswith(origin)), None)
        if origin is None or not url.endswith("chat/completions"):
            continue
        reply = next(folder / name for name in ("response.json", "response.sse") if (folder / name).exists())
        status = json.loads((folder / "response_meta.json").read_text())["status"]
        body, asked, profile = reply.read_text(), request["body"], ORIGINS[origin]
        if not isinstance(asked, dict):
            asked, profile = rebuilt(body), "deepseek-v3.2"
        found.append(Exchange(folder.name, profile, url.removeprefix(origin), asked, status, body))
    return found


def rebuilt(body: str) -> dict[str, Any]:
    """A request that would get such a reply: same model, streamed or not."""
    first = json.loads(body) if body.lstrip().startswith("{") else events(body)[0]
    stream = {} if "message" in first["choices"][0] else {"stream": True, "stream_options": {"include_usage": True}}
    return {"model": first["model"], "messages": [{"role": "user", "content": "?"}], **stream}


def events(body: str) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in body.splitlines() if line.startswith("data: {")]


def said(exchange: Exchange) -> Plan:
    """What a recorded reply says, as a plan; nothing for an error."""
    if exchange.status != 200:
        return Plan()
    if not exchange.streamed:
        choice = json.loads(exchange.body)["choices"][0]
        message = choice["message"]
        calls = [(call["function"]["name"], call["function"]["arguments"]) for call in message.get("tool_calls", ())]
        reasoning = message.get("reasoning_content") or message.get("reasoning") or ""
        finish, content = choice["finish_reason"], message["content"]
    else:
        content = reasoning = finish = ""
        calls: list[Any] = []
        for event in exchange.events:
            for choice in event["choices"]:
                delta = choice["delta"]
                content += delta.get("content") or ""
                reasoning += delta.get("reasoning_content") or ""
                finish = choice["finish_reason"] or finish
                for part in delta.get("tool_calls", ()):
                    if "name" in part["function"]:
                        calls.append([part["function"]["name"], ""])
                    calls[-1][1] += part["function"]["arguments"]
    return Plan(content or "", tuple(Call(name, text) for name, text in calls), reasoning, finish)


def profile_of(exchange: Exchange) -> Profile:
    """The profile it judges, set up as the recorded server was."""
    if "tools_without_jinja" in exchange.name:
        return profile_named("llama.cpp+no-jinja")
    profile = profile_named(exchange.profile)
    if "context_overflow" in exchange.name and profile.unknown is not None:  # that server had a context of 512
        return replace(profile, models={}, unknown=replace(profile.unknown, context=512))
    return profile


def replayed(exchange: Exchange) -> tuple[int, str]:
    """The simulator's reply to a recorded request: status and body."""
    plan = said(exchange)
    simulator = Simulator(profile_of(exchange), brain=lambda _: plan, key="sk-good")
    request = dict(exchange.request)
    if plan.finish_reason == "length" and not exchange.profile.startswith("deepseek"):
        request.pop("max_tokens")  # what they said was cut by other tokenizers; it is said as it is
    key = "sk-bad-key" if exchange.status == 401 else "sk-good"
    data = json.dumps(request, ensure_ascii=False).encode()
    reply = simulator.handle("POST", exchange.path, {"authorization": f"Bearer {key}"}, data)
    return reply.status, reply.body.decode()


EXCHANGES = exchanges()
WHOLE = [one for one in EXCHANGES if one.status == 200 and not one.streamed]
STREAMED = [one for one in EXCHANGES if one.status == 200 and one.streamed]
named = {"ids": lambda one: one.name}


@pytest.mark.parametrize("name", ["list_models_smoke", "list_models_rejected_key_reports_api_error_with_context"])
def test_models_are_listed_and_refused_as_recorded(name: str) -> None:
    folder = RECORDED / f"rig__deepseek-models-{name}__1"
    status = json.loads((folder / "response_meta.json").read_text())["status"]
    key = "sk-good" if status == 200 else "sk-bad-key"
    reply = Simulator("deepseek-v4", key="sk-good").handle("GET", "/models", {"authorization": f"Bearer {key}"}, b"")
    recorded = json.loads((folder / "response.json").read_text())
    assert (reply.status, json.loads(reply.body)) == (status, recorded)


def test_there_are_recordings_to_judge_by() -> None:
    found = {profile: sum(one.profile == profile for one in EXCHANGES) for profile in {*ORIGINS.values()}}
    assert found["deepseek-v4"] >= 200
    assert found["llama.cpp"] >= 30
    assert found["openrouter"] >= 5


@pytest.mark.parametrize("exchange", EXCHANGES, **named)
def test_the_simulator_accepts_and_refuses_as_the_endpoint_did(exchange: Exchange) -> None:
    status, ours = replayed(exchange)
    assert status == exchange.status, ours
    if status != 200:
        error, our_error = faceless(json.loads(exchange.body)["error"]), faceless(json.loads(ours)["error"])
        assert re.sub(r"\d+", "N", our_error.pop("message")) == re.sub(r"\d+", "N", error.pop("message"))
        assert our_error == error


def faceless(body: Any) -> Any:
    """A reply without what differs from one to the next: ids, times, names of builds and hosts, counts, odds."""
    if isinstance(body, dict):
        return {
            key: type(value).__name__
            if key in ("id", "created", "system_fingerprint", "model", "provider")
            or (isinstance(value, (int, float)) and not isinstance(value, bool))
            else odds(value)
            if key == "logprobs" and value
            else faceless(value)
            for key, value in body.items()
        }
    return [faceless(item) for item in body] if isinstance(body, list) else body


def odds(logs: Mapping[str, Any]) -> Any:
    """The form of log probabilities: under which keys, and what is told of a token and of those beside it."""
    return {key: (sorted(logs[key][0]), [sorted(top) for top in logs[key][0]["top_logprobs"]]) for key in sorted(logs)}


@pytest.mark.parametrize("exchange", WHOLE, **named)
def test_a_whole_reply_equals_the_recorded_one_but_for_ids_and_counts(exchange: Exchange) -> None:
    theirs, mine = faceless(json.loads(exchange.body)), faceless(json.loads(replayed(exchange)[1]))
    for reply in (theirs, mine):
        if exchange.profile == "openrouter":  # the upstream's name for the form of its reasoning
            reply["choices"][0]["message"].pop("reasoning_details", None)
    assert mine == theirs
    if exchange.name.startswith(RAW):  # key for key in order, without looking at white space
        assert json.dumps(mine) == json.dumps(theirs)


def grammar(stream: list[dict[str, Any]]) -> list[str]:
    """The kinds of chunks in a stream, repeats folded: the keys of each delta, and the call that it belongs to."""
    kinds: list[str] = []
    for event in stream:
        kind = f"{sorted(event)} {bool(event.get('usage'))}"
        for choice in event["choices"]:
            delta = choice["delta"]
            fields = (f"{key}:{'null' if value is None else type(value).__name__}" for key, value in delta.items())
            kind += f" {','.join(sorted(fields))} {choice['finish_reason']} {sorted(choice)}"
            for part in delta.get("tool_calls", ()):
                kind += f" {part['index']} {sorted(part)} {sorted(part['function'])}"
            kind += f" {odds(choice['logprobs'])}" if choice.get("logprobs") else ""
        if not kinds or kinds[-1] != kind:
            kinds.append(kind)
    return kinds


@pytest.mark.parametrize("exchange", STREAMED, **named)
def test_a_stream_has_the_grammar_of_the_recorded_one(exchange: Exchange) -> None:
    ours = replayed(exchange)[1]
    theirs, mine = exchange.events, events(ours)
    assert grammar(mine) == grammar(theirs)
    assert mine[-1]["usage"].keys() == theirs[-1]["usage"].keys()
    assert ours.endswith("data: [DONE]\n\n")
    if exchange.name.startswith(RAW):
        assert list(mine[0]) == list(theirs[0])
        assert [list(event["choices"][0]["delta"]) for event in (mine[0], mine[-1])] == [
            list(event["choices"][0]["delta"]) for event in (theirs[0], theirs[-1])
        ]


def test_the_page_tells_how_many_recordings_judge_each_profile() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for profile in (*ORIGINS.values(), "deepseek-v3.2"):
        mine = [one for one in EXCHANGES if one.profile == profile]
        refused = sum(one.status != 200 for one in mine)
        assert f"| `{profile}` | {len(mine)} | {len(mine) - refused} | {refused} |" in page, (
            profile,
            len(mine),
            refused,
        )


def test_the_token_count_is_near_the_recorded_one() -> None:
    """What docs/guides/simulator.md says of the count: near in the median, each within a factor that most keep."""
    prompts: list[float] = []
    completions: list[float] = []
    for exchange in WHOLE + STREAMED:
        if exchange.profile != "deepseek-v4":
            continue
        ours = replayed(exchange)[1]
        theirs, mine = (
            (exchange.events[-1], events(ours)[-1])
            if exchange.streamed
            else (json.loads(exchange.body), json.loads(ours))
        )
        prompts.append(mine["usage"]["prompt_tokens"] / theirs["usage"]["prompt_tokens"])
        completions.append(mine["usage"]["completion_tokens"] / theirs["usage"]["completion_tokens"])
    for ratios, least, most in ((sorted(prompts), 0.85, 1.1), (sorted(completions), 0.75, 1.1)):
        tenth = len(ratios) // 10
        assert ratios[tenth] > least
        assert 0.95 < ratios[len(ratios) // 2] < 1.05
        assert ratios[-tenth] < most


def test_hits_of_recorded_conversations_are_those_of_the_rule() -> None:
    """What `agentkit.simulator.cache` says: how often prompt and reply before a request give its hit, by the counts."""
    same = going_on = 0
    before: tuple[list[Any], int] | None = None
    for exchange in EXCHANGES:
        if exchange.profile != "deepseek-v4" or exchange.status != 200:
            continue
        usage = (exchange.events[-1] if exchange.streamed else json.loads(exchange.body))["usage"]
        messages = exchange.request["messages"]
        if before and len(messages) > len(before[0]) and messages[: len(before[0])] == before[0]:
            going_on += 1
            expected = before[1] // 128 * 128
            same += usage["prompt_cache_hit_tokens"] == (expected if expected >= 256 else 0)
        before = (messages, usage["total_tokens"])
    assert (going_on, same) == (41, 35)
