"""A reply as data, before it is bytes: what is said, in which pieces, and where a budget cuts it.

A model writes one text: its reasoning, `</think>`, the answer, and a block of markup for the calls. A machine behind
it turns that into JSON (WIRE section 5, "Why the wire looks so"). Here it is the other way round: a brain gives a
`Plan`, `write` says in which pieces a model would have written it and what each costs in tokens, markup included, and
both renderers put the pieces on the wire. A budget cuts the list of pieces, so that streamed and unstreamed replies
are cut at the same place.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, cast

from agentkit.simulator import tokens
from agentkit.simulator.wire import Wire

_BLOCK_OPEN, _BLOCK_CLOSE = 7, 7
_CALL_OPEN, _CALL_NAME, _CALL_CLOSE = 5, 3, 9
_PARAMETER_OPEN, _PARAMETER_VALUE, _PARAMETER_CLOSE = 8, 4, 1
"""What the markup round a call costs in tokens, so chosen that the recorded cuts come out (WIRE section 4, the table
of budgets): with 12 tokens no call is seen, with 16 and 20 an opened one, with 24 the first key, with 32 some value.
The rest is chosen by recorded counts: 31 tokens for a call without arguments, and 19 for one that was forced, since
the reply begins behind the opening then."""


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call: its id (empty in a plan: the endpoint gives ids), the tool's name, its arguments as JSON text."""

    name: str
    arguments: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a brain answers. `finish_reason` is `None` for what follows from the rest: `tool_calls` or `stop`."""

    content: str = ""
    calls: tuple[Call, ...] = ()
    reasoning: str = ""
    finish_reason: str | None = None


class Piece(NamedTuple):
    """A piece of a reply as it is streamed. `kind` is `"reasoning"`, `"text"`, `"call"` (opens a call; `text` is the
    tool's name), `"arguments"`, or `"markup"` (costs tokens and is not seen); `call` is the position of its call."""

    kind: str
    text: str
    cost: int
    call: int = 0


OPENING = (Piece("markup", "<calls>", _BLOCK_OPEN), Piece("markup", "<call>", _CALL_OPEN))
"""What opens the block of calls, and a call in it."""


class Written(NamedTuple):
    """The pieces of a reply, its token counts and why it ended."""

    pieces: list[Piece]
    completion_tokens: int
    reasoning_tokens: int
    finish_reason: str


def stopped(plan: Plan, stops: Sequence[str]) -> Plan:
    """The plan as it ends at the first stop sequence in its answer; the sequence itself is not said."""
    places = [place for stop in stops if stop and (place := plan.content.find(stop)) >= 0]
    if not places:
        return plan
    return replace(plan, content=plan.content[: min(places)], calls=(), finish_reason="stop")


def continued(plan: Plan, prefix: str) -> Plan:
    """The plan as it goes on after a prefix: a content that repeats it says it once."""
    if not prefix or not plan.content.startswith(prefix):
        return plan
    return replace(plan, content=plan.content[len(prefix) :])


def habitual(plan: Plan, wire: Wire) -> Plan:
    """The plan with the habits of a server that change what is said, not only how it is written (WIRE section 9)."""
    if wire.compact:
        plan = replace(plan, calls=tuple(replace(call, arguments=_compact(call.arguments)) for call in plan.calls))
    if wire.narrated and plan.calls and not plan.content:
        names = ", ".join(dict.fromkeys(call.name for call in plan.calls))
        plan = replace(plan, content=f"Call the tool ({names}).\n\t\n\tThe user's wish needs it: I call ({names}).")
    if plan.calls and plan.finish_reason is None and wire.finish_with_calls != "tool_calls":
        plan = replace(plan, finish_reason=wire.finish_with_calls)
    if not wire.reasoning and plan.reasoning:
        plan = replace(plan, content=f"<think>\n{plan.reasoning}\n</think>\n\n{plan.content}", reasoning="")
    return plan


def _compact(arguments: str) -> str:
    try:
        return json.dumps(json.loads(arguments), ensure_ascii=False, separators=(",", ":"))
    except (ValueError, RecursionError):
        return arguments


def write(
    plan: Plan, *, thinking: bool, budget: int, reasoning_budget: int | None = None, forced: bool = False
) -> Written:
    """Say a plan in pieces, cut where `budget` tokens are spent. A reply that is cut ends with `length`.

    Args:
        plan: What is said.
        thinking: Whether its reasoning is.
        budget: How many tokens it may have.
        reasoning_budget: How many more the reasoning may have, where it does not count against the budget, as R1's did
            not in January 2025; usually it does (WIRE section 3, `max_tokens`).
        forced: Whether the prompt ends with `OPENING`, the beginning of a call.
    """
    pieces: list[Piece] = []
    if thinking:
        pieces += [Piece("reasoning", token, 1) for token in tokens.split(plan.reasoning)]
        if reasoning_budget is not None:
            if len(pieces) > reasoning_budget:
                return Written(pieces[:reasoning_budget], reasoning_budget, reasoning_budget, "length")
            budget += len(pieces) + 1
        pieces.append(Piece("markup", "</think>", 1))
    pieces += [Piece("text", token, 1) for token in tokens.split(plan.content)]
    if plan.calls:
        calls = _calls(plan.calls)
        pieces += calls[len(OPENING) :] if forced and not plan.content else calls
    finish = plan.finish_reason or ("tool_calls" if plan.calls else "stop")
    spent = sum(piece.cost for piece in pieces)
    if spent > budget:
        pieces, spent, finish = _cut(pieces, budget), budget, "length"
    reasoning = sum(piece.cost for piece in pieces if piece.kind == "reasoning")
    return Written(pieces, spent, reasoning, finish)


def _cut(pieces: list[Piece], budget: int) -> list[Piece]:
    kept: list[Piece] = []
    for piece in pieces:
        budget -= piece.cost
        if budget < 0:
            break
        kept.append(piece)
    return kept


def _calls(calls: Sequence[Call]) -> list[Piece]:
    """One call after the other, never interleaved (WIRE section 5, rule 3)."""
    pieces = [OPENING[0]]
    for number, call in enumerate(calls):
        pieces += (OPENING[1], Piece("call", call.name, _CALL_NAME, number))
        pieces += _arguments(call.arguments, number)
        pieces.append(Piece("markup", "", _CALL_CLOSE))
    pieces.append(Piece("markup", "", _BLOCK_CLOSE))
    return pieces


def _arguments(text: str, call: int) -> list[Piece]:
    """The fragments of one call's arguments: `{`, `"`, key, `"`, `: `, value pieces, `, `, `}` (WIRE section 5).

    Text that is not written as DeepSeek writes it (keys and values with `": "` and `", "`) is cut at its tokens.
    """
    if text == "{}":
        return [Piece("arguments", "{}", 0, call)]
    value = _object(text)
    pieces = _object_pieces(value, call) if value else []
    if "".join(piece.text for piece in pieces) == text:
        return pieces
    return [Piece("arguments", token, 1, call) for token in tokens.split(text)]


def _object(text: str) -> dict[str, Any] | None:
    try:
        value: Any = json.loads(text)
    except ValueError:
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def _object_pieces(value: dict[str, Any], call: int) -> list[Piece]:
    pieces: list[Piece] = []
    opening = "{"
    for key, item in value.items():
        pieces.append(Piece("arguments", opening, _PARAMETER_OPEN, call))
        pieces += [Piece("arguments", part, 0, call) for part in ('"', *_escaped(key), '"', ": ")]
        pieces.append(Piece("markup", "", _PARAMETER_VALUE))
        if isinstance(item, str):
            # The opening quote comes with the first token: a cut before it shows the bare key (recorded).
            parts = ['"', *_escaped(item), '"']
            costs = [1, 0, *[1] * (len(parts) - 3), _PARAMETER_CLOSE] if len(parts) > 2 else [0, _PARAMETER_CLOSE]
        else:
            parts = tokens.split(json.dumps(item, ensure_ascii=False))
            costs = [1] * len(parts)
        pieces += [Piece("arguments", part, cost, call) for part, cost in zip(parts, costs, strict=True)]
        opening = ", "
    pieces.append(Piece("arguments", "}", 0, call))
    return pieces


def _escaped(text: str) -> list[str]:
    return [json.dumps(token, ensure_ascii=False)[1:-1] for token in tokens.split(text)]
