"""JSON as DeepSeek's service reads it: types first, with the errors of its reader.

The service is written in Rust, and its texts are those of axum and serde (recorded: ``messages[0]: unknown variant
`image_url`, expected `text` at line 1 column 391``). The column is where that reader stood when it noticed, which
differs by kind: a message is read whole, and then one byte more, before its content is looked at; other values are
looked at as they end. Places are found by a second reading, and only when there is something to complain about.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from json.decoder import JSONDecodeError
from typing import Any, NoReturn, TypeVar, cast

from agentkit.simulator.profiles import Profile
from agentkit.simulator.refusal import Refusal

Path = tuple[str | int, ...]
"""The way to a value: keys and positions, such as `("messages", 0, "role")`."""

Read = TypeVar("Read")

_TARGET = "Failed to deserialize the JSON body into the target type: "
_SYNTAX = "Failed to parse the request body as JSON: "


class Unfit(Exception):
    """A value of the wrong type: the text, the path it is told under, and the two types in question if it is one."""

    def __init__(self, text: str, path: Path, status: int = 400, expected: str = "", found: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.path = path
        self.status = status
        self.expected = expected
        self.found = found


def read(body: bytes, profile: Profile, target: str, build: Callable[[dict[str, Any], Profile], Read]) -> Read:
    """Read a request body: JSON that is an object, and then what `build` makes of it.

    Args:
        body: The bytes.
        profile: Whose endpoint it is.
        target: What the body is called in a complaint that it is no object.
        build: Raises `Unfit` where a value has a type or a variant that the endpoint does not know.

    Raises:
        Refusal: It is not JSON, or does not fit (HTTP 400; 422 for a `thinking` that is not an object, as reported).
    """
    value = _parse(body)
    try:
        if not isinstance(value, dict):
            invalid_type(value, f"struct {target}", ())
        return build(cast("dict[str, Any]", value), profile)
    except Unfit as unfit:
        if unfit.expected and "field" in profile.words:
            field = str(unfit.path[-1]) if unfit.path else ""
            raise profile.refusal("field", field=field, expected=unfit.expected, found=unfit.found) from None
        place = _place(body.decode("utf-8", "replace"), unfit.path)
        raise Refusal(f"{_TARGET}{_shown(unfit.path)}{unfit.text} at {place}", status=unfit.status) from None


# ── JSON ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _parse(body: bytes) -> Any:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refusal(f"{_SYNTAX}invalid unicode code point at {_line_column(body[: error.start + 1])}") from None
    try:
        return json.loads(text, parse_constant=_no_constant)
    except JSONDecodeError as error:
        raise Refusal(_SYNTAX + _syntax(text, error)) from None
    except RecursionError:
        raise Refusal(f"{_SYNTAX}recursion limit exceeded at line 1 column 128") from None
    except ValueError:  # NaN, Infinity, or an integer of thousands of digits
        raise Refusal(f"{_SYNTAX}expected value at line 1 column 1") from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


_SERDE_TEXTS = (
    ("Expecting property name", "key must be a string", 1),
    ("Expecting ':'", "expected `:`", 1),
    ("Expecting ','", "expected `,` or `}`", 1),
    ("Extra data", "trailing characters", 1),
    ("Invalid control character", "control character (\\u0000-\\u001F) found while parsing a string", 1),
    ("Invalid \\escape", "invalid escape", 2),
    ("Invalid \\uXXXX", "invalid escape", 2),
    ("Illegal trailing comma", "trailing comma", 2),
    ("Expecting value", "expected value", 1),
)


def _syntax(text: str, error: JSONDecodeError) -> str:
    if error.msg.startswith("Unterminated string"):
        return f"EOF while parsing a string at {_line_column(text.encode())}"
    if not text[error.pos :].strip():
        what = "a value" if error.msg.startswith("Expecting value") else "an object"
        return f"EOF while parsing {what} at {_line_column(text.encode())}"
    for start, serde, ahead in _SERDE_TEXTS:
        if error.msg.startswith(start):
            return f"{serde} at {_line_column(text[: error.pos + ahead].encode())}"
    return f"expected value at {_line_column(text[: error.pos + 1].encode())}"


def _line_column(read: bytes) -> str:
    """Where a reader stands that has read these bytes: lines from 1, columns in bytes of the line."""
    return f"line {read.count(10) + 1} column {len(read) - read.rfind(10) - 1}"


def _shown(path: Path) -> str:
    """`messages[0].role: `, or nothing for the body itself."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return f"{text.removeprefix('.')}: " if text else ""


def _place(text: str, path: Path) -> str:
    end = _end_of(text, path)
    if len(path) == 2 and path[0] == "messages":
        # A message is read whole, and the comma or bracket after it too, before its content is looked at.
        end = _skip_space(text, end) + 1
    return _line_column(text[:end].encode("utf-8", "replace"))


def _end_of(text: str, path: Path) -> int:
    """The index after the value at a path, which is known to be there, in a text that is known to be JSON."""
    decoder = json.JSONDecoder()
    at = _skip_space(text, 0)
    for step in path:
        at = _skip_space(text, at + 1)
        if isinstance(step, int):
            for _ in range(step):
                at = _skip_space(text, _skip_space(text, decoder.raw_decode(text, at)[1]) + 1)
            continue
        while True:
            key, at = decoder.raw_decode(text, at)
            at = _skip_space(text, _skip_space(text, at) + 1)
            if key == step:
                break
            at = _skip_space(text, _skip_space(text, decoder.raw_decode(text, at)[1]) + 1)
    return decoder.raw_decode(text, at)[1]


def _skip_space(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


# ── Types ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def invalid_type(value: Any, expected: str, path: Path, status: int = 400) -> NoReturn:
    """Raises: Unfit: Always; `expected` is what the reader calls the type that it wants."""
    wanted = _JSON_TYPES.get(expected, "object")
    raise Unfit(f"invalid type: {_named(value)}, expected {expected}", path, status, wanted, _json_type(value))


_JSON_TYPES = {"f32": "number", "u32": "number", "u64": "number", "a boolean": "boolean", "a string": "string"}


def _json_type(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return {str: "string", list: "array"}.get(cast("type[Any]", type(value)), "object")


def _named(value: Any) -> str:
    """What serde calls a JSON value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"boolean `{str(value).lower()}`"
    if isinstance(value, int):
        return f"integer `{value}`"
    if isinstance(value, float):
        return f"floating point `{value}`"
    if isinstance(value, str):
        return f"string {json.dumps(value, ensure_ascii=False)}"
    return "sequence" if isinstance(value, list) else "map"


def _variants(names: Sequence[str]) -> str:
    quoted = [f"`{name}`" for name in names]
    if len(quoted) == 1:
        return quoted[0]
    return f"{quoted[0]} or {quoted[1]}" if len(quoted) == 2 else f"one of {', '.join(quoted)}"


def unknown_variant(value: str, names: Sequence[str], path: Path) -> NoReturn:
    """Raises: Unfit: Always; `names` are the variants that there are."""
    raise Unfit(f"unknown variant `{value}`, expected {_variants(names)}", path)


def missing(name: str, path: Path) -> NoReturn:
    """Raises: Unfit: Always; a field is not there."""
    raise Unfit(f"missing field `{name}`", path)


def a_number(body: Mapping[str, Any], name: str) -> float | None:
    """A number of the body, or `None`."""
    value = body.get(name)
    if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        return value
    invalid_type(value, "f32", (name,))


def an_integer(body: Mapping[str, Any], name: str, kind: str = "u32") -> int | None:
    """An integer of the body, or `None`; `kind` is what the reader calls its type."""
    value = body.get(name)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    invalid_type(value, kind, (name,))


def a_boolean(body: Mapping[str, Any], name: str, path: Path = ()) -> bool:
    """A boolean at the end of a path; absent and null are `False`."""
    value = body.get(name)
    if value is None or isinstance(value, bool):
        return bool(value)
    invalid_type(value, "a boolean", (*path, name))


def a_string(value: Any, path: Path) -> str:
    """The value, which must be a string."""
    if isinstance(value, str):
        return value
    invalid_type(value, "a string", path)


def an_object(value: Any, expected: str, path: Path, status: int = 400) -> dict[str, Any]:
    """The value, which must be an object."""
    if isinstance(value, dict):
        return cast("dict[str, Any]", value)
    invalid_type(value, expected, path, status)


def a_list(value: Any, path: Path) -> list[Any]:
    """The value, which must be a list."""
    if isinstance(value, list):
        return cast("list[Any]", value)
    invalid_type(value, "a sequence", path)
