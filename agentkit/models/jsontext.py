"""JSON as endpoints write it and as they can read it: UTF-8 bytes, lenient one way and strict the other.

JSON can escape half a surrogate pair, and a Python text can hold one, but UTF-8 carries neither: both ways it becomes
U+FFFD, the mark of a character that was lost. pydantic_core does the work and is loaded at the first use.
"""

from __future__ import annotations

import functools
import json
from types import ModuleType
from typing import Any, cast

from agentkit.errors import ConfigurationError


@functools.cache
def core() -> ModuleType:
    """`pydantic_core`, imported when it is first needed."""
    import pydantic_core

    return pydantic_core


def read(data: bytes) -> Any:
    """The JSON value that these bytes hold.

    Raises:
        ValueError: They hold no JSON value, or more than one.
    """
    try:
        return core().from_json(data)
    except ValueError:
        pass
    try:
        return _mended(json.loads(data.decode("utf-8-sig", "replace"), strict=False))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def write(value: Any) -> bytes:
    """Compact JSON of this value, not escaped where UTF-8 does without.

    Raises:
        ConfigurationError: It holds something that JSON cannot carry.
    """
    try:
        return core().to_json(value)
    except core().PydanticSerializationError:
        pass
    try:
        return core().to_json(_mended(value))
    except (core().PydanticSerializationError, RecursionError) as error:
        raise ConfigurationError(
            f"a request cannot be written as JSON: {error}; look at its `extra_body` and `response_format`",
            code="not-json",
        ) from error


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list | tuple):
        return [_mended(one) for one in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {_mended(name): _mended(one) for name, one in cast("dict[Any, Any]", value).items()}
    return value
