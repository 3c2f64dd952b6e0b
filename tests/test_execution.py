"""What becomes of calls: whatever a tool does, each call has one answer, its siblings are safe, and nothing hangs."""

import asyncio
import contextlib
import signal
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from script import Script, ago, calls, go, says, ways
from wire import completion, serving

from agentkit import Agent, Context, Limits, ToolError, tool
from agentkit.errors import LimitReached
from agentkit.events import CallTools, Repaired, ToolFinished, ToolStarted, Warned
from agentkit.messages import Assistant, Note, ToolCall, ToolMessage, User
from agentkit.models import open_model
from agentkit.transcript import Transcript

kinds = pytest.mark.parametrize("kind", ["plain", "async", "sequential", "async sequential"])


def made(function, kind="plain", **options):
    """A tool of a plain function, or of an async one that does the same."""
    name = options.pop("name", function.__name__)
    if "async" not in kind:
        return tool(function, name=name, sequential="sequential" in kind, **options)

    async def same() -> str:
        await asyncio.sleep(0)
        return function()

    return tool(same, name=name, sequential="sequential" in kind, **options)


def answers(result):
    return {one.tool_call_id: one for one in result.messages if isinstance(one, ToolMessage)}


def three(*names):
    """A model that calls tools by these names at once, and then is done."""
    return Script(calls(*[(f"c{number}", name, "{}") for number, name in enumerate(names)]), says("done"))


class Odd(BaseException):
    """Neither an `Exception` nor anything that Python knows."""


FAILURES = [
    ValueError("secret"), KeyError("secret"), Odd("secret"), SystemExit(3), GeneratorExit("secret"), MemoryError(),
    RecursionError("secret"), asyncio.CancelledError("secret"), TimeoutError("secret"), AssertionError("secret"),
    BaseExceptionGroup("secret", [SystemExit(1)]), EOFError(), UnicodeDecodeError("utf-8", b"x", 0, 1, "secret"),
]  # fmt: skip


@ways
@kinds
def test_whatever_a_tool_raises_is_a_failed_answer_and_its_siblings_end(way, kind, caplog):
    def fail(error):
        def failing() -> str:
            """Fail."""
            raise error

        return failing

    tools = [made(fail(error), kind, name=f"fail{number}") for number, error in enumerate(FAILURES)]
    model = three("fine", *[one.name for one in tools], "fine")
    result = go(Agent(model, tools=[*tools, tool(lambda: "ok", name="fine")]), way, "go")
    told = answers(result)
    assert len(told) == len(FAILURES) + 2
    assert result.output == "done"
    for number, error in enumerate(FAILURES, 1):
        assert told[f"c{number}"].text == f"`fail{number - 1}` failed (`{type(error).__name__}`)"
    assert [one.ok for one in told.values()].count(True) == 2
    assert not any("secret" in one.text for one in told.values())


@ways
@kinds
def test_keyboard_interrupt_of_a_tool_stops_the_run_and_leaves_the_transcript_to_go_on_from(way, kind):
    before = threading.Event()

    def quick() -> str:
        """End at once."""
        return "ok"

    def stop() -> str:
        """Stop the program."""
        assert before.wait(10)
        raise KeyboardInterrupt

    async def astop() -> str:
        """Stop the program."""
        assert await asyncio.to_thread(before.wait, 10)
        raise KeyboardInterrupt

    def on_event(event):
        if isinstance(event, ToolMessage):
            before.set()

    stops = tool(astop if "async" in kind else stop, name="stop", sequential="sequential" in kind)
    agent = Agent(three("quick", "stop"), tools=[quick, stops])

    async def alone():
        with pytest.raises(KeyboardInterrupt) as caught:
            await ago(agent, way, "go", on_event=on_event)
        await asyncio.sleep(0)  # the event loop goes on
        return caught

    if way.startswith("a"):
        caught = asyncio.run(alone())
    else:
        with pytest.raises(KeyboardInterrupt) as caught:
            go(agent, way, "go", on_event=on_event)
    transcript = caught.value.transcript
    assert [call.id for call in transcript.open_calls] == ["c1"]
    assert transcript.messages()[-1].text == "ok"
    again = Agent(Script(says("fine")), tools=[quick, tool(lambda: "now", name="stop")])
    assert answers(again.run(None, history=transcript))["c1"].text == "now"


def test_control_c_while_tools_run_stops_a_sync_run_at_once():
    release = threading.Event()

    def press() -> str:
        """Press Ctrl-C, as it were."""
        assert begun.wait(10)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        release.wait(30)
        return "late"

    async def wait() -> str:
        """Wait for ever."""
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            told.set()
        return ""

    begun, told = threading.Event(), threading.Event()
    with pytest.raises(KeyboardInterrupt) as caught:
        Agent(three("press", "wait"), tools=[press, wait]).run("go")
    release.set()
    assert len(caught.value.transcript.open_calls) == 2
    assert told.wait(10), "the async tool was cancelled"


@ways
@pytest.mark.parametrize("asynchronous", [False, True])
def test_what_an_onlooker_raises_ends_the_run_as_it_is(way, asynchronous):
    def on_event(event):
        if isinstance(event, ToolMessage):
            raise LookupError("onlooker")

    agent = Agent(three("act", "act"), tools=[made(lambda: "x", "async" if asynchronous else "plain", name="act")])
    with pytest.raises(LookupError, match="onlooker") as caught:
        go(agent, way, "go", on_event=on_event)
    assert len(caught.value.transcript.open_calls) == 1


# Cancelling.


@pytest.mark.parametrize("way", ["arun", "astream"])
def test_cancelling_returns_at_once_though_a_thread_is_busy(way):
    release, begun = threading.Event(), threading.Event()

    def hang() -> str:
        """Hang."""
        begun.set()
        release.wait(30)
        return "late"

    async def scenario():
        started = asyncio.Event()

        def on_event(event):
            if isinstance(event, ToolStarted):
                started.set()

        task = asyncio.create_task(ago(Agent(three("hang", "hang"), tools=[hang]), way, "go", on_event=on_event))
        await started.wait()
        began = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        return time.monotonic() - began, caught

    seconds, _ = asyncio.run(scenario())
    release.set()
    assert seconds < 5


def stubborn(ended):
    """An async tool that will not be cancelled."""

    async def cling() -> str:
        """Cling on."""
        while not ended.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.01)
        return "late"

    return cling


@pytest.mark.parametrize("way", ["arun", "astream"])
def test_cancelling_does_not_wait_for_a_tool_that_swallows_it(way):
    async def scenario():
        started, ended = asyncio.Event(), threading.Event()

        def on_event(event):
            if isinstance(event, ToolStarted):
                started.set()

        agent = Agent(three("cling", "cling"), tools=[stubborn(ended)])
        task = asyncio.create_task(ago(agent, way, "go", on_event=on_event))
        await started.wait()
        began = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        seconds = time.monotonic() - began
        ended.set()
        await asyncio.sleep(0.05)
        return seconds

    assert asyncio.run(scenario()) < 10


def test_a_lone_async_call_is_awaited_in_the_task_of_the_run():
    tasks = []

    async def where() -> str:
        """Tell where it runs."""
        tasks.append(asyncio.current_task())
        return "here"

    async def scenario(*names):
        tasks.clear()
        await Agent(three(*names), tools=[where]).arun("go")
        return [task is asyncio.current_task() for task in tasks]

    assert asyncio.run(scenario("where")) == [True]
    assert asyncio.run(scenario("where", "where")) == [False, False]


async def is_cancelled(agent, started):
    """Cancel a run of the agent once its tool has started; it ends as cancelled."""
    task = asyncio.create_task(agent.arun("go"))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_cancellation_that_a_lone_tool_swallows_ends_the_run_all_the_same():
    async def scenario():
        started = asyncio.Event()

        async def clings() -> str:
            """Swallow a cancellation."""
            started.set()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            return "as if nothing had been"

        await is_cancelled(Agent(three("clings"), tools=[clings]), started)

    asyncio.run(scenario())


def test_a_lone_tool_that_turns_its_cancellation_into_an_error_is_not_tried_again():
    async def scenario():
        started, tries = asyncio.Event(), []

        @tool(retries=3)
        async def breaks() -> str:
            """Turn a cancellation into an error."""
            tries.append(1)
            started.set()
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                raise OSError from None
            return "never"

        await is_cancelled(Agent(three("breaks"), tools=[breaks]), started)
        assert tries == [1]

    asyncio.run(scenario())


@pytest.mark.parametrize("names", [["act"], ["act", "act"]], ids=["alone", "beside"])
def test_a_cancelled_error_of_a_tool_is_its_answer_though_the_task_was_cancelled_once_and_goes_on(names):
    async def act() -> str:
        """Fail as by something that was cancelled."""
        raise asyncio.CancelledError

    async def scenario():
        asyncio.current_task().cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0)
        return await Agent(three(*names), tools=[act]).arun("go")

    result = asyncio.run(scenario())
    assert result.output == "done"
    assert answers(result)["c0"].text == "`act` failed (`CancelledError`)"


def test_closing_a_stream_returns_at_once_though_tools_hang():
    release, ended, both = threading.Event(), threading.Event(), threading.Barrier(2, timeout=10)

    def hang() -> str:
        """Hang."""
        both.wait()
        release.wait(30)
        return "late"

    agent = Agent(three("hang", "cling"), tools=[hang, stubborn(ended)])
    with agent.stream("go") as stream:
        for event in stream:
            if isinstance(event, ToolStarted) and event.call.name == "cling":
                break
        both.wait()
        began = time.monotonic()
    assert time.monotonic() - began < 4
    assert len(stream.transcript.open_calls) == 2
    release.set()
    ended.set()


@ways
def test_the_runs_time_is_over_though_tools_will_not_end(way):
    release, ended = threading.Event(), threading.Event()

    def hang() -> str:
        """Hang."""
        release.wait(30)
        return "late"

    agent = Agent(three("hang", "cling"), tools=[hang, stubborn(ended)], limits=Limits(seconds=0.05))

    async def alone():
        with pytest.raises(LimitReached) as caught:
            await ago(agent, way, "go")
        ended.set()
        await asyncio.sleep(0.05)
        return caught

    began = time.monotonic()
    if way.startswith("a"):
        caught = asyncio.run(alone())
    else:
        with pytest.raises(LimitReached) as caught:
            go(agent, way, "go")
    release.set()
    ended.set()
    assert caught.value.limit == "seconds"
    assert time.monotonic() - began < 10


# Time limits.


@ways
def test_a_tool_that_takes_too_long_is_told_so_whether_it_can_be_stopped_or_not(way):
    release, ended, begun, cancelled = (threading.Event() for _ in range(4))

    def hang() -> str:
        """Hang."""
        release.wait(30)
        return "late"

    async def wait() -> str:
        """Wait for ever."""
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return ""

    tools = [tool(one, timeout=0.05) for one in (hang, wait, stubborn(ended))]
    model = Script(calls(*[(one.name, one.name, "{}") for one in tools]), calls(("f", "fine", "{}")), says("done"))
    agent = Agent(model, tools=[*tools, tool(lambda: "ok", name="fine")], parallel=3)

    def finish():
        release.set()
        ended.set()

    if way.startswith("a"):

        async def alone():
            result = await ago(agent, way, "go")
            finish()
            await asyncio.sleep(0.05)
            return result

        result = asyncio.run(alone())
    else:
        result = go(agent, way, "go")
        finish()
    told = answers(result)
    for one in tools:
        assert told[one.name].text == (
            f"`{one.name}` did not finish within 0.05 seconds; what it did so far is not known"
        )
        assert not told[one.name].ok
    assert told["f"].text == "ok", "what was given up takes no place from others"
    assert cancelled.wait(10 if begun.is_set() else 0) == begun.is_set(), "on a busy machine it may not have begun"


@ways
def test_the_time_limit_is_for_a_call_with_all_its_attempts(way):
    tries = []

    @tool(timeout=0.5, retries=1_000_000)
    async def fails() -> str:
        """Fail slowly."""
        tries.append(1)
        await asyncio.sleep(0.01)
        raise OSError

    result = go(Agent(three("fails"), tools=[fails]), way, "go")
    assert "did not finish within 0.5 seconds" in answers(result)["c0"].text
    assert 1 < len(tries) < 60


# Retries.


@ways
def test_a_plain_function_that_was_given_up_is_not_tried_again(way):
    tries, release, ended = [], threading.Event(), threading.Event()

    @tool(timeout=0.5, retries=3)
    def fails() -> str:
        """Fail late."""
        tries.append(threading.current_thread())
        try:
            release.wait(30)
            raise OSError
        finally:
            ended.set()

    result = go(Agent(three("fails"), tools=[fails]), way, "go")
    assert "did not finish within 0.5 seconds" in answers(result)["c0"].text
    release.set()
    assert ended.wait(10)
    later = []
    go(Agent(three("again"), tools=[tool(lambda: later.append(1), name="again")]), way, "go")
    assert len(tries) == 1


@ways
def test_an_async_function_that_swallows_its_cancellation_is_not_tried_again(way):
    tries = []

    @tool(timeout=0.5, retries=3)
    async def stubborn() -> str:
        """Turn a cancellation into an error."""
        tries.append(1)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise OSError from None
        return "never"

    result = go(Agent(three("stubborn"), tools=[stubborn]), way, "go")
    assert "did not finish within 0.5 seconds" in answers(result)["c0"].text
    again = tool(lambda: "done", name="again")
    go(Agent(three("again"), tools=[again]), way, "go")
    assert len(tries) <= 1, "on a busy machine it may not have begun"


@ways
def test_a_plain_function_of_a_run_that_is_over_is_not_tried_again(way):
    tries, release, ended = [], threading.Event(), threading.Event()

    @tool(retries=3)
    def fails() -> str:
        """Fail late."""
        tries.append(1)
        try:
            release.wait(30)
            raise OSError
        finally:
            ended.set()

    with pytest.raises(LimitReached):
        go(Agent(three("fails"), tools=[fails]), way, "go", limits=Limits(seconds=0.6))
    release.set()
    assert ended.wait(10)
    go(Agent(three("again"), tools=[tool(lambda: "done", name="again")]), way, "go")
    assert tries == [1]


@ways
@pytest.mark.parametrize("asynchronous", [False, True])
def test_each_call_is_tried_again_for_itself_under_one_key(way, asynchronous):
    seen = []

    def flaky(context):
        seen.append((context.call_id, context.attempt, context.idempotency_key))
        if context.attempt < (3 if context.call_id == "c0" else 9):
            raise OSError("secret")
        return "ok"

    def plain(context: Context) -> str:
        """Fail a few times."""
        return flaky(context)

    async def awaited(context: Context) -> str:
        """Fail a few times."""
        return flaky(context)

    act = tool(awaited if asynchronous else plain, name="act", retries=2)
    told = answers(go(Agent(three("act", "act"), tools=[act]), way, "go"))
    assert told["c0"].text == "ok"
    assert told["c1"].text == "`act` failed (`OSError`)"
    for call in ("c0", "c1"):
        of_call = [one for one in seen if one[0] == call]
        assert [number for _, number, _ in of_call] == [1, 2, 3]
        assert len({key for _, _, key in of_call}) == 1
    assert len({key for _, _, key in seen}) == 2


@ways
@pytest.mark.parametrize("error", [ToolError("no"), GeneratorExit()])
def test_what_a_tool_says_in_words_is_not_tried_again(way, error):
    tries = []

    def act() -> str:
        """Act."""
        tries.append(1)
        raise error

    result = go(Agent(three("act"), tools=[tool(act, retries=5)]), way, "go")
    assert not answers(result)["c0"].ok
    assert tries == [1]


# In turn, and all at once.


@ways
@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_sequential_tool_is_a_barrier(way, asynchronous):
    log = []

    @tool
    def beside(n: int) -> int:
        """Run beside others."""
        log.append(("begin", n))
        if n in (0, 1):
            together.wait()
        log.append(("end", n))
        return n

    together = threading.Barrier(2, timeout=10)
    alone = made(
        lambda: log.append(("alone",)) or "x", "async sequential" if asynchronous else "sequential", name="alone"
    )
    asked = [("a", "beside", '{"n": 0}'), ("b", "beside", '{"n": 1}'), ("c", "alone", "{}"), ("d", "alone", "{}")]
    model = Script(calls(*asked, ("e", "beside", '{"n": 2}')), says("done"))
    result = go(Agent(model, tools=[beside, alone]), way, "go")
    assert len(answers(result)) == 5
    assert {one[0] for one in log[:2]} == {"begin"}
    assert {one[0] for one in log[2:4]} == {"end"}
    assert log[4:] == [("alone",), ("alone",), ("begin", 2), ("end", 2)]


@ways
@pytest.mark.parametrize("asynchronous", [False, True])
def test_no_more_tools_are_under_way_than_may_be(way, asynchronous):
    lock, now, most = threading.Lock(), [], []

    def act() -> str:
        """Act."""
        with lock:
            now.append(1)
            most.append(len(now))
        time.sleep(0.002)
        with lock:
            now.pop()
        return "x"

    async def aact() -> str:
        """Act."""
        now.append(1)
        most.append(len(now))
        await asyncio.sleep(0.002)
        now.pop()
        return "x"

    agent = Agent(three(*["act"] * 20), tools=[tool(aact if asynchronous else act, name="act")], parallel=4)
    assert len(answers(go(agent, way, "go"))) == 20
    assert max(most) <= 4
    assert max(most) > 1


# What cannot run.


@ways
def test_an_unknown_tool_is_told_with_those_there_are_and_never_run(way):
    ran = []

    def find_order(id: int = 0) -> str:
        """Find an order."""
        ran.append(id)
        return "found"

    def refund() -> str:
        """Refund."""
        return "refunded"

    near = ["find_orders", "Find_Order", "find-order", "findorder", "functions.find_order", "find_order ", ""]
    model = Script(calls(*[(f"c{n}", name, "{}") for n, name in enumerate(near)]), says("done"))
    told = answers(go(Agent(model, tools=[find_order, refund]), way, "go"))
    assert ran == []
    assert len(told) == len(near)
    for one in told.values():
        assert "The tools are: `find_order`, `refund`." in one.text
    assert told["c0"].text.startswith("There is no tool `find_orders`. Did you mean `find_order`?")


@ways
def test_what_a_model_wrote_amiss_is_mended_where_it_cannot_be_misunderstood_and_shown(way):
    got, events = [], []

    def act(n: int, names: list[str] = ()) -> str:  # type: ignore[assignment]
        """Act."""
        got.append((n, names))
        return "ok"

    texts = ["```json\n{'n': 1,}\n```", '{"n": "2", "names": "[\'a\']"}}', '{"n": 3', '{"n": 4, "n": 5}', '{"n": 6}']
    model = Script(calls(*[(f"c{n}", "act", text) for n, text in enumerate(texts)]), says("done"))
    result = go(Agent(model, tools=[tool(act, sequential=True)]), way, "go", on_event=events.append)
    assert got == [(1, ()), (2, ["a"]), (6, ())]
    assert [one.ok for one in answers(result).values()].count(False) == 2
    assert [one for one in events if isinstance(one, Repaired)] == [
        Repaired(ToolCall("c0", "act", texts[0]), {"code fence": 1, "Python literal": 1, "trailing comma": 1}),
        Repaired(ToolCall("c1", "act", texts[1]), {"surplus bracket": 1, "text for a number": 1, "text for a list": 1}),
    ]
    after = [type(events[events.index(one) + 1]) for one in events if isinstance(one, Repaired)]
    assert after == [ToolStarted, ToolStarted]
    assert result.messages[1].tool_calls[0].arguments == texts[0], "the transcript keeps what the model wrote"


@ways
@pytest.mark.parametrize(("reason", "runs"), [("tool_calls", True), ("stop", True), ("length", False), (None, False)])
def test_calls_of_a_history_are_mended_only_if_their_reply_was_complete(way, reason, runs):
    ran = []

    def act(a: str = "") -> str:
        """Act."""
        ran.append(a)
        return "ok"

    asked = (ToolCall("a", "act", '{"a": "x"'), ToolCall("b", "act", ""), ToolCall("c", "act", '{"a": "y"}'))
    history = [User("q"), Assistant("", tool_calls=asked, finish_reason=reason)]
    go(Agent(Script(says("fine")), tools=[tool(act, sequential=True)]), way, None, history=history)
    assert ran == (["x", "", "y"] if runs else ["y"])


# What comes back.


class Silent:
    """Something that JSON has no form for."""


@ways
def test_a_result_that_json_has_no_form_for_is_a_warning(way, caplog):
    def silent() -> Silent:
        """Say something."""
        return Silent()

    events = []
    circle = []
    circle.append(circle)
    tools = [tool(silent), tool(lambda: circle, name="round"), tool(lambda: [1], name="fine")]
    result = go(Agent(three("silent", "round", "fine"), tools=tools), way, "go", on_event=events.append)
    assert [answers(result)[one].text for one in ("c0", "c1", "c2")] == ['"<Silent>"', '"[[...]]"', "[1]"]
    warned = sorted(one.text for one in events if isinstance(one, Warned))
    assert [one.partition(" holds")[0] for one in warned] == [
        "the result of tool `round`",
        "the result of tool `silent`",
    ]
    assert "`Silent`" in caplog.text


@ways
def test_a_long_result_is_told_in_part_and_whole_in_the_event(way):
    events = []
    long = "x" * 300 + "y" * 300
    tools = [tool(lambda: long, name="long", max_result=200), tool(lambda: "short", name="short")]
    result = go(Agent(three("long", "short"), tools=tools), way, "go", on_event=events.append)
    assert len(answers(result)["c0"].text) == 200
    whole = {one.call.name: one.text for one in events if isinstance(one, ToolFinished)}
    assert whole == {"long": long, "short": None}


# All of it together.

OUTCOMES = ["ok", "raise", "words", "exit", "late", "unknown", "wrong", "mended", "cut", "alone"]


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.sampled_from(OUTCOMES), st.booleans(), st.sampled_from(["a", "b", ""])), max_size=8),
    st.sampled_from(["run", "arun", "stream", "astream"]),
    st.integers(1, 3),
)
def test_every_call_gets_exactly_one_answer_whatever_its_tool_does(asked, way, parallel):
    def act(outcome):
        match outcome:
            case "raise":
                raise ValueError
            case "words":
                raise ToolError("words")
            case "exit":
                raise SystemExit
        return "ok"

    def plain(outcome: str) -> str:
        """Act."""
        if outcome == "late":
            release.wait(30)
        return act(outcome)

    async def awaited(outcome: str) -> str:
        """Act."""
        if outcome == "late":
            await asyncio.Event().wait()
        return act(outcome)

    release = threading.Event()
    options = {"plain": plain, "awaited": awaited}
    tools = [tool(one, name=name) for name, one in options.items()]
    tools += [tool(one, name=f"{name}_late", timeout=0.02) for name, one in options.items()]
    tools += [tool(one, name=f"{name}_alone", sequential=True) for name, one in options.items()]

    def one(outcome, asynchronous, id):
        name = "awaited" if asynchronous else "plain"
        arguments = {"wrong": '{"outcome": 3}', "mended": "{'outcome': 'ok'}", "cut": '{"outcome": "o'}
        name = {"unknown": "no_such", "alone": f"{name}_alone", "late": f"{name}_late"}.get(outcome, name)
        return id, name, arguments.get(outcome, f'{{"outcome": "{outcome}"}}')

    model = Script(calls(*[one(*each) for each in asked]) if asked else says("x"), says("done"))
    result = go(Agent(model, tools=tools, parallel=parallel), way, "go")
    release.set()
    asked_ids = [call.id for call in result.messages[1].tool_calls]
    told = [message for message in result.messages if isinstance(message, ToolMessage)]
    assert sorted(message.tool_call_id for message in told) == sorted(asked_ids)
    assert len(set(asked_ids)) == len(asked)
    by_id = answers(result)
    for id, (outcome, _, _) in zip(asked_ids, asked, strict=True):
        assert by_id[id].ok == (outcome in ("ok", "mended", "alone"))
    assert [type(entry) for entry in result.entries if isinstance(entry, Note)] == [Note]


def sent_after(order, way, mode):
    """The bytes of both requests of a run whose four parallel tools end in this order, over HTTP."""
    gates = [threading.Event() for _ in order]

    def plain(n: int) -> str:
        """Wait for its turn."""
        assert gates[n].wait(30)
        return f"result {n}"

    async def awaited(n: int) -> str:
        """Wait for its turn."""
        await asyncio.get_running_loop().run_in_executor(None, gates[n].wait, 30)
        return f"result {n}"

    written = []

    def turn(event):
        if isinstance(event, CallTools):
            gates[order[0]].set()
        if isinstance(event, ToolMessage):  # it is written down: the next one may end
            written.append(int(event.text.removeprefix("result ")))
            if len(written) < len(order):
                gates[order[len(written)]].set()

    asked = [(f"c{n}", "awaited" if n % 2 else "plain", f'{{"n": {n}}}') for n in range(len(order))]
    told = "\n".join(
        f'<tool_call>\n{{"name": "{name}", "arguments": {arguments}}}\n</tool_call>' for _, name, arguments in asked
    )

    def reply(exchange):
        first = exchange.number == 1 and len(server.exchanges) == 1
        body = completion("done") if not first else completion(told) if mode == "prompt" else completion(calls=asked)
        exchange.reply(body)

    with serving(reply) as server:
        model = open_model("openai:m", base_url=server.url, api_key="k", tool_mode=mode)
        result = go(Agent(model, tools=[plain, awaited]), way, "go", on_event=turn)
    assert result.output == "done"
    assert tuple(written) == tuple(order), "they did end in this order"
    return [exchange.body for exchange in server.exchanges]


@pytest.mark.parametrize("mode", ["native", "prompt"])
@settings(max_examples=8, deadline=None)
@given(st.permutations(range(4)), st.sampled_from(["run", "arun"]))
def test_any_order_in_which_parallel_tools_end_gives_the_same_request_bytes(mode, order, way):
    assert sent_after(order, way, mode) == sent_after(range(4), "run", mode)


ROUNDS = [calls(("a", "twice", '{"n": 1}'), ("b", "twice", '{"n": 2}')), calls(("c", "twice", '{"n": 3}')), says("end")]


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 9), st.sampled_from(["run", "arun", "stream", "astream"]))
def test_any_prefix_of_a_transcript_that_is_handed_in_goes_on_to_the_same_end(cut, way):
    @tool(side_effects="none")
    def twice(n: int) -> int:
        """Double a number."""
        return 2 * n

    def next_round(request):
        return ROUNDS[sum(isinstance(one, Assistant) for one in request.transcript)]

    whole = Agent(Script(*ROUNDS), tools=[twice]).run("go").entries
    prefix = Transcript(whole[:cut])
    model = Script(*[next_round] * 3)
    result = go(Agent(model, tools=[twice]), way, None, history=prefix)
    messages = Transcript(whole).messages()
    assert result.output == "end"
    assert len(model.requests) == 3 - sum(isinstance(one, Assistant) for one in prefix)
    assert sorted(map(repr, result.messages)) == sorted(map(repr, messages)), "parallel answers come in any order"
    assert list(prefix) == list(whole[:cut]), "what was handed in is as it was"
