"""The token count: the same whichever way a text is cut up, however often it was met, and quick with what was."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.simulator import tokens

TOKEN = re.compile(
    r" ?[^\W\d_\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]{1,12}|\d{1,3}|[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]"
    r"| ?([^\w\s])\1{0,3}|\s+|_"
)
"""The documented count, in one expression over the whole text."""

texts = st.text(st.sampled_from("aZ19_.!=-\n\t\r\x1c,éあ中\u3000\u00a0 "), max_size=60) | st.text(max_size=80)


@given(texts)
def test_a_text_is_cut_as_one_expression_over_all_of_it_would(text: str) -> None:
    expected = [match.group() for match in TOKEN.finditer(text)]
    assert tokens.split(text) == expected
    assert list(tokens.kept(text)) == expected
    assert tokens.count(text) == len(expected)
    assert "".join(expected) == text


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("Hello, world!!", ["Hello", ",", " world", "!!"]),
        ("internationalisation 12345", ["internationa", "lisation", " ", "123", "45"]),
        ("a  b\n c", ["a", "  ", "b", "\n ", "c"]),
        ("東京 snake_case", ["東", "京", " snake", "_", "case"]),
        ("", []),
        (" ", [" "]),
    ],
)
def test_words_figures_marks_and_white_space_are_tokens(text: str, cut: list[str]) -> None:
    assert tokens.split(text) == cut


@pytest.mark.parametrize("length", [2_048, 2_049, 65_536, 65_537])
def test_texts_of_every_length_are_cut_alike_again_and_again(length: int) -> None:
    text = ("The quick brown fox, 1234 of them.\n  " * (length // 30))[:length]
    assert list(tokens.kept(text)) == list(tokens.kept(text)) == [match.group() for match in TOKEN.finditer(text)]
