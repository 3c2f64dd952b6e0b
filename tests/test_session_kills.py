"""`kill -9` in the middle of a session: what was shown is kept, and what was answered is not asked for again."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from agentkit import Agent, tool
from agentkit.messages import Assistant, Note, ToolMessage, load
from agentkit.models import open_model
from agentkit.sessions import Session
from agentkit.simulator import Simulator
from agentkit.simulator.server import running

ROOT = Path(__file__).resolve().parents[1]
STEPS = 10
"""Model calls: nine with one tool call each and the answer, with the prompt 20 messages."""

NURSERY = """
import asyncio, json, os, sys
import httpx, sqlite3
from agentkit import Agent, tool
from agentkit.messages import dump
from agentkit.models import open_model
from agentkit.sessions import Session

def live(url, file, effects, way):
    @tool
    def act(n: int) -> str:
        "Act."
        with open(effects, "a") as out:
            out.write(f"{n}\\n")
        return f"did {n}"

    def show(event):
        if getattr(event, "role", "note") != "note":
            os.write(1, dump([event]) + b"\\n")

    agent = Agent(open_model("openai:m", base_url=url, api_key="x" * 8), tools=[act])
    said = {"session": Session("talk", file=file), "on_event": show}

    async def awatch():
        async with agent.astream("go", **said) as stream:
            async for _ in stream:
                pass

    if way == "run":
        agent.run("go", **said)
    elif way == "arun":
        asyncio.run(agent.arun("go", **said))
    elif way == "stream":
        list(agent.stream("go", **said))
    else:
        asyncio.run(awatch())

dump([])  # what each process would do for itself is done once
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        live(*json.loads(line))
        os._exit(0)
    os.write(1, b"%d\\n" % child)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)  # its number is not given away yet
    os.write(1, b"over\\n")
    sys.stdin.readline()
    os.waitpid(child, 0)
"""
"""Bears processes that are killed; they find all that is imported there already."""


@pytest.fixture
def nursery():
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", NURSERY], cwd=ROOT, **pipes) as process:
        yield process
        process.stdin.close()


def brain(turn):
    step = sum(message.role == "assistant" for message in turn.messages)
    return "the end" if step == STEPS - 1 else {"calls": [{"name": "act", "arguments": {"n": step}}]}


def shown_until_killed(nursery, url, folder, way, seconds):
    """What a run showed until it was killed, so many seconds after its first message, and how long that took."""
    folder.mkdir()
    told = [f"{url}/v1", str(folder / "s.db"), str(folder / "effects"), way]
    nursery.stdin.write(json.dumps(told).encode() + b"\n")
    nursery.stdin.flush()
    shown, child, begun = [], None, 0.0
    while (line := nursery.stdout.readline()) != b"over\n":
        assert line, "the nursery ended"
        if line.strip().isdigit():
            child = int(line)
            continue
        if not shown:
            begun = time.monotonic()
            timer = threading.Timer(seconds, os.kill, [child, signal.SIGKILL])
            timer.start()
        shown += load(line)
        ended = time.monotonic()
    timer.cancel()
    timer.join()
    nursery.stdin.write(b"\n")
    nursery.stdin.flush()
    return shown, ended - begun


def acting(effects):
    @tool
    def act(n: int) -> str:
        """Act."""
        with effects.open("a") as out:
            out.write(f"{n}\n")
        return f"did {n}"

    return act


def assistants(request):
    return sum(message["role"] == "assistant" for message in request["messages"])


def killed_at(nursery, moments, tmp_path, seed):
    """Kill a run at so many moments, look at what is left, and go on; replies that were asked for again."""
    dice = random.Random(seed)
    again = ended = lost = 0
    simulator = Simulator("openai-compatible", brain=brain)
    with running(simulator) as url:
        took = min(shown_until_killed(nursery, url, tmp_path / f"whole{n}", "run", 60)[1] for n in range(2))
        for number in range(moments):
            folder = tmp_path / str(number)
            simulator.log.clear()
            way = dice.choice(["run", "arun", "stream", "astream"])
            shown, _ = shown_until_killed(nursery, url, folder, way, dice.uniform(0, took))
            session = Session("talk", file=folder / "s.db")
            kept = [entry for entry in session.entries() if not isinstance(entry, Note)]
            assert kept[: len(shown)] == shown, "what was shown is kept, in its order"
            recorded = sum(isinstance(entry, Assistant) for entry in kept)
            ended += recorded == STEPS
            agent = Agent(
                open_model("openai:m", base_url=url + "/v1", api_key="x" * 8), tools=[acting(folder / "effects")]
            )
            result = agent.run(None, session=session)
            assert result.output == "the end"
            assert len(result.messages) == 2 * STEPS
            asked = Counter(assistants(entry.body) for entry in simulator.log.chats)
            assert sorted(asked) == list(range(STEPS))
            assert all(asked[step] == 1 for step in range(STEPS) if step != recorded), "answers are not asked for again"
            again += asked[recorded] - 1 if recorded < STEPS else 0
            effects = Counter((folder / "effects").read_text().split())
            answers = [one for one in result.messages if isinstance(one, ToolMessage)]
            assert all(count == 1 for count in effects.values()), "nothing was done twice"
            assert all(effects[str(n)] == 1 for n, one in enumerate(answers) if one.ok)
            lost += sum(not one.ok for one in answers)
    told = {"killed": moments, "at the end": ended, "asked for again": again, "told as interrupted": lost}
    sys.stdout.write(json.dumps(told))
    return again


def test_a_killed_run_loses_nothing_that_was_shown_and_asks_for_nothing_that_was_answered(nursery, tmp_path):
    assert killed_at(nursery, 5, tmp_path, seed=5) <= 5


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_fifty_killed_runs_lose_nothing_and_ask_at_most_once_more_each(nursery, tmp_path):
    assert killed_at(nursery, 50, tmp_path, seed=7) <= 50
