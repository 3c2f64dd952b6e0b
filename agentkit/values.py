"""What a tool returned, as the text that a model is told."""

from __future__ import annotations

import re
from typing import Any, cast

_REPR = 500
"""So many characters of a `repr` are shown."""

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def as_text(value: Any) -> str:
    """A string as it is, anything else as JSON; never an exception.

    Dataclasses, pydantic models, dates, sets, decimals and enums are written as pydantic writes them, bytes as base64
    with a note of their length, NaN as `NaN`. What has no form in JSON, or holds itself, is a short `repr` without
    addresses.
    """
    if isinstance(value, str):
        return clean(str.__str__(value))
    if isinstance(value, bytes | bytearray | memoryview):
        import base64

        data = bytes(cast("bytes", value))
        return f"[{len(data)} bytes as base64] {base64.b64encode(data).decode()}"
    from pydantic_core import to_json

    try:
        return to_json(value, fallback=safe_repr, bytes_mode="base64", inf_nan_mode="constants").decode()
    except Exception:  # half a surrogate pair, a circle, or a serializer of the value's own
        return _text_by_python(value)


def _text_by_python(value: Any) -> str:
    import json

    try:
        return clean(json.dumps(as_json(value), ensure_ascii=False, separators=(",", ":")))
    except Exception:
        return safe_repr(value)


def as_json(value: Any) -> Any:
    """A value as JSON has it: dictionaries, lists, strings, numbers. What has no form in it is a short `repr`."""
    from pydantic_core import to_jsonable_python

    try:
        return to_jsonable_python(value, fallback=safe_repr, bytes_mode="base64", inf_nan_mode="strings")
    except Exception:
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
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def cut(text: str, most: int) -> str:
    """A text of at most `most` characters: a longer one loses its middle, and says how much and what to do."""
    if len(text) <= most:
        return text
    note = ""
    for _ in range(2):  # the note's own length depends on the numbers in it
        gone = len(text) - most + len(note)
        note = f"\n[… {gone:,} of {len(text):,} characters cut here; ask for a smaller part …]\n"
    room = max(0, most - len(note))
    head = room - room // 3
    return text[:head] + note + text[len(text) - room // 3 :]
