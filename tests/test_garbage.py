"""A run that is over is gone: no cycle keeps it until the collector comes, however it ended.

The collector is off while something runs. Afterwards every transcript must be gone by itself, and what the collector
then finds must have nothing of agentkit in it; cycles of the HTTP libraries and of asyncio are theirs.
"""

import asyncio
import contextlib
import gc
import json
import logging
import os
import sys
import threading
import types
import weakref

import pytest
from script import ago, go

import agentkit
from agentkit import Agent, Context, Limits, RunError, Settings, ToolError, tool
from agentkit.beside import beside
from agentkit.events import CallModel, ToolStarted
from agentkit.models import open_model
from agentkit.models.dialects.notations import write
from agentkit.models.fallback import Fallback
from agentkit.models.retry import Retries
from agentkit.sessions import Session
from agentkit.simulator.brains import Call, Plan
from agentkit.simulator.server import running
from agentkit.testing.simulated import Sim

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.usefixtures("alone"),
    pytest.mark.slow,  # minutes of two cores
]

HERE = os.path.dirname(agentkit.__file__)
BESIDE = tuple(os.path.join(HERE, name) for name in ("simulator", "testing", "cli"))
LONG = 10


@tool
def add(a: int, b: int) -> int:
    """Add."""
    return a + b


@tool
async def aadd(a: int, b: int) -> int:
    """Add."""
    await asyncio.sleep(0)
    return a + b


@tool(retries=1)
def fails(a: int) -> int:
    """Fail."""
    raise ValueError(a)


@tool(retries=1)
async def afails(a: int) -> int:
    """Fail."""
    raise ValueError(a)


@tool(sequential=True)
def fails_here(a: int) -> int:
    """Fail."""
    raise ValueError(a)


@tool
def interrupts(a: int) -> int:
    """Stop the run."""
    raise KeyboardInterrupt


@tool(timeout=0.01)
async def takes_long(a: int) -> int:
    """Wait."""
    return await asyncio.get_running_loop().create_future()


@tool
async def never_ends(a: int) -> int:
    """Wait."""
    return await asyncio.get_running_loop().create_future()


@tool(approval=True)
def dangerous(a: int) -> int:
    """Do it."""
    return a


@tool
def looks(a: int, context: Context) -> int:
    """Look at what was said."""
    return len(context.messages)


def brain(turn):
    """So many rounds of calls of a tool as the prompt says, `2 add` for instance, and then an answer."""
    rounds, name = next(message.text for message in turn.messages if message.role == "user").split()
    if sum(message.role == "assistant" for message in turn.messages) >= int(rounds):
        return Plan(content="That is all there is to say.")
    if name == "answer":
        return Plan(calls=(Call("final_answer", '{"answer": [1, 2]}'),))
    if name == "nothing":
        return Plan(calls=(Call("final_answer", '{"answer": "two"}'),))
    if not turn.tools:
        return Plan(content=write([(name, '{"a": 1, "b": 2}')]))
    arguments = {"prompt": "1 fails"} if name == "asks" else {"a": 1, "b": 2} if "add" in name else {"a": 1}
    return Plan(calls=(Call(name, json.dumps(arguments)),) * 3)


class World:
    """Agents that speak to a served simulator."""

    def __init__(self, url, transport):
        def model(**options):
            return open_model(
                "sim:deepseek-flash", api_key="sim", base_url=url, transport=transport, **{"retries": 0, **options}
            )

        tools = [add, aadd, fails, afails, fails_here, interrupts, takes_long, never_ends, dangerous, looks]
        inner = Agent(model(), tools=[fails], name="asks")
        self.plain = Agent(model(), tools=[*tools, inner.as_tool()])
        self.retried = Agent(model(), tools=[add])
        self.retried.model.retries = Retries(attempts=2, first=0.01)
        self.prompted = Agent(model(tool_mode="prompt"), tools=[add])
        self.typed = Agent(model(), output=list[int])
        self.fallback = Agent(Fallback([model(), model()]), tools=[add])
        self.checked = Agent(model())

        @self.checked.check
        async def refuse(answer):
            raise ToolError("say it again")


@pytest.fixture(scope="module")
def url():
    with running(Sim(brain=brain)) as url:
        yield url
        agentkit.close()


@pytest.fixture(scope="module", params=["httpx", "aiohttp"])
def world(request, url):
    return World(url, request.param)


@pytest.fixture
def alone(tmp_path, monkeypatch, caplog):
    """No sessions of another test, and no records of pytest's, which hold errors."""
    monkeypatch.setenv("AGENTKIT_HOME", str(tmp_path))
    caplog.set_level(logging.CRITICAL, "agentkit")


def is_ours(thing):
    """Whether something is of agentkit proper, or runs its code."""
    if (type(thing).__module__ or "").startswith("agentkit"):
        return not type(thing).__module__.startswith(("agentkit.simulator", "agentkit.testing", "agentkit.cli"))
    code = next((found for name in CODES if isinstance(found := getattr(thing, name, None), types.CodeType)), None)
    if isinstance(thing, types.TracebackType):
        code = thing.tb_frame.f_code
    return code is not None and code.co_filename.startswith(HERE) and not code.co_filename.startswith(BESIDE)


CODES = ("__code__", "f_code", "gi_code", "cr_code", "ag_code")


class Witness:
    """Stands beside runs, and knows of each transcript whether it is gone."""

    def __init__(self):
        self.seen = []

    def began(self, request):
        gone = threading.Event()
        self.seen.append((weakref.ref(request.transcript, lambda _: gone.set()), gone))

    def answers(self, batch):
        return {}

    def ended(self, called, told, *, delegated):
        pass


@contextlib.contextmanager
def nothing_left(*, begun=True, collect=False):
    """Check that what runs in the block, if a run begins there, leaves nothing of agentkit behind.

    With `collect`, the collector may come once before: what a circle of a library's own holds goes with that circle.
    """
    witness = Witness()
    gc.disable()
    gc.freeze()  # what was there before is not looked at
    try:
        with beside(witness):
            yield
        assert bool(witness.seen) == begun
        if collect:
            gc.collect()
        kept = [
            gone for gone, event in witness.seen or () if not event.wait(LONG)
        ]  # a thread may be just about to let go
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        gc.set_debug(0)
        assert [repr(thing)[:200] for thing in gc.garbage if is_ours(thing)] == []
        assert kept == []
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.unfreeze()
        gc.enable()


def watched(way, agent, *args, **options):
    """Run an agent; the name of what it raised. asyncio itself keeps what comes out of `asyncio.run`."""

    def quietly():
        try:
            go(agent, way, *args, **options)
        except BaseException as error:
            return type(error).__name__

    async def aquietly():
        try:
            await ago(agent, way, *args, **options)
        except BaseException as error:
            return type(error).__name__

    return quietly() if way in ("run", "stream") else asyncio.run(aquietly())


def raises(event):
    raise ZeroDivisionError


async def refuses(call):
    raise ZeroDivisionError


async def waits(call):
    await asyncio.get_running_loop().create_future()


ENDINGS = {
    "an answer": ("plain", "0 -", {}, None),
    "plain tools": ("plain", "2 add", {}, None),
    "async tools": ("plain", "2 aadd", {}, None),
    "tools that fail": ("plain", "2 fails", {}, None),
    "async tools that fail": ("plain", "2 afails", {}, None),
    "sequential tools that fail": ("plain", "1 fails_here", {}, None),
    "a tool with a context": ("plain", "1 looks", {}, None),
    "a tool that takes too long": ("plain", "1 takes_long", {}, None),
    "an agent as a tool": ("plain", "1 asks", {}, None),
    "an onlooker": ("plain", "2 add", {"on_event": lambda event: None}, None),
    "a time limit that holds": ("plain", "2 aadd", {"limits": Limits(seconds=30)}, None),
    "a session": ("plain", "1 add", {"session": "kept"}, None),
    "calls that wait for a verdict": ("plain", "1 dangerous", {}, None),
    "calls that were approved": ("plain", "1 dangerous", {"approve": lambda call: True}, None),
    "a typed answer": ("typed", "1 answer", {}, None),
    "tools in words": ("prompted", "1 add", {}, None),
    "a limit": ("plain", "5 add", {"limits": Limits(steps=2)}, "LimitReached"),
    "no time left": ("plain", "1 never_ends", {"limits": Limits(seconds=0.2)}, "LimitReached"),
    "no verdict in time": ("plain", "1 dangerous", {"approve": waits, "limits": Limits(seconds=0.2)}, "LimitReached"),
    "a verdict that fails": ("plain", "1 dangerous", {"approve": refuses}, "ZeroDivisionError"),
    "an onlooker that fails": ("plain", "1 add", {"on_event": raises}, "ZeroDivisionError"),
    "a tool that stops the run": ("plain", "1 interrupts", {}, "KeyboardInterrupt"),
    "no typed answer": ("typed", "9 nothing", {}, "OutputInvalid"),
    "a check that is never content": ("checked", "0 -", {}, "OutputInvalid"),
    "no model of a fallback": ("fallback", "0 -", {"settings": "500"}, "Unavailable"),
}
FAULTS = {
    "401": "Unauthorized",
    "429": "RateLimited",
    "html": "Unavailable",
    "empty": "Unreadable",
    "cut-chunk": "ConnectionLost",
    "error-inside": "Unavailable",
    "content-filter": "Truncated",
    "malformed": None,
    "truncated": None,
    "overflow": "ContextOverflow",
}
BREAKING = ("cut-chunk", "error-inside")
"""Faults with which a connection breaks, or is left though more is to come."""
ways = pytest.mark.parametrize("way", ["run", "arun", "stream", "astream"])
CIRCLES_LEAD_HERE = sys.version_info >= (3, 12)
"""Whether the circle that httpcore makes of a connection that breaks leads to us: since 3.12 by its frames' callers."""


@ways
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_run_leaves_nothing_behind_however_it_ends(world, way, ending):
    agent, prompt, options, raised = ENDINGS[ending]
    if "settings" in options:
        options = {"settings": Settings(extra_headers={"x-sim-fault": options["settings"]})}
    watched(way, getattr(world, agent), prompt, **options)  # what is made once is made
    with nothing_left():
        assert watched(way, getattr(world, agent), prompt, **options) == raised


@ways
@pytest.mark.parametrize("fault", FAULTS)
def test_a_run_leaves_nothing_behind_when_the_endpoint_fails(world, way, fault):
    settings = Settings(extra_headers={"x-sim-fault": fault})
    with nothing_left(collect=CIRCLES_LEAD_HERE and fault in BREAKING):
        got = watched(way, world.retried, "1 add", settings=settings)
    assert got == FAULTS[fault]


@pytest.mark.parametrize("events", [0, 1, 4, 12])
def test_a_stream_that_is_left_early_leaves_nothing_behind(world, events):
    with nothing_left(begun=events > 0, collect=CIRCLES_LEAD_HERE), world.plain.stream("2 add") as stream:
        for _ in zip(range(events), stream, strict=False):
            pass
        gone = weakref.ref(stream)
        del stream
    assert gone() is None


@pytest.mark.parametrize("events", [0, 1, 4, 12])
def test_an_async_stream_that_is_left_early_leaves_nothing_behind(world, events):
    async def leave():
        async with world.plain.astream("2 add") as stream:
            left = events
            while left:
                left -= 1
                await anext(stream)
            return weakref.ref(stream)

    with nothing_left(begun=events > 0):
        gone = asyncio.run(leave())
    assert gone() is None


def test_a_stream_that_is_closed_from_another_thread_leaves_nothing_behind(world):
    with nothing_left(), world.plain.stream("1 never_ends") as stream:
        for event in stream:
            if isinstance(event, ToolStarted):
                closing = threading.Thread(target=stream.close)
                closing.start()
        closing.join()
        del stream, event


def test_a_stream_that_is_dropped_leaves_nothing_behind(world):
    with nothing_left():
        stream = world.plain.stream("1 never_ends")
        while not isinstance(next(stream), ToolStarted):
            pass
        gone = weakref.ref(stream)
        del stream
        assert gone() is None


@pytest.mark.parametrize("way", ["arun", "astream"])
@pytest.mark.parametrize("at", [CallModel, ToolStarted])
def test_a_run_that_is_cancelled_leaves_nothing_behind(world, way, at):
    async def cancel():
        begun = asyncio.Event()
        run = ago(world.plain, way, "1 never_ends", on_event=lambda event: isinstance(event, at) and begun.set())
        task = asyncio.create_task(run)
        await begun.wait()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    with nothing_left():
        asyncio.run(cancel())


@ways
def test_a_run_that_finds_its_session_held_leaves_nothing_behind(world, way):
    with Session("held").hold(), nothing_left(begun=False):
        assert watched(way, world.plain, "1 add", session="held") == "SessionBusy"


@pytest.mark.parametrize("way", ["stream", "astream"])
def test_a_stream_dies_with_its_last_reference_though_its_run_failed(world, way):
    kept = []
    limits = Limits(steps=1)

    def read():
        with world.plain.stream("2 add", limits=limits) as stream:
            kept.append(weakref.ref(stream))
            with contextlib.suppress(RunError):
                list(stream)
            with pytest.raises(RunError, match="steps"):
                _ = stream.result

    async def aread():
        async with world.plain.astream("2 add", limits=limits) as stream:
            kept.append(weakref.ref(stream))
            with contextlib.suppress(RunError):
                [_ async for _ in stream]
            with pytest.raises(RunError, match="steps"):
                _ = stream.result

    with nothing_left():
        read() if way == "stream" else asyncio.run(aread())
    assert kept[0]() is None
