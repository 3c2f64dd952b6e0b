"""A token count that anybody can repeat: no tokenizer, one regular expression.

A token is a word of at most twelve letters with the space before it, up to three digits, one CJK character, one
punctuation mark (a run of the same mark counts once, up to four), or a run of white space. What is streamed is cut
at the same places, so a budget of `max_tokens` cuts where it says. How far that is from DeepSeek's own tokenizer is
measured over recorded exchanges in `docs/guides/simulator.md`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

_TOKEN = re.compile(
    r" ?[^\W\d_\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]{1,12}"  # a word, or twelve letters of a long one
    r"|\d{1,3}"
    r"|[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]"  # CJK, kana, hangul: one each
    r"| ?([^\w\s])\1{0,3}"
    r"|\s+"
    r"|_",
)


def split(text: str) -> list[str]:
    """The tokens of a text, in order; joined they are the text again."""
    return [match.group() for match in _TOKEN.finditer(text)]


def count(text: str) -> int:
    """How many tokens a text has: `len(split(text))`."""
    return sum(1 for _ in _TOKEN.finditer(text))


def kept(text: str) -> Sequence[str]:
    """The tokens of a text; those of short texts are remembered, since histories repeat them."""
    return _remembered(text) if len(text) <= 2_048 else split(text)


@lru_cache(maxsize=512)
def _remembered(text: str) -> tuple[str, ...]:
    return tuple(split(text))
