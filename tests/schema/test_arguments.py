"""Arguments that do not fit: the model is told what is wrong, where, and with which value; nothing crashes."""

import json
import re
import time
from typing import Annotated, Any, Literal, TypedDict

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from agentkit.schema import ArgumentsInvalid, Given, Shape, Source, nearest, read


def steady(value: Any) -> str:
    """A test's name that is the same in each process."""
    return re.sub(r" at 0x\w+", "", str(value))


class Item(BaseModel):
    name: str
    price: float = Field(gt=0)


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]


class Extra(TypedDict):
    a: int


def even(value: int) -> int:
    if value % 2:
        raise ValueError("must be even, please")
    return value


def refund(
    order: int,
    amount: Annotated[float, Field(le=500)],
    items: list[Item] = [],  # noqa: B006
    reason: Literal["broken", "late"] = "late",
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None,
    either: int | list[int] = 0,
    labels: dict[str, int] = {},  # noqa: B006
    half: Annotated[int, AfterValidator(even)] = 0,
    flag: bool = False,
    point: tuple[int, int] = (0, 0),
) -> None: ...


REFUND = read(refund)


def outcome(shape: Shape, arguments: str) -> str:
    """What the model is told, or `"taken"`."""
    try:
        shape.check(arguments)
    except ArgumentsInvalid as error:
        return str(error)
    return "taken"


def problems(arguments: str | bytes) -> list[str]:
    with pytest.raises(ArgumentsInvalid) as caught:
        REFUND.check(arguments)
    return [str(one) for one in caught.value.problems]


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ({}, ["`order` is required but missing"]),
        ({"order": "a lot"}, ['`order` must be a valid integer; got "a lot"']),
        ({"order": 1.5}, ["`order` must be a valid integer, got a number with a fractional part; got 1.5"]),
        ({"order": None}, ["`order` must be a valid integer; got null"]),
        ({"amount": 501}, ["`amount` must be less than or equal to 500; got 501"]),
        ({"amount": []}, ["`amount` must be a valid number; got []"]),
        ({"ordr": 1}, ["`ordr` is not known; did you mean `order`?"]),
        (
            {"zzzzzz": 1},
            ["`zzzzzz` is not known; there are " + ", ".join(f"`{name}`" for name in REFUND.parameters["properties"])],
        ),
        ({"items": {}}, ["`items` must be a valid array; got {}"]),
        ({"items": [1]}, ["`items[0]` must be an object; got 1"]),
        ({"items": [{"name": "a", "price": 1}, {"price": 0}]}, None),
        ({"reason": "lost"}, ["`reason` must be 'broken' or 'late'; got \"lost\""]),
        ({"pet": {"kind": "cow"}}, None),
        ({"pet": {"kind": "cat"}}, ["`pet.lives` is required but missing"]),
        ({"pet": {"kind": "cat", "lives": "x"}}, ['`pet.lives` must be a valid integer; got "x"']),
        ({"either": "x"}, ['`either` must be a valid integer, or must be a valid array; got "x"']),
        (
            {"either": [1, "x"]},
            ['`either` must be a valid integer; got [1,"x"]', '`either[1]` must be a valid integer; got "x"'],
        ),
        ({"labels": {"a b": "x"}}, ['`labels["a b"]` must be a valid integer; got "x"']),
        ({"half": 3}, ["`half` must be even, please; got 3"]),
        ({"flag": "perhaps"}, ['`flag` must be a valid boolean; got "perhaps"']),
        ({"point": [1]}, ["`point[1]` is required but missing"]),
    ],
    ids=steady,
)
def test_a_problem_is_told_by_path_rule_and_value(given_: dict[str, Any], expected: list[str] | None) -> None:
    whole = {"order": 1, "amount": 2, **given_} if given_ else {"amount": 2}
    found = problems(json.dumps(whole))
    if expected is None:
        expected = {
            "items": [
                "`items[1].name` is required but missing",
                "`items[1].price` must be greater than 0; got 0",
            ],
            "pet": ["`pet` has a wrong 'kind', which must be one of 'cat', 'dog'"],
        }[next(iter(given_))]
        found = [one.partition("; got {")[0] for one in found]
    assert found == expected


def test_the_whole_text_is_short_numbered_and_says_that_nothing_ran() -> None:
    with pytest.raises(ArgumentsInvalid) as caught:
        REFUND.check('{"amount": "x", "order": 1, "flg": true}')
    assert str(caught.value) == (
        "`refund` was not run, because its arguments are wrong:\n"
        '1. `amount` must be a valid number; got "x"\n'
        "2. `flg` is not known; did you mean `flag`?\n"
        "Call it again with these mended."
    )


def test_of_many_problems_the_first_are_told_and_the_others_counted() -> None:
    with pytest.raises(ArgumentsInvalid) as caught:
        REFUND.check(json.dumps({"order": 1, "amount": 1, "labels": {f"k{n}": "x" for n in range(25)}}))
    lines = str(caught.value).split("\n")
    assert lines[10] == '10. `labels.k9` must be a valid integer; got "x"'
    assert lines[11] == "… and 15 more."
    assert len(lines) == 13


def test_a_long_value_is_shown_cut() -> None:
    (problem,) = problems(json.dumps({"order": "x" * 10_000, "amount": 1}))
    assert len(problem) < 150
    assert " … " in problem


MALFORMED: dict[str, tuple[str | bytes, str]] = {
    "cut": ('{"order": 1, "amou', "EOF while parsing a string at line 1 column 18"),
    "open": ("{", "EOF while parsing an object at line 1 column 1"),
    "two surplus": ('{"order": 1}}}', 'trailing characters at line 1 column 13, near "{\\"order\\": 1}}}"'),
    "two objects": ('{"order": 1}{"order": 2}', "trailing characters at line 1 column 13"),
    "prose": ("Sure, here you go", "expected value at line 1 column 1"),
    "bare key": ("{order: 1}", "key must be a string at line 1 column 2"),
    "two commas": ('{"order": 1,,}', "key must be a string at line 1 column 13"),
    "control character": ('{"order": "a\x01"}', "control character"),
    "escape": ('{"order": "\\x"}', "invalid escape at line 1 column 13"),
    "half a pair, escaped": ('{"order": "\\ud800"}', "unexpected end of hex escape"),
    "half a pair": ('{"order": "\ud800"}', "must be valid Unicode text; there is half of a surrogate pair in it"),
    "bad UTF-8": (b'{"order": "\xff"}', "invalid unicode code point"),
    "second line": ('{"order": 1,\n "amount": x}', 'expected value at line 2 column 12, near " \\"amount\\": x}"'),
    "long number": ('{"order": ' + "9" * 6000 + "}", "number out of range at line 1 column"),
    "array": ("[1, 2]", "must be an object; got [1,2]"),
    "text": ('"order"', 'must be an object; got "order"'),
    "number": ("3", "must be an object; got 3"),
    "byte order mark": ('\ufeff{"order": 1}', "expected value at line 1 column 1"),
    "deep": ('{"order": ' + "[" * 10_000 + "]" * 10_000 + "}", "recursion limit exceeded"),
    "deep objects": ('{"a":' * 10_000 + "1" + "}" * 10_000, "recursion limit exceeded"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_no_json_object_is_told_with_its_place(name: str) -> None:
    text, expected = MALFORMED[name]
    (problem,) = problems(text)
    assert problem.startswith("`arguments` must be ")
    assert expected in problem
    assert len(problem) < 400
    problem.encode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"order": 1, "amount": NaN}', "`amount` must be a finite number; got NaN"),
        ('{"order": 1, "amount": -Infinity}', "`amount` must be a finite number; got -Infinity"),
        ('{"order": 1, "amount": 1e999}', "`amount` must be a finite number; got Infinity"),
        ('{"order": 1, "amount": "nan"}', '`amount` must be a valid number; got "nan"'),
        ('{"order": 1, "amount": 1, "amount": 2}', "`amount` stands twice in one object; write it once"),
        (
            '{"order": 1, "amount": 1, "labels": {"a": 1, "b": 2, "a": 3}}',
            "`a` stands twice in one object; write it once",
        ),
        ('{"order": 1, "amount": 1, "order": "x"}', '`order` must be a valid integer; got "x"'),
    ],
)
def test_what_json_readers_let_through_is_refused(text: str, expected: str) -> None:
    assert problems(text) == [expected]
    assert problems(text.encode()) == [expected]


def test_a_value_of_any_type_holds_no_nan_either() -> None:
    def tool(x: Any, y: str = "") -> None: ...

    shape = read(tool)
    for text in ('{"x": NaN}', '{"x": [{"a": Infinity}]}', '{"x": -Infinity}'):
        with pytest.raises(ArgumentsInvalid, match="must not hold"):
            shape.check(text)
    assert shape.check('{"x": "NaN", "y": "a: Infinity"}') == {"x": "NaN", "y": "a: Infinity"}
    assert shape.check('{"x": {"a": {"a": 1}, "b": "a:a:a"}}')["x"] == {"a": {"a": 1}, "b": "a:a:a"}


@pytest.mark.parametrize("number", ["1e400", "-1E+999", "1e99999", "9" * 400 + ".5"])
def test_a_number_that_no_float_holds_is_not_taken_for_infinity(number: str) -> None:
    def tool(x: Any) -> None: ...

    given = Given("tool", "Do it.", {"properties": {"x": {}}}, Source(tool))
    for shape in (read(tool), given):
        for text in (f'{{"x": {number}}}', f'{{"x": {{"a": [{number}]}}}}'):
            for written in (text, text.encode()):
                with pytest.raises(ArgumentsInvalid, match="too great a number"):
                    shape.take(written)
        assert shape.take('{"x": "call 1e400"}').given == {"x": "call 1e400"}
        assert shape.take('{"x": 1e-400}').given == {"x": 0.0}
        assert shape.take(f'{{"x": {"9" * 400}}}').given == {"x": int("9" * 400)}


def test_a_number_that_no_float_holds_is_refused_also_where_a_validator_makes_a_text_of_it() -> None:
    def tool(x: Annotated[str, BeforeValidator(str)], y: int = 0) -> None: ...

    shape = read(tool)
    for _ in range(2):  # what was taken once is then taken by a shorter way
        with pytest.raises(ArgumentsInvalid, match="too great a number"):
            shape.take('{"x": 1e400}')
        assert shape.take('{"x": 1e4}').given == {"x": "10000.0"}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("CITY", "city"), ("City ", "city"), ("maxResults", "max_results"), ("max-results", "max_results"),
        ("args.city", "city"), ("functions.max_results", "max_results"), ("tools/city", "city"), ("citty", "city"),
        ("zebra", None), ("", None), ("...", None), ("city" * 1_000_000, None),
    ],
)  # fmt: skip
def test_the_nearest_name_is_found_through_case_signs_and_prefixes(written: str, meant: str | None) -> None:
    assert nearest(written, ["city", "max_results", "MAX_RESULTS"]) == meant
    assert nearest(written, []) is None


def test_large_numbers_come_whole() -> None:
    def tool(x: int, y: Any = None) -> None: ...

    assert read(tool).check('{"x": 123456789012345678901234567890, "y": 1e300}') == {
        "x": 123456789012345678901234567890,
        "y": 1e300,
    }


def test_a_megabyte_of_anything_takes_no_time_that_matters() -> None:
    def tool(x: str = "", y: list[int] = []) -> None: ...  # noqa: B006

    shape = read(tool)
    million = 1_000_000
    texts = [
        '{"x": "' + ":" * million + '"}',
        '{"x": "' + "\\\\" * (million // 2) + '"}',
        '{"' + "k" * million + '": 1}',
        "[" * million,
        "{" + ",".join(f'"k{n}": 1' for n in range(50_000)) + "}",
        '{"y": [' + "1," * (million // 2) + "1]}",
        "9" * million,
    ]
    began = time.process_time()
    for text in texts:
        assert len(outcome(shape, text)) < 3_000
    assert time.process_time() - began < 10  # a second or so; more would not be linear


def test_an_error_of_a_tools_own_validator_goes_its_way() -> None:
    def broken(value: int) -> int:
        raise LookupError("a defect of the program")

    def tool(x: Annotated[int, AfterValidator(broken)], y: int = 0) -> None: ...

    with pytest.raises(LookupError, match="a defect of the program"):
        read(tool).check('{"x": 1}')


def test_values_are_coerced_where_that_cannot_be_misunderstood() -> None:
    found = REFUND.check('{"order": "3", "amount": "2.5", "flag": "true", "either": 4.0}')
    assert found == {"order": 3, "amount": 2.5, "flag": True, "either": 4}
    with pytest.raises(ArgumentsInvalid):
        REFUND.check('{"order": "3", "amount": 1}', strict=True)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=10,
)


@given(ANY_JSON, st.data())
def test_any_json_is_taken_or_refused_with_a_text(value: Any, data: st.DataObject) -> None:
    key = data.draw(st.sampled_from([*REFUND.parameters["properties"], "other"]))
    for whole in (value, {"order": 1, "amount": 1, key: value}):
        text = json.dumps(whole, ensure_ascii=data.draw(st.booleans()))
        told = outcome(REFUND, text)
        assert re.match(r"taken|`refund` was not run, because its arguments are wrong:\n1\. `", told)
        told.encode()


@given(st.text() | st.binary())
@example("")
@example("null")
def test_any_text_is_taken_or_refused_with_a_text(text: str | bytes) -> None:
    with pytest.raises(ArgumentsInvalid) as caught:
        REFUND.check(text)
    str(caught.value).encode()


@given(st.dictionaries(st.text(max_size=3), st.integers(), min_size=1, max_size=4), st.data())
def test_a_key_that_stands_twice_never_passes(values: dict[str, int], data: st.DataObject) -> None:
    def tool(**values: int) -> None: ...

    shape = read(tool)
    pairs = [f"{json.dumps(key)}: {value}" for key, value in values.items()]
    assert shape.check("{" + ", ".join(pairs) + "}") == values
    twice = data.draw(st.sampled_from(list(values)))
    place = data.draw(st.integers(0, len(pairs)))
    pairs.insert(place, f"{json.dumps(twice)}: 5")
    with pytest.raises(ArgumentsInvalid, match="stands twice"):
        shape.check("{" + ", ".join(pairs) + "}")
