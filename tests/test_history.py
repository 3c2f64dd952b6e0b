"""A history that is handed in is checked, and mended where there is but one way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from script import Script, go, says, ways
from test_messages import messages

from agentkit import Agent, ConfigurationError
from agentkit.events import Warned
from agentkit.history import NEVER_ANSWERED, mended
from agentkit.messages import Assistant, Note, ToolCall, ToolMessage, User

Q, AGAIN, WORDS = User("q"), User("again"), Assistant("words", finish_reason="stop")
A, B = ToolCall("a", "t", "{}"), ToolCall("b", "u", "{}")
ASKED = Assistant("", tool_calls=(A, B))
NONE_A, NONE_B = (ToolMessage(one.id, one.name, NEVER_ANSWERED, ok=False) for one in (A, B))


def answer(id, name="t"):
    return ToolMessage(id, name, "done")


@pytest.mark.parametrize(
    ("history", "made", "told"),
    [
        ([Q, ASKED, answer("a"), answer("b", "u"), WORDS], None, []),
        ([Q, ASKED], None, []),
        ([Q, ASKED, answer("b", "u")], None, []),
        ([Q, ASKED, AGAIN, answer("a"), answer("b", "u"), WORDS], None, []),
        ([Q, ASKED, Note("x"), answer("a")], None, []),
        ([Q, ASKED, answer("a"), WORDS], [Q, ASKED, answer("a"), NONE_B, WORDS], ["`b` of `u` was never answered"]),
        ([Q, ASKED, AGAIN, WORDS], [Q, ASKED, AGAIN, NONE_A, NONE_B, WORDS], ["`a`", "`b`"]),
        ([Q, answer("a"), WORDS], [Q, WORDS], ["answer of `t` to `a`, no open call, is left out"]),
        ([Q, ASKED, answer("a"), answer("a"), answer("b", "u")], [Q, ASKED, answer("a"), answer("b", "u")], ["`a`"]),
        (
            [Q, ASKED, answer("a"), answer("", "u")],
            [Q, ASKED, answer("a"), answer("b", "u")],
            ["given to the call `b`"],
        ),
        ([Q, ASKED, answer("")], [Q, ASKED, answer("a")], ["given to the call `a`"]),
        ([Q, ASKED, answer("", "")], [Q, ASKED], ["no open call"]),
    ],
)
def test_what_is_wrong_is_mended_and_told_and_the_rest_is_left_as_it_is(history, made, told):
    entries, sentences = mended(history)
    assert entries == (history if made is None else made)
    assert len(sentences) == len(told)
    assert all(part in sentence for part, sentence in zip(told, sentences, strict=True))


def test_a_call_and_its_answer_that_have_no_id_get_one():
    (_, asked, answered), told = mended([Q, Assistant("", tool_calls=(ToolCall("", "t", "{}"),)), answer("")])
    assert asked.tool_calls[0].id == answered.tool_call_id != ""
    assert len(told) == 2


def test_calls_that_share_an_id_get_ids_of_their_own_unless_one_was_answered():
    twice = Assistant("", tool_calls=(A, A))
    (_, mended_twice), told = mended([Q, twice])
    assert len({call.id for call in mended_twice.tool_calls}) == 2
    assert len(told) == 1
    assert mended([Q, twice, answer("a")]) == ([Q, twice, answer("a")], [])


@given(st.lists(messages, max_size=8))
def test_what_was_mended_needs_no_mending(history):
    once, _ = mended(history)
    again, told = mended(once)
    assert (again, told) == (once, [])


@ways
def test_a_run_tells_of_what_it_mended_by_an_event_and_asks_the_model_with_a_whole_history(way):
    seen, model = [], Script(says("fine"))
    result = go(Agent(model), way, "go", history=[Q, ASKED, WORDS, answer("x")], on_event=seen.append)
    warned = [event.text for event in seen if isinstance(event, Warned)]
    assert len(warned) == 3
    assert all(text.startswith("the history was mended: ") for text in warned)
    assert result.messages == (Q, ASKED, NONE_A, NONE_B, WORDS, User("go"), says("fine"))


@ways
@pytest.mark.parametrize("wrong", [{"role": "user", "content": "q"}, "q", None])
def test_what_is_no_message_is_refused_with_its_place(way, wrong):
    with pytest.raises(ConfigurationError, match=r"`history\[1\]` is a `\w+`, not a message"):
        go(Agent(Script()), way, "go", history=[Q, wrong])
