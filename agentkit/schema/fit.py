"""Values of another type than the schema's, where they can mean one thing only: `"3"` for a number.

The validator is asked strictly first, so it tells by itself where a type is another; what is put there, it is asked
about again. So unions, limits and nested types keep their own word. Never guessed are: `true` for a number, a number
for a text, a date or a boolean, `"yes"`, a text for a list of one, `null` for something left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from agentkit.frozen import frozen
from agentkit.schema.arguments import flaws, steps_to
from agentkit.schema.repair import mend_value

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails, ValidationError

Validate = Callable[..., Any]
"""A validator's `validate_json`."""

NUMBER = "text for a number"
BOOLEAN = "text for a boolean"
LIST = "text for a list"
OBJECT = "text for an object"
WHOLE = "3.0 for 3"

_ROUNDS = 6
"""So many texts within each other are read; each round reads all of one depth."""

_EXACT = 2**53
"""Up to here each whole number has a float of its own."""

_GREATEST = 1.7976931348623157e308
"""The greatest number that a float holds."""

_LISTS = frozenset("list tuple set frozen_set deque named_tuple iterable".split())
_OBJECTS = frozenset("dict model model_attributes dataclass mapping arguments".split())
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,99})")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,99})(?:\.[0-9]{1,99})?(?:[eE][+-]?[0-9]{1,3})?")
_BOOLEANS = {"true": True, "false": False, "True": True, "False": False}
_MOMENTS = frozenset({"date_type", "datetime_type", "time_type", "time_delta_type"})
_NONE: Any = object()


@frozen
class Fitted:
    """Arguments that passed the check.

    Attributes:
        value: What the validator made of them.
        text: The JSON from which it made them.
        repairs: How often each kind of value was read as another type.
    """

    value: Any
    text: str | bytes
    repairs: Mapping[str, int]


class Misfit(Exception):
    """Arguments that do not fit.

    Attributes:
        error: What pydantic found.
        text: The JSON that it looked at, in which some values may have been put right already.
    """

    def __init__(self, error: ValidationError, text: str | bytes) -> None:
        super().__init__()
        self.error = error.with_traceback(None)  # else it keeps the frames that keep it
        self.text = text


def strictly(validate: Validate, text: str | bytes) -> Fitted:
    """Validate JSON as it stands; each value must be of its type. Raises `Misfit`, or what `fit` raises else."""
    import pydantic_core

    try:
        return Fitted(validate(text, strict=True), text, {})
    except pydantic_core.ValidationError as error:
        raise Misfit(error, text) from None


def fit(validate: Validate, text: str | bytes) -> Fitted:
    """Validate JSON, reading values of another type where that cannot be misunderstood.

    Raises:
        Misfit: It does not fit.
        Exception: What a validator of the tool's own types raises, if neither `ValueError` nor `AssertionError`.
    """
    from pydantic_core import ValidationError, from_json, to_json

    try:
        return strictly(validate, text)
    except Misfit as misfit:
        error = misfit.error
    if _kinds(error)[0]["type"] in ("json_invalid", "string_unicode"):
        raise Misfit(error, text)
    data: Any = from_json(text)
    counts: dict[str, int] = {}
    for _ in range(_ROUNDS):
        if not _replace(error, data, _refused(validate, text), counts):
            break
        text = to_json(data, inf_nan_mode="constants")
        try:
            return Fitted(validate(text, strict=True), text, counts)
        except ValidationError as again:
            error = again.with_traceback(None)
    if any(_is_guess(one, data) for one in _kinds(error)):
        raise Misfit(error, text)
    try:
        # what is left is for the program's own validators, whose values need not be those that JSON has
        return Fitted(validate(text), text, counts)
    except ValidationError as again:
        raise Misfit(again, text) from None


def _kinds(error: ValidationError) -> list[ErrorDetails]:
    return error.errors(include_url=False, include_context=False)


def _refused(validate: Validate, text: str | bytes) -> set[tuple[str | int, ...]]:
    """The places that the validator refuses although it need not be strict: the types there are strict on purpose."""
    from pydantic_core import ValidationError

    try:
        validate(text)
    except ValidationError as error:
        return {one["loc"] for one in error.errors(include_url=False, include_context=False, include_input=False)}
    return set()


def _replace(error: ValidationError, data: Any, refused: set[tuple[str | int, ...]], counts: dict[str, int]) -> bool:
    """Put the values that can be read as the type that is wanted in their places; whether there were any."""
    readings: dict[tuple[str | int, ...], list[tuple[str, Any]]] = {}
    for one in _kinds(error):
        steps, value = steps_to(one["loc"], data)
        if not steps or not _same(value, one["input"]) or one["loc"][-1] == "[key]":
            continue
        repair, reading = _read_as(one["type"], value)
        if reading is _NONE or (repair in (NUMBER, BOOLEAN, WHOLE) and _is_strict(one, refused)):
            continue
        readings.setdefault(tuple(steps), []).append((repair, reading))
    done = False
    for steps, found in readings.items():
        repair, reading = found[0]
        if all(_same(reading, other) for _, other in found[1:]):
            _put(data, steps, reading)
            counts[repair] = counts.get(repair, 0) + 1
            done = True
    return done


def _is_strict(one: ErrorDetails, refused: set[tuple[str | int, ...]]) -> bool:
    return one["type"] not in ("enum", "literal_error") and one["loc"] in refused


def _read_as(kind: str, value: Any) -> tuple[str, Any]:
    """A value as the type that was wanted, with the name of the repair; `_NONE` where that would be a guess."""
    if isinstance(value, float):
        wanted = kind in ("int_type", "enum", "literal_error") and value.is_integer() and abs(value) <= _EXACT
        return WHOLE, int(value) if wanted else _NONE
    if not isinstance(value, str):
        return "", _NONE
    if kind in ("int_type", "enum", "literal_error") and _INTEGER.fullmatch(value):
        return NUMBER, int(value)
    if kind == "float_type" and _NUMBER.fullmatch(value):
        number = int(value) if _INTEGER.fullmatch(value) else float(value)
        return NUMBER, number if abs(number) <= _GREATEST else _NONE
    if kind in ("bool_type", "literal_error") and value in _BOOLEANS:
        return BOOLEAN, _BOOLEANS[value]
    name = kind.removesuffix("_type")
    if name in _LISTS and value.lstrip().startswith("["):
        return LIST, _parsed(value, list)
    if name in _OBJECTS and value.lstrip().startswith("{"):
        return OBJECT, _parsed(value, dict)
    return "", _NONE


def _parsed(text: str, kind: type) -> Any:
    """The list or object that a text is; not where it holds a key twice, or what is no JSON number."""
    from pydantic_core import from_json

    mended = mend_value(text)
    if mended is None:
        return _NONE
    try:
        value: Any = from_json(mended)
    except ValueError:
        return _NONE
    return _NONE if flaws(mended) or not isinstance(value, kind) else value


def _is_guess(one: ErrorDetails, data: Any) -> bool:
    """Whether to let this pass would be a guess at what the model wrote, not the business of a validator."""
    kind = one["type"]
    if kind not in _MOMENTS and kind not in ("int_type", "float_type", "bool_type"):
        return False
    _, value = steps_to(one["loc"], data)
    return _same(value, one["input"]) and (kind not in _MOMENTS or not isinstance(value, str))


def _same(value: Any, other: Any) -> bool:
    return type(value) is type(other) and value == other


def _put(data: Any, steps: tuple[str | int, ...], value: Any) -> None:
    for step in steps[:-1]:
        data = data[step]
    data[steps[-1]] = value
