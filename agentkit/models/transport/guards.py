"""Who ends a request when its time is over or when it is stopped: one guard for threads, one for event loops.

A keep-alive comment every few seconds satisfies any read timeout for ever, so the libraries' own timeouts are used for
connecting only. A `Watch` says which limit passes when; a guard looks at it seldom, and does nothing per chunk.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING, Any

from agentkit import threads
from agentkit.models.transport.keeping import Line
from agentkit.models.transport.seam import Post, Watch

if TYPE_CHECKING:
    import asyncio


class SyncGuard:
    """Ends a request in another thread by shutting its socket down.

    Shutting down, and not closing, wakes the thread that waits on the socket; the thread then closes it itself.
    Before there is a socket, while a name is looked up and a connection made, nothing can be ended: a stop takes effect
    when that is done, or has taken longer than the limit `connect`.

    Attributes:
        reason: The limit that passed, or `"stop"`; `None` while all is well.
    """

    __slots__ = ("_forget", "_line", "_lock", "_open", "_unwatch", "_watch", "reason")

    def __init__(self, line: Line, post: Post, watch: Watch) -> None:
        self._line = line
        self._lock = threading.Lock()
        self._open = True
        self._watch = watch
        self.reason: str | None = None
        self._forget = None if post.stop is None else post.stop.on_set(self._stop)
        when, _ = watch.due(time.monotonic())
        self._unwatch = None if when == inf else threads.watch(when, self._check)

    def end(self) -> None:
        """The request is over; its socket may belong to another from now on."""
        with self._lock:
            self._open = False
        if self._unwatch is not None:
            self._unwatch()
        if self._forget is not None:
            self._forget()

    def trace(self, name: str, info: dict[str, Any]) -> None:
        """httpcore's extension `trace`: learn the socket as soon as it is connected, be it to a proxy."""
        if name.endswith(("connect_tcp.complete", "start_tls.complete")):
            self.found(info["return_value"])

    def found(self, stream: Any) -> None:
        """Remember the socket of a network stream of httpcore; that of HTTP/2 serves others too and is left alone."""
        tls = stream.get_extra_info("ssl_object")
        shared = tls is not None and tls.selected_alpn_protocol() == "h2"
        with self._lock:
            self._line.socket = None if shared else stream.get_extra_info("socket")
            if self.reason is not None:
                _shut_down(self._line.socket)

    def _check(self) -> float | None:
        with self._lock:
            if not self._open:
                return None
            when, reason = self._watch.due(time.monotonic())
            if reason is None:
                return when
            self._cut(reason)
            return None

    def _stop(self) -> None:
        with self._lock:
            if self._open:
                self._cut("stop")

    def _cut(self, reason: str) -> None:
        self.reason = self.reason or reason
        _shut_down(self._line.socket)


def _shut_down(sock: Any) -> None:
    import socket

    if isinstance(sock, socket.socket):
        # by the base class: the method of an SSLSocket would take the TLS layer away under its reader
        with suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)


class AsyncGuard:
    """Ends a request on an event loop by cancelling its task, as `asyncio.timeout` does.

    Attributes:
        reason: The limit that passed, or `"stop"`; `None` while all is well.
    """

    __slots__ = ("_before", "_forget", "_loop", "_open", "_task", "_timer", "_watch", "reason")

    def __init__(self, post: Post, watch: Watch, loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any]) -> None:
        self._loop = loop
        self._task = task
        self._before = task.cancelling()
        self._open = True
        self._watch = watch
        self._timer: asyncio.TimerHandle | None = None
        self.reason: str | None = None
        self._forget = None if post.stop is None else post.stop.on_set(self._stop)
        self._look()

    def end(self) -> None:
        """The request is over: cancel nothing any more."""
        self._open = False
        if self._timer is not None:
            self._timer.cancel()
        if self._forget is not None:
            self._forget()

    async def settle(self, error: BaseException | None) -> str | None:
        """After the end, with what the request raised: take our own cancellation back, and give its reason.

        Raises:
            CancelledError: Somebody else cancelled the task, too.
        """
        import asyncio

        if self.reason is None:
            return None
        if not isinstance(error, asyncio.CancelledError):
            # the request ended in the very moment in which it was cancelled: that is still to arrive
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0)
        if self._task.uncancel() > self._before:
            raise asyncio.CancelledError
        return self.reason

    def _look(self) -> None:
        now = time.monotonic()
        when, reason = self._watch.due(now)
        if reason is not None:
            self._fire(reason)
        elif when < inf:
            self._timer = self._loop.call_later(when - now, self._look)

    def _stop(self) -> None:
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._fire, "stop")

    def _fire(self, reason: str) -> None:
        if self._open and self.reason is None:
            self.reason = reason
            self._task.cancel()
