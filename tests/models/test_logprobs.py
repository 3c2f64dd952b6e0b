"""Log probabilities: kept on the message as the endpoint sent them, whole and streamed alike."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recordings import exchanges, needs_shared

from agentkit import Agent, Settings
from agentkit.messages import Assistant, Logprobs, TokenLogprob, dump, load
from agentkit.models.catalog import find
from agentkit.models.dialects.chat import Chat
from agentkit.models.logprobs import read

PIECE = {
    "content": [
        {"token": "4", "logprob": -0.5, "bytes": [52], "top_logprobs": [{"token": "4", "logprob": -0.5}, {"token": 7}]},
        {"token": "2", "logprob": 0},
    ],
    "reasoning_content": [{"token": "We", "logprob": -1.5, "top_logprobs": []}],
}


def test_tokens_of_answer_and_reasoning_are_read():
    assert read([PIECE, None, {"content": None}]) == Logprobs(
        (TokenLogprob("4", -0.5, (("4", -0.5),)), TokenLogprob("2", 0.0)), (TokenLogprob("We", -1.5),)
    )
    assert read([PIECE, PIECE]).content == read([PIECE]).content * 2


@pytest.mark.parametrize("pieces", [[], [None], ["x"], [{}], [{"content": 3}], [{"content": [3, {"token": "a"}]}]])
def test_what_tells_nothing_is_none(pieces):
    assert read(pieces) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["content", "token", "logprob", "top_logprobs"]), inner)
    ),
)


@given(st.lists(JSON))
def test_nothing_is_too_odd_to_be_read(pieces):
    assert read(pieces) is None or isinstance(read(pieces), Logprobs)


def test_they_are_saved_and_loaded():
    message = Assistant("42", logprobs=read([PIECE]))
    assert load(dump([message])) == [message]


@needs_shared
def test_recorded_ones_are_read_whole_and_streamed_alike():
    seen = 0
    for one in exchanges():
        if "logprobs_matrix" not in one.name or one.status != 200:
            continue
        decoder = Chat().decoder(find("deepseek:deepseek-v4-flash")[1], deltas=False)
        decoder.feed(one.body)
        message = decoder.finish()
        told = message.logprobs
        assert (told is not None) == bool(one.request.get("logprobs")), one.name
        if told is None:
            continue
        seen += 1
        assert "".join(token.token for token in told.content).startswith(message.text)
        assert "".join(token.token for token in told.reasoning).startswith(message.reasoning or "")
        assert all(token.logprob <= 0 for token in (*told.content, *told.reasoning))
        asked = one.request.get("top_logprobs")
        assert all(len(token.top) == (asked or 0) for token in (*told.content, *told.reasoning)), one.name
    assert seen >= 6


def test_the_simulator_sends_them_when_asked():
    message = Agent("sim:deepseek-flash", settings=Settings(logprobs=True, top_logprobs=2)).run("Say hi.").messages[-1]
    assert "".join(token.token for token in message.logprobs.content) == message.text
    assert all(len(token.top) == 2 for token in message.logprobs.content)
    assert all(math.exp(token.logprob) <= 1 for token in message.logprobs.content)
    assert Agent("sim:deepseek-flash").run("Say hi.").messages[-1].logprobs is None
    assert json.loads(dump([message]))[0]["logprobs"]["content"]
