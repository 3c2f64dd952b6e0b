"""The part of JSON Schema that tools use: what fits, and a value that fits where nothing better is known."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, cast

Schema = Mapping[str, Any]


def as_map(value: Any) -> dict[str, Any]:
    """The value if it is a JSON object, else an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """The value if it is a JSON array, else an empty one."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def plain(schema: Any, root: Schema) -> dict[str, Any]:
    """A schema without indirection: `$ref` followed, `allOf` merged, of alternatives the first that is not null."""
    found = as_map(schema)
    for _ in range(8):
        if not any(key in found for key in ("$ref", "allOf", "anyOf", "oneOf")) and not isinstance(
            found.get("type"), list
        ):
            break
        found = _step(found, root)
    return found


def nullable(schema: Any, root: Schema) -> bool:
    """Whether null is one of the alternatives that a schema names."""
    found = as_map(schema)
    if "$ref" in found:
        found = {**_lookup(str(found["$ref"]), root), **found}
    options = [as_map(one).get("type") for key in ("anyOf", "oneOf") for one in as_list(found.get(key))]
    return "null" in (*options, *as_list(found.get("type")), found.get("type"))


def _step(schema: dict[str, Any], root: Schema) -> dict[str, Any]:
    """One indirection less."""
    rest = dict(schema)
    if "$ref" in rest:
        return {**_lookup(str(rest.pop("$ref")), root), **rest}
    for part in as_list(rest.pop("allOf", None)):
        rest = {**as_map(part), **rest}
    options = [as_map(option) for key in ("anyOf", "oneOf") for option in as_list(rest.pop(key, None))]
    real = [option for option in options if option.get("type") != "null"] or options
    if real:
        rest = {**real[0], **rest}
    if kinds := as_list(rest.get("type")):
        rest["type"] = next((kind for kind in kinds if kind != "null"), "null")
    return rest


def _lookup(reference: str, root: Schema) -> dict[str, Any]:
    place: Any = root
    for step in reference.removeprefix("#").strip("/").split("/"):
        place = as_map(place).get(step.replace("~1", "/").replace("~0", "~"))
    return as_map(place)


def properties(parameters: Any) -> dict[str, dict[str, Any]]:
    """The parameters of a tool, each with its plain schema."""
    root = as_map(parameters)
    return {name: plain(schema, root) for name, schema in as_map(plain(root, root).get("properties")).items()}


def required(parameters: Any) -> list[str]:
    """The names of the parameters that a call must give."""
    known = properties(parameters)
    return [name for name in as_list(as_map(parameters).get("required")) if name in known]


_KINDS: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: (
        (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, float) and value.is_integer())
    ),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
    "null": lambda value: value is None,
}


def fits(value: Any, schema: Any, root: Schema) -> bool:
    """Whether a value satisfies a schema, as far as the keywords that tools use go."""
    if value is None and nullable(schema, root):
        return True
    found = plain(schema, root)
    kind = _KINDS.get(str(found.get("type", "")))
    if kind is not None and not kind(value):
        return False
    if "enum" in found and value not in as_list(found["enum"]):
        return False
    if "const" in found and value != found["const"]:
        return False
    if isinstance(value, str):
        return _string_fits(value, found)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _number_fits(value, found)
    if isinstance(value, list):
        items = as_list(cast("object", value))
        if not found.get("minItems", 0) <= len(items) <= found.get("maxItems", len(items)):
            return False
        return all(fits(item, found.get("items", {}), root) for item in items)
    if isinstance(value, dict):
        return _object_fits(as_map(cast("object", value)), found, root)
    return True


def _string_fits(value: str, schema: Schema) -> bool:
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        return False
    pattern = schema.get("pattern")
    if not isinstance(pattern, str):
        return True
    try:
        return re.search(pattern, value) is not None
    except re.error:  # a pattern of another dialect of regular expressions
        return True


def _number_fits(value: float, schema: Schema) -> bool:
    step = schema.get("multipleOf")
    return (
        value >= schema.get("minimum", value)
        and value <= schema.get("maximum", value)
        and ("exclusiveMinimum" not in schema or value > schema["exclusiveMinimum"])
        and ("exclusiveMaximum" not in schema or value < schema["exclusiveMaximum"])
        and (not step or abs(value / step - round(value / step)) < 1e-9)
    )


def _object_fits(value: dict[str, Any], schema: Schema, root: Schema) -> bool:
    known = as_map(schema.get("properties"))
    extra = schema.get("additionalProperties", True)
    for key, item in value.items():
        if key not in known and extra is False:
            return False
        if not fits(item, known.get(key, extra if isinstance(extra, dict) else {}), root):
            return False
    return all(name in value for name in as_list(schema.get("required")))


def invent(schema: Any, root: Schema, hint: str = "", depth: int = 0) -> Any:
    """A value that fits where nothing is known: the default, an example, the first choice, the smallest number, …"""
    found = plain(schema, root)
    for candidate in (
        found.get("default"),
        found.get("const"),
        *as_list(found.get("examples")),
        *as_list(found.get("enum")),
    ):
        if candidate is not None and fits(candidate, found, root):
            return candidate
    kind = found.get("type", "object" if "properties" in found else "string")
    if kind in ("integer", "number"):
        return _invented_number(found, whole=kind == "integer")
    if kind == "boolean":
        return False
    if kind == "array":
        return [invent(found.get("items", {}), root, hint, depth + 1) for _ in range(int(found.get("minItems", 0)))]
    if kind == "object":
        if depth > 6:
            return {}
        wanted = as_list(found.get("required"))
        known = as_map(found.get("properties"))
        return {name: invent(known.get(name, {}), root, hint, depth + 1) for name in wanted}
    return None if kind == "null" else _invented_string(found, hint)


def _invented_number(schema: Schema, *, whole: bool) -> float:
    step = schema.get("multipleOf", 1)
    low = schema.get("minimum")
    if low is None and "exclusiveMinimum" in schema:
        low = schema["exclusiveMinimum"] + step
    high = schema.get("maximum")
    if high is None and "exclusiveMaximum" in schema:
        high = schema["exclusiveMaximum"] - step
    value = low if low is not None else min(1, high) if high is not None else 1
    if schema.get("multipleOf"):
        value = -(-value // step) * step
    return int(-(-value // 1)) if whole else value


_FORMATS = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "time": "12:00:00Z",
    "email": "someone@example.com",
    "uri": "https://example.com",
    "url": "https://example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def _invented_string(schema: Schema, hint: str) -> str:
    for candidate in (_FORMATS.get(str(schema.get("format", "")), ""), hint, "unknown", "a", "A", "0", "00000", "A-1"):
        if candidate and _string_fits(candidate, schema):
            return candidate
    low = int(schema.get("minLength", 0))
    return ("unknown " * (low // 8 + 1))[: max(low, int(min(schema.get("maxLength", 7), 7)))]
