"""Whole signatures as people write them: what the model is shown, which calls run, and which are refused.

Each row is one function: its properties, what is required, calls that run with what the function gives back, and
arguments that are refused by the validator and by the schema alike.
"""

import asyncio
import dataclasses
import datetime as dt
import decimal
import enum
import functools
import json
import pathlib
import re
import uuid
from collections.abc import Callable
from typing import Annotated, Any, Generic, Literal, NamedTuple, NotRequired, Optional, Required, TypeVar

import pytest
from jsonschema import Draft202012Validator
from pydantic import AfterValidator, AnyUrl, BaseModel, Field
from typing_extensions import TypedDict

from agentkit.schema import ArgumentsInvalid
from agentkit.tools import Tool, tool

T = TypeVar("T")
STRING, INTEGER, NUMBER, BOOLEAN, NULL = ({"type": kind} for kind in ("string", "integer", "number", "boolean", "null"))


class Unit(enum.StrEnum):
    C = "celsius"
    F = "fahrenheit"


class Priority(enum.IntEnum):
    LOW = 1
    HIGH = 9


class Size(enum.Enum):
    S = "s"
    L = "l"


class Place(BaseModel):
    lat: float = Field(ge=-90, le=90)
    lon: float = Field(ge=-180, le=180)


class Line(BaseModel):
    item: str
    count: int = 1


class Order(BaseModel):
    lines: list[Line]
    ship_to: Place | None = None


class Email(BaseModel):
    via: Literal["email"]
    to: str


class Sms(BaseModel):
    via: Literal["sms"]
    number: str


class Page(BaseModel, Generic[T]):
    items: list[T]


class Branch(BaseModel):
    name: str
    inner: list["Branch"] = []


class Filters(TypedDict, total=False):
    tag: Required[str]
    since: str


class Paging(TypedDict):
    page: int
    size: NotRequired[int]


class Span(NamedTuple):
    first: int
    last: int


@dataclasses.dataclass
class Box:
    width: int
    height: int = 2


def array(items: Any, **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


def mapping(values: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": values}


def either(*options: Any, **more: Any) -> dict[str, Any]:
    return {"anyOf": list(options), **more}


def default(value: Any, schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "default": value}


# The functions.


def nothing() -> str:
    return "nothing"


def greet(name: str) -> str:
    return f"hello {name}"


def greet_often(name: str, times: int = 2) -> str:
    return name * times


def add(a: float, b: float) -> float:
    return a + b


def toggle(on: bool, force: bool = False) -> str:
    return f"{on} {force}"


def optional_text(text: str | None = None) -> Any:
    return text


def old_optional(n: Optional[int] = None) -> Any:  # noqa: UP045 - people write it
    return n


def implicit_optional(n: int = None) -> Any:  # type: ignore[assignment]  # noqa: RUF013 - people write it
    return n


def required_or_null(n: int | None) -> Any:
    return n


def many(numbers: list[int]) -> int:
    return sum(numbers)


def many_texts(words: list[str] = []) -> str:  # noqa: B006 - people write it
    return " ".join(words)


def matrix(rows: list[list[float]]) -> int:
    return len(rows)


def pair(point: tuple[float, float]) -> Any:
    return point


def any_tuple(numbers: tuple[int, ...] = ()) -> Any:
    return numbers


def unique(tags: set[str]) -> Any:
    return sorted(tags)


def frozen(tags: frozenset[int] = frozenset()) -> Any:
    return sorted(tags)


def scores(by_name: dict[str, float]) -> Any:
    return by_name


def by_number(names: dict[int, str]) -> Any:
    return names


def nested(groups: dict[str, list[dict[str, int]]]) -> Any:
    return groups


def untyped(a, b=1):  # type: ignore[no-untyped-def]  # people write it
    return a, b


def anything(value: Any) -> Any:
    return value


def bare_containers(items: list, table: dict) -> Any:  # type: ignore[type-arg]  # people write it
    return items, table


def choose(mode: Literal["fast", "slow"] = "fast") -> str:
    return mode


def choose_number(level: Literal[1, 2, 3]) -> int:
    return level


def mixed_literal(value: Literal["auto", 0, None] = None) -> Any:
    return value


def temperature(unit: Unit = Unit.C) -> Any:
    return unit


def priority(level: Priority) -> Any:
    return level


def size(size: Size) -> Any:
    return size


def union(key: int | str) -> Any:
    return key


def list_or_one(ids: int | list[int]) -> Any:
    return ids


def bounded(n: Annotated[int, Field(ge=1, le=10)]) -> int:
    return n


def described(n: Annotated[int, "How many"]) -> int:
    return n


def pattern(code: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]) -> str:
    return code


def lengths(words: Annotated[list[str], Field(min_length=1, max_length=2)]) -> int:
    return len(words)


def field_default(n: int = Field(default=5, gt=0, description="A few")) -> int:
    return n


def field_factory(tags: list[str] = Field(default_factory=lambda: ["x"])) -> Any:  # noqa: B008 - people write it
    return tags


def on_day(day: dt.date) -> Any:
    return day


def at(moment: dt.datetime, lasting: dt.timedelta = dt.timedelta(hours=1)) -> Any:
    return moment.year, lasting


def time_of_day(time: dt.time) -> Any:
    return time.hour


def price(amount: decimal.Decimal) -> Any:
    return amount


def by_id(id: uuid.UUID) -> Any:
    return id


def open_path(path: pathlib.Path = pathlib.Path(".")) -> Any:
    return path


def raw(data: bytes) -> Any:
    return data


def link(url: AnyUrl) -> Any:
    return url.host


def order(order: Order) -> Any:
    return len(order.lines)


def order_with_note(order: Order, note: str = "") -> Any:
    return len(order.lines), note


def notify(channel: Annotated[Email | Sms, Field(discriminator="via")], text: str) -> Any:
    return channel.via, text


def page_of(page: Page[Line], total: int) -> Any:
    return len(page.items), total


def tree(root: Branch, depth: int = 1) -> Any:
    return len(root.inner), depth


def filters(filters: Filters) -> Any:
    return filters


def paging(paging: Paging, sort: str = "") -> Any:
    return paging, sort


def span(span: Span) -> Any:
    return span


def box(box: Box) -> Any:
    return box.width * box.height


def keyword_only(*, a: int, b: int = 2) -> Any:
    return a, b


def positional_only(a: int, b: int = 2, /) -> Any:
    return a, b


def all_kinds(a: int, /, b: int, *rest: int, c: int = 3, **more: int) -> Any:
    return a, b, rest, c, more


def only_rest(*numbers: int) -> Any:
    return numbers


def only_more(**options: str) -> Any:
    return options


def clashing(schema: str, json: int = 1, model_config: bool = False, copy: str = "", validate: int = 0) -> Any:
    return schema, json, model_config, copy, validate


def self_of_a_plain_function(self: int, cls: int = 1) -> Any:
    return self, cls


def underscored(_hidden: int, __more: int = 1) -> Any:
    return _hidden, __more


def keywords_of_schemas(type: str, properties: int = 1, required: bool = False, title: str = "") -> Any:
    return type, properties, required, title


def wide_letters(größe: int, 城市: str = "") -> Any:
    return größe, 城市


def texts_for_types(a: "int", b: "list[str] | None" = None) -> Any:
    return a, b


async def awaited(seconds: float) -> Any:
    await asyncio.sleep(0)
    return seconds


def generated(n: int) -> Any:
    yield from range(n)


async def agenerated(n: int) -> Any:
    for one in range(n):
        yield one


class Desk:
    def __init__(self) -> None:
        self.name = "desk"

    def ask(self, question: str) -> Any:
        return self.name, question

    @classmethod
    def of(cls, name: str) -> Any:
        return cls.__name__, name

    @staticmethod
    def plain(a: int) -> Any:
        return a

    def __call__(self, what: str) -> Any:
        return self.name, what


def wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def even(value: int) -> int:
    if value % 2:
        raise ValueError("must be even")
    return value


def checked(n: Annotated[int, AfterValidator(even)]) -> int:
    return n


LINE = {
    "type": "object",
    "properties": {"item": STRING, "count": default(1, INTEGER)},
    "required": ["item"],
}
PLACE = {
    "type": "object",
    "properties": {
        "lat": {"type": "number", "minimum": -90, "maximum": 90},
        "lon": {"type": "number", "minimum": -180, "maximum": 180},
    },
    "required": ["lat", "lon"],
}
ORDER = {
    "type": "object",
    "properties": {"lines": array(LINE), "ship_to": default(None, either(PLACE, NULL))},
    "required": ["lines"],
}
EMAIL = {
    "type": "object",
    "properties": {"via": {"type": "string", "const": "email"}, "to": STRING},
    "required": ["via", "to"],
}
SMS = {
    "type": "object",
    "properties": {"via": {"type": "string", "const": "sms"}, "number": STRING},
    "required": ["via", "number"],
}
UNIT = {"type": "string", "enum": ["celsius", "fahrenheit"]}

Row = tuple[Callable[..., Any], dict[str, Any], str, list[tuple[Any, Any]], list[Any]]

# the function, its properties, what is required, calls with their results, arguments that are refused
ROWS: list[Row] = [
    (nothing, {}, "", [({}, "nothing")], [{"a": 1}, []]),
    (greet, {"name": STRING}, "name", [({"name": "Li"}, "hello Li")], [{}, {"name": 1}, {"name": None}]),
    (
        greet_often,
        {"name": STRING, "times": default(2, INTEGER)},
        "name",
        [({"name": "a"}, "aa"), ({"name": "a", "times": 3}, "aaa")],
        [{"times": 1}, {"name": "a", "times": 1.5}],
    ),
    (add, {"a": NUMBER, "b": NUMBER}, "a b", [({"a": 1, "b": 0.5}, 1.5)], [{"a": 1}, {"a": True, "b": 1}]),
    (
        toggle,
        {"on": BOOLEAN, "force": default(False, BOOLEAN)},
        "on",
        [({"on": True}, "True False")],
        [{"on": 1}, {"on": None}],
    ),
    (
        optional_text,
        {"text": default(None, either(STRING, NULL))},
        "",
        [({}, None), ({"text": None}, None)],
        [{"text": 1}],
    ),
    (old_optional, {"n": default(None, either(INTEGER, NULL))}, "", [({"n": 1}, 1), ({"n": None}, None)], [{"n": "x"}]),
    (implicit_optional, {"n": default(None, either(INTEGER, NULL))}, "", [({}, None), ({"n": 1}, 1)], [{"n": []}]),
    (required_or_null, {"n": either(INTEGER, NULL)}, "n", [({"n": None}, None)], [{}, {"n": "x"}]),
    (many, {"numbers": array(INTEGER)}, "numbers", [({"numbers": [1, 2]}, 3)], [{"numbers": 1}, {"numbers": ["x"]}]),
    (many_texts, {"words": default([], array(STRING))}, "", [({}, ""), ({"words": ["a"]}, "a")], [{"words": "a"}]),
    (matrix, {"rows": array(array(NUMBER))}, "rows", [({"rows": [[1], []]}, 2)], [{"rows": [1]}]),
    (
        pair,
        {"point": {"type": "array", "prefixItems": [NUMBER, NUMBER], "maxItems": 2, "minItems": 2}},
        "point",
        [({"point": [1, 2]}, (1, 2))],
        [{"point": [1]}, {"point": [1, 2, 3]}],
    ),
    (any_tuple, {"numbers": default([], array(INTEGER))}, "", [({"numbers": [1]}, (1,))], [{"numbers": ["x"]}]),
    (unique, {"tags": array(STRING, uniqueItems=True)}, "tags", [({"tags": ["b", "a"]}, ["a", "b"])], [{"tags": "a"}]),
    (frozen, {"tags": default([], array(INTEGER, uniqueItems=True))}, "", [({"tags": [2]}, [2])], [{"tags": [None]}]),
    (scores, {"by_name": mapping(NUMBER)}, "by_name", [({"by_name": {"a": 1}}, {"a": 1})], [{"by_name": {"a": "x"}}]),
    (by_number, {"names": mapping(STRING)}, "names", [({"names": {"1": "a"}}, {1: "a"})], [{"names": {"1": 1}}]),
    (
        nested,
        {"groups": mapping(array(mapping(INTEGER)))},
        "groups",
        [({"groups": {"a": [{"b": 1}]}}, {"a": [{"b": 1}]})],
        [{"groups": {"a": {"b": 1}}}],
    ),
    (untyped, {"a": {}, "b": default(1, {})}, "a", [({"a": [1]}, ([1], 1))], [{"b": 1}]),
    (anything, {"value": {}}, "value", [({"value": {"a": [1]}}, {"a": [1]}), ({"value": None}, None)], [{}]),
    (
        bare_containers,
        {"items": array({}), "table": {"type": "object", "additionalProperties": True}},
        "items table",
        [({"items": [1], "table": {"a": 1}}, ([1], {"a": 1}))],
        [{"items": {}, "table": {}}],
    ),
    (
        choose,
        {"mode": default("fast", {"type": "string", "enum": ["fast", "slow"]})},
        "",
        [({}, "fast")],
        [{"mode": "x"}],
    ),
    (
        choose_number,
        {"level": {"type": "integer", "enum": [1, 2, 3]}},
        "level",
        [({"level": 1}, 1)],
        [{"level": 4}, {"level": True}],
    ),
    (
        mixed_literal,
        {"value": either({"enum": ["auto", 0, None]}, NULL, default=None)},
        "",
        [({"value": 0}, 0)],
        [{"value": 1}, {"value": False}],
    ),
    (
        temperature,
        {"unit": default("celsius", UNIT)},
        "",
        [({}, Unit.C), ({"unit": "fahrenheit"}, Unit.F)],
        [{"unit": "K"}],
    ),
    (
        priority,
        {"level": {"type": "integer", "enum": [1, 9]}},
        "level",
        [({"level": 9}, Priority.HIGH)],
        [{"level": 2}, {"level": True}],
    ),
    (size, {"size": {"type": "string", "enum": ["s", "l"]}}, "size", [({"size": "l"}, Size.L)], [{"size": "L"}]),
    (
        union,
        {"key": either(INTEGER, STRING)},
        "key",
        [({"key": 1}, 1), ({"key": "1"}, "1")],
        [{"key": None}, {"key": 1.5}],
    ),
    (
        list_or_one,
        {"ids": either(INTEGER, array(INTEGER))},
        "ids",
        [({"ids": [1]}, [1])],
        [{"ids": "x"}, {"ids": [None]}],
    ),
    (bounded, {"n": {"type": "integer", "minimum": 1, "maximum": 10}}, "n", [({"n": 10}, 10)], [{"n": 0}, {"n": 11}]),
    (described, {"n": {"type": "integer", "description": "How many"}}, "n", [({"n": 1}, 1)], [{"n": "x"}]),
    (
        pattern,
        {"code": {"type": "string", "pattern": "^[A-Z]{3}$"}},
        "code",
        [({"code": "ABC"}, "ABC")],
        [{"code": "abc"}],
    ),
    (lengths, {"words": array(STRING, minItems=1, maxItems=2)}, "words", [({"words": ["a"]}, 1)], [{"words": []}]),
    (
        field_default,
        {"n": {"type": "integer", "exclusiveMinimum": 0, "description": "A few", "default": 5}},
        "",
        [({}, 5), ({"n": 1}, 1)],
        [{"n": 0}],
    ),
    (field_factory, {"tags": array(STRING)}, "", [({}, ["x"]), ({"tags": []}, [])], [{"tags": [1]}]),
    (
        on_day,
        {"day": {"type": "string", "format": "date"}},
        "day",
        [({"day": "2026-01-02"}, dt.date(2026, 1, 2))],
        [{"day": 1}],
    ),
    (
        at,
        {
            "moment": {"type": "string", "format": "date-time"},
            "lasting": {"type": "string", "format": "duration", "default": "PT1H"},
        },
        "moment",
        [({"moment": "2026-01-02T03:04:05Z"}, (2026, dt.timedelta(hours=1)))],
        [{"moment": 1_700_000_000}, {"moment": "2026-01-02T03:04:05Z", "lasting": 3}],
    ),
    (time_of_day, {"time": {"type": "string", "format": "time"}}, "time", [({"time": "03:04:00"}, 3)], [{"time": 3}]),
    (
        by_id,
        {"id": {"type": "string", "format": "uuid"}},
        "id",
        [({"id": str(uuid.UUID(int=1))}, uuid.UUID(int=1))],
        [{"id": 1}],
    ),
    (
        open_path,
        {"path": {"type": "string", "format": "path", "default": "."}},
        "",
        [({"path": "/a"}, pathlib.Path("/a"))],
        [{"path": 1}],
    ),
    (raw, {"data": {"type": "string", "format": "binary"}}, "data", [({"data": "é"}, "é".encode())], [{"data": 1}]),
    (
        link,
        {"url": {"type": "string", "format": "uri", "minLength": 1}},
        "url",
        [({"url": "https://a.b/c"}, "a.b")],
        [{"url": 1}],
    ),
    (
        order_with_note,
        {"order": ORDER, "note": default("", STRING)},
        "order",
        [({"order": {"lines": [{"item": "a"}]}, "note": "n"}, (1, "n"))],
        [{"order": {}}, {"order": {"lines": [{}]}}, {"order": {"lines": [], "ship_to": {"lat": 91, "lon": 0}}}],
    ),
    (
        notify,
        {"channel": {"oneOf": [EMAIL, SMS]}, "text": STRING},
        "channel text",
        [({"channel": {"via": "sms", "number": "1"}, "text": "t"}, ("sms", "t"))],
        [{"channel": {"via": "post"}, "text": "t"}, {"channel": {"via": "email", "number": "1"}, "text": "t"}],
    ),
    (
        page_of,
        {"page": {"type": "object", "properties": {"items": array(LINE)}, "required": ["items"]}, "total": INTEGER},
        "page total",
        [({"page": {"items": [{"item": "a"}]}, "total": 1}, (1, 1))],
        [{"page": {"items": [1]}, "total": 1}],
    ),
    (
        paging,
        {
            "paging": {"type": "object", "properties": {"page": INTEGER, "size": INTEGER}, "required": ["page"]},
            "sort": default("", STRING),
        },
        "paging",
        [({"paging": {"page": 1}}, ({"page": 1}, ""))],
        [{"paging": {}}, {"paging": {"page": "x"}}],
    ),
    (
        span,
        {"span": {"type": "array", "prefixItems": [INTEGER, INTEGER], "maxItems": 2, "minItems": 2}},
        "span",
        [({"span": [1, 2]}, Span(1, 2))],
        [{"span": [1]}],
    ),
    (
        keyword_only,
        {"a": INTEGER, "b": default(2, INTEGER)},
        "a",
        [({"a": 1}, (1, 2)), ({"a": 1, "b": 3}, (1, 3))],
        [{"b": 1}],
    ),
    (positional_only, {"a": INTEGER, "b": default(2, INTEGER)}, "a", [({"a": 1, "b": 3}, (1, 3))], [{}, {"c": 1}]),
    (only_rest, {"numbers": array(INTEGER)}, "", [({"numbers": [1, 2]}, (1, 2)), ({}, ())], [{"numbers": ["x"]}]),
    (
        clashing,
        {
            "schema": STRING,
            "json": default(1, INTEGER),
            "model_config": default(False, BOOLEAN),
            "copy": default("", STRING),
            "validate": default(0, INTEGER),
        },
        "schema",
        [({"schema": "s", "json": 2, "model_config": True}, ("s", 2, True, "", 0))],
        [{"schema": 1}, {"json": 1}],
    ),
    (self_of_a_plain_function, {"self": INTEGER, "cls": default(1, INTEGER)}, "self", [({"self": 2}, (2, 1))], [{}]),
    (
        underscored,
        {"_hidden": INTEGER, "__more": default(1, INTEGER)},
        "_hidden",
        [({"_hidden": 2}, (2, 1))],
        [{"hidden": 1}],
    ),
    (
        keywords_of_schemas,
        {
            "type": STRING,
            "properties": default(1, INTEGER),
            "required": default(False, BOOLEAN),
            "title": default("", STRING),
        },
        "type",
        [({"type": "t", "title": "x"}, ("t", 1, False, "x"))],
        [{"type": 1}],
    ),
    (
        wide_letters,
        {"größe": INTEGER, "城市": default("", STRING)},
        "größe",
        [({"größe": 1, "城市": "x"}, (1, "x"))],
        [{}],
    ),
    (
        texts_for_types,
        {"a": INTEGER, "b": default(None, either(array(STRING), NULL))},
        "a",
        [({"a": 1, "b": ["x"]}, (1, ["x"]))],
        [{"a": 1, "b": [1]}],
    ),
    (awaited, {"seconds": NUMBER}, "seconds", [({"seconds": 1}, 1.0)], [{"seconds": "x"}]),
    (generated, {"n": INTEGER}, "n", [({"n": 2}, [0, 1])], [{"n": "x"}]),
    (agenerated, {"n": INTEGER}, "n", [({"n": 2}, [0, 1])], [{"n": None}]),
    (
        Desk().ask,
        {"question": STRING},
        "question",
        [({"question": "q"}, ("desk", "q"))],
        [{"self": "s", "question": "q"}],
    ),
    (Desk.of, {"name": STRING}, "name", [({"name": "n"}, ("Desk", "n"))], [{"cls": 1, "name": "n"}]),
    (Desk.plain, {"a": INTEGER}, "a", [({"a": 1}, 1)], [{}]),
    (Desk(), {"what": STRING}, "what", [({"what": "w"}, ("desk", "w"))], [{"what": 1}]),
    (
        functools.partial(greet_often, times=3),
        {"name": STRING},
        "name",
        [({"name": "a"}, "aaa")],
        [{"name": "a", "times": 1}],
    ),
    (functools.partial(add, 1.0), {"b": NUMBER}, "b", [({"b": 2}, 3.0)], [{"a": 1, "b": 2}]),
    (wrapped(wrapped(greet)), {"name": STRING}, "name", [({"name": "Li"}, "hello Li")], [{}]),
    (lambda a, b=1: a + b, {"a": {}, "b": default(1, {})}, "a", [({"a": 1}, 2)], [{}]),
]


def called(made: Tool[..., Any], arguments: Any) -> Any:
    from agentkit.messages import ToolCall
    from agentkit.tools import bind

    bound = bind(made, ToolCall("1", made.name, json.dumps(arguments)))
    return asyncio.run(bound.acall()) if made.is_async else bound.call()


def label(row: Row) -> str:
    return getattr(row[0], "__name__", type(row[0]).__name__).strip("<>")


@pytest.mark.parametrize("row", ROWS, ids=label)
def test_a_signature_is_shown_called_and_refused_as_the_table_says(row: Row) -> None:
    function, properties, required, good, bad = row
    made = tool(function, name="act")
    expected: dict[str, Any] = {"type": "object", "properties": properties}
    if required:
        expected["required"] = required.split()
    assert made.schema == {**expected, "additionalProperties": False}
    Draft202012Validator.check_schema(made.schema)
    by_schema = Draft202012Validator(made.schema)
    for arguments, result in good:
        assert by_schema.is_valid(arguments)
        assert called(made, arguments) == result
    for arguments in bad:
        assert not by_schema.is_valid(arguments)
        with pytest.raises(ArgumentsInvalid):
            called(made, arguments)


# Signatures whose schema is more than properties.


def test_a_lone_model_is_shown_opened_and_taken_either_way() -> None:
    made = tool(order)
    assert made.schema == {**ORDER, "additionalProperties": False}
    for arguments in ({"lines": [{"item": "a"}]}, {"order": {"lines": [{"item": "a"}]}}):
        assert called(made, arguments) == 1
    assert called(tool(box), {"width": 3}) == called(tool(box), {"box": {"width": 3}}) == 6
    assert called(tool(filters), {"tag": "x"}) == {"tag": "x"}
    with pytest.raises(ArgumentsInvalid, match="`lines` is required but missing"):
        called(made, {})


def test_a_type_that_holds_itself_is_a_definition() -> None:
    made = tool(tree)
    assert made.schema["properties"]["root"] == {"$ref": "#/$defs/Branch"}
    Draft202012Validator.check_schema(made.schema)
    assert called(made, {"root": {"name": "a", "inner": [{"name": "b"}]}}) == (1, 1)
    with pytest.raises(ArgumentsInvalid, match=r"`root.inner\[0\].name` is required"):
        called(made, {"root": {"name": "a", "inner": [{}]}})


def test_all_kinds_of_parameters_come_to_their_places() -> None:
    made = tool(all_kinds)
    assert made.schema["additionalProperties"] == INTEGER
    assert called(made, {"a": 1, "b": 2, "rest": [3, 4], "c": 5, "d": 6}) == (1, 2, (3, 4), 5, {"d": 6})
    assert called(made, {"a": 1, "b": 2}) == (1, 2, (), 3, {})
    assert called(tool(only_more), {"a": "x", "b": "y"}) == {"a": "x", "b": "y"}
    with pytest.raises(ArgumentsInvalid):
        called(tool(only_more), {"a": 1})


def test_decimals_come_as_texts_and_as_numbers() -> None:
    made = tool(price)
    assert called(made, {"amount": "1.50"}) == decimal.Decimal("1.50")
    assert called(made, {"amount": 2}) == decimal.Decimal(2)
    with pytest.raises(ArgumentsInvalid):
        called(made, {"amount": True})


# Where the schema and the check differ: the table of docs/guides/tools.md.

# what it is, the type, a value, whether the schema takes it, whether the check does
DIFFERENCES: list[tuple[str, Any, Any, bool, bool]] = [
    ("a set's members may be repeated", set[int], [1, 1], False, True),
    ("a format is checked", dt.date, "tomorrow", True, False),
    ("a format is checked", uuid.UUID, "1", True, False),
    ("a format is checked", AnyUrl, "no url", True, False),
    ("a format is checked", re.Pattern, "(", True, False),
    ("keys that are no texts are checked", dict[int, str], {"a": "x"}, True, False),
    ("a validator of the type's own", Annotated[int, AfterValidator(even)], 3, True, False),
    ("a decimal is a number", decimal.Decimal, "x", True, False),
    ("a number written as a text", int, "3", False, True),
    ("a list written as a text", list[int], "[3]", False, True),
    ("a date without a time is midnight", dt.datetime, "2026-01-02", True, True),
    ("whole numbers may have a fraction of zero", int, 3.0, True, True),
]


@pytest.mark.parametrize(("what", "annotation", "value", "by_schema", "by_check"), DIFFERENCES, ids=lambda one: "")
def test_schema_and_check_differ_where_the_documentation_says(
    what: str, annotation: Any, value: Any, by_schema: bool, by_check: bool
) -> None:
    def act(x: Any, other: int = 0) -> Any:
        return x

    act.__annotations__["x"] = annotation
    made = tool(act)
    if annotation is not decimal.Decimal:  # pydantic's pattern for it is a matter of its version
        assert Draft202012Validator(made.schema).is_valid({"x": value}) == by_schema, what
    try:
        called(made, {"x": value})
        taken = True
    except ArgumentsInvalid:
        taken = False
    assert taken == by_check, what


def test_the_tables_are_as_long_as_they_should_be() -> None:
    import test_repair
    import test_signatures
    import test_types

    signatures = len(ROWS) + len(test_types.TYPES) + len(test_types.DEFAULTS) + len(test_signatures.TABLE)
    told = len(test_repair.MENDED) + len(test_repair.LEFT) + len(test_repair.READ) + len(test_repair.GUESSES)
    assert signatures >= 200
    assert told + sum(len(row[3]) + len(row[4]) for row in ROWS) >= 250
