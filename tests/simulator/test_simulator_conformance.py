"""Rules of the wire that no other test is about: streams, errors, and what an endpoint does at its worst."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rules_table import about, rule
from simulator_requests import WEATHER, asked, chat, chunks, post, user

from agentkit.simulator import Reply, Simulator
from agentkit.simulator.brains import Call, Plan
from agentkit.simulator.reply import Cut, Pause

HELLO = chat(user("Hello"))
QUESTION = chat(user("Weather in Paris and Tokyo?"), tools=[WEATHER])


def met(fault: str, body: Any = HELLO, profile: str = "deepseek", path: str = "/chat/completions") -> Reply:
    return post(body, Simulator(profile, faults=fault), path)


# ── Replies ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@rule("4.arguments")
def test_arguments_are_a_text_of_json_with_spaces() -> None:
    calls = asked(chat(user("Weather in Paris for 3 days"), tools=[WEATHER]))["choices"][0]["message"]["tool_calls"]
    assert [call["function"]["arguments"] for call in calls] == ['{"city": "Paris", "days": 3}']


@rule("4.finish_reason")
@pytest.mark.parametrize("finish", ["content_filter", "insufficient_system_resource", "aborted"])
def test_a_reply_may_end_for_any_reason(finish: str) -> None:
    simulator = Simulator(brain=lambda _: Plan("So it is", finish_reason=finish))
    assert asked(HELLO, simulator)["choices"][0]["finish_reason"] == finish
    assert chunks(HELLO, simulator)[-1]["choices"][0]["finish_reason"] == finish
    assert asked(QUESTION)["choices"][0]["finish_reason"] == "tool_calls"
    assert asked({**HELLO, "max_tokens": 1}, simulator)["choices"][0]["finish_reason"] == "length"


@rule("4.content")
def test_text_stands_beside_calls() -> None:
    plan = Plan("I look.", calls=(Call("weather", '{"city": "Paris"}'),))
    message = asked(QUESTION, Simulator(brain=lambda _: plan))["choices"][0]["message"]
    assert (message["content"], len(message["tool_calls"])) == ("I look.", 1)
    assert asked(QUESTION)["choices"][0]["message"]["content"] == ""


@rule("5.events", "5.parallel")
def test_a_stream_is_lines_of_data_and_calls_come_one_after_the_other() -> None:
    reply = post({**QUESTION, "stream": True})
    lines = reply.body.decode().split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    assert all(line.startswith("data: {") for line in lines[:-2])
    parts = [part for line in lines[:-2] for part in json.loads(line[6:])["choices"][0]["delta"].get("tool_calls", ())]
    order = [part["index"] for part in parts]
    assert order == sorted(order)
    assert sum("id" in part for part in parts) == 2


@rule("5.cut")
@pytest.mark.parametrize("budget", [1, 5, 12, 16, 24, 40])
def test_a_cut_stream_ends_with_length(budget: int) -> None:
    events = chunks({**QUESTION, "max_tokens": budget})
    assert events[0]["choices"][0]["delta"]["role"] == "assistant"
    assert events[-1]["choices"][0]["finish_reason"] == "length"
    assert events[-1]["usage"]["completion_tokens"] == budget


# ── Errors ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@rule("7.body")
def test_an_error_has_four_keys() -> None:
    reply = post({**HELLO, "n": 2})
    text = "Invalid n value (currently only n = 1 is supported)"
    error = {"message": text, "type": "invalid_request_error", "param": None, "code": "invalid_request_error"}
    assert reply.body == json.dumps({"error": error}, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    ("fault", "status", "text", "kind"),
    [
        about("8.moderation", "moderation", 400, "Content Exists Risk", "invalid_request_error"),
        about("8.401", "401", 401, "Authentication Fails, Your api key: ****-key is invalid", "authentication_error"),
        about("8.402", "402", 402, "Insufficient Balance", "unknown_error"),
        about("8.422", "422", 422, "expected struct ThinkingOptions", "invalid_request_error"),
        about("8.429", "429", 429, "Your current concurrency is ", "rate_limit_error"),
        about("8.500", "500", 500, "", "server_error"),
        about("8.503", "503", 503, "Service is too busy. ", "service_unavailable_error"),
    ],
)
def test_a_failure_is_told(fault: str, status: int, text: str, kind: str) -> None:
    reply = met(fault)
    error = json.loads(reply.body)["error"]
    assert (reply.status, error["type"]) == (status, kind)
    assert text in error["message"]
    assert "retry-after" not in dict(reply.headers)


@rule("8.429")
def test_a_429_tells_when_to_come_again_only_if_asked_to() -> None:
    assert dict(met("429(retry_after=7)").headers)["retry-after"] == "7"


@pytest.mark.parametrize(
    ("fault", "text", "code"),
    [
        about("8.lkeap.20031", "402", "not enough quota", "20031"),
        about("8.lkeap.20034", "429", "concurrency exceeded", "20034"),
        about("8.lkeap.20034", "429(limit=tpm)", "concurrency exceeded", "20034"),
        about("8.lkeap.20059", "overflow", "input content too long", "20059"),
    ],
)
def test_lkeap_has_codes_that_are_texts(fault: str, text: str, code: str) -> None:
    reply = met(fault, {"model": "deepseek-v3", "messages": [user("Hello")]}, "lkeap", "/v1/chat/completions")
    error = {"message": text, "type": "runtime_error", "param": None, "code": code}
    assert json.loads(reply.body) == {"error": error}


# ── At its worst ─────────────────────────────────────────────────────────────────────────────────────────────────────


@rule("5.keep_alive", "5.blank_lines")
@pytest.mark.parametrize(("stream", "pad"), [(False, b"\n"), (True, b": keep-alive\n\n")])
def test_a_queued_request_is_kept_alive_before_its_reply(stream: bool, pad: bytes) -> None:
    body = {**HELLO, "stream": stream}
    steps = list(met("queued(20s, every=10s)", body).steps)
    assert steps[:4] == [pad, Pause(10.0)] * 2
    rest = b"".join(step for step in steps[4:] if isinstance(step, bytes))
    assert pad not in (rest if stream else rest[:1])


@rule("8.closing")
def test_a_request_that_waits_too_long_is_closed() -> None:
    steps = list(met("queued-out").steps)
    assert steps[-1] == Cut()
    assert sum(step.seconds for step in steps if isinstance(step, Pause)) == pytest.approx(30 * 60)


@rule("8.empty")
def test_a_reply_may_be_empty_after_blank_lines() -> None:
    reply = met("empty(60s)")
    body = reply.body
    assert (reply.status, body.strip(), b"\n" in body) == (200, b"", True)


@rule("8.zero")
def test_a_reply_may_have_no_token() -> None:
    usage = json.loads(met("zero-tokens", QUESTION).body)["usage"]
    assert usage["completion_tokens"] == 0


@rule("5.stall")
def test_a_stream_may_fall_silent_in_its_reasoning() -> None:
    body = {**HELLO, "stream": True, "thinking": {"type": "enabled"}}
    steps = list(met("stall(80s, after=3)", body).steps)
    silent = steps.index(Pause(80.0))
    before = b"".join(step for step in steps[:silent] if isinstance(step, bytes))
    assert b'"reasoning_content":"' in before
    assert b'"finish_reason":"' not in before


@rule("5.no_delta")
def test_a_finish_chunk_may_lack_its_delta() -> None:
    lines = met("no-delta", {**HELLO, "stream": True}).body.decode().split("\n\n")
    assert "delta" not in json.loads(lines[-3][6:])["choices"][0]


@rule("5.error")
def test_an_error_may_come_inside_a_stream() -> None:
    lines = met("error-inside(after=1)", {**HELLO, "stream": True}).body.decode().split("\n\n")
    assert "error" in json.loads(lines[1][6:])


@rule("5.malformed")
def test_arguments_may_be_a_brace_off() -> None:
    choice = json.loads(met("malformed", QUESTION).body)["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    for call in choice["message"]["tool_calls"]:
        with pytest.raises(ValueError, match=r".+"):
            json.loads(call["function"]["arguments"])


@rule("5.leak")
@pytest.mark.parametrize(
    ("notation", "sign"),
    [
        ("v3", "<｜tool▁calls▁begin｜>"),
        ("v3.2", "<｜DSML｜function_calls>"),
        ("v4", "<｜DSML｜tool_calls>"),
        ("v4.1", "<｜DSML｜ calls>"),
    ],
)
def test_calls_leak_in_the_markup_of_each_generation(notation: str, sign: str) -> None:
    message = json.loads(met(f"leak({notation})", QUESTION).body)["choices"][0]["message"]
    assert "tool_calls" not in message
    assert message["content"].startswith(sign)
