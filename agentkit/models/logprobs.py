"""The log probabilities of tokens as endpoints send them, as data (WIRE section 3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from agentkit.messages import Logprobs, TokenLogprob


def read(pieces: Iterable[object]) -> Logprobs | None:
    """What a reply tells of its tokens, whole or in pieces; `None` where it tells nothing. What is odd is left out.

    DeepSeek sends those of the reasoning beside those of the answer, as `reasoning_content` beside `content`.
    """
    content: list[TokenLogprob] = []
    reasoning: list[TokenLogprob] = []
    for piece in pieces:
        if isinstance(piece, dict):
            fields = cast("dict[str, object]", piece)
            content.extend(_tokens(fields.get("content")))
            reasoning.extend(_tokens(fields.get("reasoning_content")))
    return Logprobs(tuple(content), tuple(reasoning)) if content or reasoning else None


def _tokens(items: object) -> Iterable[TokenLogprob]:
    for item in cast("list[object]", items) if isinstance(items, list) else ():
        found = _token(item)
        if found is not None:
            top = cast("dict[str, Any]", item).get("top_logprobs")
            others = [_token(one) for one in cast("list[object]", top)] if isinstance(top, list) else []
            yield TokenLogprob(*found, tuple(one for one in others if one is not None))


def _token(item: object) -> tuple[str, float] | None:
    if not isinstance(item, dict):
        return None
    fields = cast("dict[str, object]", item)
    token, logprob = fields.get("token"), fields.get("logprob")
    if not isinstance(token, str) or isinstance(logprob, bool) or not isinstance(logprob, int | float):
        return None
    return token, float(logprob)
