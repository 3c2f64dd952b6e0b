"""Providers and models as data: what `catalog.toml` says, loaded strictly.

The vocabulary is closed: an unknown key is an error, and each key is read in exactly one place. A key is added
only when two models need it. The sources of the rows are WIRE sections 1, 2 and 6.
"""

from __future__ import annotations

import difflib
import functools
import tomllib
from dataclasses import MISSING, dataclass, fields
from importlib.resources import files
from typing import Any, Literal, get_args, get_origin, get_type_hints

from agentkit.errors import ConfigurationError

Reasoning = Literal["strip", "turn", "always"]
Thinking = Literal["never", "always", "on", "off"]
Streaming = Literal["asked", "thinking", "always"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """What is known of a model at a provider.

    Attributes:
        name: The name, spelt as it is sent.
        title: What it is, in a few words, for `agentkit models`.
        tools: Whether it takes tools in the request.
        max_tools: How many of them.
        context: The context window, in tokens; 0 where it is not known.
        thinking: Whether it thinks: `"never"`, `"always"`, or by request, then `"on"` or `"off"` by default.
        reasoning: Which reasoning goes back to it: none (`"strip"`), that of the turn under way (`"turn"`),
            or all of it, `""` where there was none (`"always"`); WIRE section 6.
        stream: When the wire streams: only when the caller asks (`"asked"`), also whenever the model thinks
            (`"thinking"`), or always. Long silent replies are what proxies cut.
        instead: What to use in its place, for a retired name.
    """

    name: str
    title: str = ""
    tools: bool = True
    max_tools: int = 128
    context: int = 0
    thinking: Thinking = "never"
    reasoning: Reasoning = "strip"
    stream: Streaming = "asked"
    instead: str = ""

    def thinks(self, asked: bool | None) -> bool:
        """Whether the model thinks in a request whose settings ask for this (`None`: they do not say)."""
        if self.thinking in ("never", "always"):
            return self.thinking == "always"
        return self.thinking == "on" if asked is None else asked

    def streams(self, *, asked: bool, thinks: bool) -> bool:
        """Whether the wire streams: when the caller wants to look on, or the row asks for it."""
        return asked or self.stream == "always" or (self.stream == "thinking" and thinks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """Where models are served.

    Attributes:
        name: The word before the colon of a model's name.
        title: Its name for people.
        base_url: The address that `/chat/completions` is added to; `""` where the caller must give one.
        key: The environment variable that holds the API key; `""` where none is needed.
        address: The environment variable that may replace `base_url`; `""` for none.
        like: The provider whose models it serves too; `""` for none.
        open: Whether it takes any model name, also one that has no row.
        models: The rows, the most useful first.
    """

    name: str
    title: str
    base_url: str = ""
    key: str = ""
    address: str = ""
    like: str = ""
    open: bool = False
    models: tuple[ModelRow, ...] = ()


@functools.cache
def providers() -> dict[str, Provider]:
    """The providers by name, in the order of the file.

    Raises:
        ConfigurationError: The file holds an unknown key or a value of the wrong kind.
    """
    return parse(files("agentkit.models").joinpath("catalog.toml").read_text(encoding="utf-8"), "catalog.toml")


def parse(text: str, where: str) -> dict[str, Provider]:
    """Read rows in the format of `catalog.toml`; `where` names the file in errors.

    Raises:
        ConfigurationError: It is no TOML, or holds an unknown key or a value of the wrong kind.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"`{where}` is no TOML: {error}") from error
    found: dict[str, Provider] = {}
    for name, table in tables.items():
        rows = table.pop("models", [])
        models = tuple(_build(ModelRow, row, f"{where}, `{name}`, model {i + 1}") for i, row in enumerate(rows))
        like = found.get(table.get("like", ""))
        found[name] = _build(
            Provider, {**table, "name": name, "models": models + (like.models if like else ())}, f"{where}, `{name}`"
        )
    return found


def _build(kind: type[Any], values: dict[str, Any], where: str) -> Any:
    hints = _hints(kind)
    for key, value in values.items():
        if key not in hints:
            raise ConfigurationError(f"{where}: there is no key `{key}`; the keys are {', '.join(hints)}")
        hint = hints[key]
        choices = get_args(hint) if get_origin(hint) is Literal else None
        if choices is not None and value not in choices:
            raise ConfigurationError(f"{where}: `{key}` is {value!r}, but must be one of {', '.join(choices)}")
        if choices is None and type(value) is not (get_origin(hint) or hint):
            raise ConfigurationError(
                f"{where}: `{key}` is {value!r}, but must be a {(get_origin(hint) or hint).__name__}"
            )
    missing = [one.name for one in fields(kind) if one.name not in values and one.default is MISSING]
    if missing:
        raise ConfigurationError(f"{where}: `{missing[0]}` is missing")
    return kind(**values)


@functools.cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    return get_type_hints(kind)


def find(name: str) -> tuple[Provider, ModelRow]:
    """The provider and the row that a name means: `provider:model`, or a bare name that a row has.

    Raises:
        ConfigurationError: No such provider or model; the message gives the nearest names.
    """
    known = providers()
    prefix, colon, model = name.partition(":")
    if colon and prefix in known:
        provider = known[prefix]
        row = _row(provider, model)
        if row is None and provider.open and model:
            row = ModelRow(name=model)
        if row is not None:
            return provider, row
        raise ConfigurationError(_unknown(name, [f"{prefix}:{one.name}" for one in provider.models]))
    for provider in known.values():
        if (row := _row(provider, name)) is not None:
            return provider, row
    every = [f"{one.name}:{row.name}" for one in known.values() for row in one.models]
    raise ConfigurationError(_unknown(name, every))


def _row(provider: Provider, model: str) -> ModelRow | None:
    return next((row for row in provider.models if row.name.lower() == model.lower()), None)


def _unknown(name: str, names: list[str]) -> str:
    bare = {full.partition(":")[2]: full for full in reversed(names)}
    near = difflib.get_close_matches(name, [*names, *bare], n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(f'`{bare.get(one, one)}`' for one in near)}?" if near else "."
    return (
        f"there is no model `{name}` in the catalog{hint} `agentkit models` lists them;"
        " any other model of an OpenAI-compatible server is `openai:NAME` with a base URL"
    )
