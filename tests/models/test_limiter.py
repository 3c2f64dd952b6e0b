"""How many requests an endpoint is sent at once: the arithmetic, the waiting, a server that refuses one too many."""

import asyncio
import gc
import os
import sys
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire import completion, serving

from agentkit import Agent
from agentkit.errors import Cancelled, RateLimited, Rejected, TimedOut, Unavailable
from agentkit.events import Queued
from agentkit.models import open_model
from agentkit.models.http import Clock
from agentkit.models.limiter import HOLD, Limit, Limiter, limiter_of, named
from agentkit.simulator import Simulator
from agentkit.threads import Stop

WORDS = (
    "Your current concurrency is 40, which exceeds your concurrency limit of 39 based on your remaining balance."
    " Please top up your balance to restore your concurrency."
)


def refused(limit, burst, number=None, overloaded=False, now=0.0):
    limit.refused(burst, number, overloaded=overloaded, now=now)


@pytest.mark.parametrize(
    ("text", "number"),
    [(WORDS, 39), ("Concurrency Limit: 7", 7), ("a concurrency limit of 0", 1), ("limit of 5", None), ("", None)],
)
def test_the_limit_is_read_out_of_the_words(text, number):
    assert named(text) == number


def test_a_limit_begins_open_and_a_named_number_counts():
    limit = Limit()
    bursts = [limit.begun() for _ in range(40)]
    assert limit.free
    refused(limit, bursts[0], 39)
    assert (limit.places, limit.running, limit.free) == (39, 39, False)


def test_a_burst_that_is_refused_halves_once_and_shows_how_many_are_served():
    limit = Limit()
    bursts = [limit.begun() for _ in range(10)]
    refused(limit, bursts[0])
    assert limit.places == 5
    for burst in bursts[1:7]:
        refused(limit, burst)
    assert (limit.running, limit.places) == (3, 3)


def test_overload_halves_once_for_a_whole_burst():
    limit = Limit()
    for burst in [limit.begun() for _ in range(16)]:
        refused(limit, burst, overloaded=True)
    assert (limit.running, limit.places) == (0, 8)


def test_answers_raise_the_limit_again_but_for_a_minute_not_to_what_was_refused():
    limit = Limit()
    bursts = [limit.begun() for _ in range(8)]
    for burst in bursts[:4]:
        refused(limit, burst, now=100.0)
    assert limit.places == 4

    def answers(count, now):
        for _ in range(count):
            while limit.free:
                limit.begun()
            limit.answered(now)

    answers(100, 100.0 + HOLD / 2)
    assert limit.places == 4
    answers(4, 100.0 + HOLD)
    assert 4.8 < limit.places < 5
    answers(100, 100.0 + HOLD)
    assert limit.places > 12


def test_a_limit_that_nobody_meets_does_not_rise():
    limit = Limit()
    bursts = [limit.begun() for _ in range(8)]
    refused(limit, bursts[0], overloaded=True)
    while limit.running:
        limit.left()
    before = limit.places
    for _ in range(50):
        limit.begun()
        limit.answered(1e9)
    assert limit.places == before == 4


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["begin", "answer", "leave", "refuse", "overload", "name"]),
            st.integers(0, 30),
            st.floats(0, 500),
        )
    )
)
def test_whatever_happens_a_place_stays_and_no_more_begin_than_there_are(steps):
    limit, running, now = Limit(), [], 0.0
    for what, which, seconds in steps:
        now += seconds
        before = limit.places
        if what == "begin":
            if limit.free:
                assert limit.running + 1 <= limit.places
                running.append(limit.begun())
        elif running:
            burst = running.pop(which % len(running))
            if what == "answer":
                limit.answered(now)
                assert before <= limit.places <= before + 1
            elif what == "leave":
                limit.left()
                assert limit.places == before
            elif what == "name":
                refused(limit, burst, which + 1, now=now)
                assert limit.places == which + 1
            else:
                refused(limit, burst, overloaded=what == "overload", now=now)
                assert limit.places <= before
        assert limit.places >= 1
        assert limit.running == len(running)
        assert limit.free or limit.running


def narrow(limiter, places=1):
    """Make the limiter narrow by a refusal that names the limit."""
    with pytest.raises(RateLimited), limiter.place():
        raise RateLimited(f"your concurrency limit of {places}")
    return limiter


def test_only_refusals_for_too_many_narrow_it():
    limiter = Limiter()
    for error in (Rejected("no", status=400), Unavailable("no", status=500), TimedOut("no"), ValueError("no")):
        with pytest.raises(type(error)), limiter.place():
            raise error
    assert repr(limiter) == "<Limiter 0 of inf under way, 0 waiting>"
    with pytest.raises(Unavailable), limiter.place():
        raise Unavailable("busy", status=503)
    assert repr(limiter) == "<Limiter 0 of 1 under way, 0 waiting>"


def test_a_thread_that_waits_is_told_so_and_goes_on_in_turn():
    limiter, told, order = narrow(Limiter()), [], []
    waits = threading.Semaphore(0)

    def ask(number):
        def tell(seconds):
            told.append(seconds)
            waits.release()

        with limiter.place(tell=tell):
            order.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(5)]
    with limiter.place():
        for thread in threads:
            thread.start()
            assert waits.acquire(timeout=10)  # so that they come in order
        assert not order
    for thread in threads:
        thread.join(10)
    assert order == [0, 1, 2, 3, 4]
    assert len(told) == 5
    assert all(0 <= seconds < 5 for seconds in told)


def test_a_stop_ends_the_waiting_of_a_thread():
    limiter, stop, caught = narrow(Limiter()), Stop(), []

    def ask():
        with pytest.raises(Cancelled) as error, limiter.place(stop=stop, tell=lambda seconds: waits.set()):
            pass
        caught.append(error)

    waits = threading.Event()
    with limiter.place():
        thread = threading.Thread(target=ask)
        thread.start()
        assert waits.wait(10)
        stop.set()
        thread.join(10)
    assert len(caught) == 1
    assert repr(limiter) == "<Limiter 0 of 1 under way, 0 waiting>"


def test_waiting_ends_with_the_time():
    limiter = narrow(Limiter())
    with limiter.place(), pytest.raises(TimedOut, match="place"), limiter.place(until=time.monotonic() + 0.05):
        pass

    async def ask():
        async with limiter.aplace():
            with pytest.raises(TimedOut, match="place"):
                async with limiter.aplace(until=time.monotonic() + 0.05):
                    pass

    asyncio.run(ask())
    assert repr(limiter) == "<Limiter 0 of 1 under way, 0 waiting>"


@given(st.lists(st.integers(0, 7), max_size=8, unique=True), st.integers(1, 3))
def test_tasks_go_on_in_turn_whoever_of_them_is_cancelled(cancelled, places):
    async def main():
        limiter, order, asked, all_wait = narrow(Limiter(), places), [], [], asyncio.Event()

        def tell(seconds):
            asked.append(seconds)
            if len(asked) == 8:
                all_wait.set()

        async def ask(number):
            async with limiter.aplace(tell=tell):
                order.append(number)
                await asyncio.sleep(0)

        async with asyncio.TaskGroup() as group:
            holders = [limiter.aplace() for _ in range(places)]
            for holder in holders:
                await holder.__aenter__()
            tasks = [group.create_task(ask(number)) for number in range(8)]
            await all_wait.wait()
            for number in cancelled[: len(cancelled) // 2]:
                tasks[number].cancel()
            for holder in holders:
                await holder.__aexit__(None, None, None)
            for number in cancelled[len(cancelled) // 2 :]:  # some of them were just given a place
                tasks[number].cancel()
        assert order == sorted(order)
        assert set(range(8)) - set(cancelled) <= set(order)
        assert "0 of" in repr(limiter)
        assert "0 waiting" in repr(limiter)

    asyncio.run(main())


def test_a_place_is_not_lost_with_a_loop_that_was_closed():
    limiter = narrow(Limiter())
    holder = limiter.place()
    holder.__enter__()

    async def ask():
        async with limiter.aplace(tell=lambda seconds: None):
            raise AssertionError("there is no place")

    loop = asyncio.new_event_loop()
    task = loop.create_task(ask())
    loop.call_later(0.01, loop.stop)
    loop.run_forever()
    task._log_destroy_pending = False
    loop.close()
    holder.__exit__(None, None, None)
    with limiter.place(until=time.monotonic() + 10):
        pass
    task.get_coro().close()
    assert repr(limiter) == "<Limiter 0 of 1 under way, 0 waiting>"


def test_models_of_one_endpoint_and_key_share_a_limiter():
    one = limiter_of("http://a/v1", "k")
    assert limiter_of("http://A/v1/", "k") is one
    assert limiter_of("http://a/v1", "other") is not one
    assert limiter_of("http://b/v1", "k") is not one
    assert limiter_of("http://a/v1", "k", object()) is not one
    assert "k" not in repr(one).replace("<Limiter", "")


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.filterwarnings("ignore:This process.*fork:DeprecationWarning")
def test_a_forked_child_begins_with_nothing_under_way():
    gc.collect()
    limiter = narrow(limiter_of("http://fork.example", "k"))
    with limiter.place():
        child = os.fork()
        if child == 0:
            os._exit(0 if repr(limiter) == "<Limiter 0 of inf under way, 0 waiting>" else 1)
        assert os.waitpid(child, 0)[1] == 0


class Narrow:
    """A handler that serves `places` requests at once and refuses one more immediately."""

    def __init__(self, places, words="too many"):
        self.places, self.words = places, words
        self.running = self.most = self.refusals = 0
        self.lock = threading.Lock()
        self.never = threading.Event()

    def __call__(self, exchange):
        with self.lock:
            late = self.running >= self.places
            if late:
                self.refusals += 1
            else:
                self.running += 1
                self.most = max(self.most, self.running)
        if late:
            exchange.reply(b'{"error":{"message":"%s"}}' % self.words.encode(), "429 Too Many Requests")
            return
        self.never.wait(0.02)  # how long an answer takes
        with self.lock:
            self.running -= 1
        exchange.reply(completion("hi"))


def model_of(server, **options):
    model = open_model("openai:m", base_url=server.url, api_key="k", **options)

    async def asleep(seconds):
        await asyncio.sleep(0)

    model.clock = Clock(sleep=lambda seconds: None, asleep=asleep)
    return model


@pytest.mark.parametrize("words", ["too many", "which exceeds your concurrency limit of 3 based on your balance"])
@pytest.mark.parametrize("transport", ["httpx", "aiohttp"])
def test_many_tasks_are_served_by_an_endpoint_that_takes_three_at_once(words, transport):
    handler, events = Narrow(3, words), []

    async def main(server):
        agent = Agent(model_of(server, transport=transport))
        return await asyncio.gather(*(agent.arun("go", on_event=events.append) for _ in range(40)))

    with serving(handler) as server:
        assert [result.output for result in asyncio.run(main(server))] == ["hi"] * 40
    assert handler.most <= 3
    assert handler.refusals <= 40
    assert any(isinstance(event, Queued) for event in events)


def test_many_threads_are_served_by_an_endpoint_that_takes_three_at_once():
    handler, outputs = Narrow(3), []
    with serving(handler) as server:
        agent = Agent(model_of(server))
        threads = [threading.Thread(target=lambda: outputs.append(agent.run("go").output)) for _ in range(30)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert outputs == ["hi"] * 30
    assert handler.most <= 3


def test_the_simulators_words_for_too_many_narrow_the_limiter():
    simulator = Simulator(faults=["429@1"])
    model = open_model("deepseek:deepseek-flash", api_key="k", transport=simulator.transport())
    model.clock = Clock(sleep=lambda seconds: None)
    assert Agent(model).run("Say hi.").output
    ((_, limiter),) = model.addresses
    assert " of inf under way" not in repr(limiter)


def test_clients_that_are_brought_are_endpoints_of_their_own():
    one, other = (
        open_model("deepseek:deepseek-flash", api_key="k", transport=Simulator().transport()) for _ in range(2)
    )
    assert one.addresses[0][1] is not other.addresses[0][1]
