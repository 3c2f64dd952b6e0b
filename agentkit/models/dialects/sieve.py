"""The text of a reply on its way to whoever looks on: markup of calls is kept back, all else goes through as it comes.

Both the models that are told of tools in words and those that leak their calls have their text read so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from agentkit.events import CallDelta, Delta, TextDelta
from agentkit.messages import ToolCall
from agentkit.models.dialects.notations import Reader, Reading, read
from agentkit.models.request import Request
from agentkit.tools import Tool


class Sieve:
    """Reads the text of one reply.

    Args:
        tools: The tools that may be called.
        notations: The notations that are read.
        sign: Finds the characters without which no call begins in them: before the first one comes, nothing has to be
            read. `None` where calls may begin without a sign.
    """

    __slots__ = ("_came", "_given", "_notations", "_out", "_reader", "_seen", "_sign", "_tools")

    def __init__(
        self, tools: Iterable[Tool[..., Any]], notations: frozenset[str], sign: re.Pattern[str] | None = None
    ) -> None:
        self._tools = tools
        self._notations = notations
        self._sign = sign
        self._reader: Reader | None = None
        self._came: list[str] = []
        self._out: list[str] = []  # what the reader let through
        self._seen = 0  # how many characters that are
        self._given = 0  # how many of them were given away; more than `_seen` where they came before the reader

    def passes(self, deltas: Sequence[Delta]) -> bool:
        """Take pieces that can all be shown as they are, with one look; where one has to be read, take none."""
        if self._reader is not None or self._sign is None:
            return False
        pieces: list[str] = []
        for delta in deltas:
            if type(delta) is TextDelta:
                pieces.append(delta.text)
            elif type(delta) is CallDelta:
                return False
        text = "".join(pieces)
        if self._sign.search(text) is not None:
            return False
        self._came.append(text)
        self._given += len(text)
        return True

    def take(self, text: str) -> str:
        """The next piece of the text; what can be shown now."""
        self._came.append(text)
        if self._reader is not None:
            return self._through(self._reader.feed(text))
        if self._sign is not None and self._sign.search(text) is None:
            self._given += len(text)
            return text
        self._reader = Reader(self._schemas(), self._notations)
        return self._through(self._reader.feed("".join(self._came)))

    def _schemas(self) -> dict[str, Mapping[str, Any]]:
        """The JSON Schema of the parameters of each tool by its name."""
        return {tool.name: tool.schema for tool in self._tools}

    @property
    def came(self) -> str:
        """All that has come."""
        return "".join(self._came)

    def _through(self, text: str) -> str:
        self._out.append(text)
        self._seen += len(text)
        new = self._seen - self._given
        if new <= 0:
            return ""
        self._given = self._seen
        return text[-new:]

    def end(self, text: str | None = None) -> Reading:
        """Once all has come: the reading, with the whole text outside of the calls.

        Args:
            text: The text as it is known to be in the end; it is read anew where it is not what came. So what came as
                text and turned out to be thought is not looked at for calls.
        """
        came = self.came
        if text is not None and text != came:
            self._given = len(text)  # what was shown cannot be unsaid, and nothing follows from it
            return read(text, self._schemas(), self._notations)
        if self._reader is None:
            return Reading(came)
        reading = self._reader.finish()
        return replace(reading, text="".join(self._out) + reading.text)

    def left(self, text: str) -> str:
        """What is left to show of a text that begins with what was shown."""
        return text[self._given :]


def numbered(reading: Reading, request: Request | None) -> tuple[ToolCall, ...]:
    """The calls of a reading, with ids made of the place in the transcript and in the reply."""
    step = request.transcript.said if request is not None else 0
    return tuple(
        ToolCall(f"call_{step}_{position}", call.name, call.arguments) for position, call in enumerate(reading.calls)
    )


def call_deltas(calls: tuple[ToolCall, ...]) -> list[CallDelta]:
    """The deltas of calls that are there as a whole."""
    return [CallDelta(index, call.id, call.name, call.arguments) for index, call in enumerate(calls)]
