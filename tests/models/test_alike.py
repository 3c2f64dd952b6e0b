"""Chunks that differ in one string: read by it alone only where that means the same as reading all of them."""

import json

import pydantic_core
from hypothesis import given
from hypothesis import strategies as st

from agentkit.models.dialects.alike import TRIES, Alike

TEXTS = st.text() | st.sampled_from(
    ["a", '"', "\\", '","content":"b', "\n", "é", "content", "\N{OBJECT REPLACEMENT CHARACTER}?"]
)


def written(value, *, ascii=True, **around):
    """A chunk whose delta has this content."""
    chunk = {"id": "x", **around, "choices": [{"index": 0, "delta": {"content": value}, "finish_reason": None}]}
    return json.dumps(chunk, ensure_ascii=ascii).encode()


def content(payload):
    return pydantic_core.from_json(payload)["choices"][0]["delta"]["content"]


def taught(pattern="once"):
    alike = Alike(pydantic_core.from_json)
    assert alike.learn(written(pattern), pattern, "content")
    return alike


@given(TEXTS, st.booleans())
def test_a_chunk_like_the_pattern_is_read_whatever_its_string(text, ascii):
    assert taught().read(written(text, ascii=ascii)) == (text or None)


@given(TEXTS, st.binary(max_size=3), st.data())
def test_whatever_is_read_is_what_the_whole_chunk_says(text, mark, data):
    payload = written(text)
    start = data.draw(st.integers(0, len(payload)))
    payload = payload[:start] + mark + payload[start + data.draw(st.integers(0, 3)) :]
    read = taught().read(payload)
    if read is not None:
        assert read == content(payload)
        assert json.loads(payload) == json.loads(written(read))


def test_a_chunk_that_differs_elsewhere_is_not_read():
    alike = taught()
    assert alike.read(written("")) is None
    assert alike.read(written("new", usage={"prompt_tokens": 1})) is None
    assert alike.read(written("new").replace(b'"x"', b'"y"')) is None
    assert alike.read(written(None)) is None
    assert alike.read(written(["new"])) is None
    assert alike.read(b"[DONE]") is None
    assert alike.read(b"") is None


def test_an_event_that_comes_alone_is_read_without_its_frame():
    event = b"data: " + written("new") + b"\n\n"
    assert taught().alone(event) == "new"
    for other in (
        event[:-1],
        event[1:],
        b": alive\n\n" + event,
        event + event,
        event.replace(b"\n", b"\r\n"),
        b"data: \n\n",
    ):
        assert taught().alone(other) is None


def test_a_chunk_over_several_lines_is_no_pattern():
    payload = written("once").replace(b",", b",\n")
    assert not Alike(pydantic_core.from_json).learn(payload, "once", "content")


def test_a_string_that_stands_elsewhere_in_the_chunk_is_no_pattern():
    alike = Alike(pydantic_core.from_json)
    assert not alike.learn(written("x"), "x", "content")  # the first `"x"` is that of the id
    assert not alike.learn(written("content"), "content", "content")  # a key
    assert not alike.learn(written("\n"), "\n", "content")  # written as an escape
    assert not alike.learn(written("once"), "once", "reasoning_content")
    assert not alike.learn(written("once"), "once", "content", 0)
    assert alike.read(written("new")) is None


def test_of_a_key_that_is_given_twice_the_one_that_counts_is_read():
    twice = b'{"choices":[{"delta":{"content":"%b","content":"%b"}}]}'
    alike = Alike(pydantic_core.from_json)
    assert alike.learn(twice % (b"a", b"b"), "b", "content")
    assert alike.read(twice % (b"a", b"new")) == content(twice % (b"a", b"new")) == "new"
    assert alike.read(twice % (b"new", b"b")) is None
    assert not alike.learn(twice % (b"b", b"b"), "b", "content")


def test_where_the_rest_changes_too_it_is_given_up():
    alike = Alike(pydantic_core.from_json)
    assert all(alike.learn(written("w", created=at), "w", "content") for at in range(TRIES))
    assert not alike.learn(written("w", created=TRIES), "w", "content")
