"""Server-sent events: what counts as data, and that it does not matter how the bytes were cut."""

import itertools
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentkit.models.sse import Events


def read(*chunks):
    events = Events()
    return [payload for chunk in chunks for payload in events.feed(chunk)] + events.close()


def by_the_book(stream):
    """The standard's own steps (WHATWG HTML 9.2.6), on the whole text at once; an unfinished event counts."""
    payloads, data = [], []
    for line in [*re.split(b"\r\n|\r|\n", stream.removeprefix(b"\xef\xbb\xbf")), b""]:
        if not line:
            if data:
                payloads.append(b"\n".join(data))
            data = []
        elif not line.startswith(b":"):
            field, _, value = line.partition(b":")
            if field == b"data":
                data.append(value[1:] if value.startswith(b" ") else value)
    return payloads


LINES = st.sampled_from(
    [
        b"",
        b"",
        b'data: {"a": 1}',
        "data: Füße 🚲 \u2028".encode(),
        b"data:no space",
        b"data:  two spaces",
        b"data:",
        b"data: ",
        b"data",
        b"data : not data",
        b": keep-alive",
        b":",
        b"event: message",
        b"id: 7",
        b"retry: 10",
        b"nonsense",
        b" data: indented",
        b"\xef\xbb\xbfdata: late mark",
    ]
)


@st.composite
def streams(draw):
    lines = draw(st.lists(st.tuples(LINES, st.sampled_from([b"\n", b"\n", b"\r\n", b"\r"])), max_size=14))
    stream = b"".join(line + end for line, end in lines)
    if draw(st.booleans()):
        stream = b"\xef\xbb\xbf" + stream
    return stream.rstrip(b"\r\n") if draw(st.booleans()) else stream


@given(streams(), st.lists(st.integers(0, 300), max_size=8))
@example(b"data: a\r\r\ndata: b\r\r", [8])
@example(b"data: a\n\n\ndata: b\n\n", [8, 9])
@example(b"\xef\xbb\xbfdata: a\n\n", [1, 2])
def test_cuts_do_not_change_what_is_read(stream, cuts):
    places = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    pieces = [stream[start:end] for start, end in itertools.pairwise(places)]
    expected = by_the_book(stream)
    assert read(*pieces) == expected
    assert read(stream) == expected
    assert read(*(stream[at : at + 1] for at in range(len(stream)))) == expected


def test_plain_events_come_out_at_once():
    events = Events()
    assert events.feed(b"data: 1\n\ndata: 2\n\ndata: 3") == [b"1", b"2"]
    assert events.feed(b"4\n") == []
    assert events.feed(b"\ndata: [DONE]\n\n") == [b"34", b"[DONE]"]
    assert events.close() == []


def test_several_data_lines_are_one_payload():
    assert read(b"event: x\ndata: one\n: a comment between\ndata: two\n\n") == [b"one\ntwo"]


def test_a_character_cut_in_its_middle_stays_whole():
    stream = "data: 😀ü\n\n".encode()
    for at in range(len(stream)):
        assert read(stream[:at], stream[at:]) == ["😀ü".encode()]


def test_the_last_blank_line_may_be_missing():
    events = Events()
    assert events.feed(b"data: [DONE]") == []
    assert events.close() == [b"[DONE]"]
    assert events.close() == []


@pytest.mark.parametrize("alive", [b": keep-alive\n\n", b"\n\n\n", b"event: ping\n\n", b"\r\n: x\r\n"])
def test_keep_alives_are_no_beginning(alive):
    events = Events()
    assert events.feed(alive) == []
    assert not events.begun
    events.feed(b"data: x\n\n")
    assert events.begun


def test_what_is_no_event_is_kept_to_be_shown():
    events = Events()
    events.feed(b"<html>\n<body>Bad gate")
    events.feed(b"way</body>\n")
    assert (events.close(), events.begun, events.stray) == ([], False, b"<html>\n<body>Bad gateway</body>")


def test_of_what_is_no_event_only_the_beginning_is_kept():
    events = Events()
    for _ in range(2000):
        events.feed(b"rubbish rubbish\n")
    assert len(events.stray) == 4096


def test_a_long_line_in_small_pieces_is_read_in_linear_time():
    events = Events()
    events.feed(b"data: ")
    for _ in range(200_000):  # 200,000 joins of a growing line would take minutes
        events.feed(b"0123456789")
    (payload,) = events.feed(b"\n\n")
    assert len(payload) == 2_000_000
