"""The shapes of replies, streamed and not: keys and their order, ids, usage, cuts, headers."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rules_table import about, rule
from simulator_requests import HEADERS, PLAIN, WEATHER, asked, chat, chunks, gathered, post, user

from agentkit.errors import ConfigurationError
from agentkit.simulator import Simulator
from agentkit.simulator.brains import Call, Plan
from agentkit.simulator.plan import write
from agentkit.simulator.tokens import count, split

WEATHER_QUESTION = chat(user("Weather in Paris and Tokyo?"), tools=[WEATHER])
THINKING = {**WEATHER_QUESTION, "thinking": {"type": "enabled"}}


def saying(plan: Plan) -> Simulator:
    return Simulator(brain=lambda _: plan)


@rule("4.keys", "4.id", "4.absent", "4.call_index")
def test_a_reply_has_the_keys_of_the_recorded_ones_in_their_order() -> None:
    body = asked(WEATHER_QUESTION)
    assert list(body) == ["id", "object", "created", "model", "choices", "usage", "system_fingerprint"]
    choice = body["choices"][0]
    assert list(choice) == ["index", "message", "logprobs", "finish_reason"]
    assert (choice["logprobs"], choice["finish_reason"]) == (None, "tool_calls")
    assert list(choice["message"]) == ["role", "content", "tool_calls"]
    assert list(choice["message"]["tool_calls"][0]) == ["index", "id", "type", "function"]
    assert list(body["usage"]) == [
        "prompt_tokens",
        "completion_tokens",
        "total_tokens",
        "prompt_tokens_details",
        "prompt_cache_hit_tokens",
        "prompt_cache_miss_tokens",
    ]
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", body["id"])


@rule("4.reasoning")
def test_thinking_adds_the_reasoning_and_its_tokens() -> None:
    body = asked(THINKING)
    message, usage = body["choices"][0]["message"], body["usage"]
    assert list(message) == ["role", "content", "reasoning_content", "tool_calls"]
    assert list(usage)[4] == "completion_tokens_details"
    assert 0 < usage["completion_tokens_details"]["reasoning_tokens"] < usage["completion_tokens"]


@rule("4.usage")
def test_usage_adds_up() -> None:
    usage = asked(THINKING)["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["prompt_tokens"] == usage["prompt_cache_hit_tokens"] + usage["prompt_cache_miss_tokens"]
    assert usage["prompt_tokens_details"]["cached_tokens"] == usage["prompt_cache_hit_tokens"]


@rule("4.call_ids")
def test_call_ids_count_from_00_and_end_in_four_digits() -> None:
    calls = asked(WEATHER_QUESTION)["choices"][0]["message"]["tool_calls"]
    assert [call["index"] for call in calls] == [0, 1]
    for number, call in enumerate(calls):
        assert re.fullmatch(rf"call_{number:02}_[A-Za-z0-9]{{20}}\d{{4}}", call["id"])


def test_the_same_program_gets_the_same_replies_and_another_body_other_ids() -> None:
    def ids(seed: int, text: str) -> list[str]:
        simulator = Simulator(seed=seed, clock=lambda: 0.0)
        return [post(chat(user(text)), simulator).body.decode() for _ in range(2)]

    assert ids(1, "Hello") == ids(1, "Hello")
    assert len({json.loads(body)["id"] for body in ids(1, "Hello") + ids(2, "Hello") + ids(1, "Hi")}) == 6


@rule("5.order")
@pytest.mark.parametrize("body", [WEATHER_QUESTION, THINKING, chat(user("Hello")), chat(user("Hé, “2 + 2”?"))])
def test_a_stream_adds_up_to_the_reply_that_is_not_streamed(body: dict[str, object]) -> None:
    whole, events = asked(body, Simulator(seed=3)), chunks(body, Simulator(seed=3))
    message = whole["choices"][0]["message"]
    streamed = gathered(events)
    for one in (message, streamed):
        for call in one.get("tool_calls", ()):
            call.pop("id")
    assert streamed == message
    assert events[-1]["usage"] == whole["usage"]
    assert events[-1]["choices"][0]["finish_reason"] == whole["choices"][0]["finish_reason"]


@rule("5.envelope", "5.usage")
def test_chunks_share_their_envelope_and_usage_rides_on_the_last() -> None:
    events = chunks({**WEATHER_QUESTION, "stream_options": {"include_usage": True}})
    keys = ["id", "object", "created", "model", "system_fingerprint", "choices", "usage"]
    assert all(list(event) == keys for event in events)
    assert len({(event["id"], event["created"], event["system_fingerprint"]) for event in events}) == 1
    assert {event["object"] for event in events} == {"chat.completion.chunk"}
    assert [event["usage"] is None for event in events] == [True] * (len(events) - 1) + [False]
    assert [event["choices"][0]["finish_reason"] for event in events] == [None] * (len(events) - 1) + ["tool_calls"]


@rule("5.usage.unasked")
def test_without_include_usage_only_the_last_chunk_has_it() -> None:
    events = chunks(WEATHER_QUESTION)
    assert ["usage" in event for event in events] == [False] * (len(events) - 1) + [True]


@rule("5.opener", "5.fragments", "5.role")
def test_the_deltas_of_a_plain_call_are_those_of_the_recording() -> None:
    deltas = [event["choices"][0]["delta"] for event in chunks(chat(user("Weather in Paris"), tools=[WEATHER]))]
    call_id = deltas[1]["tool_calls"][0]["id"]
    opened = {"index": 0, "id": call_id, "type": "function", "function": {"name": "weather", "arguments": ""}}
    fragments = ["{", '"', "city", '"', ": ", '"', "Paris", '"', "}"]
    assert deltas == [
        {"role": "assistant", "content": ""},
        {"tool_calls": [opened]},
        *({"tool_calls": [{"index": 0, "function": {"arguments": text}}]} for text in fragments),
        {"content": ""},
    ]


@rule("5.thinking")
def test_thinking_deltas_carry_both_texts_and_null_for_the_other() -> None:
    plan = Plan(content="It is four.", reasoning="Two and two.")
    deltas = [
        event["choices"][0]["delta"]
        for event in chunks({**chat(user("?")), "thinking": {"type": "enabled"}}, saying(plan))
    ]
    assert deltas[0] == {"role": "assistant", "content": None, "reasoning_content": ""}
    assert {"content": None, "reasoning_content": " and"} in deltas
    assert {"content": " is", "reasoning_content": None} in deltas
    assert deltas[-1] == {"content": "", "reasoning_content": None}
    assert [list(delta) for delta in deltas[1:]] == [["content", "reasoning_content"]] * (len(deltas) - 1)


@rule("4.no_arguments", "5.fragments")
def test_a_call_without_arguments_is_one_fragment() -> None:
    deltas = [
        event["choices"][0]["delta"] for event in chunks(chat(user("?")), saying(Plan(calls=(Call("ping", "{}"),))))
    ]
    assert [part["function"]["arguments"] for delta in deltas for part in delta.get("tool_calls", ())] == ["", "{}"]


@rule("5.raw")
def test_arguments_that_are_not_json_are_streamed_as_they_are() -> None:
    broken = '{"a": 1}{"b": [2'
    assert (
        gathered(chunks(chat(user("?")), saying(Plan(calls=(Call("x", broken),)))))["tool_calls"][0]["function"][
            "arguments"
        ]
        == broken
    )


# The table of budgets in WIRE section 4, recorded with a tool of one long text argument.
REPORT = Plan(
    calls=(
        Call(
            "file_report",
            json.dumps(
                {
                    "summary": "Log this incident: the nightly build broke because the cache warmer raced the "
                    "uploader, and then somebody had to clear the queue by hand for an hour while dashboards lagged"
                }
            ),
        ),
    )
)


@pytest.mark.parametrize(
    ("budget", "calls", "arguments"),
    [
        about("4.cut.nothing", 12, 0, r""),
        about("4.cut.opened", 16, 1, r""),
        about("4.cut.opened", 20, 1, r""),
        about("4.cut.arguments", 24, 1, r'\{"summary": '),
        about("4.cut.arguments", 32, 1, r'\{"summary": "Log this incident: the.*'),
        about("4.cut.arguments", 48, 1, r'\{"summary": "Log this incident: the nightly build broke.*[^}]'),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_budget_cuts_a_call_as_recorded(budget: int, calls: int, arguments: str, stream: bool) -> None:
    body = chat(user("?"), max_tokens=budget)
    if stream:
        events = chunks(body, saying(REPORT))
        message, finish = gathered(events), events[-1]["choices"][0]["finish_reason"]
    else:
        choice = asked(body, saying(REPORT))["choices"][0]
        message, finish = choice["message"], choice["finish_reason"]
    assert (message["content"], finish) == ("", "length")
    assert len(message.get("tool_calls", ())) == calls
    if calls:
        assert re.fullmatch(arguments, message["tool_calls"][0]["function"]["arguments"])


@rule("4.cut.whole")
def test_with_enough_budget_nothing_is_cut() -> None:
    body = asked(chat(user("?"), max_tokens=96), saying(REPORT))
    assert body["choices"][0]["finish_reason"] == "tool_calls"
    assert body["usage"]["completion_tokens"] <= 96


@rule("4.cut.parallel")
def test_of_two_calls_a_budget_can_leave_the_first_whole() -> None:
    plan = Plan(calls=(Call("page_oncall", '{"team": "platform"}'), *REPORT.calls))
    calls = asked(chat(user("?"), max_tokens=54), saying(plan))["choices"][0]["message"]["tool_calls"]
    assert [call["function"]["arguments"] for call in calls] == ['{"team": "platform"}', '{"summary": ']


@rule("4.cut.thinking", "3.max_tokens.reasoning")
def test_reasoning_counts_against_the_budget() -> None:
    plan = Plan(content="Four.", reasoning="Two and two are four, as everybody knows.")
    body = asked({**chat(user("?"), max_tokens=5), "thinking": {"type": "enabled"}}, saying(plan))
    choice, usage = body["choices"][0], body["usage"]
    assert choice["finish_reason"] == "length"
    assert choice["message"]["content"] == ""
    assert choice["message"]["reasoning_content"] == "Two and two are four"
    assert (usage["completion_tokens"], usage["completion_tokens_details"]["reasoning_tokens"]) == (5, 5)


@rule("5.stop", "3.stop")
def test_a_stop_sequence_ends_the_answer_before_it() -> None:
    body = asked(chat(user("?"), stop=["ZEBRA", "omega"]), saying(Plan(content="alpha ZEBRA omega")))
    assert body["choices"][0]["message"]["content"] == "alpha "
    assert body["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("fields", "thinks"),
    [
        about("3.thinking.default", {"thinking": None}, True),
        about("3.thinking.toggle", {"thinking": {"type": "enabled"}}, True),
        about("3.thinking.toggle", {"thinking": {"type": "disabled"}}, False),
        about("3.effort.none", {"thinking": None, "reasoning_effort": "none"}, False),
        about("3.effort.none", {"thinking": {"type": "enabled"}, "reasoning_effort": "none"}, True),
        about("3.effort.none", {"thinking": {"type": "disabled"}, "reasoning_effort": "max"}, False),
        about("3.thinking.default", {"thinking": None, "model": "deepseek-chat"}, False),
        about("3.thinking.default", {"thinking": None, "model": "deepseek-reasoner"}, True),
    ],
)
def test_who_thinks(fields: dict[str, object], thinks: bool) -> None:
    assert ("reasoning_content" in asked({**chat(user("Hello")), **fields})["choices"][0]["message"]) is thinks


@rule("4.model")
def test_the_reply_names_the_model_that_served() -> None:
    assert asked(chat(user("Hello"), model="deepseek-chat"))["model"] == "deepseek-flash"


@rule("1.headers", "8.content_type")
def test_headers_are_those_of_the_endpoint() -> None:
    def headers(body: object) -> dict[str, str]:
        return dict(post(body).headers)

    whole, stream, error = headers(chat(user("Hi"))), headers(chat(user("Hi"), stream=True)), headers(b"{")
    assert whole["content-type"] == "application/json"
    assert stream["content-type"] == "text/event-stream; charset=utf-8"
    assert stream["cache-control"] == "no-cache"
    assert error["content-type"] == "application/octet-stream"
    for one in (whole, stream, error):
        assert one["server"] == "elb"
        assert re.fullmatch(r"[0-9a-f]{32}", one["x-ds-trace-id"])
        assert not [name for name in one if name == "retry-after" or name.startswith("x-ratelimit")]


@rule("1.models")
@pytest.mark.parametrize("path", ["/models", "/v1/models"])
def test_models_are_listed(path: str) -> None:
    simulator = Simulator("deepseek-v4")
    listed = json.loads(simulator.handle("GET", path, HEADERS, b"").body)
    assert listed == {
        "object": "list",
        "data": [
            {"id": "deepseek-v4-flash", "object": "model", "owned_by": "deepseek"},
            {"id": "deepseek-v4-pro", "object": "model", "owned_by": "deepseek"},
        ],
    }
    one = json.loads(simulator.handle("GET", f"{path}/deepseek-v4-pro", HEADERS, b"").body)
    assert one == listed["data"][1]


@rule("1.addresses")
@pytest.mark.parametrize("path", ["/chat/completions", "/v1/chat/completions", "/beta/chat/completions?x=1"])
def test_chat_answers_under_every_prefix(path: str) -> None:
    assert post(chat(user("Hello")), path=path).status == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        about("8.405", "GET", "/chat/completions", 405),
        about("8.405", "POST", "/models", 405),
        about("8.404", "POST", "/embeddings", 404),
        about("8.404", "GET", "/", 404),
    ],
)
def test_other_paths_and_methods_are_not_there(method: str, path: str, status: int) -> None:
    assert Simulator().handle(method, path, HEADERS, b"").status == status


@rule("8.401")
def test_a_key_is_wanted_and_shown_only_by_its_end() -> None:
    def refusal(headers: dict[str, str], key: str | None = None) -> dict[str, str]:
        reply = Simulator(key=key).handle("GET", "/models", headers, b"")
        assert (reply.status, dict(reply.headers)["content-type"]) == (401, "application/json")
        return json.loads(reply.body)["error"]

    assert refusal({"authorization": "Bearer bad-key"}, key="good-key") == {
        "message": "Authentication Fails, Your api key: ****-key is invalid",
        "type": "authentication_error",
        "param": None,
        "code": "invalid_request_error",
    }
    for headers in ({}, {"authorization": "Bearer "}, {"authorization": "Basic abc"}):
        assert "auth header format should be Bearer" in refusal(headers)["message"]
    assert Simulator(key="good-key").handle("GET", "/models", {"authorization": "Bearer good-key"}, b"").status == 200


def test_an_unknown_profile_is_named_with_those_that_there_are() -> None:
    with pytest.raises(ConfigurationError, match=r"no simulator profile `gpt`; there are: `deepseek`"):
        Simulator("gpt")


@given(st.text())
def test_tokens_joined_are_the_text(text: str) -> None:
    assert "".join(split(text)) == text
    assert count(text) == len(split(text))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
calls = st.builds(
    Call,
    st.from_regex(r"[a-z_]{1,12}", fullmatch=True),
    st.dictionaries(st.text(), json_values, max_size=3).map(lambda value: json.dumps(value, ensure_ascii=False))
    | st.text(),
)
plans = st.builds(Plan, st.text(), st.lists(calls, max_size=3).map(tuple), st.text())


@given(plans, st.booleans())
def test_whatever_is_said_arrives_whole_streamed_or_not(plan: Plan, thinking: bool) -> None:
    body = {**chat(user("?")), "thinking": {"type": "enabled"} if thinking else PLAIN}
    message = asked(body, saying(plan))["choices"][0]["message"]
    spoken = "".join(character if not 0xD800 <= ord(character) < 0xE000 else "?" for character in plan.content)
    assert message["content"] == spoken
    streamed = gathered(chunks(body, saying(plan)))
    assert streamed["content"] == message["content"]
    assert streamed.get("reasoning_content", "") == message.get("reasoning_content", "")
    for one in (message, streamed):
        names = [(call["function"]["name"], call["function"]["arguments"]) for call in one.get("tool_calls", ())]
        assert names == [(call.name, call.arguments) for call in plan.calls]


@given(plans, st.booleans(), st.integers(min_value=1, max_value=120))
def test_a_cut_reply_is_the_beginning_of_the_whole_one(plan: Plan, thinking: bool, budget: int) -> None:
    whole = write(plan, thinking=thinking, budget=10**9)
    cut = write(plan, thinking=thinking, budget=budget)
    assert cut.completion_tokens <= budget or whole.completion_tokens == cut.completion_tokens
    assert cut.pieces == whole.pieces[: len(cut.pieces)]
    assert (cut.finish_reason == "length") is (whole.completion_tokens > budget)
