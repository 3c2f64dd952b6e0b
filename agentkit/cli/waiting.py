"""Calls that wait for a verdict, as they are told."""

from __future__ import annotations

from collections.abc import Iterable

from agentkit.cli.text import call_line, one_line
from agentkit.messages import ToolCall

WHOLE = 100_000
"""How many characters of a call are shown to whom decides on it: nobody should decide on what was cut."""


def told_of(calls: Iterable[ToolCall]) -> str:
    """Lines that tell the calls, each with its id and all of its arguments."""
    return "".join(f"   {one_line(call.id, 80)}  {call_line(call.name, call.arguments, WHOLE)}\n" for call in calls)
