"""`capture`: the requests that models send, byte for byte, over each transport, and in the one context it is for."""

import asyncio
import json
import threading

import pytest
from script import ago, go, ways
from wire import completion, serving

from agentkit import Agent, tool
from agentkit.models import open_model
from agentkit.testing import Sim, capture


@tool
def weather(city: str) -> str:
    """Forecast for a city."""
    return f"{city}: sunny"


@ways
@pytest.mark.parametrize("transport", ["httpx", "aiohttp"])
def test_what_is_captured_is_what_the_server_got_byte_for_byte(way, transport):
    if transport == "aiohttp":
        pytest.importorskip("aiohttp")
    said = [completion(calls=[("a", "weather", '{"city": "Genève"}')]), completion("Sunny.")]
    with serving(lambda exchange: exchange.reply(said[len(server.exchanges) - 1])) as server, capture() as requests:
        model = open_model("openai:m", base_url=server.url, api_key="sk-secret", transport=transport)
        go(Agent(model, tools=[weather]), way, "Genève?")
    assert [one.content for one in requests] == [exchange.body for exchange in server.exchanges]
    assert [(one.method, one.url) for one in requests] == [("POST", f"{server.url}/chat/completions")] * 2
    assert "Genève?" in requests[0].content.decode()
    assert requests[0].body["messages"][-1] == {"role": "user", "content": "Genève?"}


def test_keys_are_not_shown_and_headers_are_as_they_were_sent(sim):
    with capture() as requests:
        Agent(sim.model(api_key="sk-secret")).run("Hello")
    (request,) = requests
    assert request.headers["authorization"] == "***"
    assert request.headers["content-type"] == "application/json"
    assert "sk-secret" not in repr(request) + str(requests)
    assert request.content == sim.log[0].content


def test_each_attempt_is_a_request(sim):
    sim.faults.next("503")
    with capture() as requests:
        Agent(sim.model()).run("Hello")
    assert len(requests) == 2
    assert requests[0].content == requests[1].content


def test_what_goes_beside_chats_is_captured_too(sim):
    with capture() as requests:
        sim.model("deepseek:deepseek-flash").models()
        asyncio.run(sim.model("deepseek:deepseek-flash").abalance())
    assert [(one.method, one.url) for one in requests] == [
        ("GET", "https://api.deepseek.com/models"),
        ("GET", "https://api.deepseek.com/user/balance"),
    ]
    assert [(one.content, one.body) for one in requests] == [(b"", None)] * 2


@ways
def test_agents_that_are_tools_are_captured_with_the_one_that_asked(way, sim):
    @tool
    def expert(question: str) -> str:
        """Ask an expert."""
        return Agent(sim.model()).run(question).output

    sim.script({"calls": [{"name": "expert", "arguments": {"question": "Why?"}}]}, "Because.", "That is why.")
    with capture() as requests:
        assert go(Agent(sim.model(), tools=[expert]), way, "Ask").output == "That is why."
    assert [one.body["messages"][-1]["content"] for one in requests] == ["Ask", "Why?", "Because."]


def test_a_block_within_a_block_and_none_after_it(sim):
    agent = Agent(sim.model())
    with capture() as outer:
        agent.run("one")
        with capture() as inner:
            agent.run("two")
    agent.run("three")
    assert [json.loads(one.content)["messages"][0]["content"] for one in outer] == ["one", "two"]
    assert [one.body["messages"][0]["content"] for one in inner] == ["two"]


def test_tasks_and_threads_beside_it_are_not_captured():
    sims = [Sim(), Sim()]

    async def one(sim, text):
        with capture() as requests:
            await ago(Agent(sim.model()), "arun", text)
        return [request.body["messages"][0]["content"] for request in requests]

    async def both():
        return await asyncio.gather(one(sims[0], "mine"), one(sims[1], "yours"))

    assert asyncio.run(both()) == [["mine"], ["yours"]]
    with capture() as requests:
        thread = threading.Thread(target=Agent(sims[0].model()).run, args=("elsewhere",))
        thread.start()
        thread.join()
    assert requests == []
