"""The tools that were in play: which names are theirs, and of which type their parameters are."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from typing import Any, cast

from agentkit.models.dialects.notations import values
from agentkit.models.dialects.notations.found import Found, Unread

_PREFIXES = ("functions.", "function.", "tools.", "default_api.")
"""What models put before a tool's name; Kimi's ids and Gemini's code have such modules."""

_SHOWN = 20
"""So many tools are named to a model that asks for one that is not there."""


class Tools:
    """The known tools.

    Args:
        schemas: The JSON Schema of the parameters of each tool by its name; `None` or an empty one where it is not
            known.
    """

    __slots__ = ("_prefixed", "_schemas", "longest", "names")

    def __init__(self, schemas: Mapping[str, Mapping[str, Any] | None]) -> None:
        self._schemas = {name: schema or {} for name, schema in schemas.items()}
        self.names = sorted(self._schemas)
        """The names."""
        self._prefixed = sorted([prefix + name for name in self._schemas for prefix in ("", *_PREFIXES)])
        self.longest = max([128, *map(len, self._prefixed)])
        """More characters than this are no tool's name."""

    def named(self, said: str) -> str | None:
        """The tool that is meant by this name, or `None`."""
        said = said.strip()
        if said in self._schemas:
            return said
        for prefix in _PREFIXES:
            if said.startswith(prefix) and said[len(prefix) :] in self._schemas:
                return said[len(prefix) :]
        return None

    def begins(self, said: str) -> bool:
        """Whether a tool's name may begin so."""
        place = bisect_left(self._prefixed, said)
        return place < len(self._prefixed) and self._prefixed[place].startswith(said)

    def stranger(self, notation: str, said: str, *, lost: bool = False) -> Found:
        """A call of a tool that there is not, as a call that cannot be read."""
        return Found(unread=(Unread(notation, self._missing(said), stranger=True),), lost=lost)

    def _missing(self, said: str) -> str:
        """That there is no such tool, in words for the model."""
        said = said.strip()[:80]
        if not self.names:
            return f"There is no tool `{said}`: there are no tools at all."
        names = ", ".join(f"`{name}`" for name in self.names[:_SHOWN])
        if len(self.names) > _SHOWN:
            names += f" and {len(self.names) - _SHOWN} more"
        return f"There is no tool `{said}`. There are: {names}."

    def parameters(self, tool: str) -> list[str]:
        """The names of a tool's parameters in their order, as far as they are known."""
        return list(_mapping(self._schemas[tool].get("properties")))

    def lone(self, tool: str) -> str | None:
        """The one parameter that a value without a name can be for, or `None`."""
        names = self.parameters(tool)
        required = self._schemas[tool].get("required")
        if len(names) != 1 and isinstance(required, list):
            names = [name for name in cast("list[object]", required) if isinstance(name, str)]
        return names[0] if len(names) == 1 else None

    def argument(self, tool: str, name: str, text: str, string: bool | None = None) -> str:
        """JSON of a value that was written bare, between two tags.

        Args:
            tool: The tool.
            name: The parameter.
            text: What stands between the tags.
            string: What the tag says of it: a string, JSON, or nothing. Where it says nothing the schema decides. What
                neither makes a string is JSON if it can be read as such, and else a string after all.
        """
        if string is None:
            types = _types(_mapping(self._schemas[tool].get("properties")).get(name), self._schemas[tool], 8)
            string = "string" in types and not _other(text, types - {"string"})
        bare = text.strip()
        if string:
            return values.told(text)
        if bare and values.is_json(bare):
            return bare
        if bare[:1] in ("{", "[") or bare in ("True", "False", "None"):
            try:
                return values.told(values.python_value(bare))
            except ValueError:
                pass
        return values.told(text)


def _mapping(found: object) -> dict[str, Any]:
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _types(schema: object, root: Mapping[str, Any], hops: int) -> set[str]:
    """The JSON types that a schema lets through as far as it names them; empty where it names none."""
    fields = _mapping(schema)
    if not hops or not fields:
        return set()
    if isinstance(reference := fields.get("$ref"), str):
        target: object = root
        for step in reference.removeprefix("#/").split("/"):
            target = _mapping(target).get(step)
        return _types(target, root, hops - 1)
    types: set[str] = set()
    said = fields.get("type")
    types.update([said] if isinstance(said, str) else cast("list[str]", said) if isinstance(said, list) else [])
    for choice in ("anyOf", "oneOf", "allOf"):
        if isinstance(schemas := fields.get(choice), list):
            for one in cast("list[object]", schemas):
                types |= _types(one, root, hops - 1)
    if not types:
        enum = fields.get("enum")
        allowed = [*cast("list[object]", enum)] if isinstance(enum, list) else []
        types = {_type(one) for one in [*allowed, *([fields["const"]] if "const" in fields else [])]}
    return types


def _type(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "null" if value is None else "array" if isinstance(value, list) else "object"


def _other(text: str, types: set[str]) -> bool:
    """Whether a text is JSON of one of these types, so that it need not be a string."""
    bare = text.strip()
    if not types or not bare:
        return False
    try:
        span = values.members(f"[{bare}]")
    except ValueError:
        return False
    kind = _type(span[0].value) if isinstance(span, list) and len(span) == 1 else ""
    return kind in types or (kind == "number" and "integer" in types)
