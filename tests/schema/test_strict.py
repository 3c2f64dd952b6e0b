"""The strict subset of DeepSeek: what is said in it, and what is told to be lost."""

import dataclasses
from collections.abc import Iterator
from typing import Annotated, Any, Literal, TypedDict

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field
from test_types import COMMON_TYPES, TYPES, Cat, Dog, Film, Node, Tree, label, shape_of

from agentkit.schema import read, strict_form
from agentkit.schema.strict import Strict

STRING = {"type": "string"}
INTEGER = {"type": "integer"}

ALLOWED = {
    "string": {"pattern", "format", "enum"},
    "number": {"const", "default", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "enum"},
    "boolean": {"enum"},
    "null": set[str](),
    "array": {"items"},
    "object": {"properties", "required", "additionalProperties", "$defs"},
}
ALLOWED["integer"] = ALLOWED["number"]


def nodes(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield schema
    for key in ("properties", "$defs"):
        for one in schema.get(key, {}).values():
            yield from nodes(one)
    for one in schema.get("anyOf", []):
        yield from nodes(one)
    if "items" in schema:
        yield from nodes(schema["items"])


def check(schema: dict[str, Any]) -> None:
    """The rules of WIRE section 3, "Strict tools"."""
    Draft202012Validator.check_schema(schema)
    for number, node in enumerate(nodes(schema)):
        if "$ref" in node:
            assert node.keys() <= {"$ref", "description"}
        elif "anyOf" in node:
            assert node.keys() <= {"anyOf", "description"}
            assert not any("$ref" in one for one in node["anyOf"])
        else:
            assert node.keys() - {"type", "description"} <= ALLOWED[node["type"]]
            assert node.get("format", "uuid") in ("email", "hostname", "ipv4", "ipv6", "uuid")
        if node.get("type") == "object":
            assert node["additionalProperties"] is False
            assert node["required"] == list(node["properties"])
            assert node["properties"] or number == 0
        if node.get("type") == "array":
            assert "items" in node


def form(function: Any) -> Strict:
    made = strict_form(read(function).parameters)
    if not made.obstacles:
        check(made.parameters)
    return made


def test_a_plain_function_is_said_whole_with_its_defaults_in_words() -> None:
    def tool(city: str, days: int = 1, unit: Literal["C", "F"] = "C", note: str | None = None) -> None:
        """Forecast.

        Args:
            city: The city.
            unit: Which scale.
        """

    made = form(tool)
    assert made.dropped == made.obstacles == []
    assert made.parameters == {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "The city."},
            "days": {"type": "integer", "default": 1},
            "unit": {"type": "string", "enum": ["C", "F"], "description": 'Which scale. (Default: "C")'},
            "note": {"anyOf": [STRING, {"type": "null"}], "description": "Default: null"},
        },
        "required": ["city", "days", "unit", "note"],
        "additionalProperties": False,
    }


def test_a_function_without_parameters_is_an_empty_object() -> None:
    made = strict_form(read(lambda: None, name="x").parameters)
    check(made.parameters)
    assert made.parameters == {"type": "object", "properties": {}, "required": [], "additionalProperties": False}


def test_what_the_subset_cannot_carry_is_left_out_and_told() -> None:
    class Line(BaseModel):
        sku: str = Field(min_length=3, pattern="^[A-Z]+$")
        when: Annotated[str, Field(json_schema_extra={"format": "date"})]

    def tool(
        lines: Annotated[list[Line], Field(min_length=1)], pair: tuple[int, str], when: Annotated[int, Field(gt=0)]
    ) -> None: ...

    made = form(tool)
    assert made.obstacles == []
    assert made.dropped == [
        "`lines`: `minItems`",
        "`lines[].sku`: `minLength`",
        "`lines[].when`: `format` date",
        "`pair`: the order of the types of its items",
        "`pair`: `maxItems`",
        "`pair`: `minItems`",
    ]
    assert made.parameters["properties"]["when"] == {"type": "integer", "exclusiveMinimum": 0}
    assert made.parameters["properties"]["lines"]["items"]["properties"]["sku"] == {
        "type": "string",
        "pattern": "^[A-Z]+$",
    }


def test_a_key_that_may_be_left_out_without_a_default_is_told() -> None:
    def tool(film: Film, n: int) -> None: ...

    made = form(tool)
    assert made.dropped == ["`film.year`: that it may be left out"]
    assert made.parameters["properties"]["film"]["required"] == ["title", "year"]


def test_alternatives_are_said_with_any_of() -> None:
    def tool(pet: Annotated[Cat | Dog, Field(discriminator="kind")], n: int | str) -> None: ...

    made = form(tool)
    assert made.obstacles == []
    first, second = made.parameters["properties"]["pet"]["anyOf"]
    assert first["properties"]["kind"] == {"type": "string", "enum": ["cat"]}
    assert second["required"] == ["kind", "good"]


def test_a_type_that_holds_itself_stays_a_reference() -> None:
    def tool(tree: Tree, n: int) -> None: ...

    made = form(tool)
    assert made.obstacles == []
    assert made.parameters["$defs"]["Tree"]["required"] == ["value", "children"]


def test_a_shared_definition_within_alternatives_is_put_in_their_place() -> None:
    def tool(a: Film, b: Film | None) -> None: ...

    made = form(tool)
    assert made.obstacles == []
    assert made.parameters["properties"]["b"]["anyOf"][0]["properties"]["title"] == STRING


class Free(TypedDict):
    pass


@dataclasses.dataclass
class Linked:
    next: "Linked | None" = None


@pytest.mark.parametrize(
    ("annotation", "obstacle"),
    [
        (Any, "`x` may be of any type"),
        (list, "`x[]` may be of any type"),
        (dict[str, int], "`x` may have keys of any name"),
        (dict, "`x` may have keys of any name"),
        (Free, "`x` may have keys of any name"),
        (list[dict[str, int]], "`x[]` may have keys of any name"),
        (Linked, "`Linked.next` is one of several and holds itself"),
        (Node | None, "`x` is one of several and holds itself"),
    ],
    ids=label,
)
def test_what_cannot_be_said_at_all_is_an_obstacle(annotation: Any, obstacle: str) -> None:
    assert obstacle in strict_form(shape_of(annotation).parameters).obstacles


def test_extra_keywords_are_an_obstacle() -> None:
    def tool(a: int, **more: int) -> None: ...

    assert form(tool).obstacles == ["the parameters may have keys of any name"]


@pytest.mark.parametrize("annotation", [row[0] for row in TYPES], ids=label)
def test_every_type_is_said_by_the_rules_or_has_an_obstacle(annotation: Any) -> None:
    for default in (..., None):
        made = strict_form(shape_of(annotation, default).parameters)
        if not made.obstacles:
            check(made.parameters)


@given(COMMON_TYPES)
def test_any_common_type_is_said_by_the_rules_or_has_an_obstacle(annotation: Any) -> None:
    before = shape_of(annotation).parameters
    made = strict_form(before)
    assert before == shape_of(annotation).parameters
    if not made.obstacles:
        check(made.parameters)
