"""Reasoning within the text: split off however it is cut, whether its opening tag came or not."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.events import ReasoningDelta, TextDelta
from agentkit.models.catalog import find
from agentkit.models.dialects.chat import Chat
from agentkit.models.dialects.think import Thoughts
from agentkit.models.rows import ModelRow

TAGS = ModelRow(name="m", tags=True)
R1 = ModelRow(name="m", tags=True, thinking="always")

SPLITS = [
    ("<think>a plan</think>\n\nhello", "a plan", "hello"),
    ("\n <think>\na plan\n</think>\n\nhello\n", "\na plan\n", "hello\n"),
    ("<think></think>hello", None, "hello"),
    ("a plan\n</think>\n\nhello", "a plan\n", "hello"),
    ("<think>the tag `</think>` ends it</think>hello", "the tag `</think>` ends it", "hello"),
    ("<think>a</think>b</think>c", "a", "b</think>c"),
    ("<think>no end", "no end", ""),
    ("hello", None, "hello"),
    ("  hello", None, "  hello"),
    ("<thin air>", None, "<thin air>"),
    ("<thi", None, "<thi"),
    ("", None, ""),
]


def pieces(cut, text):
    """The text in pieces that end at these places."""
    places = sorted({0, len(text), *(place % (len(text) + 1) for place in cut)})
    return [text[a:b] for a, b in itertools.pairwise(places)]


def stream(row, texts, finish="stop", extra=None):
    """A streamed reply with these texts: the message, and the deltas that it gave."""
    decoder = Chat().decoder(row, deltas=True)
    chunks = [{"delta": {"content": text}, "finish_reason": None} for text in texts]
    chunks = [*([{"delta": extra}] if extra else []), *chunks, {"delta": {}, "finish_reason": finish}]
    deltas = []
    for chunk in chunks:
        deltas += decoder.feed(b"data: " + json.dumps({"choices": [{"index": 0, **chunk}]}).encode() + b"\n\n")
    decoder.feed(b"data: [DONE]\n\n")
    message = decoder.finish()
    return message, [*deltas, *decoder.rest()]


def whole(row, text, finish="stop"):
    decoder = Chat().decoder(row, deltas=True)
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
    deltas = decoder.feed(json.dumps({"choices": [choice]}).encode())
    message = decoder.finish()
    return message, [*deltas, *decoder.rest()]


@pytest.mark.parametrize("row", [TAGS, R1], ids=["sometimes", "always"])
@pytest.mark.parametrize(("text", "reasoning", "answer"), SPLITS)
@given(cut=st.lists(st.integers(0, 60), max_size=8))
def test_reasoning_between_tags_is_no_part_of_the_answer_however_it_is_cut(row, text, reasoning, answer, cut):
    for message, _ in (stream(row, pieces(cut, text)), whole(row, text)):
        assert (message.reasoning, message.text) == (reasoning, answer)


@given(cut=st.lists(st.integers(0, 60), max_size=8))
def test_one_who_looks_on_sees_reasoning_as_reasoning_and_no_tag(cut):
    for row, text in ((TAGS, "<think>a plan</think>\n\nhello"), (R1, "a plan</think>\n\nhello")):
        _, deltas = stream(row, pieces(cut, text))
        assert "".join(one.text for one in deltas if isinstance(one, ReasoningDelta)) == "a plan"
        assert "".join(one.text for one in deltas if isinstance(one, TextDelta)) == "hello"


def test_a_model_that_always_thinks_but_sent_no_tag_has_answered():
    message, deltas = stream(R1, ["hel", "lo"])
    assert (message.reasoning, message.text) == (None, "hello")
    assert deltas[-1] == TextDelta("hello")


def test_reasoning_that_was_cut_by_the_limit_is_no_answer():
    message, _ = stream(R1, ["a long", " plan"], finish="length")
    assert (message.reasoning, message.text) == ("a long plan", "")


def test_where_the_host_tells_reasoning_apart_the_text_is_left_as_it_is():
    message, deltas = stream(R1, ["a </think> b"], extra={"reasoning_content": "a plan"})
    assert (message.reasoning, message.text) == ("a plan", "a </think> b")
    assert [type(one) for one in deltas] == [ReasoningDelta, TextDelta]


HOSTS_WITH_A_FIELD = ["deepseek:deepseek-flash", "lkeap:deepseek-r1", "evolink:deepseek-reasoner"]


@pytest.mark.parametrize("name", HOSTS_WITH_A_FIELD)
@pytest.mark.parametrize("text", ["\n a <think>a</think>b", "a</think>b", "`<think>` opens", "<thin air>"])
def test_endpoints_with_a_field_for_reasoning_may_talk_of_the_tags(name, text):
    row = find(name)[1]
    assert stream(row, [text])[0].text == whole(row, text)[0].text == text
    assert stream(row, [*text])[0].text == text
    tagged = f"<think>{text}"
    assert stream(row, [tagged], extra={"reasoning_content": "a plan"})[0].text == tagged


@pytest.mark.parametrize("name", HOSTS_WITH_A_FIELD)
def test_reasoning_that_begins_a_text_with_its_tag_is_split_off_even_there(name):
    row = find(name)[1]
    for message, deltas in (stream(row, [*"<think>a</think>\n\nb"]), whole(row, "<think>a</think>\n\nb")):
        assert (message.reasoning, message.text) == ("a", "b")
        assert "".join(one.text for one in deltas if isinstance(one, TextDelta)) == "b"


def test_a_model_that_never_thinks_may_begin_with_the_tag():
    assert stream(find("lkeap:deepseek-v3")[1], ["<think>a</think>b"])[0].text == "<think>a</think>b"


@pytest.mark.parametrize("name", ["vllm:deepseek-ai/DeepSeek-R1", "ollama:deepseek-r1:14b", "openai:qwen3"])
def test_compatible_servers_may_leave_the_tags_in_the_text(name):
    message, _ = stream(find(name)[1], ["<thi", "nk>a</th", "ink>b"])
    assert (message.reasoning, message.text) == ("a", "b")


@given(texts=st.lists(st.sampled_from(["<think>", "</think>", "a", "`", "\n", "<", "/", "think>"]), max_size=12))
@pytest.mark.parametrize("always", [False, True])
def test_nothing_is_lost_but_tags_and_blanks(texts, always):
    thoughts = Thoughts(always=always)
    said = [piece for text in texts for _, piece in thoughts.feed(text)] + [piece for _, piece in thoughts.end()]
    kept = "".join(said)
    blank = str.maketrans("", "", "\r\n ")
    full = "".join(texts)
    if "<think>" in full.lstrip()[:7]:
        full = full.lstrip()[7:]
    shortened = [full, *(full[:i] + full[i + 8 :] for i in range(len(full)) if full.startswith("</think>", i))]
    assert kept.translate(blank) in {one.translate(blank) for one in shortened}
