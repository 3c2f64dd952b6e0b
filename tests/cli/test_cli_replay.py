"""`agentkit run --record` and `agentkit replay`: a recorded conversation runs again from its file alone."""

import json

import pytest
from script import go, ways
from shell import CONTROL, ROOT, agentkit, here

from agentkit import Agent, tool
from agentkit.testing import Script, Sim, call, record

WEATHER = ROOT / "examples" / "weather.py"

SHOP = """
from agentkit import Agent, tool

@tool
def price(item: str) -> str:
    "What an item costs."
    with open({ran!r}, "a") as ran:
        ran.write(item)
    return f"{{item}}: 3 EUR"

@tool(approval=True)
def order(item: str) -> str:
    "Order an item."
    raise RuntimeError("no order is made in a test")

agent = Agent("deepseek:deepseek-flash", instructions={words!r}, tools=[price, order])
"""


@pytest.fixture
def shop(tmp_path):
    """Writes the target; what its tool did stands in `ran`."""

    def write(words="Be brief."):
        path = tmp_path / "shop.py"
        path.write_text(SHOP.format(words=words, ran=str(tmp_path / "ran")), encoding="utf-8")
        return path

    return write


@pytest.fixture
def file(tmp_path):
    return tmp_path / "run.jsonl"


def test_what_run_recorded_is_shown_again_without_its_target(file):
    first = here("run", WEATHER, "What is the weather in Paris and Tokyo?", "--record", file)
    assert first.returncode == 0, first.stderr
    again = here("replay", file)
    assert again.returncode == 0, again.stderr
    assert again.stdout == first.stdout
    assert len(again.stderr.splitlines()) == len(first.stderr.splitlines())
    assert again.stderr.splitlines()[-1].rpartition(" · ")[0] == first.stderr.splitlines()[-1].rpartition(" · ")[0]
    assert here("replay", file, WEATHER).stdout == first.stdout
    assert here("replay", file, WEATHER, "--tools", "real").stdout == first.stdout
    assert here("replay", file, "--quiet").stderr == ""


def test_as_a_program_of_its_own_it_needs_neither_a_key_nor_a_terminal(file, shop):
    done = agentkit("run", shop(), "What is the price of tea?", "--model", "sim:deepseek-flash", "--record", file)
    assert done.returncode == 0, done.stderr
    (shop().parent / "ran").unlink()
    for target in ([], [shop()]):
        again = agentkit("replay", file, *target)
        assert again.returncode == 0, again.stderr
        assert again.stdout == done.stdout
        assert "tea: 3 EUR" in again.stdout
        assert not CONTROL.search(again.stdout + again.stderr)
    assert not (shop().parent / "ran").exists()


def test_another_prompt_ends_it_with_1_and_the_first_difference(file, shop):
    here("run", shop(), "What is the price of tea?", "--model", "sim:deepseek-flash", "--record", file)
    done = here("replay", file, shop("Be long."))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-3:] == [
        "  messages[0].content (a message of the role `system`)",
        '  expected: "Be brief."',
        '  got:      "Be long."',
    ]
    assert "Traceback" not in done.stderr


def test_with_another_model_the_tools_are_answered_from_the_file(file, shop):
    here("run", shop(), "What is the price of tea?", "--model", "sim:deepseek-flash", "--record", file)
    (shop().parent / "ran").unlink()
    done = here("replay", file, shop(), "--model", "sim:lkeap:deepseek-v3")
    assert done.returncode == 0, done.stderr
    assert "tea: 3 EUR" in done.stdout
    assert not (shop().parent / "ran").exists()


@ways
@pytest.mark.parametrize("verdict", [True, "too much"])
def test_what_was_decided_on_calls_is_decided_again(way, verdict, file, shop):
    @tool(approval=True)
    def order(item: str) -> str:
        """Order an item."""
        return f"{item} is ordered"

    sim = Sim()
    sim.script({"calls": [{"name": "order", "arguments": {"item": "tea"}}]}, "Done.")
    with record(file):
        go(Agent(sim.model(), tools=[order]), way, "Order tea", approve=lambda _: verdict)
    done = here("replay", file)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Done.\n"
    assert "tea is ordered" in done.stderr if verdict is True else "did not approve" in done.stderr


def test_a_conversation_of_several_runs_is_shown_whole(file):
    sim = Sim()
    sim.script("One.", "Two.")
    agent = Agent(sim.model())
    with record(file):
        agent.run("Count", history=agent.run("Begin"))
    done = here("replay", file)
    assert (done.returncode, done.stdout) == (0, "One.\nTwo.\n"), done.stderr


def test_calls_that_were_refused_are_answered_as_they_were(file, sim):
    @tool
    def price(item: str, pieces: int) -> str:
        """What an item costs."""
        return "3 EUR"

    sim.script(
        {"calls": [{"name": "price", "arguments": {"item": "tea", "pieces": "many"}}]},
        {"calls": [{"name": "price", "arguments": {"item": "tea", "pieces": 2}}]},
        "3 EUR.",
    )
    with record(file):
        Agent(sim.model(), tools=[price]).run("What is the price?")
    done = here("replay", file)
    assert (done.returncode, done.stdout) == (0, "3 EUR.\n"), done.stderr


def test_a_run_that_failed_fails_again_with_its_code(file, shop, sim):
    sim.faults.next("401")
    with record(file), pytest.raises(Exception, match="key"):
        Agent(sim.model()).run("Hello")
    done = here("replay", file)
    assert done.returncode == 5
    assert "key" in done.stderr


def test_what_needs_the_target_or_is_no_recording_is_said(file, tmp_path):
    sim = Sim()
    with record(file):
        Agent(sim.model(), output=list[int]).run("Numbers from 1 to 3?")
    done = here("replay", file)
    assert done.returncode == 2
    assert "since its answers are of a type: name it" in done.stderr
    assert "since its tools are to be run" in here("replay", file, "--tools", "real").stderr
    with record(file):
        pass
    assert "holds no run" in here("replay", file).stderr
    done = here("replay", tmp_path / "none.jsonl")
    assert (done.returncode, "cannot be read" in done.stderr) == (2, True)
    with record(file):
        Agent(Script([call("none"), "Done."])).run("Hello")
    assert here("replay", file).returncode == 2
    assert json.loads(file.read_text().splitlines()[0])["recording"] == 1
