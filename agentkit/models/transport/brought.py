"""Clients that the caller brings: used as they are, and never closed."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any

from agentkit.errors import ConfigurationError
from agentkit.frozen import frozen
from agentkit.models.transport.keeping import Line
from agentkit.models.transport.replies import AsyncTrace, HttpxAsyncReply, SyncReply, Trace
from agentkit.models.transport.seam import AsyncReply, Post, Reply, Transport
from agentkit.models.transport.target import Target, Targets

if TYPE_CHECKING:
    import asyncio


@frozen
class Brought:
    """Two clients that the caller brings, one for each side.

    Attributes:
        sync: With the face of `httpx.Client`, or a transport of httpx; for `run` and `stream`.
        async_: With the face of `httpx.AsyncClient`, or an async transport of httpx; for `arun` and `astream`.
    """

    sync: Any = None
    async_: Any = None


def bring(client: Any) -> Transport:
    """A transport over what the caller brings, with its own headers, proxies, certificates and hooks.

    The time limits are ours all the same. On a connection of a sync client that was open before, the socket is known
    only once the headers are there: until then a limit is kept by the client's read timeout, and a stop has to wait.

    Args:
        client: A client with httpx's face, sync or async (`build_request` and `send`; httpx2 has it too); a transport
            of httpx (`handle_request`, `handle_async_request` or both); or `Brought`, one for each side.

    Returns:
        A transport for the sides that were brought; its `close` leaves the client open.

    Raises:
        ConfigurationError: It is none of these.
    """
    if not isinstance(client, Brought):
        sync, waits = _sides(client)
        if not sync and not waits:
            raise _unusable(client)
        client = Brought(sync=client if sync else None, async_=client if waits else None)
    elif client.sync is None and client.async_ is None:
        raise _unusable(client)
    if client.sync is not None and not _sides(client.sync)[0]:
        raise _unusable(client.sync)
    if client.async_ is not None and not _sides(client.async_)[1]:
        raise _unusable(client.async_)
    return _Clients(client)


def _is_client(thing: Any) -> bool:
    return callable(getattr(thing, "build_request", None)) and callable(getattr(thing, "send", None))


def _sides(thing: Any) -> tuple[bool, bool]:
    """Whether something can send in threads, and on an event loop."""
    from inspect import iscoroutinefunction

    if _is_client(thing):
        waits = iscoroutinefunction(thing.send)
        return not waits, waits
    return callable(getattr(thing, "handle_request", None)), callable(getattr(thing, "handle_async_request", None))


def _type(thing: object) -> str:
    return f"{type(thing).__module__.partition('.')[0]}.{type(thing).__qualname__}"


def _unusable(thing: object) -> ConfigurationError:
    return ConfigurationError(
        f'`transport=` cannot use a `{_type(thing)}` here: give `"httpx"`, `"aiohttp"`, an `httpx.Client`, an '
        "`httpx.AsyncClient`, or one for each side in `Brought(sync=…, async_=…)`",
        code="bad-transport",
    )


class _Clients:
    """A transport over brought clients."""

    def __init__(self, brought: Brought) -> None:
        self._brought = brought
        self._targets = Targets(str, _as_given, _direct)

    def send(self, post: Post) -> AbstractContextManager[Reply]:
        if self._brought.sync is None:
            raise ConfigurationError(
                f"`transport=` got an async client (`{_type(self._brought.async_)}`), and this is a sync run: bring an "
                "`httpx.Client`, or both in `Brought(sync=…, async_=…)`, or call `arun` or `astream`",
                code="sync-or-async",
            )
        return SyncReply(post, self._targets.find(post.url), self)

    def asend(self, post: Post) -> AbstractAsyncContextManager[AsyncReply]:
        if self._brought.async_ is None:
            raise ConfigurationError(
                f"`transport=` got a sync client (`{_type(self._brought.sync)}`), and this is an async run: bring an "
                "`httpx.AsyncClient`, or both in `Brought(sync=…, async_=…)`, or call `run` or `stream`",
                code="sync-or-async",
            )
        return HttpxAsyncReply(post, self._targets.find(post.url), self)

    def line(self, _: Target, /) -> Line:
        client = self._brought.sync
        return Line(partial(client.send, **_AS_IT_COMES) if _is_client(client) else client.handle_request)

    async def aline(self, _: Target, _loop: asyncio.AbstractEventLoop, /) -> Line:
        client = self._brought.async_
        return Line(partial(client.send, **_AS_IT_COMES) if _is_client(client) else client.handle_async_request)

    def request(self, post: Post, target: Target, trace: Trace | None) -> Any:
        patience = post.patience
        timeouts = _timeouts(post)
        if patience.first_byte is not None and patience.idle is not None:
            timeouts["read"] = max(patience.first_byte, patience.idle)  # what a read may take depends on the phase
        if patience.total is not None:
            timeouts["read"] = min(timeouts["read"] or patience.total, patience.total)
        return _built(self._brought.sync, post, target, {"timeout": timeouts, "trace": trace})

    def arequest(self, post: Post, target: Target, trace: AsyncTrace | None) -> Any:
        extensions = {"timeout": _timeouts(post)}
        return _built(
            self._brought.async_, post, target, extensions if trace is None else {**extensions, "trace": trace}
        )

    def close(self) -> None:
        pass

    async def aclose(self) -> None:
        pass


def _as_given(_: Target, headers: dict[str, str]) -> dict[str, str]:
    return headers


def _direct(_scheme: str, _host: str) -> None:
    """Proxies are the client's business."""


_AS_IT_COMES = {"stream": True, "follow_redirects": False}


def _timeouts(post: Post) -> dict[str, float | None]:
    return {"connect": post.patience.connecting()[0], "read": None, "write": None, "pool": None}


def _built(client: Any, post: Post, target: Target, extensions: dict[str, Any]) -> Any:
    headers = target.headers(post.headers)
    if _is_client(client):
        return client.build_request(post.method, post.url, content=post.body, headers=headers, extensions=extensions)
    import httpx

    return httpx.Request(post.method, post.url, content=post.body, headers=headers, extensions=extensions)
