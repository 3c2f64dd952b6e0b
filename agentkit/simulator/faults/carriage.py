"""Faults of the sending: what is said stays as it is, but comes late, slowly, in pieces or not to its end.

The steps of a streamed reply are its events, one each; an unstreamed body is one step.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence

from agentkit.simulator.faults.kinds import Draw
from agentkit.simulator.reply import Cut, Reply, Step

_ARGUMENTS = b'"arguments":"'
_WIDE = re.compile(rb"[\xc0-\xff]")
"""The first byte of a character that has several."""


# ── Waiting ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def queued(steps: list[Step], reply: Reply, draw: Draw) -> Sequence[Step]:
    """Blank lines before a body, comments before a stream (WIRE section 5, rule 7), then the reply."""
    return [*_padding(reply, draw), *steps]


def queued_out(_: list[Step], reply: Reply, draw: Draw) -> Sequence[Step]:
    """The same, and then the server closes."""
    return [*_padding(reply, draw), Cut()]


def _padding(reply: Reply, draw: Draw) -> list[Step]:
    pad = b": keep-alive\n\n" if reply.streamed else b"\n"
    seconds: float = draw.options["seconds"]
    every: float = draw.options["every"]
    times = max(1, math.ceil(seconds / every)) if every > 0 else 1
    return [step for _ in range(times) for step in (pad, draw.pause(seconds / times))]


def silent(draw: Draw) -> float:
    """For how long nothing is sent, not even a status."""
    return draw.pause(draw.options["seconds"]).seconds


def stall(steps: list[Step], _: Reply, draw: Draw) -> Sequence[Step]:
    """A silence inside; what follows comes after it."""
    before, after = _parted(steps, draw)
    return [*before, draw.pause(draw.options["seconds"]), *after]


def drip(steps: list[Step], _: Reply, draw: Draw) -> Sequence[Step]:
    """A few bytes at a time, with a pause after each."""
    size = max(1, int(draw.options["bytes"]))
    pause = draw.pause(draw.options["every"])
    dripped: list[Step] = []
    for step in steps:
        if isinstance(step, bytes):
            for at in range(0, len(step), size):
                dripped += [step[at : at + size], pause]
        else:
            dripped.append(step)
    return dripped


# ── Ending too early ─────────────────────────────────────────────────────────────────────────────────────────────────


def cut_chunk(steps: list[Step], _: Reply, draw: Draw) -> Sequence[Step]:
    """The connection ends within an event, or within the body."""
    return [*_parted(steps, draw, inside=True)[0], Cut()]


def cut_utf8(steps: list[Step], _: Reply, draw: Draw) -> Sequence[Step]:
    """The connection ends within a character."""
    del draw
    for number, step in enumerate(steps):
        wide = _WIDE.search(step) if isinstance(step, bytes) else None
        if wide:
            return [*steps[:number], wide.string[: wide.start() + 1], Cut()]
    return steps


def cut_arguments(steps: list[Step], reply: Reply, draw: Draw) -> Sequence[Step]:
    """The connection ends within the arguments of a call, between two events of a stream."""
    if reply.streamed:
        events = [(n, step) for n, step in enumerate(steps) if isinstance(step, bytes) and _ARGUMENTS in step]
        # some servers name the call in each fragment, or send it in one: then perhaps the next call is what is cut off
        places = [n for n, step in events if b'"name":' not in step] or [n for n, _ in events]
        return [*steps[: draw.random.choice(places[1:] or places)], Cut()] if places else steps
    body = b"".join(step for step in steps if isinstance(step, bytes))
    place = body.find(_ARGUMENTS)
    return [body[: place + len(_ARGUMENTS) + draw.random.randint(0, 2)], Cut()] if place >= 0 else steps


def no_done(steps: list[Step], _: Reply, draw: Draw) -> Sequence[Step]:
    """The stream ends in order, but without `[DONE]`."""
    del draw
    return [step for step in steps if step != b"data: [DONE]\n\n"]


def no_finish(steps: list[Step], _: Reply, draw: Draw) -> Sequence[Step]:
    """The stream ends in order, but without a reason and without `[DONE]`."""
    del draw
    ends = [n for n, step in enumerate(steps) if isinstance(step, bytes) and b'"finish_reason":"' in step]
    return steps[: ends[0]] if ends else steps


def error_inside(steps: list[Step], reply: Reply, draw: Draw) -> Sequence[Step]:
    """An error where a chunk was due, and the end; instead of a whole body, an error with status 200."""
    kind = "server_error"
    error = {"error": {"message": draw.options["message"], "type": kind, "param": None, "code": kind}}
    text = json.dumps(error, separators=(",", ":")).encode()
    if not reply.streamed:
        return [text]
    return [*_parted(steps, draw)[0], b"data: " + text + b"\n\n"]


def _parted(steps: list[Step], draw: Draw, *, inside: bool = False) -> tuple[list[Step], list[Step]]:
    """The steps before a place and those after it.

    The place is after so many events; of a body that is one step, within that. `inside` puts it within the event that
    comes next.
    """
    if len(steps) == 1 and isinstance(steps[0], bytes):
        body = steps[0]
        at = draw.random.randint(1, max(1, len(body) - 1))
        return [body[:at]], [body[at:]]
    place = draw.place(len(steps) - 2)
    step = steps[place] if steps else b""
    if not inside or not isinstance(step, bytes):
        return steps[:place], steps[place:]
    at = draw.random.randint(1, max(1, len(step) - 3))
    return [*steps[:place], step[:at]], [step[at:], *steps[place + 1 :]]
