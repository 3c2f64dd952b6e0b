"""How many requests an endpoint is sent at once: as many as there are, until it says that they are too many.

No endpoint of the catalog tells its limit beforehand, and DeepSeek's moves with the account's balance: the number
stands only in the text of a refusal (WIRE section 8, 429). So a limiter begins open and learns:

- a refusal for too many at once (HTTP 429, LKEAP code 20034) or for overload (HTTP 503) halves the limit, once for all
  the requests that were under way together;
- a 429 also shows how many the endpoint did serve: those still under way. The limit does not rise above that number for
  a minute, since the windows that endpoints count in are minutes; a number that the text names counts in its place;
- an answer raises the limit again, by a whole place below half of where the trouble began, and above that by one for
  each round of answers. Only a limit that somebody met is raised.

What thinks is `Limit`, which is pure; `Limiter` lets requests wait for their turn, in threads and on event loops alike,
in the order in which they came.
"""

from __future__ import annotations

import math
import os
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from types import TracebackType
from weakref import WeakValueDictionary

from agentkit.errors import Cancelled, RateLimited, TimedOut, Unavailable
from agentkit.threads import Stop

HOLD = 60.0
"""Seconds for which a limit stays below what an endpoint refused."""

SHOWN = 5.0
"""Seconds between two tellings of how long a request has waited."""

_NAMED = re.compile(r"concurrency limit\s*(?:of|is|:)\s*(\d{1,6})\b", re.IGNORECASE)
_OVERLOADED = 503


def named(text: str) -> int | None:
    """The number in a refusal that speaks of a "concurrency limit of N"; `None` where there is none."""
    found = _NAMED.search(text)
    return max(1, int(found[1])) if found else None


class Limit:
    """What is known of how many requests an endpoint takes at once. Pure.

    Attributes:
        places: How many may be under way; infinite as long as nothing was refused. A fraction is a place to come.
        running: How many are.
        burst: Rises with each halving. A refusal of a request that began before says nothing new but who was served.
    """

    __slots__ = ("_above", "_ceiling", "_half", "_served", "burst", "places", "running")

    def __init__(self) -> None:
        self.places = math.inf
        self.running = 0
        self.burst = 0
        self._half = math.inf  # below it, each answer adds a whole place
        self._ceiling = math.inf
        self._above = 0.0  # from when on the ceiling no longer holds
        self._served = 0  # of those under way when the latest burst was refused, how many were not

    @property
    def free(self) -> bool:
        """Whether one more may begin."""
        return self.running + 1 <= self.places

    def begun(self) -> int:
        """One more is under way; gives the burst that it belongs to."""
        self.running += 1
        return self.burst

    def left(self) -> None:
        """One of them ended in a way that says nothing about the limit."""
        self.running -= 1

    def answered(self, now: float) -> None:
        """One of them was answered; `now` is a value of a clock in seconds."""
        met = self.running + 1 > self.places
        self.running -= 1
        if not met:
            return
        if now >= self._above:
            self._ceiling = math.inf
        step = 1.0 if self.places < self._half else 1.0 / self.places
        self.places = max(self.places, min(self.places + step, self._ceiling))

    def refused(self, burst: int, number: int | None, *, overloaded: bool, now: float) -> None:
        """One of them was refused.

        Args:
            burst: What `begun` gave for it.
            number: The limit that the endpoint named, or `None`.
            overloaded: Whether the endpoint speaks of its load, and not of how many requests the caller has.
            now: A value of a clock, in seconds.
        """
        self.running -= 1
        if burst == self.burst:
            self.burst += 1
            self._served = self.running
            self._half = max(1.0, min(self.places, self.running + 1.0) / 2)
            self.places = float(math.floor(self._half))
            self._ceiling = math.inf
        else:
            self._served -= 1
        if overloaded:
            return
        self._above = now + HOLD
        if number is not None:
            self.places = self._ceiling = float(number)
        else:
            self._ceiling = min(self._ceiling, float(max(1, self._served)))
            self.places = min(self.places, self._ceiling)


class _Waiter:
    """Somebody who waits for a place. `wake` is called once, when it was given one."""

    __slots__ = ("burst", "wake")

    def __init__(self, wake: Callable[[], object]) -> None:
        self.wake = wake
        self.burst: int | None = None


class Limiter:
    """Places at one endpoint, for threads and event loops together.

    Args:
        clock: Seconds since some fixed moment.
    """

    __slots__ = ("__weakref__", "_clock", "_limit", "_lock", "_waiters")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.forget()

    def forget(self) -> None:
        """Begin anew, with nothing known and nothing under way; for a forked child, whose threads are gone."""
        self._lock = threading.Lock()
        self._limit = Limit()
        self._waiters: deque[_Waiter] = deque()

    def __repr__(self) -> str:
        limit = self._limit
        return f"<Limiter {limit.running} of {limit.places:g} under way, {len(self._waiters)} waiting>"

    def place(
        self,
        *,
        stop: Stop | None = None,
        until: float | None = None,
        tell: Callable[[float], object] | None = None,
    ) -> AbstractContextManager[None]:
        """A place for one request, in the calling thread; leaving it with an error tells how the request ended.

        Args:
            stop: Ends the waiting from another thread.
            until: The `time.monotonic` value at which there is no more time to wait; `None` for no limit.
            tell: Called with the seconds waited so far, at once where there is a wait, and every few seconds.

        Raises:
            Cancelled: `stop` was set while it waited.
            TimedOut: There was no place until `until`.
        """
        return _Place(self, stop, until, tell)

    def aplace(
        self, *, until: float | None = None, tell: Callable[[float], object] | None = None
    ) -> AbstractAsyncContextManager[None]:
        """A place for one request, on the running event loop; see `place`. Waiting may be cancelled."""
        return _Place(self, None, until, tell)

    # What waits. Whoever got a place gives it back with `leave`.

    def wait_for_place(self, stop: Stop | None, until: float | None, tell: Callable[[float], object] | None) -> int:
        """Wait in the calling thread for a place, as `place` says; gives the burst that the request belongs to."""
        woken = threading.Event()
        waiter = self._queue(woken.set)
        forget = stop.on_set(woken.set) if stop is not None else None
        began = time.monotonic()
        try:
            while waiter.burst is None:
                if stop is not None and stop.is_set:
                    raise Cancelled("the run was stopped from outside")
                woken.wait(self._tell(began, until, tell))
        except BaseException:
            self._give_up(waiter)
            raise
        finally:
            if forget is not None:
                forget()
        return waiter.burst

    async def await_place(self, until: float | None, tell: Callable[[float], object] | None) -> int:
        """The same on the running event loop."""
        import asyncio

        loop = asyncio.get_running_loop()
        woken = asyncio.Event()
        waiter = self._queue(lambda: loop.call_soon_threadsafe(woken.set))
        began = time.monotonic()
        try:
            while waiter.burst is None:
                try:
                    async with asyncio.timeout(self._tell(began, until, tell)):
                        await woken.wait()
                except TimeoutError:  # time to tell again
                    pass
        except BaseException:
            self._give_up(waiter)
            raise
        return waiter.burst

    # What thinks; each under the lock.

    @staticmethod
    def _tell(began: float, until: float | None, tell: Callable[[float], object] | None) -> float | None:
        """Tell of the wait; gives how long to wait until the next telling."""
        now = time.monotonic()
        if until is not None and now >= until:
            raise TimedOut(
                f"after {now - began:.1f} s the request had no place among those that the endpoint takes at once;"
                " ask for less at a time, or allow more time",
                code="no-place",
            )
        if tell is not None:
            tell(now - began)
        seconds = None if tell is None else SHOWN
        if until is None:
            return seconds
        return until - now if seconds is None else min(seconds, until - now)

    def enter(self) -> int | None:
        """Take a place at once and give its burst; `None` where one must wait."""
        with self._lock:
            return self._limit.begun() if not self._waiters and self._limit.free else None

    def _queue(self, wake: Callable[[], object]) -> _Waiter:
        waiter = _Waiter(wake)
        with self._lock:
            self._waiters.append(waiter)
            self._next()  # one may have become free meanwhile
        return waiter

    def _give_up(self, waiter: _Waiter) -> None:
        with self._lock:
            if waiter.burst is not None:
                self._limit.left()
            elif waiter in self._waiters:
                self._waiters.remove(waiter)
            self._next()

    def leave(self, burst: int, error: BaseException | None) -> None:
        """Give a place back, and let go those who may begin now.

        Args:
            burst: What the request belonged to.
            error: How it ended; `None` where it was answered.
        """
        with self._lock:
            limit, now = self._limit, self._clock()
            if error is None:
                limit.answered(now)
            elif isinstance(error, RateLimited):
                limit.refused(burst, named(str(error)), overloaded=False, now=now)
            elif isinstance(error, Unavailable) and error.status == _OVERLOADED:
                limit.refused(burst, None, overloaded=True, now=now)
            else:
                limit.left()
            self._next()

    def _next(self) -> None:
        """Give free places to those who have waited longest. Waking takes no time and no other lock of ours."""
        while self._waiters and self._limit.free:
            waiter = self._waiters.popleft()
            waiter.burst = self._limit.begun()
            try:
                waiter.wake()
            except RuntimeError:  # its event loop is closed: nobody waits there any more
                waiter.burst = None
                self._limit.left()


class _Place:
    """A place for one request, to be entered in a thread or on an event loop.

    A class, since with a generator of `contextlib` it takes twice the time.
    """

    __slots__ = ("_burst", "_limiter", "_stop", "_tell", "_until")

    def __init__(
        self, limiter: Limiter, stop: Stop | None, until: float | None, tell: Callable[[float], object] | None
    ) -> None:
        self._limiter = limiter
        self._stop = stop
        self._until = until
        self._tell = tell
        self._burst = 0

    def __enter__(self) -> None:
        burst = self._limiter.enter()
        self._burst = self._limiter.wait_for_place(self._stop, self._until, self._tell) if burst is None else burst

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._limiter.leave(self._burst, error)

    async def __aenter__(self) -> None:
        burst = self._limiter.enter()
        self._burst = await self._limiter.await_place(self._until, self._tell) if burst is None else burst

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._limiter.leave(self._burst, error)


_limiters: WeakValueDictionary[tuple[str, int], Limiter] = WeakValueDictionary()
_making = threading.Lock()


def limiter_of(base_url: str, key: str | None, of: object = None) -> Limiter:
    """The limiter of an endpoint, which all models share that ask it with the same key.

    Args:
        base_url: The endpoint's address.
        key: The API key; it is not kept.
        of: What makes the endpoint another one besides: the client that the caller brought, for instance.
    """
    name = (base_url.rstrip("/").lower(), hash((key, None if of is None else id(of))))
    with _making:
        found = _limiters.get(name)
        if found is None:
            found = _limiters[name] = Limiter()
        return found


def _forked() -> None:
    """In a forked child nothing is under way, and locks may be held for ever."""
    global _making
    _making = threading.Lock()
    for limiter in list(_limiters.values()):
        limiter.forget()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_forked)
