"""Models for tests: what `Script` and `Function` say, in all four ways, and what they keep of what they were asked."""

import asyncio
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from script import go, ways

from agentkit import Agent, ConfigurationError, Limits, Settings, ToolCall, tool
from agentkit.errors import Cancelled, LimitReached, RateLimited, Truncated
from agentkit.events import CallDelta, ReasoningDelta, TextDelta
from agentkit.messages import Assistant, Usage, User
from agentkit.models import Fallback
from agentkit.models.request import Request
from agentkit.testing import Function, Script, call
from agentkit.threads import Stop
from agentkit.transcript import Transcript


@tool
def weather(city: str) -> str:
    """Forecast for a city."""
    return f"{city}: sunny"


def asked(text="Hello", **options):
    return Request(Transcript([User(text)]), **options)


# Script.


@ways
def test_replies_are_given_one_after_the_other(way):
    model = Script([["Let me see.", call("weather", city="Paris")], call("weather", city="Rome"), "Sunny in both."])
    result = go(Agent(model, tools=[weather]), way, "Paris and Rome?")
    assert [message.text for message in result.messages] == [
        "Paris and Rome?", "Let me see.", "Paris: sunny", "", "Rome: sunny", "Sunny in both.",
    ]  # fmt: skip
    assert [one.tool_call_id for one in result.messages if one.role == "tool"] == ["call_1", "call_2"]
    assert result.last.model == "script"
    model.assert_complete()


@ways
def test_requests_are_kept_as_they_were_when_they_came(way):
    model = Script([call("weather", city="Paris"), "Sunny."])
    go(Agent(model, instructions="Be brief.", tools=[weather]), way, "Paris?", settings=Settings(temperature=0.5))
    first, second = model.requests
    assert [one.text for one in first.transcript.messages()] == ["Paris?"]
    assert [one.text for one in second.transcript.messages()] == ["Paris?", "", "Paris: sunny"]
    assert (first.instructions, [one.name for one in first.tools]) == ("Be brief.", ["weather"])
    assert first.settings.temperature == 0.5
    assert first.stream == (way in ("stream", "astream"))


@ways
def test_a_message_is_said_as_it_is(way):
    said = Assistant("Hm.", reasoning="Well …", finish_reason="stop", usage=Usage(7, 3, requests=1), model="deep")
    result = go(Agent(Script([said])), way, "Hello")
    assert result.last is said
    assert result.usage == Usage(7, 3, requests=1)
    with pytest.raises(Truncated) as caught:
        go(Agent(Script([Assistant("Half a", finish_reason="length")])), way, "Hello")
    assert caught.value.text == "Half a"


@ways
@pytest.mark.parametrize("error", [RateLimited("busy"), LookupError("mine")], ids=repr)
def test_an_error_is_raised(way, error):
    model = Script([error, "Afterwards."])
    with pytest.raises(type(error)) as caught:
        go(Agent(model), way, "Hello")
    assert go(Agent(model), way, None, history=caught.value.transcript).output == "Afterwards."
    model.assert_complete()


@ways
def test_a_function_says_its_reply_from_the_request(way):
    async def later(request):
        return f"and {len(request.transcript.messages())} messages"

    model = Script([lambda request: call("weather", city=request.transcript.last.text), later])
    result = go(Agent(model, tools=[weather]), way, "Oslo")
    assert [message.text for message in result.messages] == ["Oslo", "", "Oslo: sunny", "and 3 messages"]


@ways
def test_a_reply_too_few_is_said_by_the_request_and_at_the_end(way):
    model = Script([call("weather", city="Paris")])
    with pytest.raises(AssertionError, match="`script` has 1 replies, and this is request 2"):
        go(Agent(model, tools=[weather]), way, "Paris?")
    with pytest.raises(AssertionError, match="this is request 2"):
        model.assert_complete()


def test_a_reply_too_many_is_said_at_the_end():
    model = Script(["One.", "Two.", "Three."], name="judge")
    Agent(model).run("Hello")
    assert repr(model) == "<Script 'judge': 1 of 3 replies given>"
    with pytest.raises(AssertionError, match="`judge`: 1 of 3 replies were asked for"):
        model.assert_complete()


@pytest.mark.parametrize("later", [False, True])
def test_what_a_function_objects_to_is_not_lost_within_a_tool(later):
    def expects(request):
        assert request.transcript.last.text == "something else", "not what was to be asked"

    async def expects_later(request):
        expects(request)

    inner = Script([expects_later if later else expects])

    @tool
    def ask() -> str:
        """Ask another agent."""
        return Agent(inner).run("Hello").output

    outer = Script([call("ask"), "Done."])
    assert Agent(outer, tools=[ask]).run("Go").output == "Done."
    outer.assert_complete()
    with pytest.raises(AssertionError, match="`script`, reply 1: not what was to be asked"):
        inner.assert_complete()


def test_threads_that_ask_at_once_get_a_reply_each():
    model = Script([str(number) for number in range(64)])
    said = []

    def ask():
        said.extend([Agent(model).run("Hello").output for _ in range(8)])

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(said, key=int) == [str(number) for number in range(64)]
    model.assert_complete()


def test_the_same_model_stands_in_by_override_and_in_a_fallback():
    agent = Agent("deepseek:deepseek-flash")
    with agent.override(model=Script(["Instead."])):
        assert agent.run("Hello").output == "Instead."
    stood_in = Agent(Fallback([Script([RateLimited("busy")], name="first"), Script(["Here."])])).run("Hello")
    assert (stood_in.output, stood_in.last.attempts) == ("Here.", ("`first` RateLimited: busy",))


def test_arguments_may_be_as_wrong_as_models_write_them():
    model = Script([ToolCall("x", "weather", "{'city': 'Rome',}"), ToolCall("y", "weather", '{"town": 1}'), "Done."])
    result = Agent(model, tools=[weather]).run("Rome?")
    assert [(one.tool_call_id, one.ok) for one in result.messages if one.role == "tool"] == [("x", True), ("y", False)]


def test_a_limit_ends_a_script_that_goes_on():
    with pytest.raises(LimitReached):
        Agent(Script([call("weather", city="x")] * 5), tools=[weather], limits=Limits(steps=3)).run("Go")


@pytest.mark.parametrize(
    ("replies", "said"),
    [
        ("text", r"`Script` takes a list of replies: `Script\(\[…\]\)`, not `'text'`"),
        (5, "takes a list of replies"),
        ([5], "reply 1 of `script` is `5`: a reply is a text"),
        (["x", []], r"reply 2 of `script` is `\[\]`"),
        ([["x", None]], "reply 1"),
        ([RateLimited], "reply 1 of `script` is `<class .*RateLimited'>`: .* or an exception"),
        ([{"text": "x" * 200}], r"reply 1 of `script` is `\{'text': 'x+ …`: a reply is"),
    ],
)
def test_what_is_no_reply_is_refused_at_once(replies, said):
    with pytest.raises(ConfigurationError, match=said):
        Script(replies)


@ways
def test_a_function_that_gives_no_reply_is_told_so(way):
    def nothing(request):
        pass

    with pytest.raises(ConfigurationError, match="`nothing` said `None`, which is no reply: a reply is a text"):
        go(Agent(Function(nothing)), way, "Hello")


def test_arguments_that_json_cannot_hold_are_refused():
    with pytest.raises(ConfigurationError, match="arguments of the call of `act` cannot be written as JSON"):
        call("act", thing=object())


# Function.


@ways
@pytest.mark.parametrize("later", [False, True])
def test_a_function_answers_every_request(way, later):
    def echo(request):
        last = request.transcript.last
        return call("weather", city=last.text) if isinstance(last, User) else f"It says: {last.text}"

    async def echo_later(request):
        return echo(request)

    model = Function(echo_later if later else echo)
    agent = Agent(model, tools=[weather])
    assert [go(agent, way, city).output for city in ("Rome", "Oslo")] == [
        "It says: Rome: sunny",
        "It says: Oslo: sunny",
    ]
    assert len(model.requests) == 4
    assert repr(model) == f"<Function {echo_later.__name__ if later else 'echo'!r}: 4 replies given>"


def test_what_a_function_raises_the_model_raises():
    def broken(request):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        Agent(Function(broken)).run("Hello")
    with pytest.raises(ConfigurationError, match="`Function` takes a function of a `Request`, not `'x'`"):
        Function("x")


# Streams.


def streamed(model, **options):
    deltas = []
    message = model.call(asked(stream=True, emit=deltas.append, **options))
    return message, deltas


texts = st.text(st.characters(codec="utf-8"), max_size=60)


@given(texts, texts, st.lists(st.tuples(st.text(min_size=1), texts), max_size=3), st.none() | st.integers(1, 9))
def test_the_pieces_of_a_stream_add_up_to_the_message(text, reasoning, calls, piece):
    asked_for = tuple(ToolCall(f"c{n}", name, arguments) for n, (name, arguments) in enumerate(calls))
    said = Assistant(text, reasoning, asked_for, "stop")
    message, deltas = streamed(Script([said], piece=piece))
    assert message is said
    assert "".join(one.text for one in deltas if isinstance(one, TextDelta)) == text
    assert "".join(one.text for one in deltas if isinstance(one, ReasoningDelta)) == reasoning
    for index, one in enumerate(asked_for):
        pieces = [delta for delta in deltas if isinstance(delta, CallDelta) and delta.index == index]
        assert (pieces[0].id, pieces[0].name) == (one.id, one.name)
        assert "".join(delta.arguments for delta in pieces) == one.arguments
    if piece is not None:
        assert all(len(one.text) <= piece for one in deltas if isinstance(one, TextDelta))


def test_text_is_streamed_word_by_word_or_in_pieces_of_a_length():
    assert streamed(Script(["The sun  shines.\n"]))[1] == [
        TextDelta("The "),
        TextDelta("sun  "),
        TextDelta("shines.\n"),
    ]
    assert streamed(Script(["abcde"], piece=2))[1] == [TextDelta("ab"), TextDelta("cd"), TextDelta("e")]
    with pytest.raises(ConfigurationError, match="`piece=0`"):
        Script([], piece=0)


def test_an_onlooker_of_a_run_that_is_not_streamed_sees_a_reply_as_a_whole():
    seen = []
    Agent(Script(["The sun shines."])).run("Hello", on_event=seen.append)
    assert [one for one in seen if isinstance(one, TextDelta)] == [TextDelta("The sun shines.")]


def test_a_stream_that_is_left_stops_the_model_between_two_pieces():
    stop, seen = Stop(), []

    def leave(event):
        seen.append(event)
        stop.set()

    with pytest.raises(Cancelled):
        Script(["one two three"]).call(asked(stream=True, emit=leave, stop=stop))
    assert seen == [TextDelta("one ")]


def test_an_async_stream_may_be_left_between_two_pieces():
    assert asyncio.run(leave_early()) == "one "


async def leave_early():
    async with Agent(Script(["one two three"])).astream("Count") as stream:
        async for event in stream:
            if isinstance(event, TextDelta):
                return event.text
    return None
