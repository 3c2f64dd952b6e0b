"""The other commands, each as a process of its own."""

import json
import os
import re
import signal
import socket
import subprocess
import sys

import httpx
import pytest
from shell import COMMAND, CONTROL, ROOT, agentkit, environment, here, on_terminal

from agentkit.cli.listing import kind_of
from agentkit.models.catalog import providers

PROBE = """
import sys
sys.argv = ["agentkit", "--help"]
from agentkit.cli import main
try:
    main()
finally:
    heavy = "rich httpx aiohttp docstring_parser starlette uvicorn agentkit.simulator agentkit.models.open".split()
    sys.stderr.write(" ".join(one for one in heavy if one in sys.modules))
"""


COMMANDS = "demo run chat resume approve show replay fork sessions tools models doctor sim".split()
OFF_A_TERMINAL = [
    (["demo"], 0),
    (["run", "examples/weather.py", "Weather in Oslo?"], 0),
    (["run", "examples/weather.py", "Weather in Oslo?", "--json"], 0),
    (["run", "nosuch.py", "Hi"], 2),
    (["chat", "examples/weather.py"], 0),
    (["resume", "examples/weather.py", "nosuch"], 2),
    (["approve", "examples/weather.py", "nosuch", "--yes"], 2),
    (["show", "nosuch"], 2),
    (["replay", "nosuch.jsonl"], 2),
    (["fork", "nosuch", "new"], 2),
    (["sessions"], 0),
    (["sessions", "delete", "nosuch"], 2),
    (["tools", "examples/weather.py"], 0),
    (["tools", "check", "examples/weather.py"], 0),
    (["models"], 0),
    (["models", "deepseek:deepseek-flash"], 0),
    (["doctor"], 0),
    (["doctor", "http://127.0.0.1:9", "any"], 5),
    (["sim", "--list-faults"], 0),
    (["nosuch"], 2),
]


@pytest.mark.slow
@pytest.mark.parametrize(("arguments", "code"), OFF_A_TERMINAL, ids=lambda value: str(value)[:60])
def test_off_a_terminal_no_command_writes_control_codes_and_each_has_its_code(arguments, code):
    done = agentkit(*arguments, stdin="Weather in Paris?\n" if arguments[0] == "chat" else "")
    assert done.returncode == code, done.stderr
    assert not CONTROL.search(done.stdout + done.stderr)
    assert "Traceback" not in done.stderr
    assert set(COMMANDS) <= {tried[0] for tried, _ in OFF_A_TERMINAL}


def test_help_names_every_command_and_loads_nothing_but_typer():
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, env=environment(), check=False)
    assert done.returncode == 0
    assert done.stderr == ""
    for command in COMMANDS:
        assert re.search(rf"^  {command} +\w", done.stdout, re.M)


@pytest.mark.parametrize("command", ["demo", "sim"])
def test_help_is_honest_about_the_simulator(command):
    done = here(command, "--help")
    assert done.returncode == 0
    assert "rule-based stand-in" in " ".join(done.stdout.split())


@pytest.mark.parametrize("arguments", [("nosuch",), ("run",), ("run", "--nosuch"), ("sim", "--port", "x")])
def test_a_wrong_command_line_has_code_2(arguments):
    done = here(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Error: " in done.stderr
    assert not CONTROL.search(done.stderr)


def test_the_version_is_one_line():
    done = here("--version")
    assert done.returncode == 0
    assert re.fullmatch(r"agentkit .+\n", done.stdout)


def test_the_demo_off_a_terminal_shows_each_step_in_plain_lines():
    done = agentkit("demo")
    assert (done.returncode, done.stderr) == (0, "")
    assert not CONTROL.search(done.stdout)
    assert "@tool" in done.stdout
    assert "no language model" in " ".join(done.stdout.split())
    words = [line[3:11].strip() for line in done.stdout.splitlines() if re.match(r" \d [a-z]+ ", line)]
    assert words == ["think", "start", "start", "done", "done", "think", "answer"]
    assert 'weather(city="Paris") → 18 °C, light rain' in done.stdout
    assert re.search(
        r"^2 steps · 2 calls \(up to 2 at once\) · [\d,]+ tokens in.*, [\d,]+ out · 0\.\d+ USD.* · \d\.\d s$",
        done.stdout,
        re.M,
    )
    assert "Try next" in done.stdout


def test_the_demo_on_a_terminal_moves_and_tidies_up():
    code, written = on_terminal("demo")
    assert code == 0
    assert "\x1b[" in written
    assert "\x1b[?25l" in written  # the cursor hides while clocks run
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")
    assert re.search(r"\d\.\d\d s weather", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written))
    assert "Try next" in written


PLAIN = [
    (["demo", "--plain"], {}),
    (["run", "examples/weather.py", "Oslo?"], {"NO_COLOR": "1"}),
    (["models"], {"TERM": "dumb"}),
]


@pytest.mark.parametrize(("arguments", "more"), PLAIN)
def test_a_terminal_can_be_asked_for_plain_text(arguments, more):
    code, written = on_terminal(*arguments, **more)
    assert code == 0
    assert not CONTROL.search(written.replace("\r\n", "\n"))


def test_the_models_are_those_of_the_catalog():
    done = agentkit("models")
    assert (done.returncode, done.stderr) == (0, "")
    rows = [re.split(r"  +", line) for line in done.stdout.splitlines()]
    assert rows[0] == ["PROVIDER", "MODEL", "CONTEXT", "TOOLS", "THINKS", "IMAGES", "KEY", "USE INSTEAD"]
    every = {(one.name, row.name) for one in providers().values() if not one.open for row in one.models}
    open_ones = {(one.name, "NAME") for one in providers().values() if one.open}
    assert {(row[0], row[1]) for row in rows[1:]} - every == open_ones
    assert every - {(row[0], row[1]) for row in rows[1:]} == set()
    assert ["deepseek", "deepseek-flash", "1,048,576", "yes", "by default", "yes", "DEEPSEEK_API_KEY"] in rows

    listed = json.loads(here("models", "--json").stdout)
    assert {(one["provider"], one["model"]) for one in listed} == every
    assert set(listed[0]) == {
        "provider",
        "model",
        "name",
        "title",
        "context",
        "tools",
        "thinking",
        "images",
        "key",
        "instead",
    }


def test_one_model_is_explained():
    done = agentkit("models", "lkeap:DEEPSEEK-R1")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("lkeap:deepseek-r1\n")
    for words in ("longest prompt +16,000", "tools +no function calling", "takes only +temperature, top_p, max_tokens"):
        assert re.search(words, done.stdout)
    told = json.loads(here("models", "deepseek:deepseek-chat", "--json").stdout)
    assert told["deepseek:deepseek-chat"]["use instead"] == "deepseek:deepseek-flash"
    assert told["Temperature, as advised"]["translation"] == "1.3"
    assert agentkit("models", "deepseek:none").returncode == 2


def test_the_tools_of_a_target_are_shown_with_their_parameters(tmp_path):
    done = agentkit("tools", "examples/weather.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^weather +Weather forecast for a city\.$", done.stdout, re.M)
    assert re.search(r"^  city +string +required +The city's name in English, e\.g\. Paris\.$", done.stdout, re.M)
    assert re.search(r"^  days +integer += 1 ", done.stdout, re.M)
    listed = json.loads(here("tools", ROOT / "examples/weather.py:weather", "--json").stdout)
    assert [one["function"]["name"] for one in listed] == ["weather"]
    assert listed[0]["function"]["parameters"]["required"] == ["city"]


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 7}, "integer, ≥ 1, ≤ 7"),
        ({"type": "string", "format": "date"}, "string (date)"),
        ({"enum": ["a", 1, None]}, '"a" | 1 | null'),
        ({"const": "é"}, '"é"'),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string | null"),
        ({"type": ["string", "null"]}, "string | null"),
        ({"type": "array", "items": {"$ref": "#/$defs/Size"}}, 'array of "s" | "m"'),
        ({"$ref": "#/$defs/Order"}, "Order"),
        ({"$ref": "#/$defs/Loop"}, "…"),
        ({}, "any"),
    ],
)
def test_a_schema_is_said_in_a_few_words(schema, words):
    root = {
        "$defs": {
            "Size": {"enum": ["s", "m"], "type": "string"},
            "Order": {"type": "object"},
            "Loop": {"anyOf": [{"$ref": "#/$defs/Loop"}]},
        }
    }
    assert kind_of(schema, root) == words


def test_the_simulator_serves_whoever_has_the_two_lines_it_prints():
    process = subprocess.Popen(
        [*COMMAND, "sim", "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), cwd=ROOT
    )
    lines = [process.stdout.readline().decode().strip() for _ in range(2)]
    settings = dict(line.removeprefix("export ").split("=", 1) for line in lines)
    reply = httpx.post(
        settings["OPENAI_BASE_URL"] + "/chat/completions",
        headers={"Authorization": f"Bearer {settings['OPENAI_API_KEY']}"},
        json={"model": "deepseek-flash", "messages": [{"role": "user", "content": "Hello"}]},
    )
    assert reply.status_code == 200
    assert reply.json()["choices"][0]["finish_reason"] == "stop"
    os.kill(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "no real model" in told.decode()
    assert told.decode().splitlines()[-1] == "stopped"


def test_a_port_that_is_taken_is_said_to_be_so():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = here("sim", "--port", port)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: port {port} of `127.0.0.1` is in use")


def test_a_profile_that_is_not_there_is_said_to_be_so():
    done = here("sim", "--profile", "nosuch")
    assert done.returncode == 2
    assert done.stderr.startswith("error: there is no simulator profile `nosuch`")
