"""Faults: what a client meets, when, and that both ways in and both forms of a reply meet the same."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulator_requests import HEADERS, PLAIN, WEATHER, asked, chat, gathered, post, user

from agentkit.errors import ConfigurationError
from agentkit.simulator import Reply, Simulator
from agentkit.simulator.faults import FAULTS, in_turn, rule
from agentkit.simulator.reply import Cut, Pause
from agentkit.simulator.server import running

QUESTION = chat(user("Weather in Paris and Tokyo?"), tools=[WEATHER])
THINKING = {**QUESTION, "thinking": {"type": "enabled"}}
HELLO = chat(user("Hello"))


def met(fault: str, body: Mapping[str, Any] = QUESTION, **options: Any) -> Reply:
    """The reply to a request that meets a fault."""
    return post(body, Simulator(faults=fault, clock=lambda: 0.0, **options))


def events(reply: Reply) -> list[dict[str, Any]]:
    """The chunks of a stream."""
    return [json.loads(line[6:]) for line in reply.body.decode().split("\n\n") if line.startswith("data: {")]


def message(fault: str, body: Mapping[str, Any] = QUESTION, *, streamed: bool) -> dict[str, Any]:
    """The message of a reply that meets a fault, and why it ended under `finish`."""
    reply = met(fault, {**body, "stream": streamed})
    assert (reply.status, len(reply.faults)) == (200, 1), reply.body
    if not streamed:
        choice = json.loads(reply.body)["choices"][0]
        return {**choice["message"], "finish": choice["finish_reason"]}
    chunks = events(reply)
    return {**gathered(chunks), "finish": chunks[-1]["choices"][0]["finish_reason"]}


def arguments(fault: str, *, streamed: bool) -> list[str]:
    said = message(fault, streamed=streamed)
    assert said["finish"] == "tool_calls"
    return [call["function"]["arguments"] for call in said["tool_calls"]]


both = pytest.mark.parametrize("streamed", [False, True])


# ── Other answers ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (
            "401",
            (
                "Authentication Fails, Your api key: ****-key is invalid",
                "authentication_error",
                "invalid_request_error",
            ),
        ),
        ("402", ("Insufficient Balance", "unknown_error", "invalid_request_error")),
        ("429(limit=tpm)", ("Rate limit reached for TPM", "rate_limit_error", "rate_limit_error")),
        (
            "503",
            (
                "Service is too busy. We advise users to temporarily switch to alternative LLM API service providers.",
                "service_unavailable_error",
                "service_unavailable_error",
            ),
        ),
    ],
)
def test_an_error_comes_in_the_endpoints_own_words(fault: str, error: tuple[str, str, str]) -> None:
    reply = met(fault)
    assert reply.status == int(fault[:3])
    told, kind, code = error
    assert json.loads(reply.body) == {"error": {"message": told, "type": kind, "param": None, "code": code}}
    assert dict(reply.headers)["server"] == "elb"


@pytest.mark.parametrize(
    ("fault", "status", "text"),
    [
        ("422", 422, "invalid type: boolean `true`, expected struct ThinkingOptions"),
        ("429", 429, "Your current concurrency is 40, which exceeds your concurrency limit of 39"),
        ("500", 500, "Internal Server Error"),
        ("moderation", 400, "Content Exists Risk"),
        ("overflow", 400, "This model's maximum context length is 1048565 tokens. However, you requested 1258278"),
        ("html(503)", 503, "<html>"),
    ],
)
def test_an_error_is_told(fault: str, status: int, text: str) -> None:
    reply = met(fault)
    assert reply.status == status
    assert text in reply.body.decode()


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("402", ("not enough quota", "20031")),
        ("429", ("concurrency exceeded", "20034")),
        ("overflow", ("input content too long", "20059")),
    ],
)
def test_lkeap_has_codes_of_its_own(fault: str, error: tuple[str, str]) -> None:
    body = {"model": "deepseek-v3", "messages": [user("Hello")]}
    reply = post(body, Simulator("lkeap", faults=fault), "/v1/chat/completions")
    told = json.loads(reply.body)["error"]
    assert (told["message"], told["code"]) == error


def test_retry_after_is_sent_only_where_it_is_asked_for() -> None:
    assert "retry-after" not in dict(met("429").headers)
    assert dict(met("429(2)").headers)["retry-after"] == "2"
    assert dict(met("503(retry_after=120)").headers)["retry-after"] == "120"


def test_a_failing_request_does_not_reach_the_brain() -> None:
    turns: list[object] = []
    simulator = Simulator(brain=lambda turn: turns.append(turn) or "Hello.", faults="500@1")
    assert [post(HELLO, simulator).status for _ in range(2)] == [500, 200]
    assert len(turns) == 1


def test_an_empty_reply_is_empty_perhaps_after_blank_lines() -> None:
    reply = met("empty")
    assert (reply.status, reply.body) == (200, b"")
    assert list(met("empty(60)").steps) == [b"\n", Pause(10.0)] * 6


# ── Words ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@both
@pytest.mark.parametrize("body", [QUESTION, THINKING])
def test_a_reply_of_zero_tokens_says_nothing(body: dict[str, Any], streamed: bool) -> None:
    said = message("zero-tokens", body, streamed=streamed)
    assert (said["content"], said.get("reasoning_content", ""), said["finish"]) == ("", "", "stop")
    reply = met("zero-tokens", {**body, "stream": streamed})
    usage = (events(reply)[-1] if streamed else json.loads(reply.body))["usage"]
    assert (usage["completion_tokens"], usage["total_tokens"]) == (0, usage["prompt_tokens"])


@both
@pytest.mark.parametrize(
    ("fault", "finish"),
    [
        ("empty-content", "stop"),
        ("content-filter", "content_filter"),
        ("no-resource", "insufficient_system_resource"),
    ],
)
def test_an_answer_is_blanked(fault: str, finish: str, streamed: bool) -> None:
    said = message(fault, THINKING, streamed=streamed)
    assert (said["content"], said["finish"]) == ("", finish)
    assert said["reasoning_content"]
    assert "tool_calls" not in said


@both
def test_malformed_arguments_are_no_json(streamed: bool) -> None:
    for seed in range(6):
        reply = met("malformed", {**QUESTION, "stream": streamed}, seed=seed)
        said = gathered(events(reply)) if streamed else json.loads(reply.body)["choices"][0]["message"]
        for call in said["tool_calls"]:
            with pytest.raises(ValueError, match=r".+"):
                json.loads(call["function"]["arguments"])


@both
def test_truncated_arguments_are_a_beginning(streamed: bool) -> None:
    for text, whole in zip(
        arguments("truncated", streamed=streamed), ['{"city": "Paris"}', '{"city": "Tokyo"}'], strict=True
    ):
        assert whole.startswith(text)
        assert 0 < len(text) < len(whole)


@both
def test_arguments_come_otherwise(streamed: bool) -> None:
    first, second = '{"city": "Paris"}', '{"city": "Tokyo"}'
    assert arguments("double-encoded", streamed=streamed) == [json.dumps(first), json.dumps(second)]
    assert arguments("two-objects", streamed=streamed) == [first * 2, second * 2]
    assert arguments("empty-arguments", streamed=streamed) == ["", ""]


@both
def test_an_invented_tool_is_none_of_those_offered(streamed: bool) -> None:
    names = [call["function"]["name"] for call in message("invented-tool", streamed=streamed)["tool_calls"]]
    assert names == ["weather_v2", "weather_v2"]
    named = message("invented-tool(name=weather)", streamed=streamed)["tool_calls"][0]["function"]["name"]
    assert named == "weather_x"


@both
def test_the_reason_contradicts_the_calls(streamed: bool) -> None:
    said = message("stop-with-calls", streamed=streamed)
    assert (len(said["tool_calls"]), said["finish"]) == (2, "stop")
    said = message("no-calls", streamed=streamed)
    assert (said.get("tool_calls", []), said["finish"]) == ([], "tool_calls")


LEAKS = {
    "v3": (
        "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>weather\n"
        '```json\n{"city": "Paris"}\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>weather\n'
        '```json\n{"city": "Tokyo"}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>'
    ),
    "v3.1": (
        '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>weather<｜tool▁sep｜>{"city": "Paris"}<｜tool▁call▁end｜>'
        '<｜tool▁call▁begin｜>weather<｜tool▁sep｜>{"city": "Tokyo"}<｜tool▁call▁end｜><｜tool▁calls▁end｜>'
    ),
    "v3.2": (
        '<｜DSML｜function_calls>\n<｜DSML｜invoke name="weather">\n'
        '<｜DSML｜parameter name="city" string="true">Paris</｜DSML｜parameter>\n</｜DSML｜invoke>\n'
        '<｜DSML｜invoke name="weather">\n'
        '<｜DSML｜parameter name="city" string="true">Tokyo</｜DSML｜parameter>\n</｜DSML｜invoke>\n'
        "</｜DSML｜function_calls>"
    ),
    "v4, bars=ascii-doubled": (
        '<||DSML||tool_calls>\n<||DSML||invoke name="weather">\n'
        '<||DSML||parameter name="city" string="true">Paris</||DSML||parameter>\n</||DSML||invoke>\n'
        '<||DSML||invoke name="weather">\n'
        '<||DSML||parameter name="city" string="true">Tokyo</||DSML||parameter>\n</||DSML||invoke>\n'
        "</||DSML||tool_calls>"
    ),
    "v4.1": (
        '<｜DSML｜ calls>\n<｜DSML｜ invoke name="weather">\n'
        '<｜DSML｜ parameter name="city" string="true">Paris</｜DSML｜ parameter>\n</｜DSML｜ invoke>\n'
        '<｜DSML｜ invoke name="weather">\n'
        '<｜DSML｜ parameter name="city" string="true">Tokyo</｜DSML｜ parameter>\n</｜DSML｜ invoke>\n'
        "</｜DSML｜ calls>"
    ),
    "hermes": (
        '<tool_call>\n{"name": "weather", "arguments": {"city": "Paris"}}\n</tool_call>\n'
        '<tool_call>\n{"name": "weather", "arguments": {"city": "Tokyo"}}\n</tool_call>'
    ),
}


@both
@pytest.mark.parametrize("notation", LEAKS)
def test_calls_leak_as_text_in_the_notation(notation: str, streamed: bool) -> None:
    said = message(f"leak({notation})", streamed=streamed)
    assert (said["content"], said["finish"]) == (LEAKS[notation], "stop")
    assert "tool_calls" not in said


def test_a_number_leaks_as_no_string() -> None:
    said = message("leak(v4, bars=colon)", chat(user("Weather in Oslo for 3 days"), tools=[WEATHER]), streamed=False)
    assert '<|DSML|:parameter name="days" string="false">3</|DSML|:parameter>' in said["content"]


@both
@pytest.mark.parametrize("body", [QUESTION, THINKING])
def test_thoughts_stand_in_the_answer(body: dict[str, Any], streamed: bool) -> None:
    said = message("think-in-content", body, streamed=streamed)
    assert said["content"].startswith("<think>\n")
    assert said["content"].endswith("\n</think>\n\n")
    assert "reasoning_content" not in said
    assert len(said["tool_calls"]) == 2
    assert "<think>" not in message("think-in-content(no)", body, streamed=streamed)["content"]


# ── JSON ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_arguments_are_an_object() -> None:
    whole = message("object-arguments", streamed=False)["tool_calls"]
    assert [call["function"]["arguments"] for call in whole] == [{"city": "Paris"}, {"city": "Tokyo"}]
    parts = [part for event in events(met("object-arguments", {**QUESTION, "stream": True})) for part in _parts(event)]
    assert [part["function"] for part in parts] == [call["function"] for call in whole]


def _parts(event: dict[str, Any]) -> list[dict[str, Any]]:
    return event["choices"][0]["delta"].get("tool_calls", [])


@both
@pytest.mark.parametrize(("value", "ids"), [("absent", []), ("null", [None, None]), ("empty", ["", ""])])
def test_ids_are_missing(value: str, ids: list[Any], streamed: bool) -> None:
    calls = message(f"missing-ids({value})", streamed=streamed)["tool_calls"]
    assert [call["id"] for call in calls if "id" in call] == ids


@both
def test_two_calls_share_an_id_or_an_index(streamed: bool) -> None:
    first, second = message("duplicate-ids", streamed=streamed)["tool_calls"]
    assert first["id"] == second["id"]
    reply = met("same-index", {**QUESTION, "stream": streamed})
    bodies = events(reply) if streamed else [json.loads(reply.body)]
    calls = [
        call
        for body in bodies
        for call in (body["choices"][0].get("delta") or body["choices"][0].get("message")).get("tool_calls", ())
    ]
    assert {call["index"] for call in calls} == {0}
    assert len({call["id"] for call in calls if "id" in call}) == 2


def test_each_fragment_repeats_id_and_name() -> None:
    parts = [part for event in events(met("repeated-ids", {**QUESTION, "stream": True})) for part in _parts(event)]
    assert len(parts) > 4
    assert all({"index", "id", "type", "function"} == part.keys() for part in parts)
    assert {part["function"]["name"] for part in parts} == {"weather"}
    assert len({part["id"] for part in parts}) == 2


@both
@pytest.mark.parametrize("key", ["reasoning", "thinking", "reasoning_details"])
def test_reasoning_has_another_key(key: str, streamed: bool) -> None:
    reply = met(f"reasoning-key({key})", {**THINKING, "stream": streamed})
    bodies = events(reply) if streamed else [json.loads(reply.body)]
    said = [body["choices"][0].get("delta") or body["choices"][0].get("message") for body in bodies]
    found = [one[key] for one in said if one.get(key)]
    assert found
    assert not any("reasoning_content" in one for one in said)
    texts = [part["text"] if isinstance(part, dict) else part for one in found for part in one]
    assert "".join(texts).startswith("The user says")


def test_usage_and_the_last_delta_are_missing() -> None:
    assert "usage" not in json.loads(met("no-usage").body)
    assert not any("usage" in event for event in events(met("no-usage", {**QUESTION, "stream": True})))
    last = events(met("no-delta", {**QUESTION, "stream": True}))[-1]["choices"][0]
    assert (last["finish_reason"], "delta" in last) == ("tool_calls", False)


# ── Sending ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("streamed", "pad"), [(False, b"\n"), (True, b": keep-alive\n\n")])
def test_a_queued_reply_is_padded_and_then_comes(streamed: bool, pad: bytes) -> None:
    plain = list(met("queued(30, every=5)", {**QUESTION, "stream": streamed}).steps)
    assert plain[:12] == [pad, Pause(5.0)] * 6
    assert b"".join(step for step in plain[12:] if isinstance(step, bytes)).endswith(b"}" if not streamed else b"\n\n")


@pytest.mark.parametrize(("streamed", "pad"), [(False, b"\n"), (True, b": keep-alive\n\n")])
def test_after_half_an_hour_of_waiting_the_server_closes(streamed: bool, pad: bytes) -> None:
    steps = list(met("queued-out", {**QUESTION, "stream": streamed}, time_scale=0.001).steps)
    assert steps[-1] == Cut()
    assert {step for step in steps if isinstance(step, bytes)} == {pad}
    assert sum(step.seconds for step in steps if isinstance(step, Pause)) == pytest.approx(1.8)


@both
def test_silence_comes_before_the_status_and_a_stall_inside(streamed: bool) -> None:
    body = {**QUESTION, "stream": streamed}
    assert met("silence(90)", body).wait == 90
    steps = list(met("stall(90, after=2)", body).steps)
    assert steps.count(Pause(90.0)) == 1
    assert 0 < steps.index(Pause(90.0)) < len(steps) - 1
    if streamed:
        assert steps.index(Pause(90.0)) == 2


@both
def test_a_drip_is_the_same_in_small_pieces(streamed: bool) -> None:
    body = {**QUESTION, "stream": streamed}
    steps = list(met("drip(bytes=7, every=10ms)", body).steps)
    assert all(len(step) <= 7 for step in steps if isinstance(step, bytes))
    assert {step.seconds for step in steps if isinstance(step, Pause)} == {0.01}
    whole = post(body, Simulator(clock=lambda: 0.0)).body
    assert b"".join(step for step in steps if isinstance(step, bytes)) == whole


@both
@pytest.mark.parametrize("fault", ["cut-chunk", "cut-chunk(after=3)", "cut-arguments"])
def test_a_cut_leaves_a_beginning(fault: str, streamed: bool) -> None:
    body = {**QUESTION, "stream": streamed}
    whole = post(body, Simulator(clock=lambda: 0.0)).body
    for seed in range(5):
        steps = list(met(fault, body, seed=seed).steps)
        sent = b"".join(step for step in steps if isinstance(step, bytes))
        assert steps[-1] == Cut()
        if seed == 0:
            assert whole.startswith(sent)
        assert 0 < len(sent) < len(whole)
        assert not sent.endswith(b"[DONE]\n\n")
        if fault == "cut-arguments":
            assert b'"arguments":"' in sent
            assert b"Tokyo\\" not in sent or streamed
        elif streamed:
            assert not sent.endswith(b"\n\n")


@both
@pytest.mark.parametrize("body", [HELLO, QUESTION, THINKING])
def test_a_cut_within_a_character_leaves_no_text(body: dict[str, Any], streamed: bool) -> None:
    steps = list(met("cut-utf8", {**body, "stream": streamed}).steps)
    assert steps[-1] == Cut()
    with pytest.raises(UnicodeDecodeError):
        b"".join(step for step in steps if isinstance(step, bytes)).decode()


def test_a_stream_lacks_its_end() -> None:
    body = {**QUESTION, "stream": True}
    assert b"[DONE]" not in met("no-done", body).body
    assert events(met("no-done", body))[-1]["choices"][0]["finish_reason"] == "tool_calls"
    assert {event["choices"][0]["finish_reason"] for event in events(met("no-finish", body))} == {None}
    assert b"[DONE]" not in met("no-finish", body).body


def test_an_error_comes_where_a_chunk_was_due() -> None:
    text = met("error-inside(message=out of memory, after=2)", {**QUESTION, "stream": True}).body
    lines = text.decode().split("\n\n")
    assert [line.startswith('data: {"id"') for line in lines[:2]] == [True, True]
    assert json.loads(lines[2][6:])["error"]["message"] == "out of memory"
    assert lines[3:] == [""]
    reply = met("error-inside")
    assert (reply.status, list(json.loads(reply.body))) == (200, ["error"])


# ── Both ways in ─────────────────────────────────────────────────────────────────────────────────────────────────────


def received(client: httpx.Client, body: Mapping[str, Any]) -> tuple[int, bytes, str]:
    """Status, the bytes that came, and the name of the error that ended them."""
    came: list[bytes] = []
    status = 0
    try:
        with client.stream("POST", "/chat/completions", json=body, headers=HEADERS) as reply:
            status = reply.status_code
            came.extend(reply.iter_raw())
    except httpx.HTTPError as error:
        return status, b"".join(came), type(error).__name__
    return status, b"".join(came), ""


def test_both_ways_in_meet_the_same_faults() -> None:
    def made() -> Simulator:
        return Simulator(
            seed=7, clock=lambda: 0.0, faults=in_turn(*(name for name in FAULTS for _ in "ab")), time_scale=0
        )

    bodies = [{**QUESTION, "stream": streamed} for _ in FAULTS for streamed in (False, True)]
    with httpx.Client(transport=made().transport(), base_url="http://sim") as client:
        inside = [received(client, body) for body in bodies]
    with running(made()) as url, httpx.Client(base_url=url) as client:
        assert [received(client, body) for body in bodies] == inside
    assert {error for _, _, error in inside} == {"", "RemoteProtocolError"}


def test_an_async_client_waits_and_is_cut_as_well() -> None:
    async def ask(fault: str) -> str:
        transport = Simulator(faults=fault).transport()
        async with httpx.AsyncClient(transport=transport, base_url="http://sim", timeout=0.01) as client:
            try:
                await client.post("/chat/completions", json=QUESTION, headers=HEADERS)
            except httpx.HTTPError as error:
                return type(error).__name__
        return ""

    faults = ["silence", "silence(0)", "stall", "cut-chunk"]
    found = [asyncio.run(ask(fault)) for fault in faults]
    assert found == ["ReadTimeout", "", "ReadTimeout", "RemoteProtocolError"]


# ── When ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def statuses(simulator: Simulator, count: int, **headers: str) -> list[int]:
    return [post(HELLO, simulator, headers={**HEADERS, **headers}).status for _ in range(count)]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("429@3", [200, 200, 429, 200, 200]),
        ("429@2-3,5", [200, 429, 429, 200, 429]),
        ("503@4-", [200, 200, 200, 503, 503]),
        (["429@1", "500@2", "503@2"], [429, 500, 200, 200, 200]),
        (["500:0", "402:1"], [402] * 5),
        (in_turn("429", None, "503"), [429, 200, 503, 200, 200]),
        (rule("402@2"), [200, 402, 200, 200, 200]),
    ],
)
def test_rules_say_which_requests(rules: Any, expected: list[int]) -> None:
    assert statuses(Simulator(faults=rules), 5) == expected


def test_a_rate_is_met_and_the_same_seed_repeats_it() -> None:
    first = statuses(Simulator(faults="429:0.25", seed=1), 400)
    assert 70 < first.count(429) < 130
    assert statuses(Simulator(faults="429:0.25", seed=1), 400) == first
    assert statuses(Simulator(faults="429:0.25", seed=2), 400) != first


def test_listings_are_left_in_peace_and_do_not_count() -> None:
    simulator = Simulator(faults="500@1")
    assert simulator.handle("GET", "/models", HEADERS, b"").status == 200
    assert statuses(simulator, 2) == [500, 200]
    assert simulator.handle("GET", "/models", {**HEADERS, "x-sim-fault": "503"}, b"").status == 503


def test_a_header_asks_for_faults_and_the_reply_names_them() -> None:
    simulator = Simulator(faults="500")
    reply = post(QUESTION, simulator, headers={**HEADERS, "x-sim-fault": "missing-ids + think-in-content(no)"})
    assert dict(reply.headers)["x-sim-fault"] == "missing-ids + think-in-content(opened=no)"
    said = json.loads(reply.body)["choices"][0]["message"]
    assert "</think>" in said["content"]
    assert not any("id" in call for call in said["tool_calls"])
    assert statuses(simulator, 1, **{"x-sim-fault": ""}) == [200]
    assert statuses(simulator, 1) == [500]


def test_a_header_that_names_no_fault_is_refused() -> None:
    reply = post(HELLO, headers={**HEADERS, "x-sim-fault": "stal"})
    assert reply.status == 400
    assert "header `X-Sim-Fault`: there is no fault `stal`; did you mean `stall`?" in reply.body.decode()


def test_faults_can_be_ordered_while_a_test_runs() -> None:
    simulator = Simulator(faults="402")
    simulator.faults.next("429", None, "500 + queued(0)")
    assert statuses(simulator, 4) == [429, 200, 500, 402]
    simulator.faults.clear()
    simulator.faults.add("503@2")
    assert statuses(simulator, 2) == [200, 503]


def test_faults_that_find_nothing_to_act_on_change_nothing() -> None:
    simulator = Simulator(faults=["malformed", "no-done", "duplicate-ids", "reasoning-key"], clock=lambda: 0.0)
    reply = post(HELLO, simulator)
    assert (reply.faults, reply.idle) == ((), ("malformed", "no-done", "duplicate-ids", "reasoning-key"))
    assert reply.body == post(HELLO, Simulator(clock=lambda: 0.0)).body
    assert "x-sim-fault" not in dict(reply.headers)


def test_a_refused_request_meets_only_what_concerns_its_sending() -> None:
    reply = post({"model": "nope", "messages": []}, Simulator(faults=["think-in-content", "no-usage", "drip"]))
    assert (reply.status, reply.faults, reply.idle) == (400, ("drip",), ("think-in-content", "no-usage"))


# ── Rules as text ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "write a name, `name:RATE` or `name@NUMBER`"),
        ("429:", "the rate `` is no number from 0 to 1"),
        ("429:2", "the rate `2` is no number from 0 to 1"),
        ("429:nan", "the rate `nan` is no number"),
        ("429@0", "`0` is no number of a request; they count from 1"),
        ("429@4-2", "`4-2` is no number of a request"),
        ("429@1:0.5", "write a name"),
        ("quee", "there is no fault `quee`"),
        ("leek", "did you mean `leak`?"),
        ("stall(x)", "fault `stall`, option `seconds`: `x` is no time; write `500ms`, `20s` or `30m`"),
        ("stall(after=1.5)", "fault `stall`, option `after`: `1.5` is no whole number"),
        ("leak(v9)", "`v9` is none of `v3`, `v3.1`, `v3.2`, `v4`, `v4.1`, `hermes`"),
        ("401(1)", "fault `401` has no option 1: it has no options"),
        ("429(delay=1)", "fault `429` has no option `delay`: its options are `retry_after`, `limit`"),
        ("drip(1, 2, 3)", "fault `drip` has no option 3"),
    ],
)
def test_a_rule_that_is_none_says_why(text: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Simulator(faults=text)
    assert told in str(caught.value)


@pytest.mark.parametrize("text", ["429@1", "500:0.5", "503 + 429:0.1"])
def test_what_is_for_one_request_says_no_when(text: str) -> None:
    with pytest.raises(ConfigurationError, match="they are for one request"):
        in_turn(text)


def test_a_negative_scale_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="time_scale"):
        Simulator(time_scale=-1)


spans = st.tuples(st.integers(1, 30), st.integers(0, 10) | st.none())


@given(st.lists(spans, min_size=1, max_size=4), st.integers(1, 50))
def test_numbers_mean_what_they_say(wanted: list[tuple[int, int | None]], number: int) -> None:
    texts = [
        f"{first}-" if more is None else f"{first}-{first + more}" if more else str(first) for first, more in wanted
    ]
    hit = any(first <= number and (more is None or number <= first + more) for first, more in wanted)
    assert rule(f"429 @ {', '.join(texts)}").meets(number, 0.0) is hit


@given(st.text("429stal(@:-,. )=m0x", max_size=20))
def test_any_text_is_a_rule_or_an_error_of_configuration(text: str) -> None:
    try:
        assert rule(text).fault.name in FAULTS
    except ConfigurationError:
        pass


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_written_as_it_is_shown(name: str) -> None:
    one = rule(name)
    assert str(one) == name
    assert rule(str(one)) == one
    assert FAULTS[name].what
    assert FAULTS[name].kind in ("answer", "words", "shape", "carriage")


@pytest.mark.parametrize("name", FAULTS)
@both
def test_each_fault_acts_on_some_reply(name: str, streamed: bool) -> None:
    reply = met(name, {**THINKING, "stream": streamed}, time_scale=0)
    only_streamed = FAULTS[name].needs in ("a stream", "streamed calls")
    assert bool(reply.faults) is (streamed or not only_streamed)
    list(reply.steps)


def test_without_rules_nothing_is_drawn_and_the_bytes_are_the_same() -> None:
    quiet = Simulator(clock=lambda: 0.0, faults=["429:0", "503@99"])
    assert post(QUESTION, quiet).body == post(QUESTION, Simulator(clock=lambda: 0.0)).body
    assert asked({**QUESTION, "thinking": PLAIN}, quiet)
