"""Daemon threads of our own, the shared event loop, the watchdog and the stop signal.

Sync runs wait in the caller's thread and need helpers beside it:

- `start` runs a plain function in a daemon thread. Threads are made without bound and kept for reuse: a bounded
  pool would deadlock as soon as agents are tools of agents, and the threads of `concurrent.futures` are joined when
  the interpreter ends, so that one hung tool would hold up the exit.
- `shared_loop` is an event loop in a daemon thread. Async tools of sync runs live there, so that the clients they
  open survive from one run to the next.
- `watch` calls a function at a time, on one thread for all. It is how a sync request keeps its deadlines.
- `Stop` is set once, from any thread, and ends what listens to it.

Nothing is started at import, `close` ends all of it, and a forked child begins anew with none of it.
"""

from __future__ import annotations

import contextvars
import heapq
import os
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import asyncio
    import concurrent.futures

T = TypeVar("T")

IDLE_SECONDS = 10.0
"""How long a thread without work stays, in seconds."""

CLOSE_SECONDS = 2.0
"""How long `close` waits for the tasks of a shared loop to end, in seconds."""


def _report(what: str) -> None:
    """Tell the `agentkit` logger of an exception that nobody else can be told of."""
    import logging

    logging.getLogger("agentkit").error("%s", what, exc_info=True)


def without_stop_iteration(error: BaseException) -> BaseException:
    """An error of a user's function, as a future or an iterator can hand it to whoever waits.

    Futures do not take a `StopIteration`, and what iterates takes it for the end; Python makes a `RuntimeError` of one
    that leaves a generator (PEP 479), and so do we.
    """
    if not isinstance(error, StopIteration | StopAsyncIteration):
        return error
    meant = RuntimeError(f"a function that was called for the run raised `{type(error).__name__}`")
    vars(meant).update(vars(error))  # the transcript
    meant.__cause__ = error
    return meant


# --- Daemon threads -------------------------------------------------------------------------------------------------


class _Worker:
    """A daemon thread that runs one job after another; idle ones wait in `_idle`, the latest on top."""

    __slots__ = ("job", "wake")

    def __init__(self) -> None:
        self.job: Callable[[], object] | None = None
        self.wake = threading.Lock()
        self.wake.acquire()

    def live(self) -> None:
        while True:
            job, self.job = self.job, None
            if job is None:
                return
            try:
                job()
            except Exception:
                _report("a job in a daemon thread raised")
            except BaseException:
                # SystemExit and its like end the job, not the program: this thread is not the user's
                _report("a job in a daemon thread tried to end the program")
            del job  # a waiting thread must not keep a finished run alive
            _idle.append(self)
            if not self.wake.acquire(timeout=IDLE_SECONDS):
                try:
                    _idle.remove(self)
                except ValueError:
                    self.wake.acquire()  # somebody took this thread just now, and the job is on its way
                else:
                    return


_idle: list[_Worker] = []  # append, pop and remove are atomic, so it needs no lock
_numbers = count(1)


def start(job: Callable[[], object]) -> None:
    """Run `job` in a daemon thread, at once, in a copy of the caller's context variables.

    A thread that is idle is taken, the latest used first; else a new one is made. What the job raises goes to the
    `agentkit` logger, so a job whose outcome matters must hand it over by itself.

    Raises:
        RuntimeError: the system gives no further thread.
    """
    context = contextvars.copy_context()
    bound = _bind(context, job)
    try:
        worker = _idle.pop()
    except IndexError:
        worker = _Worker()
        worker.job = bound
        threading.Thread(target=worker.live, name=f"agentkit-{next(_numbers)}", daemon=True).start()
    else:
        worker.job = bound
        worker.wake.release()


def _bind(context: contextvars.Context, job: Callable[[], object]) -> Callable[[], object]:
    return lambda: context.run(job)


# --- The shared event loop ------------------------------------------------------------------------------------------

_level: contextvars.ContextVar[int] = contextvars.ContextVar("agentkit_shared_loop_level", default=0)
"""On how many shared loops, one above the other, the current code rests.

An async tool on the shared loop may call `agent.run`, which blocks that loop until it returns. If the inner run has
async tools, they must not wait for the blocked loop; they get the next one.
"""

_loops: list[_SharedLoop] = []
_lock = threading.Lock()


class _SharedLoop:
    """An event loop and the daemon thread that runs it."""

    def __init__(self, level: int) -> None:
        import asyncio

        self.loop = asyncio.new_event_loop()
        self.ended = threading.Event()
        name = "agentkit-loop" if level == 0 else f"agentkit-loop-{level}"
        self.thread = threading.Thread(target=self.live, name=name, daemon=True)
        self.thread.start()

    def live(self) -> None:
        import asyncio

        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
            self.loop.run_until_complete(self.tidy())
        except Exception:
            _report("the shared event loop did not end well")
        finally:
            asyncio.set_event_loop(None)
            self.loop.close()
            self.ended.set()

    async def tidy(self) -> None:
        """End the tasks, then the async generators; clients that are kept per loop are closed by the latter."""
        import asyncio

        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CLOSE_SECONDS)
        await self.loop.shutdown_asyncgens()

    def close(self) -> None:
        try:
            self.loop.call_soon_threadsafe(self.loop.stop)
        except RuntimeError:
            return  # closed already
        if threading.current_thread() is not self.thread:
            self.ended.wait(CLOSE_SECONDS + 1.0)


def shared_loop() -> asyncio.AbstractEventLoop:
    """The event loop on which async tools of sync runs live; started on first use, in a daemon thread.

    It is always the same one, except for code that itself runs on a shared loop (or in a thread that such code
    started with `start` or `asyncio.to_thread`): that gets the next, so that a sync run within an async tool does
    not wait for the loop that it blocks.
    """
    level = _level.get()
    with _lock:
        while len(_loops) <= level:
            if not _loops:
                import atexit

                atexit.unregister(_close_loops)
                atexit.register(_close_loops)
            _loops.append(_SharedLoop(len(_loops)))
        return _loops[level].loop


def run_on_shared_loop(coroutine: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
    """Run a coroutine on the shared loop, in a copy of the caller's context variables.

    Cancelling the future cancels the task. Its result may be waited for from any thread but the loop's own.
    """
    import asyncio

    loop = shared_loop()
    context = contextvars.copy_context()
    context.run(_level.set, _level.get() + 1)
    return context.run(asyncio.run_coroutine_threadsafe, coroutine, loop)


def _close_loops() -> None:
    with _lock:
        loops = _loops[::-1]
        _loops.clear()
    for one in loops:
        one.close()


# --- The watchdog ---------------------------------------------------------------------------------------------------


class _Entry:
    """A check in the watchdog's heap; cancelled ones stay there without a check until they come up."""

    __slots__ = ("check", "number", "when")

    def __init__(self, when: float, number: int, check: Callable[[], float | None]) -> None:
        self.when = when
        self.number = number
        self.check: Callable[[], float | None] | None = check

    def __lt__(self, other: _Entry) -> bool:
        return (self.when, self.number) < (other.when, other.number)


class _Watchdog:
    """A heap of checks and, while it is not empty, one thread that makes them."""

    def __init__(self) -> None:
        self.changed = threading.Condition(threading.Lock())
        self.heap: list[_Entry] = []
        self.cancelled = 0
        self.running = False
        self.numbers = count()

    def add(self, when: float, check: Callable[[], float | None]) -> Callable[[], None]:
        entry = _Entry(when, next(self.numbers), check)
        with self.changed:
            heapq.heappush(self.heap, entry)
            begin = not self.running
            self.running = True
            if not begin and self.heap[0] is entry:
                self.changed.notify()
        if begin:
            # in an empty context: the thread serves all runs, and must not keep the first one's variables alive
            contextvars.Context().run(start, self.live)

        def cancel() -> None:
            self.cancel(entry)

        return cancel

    def cancel(self, entry: _Entry) -> None:
        with self.changed:
            if entry.check is None:
                return
            entry.check = None
            self.cancelled += 1
            # most requests end long before their limits: without this, the heap would hold ten minutes of them
            if self.cancelled > 64 and self.cancelled * 2 > len(self.heap):
                self.heap = [one for one in self.heap if one.check is not None]
                heapq.heapify(self.heap)
                self.cancelled = 0

    def live(self) -> None:
        while (entry := self.next()) is not None:
            check = entry.check
            if check is None:
                continue
            try:
                when = check()
            except Exception:
                _report("a check of the watchdog raised")
                when = None
            with self.changed:
                if entry.check is None:
                    self.cancelled -= 1  # it was counted as if it were in the heap
                elif when is None:
                    entry.check = None
                else:
                    entry.when = when
                    heapq.heappush(self.heap, entry)

    def next(self) -> _Entry | None:
        """Wait for the next check that is due; `None` when there was nothing to watch for a while."""
        with self.changed:
            while True:
                while self.heap and self.heap[0].check is None:
                    heapq.heappop(self.heap)
                    self.cancelled -= 1
                if not self.heap:
                    if not self.changed.wait(IDLE_SECONDS) and not self.heap:
                        self.running = False
                        return None
                    continue
                seconds = self.heap[0].when - time.monotonic()
                if seconds <= 0:
                    return heapq.heappop(self.heap)
                self.changed.wait(min(seconds, threading.TIMEOUT_MAX))


_watchdog = _Watchdog()


def watch(when: float, check: Callable[[], float | None]) -> Callable[[], None]:
    """Have `check` called at `when`, a value of `time.monotonic()`, by the one watchdog thread.

    `check` must be quick. It returns the next time to be called, or `None` when there is nothing left to watch.
    What it raises goes to the `agentkit` logger and ends the watch.

    Returns:
        A function that cancels the watch. A check that is just being made goes on to its end.
    """
    return _watchdog.add(when, check)


# --- The stop signal ------------------------------------------------------------------------------------------------


class Stop:
    """A signal that is set once, from any thread, and stays set."""

    __slots__ = ("__weakref__", "_callbacks", "_event", "_lock", "_set")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._set = False
        self._callbacks: dict[object, Callable[[], object]] | None = None
        self._event: threading.Event | None = None

    def __repr__(self) -> str:
        return f"<Stop {'set' if self._set else 'not set'}>"

    @property
    def is_set(self) -> bool:
        """Whether `set` was called."""
        return self._set

    def set(self) -> None:
        """Set the signal and call all that listen, in this thread; does nothing when it is set already."""
        with self._lock:
            if self._set:
                return
            self._set = True
            callbacks, self._callbacks = self._callbacks, None
            if self._event is not None:
                self._event.set()
        for callback in list((callbacks or {}).values()):
            _call(callback)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the signal is set, at most `seconds` (`None`: for ever). Returns whether it is set."""
        if self._set:
            return True
        with self._lock:
            if self._event is None:
                self._event = threading.Event()
                if self._set:
                    self._event.set()
        return self._event.wait(seconds)

    def on_set(self, callback: Callable[[], object]) -> Callable[[], None]:
        """Have `callback` called once when the signal is set: in the thread that sets it, or at once if it is set.

        What the callback raises goes to the `agentkit` logger and keeps nobody else from being called.

        Returns:
            A function that takes the callback out again. A call that has begun goes on to its end.
        """
        token = object()
        with self._lock:
            now = self._set
            if not now:
                if self._callbacks is None:
                    self._callbacks = {}
                self._callbacks[token] = callback
        if now:
            _call(callback)
            return _nothing

        def forget() -> None:
            with self._lock:
                if self._callbacks is not None:
                    self._callbacks.pop(token, None)

        return forget


def _nothing() -> None:
    pass


def _call(callback: Callable[[], object]) -> None:
    try:
        callback()
    except Exception:
        _report("a callback of a stop signal raised")


# --- Endings --------------------------------------------------------------------------------------------------------


def close() -> None:
    """End the shared loop with all that lives on it, and the idle threads. Later use starts everything anew.

    Tasks on the shared loop are cancelled and get `CLOSE_SECONDS` to end. Jobs that are running go on.
    """
    _close_loops()
    with _watchdog.changed:
        _watchdog.changed.notify()
    while True:
        try:
            worker = _idle.pop()
        except IndexError:
            return
        worker.wake.release()  # without a job, it ends


def _forked() -> None:
    """In a forked child no thread but the forking one lives, and locks may be held for ever: begin anew."""
    global _idle, _lock, _loops, _watchdog
    _graveyard.append(_loops)  # their sockets and selectors are the parent's: not even to be collected here
    _idle, _loops, _lock, _watchdog = [], [], threading.Lock(), _Watchdog()


_graveyard: list[object] = []

if sys.platform != "win32":
    os.register_at_fork(after_in_child=_forked)
