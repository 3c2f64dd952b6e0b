"""What a command works on: `file.py`, `file.py:name` or `package.module:name`, loaded as Python would load it."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import SourceFileLoader
from pathlib import Path
from traceback import extract_tb
from types import ModuleType
from typing import Any, cast

from agentkit.agent import Agent
from agentkit.errors import AgentkitError, ConfigurationError
from agentkit.frozen import frozen
from agentkit.models.catalog import providers
from agentkit.tools import Tool
from agentkit.toolset import Toolset


@frozen
class Target:
    """A module that was loaded for a command, and the name in it that was asked for.

    Attributes:
        module: The module.
        place: How the user named it, for messages.
        name: The name after the colon; `""` where none was given.
    """

    module: ModuleType
    place: str
    name: str

    def value(self) -> Any:
        """What the name stands for; a plain function is called for what it returns.

        Raises:
            ConfigurationError: The module has no such name, or the function wants arguments.
        """
        value: Any = self.module
        for part in self.name.split("."):
            try:
                value = getattr(value, part)
            except AttributeError:
                raise ConfigurationError(
                    f"`{self.place}` has no `{self.name}`{self._near()}", code="bad-target"
                ) from None
        if inspect.isfunction(value):
            return _called(value, f"{self.place}:{self.name}")
        return value

    def _near(self) -> str:
        near = difflib.get_close_matches(self.name, [name for name in vars(self.module) if not name.startswith("_")])
        if near:
            return f"; did you mean {' or '.join(f'`{one}`' for one in near)}?"
        agents = _named(self.module, Agent)
        return f"; its agents are {_list(self.place, agents)}" if agents else ""


def load(target: str) -> Target:
    """Load the module that a target names. Its folder, or the working directory for a module, joins `sys.path`.

    Raises:
        ConfigurationError: There is no such file or module.
        Exception: Whatever the module's own code raises.
    """
    place, colon, name = target.rpartition(":")
    if not colon or not _dotted(name):
        place, name = target, ""
    if not place:
        raise ConfigurationError(
            f"`{target}` names no file or module: write `file.py`, `file.py:name` or `module:name`", code="bad-target"
        )
    provider, _, model = target.partition(":")
    if model and not Path(provider).exists() and not Path(f"{provider}.py").exists() and provider in providers():
        raise ConfigurationError(
            f"`{target}` is a model, not an agent: talk to it with `agentkit chat --model {target}`, or name a file"
            " with an agent, which `--model` lets run on it",
            code="bad-target",
        )
    path = Path(place)
    is_file = path.suffix == ".py" or len(path.parts) > 1 or path.is_file() or not _dotted(place)
    try:
        return Target(_from_file(path) if is_file else _from_module(place), place, name)
    except AgentkitError as error:
        if where := _raised_at(error):
            error.add_note(where)
        raise


def agent_of(target: str) -> Agent:
    """The agent that a target names.

    Raises:
        ConfigurationError: There is none, or several and none was named.
        Exception: Whatever the target's own code raises.
    """
    found = load(target)
    if found.name:
        value = found.value()
        if not isinstance(value, Agent):
            raise ConfigurationError(
                f"`{target}` is {_kind(value)}, not an `Agent` or a function that returns one", code="bad-target"
            )
        return cast("Agent[Any]", value)
    agents = _named(found.module, Agent)
    if not agents:
        raise ConfigurationError(
            f"`{found.place}` has no `Agent` at its top level;"
            f" name a function that returns one: `{found.place}:function`",
            code="bad-target",
        )
    return _only(found, agents)


def tools_of(target: str) -> tuple[Tool[..., Any], ...]:
    """The tools that a target names: those of its agent, or the functions marked `@tool` in a module.

    Raises:
        ConfigurationError: There are none, or several agents and none was named.
        Exception: Whatever the target's own code raises.
    """
    found = load(target)
    if found.name:
        tools = _tools_in(found.value())
        if tools is None:
            raise ConfigurationError(
                f"`{target}` is neither an `Agent`, nor a tool, nor a list of tools", code="bad-target"
            )
        return tools
    agents = _named(found.module, Agent)
    if agents:
        return _only(found, agents).tools
    unique = {id(one): one for value in list(vars(found.module).values()) for one in _tools_in(value) or ()}
    if not unique:
        raise ConfigurationError(
            f"`{found.place}` has neither an `Agent` nor a function marked `@tool`", code="bad-target"
        )
    return tuple(unique.values())


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        what = "a folder, not a file" if path.is_dir() else "not there"
        raise ConfigurationError(f"`{path}` is {what}", code="bad-target")
    path = path.resolve()
    name = path.stem
    if not name.isidentifier() or name in sys.modules or name in sys.stdlib_module_names:
        name = "agentkit_target"  # the file must not stand in for a module that others import
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(name, path, loader=SourceFileLoader(name, str(path)))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _from_module(name: str) -> ModuleType:
    sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            raise ConfigurationError(
                f"there is no module `{name}` here or on the module search path;"
                f" a file is named with its ending: `{name}.py`",
                code="bad-target",
            ) from error
        raise  # a module that the target imports: the traceback says where


def _called(function: Callable[..., Any], place: str) -> Any:
    if inspect.iscoroutinefunction(function):
        raise ConfigurationError(
            f"`{place}` is an async function; a target is an `Agent` or a plain function", code="bad-target"
        )
    try:
        inspect.signature(function).bind()
    except TypeError as error:
        raise ConfigurationError(
            f"`{place}` cannot be called without arguments: {error}; give them defaults, or name an `Agent`",
            code="bad-target",
        ) from error
    return function()


def _raised_at(error: AgentkitError) -> str:
    """The line of the target's code, such as `shop.py:14`, in which it got this error; `""` if it did not."""
    package = str(Path(__file__).parents[1])
    frames = extract_tb(error.__traceback__)
    theirs = [frame for frame in frames if not frame.filename.startswith((package, "<frozen "))]
    in_module = any(frame.name == "<module>" for frame in theirs)
    return f"{Path(theirs[-1].filename).name}:{theirs[-1].lineno}" if in_module else ""


def _named(module: ModuleType, kind: type[Any]) -> list[str]:
    """The module's names for values of a kind; of several names for one value the first."""
    seen: dict[int, str] = {}
    for name, value in list(vars(module).items()):
        if isinstance(value, kind):
            seen.setdefault(id(value), name)
    return list(seen.values())


def _only(found: Target, agents: list[str]) -> Agent:
    if len(agents) > 1:
        raise ConfigurationError(
            f"`{found.place}` has {len(agents)} agents; name one: {_list(found.place, agents)}", code="bad-target"
        )
    return getattr(found.module, agents[0])


def _tools_in(value: object) -> tuple[Tool[..., Any], ...] | None:
    if isinstance(value, Tool):
        return (cast("Tool[..., Any]", value),)
    if isinstance(value, Agent | Toolset):
        return value.tools
    if not isinstance(value, list | tuple) or not value:
        return None
    items = cast("Sequence[object]", value)
    tools = tuple(cast("Tool[..., Any]", one) for one in items if isinstance(one, Tool))
    return tools if len(tools) == len(items) else None


def _dotted(name: str) -> bool:
    return all(part.isidentifier() for part in name.split("."))


def _list(place: str, names: list[str]) -> str:
    return ", ".join(f"`{place}:{name}`" for name in names)


def _kind(value: object) -> str:
    return f"a `{type(value).__name__}`"
