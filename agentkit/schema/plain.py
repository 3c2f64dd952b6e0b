"""Common types described by hand, as pydantic describes them: many times quicker, and without importing it."""

from __future__ import annotations

import types
import typing
from typing import Any, Literal, Union

from agentkit.schema.signature import EMPTY

Json = dict[str, Any]

SCALARS: dict[Any, str] = {
    str: "string",
    int: "integer",
    typing.LiteralString: "string",
    float: "number",
    bool: "boolean",
    None: "null",
    types.NoneType: "null",
}


def plain_schema(kind: Any) -> Json | None:
    """A common type as pydantic describes it; `None` for any other."""
    if isinstance(kind, str):  # not resolved yet
        return None
    try:
        scalar = SCALARS.get(kind)
    except TypeError:  # unhashable metadata
        return None
    if scalar is not None:
        return {"type": scalar}
    if kind is EMPTY or kind is Any or kind is object:
        return {}
    if kind is list:
        return {"type": "array", "items": {}}
    if kind is dict:
        return {"type": "object", "additionalProperties": True}
    origin: Any = getattr(kind, "__origin__", None)
    members: Any = getattr(kind, "__args__", ())
    if origin is list and members:
        items = plain_schema(members[0])
        return None if items is None else {"type": "array", "items": items}
    if origin is dict and members and members[0] is str:
        values = plain_schema(members[1])
        return None if values is None else {"type": "object", "additionalProperties": values or True}
    if origin is Union or isinstance(kind, types.UnionType):
        return _plain_union(members)
    if origin is Literal:
        return _plain_literal(members)
    return None


def _plain_union(members: tuple[Any, ...]) -> Json | None:
    """`None` stands last, as pydantic puts it."""
    found: list[Json] = []
    for one in sorted(members, key=lambda one: one is types.NoneType):
        schema = plain_schema(one)
        if schema is None:
            return None
        found.append(schema)
    return {"anyOf": found}


def _plain_literal(values: tuple[Any, ...]) -> Json | None:
    kinds: set[type] = {type(value) for value in values}
    if len(kinds) > 1 or not kinds <= {str, int, bool}:
        return None
    head: Json = {"type": SCALARS[kinds.pop()]}
    return {**head, "const": values[0]} if len(values) == 1 else {**head, "enum": list(values)}


def plain_core(kind: Any) -> Any:
    """The core schema of a type that `plain_schema` describes: what pydantic would build for it, but without NaN."""
    from pydantic_core import core_schema as core

    if kind in SCALARS:
        scalar = SCALARS[kind]
        if scalar == "number":
            return core.float_schema(allow_inf_nan=False)
        made: Any = getattr(
            core, {"string": "str", "integer": "int", "boolean": "bool"}.get(scalar, "none") + "_schema"
        )
        return made()
    if kind is list:
        return core.list_schema()
    if kind is dict:
        return core.dict_schema()
    origin: Any = getattr(kind, "__origin__", None)
    members: Any = getattr(kind, "__args__", ())
    if origin is list:
        return core.list_schema(plain_core(members[0]))
    if origin is dict:
        return core.dict_schema(core.str_schema(), plain_core(members[1]))
    if origin is Literal:
        return core.literal_schema(list(members))
    if origin is Union or isinstance(kind, types.UnionType):
        parts = [plain_core(one) for one in members if one is not types.NoneType]
        schema = parts[0] if len(parts) == 1 else core.union_schema(parts)
        return core.nullable_schema(schema) if len(parts) < len(members) else schema
    return core.any_schema()
