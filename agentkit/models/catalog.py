"""Providers and models as data: what `catalog.toml` says, and what users add to it, loaded strictly.

The vocabulary is closed: it is the fields of `Provider` and `ModelRow`, and an unknown key is an error. Besides, a
provider may have a table `all`, whose keys hold for each of its models: beneath what a row of its own says, above what
a row says that it has by `like`, since how a host behaves is the host's to say. The sources of the rows are WIRE
sections 1, 2, 3 and 6.
"""

from __future__ import annotations

import functools
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, field, fields, is_dataclass, replace
from datetime import UTC, date, datetime
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, cast, get_args, get_origin, get_type_hints

from agentkit.errors import ConfigurationError
from agentkit.frozen import frozen
from agentkit.models.rows import ModelRow, Price, Provider, Range, price_at

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ModelRow", "Price", "Provider", "add", "find", "parse", "price_at", "providers"]

_NAME = "catalog.toml"
_added: list[tuple[str, str]] = []
"""The users' own files, the last added first: their text and where it is from."""


@frozen
class _Table:
    """A provider as it stands in the files, before it is built."""

    own: dict[str, Any] = field(default_factory=dict[str, Any])
    all: dict[str, Any] = field(default_factory=dict[str, Any])
    rows: list[tuple[dict[str, Any], str]] = field(default_factory=list[tuple[dict[str, Any], str]])


@functools.cache
def providers() -> Mapping[str, Provider]:
    """The providers by name, in the order of the file; the users' own come last, their rows first.

    Each is built when it is first asked for: a process seldom needs more than one. What a file of the user's own holds
    was looked at when it was added.

    Raises:
        ConfigurationError: A file is no TOML, or not of tables of providers with lists of models.
    """
    return _Providers(_tables([(_ours(), _NAME), *reversed(_added)]))


class _Providers(Mapping[str, Provider]):
    """The providers of some tables, built when they are asked for."""

    def __init__(self, tables: Mapping[str, _Table]) -> None:
        self._tables = tables
        self._built: dict[str, Provider] = {}

    def __getitem__(self, name: str) -> Provider:
        built = self._built.get(name)
        if built is None:
            built = self._built[name] = _provider(name, self._tables[name], self._tables)
        return built

    def __iter__(self) -> Iterator[str]:
        return iter(self._tables)

    def __len__(self) -> int:
        return len(self._tables)


def _ours() -> str:
    """The text of `catalog.toml`, from wherever the package was loaded."""
    loader: Any = __spec__.loader  # `importlib.resources` would load zipfile, tempfile and shutil for it
    data: bytes = loader.get_data(os.path.join(os.path.dirname(__file__), _NAME))
    return data.decode()


def add(path: str | Path) -> None:
    """Add a TOML file to the catalog of this process; it is written as `catalog.toml` is.

    A provider that is there already is changed where the file says so, and the file's rows come before its own.

    Raises:
        ConfigurationError: The file cannot be read, is no TOML, or holds an unknown key or a value of the wrong kind.
    """
    from pathlib import Path

    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the catalog `{path}` cannot be read: {error}", code="bad-catalog") from error
    if (text, str(path)) in _added:
        return
    _built([(_ours(), _NAME), *reversed(_added), (text, str(path))])
    _added.insert(0, (text, str(path)))
    providers.cache_clear()


def parse(text: str, where: str) -> Mapping[str, Provider]:
    """Read rows in the format of `catalog.toml`; `where` names the file in errors.

    Raises:
        ConfigurationError: It is no TOML, or holds an unknown key or a value of the wrong kind.
    """
    return _built([(text, where)])


def _built(sources: list[tuple[str, str]]) -> Mapping[str, Provider]:
    """All providers of some files, and each row of each file by itself, looked at."""
    tables = _tables(sources, strictly=True)
    return {name: _provider(name, table, tables) for name, table in tables.items()}


def _tables(sources: list[tuple[str, str]], *, strictly: bool = False) -> Mapping[str, _Table]:
    tables: dict[str, _Table] = {}
    for text, where in sources:
        try:
            found = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ConfigurationError(f"`{where}` is no TOML: {error}", code="bad-catalog") from error
        for name, table in found.items():
            _take(tables.setdefault(name, _Table()), table, f"`{where}`, `{name}`", strictly)
    return tables


def _take(into: _Table, table: object, where: str, strictly: bool) -> None:
    """Lay a table of a file upon what other files said of the same provider.

    Args:
        into: What they said.
        table: The table.
        where: What it is called in an error.
        strictly: Whether each row is looked at by itself, too, and not only when its provider is built.
    """
    if not isinstance(table, dict):
        raise ConfigurationError(f"{where} is {table!r}, but must be a table of a provider", code="bad-catalog")
    own = dict(cast("dict[str, Any]", table))
    rows, common = own.pop("models", []), own.pop("all", {})
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in cast("list[object]", rows)):
        raise ConfigurationError(
            f"{where}: `models` must be a list of tables, `[[{where.split('`')[-2]}.models]]`", code="bad-catalog"
        )
    if not isinstance(common, dict):
        raise ConfigurationError(f"{where}: `all` must be a table", code="bad-catalog")
    if strictly:
        _values(Provider, own, where, without=("name", "any", "models"))
        _values(ModelRow, cast("dict[str, Any]", common), f"{where}, all", without=("name",))
        for position, row in enumerate(cast("list[dict[str, Any]]", rows)):
            _build(ModelRow, row, f"{where}, model {position + 1}")
    into.own.update(own)
    into.all.update(cast("dict[str, Any]", common))
    placed = [(row, f"{where}, model {i + 1}") for i, row in enumerate(cast("list[dict[str, Any]]", rows))]
    into.rows[:0] = placed


def _provider(name: str, table: _Table, tables: Mapping[str, _Table]) -> Provider:
    own: list[ModelRow] = [_build(ModelRow, {**table.all, **row}, where) for row, where in table.rows]
    models = [replace(row, prices=_prices(row, own, name)) for row in own]
    if like := table.own.get("like", ""):
        if like not in tables:
            raise ConfigurationError(
                f"the provider `{name}` is like `{like}`, but there is no such provider", code="bad-catalog"
            )
        borrowed = tables[like]
        rows = [_build(ModelRow, {**borrowed.all, **row, **table.all}, where) for row, where in borrowed.rows]
        models += [replace(row, prices=_prices(row, rows, like)) for row in rows]
    unknown = _build(ModelRow, {**table.all, "name": ""}, name)
    known = _values(Provider, {"title": name, **table.own}, name)
    known |= {"name": name, "any": unknown, "models": tuple(models)}
    return Provider(**known)


def _prices(row: ModelRow, rows: list[ModelRow], where: str) -> tuple[Price, ...]:
    """The row's prices and those of the model that it is priced like, which may be priced like a third."""
    if row.priced is None:
        return row.prices
    other = next((one for one in rows if one.name == row.priced.like and one is not row), None)
    if other is None:
        raise ConfigurationError(
            f"`{where}:{row.name}` is priced like `{row.priced.like}`, but there is no such model", code="bad-catalog"
        )
    since = row.priced.since
    theirs = sorted(_prices(other, rows, where), key=lambda price: price.since)
    before = [price for price in theirs if price.since < since]
    begun = [replace(price, since=since) for price in before if price.since == before[-1].since]
    after = [price for price in theirs if price.since >= since]
    if any(price.since == since for price in after):
        begun = []
    return (*row.prices, *begun, *after)


def _build(kind: type[Any], values: Mapping[str, Any], where: str) -> Any:
    missing = [
        one.name
        for one in fields(kind)
        if one.name not in values and one.default is MISSING and one.default_factory is MISSING
    ]
    if missing:
        raise ConfigurationError(f"{where}: `{missing[0]}` is missing", code="bad-catalog")
    return kind(**_values(kind, values, where))


def _values(kind: type[Any], values: Mapping[str, Any], where: str, *, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """The values of a table, each of the kind that its field is declared with."""
    hints = _hints(kind)
    for key in values:
        if key not in hints or key in without:
            known = ", ".join(f"`{one}`" for one in hints if one not in without)
            raise ConfigurationError(f"{where}: there is no key `{key}`; the keys are {known}", code="bad-catalog")
    return {key: _value(hints[key], value, f"{where}: `{key}`") for key, value in values.items()}


@functools.cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    return get_type_hints(kind)


def _value(hint: Any, value: Any, where: str) -> Any:
    """A value of the file as what its field wants; a date is the first moment of that day in UTC."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        if value not in inner:
            raise ConfigurationError(
                f"{where} is {value!r}, but must be one of {', '.join(f'`{one}`' for one in inner)}", code="bad-catalog"
            )
        return value
    if origin is UnionType:  # an optional one; TOML has no null
        return _value(next(one for one in inner if one is not NoneType), value, where)
    if origin is tuple and type(value) is list:
        return tuple(_value(inner[0], one, f"{where}[{i}]") for i, one in enumerate(cast("list[Any]", value)))
    if origin is Mapping and type(value) is dict:
        return {key: _value(inner[1], one, f"{where}.{key}") for key, one in cast("dict[str, Any]", value).items()}
    if hint is Range and type(value) is str:
        try:
            return Range.parse(value)
        except ValueError as error:
            raise ConfigurationError(f"{where}: {error}", code="bad-catalog") from error
    if hint is datetime and isinstance(value, date):
        moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day, tzinfo=UTC)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    if is_dataclass(hint) and type(value) is dict:
        return _build(cast("type[Any]", hint), cast("dict[str, Any]", value), where)
    if hint is float and type(value) is int:
        return float(value)
    if hint is Any or (type(value) is hint and hint is not datetime):
        return value
    words: dict[Any, str] = {tuple: "list", Mapping: "table", datetime: "date, or a time with its offset"}
    said = f"a {words.get(origin or hint) or getattr(hint, '__name__', hint)}"
    raise ConfigurationError(f"{where} is {value!r}, but must be {said}", code="bad-catalog")


def find(name: str) -> tuple[Provider, ModelRow]:
    """The provider and the row that a name means: `provider:model`, or a bare name that a row has.

    Capitals do not matter. A name that only a pattern of the row knows is sent as it is written here.

    Raises:
        ConfigurationError: No such provider or model; the message gives the nearest names.
    """
    known = providers()
    prefix, colon, model = name.partition(":")
    provider = known.get(prefix.lower())
    if colon and provider is not None:
        row = _row(provider, model)
        if row is None and model:
            row = _like(provider, model)
        if row is not None:
            return provider, row
        raise ConfigurationError(
            _unknown(name, [f"{provider.name}:{one.name}" for one in provider.models]), code="unknown-model"
        )
    for provider in known.values():
        if not provider.open and (row := _row(provider, name)) is not None:
            return provider, row
    every = [f"{one.name}:{row.name}" for one in known.values() if not one.open for row in one.models]
    raise ConfigurationError(_unknown(name, every), code="unknown-model")


def _row(provider: Provider, model: str) -> ModelRow | None:
    return next((row for row in provider.models if row.name.lower() == model.lower()), None)


def _like(provider: Provider, model: str) -> ModelRow | None:
    """The row whose patterns know the name, else what the provider says of any."""
    import fnmatch

    for row in provider.models:
        if any(fnmatch.fnmatchcase(model.lower(), pattern.lower()) for pattern in row.also):
            return replace(row, name=model)
    return replace(provider.any, name=model) if provider.open else None


def _unknown(name: str, names: list[str]) -> str:
    import difflib

    bare = {full.partition(":")[2]: full for full in reversed(names)}
    near = difflib.get_close_matches(name, [*names, *bare], n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(f'`{bare.get(one, one)}`' for one in near)}?" if near else "."
    return (
        f"there is no model `{name}` in the catalog{hint} `agentkit models` lists them;"
        " any other model of an OpenAI-compatible server is `openai:NAME` with a base URL"
    )
