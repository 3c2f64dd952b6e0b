"""`true` where an enumeration wants 1: Python takes them for the same, and so does pydantic; JSON does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from agentkit.schema.arguments import Problem, path_of, show

Json = Mapping[str, Any]


def can_confuse(schema: Any) -> bool:
    """Whether an enumeration somewhere in a schema holds 0 or 1, which a boolean equals in Python."""
    if isinstance(schema, list):
        return any(can_confuse(one) for one in cast("list[Any]", schema))
    if not isinstance(schema, Mapping):
        return False
    here = cast("Json", schema)
    return any(type(one) is int and one in (0, 1) for one in _values(here)) or any(map(can_confuse, here.values()))


def confused(schema: Json, value: Any) -> Iterator[Problem]:
    """Each boolean in a value that stands where its schema lists 0 or 1, and no boolean.

    Args:
        schema: The schema of the arguments.
        value: What JSON holds.
    """
    yield from _walk(schema, value, schema.get("$defs", {}), ())


def _walk(schema: Any, value: Any, defs: Json, path: tuple[str | int, ...]) -> Iterator[Problem]:
    if not isinstance(schema, Mapping) or not isinstance(value, bool | list | dict):
        return
    here = cast("Json", schema)
    if (ref := here.get("$ref")) is not None:
        yield from _walk(defs.get(str(ref).rpartition("/")[2]), value, defs, path)
    elif (options := here.get("anyOf") or here.get("oneOf")) is not None:
        kind = "object" if isinstance(value, dict) else "array"
        alike = [one for one in options if isinstance(value, bool) or one.get("type", kind) == kind]
        found = [list(_walk(one, value, defs, path)) for one in alike]
        if isinstance(value, bool):
            wrong = any(found) and not any(_takes(one, value, defs) for one in options)
        else:
            wrong = bool(found) and all(found)
        yield from min((one for one in found if one), key=len) if wrong else ()
    elif isinstance(value, bool):
        listed = _values(here)
        if value in listed and not any(one is value for one in listed):
            words = " or ".join(map(show, listed))
            yield Problem(path_of(path), f"must be {words}", show(value))
    elif isinstance(value, dict):
        properties: Json = here.get("properties", {})
        for key, one in cast("dict[str, Any]", value).items():
            yield from _walk(properties.get(key, here.get("additionalProperties")), one, defs, (*path, key))
    else:
        first: list[Any] = here.get("prefixItems", [])
        for number, one in enumerate(cast("list[Any]", value)):
            item = first[number] if number < len(first) else here.get("items")
            yield from _walk(item, one, defs, (*path, number))


def _values(schema: Json) -> list[Any]:
    listed: Any = [schema["const"]] if "const" in schema else schema.get("enum", [])
    return cast("list[Any]", listed) if isinstance(listed, list) else []


def _takes(schema: Any, value: bool, defs: Json) -> bool:
    """Whether a schema takes this boolean as such."""
    here = cast("Json", schema)
    if (ref := here.get("$ref")) is not None:
        return _takes(defs.get(str(ref).rpartition("/")[2], {}), value, defs)
    if options := here.get("anyOf") or here.get("oneOf"):
        return any(_takes(one, value, defs) for one in options)
    if listed := _values(here):
        return any(one is value for one in listed)
    return here.get("type", "boolean") == "boolean"
