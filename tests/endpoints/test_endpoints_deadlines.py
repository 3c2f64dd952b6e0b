"""A server that keeps a request alive for ever, and one that is silent, are left when the time is over, always."""

import asyncio
import contextlib
import time

import httpx
import pytest
from endpoint_runs import ENDPOINTS, PROMPT, Desk
from script import ago
from script import go as in_any_way
from wire import completion, serving

from agentkit import Agent, Limits
from agentkit.errors import LimitReached, TimedOut
from agentkit.events import Queued
from agentkit.models import open_model
from agentkit.models.transport import Patience
from agentkit.simulator import Simulator
from agentkit.simulator.server import running

SHORT, LONG = 1.0, 20.0
WAYS = [
    ("run", "httpx"),
    ("run", "brought"),
    ("stream", "httpx"),
    ("stream", "brought"),
    ("arun", "httpx"),
    ("arun", "aiohttp"),
    ("arun", "brought"),
    ("astream", "httpx"),
    ("astream", "aiohttp"),
    ("astream", "brought"),
]


@pytest.fixture(scope="module", autouse=True)
def warm():
    """Have the libraries loaded, so that short limits do not pass meanwhile."""
    with serving(lambda exchange: exchange.reply(completion("hi"))) as server:
        for way, transport in (("run", "httpx"), ("arun", "httpx"), ("arun", "aiohttp")):
            model = open_model("openai:m", base_url=server.url, api_key="k", transport=transport)
            assert in_any_way(Agent(model), way, "go").output == "hi"


every_way = pytest.mark.parametrize(("way", "transport"), WAYS, ids=[" ".join(one) for one in WAYS])
forms = pytest.mark.parametrize(
    ("kind", "alive"),
    [("application/json", b"\n"), ("text/event-stream", b": keep-alive\n\n")],
    ids=["blank lines", "comments"],
)


async def with_carrier(transport, work):
    """Await `work(transport)`; a client of one's own is opened and closed around."""
    if transport != "brought":
        return await work(transport)
    async with httpx.AsyncClient() as client:
        return await work(client)


def go(make, way, transport, **options):
    """Run `make(transport)`, an agent, in one of the four ways; a client of one's own is opened and closed around."""
    if way.startswith("a"):
        return asyncio.run(with_carrier(transport, lambda carrier: ago(make(carrier), way, "go", **options)))
    if transport != "brought":
        return in_any_way(make(transport), way, "go", **options)
    with httpx.Client() as client:
        return in_any_way(make(client), way, "go", **options)


def keeps_alive(kind, alive):
    """Answers with the beginning of a reply, and then with keep-alives until it is left."""

    def handler(exchange):
        exchange.begin(kind)
        with contextlib.suppress(OSError):
            while not exchange.left.wait(0.02):
                exchange.chunk(alive)
        exchange.left.set()

    return handler


@forms
@every_way
def test_keep_alives_for_ever_are_left_when_the_answers_time_is_over(way, transport, kind, alive):
    def make(carrier):
        model = open_model("openai:m", base_url=server.url, api_key="k", transport=carrier, timeout=SHORT)
        return Agent(model)

    seen = []
    with serving(keeps_alive(kind, alive)) as server:
        began = time.monotonic()
        with pytest.raises(TimedOut) as caught:
            go(make, way, transport, on_event=seen.append)
        assert SHORT <= time.monotonic() - began < LONG / 2
        assert all(one.left.wait(LONG) for one in server.exchanges), "the socket is closed"
        assert len(server.exchanges) == 1, "the time is that of the answer, not of each attempt"
    assert caught.value.attempts == 1
    assert any(isinstance(one, Queued) for one in seen)
    assert [one.role for one in caught.value.transcript.messages()] == ["user"]


@pytest.mark.parametrize("transport", ["httpx", "aiohttp", "brought"])
@pytest.mark.parametrize("turns", range(8))
def test_a_run_that_is_cancelled_again_while_it_is_being_cancelled_leaves_no_socket_open(turns, transport):
    """As when two limits pass at the same time: the second meets the first wherever that has come to."""

    async def cancelled_twice(carrier):
        waits = asyncio.Event()
        model = open_model("openai:m", base_url=server.url, api_key="k", transport=carrier)

        def look(event):
            if isinstance(event, Queued):  # a keep-alive has come: the run is in the body
                waits.set()

        task = asyncio.create_task(Agent(model).arun("go", on_event=look))
        await waits.wait()
        task.cancel()
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(server.exchanges[0].left.wait, LONG / 2)

    with serving(keeps_alive("text/event-stream", b": keep-alive\n\n")) as server:
        asyncio.run(with_carrier(transport, cancelled_twice))


@pytest.mark.parametrize("transport", ["httpx", "brought"])
@pytest.mark.parametrize("turns", range(8))
def test_a_run_that_is_cancelled_while_its_whole_reply_is_closed_leaves_a_model_that_answers_the_next(turns, transport):
    """Its connection may still count as busy, and the next request would wait for ever for its turn."""

    def whole(exchange):  # all in one piece, so that it takes no waiting but that of closing
        parts = (b"\n", completion("hi"))
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        exchange.send(head + b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n")

    async def cancelled(carrier):
        came = asyncio.Event()
        model = open_model("openai:m", base_url=server.url, api_key="k", transport=carrier)
        task = asyncio.create_task(Agent(model).arun("go", on_event=lambda one: isinstance(one, Queued) and came.set()))
        async with asyncio.timeout(LONG):
            await came.wait()
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            assert (await task).output == "hi"
        assert [repr(limiter).split(" under way")[0] for _, limiter in model.addresses] == ["<Limiter 0 of inf"]
        async with asyncio.timeout(LONG):
            assert (await Agent(model).arun("go")).output == "hi"

    with serving(whole) as server:
        asyncio.run(with_carrier(transport, cancelled))


@every_way
def test_keep_alives_for_ever_are_left_when_the_runs_time_is_over(way, transport):
    def make(carrier):
        return Agent(open_model("openai:m", base_url=server.url, api_key="k", transport=carrier))

    with serving(keeps_alive("text/event-stream", b": keep-alive\n\n")) as server:
        began = time.monotonic()
        with pytest.raises(LimitReached) as caught:
            go(make, way, transport, limits=Limits(seconds=SHORT))
        assert SHORT <= time.monotonic() - began < LONG / 2
        assert all(one.left.wait(LONG) for one in server.exchanges)
        assert len(server.exchanges) == 1
    assert caught.value.limit == "seconds"


@every_way
def test_all_attempts_for_an_answer_share_its_time(way, transport):
    def make(carrier):
        model = open_model(
            "openai:m",
            base_url=server.url,
            api_key="k",
            transport=carrier,
            retries=100,
            timeout=Patience(first_byte=SHORT / 3, total=SHORT),
        )
        return Agent(model)

    with serving(lambda exchange: exchange.wait_until_left()) as server:
        began = time.monotonic()
        with pytest.raises(TimedOut):
            go(make, way, transport)
        assert time.monotonic() - began < LONG / 2
        assert len(server.exchanges) < 4


@pytest.mark.parametrize("fault", ["silence", pytest.param("stall(after=0)", marks=pytest.mark.slow), "stall(after=3)"])
@pytest.mark.parametrize(
    ("way", "transport"), [("run", "httpx"), ("arun", "httpx"), ("arun", "aiohttp"), ("stream", "httpx")]
)
def test_silence_on_a_socket_is_asked_again_and_in_the_end_an_error(fault, way, transport):
    patience = Patience(first_byte=SHORT, idle=SHORT)
    simulator = Simulator(ENDPOINTS[0].profile)
    with running(simulator) as url:

        def desk(rules):
            simulator.faults.clear()
            simulator.faults.add(rules)
            simulator.log.clear()
            return Desk(ENDPOINTS[0], simulator=simulator, url=url, transport=transport, timeout=patience, retries=1)

        once = desk(f"{fault}@1")
        if fault == "stall(after=3)" and way == "stream":  # its beginning was shown: a second one would be shown twice
            with pytest.raises(TimedOut):
                in_any_way(once.agent, way, PROMPT)
        else:
            assert in_any_way(once.agent, way, PROMPT).output == "Paris: sunny. Tokyo: sunny."
            assert dict(once.effects) == {"Paris": 1, "Tokyo": 1}
            assert len(simulator.log.chats) == 3
        always = desk(f"{fault}@1-")
        with pytest.raises(TimedOut) as caught:
            in_any_way(always.agent, way, PROMPT)
        assert caught.value.attempts == len(simulator.log.chats) <= 2
        simulator.faults.clear()
        assert (
            in_any_way(always.agent, way, None, history=caught.value.transcript).output == "Paris: sunny. Tokyo: sunny."
        )
