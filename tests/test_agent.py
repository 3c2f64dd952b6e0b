"""Runs of an agent above the models: what tools get, what the model is told, what the caller gets."""

import asyncio
import contextvars
import logging
import threading
import time
from typing import Annotated

import pytest
from pydantic import AfterValidator
from script import Script, ago, calls, go, says, ways

from agentkit import Agent, Context, Limits, Settings, Tool, ToolError, tool
from agentkit.errors import ConfigurationError, LimitReached, Truncated, Unavailable
from agentkit.events import CallDelta, CallModel, CallTools, Review, TextDelta, ToolFinished, ToolStarted
from agentkit.messages import Assistant, Note, ToolMessage, Usage, User


@ways
@pytest.mark.parametrize("asynchronous", [False, True])
def test_parallel_calls_run_in_parallel_and_each_gets_one_answer(way, asynchronous):
    meet = threading.Barrier(3, timeout=10)
    here = asyncio.Barrier(3)

    @tool
    def wait(n: int) -> int:
        """Wait for the others."""
        meet.wait()
        return n * n

    @tool(name="wait")
    async def await_(n: int) -> int:
        """Wait for the others."""
        async with asyncio.timeout(10), here:
            return n * n

    asked = [(f"c{n}", "wait", f'{{"n": {n}}}') for n in range(3)]
    model = Script(calls(*asked), says("done"))
    result = go(Agent(model, tools=[await_ if asynchronous else wait]), way, "go")
    answers = {one.tool_call_id: one.text for one in result.messages if isinstance(one, ToolMessage)}
    assert answers == {"c0": "0", "c1": "1", "c2": "4"}
    assert result.output == result.text == "done"
    assert result.steps == 2


@ways
def test_answers_are_written_down_in_order_of_completion(way):
    second = threading.Event()

    @tool
    def first() -> str:
        """Ends last."""
        assert second.wait(10)
        return "1"

    @tool
    def other() -> str:
        """Ends first."""
        return "2"

    def on_event(event):
        if isinstance(event, ToolMessage) and event.name == "other":
            second.set()

    model = Script(calls(("a", "first", "{}"), ("b", "other", "{}")), says("done"))
    result = go(Agent(model, tools=[first, other]), way, "go", on_event=on_event)
    assert [one.text for one in result.messages if isinstance(one, ToolMessage)] == ["2", "1"]


@ways
def test_a_failing_tool_harms_no_sibling_and_tells_the_model_no_secrets(way, caplog):
    def bad() -> str:
        """Fail."""
        raise ValueError("password hunter2")

    def wrong() -> str:
        """Fail in words."""
        raise ToolError("no such city")

    def ends() -> str:
        """Try to end the program."""
        raise SystemExit(3)

    asked = calls(("a", "bad", "{}"), ("b", "wrong", "{}"), ("c", "fine", "{}"), ("d", "ends", "{}"))
    events = []
    agent = Agent(Script(asked, says("done")), tools=[bad, wrong, ends, tool(lambda: "ok", name="fine")])
    with caplog.at_level(logging.WARNING, "agentkit"):
        result = go(agent, way, "go", on_event=events.append)
    said = {one.tool_call_id: one for one in result.messages if isinstance(one, ToolMessage)}
    assert "ValueError" in said["a"].text
    assert "hunter2" not in said["a"].text
    assert said["b"].text == "no such city"
    assert said["c"].text == "ok"
    assert "SystemExit" in said["d"].text
    assert {one: said[one].ok for one in said} == {"a": False, "b": False, "c": True, "d": False}
    traces = {one.call.id: one.traceback for one in events if isinstance(one, ToolFinished)}
    assert "hunter2" in traces["a"], "the developer sees it all"
    assert traces["c"] is None
    assert "hunter2" in caplog.text


@ways
def test_a_call_that_cannot_be_run_is_answered_and_the_run_goes_on(way):
    ran = []

    @tool
    def add(a: int, b: int) -> int:
        """Add."""
        ran.append((a, b))
        return a + b

    asked = calls(("a", "ad", "{}"), ("b", "add", '{"a": "many"}'), ("c", "add", "{"), ("d", "add", '{"a": 1, "b": 2}'))
    result = go(Agent(Script(asked, says("done")), tools=[add]), way, "go")
    said = {one.tool_call_id: one for one in result.messages if isinstance(one, ToolMessage)}
    assert "`add`" in said["a"].text or "add" in said["a"].text
    assert "a" in said["b"].text
    assert [said[one].ok for one in "abcd"] == [False, False, False, True]
    assert ran == [(1, 2)]


@ways
def test_a_tool_that_takes_too_long_is_answered_and_the_run_goes_on(way):
    release = threading.Event()

    @tool(timeout=0.05)
    def slow() -> str:
        """Hang."""
        release.wait(30)
        return "late"

    @tool(timeout=0.05)
    async def aslow() -> str:
        """Hang."""
        await asyncio.Event().wait()
        return "late"

    model = Script(calls(("a", "slow", "{}"), ("b", "aslow", "{}")), says("done"))
    result = go(Agent(model, tools=[slow, aslow]), way, "go")
    release.set()
    texts = [one.text for one in result.messages if isinstance(one, ToolMessage)]
    assert len(texts) == 2
    assert all("did not finish within 0.05 seconds" in one for one in texts)


@ways
def test_a_tool_with_retries_is_called_again_until_it_returns(way):
    seen = []

    @tool(retries=2)
    def flaky(context: Context) -> int:
        """Fail twice."""
        seen.append(context.attempt)
        if context.attempt < 3:
            raise OSError
        return context.attempt

    @tool(retries=2)
    async def aflaky(context: Context) -> int:
        """Fail twice."""
        return flaky(context)

    model = Script(calls(("a", "flaky", "{}")), calls(("b", "aflaky", "{}")), says("done"))
    result = go(Agent(model, tools=[flaky, aflaky]), way, "go")
    assert [one.text for one in result.messages if isinstance(one, ToolMessage)] == ["3", "3"]
    assert seen == [1, 2, 3, 1, 2, 3]


@ways
def test_a_context_parameter_is_filled_by_the_run(way):
    got = []

    @tool
    def look(context: Context[dict[str, int]]) -> str:
        """Look around."""
        got.append(context)
        return "ok"

    assert look.schema["properties"] == {}
    model = Script(calls(("a", "look", "{}")), says("done"))
    go(Agent(model, tools=[look]), way, "go", context={"x": 1})
    (context,) = got
    assert context.value == {"x": 1}
    assert (context.call_id, context.attempt) == ("a", 1)
    assert context.messages[0] == User("go")
    assert context.idempotency_key.endswith("/a")


@ways
def test_sequential_tools_run_in_the_callers_thread_one_after_another(way):
    threads = []

    def where() -> str:
        """Tell the thread."""
        threads.append(threading.current_thread())
        return "ok"

    here = tool(where, sequential=True)
    model = Script(calls(("a", "where", "{}"), ("b", "where", "{}")), says("done"))
    go(Agent(model, tools=[here]), way, "go")
    assert threads == [threading.current_thread()] * 2


@ways
def test_context_variables_reach_the_tools(way):
    variable = contextvars.ContextVar("variable", default="unset")

    def look() -> str:
        """Read the variable."""
        return variable.get()

    token = variable.set("set")
    try:
        result = go(Agent(Script(calls(("a", "look", "{}")), says("x")), tools=[look]), way, "go")
    finally:
        variable.reset(token)
    assert result.messages[2].text == "set"


@ways
@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("ids", ["a", "ab"], ids=["alone", "beside"])
def test_context_variables_that_a_tool_sets_are_seen_by_nobody_else(way, asynchronous, ids):
    variable = contextvars.ContextVar("variable", default="unset")

    def mark() -> str:
        """Read the variable and set it."""
        before = variable.get()
        variable.set("set by a tool")
        return before

    async def awaited() -> str:
        """Do the same."""
        await asyncio.sleep(0)
        return mark()

    act = tool(awaited if asynchronous else mark, name="act")
    twice = [calls(*[(one + turn, "act", "{}") for one in ids]) for turn in "12"]
    result = go(Agent(Script(*twice, says("x")), tools=[act]), way, "go")
    assert {one.text for one in result.messages if one.role == "tool"} == {"unset"}
    assert variable.get() == "unset"


@pytest.mark.parametrize("way", ["arun", "astream"])
def test_context_variables_that_a_lone_tool_sets_do_not_reach_the_caller(way):
    variable = contextvars.ContextVar("variable", default="unset")

    async def act() -> str:
        """Set the variable."""
        variable.set("set by a tool")
        return "ok"

    async def main():
        await ago(Agent(Script(calls(("a", "act", "{}")), says("x")), tools=[act]), way, "go")
        return variable.get()

    assert asyncio.run(main()) == "unset"


@ways
@pytest.mark.parametrize("reason", ["length", "content_filter", "insufficient_system_resource", "odd", None])
def test_any_reason_but_stop_is_truncated_with_the_partial_text(way, reason):
    cut = Assistant("half an ans", finish_reason=reason, usage=Usage(5, 6, requests=1))
    with pytest.raises(Truncated) as caught:
        go(Agent(Script(cut)), way, "go")
    assert caught.value.text == "half an ans"
    assert caught.value.finish_reason == reason
    assert caught.value.transcript.usage == cut.usage, "what was paid for is counted"
    assert caught.value.transcript.messages() == (User("go"),), "a cut answer is no message"


@ways
def test_missing_and_repeated_call_ids_are_told_apart_and_each_answered_once(way):
    asked = calls(("", "act", '{"n": 1}'), ("x", "act", '{"n": 2}'), ("x", "act", '{"n": 3}'), ("", "act", '{"n": 4}'))

    def act(n: int) -> int:
        """Act."""
        return n

    result = go(Agent(Script(asked, says("done")), tools=[act]), way, "go")
    ids = [call.id for call in result.messages[1].tool_calls]
    assert len(set(ids)) == 4
    assert all(ids)
    assert ids[1] == "x"
    answers = {one.tool_call_id: one.text for one in result.messages if isinstance(one, ToolMessage)}
    assert [answers[one] for one in ids] == ["1", "2", "3", "4"]


@ways
def test_a_validator_that_is_broken_fails_its_call_and_not_the_run(way, caplog):
    def broken(value):
        raise KeyError("secret")

    def act(n: Annotated[int, AfterValidator(broken)]) -> int:
        """Act."""
        return n

    result = go(Agent(Script(calls(("a", "act", '{"n": 1}')), says("done")), tools=[act]), way, "go")
    assert "KeyError" in result.messages[2].text
    assert "secret" not in result.messages[2].text
    assert result.output == "done"


@ways
def test_calls_under_length_do_not_run(way):
    ran = []
    cut = Assistant("", tool_calls=calls(("a", "act", "{}")).tool_calls, finish_reason="length")
    agent = Agent(Script(cut), tools=[tool(lambda: ran.append(1), name="act")])
    with pytest.raises(Truncated):
        go(agent, way, "go")
    assert ran == []


@ways
def test_calls_count_even_under_stop(way):
    model = Script(Assistant("", tool_calls=calls(("a", "act", "{}")).tool_calls, finish_reason="stop"), says("done"))
    result = go(Agent(model, tools=[tool(lambda: "ok", name="act")]), way, "go")
    assert [type(one).__name__ for one in result.messages] == ["User", "Assistant", "ToolMessage", "Assistant"]


@ways
def test_the_step_limit_ends_a_model_that_never_stops(way):
    model = Script(*[calls((f"c{n}", "act", "{}")) for n in range(9)])
    agent = Agent(model, tools=[tool(lambda: "ok", name="act")], limits=Limits(steps=3))
    with pytest.raises(LimitReached) as caught:
        go(agent, way, "go")
    assert caught.value.limit == "steps"
    assert caught.value.transcript.steps == 3
    assert caught.value.transcript.open_calls == ()


@ways
def test_the_time_limit_ends_a_run_whose_tool_hangs(way):
    release = threading.Event()
    agent = Agent(
        Script(calls(("a", "hang", "{}")), says("done")),
        tools=[tool(lambda: release.wait(30), name="hang")],
        limits=Limits(seconds=0.1),
    )
    began = time.monotonic()
    with pytest.raises(LimitReached) as caught:
        go(agent, way, "go")
    release.set()
    assert caught.value.limit == "seconds"
    assert time.monotonic() - began < 10


@ways
def test_an_error_of_the_model_carries_the_transcript(way):
    with pytest.raises(Unavailable) as caught:
        go(Agent(Script(Unavailable("busy"))), way, "go")
    assert caught.value.transcript.last == User("go")


@ways
def test_a_run_goes_on_from_an_earlier_result(way):
    agent = Agent(Script(says("one"), says("two")))
    first = go(agent, way, "1")
    second = go(agent, way, "2", history=first)
    assert [one.text for one in second.messages] == ["1", "one", "2", "two"]
    assert [one.text for one in second.new_messages] == ["2", "two"]
    assert second.steps == 1


@ways
def test_calls_left_open_in_the_history_are_answered_as_interrupted(way):
    model = Script(says("fine"))
    history = [User("q"), calls(("a", "act", "{}"))]
    result = go(Agent(model, tools=[tool(lambda: "ok", name="act")]), way, "never mind", history=history)
    assert [type(one).__name__ for one in result.messages] == ["User", "Assistant", "ToolMessage", "User", "Assistant"]
    assert "interrupted" in result.messages[2].text


@ways
def test_no_prompt_goes_on_in_the_middle_of_a_batch_of_tools(way):
    ran = []
    history = [User("q"), calls(("a", "act", '{"n": 1}'), ("b", "act", '{"n": 2}')), ToolMessage("a", "act", "1")]

    def act(n: int) -> int:
        """Act."""
        ran.append(n)
        return n

    result = go(Agent(Script(says("fine")), tools=[act]), way, None, history=history)
    assert ran == [2]
    assert result.output == "fine"


def test_events_come_in_order_and_messages_after_they_were_written_down():
    events = []
    result = Agent(Script(calls(("a", "act", "{}")), says("done")), tools=[tool(lambda: "ok", name="act")]).run(
        "go", on_event=events.append
    )
    kinds = [type(one) for one in events]
    assert kinds == [
        Note, User, CallModel, CallDelta, CallDelta, Assistant,
        CallTools, ToolStarted, ToolMessage, ToolFinished,
        CallModel, TextDelta, Assistant, Review,
    ]  # fmt: skip
    assert [one for one in events if isinstance(one, Assistant)][-1] is result.last


@pytest.mark.parametrize("prompt", ["", "  \n", [], [""]])
def test_an_empty_prompt_is_refused(prompt):
    with pytest.raises(ConfigurationError, match="prompt is empty"):
        Agent(Script()).run(prompt)


def test_no_prompt_and_no_history_is_refused():
    with pytest.raises(ConfigurationError, match="history"):
        Agent(Script()).run(None)


def test_two_tools_of_one_name_are_refused_with_their_places():
    with pytest.raises(ConfigurationError, match=r"`act`.*test_agent\.py"):
        Agent(Script(), tools=[tool(lambda: 1, name="act"), tool(lambda: 2, name="act")])


def test_awaiting_run_names_arun():
    async def mistaken():
        await Agent(Script(says("x"))).run("go")

    with pytest.raises(ConfigurationError, match="arun"):
        asyncio.run(mistaken())


def test_run_works_inside_a_running_event_loop():
    async def notebook():
        async def look() -> str:
            """Look."""
            await asyncio.sleep(0)
            return "seen"

        result = Agent(Script(calls(("a", "look", "{}")), says("x")), tools=[look]).run("go")
        return result.messages[2].text

    assert asyncio.run(notebook()) == "seen"


def test_async_tools_of_sync_runs_share_one_event_loop_over_runs():
    loops = []

    async def look() -> str:
        """Look."""
        loops.append(asyncio.get_running_loop())
        return "x"

    for _ in range(3):
        Agent(Script(calls(("a", "look", "{}")), says("x")), tools=[look]).run("go")
    assert len(loops) == 3
    assert len(set(map(id, loops))) == 1


@ways
def test_an_agent_within_a_tool_of_an_agent_runs_however_deep(way):
    def ask(depth: int) -> str:
        """Ask another agent."""
        if depth == 0:
            return "bottom"
        model = Script(
            calls(("a", "ask", f'{{"depth": {depth - 1}}}')), lambda request: says(request.transcript.last.text)
        )
        return Agent(model, tools=[ask]).run("go").output

    model = Script(calls(("a", "ask", '{"depth": 5}')), lambda request: says(request.transcript.last.text))
    assert go(Agent(model, tools=[ask]), way, "go").output == "bottom"


def test_override_swaps_model_and_tools_for_a_block():
    agent = Agent(Script(says("real")))
    with agent.override(model=Script(calls(("a", "act", "{}")), says("fake")), tools=[tool(lambda: 1, name="act")]):
        assert agent.run("go").output == "fake"
    assert agent.run("go").output == "real"


def test_settings_of_a_run_go_on_top_of_those_of_the_agent():
    seen = []

    def reply(request):
        seen.append(request.settings)
        return says("x")

    agent = Agent(Script(reply), settings=Settings(temperature=1, max_tokens=5, extra_body={"a": 1, "b": 2}))
    agent.run("go", settings=Settings(temperature=0, extra_body={"b": 3}))
    assert seen == [Settings(temperature=0, max_tokens=5, extra_body={"a": 1, "b": 3})]


def test_instructions_may_be_a_function_of_the_context():
    seen = []

    def reply(request):
        seen.append(request.instructions)
        return says("x")

    Agent(Script(reply), instructions=lambda context: f"serve {context.value}").run("go", context="Li")
    assert seen == ["serve Li"]


def test_more_calls_than_may_run_at_once_all_get_their_answer():
    asked = calls(*[(f"c{n}", "act", f'{{"n": {n}}}') for n in range(300)])

    def act(n: int) -> int:
        """Act."""
        under_way.append(n)
        most.append(len(under_way))
        under_way.remove(n)
        return n

    under_way, most = [], []
    for way in ("run", "arun"):
        result = go(Agent(Script(asked, says("done")), tools=[act], parallel=3), way, "go")
        assert {one.tool_call_id: one.text for one in result.messages if isinstance(one, ToolMessage)} == {
            f"c{n}": str(n) for n in range(300)
        }
    assert max(most) <= 3


def test_keyboard_interrupt_in_a_tool_stops_the_run_with_the_transcript_intact():
    def act() -> str:
        """Act."""
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        Agent(Script(calls(("a", "act", "{}"))), tools=[act]).run("go")
    assert [call.id for call in caught.value.transcript.open_calls] == ["a"]


@pytest.mark.parametrize("way", ["arun", "astream"])
def test_cancelling_an_async_run_tells_its_async_tools(way):
    told = []

    async def scenario():
        begun = asyncio.Event()

        async def hang() -> str:
            """Hang."""
            begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                told.append(True)
                raise
            return ""

        agent = Agent(Script(calls(("a", "hang", "{}"), ("b", "hang", "{}"))), tools=[hang])

        async def watch():
            async with agent.astream("go") as stream:
                async for _ in stream:
                    pass

        task = asyncio.create_task(agent.arun("go") if way == "arun" else watch())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
    assert told == [True, True]


def test_a_tool_stays_callable_as_its_function():
    @tool
    def double(n: int) -> int:
        """Double a number."""
        return 2 * n

    assert isinstance(double, Tool)
    assert double(4) == 8
