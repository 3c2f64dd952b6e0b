"""The plugin as pytest loads it: by itself, by name, twice, not at all; and what its fixtures say when they cannot."""

import subprocess
import sys

import project
import pytest

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.slow

SCRIPTED = """
import json, sys
import pytest

def post(sim, text):
    body = {"model": "deepseek-flash", "messages": [{"role": "user", "content": text}]}
    return sim.handle("POST", "/chat/completions", {"authorization": "Bearer k"}, json.dumps(body).encode()).status

def test_used_up(sim):
    sim.script("One.")
    assert post(sim, "Hello") == 200

def test_left_over(sim):
    sim.script("One.", "Two.")
    assert post(sim, "Hello") == 200

def test_not_as_expected(sim):
    sim.script({"text": "One.", "expect": {"last": "Paris"}})
    assert post(sim, "Hello") == 400

def test_failed_by_itself(sim):
    sim.script("One.", "Two.")
    assert post(sim, "Hello") == 500, "the test's own words"

@pytest.mark.sim("nowhere")
def test_no_profile(sim):
    pass

@pytest.mark.sim(fault="429")
def test_no_such_option(sim):
    pass

@pytest.mark.anyio
async def test_async_has_it_too(sim, anyio_backend):
    assert post(sim, "Hello") == 200
    assert len(sim.log) == 1

def test_each_has_its_own(sim):
    assert len(sim.log) == 0

def test_no_server_without_the_extra(sim_server):
    pass

@pytest.fixture
def anyio_backend():
    return "asyncio"
"""


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["one process", "two processes"])
def test_what_a_test_did_wrong_with_its_simulator_is_told(pytester, options):
    project.ini(pytester)
    pytester.makeconftest("import sys; sys.modules['uvicorn'] = None")  # as where the extra is not installed
    pytester.makepyfile(test_scripted=SCRIPTED)
    done = project.run(pytester, "-rA", *options)
    done.assert_outcomes(passed=3, failed=3, errors=3)
    printed = project.report(done)
    for line in (
        "PASSED test_scripted.py::test_used_up",
        "PASSED test_scripted.py::test_each_has_its_own",
        "PASSED test_scripted.py::test_async_has_it_too",
        "script: 1 of 2 replies were asked for",
        "script, reply 1: the last message does not contain “Paris”; it is “Hello”",
        "AssertionError: the test's own words",
        "`@pytest.mark.sim` of `test_scripted.py::test_no_profile`: there is no simulator profile `nowhere`",
        "`@pytest.mark.sim` of `test_scripted.py::test_no_such_option`: ",
        "the fixture `sim_server` cannot serve: the simulator's server needs the extra `sim`: `python -m pip install",
    ):
        assert line in printed
    assert printed.count("\nscript: 1 of 2 replies were asked for\n") == 1, (
        "a test that failed by itself is not told of its script"
    )


USED = """
def test_it_is_there(sim):
    assert sim.log.chats == []
"""


@pytest.mark.parametrize(
    ("options", "conftest"),
    [
        (("-p", "agentkit.testing.plugin"), ""),
        (("-p", "agentkit.testing.entry"), ""),
        (("-p", "agentkit.testing.plugin", "-p", "agentkit.testing.plugin", "-n", "2"), ""),
        ((), "pytest_plugins = ['agentkit.testing.plugin']"),
        (("-p", "agentkit.testing.plugin"), "pytest_plugins = ['agentkit.testing.plugin']"),
    ],
)
def test_the_plugin_may_be_named_as_often_as_one_likes(pytester, options, conftest):
    if "agentkit.testing.entry" in options and project.INSTALLED:
        pytest.skip("the entry point's own module cannot be named beside the entry point")
    project.ini(pytester, guard=True)
    pytester.makeconftest(conftest)
    pytester.makepyfile(USED)
    project.run(pytester, *options, plugin=False).assert_outcomes(passed=1)


needs_entry = pytest.mark.skipif(not project.INSTALLED, reason="needs agentkit installed with its entry point")


@needs_entry
@pytest.mark.parametrize("options", [(), ("-p", "agentkit"), ("-p", "xdist", "-n", "2")])
def test_pytest_loads_the_plugin_by_itself(pytester, options):
    project.ini(pytester, guard=True)
    pytester.makepyfile(USED)
    done = project.run(pytester, *options, plugin=False)
    done.assert_outcomes(passed=1)
    assert "agentkit-" in project.report(done), "the header names it"


@needs_entry
@pytest.mark.parametrize("options", [("-p", "no:agentkit"), ("-p", "no:agentkit", "-n", "2")])
def test_the_plugin_can_be_kept_out(pytester, options):
    project.ini(pytester)
    pytester.makepyfile(
        test_one=USED,
        test_two="""
        import sys

        def test_nothing_is_loaded():
            assert [name for name in sys.modules if name.startswith("agentkit")] == []
        """,
    )
    done = project.run(pytester, *options, plugin=False)
    done.assert_outcomes(passed=1, errors=1)
    assert "fixture 'sim' not found" in project.report(done)


def test_the_markers_explain_themselves(pytester):
    told = project.report(project.run(pytester, "--markers"))
    assert "@pytest.mark.sim(profile, **options): what the simulator of the fixture `sim` is made with" in told
    assert "@pytest.mark.live" not in told


def test_loading_the_plugin_loads_agentkits_face_and_pytest_and_no_more():
    program = """
import sys
import agentkit, pytest
before = set(sys.modules)
import agentkit.testing.entry, agentkit.testing.plugin
print(sorted(set(sys.modules) - before))
heavy = "pydantic httpx rich typer starlette uvicorn socket agentkit.simulator agentkit.models.open"
print([name for name in heavy.split() if name in set(sys.modules) - before])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    loaded = ["agentkit.testing", "agentkit.testing.entry", "agentkit.testing.plugin"]
    assert done.stdout.splitlines() == [str(loaded), "[]"]
