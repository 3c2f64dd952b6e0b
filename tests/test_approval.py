"""Calls that are not carried out unasked: what waits, what runs, and what a verdict does."""

import asyncio

import pytest
from script import Script, calls, says

from agentkit import Agent, Answer, Approve, ConfigurationError, Deny, tool
from agentkit.messages import ToolMessage, dump, load

ways = pytest.mark.parametrize("asynchronous", [False, True])


def begin(agent, asynchronous, prompt="go", **options):
    return asyncio.run(agent.arun(prompt, **options)) if asynchronous else agent.run(prompt, **options)


def resume(agent, asynchronous, *args):
    return asyncio.run(agent.aresume(*args)) if asynchronous else agent.resume(*args)


class Till:
    """Tools that write down what they did."""

    def __init__(self):
        self.done = []

    def tools(self, approval=True):
        @tool(approval=approval)
        def refund(order: int, amount: float) -> str:
            """Refund an order."""
            self.done.append((order, amount))
            return f"refunded {amount:g}"

        @tool
        def look(order: int) -> str:
            """Look an order up."""
            self.done.append(order)
            return "shipped"

        return [refund, look]


LOOK, REFUND = ("a", "look", '{"order": 1}'), ("b", "refund", '{"order": 1, "amount": 40}')
BEHIND, SECOND = ("c", "look", '{"order": 2}'), ("d", "refund", '{"order": 2, "amount": 9}')


def told(result):
    return {one.tool_call_id: one.text for one in result.messages if isinstance(one, ToolMessage)}


@ways
def test_what_stands_before_a_waiting_call_runs_and_what_stands_behind_it_waits_too(asynchronous):
    till = Till()
    agent = Agent(Script(calls(LOOK, REFUND, BEHIND, SECOND), says("done")), tools=till.tools())
    paused = begin(agent, asynchronous)
    assert till.done == [1]
    assert [call.id for call in paused.pending] == ["b", "d"], "all that need a verdict are told of at once"
    result = resume(agent, asynchronous, paused, {"b": True, "d": "too much"})
    assert till.done[0] == 1
    assert set(till.done[1:]) == {(1, 40.0), 2}, "what was held runs at the same time as what was approved"
    assert result.output == "done"
    assert result.pending == ()
    assert told(result)["b"] == "refunded 40"
    assert "too much" in told(result)["d"]


@ways
def test_verdicts_may_come_one_by_one_and_after_the_transcript_was_saved(asynchronous):
    till = Till()
    agent = Agent(Script(calls(REFUND, SECOND), says("done")), tools=till.tools())
    paused = begin(agent, asynchronous)
    saved = load(dump(paused.entries))
    again = resume(agent, asynchronous, saved, {"b": True})
    assert [call.id for call in again.pending] == ["d"]
    assert till.done == [(1, 40.0)]
    assert resume(agent, asynchronous, again, {"d": False}).output == "done"
    assert till.done == [(1, 40.0)]


@ways
def test_a_call_may_be_approved_with_other_arguments_or_answered_from_outside(asynchronous):
    till = Till()
    agent = Agent(Script(calls(REFUND, SECOND), says("done")), tools=till.tools())
    verdicts = {"b": Approve({"order": 1, "amount": 5}), "d": Answer("refunded by hand")}
    result = resume(agent, asynchronous, begin(agent, asynchronous), verdicts)
    assert till.done == [(1, 5.0)]
    assert told(result) == {"b": "refunded 5", "d": "refunded by hand"}


@ways
def test_edited_arguments_that_do_not_fit_do_not_run(asynchronous):
    till = Till()
    agent = Agent(Script(calls(REFUND), says("done")), tools=till.tools())
    result = resume(agent, asynchronous, begin(agent, asynchronous), {"b": Approve({"amount": "lots"})})
    assert till.done == []
    assert "amount" in told(result)["b"]


@ways
def test_arguments_are_checked_before_anyone_is_asked(asynchronous):
    agent = Agent(Script(calls(("b", "refund", '{"order": "x"}')), says("done")), tools=Till().tools())
    result = begin(agent, asynchronous)
    assert result.pending == ()
    assert "order" in told(result)["b"]


@ways
def test_a_predicate_on_the_arguments_decides_which_calls_wait(asynchronous):
    till = Till()
    agent = Agent(
        Script(calls(SECOND, REFUND), says("done")), tools=till.tools(lambda arguments: arguments["amount"] > 10)
    )
    assert [call.id for call in begin(agent, asynchronous).pending] == ["b"]
    assert till.done == [(2, 9.0)]


@ways
def test_a_predicate_that_fails_lets_the_call_wait(asynchronous):
    till = Till()
    agent = Agent(Script(calls(REFUND), says("done")), tools=till.tools(lambda arguments: arguments["nonsense"]))
    assert [call.id for call in begin(agent, asynchronous).pending] == ["b"]
    assert till.done == []


@ways
def test_a_new_prompt_answers_what_waited_as_interrupted(asynchronous):
    till = Till()
    agent = Agent(Script(calls(REFUND), says("fine")), tools=till.tools())
    result = begin(agent, asynchronous, "never mind", history=begin(agent, asynchronous))
    assert "interrupted" in told(result)["b"]
    assert till.done == []


@pytest.mark.parametrize("verdicts", [{"x": True}, {"b": 3}, {"b": None}])
def test_a_verdict_on_nothing_or_of_no_kind_is_refused(verdicts):
    agent = Agent(Script(calls(REFUND)), tools=Till().tools())
    with pytest.raises(ConfigurationError, match=r"`b`|no verdict"):
        agent.resume(agent.run("go"), verdicts)


def test_denying_without_words_is_told_too():
    agent = Agent(Script(calls(REFUND), says("ok")), tools=Till().tools())
    result = agent.resume(agent.run("go"), {"b": Deny()})
    assert told(result)["b"].endswith("did not approve it")
