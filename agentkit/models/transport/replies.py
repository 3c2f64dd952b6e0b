"""A request on its way, and its reply: what all transports do alike."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from agentkit.errors import ConfigurationError
from agentkit.models.transport.faults import ended, explained, names_of
from agentkit.models.transport.guards import AsyncGuard, SyncGuard
from agentkit.models.transport.keeping import AsyncHome, Line, aclose_lines, close_lines
from agentkit.models.transport.reads import Reads
from agentkit.models.transport.seam import Post, Watch
from agentkit.models.transport.target import Target

if TYPE_CHECKING:
    import asyncio

Trace = Callable[[str, dict[str, Any]], None]
AsyncTrace = Callable[[str, dict[str, Any]], Coroutine[Any, Any, None]]


class SyncSide(Protocol):
    """How a transport sends in threads."""

    def line(self, target: Target, /) -> Line:
        """A line to send on."""
        ...

    def request(self, post: Post, target: Target, trace: Trace | None) -> Any:
        """The request as the library wants it; `trace` is to hear of connections."""
        ...


class AsyncSide(Protocol):
    """How a transport that speaks by httpx sends on an event loop."""

    async def aline(self, target: Target, loop: asyncio.AbstractEventLoop, /) -> Line:
        """A line to send on."""
        ...

    def arequest(self, post: Post, target: Target, trace: AsyncTrace | None) -> Any:
        """The request as the library wants it; `trace` is to hear of connections."""
        ...


class _Reply:
    """What sync and async replies have in common."""

    status: int
    headers: Mapping[str, str]

    def __init__(self, post: Post, target: Target) -> None:
        self._post = post
        self._target = target
        self._finished = False
        self.watch = Watch(post.patience)

    def _begin(self) -> None:
        stop = self._post.stop
        if stop is not None and stop.is_set:
            raise ended("stop", self._post.patience, self._target.where)
        seconds, limit = self._post.patience.connecting()
        if seconds is not None and seconds <= 0:  # to the libraries that is no time limit, or not to wait at all
            raise ended(limit, self._post.patience, self._target.where)

    def _raise(self, error: BaseException, reason: str | None) -> None:
        """Raise what `error` means, given the reason for which we ended the request; return if we cannot say."""
        if not isinstance(error, Exception):
            return
        post, where = self._post, self._target.where
        if reason is None:
            if post.stop is not None and post.stop.is_set:
                reason = "stop"
            elif "ReadTimeout" in names_of(error):
                reason = self.watch.due(time.monotonic())[1]
        meant = explained(error, where, post.patience) if reason is None else ended(reason, post.patience, where)
        if meant is None:
            return
        if error.__traceback__ is not None:  # aiohttp keeps its error, which must not lead to the request
            error.__traceback__ = error.__traceback__.tb_next
        try:
            raise meant from (None if isinstance(meant, ConfigurationError) else error)
        finally:
            del meant  # an error in a local of its own traceback keeps all that ran alive until the next collection


def _compressed(headers: Mapping[str, str]) -> bool:
    return headers.get("content-encoding", "identity").lower() not in ("identity", "")


class SyncReply(_Reply):
    """A request to httpx, or to a client with its face, in the calling thread."""

    def __init__(self, post: Post, target: Target, side: SyncSide) -> None:
        super().__init__(post, target)
        self._side = side

    def __enter__(self) -> SyncReply:
        self._begin()
        self._line = line = self._side.line(self._target)
        self._guard = guard = SyncGuard(line, self._post, self.watch)
        try:
            self._response = response = line.send(self._side.request(self._post, self._target, guard.trace))
        except BaseException as error:
            guard.end()
            close_lines([line])
            self._raise(error, guard.reason)
            raise
        if line.home is None:
            # on a connection that was open before, a client that was brought shows its socket only now
            stream = response.extensions.get("network_stream")
            if stream is not None and response.extensions.get("http_version") != b"HTTP/2":
                guard.found(stream)
        self.status = response.status_code
        self.headers = response.headers
        self._chunks: Iterator[bytes] = (
            response.iter_bytes() if _compressed(response.headers) else iter(response.stream)
        )
        return self

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        self.watch.alive()
        self.watch.waiting = True
        try:
            return next(self._chunks)
        except StopIteration as end:
            if self._guard.reason is not None:  # a body that ends with its connection ends like that when it is cut
                self._raise(end, self._guard.reason)
            self._finished = True
            raise
        except Exception as error:
            self._raise(error, self._guard.reason)
            raise
        finally:
            self.watch.waiting = False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._guard.end()
        with suppress(Exception):  # what closing raises helps nobody
            self._response.close()
        line = self._line
        if line.home is not None:
            keep = self._finished and self._guard.reason is None
            close_lines(line.home.give(line) if keep else [line])


class AsyncReply(_Reply):
    """A request on an event loop; the libraries differ in how it is opened and closed."""

    _read: Callable[[], Awaitable[bytes]]
    """Waits for the next bytes; there are none at the end."""

    async def _open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Send, wait for the headers, and set `status`, `headers` and `_read`."""
        raise NotImplementedError

    async def _close(self) -> None:
        """Close the connection, or keep it for the next request where the reply is finished."""
        raise NotImplementedError

    async def __aenter__(self) -> AsyncReply:
        import asyncio

        self._begin()
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        assert task is not None
        self._guard = guard = AsyncGuard(self._post, self.watch, loop, task)
        try:
            await self._open(loop)
        except BaseException as error:
            guard.end()
            reason = await guard.settle(error)
            if reason is not None and isinstance(error, asyncio.CancelledError):
                raise ended(reason, self._post.patience, self._target.where) from error
            self._raise(error, reason)
            raise
        return self

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        self.watch.alive()
        self.watch.waiting = True
        try:
            chunk = await self._read()
        except Exception as error:
            self._raise(error, self._guard.reason)
            raise
        finally:
            self.watch.waiting = False
        if not chunk:
            self._finished = True
            raise StopAsyncIteration
        return chunk

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import asyncio

        guard = self._guard
        guard.end()
        last = error
        try:
            await self._close()
        except asyncio.CancelledError as cancelled:
            if guard.reason is None:
                raise
            last = cancelled
        except Exception:  # noqa: S110 - what closing raises helps nobody
            pass
        reason = await guard.settle(last)
        if reason is not None and isinstance(error, asyncio.CancelledError):
            raise ended(reason, self._post.patience, self._target.where) from error


class HttpxAsyncReply(AsyncReply):
    """A request to httpx, or to a client with its face, on an event loop."""

    def __init__(self, post: Post, target: Target, side: AsyncSide) -> None:
        super().__init__(post, target)
        self._side = side

    async def _open(self, loop: asyncio.AbstractEventLoop) -> None:
        import asyncio

        post, target = self._post, self._target
        self._line = line = await self._side.aline(target, loop)
        connecting = _Connecting(line) if line.fresh or target.tls else None
        try:
            response = await line.send(self._side.arequest(post, target, connecting and connecting.trace))
        except (Exception, asyncio.CancelledError):
            # httpcore leaves a connection open when it is cancelled in one of two moments: just before it sends,
            # where its pool still has it, and in the handshake, where nobody has it
            await aclose_lines([line])
            if connecting is not None:
                await connecting.aclose()
            raise
        finally:
            if connecting is not None:
                connecting.done()
        self._response: Any = response
        self.status = response.status_code
        self.headers = response.headers
        pieces = response.aiter_bytes() if _compressed(response.headers) else aiter(response.stream)
        self._reads = reads = Reads(pieces)
        self._read = reads.read

    async def _close(self) -> None:
        # each step whatever becomes of the one before: httpcore closes a connection on which a read fails, but not to
        # the end where it is cancelled again meanwhile, as by two limits that pass at the same time
        line, free = self._line, False
        try:
            await self._reads.aclose()
        finally:
            try:
                await self._response.aclose()
                free = self._finished  # not where that was cancelled: the next request would wait for ever for its turn
            finally:
                if line.home is not None:
                    await aclose_lines(line.home.give(line) if free else [line])
                elif not free:
                    await self._aclose_stream()

    async def _aclose_stream(self) -> None:
        """Close what the reply of a client that was brought came by, unless others come by it too."""
        extensions = self._response.extensions
        stream = extensions.get("network_stream")
        if stream is not None and extensions.get("http_version") != b"HTTP/2":
            await stream.aclose()


class _Connecting:
    """Follows a connection that is made for a request."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._stream: Any = None

    async def trace(self, name: str, info: dict[str, Any]) -> None:
        """httpcore's extension `trace`."""
        if name == "connection.connect_tcp.complete":
            self._stream = info["return_value"]
        elif name == "connection.start_tls.complete":
            self._stream = None
        elif name == "http11.send_request_headers.started":
            self.done()

    def done(self) -> None:
        """The connection stands, or failed."""
        home = self._line.home
        if self._line.fresh and isinstance(home, AsyncHome):
            home.connected()
        self._line.fresh = False

    async def aclose(self) -> None:
        """Close the connection that is between TCP and TLS, if there is one."""
        if self._stream is not None:
            with suppress(Exception):
                await self._stream.aclose()
