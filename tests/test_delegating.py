"""Agents together: agents as tools of other agents."""

import asyncio
import json
import threading

import pytest
from script import go, ways

from agentkit import (
    Agent,
    Approve,
    Assistant,
    ConfigurationError,
    Context,
    LimitReached,
    Limits,
    ToolMessage,
    Usage,
    tool,
)
from agentkit import events as event_kinds
from agentkit.events import Nested, TextDelta
from agentkit.messages import Note
from agentkit.money import Cost, Money
from agentkit.testing import Function, Script, call
from agentkit.transcript import DELEGATED, Transcript


@tool
def look(context: Context[str], place: str) -> str:
    """Look at a place."""
    return f"{context.value} sees {place}"


def spent(text, tokens, amount="0.01", **options):
    paid = Cost((Money.of(f"{amount} USD"),), (Money.of("0 USD"),))
    usage = Usage(prompt_tokens=tokens, completion_tokens=1, cache_miss_tokens=tokens, requests=1)
    return Assistant(text, finish_reason="stop", usage=usage, cost=paid, **options)


def team(*scout_says, tools=(look,), **options):
    """An agent with another one as its tool."""
    scout = Agent(Script([call("look", place="the sea"), *scout_says]), tools=tools, name="scout", **options)
    boss = Script([call("scout", prompt="How is the sea?"), "Wet, they say."])
    return Agent(boss, tools=[scout.as_tool()], name="boss"), scout


@ways
def test_an_agent_answers_as_the_tool_of_another(way):
    boss, _ = team("It is wet.")
    result = go(boss, way, "Ask the scout.", context="eye")
    assert result.output == "Wet, they say."
    (answer,) = [one for one in result.messages if isinstance(one, ToolMessage)]
    assert (answer.text, answer.ok) == ("It is wet.", True)


def test_the_tool_says_what_it_is_and_wants_a_prompt():
    plain = Agent(Script([]), name="scout").as_tool()
    assert plain.name == "scout"
    assert list(plain.schema["properties"]) == ["prompt"]
    assert plain.schema["required"] == ["prompt"]
    named = Agent(Script([])).as_tool(name="ask", description="Ask somebody.", timeout=3)
    assert (named.name, named.description, named.timeout) == ("ask", "Ask somebody.", 3)
    with pytest.raises(ConfigurationError):
        Agent(Script([]), name="no good name").as_tool()


@ways
def test_each_call_is_a_run_of_its_own(way):
    seen = []

    def answer(request):
        seen.append([one.text for one in request.transcript.messages()])
        return f"answer {len(seen)}"

    scout = Agent(Function(answer), name="scout")
    first, second = call("scout", prompt="one"), call("scout", prompt="two")
    boss = Agent(Script([first, second, "done"]), tools=[scout.as_tool()])
    go(boss, way, "go")
    assert seen == [["one"], ["two"]]


@ways
def test_usage_and_cost_of_the_inner_run_count_in_the_outer_one(way):
    scout = Agent(Script([spent("wet", 100, "0.03")]), name="scout")
    boss = Script([call("scout", prompt="?"), spent("done", 10)])
    result = go(Agent(boss, tools=[scout.as_tool()]), way, "go")
    assert result.usage.prompt_tokens == 110
    assert result.usage.requests >= 2
    (note,) = [one for one in result.entries if isinstance(one, Note) and one.kind == DELEGATED]
    assert note.data["usage"]["prompt_tokens"] == 100
    again = Transcript(result.entries)
    assert again.usage == result.usage
    assert again.cost.within("USD") == Money.of("0.04 USD").amount
    assert result.steps == 2, "its steps are its own"


@ways
def test_tokens_of_the_inner_run_count_for_the_outer_limit(way):
    scout = Agent(Script([spent("wet", 5_000)]), name="scout")
    boss = Script([call("scout", prompt="?"), "done"])
    with pytest.raises(LimitReached, match="tokens") as caught:
        go(Agent(boss, tools=[scout.as_tool()], limits=Limits(tokens=1_000)), way, "go")
    assert not caught.value.transcript.open_calls


@ways
def test_a_limit_of_the_inner_run_is_a_failed_call_and_its_spending_counts(way):
    looks = [spent("", 7, tool_calls=(call("look", place="here"),)) for _ in range(3)]
    scout = Agent(Script(looks), tools=[look], name="scout", limits=Limits(steps=2))
    result = go(
        Agent(Script([call("scout", prompt="?"), "gave up"]), tools=[scout.as_tool()]), way, "go", context="eye"
    )
    (answer,) = [one for one in result.messages if isinstance(one, ToolMessage)]
    assert not answer.ok
    assert "LimitReached" in answer.text
    assert result.usage.prompt_tokens == 14


@pytest.mark.parametrize("way", ["run", "arun"])
def test_its_events_are_shown_in_the_thread_of_the_run_and_go_to_json_and_back(way):
    boss, _ = team("It is wet.")
    events, where = [], set()

    def hear(event):
        where.add(threading.get_ident())
        events.append(event)

    go(boss, way, "go", context="eye", on_event=hear)
    nested = [event for event in events if isinstance(event, Nested)]
    assert {event.tool for event in nested} == {"scout"}
    assert any(isinstance(event.event, TextDelta) and event.event.text == "It is wet." for event in nested)
    assert where == {threading.get_ident()}
    stamp = event_kinds.Stamper()
    for event in events:
        stamped = stamp(event)
        assert event_kinds.load(event_kinds.dump(stamped)) == stamped


@ways
def test_two_levels_are_nested_twice(way):
    low = Agent(Script([spent("deep", 3)]), name="low")
    middle = Agent(Script([call("low", prompt="?"), spent("middle", 5)]), name="middle", tools=[low.as_tool()])
    events = []
    top = Agent(Script([call("middle", prompt="?"), "top"]), tools=[middle.as_tool()])
    result = go(top, way, "go", on_event=events.append)
    assert result.usage.prompt_tokens == 8
    twice = [one for one in events if isinstance(one, Nested) and isinstance(one.event, Nested)]
    assert twice
    assert twice[0].event.tool == "low"


@ways
def test_many_at_once_are_told_apart(way):
    scout = Agent(Function(lambda request: f"saw {request.transcript.last.text}"), name="scout")
    asked = [call("scout", prompt=f"place {n}") for n in range(20)]
    together = Assistant("", tool_calls=tuple(asked), finish_reason="tool_calls")
    result = go(Agent(Script([together, "done"]), tools=[scout.as_tool()]), way, "go")
    answers = {one.tool_call_id: one.text for one in result.messages if isinstance(one, ToolMessage)}
    assert len(answers) == 20
    for one in result.messages[1].tool_calls:
        assert answers[one.id] == "saw " + json.loads(one.arguments)["prompt"]


@ways
def test_it_asks_for_verdicts_where_the_outer_run_does(way):
    @tool(approval=True)
    def act() -> str:
        """Act."""
        return "acted"

    scout = Agent(Script([call("act"), "It is done."]), tools=[act], name="scout")
    boss = Agent(Script([call("scout", prompt="?"), "fine"]), tools=[scout.as_tool()])
    asked = []

    def approve(one):
        asked.append(one.name)
        return Approve()

    result = go(boss, way, "go", approve=approve)
    assert asked == ["act"]
    assert [one.text for one in result.messages if isinstance(one, ToolMessage)] == ["It is done."]


@ways
def test_without_anybody_to_ask_the_call_fails_and_says_why(way):
    @tool(approval=True)
    def act() -> str:
        """Act."""
        raise AssertionError("nobody approved it")

    scout = Agent(Script([call("act"), "never"]), tools=[act], name="scout")
    result = go(Agent(Script([call("scout", prompt="?"), "fine"]), tools=[scout.as_tool()]), way, "go")
    (answer,) = [one for one in result.messages if isinstance(one, ToolMessage)]
    assert not answer.ok
    assert "`act`" in answer.text


@ways
def test_the_time_of_the_outer_run_ends_the_inner_one(way):
    ended = threading.Event()

    @tool
    async def wait() -> str:
        """Wait."""
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    scout = Agent(Script([call("wait"), "never"]), tools=[wait], name="scout")
    boss = Agent(Script([call("scout", prompt="?"), "never"]), tools=[scout.as_tool()], limits=Limits(seconds=0.8))
    with pytest.raises(LimitReached, match="seconds"):
        go(boss, way, "go")
    assert ended.wait(5)


def test_a_typed_answer_of_the_inner_agent_is_told_as_json():
    scout = Agent(Script([call("final_answer", answer=[1, 2])]), name="scout", output=list[int])
    result = Agent(Script([call("scout", prompt="?"), "fine"]), tools=[scout.as_tool()]).run("go")
    (answer,) = [one for one in result.messages if isinstance(one, ToolMessage)]
    assert answer.text == "[1,2]"
