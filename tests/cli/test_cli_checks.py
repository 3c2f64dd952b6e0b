"""`agentkit tools check`: what should be mended in the tools of a target, what they cost, and the exit codes."""

import json
import re

import pytest
from shell import ROOT, here

from agentkit import Tool, Toolset, tool
from agentkit.cli.checks import LONG, MOST, checks

GOOD = '''
from typing import Annotated, Any

from agentkit import Toolset, tool


@tool
def weather(city: Annotated[str, "City name"]) -> str:
    """Tell the weather in a city."""
    return city
'''

BAD = (
    GOOD
    + '''

@tool
def weathers(city: str, extra: dict[str, int]) -> str:
    """Tell the weather in a city.

    Args:
        town: Its name.
        extra: More.
    """
    return city


@tool
def silent() -> None: ...
'''
)


def made(name="act", description="Act.", **options):
    def act() -> None: ...

    return Tool(act, name=name, description=description, **options)


def findings(*tools):
    checked, together = checks(tools)
    return [words for one in checked for words in one.findings] + together


@pytest.fixture
def target(tmp_path):
    def write(text):
        path = tmp_path / "tools_of_mine.py"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_good_tools_have_code_0_and_their_cost(target):
    done = here("tools", "check", target(GOOD))
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(
        r"weather: about (\d+) tokens in each request\n"
        r"1 tool, about \1 tokens in each request \(as the simulator counts them\); nothing to mend\n",
        done.stdout,
    )


def test_findings_have_code_1_and_their_places(target):
    done = here("tools", "check", target(BAD))
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert "tools_of_mine.py:13: weathers: `town` is described but is no parameter" in lines
    assert "tools_of_mine.py:13: weathers: `city` has no description" in lines
    assert (
        "tools_of_mine.py:13: weathers: note: strict mode is out of reach: `extra` may have keys of any name" in lines
    )
    assert "tools_of_mine.py:24: silent: it has no description: the model is told its name in words" in lines
    assert "`weather` and `weathers` are hard to tell apart: their names are nearly the same" in lines
    assert "`weather` and `weathers` are hard to tell apart: their descriptions are nearly the same" in lines
    assert lines[-1].endswith("; 5 findings")


def test_the_same_as_json(target):
    done = here("tools", "check", target(BAD), "--json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert [one["name"] for one in found["tools"]] == ["weather", "weathers", "silent"]
    assert found["tools"][1]["findings"] == [
        "`town` is described but is no parameter",
        "`city` has no description",
    ]
    assert len(found["findings"]) == 2
    assert found["tokens"] == sum(one["tokens"] for one in found["tools"]) > 100


def test_a_target_without_tools_has_code_2(target):
    assert here("tools", "check", target("x = 1")).returncode == 2


def test_showing_is_the_default(target):
    path = target(GOOD + "\ngroup = Toolset([weather], prefix='my_')\n")
    assert here("tools", path).stdout == here("tools", "show", path).stdout
    assert "my_weather" in here("tools", f"{path}:group").stdout
    assert json.loads(here("tools", "--json", path).stdout)[0]["function"]["name"] == "weather"


def test_the_examples_of_a_weather_tool_have_nothing_to_mend():
    assert here("tools", "check", ROOT / "examples/weather.py").returncode == 0


@pytest.mark.parametrize(
    ("names", "alike"),
    [
        (("get_user", "get_users"), True),
        (("get_user", "getUser"), True),
        (("get_user", "user_get"), True),
        (("search", "search2"), True),
        (("get_user", "set_user"), False),
        (("read_file", "write_file"), False),
        (("a", "b"), False),
        (("run_1", "test_1"), False),
    ],
)
def test_names_that_are_nearly_the_same_are_found(names, alike):
    found = findings(*[made(name, f"Do {number}.") for number, name in enumerate(names)])
    assert (found != []) == alike


def test_a_definition_that_is_too_long_is_found():
    (words,) = findings(made(description="word " * LONG))
    assert re.fullmatch(r"its definition takes about 1,\d{3} tokens in each request; 1,000 are a lot", words)


def test_more_tools_than_an_endpoint_takes_are_found():
    many = [made(f"t{chr(97 + n // 26)}{chr(97 + n % 26)}", f"Do {n}.") for n in range(MOST + 1)]
    assert findings(*many) == ["there are 129 tools, but endpoints take at most 128 in one request"]
    assert findings(*many[:MOST]) == []


def test_a_timeout_that_cannot_work_is_found():
    (words,) = findings(made(timeout=1, sequential=True))
    assert words.startswith("`timeout` has no effect")


def test_what_strict_mode_cannot_take_is_a_finding_where_it_was_asked_for_and_a_note_elsewhere():
    def act(labels: dict[str, int]) -> None:
        """Act.

        Args:
            labels: Any.
        """

    strict, loose = checks([tool(act, strict=True)])[0][0], checks([tool(act)])[0][0]
    assert strict.findings == ["sent without strict mode, since `labels` may have keys of any name"]
    assert (loose.findings, loose.notes) == ([], ["strict mode is out of reach: `labels` may have keys of any name"])


def test_a_renamed_tool_without_words_is_found():
    def look() -> None: ...

    assert findings(*Toolset([look], prefix="my_").tools) == [
        "it has no description: the model is told its name in words"
    ]
