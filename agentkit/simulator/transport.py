"""The simulator in-process, as an httpx transport: no socket, no thread, the same replies.

Pauses are slept, and longer ones than the client's read timeout end as they would on a network, in
`httpx.ReadTimeout`; a cut connection is an `httpx.RemoteProtocolError`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from typing import Any

import httpx

from agentkit.simulator.reply import Cut, Pause, Reply, Step

Handle = Callable[[str, str, Mapping[str, str], bytes], Reply]
"""Answers a request of this method, path, headers and body: `Simulator.handle`."""


class SimulatorTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Hands the requests of an `httpx.Client` or `httpx.AsyncClient` to a simulator's `handle`."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request of an `httpx.Client`."""
        reply = self._answer(request, request.read())
        limit = _read_timeout(request)
        seconds, late = _pause(Pause(reply.wait), limit)
        if seconds:
            time.sleep(seconds)
        if late:
            raise _too_late()
        return _response(reply, request, _SyncBody(reply.steps, limit))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request of an `httpx.AsyncClient`."""
        reply = self._answer(request, await request.aread())
        limit = _read_timeout(request)
        seconds, late = _pause(Pause(reply.wait), limit)
        if seconds:
            await asyncio.sleep(seconds)
        if late:
            raise _too_late()
        return _response(reply, request, _AsyncBody(reply.steps, limit))

    def _answer(self, request: httpx.Request, body: bytes) -> Reply:
        return self._handle(request.method, request.url.path, request.headers, body)


def _response(
    reply: Reply, request: httpx.Request, stream: httpx.SyncByteStream | httpx.AsyncByteStream
) -> httpx.Response:
    return httpx.Response(reply.status, headers=list(reply.headers), stream=stream, request=request)


def _read_timeout(request: httpx.Request) -> float | None:
    timeouts: dict[str, Any] = request.extensions.get("timeout", {})
    return timeouts.get("read")


def _pause(step: Pause, limit: float | None) -> tuple[float, bool]:
    """How long to sleep, and whether the client has lost patience by then."""
    if limit is not None and step.seconds > limit:
        return limit, True
    return step.seconds, False


class _SyncBody(httpx.SyncByteStream):
    def __init__(self, steps: Iterable[Step], limit: float | None) -> None:
        self._steps = steps
        self._limit = limit

    def __iter__(self) -> Iterator[bytes]:
        for step in self._steps:
            if isinstance(step, bytes):
                yield step
            elif isinstance(step, Pause):
                seconds, late = _pause(step, self._limit)
                time.sleep(seconds)
                if late:
                    raise _too_late()
            else:
                raise _cut(step)


class _AsyncBody(httpx.AsyncByteStream):
    def __init__(self, steps: Iterable[Step], limit: float | None) -> None:
        self._steps = steps
        self._limit = limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for step in self._steps:
            if isinstance(step, bytes):
                yield step
            elif isinstance(step, Pause):
                seconds, late = _pause(step, self._limit)
                await asyncio.sleep(seconds)
                if late:
                    raise _too_late()
            else:
                raise _cut(step)


def _too_late() -> httpx.ReadTimeout:
    return httpx.ReadTimeout("The read operation timed out")


def _cut(_: Cut) -> httpx.RemoteProtocolError:
    return httpx.RemoteProtocolError("peer closed connection without sending complete message body")
