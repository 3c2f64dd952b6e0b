"""The rules where a prompt tells of tools in words: they find the form and the list in it, whatever the marks are."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentkit.simulator.brains import Plan, Turn
from agentkit.simulator.brains.in_words import in_words
from agentkit.simulator.brains.rules import answer
from agentkit.simulator.request import Message, Tool

FORM = """\
Some tools can be used. A call looks so:

{open}
{{"{name}": "TOOL", "{arguments}": {{"KEY": ANYTHING}}}}
{close}

You get what came of it between {result} and {end}.

These are the tools:
- weather(city: string, days: integer = 1, unit: "C" | "F" = "C"): Weather forecast (all of it) for a city.
    city: The city's name, e.g. Paris.
- tags(names: list of string, deep: boolean = false): Set tags.
- order: Order several things.
  JSON Schema of its arguments: {{"type": "object", "properties": {{"items": {{"type": "object"}}}}}}"""
FORMS = [
    {"open": "<tool_call>", "name": "name", "arguments": "arguments", "close": "</tool_call>"},
    {"open": "[[CALL", "name": "tool", "arguments": "input", "close": "CALL]]"},
]
RESULTS = {"result": "<result>", "end": "</result>"}


def told(form: dict[str, str]) -> str:
    return FORM.format(**form, **RESULTS)


def written(form: dict[str, str], name: str, arguments: dict[str, Any]) -> str:
    call = {form["name"]: name, form["arguments"]: arguments}
    return f"{form['open']}\n{json.dumps(call)}\n{form['close']}"


def said(*messages: tuple[str, str], **options: Any) -> Plan:
    return answer(Turn("m", tuple(Message(role, text) for role, text in messages), **options))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("role", ["system", "user"])
def test_calls_are_written_in_the_form_that_the_prompt_asks_for(form: dict[str, str], role: str) -> None:
    question = "What is the weather in Paris and Oslo?"
    if role == "system":
        plan = said(("system", told(form)), ("user", question))
    else:
        plan = said(("user", f"Be brief.\n\n{told(form)}\n\n{question}"))
    calls = [written(form, "weather", {"city": city}) for city in ("Paris", "Oslo")]
    assert plan == Plan("\n".join(calls), reasoning=plan.reasoning)


@pytest.mark.parametrize("form", FORMS)
def test_results_are_read_between_the_marks_that_the_prompt_names(form: dict[str, str]) -> None:
    calls = "I look.\n" + "\n".join(written(form, "weather", {"city": city}) for city in ("Paris", "Oslo"))
    results = '<result>\n{"name": "weather", "content": "Paris: 9 °C"}\n</result>\n<result>\nOslo: snow\n</result>'
    head = [("system", told(form)), ("user", "What is the weather in Paris and Oslo?")]
    plan = said(*head, ("assistant", calls), ("user", results))
    assert plan.content == "Paris: 9 °C. Oslo: snow."
    plan = said(*head, ("assistant", calls), ("user", f"{results}\n\nWhat is the weather in Rome?"))
    assert plan.content == written(form, "weather", {"city": "Rome"})


def test_the_tools_are_read_with_their_types_defaults_and_descriptions() -> None:
    found, turn = in_words(Turn("m", (Message("system", told(FORMS[0])), Message("user", "Hello"))))
    assert found is not None
    assert [(tool.name, tool.description) for tool in turn.tools] == [
        ("weather", "Weather forecast (all of it) for a city."),
        ("tags", "Set tags."),
        ("order", "Order several things."),
    ]
    weather, tags, order = (tool.parameters for tool in turn.tools)
    assert weather == {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "The city's name, e.g. Paris."},
            "days": {"type": "integer", "default": 1},
            "unit": {"enum": ["C", "F"], "default": "C"},
        },
        "required": ["city"],
    }
    assert tags["properties"]["names"] == {"type": "array", "items": {"type": "string"}}
    assert order == {"type": "object", "properties": {"items": {"type": "object"}}}
    assert turn.messages == (Message("user", "Hello"),)


def test_a_call_that_is_asked_for_before_the_answer_is_made() -> None:
    for words, name in (("call a tool", "weather"), ("call the tool `order`", "order")):
        prompt = f"{told(FORMS[0])}\n\nIn this conversation, {words} before you answer."
        found, turn = in_words(Turn("m", (Message("system", prompt), Message("user", "Set tags."))))
        assert found is not None
        assert turn.must_call
        assert name in {tool.name for tool in turn.tools}
        assert f'"name": "{name}"' in answer(Turn("m", (Message("system", prompt), Message("user", "Hi")))).content


def test_a_prompt_that_tells_of_no_tools_or_gives_them_is_left_as_it_is() -> None:
    for text in ("Hello", "The tools:\n- hammer: for nails", '{"name": "NAME", "arguments": {"A": B}}'):
        turn = Turn("m", (Message("user", text),))
        assert in_words(turn) == (None, turn)
    given = Turn("m", (Message("user", told(FORMS[0])),), tools=(Tool("weather"),))
    assert in_words(given) == (None, given)


def test_json_that_is_asked_for_in_words_is_given() -> None:
    wanted = ("system", "Answer with one JSON object and nothing else.")
    assert said(wanted, ("user", "What is 3 * 4?")).content == '{"answer": 12}'
