"""The public face: what is exported, what importing it costs, and that all of it says what it does."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import agentkit

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("agentkit/**/*.py"))
FACE = """
    Agent AgentkitError Answer Approve Assistant AsyncStream ConfigurationError Context Deny Event Finished Image
    LimitReached Limits Message ModelError ReasoningDelta Result RunError Settings Stream TextDelta Tool ToolCall
    ToolError ToolFinished ToolMessage ToolResult ToolStarted Toolset Truncated Unavailable Usage User aclose close tool
""".split()
"""A name is added here when it is meant to be kept for good."""

HEAVY = """
    agentkit.cli agentkit.simulator aiohttp docstring_parser httpx openai pydantic pydantic_core rich starlette typer
    uvicorn
    asyncio concurrent.futures difflib hashlib logging pathlib platform random secrets socket sqlite3 ssl subprocess
    textwrap traceback urllib.parse
""".split()
"""What is needed later if at all: other people's libraries, and those of Python's own that cost the most."""


def test_the_face_shows_these_names_and_no_others() -> None:
    assert sorted(agentkit.__all__) == FACE


@pytest.mark.parametrize("name", FACE)
def test_a_name_of_the_face_is_there_and_says_what_it_is(name: str) -> None:
    value = getattr(agentkit, name)
    if isinstance(value, type) or callable(value):
        assert value.__doc__


def test_what_type_checkers_see_is_what_is_loaded() -> None:
    tree = ast.parse((ROOT / "agentkit/__init__.py").read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {name.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for name in node.names}
    assert seen == agentkit._HOME
    assert {*seen, "close", "aclose"} == set(agentkit.__all__)


def test_modules_are_there_without_an_import_of_their_own() -> None:
    program = "import agentkit; print(agentkit.models.open_model.__name__, agentkit.errors.__name__, dir(agentkit)[0])"
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["open_model", "agentkit.errors", "Agent"]


@pytest.mark.parametrize("name", ["Agnet", "agnet", "_agent"])
def test_a_name_that_is_not_there_is_an_attribute_error(name: str) -> None:
    with pytest.raises(AttributeError, match=name):
        getattr(agentkit, name)
    assert not hasattr(agentkit, name)


def test_importing_the_face_is_cheap_and_starts_nothing() -> None:
    names = "sorted(sys.modules), threading.active_count()"
    program = f"import json, sys, threading\nfrom agentkit import *\nprint(json.dumps([{names}]))"
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True)
    loaded, threads = json.loads(done.stdout)
    assert [name for name in HEAVY if name in loaded] == []
    assert threads == 1
    assert done.stderr == ""


@pytest.mark.parametrize("name", MODULES)
def test_every_public_thing_of_a_module_says_what_it_does(name: str) -> None:
    tree = ast.parse((ROOT / name).read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), f"{name} has no docstring"
    silent = [f"{name}:{node.lineno} {node.name}" for node, _ in public(tree) if not ast.get_docstring(node)]
    assert not silent


@pytest.mark.parametrize("name", MODULES)
def test_a_docstring_names_only_parameters_and_fields_that_exist(name: str) -> None:
    tree = ast.parse((ROOT / name).read_text(encoding="utf-8"))
    wrong = []
    for node, _ in public(tree):
        told = sections(ast.get_docstring(node) or "")
        wrong += [f"{name}:{node.lineno} {node.name}: no parameter `{one}`" for one in told["Args"] - arguments(node)]
        if isinstance(node, ast.ClassDef):
            missing = told["Attributes"] - attributes(node)
            wrong += [f"{name}:{node.lineno} {node.name}: no attribute `{one}`" for one in missing]
    assert not wrong


Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def public(node: ast.AST, owner: str = "") -> Iterator[tuple[Definition, str]]:
    """Classes, functions and methods that a stranger may use: no leading underscore, not within a function."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If | ast.Try):
            yield from public(child, owner)
        elif isinstance(child, Definition) and not child.name.startswith("_") and not only_typed(child):
            yield child, owner
            if isinstance(child, ast.ClassDef):
                yield from public(child, child.name)


def only_typed(node: Definition) -> bool:
    """Whether it is an `@overload`, or the setter of a property whose getter speaks for it."""
    words = {ast.unparse(one).split(".")[-1] for one in node.decorator_list}
    return bool(words & {"overload", "setter"})


def sections(docstring: str) -> dict[str, set[str]]:
    """The names that the sections `Args:` and `Attributes:` speak of."""
    found: dict[str, set[str]] = {"Args": set(), "Attributes": set()}
    current = ""
    for line in docstring.splitlines():
        if line and not line.startswith(" "):
            current = line.removesuffix(":") if line.endswith(":") else ""
        elif current in found and (entry := re.match(r" {4}([\w*][\w, *]*?)(?: \(.*?\))?:(?:\s|$)", line)):
            found[current].update(one.strip(" *") for one in entry[1].split(","))
    return found


def arguments(node: Definition) -> set[str]:
    functions = [node]
    if isinstance(node, ast.ClassDef):
        functions = [
            one for one in node.body if isinstance(one, ast.FunctionDef) and one.name in ("__init__", "__new__")
        ]
        if not functions:
            return attributes(node)
    names: set[str] = set()
    for function in functions:
        given = function.args
        if given.kwarg is not None:  # what `**options` takes is named elsewhere
            names.update(sections(ast.get_docstring(function) or "")["Args"])
        every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
        names.update(one.arg for one in every if one is not None)
    return names


def attributes(node: ast.ClassDef) -> set[str]:
    names: set[str] = set()
    for child in ast.walk(node):
        if isinstance(child, ast.AnnAssign | ast.Assign):
            for target in child.targets if isinstance(child, ast.Assign) else [child.target]:
                for one in ast.walk(target):
                    if isinstance(one, ast.Attribute):
                        names.add(one.attr)
                    elif isinstance(one, ast.Name):
                        names.add(one.id)
        elif isinstance(child, ast.FunctionDef):
            names.add(child.name)
    return names
