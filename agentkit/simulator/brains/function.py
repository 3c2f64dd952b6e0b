"""A Python function as a brain: it takes a `Turn` and gives what is said (`agentkit.simulator.brains.said`)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from traceback import extract_tb

from agentkit.errors import ConfigurationError
from agentkit.simulator.brains import Brain, Turn
from agentkit.simulator.brains.said import plan_of
from agentkit.simulator.plan import Plan
from agentkit.simulator.refusal import Refusal


def function(answer: Callable[[Turn], object]) -> Brain:
    """A brain that calls a function.

    What the function raises, and what it returns if that is no reply, becomes a 400 that says so, so that the program
    under test hears of it at once and the simulator's log keeps it.

    Raises:
        ConfigurationError: It is no function.
    """
    if not callable(answer):
        raise ConfigurationError(
            f"a brain is a function of a `Turn`, and {answer!r} cannot be called", code="bad-simulator"
        )
    name = getattr(answer, "__qualname__", type(answer).__name__)

    def brain(turn: Turn) -> Plan:
        try:
            return plan_of(answer(turn), f"brain `{name}`")
        except Refusal:
            raise
        except ConfigurationError as error:
            raise Refusal(str(error)) from error
        except Exception as error:
            raise Refusal(f"brain `{name}` raised {type(error).__name__}: {error}{_place(error)}") from error

    return brain


def _place(error: BaseException) -> str:
    """Where it was raised, seen from the function."""
    frames = [frame for frame in extract_tb(error.__traceback__ or sys.exc_info()[2]) if frame.filename != __file__]
    return f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
