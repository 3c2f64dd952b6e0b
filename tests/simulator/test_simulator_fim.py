"""Filling in the middle under `/beta/completions` (WIRE section 3)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rules_table import about, rule
from simulator_requests import post, refused

from agentkit.simulator import Simulator
from agentkit.simulator.brains import Plan, Turn

FIB: dict[str, Any] = {
    "model": "deepseek-flash",
    "prompt": "def fib(a):\n",
    "suffix": "    return fib(a-1) + fib(a-2)",
    "max_tokens": 128,
}
FILLED = Plan(content="    if a < 2:\n        return a\n", reasoning="Not said.")


def filled(body: dict[str, Any], simulator: Simulator | None = None) -> tuple[int, Any]:
    reply = post(body, simulator or Simulator(brain=lambda _: FILLED), "/beta/completions")
    return reply.status, json.loads(reply.body)


@rule("3.fim", "3.fim.plain")
def test_the_gap_is_filled_without_thinking() -> None:
    turns: list[Turn] = []
    status, body = filled(FIB, Simulator(brain=lambda turn: turns.append(turn) or FILLED))
    assert status == 200
    assert list(body) == ["id", "object", "created", "model", "choices", "usage", "system_fingerprint"]
    assert body["object"] == "text_completion"
    choice = {"text": FILLED.content, "index": 0, "logprobs": None, "finish_reason": "stop"}
    assert body["choices"] == [choice]
    assert "completion_tokens_details" not in body["usage"]
    assert body["usage"]["total_tokens"] == body["usage"]["prompt_tokens"] + body["usage"]["completion_tokens"]
    assert (turns[0].messages[0].text, turns[0].suffix, turns[0].thinking) == (FIB["prompt"], FIB["suffix"], False)


@rule("3.fim")
def test_a_stream_adds_up_to_the_same() -> None:
    reply = post({**FIB, "stream": True}, Simulator(brain=lambda _: FILLED), "/beta/completions")
    lines = reply.body.decode().split("\n\n")
    events = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    assert lines[-2] == "data: [DONE]"
    assert {event["object"] for event in events} == {"text_completion"}
    assert "".join(event["choices"][0]["text"] for event in events) == FILLED.content
    assert [event["choices"][0]["finish_reason"] for event in events] == [None] * (len(events) - 1) + ["stop"]
    assert events[-1]["usage"]["completion_tokens"] == len(events) - 1


@rule("3.fim.fields")
@pytest.mark.parametrize(
    ("fields", "text", "finish"),
    [
        ({"max_tokens": 4}, "    if a <", "length"),
        ({"stop": "return"}, "    if a < 2:\n        ", "stop"),
        ({"stop": ["never", ":"]}, "    if a < 2", "stop"),
        ({"echo": True}, FIB["prompt"] + FILLED.content, "stop"),
        ({"suffix": None}, FILLED.content, "stop"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_fields_do_what_they_say(fields: dict[str, Any], text: str, finish: str, stream: bool) -> None:
    reply = post({**FIB, **fields, "stream": stream}, Simulator(brain=lambda _: FILLED), "/beta/completions")
    if stream:
        events = [json.loads(line[6:]) for line in reply.body.decode().split("\n\n") if line.startswith("data: {")]
    else:
        events = [json.loads(reply.body)]
    assert "".join(event["choices"][0]["text"] for event in events) == text
    assert events[-1]["choices"][0]["finish_reason"] == finish


@rule("3.fim.fields")
@pytest.mark.parametrize("echo", [False, True])
def test_log_probabilities_come_in_four_lists(echo: bool) -> None:
    choice = filled({**FIB, "logprobs": 3, "echo": echo})[1]["choices"][0]
    logs, start = choice["logprobs"], len(FIB["prompt"]) if echo else 0
    assert "".join(logs["tokens"]) == FILLED.content
    for offset, token, value, top in zip(
        logs["text_offset"], logs["tokens"], logs["token_logprobs"], logs["top_logprobs"], strict=True
    ):
        assert choice["text"][offset : offset + len(token)] == token
        assert offset >= start
        assert value <= 0
        assert len(top) == 3
        assert token in top


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        about("3.model.unknown", {"model": "gpt-9"}, "The supported API model names are"),
        about("3.fim.fields", {"logprobs": 21}, "Invalid logprobs value"),
        about("3.fim.fields", {"max_tokens": 0}, "Invalid max_tokens value"),
        about("3.fim.fields", {"temperature": 3}, "temperature must be in"),
        about("3.fim.fields", {"top_p": 0}, "top_p must be in"),
        about("3.fim.fields", {"stop": ["x"] * 17}, "ChatCompletionStopSequences string array too long: 17"),
        about("3.fim.fields", {"prompt": ["a"]}, "Failed to deserialize the JSON body into the target type: prompt"),
        about("8.overflow", {"prompt": "word " * 1_100_000}, "This model's maximum context length is 1048565 tokens."),
    ],
)
def test_what_is_out_of_bounds_is_refused(fields: dict[str, Any], text: str) -> None:
    status, body = filled({**FIB, **fields})
    assert status == 400
    assert body["error"]["message"].startswith(text)


@rule("3.fim.fields")
def test_a_prompt_must_be_there() -> None:
    status, body = filled({"model": "deepseek-flash"})
    assert status == 400
    assert "missing field `prompt`" in body["error"]["message"]


@rule("3.fim.beta")
@pytest.mark.parametrize("path", ["/completions", "/v1/completions"])
def test_off_the_beta_address_it_is_refused(path: str) -> None:
    text = 'completions api is only available when using beta api (set base_url="https://api.deepseek.com/beta")'
    reply = post(FIB, Simulator(), path)
    assert (reply.status, json.loads(reply.body)["error"]["message"]) == (400, text)


@rule("3.fim.plain")
def test_the_reasoner_of_2025_does_not_fill_in() -> None:
    simulator = Simulator("deepseek-v3.2-exp", brain=lambda _: FILLED)
    assert filled({**FIB, "model": "deepseek-chat"}, simulator)[0] == 200
    assert filled({**FIB, "model": "deepseek-reasoner"}, simulator)[0] == 400


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (FIB["prompt"], FIB["suffix"], "    # A simulated model"),
        ("function f(x) {\n", "}", "    // A simulated model"),
        ("x = 1\nif x:", "", "  # A simulated model"),
        ("Once upon a time, ", "The end.", " … "),
        ("", "", " … "),
    ],
)
def test_the_rules_put_a_comment_into_code(before: str, after: str, text: str) -> None:
    body = {"model": "deepseek-flash", "prompt": before, "suffix": after}
    assert filled(body, Simulator())[1]["choices"][0]["text"].startswith(text)


def test_the_same_gap_is_a_hit_in_the_cache() -> None:
    simulator = Simulator(brain=lambda _: FILLED)
    body = {**FIB, "prompt": FIB["prompt"] + "    # some comment\n" * 200}
    hits = [filled(body, simulator)[1]["usage"]["prompt_cache_hit_tokens"] for _ in range(2)]
    assert hits[0] == 0
    assert hits[1] >= 512


def test_an_unknown_path_below_a_beta_address_is_not_there() -> None:
    assert post(FIB, Simulator("lkeap"), "/beta/completions").status == 404
    assert refused({**FIB, "messages": []})[0] == 400
