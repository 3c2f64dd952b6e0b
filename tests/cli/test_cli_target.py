"""What can be named as a target, and what is said of what cannot."""

import sys
import textwrap

import pytest

from agentkit import Agent, ConfigurationError
from agentkit.cli.target import agent_of, tools_of

TOOL = """
from agentkit import Agent, tool

@tool
def ping(host: str) -> str:
    "Reach a host."
    return host
"""
ONE = TOOL + "clerk = Agent('sim:deepseek-flash', tools=[ping], name='clerk')\nalias = clerk\n"
TWO = ONE + "boss = Agent('sim:deepseek-flash', name='boss')\n"
FUNCTIONS = TOOL + textwrap.dedent("""
    def make(): return Agent(tools=[ping], name='made')
    def needs(name): return Agent(name=name)
    async def later(): return Agent()
    number = 3
    class Shop:
        agent = Agent(name='inner')
    kit = [ping]
""")


@pytest.fixture(autouse=True)
def restored():
    """What loading a target changes in this process is taken back."""
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


GROWS = """
class Lazy:
    @property
    def __class__(self):
        globals()[f"more{len(globals())}"] = self
        return type(self)

one, two = Lazy(), Lazy()
"""


@pytest.fixture
def target(tmp_path):
    def write(source, name="shop.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
        return str(path)

    return write


def test_the_only_agent_of_a_file_needs_no_name(target):
    assert agent_of(target(ONE)).name == "clerk"


def test_an_agent_or_a_function_that_returns_one_can_be_named(target):
    assert agent_of(target(TWO) + ":boss").name == "boss"
    assert agent_of(target(FUNCTIONS, "b.py") + ":make").name == "made"
    assert agent_of(target(FUNCTIONS, "c.py") + ":Shop.agent").name == "inner"


def test_a_module_of_the_working_folder_is_found_by_its_dotted_name(target, tmp_path, monkeypatch):
    target("", "stores/__init__.py")
    target(ONE, "stores/corner.py")
    monkeypatch.chdir(tmp_path)
    assert agent_of("stores.corner").name == agent_of("stores.corner:clerk").name == "clerk"


def test_a_file_may_import_its_neighbours(target):
    target("NAME = 'clerk'", "neighbour_of_shop.py")
    path = target("from agentkit import Agent\nimport neighbour_of_shop\na = Agent(name=neighbour_of_shop.NAME)")
    assert agent_of(path).name == "clerk"


def test_a_file_does_not_stand_in_for_a_module_of_its_name(target):
    import json

    assert agent_of(target(ONE, "json.py")).name == "clerk"
    assert sys.modules["json"] is json


def test_annotations_of_a_target_are_resolved_in_its_module(target):
    source = (
        "from __future__ import annotations\nfrom typing import Literal\n" + TOOL.lstrip() + "Size = Literal['s']\n"
    )
    path = target(source + "@tool\ndef fit(size: Size) -> str:\n    'Fit.'\n    return size\na = Agent(tools=[fit])\n")
    assert tools_of(path)[0].schema["properties"]["size"]["const"] == "s"


@pytest.mark.parametrize(
    ("source", "name", "said"),
    [
        (TWO, "", r"has 2 agents; name one: `.*shop.py:clerk`, `.*shop.py:boss`"),
        ("x = 1", "", r"has no `Agent` at its top level"),
        (ONE, ":clark", r"has no `clark`; did you mean `clerk`\?"),
        (ONE, ":zzz", r"has no `zzz`; its agents are `.*:clerk`"),
        (ONE, ":ping", r"is a `Tool`, not an `Agent`"),
        (FUNCTIONS, ":number", r"is a `int`, not an `Agent`"),
        (FUNCTIONS, ":needs", r"cannot be called without arguments: missing a required argument: 'name'"),
        (FUNCTIONS, ":later", r"is an async function"),
    ],
)
def test_a_target_that_names_no_agent_is_told_what_there_is(target, source, name, said):
    with pytest.raises(ConfigurationError, match=said):
        agent_of(target(source) + name)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("nowhere.py", "`nowhere.py` is not there"),
        ("no/such/place", "is not there"),
        (".", "is a folder, not a file"),
        ("", "names no file or module"),
        (":agent", "names no file or module"),
        ("not.a.module_", r"there is no module `not.a.module_`"),
        ("deepseek:deepseek-chat", r"is a model, not an agent: .*`agentkit chat --model deepseek:deepseek-chat`"),
        ("sim:lkeap:deepseek-r1", r"is a model, not an agent"),
        ("nomodule:agent", r"there is no module `nomodule` .* `nomodule.py`"),
    ],
)
def test_a_place_that_is_not_there_is_said_to_be_so(tmp_path, monkeypatch, place, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match=said):
        agent_of(place)


def test_a_module_may_have_the_name_of_an_endpoint(tmp_path, monkeypatch, target):
    monkeypatch.chdir(tmp_path)
    target(ONE, "ollama.py")
    assert agent_of("ollama:clerk").name == "clerk"


def test_a_module_that_grows_as_it_is_looked_at_is_looked_at_as_it_was(target):
    with pytest.raises(ConfigurationError, match="has no `zzz`"):
        agent_of(target(GROWS) + ":zzz")
    with pytest.raises(ConfigurationError, match="neither an `Agent` nor a function"):
        tools_of(target(GROWS))


def test_a_module_that_the_target_lacks_is_not_mistaken_for_the_target(target):
    with pytest.raises(ModuleNotFoundError, match="nosuchneighbour"):
        agent_of(target("import nosuchneighbour"))


def test_an_error_in_the_targets_own_code_says_the_line(target):
    with pytest.raises(ConfigurationError) as raised:
        agent_of(target(TOOL.lstrip() + "\na = Agent(tools=[3])\n"))
    assert raised.value.__notes__ == ["shop.py:8"]


def test_tools_are_found_in_an_agent_a_module_a_list_or_by_themselves(target):
    assert [tool.name for tool in tools_of(target(ONE))] == ["ping"]
    assert [tool.name for tool in tools_of(target(TOOL, "b.py"))] == ["ping"]
    assert [tool.name for tool in tools_of(target(TOOL, "c.py") + ":ping")] == ["ping"]
    assert [tool.name for tool in tools_of(target(FUNCTIONS, "d.py"))] == ["ping"]
    assert [tool.name for tool in tools_of(target(FUNCTIONS, "e.py") + ":kit")] == ["ping"]


@pytest.mark.parametrize(("source", "name"), [("x = 1", ""), (FUNCTIONS, ":number"), (TWO, "")])
def test_a_target_without_tools_is_told_so(target, source, name):
    with pytest.raises(ConfigurationError, match=r"neither|has 2 agents"):
        tools_of(target(source) + name)


def test_an_agent_is_what_the_face_calls_one(target):
    assert isinstance(agent_of(target(ONE)), Agent)
