"""The transcript keeps its counts as it grows; a naive reading of the whole list must agree with them."""

from hypothesis import given
from hypothesis import strategies as st

from agentkit.messages import Assistant, Note, System, ToolCall, ToolMessage, Usage, User
from agentkit.transcript import DISCARDED, RUN, Transcript

ids = st.sampled_from(["a", "b", "c"])
usages = st.none() | st.builds(Usage, prompt_tokens=st.integers(0, 9), completion_tokens=st.integers(0, 9))
calls = st.lists(ids, unique=True, max_size=3).map(lambda some: tuple(ToolCall(one, "t", "{}") for one in some))
entries = st.lists(
    st.one_of(
        st.builds(User, st.text(max_size=3)),
        st.builds(System, st.text(max_size=3)),
        st.builds(Assistant, st.text(max_size=3), tool_calls=calls, usage=usages),
        st.builds(ToolMessage, ids, st.just("t"), st.text(max_size=3)),
        st.just(Note(RUN, {})),
        st.just(Note(DISCARDED, {"usage": {"prompt_tokens": 2, "requests": 1}})),
        st.just(Note("other", {"x": 1})),
    ),
    max_size=25,
)


def naive_open(said):
    """The unanswered calls of the last assistant message, by looking through everything."""
    for i in range(len(said) - 1, -1, -1):
        if isinstance(said[i], Assistant):
            answered = {one.tool_call_id for one in said[i + 1 :] if isinstance(one, ToolMessage)}
            return tuple(call for call in said[i].tool_calls if call.id not in answered)
    return ()


@given(entries)
def test_counts_kept_while_growing_agree_with_a_reading_of_the_whole(said):
    transcript = Transcript(said)
    messages = [one for one in said if not isinstance(one, Note)]
    begun = max((i for i, one in enumerate(said) if one == Note(RUN, {})), default=0)
    since = said[begun:]
    discarded = [one for one in since if isinstance(one, Note) and one.kind == DISCARDED]
    replies = [one for one in since if isinstance(one, Assistant)]
    assert list(transcript) == said
    assert transcript.last == (messages[-1] if messages else None)
    assert transcript.said == len(messages)
    assert transcript.start == begun
    assert transcript.open_calls == naive_open(messages)
    assert transcript.steps == len(replies) + len(discarded)
    assert transcript.usage.prompt_tokens == sum(
        [one.usage.prompt_tokens for one in replies if one.usage], 2 * len(discarded)
    )
    assert transcript.messages() == tuple(messages)


@given(entries, st.integers(0, 25))
def test_a_transcript_grown_entry_by_entry_equals_one_made_at_once(said, cut):
    grown = Transcript(said[:cut])
    for entry in said[cut:]:
        grown.append(entry)
    whole = Transcript(said)
    state = [(one.last, one.open_calls, one.steps, one.tool_calls, one.usage, one.start) for one in (grown, whole)]
    assert state[0] == state[1]


def test_the_text_is_the_last_words_of_the_run_under_way():
    transcript = Transcript([User("q"), Assistant("old"), Note(RUN, {}), User("again")])
    assert transcript.text == ""
    transcript.append(Assistant("words", tool_calls=(ToolCall("1", "t", "{}"),)))
    transcript.append(ToolMessage("1", "t", "x"))
    transcript.append(Assistant(""))
    assert transcript.text == "words"
