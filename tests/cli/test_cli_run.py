"""`agentkit run`: what it writes where, and how it ends."""

import json
import os
import signal
import subprocess

import pytest
from shell import COMMAND, CONTROL, ROOT, agentkit, environment, here, on_terminal

from agentkit import Finished, TextDelta, ToolStarted
from agentkit.events import CallModel, load

WEATHER = ROOT / "examples" / "weather.py"

SCRIPTED = """
from agentkit import *
from agentkit.errors import *
from agentkit.events import CallDelta

class Model:
    name = "script:model"
    def __init__(self, *replies):
        self.replies = list(replies)
    def call(self, request):
        reply = self.replies.pop(0)
        if isinstance(reply, BaseException):
            raise reply
        if isinstance(reply, list):
            for event in reply[:-1]:
                request.emit(event)
            reply = reply[-1]
        return reply

def calls(*asked):
    return Assistant("", tool_calls=tuple(ToolCall(*one) for one in asked), finish_reason="tool_calls")
"""


@pytest.fixture
def target(tmp_path):
    def write(source):
        path = tmp_path / "shop.py"
        path.write_text(SCRIPTED + source, encoding="utf-8")
        return path

    return write


def test_the_answer_goes_to_stdout_and_the_steps_to_stderr():
    done = agentkit("run", WEATHER, "What is the weather in Paris and Tokyo?")
    assert done.returncode == 0
    assert "Paris" in done.stdout
    assert "Tokyo" in done.stdout
    assert done.stdout.endswith("\n")
    assert "weather(" not in done.stdout
    lines = done.stderr.splitlines()
    assert lines[0].startswith("sim:deepseek-flash · run ")
    assert sorted(line.split(" s ")[1].split(" →")[0] for line in lines[1:3]) == [
        'weather(city="Paris")',
        'weather(city="Tokyo")',
    ]
    assert lines[3].startswith("2 steps · 2 calls (up to 2 at once) · ")
    assert len(lines) == 4
    assert not CONTROL.search(done.stdout + done.stderr)


def test_json_is_one_event_a_line_that_reads_back_in_order():
    done = agentkit("run", WEATHER, "What is the weather in Paris and Tokyo?", "--json")
    assert done.returncode == 0
    assert done.stderr == ""
    stamped = [load(line) for line in done.stdout.splitlines()]
    assert len({one.run for one in stamped}) == 1
    assert stamped[0].run
    assert [one.step for one in stamped if isinstance(one.event, CallModel)] == [1, 2]
    for step in {one.step for one in stamped}:
        assert [one.seq for one in stamped if one.step == step] == list(range(sum(one.step == step for one in stamped)))
    assert sum(isinstance(one.event, ToolStarted) for one in stamped) == 2
    result = stamped[-1].event
    assert isinstance(result, Finished)
    assert "".join(one.event.text for one in stamped if isinstance(one.event, TextDelta)) == result.result.output
    assert json.loads(done.stdout.splitlines()[-1])["data"]["result"]["output"] == result.result.output


@pytest.mark.parametrize("prompt", [(), ("-",)])
def test_the_prompt_may_come_from_stdin(prompt):
    done = here("run", WEATHER, *prompt, stdin="How is the weather in Oslo?\n")
    assert done.returncode == 0
    assert "Oslo" in done.stdout


def test_no_prompt_at_all_is_asked_for():
    code, written = on_terminal("run", WEATHER)
    assert code == 2
    assert "error: there is no prompt" in written
    done = here("run", WEATHER)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: the prompt is empty")


def test_a_model_without_its_key_says_which_variable_and_what_runs_offline():
    done = here("run", WEATHER, "Hi", "--model", "deepseek:deepseek-flash")
    assert done.returncode == 2
    assert "DEEPSEEK_API_KEY" in done.stderr
    assert "sim:deepseek-flash" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    done = here("run", WEATHER, "Weather in Lima?", "--model", "sim:deepseek-flash")
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("reply", "code", "said"),
    [
        ("LimitReached('the run stopped at its limit', limit='steps')", 4, "error: the run stopped at its limit"),
        ("Truncated('cut')", 4, "error: cut"),
        ("Assistant('half', finish_reason='length')", 4, "error: the answer of `script:model` was cut"),
        ("Unauthorized('wrong key')", 5, "error: wrong key"),
        ("RateLimited('busy')", 5, "error: busy"),
        ("Unreadable('what?')", 5, "error: what?"),
        ("OutputInvalid('no')", 6, "error: no"),
        ("ConfigurationError('fix it')", 2, "error: fix it"),
        ("RunError('over')", 1, "error: over"),
        ("KeyboardInterrupt()", 130, "stopped in step 1"),
    ],
)
def test_each_way_to_end_has_its_code_and_one_line(target, reply, code, said):
    done = here("run", target(f"agent = Agent(Model({reply}))"), "Hi")
    assert done.returncode == code
    lines = done.stderr.splitlines()
    assert len(lines) == 2
    assert lines[1].startswith(said)


def test_a_defect_of_the_target_shows_where_it_is(target):
    path = target("def orders(context):\n    return 1 / 0\nagent = Agent('sim:deepseek-flash', instructions=orders)\n")
    done = agentkit("run", path, "Hi")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "return 1 / 0" in done.stderr
    assert "agentkit/cli" not in done.stderr
    assert done.stderr.splitlines()[-1] == "ZeroDivisionError: division by zero"


def test_a_target_that_is_no_python_shows_the_line_and_no_machinery(target):
    done = here("run", target("def broken(:\n"), "Hi")
    assert done.returncode == 1
    assert "SyntaxError" in done.stderr
    assert "shop.py" in done.stderr
    assert "importlib" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_target_that_ends_the_program_is_a_defect(target):
    done = here("tools", target("raise SystemExit(0)"))
    assert done.returncode == 1
    assert done.stderr == "error: the target's code ended the program with `SystemExit(0)`\n"


def test_a_tool_that_fails_is_one_line_with_its_cause(target):
    path = target("""
@tool
def lookup(key: str) -> str:
    "Look it up."
    return {}[key]

asked = calls(("1", "lookup", '{"key": "secret"}'), ("2", "nothing", "{}"))
agent = Agent(Model(asked, Assistant("Sorry.", finish_reason="stop")), tools=[lookup])
""")
    done = here("run", path, "Hi")
    assert (done.returncode, done.stdout) == (0, "Sorry.\n")
    lines = done.stderr.splitlines()
    assert len(lines) == 4
    assert "refused" in lines[1]
    assert "nothing → " in lines[1]
    assert "failed" in lines[2]
    assert "[KeyError: 'secret', shop.py:" in lines[2]
    assert "Traceback" not in done.stderr


def test_what_was_mended_and_what_was_cut_is_said_quietly(target):
    path = target("""
@tool(max_result=1000)
def letters(count: int, what: str = "x") -> str:
    "Write letters."
    return what * count

asked = calls(("1", "letters", "{'count': '2', 'what': 'y',}"), ("2", "letters", '{"count": 5000}'))
agent = Agent(Model(asked, Assistant("Done.", finish_reason="stop")), tools=[letters], parallel=1)
""")
    done = here("run", path, "Hi")
    assert (done.returncode, done.stdout) == (0, "Done.\n")
    lines = done.stderr.splitlines()
    assert len(lines) == 5
    assert lines[1].split() == ("1 mended letters: Python literal ×4, trailing comma, text for a number".split())
    assert lines[2].endswith("→ yy")
    assert lines[3].endswith("… [1,000 of 5,000 characters are told]")


HOSTILE = r"\x1b[2J\x1b]0;title\x07\r\x9b1m\u202e[red]x[/red][/nothing] :smile:\x7f"


def test_nothing_that_is_said_reaches_the_screen_as_a_command(target):
    source = f"""
EVIL = "{HOSTILE}"

@tool
def lookup(key: str) -> str:
    "Look it up."
    if key == "raise":
        raise ValueError(EVIL)
    return EVIL

import json
agent = Agent(Model(
    [ReasoningDelta(EVIL), TextDelta(EVIL[:3]), TextDelta(EVIL[3:]),
     Assistant(EVIL, tool_calls=(
        ToolCall("1", "lookup", json.dumps({{"key": EVIL}})), ToolCall("2", "lookup", '{{"key": "raise"}}'),
        ToolCall("3", EVIL, EVIL), ToolCall("4", "lookup", EVIL)), finish_reason="tool_calls")],
    RateLimited(EVIL)), tools=[lookup])
"""
    path = target(source)
    done = agentkit("run", path, "Hi")
    assert done.returncode == 5
    assert not CONTROL.search(done.stdout + done.stderr)
    assert "[red]x[/red][/nothing] :smile:" in done.stdout
    assert done.stderr.count("[red]x[/red][/nothing] :smile:") >= 6

    code, written = on_terminal("run", path, "Hi")
    assert code == 5
    for sequence in ("\x1b[2J", "\x1b]", "\x07", "\x9b", "\u202e", "\x7f"):
        assert sequence not in written
    assert "[red]x[/red][/nothing] :smile:" in written


def test_words_are_shown_once_and_whole_around_a_restart(target):
    path = target("""
from agentkit.events import Restarted, Retried
agent = Agent(Model([TextDelta("Half an"), Retried(1, 0.0, "it broke"), Restarted(), TextDelta("All of it."),
                     Assistant("All of it.", finish_reason="stop")]))
""")
    done = here("run", path, "Hi")
    assert done.stdout == "Half an\nAll of it.\n"
    assert "retry" in done.stderr
    assert "it broke" in done.stderr


def test_what_no_encoding_can_write_does_not_end_the_run(target):
    path = target("agent = Agent(Model(Assistant('caf\\u00e9 \\ud800 \\u6f22', finish_reason='stop')))")
    done = here("run", path, "Hi", encoding="ascii")
    assert (done.returncode, done.stdout) == (0, "caf?  ?\n")


def test_a_full_disk_is_no_defect():
    with open("/dev/full", "wb") as full:
        done = subprocess.run([*COMMAND, "models"], stdout=full, stderr=subprocess.PIPE, env=environment(), check=False)
    assert done.returncode == 1
    assert done.stderr == b"error: cannot write: No space left on device\n"


def test_it_runs_without_any_streams():
    done = subprocess.run(["sh", "-c", '"$@" <&- >&- 2>&-', "sh", *COMMAND, "models"], env=environment(), check=False)
    assert done.returncode == 0


def test_a_reader_that_goes_away_ends_it_quietly(target):
    path = target("agent = Agent(Model([*[TextDelta('word ' * 2000)] * 100, Assistant('w', finish_reason='stop')]))")
    process = subprocess.Popen(
        [*COMMAND, "run", str(path), "Hi"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), cwd=ROOT
    )
    assert process.stdout.read(5) == b"word "
    process.stdout.close()
    assert process.wait(30) == 141
    told = process.stderr.read().decode()
    process.stderr.close()
    assert "error" not in told.lower()
    assert "Traceback" not in told


def test_ctrl_c_stops_it_with_one_line(target):
    path = target("""
import sys, threading

@tool
def hang(key: str) -> str:
    "Never comes back."
    sys.stdout.write("hanging\\n")
    sys.stdout.flush()
    threading.Event().wait()
    return key

agent = Agent(Model(calls(("1", "hang", '{"key": "x"}'))), tools=[hang])
""")
    process = subprocess.Popen(
        [*COMMAND, "run", str(path), "Hi"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), cwd=ROOT
    )
    assert process.stdout.readline() == b"hanging\n"
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    lines = err.decode().splitlines()
    assert lines[-1].startswith("stopped in step 1; go on with `agentkit resume ")
    assert [line for line in lines[:-1] if "run" not in line] == []  # the first line may not have got out
    assert out == b""
