"""Types as JSON Schema: what each becomes, and that the validator takes and refuses what the schema does."""

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import ipaddress
import json
import pathlib
import re
import subprocess
import sys
import typing
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, NotRequired, Required, TypedDict, TypeVar

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field, RootModel

from agentkit.errors import ConfigurationError
from agentkit.schema import ArgumentsInvalid, Shape, read
from agentkit.schema.plain import plain_schema

T = TypeVar("T")
UserId = NewType("UserId", int)


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Mood(enum.StrEnum):
    GLAD = "glad"
    SAD = "sad"


class Documented(enum.Enum):
    """How it is packed."""

    BOX = "box"
    BAG = "bag"


class Film(TypedDict):
    """A film."""

    title: str
    year: NotRequired[Annotated[int, "When it came out"]]


class Options(TypedDict, total=False):
    size: Required[int]
    color: str


class Nested(TypedDict):
    film: Film
    films: list[Film]


class Pair(NamedTuple):
    x: int
    y: str = "q"


@dataclasses.dataclass
class Point:
    """A point.

    Attributes:
        x: Rightwards.
        y: Upwards.
    """

    x: int
    y: int = 0
    tags: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Tree:
    value: int
    children: "list[Tree]" = dataclasses.field(default_factory=list)


class Address(BaseModel):
    """Where somebody lives."""

    street: str = Field(description="Street and number", min_length=1)
    since: dt.date | None = None


class Person(BaseModel):
    name: str
    home: Address
    work: Address | None = None


class Node(BaseModel):
    value: int
    children: list["Node"] = []


class Box(BaseModel, Generic[T]):
    item: T


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    good: bool = True


class Numbers(RootModel[list[int]]):
    pass


class Closed(BaseModel, extra="forbid"):
    a: int


@pydantic.dataclasses.dataclass
class Checked:
    n: int = Field(gt=0)


INTEGER = {"type": "integer"}
STRING = {"type": "string"}
NUMBER = {"type": "number"}
NULL = {"type": "null"}
ADDRESS = {
    "type": "object",
    "properties": {
        "street": {"type": "string", "minLength": 1, "description": "Street and number"},
        "since": {"anyOf": [{"type": "string", "format": "date"}, NULL], "default": None},
    },
    "required": ["street"],
    "description": "Where somebody lives.",
}
POINT = {
    "type": "object",
    "properties": {
        "x": {"type": "integer", "description": "Rightwards."},
        "y": {"type": "integer", "description": "Upwards.", "default": 0},
        "tags": {"type": "array", "items": STRING},
    },
    "required": ["x"],
    "description": "A point.",
}
FILM = {
    "type": "object",
    "properties": {"title": STRING, "year": {"type": "integer", "description": "When it came out"}},
    "required": ["title"],
    "description": "A film.",
}
CAT = {
    "type": "object",
    "properties": {"kind": {"type": "string", "const": "cat"}, "lives": INTEGER},
    "required": ["kind", "lives"],
}
DOG = {
    "type": "object",
    "properties": {"kind": {"type": "string", "const": "dog"}, "good": {"type": "boolean", "default": True}},
    "required": ["kind"],
}


def array(items: Any, **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


def either(*options: Any, **more: Any) -> dict[str, Any]:
    return {"anyOf": list(options), **more}


# type, its schema, values that are taken (with what the function gets, where that is another), values that are refused
TYPES: list[tuple[Any, Any, list[Any], list[Any]]] = [
    (str, STRING, ["", "é"], [1, None, [], True]),
    (int, INTEGER, [0, -3, 10**30], ["x", None, 1.5, []]),
    (float, NUMBER, [1.5, -0.25], ["x", None, []]),
    (bool, {"type": "boolean"}, [True, False], ["x", None, []]),
    (None, NULL, [None], [0, "", False]),
    (Any, {}, [1, "x", None, [1], {"a": 1}], []),
    (object, {}, [1, "x", None], []),
    (typing.LiteralString, STRING, ["x"], [1]),
    (bytes, {"type": "string", "format": "binary"}, [("hé", "hé".encode())], [1, None]),
    (list, array({}), [[], [1, "x"]], ["x", {}, None]),
    (list[int], array(INTEGER), [[], [1, 2]], [["x"], "1", {}]),
    (list[list[str]], array(array(STRING)), [[["a"], []]], [["a"], [[1]]]),
    (list[int | None], array(either(INTEGER, NULL)), [[1, None]], [["x"]]),
    (list[Any], array({}), [[1, None, "x"]], [1]),
    (list, array({}), [[1]], [1]),
    (typing.List[int], array(INTEGER), [[1]], [["x"]]),  # noqa: UP006 - people write it
    (dict, {"type": "object", "additionalProperties": True}, [{}, {"a": 1}], [[], "x", None]),
    (dict[str, float], {"type": "object", "additionalProperties": NUMBER}, [{"a": 1.5}], [{"a": "x"}, []]),
    (dict[str, Any], {"type": "object", "additionalProperties": True}, [{"a": [1]}], [[]]),
    (dict[str, list[int]], {"type": "object", "additionalProperties": array(INTEGER)}, [{"a": [1]}], [{"a": 1}]),
    (dict[int, str], {"type": "object", "additionalProperties": STRING}, [({"1": "a"}, {1: "a"})], [{"1": 1}]),
    (Mapping[str, int], {"type": "object", "additionalProperties": INTEGER}, [{"a": 1}], [{"a": "x"}]),
    (typing.Dict[str, int], {"type": "object", "additionalProperties": INTEGER}, [{"a": 1}], [{"a": "x"}]),  # noqa: UP006
    (
        tuple[int, str],
        {"type": "array", "prefixItems": [INTEGER, STRING], "maxItems": 2, "minItems": 2},
        [([1, "a"], (1, "a"))],
        [[1], [1, "a", 2], ["x", "a"]],
    ),
    (tuple[int, ...], array(INTEGER), [([1, 2, 3], (1, 2, 3)), ([], ())], [["x"], 1]),
    (tuple, array({}), [([1, "a"], (1, "a"))], [1]),
    (set[int], array(INTEGER, uniqueItems=True), [([1, 2], {1, 2})], [["x"], 1]),
    (frozenset[str], array(STRING, uniqueItems=True), [(["a"], frozenset("a"))], [[1]]),
    (collections.deque[int], array(INTEGER), [([1], collections.deque([1]))], [["x"]]),
    (Sequence[int], array(INTEGER), [[1, 2]], [["x"], "12"]),
    (collections.OrderedDict[str, int], {"type": "object", "additionalProperties": INTEGER}, [{"a": 1}], [{"a": "x"}]),
    (Literal["a"], {"type": "string", "const": "a"}, ["a"], ["b", 1]),
    (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}, ["a", "b"], ["c", None]),
    (Literal[1, 2], {"type": "integer", "enum": [1, 2]}, [1], [3, "x"]),
    (Literal[True], {"type": "boolean", "const": True}, [True], [False]),
    (Literal["a", 1, None], {"enum": ["a", 1, None]}, ["a", 1, None], ["b", 2]),
    (Literal[Color.RED], {"type": "string", "const": "red"}, [("red", Color.RED)], ["blue"]),
    (Color, {"type": "string", "enum": ["red", "blue"]}, [("red", Color.RED)], ["green", 1]),
    (Level, {"type": "integer", "enum": [1, 2]}, [(2, Level.HIGH)], [3, "x"]),
    (Mood, {"type": "string", "enum": ["glad", "sad"]}, [("sad", Mood.SAD)], ["x"]),
    (
        Documented,
        {"type": "string", "enum": ["box", "bag"], "description": "How it is packed."},
        [("box", Documented.BOX)],
        ["x"],
    ),
    (int | None, either(INTEGER, NULL), [1, None], ["x", []]),
    (typing.Optional[str], either(STRING, NULL), ["x", None], [1]),  # noqa: UP045
    (typing.Union[None, int], either(INTEGER, NULL), [1, None], ["x"]),  # noqa: UP007
    (int | str, either(INTEGER, STRING), [1, "x"], [None, []]),
    (bool | int, either({"type": "boolean"}, INTEGER), [True, 3], ["x"]),
    (int | str | None, either(INTEGER, STRING, NULL), [1, "x", None], [[]]),
    (
        list[int] | dict[str, int],
        either(array(INTEGER), {"type": "object", "additionalProperties": INTEGER}),
        [[1], {"a": 1}],
        ["x"],
    ),
    (Annotated[int, "How many"], {"type": "integer", "description": "How many"}, [1], ["x"]),
    (Annotated[str, "A wrapped\n    text"], {"type": "string", "description": "A wrapped text"}, ["x"], [1]),
    (
        Annotated[int, Field(gt=0, le=5, description="A few")],
        {"type": "integer", "exclusiveMinimum": 0, "maximum": 5, "description": "A few"},
        [1, 5],
        [0, 6],
    ),
    (
        Annotated[int, Field(gt=0), "A few"],
        {"type": "integer", "exclusiveMinimum": 0, "description": "A few"},
        [1],
        [0],
    ),
    (Annotated[int, "no", Field(description="yes")], {"type": "integer", "description": "yes"}, [1], ["x"]),
    (
        Annotated[str, Field(min_length=1, pattern="^a")],
        {"type": "string", "minLength": 1, "pattern": "^a"},
        ["ab"],
        ["", "b"],
    ),
    (Annotated[list[int], Field(min_length=1)], array(INTEGER, minItems=1), [[1]], [[]]),
    (Annotated[int | None, Field(ge=1)], either({"type": "integer", "minimum": 1}, NULL), [1, None], [0]),
    (Annotated[str, Field(examples=["Paris"])], {"type": "string", "examples": ["Paris"]}, ["x"], [1]),
    (Annotated[str, Field(title="The City")], {"type": "string", "title": "The City"}, ["x"], [1]),
    (Annotated[str, Field(json_schema_extra={"format": "color"})], {"type": "string", "format": "color"}, ["x"], [1]),
    (Annotated[str, Field(deprecated=True)], {"type": "string", "deprecated": True}, ["x"], [1]),
    (Annotated[float, Field(multiple_of=0.5)], {"type": "number", "multipleOf": 0.5}, [1.5], [1.3]),
    (pydantic.PositiveInt, {"type": "integer", "exclusiveMinimum": 0}, [1], [0]),
    (pydantic.StrictInt, INTEGER, [1], ["1"]),
    (UserId, INTEGER, [1], ["x"]),
    (
        dt.datetime,
        {"type": "string", "format": "date-time"},
        [("2026-01-02T03:04:05Z", dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC))],
        ["x"],
    ),
    (dt.date, {"type": "string", "format": "date"}, [("2026-01-02", dt.date(2026, 1, 2))], ["x"]),
    (dt.time, {"type": "string", "format": "time"}, [("03:04", dt.time(3, 4))], ["x"]),
    (dt.timedelta, {"type": "string", "format": "duration"}, [("PT1H", dt.timedelta(hours=1))], ["x"]),
    (decimal.Decimal, None, [("1.50", decimal.Decimal("1.50")), (2, decimal.Decimal(2))], ["x", None]),
    (uuid.UUID, {"type": "string", "format": "uuid"}, [(str(uuid.UUID(int=1)), uuid.UUID(int=1))], ["x"]),
    (pathlib.Path, {"type": "string", "format": "path"}, [("/a", pathlib.Path("/a"))], [1]),
    (re.Pattern, {"type": "string", "format": "regex"}, [("a+", re.compile("a+"))], ["("]),
    (
        ipaddress.IPv4Address,
        {"type": "string", "format": "ipv4"},
        [("1.2.3.4", ipaddress.ip_address("1.2.3.4"))],
        ["x"],
    ),
    (
        pydantic.AnyUrl,
        {"type": "string", "format": "uri", "minLength": 1},
        [("https://a.b/", pydantic.AnyUrl("https://a.b"))],
        ["x"],
    ),
    (Film, FILM, [{"title": "M"}, {"title": "M", "year": 1931}], [{}, {"title": 1}, {"title": "M", "year": "x"}, []]),
    (
        Options,
        {"type": "object", "properties": {"size": INTEGER, "color": STRING}, "required": ["size"]},
        [{"size": 1}],
        [{}, {"color": "x"}],
    ),
    (list[Film], array(FILM), [[{"title": "M"}]], [[{}]]),
    (Film | None, either(FILM, NULL), [None, {"title": "M"}], [{}]),
    (
        Pair,
        {"type": "array", "prefixItems": [INTEGER, {"type": "string", "default": "q"}], "maxItems": 2, "minItems": 1},
        [([1, "a"], Pair(1, "a")), ([1], Pair(1))],
        [[], ["x"], [1, "a", 2]],
    ),
    (Point, POINT, [({"x": 1}, Point(1)), ({"x": 1, "y": 2, "tags": ["a"]}, Point(1, 2, ["a"]))], [{}, {"x": "a"}, []]),
    (Annotated[Point, "Where"], {**POINT, "description": "Where"}, [({"x": 1}, Point(1))], [{}]),
    (
        Checked,
        {"type": "object", "properties": {"n": {"type": "integer", "exclusiveMinimum": 0}}, "required": ["n"]},
        [({"n": 1}, Checked(1))],
        [{"n": 0}],
    ),
    (Address, ADDRESS, [({"street": "a"}, Address(street="a"))], [{}, {"street": ""}]),
    (
        Closed,
        {"type": "object", "properties": {"a": INTEGER}, "required": ["a"], "additionalProperties": False},
        [({"a": 1}, Closed(a=1))],
        [{"a": 1, "b": 2}],
    ),
    (
        Box[int],
        {"type": "object", "properties": {"item": INTEGER}, "required": ["item"]},
        [({"item": 1}, Box[int](item=1))],
        [{"item": "x"}],
    ),
    (
        Box[Point],
        {"type": "object", "properties": {"item": POINT}, "required": ["item"]},
        [({"item": {"x": 1}}, Box[Point](item=Point(1)))],
        [{"item": {}}],
    ),
    (Numbers, array(INTEGER), [([1], Numbers([1]))], [["x"]]),
    (Cat | Dog, either(CAT, DOG), [({"kind": "dog"}, Dog(kind="dog"))], [{"kind": "cow"}, {"kind": "cat"}]),
    (
        Annotated[Cat | Dog, Field(discriminator="kind")],
        {"oneOf": [CAT, DOG]},
        [({"kind": "cat", "lives": 9}, Cat(kind="cat", lives=9))],
        [{"kind": "cow"}, {"kind": "cat"}, {}],
    ),
    (
        list[Annotated[Cat | Dog, Field(discriminator="kind")]],
        array({"oneOf": [CAT, DOG]}),
        [([{"kind": "dog"}], [Dog(kind="dog")])],
        [[{}]],
    ),
    (Annotated[int, pydantic.AfterValidator(lambda value: value + 1)], INTEGER, [(1, 2)], ["x"]),
    (
        Annotated[
            fractions.Fraction,
            pydantic.BeforeValidator(fractions.Fraction),
            pydantic.WithJsonSchema({"type": "string"}),
        ],
        STRING,
        [("1/3", fractions.Fraction(1, 3))],
        ["x"],
    ),
    (T, {}, [1, "x"], []),
]

DEFAULTS: list[tuple[Any, Any, Any]] = [
    (int, 3, {"type": "integer", "default": 3}),
    (int, 10**30, {"type": "integer", "default": 10**30}),
    (str, "x", {"type": "string", "default": "x"}),
    (float, 1.5, {"type": "number", "default": 1.5}),
    (float, float("inf"), NUMBER),
    (bool, False, {"type": "boolean", "default": False}),
    (int, None, either(INTEGER, NULL, default=None)),
    (Point, None, either(POINT, NULL, default=None)),
    (Any, None, {"default": None}),
    (list[int], [1], array(INTEGER, default=[1])),
    (list[str], (), array(STRING, default=[])),
    (dict[str, int], {}, {"type": "object", "additionalProperties": INTEGER, "default": {}}),
    (dict[str, int], {"a": 1}, {"type": "object", "additionalProperties": INTEGER, "default": {"a": 1}}),
    (set[str], {"b", "a", "c"}, array(STRING, uniqueItems=True, default=["a", "b", "c"])),
    (Color, Color.RED, {"type": "string", "enum": ["red", "blue"], "default": "red"}),
    (Point, Point(1), {**POINT, "default": {"x": 1, "y": 0, "tags": []}}),
    (Address, Address(street="a"), {**ADDRESS, "default": {"street": "a", "since": None}}),
    (dt.date, dt.date(2026, 1, 2), {"type": "string", "format": "date", "default": "2026-01-02"}),
    (pathlib.Path, pathlib.Path("/a"), {"type": "string", "format": "path", "default": "/a"}),
    (Annotated[int, Field(ge=1)], 5, {"type": "integer", "minimum": 1, "default": 5}),
    (int, Field(default=3, ge=1), {"type": "integer", "minimum": 1, "default": 3}),
    (Annotated[int, Field(default=3)], ..., {"type": "integer", "default": 3}),
    (list[int], Field(default_factory=list), array(INTEGER)),
    (str, object(), STRING),
    (str, "\ud800", STRING),
    (bytes, b"\xff", {"type": "string", "format": "binary"}),
    (pydantic.SecretStr, pydantic.SecretStr("x"), {"type": "string", "format": "password", "writeOnly": True}),
]


def shape_of(annotation: Any, default: Any = ..., *, by_hand: bool = True) -> Shape:
    """The shape of a function with one parameter of this type, and another that keeps it from being shown opened."""

    def tool(x: Any, other: int = 0) -> None: ...
    def optional(x: Any = default, other: int = 0) -> None: ...

    function = tool if default is ... else optional
    function.__annotations__["x"] = annotation
    return read(function, name="tool", by_hand=by_hand)


def schema_of(shape: Shape) -> dict[str, Any]:
    schema = shape.parameters["properties"]["x"]
    assert isinstance(schema, dict)
    return schema


def label(value: Any) -> str:
    """A test's name that is the same in each process."""
    value = sorted(value) if isinstance(value, set) else value
    return re.sub(r"\W+", "-", re.sub(r" at 0x\w+", "", str(value)))[:60]


@pytest.mark.parametrize(("annotation", "schema"), [(row[0], row[1]) for row in TYPES if row[1] is not None], ids=label)
def test_a_type_is_described_as_the_table_says(annotation: Any, schema: Any) -> None:
    assert schema_of(shape_of(annotation)) == schema


@pytest.mark.parametrize("row", TYPES, ids=lambda row: label(row[0]))
def test_validator_and_schema_take_and_refuse_the_same(row: tuple[Any, Any, list[Any], list[Any]]) -> None:
    annotation, _, good, bad = row
    shape = shape_of(annotation)
    Draft202012Validator.check_schema(shape.parameters)
    by_schema = Draft202012Validator(shape.parameters, format_checker=None)
    for value in good:
        written, meant = value if isinstance(value, tuple) else (value, value)
        assert shape.check(json.dumps({"x": written})) == {"x": meant}
        assert by_schema.is_valid({"x": written}), written
    for value in bad:
        with pytest.raises(ArgumentsInvalid):
            shape.check(json.dumps({"x": value}))
        if not ({"format", "pattern"} & _keywords(shape.parameters) or annotation in LOOSE):
            assert not by_schema.is_valid({"x": value}), value


LOOSE: list[Any] = [
    decimal.Decimal,
    *(row[0] for row in TYPES if typing.get_origin(row[0]) is Annotated and row[1] == STRING),
]
"""Types whose validator refuses more than their schema says: strings that are no numbers, say."""


def _keywords(schema: Any) -> set[str]:
    if isinstance(schema, dict):
        return set(schema) | {key for value in schema.values() for key in _keywords(value)}
    return {key for value in schema for key in _keywords(value)} if isinstance(schema, list) else set()


@pytest.mark.parametrize(("annotation", "default", "schema"), DEFAULTS, ids=label)
def test_a_default_is_shown_if_json_can_carry_it(annotation: Any, default: Any, schema: Any) -> None:
    shape = shape_of(annotation, default)
    assert schema_of(shape) == schema
    assert "required" not in shape.parameters
    assert shape.validate("{}") in (([], {}), ([], {"x": 3}), ([], {"x": []}))
    json.dumps(shape.parameters).encode()


@pytest.mark.parametrize(
    "annotation",
    [row[0] for row in TYPES if plain_schema(row[0]) is not None] + [int, str],
    ids=label,
)
def test_what_is_described_by_hand_pydantic_describes_alike(annotation: Any) -> None:
    by_hand, by_pydantic = shape_of(annotation), shape_of(annotation, by_hand=False)
    assert json.dumps(by_hand.parameters) == json.dumps(by_pydantic.parameters)
    optional = shape_of(annotation, None), shape_of(annotation, None, by_hand=False)
    assert json.dumps(optional[0].parameters) == json.dumps(optional[1].parameters)


def run(program: str) -> str:
    """What a program prints in a process of its own."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_common_types_are_described_without_importing_pydantic() -> None:
    program = """
import sys
from typing import Annotated, Any, Literal
from agentkit.schema import read

def tool(a: str, b: list[int], c: dict[str, Any] | None = None, d: Literal["x"] = "x", *e: float,
         f: Annotated[bool, "words"] = True, **g: int):
    '''Do it.

    Args:
        a: The first.
    '''

print(read(tool).parameters["properties"]["a"])
print({"pydantic", "pydantic_core", "docstring_parser", "jsonschema"} & set(sys.modules))
"""
    assert run(program).split("\n")[:2] == ["{'type': 'string', 'description': 'The first.'}", "set()"]


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.text(max_size=5)
    # a float without a fraction is an integer to JSON Schema, and none to strict pydantic
    | st.floats(-1e6, 1e6).filter(lambda value: value != int(value)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
SCALARS = st.sampled_from([str, int, float, bool, type(None), Any, Literal["a", "b"], Literal[1, 2]])
COMMON_TYPES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        inner.map(lambda one: list[one]),
        inner.map(lambda one: dict[str, one]),
        inner.map(lambda one: typing.Optional[one]),  # noqa: UP045 - made at run time
        st.tuples(inner, inner).map(lambda two: typing.Union[two]),  # noqa: UP007 - made at run time
    ),
    max_leaves=4,
)


@settings(max_examples=200)
@given(annotation=COMMON_TYPES, value=JSON_VALUES)
def test_for_any_value_schema_and_strict_validation_agree(annotation: Any, value: Any) -> None:
    shape = shape_of(annotation)
    text = json.dumps({"x": value})
    try:
        shape.check(text, strict=True)
        taken = True
    except ArgumentsInvalid:
        taken = False
    assert taken == Draft202012Validator(shape.parameters).is_valid(json.loads(text)), (annotation, text)


@settings(max_examples=60)
@given(annotation=COMMON_TYPES, value=JSON_VALUES)
def test_for_any_value_both_ways_of_describing_give_the_same(annotation: Any, value: Any) -> None:
    outcomes: list[Any] = []
    for by_hand in (True, False):
        shape = shape_of(annotation, by_hand=by_hand)
        try:
            outcomes.append((shape.parameters, shape.check(json.dumps({"x": value}))))
        except ArgumentsInvalid as error:
            outcomes.append((shape.parameters, str(error)))
    assert repr(outcomes[0]) == repr(outcomes[1])


def test_a_definition_used_once_is_put_in_its_place_and_a_shared_one_is_kept() -> None:
    def tool(person: Person, n: int) -> None: ...

    parameters = read(tool).parameters
    ref = {"$ref": "#/$defs/Address"}
    assert parameters["properties"]["person"]["properties"] == {
        "name": STRING,
        "home": ref,
        "work": either(ref, NULL, default=None),
    }
    assert parameters["$defs"] == {"Address": ADDRESS}


@pytest.mark.parametrize("kind", [Node, Tree])
def test_a_type_that_holds_itself_keeps_its_definition(kind: Any) -> None:
    shape = shape_of(kind)
    name = kind.__name__
    assert schema_of(shape) == {"$ref": f"#/$defs/{name}"}
    assert shape.parameters["$defs"][name]["properties"]["children"]["items"] == {"$ref": f"#/$defs/{name}"}
    by_schema = Draft202012Validator(shape.parameters)
    good = {"x": {"value": 1, "children": [{"value": 2, "children": [{"value": 3}]}]}}
    assert by_schema.is_valid(good)
    assert shape.check(json.dumps(good))["x"].children[0].children[0].value == 3
    bad = {"x": {"value": 1, "children": [{"value": "x"}]}}
    assert not by_schema.is_valid(bad)
    with pytest.raises(ArgumentsInvalid, match=re.escape("`x.children[0].value` must be a valid integer")):
        shape.check(json.dumps(bad))


def test_a_property_called_title_or_like_a_keyword_is_left_alone() -> None:
    class Book(BaseModel):
        title: str
        properties: int
        default: int = 1

    assert schema_of(shape_of(Book))["properties"] == {
        "title": STRING,
        "properties": INTEGER,
        "default": {"type": "integer", "default": 1},
    }


def test_what_only_looks_like_a_reference_is_left_alone() -> None:
    shape = shape_of(Any, {"$ref": "#/$defs/Nothing", "title": "x"})
    assert schema_of(shape) == {"default": {"$ref": "#/$defs/Nothing", "title": "x"}}


def test_typed_dicts_within_others_are_taken() -> None:
    assert schema_of(shape_of(Nested))["properties"]["film"] == {"$ref": "#/$defs/Film"}
    assert schema_of(shape_of(dict[str, Film])) == {"type": "object", "additionalProperties": FILM}
    assert schema_of(shape_of(Film | int)) == either(FILM, INTEGER)
    assert schema_of(shape_of(Annotated[Film, "Which"])) == {**FILM, "description": "Which"}


@pytest.mark.parametrize("annotation", [Callable[[int], int], slice, type[int], typing.Never, bytearray], ids=label)
def test_a_type_without_json_schema_is_refused_with_all_that_helps(annotation: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        shape_of(annotation)
    text = str(caught.value)
    assert "`shape_of.<locals>.tool` cannot be a tool: parameter `x` has the type `" in text
    assert "for which there is no JSON Schema" in text
    assert "`Context`" in text
    assert re.search(r"\(test_types\.py:\d+\)$", text)


def test_iterables_of_other_kinds_are_read_when_the_function_asks() -> None:
    shape = shape_of(Iterable[int])
    assert schema_of(shape) == array(INTEGER)
    assert list(shape.check('{"x": [1, 2]}')["x"]) == [1, 2]


def test_schemas_are_the_same_in_each_process() -> None:
    program = """
import json
from agentkit.schema import read

def tool(x: set[str] = {"a", "b", "c", "d"}, y: frozenset[str] = frozenset("efgh")): ...

print(json.dumps(read(tool).parameters))
"""
    assert len({run(program) for _ in range(3)}) == 1
