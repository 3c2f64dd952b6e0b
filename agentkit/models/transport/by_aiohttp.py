"""aiohttp, for those who ask for it: async only; sync requests go by httpx.

Before aiohttp closes a connection, it gets rid of what it has buffered and says goodbye under TLS, and waits for the
other side to take it. A request that is ended must not wait, so its connection is aborted; hence the connector below.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, suppress
from contextvars import ContextVar
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any

from agentkit import errors
from agentkit.models.transport import replies
from agentkit.models.transport.keeping import KEEP_SECONDS, PerLoop
from agentkit.models.transport.seam import AsyncReply, Post, Reply
from agentkit.models.transport.target import Target, Targets, context, proxy_for

if TYPE_CHECKING:
    import asyncio

    from aiohttp import ClientResponse, ClientResponseError, ClientSession, TCPConnector
    from aiohttp.connector import Connection
    from multidict import CIMultiDict


LARGE = 1 << 20
"""Bodies of more bytes go out in pieces; aiohttp warns of large ones in one."""


class Aiohttp:
    """A transport by aiohttp, with one session for each event loop.

    Args:
        proxy: The URL of a proxy; `None` leaves it to the environment.
        verify: What to trust, as in `shared`.
        send: How to send in threads.
    """

    def __init__(self, proxy: str | None, verify: Any, send: Callable[[Post], AbstractContextManager[Reply]]) -> None:
        try:
            import aiohttp
            import yarl
        except ImportError as error:
            raise errors.ConfigurationError(
                '`transport="aiohttp"` needs the extra `fast`: `pip install ".[fast]"` in a checkout of agentkit',
                code="no-extra",
            ) from error
        self._aiohttp = aiohttp
        self._connector = _connector_class()
        self._verify = verify
        self._targets = Targets(yarl.URL, _multidict, partial(proxy_for, proxy))
        self._per_loop: PerLoop[ClientSession] = PerLoop(self._session, _close_session, _drop_session)
        self._send = send

    def send(self, post: Post) -> AbstractContextManager[Reply]:
        """Send in the calling thread."""
        return self._send(post)

    def asend(self, post: Post) -> AbstractAsyncContextManager[AsyncReply]:
        """Send on the running event loop."""
        return _AiohttpReply(post, self._targets.find(post.url), self)

    async def respond(self, post: Post, target: Target, loop: asyncio.AbstractEventLoop) -> ClientResponse:
        """Send a request; returns when the headers of the reply are there."""
        session = await self._per_loop.here(loop)
        body = post.body
        wires: list[asyncio.BaseTransport] = []
        token = _wires.set(wires)
        try:
            return await session.request(
                post.method,
                target.url,
                data=BytesIO(body) if body is not None and len(body) > LARGE else body,
                headers=target.headers(post.headers),
                proxy=target.proxy,
                allow_redirects=False,
                timeout=self._aiohttp.ClientTimeout(connect=post.patience.connecting()[0]),
                ssl=context(self._verify) if target.tls else True,
            )
        except BaseException as error:
            for wire in wires:
                _abort(wire)
            if isinstance(error, self._aiohttp.ClientResponseError):
                _hide_headers(error)
            raise
        finally:
            _wires.reset(token)

    def _session(self) -> ClientSession:
        aiohttp = self._aiohttp
        return aiohttp.ClientSession(
            connector=self._connector(limit=0, keepalive_timeout=KEEP_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    def close(self) -> None:
        """Close the sessions of running event loops; requests that are under way on them are lost."""
        self._per_loop.close()

    async def aclose(self) -> None:
        """The same; those of this event loop are closed on return."""
        await self._per_loop.aclose()

    def at_exit(self) -> None:
        """Close what is still open when the program ends."""
        self._per_loop.at_exit()

    def forked(self) -> None:
        """In a forked child: use nothing of the parent's."""
        self._per_loop.forked()


_wires: ContextVar[list[asyncio.BaseTransport]] = ContextVar("agentkit_aiohttp_wires")
"""The connections of the request that is being sent in this task."""


def _multidict(_: Target, headers: dict[str, str]) -> CIMultiDict[str]:
    from multidict import CIMultiDict

    return CIMultiDict(headers)


def _connector_class() -> type[TCPConnector]:
    """A connector of aiohttp that tells which connection a request goes by."""
    from aiohttp import TCPConnector

    class Connector(TCPConnector):
        async def connect(self, *args: Any, **options: Any) -> Connection:
            connection = await super().connect(*args, **options)
            if connection.transport is not None:
                _wires.get().append(connection.transport)
            return connection

    return Connector


def _abort(wire: asyncio.BaseTransport) -> None:
    abort = getattr(wire, "abort", None)
    if abort is not None:
        abort()


def _hide_headers(error: ClientResponseError) -> None:
    """Take the headers of the request out of an error whose `repr` shows them, and so the key."""
    from aiohttp import RequestInfo
    from multidict import CIMultiDict, CIMultiDictProxy

    info, nothing = error.request_info, CIMultiDictProxy[str](CIMultiDict())
    error.request_info = RequestInfo(info.url, info.method, nothing, info.real_url)
    error.args = (error.request_info, error.history)


async def _close_session(session: ClientSession) -> None:
    await session.close()


def _drop_session(session: ClientSession) -> None:
    """Mark a session as closed whose loop is closed: it has nothing to wait for then."""
    with suppress(StopIteration, RuntimeError):
        session.close().send(None)


class _AiohttpReply(replies.AsyncReply):
    """A request to aiohttp."""

    def __init__(self, post: Post, target: Target, side: Aiohttp) -> None:
        super().__init__(post, target)
        self._side = side

    async def _open(self, loop: asyncio.AbstractEventLoop) -> None:
        self._response = response = await self._side.respond(self._post, self._target, loop)
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.headers.items()}
        self._read = response.content.readany  # all that one read of the socket brought

    async def _close(self) -> None:
        connection = self._response.connection  # one that was read to its end has given it back before
        if connection is not None and connection.transport is not None:
            _abort(connection.transport)
        self._response.close()
