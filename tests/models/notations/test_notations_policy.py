"""Which text is a call: the cases that docs/guides/prompt-only.md decides, one by one."""

from __future__ import annotations

from typing import Any

import pytest

from agentkit.models.dialects.notations import ALL, SALVAGE, Reader, Unread, read, write

TOOLS: dict[str, dict[str, Any] | None] = {
    "search": {
        "type": "object",
        "properties": {"q": {"type": "string"}, "n": {"type": "integer"}, "o": {"anyOf": [{"$ref": "#/$defs/O"}]}},
        "required": ["q"],
        "$defs": {"O": {"type": "object"}},
    },
    "get_time": None,
}
CALL = '{"name": "search", "arguments": {"q": "x"}}'
OWN = f"<tool_call>\n{CALL}\n</tool_call>"
FENCE = f"```json\n{CALL}\n```"


def found(text: str, notations: frozenset[str] = ALL) -> list[tuple[str, str, str]]:
    return [(call.name, call.arguments, call.notation) for call in read(text, TOOLS, notations).calls]


@pytest.mark.parametrize(
    "text",
    [
        "Hermes models wrap calls in <tool_call> tags.",
        "Use <tool_call></tool_call> here.",
        "The token <｜tool▁calls▁begin｜> begins the calls. Then they follow.",
        "A block is `<｜DSML｜tool_calls>`, and its end `</｜DSML｜tool_calls>`.",
        '{"steps": [' + CALL + "]}",
        '{"answer": "write <tool_call>' + CALL.replace('"', '\\"') + '</tool_call>"}',
        f"Write `{CALL}` and wait.",
        f'It says "{CALL}".',
        f"> {CALL}\n",
        f"<think>{OWN}</think>Done.",
        f"[THINK]{OWN}[/THINK]Done.",
        f"Perhaps {CALL}, hm.</think>Done.",
        f"{FENCE}\nThis would search.",
        f"{FENCE}\nThis would search. So would this:\n{FENCE}",
        f"```python\n{CALL}\n```",
        "Call search(q='x') as in [search(q='x')].",
        "Actions speak louder.\nAction: Final Answer\nAction Input: 42",
        "<tool_response>5</tool_response>",
        "",
        " \n\n",
    ],
)
@pytest.mark.parametrize("notations", [ALL, SALVAGE])
def test_what_only_speaks_of_calls_is_text(text: str, notations: frozenset[str]) -> None:
    reading = read(text, TOOLS, notations)
    assert (reading.calls, reading.unread, reading.text, reading.cut) == ((), (), text, "")


SPELLINGS = [
    (f"I look.\n{FENCE}", '{"q": "x"}', "fenced"),
    (f"```\n{OWN}\n```", '{"q": "x"}', "tool_call"),
    (f"It`s: {CALL}", '{"q": "x"}', "json"),
    (f"<|im_start|>assistant\n{CALL}<|im_end|>", '{"q": "x"}', "json"),
    ("<think>so</think>\n[search('Paris', n=3)]", '{"q": "Paris", "n": 3}', "pythonic"),
    ("**Action:** search\n**Action Input:** x y", '{"q": "x y"}', "react"),
    ('|DSML|invoke name="search">|DSML|parameter name="q">|</|DSML|parameter></|DSML|invoke>', '{"q": "|"}', "dsml"),
    ('<‖DSML‖invoke name="search"><‖DSML‖parameter name="n">5</‖DSML‖parameter></‖DSML‖invoke>', '{"n": 5}', "dsml"),
    ("<\\|DSML\\|invoke name='search'>{\"q\": 1}</\\|DSML\\|invoke>", '{"q": 1}', "dsml"),
    ("<function=search><parameter=q>\n007\n</parameter></function>", '{"q": "007"}', "function"),
    ("<function=search><parameter=o>{'a': True}</parameter></function>", '{"o": {"a": true}}', "function"),
    ("<tool_call>search\n<arg_key>n</arg_key><arg_value>7</arg_value></tool_call>", '{"n": 7}', "glm"),
]


@pytest.mark.parametrize(("text", "arguments", "notation"), SPELLINGS)
def test_a_call_is_read_in_its_notation(text: str, arguments: str, notation: str) -> None:
    assert found(text) == [("search", arguments, notation)]


def test_a_value_without_a_type_is_a_string_where_the_schema_says_so() -> None:
    element = '<invoke name="search"><parameter name="{}">12</parameter></invoke>'
    assert found(element.format("q")) == [("search", '{"q": "12"}', "xml")]
    assert found(element.format("n")) == [("search", '{"n": 12}', "xml")]


def test_arguments_are_handed_over_as_they_were_written() -> None:
    arguments = '{ "q":"\\u00e9",\n  "n" : 1e2 }'
    assert found(write([("search", arguments)])) == [("search", arguments, "tool_call")]


def test_a_history_that_holds_no_object_is_written_as_an_empty_one() -> None:
    assert found(write([("search", '{"q": '), ("get_time", "")])) == [
        ("search", "{}", "tool_call"),
        ("get_time", "{}", "tool_call"),
    ]


def test_a_tool_that_is_not_known_is_told_to_the_model() -> None:
    text = '<tool_call>\n{"name": "delete", "arguments": {}}\n</tool_call>'
    reading = read(text, TOOLS)
    problem = "There is no tool `delete`. There are: `get_time`, `search`."
    assert (reading.calls, reading.text) == ((), "")
    assert reading.unread == (Unread("tool_call", problem, text, stranger=True),)
    assert reading.problem == problem


def test_a_call_that_was_cut_off_is_told_to_the_model() -> None:
    reading = read(f"First.\n{OWN}\n<tool_call>\n" + CALL[:30], TOOLS)
    assert [call.name for call in reading.calls] == ["search"]
    assert reading.problem == "A call was cut off before its JSON ended."
    assert reading.text == "First.\n"


@pytest.mark.parametrize("inner", ["<function=get_time></function>", "<｜DSML｜invoke name='get_time'/>", "get_time()"])
@pytest.mark.parametrize(
    "around",
    [
        '<tool_call>\n{"name": "search", "arguments": {"q": "say "hi" INNER more"}}\n</tool_call>',
        '[TOOL_CALLS][{"name": "search", "arguments": {"q": "say "hi" INNER more"}}]',
        '{"name": "search", "arguments": {"q": "say "hi" INNER more"}}',
        'Action: search\nAction Input: {"q": "say "hi" INNER more"}',
        '<tool_call>\n{"name": "search", "arguments": {"q": "INNER more',
        '<｜DSML｜invoke name="search"><｜DSML｜parameter name="q">INNER more',
    ],
)
def test_what_stands_in_a_broken_call_is_no_call(around: str, inner: str) -> None:
    assert found(around.replace("INNER", inner)) == []
    assert found(around.replace("INNER", f"<tool_call>{inner}</tool_call>")) == []


@pytest.mark.parametrize(
    "answer",
    [
        "\nObservation: 5",
        "\n**Observation:** 5",
        "\n<tool_response>\n5\n</tool_response>",
        "<｜tool▁outputs▁begin｜>5",
        "\n<tool_result>5",
        "<|im_start|>user\n5",
        "<｜User｜>5",
    ],
)
def test_an_answer_that_the_model_invented_is_cut_with_what_follows(answer: str) -> None:
    reading = read(f"I look.\n{OWN}{answer}\nSo it is 5.\n{OWN}", TOOLS)
    assert [call.name for call in reading.calls] == ["search"]
    assert reading.text == "I look.\n"
    assert reading.cut.startswith(answer.strip())


def test_text_after_a_call_is_held_until_the_end() -> None:
    reader = Reader(TOOLS)
    assert reader.feed(f"I look. {OWN} And wait.") == "I look. "
    assert reader.finish().text == " And wait."


def test_an_example_is_shown_as_soon_as_it_is_known_to_be_one() -> None:
    reader = Reader(TOOLS)
    assert reader.feed(FENCE + "\n") == ""
    assert reader.feed("This") == FENCE + "\nThis"


@pytest.mark.parametrize(
    "text", ['{"answer": "', '```json\n{"answer": 4', "a <5", "x = [1", "```python\nprint(", "Act now"]
)
def test_an_answer_that_looks_a_little_like_a_call_is_not_held(text: str) -> None:
    assert Reader(TOOLS).feed(text) == text


@pytest.mark.parametrize("deep", [150, 5_000, 200_000])
def test_deep_nesting_ends_neither_in_an_error_nor_in_a_wrong_call(deep: int) -> None:
    arguments = '{"q": ' + "[" * deep + "]" * deep + "}"
    reading = read(write([("search", "{}")]).replace("{}", arguments), TOOLS)
    assert len(reading.calls) + len(reading.unread) == 1


def test_an_unknown_notation_is_an_error() -> None:
    with pytest.raises(ValueError, match="no notation `smoke`"):
        Reader(TOOLS, frozenset({"smoke"}))
