"""Calls that leak into the text of a model which has function calling (WIRE sections 5 and 9).

The endpoint should have taken them out and did not: its parser knows another spelling, or a gateway has none. They are
read where they cannot be mistaken for prose, in special tokens, DSML and `<tool_call>`, and only where tools were in
play and no real call came: then the text is what the model meant to do. docs/guides/prompt-only.md says which text is a
call.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from agentkit.events import CallDelta, Closing, Delta, Repaired, Salvaged, TextDelta
from agentkit.messages import Assistant
from agentkit.models.dialects.notations import SALVAGE, Reading
from agentkit.models.dialects.sieve import Sieve, call_deltas, numbered
from agentkit.models.request import Decoder, Request

SIGN = re.compile(r"[<\[\\|｜]")
"""What each of those notations begins with."""


class SalvagingDecoder:
    """Reads one reply through another decoder, and the calls that leaked into its text.

    Args:
        inner: Reads the reply itself.
        deltas: Whether the deltas are wanted.
        request: What was asked; it has tools.
    """

    __slots__ = ("_deltas", "_flaw", "_inner", "_real", "_request", "_rest", "_sieve", "_text")

    def __init__(self, inner: Decoder, deltas: bool, request: Request) -> None:
        self._inner = inner
        self._deltas = deltas
        self._request = request
        self._sieve = Sieve(request.tools, SALVAGE, SIGN)
        self._real = False  # whether the endpoint gave calls itself
        self._text: str | None = None  # the text before them
        self._rest: list[Closing] = []
        self._flaw: tuple[str, str] | None = None

    @property
    def begun(self) -> bool:
        """Whether anything of the answer has come."""
        return self._inner.begun

    def feed(self, chunk: bytes) -> Sequence[Delta]:
        """Take the next bytes; give what can be shown of them."""
        deltas = self._inner.feed(chunk)
        if not self._deltas or not deltas or self._real or self._sieve.passes(deltas):
            return deltas
        out: list[Delta] = []
        for delta in deltas:
            self._take(delta, out)
        return out

    def _take(self, delta: Delta, out: list[Delta] | list[Closing]) -> None:
        if isinstance(delta, TextDelta):
            if self._real:
                out.append(delta)
            elif text := self._sieve.take(delta.text):
                out.append(TextDelta(text))
            return
        if isinstance(delta, CallDelta) and not self._real:
            self._real = True
            self._text = self._said(self._sieve.end(), self._sieve.came, beside=True)
            if left := self._sieve.left(self._text):
                out.append(TextDelta(left))
        out.append(delta)

    def finish(self) -> Assistant:
        """The message; with the calls that stand in its text, where it has no others."""
        message = self._inner.finish()
        for item in self._inner.rest():
            if isinstance(item, Salvaged | Repaired):
                self._rest.append(item)
            else:
                self._take(item, self._rest)
        if not self._deltas:
            self._sieve.take(message.text)
        if self._text is not None:  # real calls came, and the text stood before them
            return replace(message, text=self._text + message.text[len(self._sieve.came) :])
        reading = self._sieve.end(message.text)
        text = self._said(reading, message.text, beside=bool(message.tool_calls))
        if left := self._sieve.left(text):
            self._rest.append(TextDelta(left))
        if message.tool_calls or not (reading.calls or reading.unread):
            return message if text == message.text else replace(message, text=text)
        return self._salvaged(message, reading, text)

    def _said(self, reading: Reading, came: str, *, beside: bool) -> str:
        """The text without the markup of calls; all of it, where that names none of the tools."""
        if not reading.calls and all(one.stranger for one in reading.unread):
            return came
        if beside:
            self._request.warn(
                "the model wrote calls into its text beside those that the endpoint gave: they were left out"
            )
        return reading.text

    def _salvaged(self, message: Assistant, reading: Reading, text: str) -> Assistant:
        """The message with the calls that were found; what is wrong with the others is kept for `flaw`."""
        if any(not one.stranger for one in reading.unread) or (reading.calls and reading.unread):
            self._flaw = (message.text, reading.problem or "")
        if not reading.calls:
            return replace(message, text=text)
        calls = numbered(reading, self._request)
        self._rest.append(Salvaged(calls, tuple(dict.fromkeys(call.notation for call in reading.calls))))
        self._rest += call_deltas(calls)
        return replace(message, text=text, tool_calls=calls)

    def rest(self) -> Sequence[Closing]:
        """After `finish`: what only the end brought."""
        return self._rest if self._deltas else ()

    def flaw(self) -> tuple[str, str] | None:
        """After `finish`: the reply as it was written and what is wrong with it, where a call cannot be read."""
        return self._flaw

    def partial(self) -> Assistant:
        """What has come so far, as the model wrote it."""
        return self._inner.partial()
