"""What a whole process loads: fresh interpreters make a run over HTTP. What importing loads stands in `test_face`."""

import json
import subprocess
import sys
from textwrap import dedent

import pytest
from wire import completion, serving

PROGRAM = """
import json, ssl, sys
from agentkit import Agent, tool
from agentkit.models import open_model

def fail(*_, **__):
    raise AssertionError("the certificates were loaded, which an `http:` address has no use for")

ssl.create_default_context = ssl.SSLContext.load_verify_locations = fail

@tool
{kind} add(a: int, b: int) -> int:
    '''Add two numbers.

    Args:
        a: The first number.
        b: The second number.
    '''
    return a + b

agent = Agent(open_model("openai:m", base_url=sys.argv[1] + "/v1", api_key="x"), tools=[add])
{run}
import threading
alive = [one.name for one in threading.enumerate() if not one.daemon]
print(json.dumps([result.text, sorted(name for name, module in sys.modules.items() if module is not None), alive]))
"""

WAYS = {
    "run": ("def", "result = agent.run('Add.')", ["asyncio"]),
    "arun": ("async def", "import asyncio; result = asyncio.run(agent.arun('Add.'))", []),
}

HEAVY = """
    agentkit.cli agentkit.simulator agentkit.testing aiohttp click docstring_parser pydantic pygments rich sqlite3
    starlette typer uvicorn
""".split()


def replies(exchange):
    done = any(message["role"] == "tool" for message in exchange.json["messages"])
    asked = [("c1", "add", '{"a": 1, "b": 2}'), ("c2", "add", '{"a": 3, "b": 4}')]
    exchange.reply(completion("done") if done else completion(calls=asked))


def python(program, *arguments):
    command = [sys.executable, "-W", "error", "-c", program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("way", WAYS)
def test_a_run_with_a_plain_tool_loads_neither_pydantic_nor_rich_nor_certificates(way):
    kind, run, less = WAYS[way]
    with serving(replies) as server:
        text, loaded, alive = json.loads(python(PROGRAM.format(kind=kind, run=run), server.url))
    assert text == "done"
    assert [name for name in [*HEAVY, *less] if name in loaded] == []
    assert alive == ["MainThread"]


def test_the_command_line_of_httpx_can_be_loaded_once_agentkit_has_left_it_out():
    program = """
    import sys
    from agentkit.models import open_model

    open_model("openai:m", base_url="http://127.0.0.1:1/v1", api_key="x")
    import httpx

    print("rich" in sys.modules, callable(httpx.main), "httpx._main" in sys.modules)
    try:
        import httpx._main
    except ImportError as error:  # click or rich is not installed
        assert error.name != "httpx._main", error
    """
    assert python(dedent(program)) == "False True False\n"


def test_what_has_loaded_httpx_before_finds_it_whole():
    program = """
    import httpx
    from agentkit.models.transport.by_httpx import load

    before = httpx.main
    print(load() is httpx, httpx.main is before)
    """
    assert python(dedent(program)) == "True True\n"
