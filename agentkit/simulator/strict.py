"""The subset of JSON Schema that strict tools keep to (WIRE section 3, "Strict tools").

Documented: which types and keywords there are, that each object requires all its properties and allows no others, and
that lengths of strings and arrays are refused. Reported: no `allOf`, no `$ref` within `anyOf`, no list of types with
object or array in it, no maps, nothing untyped, no empty object below the root. The texts are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

_NUMBERS = frozenset(
    {"const", "default", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "enum"}
)
_KEYWORDS: Mapping[str, frozenset[str]] = {
    "object": frozenset({"properties", "required", "additionalProperties"}),
    "array": frozenset({"items"}),
    "string": frozenset({"pattern", "format", "enum", "const", "default"}),
    "number": _NUMBERS,
    "integer": _NUMBERS,
    "boolean": frozenset({"enum", "const", "default"}),
    "null": frozenset({"enum", "const", "default"}),
}
_NOTES = frozenset({"title", "description", "examples", "$defs", "$def", "definitions", "$schema", "$id", "$comment"})
_FORMATS = frozenset({"email", "hostname", "ipv4", "ipv6", "uuid"})


def complaint(parameters: Any) -> str:
    """What is wrong with the parameters of a strict tool, and where; nothing if they fit."""
    if parameters is None or parameters == {}:
        return ""
    try:
        return _root(cast("dict[str, Any]", parameters))
    except RecursionError:
        return "# is nested too deeply"


def _root(root: dict[str, Any]) -> str:
    for name in ("$defs", "$def", "definitions"):
        for key, schema in _mapping(root.get(name)).items():
            found = _schema(schema, f"#/{name}/{key}")
            if found:
                return found
    return _schema(root, "#")


def _mapping(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _schema(schema: Any, place: str) -> str:
    """The first complaint about a schema and what is in it."""
    if not isinstance(schema, dict):
        return f"{place} must be a schema"
    body = cast("dict[str, Any]", schema)
    if "$ref" in body:
        return "" if str(body["$ref"]).startswith("#") else f"{place}: `$ref` must point into this schema"
    if "anyOf" in body:
        return _any_of(body, place)
    kind = body.get("type")
    if isinstance(kind, list):
        return _list_of_types(body, cast("list[Any]", kind), place)
    if kind is None and ("enum" in body or "const" in body):
        return _keywords(body, frozenset({"enum", "const", "default"}), place)
    if not isinstance(kind, str) or kind not in _KEYWORDS:
        return f"{place} must have a `type`"
    found = _keywords(body, _KEYWORDS[kind], place)
    if found or kind not in ("object", "array"):
        return found
    if kind == "array":
        return _schema(body["items"], f"{place}/items") if "items" in body else f"{place} must have `items`"
    return _object(body, place)


def _keywords(body: Mapping[str, Any], known: frozenset[str], place: str) -> str:
    unknown = [key for key in body if key not in known and key not in _NOTES and key not in ("type", "anyOf")]
    if unknown:
        return f"{place}: `{unknown[0]}` is not supported in strict mode"
    form = body.get("format")
    if form is not None and (not isinstance(form, str) or form not in _FORMATS):
        return f"{place}: the format `{form}` is not supported in strict mode"
    return ""


def _any_of(body: Mapping[str, Any], place: str) -> str:
    choices = body["anyOf"]
    if not isinstance(choices, list) or not choices:
        return f"{place}/anyOf must be a list of schemas"
    found = _keywords(body, frozenset({"default"}), place)
    for number, choice in enumerate(cast("list[Any]", choices)):
        if found:
            return found
        if isinstance(choice, dict) and "$ref" in choice:
            return f"{place}/anyOf/{number}: `$ref` is not supported within `anyOf`"
        found = _schema(choice, f"{place}/anyOf/{number}")
    return found


def _list_of_types(body: Mapping[str, Any], kinds: list[Any], place: str) -> str:
    known: frozenset[str] = frozenset()
    for kind in kinds:
        if not isinstance(kind, str) or kind not in _KEYWORDS or kind in ("object", "array"):
            return f"{place}: `type` may list only strings, numbers, booleans and null"
        known |= _KEYWORDS[kind]
    return _keywords(body, known, place)


def _object(body: Mapping[str, Any], place: str) -> str:
    properties = _mapping(body.get("properties"))
    if not properties and place != "#":
        return f"{place} must have properties"
    if body.get("additionalProperties") is not False and (properties or "additionalProperties" in body):
        return f"{place} must have `additionalProperties` set to false"
    given: Any = body.get("required") or []
    if not isinstance(given, list):
        return f"{place}: `required` must be a list"
    required = cast("list[Any]", given)
    missing = [name for name in properties if name not in required]
    if missing:
        return f"{place}: `{missing[0]}` must be in `required`"
    for name, schema in properties.items():
        found = _schema(schema, f"{place}/properties/{name}")
        if found:
            return found
    return ""
