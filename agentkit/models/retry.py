"""Whether and when a failed request is sent again: attempt and error to seconds, and the clock that counts them."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from agentkit.errors import ConnectionLost, ModelError, TimedOut, Unavailable


@dataclass(frozen=True, slots=True)
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
    asleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    date: Callable[[], float] = time.time
    chance: Callable[[], float] = random.random


@dataclass(frozen=True, slots=True)
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


def elsewhere(error: ModelError) -> bool:
    """Whether another address of the same endpoint may do better: this one cannot be reached, or its server fails."""
    return isinstance(error, ConnectionLost | TimedOut) or (
        isinstance(error, Unavailable) and (error.status or 0) >= 500
    )
