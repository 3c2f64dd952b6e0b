"""Who stands beside the runs of a block: sees what tools answered, and may answer in their place.

It is to tools what `models.transport.between` is to requests, for recordings.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar, Token
from itertools import count
from typing import Protocol

from agentkit.frozen import frozen
from agentkit.messages import ToolCall
from agentkit.models.request import Request
from agentkit.tools import Told

serials = count(1)
"""Numbers for calls: ids are the model's, and two runs may have the same."""


@frozen
class Called:
    """A call whose arguments passed the check.

    Attributes:
        serial: Its number in this process.
        call: The call, as it is carried out.
        final: Whether it is one of the output tool, which does nothing but check the answer.
    """

    serial: int
    call: ToolCall
    final: bool = False


class Onlooker(Protocol):
    """Stands beside runs. Its methods are called in the threads of the runs, of several at once."""

    def began(self, request: Request, /) -> None:
        """A run begins: its standing orders, and the transcript up to what the user says."""
        ...

    def answers(self, batch: Sequence[Called], /) -> Mapping[int, Told]:
        """What is told of some of these calls without running their tools, by serial, in the order it is to be said."""
        ...

    def ended(self, called: Called, told: Told, /, *, delegated: bool) -> None:
        """A tool was run and this is told of it; `delegated` says that it is an agent that was asked."""
        ...


_onlookers: ContextVar[tuple[Onlooker, ...]] = ContextVar("agentkit_beside", default=())
_under: ContextVar[int] = ContextVar("agentkit_under", default=0)


@contextmanager
def beside(onlooker: Onlooker) -> Generator[None]:
    """Have somebody stand beside the runs of a `with` block: those of this thread or task, and runs within them."""
    token = _onlookers.set((*_onlookers.get(), onlooker))
    try:
        yield
    finally:
        _onlookers.reset(token)


def onlookers() -> tuple[Onlooker, ...]:
    """Who stands beside the runs of this context, the outermost first."""
    return _onlookers.get()


def under(serial: int) -> Token[int]:
    """Say that what happens from now on is the doing of a call's tool, until `no_longer_under` is called."""
    return _under.set(serial)


def no_longer_under(token: Token[int]) -> None:
    """The tool is done; `token` is what `under` gave."""
    _under.reset(token)


def caller() -> int:
    """The serial of the call whose tool is running in this context; 0 for none."""
    return _under.get()
