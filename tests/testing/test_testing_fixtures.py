"""The fixtures `sim` and `sim_server`, as a test has them."""

import asyncio
import json
import subprocess
import sys
import urllib.request

import httpx
import pytest
from script import go, ways

import agentkit.testing
from agentkit import Agent, ConfigurationError, tool
from agentkit.errors import Rejected
from agentkit.simulator.brains import Plan
from agentkit.testing import Sim, SimServer


@tool
def weather(city: str) -> str:
    """Forecast for a city."""
    return f"{city}: sunny"


@ways
def test_an_agent_runs_on_the_simulator_and_the_log_tells_of_it(way: str, sim: Sim) -> None:
    result = go(Agent(sim.model(), tools=[weather]), way, "Weather in Paris and Tokyo?")
    assert result.output == "Paris: sunny. Tokyo: sunny."
    assert [entry.status for entry in sim.log] == [200, 200]
    assert sim.log[0].body["messages"][-1]["content"] == "Weather in Paris and Tokyo?"
    assert sim.log[0].headers["authorization"] == "***"


@ways
@pytest.mark.parametrize("transport", ["httpx", "aiohttp"])
def test_an_agent_runs_on_the_server_over_each_transport(way: str, transport: str, sim_server: SimServer) -> None:
    if transport == "aiohttp":
        pytest.importorskip("aiohttp")
    result = go(Agent(sim_server.model(transport=transport), tools=[weather]), way, "Weather in Oslo?")
    assert result.output == "Oslo: sunny."
    assert [(entry.path, entry.status) for entry in sim_server.log] == [("/chat/completions", 200)] * 2


def test_any_client_may_ask_the_server(sim_server: SimServer) -> None:
    sim_server.sim.script("From the script.")
    body = {"model": "deepseek-flash", "messages": [{"role": "user", "content": "Hello"}]}
    headers = {"Authorization": "Bearer k", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{sim_server.url}/chat/completions", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as reply:
        assert json.load(reply)["choices"][0]["message"]["content"] == "From the script."
    assert len(sim_server.log) == 1


def test_any_httpx_client_may_ask_in_process(sim: Sim) -> None:
    async def models() -> list[str]:
        async with httpx.AsyncClient(transport=sim.transport(), headers={"Authorization": "Bearer k"}) as client:
            return [one["id"] for one in (await client.get("http://sim/models")).json()["data"]]

    assert "deepseek-flash" in asyncio.run(models())


def test_a_script_answers_and_is_checked(sim: Sim) -> None:
    sim.script(
        {"calls": [{"name": "weather", "arguments": {"city": "Rome"}}], "expect": {"tools": ["weather"]}},
        {"text": "Take a hat.", "expect": {"last": "Rome: sunny", "role": "tool"}},
    )
    assert Agent(sim.model(), tools=[weather]).run("What do I need in Rome?").output == "Take a hat."


def test_faults_are_ordered_where_they_are_needed(sim: Sim) -> None:
    sim.faults.next("moderation", "503")
    with pytest.raises(Rejected, match="Content Exists Risk"):
        Agent(sim.model()).run("Hello")
    assert sim.log[-1].faults == ("moderation",)
    assert Agent(sim.model()).run("Hello").output
    assert [entry.status for entry in sim.log] == [400, 503, 200]


def answering(turn: object) -> Plan:
    return Plan(content="From the brain.")


@pytest.mark.sim("lkeap", faults=["overflow@2"], seed=4, brain=answering)
@pytest.mark.parametrize("served", [False, True])
def test_a_marker_says_what_the_simulator_is_made_with(served: bool, request: pytest.FixtureRequest) -> None:
    here: Sim | SimServer = request.getfixturevalue("sim_server" if served else "sim")
    agent = Agent(here.model("lkeap:deepseek-v3"))
    assert agent.run("Hello").output == "From the brain."
    with pytest.raises(Rejected, match="input content too long"):
        agent.run("Hello")
    assert {entry.path for entry in here.log} == {"/v1/chat/completions"}


@pytest.mark.sim(brain=answering)
class TestOfAClass:
    @pytest.fixture
    def agent(self, sim: Sim) -> Agent:
        return Agent(sim.model())

    def test_a_marker_holds_for_the_tests_of_a_class(self, agent: Agent, sim: Sim) -> None:
        assert agent.run("Hello").output == "From the brain."
        assert len(sim.log) == 1

    @pytest.mark.sim
    def test_a_nearer_marker_goes_before(self, agent: Agent, sim: Sim) -> None:
        assert agent.run("Hello").output != "From the brain."


def test_models_that_stand_in_for_each_other_are_served_too(sim: Sim) -> None:
    sim.faults.add("503@1-2")
    model = sim.model("deepseek:deepseek-flash, deepseek:deepseek-v4-pro", retries=1)
    assert Agent(model).run("Hello").output
    assert [entry.body["model"] for entry in sim.log] == ["deepseek-flash", "deepseek-flash", "deepseek-v4-pro"]


def test_a_model_that_is_not_there_is_an_error(sim: Sim, sim_server: SimServer) -> None:
    for place in (sim, sim_server):
        with pytest.raises(ConfigurationError, match="deepseek-flush"):
            place.model("deepseek-flush")


def test_the_package_loads_its_names_at_need_and_has_no_others() -> None:
    program = """
import sys
import agentkit.testing
before = sorted(name for name in sys.modules if name.startswith("agentkit.testing"))
heavy = "pydantic httpx rich typer starlette uvicorn pytest agentkit.simulator agentkit.models.open".split()
print(before, [name for name in heavy if name in sys.modules])
from agentkit.testing import Function, Script, call, capture
print([name for name in heavy if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines() == ["['agentkit.testing'] []", "[]"]
    for name in agentkit.testing.__all__:
        assert getattr(agentkit.testing, name).__doc__
    with pytest.raises(AttributeError, match="has no attribute 'Simulation'"):
        _ = agentkit.testing.Simulation
