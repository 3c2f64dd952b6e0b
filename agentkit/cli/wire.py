"""What a run sent and received, byte for byte: a file of JSON lines beside the sessions, `wire/RUN.jsonl`.

`{"sent": n, "at", "method", "url", "headers", "body"}` is a request, `{"got": n, "after", "status", "headers"}` the
head of its reply, `{"got": n, "after", "body"}` a piece of it as it came off the wire, and `{"got": n, "after", "end"}`
its end, with the error that ended it or `""`. `after` counts seconds from the request. Headers that say nothing of the
wire format are not kept, since they may hold secrets. Bytes that are no UTF-8 stand as lone surrogates.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
)
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any

from agentkit.errors import ConfigurationError
from agentkit.events import Event
from agentkit.home import home
from agentkit.messages import Note
from agentkit.models.transport import AsyncReply, Post, Reply, Transport
from agentkit.models.transport.between import Passed, between
from agentkit.transcript import RUN

FOLDER = "wire"
"""The folder within `home()`."""

_SHOWN = {"accept", "content-type", "content-length", "transfer-encoding", "date", "retry-after", "x-ds-trace-id"}


def file_of(run: str) -> Path:
    """Where the traffic of a run is kept."""
    return home() / FOLDER / f"{run}.jsonl"


@contextmanager
def logged(tell: Callable[[Event], None]) -> Generator[Callable[[Event], None]]:
    """Keep what runs send and receive within a `with` block.

    Args:
        tell: What else is done with each event.

    Returns:
        What is to be called with each event of the run, which tells its id.
    """
    log = Log()

    def watch(event: Event) -> None:
        if isinstance(event, Note) and event.kind == RUN and not log.run:
            log.run = str(event.data.get("id", ""))
        tell(event)

    with between(lambda transport: _Tap(transport, log)):
        yield watch


class Log:
    """The file of one run, begun with its first request.

    Attributes:
        run: The run's id.
    """

    def __init__(self) -> None:
        self.run = ""
        self._count = 0
        self._lock = Lock()

    def sent(self, post: Post) -> Exchange:
        """Note a request.

        Raises:
            ConfigurationError: The file cannot be written.
        """
        with self._lock:
            self._count += 1
            exchange = Exchange(self, self._count)
        body = (post.body or b"").decode("utf-8", "surrogateescape")
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        self.write(
            {
                "sent": exchange.number,
                "at": now,
                "method": post.method,
                "url": post.url,
                "headers": _public(post.headers),
                "body": body,
            }
        )
        return exchange

    def write(self, line: Mapping[str, Any]) -> None:
        """Add a line."""
        path = file_of(self.run)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            number = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(number, json.dumps(line).encode() + b"\n")
            finally:
                os.close(number)
        except OSError as error:
            raise ConfigurationError(
                f"what is sent cannot be kept in `{path}`: {error.strerror}; set"
                " `AGENTKIT_HOME` to another folder, or leave out `--log`",
                code="bad-path",
            ) from error


class Exchange:
    """One request and its reply in the log."""

    def __init__(self, log: Log, number: int) -> None:
        self.number = number
        self._log = log
        self._began = time.monotonic()

    def head(self, status: int, headers: Mapping[str, str]) -> None:
        """Note the beginning of the reply."""
        self._note(status=status, headers=_public(headers))

    def body(self, piece: bytes) -> None:
        """Note a piece of the reply."""
        self._note(body=piece.decode("utf-8", "surrogateescape"))

    def end(self, error: BaseException | None) -> None:
        """Note the end of the reply."""
        self._note(end="" if error is None else type(error).__name__)

    def _note(self, **more: Any) -> None:
        after = round(time.monotonic() - self._began, 3)
        self._log.write({"got": self.number, "after": after, **more})


def _public(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() in _SHOWN}


class _Tap:
    """A transport that notes what it hands on, and what comes back."""

    def __init__(self, transport: Transport, log: Log) -> None:
        self._transport = transport
        self._log = log

    def send(self, post: Post) -> AbstractContextManager[Reply]:
        return self._send(post)

    @contextmanager
    def _send(self, post: Post) -> Generator[Reply]:
        exchange = self._log.sent(post)
        try:
            with self._transport.send(post) as reply:
                exchange.head(reply.status, reply.headers)
                yield _Heard(reply, exchange)
        except BaseException as error:
            exchange.end(error)
            raise
        exchange.end(None)

    def asend(self, post: Post) -> AbstractAsyncContextManager[AsyncReply]:
        return self._asend(post)

    @asynccontextmanager
    async def _asend(self, post: Post) -> AsyncGenerator[AsyncReply]:
        exchange = self._log.sent(post)
        try:
            async with self._transport.asend(post) as reply:
                exchange.head(reply.status, reply.headers)
                yield _AsyncHeard(reply, exchange)
        except BaseException as error:
            exchange.end(error)
            raise
        exchange.end(None)

    def close(self) -> None:
        self._transport.close()

    async def aclose(self) -> None:
        await self._transport.aclose()


class _Heard(Passed[Reply]):
    """A reply whose pieces are noted as they are read."""

    def __init__(self, reply: Reply, exchange: Exchange) -> None:
        super().__init__(reply)
        self._exchange = exchange

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._reply:
            self._exchange.body(piece)
            yield piece


class _AsyncHeard(Passed[AsyncReply]):
    """The same on an event loop."""

    def __init__(self, reply: AsyncReply, exchange: Exchange) -> None:
        super().__init__(reply)
        self._exchange = exchange

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._reply:
            self._exchange.body(piece)
            yield piece
