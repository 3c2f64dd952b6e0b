"""What is sent, what comes back, and how long it may take: the seam that all transports share."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import field
from math import inf
from typing import Protocol

from agentkit.frozen import frozen
from agentkit.threads import Stop


@frozen
class Patience:
    """How long a request may take, in seconds; `None` is no limit.

    Attributes:
        connect: For a connection to stand, TLS included.
        first_byte: From the start to the first real content; keep-alives do not count.
        idle: After that, between any two reads, keep-alives included.
        total: For the whole request.
    """

    connect: float | None = 10.0
    first_byte: float | None = 600.0
    idle: float | None = 120.0
    total: float | None = None

    def connecting(self) -> tuple[float | None, str]:
        """How long to wait for a connection, and the limit that says so: the request may be given less than it."""
        limits = (("connect", self.connect), ("first_byte", self.first_byte), ("total", self.total))
        seconds, name = min((inf if seconds is None else seconds, name) for name, seconds in limits)
        return (None if seconds == inf else seconds), name


class Watch:
    """Which limit of one request passes when. Pure: it neither waits nor ends anything.

    Attributes:
        waiting: Whether somebody waits for bytes; while the reader is busy elsewhere, silence is not the server's.
    """

    __slots__ = ("_began", "_clock", "_last", "_patience", "_progressed", "waiting")

    def __init__(self, patience: Patience, clock: Callable[[], float] = time.monotonic) -> None:
        self._patience = patience
        self._clock = clock
        self._began = self._last = clock()
        self._progressed = False
        self.waiting = True

    def alive(self) -> None:
        """Silence counts from now: bytes came, or the reader begins to wait for them only now."""
        self._last = self._clock()

    def progress(self) -> None:
        """Real content came: from now on silence is what counts, and no longer the time since the start."""
        if not self._progressed:
            self._progressed = True
            self._last = self._clock()

    def due(self, now: float) -> tuple[float, str | None]:
        """The limit that has passed at `now`, a value of the clock: since when, and its name in `Patience`.

        Where none has, when to look again, and `None`. That is never later than `idle` seconds from now, so that
        bytes which come need not move any timer, and infinity where there is no limit.
        """
        patience = self._patience
        when: float = inf
        name = None
        if patience.total is not None:
            when, name = self._began + patience.total, "total"
        if not self._progressed:
            if patience.first_byte is not None and self._began + patience.first_byte < when:
                when, name = self._began + patience.first_byte, "first_byte"
        elif patience.idle is not None:
            silent_since = self._last if self.waiting else now
            if silent_since + patience.idle < when:
                when, name = silent_since + patience.idle, "idle"
        if when <= now:
            return when, name
        return (when if patience.idle is None else min(when, now + patience.idle)), None


@frozen
class Post:
    """A request to send.

    Attributes:
        url: The whole address, `http` or `https`.
        headers: Sent as they are; `Host`, `Content-Length` and `Accept-Encoding` are added.
        body: The bytes to send, `None` for none.
        patience: How long it may take.
        stop: Ends the request from another thread when it is set.
        method: The HTTP method.
    """

    url: str
    headers: Mapping[str, str] = field(repr=False)  # they hold the key
    body: bytes | None = field(default=None, repr=False)
    patience: Patience = field(default_factory=Patience)
    stop: Stop | None = None
    method: str = "POST"


class Head(Protocol):
    """The beginning of a reply."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, keys in lower case."""
        ...

    @property
    def watch(self) -> Watch:
        """Keeps the limits; the reader calls its `progress` once real content came."""
        ...


class Reply(Head, Protocol):
    """What came back, in the calling thread; iterating it gives the bytes as they come, decompressed.

    Iterating raises `ConnectionLost`, `TimedOut`, `Unreadable` (the bytes cannot be decompressed) or `Cancelled`.
    """

    def __iter__(self) -> Iterator[bytes]: ...


class AsyncReply(Head, Protocol):
    """What came back, on an event loop; iterating it gives what a `Reply` gives and raises what that raises.

    As with `asyncio.timeout`, a limit that passes is a `CancelledError` up to the end of the `async with`, and a
    `TimedOut` (or `Cancelled`) outside of it.
    """

    def __aiter__(self) -> AsyncIterator[bytes]: ...


class Transport(Protocol):
    """Sends requests. Entering what `send` gives sends the request and waits for the headers of the reply.

    Leaving it closes the connection, unless the reply was read to its end: then it is kept for the next request.

    Entering raises `ConfigurationError` (the URL, a header or the client cannot be used), `ConnectionLost`,
    `TimedOut`, or `Cancelled` where `post.stop` is set.
    """

    def send(self, post: Post) -> AbstractContextManager[Reply]:
        """Send in the calling thread."""
        ...

    def asend(self, post: Post) -> AbstractAsyncContextManager[AsyncReply]:
        """Send on the running event loop."""
        ...

    def close(self) -> None:
        """Close the idle connections; later requests open new ones."""
        ...

    async def aclose(self) -> None:
        """The same, on an event loop."""
        ...
