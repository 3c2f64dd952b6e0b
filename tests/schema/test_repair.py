"""Arguments as models write them: what is mended, what is read as another type, and that nothing is ever guessed."""

import dataclasses
import datetime as dt
import enum
import json
import time
import typing
from collections.abc import Callable
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, BeforeValidator, Field, StrictInt

from agentkit.schema import ArgumentsInvalid, Shape, read
from agentkit.schema.repair import mend


def anything(**values: Any) -> None: ...
def nothing() -> None: ...
def optional(a: int = 1) -> None: ...
def required(a: int) -> None: ...


ANYTHING, NOTHING, OPTIONAL, REQUIRED = map(read, (anything, nothing, optional, required))

OBJECT = '{"a": "x", "b": [1, {"c": null}]}'
MEANT = {"a": "x", "b": [1, {"c": None}]}
FENCE, HEADER, PYTHON, COMMA = "code fence", "json header", "Python literal", "trailing comma"
SURPLUS, MISSING, TWICE, EMPTY = (
    "surplus bracket", "missing bracket", "double encoding", "nothing for an empty object",
)  # fmt: skip

MENDED: list[tuple[str, Any, dict[str, int]]] = [
    # as it should be
    (OBJECT, MEANT, {}),
    (f" \n{OBJECT}\t", MEANT, {}),
    ('{"a": "```json"}', {"a": "```json"}, {}),
    ('{"a": "it\'s {not} [one,]"}', {"a": "it's {not} [one,]"}, {}),
    ('{"a": "True, None"}', {"a": "True, None"}, {}),
    ('{"json": 1}', {"json": 1}, {}),
    # a code fence
    (f"```json\n{OBJECT}\n```", MEANT, {FENCE: 1}),
    (f"```\n{OBJECT}\n```", MEANT, {FENCE: 1}),
    (f"```JSON {OBJECT}```", MEANT, {FENCE: 1}),
    (f"```{OBJECT}```", MEANT, {FENCE: 1}),
    (f"\n\n```json\r\n{OBJECT}\r\n```\n", MEANT, {FENCE: 1}),
    ("```python\n{'a': True}\n```", {"a": True}, {FENCE: 1, PYTHON: 2}),
    ('```json\n{"a": "```"}\n```', {"a": "```"}, {FENCE: 1}),
    # the word json
    (f"json\n{OBJECT}", MEANT, {HEADER: 1}),
    (f"JSON {OBJECT}", MEANT, {HEADER: 1}),
    (f"json{OBJECT}", MEANT, {HEADER: 1}),
    (f"```\njson\n{OBJECT}\n```", MEANT, {FENCE: 1, HEADER: 1}),
    # Python
    ("{'a': 'x'}", {"a": "x"}, {PYTHON: 2}),
    ('{"a": True, "b": False, "c": None}', {"a": True, "b": False, "c": None}, {PYTHON: 3}),
    ('{"a": [None, {"b": True}]}', {"a": [None, {"b": True}]}, {PYTHON: 2}),
    ("""{'a': "it's"}""", {"a": "it's"}, {PYTHON: 1}),
    ("""{'a': 'say "so"'}""", {"a": 'say "so"'}, {PYTHON: 2}),
    (r"""{'a': 'it\'s \"so\"'}""", {"a": "it's \"so\""}, {PYTHON: 2}),
    (r"{'a': '\n\t\\\x41\u00e9\ud83d\ude00'}", {"a": "\n\t\\Aé😀"}, {PYTHON: 2}),
    ("{'a': '{\"b\": 1}'}", {"a": '{"b": 1}'}, {PYTHON: 2}),
    ("{'a': 'é 中文 😀'}", {"a": "é 中文 😀"}, {PYTHON: 2}),
    ("{'': ''}", {"": ""}, {PYTHON: 2}),
    # trailing commas
    ('{"a": 1,}', {"a": 1}, {COMMA: 1}),
    ('{"a": [1, 2, ], "b": {"c": 1 , } ,\n}', {"a": [1, 2], "b": {"c": 1}}, {COMMA: 3}),
    ('{"a": ",}",}', {"a": ",}"}, {COMMA: 1}),
    # one bracket too many or too few, at the very end
    (OBJECT + "}", MEANT, {SURPLUS: 1}),
    (OBJECT + "]", MEANT, {SURPLUS: 1}),
    (OBJECT + "\n}\n", MEANT, {SURPLUS: 1}),
    (OBJECT[:-1], MEANT, {MISSING: 1}),
    ('{"a": "x"', {"a": "x"}, {MISSING: 1}),
    ('{"a": "x"\n', {"a": "x"}, {MISSING: 1}),
    ('{"a": true', {"a": True}, {MISSING: 1}),
    ('{"a": None', {"a": None}, {MISSING: 1, PYTHON: 1}),
    ('{"a": {"b": 1}', {"a": {"b": 1}}, {MISSING: 1}),
    ('{"a": []', {"a": []}, {MISSING: 1}),
    ('{"a": "}"', {"a": "}"}, {MISSING: 1}),
    # the text of a text
    (json.dumps(OBJECT), MEANT, {TWICE: 1}),
    (json.dumps(json.dumps(OBJECT)), MEANT, {TWICE: 2}),
    (json.dumps("{'a': 1,}"), {"a": 1}, {TWICE: 1, PYTHON: 1, COMMA: 1}),
    (json.dumps(OBJECT[:-1]), MEANT, {TWICE: 1, MISSING: 1}),
    (json.dumps(f"```json\n{OBJECT}\n```"), MEANT, {TWICE: 1, FENCE: 1}),
    ("'{\"a\": 1}'", {"a": 1}, {TWICE: 1, PYTHON: 1}),
    # several at once
    ("```json\n{'a': [True,],}}\n```", {"a": [True]}, {FENCE: 1, PYTHON: 2, COMMA: 2, SURPLUS: 1}),
]  # fmt: skip

LEFT = {
    "nothing": "",
    "blanks": " \n",
    "null": "null",
    "two missing": '{"a": {"b": "x"',
    "missing after a number": '{"a": 1',
    "missing after a negative number": '{"a": [1], "b": -2.5e3',
    "missing after a comma": '{"a": "x",',
    "missing after a colon": '{"a":',
    "missing after a key": '{"a"',
    "missing after the opening": "{",
    "missing after an inner opening": '{"a": [',
    "an inner bracket missing": '{"a": [1, 2}',
    "the wrong bracket": '{"a": [1, 2}}',
    "an inner bracket too many": '{"a": [1]], "b": 2}',
    "two too many": '{"a": 1}}}',
    "one too many, and words": '{"a": 1}} thanks',
    "an opening one too many": '{{"a": 1}',
    "cut in a string": '{"a": "x',
    "cut in a literal": '{"a": tru',
    "cut in Python": "{'a': Tru",
    "two commas": '{"a": 1,,}',
    "a comma alone": "{,}",
    "a comma first": '{,"a": 1}',
    "a comma behind": '{"a": 1},',
    "a comma missing": '{"a": 1 "b": 2}',
    "a colon missing": '{"a" 1}',
    "a bare key": "{a: 1}",
    "a number for a key": "{1: 2}",
    "an equals sign": '{"a"=1}',
    "a comment": '{"a": 1} // the a',
    "words before": 'Sure: {"a": 1}',
    "words behind": '{"a": 1} as you wished',
    "two objects": '{"a": 1}{"b": 2}',
    "a list of it": '[{"a": 1}]',
    "a text": '"Paris"',
    "a bare text": "Paris",
    "a number": "5",
    "a fence left open": '```json\n{"a": 1}',
    "a fence closed only": '{"a": 1}\n```',
    "two fences": '```json\n{"a": 1}\n```\n```json\n{"b": 2}\n```',
    "a quote within quotes": "{'a': 'it's'}",
    "an escape of Python's own": r"{'a': '\a'}",
    "an escape that means two things": r"{'a': '\/'}",
    "a tuple": "{'a': (1, 2)}",
    "a set": "{'a': {1, 2}}",
    "a number of Python's": "{'a': 1_000}",
    "bytes": "{'a': b'x'}",
    "texts side by side": "{'a': 'x' 'y'}",
    "not a number": '{"a": nan,}',
    "undefined": '{"a": undefined}',
    "hexadecimal": '{"a": 0x10,}',
    "a leading zero": '{"a": 007,}',
    "a line break in a text": '{"a": "x\ny",}',
    "a control character": '{"a": "\x01",}',
    "a key twice": '{"a": 1, "a": 2,}',
    "NaN": '{"a": NaN,}',
    "Infinity in Python": "{'a': Infinity}",
    "half a pair": '{"a": "\ud800",}',
    "half a pair, escaped": '{"a": "\\ud800",}',
    "half a pair in a text": json.dumps('{"a": "\ud800"}'),
    "a text of a text of a text of a text": json.dumps(json.dumps(json.dumps(json.dumps(OBJECT)))),
    "a bracket too many in a text and around it": json.dumps(OBJECT + "}") + "}",
    "a byte order mark": '\ufeff{"a": 1}',
    "deep": '{"a": ' + "[" * 10_000 + "]" * 10_000 + ",}",
    "deeper than it closes": "[" * 10_000,
}  # fmt: skip


@pytest.mark.parametrize(("text", "meant", "repairs"), MENDED)
def test_what_cannot_be_misunderstood_is_mended_and_counted(text: str, meant: Any, repairs: dict[str, int]) -> None:
    taken = ANYTHING.take(text)
    assert taken.given == meant
    assert dict(taken.repairs) == repairs
    assert ANYTHING.take(taken.text, complete=False).given == meant, "what is read again needs no repair"
    assert dict(ANYTHING.take(text.encode()).repairs) == repairs


@pytest.mark.parametrize(("text", "meant", "repairs"), MENDED)
def test_what_may_have_been_cut_is_not_mended(text: str, meant: Any, repairs: dict[str, int]) -> None:
    if not repairs:
        assert ANYTHING.take(text, complete=False).given == meant
        return
    with pytest.raises(ArgumentsInvalid):
        ANYTHING.take(text, complete=False)


@pytest.mark.parametrize("name", LEFT)
def test_anything_else_is_refused(name: str) -> None:
    with pytest.raises(ArgumentsInvalid) as caught:
        REQUIRED.take(LEFT[name])
    str(caught.value).encode()
    with pytest.raises(ArgumentsInvalid):
        REQUIRED.take(LEFT[name], complete=False)


@pytest.mark.parametrize("text", ["", " ", "\n", "null", "None", '""', '"null"', "```json\n\n```", "```\nnull\n```"])
def test_nothing_counts_as_no_arguments_unless_some_are_required_or_the_reply_was_cut(text: str) -> None:
    for shape in (NOTHING, OPTIONAL, ANYTHING):
        taken = shape.take(text)
        assert taken.given == {}
        assert taken.repairs[EMPTY] == 1
        with pytest.raises(ArgumentsInvalid):
            shape.take(text, complete=False)
    with pytest.raises(ArgumentsInvalid, match="`a` is required but missing"):
        REQUIRED.take(text)


# Values of another type.


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Mood(enum.StrEnum):
    GLAD = "glad"


class Item(BaseModel):
    id: int
    tags: list[str] = []


class Film(TypedDict):
    year: int


class Pair(NamedTuple):
    x: int
    y: int


@dataclasses.dataclass
class Point:
    x: int


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    good: bool = True


class Loop(BaseModel):
    n: int
    inner: "Loop | None" = None


def one_of(annotation: Any) -> Shape:
    def tool(x: Any, other: int = 0) -> None: ...

    tool.__annotations__["x"] = annotation
    return read(tool)


def stripped(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


NUMBER, BOOLEAN, LIST, TEXT_OBJECT, WHOLE = (
    "text for a number", "text for a boolean", "text for a list", "text for an object", "3.0 for 3",
)  # fmt: skip

# the type, what the model wrote, what the function gets, the repairs
READ: list[tuple[Any, Any, Any, dict[str, int]]] = [
    (int, "3", 3, {NUMBER: 1}),
    (int, "-12", -12, {NUMBER: 1}),
    (int, "0", 0, {NUMBER: 1}),
    (int, "9" * 30, int("9" * 30), {NUMBER: 1}),
    (int, 3.0, 3, {WHOLE: 1}),
    (int, -0.0, 0, {WHOLE: 1}),
    (int | None, "3", 3, {NUMBER: 1}),
    (Annotated[int, Field(ge=1)], "3", 3, {NUMBER: 1}),
    (float, "2.5", 2.5, {NUMBER: 1}),
    (float, "3", 3.0, {NUMBER: 1}),
    (float, "-1e-3", -0.001, {NUMBER: 1}),
    (float, 3, 3.0, {}),
    (int | float, "3", 3, {NUMBER: 1}),
    (float | int, "2.5", 2.5, {NUMBER: 1}),
    (bool, "true", True, {BOOLEAN: 1}),
    (bool, "False", False, {BOOLEAN: 1}),
    (int | bool, "1", 1, {NUMBER: 1}),
    (int | bool, "true", True, {BOOLEAN: 1}),
    (list[int], "[1, 2]", [1, 2], {LIST: 1}),
    (list[int], '["1", 2.0]', [1, 2], {LIST: 1, NUMBER: 1, WHOLE: 1}),
    (list[int], ["1", 2, "3"], [1, 2, 3], {NUMBER: 2}),
    (list[str], "['a', 'b',]", ["a", "b"], {LIST: 1}),
    (list[Any], "[]", [], {LIST: 1}),
    (list, "[1]", [1], {LIST: 1}),
    (list[list[int]], ["[1]", [2]], [[1], [2]], {LIST: 1}),
    (tuple[int, str], '[1, "a"]', (1, "a"), {LIST: 1}),
    (set[int], "[1, 1]", {1}, {LIST: 1}),
    (frozenset[int], "[1]", frozenset({1}), {LIST: 1}),
    (typing.Sequence[int], "[1]", [1], {LIST: 1}),
    (Pair, "[1, 2]", Pair(1, 2), {LIST: 1}),
    (int | list[int], "3", 3, {NUMBER: 1}),
    (int | list[int], "[3]", [3], {LIST: 1}),
    (dict[str, int], '{"a": 1}', {"a": 1}, {TEXT_OBJECT: 1}),
    (dict[str, int], {"a": "1"}, {"a": 1}, {NUMBER: 1}),
    (dict, "{'a': None}", {"a": None}, {TEXT_OBJECT: 1}),
    (dict[int, int], {"1": "2"}, {1: 2}, {NUMBER: 1}),
    (Item, '{"id": "7", "tags": "[]"}', Item(id=7), {TEXT_OBJECT: 1, NUMBER: 1, LIST: 1}),
    (Item | None, '{"id": 7}', Item(id=7), {TEXT_OBJECT: 1}),
    (list[Item], '[{"id": "7"}]', [Item(id=7)], {LIST: 1, NUMBER: 1}),
    (Film, '{"year": 1931}', {"year": 1931}, {TEXT_OBJECT: 1}),
    (Point, '{"x": "1"}', Point(1), {TEXT_OBJECT: 1, NUMBER: 1}),
    (Cat | Dog, {"kind": "cat", "lives": "9"}, Cat(kind="cat", lives=9), {NUMBER: 1}),
    (Annotated[Cat | Dog, Field(discriminator="kind")], '{"kind": "dog"}', Dog(kind="dog"), {TEXT_OBJECT: 1}),
    (Loop, {"n": 1, "inner": {"n": "2"}}, Loop(n=1, inner=Loop(n=2)), {NUMBER: 1}),
    (Level, "2", Level.HIGH, {NUMBER: 1}),
    (Level, 2.0, Level.HIGH, {}),
    (Literal[1, 2], "2", 2, {NUMBER: 1}),
    (Literal[True], "true", True, {BOOLEAN: 1}),
    # texts stay texts where a text may stand
    (str, "3", "3", {}),
    (str | int, "3", "3", {}),
    (str | None, "null", "null", {}),
    (str | list[str], '["a"]', '["a"]', {}),
    (Any, "[1]", "[1]", {}),
    (Literal["1", 1], "1", "1", {}),
    (dict[str, str], {"a": "1"}, {"a": "1"}, {}),
    # a program's own validators give what they like
    (Annotated[int, BeforeValidator(stripped)], 3, 3, {}),
    (Annotated[int, BeforeValidator(stripped)], " 3 ", 3, {}),
    (Annotated[dt.date, BeforeValidator(stripped)], "2026-01-02", dt.date(2026, 1, 2), {}),
    (Annotated[dt.date, BeforeValidator(stripped)], " 2026-01-02", dt.date(2026, 1, 2), {}),
    (Annotated[Mood, BeforeValidator(stripped)], "glad ", Mood.GLAD, {}),
    (dt.datetime, "2026-01-02", dt.datetime(2026, 1, 2), {}),  # noqa: DTZ001 - what pydantic makes of it
]  # fmt: skip

# the type, what the model wrote
GUESSES: list[tuple[Any, Any]] = [
    (int, True), (int, False), (int, 1.5), (int, "3.0"), (int, "1_000"), (int, "1,000"), (int, " 3"), (int, "+3"),
    (int, "03"), (int, "three"), (int, ""), (int, "0x10"), (int, 1e20), (int, None), (int, "null"), (int, [3]),
    (int, "٣"), (int, "9" * 500), (int | None, ""), (int | None, True), (int | None, "null"), (StrictInt, "3"),
    (StrictInt, 3.0), (Annotated[int, Field(ge=5)], "3"), (Annotated[int, Field(strict=True)], "3"),
    (Annotated[int, BeforeValidator(stripped)], True), (float, True), (float, "1,5"), (float, "nan"), (float, "inf"),
    (float, "1e999"), (float, "1."), (float, ".5"), (float, ""), (float, "5%"), (float, "$5"), (bool, 1), (bool, 0),
    (bool, 1.0), (bool, "yes"), (bool, "on"), (bool, "1"), (bool, "TRUE"), (bool, "t"), (bool, None), (bool, ""),
    (str, 3), (str, True), (str, None), (str, ["a"]), (str, {"a": 1}), (list[int], 3), (list[int], "3"),
    (list[str], "a"), (list[str], "a, b"), (list[int], {}), (list[int], "[1, x]"), (list[int], "[1"),
    (list[int], "[1]]"), (list[int], "[true]"), (list[int], '[{"a": 1}]'), (list[int], "[NaN]"),
    (list[float], "[NaN]"), (list[str], "{}"), (list[Any], "[NaN]"), (list[dict[str, int]], '[{"a": 1, "a": 2}]'),
    (dict[str, int], "a=1"), (dict[str, int], [["a", 1]]), (dict[str, int], '{"a": 1, "a": 2}'),
    (dict[str, Any], '{"a": NaN}'), (dict[str, int], '{"a": 1'), (dict[int, int], {"a": 1}), (Item, "7"),
    (Item, [7]), (Item, '{"id": true}'), (Item, '[{"id": 7}]'), (dt.date, 17), (dt.datetime, 1_700_000_000),
    (dt.datetime, 1.5), (dt.time, 3), (dt.timedelta, 3), (dt.date, True), (Mood, "GLAD"), (Mood, "Glad"),
    (Level, "LOW"), (Level, "3"), (Level, True), (Literal[1, 2], True), (Literal[0, 1] | str, False),
    (list[Literal[1]], [True]), (dict[str, Level], {"a": True}), (tuple[Level, int], [True, 1]), (Literal["a"], "A"),
    (Level | list[Level], [[True]]), (list[Level] | str, [True]),
]  # fmt: skip


@pytest.mark.parametrize(("annotation", "written", "meant", "repairs"), READ)
def test_a_value_of_another_type_is_read_where_it_can_mean_one_thing_only(
    annotation: Any, written: Any, meant: Any, repairs: dict[str, int]
) -> None:
    shape = one_of(annotation)
    taken = shape.take(json.dumps({"x": written}))
    assert taken.given == {"x": meant}
    assert type(taken.given["x"]) is type(meant)
    assert dict(taken.repairs) == repairs
    assert shape.take(taken.text).given == {"x": meant}


@pytest.mark.parametrize(("annotation", "written"), GUESSES)
def test_a_value_that_would_have_to_be_guessed_is_refused(annotation: Any, written: Any) -> None:
    with pytest.raises(ArgumentsInvalid, match=r"`x"):
        one_of(annotation).take(json.dumps({"x": written}))


def test_what_is_left_to_mend_is_told_and_what_was_understood_is_not() -> None:
    def tool(order: int, amount: float, items: list[Item]) -> None: ...

    with pytest.raises(ArgumentsInvalid) as caught:
        read(tool).take('{"order": "3", "amount": "lots", "items": "[{\\"id\\": \\"1\\"}, {\\"id\\": \\"one\\"}]",}')
    assert [str(one) for one in caught.value.problems] == [
        '`amount` must be a valid number; got "lots"',
        '`items[1].id` must be a valid integer; got "one"',
    ]


def test_a_boolean_for_an_enumerated_number_is_told_with_what_there_is() -> None:
    with pytest.raises(ArgumentsInvalid, match="`x` must be 1 or 2; got true"):
        one_of(Level).take('{"x": true}')
    assert one_of(Level | bool).take('{"x": true}').given["x"] is True


# Properties.

KEYS = st.text(max_size=5) | st.sampled_from(["a", "b", "it's", '"', "json", "```"])
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["}", "]", "'", '"', "\\", "True", ",}", "```", "null", "{'a': 1}", "\x7f", "\u2028"])
)
VALUES = st.recursive(
    LEAVES, lambda one: st.lists(one, max_size=3) | st.dictionaries(KEYS, one, max_size=3), max_leaves=8
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=4)

Draw = Callable[[st.SearchStrategy[Any]], Any]


def written(value: Any, draw: Draw, python: bool, commas: bool) -> str:
    """A value as JSON, or by turns as Python, perhaps with commas before closing brackets."""
    if isinstance(value, dict):
        parts = [
            f"{written(key, draw, python, commas)}: {written(one, draw, python, commas)}" for key, one in value.items()
        ]
        left, right = "{}"
    elif isinstance(value, list):
        parts = [written(one, draw, python, commas) for one in value]
        left, right = "[]"
    else:
        return repr(value) if python and draw(st.booleans()) else json.dumps(value, ensure_ascii=draw(st.booleans()))
    tail = ", " if parts and commas and draw(st.booleans()) else ""
    return f"{left}{', '.join(parts)}{tail}{right}"


@st.composite
def damaged(draw: Draw) -> tuple[Any, str]:
    """An object that was meant, and what came of it: any of the damages that models are known to do."""
    meant = draw(OBJECTS)
    text = written(meant, draw, draw(st.booleans()), draw(st.booleans()))
    bracket = draw(st.sampled_from(["", "", "surplus", "missing"]))
    if bracket == "surplus":
        text += draw(st.sampled_from("]}"))
    elif bracket == "missing":
        text = text.rstrip()[:-1]
    for _ in range(draw(st.integers(0, 2))):
        text = json.dumps(text)
    if draw(st.booleans()):
        text = draw(st.sampled_from(["json\n", "json ", "JSON\n"])) + text
    if draw(st.booleans()):
        text = f"```{draw(st.sampled_from(['', 'json', 'python']))}\n{text}\n```"
    return meant, text


def alike(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same, `True` and 1 told apart."""
    return json.dumps(one) == json.dumps(other)


@settings(max_examples=400)
@given(damaged())
@example(({"a": ""}, "{'a': ''"))
def test_whatever_the_damage_a_call_runs_with_what_was_meant_or_not_at_all(case: tuple[Any, str]) -> None:
    meant, text = case
    try:
        taken = ANYTHING.take(text)
    except ArgumentsInvalid:
        return
    assert alike(taken.given, meant)


@settings(max_examples=400)
@given(damaged(), st.data())
def test_wherever_it_is_cut_a_call_runs_with_what_was_meant_or_not_at_all(
    case: tuple[Any, str], data: st.DataObject
) -> None:
    meant, text = case
    cut = text[: data.draw(st.integers(0, len(text)))]
    try:
        taken = ANYTHING.take(cut, complete=False)
    except ArgumentsInvalid:
        return
    assert alike(taken.given, meant)
    assert not taken.repairs


@settings(max_examples=200)
@given(OBJECTS)
def test_undamaged_arguments_run_as_they_are(meant: dict[str, Any]) -> None:
    for complete in (True, False):
        taken = ANYTHING.take(json.dumps(meant), complete=complete)
        assert alike(taken.given, meant)
        assert not taken.repairs


@settings(max_examples=200)
@given(OBJECTS, st.data())
def test_each_single_damage_is_mended(meant: dict[str, Any], data: st.DataObject) -> None:
    text = json.dumps(meant)
    damages = [f"```json\n{text}\n```", f"json\n{text}", text + "}", json.dumps(text)]
    if meant:
        damages.append(text[:-1] + ",}")
        last = list(meant.values())[-1]
        if isinstance(last, bool) or not isinstance(last, int | float):
            damages.append(text[:-1])
    taken = ANYTHING.take(data.draw(st.sampled_from(damages)))
    assert alike(taken.given, meant)
    assert sum(taken.repairs.values()) == 1


TYPED = st.recursive(
    st.sampled_from([int, float, bool, Literal[1, 2]]),
    lambda one: one.map(lambda kind: list[kind]) | one.map(lambda kind: dict[str, kind]),  # type: ignore[valid-type] # made at run time
    max_leaves=3,
)


def of_type(annotation: Any) -> st.SearchStrategy[Any]:
    if typing.get_origin(annotation) is list:
        return st.lists(of_type(typing.get_args(annotation)[0]), max_size=3)
    if typing.get_origin(annotation) is dict:
        return st.dictionaries(st.text(max_size=3), of_type(typing.get_args(annotation)[1]), max_size=3)
    if typing.get_origin(annotation) is Literal:
        return st.sampled_from([1, 2])
    kinds: dict[Any, st.SearchStrategy[Any]] = {
        int: st.integers(-(2**70), 2**70),
        float: st.floats(allow_nan=False, allow_infinity=False),
        bool: st.booleans(),
    }
    return kinds[annotation]


@settings(max_examples=200)
@given(TYPED, st.data())
def test_values_written_as_texts_are_read_as_what_was_meant(annotation: Any, data: st.DataObject) -> None:
    meant = data.draw(of_type(annotation))

    def texts(value: Any) -> Any:
        if isinstance(value, list):
            value = [texts(one) for one in value]
        elif isinstance(value, dict):
            value = {key: texts(one) for key, one in value.items()}
        return json.dumps(value) if data.draw(st.booleans()) else value

    taken = one_of(annotation).take(json.dumps({"x": texts(meant)}))
    assert taken.given == {"x": meant}


@settings(max_examples=300)
@given(TYPED, VALUES)
def test_no_value_reaches_a_function_that_its_schema_does_not_take_or_a_text_of_it(annotation: Any, value: Any) -> None:
    shape = one_of(annotation)
    try:
        taken = shape.take(json.dumps({"x": value}))
    except ArgumentsInvalid:
        return
    if taken.repairs:
        assert set(taken.repairs) <= {NUMBER, BOOLEAN, LIST, TEXT_OBJECT, WHOLE}
    else:
        assert taken.given == {"x": value}
        assert not isinstance(value, bool) or annotation is bool


@given(st.text() | st.text(alphabet="{}[]\",:'\\ tTrue1`json", max_size=40))
@example("'" * 1000)
def test_any_text_is_mended_into_json_or_left(text: str) -> None:
    mended = mend(text, complete=True)
    assert mended is None or mended.text.startswith("{")


MILLION, MANY = 1_000_000, 60_000
LONG = [
    '{"a": "' + "x" * MILLION + '",}',
    "{'a': '" + "\\'" * (MILLION // 2) + "'}",
    "{'a': '" + '"' * MILLION + "'}",
    "{" + "'a': [" * MANY,
    '{"a": [' + "1,]," * MANY + "]}",
    '{"a": [' + "True," * MANY + "]}",
    "```json" * MANY,
    "[" * (MILLION // 2),
    '"' * MILLION,
    "'" * MILLION,
    "\\" * MILLION,
    json.dumps(json.dumps('{"a": "' + "\\\\" * (MILLION // 4) + '"}')),
    json.dumps({"a": "[" * (MILLION // 2)}),
    json.dumps({"a": ["1"] * MANY}),
    '{"a": 1}' + " " * MILLION + "}",
    "1" * MILLION,
    '{"a": ' + "9" * MILLION + ",}",
]


def outcome(shape: Shape, text: str) -> str:
    """What the model is told; nothing if all is well."""
    try:
        shape.take(text)
    except ArgumentsInvalid as error:
        return str(error)
    return ""


def test_a_megabyte_of_any_damage_takes_no_time_that_matters() -> None:
    def tool(a: list[int] = []) -> None: ...  # noqa: B006

    typed = read(tool)
    began = time.process_time()
    for text in LONG:
        assert len(outcome(ANYTHING, text)) < 3_000
        assert len(outcome(typed, text)) < 3_000
    assert time.process_time() - began < 30  # a few seconds; more would not be linear
