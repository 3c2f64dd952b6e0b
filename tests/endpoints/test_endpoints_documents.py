"""Statements of the endpoints' documents that nothing else holds: docs/reference/endpoints.md names these tests."""

import json

import pytest
from endpoint_runs import ANSWER, PROMPT, Desk, Endpoint
from wire import serving

from agentkit import Agent, Settings, tool
from agentkit.messages import Assistant, ToolMessage
from agentkit.models import open_model
from agentkit.simulator import Simulator


def bodies(desk):
    """The requests that an endpoint got."""
    return [entry.body for entry in desk.simulator.log.chats]


def test_lkeaps_r1_is_always_streamed_on_the_wire_and_its_other_models_if_asked():
    for model, streamed in (("deepseek-r1", True), ("DeepSeek-R1-0528", True), ("deepseek-v3", False)):
        desk = Desk(Endpoint(f"lkeap:{model}", "lkeap"))
        desk.agent.run(PROMPT)
        assert all(body.get("stream", False) == streamed for body in bodies(desk))
        desk = Desk(Endpoint(f"lkeap:{model}", "lkeap"))
        with desk.agent.stream(PROMPT) as stream:
            list(stream)
        assert all(body["stream"] for body in bodies(desk))


def test_lkeaps_r1_is_sent_no_reasoning_and_no_system_message():
    desk = Desk(Endpoint("lkeap:deepseek-r1", "lkeap"), simulator=Simulator("lkeap"))
    agent = Agent(desk.model, instructions="Be brief.")
    first = agent.run("Which is larger, 9.9 or 9.11?")
    assert isinstance(first.messages[-1], Assistant)
    assert first.messages[-1].reasoning
    agent.run("And who are you?", history=first.messages)
    one, two = (body["messages"] for body in bodies(desk))
    assert [message["role"] for message in one] == ["user"]
    assert one[0]["content"].startswith("Be brief.")
    assert [message["role"] for message in two] == ["user", "assistant", "user"]
    assert all("reasoning_content" not in message for message in two)


LKEAP = {
    "id": "0123456789abcdef0123456789abcdef",
    "choices": [
        {
            "finish_reason": "tool_calls",
            "index": 0,
            "message": {
                "content": "I look it up.\n\t\n\tThe forecast is asked for.",
                "role": "assistant",
                "tool_calls": [
                    {
                        "id": "call_abcdefghij0123456789",
                        "function": {"arguments": '{"latitude":48.8566,"longitude":2.3522}', "name": "weather"},
                        "type": "function",
                        "index": 0,
                    }
                ],
            },
        }
    ],
    "created": 1742452818,
    "model": "hunyuan-turbos-latest",
    "object": "chat.completion",
    "system_fingerprint": "",
    "usage": {"completion_tokens": 48, "prompt_tokens": 22, "total_tokens": 70},
}
SECOND = {
    **{key: value for key, value in LKEAP.items() if key != "choices"},
    "choices": [{"finish_reason": "stop", "index": 0, "message": {"content": "It is 12 °C.", "role": "assistant"}}],
    "usage": {"completion_tokens": 24, "prompt_tokens": 71, "total_tokens": 95},
    "note": "made by a machine",
}


def test_an_exchange_in_the_form_of_lkeaps_example_is_led():
    asked = []

    @tool
    def weather(latitude: float, longitude: float) -> str:
        """Tell the weather at a place."""
        asked.append((latitude, longitude))
        return "11.7"

    replies = [LKEAP, SECOND]
    with serving(lambda exchange: exchange.reply(json.dumps(replies[len(server.exchanges) - 1]).encode())) as server:
        model = open_model("lkeap:deepseek-v3", base_url=f"{server.url}/v1", api_key="k")
        result = Agent(model, tools=[weather]).run("What is the weather in Paris?")
        first, second = (exchange.json for exchange in server.exchanges)
    assert asked == [(48.8566, 2.3522)]
    assert result.output == "It is 12 °C."
    assert result.usage.prompt_tokens == result.usage.cache_miss_tokens == 93
    assert result.usage.completion_tokens == 72
    assert set(first) == {"model", "messages", "tools"}
    call, answer = second["messages"][1:]
    assert (call["content"], call["tool_calls"][0]["id"]) == (
        "I look it up.\n\t\n\tThe forecast is asked for.",
        "call_abcdefghij0123456789",
    )
    assert answer == {"role": "tool", "tool_call_id": "call_abcdefghij0123456789", "content": "11.7"}
    assert [one.text for one in result.messages if isinstance(one, ToolMessage)] == ["11.7"]


@pytest.mark.parametrize("path", ["", "/v1"])
def test_deepseeks_address_works_with_and_without_its_version(path):
    simulator = Simulator()
    model = open_model(
        "deepseek:deepseek-flash",
        base_url=f"http://simulator{path}",
        api_key="k",
        transport=simulator.transport(),
    )
    assert "391" in Agent(model).run("What is 17 * 23?").output
    assert simulator.log[0].path == f"{path}/chat/completions"
    assert simulator.log[0].headers["authorization"] == "***"


@pytest.mark.parametrize("profile", ["deepseek", "deepseek-v3.2-exp"])
def test_the_endpoint_forgets_and_the_whole_conversation_is_sent_each_time(profile):
    name = "deepseek:deepseek-flash" if profile == "deepseek" else "deepseek-v3.2-exp:deepseek-reasoner"
    desk = Desk(Endpoint(name, profile), simulator=Simulator(profile))
    agent = Agent(desk.model)
    first = agent.run("What is 2 + 3?")
    agent.run("And 3 + 4?", history=first.messages)
    one, two = (body["messages"] for body in bodies(desk))
    assert [(message["role"], message["content"]) for message in two[:2]] == [
        ("user", "What is 2 + 3?"),
        ("assistant", first.output),
    ]
    assert two[2] == {"role": "user", "content": "And 3 + 4?"}
    assert one == two[:1]


def test_evolinks_reasoner_is_sent_none_of_the_five_that_it_refuses():
    desk = Desk(Endpoint("evolink:deepseek-reasoner", "evolink"))
    settings = Settings(temperature=0.3, top_p=0.8, tool_choice="required")
    assert desk.agent.run(PROMPT, settings=settings).output == ANSWER
    for body in bodies(desk):
        assert not {"temperature", "top_p", "tools", "tool_choice", "response_format"} & set(body)


def test_evolinks_reasoner_can_be_asked_not_to_think():
    desk = Desk(Endpoint("evolink:deepseek-reasoner", "evolink"))
    result = desk.agent.run(PROMPT, settings=Settings(thinking=False))
    assert result.output == ANSWER
    assert all(body["thinking"] == {"type": "disabled"} for body in bodies(desk))
