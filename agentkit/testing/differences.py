"""The first difference between two JSON values, in words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

BEFORE, AFTER = 30, 60
"""So many characters are shown before and behind the place where two texts part."""


def first_difference(expected: bytes, got: bytes) -> str:
    """Where two bodies differ first, in three lines: the place, what was expected there, and what is there.

    Args:
        expected: The body that was recorded.
        got: The body that was sent; another one.
    """
    try:
        one, other = json.loads(expected), json.loads(got)
        found = _differ(one, other, "")
    except ValueError:
        one, found = None, None
    if found is None:  # the same JSON in other bytes, or no JSON
        at = in_common(expected, got)
        left, right = (_around(body.decode(errors="replace"), at) for body in (expected, got))
        return _lines(f"byte {at}", left, right)
    place, left, right = found
    return _lines(place + _whose(one, place), left, right)


def in_common(one: str | bytes, other: str | bytes) -> int:
    """How much of their beginnings two texts have in common."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (left, right) in pairs if left != right), min(len(one), len(other)))


def _lines(place: str, expected: str, got: str) -> str:
    return f"  {place}\n  expected: {expected}\n  got:      {got}"


def _whose(body: Any, place: str) -> str:
    """Whose message a place is in, so that nobody has to count."""
    if not place.startswith("messages["):
        return ""
    number = int(place[len("messages[") :].partition("]")[0])
    messages = cast("Sequence[Any]", body.get("messages", ()))
    message = messages[number] if number < len(messages) else None
    role = cast("Mapping[str, Any]", message).get("role") if isinstance(message, dict) else None
    return f" (a message of the role `{role}`)" if role else ""


def _differ(one: Any, other: Any, place: str) -> tuple[str, str, str] | None:
    if isinstance(one, dict) and isinstance(other, dict):
        left, right = cast("dict[str, Any]", one), cast("dict[str, Any]", other)
        for name in [*left, *(name for name in right if name not in left)]:
            within = f"{place}.{name}" if place else name
            if name not in left or name not in right:
                return within, _shown(left.get(name, _NOTHING)), _shown(right.get(name, _NOTHING))
            if (found := _differ(left[name], right[name], within)) is not None:
                return found
        return None
    if isinstance(one, list) and isinstance(other, list):
        first, second = cast("list[Any]", one), cast("list[Any]", other)
        for number in range(max(len(first), len(second))):
            within = f"{place}[{number}]"
            if number >= len(first) or number >= len(second):
                ends = [_shown(some[number]) if number < len(some) else _shown(_NOTHING) for some in (first, second)]
                return within, ends[0], ends[1]
            if (found := _differ(first[number], second[number], within)) is not None:
                return found
        return None
    if isinstance(one, str) and isinstance(other, str) and one != other:
        at = in_common(one, other)
        return place, _around(one, at), _around(other, at)
    left_, right_ = cast("object", one), cast("object", other)
    same = type(left_) is type(right_) and left_ == right_
    return None if same else (place, _shown(left_), _shown(right_))


_NOTHING: Any = object()


def _shown(value: object) -> str:
    if value is _NOTHING:
        return "(nothing)"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= BEFORE + AFTER else text[: BEFORE + AFTER] + "…"


def _around(text: str, at: int) -> str:
    start = max(0, at - BEFORE)
    part = json.dumps(text[start : at + AFTER], ensure_ascii=False)
    return f"{'…' if start else ''}{part}{'…' if at + AFTER < len(text) else ''}"
