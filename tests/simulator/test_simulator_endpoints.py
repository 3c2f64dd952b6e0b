"""Addresses beside plain chats, and what may be asked for: beta features, JSON, log probabilities, strict tools."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rules_table import about, rule
from simulator_requests import HEADERS, WEATHER, asked, chat, chunks, gathered, post, refused, tool, user

from agentkit.simulator import Simulator
from agentkit.simulator.balance import Balance
from agentkit.simulator.brains import Call, Plan, Turn
from agentkit.simulator.strict import complaint

HELLO = chat(user("Hello"))
THINKING = {"type": "enabled"}


def got(path: str, simulator: Simulator) -> tuple[int, Any]:
    reply = simulator.handle("GET", path, HEADERS, b"")
    return reply.status, json.loads(reply.body)


def beta(body: Mapping[str, Any], simulator: Simulator | None = None) -> tuple[int, Any]:
    reply = post(body, simulator, "/beta/chat/completions")
    return reply.status, json.loads(reply.body)


def saying(content: str, **fields: Any) -> Simulator:
    return Simulator(brain=lambda _: Plan(content, **fields))


# ── Balance ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@rule("1.balance")
def test_the_balance_is_told_in_texts() -> None:
    info = {"currency": "CNY", "total_balance": "110.00", "granted_balance": "10.00", "topped_up_balance": "100.00"}
    assert got("/user/balance", Simulator()) == (200, {"is_available": True, "balance_infos": [info]})
    poor = Balance(Decimal("0.25"), Decimal(0), "USD")
    status, body = got("/user/balance", Simulator(balance=poor))
    assert (status, body["balance_infos"][0]["total_balance"]) == (200, "0.25")
    assert body["balance_infos"][0]["currency"] == "USD"


@rule("8.402")
def test_an_empty_account_is_refused_with_402_and_can_still_be_looked_at() -> None:
    broke = Simulator(balance=Balance(Decimal(0), Decimal(0)))
    assert refused(HELLO, broke) == (402, "Insufficient Balance")
    assert got("/user/balance", broke)[1]["is_available"] is False
    lkeap = post(HELLO, Simulator("lkeap", balance=Balance(Decimal(0), Decimal(0))), "/v1/chat/completions")
    assert json.loads(lkeap.body)["error"]["code"] == "20031"


# ── Prefixes ─────────────────────────────────────────────────────────────────────────────────────────────────────────

BEGUN = chat(user("Tell me a story."), {"role": "assistant", "content": "Once upon", "prefix": True})


@rule("3.prefix")
@pytest.mark.parametrize("said", [" a time.", "Once upon a time."])
@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_goes_on_from_its_prefix(said: str, stream: bool) -> None:
    reply = post({**BEGUN, "stream": stream}, saying(said), "/beta/chat/completions")
    if stream:
        lines = reply.body.decode().split("\n\n")
        message = gathered([json.loads(line[6:]) for line in lines if line.startswith("data: {")])
    else:
        message = json.loads(reply.body)["choices"][0]["message"]
    assert message["content"] == " a time."


@rule("3.prefix")
def test_the_brain_is_told_the_prefix() -> None:
    turns: list[Turn] = []
    beta(BEGUN, Simulator(brain=lambda turn: turns.append(turn) or Plan("!")))
    assert turns[0].prefix == "Once upon"


@rule("3.prefix")
@pytest.mark.parametrize(("prefix", "sign"), [("```python\n", "#"), ("```js\n", "//"), ("Sure:\n```sql", "\n--")])
def test_the_rules_close_an_open_block_of_code(prefix: str, sign: str) -> None:
    body = chat(user("Please write quick sort code"), {"role": "assistant", "content": prefix, "prefix": True})
    content = beta(body)[1]["choices"][0]["message"]["content"]
    assert content.startswith(f"{sign} ")
    assert content.endswith("\n```\n")
    stopped = beta({**body, "stop": ["```"]})[1]["choices"][0]
    assert stopped["message"]["content"] == content.partition("```")[0]
    assert stopped["finish_reason"] == "stop"


@rule("3.prefix.beta")
def test_a_prefix_off_the_beta_address_is_refused() -> None:
    text = 'prefix is only available when using beta api (set base_url="https://api.deepseek.com/beta")'
    assert refused(BEGUN) == (400, text)


@rule("3.prefix")
def test_only_the_last_message_can_be_a_prefix() -> None:
    status, body = beta(chat(user("?"), {"role": "assistant", "content": "x", "prefix": True}, user("?")))
    assert status == 400
    assert body["error"]["message"].startswith("messages[1].prefix")


@rule("3.prefix.reasoning")
def test_a_prefix_may_carry_reasoning() -> None:
    message = {"role": "assistant", "content": "So", "prefix": True, "reasoning_content": "Hm."}
    assert beta({**chat(user("?"), message), "thinking": THINKING})[0] == 200


# ── JSON ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@rule("3.json.output")
@pytest.mark.parametrize("text", ["Answer in JSON: what is 6 * 7?", "Answer as json with the key `total`: 2 + 2?"])
def test_json_output_is_a_json_object(text: str) -> None:
    body = asked(chat(user(text), response_format={"type": "json_object"}))
    assert isinstance(json.loads(body["choices"][0]["message"]["content"]), dict)


@rule("3.json.empty")
def test_json_output_may_come_empty_when_a_brain_or_a_fault_wants_it() -> None:
    body = chat(user("Some json, please"), response_format={"type": "json_object"})
    for simulator in (saying(""), Simulator(faults="empty-content")):
        choice = asked(body, simulator)["choices"][0]
        assert (choice["message"]["content"], choice["finish_reason"]) == ("", "stop")


# ── Thinking, effort, sampling ───────────────────────────────────────────────────────────────────────────────────────


@rule("3.effort.values")
@pytest.mark.parametrize(
    ("effort", "meant"),
    [("low", "low"), ("minimal", "low"), ("medium", "high"), ("xhigh", "high"), ("max", "max"), ("ultra", "max")],
)
def test_words_for_effort_mean_one_of_three(effort: str, meant: str) -> None:
    turns: list[Turn] = []
    simulator = Simulator(brain=lambda turn: turns.append(turn) or Plan("!"))
    asked({**HELLO, "thinking": None, "reasoning_effort": effort}, simulator)
    assert (turns[0].effort, turns[0].thinking) == (meant, True)


@rule("3.temperature.thinking")
def test_temperature_holds_only_while_not_thinking() -> None:
    turns: list[Turn] = []
    simulator = Simulator(brain=lambda turn: turns.append(turn) or Plan("!"))
    for thinking in ({"type": "disabled"}, THINKING):
        asked({**HELLO, "thinking": thinking, "temperature": 0.2, "top_p": 0.5}, simulator)
    assert [(turn.temperature, turn.top_p) for turn in turns] == [(0.2, 0.5), (1.0, 1.0)]


@rule("3.max_completion_tokens", "3.name", "3.model", "3.system.content", "3.user.text_parts", "3.tool.content")
def test_fields_are_read_as_documented() -> None:
    assert asked({**HELLO, "max_completion_tokens": 1})["choices"][0]["finish_reason"] == "stop"
    asked(chat({"role": "user", "content": "Hello", "name": "Ada"}))
    for name in ("model", "messages"):
        body = {key: value for key, value in HELLO.items() if key != name}
        assert f"missing field `{name}`" in refused(body)[1]
    parts = [{"type": "text", "text": "Hello"}]
    calls = [{"id": "a", "type": "function", "function": {"name": "weather", "arguments": "{}"}}]
    asked(
        chat(
            {"role": "system", "content": parts},
            {"role": "user", "content": parts},
            {"role": "assistant", "content": None, "tool_calls": calls},
            {"role": "tool", "tool_call_id": "a", "content": parts},
        )
    )


@rule("3.tool_choice", "3.tool_choice.plain")
@pytest.mark.parametrize(
    ("choice", "calls"),
    [
        ("none", 0),
        ("auto", 0),
        ("required", 1),
        ({"type": "function", "function": {"name": "weather"}}, 1),
    ],
)
def test_a_choice_is_obeyed(choice: Any, calls: int) -> None:
    message = asked(chat(user("Hello"), tools=[WEATHER], tool_choice=choice))["choices"][0]["message"]
    assert len(message.get("tool_calls", ())) == calls


@rule("3.tool_choice.default", "3.tool.no_parameters")
def test_tools_are_used_without_a_choice_and_may_have_no_parameters() -> None:
    ping = {"type": "function", "function": {"name": "ping", "description": "Ping the server."}}
    message = asked(chat(user("Ping the server, please."), tools=[ping]))["choices"][0]["message"]
    assert [call["function"]["arguments"] for call in message["tool_calls"]] == ["{}"]
    assert "tool_calls" not in asked(chat(user("Ping the server, please.")))["choices"][0]["message"]


@rule("7.named")
def test_a_named_choice_leaves_the_model_that_tool_alone() -> None:
    turns: list[Turn] = []
    named = {"type": "function", "function": {"name": "weather"}}
    simulator = Simulator(brain=lambda turn: turns.append(turn) or Plan("!"))
    asked(chat(user("Hello"), tools=[tool("other"), WEATHER], tool_choice=named), simulator)
    assert [one.name for one in turns[0].tools] == ["weather"]
    assert turns[0].must_call


# ── Log probabilities ────────────────────────────────────────────────────────────────────────────────────────────────


@rule("3.logprobs.v4", "3.logprobs.top")
@pytest.mark.parametrize("top", [None, 0, 2, 20])
@pytest.mark.parametrize("thinking", [False, True])
def test_log_probabilities_are_given_for_each_token_of_both_texts(top: int | None, thinking: bool) -> None:
    simulator = saying("It is 42.", reasoning="17 and 25.")
    kind = {"thinking": THINKING} if thinking else {}
    body = {**chat(user("?"), logprobs=True), **kind, **({} if top is None else {"top_logprobs": top})}
    choice = asked(body, simulator)["choices"][0]
    logs = choice["logprobs"]
    assert list(logs) == (["content", "reasoning_content"] if thinking else ["content"])
    for key in logs:
        assert "".join(entry["token"] for entry in logs[key]) == choice["message"][key]
        for entry in logs[key]:
            assert list(entry) == ["token", "logprob", "bytes", "top_logprobs"]
            assert entry["bytes"] == list(entry["token"].encode())
            assert entry["logprob"] <= 0
            likeliest = entry["top_logprobs"]
            assert len(likeliest) == (top or 0)
            assert not likeliest or likeliest[0]["token"] == entry["token"]
            assert [one["logprob"] for one in likeliest] == sorted((one["logprob"] for one in likeliest), reverse=True)
            assert len({one["token"] for one in likeliest}) == len(likeliest)


@rule("3.logprobs.v4")
def test_in_a_stream_each_chunk_has_the_log_probability_of_its_token() -> None:
    simulator = saying("It is 42.", reasoning="17 and 25.")
    events = chunks({**chat(user("?"), logprobs=True), "thinking": THINKING}, simulator)
    for event in events[1:-1]:
        choice = event["choices"][0]
        key = "content" if choice["delta"]["content"] is not None else "reasoning_content"
        assert list(choice["logprobs"]) == [key]
        assert [entry["token"] for entry in choice["logprobs"][key]] == [choice["delta"][key]]
    assert [events[place]["choices"][0]["logprobs"] for place in (0, -1)] == [None, None]


@rule("3.logprobs.v4")
def test_where_they_are_not_asked_for_or_nothing_is_said_there_are_none() -> None:
    assert asked(HELLO)["choices"][0]["logprobs"] is None
    calls = Simulator(brain=lambda _: Plan(calls=(Call("ping", "{}"),)))
    assert asked({**HELLO, "logprobs": True}, calls)["choices"][0]["logprobs"] is None


@rule("3.logprobs.range")
@pytest.mark.parametrize("top", [-1, 21])
def test_more_than_twenty_likeliest_tokens_are_refused(top: int) -> None:
    assert refused({**HELLO, "logprobs": True, "top_logprobs": top})[0] == 400


# ── Strict tools ─────────────────────────────────────────────────────────────────────────────────────────────────────


def strict(parameters: Any, **fields: Any) -> dict[str, Any]:
    function = {"name": "f", "parameters": parameters, "strict": True, **fields}
    return chat(user("Hello"), tools=[{"type": "function", "function": function}])


def an_object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


TEXT = {"type": "string"}


@pytest.mark.parametrize(
    "parameters",
    [
        about("3.strict.objects", an_object(a=TEXT)),
        about("3.strict.objects", an_object()),
        about("3.strict.supported", {}),
        about("3.strict.supported", None),
        about("3.strict.supported", an_object(a={"type": "string", "pattern": "^x", "format": "uuid"})),
        about("3.strict.supported", an_object(a={"type": "integer", "minimum": 1, "multipleOf": 2, "default": 4})),
        about("3.strict.supported", an_object(a={"type": "array", "items": TEXT, "description": "Some."})),
        about("3.strict.supported", an_object(a={"enum": ["x", 1, None]}, b={"type": "string", "enum": ["y"]})),
        about("3.strict.supported", an_object(a={"anyOf": [TEXT, {"type": "null"}], "title": "A"})),
        about("3.strict.supported", an_object(a={"type": ["string", "null"]})),
        about(
            "3.strict.supported",
            {**an_object(a={"$ref": "#/$defs/node"}), "$defs": {"node": an_object(next={"$ref": "#/$defs/node"})}},
        ),
        about("3.strict.supported", {**an_object(a={"$ref": "#/$def/x"}), "$def": {"x": TEXT}}),
        about("3.strict.supported", an_object(a=an_object(b={"type": "boolean"}))),
    ],
)
def test_a_strict_tool_in_the_subset_is_fine(parameters: Any) -> None:
    assert beta(strict(parameters))[0] == 200


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        about("3.strict.objects", {**an_object(a=TEXT, b=TEXT), "required": ["a"]}, "`b` must be in `required`"),
        about("3.strict.objects", {"type": "object", "properties": {"a": TEXT}, "required": ["a"]}, "additional"),
        about("3.strict.objects", an_object(a={**an_object(b=TEXT), "additionalProperties": True}), "#/properties/a"),
        about("3.strict.lengths", an_object(a={"type": "string", "maxLength": 3}), "`maxLength`"),
        about("3.strict.lengths", an_object(a={"type": "array", "items": TEXT, "minItems": 1}), "`minItems`"),
        about("3.strict.supported", an_object(a={"type": "string", "format": "date"}), "the format `date`"),
        about(
            "3.strict.supported", an_object(a={"type": "array", "uniqueItems": True, "items": TEXT}), "`uniqueItems`"
        ),
        about("3.strict.supported", an_object(a={"type": "array"}), "must have `items`"),
        about("3.strict.supported", an_object(a={"anyOf": []}), "#/properties/a/anyOf"),
        about("3.strict.supported", an_object(a={"$ref": "http://elsewhere"}), "`$ref` must point"),
        about("3.strict.reported", an_object(a={"allOf": [TEXT]}), "must have a `type`"),
        about("3.strict.reported", an_object(a={"type": "object", "additionalProperties": TEXT}), "properties"),
        about("3.strict.reported", an_object(a={}), "must have a `type`"),
        about("3.strict.reported", an_object(a=an_object()), "must have properties"),
        about("3.strict.reported", an_object(a={"anyOf": [{"$ref": "#"}, TEXT]}), "`$ref` is not supported within"),
        about("3.strict.reported", an_object(a={"type": ["array", "null"]}), "`type` may list only"),
    ],
)
def test_a_strict_tool_out_of_the_subset_is_refused_and_told_where(parameters: Any, told: str) -> None:
    status, body = beta(strict(parameters))
    assert status == 400
    assert body["error"]["message"].startswith("tools.0.function.parameters: #")
    assert told in body["error"]["message"]


@rule("3.strict.ignored")
def test_strict_is_ignored_off_the_beta_address() -> None:
    body = strict({"type": "object", "properties": {"a": {"type": "string", "maxLength": 3}}})
    asked(body)
    assert beta({**body, "tool_choice": "none"})[0] == 200


@rule("3.strict.all")
def test_all_functions_are_strict_or_none_is() -> None:
    body = strict(an_object())
    status, reply = beta({**body, "tools": [*body["tools"], tool("other")]})
    assert status == 400
    assert "tools.1.function.strict" in reply["error"]["message"]
    assert beta({**body, "tools": [tool("other")]})[0] == 200


schemas = st.recursive(
    st.none() | st.booleans() | st.text(max_size=3) | st.sampled_from(["object", "array", "string", "#/$defs/x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "properties", "required", "additionalProperties", "items", "anyOf", "$ref", "$defs", "format"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(schemas)
def test_any_schema_is_fine_or_told_in_a_line(parameters: Any) -> None:
    parameters = parameters if isinstance(parameters, dict) else {"type": "object", "properties": {"a": parameters}}
    found = complaint(parameters)
    assert isinstance(found, str)
    assert "\n" not in found


def test_a_schema_nested_too_deeply_is_told_so() -> None:
    parameters: dict[str, Any] = {"type": "string"}
    for _ in range(3_000):
        parameters = {"type": "array", "items": parameters}
    assert complaint(
        {"type": "object", "properties": {"a": parameters}, "additionalProperties": False, "required": ["a"]}
    )
