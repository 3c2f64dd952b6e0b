"""The pytest plugin: its fixtures as a test has them, and its guard in projects of its own."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import urllib.request

import pytest

from agentkit import Agent, tool
from agentkit.errors import Rejected
from agentkit.testing import Sim

pytest_plugins = ["pytester"]


@tool
def weather(city: str) -> str:
    """Forecast for a city."""
    return f"{city}: sunny"


# ── The fixtures, here ───────────────────────────────────────────────────────────────────────────────────────────────


def test_an_agent_runs_on_the_simulator_and_the_log_tells_of_it(sim: Sim) -> None:
    result = Agent(sim.model(), tools=[weather]).run("Weather in Paris and Tokyo?")
    assert result.output == "Paris: sunny. Tokyo: sunny."
    assert [entry.status for entry in sim.log] == [200, 200]
    assert sim.log[0].body["messages"][-1]["content"] == "Weather in Paris and Tokyo?"
    assert sim.log[0].headers["authorization"] == "***"


def test_a_script_answers_and_is_checked(sim: Sim) -> None:
    sim.script(
        {"calls": [{"name": "weather", "arguments": {"city": "Rome"}}], "expect": {"tools": ["weather"]}},
        {"text": "Take a hat.", "expect": {"last": "Rome: sunny", "role": "tool"}},
    )
    assert Agent(sim.model(), tools=[weather]).run("What do I need in Rome?").output == "Take a hat."


async def ask(agent: Agent[str]) -> str:
    return (await agent.arun("Weather in Oslo?")).output


def test_async_and_streamed_runs_work_as_well(sim: Sim) -> None:
    import asyncio

    agent = Agent(sim.model(), tools=[weather])
    assert asyncio.run(ask(agent)) == "Oslo: sunny."
    with agent.stream("Weather in Lima?") as stream:
        assert list(stream)[-1].result.output == "Lima: sunny."


def test_faults_are_ordered_where_they_are_needed(sim: Sim) -> None:
    sim.faults.next("moderation")
    with pytest.raises(Rejected, match="Content Exists Risk"):
        Agent(sim.model()).run("Hello")
    assert sim.log[-1].faults == ("moderation",)


@pytest.mark.sim("lkeap", faults=["overflow@2"], seed=4)
def test_a_marker_says_what_the_simulator_is_made_with(sim: Sim) -> None:
    agent = Agent(sim.model("lkeap:deepseek-v3"))
    assert agent.run("Hello").output
    with pytest.raises(Rejected, match="input content too long"):
        agent.run("Hello")
    assert {entry.path for entry in sim.log} == {"/v1/chat/completions"}


def test_the_server_serves_the_same_simulator(sim: Sim, sim_server: str) -> None:
    sim.script("From the script.")
    body = {"model": "deepseek-flash", "messages": [{"role": "user", "content": "Hello"}]}
    headers = {"Authorization": "Bearer k", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{sim_server}/chat/completions", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as reply:
        assert json.load(reply)["choices"][0]["message"]["content"] == "From the script."
    assert len(sim.log) == 1


def test_importing_the_plugin_loads_nothing_heavy() -> None:
    program = """
import sys
import agentkit.testing
heavy = "pydantic httpx rich typer starlette uvicorn agentkit.simulator agentkit.models.open".split()
print([name for name in heavy if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_the_module_has_no_other_names() -> None:
    import agentkit.testing

    assert agentkit.testing.NetworkForbidden.__mro__[1] is RuntimeError
    with pytest.raises(AttributeError, match="has no attribute `Simulation`"):
        _ = agentkit.testing.Simulation


# ── The plugin, in projects of their own ─────────────────────────────────────────────────────────────────────────────


def outcomes(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    """Run a project's tests in a process of their own, with the plugin."""
    return pytester.runpytest_subprocess(
        "-p", "agentkit.testing", "-p", "no:randomly", "-p", "no:cacheprovider", *options
    )


GUARDED = """
import asyncio, socket, threading, urllib.request
import pytest
from agentkit.testing import NetworkForbidden

FAR = ("192.0.2.1", 443)

def connect():
    with socket.socket() as one:
        one.settimeout(0.01)
        one.connect(FAR)

def test_plain():
    connect()

def test_by_name():
    urllib.request.urlopen("https://example.com/")

def test_in_a_loop():
    async def reach():
        await asyncio.open_connection(*FAR)
    asyncio.run(reach())

def test_datagram():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.sendto(b"?", FAR)

def test_swallowed():
    try:
        connect()
    except Exception:
        pass

def test_swallowed_in_a_thread():
    def work():
        with pytest.raises(NetworkForbidden, match="wanted to reach `192.0.2.1:443`"):
            connect()
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

@pytest.fixture
def far():
    connect()

def test_in_a_fixture(far):
    pass

def test_loopback():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        with socket.create_connection(("localhost", server.getsockname()[1])):
            pass
    first, second = socket.socketpair()
    first.close()
    second.close()
    with pytest.raises(OSError):
        socket.getaddrinfo("nobody.invalid", 80)
    for numbers in ("127.1", "2852039166", "0xa9fea9fe", "8.8.8.8", "::1", "2001:db8::1"):
        socket.getaddrinfo(numbers, 80)

@pytest.mark.live
def test_live():
    with pytest.raises(OSError):
        connect()

@pytest.mark.xfail(raises=NetworkForbidden, strict=True)
def test_expected():
    connect()
"""


def test_the_guard_keeps_every_test_from_the_network_but_those_marked_live(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nagentkit_forbid_network = true\naddopts = --strict-markers\n")
    pytester.makepyfile(test_guarded=GUARDED)
    done = outcomes(pytester, "-rA")
    done.assert_outcomes(passed=2, failed=6, errors=1, xfailed=1)
    done.stdout.fnmatch_lines_random(
        [
            "PASSED test_guarded.py::test_loopback",
            "PASSED test_guarded.py::test_live",
            "*`test_guarded.py::test_by_name` wanted to reach `example.com:443`*",
            "*`test_guarded.py::test_swallowed_in_a_thread` wanted to reach `192.0.2.1:443`, *mark the test `live`*",
            "ERROR test_guarded.py::test_in_a_fixture*",
        ]
    )


def test_without_the_option_there_is_no_guard(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import socket, sys
        import pytest

        def test_free():
            with socket.socket() as one, pytest.raises(OSError):
                one.settimeout(0.01)
                one.connect(("192.0.2.1", 443))
            assert "agentkit.testing.guard" not in sys.modules
            assert "agentkit.simulator" not in sys.modules
        """
    )
    outcomes(pytester).assert_outcomes(passed=1)


SCRIPTED = """
import pytest

def body(text):
    return {"model": "deepseek-flash", "messages": [{"role": "user", "content": text}]}

def post(sim, text):
    import json
    reply = sim.handle("POST", "/chat/completions", {"authorization": "Bearer k"}, json.dumps(body(text)).encode())
    return reply.status

def test_used_up(sim):
    sim.script("One.")
    assert post(sim, "Hello") == 200

def test_left_over(sim):
    sim.script("One.", "Two.")
    assert post(sim, "Hello") == 200

def test_not_as_expected(sim):
    sim.script({"text": "One.", "expect": {"last": "Paris"}})
    assert post(sim, "Hello") == 400

@pytest.mark.sim("nowhere")
def test_no_profile(sim):
    pass

@pytest.mark.sim(fault="429")
def test_no_such_option(sim):
    pass

def test_each_has_its_own(sim):
    assert len(sim.log) == 0
"""


def test_a_script_that_is_not_used_up_or_not_as_expected_is_an_error(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\naddopts = --strict-markers\n")
    pytester.makepyfile(test_scripted=SCRIPTED)
    done = outcomes(pytester, "-rA")
    done.assert_outcomes(passed=4, errors=4)
    done.stdout.fnmatch_lines_random(
        [
            "*script: 1 of 2 replies were asked for",
            "*script, reply 1: the last message does not contain “Paris”; it is “Hello”",
            "*`@pytest.mark.sim` of `test_scripted.py::test_no_profile`: there is no simulator profile `nowhere`*",
            "*`@pytest.mark.sim` of `test_scripted.py::test_no_such_option`: *unexpected keyword argument 'fault'*",
            "PASSED test_scripted.py::test_each_has_its_own*",
        ]
    )


def test_the_markers_and_the_option_explain_themselves(pytester: pytest.Pytester) -> None:
    told = outcomes(pytester, "--markers").stdout.str()
    assert "@pytest.mark.live: reaches other machines" in told
    assert "@pytest.mark.sim(profile, **options): what the simulator of the fixture `sim` is made with" in told
    assert "agentkit_forbid_network (bool)" in outcomes(pytester, "--help").stdout.str()


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("", True),
        ("localhost", True),
        ("LOCALHOST.", True),
        ("app.localhost", True),
        ("nobody.invalid", True),
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("0.0.0.0", True),
        (socket.gethostname(), True),
        (None, True),
        (b"127.0.0.1", True),
        (b"example.com", False),
        ("example.com", False),
        ("localhost.example.com", False),
        ("10.0.0.1", False),
        ("8.8.8.8", False),
        ("2001:db8::1", False),
        ("fe80::1%eth0", False),
        ("::ffff:8.8.8.8", False),
    ],
)
def test_the_guard_knows_this_machine(host: object, here: bool) -> None:
    from agentkit.testing.guard import Guard

    guard = Guard.__new__(Guard)  # without the audit hook, which stays for good
    guard._own_name = socket.gethostname().lower()
    assert guard._is_here(host) is here
