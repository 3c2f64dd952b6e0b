"""What stands between models and their transports for the length of a block: the seam for whoever watches requests."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Generic, TypeVar

from agentkit.models.transport.seam import AsyncReply, Reply, Transport, Watch

Wrap = Callable[[Transport], Transport]
"""Puts something in front of a transport: it sees each `Post` first and each reply last."""

R = TypeVar("R", Reply, AsyncReply)

_wraps: ContextVar[tuple[Wrap, ...]] = ContextVar("agentkit_between", default=())
_pace: ContextVar[float | None] = ContextVar("agentkit_pace", default=None)


@contextmanager
def between(wrap: Wrap, *, pace: float | None = None) -> Generator[None]:
    """Put something in front of the transport of every request that models send within a `with` block.

    It holds for this thread or task and for what runs on its behalf: streams, tools, agents that are tools. Of several
    blocks, one within the other, the innermost sees a request first.

    Args:
        wrap: Called once for each request to be sent, with what stands behind it.
        pace: Where `wrap` answers all requests by itself: how long a second is that is waited between two attempts.
            No key is needed then.
    """
    token = _wraps.set((*_wraps.get(), wrap))
    before = _pace.set(_pace.get() if pace is None else pace)
    try:
        yield
    finally:
        _pace.reset(before)
        _wraps.reset(token)


def through(transport: Transport) -> Transport:
    """A model's transport, with what stands in front of it in this context."""
    for wrap in _wraps.get():
        transport = wrap(transport)
    return transport


def pace() -> float:
    """How long a second is that is waited between two attempts."""
    pace = _pace.get()
    return 1.0 if pace is None else pace


def alone() -> bool:
    """Whether no request of this context goes further than to what stands in front of the transports."""
    return _pace.get() is not None


class Passed(Generic[R]):
    """A reply that is passed on by what stands between: what it says of itself is what the reply says.

    Args:
        reply: What comes from behind.
    """

    def __init__(self, reply: R) -> None:
        self._reply: R = reply

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._reply.status

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, names in lower case."""
        return self._reply.headers

    @property
    def watch(self) -> Watch:
        """What keeps its time limits."""
        return self._reply.watch
