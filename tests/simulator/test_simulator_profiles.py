"""Profiles: what each endpoint serves, refuses and writes, by model and by date."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from rules_table import about, rule
from simulator_requests import HEADERS, WEATHER, tool, user

from agentkit.errors import ConfigurationError
from agentkit.simulator import Simulator
from agentkit.simulator.brains import Call, Plan, Turn
from agentkit.simulator.endpoints import PROFILES, SWITCHES, profile_named
from agentkit.simulator.profiles import Profile

SERVERS = ["vllm", "sglang", "llama.cpp", "ollama", "openrouter", "vllm+think-tags", "lkeap+lenient"]
NAMES = [*PROFILES, *SERVERS]
PAGES = [(name, model) for name in NAMES for model in profile_named(name).models]
JSON_WANTED = {"type": "json_object"}
ANSWERED = [
    user("Weather in Paris?"),
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}
        ],
    },
    {"role": "tool", "tool_call_id": "a", "content": "sunny"},
]


def ask(simulator: Simulator, body: Mapping[str, Any], *, path: str = "/chat/completions") -> tuple[int, Any]:
    """The status and the JSON of the reply under the profile's own address."""
    reply = simulator.handle("POST", simulator.profile.base + path, HEADERS, json.dumps(body).encode())
    return reply.status, json.loads(reply.body)


def answer(name: str | Profile, body: Mapping[str, Any], plan: Plan | None = None) -> dict[str, Any]:
    """The reply, which must be a success."""
    status, reply = ask(Simulator(name, brain=(lambda _: plan) if plan else None), body)
    assert status == 200, reply
    return reply


def message(name: str | Profile, body: Mapping[str, Any], plan: Plan | None = None) -> dict[str, Any]:
    return answer(name, body, plan)["choices"][0]["message"]


def refusal(name: str | Profile, body: Mapping[str, Any]) -> tuple[int, str]:
    status, reply = ask(Simulator(name), body)
    assert status >= 400, reply
    return status, reply["error"]["message"]


def events(name: str | Profile, body: Mapping[str, Any], plan: Plan) -> list[dict[str, Any]]:
    """The chunks of a stream, whatever their habits."""
    simulator = Simulator(name, brain=lambda _: plan)
    data = json.dumps({**body, "stream": True}).encode()
    reply = simulator.handle("POST", f"{simulator.profile.base}/chat/completions", HEADERS, data)
    assert reply.status == 200, reply.body
    lines = reply.body.decode().split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]


def deltas(name: str | Profile, body: Mapping[str, Any], plan: Plan) -> list[dict[str, Any]]:
    return [event["choices"][0]["delta"] for event in events(name, body, plan) if event["choices"]]


def seen(name: str | Profile, body: Mapping[str, Any]) -> Turn:
    """What the brain is asked."""
    turns: list[Turn] = []
    status, reply = ask(Simulator(name, brain=lambda turn: turns.append(turn) or Plan("!")), body)
    assert status == 200, reply
    return turns[0]


def to(model: str, *messages: Any, **fields: Any) -> dict[str, Any]:
    return {"model": model, "messages": list(messages) or [user("Hello")], **fields}


# ── Names ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_unknown_profile_is_told_with_those_that_there_are() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Simulator("deepsek")
    text = str(caught.value)
    assert text.startswith("there is no simulator profile `deepsek`; there are: `deepseek`, ")
    for name in (*PROFILES, "vllm", "llama.cpp"):
        assert f"`{name}`" in text


def test_an_unknown_switch_is_told_with_those_that_there_are() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Simulator("openai-compatible+vlm")
    assert str(caught.value).startswith("simulator profiles have no switch `+vlm`; there are: ")
    for name in SWITCHES:
        assert f"`+{name}`" in str(caught.value)


@pytest.mark.parametrize("name", ["deepseek+vllm", "lkeap+think-tags", "evolink+no-jinja"])
def test_a_switch_that_does_not_go_with_a_profile_is_told(name: str) -> None:
    with pytest.raises(ConfigurationError, match="goes with `openai-compatible` and not with"):
        Simulator(name)


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_has_the_name_that_it_was_asked_by_and_a_date(name: str) -> None:
    profile = profile_named(name)
    assert profile.name == name
    assert re.fullmatch(r"202\d-\d\d-\d\d", profile.date)
    assert profile.about
    assert profile_named(profile) is profile


def test_a_server_alone_is_a_compatible_one_with_its_switch() -> None:
    assert replace(profile_named("vllm"), name="") == replace(profile_named("openai-compatible+vllm"), name="")


# ── The stand-in on every one ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("name", "model"), PAGES)
@pytest.mark.parametrize("stream", [False, True])
def test_the_rules_answer_on_every_profile_and_call_tools_where_there_are_some(
    name: str, model: str, stream: bool
) -> None:
    profile = profile_named(name)
    served = profile.models[model]
    body = to(model, user("Weather in Paris?"), stream=stream)
    if served.tools in ("yes", "elsewhere") and "tools" not in served.refuses:
        body["tools"] = [WEATHER]
    simulator = Simulator(name)
    reply = simulator.handle("POST", f"{profile.base}/chat/completions", HEADERS, json.dumps(body).encode())
    assert reply.status == 200, reply.body
    text = reply.body.decode()
    assert ('"weather"' in text) is ("tools" in body)
    assert ("[DONE]" in text) is stream


@pytest.mark.parametrize("name", NAMES)
def test_every_profile_wants_a_key(name: str) -> None:
    simulator = Simulator(name, key="sk-good")
    path = f"{simulator.profile.base}/chat/completions"
    for headers in ({}, {"authorization": "Bearer sk-bad"}):
        reply = simulator.handle("POST", path, headers, b"{}")
        assert reply.status == 401
        assert json.loads(reply.body)["error"]["message"]


@rule("1.addresses")
@pytest.mark.parametrize(
    ("name", "path", "status"),
    [
        ("deepseek", "/chat/completions", 200),
        ("deepseek", "/v1/chat/completions", 200),
        ("deepseek", "/beta/chat/completions", 200),
        ("lkeap", "/v1/chat/completions", 200),
        ("lkeap", "/chat/completions", 404),
        ("evolink", "/v1/chat/completions", 200),
        ("openrouter", "/api/v1/chat/completions", 200),
        ("vllm", "/v1/chat/completions", 200),
    ],
)
def test_each_endpoint_answers_under_its_own_paths(name: str, path: str, status: int) -> None:
    simulator = Simulator(name)
    body = json.dumps(to(next(iter(simulator.profile.models)))).encode()
    assert simulator.handle("POST", path, HEADERS, body).status == status


@rule("1.models")
@pytest.mark.parametrize(("name", "status"), [("openrouter", 200), ("vllm", 200), ("lkeap", 404)])
def test_models_are_listed_where_that_is_documented(name: str, status: int) -> None:
    simulator = Simulator(name)
    reply = simulator.handle("GET", f"{simulator.profile.base}/models", HEADERS, b"")
    assert reply.status == status
    for entry in json.loads(reply.body).get("data", ()):
        one = simulator.handle("GET", f"{simulator.profile.base}/models/{entry['id']}", HEADERS, b"")
        assert json.loads(one.body) == entry


# ── DeepSeek's earlier days ──────────────────────────────────────────────────────────────────────────────────────────


@rule("3.model.not_exist")
@pytest.mark.parametrize("name", ["deepseek-v3.2", "deepseek-v3.2-exp", "deepseek-r1"])
def test_in_2025_an_unknown_model_was_told_in_three_words(name: str) -> None:
    assert refusal(name, to("gpt-9")) == (400, "Model Not Exist")


@rule("3.max_tokens.old")
@pytest.mark.parametrize(
    ("name", "model", "most"),
    [
        ("deepseek-v3.2", "deepseek-chat", 8_192),
        ("deepseek-v3.2-exp", "deepseek-reasoner", 65_536),
        ("deepseek-r1", "deepseek-reasoner", 8_192),
    ],
)
def test_max_tokens_had_other_bounds(name: str, model: str, most: int) -> None:
    answer(name, to(model, max_tokens=most))
    text = f"Invalid max_tokens value, the valid range of max_tokens is [1, {most}]"
    assert refusal(name, to(model, max_tokens=most + 1)) == (400, text)


@rule("3.tool.name.old")
def test_tool_names_were_shorter() -> None:
    answer("deepseek-v3.2", to("deepseek-chat", tools=[tool("x" * 64)]))
    assert "1-64" in refusal("deepseek-v3.2", to("deepseek-chat", tools=[tool("x" * 65)]))[1]


@rule("3.logprobs.r1")
@pytest.mark.parametrize("name", ["deepseek-v3.2", "deepseek-v3.2-exp", "deepseek-r1"])
@pytest.mark.parametrize("field", ["logprobs", "top_logprobs"])
def test_the_reasoner_of_2025_refuses_log_probabilities(name: str, field: str) -> None:
    value = True if field == "logprobs" else 2
    text = f"deepseek-reasoner does not support the parameter `{field}`"
    assert refusal(name, to("deepseek-reasoner", **{field: value})) == (400, text)
    logs = answer(name, to("deepseek-chat", logprobs=True))["choices"][0]["logprobs"]
    assert logs["content"]


def test_the_reasoner_of_2025_takes_sampling_fields_without_effect() -> None:
    body = to("deepseek-reasoner", temperature=0.3, top_p=0.3, presence_penalty=1, frequency_penalty=1)
    assert (seen("deepseek-v3.2-exp", body).temperature, seen("deepseek-r1", body).top_p) == (1.0, 1.0)


@rule("4.call_ids.2025", "4.fingerprint")
def test_in_2025_ids_and_fingerprints_looked_otherwise() -> None:
    reply = answer("deepseek-v3.2", to("deepseek-chat"), Plan(calls=(Call("ping", "{}"), Call("ping", "{}"))))
    ids = [call["id"] for call in reply["choices"][0]["message"]["tool_calls"]]
    assert all(re.fullmatch(rf"call_{number:02}_[A-Za-z0-9]{{24}}", one) for number, one in enumerate(ids))
    assert not all(one[-4:].isdigit() for one in ids)
    assert reply["system_fingerprint"].startswith("fp_")
    assert re.fullmatch(r"[0-9a-f]{32}", answer("deepseek", to("deepseek-flash"))["system_fingerprint"])


def test_in_december_2025_the_reply_named_the_model_that_was_asked_for() -> None:
    for model in ("deepseek-chat", "deepseek-reasoner"):
        assert answer("deepseek-v3.2", to(model))["model"] == model


@rule("2.exp.rerouted")
def test_a_reasoner_with_tools_was_silently_served_by_the_chat_model() -> None:
    body = to("deepseek-reasoner", user("Weather in Paris?"), tools=[WEATHER])
    reply = answer("deepseek-v3.2-exp", body)
    assert reply["model"] == "deepseek-chat"
    assert "tool_calls" in reply["choices"][0]["message"]
    assert "reasoning_content" not in reply["choices"][0]["message"]
    plain = answer("deepseek-v3.2-exp", to("deepseek-reasoner"))
    assert plain["model"] == "deepseek-reasoner"
    assert plain["choices"][0]["message"]["reasoning_content"]


def test_v32_thinks_with_tools_and_its_chat_model_can_be_told_to() -> None:
    body = to("deepseek-reasoner", user("Weather in Paris?"), tools=[WEATHER])
    said = message("deepseek-v3.2", body)
    assert said["tool_calls"]
    assert said["reasoning_content"]
    assert "reasoning_content" in message("deepseek-v3.2", to("deepseek-chat", thinking={"type": "enabled"}))
    assert "reasoning_content" not in message("deepseek-v3.2-exp", to("deepseek-chat", thinking={"type": "enabled"}))


@rule("3.tool_choice.thinking")
def test_v32_refuses_a_forced_tool_in_other_words() -> None:
    body = to("deepseek-reasoner", tools=[WEATHER], tool_choice="required")
    assert refusal("deepseek-v3.2", body) == (400, "deepseek-reasoner does not support this tool_choice")


GONE = "The reasoning_content is an intermediate result for display purposes only"


@rule("6.refused")
@pytest.mark.parametrize("name", ["deepseek-r1", "deepseek-v3.2-exp"])
@pytest.mark.parametrize("model", ["deepseek-chat", "deepseek-reasoner"])
@pytest.mark.parametrize("reasoning", ["Hm.", ""])
def test_reasoning_in_the_input_is_refused(name: str, model: str, reasoning: str) -> None:
    said = {"role": "assistant", "content": "Hi.", "reasoning_content": reasoning}
    status, text = refusal(name, to(model, user("Hello"), said, user("And?")))
    assert status == 400
    assert text.startswith(GONE)
    answer(name, to(model, user("Hello"), {**said, "reasoning_content": None}, user("And?")))


@rule("6.refused.prefix", "3.prefix.reasoning")
def test_reasoning_on_a_prefix_is_fine() -> None:
    said = {"role": "assistant", "content": "Hi", "reasoning_content": "Hm.", "prefix": True}
    simulator = Simulator("deepseek-v3.2-exp")
    status, _ = ask(simulator, to("deepseek-reasoner", user("Hello"), said), path="/../beta/chat/completions")
    assert status == 404  # a path is taken as it is
    reply = simulator.handle(
        "POST", "/beta/chat/completions", HEADERS, json.dumps(to("deepseek-reasoner", user("Hello"), said)).encode()
    )
    assert reply.status == 200


@rule("5.thinking")
@pytest.mark.parametrize(
    ("name", "content"),
    [("deepseek-r1", ""), ("deepseek-v3.2-exp", ""), ("deepseek-v3.2", None), ("deepseek-v4", None)],
)
def test_the_first_delta_of_thoughts_has_an_empty_text_or_none(name: str, content: str | None) -> None:
    first = deltas(name, to("deepseek-reasoner"), Plan("Hi.", reasoning="Hm."))[0]
    assert first == {"role": "assistant", "content": content, "reasoning_content": ""}


@rule("6.current_turn")
def test_v32_wants_the_reasoning_of_the_current_turn_alone() -> None:
    earlier = [*ANSWERED, {"role": "assistant", "content": "Sunny."}]
    body = to("deepseek-reasoner", *earlier, user("And?"), tools=[WEATHER])
    answer("deepseek-v3.2", body)
    status, text = refusal("deepseek-v3.2", to("deepseek-reasoner", *earlier, *ANSWERED, tools=[WEATHER]))
    assert status == 400
    assert text == (
        "Missing `reasoning_content` field in the assistant message at message index 5. For more information, please "
        "refer to https://api-docs.deepseek.com/guides/thinking_mode#tool-calls"
    )
    given = [ANSWERED[0], {**ANSWERED[1], "reasoning_content": ""}, ANSWERED[2]]
    answer("deepseek-v3.2", to("deepseek-reasoner", *earlier, *given, tools=[WEATHER]))


@rule("2.r1.no_tools")
def test_r1_refuses_tools() -> None:
    body = to("deepseek-reasoner", tools=[WEATHER])
    assert refusal("deepseek-r1", body) == (400, "deepseek-reasoner does not support Function Calling")
    answer("deepseek-r1", to("deepseek-chat", tools=[WEATHER]))


@rule("2.r1.no_json")
def test_r1_refuses_json_output() -> None:
    body = to("deepseek-reasoner", user("json, please"), response_format=JSON_WANTED)
    assert refusal("deepseek-r1", body) == (400, "deepseek-reasoner does not support Json Output.")
    json.loads(message("deepseek-r1", {**body, "model": "deepseek-chat"})["content"])
    json.loads(message("deepseek-v3.2-exp", body)["content"])


SYSTEM = {"role": "system", "content": "Be brief."}
SAID = {"role": "assistant", "content": "Hi."}


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        about(
            "7.r1.successive",
            [SYSTEM, user("a"), user("b")],
            "deepseek-reasoner does not support successive user or assistant messages (messages[1] and messages[2] in "
            "your input). You should interleave the user/assistant messages in the message sequence.",
        ),
        about("7.r1.successive", [user("a"), SAID, SAID, user("b")], "deepseek-reasoner does not support successive"),
        about(
            "7.r1.last",
            [user("a"), SAID],
            "The last message of deepseek-reasoner must be a user message, or an assistant message with prefix mode on "
            "(refer to https://api-docs.deepseek.com/guides/chat_prefix_completion).",
        ),
        about(
            "7.r1.first",
            [SYSTEM, SAID, user("a")],
            "The first message (except the system message) of deepseek-reasoner must be a user message",
        ),
    ],
)
def test_r1_wants_users_and_assistants_in_turns(messages: list[Any], text: str) -> None:
    status, told = refusal("deepseek-r1", to("deepseek-reasoner", *messages))
    assert status == 400
    assert told.startswith(text)
    if messages[-1]["role"] == "user":
        answer("deepseek-r1", to("deepseek-chat", *messages))
        answer("deepseek-v3.2", to("deepseek-reasoner", *messages))


@rule("3.max_tokens.r1")
def test_the_reasoning_of_r1_has_a_budget_of_its_own() -> None:
    plan = Plan(content="It is forty-two, of course.", reasoning="Well, well. " * 50)
    reply = answer("deepseek-r1", to("deepseek-reasoner", max_tokens=4), plan)
    said = reply["choices"][0]
    assert (said["message"]["content"], said["finish_reason"]) == ("It is forty-", "length")
    assert said["message"]["reasoning_content"] == plan.reasoning
    long = Plan(content="Never said.", reasoning="word " * 40_000)
    reply = answer("deepseek-r1", to("deepseek-reasoner"), long)
    assert reply["usage"]["completion_tokens_details"]["reasoning_tokens"] == 32_768
    assert (reply["choices"][0]["message"]["content"], reply["choices"][0]["finish_reason"]) == ("", "length")


# ── LKEAP ────────────────────────────────────────────────────────────────────────────────────────────────────────────

COORDINATES = tool(
    "get_weather",
    "Get current temperature for provided coordinates in celsius.",
    latitude={"type": "number"},
    longitude={"type": "number"},
)
TO_PARIS = Plan(calls=(Call("get_weather", '{"latitude": 48.8566, "longitude": 2.3522}'),))


@rule("2.lkeap.no_tools")
@pytest.mark.parametrize("model", ["deepseek-r1", "deepseek-r1-0528", "deepseek-v3.1-terminus"])
def test_lkeap_has_tools_for_v3_alone(model: str) -> None:
    assert refusal("lkeap", to(model, tools=[WEATHER])) == (400, f"function calling is not supported by {model}")
    assert "tool_calls" in message("lkeap", to("deepseek-v3", user("Weather in Paris?"), tools=[WEATHER]))
    lenient = seen("lkeap+lenient", to(model, tools=[WEATHER], tool_choice="required"))
    assert (lenient.tools, lenient.must_call) == ((), False)


@rule("2.lkeap.required")
def test_lkeap_knows_no_required() -> None:
    for choice in ("none", "auto", {"type": "function", "function": {"name": "weather"}}):
        answer("lkeap", to("deepseek-v3", tools=[WEATHER], tool_choice=choice))
    status, text = refusal("lkeap", to("deepseek-v3", tools=[WEATHER], tool_choice="required"))
    assert (status, text) == (400, "tool_choice required is not supported by deepseek-v3")


@rule("2.lkeap.parameters")
@pytest.mark.parametrize(
    ("field", "value"), [("presence_penalty", 1), ("frequency_penalty", 0), ("logprobs", True), ("top_logprobs", 1)]
)
def test_lkeap_refuses_what_it_calls_unsupported(field: str, value: Any) -> None:
    for model in ("deepseek-r1", "deepseek-v3"):
        assert refusal("lkeap", to(model, **{field: value})) == (400, f"{field} is not supported by {model}")
        answer("lkeap+lenient", to(model, **{field: value}))
    terminus = to("deepseek-v3.1-terminus", **{field: value})
    if field.endswith("penalty"):
        answer("lkeap", terminus)
    else:
        assert refusal("lkeap", terminus)[0] == 400


@rule("2.lkeap.json")
def test_lkeap_has_json_output_for_terminus_alone() -> None:
    body = to("deepseek-v3.1-terminus", user("json, please"), response_format=JSON_WANTED)
    json.loads(message("lkeap", body)["content"])
    for model in ("deepseek-r1", "deepseek-v3"):
        assert refusal("lkeap", {**body, "model": model})[0] == 400


@rule("2.lkeap.defaults")
def test_lkeap_samples_at_0_6_unless_told_otherwise() -> None:
    turn = seen("lkeap", to("deepseek-v3"))
    assert (turn.temperature, turn.top_p) == (0.6, 0.6)
    assert seen("lkeap", to("deepseek-v3", temperature=1.1)).temperature == 1.1
    assert refusal("lkeap", to("deepseek-v3", temperature=2.1))[0] == 400
    assert seen("deepseek", to("deepseek-flash")).temperature == 1.0


@rule("2.lkeap.system", "6.lkeap")
def test_lkeap_takes_a_system_prompt_and_earlier_reasoning() -> None:
    answer("lkeap", to("deepseek-r1", SYSTEM, user("Hello")))
    answer("lkeap", to("deepseek-r1", user("Hello"), {**SAID, "reasoning_content": "Hm."}, user("And?")))


def test_lkeap_does_not_mind_capitals() -> None:
    for model in ("DeepSeek-R1-0528", "Deepseek-V3.1-Terminus"):
        answer("lkeap", to(model))


@rule("8.lkeap.20059")
@pytest.mark.parametrize(
    ("model", "tokens"), [("deepseek-r1", 16_000), ("deepseek-v3", 16_000), ("deepseek-v3.1-terminus", 96_000)]
)
def test_lkeap_refuses_an_input_that_is_too_long_with_a_code_of_its_own(model: str, tokens: int) -> None:
    status, body = ask(Simulator("lkeap"), to(model, user("word " * tokens)))
    assert status == 400
    error = {"message": "input content too long", "type": "runtime_error", "param": None, "code": "20059"}
    assert body == {"error": error}
    answer("lkeap", to(model, user("word " * (tokens - 100))))


@rule("9.lkeap", "4.content")
def test_lkeap_writes_the_conversation_of_its_page() -> None:
    question = user("What's the weather like in Paris today?")
    plans = iter([TO_PARIS, Plan("It is 11.7 degrees in Paris.")])
    simulator = Simulator("lkeap", brain=lambda _: next(plans))
    _, first = ask(simulator, to("deepseek-v3", question, tools=[COORDINATES]))
    assert list(first) == ["id", "choices", "created", "model", "object", "system_fingerprint", "usage"]
    assert re.fullmatch(r"[0-9a-f]{32}", first["id"])
    assert (first["model"], first["system_fingerprint"]) == ("hunyuan-turbos-latest", "")
    assert list(first["usage"]) == ["completion_tokens", "prompt_tokens", "total_tokens"]
    choice = first["choices"][0]
    assert list(choice) == ["finish_reason", "index", "message"]
    said = choice["message"]
    assert list(said) == ["content", "role", "tool_calls"]
    assert "(get_weather)" in said["content"]
    assert "\n\t\n\t" in said["content"]
    (call,) = said["tool_calls"]
    assert re.fullmatch(r"call_[a-z0-9]{20}", call["id"])
    assert list(call["function"]) == ["arguments", "name"]
    assert call["function"]["arguments"] == '{"latitude":48.8566,"longitude":2.3522}'
    result = {"role": "tool", "tool_call_id": call["id"], "content": "11.7"}
    _, second = ask(simulator, to("deepseek-v3", question, said, result, tools=[COORDINATES]))
    assert second["choices"][0]["message"] == {"content": "It is 11.7 degrees in Paris.", "role": "assistant"}
    assert list(second)[-1] == "note"


@rule("5.usage_apart", "9.lkeap")
def test_lkeap_streams_its_usage_unasked_on_a_chunk_without_choices() -> None:
    stream = events("lkeap", to("deepseek-r1"), Plan("Hi.", reasoning="Hm."))
    assert stream[-1]["choices"] == []
    assert stream[-1]["usage"]["completion_tokens"] > 0
    assert all("usage" not in event and len(event["choices"]) == 1 for event in stream[:-1])
    assert stream[-2]["choices"][0]["finish_reason"] == "stop"


# ── EvoLink ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@rule("2.evolink.rejects")
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", 0.5),
        ("top_p", 0.5),
        ("tools", [WEATHER]),
        ("tool_choice", "auto"),
        ("response_format", {"type": "text"}),
    ],
)
def test_evolinks_reasoner_refuses_five_parameters(field: str, value: Any) -> None:
    assert refusal("evolink", to("deepseek-reasoner", **{field: value}))[0] == 400
    answer("evolink", to("deepseek-reasoner", **{field: None}))
    answer("evolink", to("deepseek-chat", **{field: value}))


@rule("2.evolink.choices")
def test_evolink_knows_no_named_tool() -> None:
    for choice in ("none", "auto", "required"):
        answer("evolink", to("deepseek-chat", tools=[WEATHER], tool_choice=choice))
    named = {"type": "function", "function": {"name": "weather"}}
    assert refusal("evolink", to("deepseek-chat", tools=[WEATHER], tool_choice=named))[0] == 400


@rule("2.evolink.bounds")
@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"stop": ["x"] * 16}, 200),
        ({"stop": ["x"] * 17}, 400),
        ({"tools": [tool(f"t{n}") for n in range(129)]}, 400),
        ({"top_logprobs": 21, "logprobs": True}, 400),
        ({"max_tokens": 0}, 400),
        ({"presence_penalty": 2.1}, 400),
    ],
)
def test_evolinks_bounds(fields: dict[str, Any], status: int) -> None:
    assert ask(Simulator("evolink"), to("deepseek-chat", **fields))[0] == status


def test_evolinks_reasoner_can_be_told_not_to_think() -> None:
    assert "reasoning_content" in message("evolink", to("deepseek-reasoner"))
    assert "reasoning_content" not in message("evolink", to("deepseek-reasoner", thinking={"type": "disabled"}))


@rule("1.evolink.fallback")
def test_evolink_has_an_address_to_fall_back_to() -> None:
    """One simulator can stand behind both: a layer sees which was spoken to, and can fail one of them."""
    first, second = profile_named("evolink").hosts
    assert (first, second) == ("direct.evolink.ai", "api.evolink.ai")

    def outage(exchange: Any, handler: Any) -> Any:
        if exchange.host == first:
            exchange.refuse = exchange.profile.refusal("busy")
        return handler(exchange)

    simulator = Simulator("evolink", layers=[outage])
    body = json.dumps(to("deepseek-chat")).encode()
    statuses = [
        simulator.handle("POST", "/v1/chat/completions", {**HEADERS, "host": host}, body).status
        for host in (first, second)
    ]
    assert statuses == [503, 200]


# ── Compatible servers ───────────────────────────────────────────────────────────────────────────────────────────────

CALLS = Plan(calls=(Call("add", '{"a": 1, "b": 2}'), Call("ping", "{}")), content="", reasoning="Two calls, at once.")


@pytest.mark.parametrize("name", ["openai-compatible", *SERVERS[:-1]])
def test_a_compatible_server_takes_any_model_and_lax_messages(name: str) -> None:
    loose = [{"role": "developer", "content": "Be brief."}, user("Hello"), ANSWERED[1], user("Never mind.")]
    body = to("whatever/model", *loose, tools=[WEATHER, WEATHER], response_format=JSON_WANTED)
    assert answer(name, body)["model"] in ("whatever/model", "/models/model.gguf")


@rule("9.vllm")
def test_vllm_has_its_own_ids_and_no_index() -> None:
    said = message("vllm", to("m"), CALLS)
    for call in said["tool_calls"]:
        assert re.fullmatch(r"chatcmpl-tool-[0-9a-f]{32}", call["id"])
        assert "index" not in call
    assert (said["content"], said["reasoning"]) == (None, CALLS.reasoning)
    stream = deltas("vllm", to("m"), CALLS)
    assert stream[0] == {"role": "assistant", "content": ""}
    assert "".join(delta.get("reasoning", "") for delta in stream) == CALLS.reasoning
    asked = events("vllm", to("m", stream_options={"include_usage": True}), CALLS)
    assert (asked[-1]["choices"], asked[-1]["usage"]["total_tokens"] > 0) == ([], True)
    assert all(event["choices"] for event in events("vllm", to("m"), CALLS))
    assert ask(Simulator("vllm"), to("m", n=2))[1]["error"]["code"] == 400


@rule("9.sglang")
def test_sglang_repeats_the_head_of_a_call_and_ends_with_stop() -> None:
    parts = [part for delta in deltas("sglang", to("m"), CALLS) for part in delta.get("tool_calls", ())]
    assert all(part["id"] and part["type"] == "function" and part["function"]["name"] for part in parts)
    arguments: dict[int, str] = {}
    for part in parts:
        arguments[part["index"]] = arguments.get(part["index"], "") + part["function"]["arguments"]
    assert list(arguments.values()) == [call.arguments for call in CALLS.calls]
    assert answer("sglang", to("m"), CALLS)["choices"][0]["finish_reason"] == "stop"
    cut = answer("sglang", to("m", max_tokens=30), CALLS)["choices"][0]
    assert cut["finish_reason"] == "length"


@rule("9.llamacpp")
def test_llamacpp_writes_arguments_from_the_opener_on_and_tells_timings() -> None:
    body = to("m", stream_options={"include_usage": True})
    stream = events("llama.cpp", body, CALLS)
    parts = [
        part for event in stream[:-1] for part in event["choices"][0]["delta"].get("tool_calls", ()) if "id" in part
    ]
    assert [part["function"]["arguments"] for part in parts] == ["{", "{"]
    assert stream[0]["choices"][0] == {
        "index": 0,
        "delta": {"role": "assistant", "content": None},
        "finish_reason": None,
    }
    assert stream[-2]["choices"][0]["delta"] == {}
    assert stream[-1]["choices"] == []
    assert stream[-1]["timings"]["predicted_n"] == stream[-1]["usage"]["completion_tokens"]
    whole = answer("llama.cpp", to("m"), CALLS)
    assert "timings" in whole
    assert "index" not in whole["choices"][0]["message"]["tool_calls"][0]
    assert seen("llama.cpp", to("m", user("json"), response_format=JSON_WANTED)).json is False


@pytest.mark.parametrize(
    ("name", "fields", "status", "error"),
    [
        about(
            "8.llamacpp",
            "llama.cpp",
            {"temperature": "hot"},
            400,
            {
                "code": 400,
                "message": ("Field 'temperature': [json.exception.type_error.302] type must be number, but is string"),
                "type": "invalid_request_error",
            },
        ),
        about(
            "8.llamacpp",
            "llama.cpp+no-jinja",
            {"tools": [WEATHER]},
            500,
            {"code": 500, "message": "tools param requires --jinja flag", "type": "server_error"},
        ),
        about(
            "8.llamacpp",
            "llama.cpp",
            {"grammar": "root ::= x", "json_schema": {}},
            500,
            {"code": 500, "message": "Cannot use both json_schema and grammar", "type": "server_error"},
        ),
    ],
)
def test_llamacpp_has_errors_with_integer_codes(
    name: str, fields: dict[str, Any], status: int, error: dict[str, Any]
) -> None:
    assert ask(Simulator(name), to("m", **fields)) == (status, {"error": error})


@rule("8.llamacpp")
def test_llamacpp_tells_the_sizes_of_an_overflow() -> None:
    status, body = ask(Simulator("llama.cpp"), to("m", user("word " * 41_000)))
    assert status == 400
    error = body["error"]
    assert error["type"] == "exceed_context_size_error"
    assert (error["n_ctx"], error["n_prompt_tokens"] > 41_000) == (40_960, True)
    assert error["message"] == (
        f"request ({error['n_prompt_tokens']} tokens) exceeds the available context size (40960 tokens), "
        "try increasing it"
    )
    answer("llama.cpp", to("m", max_tokens=100_000))


@rule("9.ollama")
def test_ollama_writes_a_call_in_one_chunk() -> None:
    stream = deltas("ollama", to("m"), CALLS)
    parts = [part for delta in stream for part in delta.get("tool_calls", ())]
    assert [part["function"]["arguments"] for part in parts] == [call.arguments for call in CALLS.calls]
    assert "".join(delta.get("reasoning", "") for delta in stream) == CALLS.reasoning


@rule("9.openrouter")
def test_openrouter_adds_its_keys_and_says_null_where_the_budget_is_gone() -> None:
    body = to("deepseek/deepseek-v3.2")
    reply = answer("openrouter", body, Plan("Hi."))
    assert (reply["model"], reply["provider"]) == ("deepseek/deepseek-v3.2-20251201", "Simulator")
    choice = reply["choices"][0]
    assert choice["native_finish_reason"] == "stop"
    assert choice["message"] == {"role": "assistant", "content": "Hi.", "refusal": None, "reasoning": None}
    assert reply["usage"]["cost"] > 0
    starved = answer("openrouter", to("deepseek/deepseek-r1-0528", max_tokens=3), Plan("Hi.", reasoning="Hm, hm, hm."))
    choice = starved["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == (None, "length")
    assert choice["message"]["reasoning"] == "Hm, hm"[:5] or choice["message"]["reasoning"]
    assert choice["message"]["reasoning_details"][0]["text"] == choice["message"]["reasoning"]


@rule("8.openrouter")
def test_openrouter_tells_the_upstream_error_as_a_text() -> None:
    status, body = ask(Simulator("openrouter"), to("deepseek/deepseek-v3.2", temperature=3))
    assert (status, body["error"]["message"]) == (400, "Provider returned error")
    assert json.loads(body["error"]["metadata"]["raw"])["error"]["message"] == "temperature must be in [0, 2]"


@rule("9.think_tags")
def test_reasoning_stands_in_the_text_between_tags() -> None:
    plan = Plan("Four.", reasoning="Two and two.")
    said = message("openai-compatible+think-tags", to("m"), plan)
    assert said == {"role": "assistant", "content": "<think>\nTwo and two.\n</think>\n\nFour."}
    stream = deltas("openai-compatible+think-tags", to("m"), plan)
    assert "".join(delta.get("content") or "" for delta in stream) == said["content"]
