"""Arguments that passed the check, and the one way to it: as they stand, else mended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agentkit.frozen import frozen
from agentkit.schema.arguments import ArgumentsInvalid
from agentkit.schema.repair import mend


@frozen
class Taken:
    """Arguments that passed the check.

    Attributes:
        given: What the model gave, by the keys that it is shown.
        text: The JSON that it was read from, repairs made; read again, it gives the same.
        repairs: How often each kind of repair was made; empty where the model wrote what it should.
    """

    given: dict[str, Any]
    text: str | bytes
    repairs: Mapping[str, int]


def take(read: Callable[[str | bytes], Taken], arguments: str | bytes, *, complete: bool) -> Taken:
    """Read arguments as they stand; where they are no JSON object, read what they are when they are mended.

    Args:
        read: Reads the text of one JSON object, or raises `ArgumentsInvalid`.
        arguments: What the model wrote.
        complete: Whether the reply is known to have come to its end.

    Raises:
        ArgumentsInvalid: They do not fit, mended or not.
    """
    try:
        return read(arguments)
    except ArgumentsInvalid as error:
        if not error.malformed:
            raise
        mended = mend(
            arguments.decode(errors="replace") if isinstance(arguments, bytes) else arguments, complete=complete
        )
        if mended is None:
            raise
        try:
            taken = read(mended.text)
        except ArgumentsInvalid as again:
            raise (error if again.malformed else again) from None
    return Taken(taken.given, taken.text, {**mended.repairs, **taken.repairs})
