"""Answers of a type: by the output tool, by reminders, and as JSON in words."""

import asyncio
from dataclasses import dataclass
from typing import Literal

import pytest
from pydantic import BaseModel
from script import Script, calls, says

from agentkit import Agent, ConfigurationError, Limits, tool
from agentkit.errors import OutputInvalid
from agentkit.messages import ToolMessage, User

ways = pytest.mark.parametrize("asynchronous", [False, True])


class City(BaseModel):
    """A city."""

    name: str
    people: int


@dataclass
class Point:
    x: float
    y: float = 0


def go(agent, asynchronous, prompt="go", **options):
    return asyncio.run(agent.arun(prompt, **options)) if asynchronous else agent.run(prompt, **options)


def final(arguments, id="f"):
    return (id, "final_answer", arguments)


@ways
@pytest.mark.parametrize(
    ("kind", "arguments", "meant"),
    [
        (City, '{"name": "Oslo", "people": 700000}', City(name="Oslo", people=700000)),
        (City, '{"answer": {"name": "Oslo", "people": 1}}', City(name="Oslo", people=1)),
        (Point, '{"x": 1}', Point(1.0)),
        (int, '{"answer": 3}', 3),
        (list[int], '{"answer": [1, 2]}', [1, 2]),
        (Literal["yes", "no"], '{"answer": "no"}', "no"),
        (City | None, '{"answer": null}', None),
    ],
)
def test_the_output_tool_gives_an_answer_of_the_type_and_ends_the_run(asynchronous, kind, arguments, meant):
    result = go(Agent(Script(calls(final(arguments))), output=kind), asynchronous)
    assert result.output == meant
    assert result.messages[-1].final
    assert result.steps == 1


@ways
def test_an_answer_that_does_not_fit_goes_back_to_the_model_with_what_is_wrong(asynchronous):
    model = Script(calls(final('{"name": "Oslo"}')), calls(final('{"name": "Oslo", "people": 2}')))
    result = go(Agent(model, output=City), asynchronous)
    assert result.output == City(name="Oslo", people=2)
    wrong = next(one for one in result.messages if isinstance(one, ToolMessage))
    assert "people" in wrong.text
    assert not wrong.final


@ways
def test_a_model_that_answers_in_words_is_reminded_of_the_tool(asynchronous):
    model = Script(says("It is Oslo."), calls(final('{"name": "Oslo", "people": 2}')))
    result = go(Agent(model, output=City), asynchronous)
    assert result.output.name == "Oslo"
    (reminder,) = [one for one in result.messages if isinstance(one, User) and one.by == "review"]
    assert "final_answer" in reminder.text


@ways
def test_words_that_are_the_json_of_a_fitting_answer_are_taken(asynchronous):
    assert go(Agent(Script(says('{"name": "Oslo", "people": 2}')), output=City), asynchronous).output.people == 2


@ways
def test_a_model_that_never_gives_the_type_ends_in_one_error_with_the_transcript(asynchronous):
    with pytest.raises(OutputInvalid, match="City") as caught:
        go(Agent(Script(*[says("No.")] * 9), output=City), asynchronous)
    assert caught.value.transcript.steps == 3


@ways
def test_tools_beside_the_final_answer_run_and_the_run_ends(asynchronous):
    ran = []

    @tool
    def act() -> str:
        """Act."""
        ran.append(1)
        return "done"

    model = Script(calls(final('{"answer": 3}'), ("a", "act", "{}")), calls(final('{"answer": 4}')))
    assert go(Agent(model, tools=[act], output=int), asynchronous).output == 3
    assert ran == [1]


def test_a_finished_typed_run_goes_on_with_a_new_prompt():
    agent = Agent(Script(calls(final('{"answer": 3}')), calls(final('{"answer": 4}', "g"))), output=int)
    first = agent.run("go")
    assert agent.run("again", history=first).output == 4


def test_the_output_tool_counts_as_a_tool():
    tools = [tool(lambda: 1, name=f"t{n}") for n in range(128)]
    with pytest.raises(ConfigurationError, match=r"129.*128"):
        Agent("sim:deepseek-flash", tools=tools, output=City).run("go")


def test_a_tool_of_the_output_tools_name_is_refused():
    with pytest.raises(ConfigurationError, match="final_answer"):
        Agent(Script(), tools=[tool(lambda: 1, name="final_answer")], output=City).run("go")


def test_a_type_without_a_schema_is_refused_when_the_agent_is_made():
    with pytest.raises(ConfigurationError):
        Agent(Script(), output=threading_lock_type())


def threading_lock_type():
    import threading

    return type(threading.Lock())


def test_limits_hold_while_the_model_is_reminded():
    from agentkit import LimitReached

    with pytest.raises(LimitReached):
        Agent(Script(*[says("No.")] * 9), output=City, limits=Limits(steps=2)).run("go")
