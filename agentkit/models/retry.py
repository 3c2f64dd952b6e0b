"""Whether and when a failed request is sent again: attempt and error to seconds, and the clock that counts them."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable

from agentkit.errors import ConnectionLost, ModelError, TimedOut, Unavailable
from agentkit.frozen import frozen


async def _asleep(seconds: float) -> None:
    import asyncio

    await asyncio.sleep(seconds)


@frozen
class Clock:
    """Where time comes from; tests hand in their own.

    Attributes:
        now: Seconds since some fixed moment.
        sleep: Waits that many seconds in a thread.
        asleep: Waits that many seconds on an event loop.
        date: Seconds since 1970, for prices, which change with the hour, and for waits that end at a date.
        chance: A number from 0 to 1, for jitter.
    """

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    asleep: Callable[[float], Awaitable[object]] = _asleep
    date: Callable[[], float] = time.time
    chance: Callable[[], float] = random.random


@frozen
class Retries:
    """How patient a model is with an endpoint that is busy.

    Attributes:
        attempts: How many requests are sent for one answer at the most.
        first: Seconds before the second attempt; each further one waits twice as long.
        longest: The most seconds to wait before an attempt. An endpoint that asks for a longer wait is not asked
            again: the error says how long it wants to be left alone.
    """

    attempts: int = 4
    first: float = 0.5
    longest: float = 30.0

    def delay(self, error: ModelError, attempt: int, chance: float) -> float | None:
        """Seconds to wait after attempt number `attempt` (from 1) failed with `error`; `None`: do not try again.

        `chance`, 0 to 1, spreads the waits of many clients over the upper half of the interval.
        """
        if not isinstance(error, Unavailable) or attempt >= self.attempts:
            return None
        backoff = min(self.longest, self.first * 2 ** (attempt - 1)) * (0.5 + 0.5 * chance)
        if error.retry_after is None:
            return backoff
        return max(error.retry_after, backoff) if error.retry_after <= self.longest else None


REST = 30.0
"""Seconds for which who is out is asked after the others, where no longer wait was asked for."""


class Resting:
    """Which of several that stand in for each other are out for now; these are asked last. For any number of threads.

    Without it, every request would first wait for what is known to be out, with all of its retries.

    Args:
        count: How many there are.
        clock: Seconds since some fixed moment.
    """

    __slots__ = ("_clock", "_count", "_until")

    def __init__(self, count: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._count = count
        self._clock = clock
        self._until: dict[int, float] = {}

    def order(self) -> tuple[int, ...]:
        """Their positions, those that are out behind the others."""
        if not self._until:
            return tuple(range(self._count))
        now = self._clock()
        return tuple(sorted(range(self._count), key=lambda one: self._until.get(one, now) > now))

    def out(self, position: int, seconds: float | None = None) -> None:
        """One failed; let it rest for so many seconds, and not less than `REST`."""
        self._until[position] = self._clock() + max(REST, seconds or 0.0)

    def back(self, position: int) -> None:
        """One answered."""
        self._until.pop(position, None)


def elsewhere(error: ModelError) -> bool:
    """Whether another address of the same endpoint may do better: this one cannot be reached, or its server fails."""
    return isinstance(error, ConnectionLost | TimedOut) or (
        isinstance(error, Unavailable) and (error.status or 0) >= 500
    )
