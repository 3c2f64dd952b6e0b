"""Anything that can be called, read as a tool: what the model is shown, and how the values come to their places."""

import dataclasses
import functools
import inspect
import json
import math
import re
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, Required, Self, TypedDict, Unpack

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field

from agentkit.errors import ConfigurationError
from agentkit.schema import ArgumentsInvalid, read
from agentkit.schema.signature import in_words


def steady(value: Any) -> str:
    """A test's name that is the same in each process."""
    return re.sub(r" at 0x\w+", "", str(value))


INTEGER = {"type": "integer"}
STRING = {"type": "string"}


class Marker:
    """Stands for what the run fills in."""


def is_marker(annotation: Any) -> bool:
    return annotation is Marker or (isinstance(annotation, str) and annotation.startswith("Marker"))


class Options(TypedDict, total=False):
    size: Required[int]
    color: Annotated[str, "Which color"]


def no_parameters() -> str:
    return "done"


def untyped(a, b=2):
    return a, b


def positional_only(a: int, b: int = 2, c: int = 3, /, d: int = 4) -> Any:
    return a, b, c, d


def keyword_only(a: int, *, b: int, c: int = 3) -> Any:
    return a, b, c


def many(a: int, b: int = 2, *rest: int, c: int = 3) -> Any:
    return a, b, rest, c


def only_many(*values: str) -> Any:
    return values


def extras(a: int, **more: float) -> Any:
    return a, more


def any_extras(**more: Any) -> Any:
    return more


def everything(a: int, b: int = 2, /, c: int = 3, *rest: int, d: int = 4, **more: int) -> Any:
    return a, b, c, rest, d, more


def unpacked(a: int, **options: Unpack[Options]) -> Any:
    return a, options


def clashing(
    schema: str,
    json: int,
    model_config: str,
    self: int,
    _private: int,
    copy: bool,
    model_fields: list[int] = [],  # noqa: B006 - a default that people write
    validate: str = "v",
) -> Any:
    return schema, json, model_config, self, _private, copy, model_fields, validate


def aliased(
    source: Annotated[str, Field(alias="from")], to: Annotated[str, Field(validation_alias="into")] = "x"
) -> Any:
    return source, to


def with_field_defaults(
    a: int = Field(default=3, ge=1, description="The a"),
    b: list[int] = Field(default_factory=lambda: [7]),  # noqa: B008 - how pydantic has it
) -> Any:
    return a, b


def defaulted_in_annotation(a: Annotated[int, Field(default=5)], b: int = 1) -> Any:
    return a, b


def generator(n: int) -> Any:
    yield from range(n)


async def coroutine(n: int) -> Any:
    return n


def wrapped_once(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def inner(*args: Any, **kwargs: Any) -> Any:
        return "wrapped", function(*args, **kwargs)

    return inner


def base(a: int, b: int, c: int = 3, *, token: str = "", **more: int) -> Any:
    """Do it.

    Args:
        a: The a.
        b: The b.
    """
    return a, b, c, token, more


class Shop:
    """Sells things."""

    def __init__(self, name: str) -> None:
        self.name = name

    def buy(self, what: str, n: int = 1) -> Any:
        """Buy something."""
        return self.name, what, n

    def order(self, what: str, **more: int) -> Any:
        return self.name, what, more

    @classmethod
    def open(cls, name: str) -> Any:
        return cls, name

    @staticmethod
    def price(what: str) -> Any:
        return what

    def __call__(self, what: str, **more: int) -> Any:
        return self.name, what, more


class CornerShop(Shop):
    def buy(self, what: str, n: int = 1) -> Any:
        return "corner", what, n


class PriceFinder:
    """Finds prices."""

    def __call__(self, what: str) -> Any:
        """Find a price.

        Args:
            what: The thing.
        """
        return what


def made(properties: dict[str, Any], *required: str, extras: Any = False) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    if required:
        schema["required"] = list(required)
    return {**schema, "additionalProperties": extras}


def a_number(default: int) -> dict[str, Any]:
    return {"type": "integer", "default": default}


OPEN = Shop("a")
TABLE: list[tuple[Callable[..., Any], str, dict[str, Any], list[tuple[str, Any]]]] = [
    (no_parameters, "no_parameters", made({}), [("{}", "done"), ("", "done"), (" \n", "done"), ("null", "done")]),
    (untyped, "untyped", made({"a": {}, "b": {"default": 2}}, "a"), [('{"a": [1]}', ([1], 2))]),
    (
        positional_only,
        "positional_only",
        made({"a": INTEGER, "b": a_number(2), "c": a_number(3), "d": a_number(4)}, "a"),
        [
            ('{"a": 1}', (1, 2, 3, 4)),
            ('{"a": 1, "c": 9}', (1, 2, 9, 4)),
            ('{"d": 8, "b": 7, "a": 1}', (1, 7, 3, 8)),
        ],
    ),
    (
        keyword_only,
        "keyword_only",
        made({"a": INTEGER, "b": INTEGER, "c": a_number(3)}, "a", "b"),
        [('{"a": 1, "b": 2}', (1, 2, 3))],
    ),
    (
        many,
        "many",
        made({"a": INTEGER, "b": a_number(2), "rest": {"type": "array", "items": INTEGER}, "c": a_number(3)}, "a"),
        [
            ('{"a": 1}', (1, 2, (), 3)),
            ('{"a": 1, "rest": [5, 6]}', (1, 2, (5, 6), 3)),
            ('{"a": 1, "rest": [], "c": 4}', (1, 2, (), 4)),
            ('{"a": 1, "b": 3, "rest": [5], "c": 4}', (1, 3, (5,), 4)),
        ],
    ),
    (
        only_many,
        "only_many",
        made({"values": {"type": "array", "items": STRING}}),
        [("{}", ()), ('{"values": ["x", "y"]}', ("x", "y"))],
    ),
    (
        extras,
        "extras",
        made({"a": INTEGER}, "a", extras={"type": "number"}),
        [('{"a": 1}', (1, {})), ('{"a": 1, "x": 2.5, "more": 1}', (1, {"x": 2.5, "more": 1.0}))],
    ),
    (any_extras, "any_extras", made({}, extras=True), [('{"a": [1], "b": null}', {"a": [1], "b": None})]),
    (
        everything,
        "everything",
        made(
            {
                "a": INTEGER,
                "b": a_number(2),
                "c": a_number(3),
                "rest": {"type": "array", "items": INTEGER},
                "d": a_number(4),
            },
            "a",
            extras=INTEGER,
        ),
        [
            ('{"a": 1}', (1, 2, 3, (), 4, {})),
            ('{"a": 1, "c": 9, "x": 5}', (1, 2, 9, (), 4, {"x": 5})),
            ('{"a": 1, "rest": [7], "d": 8, "x": 5}', (1, 2, 3, (7,), 8, {"x": 5})),
        ],
    ),
    (
        unpacked,
        "unpacked",
        made({"a": INTEGER, "size": INTEGER, "color": {"type": "string", "description": "Which color"}}, "a", "size"),
        [
            ('{"a": 1, "size": 2}', (1, {"size": 2})),
            ('{"a": 1, "size": 2, "color": "x"}', (1, {"size": 2, "color": "x"})),
        ],
    ),
    (
        clashing,
        "clashing",
        made(
            {
                "schema": STRING,
                "json": INTEGER,
                "model_config": STRING,
                "self": INTEGER,
                "_private": INTEGER,
                "copy": {"type": "boolean"},
                "model_fields": {"type": "array", "items": INTEGER, "default": []},
                "validate": {"type": "string", "default": "v"},
            },
            *("schema", "json", "model_config", "self", "_private", "copy"),
        ),
        [
            (
                '{"schema": "a", "json": 1, "model_config": "c", "self": 2, "_private": 3, "copy": true}',
                ("a", 1, "c", 2, 3, True, [], "v"),
            )
        ],
    ),
    (
        aliased,
        "aliased",
        made({"from": STRING, "into": {"type": "string", "default": "x"}}, "from"),
        [('{"from": "a"}', ("a", "x")), ('{"from": "a", "into": "b"}', ("a", "b"))],
    ),
    (
        with_field_defaults,
        "with_field_defaults",
        made(
            {
                "a": {"type": "integer", "minimum": 1, "description": "The a", "default": 3},
                "b": {"type": "array", "items": INTEGER},
            }
        ),
        [("{}", (3, [7])), ('{"a": 4, "b": []}', (4, []))],
    ),
    (
        defaulted_in_annotation,
        "defaulted_in_annotation",
        made({"a": a_number(5), "b": a_number(1)}),
        [("{}", (5, 1)), ('{"a": 2}', (2, 1))],
    ),
    (generator, "generator", made({"n": INTEGER}, "n"), []),
    (coroutine, "coroutine", made({"n": INTEGER}, "n"), []),
    (
        OPEN.buy,
        "buy",
        made({"what": STRING, "n": a_number(1)}, "what"),
        [('{"what": "tea"}', ("a", "tea", 1))],
    ),
    (
        OPEN.order,
        "order",
        made({"what": STRING}, "what", extras=INTEGER),
        [('{"what": "tea", "n": 2}', ("a", "tea", {"n": 2}))],
    ),
    (Shop.open, "open", made({"name": STRING}, "name"), [('{"name": "x"}', (Shop, "x"))]),
    (Shop.price, "price", made({"what": STRING}, "what"), [('{"what": "x"}', "x")]),
    (
        OPEN,
        "shop",
        made({"what": STRING}, "what", extras=INTEGER),
        [('{"what": "tea", "n": 2}', ("a", "tea", {"n": 2}))],
    ),
    (
        PriceFinder(),
        "price_finder",
        made({"what": {"type": "string", "description": "The thing."}}, "what"),
        [('{"what": "x"}', "x")],
    ),
    (
        functools.partial(base, 1, token="secret"),
        "base",
        made({"b": {"type": "integer", "description": "The b."}, "c": a_number(3)}, "b", extras=INTEGER),
        [('{"b": 2}', (1, 2, 3, "secret", {})), ('{"b": 2, "c": 5, "z": 6}', (1, 2, 5, "secret", {"z": 6}))],
    ),
    (
        functools.partial(functools.partial(positional_only, 1), 2),
        "positional_only",
        made({"c": a_number(3), "d": a_number(4)}),
        [('{"d": 5}', (1, 2, 3, 5)), ('{"c": 5}', (1, 2, 5, 4))],
    ),
    (functools.partial(OPEN.buy, n=5), "buy", made({"what": STRING}, "what"), [('{"what": "x"}', ("a", "x", 5))]),
    (
        wrapped_once(wrapped_once(positional_only)),
        "positional_only",
        made({"a": INTEGER, "b": a_number(2), "c": a_number(3), "d": a_number(4)}, "a"),
        [('{"a": 1, "c": 9}', ("wrapped", ("wrapped", (1, 2, 9, 4))))],
    ),
    (
        functools.lru_cache(keyword_only),
        "keyword_only",
        made({"a": INTEGER, "b": INTEGER, "c": a_number(3)}, "a", "b"),
        [('{"a": 1, "b": 2}', (1, 2, 3))],
    ),
    (math.sqrt, "sqrt", made({"x": {}}, "x"), [('{"x": 4}', 2.0)]),
]


@pytest.mark.parametrize(
    ("function", "name", "parameters", "calls"), TABLE, ids=lambda one: getattr(one, "__name__", "")
)
def test_a_callable_is_shown_and_called_as_its_signature_says(
    function: Callable[..., Any], name: str, parameters: dict[str, Any], calls: list[tuple[str, Any]]
) -> None:
    shape = read(function)
    assert shape.name == name
    assert shape.parameters == parameters
    Draft202012Validator.check_schema(shape.parameters)
    for arguments, expected in calls:
        args, kwargs = shape.validate(arguments)
        assert function(*args, **kwargs) == expected
        assert arguments.strip() in ("", "null") or Draft202012Validator(parameters).is_valid(json.loads(arguments))


@pytest.mark.parametrize("function", [row[0] for row in TABLE], ids=lambda one: getattr(one, "__name__", ""))
def test_pydantic_describes_every_one_of_them_alike(function: Callable[..., Any]) -> None:
    assert json.dumps(read(function, by_hand=False).parameters) == json.dumps(read(function).parameters)


@pytest.mark.parametrize(
    ("function", "arguments", "key"),
    [
        (no_parameters, '{"a": 1}', "a"),
        (keyword_only, '{"a": 1, "b": 2, "d": 3}', "d"),
        (unpacked, '{"a": 1, "size": 2, "q": 1}', "q"),
        (aliased, '{"from": "a", "source": "b"}', "source"),
        (OPEN.order, '{"what": "x", "self": 1}', "self"),
        (OPEN, '{"what": "x", "self": 1}', "self"),
        (functools.partial(base, 1, token="secret"), '{"b": 2, "token": 5}', "token"),
        (functools.partial(any_extras, user=1), '{"user": 2}', "user"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_a_key_that_is_not_offered_never_comes_in(function: Callable[..., Any], arguments: str, key: str) -> None:
    with pytest.raises(ArgumentsInvalid, match=f"`{key}` is not known"):
        read(function).validate(arguments)


@given(st.dictionaries(st.sampled_from(["a", "b", "c", "d", "rest", "x"]), st.integers()), st.data())
def test_arguments_come_to_their_places_however_they_are_given(given_: dict[str, int], data: st.DataObject) -> None:
    given_ = {"a": 1, **given_}
    rest = data.draw(st.lists(st.integers(), max_size=3))
    keys = data.draw(st.permutations(list(given_)))
    arguments: dict[str, Any] = {key: given_[key] for key in keys} | {"rest": rest}
    args, kwargs = read(everything).validate(json.dumps(arguments))
    a, b, c, d = (given_.get(key, default) for key, default in (("a", 1), ("b", 2), ("c", 3), ("d", 4)))
    more = {"x": given_["x"]} if "x" in given_ else {}
    assert everything(*args, **kwargs) == (a, b, c, tuple(rest), d, more)


# The parameter that the run fills.


def test_a_hidden_parameter_is_filled_wherever_it_stands_and_never_by_the_model() -> None:
    def first(c: Marker, x: int) -> Any:
        return c, x

    def last(x: int, *, c: Marker) -> Any:
        return c, x

    def between(x: int, c: Marker, /, *rest: int, **more: int) -> Any:
        return c, x, rest, more

    def after_gap(x: int = 1, y: int = 2, c: Marker = None, /) -> Any:  # type: ignore[assignment]
        return c, x, y

    mark = Marker()
    for function in (first, last):
        shape = read(function, hidden=is_marker)
        assert shape.parameters == made({"x": INTEGER}, "x")
        args, kwargs = shape.validate('{"x": 1}', mark)
        assert function(*args, **kwargs) == (mark, 1)
    shape = read(between, hidden=is_marker)
    args, kwargs = shape.validate('{"x": 1, "rest": [2], "z": 3}', mark)
    assert between(*args, **kwargs) == (mark, 1, (2,), {"z": 3})
    args, kwargs = read(after_gap, hidden=is_marker).validate('{"y": 5}', mark)
    assert after_gap(*args, **kwargs) == (mark, 1, 5)
    for function in (first, last, between):
        with pytest.raises(ArgumentsInvalid, match="`c` is not known"):
            read(function, hidden=is_marker).validate('{"x": 1, "c": 2}', mark)


def test_two_hidden_parameters_are_one_too_many() -> None:
    def tool(a: Marker, b: Marker) -> None: ...

    with pytest.raises(ConfigurationError, match=re.escape("`a` and `b` are both filled by the run. Keep one")):
        read(tool, hidden=is_marker)


# Annotations that are texts.


def module(source: str, name: str = "made_up") -> types.ModuleType:
    """A module made of a text."""
    new = sys.modules[name] = types.ModuleType(name)
    exec(compile(source, f"{name}.py", "exec", dont_inherit=True), new.__dict__)
    return new


def test_postponed_annotations_are_resolved() -> None:
    new = module(
        """
from __future__ import annotations
from typing import Annotated, Literal
from pydantic import Field
import decimal, dataclasses

@dataclasses.dataclass
class Item:
    name: str
    parts: list[Item] = dataclasses.field(default_factory=list)

def tool(a: int, b: list[str] | None = None, c: Annotated[int, Field(ge=1), "The c"] = 2, *d: decimal.Decimal,
         item: Item, e: Literal["x"] = "x", **f: dict[str, int]): ...
"""
    )
    properties = read(new.tool).parameters["properties"]
    assert properties["a"] == INTEGER
    assert properties["b"] == {"anyOf": [{"type": "array", "items": STRING}, {"type": "null"}], "default": None}
    assert properties["c"] == {"type": "integer", "minimum": 1, "description": "The c", "default": 2}
    assert properties["item"] == {"$ref": "#/$defs/Item"}


def test_names_of_the_function_around_are_found() -> None:
    @dataclasses.dataclass
    class Local:
        n: int
        inner: "list[Local]" = dataclasses.field(default_factory=list)

    def tool(x: "Local", y: "list[Local]", z: "Local | None" = None) -> Any:
        return x, y, z

    shape = read(tool)
    assert shape.parameters["required"] == ["x", "y"]
    (_, kwargs) = shape.validate('{"x": {"n": 1, "inner": [{"n": 2}]}, "y": [{"n": 3}]}')
    assert tool(**kwargs) == (Local(1, [Local(2)]), [Local(3)], None)


def test_names_of_the_closure_and_of_an_outer_function_are_found() -> None:
    def make() -> Any:
        class Inner(BaseModel):
            n: int

        def tool(x: "Inner", y: int = 1) -> Any:
            return Inner, x, y

        return tool

    assert read(make()).validate('{"x": {"n": 1}}')[1]["x"].n == 1


def test_a_name_that_comes_later_is_found_at_the_first_use() -> None:
    def tool(x: "Later", y: int = 1) -> Any:
        return x, y

    shape = read(tool)

    class Later(BaseModel):
        n: int

    assert shape.parameters["properties"]["x"]["properties"] == {"n": INTEGER}
    assert shape.validate('{"x": {"n": 1}}')[1] == {"x": Later(n=1)}


def test_a_name_that_never_comes_is_an_error_at_the_first_use() -> None:
    new = module("def tool(x: 'Nowhere'): ...")
    shape = read(new.tool)
    for use in (lambda: shape.parameters, lambda: shape.validate("{}")):
        with pytest.raises(ConfigurationError) as caught:
            use()
        assert str(caught.value) == (
            "`tool` cannot be a tool: an annotation cannot be resolved (name 'Nowhere' is not defined). Import what it"
            " names where the running program sees it (made_up.py:1)"
        )


def test_what_the_module_imports_for_type_checkers_is_imported_at_the_first_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only_for_checkers.py").write_text(
        "from __future__ import annotations\n"
        "import typing\n"
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n"
        "    import datetime as dt\n"
        "    from decimal import Decimal\n"
        "    from nowhere import Nothing\n"
        "if typing.TYPE_CHECKING:\n"
        "    from uuid import UUID as Id\n"
        "def tool(x: Decimal, y: Id, z: dt.date, n: int = 1): ...\n"
        "def lost(x: Nothing): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import only_for_checkers  # type: ignore[import-not-found]

    try:
        properties = read(only_for_checkers.tool).parameters["properties"]
        assert properties["y"] == {"type": "string", "format": "uuid"}
        assert properties["z"] == {"type": "string", "format": "date"}
        with pytest.raises(ConfigurationError, match="name 'Nothing' is not defined"):
            read(only_for_checkers.lost).settle()
    finally:
        del sys.modules["only_for_checkers"]


def test_a_hidden_parameter_need_not_be_resolvable() -> None:
    new = module("from __future__ import annotations\ndef tool(c: Marker[Deps], x: int): return c, x")
    shape = read(new.tool, hidden=is_marker)
    assert shape.parameters == made({"x": INTEGER}, "x")
    assert new.tool(**shape.validate('{"x": 1}', "the run's")[1]) == ("the run's", 1)


def test_a_text_that_is_no_type_is_refused_with_the_right_place_for_it() -> None:
    new = module("def tool(city: 'the name of the city'): ...")
    with pytest.raises(
        ConfigurationError, match=re.escape("words about a parameter go into the docstring or into `Annot")
    ):
        read(new.tool)


# Names and descriptions.


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("get_weather", "Get weather."),
        ("getWeather", "Get weather."),
        ("getHTTPResponse", "Get HTTP response."),
        ("list-files", "List files."),
        ("x", "X."),
        ("_", "_."),
        ("find2", "Find2."),
    ],
)
def test_without_a_docstring_the_description_is_the_name_in_words(name: str, words: str) -> None:
    assert in_words(name) == words
    assert read(lambda: None, name=name).description == words


def test_the_description_is_what_was_told_else_the_docstring() -> None:
    assert read(base).description == "Do it."
    assert read(base, description="Something else").description == "Something else"
    assert read(base, description="").description == "Do it."
    assert read(functools.partial(base, 1)).description == "Do it."
    assert read(OPEN.buy).description == "Buy something."
    assert read(CornerShop("b").buy).description == "Buy something."
    assert read(OPEN).description == "Sells things."
    assert read(PriceFinder()).description == "Find a price."
    assert read(functools.lru_cache(keyword_only)).description == "Keyword only."


def test_a_description_in_the_annotation_wins_over_the_docstring() -> None:
    def tool(
        a: Annotated[int, "from the annotation"], b: int = Field(description="from the field"), c: int = 1
    ) -> None:
        """Do it.

        Args:
            a: from the docstring
            b: from the docstring
            c: from the docstring
            d: of nothing
        """

    shape = read(tool)
    words = [one["description"] for one in shape.parameters["properties"].values()]
    assert words == ["from the annotation", "from the field", "from the docstring"]
    assert shape.findings() == ["`d` is described but is no parameter"]


def test_extra_keywords_are_described_too() -> None:
    def tool(**labels: str) -> None:
        """Set labels.

        Args:
            **labels: What to write on it.
        """

    described = {"type": "string", "description": "What to write on it."}
    assert read(tool).parameters == made({}, extras=described)


def test_findings_tell_what_is_not_described_and_which_default_is_not_shown() -> None:
    def tool(a: int, b: Any = object()) -> None:  # noqa: B008
        """Do it.

        Args:
            b: The b.
        """

    assert read(tool).findings() == [
        "`a` has no description",
        "the default of `b` cannot be shown, since JSON has no form for it",
    ]


# What cannot be a tool.


@pytest.mark.parametrize(
    ("function", "options", "message"),
    [
        (lambda x: x, {}, "a lambda has no name. Give it one: `tool(lambda …, name=…)` (test_signatures.py:"),
        (max, {}, "`max` cannot be a tool: Python cannot tell its signature. Wrap it: `def name(x: int) -> str: …`"),
        (dict, {}, "`dict` cannot be a tool: it is a class. Give a function that makes one"),
        (Shop, {}, "`Shop` cannot be a tool: it is a class."),
        (5, {}, "`5` cannot be a tool, since it cannot be called. Give a function"),
        (
            no_parameters,
            {"name": "a b"},
            "its name is `a b`, but endpoints take 1 to 64 ASCII letters, digits, `_` and `-`",
        ),
        (no_parameters, {"name": "a" * 65}, "Give it another: `name=…`"),
        (no_parameters, {"name": ""}, "its name is ``"),
        (no_parameters, {"name": "größe"}, "its name is `größe`"),
        (no_parameters, {"name": "a\n"}, "its name is `a\n`"),
    ],
    ids=steady,
)
def test_what_cannot_be_a_tool_is_refused_with_the_reason(function: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(function, **options)
    assert message in str(caught.value)


def test_two_parameters_under_one_name_are_refused() -> None:
    def tool(a: int, b: Annotated[int, Field(alias="a")]) -> None: ...

    with pytest.raises(ConfigurationError, match="two parameters are shown as `a`"):
        read(tool)


def test_a_type_of_a_class_that_refers_to_itself_is_refused_with_its_name() -> None:
    def tool(a: Self) -> None: ...  # type: ignore[valid-type]

    with pytest.raises(ConfigurationError, match=re.escape("parameter `a` has the type `typing.Self`")):
        read(tool)


# A lone model-like parameter is shown opened.


class Order(BaseModel):
    """An order."""

    sku: str = Field(description="Which thing")
    n: int = 1


class OrderDict(TypedDict):
    sku: str
    n: NotRequired[int]


@dataclasses.dataclass
class OrderData:
    """An order.

    Attributes:
        sku: Which thing
    """

    sku: str
    n: int = 1


class Aliased(BaseModel):
    sku: str = Field(alias="SKU")


class Open(BaseModel, extra="allow"):
    sku: str


class Query(BaseModel):
    query: str
    limit: int = 3


@pytest.mark.parametrize("kind", [Order, OrderData, Annotated[Order, "What to buy"]], ids=steady)
def test_the_fields_of_a_lone_model_are_shown_in_its_place(kind: Any) -> None:
    def buy(order: Any) -> Any:
        """Buy it."""
        return order

    buy.__annotations__["order"] = kind
    shape = read(buy)
    described = shape.parameters.pop("description")
    assert described == ("What to buy" if kind is not Order and kind is not OrderData else "An order.")
    assert shape.parameters == made({"sku": {"type": "string", "description": "Which thing"}, "n": a_number(1)}, "sku")
    expected = (OrderData if kind is OrderData else Order)(sku="x", n=2)
    for arguments in ('{"sku": "x", "n": 2}', '{"order": {"sku": "x", "n": 2}}'):
        assert shape.validate(arguments) == ([], {"order": expected})


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ("{}", "`sku` is required but missing"),
        ('{"sku": 1}', "`sku` must be a valid string; got 1"),
        ('{"sku": "x", "m": 1}', "`m` is not known; there are `sku`, `n`"),
        ('{"order": {"n": 1}}', "`order.sku` is required but missing"),
        ('{"order": {"sku": "x"}, "n": 1}', "`sku` is required but missing"),
        ('{"order": 5}', "`order` must be an object; got 5"),
        ("[]", "`arguments` must be an object; got []"),
        ('{"sku": "x", "sku": "y"}', "`sku` stands twice"),
    ],
)
def test_wrong_fields_of_a_lone_model_are_told_by_their_path(arguments: str, problem: str) -> None:
    def buy(order: OrderData) -> None: ...

    with pytest.raises(ArgumentsInvalid, match=re.escape(problem)):
        read(buy).validate(arguments)


def test_a_lone_typed_dict_is_opened_too() -> None:
    def buy(order: OrderDict) -> Any:
        return order

    shape = read(buy)
    assert shape.parameters == made({"sku": STRING, "n": INTEGER}, "sku")
    assert shape.validate('{"sku": "x"}') == shape.validate('{"order": {"sku": "x"}}') == ([], {"order": {"sku": "x"}})


def test_a_lone_model_may_have_a_field_of_the_name_of_the_parameter() -> None:
    def search(query: Query) -> Any:
        return query

    shape = read(search)
    for arguments in ('{"query": "x"}', '{"query": {"query": "x"}}'):
        assert shape.validate(arguments)[1] == {"query": Query(query="x")}
    with pytest.raises(ArgumentsInvalid, match=re.escape('`query` must be a valid string; got {"limit":1}')):
        shape.validate('{"query": {"limit": 1}}')


def test_a_lone_model_keeps_its_own_rule_for_other_keys_and_its_aliases() -> None:
    def open_one(order: Open) -> None: ...
    def aliased_one(order: Aliased) -> None: ...

    assert read(open_one).parameters["additionalProperties"] is True
    assert read(open_one).validate('{"sku": "x", "z": 1}')[1]["order"].z == 1
    assert read(aliased_one).parameters == made({"SKU": STRING}, "SKU")
    assert read(aliased_one).validate('{"SKU": "x"}')[1]["order"].sku == "x"


def test_a_lone_model_that_holds_itself_is_an_object_at_the_top() -> None:
    @dataclasses.dataclass
    class Part:
        name: str
        parts: "list[Part]" = dataclasses.field(default_factory=list)

    def tool(part: Part) -> Any:
        return part

    parameters = read(tool).parameters
    assert parameters["type"] == "object"
    assert parameters["properties"]["parts"]["items"] == {"$ref": "#/$defs/Part"}
    Draft202012Validator.check_schema(parameters)
    assert read(tool).validate('{"name": "a", "parts": [{"name": "b"}]}')[1]["part"].parts == [Part("b")]


@pytest.mark.parametrize(
    "annotation",
    [Order | None, list[Order], Literal["a"]],
    ids=steady,
)
def test_what_is_no_lone_model_is_shown_under_its_name(annotation: Any) -> None:
    def tool(order: Any) -> None: ...

    tool.__annotations__["order"] = annotation
    assert list(read(tool).parameters["properties"]) == ["order"]


def test_a_model_beside_others_or_with_a_default_is_shown_under_its_name() -> None:
    def two(order: Order, n: int) -> None: ...
    def optional(order: Order = Order(sku="x")) -> None: ...  # noqa: B008
    def rest(*order: Order) -> None: ...

    assert list(read(two).parameters["properties"]) == ["order", "n"]
    assert list(read(optional).parameters["properties"]) == ["order"]
    assert list(read(rest).parameters["properties"]) == ["order"]


def test_a_lone_model_beside_what_the_run_fills_is_opened() -> None:
    def tool(c: Marker, order: Order) -> Any:
        return c, order

    shape = read(tool, hidden=is_marker)
    assert list(shape.parameters["properties"]) == ["sku", "n"]
    assert tool(**shape.validate('{"sku": "x"}', "run")[1]) == ("run", Order(sku="x"))


def test_reading_by_code_object_and_by_inspect_give_the_same() -> None:
    for function in [row[0] for row in TABLE if inspect.isfunction(row[0])]:
        plain = [(one.name, one.kind, one.annotation) for one in read(function, later=True).order]
        found = inspect.signature(function).parameters.values()
        assert plain == [(one.name, int(one.kind), one.annotation) for one in found]
