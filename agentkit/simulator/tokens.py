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
from itertools import chain

_TOKEN = re.compile(
    r" ?[^\W\d_\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]{1,12}"  # a word, or twelve letters of a long one
    r"|\d{1,3}"
    r"|[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]"  # CJK, kana, hangul: one each
    r"| ?([^\w\s])\1{0,3}"
    r"|\s+"
    r"|_",
)


_BETWEEN = re.compile(r"(?<=\S) (?=\S)")
"""A space between words: a token ends before it, whatever stands around, so both sides can be split alone."""

_SHORT, _LONG = 2_048, 65_536
"""Up to how many characters a text is remembered as one of many, and as one of few."""


_LONG_WORD, _MOST_WORDS = 32, 16_384
"""Up to how many characters a word is remembered, and how many words are, in some 4 MB."""


class _Words(dict[str, tuple[str, ...]]):
    """The tokens of words with the space before them, as they were met: most words of a text were."""

    def __missing__(self, word: str) -> tuple[str, ...]:
        found = tuple(_matched(f" {word}"))
        if len(word) <= _LONG_WORD:
            if len(self) >= _MOST_WORDS:
                self.clear()
            self[word] = found
        return found


_words = _Words()


def split(text: str) -> list[str]:
    """The tokens of a text, in order; joined they are the text again."""
    words = text.split()
    if " ".join(words) != text:  # there is more between the words than single spaces
        words = _BETWEEN.split(text)
    if not words:
        return []
    found = _matched(words[0])
    found.extend(chain.from_iterable(map(_words.__getitem__, words[1:])))
    return found


def count(text: str) -> int:
    """How many tokens a text has: `len(split(text))`."""
    return len(split(text))


def kept(text: str) -> Sequence[str]:
    """The tokens of a text; unless it is very long they are remembered, since histories repeat their texts."""
    if len(text) <= _SHORT:
        return _remembered(text)
    return _remembered_long(text) if len(text) <= _LONG else split(text)


def _matched(text: str) -> list[str]:
    return [match.group() for match in _TOKEN.finditer(text)]


@lru_cache(maxsize=512)
def _remembered(text: str) -> tuple[str, ...]:
    return tuple(split(text))


@lru_cache(maxsize=32)
def _remembered_long(text: str) -> tuple[str, ...]:
    return tuple(split(text))
