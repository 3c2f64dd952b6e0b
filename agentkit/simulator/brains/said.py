"""What a brain says, written shortly: a text, calls, a mapping as in a TOML file, or a whole `Plan`."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from agentkit.errors import ConfigurationError
from agentkit.simulator.plan import Call, Plan

Said = str | Plan | Call | Sequence[Call] | Mapping[str, Any]
"""A text is an answer, a `Call` or a list of them are calls, a mapping has the keys of `plan_of`."""

_KEYS = ("text", "reasoning", "calls", "finish")
_CALL_KEYS = ("name", "arguments", "id")


def plan_of(said: object, where: str) -> Plan:
    """What is said, as a plan.

    A mapping has `text`, `reasoning`, `calls` and `finish` (the finish reason), each of which may be left out; a call
    has `name`, `arguments` (an object, or the text as the model wrote it; left out, `{}`), and `id`.

    Args:
        said: A `Said`.
        where: What is read, for the error.

    Raises:
        ConfigurationError: It is none, or a key is unknown or of the wrong type.
    """
    if isinstance(said, Plan):
        return said
    if isinstance(said, str):
        return Plan(content=said)
    if isinstance(said, Call):
        return Plan(calls=(said,))
    if isinstance(said, Mapping):
        return _of_mapping(cast("Mapping[str, Any]", said), where)
    if isinstance(said, (list, tuple)):
        calls = tuple(cast("Sequence[Any]", said))
        if calls and all(isinstance(call, Call) for call in calls):
            return Plan(calls=calls)
    raise ConfigurationError(
        f"{where}: {_shown(cast('object', said))} is no reply;"
        " it must be a text, a `Call` or a list of them, a mapping, or a `Plan`",
        code="bad-simulator",
    )


def only(mapping: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    """Look for keys that are not known.

    Raises:
        ConfigurationError: There is one.
    """
    names = list(known)
    for key in mapping:
        if key not in names:
            near = difflib.get_close_matches(key, names, n=1)
            guess = f"; did you mean `{near[0]}`?" if near else f"; there are {', '.join(f'`{one}`' for one in names)}"
            raise ConfigurationError(f"{where}: there is no key `{key}`{guess}", code="bad-simulator")


def text_of(mapping: Mapping[str, Any], key: str, where: str) -> str | None:
    """The text under a key, `None` where it is not there.

    Raises:
        ConfigurationError: It is no text.
    """
    value = mapping.get(key)
    if value is None or isinstance(value, str):
        return value
    raise ConfigurationError(f"{where}: `{key}` is {_shown(value)}; it must be a text", code="bad-simulator")


def _of_mapping(said: Mapping[str, Any], where: str) -> Plan:
    only(said, _KEYS, where)
    listed: Any = said.get("calls", ())
    if not isinstance(listed, (list, tuple)):
        raise ConfigurationError(f"{where}: `calls` is {_shown(listed)}; it must be a list", code="bad-simulator")
    calls = [
        call if isinstance(call, Call) else _call(call, f"{where}, call {number}")
        for number, call in enumerate(cast("Sequence[Any]", listed), 1)
    ]
    return Plan(
        content=text_of(said, "text", where) or "",
        calls=tuple(calls),
        reasoning=text_of(said, "reasoning", where) or "",
        finish_reason=text_of(said, "finish", where),
    )


def _call(said: object, where: str) -> Call:
    if not isinstance(said, Mapping):
        raise ConfigurationError(
            f"{where}: {_shown(said)} is no call; it has `name` and `arguments`", code="bad-simulator"
        )
    call = cast("Mapping[str, Any]", said)
    only(call, _CALL_KEYS, where)
    name = text_of(call, "name", where)
    if not name:
        raise ConfigurationError(f"{where}: it has no `name`", code="bad-simulator")
    arguments: Any = call.get("arguments", {})
    if not isinstance(arguments, str):
        if not isinstance(arguments, Mapping):
            raise ConfigurationError(
                f"{where}: `arguments` is {_shown(arguments)}; it must be an object or a text", code="bad-simulator"
            )
        try:
            arguments = json.dumps(arguments, ensure_ascii=False)
        except (TypeError, ValueError) as error:
            raise ConfigurationError(
                f"{where}: `arguments` cannot be written as JSON: {error}", code="bad-simulator"
            ) from error
    return Call(name, arguments, text_of(call, "id", where) or "")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]} …"
