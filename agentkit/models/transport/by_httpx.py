"""httpx as its authors ship it: the default, sync and async."""

from __future__ import annotations

import sys
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any

from agentkit import errors
from agentkit.models.transport.keeping import KEEP_SECONDS, AsyncHome, Home, Line, PerLoop, aclose_lines, close_lines
from agentkit.models.transport.replies import AsyncTrace, HttpxAsyncReply, SyncReply, Trace
from agentkit.models.transport.seam import AsyncReply, Post, Reply
from agentkit.models.transport.target import Target, Targets, context, no_context, proxy_for

if TYPE_CHECKING:
    import asyncio


def load() -> Any:
    """httpx, imported without its command line unless somebody has imported it already.

    Where click and rich are installed, as they are beside agentkit, it would load both and pygments for it, which
    doubles its time. A module that is `None` cannot be imported, and httpx takes that as if they were not there.
    """
    modules: dict[str, Any] = sys.modules
    leave_out = "httpx" not in modules
    if leave_out:
        modules["httpx._main"] = None
    try:
        import httpx
    finally:
        if leave_out:
            modules.pop("httpx._main", None)
    return httpx


class Httpx:
    """A transport by httpx, with one of its transports for each connection (see `keeping`).

    Args:
        proxy: The URL of a proxy; `None` leaves it to the environment.
        verify: What to trust, as in `shared`.
    """

    def __init__(self, proxy: str | None, verify: Any) -> None:
        self._httpx = httpx = load()
        self._verify = verify
        self._targets = Targets(httpx.URL, _raw_headers, partial(proxy_for, proxy))
        self._limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEEP_SECONDS)
        self._homes: dict[str, Home] = {}
        self._per_loop: PerLoop[dict[str, AsyncHome]] = PerLoop(dict, _aclose_homes, dict[str, AsyncHome].clear)

    def send(self, post: Post) -> AbstractContextManager[Reply]:
        """Send in the calling thread."""
        return SyncReply(post, self._targets.find(post.url), self)

    def asend(self, post: Post) -> AbstractAsyncContextManager[AsyncReply]:
        """Send on the running event loop."""
        return HttpxAsyncReply(post, self._targets.find(post.url), self)

    def line(self, target: Target) -> Line:
        """The idle line to the target that was used last, or a new one."""
        home = self._homes.get(target.origin) or self._homes.setdefault(target.origin, Home())
        line = home.take()
        if line is None:
            made = self._httpx.HTTPTransport(**self._options(target))
            line = Line(made.handle_request, made.close, home)
        return line

    async def aline(self, target: Target, loop: asyncio.AbstractEventLoop) -> Line:
        """The same, on an event loop."""
        homes = await self._per_loop.here(loop)
        home = homes.get(target.origin)
        if home is None:
            home = homes[target.origin] = AsyncHome()
        line = await home.line(loop)
        if line is None:
            try:
                made = self._httpx.AsyncHTTPTransport(**self._options(target))
            except BaseException:
                home.connected()
                raise
            line = Line(made.handle_async_request, made.aclose, home)
        return line

    def request(self, post: Post, target: Target, trace: Trace | AsyncTrace | None) -> Any:
        """A request of httpx, with ready headers and body."""
        headers = target.headers(post.headers)
        if post.body is not None:
            headers = [*headers, (b"Content-Length", b"%d" % len(post.body))]
        extensions: dict[str, Any] = {"timeout": {"connect": post.patience.connecting()[0]}}
        if trace is not None:
            extensions["trace"] = trace
        stream = self._httpx.ByteStream(post.body or b"")
        return self._httpx.Request(post.method, target.url, headers=headers, stream=stream, extensions=extensions)

    arequest = request

    def _options(self, target: Target) -> dict[str, Any]:
        proxy: Any = target.proxy
        secure_proxy = proxy is not None and proxy.startswith("https:")
        trust = context(self._verify) if target.tls or secure_proxy else no_context()
        if proxy is not None:
            try:
                proxy = self._httpx.Proxy(proxy, ssl_context=trust if secure_proxy else None)
            except Exception:
                raise errors.ConfigurationError(
                    "the proxy cannot be used: give its URL as `http://host:port`, `https://…` or `socks5://…`",
                    code="bad-transport",
                ) from None
        return {"verify": trust, "limits": self._limits, "proxy": proxy}

    def close(self) -> None:
        """Close the idle connections of threads and of running event loops."""
        self._close_sync()
        self._per_loop.close()

    async def aclose(self) -> None:
        """The same; those of this event loop are closed on return."""
        self._close_sync()
        await self._per_loop.aclose()

    def at_exit(self) -> None:
        """Close what is still open when the program ends."""
        self._close_sync()
        self._per_loop.at_exit()

    def forked(self) -> None:
        """In a forked child: use nothing of the parent's. Closing a descriptor here leaves it open there."""
        self._close_sync()
        self._per_loop.forked()

    def _close_sync(self) -> None:
        homes, self._homes = self._homes, {}
        for home in homes.values():
            close_lines(home.close())


async def _aclose_homes(homes: dict[str, AsyncHome]) -> None:
    for home in homes.values():
        await aclose_lines(home.close())


def _raw_headers(target: Target, headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    raw = [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]
    if not any(name.lower() == b"host" for name, _ in raw):
        raw.insert(0, (b"Host", target.url.netloc))
    return raw
