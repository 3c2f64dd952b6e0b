"""Replies of chat completions endpoints as messages: the recorded ones, cut anywhere, and the oddities of WIRE."""

import functools
import itertools
import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recordings import completions, each, exchanges, naive, needs_shared

from agentkit import tool
from agentkit.errors import ConnectionLost, InsufficientBalance, ModelError, Rejected, Unavailable, Unreadable
from agentkit.events import CallDelta, ReasoningDelta, Repaired, TextDelta
from agentkit.messages import Assistant, ToolCall, Usage
from agentkit.models.catalog import ModelRow
from agentkit.models.dialects.chat import Chat
from agentkit.models.request import Request
from agentkit.transcript import Transcript

ROW = ModelRow(name="m")


def decode(*chunks, deltas=False):
    """The message of a reply that comes in these chunks, and its deltas."""
    decoder = Chat().decoder(ROW, deltas=deltas)
    shown = [delta for chunk in chunks for delta in decoder.feed(chunk)]
    return decoder.finish(), shown


def stream(*chunks, done=True):
    """A streamed reply of these chunks, JSON values or ready texts."""
    texts = [chunk if isinstance(chunk, str) else json.dumps(chunk) for chunk in chunks]
    return "".join(f"data: {text}\n\n" for text in [*texts, *(["[DONE]"] if done else [])]).encode()


def chunk(delta=None, finish=None, index=0, **fields):
    return {"model": "served", "choices": [{"index": index, "delta": delta or {}, "finish_reason": finish}], **fields}


def body(message, finish="stop", **fields):
    return json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": finish}], **fields}).encode()


def fragment(arguments="", *, index=None, id=None, name=None):
    part = {"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
    part["function"] = {key: value for key, value in part["function"].items() if value is not None}
    return {"tool_calls": [{key: value for key, value in part.items() if value is not None}]}


def called(*fragments, finish="tool_calls"):
    """The calls of a stream of such fragments; ids that were made up become `made`."""
    message, _ = decode(stream(*(chunk(one) for one in fragments), chunk({}, finish)))
    return [call(one) for one in message.tool_calls]


def call(one):
    return ("made" if one.id.startswith("call_0") else one.id, one.name, one.arguments)


def joined(deltas):
    """The message that deltas add up to: text, reasoning, calls."""
    calls = {}
    for delta in deltas:
        if isinstance(delta, CallDelta):
            one = calls.setdefault(delta.index, ["", "", ""])
            one[0], one[1], one[2] = one[0] + delta.id, one[1] + delta.name, one[2] + delta.arguments
    text = "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))
    thought = "".join(delta.text for delta in deltas if isinstance(delta, ReasoningDelta))
    return text, thought, [tuple(calls[index]) for index in sorted(calls)]


def usage_of(reported):
    """Usage by the plain text of WIRE section 4; `None` where none was reported."""
    if not reported:
        return None
    details = reported.get("prompt_tokens_details") or {}
    hit = reported.get("prompt_cache_hit_tokens", details.get("cached_tokens")) or reported.get("cached_tokens") or 0
    thinking = (reported.get("completion_tokens_details") or {}).get("reasoning_tokens")
    return Usage(
        prompt_tokens=reported["prompt_tokens"],
        completion_tokens=reported["completion_tokens"],
        reasoning_tokens=thinking or reported.get("reasoning_tokens") or 0,
        cache_hit_tokens=hit,
        cache_miss_tokens=reported["prompt_tokens"] - hit,
        requests=1,
    )


@each(completions)
def test_every_recorded_reply_is_read_as_it_was_said(recording):
    expected = naive(recording)
    if expected["text"].lstrip().startswith("<think>"):  # some hosts leave the reasoning in the text
        thought, _, answer = expected["text"].lstrip().removeprefix("<think>").partition("</think>")
        expected |= {"reasoning": thought, "text": answer.lstrip("\r\n")}
    message, deltas = decode(recording.body, deltas=True)
    assert message == Assistant(
        text=expected["text"],
        reasoning=expected["reasoning"],
        tool_calls=tuple(ToolCall(**one) for one in expected["calls"]),
        finish_reason=expected["finish"],
        usage=usage_of(expected["usage"]),
        model=expected["model"],
        logprobs=message.logprobs,  # read in test_logprobs.py
    )
    calls = [(one["id"], one["name"], one["arguments"]) for one in expected["calls"]]
    assert joined(deltas) == (expected["text"], expected["reasoning"] or "", calls)
    assert decode(recording.body) == (message, [])


@needs_shared
def test_the_recordings_hold_what_the_rules_promise():
    assert len(completions(deepseek=True)) == 214
    assert len(completions(deepseek=True, streamed=True)) == 81
    assert len(completions()) == 268
    rest = {(one.api, one.suffix) for one in exchanges() if one not in completions() and one.status == 200}
    assert rest == {
        ("responses", "json"),
        ("responses", "sse"),
        ("ollama", "json"),
        ("ollama", "ndjson"),
        ("other", "json"),
    }


@functools.cache
def decoded(recording):
    return decode(recording.body, deltas=True)


@each(lambda: completions(streamed=True))
@settings(max_examples=8)
@given(data=st.data())
def test_a_cut_stream_gives_the_same_message_and_deltas(recording, data):
    whole = recording.body
    places = sorted({0, len(whole), *data.draw(st.lists(st.integers(0, len(whole)), max_size=12))})
    assert decode(*(whole[start:end] for start, end in itertools.pairwise(places)), deltas=True) == decoded(recording)


@each(lambda: sorted(completions(), key=lambda one: len(one.body))[::30])
def test_a_reply_in_single_bytes_is_the_same(recording):
    pieces = [recording.body[at : at + 1] for at in range(len(recording.body))]
    assert decode(*pieces, deltas=True) == decode(recording.body, deltas=True)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_kind_of_a_body_is_told_by_its_first_byte(end):
    text = stream(chunk({"content": "hello"}), chunk({}, "stop")).replace(b"\n", end.encode())
    assert decode(text)[0].text == "hello"
    assert decode(b"\n\n" + text)[0].text == "hello"
    assert decode(b"\xef\xbb\xbf" + text)[0].text == "hello"
    assert decode(b": keep-alive\n\n" * 3, b"\n", text)[0].text == "hello"
    whole = body({"content": "hello"})
    for lead in (b"", b"\n", b"\r\n \n\t", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"):
        for pieces in ([lead + whole], [lead, whole], [bytes([one]) for one in lead + whole]):
            assert decode(*pieces)[0].text == "hello"


def test_a_whole_body_gives_its_deltas_with_its_last_byte():
    calls = [{"id": "a", "function": {"name": "f", "arguments": '{"x": {}}'}}, {"function": {"name": "g"}}]
    whole = body({"reasoning_content": "hm", "content": "hello}", "tool_calls": calls})
    decoder = Chat().decoder(ROW, deltas=True)
    assert [list(decoder.feed(whole[at : at + 1])) for at in range(len(whole) - 1)] == [[]] * (len(whole) - 1)
    assert list(decoder.feed(whole[-1:])) == [
        ReasoningDelta("hm"),
        TextDelta("hello}"),
        CallDelta(0, "a", "f", '{"x": {}}'),
        CallDelta(1, "", "g", ""),
    ]
    assert list(decoder.feed(b"\n")) == []
    assert decoder.finish().text == "hello}"


def test_keep_alives_are_told_from_the_beginning_of_an_answer():
    decoder = Chat().decoder(ROW, deltas=False)
    for alive in (b"\n", b" \n", b": keep-alive\n", b"\n: keep-alive\n\n"):
        decoder.feed(alive)
        assert not decoder.begun
    decoder.feed(stream(chunk({"content": ""})))
    assert decoder.begun
    decoder = Chat().decoder(ROW, deltas=False)
    decoder.feed(b"\n\n\n")
    assert not decoder.begun
    decoder.feed(b"{")
    assert decoder.begun


class TestReasoning:
    @pytest.mark.parametrize(
        ("message", "reasoning"),
        [
            ({}, None),
            ({"reasoning_content": None}, None),
            ({"reasoning_content": ""}, ""),
            ({"reasoning": ""}, ""),
            ({"reasoning_content": "a"}, "a"),
            ({"reasoning": "b"}, "b"),
            ({"reasoning_content": "a", "reasoning": "b"}, "a"),
            ({"reasoning_content": None, "reasoning": "b"}, "b"),
            ({"reasoning_content": "", "reasoning": "b"}, "b"),
            ({"reasoning_content": "", "reasoning": None}, ""),
            ({"thinking": "c"}, "c"),
            ({"reasoning": None, "thinking": "c"}, "c"),
            ({"reasoning_details": [{"type": "reasoning.text", "text": "d"}]}, "d"),
            ({"reasoning": "b", "reasoning_details": [{"type": "reasoning.text", "text": "b"}]}, "b"),
            ({"reasoning_details": []}, None),
            ({"thinking": {"type": "enabled"}}, None),
        ],
    )
    def test_it_is_read_from_any_key_and_its_absence_kept(self, message, reasoning):
        assert decode(body({"content": "x", **message}))[0].reasoning == reasoning
        assert decode(stream(chunk(message), chunk({"content": "x"}, "stop")))[0].reasoning == reasoning


class TestText:
    @pytest.mark.parametrize(
        ("content", "text"),
        [(None, ""), ("", ""), ("a", "a"), ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "ab")],
    )
    def test_content_may_be_nothing_a_text_or_parts(self, content, text):
        assert decode(body({"content": content}))[0].text == text
        assert decode(stream(chunk({"content": content}), chunk({}, "stop")))[0].text == text

    def test_half_a_surrogate_pair_is_a_lost_character_and_no_crash(self):
        assert decode(rb'{"choices":[{"message":{"content":"a\ud83db"}}]}')[0].text == "a\ufffdb"
        assert decode(rb'{"choices":[{"message":{"content":"a\ud83d\ude00b"}}]}')[0].text == "a😀b"
        text = rb'data: {"choices":[{"delta":{"content":"\udc00x"}}]}' + b"\n\ndata: [DONE]\n\n"
        assert decode(text, deltas=True) == (Assistant("\ufffdx"), [TextDelta("\ufffdx")])

    def test_bytes_that_are_no_utf8_are_lost_characters(self):
        assert decode(b'{"choices":[{"message":{"content":"a\xffb"}}]}')[0].text == "a\ufffdb"

    def test_of_a_key_given_twice_one_counts(self):
        assert decode(b'{"choices":[{"message":{"content":"a","content":"b"}}]}')[0].text == "b"


class TestCalls:
    def test_fragments_belong_to_the_call_of_their_index(self):
        assert called(
            fragment("", index=0, id="a", name="f"),
            fragment('{"x"', index=0),
            fragment("", index=1, id="b", name="g"),
            fragment("{}", index=1),
            fragment(": 1}", index=0),
        ) == [("a", "f", '{"x": 1}'), ("b", "g", "{}")]

    def test_what_is_repeated_in_each_fragment_is_not_added_up(self):
        repeated = [fragment(piece, index=0, id="a", name="f") for piece in ("", "{", '"x": {}', "}", "")]
        assert called(*repeated) == [("a", "f", '{"x": {}}')]

    @pytest.mark.parametrize("second", [{"id": "b", "name": "f"}, {"name": "g"}, {"id": "b"}])
    def test_a_new_id_or_name_at_the_same_index_opens_a_new_call(self, second):
        calls = called(
            fragment("{}", index=0, id="a", name="f"), fragment("{", index=0, **second), fragment("}", index=0)
        )
        assert calls == [("a", "f", "{}"), (second.get("id", "made"), second.get("name", ""), "{}")]

    def test_fragments_of_calls_at_one_index_are_told_by_id(self):
        assert called(
            fragment("{", index=0, id="a", name="f"),
            fragment("[", index=0, id="b", name="f"),
            fragment("}", index=0, id="a"),
            fragment("]", index=0, id="b"),
        ) == [("a", "f", "{}"), ("b", "f", "[]")]

    def test_without_ids_the_same_name_opens_a_new_call_once_the_first_is_whole(self):
        assert called(
            fragment('{"x": 1}', index=0, name="f"),
            fragment('{"x": ', index=0, name="f"),
            fragment("2}", index=0, name="f"),
        ) == [("made", "f", '{"x": 1}'), ("made", "f", '{"x": 2}')]

    def test_without_index_fragments_go_by_id_and_then_by_order(self):
        assert called(
            fragment("", id="a", name="f"),
            fragment("{", id="a"),
            fragment("", id="b", name="g"),
            fragment("{}"),
            fragment("}", id="a"),
        ) == [("a", "f", "{}"), ("b", "g", "{}")]
        assert called(fragment("{}", name="f"), fragment("{}", name="g")) == [("made", "f", "{}"), ("made", "g", "{}")]

    def test_an_id_or_a_name_may_come_late(self):
        fragments = [fragment("{", index=0), fragment("", index=0, id="a"), fragment("}", index=0, name="f")]
        assert called(*fragments) == [("a", "f", "{}")]
        _, deltas = decode(stream(*(chunk(one) for one in fragments), chunk({}, "tool_calls")), deltas=True)
        assert joined(deltas)[2] == [("a", "f", "{}")]

    @pytest.mark.parametrize("names", [("get", "_time"), ("get", "get_time")])
    def test_a_name_may_come_in_pieces_under_one_id(self, names):
        fragments = [fragment(index=0, id="a", name=name) for name in names]
        assert called(*fragments) == [("a", "get_time", "")]
        _, deltas = decode(stream(*(chunk(one) for one in fragments), chunk({}, "stop")), deltas=True)
        assert joined(deltas)[2] == [("a", "get_time", "")]

    @pytest.mark.parametrize("id", [None, ""])
    def test_a_missing_id_is_made(self, id):
        calls = [{"id": id, "function": {"name": "f", "arguments": "{}"}}] * 2
        message, _ = decode(body({"tool_calls": calls}, "tool_calls"))
        assert [one.id[:8] for one in message.tool_calls] == ["call_00_", "call_01_"]
        other, _ = decode(body({"tool_calls": calls}, "tool_calls"))
        assert len({one.id for one in message.tool_calls + other.tool_calls}) == 4

    def test_equal_ids_are_told_apart(self):
        calls = [{"id": "a", "function": {"name": "f", "arguments": "{}"}}] * 3
        message, _ = decode(body({"tool_calls": calls}, "tool_calls"))
        ids = [one.id for one in message.tool_calls]
        assert ids[0] == "a"
        assert len(set(ids)) == 3
        assert len(called(fragment("{}", index=0, id="a", name="f"), fragment("{}", index=1, id="a", name="f"))) == 2

    @pytest.mark.parametrize(
        ("arguments", "text"),
        [({"city": "Köln"}, '{"city":"Köln"}'), (None, ""), ("", ""), ([1], "[1]"), ("{}", "{}"), ("null", "null")],
    )
    def test_arguments_are_a_text_whatever_they_came_as(self, arguments, text):
        part = {"index": 0, "id": "a", "function": {"name": "f", "arguments": arguments}}
        assert decode(body({"tool_calls": [part]}))[0].tool_calls == (ToolCall("a", "f", text),)
        assert decode(stream(chunk({"tool_calls": [part]}), chunk({}, "stop")))[0].tool_calls == (
            ToolCall("a", "f", text),
        )

    def test_text_beside_calls_is_kept_and_calls_count_whatever_the_reason(self):
        message, _ = decode(
            stream(chunk({"content": "let me look"}), chunk(fragment("{}", index=0, id="a")), chunk({}, "stop"))
        )
        assert (message.text, len(message.tool_calls), message.finish_reason) == ("let me look", 1, "stop")

    def test_a_call_without_a_function_is_no_crash(self):
        assert called({"tool_calls": [{"index": 0, "id": "a"}]}) == [("a", "", "")]


class TestUsage:
    @pytest.mark.parametrize(
        ("reported", "usage"),
        [
            (None, None),
            ({}, None),
            ("none", None),
            ({"prompt_tokens": 7, "completion_tokens": 2}, Usage(7, 2, 0, 0, 7, 1)),
            (
                {
                    "prompt_tokens": 7,
                    "completion_tokens": 2,
                    "prompt_cache_hit_tokens": 4,
                    "prompt_cache_miss_tokens": 3,
                },
                Usage(7, 2, 0, 4, 3, 1),
            ),
            ({"prompt_cache_hit_tokens": 4, "prompt_cache_miss_tokens": 3}, Usage(7, 0, 0, 4, 3, 1)),
            ({"prompt_tokens": 7, "prompt_tokens_details": {"cached_tokens": 5}}, Usage(7, 0, 0, 5, 2, 1)),
            ({"prompt_tokens": 7, "prompt_tokens_details": None, "cached_tokens": 5}, Usage(7, 0, 0, 5, 2, 1)),
            ({"prompt_tokens": 7, "prompt_cache_hit_tokens": 9}, Usage(7, 0, 0, 7, 0, 1)),
            ({"completion_tokens": 9, "completion_tokens_details": {"reasoning_tokens": 6}}, Usage(0, 9, 6, 0, 0, 1)),
            ({"completion_tokens": 9, "reasoning_tokens": 6}, Usage(0, 9, 6, 0, 0, 1)),
            ({"prompt_tokens": -1, "completion_tokens": None, "reasoning_tokens": "6"}, Usage(requests=1)),
            ({"prompt_tokens": 3.0, "completion_tokens": True}, Usage(3, 0, 0, 0, 3, 1)),
        ],
    )
    def test_every_shape_is_read(self, reported, usage):
        assert decode(body({"content": "x"}, usage=reported))[0].usage == usage
        assert decode(stream(chunk({"content": "x"}, "stop", usage=reported)))[0].usage == usage
        assert decode(stream(chunk({}, "stop", usage=None), {"choices": [], "usage": reported}))[0].usage == usage
        assert decode(stream(chunk({}, "stop", x_groq={"usage": reported})))[0].usage == usage

    def test_the_last_of_several_counts(self):
        first, last = {"prompt_tokens": 1}, {"prompt_tokens": 1, "completion_tokens": 5}
        assert decode(stream(chunk(usage=first), chunk({}, "stop", usage=last)))[0].usage == Usage(1, 5, 0, 0, 1, 1)


class TestTheEnd:
    def test_a_finish_chunk_needs_no_delta(self):
        for choice in ({"finish_reason": "stop"}, {"delta": None, "finish_reason": "stop"}):
            message, _ = decode(stream(chunk({"content": "x"}), {"choices": [choice]}, done=False))
            assert (message.text, message.finish_reason) == ("x", "stop")

    def test_of_two_finish_chunks_the_first_counts(self):
        assert decode(stream(chunk({}, "tool_calls"), chunk({}, "stop")))[0].finish_reason == "tool_calls"

    def test_a_stream_may_end_without_the_mark_or_without_a_reason(self):
        assert decode(stream(chunk({"content": "x"}, "stop"), done=False))[0].finish_reason == "stop"
        assert decode(stream(chunk({"content": "x"})))[0].finish_reason is None
        assert decode(stream(chunk({"content": "x"}, "stop")).rstrip())[0].finish_reason == "stop"
        assert decode(stream(chunk({"content": "x"}, "")))[0].finish_reason is None

    def test_what_follows_the_mark_is_not_read(self):
        assert decode(stream(chunk({"content": "x"}, "stop")) + b"data: rubbish\n\n")[0].text == "x"

    @pytest.mark.parametrize("deltas", [False, True])
    def test_a_stream_without_an_end_broke_off_but_keeps_what_came(self, deltas):
        decoder = Chat().decoder(ROW, deltas=deltas)
        decoder.feed(
            stream(chunk({"content": "half a"}), chunk(fragment('{"x', index=0, id="a", name="f")), done=False)
        )
        with pytest.raises(ConnectionLost, match="broke off"):
            decoder.finish()
        assert decoder.partial() == Assistant("half a", tool_calls=(ToolCall("a", "f", '{"x'),), model="served")

    def test_a_body_that_was_cut_broke_off_but_keeps_what_came(self):
        whole = body({"content": "a longer ünswer"}).replace(b"\\u00fc", "ü".encode())
        came = set()
        for at in range(1, len(whole)):
            decoder = Chat().decoder(ROW, deltas=True)
            decoder.feed(whole[:at])
            with pytest.raises(ConnectionLost, match="broke off"):
                decoder.finish()
            came.add(decoder.partial().text)
        assert {"", "a longer ", "a longer ü", "a longer ünswer"} <= came

    @each(lambda: sorted(completions(streamed=True), key=lambda one: len(one.body))[:20])
    def test_wherever_a_recorded_stream_is_cut_off_it_is_whole_or_lost(self, recording):
        whole, _ = decode(recording.body)
        for at in range(8, len(recording.body)):
            decoder = Chat().decoder(ROW, deltas=False)
            decoder.feed(recording.body[:at])
            try:
                came = decoder.finish()
            except ConnectionLost:
                came = decoder.partial()
                assert came.finish_reason is None
            else:
                assert came.finish_reason == whole.finish_reason
            assert whole.text.startswith(came.text)
            assert (whole.reasoning or "").startswith(came.reasoning or "")
            for mine, theirs in zip(came.tool_calls, whole.tool_calls, strict=False):
                assert theirs.arguments.startswith(mine.arguments)
        assert decoder.finish() == came == whole

    def test_nothing_but_keep_alives_is_a_lost_connection(self):
        with pytest.raises(ConnectionLost, match="before the answer"):
            decode(b": keep-alive\n\n" * 5)

    @pytest.mark.parametrize(
        ("reply", "words"),
        [
            (b"", "empty"),
            (b"\n\n \r\n", "empty"),
            (b"\xef\xbb\xbf", "empty"),
            (b"<html><body>Bad gateway</body></html>", "<html><body>Bad gateway"),
            (b"Internal Server Error", "Internal Server Error"),
            (b'"just a text"', "just a text"),
            (b"17", "17"),
            (b"{rubbish", "{rubbish"),
            (b'{"choices": [{}]} {}', '{"choices": [{}]} {}'),
            (b"[]", "[]"),
            (b"{}", "{}"),
            (b'{"object": "list", "data": []}', "list"),
            (b'{"choices": []}', "choices"),
            (b'{"choices": [{}]}', "without a message"),
            (b'{"choices": [{"message": "x"}]}', "without a message"),
            (b'{"choices": [{"message": {"content": 7}}]}', "no text"),
            (b'{"choices": [{"message": {"tool_calls": {}}}]}', None),
            (b'{"choices": [{"message": {"tool_calls": [7]}}]}', "no object"),
            (b'{"choices": [{"message": {"tool_calls": 7}}]}', "no list"),
            (b"data: rubbish\n\n", "rubbish"),
            (b"data: 17\n\n", "17"),
            (b'data: {"choices": [{"delta": {"content": 7}}]}\n\n', "no text"),
            (b'data: {"choices": [{"delta": {"tool_calls": [7]}}]}\n\n', "no object"),
            (b"\x00\x1b[31m" + b"x" * 1000, "\\x00\\x1b[31mxxx"),
            (b"[" * 100_000, "[[["),
        ],
    )
    def test_what_is_no_answer_is_shown(self, reply, words):
        if words is None:
            assert decode(reply)[0].tool_calls == ()
            return
        for pieces in ([reply], [reply[at : at + 7] for at in range(0, len(reply), 7)]):
            for deltas in (False, True):
                with pytest.raises(Unreadable) as caught:
                    decode(*pieces, deltas=deltas)
                assert words in str(caught.value)
                assert str(caught.value).isprintable()
                assert len(str(caught.value)) < 400
                assert caught.value.model == "m"

    @pytest.mark.parametrize(
        ("data", "kind"),
        [
            ({"error": {"message": "Service is too busy.", "type": "service_unavailable_error"}}, Unavailable),
            ({"error": "text"}, Unavailable),
            ({"error": {"message": "wrong", "type": "invalid_request_error"}}, Rejected),
            ({"error": {"message": "Insufficient Balance"}, "choices": []}, InsufficientBalance),
            ({"message": "died"}, Unavailable),
            (chunk({"content": ""}, "error", error={"code": 502, "message": "upstream died"}), Unavailable),
        ],
    )
    def test_an_error_in_a_reply_is_raised(self, data, kind):
        with pytest.raises(kind):
            decode(json.dumps(data).encode())
        with pytest.raises(kind):
            decode(stream(data))
        decoder = Chat().decoder(ROW, deltas=True)
        decoder.feed(stream(chunk({"content": "half"}), done=False))
        with pytest.raises(kind):
            decoder.feed(stream(data))
        assert decoder.partial().text == "half"

    def test_an_error_dumped_into_a_stream_as_bare_json_is_raised(self):
        with pytest.raises(Rejected, match="wrong"):
            decode(b': keep-alive\n\n{"error": {"message": "wrong", "code": 400}}\n')


class TestOtherHosts:
    def test_a_whole_message_may_come_in_an_event(self):
        message, deltas = decode(
            stream({"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]}), deltas=True
        )
        assert (message.text, message.finish_reason, deltas) == ("x", "stop", [TextDelta("x")])

    def test_a_message_that_repeats_the_stream_is_not_added(self):
        repeat = {"choices": [{"index": 0, "message": {"content": "x"}, "finish_reason": "stop"}]}
        assert decode(stream(chunk({"content": "x"}), repeat))[0].text == "x"

    def test_of_several_choices_the_first_is_read(self):
        message, _ = decode(
            stream(*(chunk({"content": str(index)}, index=index) for index in (0, 1, 0)), chunk({}, "stop"))
        )
        assert message.text == "00"
        assert decode(stream(chunk({"content": "x"}, index=1), chunk({}, "stop", index=1)))[0].text == "x"

    def test_choices_need_no_index(self):
        plain = [{"choices": [{"delta": {"content": one}}]} for one in "ab"]
        assert decode(stream(*plain))[0].text == "ab"

    def test_chunks_that_say_nothing_are_passed_over(self):
        odd = ["", "{}", {"choices": None}, {"choices": []}, {"choices": [None]}, {"id": "x"}, {"error": None}]
        message, deltas = decode(stream(*odd, chunk({"content": "x"}), *odd, chunk({}, "stop")), deltas=True)
        assert (message.text, deltas) == ("x", [TextDelta("x")])


KEYS = "choices delta message index content reasoning tool_calls function id name arguments finish_reason usage model"
JSON = st.recursive(
    st.none() | st.sampled_from([True, 0, -1, 1.5, "", "x", "\ud800"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS.split()), inner, max_size=3),
    max_leaves=6,
)
PARTS = st.fixed_dictionaries(
    {},
    optional={
        "index": JSON,
        "id": JSON,
        "function": st.fixed_dictionaries({}, optional={"name": JSON, "arguments": JSON}),
    },
)
DELTAS = st.fixed_dictionaries(
    {},
    optional={
        "content": JSON,
        "reasoning": JSON,
        "reasoning_content": JSON,
        "tool_calls": JSON | st.lists(PARTS, max_size=2),
    },
)
CHOICES = st.fixed_dictionaries({}, optional={"delta": DELTAS, "message": DELTAS, "index": JSON, "finish_reason": JSON})
REPLIES = st.fixed_dictionaries(
    {"choices": st.lists(CHOICES, max_size=2)}, optional={"usage": JSON, "model": JSON, "error": JSON, "x_groq": JSON}
)


@given(st.lists(REPLIES | JSON, max_size=3))
def test_no_reply_is_too_odd(replies):
    for data in (stream(*map(json.dumps, replies)), *(json.dumps(one).encode() for one in replies[:1])):
        try:
            message, deltas = decode(data, deltas=True)
        except ModelError as error:
            message, deltas = Assistant(), []
            shown = str(error)
        else:
            shown = ""
        assert {type(message.model), type(message.finish_reason)} <= {str, type(None)}
        assert shown.isprintable()
        text, thought, calls = joined(deltas)
        assert (text, thought) == (message.text, message.reasoning or "")
        assert [one[1:] for one in calls] == [(one.name, one.arguments) for one in message.tool_calls]


WORDS = st.sampled_from(
    [None, "", "a", "b", "</think>", "<think>", "<", "\n", '"', "\\", "é", "\ud800", "content", ["c"], 1]
)
KINDS = (
    st.fixed_dictionaries({"content": WORDS}),
    st.fixed_dictionaries({"content": st.none() | st.just(""), "reasoning_content": WORDS}),
    st.fixed_dictionaries({"content": st.sampled_from(["a", None]), "reasoning": WORDS}),
    st.builds(fragment, WORDS, index=st.sampled_from([0, 1, None]), id=st.sampled_from([None, "i"])),
    st.builds(fragment, st.sampled_from(["a", "{}"]), index=st.just(0), name=st.sampled_from([None, "f", "g"])),
)
RUNS = st.lists(st.one_of(*(st.lists(kind, max_size=4) for kind in KINDS)), max_size=5)


@given(RUNS, st.sampled_from(["on", "always", "never"]))
def test_chunks_that_are_alike_mean_what_they_mean_each_by_itself(runs, thinking):
    def read(*reads):
        decoder = Chat().decoder(ModelRow(name="m", thinking=thinking), deltas=True)
        try:
            shown = [delta for read in reads for delta in decoder.feed(read)]
            message = decoder.finish()
        except ModelError as error:
            return type(error)
        shown += (
            delta for delta in decoder.rest() if not isinstance(delta, Repaired)
        )  # its call may have an id made at random
        return replace(message, tool_calls=()), [(one.name, one.arguments) for one in message.tool_calls], shown

    alike = [chunk(delta) for run in runs for delta in run]
    meant = read(stream(*({**one, "created": at} for at, one in enumerate(alike))))
    assert read(stream(*alike)) == meant
    assert read(*(stream(one, done=False) for one in alike), stream()) == meant


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("salvages", [False, True])
def test_an_object_in_place_of_its_text_is_told_as_a_repair(streamed, salvages):
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": {"a": 1}}}
    key, finish = ("delta" if streamed else "message"), "tool_calls"
    body = json.dumps({"choices": [{"index": 0, key: {"tool_calls": [call]}, "finish_reason": finish}]}).encode()
    request = Request(Transcript(), tools=(tool(lambda a: a, name="f"),)) if salvages else None
    decoder = Chat().decoder(ROW, deltas=True, request=request)
    decoder.feed(b"data: " + body + b"\n\ndata: [DONE]\n\n" if streamed else body)
    message = decoder.finish()
    assert [one.arguments for one in message.tool_calls] == ['{"a":1}']
    assert [one for one in decoder.rest() if isinstance(one, Repaired)] == [
        Repaired(message.tool_calls[0], {"object for a text": 1})
    ]
