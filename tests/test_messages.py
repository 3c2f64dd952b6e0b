"""Messages go to JSON and back without loss."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.errors import ConfigurationError
from agentkit.messages import (
    Assistant,
    Image,
    Logprobs,
    Note,
    System,
    Text,
    TokenLogprob,
    ToolCall,
    ToolMessage,
    Usage,
    User,
    dump,
    load,
)
from agentkit.money import Cost, Money

texts = st.text(max_size=20) | st.just("half \ud800 pair")
whole = st.text(max_size=20)  # what JSON data is made of; half pairs may stand in texts only
numbers = st.integers(0, 2**40)
usages = st.builds(Usage, *[numbers] * 6)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | whole,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(whole, inner, max_size=3),
    max_leaves=6,
)
parts = st.builds(Text, texts) | st.builds(Image, texts, st.sampled_from(["auto", "low", "high", "original"]))
calls = st.builds(ToolCall, texts, texts, texts)
optional = st.none() | texts
chances = st.floats(max_value=0, allow_nan=False, allow_infinity=False)
tokens = st.lists(
    st.builds(TokenLogprob, texts, chances, st.lists(st.tuples(texts, chances), max_size=2).map(tuple)), max_size=2
).map(tuple)
amounts = st.builds(Money, st.decimals(0, 10**9, places=9), st.sampled_from(["USD", "CNY", "EUR"]))
costs = st.builds(Cost, *[st.lists(amounts, max_size=2).map(tuple)] * 2)
messages = st.one_of(
    st.builds(System, texts),
    st.builds(User, texts | st.lists(parts, max_size=3).map(tuple), optional, optional),
    st.builds(
        Assistant,
        texts,
        optional,
        st.lists(calls, max_size=3).map(tuple),
        optional,
        st.none() | usages,
        optional,
        st.lists(texts, max_size=2).map(tuple),
        st.none() | st.builds(Logprobs, tokens, tokens),
        st.none() | costs,
        st.integers(0, 9),
    ),
    st.builds(ToolMessage, texts, texts, texts, st.booleans(), json_values, st.booleans()),
    st.builds(Note, texts, st.dictionaries(whole, json_values, max_size=3)),
)


@given(st.lists(messages, max_size=8))
def test_what_was_dumped_is_loaded_equal(entries):
    assert load(dump(entries)) == entries


@pytest.mark.parametrize(
    ("data", "where"),
    [(b"{", "the top"), (b"3", "the top"), (b'[{"role":"usr"}]', "`0`"), (b'[{"role":"user"}]', "`0.user.content`")],
)
def test_what_is_no_transcript_is_refused_with_the_place(data, where):
    with pytest.raises(ConfigurationError, match=where):
        load(data)


def test_a_note_that_json_cannot_carry_is_refused():
    with pytest.raises(ConfigurationError, match="cannot be written as JSON"):
        dump([Note("x", {"a": object()})])


@given(usages, usages)
def test_usage_adds_field_by_field(one, other):
    both = one + other
    assert all(getattr(both, name) == getattr(one, name) + getattr(other, name) for name in Usage.__slots__)


def test_the_text_of_a_user_message_in_parts_leaves_the_images_out():
    assert User((Text("a"), Image("https://x/y.png"), Text("b"))).text == "a\n\nb"
