"""`agentkit chat`: on a terminal as a person uses it, and off one."""

import pytest
from shell import CONTROL, ROOT, Terminal, here

from agentkit import Assistant, User
from agentkit.messages import load
from agentkit.sessions import Session, every

WEATHER = ROOT / "examples" / "weather.py"

SHOP = '''
import sys, threading
from agentkit import Agent, tool

@tool(approval=True)
def refund(order: int, amount: float) -> str:
    """Refund an order."""
    return f"refunded {amount} for {order}"

@tool
def hang(key: str) -> str:
    """Hang for ever on a key."""
    threading.Event().wait()

agent = Agent("sim:deepseek-flash", tools=[refund, hang])
'''


@pytest.fixture
def shop(tmp_path):
    path = tmp_path / "shop.py"
    path.write_text(SHOP, encoding="utf-8")
    return path


@pytest.fixture(params=["input", pytest.param("prompt_toolkit", marks=pytest.mark.slow)])
def chat(request, tmp_path):
    """Opens a chat on a terminal, with Python's own line editor and with prompt_toolkit."""
    more = {"AGENTKIT_HOME": str(tmp_path / "home"), "PROMPT_TOOLKIT_NO_CPR": "1"}
    if request.param == "prompt_toolkit":
        pytest.importorskip("prompt_toolkit")
    else:
        blocked = tmp_path / "blocked"
        blocked.mkdir()
        (blocked / "prompt_toolkit.py").write_text("raise ImportError('not installed')", encoding="utf-8")
        more["PYTHONPATH"] = f"{blocked}:{ROOT}:{ROOT / 'tools'}"
    return lambda *arguments, **options: Terminal("chat", *arguments, **more, **options)


def test_somebody_types_approves_interrupts_and_goes_on(chat, shop):
    with chat(shop) as terminal:
        terminal.wait_for("2 tools")
        terminal.wait_for("›")
        terminal.type("Refund order 81 amount 40\r")
        terminal.wait_for("refund(order=81, amount=40)")
        terminal.wait_for("approve?")
        terminal.type("y\r")
        terminal.wait_for("refund(order=81, amount=40) → refunded 40.0 for 81")
        terminal.wait_for("2 steps · 1 call")
        terminal.wait_for("›")

        terminal.type("Hang on the key abc\r")
        terminal.wait_for("hang(")
        terminal.interrupt("stopped in step 1")
        terminal.wait_for("/go goes on")
        terminal.wait_for("›")
        terminal.type("/go\r")
        terminal.wait_for("hang was interrupted by the user")
        terminal.wait_for("1 step")
        terminal.wait_for("›")
        terminal.type("/quit\r")
        assert terminal.end() == 0


@pytest.mark.slow
def test_ctrl_c_twice_in_a_row_ends_it_at_once(chat, shop):
    with chat(shop) as terminal:
        terminal.wait_for("›")
        terminal.type("Hang on the key abc\r")
        terminal.wait_for("hang(")
        terminal.interrupt("stopped in step 1")
        terminal.wait_for("›")
        assert terminal.interrupt() == 130
    with chat(shop) as terminal:
        terminal.wait_for("›")
        terminal.interrupt("Ctrl-C once more ends the chat")
        terminal.wait_for("›")
        assert terminal.interrupt() == 130


def test_a_call_is_denied_for_a_reason_edited_and_allowed_for_good(chat, shop):
    with chat(shop) as terminal:
        terminal.wait_for("›")
        terminal.type("Refund order 1 amount 10\r")
        terminal.wait_for("approve?")
        terminal.type("n too much\r")
        terminal.wait_for("the user did not approve it: too much")
        terminal.wait_for("2 steps")
        terminal.wait_for("›")

        terminal.type("Refund order 2 amount 20\r")
        terminal.wait_for("approve?")
        terminal.type("e\r")
        terminal.wait_for("arguments:")
        terminal.type("\x01\x0b")  # to the beginning, and cut the line
        terminal.type('{"order": 2, "amount": 2.5}\r')
        terminal.wait_for("→ refunded 2.5 for 2")
        terminal.wait_for("2 steps")
        terminal.wait_for("›")

        terminal.type("Refund order 3 amount 30\r")
        terminal.wait_for("approve?")
        terminal.type("perhaps\r")
        terminal.wait_for("y approves this call")
        terminal.wait_for("approve?")
        terminal.type("a\r")
        terminal.wait_for("→ refunded 30.0 for 3")
        terminal.wait_for("2 steps")
        terminal.wait_for("›")
        terminal.type("Refund order 4 amount 40\r")
        assert "approve?" not in terminal.wait_for("→ refunded 40.0 for 4")
        terminal.wait_for("2 steps")
        terminal.wait_for("›")
        terminal.type("\x04")
        assert terminal.end() == 0


def test_an_answer_over_several_lines_and_a_call_that_nobody_decides_on(chat, shop, request):
    breaks = "\x1b\r" if "prompt_toolkit" in request.node.name else "\\\r"
    with chat(shop) as terminal:
        terminal.wait_for("›")
        terminal.type(f"Refund order 5{breaks}amount 50\r")
        terminal.wait_for("refund(order=5, amount=50)")
        terminal.wait_for("approve?")
        terminal.type("\r")
        terminal.wait_for("/go asks again")
        terminal.wait_for("›")
        terminal.type("/go\r")
        terminal.wait_for("approve?")
        terminal.interrupt("stopped before it began")
        terminal.wait_for("›")
        terminal.type("/go\r")
        terminal.wait_for("approve?")
        terminal.type("y\r")
        terminal.wait_for("→ refunded 50.0 for 5")
        terminal.wait_for("›")
        terminal.type("\x04")
        assert terminal.end() == 0


MARKDOWN = r"""
from agentkit import *

class Model:
    name = "script:model"
    def call(self, request):
        said = "# Head\n\nSome **bold** words \x1b]0;owned\x07 &#8238; [here](https://example.org/x).\n\n"
        said += "- one\n- two\n\n```python\n"
        said += "\n".join(f"print({n})" for n in range(100)) + "\n```\n\nThe end."
        request.emit(ReasoningDelta("I must think \x1b[2J about it"))
        for start in range(0, len(said), 7):
            request.emit(TextDelta(said[start : start + 7]))
        return Assistant(said, reasoning="I must think \x1b[2J about it", finish_reason="stop")

agent = Agent(Model())
"""


def test_an_answer_is_markdown_that_stands_there_once_and_whole(chat, tmp_path):
    path = tmp_path / "talker.py"
    path.write_text(MARKDOWN, encoding="utf-8")
    with chat(path, rows=12, columns=60) as terminal:
        terminal.wait_for("›")
        terminal.type("Speak\r")
        terminal.wait_for("think ")
        terminal.resize(12, 40)
        terminal.wait_for("The end.\n1 step")
        terminal.wait_for("›")
        terminal.type("/think\r")
        terminal.wait_for("I must think [2J about it")
        terminal.wait_for("›")
        terminal.type("\x04")
        assert terminal.end() == 0
        text = terminal.plain
    last = text[text.rindex("print(0)") :]
    assert [f"print({n})" in last for n in range(100)] == [True] * 100
    assert "**bold**" not in text
    assert "here (https://example.org/x)" in " ".join(text.split())
    for sequence in ("\x1b]", "\x07", "\u202e"):
        assert sequence not in terminal.written
    assert "\x1b[2J" not in terminal.written


def test_what_an_error_left_can_be_asked_again(chat, tmp_path):
    path = tmp_path / "moody.py"
    path.write_text(
        """
from agentkit import *
from agentkit.errors import RateLimited
class Model:
    name = "script:model"
    asked = 0
    def call(self, request):
        self.asked += 1
        if self.asked == 1:
            raise RateLimited("busy just now")
        return Assistant(f"You said: {request.transcript.last.text}", finish_reason="stop")
agent = Agent(Model())
""",
        encoding="utf-8",
    )
    with chat(path) as terminal:
        terminal.wait_for("›")
        terminal.type("Hello\r")
        terminal.wait_for("error: busy just now")
        terminal.wait_for("›")
        terminal.type("/go\r")
        terminal.wait_for("You said: Hello")
        terminal.wait_for("›")
        terminal.type("/usage\r")
        terminal.wait_for("1 run · ")
        terminal.wait_for("›")
        terminal.type("\x04")
        assert terminal.end() == 0


def test_off_a_terminal_each_line_is_a_prompt_and_nothing_is_a_command_to_a_screen():
    done = here("chat", WEATHER, stdin="Weather in Paris?\n/usage\n/tools\n/model\n/think\nAnd in \\\nTokyo?\n")
    assert done.returncode == 0
    assert done.stdout.splitlines()[0] == "Paris: 11 °C, light rain."
    assert "16 °C, clear" in done.stdout
    assert "›" not in done.stdout + done.stderr
    assert "1 run · 2 requests" in done.stderr
    assert "weather: Weather forecast for a city." in done.stderr
    assert "sim:deepseek-flash\n" in done.stderr
    assert not CONTROL.search(done.stdout + done.stderr)


def test_a_chat_without_an_agent_is_with_a_model():
    done = here("chat", "-m", "sim:deepseek-flash", stdin="What is 6 * 7?\n")
    assert (done.returncode, done.stdout) == (0, "6 * 7 = 42.\n")
    done = here("chat", stdin="Hi\n")
    assert (done.returncode, done.stdout) == (2, "")
    assert "AGENTKIT_MODEL" in done.stderr


def test_off_a_terminal_nobody_is_asked(shop):
    done = here("chat", shop, stdin="Refund order 81 amount 40\nHello\n")
    assert done.returncode == 3
    assert "refund(order=81, amount=40)" in done.stderr
    assert done.stdout == ""
    done = here("chat", shop, "--yes", stdin="Refund order 81 amount 40\n")
    assert done.returncode == 0
    assert "refunded 40.0 for 81" in done.stdout


def test_prompts_are_taken_back_forked_and_saved(tmp_path):
    path = tmp_path / "chat.jsonl"
    lines = [
        "Weather in Paris?",
        "And in Oslo?",
        "/undo",
        "And in Lima?",
        "/fork 2",
        "And in Tokyo?",
        "/switch",
        "/switch 1",
    ]
    done = here("chat", WEATHER, stdin="\n".join([*lines, f"/save {path}", f"/save {path}"]) + "\n")
    assert done.returncode == 2
    assert "cannot be written: File exists" in done.stderr
    assert "taken back: And in Oslo?" in done.stderr
    assert "  1  And in Lima?\n* 2  And in Tokyo?\n" in done.stderr
    assert "* 1  And in Lima?\n  2  And in Tokyo?\n" in done.stderr
    kept = [load(f"[{line}]")[0] for line in path.read_text(encoding="utf-8").splitlines()]
    assert [entry.text for entry in kept if isinstance(entry, User)] == ["Weather in Paris?", "And in Lima?"]
    assert isinstance(kept[-1], Assistant)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("/undo", "nothing was said yet"),
        ("/fork 1", "no prompt number 1"),
        ("/fork x", "a number is wanted"),
        ("/switch 9", "no conversation number 9"),
        ("/hlep", "did you mean `/help`?"),
        ("/model nosuch", "there is no model `nosuch`"),
    ],
)
def test_a_command_that_cannot_be_done_says_why(line, said):
    done = here("chat", WEATHER, stdin=f"{line}\n")
    assert done.returncode == 2
    assert said in done.stderr


def test_a_session_is_kept_gone_on_with_and_forked_beside(tmp_path, monkeypatch):
    monkeypatch.setenv("AGENTKIT_HOME", str(tmp_path))
    done = here("chat", WEATHER, "--session", "trip", stdin="Weather in Paris?\n")
    assert done.returncode == 0
    done = here("chat", WEATHER, "-s", "trip", stdin="And in Oslo?\n/undo\nAnd in Lima?\n")
    assert done.returncode == 0
    assert "kept in the session `trip.2` from now on" in done.stderr
    said = {
        one.name: [entry.text for entry in Session(one.name).entries() if isinstance(entry, User)] for one in every()
    }
    assert said == {
        "trip": ["Weather in Paris?", "And in Oslo?"],
        "trip.2": ["Weather in Paris?", "And in Lima?"],
    }


def test_another_model_answers_from_the_next_prompt_on():
    done = here("chat", WEATHER, stdin="Weather in Paris?\n/model sim:deepseek-v4-pro\nWeather in Oslo?\n")
    assert done.returncode == 0
    assert [line.split(" · ")[0] for line in done.stderr.splitlines() if " · run " in line] == [
        "sim:deepseek-flash",
        "sim:deepseek-v4-pro",
    ]


def test_a_terminal_that_wants_no_colour_gets_the_words_as_they_are(tmp_path, home):
    path = tmp_path / "talker.py"
    path.write_text(MARKDOWN, encoding="utf-8")
    with Terminal("chat", path, NO_COLOR="1", AGENTKIT_HOME=str(home), PROMPT_TOOLKIT_NO_CPR="1") as terminal:
        terminal.wait_for("›")
        terminal.type("Speak\r")
        said = terminal.wait_for("The end.")
        terminal.wait_for("1 step")
        terminal.wait_for("›")
        terminal.type("\x04")
        assert terminal.end() == 0
    assert "Some **bold** words" in said
    assert "\x1b[?25l" not in terminal.written.partition("run ")[2].partition("1 step")[0]


def test_a_run_of_a_session_that_was_stopped_can_be_forked_and_gone_on_with(shop, home):
    with Terminal("chat", shop, "-s", "work", AGENTKIT_HOME=str(home), PROMPT_TOOLKIT_NO_CPR="1") as terminal:
        terminal.wait_for("›")
        terminal.type("Hang on the key abc\r")
        terminal.wait_for("hang(")
        terminal.interrupt("stopped in step 1")
        terminal.wait_for("›")
        terminal.type("/fork\r")
        terminal.wait_for("kept in the session `work.2` from now on")
        terminal.wait_for("›")
        terminal.type("/go\r")
        terminal.wait_for("hang was interrupted")
        terminal.wait_for("1 step")
        terminal.wait_for("›")
        terminal.type("\x04")
        assert terminal.end() == 0
    assert len(Session("work.2").entries()) > len(Session("work").entries())


def test_somebody_without_a_home_can_chat_and_run_all_the_same(monkeypatch, shop):
    def nobody(number):
        raise KeyError(f"getpwuid(): uid not found: {number}")

    monkeypatch.delenv("AGENTKIT_HOME")
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    assert here("chat", WEATHER, stdin="Weather in Paris?\n").returncode == 0
    done = here("run", shop, "Refund order 81 amount 40")
    assert done.returncode == 3
    assert "name a folder in `AGENTKIT_HOME`" in done.stderr
    done = here("sessions")
    assert done.returncode == 2
    assert "Name one in `AGENTKIT_HOME`" in done.stderr
