"""The ready-made tools in the hands of an agent: what they declare, and that their answers reach the model."""

import asyncio
import json
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from script import Script, calls, says

from agentkit import Agent
from agentkit_tools import _confined
from agentkit_tools.calculator import calculator
from agentkit_tools.clock import clock
from agentkit_tools.files import files
from agentkit_tools.python import python
from agentkit_tools.shell import shell
from agentkit_tools.sql import sql
from agentkit_tools.web import web


@pytest.fixture
def place(tmp_path):
    (tmp_path / "todo.txt").write_text("buy bread\n")
    connection = sqlite3.connect(tmp_path / "shop.db")
    connection.execute("CREATE TABLE goods (name)")
    connection.commit()
    connection.close()
    return tmp_path


def everything(place, **options):
    """All the tools there are."""
    return [
        *files(place, write=True),
        *sql(place / "shop.db", write=True),
        *calculator(),
        *clock(lambda: datetime(2026, 11, 22, tzinfo=UTC)),
        *web(),
        *shell(["ls"], cwd=place, **options),
        *python(best_effort=bool(_confined.missing()), **options),
    ]


def call(name, **arguments):
    return (name, name, json.dumps(arguments))


def told(result):
    return {message.name: message.text for message in result.messages if message.role == "tool"}


@pytest.mark.parametrize("asynchronous", [False, True])
def test_all_of_them_serve_one_agent(place, asynchronous):
    asked = calls(
        call("search_files", text="bread"),
        call("change_database", statement="INSERT INTO goods VALUES ('tea')"),
        call("query_database", statement="SELECT name FROM goods"),
        call("calculate", expression="6 * 7"),
        call("current_time"),
        call("fetch_page", url="http://169.254.169.254/"),
        call("run_command", command=["ls"]),
        call("run_python", code="print(6 * 7)"),
    )
    agent = Agent(Script(asked, says("done")), tools=everything(place, approval=False))
    result = asyncio.run(agent.arun("go")) if asynchronous else agent.run("go")
    assert result.output == "done"
    assert told(result) == {
        "search_files": "todo.txt:1: buy bread",
        "change_database": "done: 1 row changed",
        "query_database": '["name"]\n["tea"]',
        "calculate": "42",
        "current_time": "Sunday 2026-11-22 00:00:00 UTC",
        "fetch_page": "the host `169.254.169.254` is refused: its address is not one of the public web",
        "run_command": "shop.db\ntodo.txt",
        "run_python": "42",
    }


def test_commands_and_code_wait_for_approval(place):
    asked = calls(call("run_command", command=["ls"]), call("run_python", code="print(1)"))
    agent = Agent(Script(asked, says("done")), tools=everything(place))
    paused = agent.run("go")
    assert [one.name for one in paused.pending] == ["run_command", "run_python"]
    result = agent.resume(paused, {"run_command": True, "run_python": False})
    assert told(result)["run_command"] == "shop.db\ntodo.txt"
    assert told(result)["run_python"] != "1"


def test_a_command_that_is_cut_off_leaves_nothing_running(place):
    """A run that is stopped from outside ends the program that it has started."""
    fifo = place / "fifo"
    subprocess.run(["mkfifo", fifo], check=True)
    tools = shell({sys.executable: "*"}, cwd=place, outside=True, approval=False, timeout=1000)
    code = f"f = open({str(fifo)!r}, 'w'); f.write('begun'); f.flush(); __import__('time').sleep(1000)"
    agent = Agent(Script(calls(call("run_command", command=[sys.executable, "-c", code])), says("never")), tools=tools)

    async def scenario():
        task = asyncio.create_task(agent.arun("go"))
        with await asyncio.to_thread(fifo.open, "rb", 0) as end:
            assert await asyncio.to_thread(end.read, 5) == b"begun"
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await asyncio.to_thread(end.read) == b""  # nobody has the other end any more

    asyncio.run(scenario())


def test_what_they_tell_the_model_is_whole_and_in_order(place):
    tools = everything(place)
    assert len({tool.name for tool in tools}) == len(tools)
    for tool in tools:
        assert tool.findings() == []
        assert tool.description
        assert all(one.get("description") for one in tool.schema["properties"].values()), tool.name
    effects = {tool.name: tool.side_effects for tool in tools}
    assert {name for name, effect in effects.items() if effect == "unsafe"} == {"change_database", "run_command"} | (
        {"run_python"} if _confined.missing() else set()
    )
    assert effects["write_file"] == "idempotent"
    assert {tool.name for tool in tools if tool.approval} == {"run_command", "run_python"}


def test_importing_them_loads_nothing_heavy():
    program = (
        "import sys, agentkit_tools.web, agentkit_tools.shell, agentkit_tools.python, agentkit_tools.sql\n"
        "import agentkit_tools.calculator, agentkit_tools.clock, agentkit_tools.files\n"
        "print([name for name in ('httpx', 'pydantic', 'rich') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == "[]\n", done.stdout + done.stderr
