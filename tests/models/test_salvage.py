"""Calls that leak into the text of models which have function calling: they run once, and their markup is not shown."""

import asyncio
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire import completion, event, serving

from agentkit import Agent, tool
from agentkit.events import Retried, Salvaged, TextDelta, ToolStarted, Warned
from agentkit.messages import User
from agentkit.models import open_model
from agentkit.models.catalog import find
from agentkit.models.dialects.chat import Chat
from agentkit.models.dialects.notations import write
from agentkit.models.request import Request, Settings
from agentkit.simulator import Simulator
from agentkit.simulator.faults.leaks import BARS, NOTATIONS
from agentkit.simulator.plan import Call
from agentkit.transcript import Transcript

WAYS = ["run", "arun", "stream", "astream"]
LEAKS = [(notation, bars) for notation in NOTATIONS for bars in BARS if notation != "hermes" or bars == "wide"]


@tool(side_effects="none")
def weather(city: str, days: int = 1) -> str:
    """Weather forecast for a city.

    Args:
        city: The city's name.
        days: How many days.
    """
    return f"{city}: {days} x rain"


def go(agent, way, prompt, **options):
    """Run in one of the four ways; the result and all events."""
    seen = []
    if way == "run":
        return agent.run(prompt, on_event=seen.append, **options), seen
    if way == "stream":
        with agent.stream(prompt, **options) as stream:
            seen = list(stream)
        return stream.result, seen

    async def alone():
        if way == "arun":
            return await agent.arun(prompt, on_event=seen.append, **options), seen
        async with agent.astream(prompt, **options) as stream:
            return [one async for one in stream], stream

    first, second = asyncio.run(alone())
    return (first, second) if way == "arun" else (second.result, first)


def shown(events):
    return "".join(one.text for one in events if isinstance(one, TextDelta))


def clean(text):
    return not any(sign in text for sign in ("DSML", "tool_call", "tool▁call", "invoke", "</", "｜", "|"))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("notation", "bars"), LEAKS)
def test_with_every_leak_the_meant_calls_run_once_and_no_markup_is_shown(notation, bars, way):
    plain = Simulator("deepseek")
    meant, _ = go(Agent(of(plain), tools=[weather]), way, "What is the weather in Paris and Tokyo?")
    leaking = Simulator("deepseek", faults=[f"leak({notation}, bars={bars})", "drip(bytes=61, every=0)"])
    result, events = go(Agent(of(leaking), tools=[weather]), way, "What is the weather in Paris and Tokyo?")
    started = [one.call for one in events if isinstance(one, ToolStarted)]
    assert sorted(json.loads(call.arguments)["city"] for call in started) == ["Paris", "Tokyo"]
    assert [len(one.calls) for one in events if isinstance(one, Salvaged)] == [2]
    assert result.output == meant.output
    assert "Paris: 1 x rain" in result.output
    assert clean(shown(events))
    assert all(clean(message.text) for message in result.messages)
    assert leaking.log[0].faults, "the fault did happen"


def of(simulator):
    return open_model("sim:deepseek-flash", transport=simulator.transport(), retries=0)


DSML = '<｜DSML｜tool_calls>\n<｜DSML｜invoke name="weather">\n<｜DSML｜parameter name="city" string="true">Paris'
DSML += "</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜tool_calls>"
OURS = write([("weather", '{"city": "Paris"}')])
NO_CALLS = {
    "a thought": f"<think>\nI could write {OURS}\n</think>\nNo need to.",
    "a block of code": f"So they look:\n```xml\n{OURS}\n```\nThat is all.",
    "the last block of code": f"So they look:\n```\n{DSML}\n```",
    "inline code": f"It writes `{OURS.replace(chr(10), '')}` then.",
    "a quotation": "He said:\n> " + DSML.replace("\n", "\n> "),
    "an unknown tool": write([("no_such_tool", "{}")]),
    "an unknown tool after words": "This is how one is written:\n" + write([("no_such_tool", "{}")]) + "\nYou see?",
    "JSON": '{"name": "weather", "arguments": {"city": "Paris"}}',
    "Python": 'weather(city="Paris")',
    "ReAct": 'Action: weather\nAction Input: {"city": "Paris"}',
    "XML": '<invoke name="weather"><parameter name="city">Paris</parameter></invoke>',
}


def decoded(text, *, deltas, cut=None, request=None, calls=()):
    """The message, what was shown of its text, and the decoder; `cut` is the length of each piece of the stream."""
    request = request or Request(transcript=Transcript([User("go")]), tools=(weather,))
    decoder = Chat().decoder(find("openai:m")[1], deltas=deltas, request=request)
    if cut is None:
        body = completion(text)
        pieces = [body]
    else:
        body = b"".join([event({"content": text}), *calls, event({}, "tool_calls" if calls else "stop")])
        body += b"data: [DONE]\n\n"
        pieces = [body[at : at + cut] for at in range(0, len(body), cut)]
    seen = [delta for piece in pieces for delta in decoder.feed(piece)]
    message = decoder.finish()
    seen += decoder.rest()
    return message, shown(seen), decoder


@pytest.mark.parametrize("name", NO_CALLS)
@pytest.mark.parametrize("cut", [None, 1, 7, 10_000])
def test_what_only_looks_like_a_call_is_shown_as_it_is(name, cut):
    text = NO_CALLS[name]
    message, seen, decoder = decoded(text, deltas=True, cut=cut)
    assert (message.tool_calls, decoder.flaw()) == ((), None)
    if name != "a thought":  # whose tags the row lets be split off
        assert (message.text, seen) == (text, text)
    assert decoded(text, deltas=False, cut=cut)[0] == message


def test_no_call_is_salvaged_where_no_tool_was_in_play():
    none = Request(transcript=Transcript([User("go")]), tools=(weather,), settings=Settings(tool_choice="none"))
    for request in (none, Request(transcript=Transcript([User("go")]))):
        message, seen, _ = decoded(DSML, deltas=True, cut=5, request=request)
        assert (message.text, message.tool_calls, seen) == (DSML, (), DSML)


@pytest.mark.parametrize("deltas", [True, False])
def test_beside_real_calls_nothing_is_salvaged_and_the_markup_is_left_out(deltas):
    told = []
    request = Request(transcript=Transcript([User("go")]), tools=(weather,), emit=told.append)
    real = {"index": 0, "id": "a", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    calls = [event({"tool_calls": [real]})]
    message, seen, decoder = decoded(f"I look.\n{DSML}", deltas=deltas, cut=9, request=request, calls=calls)
    assert [(call.id, call.arguments) for call in message.tool_calls] == [("a", "{}")]
    assert (message.text, decoder.flaw()) == ("I look.\n", None)
    assert seen == ("I look.\n" if deltas else "")
    assert [type(one) for one in told] == [Warned]


@given(st.text(max_size=40), st.sampled_from(sorted(NOTATIONS)), st.sampled_from(sorted(BARS)), st.integers(1, 60))
@settings(max_examples=60)
def test_a_leak_is_read_alike_however_it_is_cut(before, notation, bars, cut):
    before = "".join(char for char in before if char.isalnum() or char == " ")
    calls = (Call("weather", '{"city": "Paris", "days": 3}'), Call("weather", '{"city": "東京"}'))
    said = NOTATIONS[notation](calls, bars)
    message, seen, _ = decoded(f"{before}\n\n{said}", deltas=True, cut=cut)
    assert [json.loads(call.arguments) for call in message.tool_calls] == [json.loads(one.arguments) for one in calls]
    assert seen == message.text == f"{before}\n\n"


def test_a_leak_that_cannot_be_read_is_told_to_the_model_and_not_run():
    broken = DSML[:-60]
    replies = [broken, "Then I answer so."]

    def handler(exchange):
        exchange.reply(completion(replies[len(server.exchanges) - 1]))

    with serving(handler) as server:
        model = open_model("openai:m", base_url=server.url, api_key="k", retries=0)
        result, events = go(Agent(model, tools=[weather]), "run", "go")
        told = server.exchanges[1].json["messages"][-2:]
    assert result.output == "Then I answer so."
    assert told[0] == {"role": "assistant", "content": broken}
    assert told[1]["role"] == "user"
    assert "weather" in told[1]["content"]
    assert [type(one) for one in events if isinstance(one, Retried | Salvaged)] == [Retried]
    assert result.usage.requests >= 1
