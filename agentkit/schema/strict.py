"""A JSON Schema in the subset that DeepSeek's strict mode takes (WIRE section 3, "Strict tools").

What the subset cannot carry is left out, told, and still checked when the arguments come; a schema that cannot be
said in it at all (free keys, values of any type) is told, too, so that the tool can go without strict mode.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from agentkit.schema.lean import holds_itself, ordered

Json = dict[str, Any]

_FORMATS = frozenset({"email", "hostname", "ipv4", "ipv6", "uuid"})
_NUMBER = frozenset(
    {"const", "default", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "enum"}
)
_KEPT: dict[str, frozenset[str]] = {
    "string": frozenset({"pattern", "format", "enum"}),
    "number": _NUMBER,
    "integer": _NUMBER,
    "boolean": frozenset({"enum"}),
    "null": frozenset(),
    "array": frozenset({"items"}),
    "object": frozenset({"properties", "required", "additionalProperties"}),
}
_WORDS = frozenset({"description", "type", "anyOf", "$ref"})
_SILENT = frozenset({"title", "examples", "deprecated", "$defs", "default", "required", "additionalProperties"})
_REF = "#/$defs/"


@dataclass(slots=True)
class Strict:
    """A schema in the subset, and what became of the rest.

    Attributes:
        parameters: The schema; worth nothing if there are obstacles.
        dropped: What was left out and is checked locally only, each with its path.
        obstacles: What cannot be said in the subset at all.
    """

    parameters: Json = field(default_factory=dict[str, Any])
    dropped: list[str] = field(default_factory=list[str])
    obstacles: list[str] = field(default_factory=list[str])


def strict_form(schema: Json) -> Strict:
    """Say a schema in the strict subset, as far as that can be done."""
    made = Strict()
    defs: dict[str, Json] = schema.get("$defs", {})
    parameters = _node(schema, "", made, defs)
    if kept := {name: _node(one, name, made, defs) for name, one in defs.items()}:
        parameters["$defs"] = kept
    made.parameters = ordered(parameters)
    return made


def _node(schema: Any, path: str, made: Strict, defs: Mapping[str, Json]) -> Json:
    here: Json = dict(cast("Json", schema)) if isinstance(schema, dict) else {}
    at = f"`{path}`" if path else "the parameters"
    if "oneOf" in here:
        here["anyOf"] = here.pop("oneOf")
    if isinstance(here.get("type"), list):
        kinds = cast("list[str]", here.pop("type"))
        here["anyOf"] = [{"type": kind} for kind in kinds]
    if "prefixItems" in here:
        here["items"] = {"anyOf": here.pop("prefixItems")}
        made.dropped.append(f"{at}: the order of the types of its items")
    kind: str | None = here.get("type") or _kind_of(here)
    if kind is None and not here.keys() & {"anyOf", "$ref"}:
        made.obstacles.append(f"{at} may be of any type")
        return here
    if "const" in here and kind not in ("number", "integer"):
        here["enum"] = [here.pop("const")]
    if "default" in here and kind not in ("number", "integer"):
        words = f"Default: {json.dumps(here['default'], ensure_ascii=False)}"
        here["description"] = f"{here['description']} ({words})" if here.get("description") else words
    copy: Json = {} if kind is None else {"type": kind}
    for key, value in here.items():
        if key in _WORDS or key in _KEPT.get(kind or "", ()):
            copy[key] = value
        elif key not in _SILENT:
            made.dropped.append(f"{at}: `{key}`")
    if copy.get("format") not in (None, *_FORMATS):
        made.dropped.append(f"{at}: `format` {copy.pop('format')}")
    _parts(copy, here, path, made, defs)
    return copy


def _kind_of(schema: Json) -> str | None:
    """The type of an `enum` or `const` that names none."""
    names: dict[Any, str] = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
    values: list[Any] = schema.get("enum", [schema["const"]] if "const" in schema else [])
    kinds: set[str | None] = {names.get(type(value)) for value in values}
    return kinds.pop() if len(kinds) == 1 else None


def _parts(copy: Json, here: Json, path: str, made: Strict, defs: Mapping[str, Json]) -> None:
    """Say the subschemas, and hold objects to all of their properties and no others."""
    at = f"`{path}`" if path else "the parameters"
    if "items" in copy:
        copy["items"] = _node(copy["items"], f"{path}[]", made, defs)
    elif copy.get("type") == "array":
        made.obstacles.append(f"{at}: its items may be of any type")
    if "anyOf" in copy:
        copy["anyOf"] = [_alternative(one, path, made, defs) for one in copy["anyOf"]]
    if copy.get("type") != "object":
        return
    properties: dict[str, Json] = here.get("properties", {})
    if here.get("additionalProperties") not in (None, False) or (path and not properties):
        made.obstacles.append(f"{at} may have keys of any name")
    for name in properties:
        if name not in here.get("required", ()) and "default" not in properties[name]:
            made.dropped.append(f"`{path}.{name}`: that it may be left out".replace("`.", "`"))
    copy["properties"] = {
        name: _node(one, f"{path}.{name}" if path else name, made, defs) for name, one in properties.items()
    }
    copy["required"] = list(properties)
    copy["additionalProperties"] = False


def _alternative(schema: Json, path: str, made: Strict, defs: Mapping[str, Json]) -> Json:
    """One of several: a reference must not stand there, so what it means is put in its place."""
    ref = schema.get("$ref")
    if ref is None:
        return _node(schema, path, made, defs)
    name = str(ref).removeprefix(_REF)
    if name not in defs or holds_itself(defs, name):
        made.obstacles.append(f"`{path}` is one of several and holds itself")
        return schema
    return _node(defs[name], path, made, defs)
