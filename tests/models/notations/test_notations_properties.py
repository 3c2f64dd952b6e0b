"""What holds for every reply: cuts make no difference, what is written is read, text without calls is left alone."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from agentkit.models.dialects.notations import ALL, SALVAGE, Reader, Reading, read, write

TOOLS: dict[str, dict[str, Any] | None] = {
    "search": {"type": "object", "properties": {"q": {"type": "string"}, "n": {"type": "integer"}}},
    "get-time": None,
    "查询天气": {},
}
CALL = '{"name": "search", "arguments": {"q": "x"}}'
MARKS = [
    *("<think>", "</think>", "[THINK]", "[/THINK]", "```", "```json\n", "```tool_code\n", "~~~\n", "`", "``", "> "),
    *("<tool_call>", "</tool_call>", "<tool_call|>", '<tool_call name="search">', "<|tool_call>", "<function=search>"),
    *("</function>", "<parameter=q>", "</parameter>", "<invoke name='search'>", '<parameter name="q">', "</invoke>"),
    *(
        "<function_calls>",
        "</function_calls>",
        "<｜DSML｜tool_calls>",
        '<｜DSML｜invoke name="search">',
        "｜",
        "|DSML|",
    ),
    *('<｜DSML｜parameter name="q" string="true">', "</｜DSML｜parameter>", "</｜DSML｜invoke>", "</｜DSML｜ calls>"),
    *("<｜tool▁calls▁begin｜>", "<｜tool▁call▁begin｜>", "function", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>"),
    *("<｜tool▁calls▁end｜>", "<tool_call_begin>", "functions.search:0", "<|tool_call_argument_begin|>"),
    *("[TOOL_CALLS]", "[ARGS]", "<|python_tag|>", "<start_function_call>", "call:search{q:<escape>x<escape>}"),
    *("<end_function_call>", "<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>", "<|im_start|>", "<|im_end|>"),
    *("Action: search\n", "Action Input: ", "Observation: 5\n", "<tool_response>", "assistant\n", "search", '(q="x")'),
    *(CALL, '{"name": "search"', '{"name": "other", "arguments": {}}', '{"answer": 1}', '[search(q="x")]', "{", "}"),
    *(
        "[",
        "]",
        '"',
        "'",
        "“",
        "”",
        "\\",
        "\\n",
        "<",
        ">",
        ":",
        ";",
        ",",
        " ",
        "\n",
        "\n\n",
        "a",
        "é",
        "你好",
        "🙂",
        "\u2028",
    ),
]
TEXTS = st.lists(st.sampled_from(MARKS) | st.text(max_size=3), max_size=14).map("".join)
NOTATIONS = st.sampled_from([ALL, SALVAGE])
STRINGS = st.lists(st.sampled_from(MARKS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=5), max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | STRINGS.map("".join),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(STRINGS.map("".join), inner, max_size=3),
    max_leaves=6,
)
ARGUMENTS = st.builds(
    json.dumps,
    st.dictionaries(STRINGS.map("".join), VALUES, max_size=3),
    ensure_ascii=st.booleans(),
    indent=st.sampled_from([None, 2]),
)
CALLS = st.lists(st.tuples(st.sampled_from(sorted(TOOLS)), ARGUMENTS), min_size=1, max_size=3)
PROSE = st.sampled_from(
    ["", "Let me look.\n", "我来查询。\n\n", "It's `x < 3` {so}:\n", "1. **Look**: [a](b)\n", "<think>\nhm\n</think>\n"]
)


def in_pieces(text: str, notations: frozenset[str], cuts: list[int]) -> tuple[str, Reading]:
    reader = Reader(TOOLS, notations)
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    shown = "".join([reader.feed(text[start:end]) for start, end in pairwise(places)])
    return shown, reader.finish()


def same(text: str, notations: frozenset[str], cuts: list[int], whole: Reading) -> None:
    shown, reading = in_pieces(text, notations, cuts)
    assert (shown + reading.text, reading.calls, reading.unread, reading.cut) == (
        whole.text,
        whole.calls,
        whole.unread,
        whole.cut,
    )


def taken_out(text: str, shown: str) -> bool:
    """Whether one text is the other with something taken out."""
    left = iter(text)
    return all(char in left for char in shown)


@given(TEXTS, NOTATIONS, st.lists(st.integers(0, 200), max_size=5))
@example("{[TOOL_CALLS]你好}", ALL, [1])
@example("<think><think></think>" + CALL, ALL, [20])
@example("```json\n" + CALL + "\n``", ALL, [3])
def test_a_text_is_read_alike_however_it_is_cut(text: str, notations: frozenset[str], cuts: list[int]) -> None:
    whole = read(text, TOOLS, notations)
    same(text, notations, cuts, whole)
    same(text, notations, list(range(len(text))), whole)


@given(TEXTS, NOTATIONS)
def test_a_text_without_calls_comes_out_unchanged(text: str, notations: frozenset[str]) -> None:
    reading = read(text, TOOLS, notations)
    if reading.calls or reading.unread:
        assert taken_out(text, reading.text)
        assert all(isinstance(json.loads(call.arguments, strict=False), dict) for call in reading.calls)
        assert all(call.name in TOOLS and call.notation in ALL for call in reading.calls)
    else:
        assert (reading.text, reading.cut) == (text, "")


@settings(max_examples=30)
@given(TEXTS, NOTATIONS)
def test_a_text_is_read_alike_split_at_every_position(text: str, notations: frozenset[str]) -> None:
    whole = read(text, TOOLS, notations)
    for place in range(len(text) + 1):
        same(text, notations, [place], whole)


@given(TEXTS, st.lists(st.integers(0, 200), max_size=5))
def test_a_text_that_can_name_no_tool_is_left_alone(text: str, cuts: list[int]) -> None:
    whole = read(text, {}, ALL)
    assert whole.calls == ()
    if not whole.unread:
        reader = Reader({}, ALL)
        places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
        shown = "".join([reader.feed(text[start:end]) for start, end in pairwise(places)])
        assert shown + reader.finish().text == text


@given(st.text(st.characters(exclude_characters="<|｜[{`\\"), max_size=60), NOTATIONS)
def test_plain_text_is_shown_at_once(text: str, notations: frozenset[str]) -> None:
    reader = Reader({"\x00": None}, notations)
    shown = ""
    for at, char in enumerate(text):
        shown += reader.feed(char)
        line = text[: at + 1].rpartition("\n")[2].lstrip(" \t\r")
        held = text[: at + 1].removeprefix(shown)
        assert shown + held == text[: at + 1]
        assert not held or len(line) <= len("function") or not held.strip(), "it may be `function<`"


@settings(max_examples=40)
@given(PROSE, CALLS, PROSE)
def test_what_is_written_is_read(before: str, calls: list[tuple[str, str]], after: str) -> None:
    text = before + write(calls) + "\n" + after
    for notations in (ALL, SALVAGE):
        reading = read(text, TOOLS, notations)
        assert [(call.name, call.arguments) for call in reading.calls] == [(name, given) for name, given in calls]
        assert (reading.unread, reading.cut) == ((), "")
        assert reading.text == before + ("\n" + after if after else "")
        same(text, notations, list(range(len(text))), reading)


@settings(max_examples=40)
@given(st.tuples(st.sampled_from(sorted(TOOLS)), ARGUMENTS), st.data())
def test_what_is_written_is_read_cut_at_every_place(call: tuple[str, str], data: st.DataObject) -> None:
    text = write([call])
    whole = read(text, TOOLS)
    for start in range(0, len(text), max(1, len(text) // 40)):
        same(text, ALL, [start + data.draw(st.integers(0, 5))], whole)


@settings(max_examples=40)
@given(PROSE, CALLS)
def test_nothing_of_a_call_is_shown_while_it_comes(before: str, calls: list[tuple[str, str]]) -> None:
    reader = Reader(TOOLS)
    shown = "".join([reader.feed(char) for char in before + write(calls)])
    assert shown == before
    assert reader.finish().text == ""


@settings(max_examples=40)
@given(CALLS, st.integers(min_value=1, max_value=10_000))
def test_a_call_that_is_cut_is_no_call(calls: list[tuple[str, str]], less: int) -> None:
    text = write(calls)
    text = text[: max(1, len(text) - less % len(text))]
    reading = read(text, TOOLS)
    assert [(call.name, call.arguments) for call in reading.calls] == calls[: len(reading.calls)]
    assert len(reading.unread) <= 1
    if reading.unread:
        assert reading.problem
        assert text.endswith(reading.unread[0].text)


@settings(max_examples=40)
@given(
    CALLS,
    st.sampled_from(
        ["<think>\n{}\n</think>\nDone.", "> {}", "`{}`", '"{}"', "```xml\n{}\n```\nis how.", "{}</think>No."]
    ),
)
def test_a_quoted_call_is_text(calls: list[tuple[str, str]], quotation: str) -> None:
    written = write([(name, "{}") for name, _ in calls[:1]])
    text = quotation.replace("{}", written.replace("\n", "") if "\n" not in quotation else written)
    reading = read(text, TOOLS)
    assert (reading.calls, reading.unread, reading.text) == ((), (), text)
