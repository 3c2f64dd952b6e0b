"""Tools: made from functions and methods, called with what a model wrote, and their outcomes told."""

import asyncio
import collections
import dataclasses
import datetime as dt
import decimal
import enum
import functools
import inspect
import json
import math
import pathlib
import re
import subprocess
import sys
import threading
import types
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from agentkit.errors import ConfigurationError, ToolError
from agentkit.messages import ToolCall, ToolMessage, Usage, dump, load
from agentkit.tools import (
    MAX_RESULT,
    ArgumentsInvalid,
    Context,
    Told,
    Tool,
    ToolResult,
    answer,
    as_tools,
    bind,
    failure,
    tool,
    unknown,
)


def steady(value: Any) -> str:
    """A test's name that is the same in each process."""
    return re.sub(r" at 0x\w+", "", str(value))


def call(arguments: str = "{}", name: str = "f") -> ToolCall:
    return ToolCall("call_1", name, arguments)


def run(made: Tool[..., Any], arguments: str = "{}", context: Context[Any] | None = None) -> Any:
    return bind(made, call(arguments, made.name)).call(context)


async def arun(made: Tool[..., Any], arguments: str = "{}", context: Context[Any] | None = None) -> Any:
    return await bind(made, call(arguments, made.name)).acall(context)


# Making a tool.


@tool
def weather(city: str, days: int = 1) -> str:
    """Forecast for a city.

    Args:
        city: City name, e.g. Paris.
        days: How many days, 1 to 7.
    """
    return f"{city}: sunny for {days} day(s)"


def test_a_tool_is_still_the_function_that_it_wraps() -> None:
    assert weather("Paris") == weather(city="Paris", days=1) == "Paris: sunny for 1 day(s)"
    assert inspect.signature(weather) == inspect.signature(weather.function)
    assert weather.__name__ == "weather"
    assert repr(weather).startswith("<Tool weather (test_tools.py:")


def test_the_definition_is_the_wire_form() -> None:
    assert weather.definition() == {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "Forecast for a city.",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string", "description": "City name, e.g. Paris."},
                    "days": {"type": "integer", "description": "How many days, 1 to 7.", "default": 1},
                },
                "required": ["city"],
                "additionalProperties": False,
            },
        },
    }
    assert weather.schema == weather.definition()["function"]["parameters"]


def test_a_definition_always_has_a_description_and_parameters() -> None:
    @tool
    def list_all_files() -> None: ...

    function = list_all_files.definition()["function"]
    assert function["description"] == "List all files."
    assert function["parameters"] == {"type": "object", "properties": {}, "additionalProperties": False}


def test_options_are_attributes() -> None:
    def verdict(*_: Any) -> bool:
        return True

    @tool(
        name="other",
        description="Told.",
        timeout=2.5,
        retries=2,
        approval=verdict,
        sequential=True,
        side_effects="none",
        max_result=500,
        strict=True,
    )
    def function(x: int) -> int:
        return x

    assert (function.name, function.description) == ("other", "Told.")
    assert function.options() == {
        "timeout": 2.5,
        "retries": 2,
        "approval": verdict,
        "sequential": True,
        "side_effects": "none",
        "max_result": 500,
        "strict": True,
    }
    assert function(3) == 3


def test_the_options_have_the_defaults_of_the_contract() -> None:
    assert weather.options() == {
        "timeout": None,
        "retries": 0,
        "approval": False,
        "sequential": False,
        "side_effects": "unsafe",
        "max_result": 16_000,
        "strict": False,
    }
    assert not weather.is_async
    assert not weather.wants_context


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timeout": 0}, "`timeout` is a number of seconds above 0 (up to 1,000,000,000), or `None`; got `0`"),
        ({"timeout": "5"}, "or `None`; got `'5'`"),
        ({"timeout": math.inf}, "or `None`; got `inf`"),
        ({"timeout": True}, "`timeout` is a number of seconds"),
        ({"timeout": math.nan}, "`timeout` is a number of seconds"),
        ({"retries": -1}, "`retries` is a whole number from 0; got `-1`"),
        ({"retries": 1.5}, "`retries` is a whole number from 0; got `1.5`"),
        ({"max_result": 10}, "`max_result` is a number of characters from 100; got `10`"),
        ({"side_effects": "some"}, '`side_effects` is "none", "idempotent" or "unsafe"; got `\'some\'`'),
        ({"side_effects": []}, '`side_effects` is "none", "idempotent" or "unsafe"; got `[]`'),
        ({"approval": "yes"}, "`approval` is `True`, `False` or a function; got `'yes'`"),
        ({"sequential": 1}, "`sequential` is `True` or `False`; got `1`"),
        ({"strict": None}, "`strict` is `True` or `False`; got `None`"),
        ({"name": "a b"}, "its name is `a b`"),
    ],
    ids=steady,
)
def test_an_option_without_sense_is_refused_at_decoration(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:

        @tool(**options)
        def function() -> None: ...

    assert message in str(caught.value)
    assert re.search(r"\(test_tools\.py:\d+\)$", str(caught.value))


def test_what_is_a_tool_already_is_not_made_one_again() -> None:
    with pytest.raises(ConfigurationError, match="`weather` cannot be a tool: it is a tool already"):
        tool(weather)


def test_a_lambda_with_a_name_is_a_tool() -> None:
    assert run(tool(lambda x, y=2: x + y, name="add"), '{"x": 1}') == 3


def test_a_strict_tool_is_defined_in_the_subset_if_that_can_be() -> None:
    @tool(strict=True)
    def good(n: Annotated[list[int], Field(min_length=1)], unit: str = "C") -> None:
        """Do it.

        Args:
            n: The numbers.
            unit: The unit.
        """

    @tool(strict=True)
    def bad(labels: dict[str, int]) -> None: ...

    function = good.definition()["function"]
    assert function["strict"] is True
    assert function["parameters"]["required"] == ["n", "unit"]
    assert good.schema["required"] == ["n"]
    assert good.findings() == ["checked here only, since strict mode cannot take it: `n`: `minItems`"]
    assert "strict" not in bad.definition()["function"]
    assert bad.definition()["function"]["parameters"] == bad.schema
    assert "sent without strict mode, since `labels` may have keys of any name" in bad.findings()
    with pytest.raises(ArgumentsInvalid, match="at least 1 item"):
        bind(good, call('{"n": []}'))


def test_ten_thousand_tools_are_quickly_made() -> None:
    program = """
import time
from agentkit.tools import Tool, as_tools
def function(a: int, b: str = ""):
    '''Do it.

    Args:
        a: The a.
    '''
began = time.process_time()
schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
found = as_tools([Tool(function, name=f"t{n}") for n in range(5_000)]
    + [Tool.from_schema(function, name=f"u{n}", description="x", parameters=schema) for n in range(5_000)])
assert len([one.definition() for one in found.values()]) == 10_000
assert time.process_time() - began < 20, time.process_time() - began
"""
    subprocess.run([sys.executable, "-c", program], check=True)


# Methods.


class Shop:
    def __init__(self, name: str) -> None:
        self.name = name

    @tool
    def buy(self, what: str, context: Context[str], n: int = 1) -> Any:
        """Buy something."""
        return self.name, what, context.value, n

    @tool(name="sell_now", retries=1)
    async def sell(self, what: str) -> Any:
        return self.name, what

    @tool
    @classmethod
    def open(cls, name: str) -> Any:
        return cls, name

    @classmethod
    @tool
    def close(cls, name: str) -> Any:
        return cls, name

    @tool
    @staticmethod
    def price(what: str) -> Any:
        return what

    @staticmethod
    @tool
    def weigh(what: str) -> Any:
        return what

    @tool
    def add(a: int, b: int) -> int:  # type: ignore[misc]
        return a + b


class CornerShop(Shop):
    pass


NAME = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}
WHAT = {
    "type": "object",
    "properties": {"what": {"type": "string"}},
    "required": ["what"],
    "additionalProperties": False,
}


def test_a_tool_in_a_class_is_a_method() -> None:
    first, second = Shop("a"), CornerShop("b")
    assert first.buy.schema["required"] == ["what"]
    assert list(first.buy.schema["properties"]) == ["what", "n"]
    assert first.buy.description == "Buy something."
    assert run(first.buy, '{"what": "tea"}', Context("me")) == ("a", "tea", "me", 1)
    assert run(second.buy, '{"what": "tea"}', Context("me")) == ("b", "tea", "me", 1)
    assert first.buy("tea", Context("me"), n=2) == ("a", "tea", "me", 2)
    assert Shop.buy(first, "tea", Context("me")) == ("a", "tea", "me", 1)
    assert (first.sell.name, first.sell.retries, first.sell.is_async) == ("sell_now", 1, True)
    assert asyncio.run(arun(first.sell, '{"what": "tea"}')) == ("a", "tea")


def test_class_and_static_methods_are_tools_whichever_way_they_are_decorated() -> None:
    shop = CornerShop("a")
    for made in (Shop.open, Shop.close):
        (made,) = as_tools([made]).values()
        assert made.schema == NAME
        assert run(made, '{"name": "x"}') == (Shop, "x")
    for made in (shop.open, shop.close, CornerShop.open):
        (made,) = as_tools([made]).values()
        assert run(made, '{"name": "x"}') == (CornerShop, "x")
    for made in (Shop.price, shop.price, Shop.weigh, shop.weigh):
        assert made.schema == WHAT
        assert run(made, '{"what": "x"}') == made("x") == "x"


def test_a_method_without_its_object_is_refused_and_a_function_in_a_class_is_none() -> None:
    class Plain:
        def method(self, x: int) -> None: ...

    for method in (Shop.buy, Plain.method):
        with pytest.raises(
            ConfigurationError, match=r"it is a method without its object\. Give the method of an object: `"
        ):
            as_tools([method])
    assert run(as_tools([Shop.add])["add"], '{"a": 1, "b": 2}') == 3


def test_bound_tools_do_not_keep_their_object_alive() -> None:
    import gc
    import weakref

    shop = Shop("a")
    assert shop.buy.schema
    gone = weakref.ref(shop)
    del shop
    gc.collect()
    assert gone() is None


# The context.


def test_the_context_is_filled_and_hidden() -> None:
    seen: list[Context[Any]] = []

    @tool
    def plain(x: int, context: Context) -> None:  # type: ignore[type-arg] # people leave it out
        seen.append(context)

    @tool
    def typed(context: "Context[dict[str, int]]", x: int) -> None:
        seen.append(context)

    @tool
    def optional(x: int, *, context: Context[int] | None = None) -> None:
        assert context is not None
        seen.append(context)

    @tool
    def old(x: int, context: Optional[Context[int]] = None) -> None:  # noqa: UP045
        assert context is not None
        seen.append(context)

    @tool
    def annotated(x: int, context: Annotated[Context[int], "not shown"]) -> None:
        seen.append(context)

    context = Context({"a": 1}, call_id="call_1", usage=Usage(1), idempotency_key="k")
    tools = (plain, typed, optional, old, annotated)
    for made in tools:
        assert made.wants_context
        assert list(made.schema["properties"]) == ["x"]
        run(made, '{"x": 1}', context)
        with pytest.raises(ArgumentsInvalid, match="`context` is not known"):
            bind(made, call('{"x": 1, "context": {}}'))
    assert seen == [context] * len(tools)


def test_a_container_of_contexts_is_no_context() -> None:
    with pytest.raises(ConfigurationError, match="parameter `x` has the type"):

        @tool
        def function(x: list[Context[threading.Lock]]) -> None: ...  # type: ignore[type-var]


def test_a_context_is_frozen_and_can_be_made_for_a_test() -> None:
    context = Context("value")
    assert (context.value, context.attempt, context.messages, context.usage) == ("value", 1, (), Usage())
    with pytest.raises(dataclasses.FrozenInstanceError):
        context.value = "other"  # type: ignore[misc]


# Tools by name.


def test_as_tools_takes_functions_tools_and_groups() -> None:
    def plain(x: int) -> int:
        return x

    @dataclasses.dataclass
    class Group:
        tools: list[Any]

    found = as_tools([plain, weather, Group([tool(plain, name="a"), Group([tool(plain, name="b")])]), Shop("s").buy])
    assert list(found) == ["plain", "weather", "a", "b", "buy"]
    assert all(isinstance(one, Tool) for one in found.values())
    assert as_tools([]) == {}
    assert list(as_tools(one for one in (weather,))) == ["weather"]


def test_two_tools_of_one_name_are_refused_with_their_places() -> None:
    def weather_too(x: int) -> None: ...

    with pytest.raises(ConfigurationError) as caught:
        as_tools([weather, tool(weather_too, name="weather")])
    assert re.fullmatch(
        r"two tools are called `weather` \(test_tools\.py:\d+ and test_tools\.py:\d+\); give one of them a `name=`",
        str(caught.value),
    )
    with pytest.raises(ConfigurationError, match=r"`sqrt` \(no source and test_tools"):
        as_tools([math.sqrt, tool(weather_too, name="sqrt")])


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ("weather", "`tools` is a list of functions and tools; got `'weather'`"),
        (weather, "`tools` is a list of functions and tools; got `<Tool weather"),
        ({"a": weather}, "`tools` is a list of functions and tools; got `{'a'"),
        (None, "`tools` is a list of functions and tools; got `None`"),
        ([5], "`5` cannot be a tool, since it cannot be called. Give a function"),
        (["weather"], "`'weather'` cannot be a tool, since it cannot be called"),
        ([Shop], "`Shop` cannot be a tool: it is a class"),
        ([lambda: 1], "a lambda has no name"),
    ],
    ids=steady,
)
def test_what_is_no_list_of_tools_is_refused(items: Any, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        as_tools(items)
    assert message in str(caught.value)


# A ready schema.

SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "integer"}, "b-c": {}},
    "required": ["a"],
    "additionalProperties": False,
}


def keywords(**given_: Any) -> Any:
    return given_


def test_a_tool_from_a_schema_calls_its_function_with_keywords() -> None:
    made = Tool.from_schema(keywords, name="k", description="Do.", parameters=SCHEMA, retries=3, strict=False)
    assert made.definition() == {
        "type": "function",
        "function": {"name": "k", "description": "Do.", "parameters": SCHEMA},
    }
    assert run(made, '{"a": 1, "b-c": [2]}') == {"a": 1, "b-c": [2]}
    assert run(made, '{"a": "left to the function"}') == {"a": "left to the function"}
    assert made.retries == 3
    assert made(a=5) == {"a": 5}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ("{}", "`a` is required but missing"),
        ("", "`a` is required but missing"),
        ('{"a": 1, "z": 2}', "`z` is not known; there are `a`, `b-c`"),
        ("[1]", "`arguments` must be an object; got [1]"),
        ('{"a": 1', "not valid JSON: EOF while parsing an object"),
        ('{"a": NaN}', "must not hold NaN"),
        ('{"a": 1, "a": 2}', "`a` stands twice"),
        ('{"a": {"b": 1, "b": 2}}', "`b` stands twice"),
    ],
)
def test_a_tool_from_a_schema_checks_what_it_can(arguments: str, problem: str) -> None:
    made = Tool.from_schema(keywords, name="k", description="Do.", parameters=SCHEMA)
    with pytest.raises(ArgumentsInvalid) as caught:
        bind(made, call(arguments))
    assert problem in str(caught.value)


def test_a_schema_is_completed_but_not_changed() -> None:
    given_: dict[str, Any] = {}
    made = Tool.from_schema(keywords, name="get_it", description="", parameters=given_)
    assert made.schema == {"type": "object", "properties": {}}
    assert made.description == "Get it."
    assert given_ == {}
    assert run(made, '{"anything": 1}') == {"anything": 1}
    patterned = {"type": "object", "patternProperties": {"^x_": {}}, "additionalProperties": False}
    made = Tool.from_schema(keywords, name="k", description="", parameters=patterned)
    assert run(made, '{"x_1": 1}') == {"x_1": 1}
    with pytest.raises(ArgumentsInvalid, match="`y` is not known"):
        bind(made, call('{"y": 1}'))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"type": "array"}, "its `parameters` are no JSON Schema of type `object`"),
        ([], "its `parameters` are no JSON Schema of type `object`"),
        (None, "its `parameters` are no JSON Schema of type `object`"),
        ({"properties": []}, "`properties` is no object or `required` no list"),
        ({"required": "a"}, "`properties` is no object or `required` no list"),
        ({"required": [1]}, "the names in `properties` and `required` are not all texts"),
        ({"properties": {1: {}}}, "the names in `properties` and `required` are not all texts"),
        ({"properties": {"a": {"default": math.nan}}}, "its `parameters` are no JSON (Out of range"),
        ({"properties": {"a": {"default": {1}}}}, "its `parameters` are no JSON (Object of type set"),
        ({"patternProperties": {"(": {}}}, "`patternProperties` has no valid pattern (missing )"),
    ],
    ids=steady,
)
def test_a_schema_that_endpoints_refuse_is_refused_first(parameters: Any, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Tool.from_schema(keywords, name="k", description="Do.", parameters=parameters)
    assert message in str(caught.value)
    with pytest.raises(ConfigurationError, match="its name is `a b`"):
        Tool.from_schema(keywords, name="a b", description="Do.", parameters={})
    with pytest.raises(ConfigurationError, match="`retries`"):
        Tool.from_schema(keywords, name="k", description="Do.", parameters={}, retries=-1)


def test_a_tool_from_a_schema_may_ask_for_the_context() -> None:
    def function(context: Context[str], **given_: Any) -> Any:
        return context.value, given_

    made = Tool.from_schema(function, name="k", description="Do.", parameters={})
    assert made.wants_context
    assert run(made, '{"a": 1}', Context("me")) == ("me", {"a": 1})
    with pytest.raises(ArgumentsInvalid, match="`context` is not known"):
        bind(made, call('{"context": 1}'))


# Running.


async def double(x: int) -> int:
    await asyncio.sleep(0)
    return 2 * x


class AsyncCaller:
    async def __call__(self, x: int) -> int:
        return 2 * x


def numbers(n: int) -> Iterator[int]:
    yield from range(n)


async def anumbers(n: int) -> AsyncIterator[int]:
    for number in range(n):
        yield number


def test_async_functions_are_told_from_plain_ones() -> None:
    asynchronous: list[Callable[..., Any]] = [double, functools.partial(double, 1), AsyncCaller(), anumbers]
    assert all(tool(one, name="t").is_async for one in asynchronous)
    plain: list[Callable[..., Any]] = [numbers, math.sqrt, functools.partial(numbers, 1), Shop("a").buy.function]
    assert not any(tool(one, name="t").is_async for one in plain)


def test_async_functions_are_awaited() -> None:
    assert asyncio.run(arun(tool(double), '{"x": 2}')) == 4
    assert asyncio.run(arun(tool(AsyncCaller()), '{"x": 2}')) == 4
    assert asyncio.run(arun(tool(functools.partial(double, 3), name="t"))) == 6


def test_generators_are_collected() -> None:
    assert run(tool(numbers), '{"n": 3}') == [0, 1, 2]
    assert run(tool(lambda: map(str, [1, 2]), name="t")) == ["1", "2"]
    assert asyncio.run(arun(tool(anumbers), '{"n": 3}')) == [0, 1, 2]


def test_a_plain_function_that_returns_an_awaitable_is_awaited() -> None:
    def wrapper(x: int) -> Any:
        return double(x)

    assert run(tool(wrapper), '{"x": 2}') == 4
    assert run(tool(lambda: anumbers(2), name="t")) == [0, 1]

    async def within() -> Any:
        return run(tool(wrapper), '{"x": 2}')

    with pytest.raises(ConfigurationError, match="plain function that returns an awaitable"):
        asyncio.run(within())


def test_a_second_attempt_gets_fresh_arguments() -> None:
    @tool
    def pops(items: list[int]) -> Any:
        items.pop()
        return items

    bound = bind(pops, call('{"items": [1, 2]}'))
    assert bound.call() == bound.call() == [1]


def test_one_tool_may_be_called_from_many_threads_at_its_first_use() -> None:
    @tool
    def function(x: "Late", y: int = 1) -> Any:
        return x, y

    class Late(BaseModel):
        n: int

    outcomes: list[Any] = []
    start = threading.Barrier(8)

    def work() -> None:
        start.wait()
        outcomes.append(run(function, '{"x": {"n": 1}}'))

    function.shape.settle()
    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert outcomes == [(Late(n=1), 1)] * 8


# What the model is told.


class Color(enum.Enum):
    RED = "red"


class Word(enum.StrEnum):
    YES = "yes"


@dataclasses.dataclass
class Point:
    x: int
    when: dt.date = dt.date(2026, 1, 2)


class Person(BaseModel):
    name: str


class Silent:
    pass


class Loud:
    def __repr__(self) -> str:
        return f"Loud({'x' * 1000}) at 0x7f00"


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class Endless:
    def tolist(self) -> Any:
        return [Endless()]


class Array:
    """What numpy's arrays and scalars have in common."""

    def tolist(self) -> Any:
        return [1, [2]]


CIRCLE: list[Any] = []
CIRCLE.append(CIRCLE)
ROUND: collections.UserList[Any] = collections.UserList()
ROUND.append(ROUND)

RESULTS: list[tuple[Any, str]] = [
    ("as it is", "as it is"),
    ("", ""),
    ("é 中文 😀", "é 中文 😀"),
    ("half \ud800 pair", "half � pair"),
    ("\ud83d\ude00", "😀"),
    (Word.YES, "yes"),
    (None, "null"),
    (True, "true"),
    (3, "3"),
    (10**30, "1" + "0" * 30),
    (1.5, "1.5"),
    (math.nan, "NaN"),
    (math.inf, "Infinity"),
    ([1, "a", None], '[1,"a",null]'),
    ((1, 2), "[1,2]"),
    ({"a": {"b": [1]}}, '{"a":{"b":[1]}}'),
    ({1: 2, None: 3, False: 4}, '{"1":2,"None":3,"false":4}'),
    ({(1, 2): 3}, '{"1,2":3}'),
    ({5}, "[5]"),
    (frozenset({"a"}), '["a"]'),
    (collections.deque([1]), "[1]"),
    (Point(1), '{"x":1,"when":"2026-01-02"}'),
    (Person(name="Li"), '{"name":"Li"}'),
    ([Person(name="Li"), Point(2)], '[{"name":"Li"},{"x":2,"when":"2026-01-02"}]'),
    (Color.RED, '"red"'),
    (dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.UTC), '"2026-01-02T03:04:00Z"'),
    (dt.timedelta(hours=1), '"PT1H"'),
    (decimal.Decimal("1.50"), '"1.50"'),
    (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
    (pathlib.PurePosixPath("/a/b"), '"/a/b"'),
    (b"hello", "[5 bytes as base64] aGVsbG8="),
    (bytearray(b"\xff"), "[1 bytes as base64] /w=="),
    ({"data": b"\xff\xfe"}, '{"data":"__4="}'),
    ({"half": "\ud800"}, '{"half":"�"}'),
    (Silent(), '"<Silent>"'),
    ([Silent(), 1], '["<Silent>",1]'),
    (Broken(), '"<Broken>"'),
    (CIRCLE, '"[[...]]"'),
    (range(3), "[0,1,2]"),
    ({"a": 1}.keys(), '["a"]'),
    ({"a": 1}.items(), '[["a",1]]'),
    (collections.UserDict(a=[range(2)]), '{"a":[[0,1]]}'),
    (types.MappingProxyType({"a": 1}), '{"a":1}'),
    (Array(), "[1,[2]]"),
    (re.compile("a+"), '"a+"'),
    (ROUND, '"[[...]]"'),
    (Endless(), '"<Endless>"'),
    (1 + 2j, '"1+2j"'),
    (int, "\"<class 'int'>\""),
    (ToolResult("text", data={"a": 1}), "text"),
    (ToolResult({"a": 1}), '{"a":1}'),
]


@pytest.mark.parametrize(("value", "text"), RESULTS, ids=lambda one: type(one).__name__)
def test_a_result_is_told_as_text(value: Any, text: str) -> None:
    message = answer(call(), value, weather).message
    assert message == ToolMessage("call_1", "f", text, ok=True, data=message.data)
    assert load(dump([message])) == [message]


@pytest.mark.parametrize(
    ("value", "kinds"),
    [
        (Silent(), "`Silent`"),
        ([Silent(), {"a": Loud()}, Silent()], "`Silent`, `Loud`"),
        (CIRCLE, "`list`"),
        (ROUND, "`UserList`"),
        (Endless(), "`Endless`"),
        (Broken(), "`Broken`"),
        (int, "`type`"),
        (ToolResult("text", data=Silent()), "`Silent`"),
        (ToolResult(Silent(), data=Loud()), "`Loud`, `Silent`"),
    ],
    ids=lambda one: type(one).__name__,
)
def test_what_json_has_no_form_for_is_told_with_a_warning(value: Any, kinds: str) -> None:
    warning = answer(call(), value, weather).warning
    assert warning.startswith(
        f"the result of tool `f` holds what JSON has no form for, or holds itself ({kinds}); the model is told a short"
    )


@pytest.mark.parametrize(("value", "text"), RESULTS, ids=lambda one: type(one).__name__)
def test_what_json_has_a_form_for_is_told_without_a_warning(value: Any, text: str) -> None:
    odd = re.search(r"<|\[\.\.\.\]", text) is not None
    assert bool(answer(call(), value, weather).warning) == odd


def test_an_unreadable_object_is_told_short_and_without_its_address() -> None:
    text = answer(call(), Loud(), weather).message.text
    assert len(text) < 600
    assert "0x7f00" not in text
    assert "0x" not in answer(call(), [lambda: 1, object()], weather).message.text


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        ({"a": (1, 2)}, {"a": [1, 2]}),
        (Point(1), {"x": 1, "when": "2026-01-02"}),
        (None, None),
        (math.nan, "NaN"),
        ("\ud800", "�"),
        (Silent(), "<Silent>"),
        (CIRCLE, "[[...]]"),
        (b"\xff", "_w=="),
    ],
    ids=steady,
)
def test_the_data_of_a_result_is_kept_as_json_for_the_program(data: Any, kept: Any) -> None:
    message = answer(call(), ToolResult("text", data=data), weather).message
    assert message == ToolMessage("call_1", "f", "text", data=kept)
    assert load(dump([message])) == [message]


@pytest.mark.parametrize("depth", [200, 201, 230, 300])
def test_data_that_goes_too_deep_for_readers_of_json_is_told_short(depth: int) -> None:
    deep: Any = 1
    for _ in range(depth):
        deep = [deep]
    told = answer(call(), ToolResult("text", data=deep), weather)
    assert (told.message.data == deep) == (depth == 200)
    assert ("`list`" in told.warning) == (depth > 200)
    assert load(dump([told.message])) == [told.message]


def test_data_with_a_number_that_readers_of_json_refuse_is_told_short() -> None:
    told = answer(call(), ToolResult("text", data={"n": 10**5_000}), weather)
    assert isinstance(told.message.data, str)
    assert "`dict`" in told.warning


def test_a_long_result_is_cut_in_the_middle_with_a_note() -> None:
    text = "a" * 14_000 + "b" * 6_000
    message = answer(call(), text, weather).message
    assert len(message.text) == MAX_RESULT
    head, note, tail = re.fullmatch(
        r"(a+)\n\[… ([\d,]+) of 20,000 characters cut here; ask for a smaller part …\]\n(b+)", message.text
    ).groups()  # type: ignore[union-attr]
    assert int(note.replace(",", "")) == 20_000 - len(head) - len(tail)
    exact = "a" * MAX_RESULT
    assert answer(call(), exact, weather) == Told(ToolMessage("call_1", "f", exact))
    assert answer(call(), text, weather).whole == text


def test_a_cut_result_says_how_to_turn_the_page_if_the_tool_can() -> None:
    @tool(max_result=400)
    def read_file(path: str, offset: int = 0, limit: int = 100) -> str:
        return "x" * 1_000

    told = answer(call(name="read_file"), read_file("a"), read_file)
    assert re.search(
        r"x\n\[… \d+ of 1,000 characters cut here;"
        r" for the rest, call `read_file` again with other values of `offset` and `limit` …\]\nx",
        told.message.text,
    )
    assert len(told.message.text) == 400
    small = tool(read_file.function, name="read_file", max_result=100)
    assert "ask for a smaller part" in answer(call(), "x" * 1_000, small).message.text, "no room for more"


@given(st.integers(100, 400), st.integers(0, 3_000))
def test_a_result_is_never_longer_than_max_result(most: int, length: int) -> None:
    made = tool(lambda: "", name="t", max_result=most)
    text = answer(call(), "x" * length, made).message.text
    assert len(text) <= most
    assert (text == "x" * length) == (length <= most)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ToolError("Order 5 is shipped already."), "Order 5 is shipped already."),
        (ToolError("half \ud800"), "half �"),
        (ToolError(), "`f` failed (`ToolError`)"),
        (ValueError("password=hunter2"), "`f` failed (`ValueError`)"),
        (KeyError("x"), "`f` failed (`KeyError`)"),
        (SystemExit(1), "`f` failed (`SystemExit`)"),
        (asyncio.CancelledError(), "`f` failed (`CancelledError`)"),
        (ExceptionGroup("secret", [ValueError("x")]), "`f` failed (`ExceptionGroup`)"),
    ],
    ids=steady,
)
def test_a_failure_tells_no_more_than_it_may(error: BaseException, text: str) -> None:
    assert failure(call(), error) == Told(ToolMessage("call_1", "f", text, ok=False))


def test_wrong_arguments_are_told_as_a_list() -> None:
    with pytest.raises(ArgumentsInvalid) as caught:
        bind(weather, call('{"days": "many"}', "weather"))
    message = failure(call("", "weather"), caught.value).message
    assert not message.ok
    assert message.text == (
        "`weather` was not run, because its arguments are wrong:\n"
        "1. `city` is required but missing\n"
        '2. `days` must be a valid integer; got "many"\n'
        "Call it again with these mended."
    )


def test_a_long_error_text_is_cut() -> None:
    told = failure(call(), ToolError("x" * 50_000))
    assert len(told.message.text) == MAX_RESULT
    assert told.whole == "x" * 50_000


def test_an_unknown_tool_is_told_with_those_there_are() -> None:
    message = unknown(call(name="find_oder"), ["find_order", "refund"])
    assert message == ToolMessage(
        "call_1",
        "find_oder",
        "There is no tool `find_oder`. Did you mean `find_order`? The tools are: `find_order`, `refund`.",
        ok=False,
    )
    assert unknown(call(name="x"), ["refund"]).text == "There is no tool `x`. The tools are: `refund`."
    assert unknown(call(name="x"), []).text == "There is no tool `x`. There are no tools."
    assert "Did you mean `find_order`?" in unknown(call(name="functions.Find-Order"), ["refund", "find_order"]).text
    assert len(unknown(call(name="y" * 1_000_000), ["refund"]).text) < 200
    unknown(call(name="\ud800"), ["refund"]).text.encode()


def test_a_schema_that_was_handed_in_is_kept_as_it_was() -> None:
    parameters: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "integer"}}}
    made = Tool.from_schema(lambda **given: given, name="k", description="Do.", parameters=parameters)
    parameters["properties"]["a"]["type"] = "string"
    assert made.schema["properties"] == {"a": {"type": "integer"}}


def test_of_very_many_tools_some_are_told_and_the_nearest() -> None:
    names = [f"look_up_{number}" for number in range(10_000)]
    text = unknown(call(name="lookUp9999"), names).text
    assert "Did you mean `look_up_9999`?" in text
    assert text.endswith("`look_up_199` and 9,800 more.")
    assert len(text) < 5_000


def test_a_partial_of_an_object_that_can_be_called_is_what_the_object_is() -> None:
    class FindOrder:
        """Find an order."""

        async def __call__(self, order: int, shop: str) -> str:
            return f"{shop} {order}"

    one = tool(functools.partial(functools.partial(FindOrder(), 7), shop="main"))
    assert (one.name, one.description, one.is_async) == ("find_order", "Find an order.", True)
    assert one.schema["properties"] == {}
    assert asyncio.run(bind(one, call("{}")).acall()) == "main 7"


def test_what_is_run_again_though_a_repetition_may_do_harm_is_a_finding() -> None:
    def pay(amount: float) -> str:
        """Pay.

        Args:
            amount: How much.
        """
        return f"{amount:g}"

    assert tool(pay).findings() == []
    assert tool(pay, retries=2, side_effects="idempotent").findings() == []
    (found,) = tool(pay, retries=2).findings()
    assert found.startswith("a call that fails is run again (`retries=2`) although `side_effects` is")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.frozensets(st.integers()),
        max_leaves=8,
    )
)
def test_whatever_a_tool_returns_can_be_told_and_kept(value: Any) -> None:
    message = answer(call(), ToolResult(value, data=value), weather).message
    message.text.encode()
    assert load(dump([message])) == [message]
    if not isinstance(value, str | bytes):
        json.loads(message.text)
