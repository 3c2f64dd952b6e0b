"""aiohttp, for those who ask for it: async only; sync requests go by httpx."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from agentkit import errors
from agentkit.models.transport import replies
from agentkit.models.transport.keeping import KEEP_SECONDS, PerLoop
from agentkit.models.transport.seam import AsyncReply, Post, Reply
from agentkit.models.transport.target import Target, Targets, context, proxy_for

if TYPE_CHECKING:
    import asyncio

    from aiohttp import ClientResponse, ClientSession


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
                '`transport="aiohttp"` needs the extra `fast`: `pip install ".[fast]"` in a checkout of agentkit'
            ) from error
        self._aiohttp = aiohttp
        self._verify = verify
        self._targets = Targets(yarl.URL, lambda _, headers: headers, partial(proxy_for, proxy))
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
        return await session.request(
            post.method,
            target.url,
            data=post.body,
            headers=target.headers(post.headers),
            proxy=target.proxy,
            allow_redirects=False,
            timeout=self._aiohttp.ClientTimeout(connect=post.patience.connecting()[0]),
            ssl=context(self._verify) if target.tls else True,
        )

    def _session(self) -> ClientSession:
        aiohttp = self._aiohttp
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    def close(self) -> None:
        """Close the idle connections of running event loops."""
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
        self._chunks = aiter(response.content.iter_any())  # all that one read of the socket brought

    async def _close(self) -> None:
        self._response.close()  # one that was read to its end has given its connection back before
