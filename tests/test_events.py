"""Events go to JSON and back without loss."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.errors import ConfigurationError
from agentkit.events import (
    CallDelta,
    CallModel,
    CallTools,
    Finished,
    Queued,
    ReasoningDelta,
    Repaired,
    Restarted,
    Retried,
    Review,
    Salvaged,
    Stamped,
    Stamper,
    TextDelta,
    ToolFinished,
    ToolStarted,
    dump,
    load,
)
from agentkit.messages import Assistant, Note, System, ToolCall, ToolMessage, Usage, User
from agentkit.result import Result

texts = st.text(max_size=12) | st.just("half \ud800 pair")
calls = st.builds(ToolCall, texts, texts, texts)
seconds = st.floats(0, 1e6)
entries = st.one_of(
    st.builds(System, texts),
    st.builds(User, texts),
    st.builds(Assistant, texts, st.none() | texts, st.lists(calls, max_size=2).map(tuple)),
    st.builds(ToolMessage, texts, texts, texts),
    st.builds(Note, texts, st.dictionaries(st.text(max_size=9), st.text(max_size=9), max_size=2)),
)
results = st.builds(Result, texts, st.lists(entries, max_size=3).map(tuple), st.integers(0, 3), st.builds(Usage))
events = st.one_of(
    st.builds(CallModel),
    st.builds(CallTools, st.lists(calls, max_size=2).map(tuple), st.booleans()),
    st.builds(Review),
    st.builds(TextDelta, texts),
    st.builds(ReasoningDelta, texts),
    st.builds(CallDelta, st.integers(0, 9), texts, texts, texts),
    st.builds(ToolStarted, calls),
    st.builds(Salvaged, st.tuples(calls), st.just(("dsml",))),
    st.builds(Repaired, calls, st.dictionaries(st.text(max_size=9), st.integers(1, 9), max_size=2)),
    st.builds(ToolFinished, calls, st.booleans(), seconds, st.none() | texts, st.none() | texts),
    st.builds(Retried, st.integers(1, 9), seconds, texts),
    st.builds(Queued, seconds),
    st.builds(Restarted),
    st.builds(Finished, results),
    entries,
)


@given(st.builds(Stamped, texts, st.integers(0, 99), st.integers(0, 999), events))
def test_what_was_dumped_is_loaded_equal(stamped):
    line = dump(stamped)
    assert b"\n" not in line
    assert load(line) == stamped


@pytest.mark.parametrize("data", [b"", b"3", b"{}", b'{"run":"r","step":0,"seq":0,"event":"Nonsense","data":{}}'])
def test_what_is_no_event_is_refused(data):
    with pytest.raises(ConfigurationError, match="no event"):
        load(data)


def test_an_answer_of_a_type_json_does_not_know_is_shown_and_not_lost():
    line = dump(Stamped("r", 1, 0, Finished(Result(output=object(), entries=()))))
    assert b"object object at" in line


def test_steps_count_model_calls_and_numbers_begin_anew_in_each():
    stamp = Stamper()
    said = (Note("run", {"id": "r"}), User("q"), CallModel(), TextDelta("a"), CallModel(), TextDelta("b"))
    stamped = [stamp(event) for event in said]
    assert [(one.run, one.step, one.seq) for one in stamped] == [
        ("r", 0, 0), ("r", 0, 1), ("r", 1, 0), ("r", 1, 1), ("r", 2, 0), ("r", 2, 1)
    ]  # fmt: skip
