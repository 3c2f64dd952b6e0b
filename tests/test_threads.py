"""Daemon threads, the shared loop, the watchdog and the stop signal."""

import asyncio
import contextvars
import gc
import logging
import os
import subprocess
import sys
import textwrap
import threading
import time
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit import threads
from agentkit.threads import Stop, run_on_shared_loop, shared_loop, start, watch

LONG = 20.0
"""Seconds after which a test that waits for an event has failed."""


def outcome(job):
    """Run a job in a daemon thread and wait for what it returns."""
    done, box = threading.Event(), []

    def run():
        box.append(job())
        done.set()

    start(run)
    assert done.wait(LONG)
    return box[0]


def python(program, *arguments):
    """Run a program in an interpreter of its own; returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


# --- Daemon threads


def test_a_thread_is_used_again():
    threads.close()
    first = outcome(threading.get_ident)
    # the thread is idle only a moment after its job said so
    for _ in range(1000):
        if outcome(threading.get_ident) == first:
            return
    pytest.fail("no job met the thread of the first")


def test_any_number_of_jobs_runs_at_once():
    everybody = threading.Barrier(101)
    for _ in range(100):
        start(lambda: everybody.wait(LONG))
    everybody.wait(LONG)


def test_jobs_that_wait_for_jobs_do_not_deadlock():
    def nest(depth):
        return depth if depth == 60 else outcome(lambda: nest(depth + 1))

    assert outcome(lambda: nest(0)) == 60


def test_a_job_sees_the_variables_of_its_caller_and_leaves_none_behind():
    name = contextvars.ContextVar("name", default="none")
    name.set("caller")

    def change():
        before = name.get()
        name.set("job")
        return before

    assert outcome(change) == "caller"
    assert contextvars.Context().run(lambda: outcome(name.get)) == "none"
    assert name.get() == "caller"


def test_a_job_that_raises_is_told_to_the_logger_and_its_thread_goes_on(caplog):
    with caplog.at_level(logging.ERROR, "agentkit"):
        for error in (ValueError("broken"), SystemExit(3)):

            def fail(error=error):
                raise error

            start(fail)
        for _ in range(1000):
            outcome(lambda: None)
            if len(caplog.records) == 2:
                break
    assert {record.exc_info[0] for record in caplog.records} == {ValueError, SystemExit}


def test_an_idle_thread_keeps_nothing_of_its_last_job_alive():
    class Run:
        def work(self):
            done.set()

    done = threading.Event()
    run = Run()
    gone = weakref.ref(run, lambda _: freed.set())
    freed = threading.Event()
    start(run.work)
    assert done.wait(LONG)
    del run
    gc.collect()
    assert freed.wait(LONG)
    assert gone() is None


def test_idle_threads_end_when_all_is_closed():
    ours = outcome(threading.current_thread)
    for _ in range(1000):
        threads.close()
        ours.join(0.01)
        if not ours.is_alive():
            break
    assert not ours.is_alive()
    assert outcome(lambda: 7) == 7


def test_idle_threads_end_by_themselves(monkeypatch):
    threads.close()
    monkeypatch.setattr(threads, "IDLE_SECONDS", 0.05)
    ours = outcome(threading.current_thread)
    ours.join(LONG)
    assert not ours.is_alive()
    assert outcome(lambda: 7) == 7


def test_threads_that_go_idle_while_they_are_wanted_lose_no_job(monkeypatch):
    monkeypatch.setattr(threads, "IDLE_SECONDS", 0.0005)
    for number in range(300):
        assert outcome(lambda number=number: number) == number
        time.sleep(0.0004)  # about as long as a thread stays idle here: that is the race


def test_a_hung_job_does_not_hold_up_the_exit():
    began = time.monotonic()
    python("""
        import threading
        from agentkit.threads import start, run_on_shared_loop, watch
        import asyncio, time
        start(threading.Event().wait)
        run_on_shared_loop(asyncio.sleep(3600))
        watch(time.monotonic() + 3600, lambda: None)
    """)
    assert time.monotonic() - began < 20


def test_importing_starts_nothing_and_loads_no_asyncio():
    printed = python(f"""
        import importlib.util, sys, threading
        spec = importlib.util.spec_from_file_location("threads", {threads.__file__!r})
        module = sys.modules["threads"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        print(threading.active_count(), "asyncio" in sys.modules, "logging" in sys.modules)
    """)
    assert printed.split() == ["1", "False", "False"]


# --- The shared loop


async def where():
    return threading.current_thread(), asyncio.get_running_loop()


def test_the_shared_loop_is_one_and_lives_in_a_daemon_thread():
    thread, loop = run_on_shared_loop(where()).result(LONG)
    assert thread.daemon
    assert thread is not threading.current_thread()
    assert loop is shared_loop()
    assert run_on_shared_loop(where()).result(LONG) == (thread, loop)


def test_a_sync_run_within_a_tool_on_the_shared_loop_does_not_wait_for_itself():
    async def tool():
        inner = run_on_shared_loop(where()).result(LONG)  # blocks the loop that it runs on, as `agent.run` would
        in_thread = outcome(lambda: run_on_shared_loop(where()).result(LONG))
        assert inner == in_thread
        return asyncio.get_running_loop(), inner[1]

    outer, inner = run_on_shared_loop(tool()).result(LONG)
    assert outer is shared_loop()
    assert inner is not outer


def test_a_coroutine_on_the_shared_loop_sees_the_variables_of_its_caller():
    name = contextvars.ContextVar("name", default="none")
    name.set("caller")

    async def look():
        before = name.get()
        name.set("tool")
        return before

    assert run_on_shared_loop(look()).result(LONG) == "caller"
    assert name.get() == "caller"


def test_cancelling_the_future_cancels_the_task():
    begun, ended = threading.Event(), threading.Event()

    async def wait():
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    future = run_on_shared_loop(wait())
    assert begun.wait(LONG)
    future.cancel()
    assert ended.wait(LONG)


def test_closing_ends_the_tasks_and_generators_of_the_shared_loop_and_a_new_one_follows():
    ended = []

    async def generator():
        try:
            yield
        finally:
            ended.append("generator")

    async def open_generator():
        made = generator()
        await anext(made)
        return made

    async def wait():
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("task")

    begun = threading.Event()
    kept = run_on_shared_loop(open_generator()).result(LONG)
    future = run_on_shared_loop(wait())
    loop = shared_loop()
    assert begun.wait(LONG)
    threads.close()
    assert ended == ["task", "generator"]
    assert future.cancelled()
    assert loop.is_closed()
    assert kept is not None
    assert run_on_shared_loop(where()).result(LONG)[1] is not loop


def test_closing_from_the_shared_loop_does_not_wait_for_itself():
    async def close():
        threads.close()

    future = run_on_shared_loop(close())
    assert future.exception(LONG) is None or future.cancelled()


def test_a_task_that_does_not_end_holds_up_closing_only_so_long(monkeypatch):
    monkeypatch.setattr(threads, "CLOSE_SECONDS", 0.1)
    begun, release = threading.Event(), threading.Event()

    async def stubborn():
        begun.set()
        while not release.is_set():
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                pass

    future = run_on_shared_loop(stubborn())
    loop = shared_loop()
    assert begun.wait(LONG)
    began = time.monotonic()
    threads.close()
    assert time.monotonic() - began < LONG / 2
    assert loop.is_closed()
    release.set()
    del future
    gc.collect()


# --- The watchdog


def test_checks_are_made_in_time_and_again_for_as_long_as_they_ask_for_it():
    seen, done = [], threading.Event()
    began = time.monotonic()

    def check():
        seen.append(time.monotonic() - began)
        if len(seen) == 3:
            done.set()
            return None
        return began + 0.02 * (len(seen) + 1)

    watch(began + 0.02, check)
    assert done.wait(LONG)
    assert all(moment >= 0.02 * number for number, moment in enumerate(seen, 1))


def test_an_earlier_watch_overtakes_a_later_one():
    seen, done = [], threading.Event()
    now = time.monotonic()
    later = watch(now + 3600, lambda: seen.append("later"))
    watch(now + 0.01, lambda: seen.append("earlier") or done.set())
    assert done.wait(LONG)
    assert seen == ["earlier"]
    later()


def test_all_watches_share_one_thread():
    idents, done = set(), threading.Barrier(2)
    now = time.monotonic()
    for number in range(50):
        watch(now + 0.001 * number, lambda: idents.add(threading.get_ident()))
    watch(now + 0.1, lambda: done.wait(LONG) and None)
    done.wait(LONG)
    assert len(idents) == 1


def test_a_cancelled_watch_is_not_made_and_keeps_nothing_alive():
    class Request:
        def check(self):
            pytest.fail("it was cancelled")

    request = Request()
    gone = weakref.ref(request)
    cancel = watch(time.monotonic() + 0.05, request.check)
    cancel()
    cancel()
    del request
    gc.collect()
    assert gone() is None
    done = threading.Event()
    watch(time.monotonic() + 0.06, done.set)
    assert done.wait(LONG)


def test_cancelled_watches_do_not_pile_up():
    keep = watch(time.monotonic() + 3600, lambda: None)
    for _ in range(5000):
        watch(time.monotonic() + 600, lambda: None)()
    assert len(threads._watchdog.heap) < 300
    keep()


def test_a_check_that_raises_ends_its_watch_and_no_other(caplog):
    done = threading.Event()
    now = time.monotonic()

    def fail():
        raise ValueError("broken")

    with caplog.at_level(logging.ERROR, "agentkit"):
        watch(now, fail)
        watch(now + 0.02, done.set)
        assert done.wait(LONG)
    assert [record.exc_info[0] for record in caplog.records] == [ValueError]


def test_the_watchdog_rests_and_begins_again(monkeypatch):
    monkeypatch.setattr(threads, "IDLE_SECONDS", 0.01)
    for _ in range(20):
        done = threading.Event()
        watch(time.monotonic(), lambda done=done: done.set())
        assert done.wait(LONG)
        time.sleep(0.009)  # about as long as it waits for the next: that is the race


@given(st.lists(st.tuples(st.integers(1, 9), st.booleans()), max_size=40))
def test_watches_are_made_in_order_and_cancelled_ones_are_not(plans):
    now = time.monotonic()
    busy, ready, done = threading.Event(), threading.Event(), threading.Event()
    watch(now - 100, lambda: busy.set() or (ready.wait(LONG) and None))  # holds the watchdog until all is set up
    assert busy.wait(LONG)
    made = []
    for number, (ago, keep) in enumerate(plans):
        cancel = watch(now - ago, lambda number=number: made.append(number))
        if not keep:
            cancel()
    watch(now, done.set)
    ready.set()
    assert done.wait(LONG)
    kept = [number for number, (_, keep) in enumerate(plans) if keep]
    assert made == sorted(kept, key=lambda number: -plans[number][0])


# --- The stop signal


def test_a_stop_is_set_once_and_stays_set():
    stop, calls = Stop(), []
    stop.on_set(lambda: calls.append(threading.current_thread()))
    assert not stop.is_set
    assert not stop.wait(0)
    outcome(stop.set)
    stop.set()
    assert stop.is_set
    assert stop.wait(0)
    assert stop.wait()
    assert len(calls) == 1


def test_waiting_ends_when_another_thread_sets_the_stop():
    stop, waiting = Stop(), threading.Event()
    answers = []

    def wait():
        waiting.set()
        answers.append(stop.wait(LONG))
        done.set()

    done = threading.Event()
    start(wait)
    assert waiting.wait(LONG)
    stop.set()
    assert done.wait(LONG)
    assert answers == [True]


def test_a_callback_that_comes_late_is_called_at_once():
    stop, calls = Stop(), []
    stop.set()
    forget = stop.on_set(lambda: calls.append("late"))
    assert calls == ["late"]
    forget()


def test_a_callback_that_was_taken_out_is_not_called():
    stop, calls = Stop(), []
    forget = stop.on_set(lambda: calls.append("first"))
    stop.on_set(lambda: calls.append("second"))
    forget()
    forget()
    stop.set()
    forget()
    assert calls == ["second"]


def test_a_callback_that_raises_harms_nobody(caplog):
    stop, calls = Stop(), []

    def fail():
        raise ValueError("broken")

    stop.on_set(fail)
    stop.on_set(lambda: calls.append("called"))
    with caplog.at_level(logging.ERROR, "agentkit"):
        stop.set()
        stop.on_set(fail)
    assert calls == ["called"]
    assert len(caplog.records) == 2


def test_callbacks_may_use_the_stop():
    stop, calls = Stop(), []

    def callback():
        forget()
        stop.set()
        calls.append(stop.is_set and stop.wait(0))
        stop.on_set(lambda: calls.append("nested"))

    forget = stop.on_set(callback)
    stop.set()
    assert calls == [True, "nested"]


def test_of_many_who_set_it_one_calls_back():
    for _ in range(50):
        stop, calls, ready = Stop(), [], threading.Barrier(4)
        stop.on_set(lambda calls=calls: calls.append(1))
        done = [threading.Event() for _ in range(4)]
        for one in done:
            start(lambda one=one, stop=stop, ready=ready: (ready.wait(LONG), stop.set(), one.set()))
        assert all(one.wait(LONG) for one in done)
        assert calls == [1]


def test_nothing_listens_for_ever():
    stop = Stop()
    for _ in range(100):
        stop.on_set(lambda: None)()
    assert not stop._callbacks


# --- Forks


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_forked_child_begins_anew_and_the_parent_goes_on():
    printed = python("""
        import asyncio, os, threading, time, warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # forking with threads is what this is about
        from agentkit import threads

        def check():
            done = threading.Event()
            threads.start(done.set)
            assert done.wait(20)
            watched = threading.Event()
            threads.watch(time.monotonic() + 0.01, watched.set)
            assert watched.wait(20)
            async def loop():
                return asyncio.get_running_loop()
            return threads.run_on_shared_loop(loop()).result(20)

        ours = check()
        threads.watch(time.monotonic() + 3600, lambda: None)
        # held by another thread at the time of the fork, as it may happen
        held, release = threading.Event(), threading.Event()
        def hold():
            with threads._lock, threads._watchdog.changed:
                held.set()
                release.wait(20)
        threads.start(hold)
        assert held.wait(20)
        child = os.fork()
        if child == 0:
            try:
                assert check() is not ours
                threads.close()
                check()
            except BaseException:
                import traceback
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        release.set()
        assert os.waitpid(child, 0)[1] == 0
        assert check() is ours
        print("well")
    """)
    assert printed.split() == ["well"]
