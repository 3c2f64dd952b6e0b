"""What is kept from request to request: idle lines, and what belongs to an event loop.

httpx's pool walks all of its connections at every request, and does not tell which socket a request is on. So each
connection gets a transport of httpx of its own, a `Line`, and idle lines wait here, the latest used on top.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")

KEEP_SECONDS = 30.0
"""How long an idle connection is kept, in seconds. Servers commonly close theirs after 60 or more."""

CONNECTING = 32
"""How many connections to one origin are made at the same time, per event loop."""

CLOSE_SECONDS = 2.0
"""How long closing waits for an event loop of another thread, in seconds."""


class Line:
    """A way to send a request: a transport of httpx with one connection, or a client that somebody brought.

    Attributes:
        send: Takes a request of the library and gives its response, or an awaitable of it.
        close: Closes it, or gives an awaitable that does; `None` where that is not our business.
        home: Where it waits when it is idle, if it is kept.
        since: Since when it is idle, in seconds of `time.monotonic`.
        socket: The socket of its connection, as far as it is known.
        fresh: Whether it was never connected before.
    """

    __slots__ = ("close", "fresh", "home", "send", "since", "socket")

    def __init__(
        self, send: Callable[[Any], Any], close: Callable[[], Any] | None = None, home: Home | None = None
    ) -> None:
        self.send = send
        self.close = close
        self.home = home
        self.since = 0.0
        self.socket: Any = None
        self.fresh = True


class Home:
    """Where idle lines to one origin wait. Threads may share it."""

    __slots__ = ("_lines", "_open")

    def __init__(self) -> None:
        self._lines: deque[Line] = deque()
        self._open = True

    def take(self) -> Line | None:
        """The line that was used last, if any is idle."""
        try:
            return self._lines.pop()
        except IndexError:
            return None

    def give(self, line: Line) -> list[Line]:
        """Put an idle line back. Returns lines to close: those that nobody needed for long, or this if too late."""
        if not self._open:
            return [line]
        now = line.since = time.monotonic()
        self._lines.append(line)
        old: list[Line] = []
        with suppress(IndexError):
            while self._lines[0].since < now - KEEP_SECONDS:
                old.append(self._lines.popleft())
        return old

    def close(self) -> list[Line]:
        """Take no line back from now on. Returns those that wait, to be closed."""
        self._open = False
        lines = list(self._lines)
        self._lines.clear()
        return lines


class AsyncHome(Home):
    """The same on an event loop, where moreover only so many connections are made at the same time.

    When hundreds of requests begin at once, they would all shake hands at once, each taking as long as all of them.
    So they wait for each other, and those that wait take what idle line comes first. Connections that stand are not
    counted: there may be any number of them.
    """

    __slots__ = ("_connecting", "_waiting")

    def __init__(self) -> None:
        super().__init__()
        self._connecting = 0
        self._waiting: deque[asyncio.Future[Line | None]] = deque()

    async def line(self, loop: asyncio.AbstractEventLoop) -> Line | None:
        """An idle line; or `None` for leave to make a connection, until `connected` is called."""
        line = self.take()
        if line is not None:
            return line
        if self._connecting < CONNECTING:
            self._connecting += 1
            return None
        turn: asyncio.Future[Line | None] = loop.create_future()
        self._waiting.append(turn)
        try:
            return await turn
        except BaseException:
            if turn.done() and not turn.cancelled():  # it was our turn, but we were cancelled meanwhile
                line = turn.result()
                if line is None:
                    self.connected()
                else:
                    await aclose_lines(self.give(line))
            raise

    def connected(self) -> None:
        """The connection stands, or could not be made: let the next begin."""
        if not self._next(None):
            self._connecting -= 1

    def give(self, line: Line) -> list[Line]:
        """Put an idle line back, into the hands of the next who waits. Returns lines to close."""
        return [] if self._open and self._next(line) else super().give(line)

    def _next(self, line: Line | None) -> bool:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(line)
                return True
        return False


def close_lines(lines: list[Line]) -> None:
    """Close sync lines. What closing raises helps nobody."""
    for line in lines:
        if line.close is not None:
            with suppress(Exception):
                line.close()


async def aclose_lines(lines: list[Line]) -> None:
    """Close async lines."""
    for line in lines:
        if line.close is not None:
            with suppress(Exception):
                await line.close()


class PerLoop(Generic[T]):
    """Something for each event loop, made on first use and closed with the loop.

    It is closed by an async generator that stays suspended for as long as the loop lives: that such generators are
    closed (`loop.shutdown_asyncgens()`, which `asyncio.run` calls) is the only news of its end that a loop gives.

    Args:
        make: Makes it, on the loop.
        close: Closes it, on the loop.
        drop: Lets go of it when its loop is closed already, so that nothing can be awaited any more.
    """

    def __init__(
        self, make: Callable[[], T], close: Callable[[T], Awaitable[None]], drop: Callable[[T], object]
    ) -> None:
        self._make = make
        self._close = close
        self._drop = drop
        self._kept: dict[asyncio.AbstractEventLoop, tuple[T, AsyncGenerator[None, None]]] = {}

    async def here(self, loop: asyncio.AbstractEventLoop) -> T:
        """What belongs to the running loop."""
        kept = self._kept.get(loop)
        if kept is None:
            self._drop_closed()
            made = self._make()
            generator = self._until_closed(loop, made)
            kept = self._kept[loop] = made, generator
            await anext(generator)
        return kept[0]

    async def _until_closed(self, loop: asyncio.AbstractEventLoop, made: T) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            self._kept.pop(loop, None)
            await self._close(made)

    def _drop_closed(self) -> None:
        """Let go of what belongs to loops that were closed without an end to their generators.

        Nothing can be closed properly on such a loop; the sockets go when the objects do. Python would warn of each,
        at a time and place where it helps nobody.
        """
        dead = [self._kept.pop(loop)[0] for loop in list(self._kept) if loop.is_closed()]
        if not dead:
            return
        import gc
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            while dead:
                self._drop(dead.pop())
            gc.collect()

    def close(self) -> None:
        """Close it on all loops that run, waiting for those of other threads."""
        import asyncio

        self._drop_closed()
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        for loop, (_, generator) in list(self._kept.items()):
            if loop.is_running():
                future = asyncio.run_coroutine_threadsafe(_end(generator), loop)
                if loop is not here:
                    with suppress(Exception):  # it takes too long, or the loop stops meanwhile
                        future.result(CLOSE_SECONDS)

    async def aclose(self) -> None:
        """Close it on this loop and on all others that run."""
        import asyncio

        self._drop_closed()
        here = asyncio.get_running_loop()
        for loop, (_, generator) in list(self._kept.items()):
            if loop is here:
                await _end(generator)
            elif loop.is_running():
                future = asyncio.run_coroutine_threadsafe(_end(generator), loop)
                with suppress(Exception):
                    await asyncio.wait_for(asyncio.wrap_future(future), CLOSE_SECONDS)

    def at_exit(self) -> None:
        """Close it on loops that were left open when the program ended."""
        if not self._kept:
            return
        self.close()
        for loop, (_, generator) in list(self._kept.items()):
            with suppress(RuntimeError):  # it runs, or was closed just now
                loop.run_until_complete(_end(generator))

    def forked(self) -> None:
        """Leave to the parent what is the parent's: the selectors are shared, and closing would unhook it there."""
        _parents.append(self._kept)
        self._kept = {}


async def _end(generator: AsyncGenerator[None, None]) -> None:
    with suppress(RuntimeError):  # somebody else is closing it
        await generator.aclose()


_parents: list[object] = []
