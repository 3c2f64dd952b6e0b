"""The seam to HTTP: send a request, get a status, headers and the bytes as they come.

There are three sides, and they behave alike in time limits, cancellation, reuse of connections and errors:

- `httpx` (the default), sync and async;
- `aiohttp`, when asked for: async only, its sync side is that of httpx;
- a client that the caller brings, with the face of httpx (`bring`).

What is particular to them:

*Limits.* A keep-alive comment every few seconds satisfies any read timeout for ever, so the libraries' own timeouts
are used for connecting only. One `Watch` per request says when which limit passes. On threads, the watchdog
asks it and shuts the socket down, which ends whatever read or write is under way; on an event loop, one timer asks it
and cancels the task, as `asyncio.timeout` does. Neither does anything per chunk.

*Connections.* httpx's pool walks all of its connections for every request, and does not tell which socket a request
is on. So each connection gets a transport of its own, and idle ones wait here, the latest used on top.
They are per process and, for async, per event loop, and are closed with the loop by way of a suspended async generator,
which `loop.shutdown_asyncgens()` (and so `asyncio.run`) closes.

*Stale connections.* An idle connection that the server closed is noticed before it is used. A server may also close
it just while the next request is under way. Neither httpx nor aiohttp sends a POST again then, since nobody can know
whether it arrived, and nor is it done here: it is a `ConnectionLost`, and the caller's retry sends again.

*Compression* is not asked for: a compressing proxy holds back small pieces of a stream, and inflating costs more
than it saves on replies of this size. A reply that comes compressed nevertheless is decoded.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, suppress
from dataclasses import dataclass, field
from functools import lru_cache, partial
from math import inf
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Protocol
from urllib.parse import urlsplit

from agentkit import errors
from agentkit.threads import Stop, watch

if TYPE_CHECKING:
    import asyncio
    import ssl

KEEP_SECONDS = 30.0
"""How long an idle connection is kept, in seconds. Servers commonly close theirs after 60 or more."""

CLOSE_SECONDS = 2.0
"""How long `close` waits for an event loop of another thread, in seconds."""


# --- What is sent and what comes back -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
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
        """Silence begins to count from now: bytes came, or the reader only now waits for them."""
        self._last = self._clock()

    def progress(self) -> None:
        """Real content came: from now on silence is what counts, and no longer the time since the start."""
        self._progressed = True

    def due(self, now: float) -> tuple[float, str | None]:
        """Which limit has passed at `now`, a value of the clock, and when; else when to look again, and `None`.

        The time to look again is never later than `idle` seconds from now, so that bytes need not move any timer.
        """
        patience = self._patience
        look, reason = inf, None
        if patience.total is not None:
            look, reason = self._began + patience.total, "total"
        if not self._progressed:
            if patience.first_byte is not None and self._began + patience.first_byte < look:
                look, reason = self._began + patience.first_byte, "first_byte"
        elif patience.idle is not None:
            silent_since = self._last if self.waiting else now
            if silent_since + patience.idle < look:
                look, reason = silent_since + patience.idle, "idle"
        if look <= now:
            return look, reason
        return (look if patience.idle is None else min(look, now + patience.idle)), None


@dataclass(frozen=True, slots=True)
class Post:
    """A request to send.

    Attributes:
        url: The whole address, `http` or `https`.
        headers: Sent as they are; `Host`, `Content-Length` and `Accept-Encoding` are added where they are missing.
        body: The bytes to send, `None` for none.
        patience: How long it may take.
        stop: Ends the request from another thread when it is set.
        method: The HTTP method.
    """

    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)
    patience: Patience = field(default_factory=Patience)
    stop: Stop | None = None
    method: str = "POST"


class Reply(Protocol):
    """What came back, in the calling thread; iterating it gives the bytes as they come.

    Iterating raises `ConnectionLost`, `TimedOut`, `Unreadable` (what came cannot be decompressed) or `Cancelled`.
    """

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

    def __iter__(self) -> Iterator[bytes]: ...


class AsyncReply(Protocol):
    """What came back, on an event loop; iterating it gives the bytes as they come, and raises what `Reply` does."""

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

    def __aiter__(self) -> AsyncIterator[bytes]: ...


class Transport(Protocol):
    """Sends requests. Entering what it gives sends the request and waits for the headers of the reply.

    Leaving it closes the connection, unless the reply was read to its end: then the connection is kept for the next.

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


# --- Where a request goes -------------------------------------------------------------------------------------------


class _Target:
    """What there is to know of a URL, found out once."""

    __slots__ = ("host", "netloc", "origin", "proxy", "ready", "tls", "url", "where")

    def __init__(self, url: str, proxy: str | None) -> None:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise errors.ConfigurationError(f"`base_url` cannot be read as a URL: {error}") from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise errors.ConfigurationError(
                f"`{parts.scheme}://{parts.hostname or ''}` is no address to send to: "
                "give a `base_url` that begins with `https://` or `http://` and names a host"
            )
        if parts.username is not None or parts.password is not None:
            raise errors.ConfigurationError(
                f"the URL of `{parts.hostname}` holds a user name or password, and they would not be sent: "
                "give an `api_key` or a header instead"
            )
        self.url: Any = url
        self.tls = parts.scheme == "https"
        self.host = parts.hostname
        bracketed = f"[{self.host}]" if ":" in self.host else self.host
        self.where = f"{bracketed}:{port or (443 if self.tls else 80)}"
        self.origin = f"{parts.scheme}://{self.where}"
        self.netloc = bracketed if port is None else f"{bracketed}:{port}"
        self.proxy = proxy or _environment_proxy(parts.scheme, self.host)
        self.ready: tuple[Mapping[str, str], list[tuple[bytes, bytes]]] | None = None

    def headers(self, given: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
        """The headers in the form in which they are sent; the latest are kept, since most requests share them."""
        ready = self.ready
        if ready is None or ready[0] != given:
            checked = _checked_headers(given)
            have = {name.lower() for name in checked}
            raw = [(name.encode("ascii"), value.encode("ascii")) for name, value in checked.items()]
            if "host" not in have:
                raw.insert(0, (b"Host", self.netloc.encode("idna" if not self.netloc.isascii() else "ascii")))
            ready = self.ready = (dict(given), raw)
        return ready[1]


_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"(?:[!-~](?:[!-~ \t]*[!-~])?)?")


def _checked_headers(given: Mapping[str, str]) -> dict[str, str]:
    """The headers, with those that are always sent. Libraries put a refused value, perhaps a key, into their error.

    Raises `ConfigurationError` for names and values that cannot be sent (RFC 9110, 5.1 and 5.5).
    """
    for name, value in given.items():
        if not _HEADER_NAME.fullmatch(name):
            raise errors.ConfigurationError(f"{name!r} cannot be the name of a header")
        if not _HEADER_VALUE.fullmatch(value):
            raise errors.ConfigurationError(
                f"the value of the header `{name}` cannot be sent: it has a line break, a blank at an end or a "
                "character that is not ASCII; look at the key or header that was given"
            )
    if any(name.lower() == "accept-encoding" for name in given):
        return dict(given)
    return {**given, "Accept-Encoding": "identity"}


def _environment_proxy(scheme: str, host: str) -> str | None:
    """The proxy that the environment (or, on macOS and Windows, the system) asks for, as httpx would choose it."""
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    proxy = proxies.get(scheme) or proxies.get("all")
    if not proxy or proxy_bypass(host):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


class _Targets:
    """The targets of one transport, by URL."""

    def __init__(self, proxy: str | None, parse: Callable[[str], Any]) -> None:
        self._proxy = proxy
        self._parse = parse
        self._known: dict[str, _Target] = {}

    def find(self, url: str) -> _Target:
        target = self._known.get(url)
        if target is None:
            if len(self._known) >= 256:
                self._known.clear()
            target = _Target(url, self._proxy)
            try:
                target.url = self._parse(url)
            except Exception as error:
                explained = _explain(error, target.where, None, None)
                raise explained or error from error
            self._known[url] = target
        return target


@lru_cache(maxsize=16)
def _context(verify: Any) -> ssl.SSLContext:
    """One TLS context per process and choice: loading the certificates takes longer than many requests."""
    import ssl

    import httpx

    if isinstance(verify, str):
        try:
            if os.path.isdir(verify):
                return ssl.create_default_context(capath=verify)
            return ssl.create_default_context(cafile=verify)
        except (OSError, ssl.SSLError) as error:
            raise errors.ConfigurationError(f"`verify={verify!r}` holds no certificates to read: {error}") from error
    if isinstance(verify, ssl.SSLContext):
        return verify
    return httpx.create_ssl_context(verify=verify)


@lru_cache(maxsize=1)
def _no_context() -> ssl.SSLContext:
    """Stands in where there is no TLS, since httpx wants a context in any case."""
    import ssl

    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


# --- Errors ---------------------------------------------------------------------------------------------------------

# By name, since a client that is brought may be of httpx2 or of anything else with that face.
_CONNECT_TIMEOUTS = {"ConnectTimeout", "ConnectionTimeoutError"}
_TIMEOUTS = {"TimeoutException", "TimeoutError"}
_MISTAKES = {
    "InvalidURL",
    "UnsupportedProtocol",
    "LocalProtocolError",
    "InvalidUrlClientError",
    "NonHttpUrlClientError",
}
_UNREADABLE = {"DecodingError", "ContentEncodingError"}
_LOST = {"HTTPError", "StreamError", "ClientError", "OSError", "BrokenResourceError", "ClosedResourceError"}


def _limit(reason: str, patience: Patience, where: str) -> Exception:
    """The error that says which limit passed."""
    if reason == "stop":
        return errors.Cancelled(f"the request to `{where}` was stopped")
    seconds = getattr(patience, reason)
    said = {
        "connect": f"no connection to `{where}` within {seconds:g} s",
        "first_byte": f"`{where}` sent no content within {seconds:g} s",
        "idle": f"`{where}` fell silent for {seconds:g} s in the middle of its answer",
        "total": f"the answer of `{where}` was not whole after {seconds:g} s",
    }[reason]
    return errors.TimedOut(f"{said} (limit `{reason}`); try again, or allow more time with `timeout=`")


def _explain(error: BaseException, where: str, reason: str | None, patience: Patience | None) -> Exception | None:
    """The error to raise in place of what an HTTP library raised, or `None` where that is not of its making.

    `reason` is the limit that passed or `"stop"`, where we ended the request ourselves.
    """
    if reason is not None and patience is not None:
        return _limit(reason, patience, where)
    names = {one.__name__ for one in type(error).__mro__}
    if names & _CONNECT_TIMEOUTS and patience is not None and patience.connect is not None:
        return _limit("connect", patience, where)
    if names & (_TIMEOUTS | _CONNECT_TIMEOUTS):
        return errors.TimedOut(
            f"a time limit of the HTTP client itself passed while `{where}` was asked; raise it there"
        )
    if names & _MISTAKES:
        return errors.ConfigurationError(f"the request to `{where}` cannot be sent as it is ({type(error).__name__})")
    cause = error.__cause__
    if names & _UNREADABLE or (cause is not None and type(cause).__name__ in _UNREADABLE):
        return errors.Unreadable(f"the answer of `{where}` cannot be decompressed")
    if not names & _LOST:
        return None
    what = str(error) or type(error).__name__
    if "CERTIFICATE_VERIFY_FAILED" in what:
        return errors.ConnectionLost(
            f"the certificate of `{where}` is not trusted ({what}); check the address, or hand in `verify=` with "
            "the certificate of your authority"
        )
    if names & {
        "ConnectError",
        "ClientConnectorError",
        "ProxyError",
        "ClientProxyConnectionError",
        "ClientHttpProxyError",
    }:
        return errors.ConnectionLost(
            f"no connection to `{where}` ({what}); check the address, the network and the proxy"
        )
    return errors.ConnectionLost(f"the connection to `{where}` broke before the answer was whole ({what}); try again")


# --- Sync: httpx, and clients with its face -------------------------------------------------------------------------


class _Line:
    """A way to send, with at most one connection: a transport of httpx of our own, or somebody's client."""

    __slots__ = ("close", "home", "send", "since", "socket")

    def __init__(
        self,
        send: Callable[[Any], Any],
        close: Callable[[], Any] | None = None,
        home: _Home | None = None,
    ) -> None:
        self.send = send
        self.close = close
        self.home = home  # where it waits when idle; a fork leaves the parent's behind
        self.since = 0.0
        self.socket: Any = None


class _Home:
    """Where the idle lines to one origin wait, the latest used at the right; several threads may share it."""

    __slots__ = ("_lines", "_open")

    def __init__(self) -> None:
        self._lines: deque[_Line] = deque()
        self._open = True

    def take(self) -> _Line | None:
        try:
            return self._lines.pop()
        except IndexError:
            return None

    def give(self, line: _Line) -> list[_Line]:
        """Put an idle line back. Returns lines to close: those that nobody needed for long, or that came too late."""
        if not self._open:
            return [line]
        now = line.since = time.monotonic()
        self._lines.append(line)
        old: list[_Line] = []
        with suppress(IndexError):
            while self._lines[0].since < now - KEEP_SECONDS:
                old.append(self._lines.popleft())
        return old

    def close(self) -> list[_Line]:
        """Take no line back any more. Returns those that wait, to be closed."""
        self._open = False
        lines = list(self._lines)
        self._lines.clear()
        return lines


class _SyncGuard:
    """Ends one sync request by shutting its socket down, when a limit passes or the stop signal is set.

    Shutting down, and not closing, wakes the thread that waits on the socket; the thread then closes it itself.
    """

    __slots__ = ("_forget", "_line", "_lock", "_open", "_unwatch", "_watch", "reason")

    def __init__(self, line: _Line, post: Post, deadline: Watch) -> None:
        self._line = line
        self._lock = threading.Lock()
        self._open = True
        self._watch = deadline
        self.reason: str | None = None
        self._unwatch = self._forget = None
        if post.stop is not None:
            self._forget = post.stop.on_set(self._stop)
        when, _ = deadline.due(time.monotonic())
        if when < inf:
            self._unwatch = watch(when, self._check)

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

    def trace(self, name: str, info: dict[str, Any]) -> None:
        """httpcore's `trace` extension: learn the socket as soon as it is connected, to a proxy too."""
        if name.endswith(("connect_tcp.complete", "start_tls.complete")):
            self.found(info["return_value"])

    def found(self, stream: Any) -> None:
        """Remember the socket of a network stream of httpcore; one of HTTP/2 is shared and not ours to shut down."""
        tls = stream.get_extra_info("ssl_object")
        shared = tls is not None and tls.selected_alpn_protocol() == "h2"
        with self._lock:
            self._line.socket = None if shared else stream.get_extra_info("socket")
            if self.reason is not None:
                _shut_down(self._line.socket)

    def end(self) -> None:
        with self._lock:
            self._open = False
        if self._unwatch is not None:
            self._unwatch()
        if self._forget is not None:
            self._forget()


def _shut_down(sock: Any) -> None:
    import socket

    if isinstance(sock, socket.socket):
        # the method of the base class: that of an SSLSocket would take off the TLS layer under a reader
        with suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)


class _SyncReply:
    """A request on a line, and its reply."""

    def __init__(self, post: Post, target: _Target, line: _Line, request: Callable[[Post, _Target, Any], Any]) -> None:
        self._post = post
        self._target = target
        self._line = line
        self._request = request
        self._finished = False
        self.watch = Watch(post.patience)

    def __enter__(self) -> _SyncReply:
        post = self._post
        if post.stop is not None and post.stop.is_set:
            raise _limit("stop", post.patience, self._target.where)
        self._guard = guard = _SyncGuard(self._line, post, self.watch)
        try:
            self._response = response = self._line.send(self._request(post, self._target, guard.trace))
        except BaseException as error:
            guard.end()
            self._raise(error)
            raise
        if self._line.home is None:
            # on a connection that was open before, a brought client tells of the socket only now
            stream = response.extensions.get("network_stream")
            if stream is not None and response.extensions.get("http_version") != b"HTTP/2":
                guard.found(stream)
        self.status: int = response.status_code
        self.headers: Mapping[str, str] = response.headers
        encoded = response.headers.get("content-encoding", "identity") != "identity"
        self._chunks: Iterator[bytes] = response.iter_bytes() if encoded else iter(response.stream)
        return self

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        self.watch.alive()
        self.watch.waiting = True
        try:
            return next(self._chunks)
        except StopIteration as end:
            if self._guard.reason is not None:  # a reply that ends with its connection ends thus when cut
                self._raise(end)
            self._finished = True
            raise
        except Exception as error:
            self._raise(error)
            raise
        finally:
            self.watch.waiting = False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._guard.end()
        with suppress(Exception):  # what closing says is of no use to anybody
            self._response.close()
        home = self._line.home
        if home is not None and self._finished and self._guard.reason is None:
            _close_lines(home.give(self._line))

    def _raise(self, error: BaseException) -> None:
        """Raise what `error` means; return where it is nothing that we know."""
        if not isinstance(error, Exception):
            return
        post, reason = self._post, self._guard.reason
        if reason is None and post.stop is not None and post.stop.is_set:
            reason = "stop"
        if reason is None and "TimeoutException" in {one.__name__ for one in type(error).__mro__}:
            reason = self.watch.due(time.monotonic())[1]
        explained = _explain(error, self._target.where, reason, post.patience)
        if explained is not None:
            raise explained from (None if isinstance(explained, errors.ConfigurationError) else error)


def _close_lines(lines: list[_Line]) -> None:
    for line in lines:
        if line.close is not None:
            with suppress(Exception):
                line.close()


# --- Async: the timer, and what the sides share ---------------------------------------------------------------------


class _AsyncGuard:
    """Ends one async request by cancelling its task, as `asyncio.timeout` does, but with a timer that moves seldom."""

    __slots__ = ("_cancelling", "_forget", "_handle", "_loop", "_open", "_task", "_watch", "reason")

    def __init__(self, post: Post, deadline: Watch, loop: asyncio.AbstractEventLoop) -> None:
        import asyncio

        task = asyncio.current_task(loop)
        assert task is not None
        self._loop = loop
        self._task: asyncio.Task[Any] = task
        self._cancelling = task.cancelling()
        self._open = True
        self._watch = deadline
        self._handle: asyncio.TimerHandle | None = None
        self.reason: str | None = None
        self._forget = None
        if post.stop is not None:
            self._forget = post.stop.on_set(self._stop)
        self._look()

    def _look(self) -> None:
        now = time.monotonic()
        when, reason = self._watch.due(now)
        if reason is not None:
            self._fire(reason)
        elif when < inf:
            self._handle = self._loop.call_later(when - now, self._look)

    def _stop(self) -> None:
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._fire, "stop")

    def _fire(self, reason: str) -> None:
        if self._open and self.reason is None:
            self.reason = reason
            self._task.cancel()

    def end(self) -> None:
        """Watch no longer."""
        self._open = False
        if self._handle is not None:
            self._handle.cancel()
        if self._forget is not None:
            self._forget()

    async def settle(self, error: BaseException | None) -> str | None:
        """After `end`: take back our own cancellation, and say what it was for; another's is raised again."""
        import asyncio

        if self.reason is None:
            return None
        if not isinstance(error, asyncio.CancelledError):
            # the request ended in the very moment in which it was cancelled: that is still to come
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0)
        if self._task.uncancel() > self._cancelling:
            raise asyncio.CancelledError
        return self.reason


class _AsyncReply:
    """A request on an event loop, and its reply; the sides differ in how it is opened and closed."""

    status: int
    headers: Mapping[str, str]

    def __init__(self, post: Post, target: _Target) -> None:
        self._post = post
        self._target = target
        self._finished = False
        self._chunks: AsyncIterator[bytes]
        self.watch = Watch(post.patience)

    async def _open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Send, wait for the headers, and set `status`, `headers` and `_chunks`."""
        raise NotImplementedError

    async def _close(self) -> None:
        """Close the connection, or keep it for the next request where the reply is finished."""
        raise NotImplementedError

    async def __aenter__(self) -> _AsyncReply:
        import asyncio

        post = self._post
        if post.stop is not None and post.stop.is_set:
            raise _limit("stop", post.patience, self._target.where)
        loop = asyncio.get_running_loop()
        self._guard = guard = _AsyncGuard(post, self.watch, loop)
        try:
            await self._open(loop)
        except BaseException as error:
            guard.end()
            reason = await guard.settle(error)
            if reason is not None and isinstance(error, asyncio.CancelledError):
                raise _limit(reason, post.patience, self._target.where) from error
            self._raise(error)
            raise
        return self

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        self.watch.alive()
        self.watch.waiting = True
        try:
            return await self._chunks.__anext__()
        except StopAsyncIteration:
            self._finished = True
            raise
        except Exception as error:
            self._raise(error)
            raise
        finally:
            self.watch.waiting = False

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import asyncio

        guard = self._guard
        guard.end()
        late = error
        try:
            await self._close()
        except asyncio.CancelledError as cancelled:
            if guard.reason is None:
                raise
            late = cancelled
        except Exception:
            self._finished = False  # what closing says is of no use to anybody
        if guard.reason is not None:
            reason = await guard.settle(late)
            if reason is not None and isinstance(error, asyncio.CancelledError):
                raise _limit(reason, self._post.patience, self._target.where) from error

    def _raise(self, error: BaseException) -> None:
        """Raise what `error` means; return where it is nothing that we know."""
        if not isinstance(error, Exception):
            return
        post = self._post
        stopped = post.stop is not None and post.stop.is_set
        explained = _explain(error, self._target.where, "stop" if stopped else None, post.patience)
        if explained is not None:
            raise explained from (None if isinstance(explained, errors.ConfigurationError) else error)


class _HttpxAsyncReply(_AsyncReply):
    def __init__(self, post: Post, target: _Target, side: _HttpxSide) -> None:
        super().__init__(post, target)
        self._side = side

    async def _open(self, loop: asyncio.AbstractEventLoop) -> None:
        post, target = self._post, self._target
        self._line = line = await self._side.line(target, loop)
        self._response = response = await line.send(self._side.request(post, target, None))
        self.status = response.status_code
        self.headers = response.headers
        encoded = response.headers.get("content-encoding", "identity") != "identity"
        self._chunks = response.aiter_bytes() if encoded else aiter(response.stream)

    async def _close(self) -> None:
        await self._response.aclose()
        home = self._line.home
        if home is not None and self._finished:
            for line in home.give(self._line):
                assert line.close is not None
                await line.close()


class _AiohttpReply(_AsyncReply):
    def __init__(self, post: Post, target: _Target, side: _Aiohttp) -> None:
        super().__init__(post, target)
        self._side = side

    async def _open(self, loop: asyncio.AbstractEventLoop) -> None:
        self._response = response = await self._side.open(self._post, self._target, loop)
        self.status = response.status
        self._chunks = aiter(response.content.iter_any())
        self.headers = {name.lower(): value for name, value in response.headers.items()}

    async def _close(self) -> None:
        self._response.close()  # a finished one has given its connection back already


def _connect_limit(patience: Patience) -> float | None:
    """No connection is waited for beyond what the whole request may take."""
    limits = [one for one in (patience.connect, patience.first_byte, patience.total) if one is not None]
    return min(limits, default=None)


# --- What lives as long as an event loop ----------------------------------------------------------------------------


class _PerLoop:
    """Something for each event loop, made on first use and closed with the loop."""

    def __init__(
        self, make: Callable[[], Any], close: Callable[[Any], Awaitable[None]], forget: Callable[[Any], None]
    ) -> None:
        self._make = make
        self._close = close
        self._forget = forget
        self._kept: dict[asyncio.AbstractEventLoop, tuple[Any, AsyncGenerator[None, None]]] = {}

    async def here(self, loop: asyncio.AbstractEventLoop) -> Any:
        kept = self._kept.get(loop)
        if kept is None:
            self.forget()
            made = self._make()
            # suspended for as long as the loop lives; it is the loop's business to close such generators
            guard = self._until_closed(loop, made)
            kept = self._kept[loop] = made, guard
            await anext(guard)
        return kept[0]

    async def _until_closed(self, loop: asyncio.AbstractEventLoop, made: Any) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            self._kept.pop(loop, None)
            await self._close(made)

    def forget(self, *, last: bool = False) -> None:
        """Let go of what belongs to loops that were closed without closing their generators (`last`: to any loop).

        Nothing can be closed properly on such a loop; the sockets go when the objects do. Python would warn of that
        at some later time and place, which would help nobody.
        """
        for loop in list(self._kept):
            if loop.is_closed() or last:
                import gc
                import warnings

                made, guard = self._kept.pop(loop)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", ResourceWarning)
                    self._forget(made)
                    del made, guard
                    gc.collect()

    async def aclose(self) -> None:
        import asyncio

        self.forget()
        here = asyncio.get_running_loop()
        for loop, (_, guard) in list(self._kept.items()):
            if loop is here:
                await guard.aclose()
            elif loop.is_running():
                future = asyncio.run_coroutine_threadsafe(_end(guard), loop)
                with suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.wrap_future(future), CLOSE_SECONDS)

    def close(self) -> None:
        import asyncio

        self.forget()
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        for loop, (_, guard) in list(self._kept.items()):
            if loop.is_running():
                future = asyncio.run_coroutine_threadsafe(_end(guard), loop)
                if loop is not here:
                    with suppress(TimeoutError):
                        future.result(CLOSE_SECONDS)

    def forked(self) -> None:
        """Leave to the parent what is the parent's: a selector is shared with it, and closing would unhook it there."""
        _graveyard.append(self._kept)
        self._kept = {}


async def _end(generator: AsyncGenerator[None, None]) -> None:
    await generator.aclose()


_graveyard: list[object] = []


# --- The transports -------------------------------------------------------------------------------------------------


class _HttpxSide(Protocol):
    """What an async reply needs of a transport that speaks by httpx."""

    async def line(self, target: _Target, loop: asyncio.AbstractEventLoop) -> _Line: ...

    def request(self, post: Post, target: _Target, trace: Any) -> Any: ...


class _Httpx:
    """httpx as its authors ship it, with one of its transports for each connection."""

    def __init__(self, proxy: str | None, verify: Any) -> None:
        import httpx

        self._httpx = httpx
        self._verify = verify
        self._targets = _Targets(proxy, httpx.URL)
        self._limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEEP_SECONDS)
        self._homes: dict[str, _Home] = {}
        self._per_loop = _PerLoop(dict[str, _Home], _aclose_homes, dict[str, _Home].clear)

    def send(self, post: Post) -> AbstractContextManager[Reply]:
        target = self._targets.find(post.url)
        home = self._homes.get(target.origin) or self._homes.setdefault(target.origin, _Home())
        line = home.take()
        if line is None:
            made = self._httpx.HTTPTransport(**self._options(target))
            line = _Line(made.handle_request, made.close, home)
        return _SyncReply(post, target, line, self.request)

    def asend(self, post: Post) -> AbstractAsyncContextManager[AsyncReply]:
        return _HttpxAsyncReply(post, self._targets.find(post.url), self)

    async def line(self, target: _Target, loop: asyncio.AbstractEventLoop) -> _Line:
        homes: dict[str, _Home] = await self._per_loop.here(loop)
        home = homes.get(target.origin)
        if home is None:
            home = homes[target.origin] = _Home()
        line = home.take()
        if line is None:
            made = self._httpx.AsyncHTTPTransport(**self._options(target))
            line = _Line(made.handle_async_request, made.aclose, home)
        return line

    def request(self, post: Post, target: _Target, trace: Any) -> Any:
        headers = target.headers(post.headers)
        if post.body is not None:
            headers = [*headers, (b"Content-Length", b"%d" % len(post.body))]
        extensions: dict[str, Any] = {"timeout": {"connect": _connect_limit(post.patience)}}
        if trace is not None:
            extensions["trace"] = trace
        stream = self._httpx.ByteStream(post.body or b"")
        return self._httpx.Request(post.method, target.url, headers=headers, stream=stream, extensions=extensions)

    def _options(self, target: _Target) -> dict[str, Any]:
        proxy: Any = target.proxy
        secure_proxy = proxy is not None and proxy.startswith("https:")
        context = _context(self._verify) if target.tls or secure_proxy else _no_context()
        if proxy is not None:
            try:
                proxy = self._httpx.Proxy(proxy, ssl_context=context if secure_proxy else None)
            except Exception:
                raise errors.ConfigurationError(
                    "the proxy cannot be used: give it as `http://host:port`, `https://…` or `socks5://…`"
                ) from None
        return {"verify": context, "limits": self._limits, "proxy": proxy}

    def close(self) -> None:
        homes, self._homes = self._homes, {}
        for home in homes.values():
            _close_lines(home.close())
        self._per_loop.close()

    async def aclose(self) -> None:
        await self._per_loop.aclose()
        self.close()

    def forked(self) -> None:
        # closing a descriptor in the child leaves the parent's connection as it is
        homes, self._homes = self._homes, {}
        for home in homes.values():
            _close_lines(home.close())
        self._per_loop.forked()

    def forget(self) -> None:
        self._per_loop.forget(last=True)


async def _aclose_homes(homes: dict[str, _Home]) -> None:
    for home in homes.values():
        for line in home.close():
            assert line.close is not None
            with suppress(Exception):
                await line.close()


class _Aiohttp:
    """aiohttp, one session for each event loop; sync requests go by httpx."""

    def __init__(self, proxy: str | None, verify: Any) -> None:
        try:
            import aiohttp
            import yarl
        except ImportError as error:
            raise errors.ConfigurationError(
                '`transport="aiohttp"` needs the extra `fast`: run `pip install ".[fast]"` in a checkout of agentkit'
            ) from error
        self._aiohttp = aiohttp
        self._proxy = proxy
        self._verify = verify
        self._targets = _Targets(proxy, yarl.URL)
        self._per_loop = _PerLoop(self._session, _aclose_session, _forget_session)

    def _session(self) -> Any:
        aiohttp = self._aiohttp
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
        )

    def send(self, post: Post) -> AbstractContextManager[Reply]:
        return shared("httpx", proxy=self._proxy, verify=self._verify).send(post)

    def asend(self, post: Post) -> AbstractAsyncContextManager[AsyncReply]:
        return _AiohttpReply(post, self._targets.find(post.url), self)

    async def open(self, post: Post, target: _Target, loop: asyncio.AbstractEventLoop) -> Any:
        session = await self._per_loop.here(loop)
        return await session.request(
            post.method,
            target.url,
            data=post.body,
            headers=[(name.decode(), value.decode()) for name, value in target.headers(post.headers)],
            proxy=target.proxy,
            allow_redirects=False,
            timeout=self._aiohttp.ClientTimeout(connect=_connect_limit(post.patience)),
            ssl=_context(self._verify) if target.tls else True,
        )

    def close(self) -> None:
        self._per_loop.close()

    async def aclose(self) -> None:
        await self._per_loop.aclose()

    def forked(self) -> None:
        self._per_loop.forked()

    def forget(self) -> None:
        self._per_loop.forget(last=True)


async def _aclose_session(session: Any) -> None:
    await session.close()


def _forget_session(session: Any) -> None:
    """Mark a session as closed whose loop is closed; it has nothing to wait for then."""
    with suppress(StopIteration, RuntimeError):
        session.close().send(None)


@dataclass(frozen=True, slots=True)
class Brought:
    """Two clients that the caller brings, one for each side.

    Attributes:
        sync: With the face of `httpx.Client`, or a transport of httpx; for `run` and `stream`.
        async_: With the face of `httpx.AsyncClient`, or an async transport of httpx; for `arun` and `astream`.
    """

    sync: Any = None
    async_: Any = None


class _Brought:
    """Sends by clients that the caller brought. They are used as they are and never closed."""

    def __init__(self, brought: Brought) -> None:
        self._brought = brought
        self._targets = _Targets(None, str)

    def send(self, post: Post) -> AbstractContextManager[Reply]:
        client = self._brought.sync
        if client is None:
            raise errors.ConfigurationError(
                f"`transport=` got an async client (`{_type(self._brought.async_)}`), but this is a sync run: bring an "
                "`httpx.Client`, or both in `Brought(sync=…, async_=…)`, or call `arun` or `astream`"
            )
        target = self._targets.find(post.url)
        return _SyncReply(post, target, _Line(_sender(client)), partial(_brought_request, client))

    def asend(self, post: Post) -> AbstractAsyncContextManager[AsyncReply]:
        client = self._brought.async_
        if client is None:
            raise errors.ConfigurationError(
                f"`transport=` got a sync client (`{_type(self._brought.sync)}`), but this is an async run: bring an "
                "`httpx.AsyncClient`, or both in `Brought(sync=…, async_=…)`, or call `run` or `stream`"
            )
        return _HttpxAsyncReply(post, self._targets.find(post.url), self)

    async def line(self, target: _Target, loop: asyncio.AbstractEventLoop) -> _Line:  # noqa: ARG002 - see _HttpxSide
        return _Line(_sender(self._brought.async_))

    def request(self, post: Post, target: _Target, trace: Any) -> Any:
        return _brought_request(self._brought.async_, post, target, trace)

    def close(self) -> None:
        pass

    async def aclose(self) -> None:
        pass


def _type(thing: object) -> str:
    return f"{type(thing).__module__.partition('.')[0]}.{type(thing).__qualname__}"


def _is_client(thing: Any) -> bool:
    return callable(getattr(thing, "build_request", None)) and callable(getattr(thing, "send", None))


def _sender(client: Any) -> Callable[[Any], Any]:
    if _is_client(client):
        return partial(client.send, stream=True, follow_redirects=False)
    return getattr(client, "handle_request", None) or client.handle_async_request


def _brought_request(client: Any, post: Post, _: _Target, trace: Any) -> Any:
    """The request as the client builds it, with its own headers and the rest, but with our limits.

    On a connection that was open before, a client does not tell of the socket until the headers are there;
    a read timeout keeps the limits until then.
    """
    patience = post.patience
    read = None
    if trace is not None and patience.first_byte is not None and patience.idle is not None:
        read = max(patience.first_byte, patience.idle)
        read = read if patience.total is None else min(read, patience.total)
    extensions: dict[str, Any] = {
        "timeout": {"connect": _connect_limit(patience), "read": read, "write": None, "pool": None}
    }
    if trace is not None:
        extensions["trace"] = trace
    headers = _checked_headers(post.headers)
    if _is_client(client):
        return client.build_request(post.method, post.url, content=post.body, headers=headers, extensions=extensions)
    import httpx

    return httpx.Request(post.method, post.url, content=post.body, headers=headers, extensions=extensions)


def bring(client: Any) -> Transport:
    """A transport over what the caller brings: it is used as it is, with its own headers, proxies and hooks.

    Args:
        client: A client with the face of httpx's, sync or async (`build_request` and `send`; httpx2 has it too); a
            transport of httpx (`handle_request`, `handle_async_request` or both); or `Brought`, one for each side.

    Returns:
        A transport whose `close` leaves the client open. It offers the sides that were brought.

    Raises:
        ConfigurationError: it is none of these.
    """
    from inspect import iscoroutinefunction

    def sides(thing: Any) -> tuple[bool, bool]:
        if _is_client(thing):
            waits = iscoroutinefunction(thing.send)
            return not waits, waits
        return callable(getattr(thing, "handle_request", None)), callable(getattr(thing, "handle_async_request", None))

    brought: Brought
    if isinstance(client, Brought):
        brought = client
    else:
        sync, waits = sides(client)
        brought = Brought(sync=client if sync else None, async_=client if waits else None)
    wrong = client
    if brought.sync is not None and not sides(brought.sync)[0]:
        wrong, brought = brought.sync, Brought()
    elif brought.async_ is not None and not sides(brought.async_)[1]:
        wrong, brought = brought.async_, Brought()
    if brought.sync is None and brought.async_ is None:
        raise errors.ConfigurationError(
            f'`transport=` cannot use a `{_type(wrong)}` here: give `"httpx"`, `"aiohttp"`, an `httpx.Client`, an '
            "`httpx.AsyncClient`, or `Brought(sync=…, async_=…)`"
        )
    return _Brought(brought)


# --- One per process ------------------------------------------------------------------------------------------------

_shared: dict[tuple[str, str | None, Any], _Httpx | _Aiohttp] = {}
_lock = threading.Lock()


def shared(
    kind: Literal["httpx", "aiohttp"], *, proxy: str | None = None, verify: bool | str | ssl.SSLContext = True
) -> Transport:
    """The transport of this process for these options; made on first use.

    Args:
        kind: The library that speaks HTTP.
        proxy: The URL of a proxy; `None` leaves it to the environment (`HTTPS_PROXY`, `NO_PROXY` and the rest).
        verify: Whether to check certificates; a file or folder of certificates to trust; or a ready context.

    Raises:
        ConfigurationError: the library is not installed, or there is no such kind.
    """
    key = (kind, proxy, verify)
    found = _shared.get(key)
    if found is not None:
        return found
    with _lock:
        found = _shared.get(key)
        if found is None:
            if kind not in _KINDS:
                raise errors.ConfigurationError(
                    f'`transport={kind!r}` is not known: give `"httpx"`, `"aiohttp"` or a client with httpx\'s face'
                )
            if not _shared:
                import atexit

                atexit.unregister(_at_exit)
                atexit.register(_at_exit)
            found = _shared[key] = _KINDS[kind](proxy, verify)
    return found


_KINDS: dict[str, Callable[[str | None, Any], _Httpx | _Aiohttp]] = {"httpx": _Httpx, "aiohttp": _Aiohttp}


def close_all() -> None:
    """Close the idle connections of the shared transports, also those that live on running event loops."""
    for one in list(_shared.values()):
        one.close()


async def aclose_all() -> None:
    """The same, from an event loop, whose connections are closed on return."""
    for one in list(_shared.values()):
        await one.aclose()


def _at_exit() -> None:
    close_all()
    for one in list(_shared.values()):
        one.forget()


def _forked() -> None:
    """Children never use their parent's connections, and the parent's stay usable."""
    global _lock
    _lock = threading.Lock()
    for one in _shared.values():
        one.forked()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_forked)
