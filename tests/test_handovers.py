"""Agents that hand the conversation over to each other."""

import asyncio

import pytest
from script import ago, go, ways

from agentkit import Agent, Assistant, ConfigurationError, LimitReached, Limits, Settings, ToolMessage, User, tool
from agentkit.messages import Note
from agentkit.sessions import Session
from agentkit.testing import Function, Script, call
from agentkit.transcript import HANDOVER, Transcript


@tool
def refund(order: str) -> str:
    """Refund an order."""
    return f"{order} is refunded"


@tool
def greet() -> str:
    """Greet."""
    return "hello"


def desk(front_says, billing_says, **options):
    billing = Agent(
        billing_says,
        name="billing",
        description="Knows all of bills.",
        instructions="You are billing.",
        tools=[refund],
        settings=Settings(temperature=0.5),
    )
    front = Agent(
        front_says, name="front", instructions="You are the desk.", tools=[greet], handovers=[billing], **options
    )
    return front, billing


def seen(requests):
    return [(one.instructions, [tool.name for tool in one.tools], one.settings.temperature) for one in requests]


@ways
def test_the_other_agents_orders_hold_from_then_on_and_the_transcript_goes_on(way):
    first = Script([call("hand_over_to_billing")])
    second = Script([call("refund", order="A1"), "A1 is paid back."])
    front, _ = desk(first, second)
    result = go(front, way, "I want my money back")
    assert result.output == "A1 is paid back."
    assert seen(first.requests) == [("You are the desk.", ["greet", "hand_over_to_billing"], None)]
    assert seen(second.requests) == [("You are billing.", ["refund"], 0.5)] * 2
    told = [type(one).__name__ for one in result.messages]
    assert told == ["User", "Assistant", "ToolMessage", "Assistant", "ToolMessage", "Assistant"]
    (note,) = [one for one in result.entries if isinstance(one, Note) and one.kind == HANDOVER]
    assert note.data["agent"] == "billing"
    assert result.steps == 3


def test_the_model_is_told_what_the_other_agent_is_for():
    model = Script(["hi"])
    front, _ = desk(model, Script([]))
    front.run("hello")
    (way,) = [one for one in model.requests[0].tools if one.name == "hand_over_to_billing"]
    assert "Knows all of bills." in way.description
    assert way.schema["properties"] == {}


@ways
def test_a_conversation_that_was_handed_over_stays_there(way):
    second = Script(["Which order?", "Done."])
    front, billing = desk(Script([call("hand_over_to_billing")]), second)
    first = go(front, way, "Refund, please")
    after = go(front, way, "A1", history=first)
    assert after.output == "Done."
    assert [one.text for one in second.requests[1].transcript.messages() if isinstance(one, User)] == [
        "Refund, please",
        "A1",
    ]
    assert go(billing, way, "and?", history=first, model=Script(["Yes."])).output == "Yes."


@ways
def test_agents_hand_over_to_each_other_and_back(way):
    front, billing = desk(Script([call("hand_over_to_billing"), "Bye."]), Script([call("hand_over_to_front")]))
    billing.handovers.append(front)
    result = go(front, way, "go")
    assert result.output == "Bye."
    assert [one.data["agent"] for one in result.entries if isinstance(one, Note) and one.kind == HANDOVER] == [
        "billing",
        "front",
    ]


@ways
def test_limits_are_those_of_the_run(way):
    front, billing = desk(
        Function(lambda request: call("hand_over_to_billing")),
        Function(lambda request: call("hand_over_to_front")),
        limits=Limits(steps=6),
    )
    billing.handovers.append(front)
    with pytest.raises(LimitReached, match="steps") as caught:
        go(front, way, "go")
    assert caught.value.transcript.steps == 6


@ways
def test_the_first_agent_that_was_named_takes_over_and_tools_beside_it_run(way):
    second = Script(["Here I am."])
    other = Agent(Script([]), name="other")
    front, _ = desk(
        Script(
            [
                Assistant(
                    "",
                    tool_calls=(call("greet"), call("hand_over_to_billing"), call("hand_over_to_other")),
                    finish_reason="tool_calls",
                )
            ]
        ),
        second,
    )
    front.handovers.append(other)
    result = go(front, way, "go")
    assert result.output == "Here I am."
    assert sum(isinstance(one, ToolMessage) for one in result.messages) == 3


@ways
def test_the_answer_is_of_the_type_of_the_agent_that_gives_it(way):
    counter = Agent(Script([call("final_answer", answer=3)]), name="counter", output=int)
    front = Agent(Script([call("hand_over_to_counter")]), handovers=[counter])
    assert go(front, way, "How many?").output == 3


def test_every_prefix_of_the_transcript_goes_on_with_the_right_agent():
    def front_says(request):
        return call("hand_over_to_billing")

    def billing_says(request):
        done = any(one.name == "refund" for one in request.transcript.messages() if isinstance(one, ToolMessage))
        return "Paid back." if done else call("refund", order="A1")

    front, _ = desk(Function(front_says), Function(billing_says))
    whole = front.run("go")
    for length in range(2, len(whole.entries)):
        again = front.run(None, history=Transcript(whole.entries[:length]))
        assert again.output == "Paid back."
        assert [one.text for one in again.messages] == [one.text for one in whole.messages]


def test_a_session_remembers_who_has_taken_over(tmp_path):
    session = Session("desk", file=tmp_path / "sessions.db")
    second = Script(["Which order?", "Done."])
    front, _ = desk(Script([call("hand_over_to_billing")]), second)
    front.run("Refund", session=session)
    assert front.run("A1", session=session).output == "Done."


def test_it_works_on_one_event_loop_many_times_at_once():
    async def many():
        runs = []
        for n in range(20):
            front, _ = desk(Script([call("hand_over_to_billing")]), Script([call("refund", order=f"A{n}"), f"{n}"]))
            runs.append(ago(front, "arun", "go"))
        return [result.output for result in await asyncio.gather(*runs)]

    assert asyncio.run(many()) == [str(n) for n in range(20)]


def test_a_tool_of_the_same_name_is_refused():
    front = Agent(
        Script(["hi"]), tools=[tool(lambda: 1, name="hand_over_to_x")], handovers=[Agent(Script([]), name="x")]
    )
    with pytest.raises(ConfigurationError, match="hand_over_to_x"):
        front.run("go")


def test_two_agents_of_one_name_are_refused():
    front = Agent(Script(["hi"]), handovers=[Agent(Script([]), name="x"), Agent(Script([]), name="x")])
    with pytest.raises(ConfigurationError, match="`x`"):
        front.run("go")


def test_a_name_that_no_tool_can_have_is_refused():
    front = Agent(Script(["hi"]), handovers=[Agent(Script([]), name="the other one")])
    with pytest.raises(ConfigurationError, match="the other one"):
        front.run("go")
