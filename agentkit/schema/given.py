"""The shape of a tool whose JSON Schema was written by hand."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from typing import Any, cast

from agentkit.schema.arguments import ArgumentsInvalid, Problem, check_text, from_pydantic, unknown_key
from agentkit.schema.signature import Param, Source, in_words, tool_name
from agentkit.schema.taken import Taken, take

Json = dict[str, Any]


class Given:
    """The shape of a tool whose JSON Schema was written by hand; it has the face of `Shape`.

    Attributes:
        name: The tool's name.
        description: What it does.
        described: Whether anybody has said what it does, in more than its name.
        parameters: The JSON Schema as it was given, with `type` and `properties`.
        source: Where the function comes from.
        hidden: The parameter that the run fills, or `None`.
    """

    __slots__ = ("_patterns", "described", "description", "hidden", "name", "parameters", "source")

    def __init__(
        self, name: str, description: str, parameters: Mapping[str, Any], source: Source, hidden: Param | None = None
    ) -> None:
        """Take a ready schema.

        Raises:
            ConfigurationError: The name is none for a tool, or the schema is no JSON, or not of type `object`.
        """
        name = tool_name(None, source, name)
        given: Any = parameters  # whatever somebody hands in
        made: Any = dict(cast("Json", given)) if isinstance(given, Mapping) else None
        if made is None or made.setdefault("type", "object") != "object":
            raise source.fail("its `parameters` are no JSON Schema of type `object`")
        if not isinstance(made.setdefault("properties", {}), dict) or not isinstance(made.get("required", []), list):
            raise source.fail("in its `parameters`, `properties` is no object or `required` no list")
        if not all(isinstance(one, str) for one in [*made["properties"], *made.get("required", [])]):
            raise source.fail("in its `parameters`, the names in `properties` and `required` are not all texts")
        try:
            made = json.loads(json.dumps(made, allow_nan=False))  # also so that nobody changes it behind our back
            self._patterns = [re.compile(one) for one in made.get("patternProperties", ())]
        except (ValueError, TypeError, RecursionError) as error:
            raise source.fail(f"its `parameters` are no JSON ({error})") from error
        except re.error as error:
            raise source.fail(f"in its `parameters`, `patternProperties` has no valid pattern ({error})") from error
        self.name = name
        self.described = bool(description)
        self.description = description or in_words(name)
        self.parameters: Json = made
        self.source = source
        self.hidden = hidden

    def settle(self, *, first: bool = False) -> None:
        """There is nothing left to find out."""

    def findings(self) -> list[str]:
        """Parameters without a description."""
        properties: dict[str, Any] = self.parameters["properties"]
        return [f"`{key}` has no description" for key, one in properties.items() if "description" not in (one or {})]

    def take(self, arguments: str | bytes, *, complete: bool = True) -> Taken:
        """Read one JSON object; required keys must be there, others only if the schema does not forbid them.

        What is no JSON object is mended as for other tools; values are left as they are, also of another type.

        Args:
            arguments: What the model wrote.
            complete: Whether the reply is known to have come to its end; what was cut is not mended.

        Raises:
            ArgumentsInvalid: It is no such object.
        """
        return take(self._read, arguments, complete=complete)

    def _read(self, text: str | bytes) -> Taken:
        from pydantic_core import ValidationError

        try:
            found: Json = _any_object().validate_json(text)
        except ValidationError as error:
            raise from_pydantic(self.name, error, text, self.parameters["properties"]) from None
        check_text(self.name, text, len(found), found.values())
        known = self.parameters["properties"]
        problems = [
            Problem(key, "is required but missing") for key in self.parameters.get("required", ()) if key not in found
        ]
        if self.parameters.get("additionalProperties") is False:
            strange = [key for key in found if key not in known and not any(one.search(key) for one in self._patterns)]
            problems += [Problem(key, unknown_key(key, known)) for key in strange]
        elif self.hidden is not None and self.hidden.name in found:
            problems.append(Problem(self.hidden.name, unknown_key(self.hidden.name, known)))
        if problems:
            raise ArgumentsInvalid(self.name, problems)
        return Taken(found, text, {})

    def place(self, given: dict[str, Any], context: Any = None) -> tuple[list[Any], dict[str, Any]]:
        """All by keyword."""
        if self.hidden is not None:
            given[self.hidden.name] = context
        return [], given


@functools.cache
def _any_object() -> Any:
    from pydantic_core import SchemaValidator, core_schema

    return SchemaValidator(core_schema.dict_schema(core_schema.str_schema(), core_schema.any_schema()))
