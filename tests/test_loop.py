"""What has been said decides what happens next."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.errors import ConfigurationError, LimitReached
from agentkit.events import CallModel, CallTools, Review
from agentkit.loop import Limits, adrive, decide, drive
from agentkit.messages import Assistant, Note, System, ToolCall, ToolMessage, Usage, User
from agentkit.transcript import RUN, Transcript

A, B = ToolCall("a", "t", "{}"), ToolCall("b", "t", "{}")
ASKED = Assistant("", tool_calls=(A, B))
DONE = ToolMessage("a", "t", "1"), ToolMessage("b", "t", "2")


@pytest.mark.parametrize(
    ("said", "effect"),
    [
        ([User("q")], CallModel()),
        ([System("be brief")], CallModel()),
        ([User("q"), ASKED], CallTools((A, B))),
        ([User("q"), ASKED, DONE[0]], CallTools((B,))),
        ([User("q"), ASKED, DONE[1]], CallTools((A,))),
        ([User("q"), ASKED, *DONE], CallModel()),
        ([User("q"), ASKED, Note("other", {}), *DONE, Note("other", {})], CallModel()),
        ([User("q"), ASKED, DONE[0], User("stop")], CallTools((B,), interrupted=True)),
        ([User("q"), ASKED, System("hm")], CallTools((A, B), interrupted=True)),
        ([User("q"), Assistant("a")], Review()),
        ([User("q"), Assistant("a"), Note("other", {})], Review()),
        ([User("q"), Assistant("a"), User("but")], CallModel()),
        ([User("q"), Assistant("", tool_calls=(A,)), ToolMessage("a", "t", "x", final=True)], Review()),
    ],
)
def test_the_transcript_calls_for_the_next_effect(said, effect):
    assert decide(Transcript(said), Limits()) == effect


def test_an_empty_transcript_is_an_error_that_says_what_to_do():
    with pytest.raises(ConfigurationError, match="give a prompt"):
        decide(Transcript([Note(RUN, {})]), Limits())


@pytest.mark.parametrize(
    ("limits", "said", "name"),
    [
        (Limits(steps=2), [User("q"), ASKED, *DONE, ASKED, *DONE], "steps"),
        (Limits(steps=0), [User("q")], "steps"),
        (Limits(tool_calls=1), [User("q"), ASKED], "tool_calls"),
        (Limits(tool_calls=3), [User("q"), ASKED, *DONE, ASKED], "tool_calls"),
        (Limits(tokens=10), [User("q"), Assistant("x", tool_calls=(A,), usage=Usage(6, 4)), DONE[0]], "tokens"),
    ],
)
def test_a_limit_ends_the_run_before_it_is_passed(limits, said, name):
    with pytest.raises(LimitReached, match=f"`{name}=") as caught:
        decide(Transcript(said), limits)
    assert caught.value.limit == name


def test_limits_count_from_the_note_that_began_the_run():
    earlier = [User("q"), ASKED, *DONE, Assistant("x", usage=Usage(100, 100))]
    assert decide(Transcript([*earlier, Note(RUN, {}), User("q")]), Limits(steps=1, tokens=5)) == CallModel()


def test_an_answer_is_accepted_even_when_it_used_up_the_last_step():
    assert decide(Transcript([User("q"), Assistant("done")]), Limits(steps=1)) == Review()


@pytest.mark.parametrize("limits", [{"steps": -1}, {"seconds": "3"}, {"tokens": True}])
def test_a_limit_that_is_no_number_is_refused(limits):
    with pytest.raises(ConfigurationError, match="Limits"):
        Limits(**limits)


def scripted(replies, transcript, order):
    """A performer that answers as told and finishes parallel tools in the given order."""

    def perform(effect, say):
        if isinstance(effect, CallModel):
            say(replies[sum(isinstance(one, Assistant) for one in transcript)])
        elif isinstance(effect, CallTools):
            for call in sorted(effect.calls, key=lambda call: order.index(call.id)):
                say(ToolMessage(call.id, call.name, "interrupted" if effect.interrupted else call.id))

    return perform


REPLIES = [ASKED, Assistant("more", tool_calls=(B,)), Assistant("answer", finish_reason="stop")]


def run(transcript, order=("a", "b"), asynchronous=False):
    perform = scripted(REPLIES, transcript, order)
    if asynchronous:

        async def aperform(effect, say):
            perform(effect, say)

        asyncio.run(adrive(transcript, aperform, transcript.append, None, Limits()))
    else:
        drive(transcript, perform, transcript.append, None, Limits())
    return list(transcript)


@given(st.permutations(["a", "b"]), st.integers(1, 20), st.booleans())
def test_a_run_resumed_from_any_prefix_ends_as_it_would_have(order, cut, asynchronous):
    whole = run(Transcript([User("q")]), order)
    assert run(Transcript(whole[:cut]), order, asynchronous) == whole


def test_effects_are_shown_in_order_and_silence_ends_the_run():
    shown = []
    transcript = Transcript([User("q")])
    drive(transcript, scripted(REPLIES, transcript, "ab"), transcript.append, shown.append, Limits())
    assert shown == [CallModel(), CallTools((A, B)), CallModel(), CallTools((B,)), CallModel(), Review()]
