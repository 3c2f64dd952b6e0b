"""A history that a caller hands in: checked, and mended where there is but one way to mend it.

Endpoints refuse a history in which a call has no answer, or an answer no call (WIRE section 7). What was saved by
another program, or cut by hand, often has such places.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import get_args

from agentkit.errors import ConfigurationError
from agentkit.messages import Assistant, Entry, ToolCall, ToolMessage, told_apart

_KINDS = frozenset(get_args(Entry))

NEVER_ANSWERED = "This call was interrupted and never answered."


def mended(history: Iterable[Entry]) -> tuple[list[Entry], list[str]]:
    """The history with one answer to each call and no other answers, and a sentence on each thing that was mended.

    Calls of the last assistant message may be open: they are what happens next. Calls before it that were never
    answered get an answer that says so; answers to no call are left out, as are second ones; an answer without an id
    is given that of the only open call, or the only one of its tool; calls without an id, or with one that another
    call of the message has, get one of their own if none of them was answered.

    Raises:
        ConfigurationError: Something in it is no message and no note.
    """
    entries = list(history)
    made: list[Entry] = []
    told: list[str] = []
    open_calls: dict[str, ToolCall] = {}
    for position, entry in enumerate(entries):
        if type(entry) not in _KINDS:
            raise _no_entry(position, entry)
        if isinstance(entry, Assistant):
            for call in open_calls.values():
                told.append(f"the call `{call.id}` of `{call.name}` was never answered; it now says so")
                made.append(ToolMessage(call.id, call.name, NEVER_ANSWERED, ok=False))
            calls = told_apart(entry.tool_calls)
            if calls != entry.tool_calls and not _any_answered(entry, entries[position + 1 :]):
                told.append("calls of one message that had no id, or the same one, got ids of their own")
                entry = replace(entry, tool_calls=calls)
            open_calls = {call.id: call for call in entry.tool_calls}
        elif isinstance(entry, ToolMessage):
            if not entry.tool_call_id and (only := _only(open_calls, entry.name)):
                entry = replace(entry, tool_call_id=only)
                told.append(f"an answer of `{entry.name}` without an id was given to the call `{entry.tool_call_id}`")
            if open_calls.pop(entry.tool_call_id, None) is None:
                told.append(f"an answer of `{entry.name}` to `{entry.tool_call_id}`, no open call, is left out")
                continue
        made.append(entry)
    return made, told


def _only(open_calls: Mapping[str, ToolCall], name: str) -> str | None:
    """The id of the one call that an answer without an id can be meant for."""
    fitting = [id for id, call in open_calls.items() if call.name == name] or list(open_calls)
    return fitting[0] if len(fitting) == 1 else None


def _any_answered(message: Assistant, after: Iterable[Entry]) -> bool:
    ids = {call.id for call in message.tool_calls} - {""}
    for entry in after:
        if isinstance(entry, Assistant):
            return False
        if isinstance(entry, ToolMessage) and entry.tool_call_id in ids:
            return True
    return False


def _no_entry(position: int, entry: object) -> ConfigurationError:
    return ConfigurationError(
        f"`history[{position}]` is a `{type(entry).__name__}`, not a message: a history is made of `User`, `Assistant`,"
        " `ToolMessage`, `System` and `Note` (`agentkit.messages.load` reads them from JSON)",
        code="bad-history",
    )
