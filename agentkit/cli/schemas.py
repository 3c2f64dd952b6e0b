"""Answers that fit a JSON Schema of the user's: `agentkit run --output-schema FILE`.

The part of JSON Schema that is checked here is what describes data: types, members, sizes, alternatives. A keyword that
would forbid something and is not known here is an error at the start, so that no answer passes unchecked.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from agentkit.errors import ConfigurationError

Json = Mapping[str, Any]

_SAID = frozenset(
    "$schema $id $comment $defs definitions title description default examples format deprecated readOnly writeOnly"
    " contentEncoding contentMediaType".split()
)
"""Keywords that forbid nothing."""

_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "integer": lambda value: (
        not isinstance(value, bool) and (isinstance(value, int) or (isinstance(value, float) and value.is_integer()))
    ),
}


def type_of(path: str) -> type[Any]:
    """The JSON Schema in a file as a type for `output=`: its values are JSON that fits the schema.

    Raises:
        ConfigurationError: The file cannot be read, is no JSON Schema, or holds a keyword that is not known.
    """
    try:
        schema: Any = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"the JSON Schema in `{path}` cannot be read: {error}", code="bad-schema") from error
    if not isinstance(schema, dict):
        raise ConfigurationError(
            f'`{path}` holds no JSON Schema: that is an object, such as {{"type": "object"}}', code="bad-schema"
        )
    checked = Schema(cast("dict[str, Any]", schema), path)

    class Answer:
        """JSON that fits the schema."""

        @classmethod
        def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
            """pydantic's way to validate it."""
            from pydantic_core import core_schema

            return core_schema.no_info_plain_validator_function(checked.checked)

        @classmethod
        def __get_pydantic_json_schema__(cls, core: Any, handler: Any) -> Any:
            """What the model is told."""
            return dict(checked.schema)

    return Answer


class Schema:
    """A JSON Schema that values are held against.

    Args:
        schema: The schema.
        where: Its file, for messages.

    Raises:
        ConfigurationError: It holds a keyword that is not known, or a reference that leads nowhere.
    """

    def __init__(self, schema: Json, where: str) -> None:
        self.schema = schema
        self._where = where
        self._look(schema, "#", set())

    def checked(self, value: Any) -> Any:
        """The value. Raises `ValueError` with all that is wrong with it."""
        if problems := list(self.problems(value)):
            raise ValueError("; ".join(problems[:10]))
        return value

    def problems(self, value: Any) -> Iterator[str]:
        """What is wrong with a value, each with its place."""
        yield from self._held(value, self.schema, "")

    def _held(self, value: Any, schema: Any, at: str) -> Iterator[str]:
        if isinstance(schema, bool):
            if not schema:
                yield f"{at or 'the answer'} must not be there"
            return
        if "$ref" in schema:
            yield from self._held(value, self._target(str(schema["$ref"])), at)
        yield from self._alternatives(value, schema, at)
        for keyword, check in _CHECKS.items():
            if keyword in schema and (wrong := check(value, schema[keyword])):
                yield f"{at or 'the answer'} {wrong}"
        if isinstance(value, dict):
            yield from self._members(cast("dict[str, Any]", value), schema, at)
        elif isinstance(value, list):
            yield from self._items(cast("list[Any]", value), schema, at)

    def _alternatives(self, value: Any, schema: Json, at: str) -> Iterator[str]:
        for part in schema.get("allOf", ()):
            yield from self._held(value, part, at)
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                fitting = sum(not list(self._held(value, part, at)) for part in schema[keyword])
                if not fitting:
                    yield f"{at or 'the answer'} fits none of the alternatives"
                elif keyword == "oneOf" and fitting > 1:
                    yield f"{at or 'the answer'} fits {fitting} alternatives, but must fit one"
        if "not" in schema and not list(self._held(value, schema["not"], at)):
            yield f"{at or 'the answer'} is what it must not be"

    def _members(self, value: dict[str, Any], schema: Json, at: str) -> Iterator[str]:
        known: Json = schema.get("properties", {})
        patterns: Json = schema.get("patternProperties", {})
        for name in schema.get("required", ()):
            if name not in value:
                yield f"{_join(at, name)} is missing"
        for name, one in value.items():
            parts = [known[name]] if name in known else []
            parts += [part for pattern, part in patterns.items() if re.search(pattern, name)]
            if not parts and "additionalProperties" in schema:
                parts = [schema["additionalProperties"]]
            for part in parts:
                yield from self._held(one, part, _join(at, name))

    def _items(self, value: list[Any], schema: Json, at: str) -> Iterator[str]:
        first = schema.get("prefixItems", ())
        for number, one in enumerate(value):
            part = first[number] if number < len(first) else schema.get("items", True)
            yield from self._held(one, part, f"{at}[{number}]")

    def _target(self, reference: str) -> Any:
        place: Any = self.schema
        try:
            if not reference.startswith("#"):
                raise KeyError(reference)
            for step in filter(None, reference.removeprefix("#").split("/")):
                key = step.replace("~1", "/").replace("~0", "~")
                inner: Any = cast("list[Any]", place)[int(key)] if isinstance(place, list) else place[key]
                place = inner
        except (KeyError, IndexError, ValueError, TypeError):
            raise ConfigurationError(
                f"`{self._where}`: `$ref` `{reference}` leads nowhere in this file", code="bad-schema"
            ) from None
        return place

    def _look(self, schema: Any, at: str, seen: set[str]) -> None:
        """Find keywords that are not known, before anything is asked."""
        if isinstance(schema, bool):
            return
        if not isinstance(schema, dict):
            raise ConfigurationError(
                f"`{self._where}`: at `{at}` stands {json.dumps(schema)[:80]}, which is no schema", code="bad-schema"
            )
        found = cast("dict[str, Any]", schema)
        if strange := sorted(set(found) - _SAID - set(_CHECKS) - _STRUCTURE):
            raise ConfigurationError(
                f"`{self._where}`: at `{at}`, the keyword `{strange[0]}` is not known here, and what is not"
                " checked is not promised: leave it out",
                code="bad-schema",
            )
        reference = found.get("$ref")
        if reference is not None and reference not in seen:
            seen.add(str(reference))
            self._look(self._target(str(reference)), str(reference), seen)
        for keyword in ("properties", "patternProperties"):
            for name, part in found.get(keyword, {}).items():
                self._look(part, f"{at}/{keyword}/{name}", seen)
        for keyword in ("allOf", "anyOf", "oneOf", "prefixItems"):
            for number, part in enumerate(found.get(keyword, ())):
                self._look(part, f"{at}/{keyword}/{number}", seen)
        for keyword in ("items", "additionalProperties", "not"):
            if keyword in found:
                self._look(found[keyword], f"{at}/{keyword}", seen)


_STRUCTURE = frozenset(
    "$ref allOf anyOf oneOf not properties patternProperties additionalProperties required items prefixItems".split()
)


def _join(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name


def _type(value: Any, wanted: Any) -> str:
    kinds: list[Any] = [wanted] if isinstance(wanted, str) else list(wanted)
    if any(_TYPES[kind](value) for kind in kinds if kind in _TYPES):
        return ""
    return f"must be of type {' or '.join(map(str, kinds))}, got {json.dumps(value, ensure_ascii=False)[:80]}"


def _same(one: Any, other: Any) -> bool:
    """Whether two JSON values are one: `true` is not 1, and 1.0 is."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        pairs = zip(cast("list[Any]", one), cast("list[Any]", other), strict=False)
        return len(cast("list[Any]", one)) == len(cast("list[Any]", other)) and all(_same(*pair) for pair in pairs)
    if isinstance(one, dict) and isinstance(other, dict):
        left, right = cast("dict[str, Any]", one), cast("dict[str, Any]", other)
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    return bool(one == other)


def _unique(value: Any, wanted: Any) -> str:
    if not wanted or not isinstance(value, list):
        return ""
    items = cast("list[Any]", value)
    twice = any(_same(one, other) for number, one in enumerate(items) for other in items[:number])
    return "holds something twice" if twice else ""


def _sized(kind: type[Any], fits: Callable[[int, int], bool], words: str) -> Callable[[Any, Any], str]:
    return lambda value, limit: "" if not isinstance(value, kind) or fits(len(value), limit) else words.format(limit)


def _number(fits: Callable[[float, float], bool], words: str) -> Callable[[Any, Any], str]:
    return lambda value, limit: "" if not _TYPES["number"](value) or fits(value, limit) else words.format(limit)


def _is_multiple(value: float, step: float) -> bool:
    return math.isclose(value / step, round(value / step), rel_tol=1e-12, abs_tol=1e-12)


_CHECKS: Mapping[str, Callable[[Any, Any], str]] = {
    "type": _type,
    "enum": lambda value, options: (
        "" if any(_same(value, one) for one in options) else f"must be one of {json.dumps(options, ensure_ascii=False)}"
    ),
    "const": lambda value, wanted: "" if _same(value, wanted) else f"must be {json.dumps(wanted, ensure_ascii=False)}",
    "minLength": _sized(str, lambda size, limit: size >= limit, "must have at least {} characters"),
    "maxLength": _sized(str, lambda size, limit: size <= limit, "must have at most {} characters"),
    "minItems": _sized(list, lambda size, limit: size >= limit, "must have at least {} items"),
    "maxItems": _sized(list, lambda size, limit: size <= limit, "must have at most {} items"),
    "minProperties": _sized(dict, lambda size, limit: size >= limit, "must have at least {} members"),
    "maxProperties": _sized(dict, lambda size, limit: size <= limit, "must have at most {} members"),
    "minimum": _number(lambda value, limit: value >= limit, "must be {} or more"),
    "maximum": _number(lambda value, limit: value <= limit, "must be {} or less"),
    "exclusiveMinimum": _number(lambda value, limit: value > limit, "must be more than {}"),
    "exclusiveMaximum": _number(lambda value, limit: value < limit, "must be less than {}"),
    "multipleOf": _number(_is_multiple, "must be a multiple of {}"),
    "pattern": lambda value, pattern: (
        "" if not isinstance(value, str) or re.search(pattern, value) else f"must match {pattern}"
    ),
    "uniqueItems": _unique,
}
"""What a keyword says against a value; `""` for nothing."""
