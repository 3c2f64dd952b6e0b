"""Answers that were cut, continued: the request that asks for the rest, and how the two ends are joined.

DeepSeek goes on with an answer when it is the last message and says `"prefix": true`, at its beta address; what had
been thought goes with it (WIRE section 3). What comes back should be the rest alone, but models may say the last words
over again, or begin from the beginning, so the seam is looked at before anything behind it is shown.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from agentkit.messages import Assistant, Logprobs, TokenLogprob
from agentkit.models import jsontext
from agentkit.models.request import Dialect, Request
from agentkit.models.rows import ModelRow
from agentkit.transcript import Transcript

TIMES = 2
"""How many times a cut answer is continued where `Settings(continuations=…)` does not say."""

SHORTEST = 12
"""Fewer characters that stand on both sides of a seam are chance: words come twice in any text."""


def beta_of(base_url: str, beta: str) -> str:
    """The address of an endpoint for what is beta, also where the base is `/v1` (WIRE section 1.1)."""
    root = base_url.rstrip("/").removesuffix("/v1")
    return root if root.endswith(beta) else root + beta


def opening(dialect: Dialect, row: ModelRow, request: Request, said: Assistant, *, stream: bool) -> bytes:
    """The body that asks for the rest of an answer that begins as `said` does (UTF-8 JSON)."""
    transcript = Transcript([*request.transcript, Assistant(said.text, said.reasoning)])
    body = dialect.encoder(row).encode(replace(request, transcript=transcript), stream=stream)
    data = cast("dict[str, Any]", jsontext.read(body))
    messages = cast("list[dict[str, Any]]", data["messages"])
    while messages[-1]["role"] != "assistant":  # a reminder, or what the order of turns wants at the end
        messages.pop()
    messages[-1]["prefix"] = True
    if said.reasoning is not None:
        messages[-1]["reasoning_content"] = said.reasoning
    return jsontext.write(data)


class Seam:
    """Joins an answer to what came of it before, without saying anything twice. Pure.

    What comes is held back as long as it stands in what was there already; it is dropped where the one ends as the
    other begins, in one way only. In a text that goes round (a row of dashes, a list of equal lines) it could be
    dropped in several ways, and stays: a repetition can be read over, a loss cannot.

    Args:
        before: The text that was cut.
    """

    __slots__ = ("_before", "_held", "_open", "dropped")

    def __init__(self, before: str) -> None:
        self._before = before
        self._held = ""
        self._open = bool(before)
        self.dropped = 0  # how many characters

    def feed(self, text: str) -> str:
        """Take the next piece; give what is new for certain."""
        if not self._open:
            return text
        self._held += text
        return "" if self._held in self._before else self.end()

    def end(self) -> str:
        """What is still held back and is new, after the last piece."""
        held, self._held = self._held, ""
        if self._open and held:
            self._open = False
            self.dropped = _twice(self._before, held)
        return held[self.dropped :] if self.dropped else held


def _twice(before: str, after: str) -> int:
    """How many characters `before` ends with that `after` begins with; 0 where they are few, or several numbers fit.

    By the borders of `after` (Knuth, Morris and Pratt), so that long texts cost no more than their characters.
    """
    border = [0] * (len(after) + 1)  # of each beginning: the longest shorter beginning that it also ends with
    length = 0
    for position in range(1, len(after)):
        while length and after[position] != after[length]:
            length = border[length]
        length += after[position] == after[length]
        border[position + 1] = length
    length = 0
    for character in before[-len(after) :]:
        while length and (length == len(after) or character != after[length]):
            length = border[length]
        length += character == after[length]
    return length if length >= SHORTEST and border[length] < SHORTEST else 0


def joined(first: Assistant, rest: Assistant) -> Assistant:
    """One message of an answer and its continuation; `usage` is that of the rest, for the sender to add up."""
    seam = Seam(first.text)
    text = first.text + seam.feed(rest.text) + seam.end()
    thoughts = [one.reasoning for one in (first, rest) if one.reasoning is not None]
    return replace(
        rest,
        text=text,
        reasoning="".join(thoughts) if thoughts else None,
        logprobs=_both(first.logprobs, rest.logprobs, seam.dropped),
        continued=first.continued + 1,
    )


def _both(first: Logprobs | None, rest: Logprobs | None, dropped: int) -> Logprobs | None:
    if first is None or rest is None:
        return first or rest
    content: list[TokenLogprob] = list(rest.content)
    while content and dropped > 0:  # the tokens that were said twice
        dropped -= len(content.pop(0).token)
    return Logprobs((*first.content, *content), (*first.reasoning, *rest.reasoning))
