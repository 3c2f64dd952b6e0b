"""Calls that go round: the same call with the same result is told once, and ends a run that asks for that."""

import pytest
from script import Script, calls, go, says, ways

from agentkit import Agent, LimitReached, Limits, tool
from agentkit.errors import ConfigurationError
from agentkit.events import CallModel, LimitNear, Repeated, Review
from agentkit.loop import near
from agentkit.messages import Assistant, Note, ToolMessage, Usage, User
from agentkit.money import Cost, Money
from agentkit.transcript import Transcript


def polling(times, *, then="done", result=lambda number: "nothing yet"):
    """An agent whose model makes the same call so many times, and what its tool gives each time."""
    numbers = []

    @tool
    def poll(job: str) -> str:
        """Ask how a job is."""
        numbers.append(job)
        return result(len(numbers))

    model = Script(*[calls((f"c{n}", "poll", '{"job": "a"}')) for n in range(times)], says(then))
    return Agent(model, tools=[poll]), model


@ways
def test_the_same_call_with_the_same_result_is_told_once_and_the_run_goes_on(way):
    agent, model = polling(7)
    events = []
    result = go(agent, way, "Wait for it.", on_event=events.append)
    assert result.text == "done"
    told = [one for one in result.messages if isinstance(one, User) and one.by == "repeats"]
    assert len(told) == 1
    assert "`poll` 3 times in a row" in told[0].text
    assert result.messages.index(told[0]) == 7  # behind the third answer
    assert [one for one in events if isinstance(one, Repeated)] == [Repeated("poll", 3)]
    assert told[0] in model.requests[3].transcript


@ways
def test_a_result_that_changes_is_no_repetition(way):
    agent, _ = polling(7, result=lambda number: f"{number // 2} of 3")
    result = go(agent, way, "Wait for it.", limits=Limits(repeats=3))
    assert not [one for one in result.messages if isinstance(one, User) and one.by]


@ways
@pytest.mark.parametrize("repeats", [2, 3, 5])
def test_repetitions_end_the_run_only_where_that_is_asked_for(way, repeats):
    agent, model = polling(9)
    with pytest.raises(LimitReached, match=f"repeats={repeats}") as caught:
        go(agent, way, "Wait for it.", limits=Limits(repeats=repeats))
    assert caught.value.limit == "repeats"
    assert len(model.requests) == repeats


def test_parallel_calls_are_counted_once_for_each_reply_and_other_calls_break_no_row():
    def step(number):
        same = [ToolMessage(f"{number}a", "a", "x"), ToolMessage(f"{number}b", "b", str(number))]
        return [calls((f"{number}a", "a", "{}"), (f"{number}b", "b", "{}")), *same]

    transcript = Transcript([User("go"), *step(1), *step(2)])
    assert (transcript.repeats, transcript.repeated(2)) == (2, ("a",))
    transcript.append(Note("run", {}))
    assert transcript.repeats == 0
    answers = [ToolMessage(id, "a", "x") for id in "12"]
    assert Transcript([calls(("1", "a", "{}"), ("2", "a", "{}")), *answers]).repeats == 1


@pytest.mark.parametrize("repeats", [0, 1, True, "3"])
def test_a_number_of_repeats_that_would_end_every_run_is_refused(repeats):
    with pytest.raises(ConfigurationError, match="repeats"):
        Limits(repeats=repeats)


@ways
def test_a_limit_that_is_near_is_told_once(way):
    agent, _ = polling(9, result=str)
    events = []
    go(agent, way, "Wait for it.", limits=Limits(steps=10, tool_calls=20), on_event=events.append)
    assert [one for one in events if isinstance(one, LimitNear)] == [LimitNear("steps", 0.8)]
    assert isinstance(events[[type(one) for one in events].index(LimitNear) - 1], CallModel)


def test_each_limit_is_near_from_four_fifths_on():
    usage, cost = Usage(70, 9, requests=1), Cost((Money.of("0.79 USD"),))
    transcript = Transcript([User("go"), Assistant("", usage=usage, cost=cost)])
    limits, told = Limits(steps=5, tokens=100, cost="1 USD"), set()
    assert near(transcript, limits, told, CallModel()) == []
    transcript.append(Assistant("", usage=Usage(10, 1, requests=1), cost=Cost((Money.of("0.06 USD"),))))
    assert near(transcript, limits, told, Review()) == []
    assert near(transcript, limits, told, CallModel()) == [LimitNear("tokens", 0.9), LimitNear("cost", 0.85)]
    assert near(transcript, limits, told, CallModel()) == []
    assert near(transcript, Limits(steps=None), set(), CallModel()) == []
