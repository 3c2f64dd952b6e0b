"""What one read of the socket brought, as one piece, out of an iterator that gives it in many.

httpx gives a piece for each chunk of HTTP, and endpoints send each event in a chunk of its own. To handle a piece by
itself costs more than to read it. A piece that comes without waiting was there already, so those are joined.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine, Generator
from types import coroutine
from typing import Any

MOST = 256
"""How many pieces are joined at most, should an iterator never wait."""

_NOTHING: Any = object()
"""What the pump waits for when it only hands pieces over: it may go on at any time."""


class Reads:
    """Reads what an iterator gives, all in one task: a wait that has begun may hold something that belongs to it.

    The first piece after a wait is handed over alone, so that what comes by itself is not held up by the look for more.
    A wait that begins when there are pieces is left as it is until these were taken and more is asked for: until then
    the task must wait for nothing else, since a time limit within that wait would be one on whatever it waits for.

    Args:
        pieces: The iterator. It is not closed.
    """

    __slots__ = ("_awaited", "_ended", "_error", "_has_waited", "_pieces", "_pump")

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces: list[bytes] = []
        self._pump: Coroutine[Any, None, None] = self._fill(pieces)
        self._awaited: Any = _NOTHING  # what the pump waits for, to be yielded to the event loop
        self._has_waited = True  # whether the next piece is the first after a wait
        self._ended = False
        self._error: Exception | None = None  # what comes behind the pieces

    async def _fill(self, pieces: AsyncIterator[bytes]) -> None:
        """The pump: runs within `read`, not in a task of its own, and stops where it waits or hands over."""
        taken = self._pieces
        async for piece in pieces:
            taken.append(piece)
            if self._has_waited or len(taken) == MOST:
                self._has_waited = False
                await _hand_over()

    def _go_on(self, error: BaseException | None = None) -> None:
        """Let the pump run to its next wait."""
        self._awaited = _NOTHING
        try:
            self._awaited = self._pump.send(None) if error is None else self._pump.throw(error)
        except StopIteration:
            self._ended = True
        except BaseException as failed:
            self._ended = True
            if not isinstance(failed, Exception):
                raise
            self._error = failed
        finally:
            del error  # in a local of its own traceback, it keeps all that ran alive until the next collection

    @coroutine
    def read(self) -> Generator[Any, None, bytes]:
        """The next bytes; none at the end."""
        while True:
            if self._pieces:
                joined = b"".join(self._pieces)
                self._pieces.clear()
                if joined:
                    return joined
            elif self._ended:
                break
            elif self._awaited is _NOTHING:
                self._go_on()
            else:
                yield from self._wait()
        error, self._error = self._error, None
        if error is None:
            return b""
        try:
            raise error
        finally:
            del error

    def _wait(self) -> Generator[Any, None, None]:
        """Wait for what the pump waits for, and let it go on."""
        self._has_waited = True
        try:
            yield self._awaited
        except BaseException as error:  # the task is cancelled, and so is what the pump waits for
            self._go_on(error)
        else:
            self._go_on()

    @coroutine
    def aclose(self) -> Generator[Any, None, None]:
        """End a wait that has begun, as if its task was cancelled."""
        import asyncio

        ours = asyncio.CancelledError()
        try:
            if self._awaited is not _NOTHING:
                self._go_on(ours)
            while self._awaited is not _NOTHING:
                yield from self._wait()
        except asyncio.CancelledError as error:
            if error is not ours:
                raise
        finally:
            self._pump.close()
            self._ended, self._error = True, None
            del ours


@coroutine
def _hand_over() -> Generator[Any, None, None]:
    """Let `read` go on, and give nothing to the event loop."""
    yield _NOTHING
