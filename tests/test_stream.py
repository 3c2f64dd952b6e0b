"""Streams over real sockets: what is seen, and what happens when one leaves early."""

import asyncio
import gc
import os
import subprocess
import sys
import textwrap
import threading
import weakref

import httpx
import pytest
from script import Script, calls, go, says
from wire import completion, event, serving

from agentkit import Agent, Finished, ReasoningDelta, TextDelta, tool
from agentkit.errors import ConfigurationError, RunError, Unavailable
from agentkit.events import CallDelta
from agentkit.models import open_model
from agentkit.threads import run_on_shared_loop


def model(server, **options):
    return open_model("openai:m", base_url=server.url, api_key="k", retries=0, **options)


def hang(exchange):
    """Begin an answer and never end it."""
    exchange.begin()
    exchange.chunk(event({"role": "assistant", "content": ""}))
    exchange.chunk(event({"content": "one "}))
    exchange.chunk(event({"content": "two "}))
    exchange.wait_until_left()


transports = pytest.mark.parametrize("transport", ["httpx", "aiohttp"])


def test_leaving_a_stream_early_closes_its_socket():
    with serving(hang) as server, Agent(model(server)).stream("go") as stream:
        for one in stream:
            if isinstance(one, TextDelta):
                break
        stream.close()
        assert server.exchanges[0].left.wait(10)


@transports
def test_leaving_an_async_stream_early_closes_its_socket(transport):
    async def scenario(server):
        async with Agent(model(server, transport=transport)).astream("go") as stream:
            async for one in stream:
                if isinstance(one, TextDelta):
                    break
        assert await asyncio.to_thread(server.exchanges[0].left.wait, 10)

    with serving(hang) as server:
        asyncio.run(scenario(server))


def test_a_stream_may_be_closed_from_another_thread_and_just_ends():
    seen = []
    with serving(hang) as server, Agent(model(server)).stream("go") as stream:
        for one in stream:
            if isinstance(one, TextDelta):
                seen.append(one.text)
                if len(seen) == 2:
                    threading.Thread(target=stream.close).start()
        assert server.exchanges[0].left.wait(10)
    assert seen == ["one ", "two "]
    with pytest.raises(RunError, match="closed before"):
        _ = stream.result
    assert stream.transcript.last.text == "go", "what was said stays"


@transports
def test_an_async_stream_may_be_closed_from_another_thread_and_just_ends(transport):
    async def scenario(server):
        seen = []
        async with Agent(model(server, transport=transport)).astream("go") as stream:
            async for one in stream:
                if isinstance(one, TextDelta):
                    seen.append(one.text)
                    if len(seen) == 2:
                        threading.Thread(target=stream.close).start()
        assert await asyncio.to_thread(server.exchanges[0].left.wait, 10)
        assert seen == ["one ", "two "]

    with serving(hang) as server:
        asyncio.run(scenario(server))


def test_an_async_stream_that_is_closed_before_its_run_begins_just_ends():
    async def scenario():
        stream = Agent(Script(says("never"))).astream("go")
        events = asyncio.create_task(anext(stream, None))
        asyncio.get_running_loop().call_soon(stream.close)  # behind the first wait, and before the run's first step
        assert await asyncio.wait_for(events, 10) is None
        assert await asyncio.wait_for(anext(stream, None), 10) is None

    asyncio.run(scenario())


def test_whoever_gives_up_waiting_for_an_event_may_go_on_later():
    async def scenario(server, go):
        async with Agent(model(server)).astream("go") as stream:
            seen = [await anext(stream) for _ in range(3)]
            for _ in range(2):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(anext(stream), 0.01)
            go.set()
            seen += [one async for one in stream]
        assert [one.text for one in seen if isinstance(one, TextDelta)] == ["late"]
        assert stream.result.output == "late"

    go = threading.Event()

    def late(exchange):
        assert go.wait(10)
        exchange.reply(completion("late"))

    with serving(late) as server:
        asyncio.run(scenario(server, go))


@transports
def test_closing_an_async_stream_that_another_task_iterates_ends_both(transport):
    async def scenario(server):
        stream = Agent(model(server, transport=transport)).astream("go")
        begun = asyncio.Event()

        async def iterate():
            async for one in stream:
                if isinstance(one, TextDelta):
                    begun.set()

        task = asyncio.create_task(iterate())
        await begun.wait()
        await asyncio.wait_for(stream.aclose(), 10)
        await asyncio.wait_for(task, 10)
        assert await asyncio.to_thread(server.exchanges[0].left.wait, 10)

    with serving(hang) as server:
        asyncio.run(scenario(server))


def test_a_stream_that_is_dropped_closes_its_socket():
    with serving(hang) as server:
        stream = Agent(model(server)).stream("go")
        for one in stream:
            if isinstance(one, TextDelta):
                break
        noticed = weakref.ref(stream)
        del stream
        gc.collect()
        assert noticed() is None
        assert server.exchanges[0].left.wait(10)


def test_closing_while_the_server_has_not_answered_at_all_ends_at_once():
    asked = threading.Event()

    def silent(exchange):
        asked.set()
        exchange.wait_until_left()

    with serving(silent) as server, Agent(model(server)).stream("go") as stream:

        def leave():
            asked.wait(10)
            stream.close()

        threading.Thread(target=leave).start()
        kinds = [type(one).__name__ for one in stream]
        assert kinds == ["Note", "User", "CallModel"]
        assert server.exchanges[0].left.wait(10)


def streamed(exchange):
    exchange.begin()
    if "tool" not in {one["role"] for one in exchange.json["messages"]}:
        exchange.chunk(event({"role": "assistant", "content": None, "reasoning_content": "hm"}))
        opener = {"index": 0, "id": "c1", "type": "function", "function": {"name": "add", "arguments": ""}}
        exchange.chunk(event({"tool_calls": [opener]}))
        for part in ('{"a": 1', ', "b": 2}'):
            exchange.chunk(event({"tool_calls": [{"index": 0, "function": {"arguments": part}}]}))
        exchange.chunk(event({"content": ""}, "tool_calls"))
    else:
        exchange.chunk(event({"role": "assistant", "content": ""}))
        exchange.chunk(event({"content": "three"}))
        exchange.chunk(event({"content": ""}, "stop"))
    exchange.chunk(b"data: [DONE]\n\n")
    exchange.end()


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def check_shown(events, stream):
    assert [one.text for one in events if isinstance(one, ReasoningDelta)] == ["hm"]
    assert [one.text for one in events if isinstance(one, TextDelta)] == ["three"]
    assert "".join(one.arguments for one in events if isinstance(one, CallDelta)) == '{"a": 1, "b": 2}'
    assert events[-1] == Finished(stream.result)
    assert stream.result.output == "three"


def test_a_stream_shows_reasoning_calls_and_text_as_they_come():
    with serving(streamed) as server, Agent(model(server), tools=[add]).stream("go") as stream:
        check_shown(list(stream), stream)
        assert server.exchanges[0].json["stream"] is True
        assert server.exchanges[0].json["stream_options"] == {"include_usage": True}
        assert server.connections == 1, "the connection is used again"


@transports
def test_an_async_stream_shows_the_same(transport):
    async def scenario(server):
        async with Agent(model(server, transport=transport), tools=[add]).astream("go") as stream:
            check_shown([one async for one in stream], stream)

    with serving(streamed) as server:
        asyncio.run(scenario(server))
        assert server.connections == 1


def test_an_error_is_raised_where_the_stream_is_iterated_and_by_its_result():
    with Agent(Script(Unavailable("busy"))).stream("go") as stream:
        with pytest.raises(Unavailable, match="busy"):
            list(stream)
        with pytest.raises(Unavailable, match="busy"):
            _ = stream.result


@pytest.mark.parametrize("error", [StopIteration, StopAsyncIteration])
@pytest.mark.parametrize("way", ["stream", "astream"])
def test_an_error_that_looks_like_the_end_of_an_iterator_is_an_error_all_the_same(way, error):
    def on_event(event):
        raise error

    with pytest.raises(RuntimeError, match=f"raised {error.__name__}|raised `{error.__name__}`"):
        go(Agent(Script(says("x"))), way, "go", on_event=on_event)


def test_asking_for_the_result_too_early_says_what_to_do():
    with Agent(Script(says("x"))).stream("go") as stream, pytest.raises(RunError, match="iterate"):
        _ = stream.result


def test_the_wrong_kind_of_loop_over_a_stream_names_the_right_one():
    agent = Agent(Script(says("x")))
    with pytest.raises(ConfigurationError, match="astream"):
        aiter(agent.stream("go"))
    with pytest.raises(ConfigurationError, match="stream"):
        iter(agent.astream("go"))


def test_closing_a_stream_while_a_tool_runs_does_not_wait_for_the_tool():
    begun, release = threading.Event(), threading.Event()

    def busy() -> str:
        """Be busy."""
        begun.set()
        release.wait(30)
        return "x"

    with Agent(Script(calls(("a", "busy", "{}")), says("x")), tools=[busy]).stream("go") as stream:
        for one in stream:
            if type(one).__name__ == "ToolStarted":
                begun.wait(10)
                stream.close()
    assert [call.id for call in stream.transcript.open_calls] == ["a"]
    release.set()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_does_not_share_its_parents_connections():
    script = """
        import os, sys
        from agentkit import Agent
        from agentkit.models import open_model
        agent = Agent(open_model("openai:m", base_url=sys.argv[1], api_key="k", retries=0))
        def say(text):
            os.write(1, (text + "\\n").encode())  # at once, so that two processes do not mix
        say(agent.run("parent").output)
        child = os.fork()
        say(agent.run("child" if child == 0 else "parent again").output)
        if child == 0:
            os._exit(0)
        _, status = os.waitpid(child, 0)
        say(agent.run("parent at last").output + f" {status}")
    """

    def handler(exchange):
        exchange.reply(completion(exchange.json["messages"][-1]["content"]))

    with serving(handler) as server:
        done = subprocess.run(
            [sys.executable, "-W", "ignore::DeprecationWarning", "-c", textwrap.dedent(script), server.url],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert sorted(done.stdout.split("\n")) == ["", "child", "parent", "parent again", "parent at last 0"]
        by = {one.json["messages"][-1]["content"]: one.number for one in server.exchanges}
        assert by["parent"] == by["parent again"] == by["parent at last"], "the parent keeps its connection"
        assert by["child"] != by["parent"], "the child has one of its own"


def test_async_tools_of_sync_runs_keep_one_client_alive_over_several_runs():
    clients = []

    async def fetch(url: str) -> str:
        """Fetch a page."""
        if not clients:
            clients.append(httpx.AsyncClient(trust_env=False))
        return (await clients[0].get(url)).text

    with serving(lambda exchange: exchange.reply(b"page", kind="text/plain")) as server:
        for _ in range(3):
            asked = calls(("a", "fetch", f'{{"url": "{server.url}/"}}'))
            result = Agent(Script(asked, says("done")), tools=[fetch]).run("go")
            assert result.messages[2].text == "page"
        assert server.connections == 1
        run_on_shared_loop(clients[0].aclose()).result(10)


def test_a_timed_out_thread_does_not_hold_up_the_exit():
    script = """
        import threading, sys
        sys.path.insert(0, sys.argv[1])
        from script import Script, calls, says
        from agentkit import Agent, tool
        @tool(timeout=0.05)
        def hang() -> str:
            '''Hang.'''
            threading.Event().wait(600)
            return ""
        print(Agent(Script(calls(("a", "hang", "{}")), says("done")), tools=[hang]).run("go").output)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), os.path.dirname(__file__)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("done\n", 0), done.stderr
