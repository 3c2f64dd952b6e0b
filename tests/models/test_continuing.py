"""Cut answers: gone on with where the model can, joined with nothing said twice, else truncated with their text."""

import asyncio
import itertools
import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from script import go, ways
from wire import completion, event, serving

from agentkit import Agent, LimitReached, Limits, Settings, Truncated, Usage, tool
from agentkit.errors import ConfigurationError
from agentkit.events import Continued, ReasoningDelta, Restarted, Retried, TextDelta
from agentkit.messages import Assistant, Note, User
from agentkit.models import open_model
from agentkit.models.continuing import SHORTEST, Seam
from agentkit.models.retry import Clock
from agentkit.simulator import Simulator
from agentkit.simulator.brains import Call, Plan

FULL = (
    "The tide rises twice a day, since the moon pulls the water on the near side more than the earth, and the earth"
    " more than the water on the far side. Between two high tides lie twelve hours and twenty-five minutes."
)
THOUGHT = "They ask about the tide. I shall explain both bulges."


def tides(turn):
    """Says the same answer at each beginning of it, as a model would that thinks once."""
    return Plan(content=FULL, reasoning="" if turn.prefix else THOUGHT)


def simulated(brain=tides, profile="deepseek", name="deepseek:deepseek-flash"):
    simulator = Simulator(profile, brain=brain)
    url = f"http://simulator{simulator.profile.prefixes[0]}"
    model = open_model(name, api_key="k", base_url=url, transport=simulator.transport())
    return simulator, model


def sent(simulator):
    return [entry.body for entry in simulator.log]


def written(entry):
    return int(re.findall(r'"completion_tokens": ?(\d+)', entry.text)[-1])


def both(way, agent, **options):
    """The result or the error that a run ends with, and the events that it showed."""
    events = []
    try:
        return go(agent, way, "Why is there a tide?", on_event=events.append, **options), events
    except Truncated as error:
        return error, events


@ways
@pytest.mark.parametrize("thinking", [True, False])
def test_a_cut_answer_is_gone_on_with_at_every_stage_of_the_cut(way, thinking):
    seen = set()
    for budget in (1, 2, 5, 13, 14, 15, 16, 20, 25, 40, 60, 100):
        simulator, model = simulated()
        agent = Agent(model, settings=Settings(thinking=thinking, max_tokens=budget))
        end, events = both(way, agent)
        last = end if isinstance(end, Truncated) else end.last
        assert FULL.startswith(last.text)
        requests = list(simulator.log)
        assert [entry.path for entry in requests[1:]] == ["/beta/chat/completions"] * (len(requests) - 1)
        assert (last.text == FULL) is not isinstance(end, Truncated), budget
        said = last.message if isinstance(end, Truncated) else last
        assert said.continued == len(requests) - 1 == sum(isinstance(one, Continued) for one in events)
        assert said.usage.requests == len(requests)
        assert end.transcript.usage == said.usage
        assert said.usage.completion_tokens == sum(written(entry) for entry in requests)
        assert "".join(one.text for one in events if isinstance(one, TextDelta)) == last.text
        assert "".join(one.text for one in events if isinstance(one, ReasoningDelta)) == (said.reasoning or "")
        assert not any(isinstance(one, Restarted) for one in events)
        seen.add((len(requests), isinstance(end, Truncated)))
    assert {(3, True), (3, False), (2, False), (1, False)} <= seen
    assert ((1, True) in seen) is thinking  # the reasoning was cut: there is no text to go on from


def test_the_rest_is_asked_for_with_what_was_thought():
    simulator, model = simulated()
    assert Agent(model, settings=Settings(max_tokens=25)).run("Why is there a tide?").text == FULL
    first, second, third = sent(simulator)
    *before, begun = second["messages"]
    assert before == first["messages"]
    assert {**begun, "content": ""} == {
        "role": "assistant",
        "content": "",
        "prefix": True,
        "reasoning_content": THOUGHT,
    }
    assert FULL.startswith(begun["content"])
    assert third["messages"][-1]["content"].startswith(begun["content"])
    assert {**second, "messages": 0} == {**first, "messages": 0}


def test_the_joined_answer_is_one_message_and_goes_back_as_one():
    simulator, model = simulated()
    agent = Agent(model, settings=Settings(max_tokens=40))
    result = agent.run("Why is there a tide?")
    assert [type(one) for one in result.messages] == [User, Assistant]
    agent.run("Again?", history=result)
    assert sent(simulator)[3]["messages"][1] == {"role": "assistant", "content": FULL, "reasoning_content": THOUGHT}


@pytest.mark.parametrize(
    ("profile", "name"),
    [
        ("deepseek", "deepseek:deepseek-v4-pro"),
        ("deepseek-v4", "deepseek-v4:deepseek-v4-flash"),
        ("deepseek-v3.2", "deepseek-v3.2:deepseek-chat"),
        ("deepseek-v3.2", "deepseek-v3.2:deepseek-reasoner"),
        ("deepseek-v3.2-exp", "deepseek-v3.2-exp:deepseek-chat"),
        ("deepseek-v3.2-exp", "deepseek-v3.2-exp:deepseek-reasoner"),
        ("deepseek-r1", "deepseek-r1:deepseek-chat"),
        ("deepseek-r1", "deepseek-r1:deepseek-reasoner"),
    ],
)
@pytest.mark.parametrize("way", ["run", "astream"])
def test_every_row_with_prefix_completion_goes_on(profile, name, way):
    simulator, model = simulated(profile=profile, name=name)
    agent = Agent(model, instructions="Be exact.", settings=Settings(max_tokens=40))
    end, _ = both(way, agent)
    assert end.text == FULL
    assert len(simulator.log) > 1


@pytest.mark.parametrize(
    ("profile", "name"),
    [
        ("lkeap", "lkeap:deepseek-v3"),
        ("lkeap", "lkeap:deepseek-r1"),
        ("evolink", "evolink:deepseek-chat"),
        ("vllm", "vllm:m"),
    ],
)
@ways
def test_where_the_row_has_no_prefix_completion_a_cut_answer_is_truncated_with_its_text(profile, name, way):
    brain = lambda turn: Plan(content=FULL)  # noqa: E731
    simulator, model = simulated(brain=brain, profile=profile, name=name)
    with pytest.raises(Truncated) as caught:
        go(Agent(model, settings=Settings(max_tokens=12)), way, "Why is there a tide?")
    assert caught.value.finish_reason == "length"
    assert caught.value.text
    assert FULL.startswith(caught.value.text)
    assert len(simulator.log) == 1


@ways
def test_continuations_may_be_switched_off_or_more_of_them_be_allowed(way):
    for times, requests in ((0, 1), (1, 2), (5, 6)):
        simulator, model = simulated(brain=lambda turn: Plan(content=FULL))
        settings = Settings(max_tokens=4, continuations=times)
        with pytest.raises(Truncated, match=r"cut after \d+ characters") as caught:
            go(Agent(model, settings=settings), way, "Why?")
        assert len(simulator.log) == requests
        assert caught.value.message.continued == times
        (note,) = [one for one in caught.value.transcript if isinstance(one, Note) and one.kind == "discarded"]
        assert note.data["text"] == caught.value.text
        assert note.data["usage"]["requests"] == requests


@pytest.mark.parametrize("times", [-1, 1.5, True])
def test_a_number_of_continuations_that_is_none_is_refused(times):
    _, model = simulated()
    with pytest.raises(ConfigurationError, match="continuations"):
        Agent(model, settings=Settings(continuations=times)).run("Why?")


@ways
def test_a_call_behind_a_cut_text_runs_once_and_a_cut_call_never(way):
    ran = []

    @tool
    def note_down(text: str) -> str:
        """Note something down."""
        ran.append(text)
        return "noted"

    def brain(turn):
        if any(message.role == "tool" for message in turn.messages):
            return Plan(content="Done.")
        return Plan(content=FULL, calls=(Call("note_down", json.dumps({"text": "tide " * 60})),))

    simulator, model = simulated(brain)
    agent = Agent(model, tools=[note_down], settings=Settings(thinking=False, max_tokens=30))
    restart = {"restart": True} if "stream" in way else {}
    result = go(agent, way, "Note it down.", **restart)
    assert ran == ["tide " * 60]
    assert result.text == "Done."
    (_, said, _, _) = result.messages
    assert said.text == FULL
    assert said.continued == 2
    bodies = sent(simulator)
    assert "max_tokens" in bodies[-1]
    assert bodies[3]["max_tokens"] > 30  # the call was cut, and asked for with more room, behind the text that stays
    assert bodies[3]["messages"] == bodies[2]["messages"]


REPEATS = {
    "the rest alone": lambda before: FULL[len(before) :],
    "all from the beginning": lambda before: FULL,
    "the last words again": lambda before: before[-25:] + FULL[len(before) :],
    "only what was there": lambda before: before[-25:],
}


@pytest.mark.parametrize("habit", REPEATS)
@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("way", ["run", "stream", "arun", "astream"])
def test_what_a_model_says_twice_at_the_seam_stands_once(habit, streamed, way):
    before = FULL[:90]

    def handler(exchange):
        prefix = exchange.json["messages"][-1]
        text = REPEATS[habit](prefix["content"]) if prefix.get("prefix") else before
        finish = "stop" if prefix.get("prefix") else "length"
        if not exchange.json.get("stream"):
            return exchange.reply(completion(text, finish=finish))
        exchange.begin()
        for at in range(0, len(text), 7):
            exchange.chunk(event({"content": text[at : at + 7]}))
        exchange.chunk(event({}, finish))
        exchange.chunk(b"data: [DONE]\n\n")
        return exchange.end()

    with serving(handler) as server:
        model = open_model("deepseek:deepseek-flash", api_key="k", base_url=server.url)
        settings = Settings(thinking=streamed and None)
        end, events = both(way, Agent(model, settings=settings))
    expected = before if habit == "only what was there" else FULL
    assert end.text == expected
    assert "".join(one.text for one in events if isinstance(one, TextDelta)) == expected


words = st.text(alphabet="ab \n", min_size=0, max_size=40)


@given(words, words, st.lists(st.integers(0, 60), max_size=6))
def test_however_the_rest_is_cut_it_is_joined_alike_and_nothing_new_is_lost(before, rest, places):
    seam = Seam(before)
    once = seam.feed(rest) + seam.end()
    pieces = Seam(before)
    cuts = sorted({0, len(rest), *(place for place in places if place < len(rest))})
    given = "".join(pieces.feed(rest[a:b]) for a, b in itertools.pairwise(cuts)) + pieces.end()
    assert given == once
    assert rest.endswith(once)
    dropped = rest[: len(rest) - len(once)]
    assert before.endswith(dropped)
    assert not dropped or len(dropped) >= SHORTEST


@given(st.text(min_size=1, max_size=60), st.integers(0, 60), st.text(max_size=30))
def test_a_tail_that_is_said_again_is_dropped_if_it_could_only_be_that(before, length, rest):
    tail = before[-length:] if length else ""
    seam = Seam(before)
    said = seam.feed(tail + rest) + seam.end()
    fits = [n for n in range(SHORTEST, len(tail + rest) + 1) if before.endswith((tail + rest)[:n])]
    assert said == (tail + rest)[fits[0] if len(fits) == 1 else 0 :]


def test_a_text_that_goes_round_loses_nothing():
    seam = Seam("| --- " * 10)
    assert seam.feed("| --- " * 5) + seam.end() == "| --- " * 5


def test_a_long_answer_said_again_from_the_beginning_is_joined_in_time():
    text = "".join(f"line {number}\n" for number in range(20_000))
    seam = Seam(text)
    assert seam.feed(text) + seam.feed("and more") + seam.end() == "and more"


@ways
def test_where_the_rest_cannot_be_had_the_part_that_came_is_kept(way):
    def handler(exchange):
        if exchange.head.startswith("POST /beta/"):
            return exchange.reply(b'{"error":{"message":"no such thing here"}}', "400 Bad Request")
        return exchange.reply(completion(FULL[:90], finish="length"))

    with serving(handler) as server:
        model = open_model("deepseek:deepseek-flash", api_key="k", base_url=server.url + "/v1")
        with pytest.raises(Truncated, match=r"its rest could not be had: .*no such thing here") as caught:
            go(Agent(model), way, "Why?")
    assert caught.value.text == FULL[:90]
    assert caught.value.transcript.usage == Usage(3, 2, 0, 0, 3, requests=1)


@pytest.mark.parametrize("way", ["run", "arun"])
def test_a_rest_that_breaks_off_is_asked_for_again_behind_what_stays(way):
    numbers = []

    def handler(exchange):
        exchange.begin()
        numbers.append(len(numbers))
        if len(numbers) == 1:
            exchange.chunk(event({"content": FULL[:90]}) + event({}, "length") + b"data: [DONE]\n\n")
        elif len(numbers) == 2:
            exchange.chunk(event({"content": FULL[90:120]}))
            return exchange.connection.close()
        else:
            exchange.chunk(event({"content": FULL[90:]}) + event({}, "stop") + b"data: [DONE]\n\n")
        return exchange.end()

    with serving(handler) as server:
        model = open_model("deepseek:deepseek-flash", api_key="k", base_url=server.url)

        async def asleep(_):
            return None

        model.clock = Clock(sleep=lambda _: None, asleep=asleep)
        end, events = both(way, Agent(model))
    assert end.text == FULL
    assert [type(one) for one in events if isinstance(one, Continued | Retried | Restarted)] == [
        Continued,
        Retried,
        Restarted,
    ]
    after = events[[type(one) for one in events].index(Restarted) :]
    assert "".join(one.text for one in after if isinstance(one, TextDelta)) == FULL


def test_log_probabilities_of_both_parts_spell_the_answer():
    _, model = simulated(lambda turn: Plan(content=FULL))
    settings = Settings(thinking=False, max_tokens=30, logprobs=True)
    message = Agent(model, settings=settings).run("Why?").last
    assert message.continued
    assert "".join(one.token for one in message.logprobs.content) == message.text


def test_parallel_runs_are_continued_each_for_itself():
    simulator, model = simulated()
    agent = Agent(model, settings=Settings(max_tokens=40), limits=Limits(steps=1))

    async def all_of_them():
        return await asyncio.gather(*(agent.arun(f"Why is there tide {number}?") for number in range(20)))

    try:
        results = asyncio.run(all_of_them())
    except LimitReached as error:  # a continuation is no step
        raise AssertionError from error
    assert {result.text for result in results} == {FULL}
    assert {result.steps for result in results} == {1}
    assert replace(results[0].last, usage=None, model=None) == replace(results[1].last, usage=None, model=None)
    assert len(simulator.log) == 40
