"""What a tool returned, as the text that a model is told."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Collection, Mapping
from typing import Any, Literal, cast

_REPR = 500
"""So many characters of a `repr` are shown."""

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def as_text(value: Any, odd: list[str] | None = None) -> str:
    """A string as it is, anything else as JSON; never an exception.

    Dataclasses, pydantic models, dates, sets, decimals and enums are written as pydantic writes them, other mappings
    and collections (numpy's arrays too) as objects and arrays, bytes as base64 with a note of their length, `None` as
    `null`, NaN as `NaN`. What has no form in JSON, or holds itself, is a short `repr` without addresses.

    Args:
        value: Anything.
        odd: Gets the type of each object that is told by its `repr`.
    """
    if isinstance(value, str):
        return clean(str.__str__(value))
    if isinstance(value, bytes | bytearray | memoryview):
        data = bytes(cast("bytes", value))
        return f"[{len(data)} bytes as base64] {base64.b64encode(data).decode()}"
    return _json_text(value, "constants", odd)


def as_json(value: Any, odd: list[str] | None = None) -> Any:
    """A value as JSON has it: dictionaries, lists, strings, numbers. What has no form in it is a short `repr`.

    Args:
        value: Anything.
        odd: Gets the type of each object that is told by its `repr`.
    """
    from pydantic_core import from_json

    text = _json_text(value, "strings", odd)
    try:
        return from_json(text)
    except ValueError:  # it goes deeper than readers of JSON follow, or holds a number of more digits
        if odd is not None:
            odd.append(type(value).__name__)
        return safe_repr(value)


def _json_text(value: Any, nan: Literal["constants", "strings"], odd: list[str] | None) -> str:
    import pydantic_core

    found: list[str] = []

    def other(one: Any) -> Any:
        return _in_other_form(one, found)

    try:
        text = pydantic_core.to_json(value, fallback=other, bytes_mode="base64", inf_nan_mode=nan).decode()
    except Exception:  # half a surrogate pair, a circle, or a serializer of the value's own
        found.clear()
        try:
            plain = pydantic_core.to_jsonable_python(value, fallback=other, bytes_mode="base64", inf_nan_mode=nan)
            text = clean(json.dumps(plain, ensure_ascii=False, separators=(",", ":")))
        except Exception:
            found[:] = [type(value).__name__]
            text = json.dumps(safe_repr(value), ensure_ascii=False)
    if odd is not None:
        odd += found
    return text


def _in_other_form(value: Any, odd: list[str]) -> Any:
    """What pydantic does not know as something that it does: a path, a mapping, a collection, an array, or a `repr`."""
    if isinstance(value, os.PathLike):
        return os.fspath(cast("os.PathLike[str]", value))
    if isinstance(value, Mapping):
        return dict(cast("Mapping[Any, Any]", value))
    if isinstance(value, Collection):
        return list(cast("Collection[Any]", value))
    if callable(convert := getattr(value, "tolist", None)) and not isinstance(value, type):
        return convert()
    odd.append(type(value).__name__)
    return safe_repr(value)


def safe_repr(value: Any) -> str:
    """A short `repr` that never fails and tells no address; an object without one of its own is named by its class."""
    name = f"<{type(value).__name__}>"
    if type(value).__repr__ is object.__repr__:
        return name
    try:
        text = clean(_ADDRESS.sub("", repr(value)))
    except Exception:
        return name
    return text if len(text) <= _REPR else text[:_REPR] + "…"


def clean(text: str) -> str:
    """A text that UTF-8 can carry: halves of surrogate pairs are joined, or else replaced by U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def cut(text: str, most: int, advice: str = "") -> str:
    """A text of at most `most` characters: a longer one loses its middle, and says how much and what to do.

    Args:
        text: The text.
        most: How many characters may stay, from 100.
        advice: What to do to see the rest; asking for a smaller part, if nothing is known.
    """
    if len(text) <= most:
        return text
    note = _note(len(text), most, advice) if advice else ""
    if not note or len(note) > most // 2:
        note = _note(len(text), most, "ask for a smaller part")
    room = max(0, most - len(note))
    head = room - room // 3
    return text[:head] + note + text[len(text) - room // 3 :]


def _note(length: int, most: int, advice: str) -> str:
    note = ""
    for _ in range(2):  # the note's own length depends on the numbers in it
        gone = length - most + len(note)
        note = f"\n[… {gone:,} of {length:,} characters cut here; {advice} …]\n"
    return note
