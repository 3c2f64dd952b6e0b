"""In a notebook an event loop is running already: each way to run works in its cells, and leaves the next ones alone.

The cells are run twice over: in a real kernel, through nbclient (slow), and in a loop as IPython's, where a cell with
`await` in it is a coroutine on the running loop and any other is plain code within a callback of it.
"""

import ast
import asyncio
import contextlib
import inspect
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CELLS = [
    (
        """
        import asyncio
        from agentkit import Agent, Approve, Deny, TextDelta, ToolStarted, tool
        from agentkit.approval import Pending

        @tool
        def weather(city: str) -> str:
            '''Tell the weather in a city.'''
            return f"{city}: sunny"

        @tool
        async def traffic(city: str) -> str:
            '''Tell the traffic in a city.'''
            await asyncio.sleep(0)
            return f"{city}: calm"

        @tool(approval=True)
        def refund(order: int, amount: int) -> str:
            '''Refund an order.'''
            return f"{amount} were refunded"

        agent = Agent("sim:deepseek-flash", tools=[weather])
        till = Agent("sim:deepseek-flash", tools=[refund])
        loop = asyncio.get_running_loop()
        """,
        "",
    ),
    ("print(agent.run('What is the weather in Paris?').output)", "Paris: sunny."),
    ("print((await agent.arun('What is the weather in Rome?')).output)", "Rome: sunny."),
    (
        """
        results = await asyncio.gather(*(agent.arun(f"What is the weather in {city}?") for city in ["Oslo", "Lima"]))
        print([result.output for result in results])
        """,
        "['Oslo: sunny.', 'Lima: sunny.']",
    ),
    (
        """
        with agent.stream("What is the weather in Paris?") as stream:
            said = [event for event in stream if isinstance(event, TextDelta | ToolStarted)]
        print(type(said[0]).__name__, "".join(event.text for event in said[1:]), stream.result.steps)
        """,
        "ToolStarted Paris: sunny. 2",
    ),
    (
        """
        async with agent.astream("What is the weather in Rome?") as stream:
            said = [event async for event in stream if isinstance(event, TextDelta | ToolStarted)]
        print(type(said[0]).__name__, "".join(event.text for event in said[1:]), stream.result.steps)
        """,
        "ToolStarted Rome: sunny. 2",
    ),
    (
        """
        with agent.stream("What is the weather in Paris?") as stream:
            print(type(next(iter(stream))).__name__)  # and leave
        async with agent.astream("What is the weather in Rome?") as stream:
            async for event in stream:
                print(type(event).__name__)
                break
        """,
        "Note\nNote",
    ),
    ("print(Agent('sim:deepseek-flash', tools=[traffic]).run('How is the traffic in Bonn?').output)", "Bonn: calm."),
    (
        """
        def ask(call):
            return Approve({"order": 81, "amount": 20})

        async def think(call):
            await asyncio.sleep(0)
            return Deny("too old")

        for approve in (ask, think):
            print(till.run("Refund order 81, amount 40.", approve=approve).messages[2].text)
        for approve in (ask, think):
            print((await till.arun("Refund order 81, amount 40.", approve=approve)).messages[2].text)
        """,
        "20 were refunded\n`refund` was not run: the user did not approve it: too old\n" * 2,
    ),
    (
        """
        with till.stream("Refund order 81, amount 40.", approve=ask) as stream:
            print([event.name for event in stream if type(event).__name__ == "ToolMessage"])
        async with till.astream("Refund order 81, amount 40.", approve=think) as stream:
            print([event.ok async for event in stream if type(event).__name__ == "ToolMessage"])
        """,
        "['refund']\n[False]",
    ),
    ("paused = till.run('Refund order 81, amount 40.'); print([call.name for call in paused.pending])", "['refund']"),
    (
        """
        (call,) = paused.pending
        print(till.resume(paused, {call.id: True}).messages[2].text)
        print((await till.aresume(Pending.load(paused.pending.dump()), {call.id: Deny("no")})).messages[2].text)
        """,
        "40 were refunded\n`refund` was not run: the user did not approve it: no",
    ),
    (
        """
        paused = await till.arun("Refund order 82, amount 5.")
        print(till.resume(paused, {paused.pending[0].id: True}).messages[2].text)
        """,
        "5 were refunded",
    ),
    ("print(asyncio.get_running_loop() is loop, loop.is_closed())", "True False"),
]
SOURCES = [inspect.cleandoc(source) for source, _ in CELLS]
PRINTED = [printed.strip() for _, printed in CELLS]


def test_run_stream_and_approvals_work_in_cells_on_a_running_loop(monkeypatch, tmp_path):
    monkeypatch.setenv("AGENTKIT_HOME", str(tmp_path))

    async def shell():
        names, printed = {"__name__": "__main__"}, []
        for number, source in enumerate(SOURCES):
            code = compile(source, f"cell {number}", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                if (waiting := eval(code, names)) is not None:
                    await waiting
            printed.append(out.getvalue().strip())
        return printed

    assert asyncio.run(asyncio.wait_for(shell(), 60)) == PRINTED


KERNEL = """
import json, sys
import nbformat
from nbclient import NotebookClient

book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in json.load(sys.stdin)])
NotebookClient(book, timeout=60, kernel_name="python3").execute()
printed = []
for cell in book.cells:
    printed.append(["".join(one.get("text", "") for one in cell.outputs), [one.get("name") for one in cell.outputs]])
print(json.dumps(printed))
"""


@pytest.mark.slow
def test_run_stream_and_approvals_work_in_a_real_kernel(tmp_path):
    pytest.importorskip("nbclient", reason="needs nbclient and ipykernel, of the extra `dev`")
    pytest.importorskip("ipykernel", reason="needs nbclient and ipykernel, of the extra `dev`")
    folders = {name: str(tmp_path / name) for name in ("AGENTKIT_HOME", "IPYTHONDIR", "JUPYTER_RUNTIME_DIR")}
    done = subprocess.run(
        [sys.executable, "-c", KERNEL],
        input=json.dumps(SOURCES),
        cwd=ROOT,
        env={**os.environ, **folders},
        capture_output=True,
        check=False,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout.splitlines()[-1])
    assert [text.strip() for text, _ in printed] == PRINTED
    assert {name for _, names in printed for name in names} == {"stdout"}, "nothing is written to stderr"
