"""Chunks that differ in one string: read by it alone only where that means the same as reading all of them."""

import json

import pydantic_core
import pytest
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


def taught(payload, value, *path):
    """What was told that the chunks to come differ from this one in this value."""
    alike = Alike(pydantic_core.from_json)
    assert alike.propose(payload, value, *path)
    return alike


def usual():
    return taught(written("once"), "once", "content")


@given(TEXTS, st.booleans())
def test_a_chunk_like_the_pattern_is_read_whatever_its_string(text, ascii):
    assert usual().read(written(text, ascii=ascii)) == (text or None)


@given(TEXTS, st.binary(max_size=3), st.data())
def test_whatever_is_read_is_what_the_whole_chunk_says(text, mark, data):
    payload = written(text)
    start = data.draw(st.integers(0, len(payload)))
    payload = payload[:start] + mark + payload[start + data.draw(st.integers(0, 3)) :]
    read = usual().read(payload)
    if read is not None:
        assert read == content(payload)
        assert json.loads(payload) == json.loads(written(read))


def test_a_chunk_that_differs_elsewhere_is_not_read():
    alike = usual()
    assert alike.read(written("")) is None
    assert alike.read(written("new", usage={"prompt_tokens": 1})) is None
    assert alike.read(written("new").replace(b'"x"', b'"y"')) is None
    assert alike.read(written(None)) is None
    assert alike.read(written(["new"])) is None
    assert alike.read(b"[DONE]") is None
    assert alike.read(b"") is None


def test_an_event_that_comes_alone_is_read_without_its_frame():
    event = b"data: " + written("new") + b"\n\n"
    assert usual().alone(event) == "new"
    for other in (
        event[:-1],
        event[1:],
        b": alive\n\n" + event,
        event + event,
        event.replace(b"\n", b"\r\n"),
        b"data: \n\n",
    ):
        assert usual().alone(other) is None


@pytest.mark.parametrize(
    ("payload", "value", "path"),
    [
        (written("once").replace(b",", b",\n"), "once", ["content"]),  # over several lines
        (written("x"), "x", ["content"]),  # the first `"x"` is that of the id
        (written("content"), "content", ["content"]),  # the first is a key
        (written("\n"), "\n", ["content"]),  # written as an escape
        (written("once"), "once", ["reasoning_content"]),
        (written("once"), "once", ["content", 0]),
    ],
)
def test_where_the_string_cannot_be_found_there_is_no_pattern(payload, value, path):
    alike = taught(payload, value, *path)
    assert alike.read(payload) is None
    assert alike.read(payload.replace(value.encode(), b"new")) is None


def test_of_a_key_that_is_given_twice_the_one_that_counts_is_read():
    twice = b'{"choices":[{"delta":{"content":"%b","content":"%b"}}]}'
    alike = taught(twice % (b"a", b"b"), "b", "content")
    assert alike.read(twice % (b"a", b"new")) == content(twice % (b"a", b"new")) == "new"
    assert alike.read(twice % (b"new", b"b")) is None
    assert taught(twice % (b"b", b"b"), "b", "content").read(twice % (b"b", b"new")) is None


def test_where_the_rest_changes_too_it_is_given_up():
    alike = Alike(pydantic_core.from_json)
    for at in range(TRIES):
        assert alike.propose(written("w", created=at), "w", "content")
        assert alike.read(written("w", created=at + 1)) is None
    assert not alike.propose(written("w", created=TRIES), "w", "content")
