"""What the simulator sends back: data that any way in can carry out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing is sent for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection is closed here, before the body is whole."""


Step = bytes | Pause | Cut
"""One thing that happens while a body is sent: bytes, a pause, or the connection's end."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP reply: its status, its headers (in order, without those of framing) and the steps of its body.

    `streamed` says that the steps should reach the client one by one. `length` says that the body is sent with a
    `Content-Length` instead of in chunks, as DeepSeek does with its errors (WIRE section 1.4). `wait` is for how many
    seconds nothing is sent at all, not even the status. `faults` and `idle` name the faults that were put into the
    reply, and those that found nothing in it to act on.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    steps: Iterable[Step]
    streamed: bool = False
    length: bool = False
    wait: float = 0.0
    faults: tuple[str, ...] = ()
    idle: tuple[str, ...] = ()

    @property
    def body(self) -> bytes:
        """All bytes of the body, without the pauses, up to a cut. A streamed reply can be read once."""
        return b"".join(_bytes_until_cut(self.steps))


def _bytes_until_cut(steps: Iterable[Step]) -> Iterator[bytes]:
    for step in steps:
        if isinstance(step, Cut):
            return
        if isinstance(step, bytes):
            yield step
