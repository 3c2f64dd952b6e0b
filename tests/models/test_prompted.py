"""Prompt-only mode: the same agent on models without function calling."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire import completion, event, serving

from agentkit import Agent, tool
from agentkit.events import Retried, TextDelta
from agentkit.messages import Assistant, Note, System, ToolCall, ToolMessage, User
from agentkit.models import open_model
from agentkit.models.catalog import find
from agentkit.models.dialects.chat import Chat
from agentkit.models.dialects.notations import write
from agentkit.models.dialects.prompted import Prompted, tell
from agentkit.models.request import Request
from agentkit.tools import as_tools
from agentkit.transcript import Transcript

ways = pytest.mark.parametrize("way", ["run", "arun", "stream", "astream"])


@tool
def add(a: int, b: int = 0) -> int:
    """Add two numbers.

    Args:
        a: The first.
        b: The second.
    """
    return a + b


def go(agent, way, prompt="go", **options):
    """Run in one of the four ways; the result and the text that was shown."""
    shown = []
    if way == "run":
        return agent.run(prompt, **options), shown
    if way == "stream":
        with agent.stream(prompt, **options) as stream:
            shown = [one.text for one in stream if isinstance(one, TextDelta)]
        return stream.result, shown

    async def alone():
        if way == "arun":
            return await agent.arun(prompt, **options), shown
        async with agent.astream(prompt, **options) as stream:
            seen = [one.text async for one in stream if isinstance(one, TextDelta)]
        return stream.result, seen

    return asyncio.run(alone())


def replies(*texts):
    """A handler that says one text after another, streamed in small pieces where that is asked for."""

    def handler(exchange, server):
        text = texts[len(server.exchanges) - 1]
        if not exchange.json.get("stream"):
            exchange.reply(completion(text))
            return
        exchange.begin()
        exchange.chunk(event({"role": "assistant", "content": ""}))
        for at in range(0, len(text), 3):
            exchange.chunk(event({"content": text[at : at + 3]}))
        exchange.chunk(event({"content": ""}, "stop") + b"data: [DONE]\n\n")
        exchange.end()

    return handler


def prompted(server, **options):
    return open_model("openai:m", base_url=server.url, api_key="k", retries=0, tool_mode="prompt", **options)


TWO = (
    'Let me see.\n<tool_call>\n{"name": "add", "arguments": {"a": 1, "b": 2}}\n</tool_call>\n'
    '<tool_call>\n{"name": "add", "arguments": {"a": 5}}\n</tool_call>'
)


@ways
def test_calls_written_as_text_run_and_their_answers_go_back_as_one_user_message(way):
    handler = replies(TWO, "3 and 5.")
    with serving(lambda exchange: handler(exchange, server)) as server:
        result, shown = go(Agent(prompted(server), instructions="Be brief.", tools=[add]), way)
        first, second = (exchange.json for exchange in server.exchanges)
    assert result.output == "3 and 5."
    assert [(one.name, one.arguments) for one in result.messages[1].tool_calls] == [
        ("add", '{"a": 1, "b": 2}'),
        ("add", '{"a": 5}'),
    ]
    assert {"tools", "tool_choice"} & first.keys() == set()
    assert first["messages"][0]["content"].startswith("Be brief.\n\nYou can call tools.")
    assert "- add(a: integer, b: integer = 0): Add two numbers." in first["messages"][0]["content"]
    assert second["messages"][: len(first["messages"])] == first["messages"], "the prefix is stable"
    assistant, answers = second["messages"][-2:]
    assert [assistant["role"], answers["role"]] == ["assistant", "user"]
    assert "tool_calls" not in assistant
    assert assistant["content"].count("<tool_call>") == 2
    told = [json.loads(line) for line in answers["content"].splitlines() if line.startswith("{")]
    assert told == [{"name": "add", "content": "3"}, {"name": "add", "content": "5"}]
    assert "".join(shown).strip() in ("", "Let me see.\n3 and 5.", "Let me see.3 and 5.", "Let me see.\n\n3 and 5.")
    assert "tool_call" not in "".join(shown)


@ways
def test_a_reply_without_a_call_is_the_answer_to_the_character(way):
    text = "Use `<tool_call>` like this: a < b, {1: 2}.\n\n"
    handler = replies(text)
    with serving(lambda exchange: handler(exchange, server)) as server:
        result, shown = go(Agent(prompted(server), tools=[add]), way)
    assert result.output == text
    assert "".join(shown) in ("", text)


@ways
def test_a_call_that_cannot_be_read_is_told_twice_at_most_and_never_run(way):
    broken = '<tool_call>\n{"name": "add", "arguments": {"a": \n</tool_call>'
    handler = replies(broken, TWO, "3.")
    with serving(lambda exchange: handler(exchange, server)) as server:
        result, _ = go(Agent(prompted(server), tools=[add]), way)
        corrected = server.exchanges[1].json["messages"]
    assert result.output == "3."
    assert result.usage.requests >= 2, "what was thrown away is counted"
    assert corrected[-2]["content"] == broken
    assert corrected[-1]["role"] == "user"
    handler = replies(broken, broken, broken)
    with serving(lambda exchange: handler(exchange, server)) as server:
        result, _ = go(Agent(prompted(server), tools=[add]), way)
        assert len(server.exchanges) == 3
    assert result.output.strip() == broken, "told often enough: then its words are the answer"


@ways
def test_an_endpoint_that_refuses_tools_is_asked_again_in_words_for_the_rest_of_the_run(way):
    handler = replies("", '<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>', "one")

    def answer(exchange):
        if "tools" in exchange.json:
            body = b'{"error":{"message":"deepseek-reasoner does not support Function Calling"}}'
            exchange.reply(body, "400 Bad Request")
        else:
            handler(exchange, server)

    events = []
    with serving(answer) as server:
        model = open_model("openai:m", base_url=server.url, api_key="k", retries=0)
        result, _ = go(Agent(model, tools=[add]), way, on_event=events.append)
        assert ["tools" in exchange.json for exchange in server.exchanges] == [True, False, False]
    assert result.output == "one"
    assert any("in words" in one.error for one in events if isinstance(one, Retried))


def test_the_row_decides_beforehand_for_models_without_function_calling():
    handler = replies('<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>', "one")
    with serving(lambda exchange: handler(exchange, server)) as server:
        model = open_model("lkeap:deepseek-r1", base_url=server.url, api_key="k")
        assert Agent(model, instructions="Be brief.", tools=[add]).run("go").output == "one"
        for exchange in server.exchanges:
            roles = [message["role"] for message in exchange.json["messages"]]
            assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"], "no system message, in turns"
            assert "tools" not in exchange.json
            assert "stop" not in exchange.json, "LKEAP's R1 does not list it"


def test_a_transcript_begun_natively_goes_on_in_words_and_back():
    history = [
        User("1 + 2?"),
        Assistant("", tool_calls=(ToolCall("x", "add", '{"a": 1, "b": 2}'),), finish_reason="tool_calls"),
        ToolMessage("x", "add", "3"),
        Assistant("3", finish_reason="stop"),
    ]
    handler = replies('<tool_call>\n{"name": "add", "arguments": {"a": 3}}\n</tool_call>', "Still 3.", "Native again.")
    with serving(lambda exchange: handler(exchange, server)) as server:
        words = Agent(prompted(server), tools=[add]).run("and now?", history=history)
        assert words.output == "Still 3."
        assert [one["role"] for one in server.exchanges[0].json["messages"]] == [
            "system", "user", "assistant", "user", "assistant", "user"
        ]  # fmt: skip
        native = open_model("openai:m", base_url=server.url, api_key="k", retries=0)
        assert Agent(native, tools=[add]).run("and?", history=words).output == "Native again."
        sent = server.exchanges[2].json["messages"]
    assert [one["role"] for one in sent if one["role"] == "tool"] == ["tool", "tool"]


def test_what_is_told_of_a_tool_is_a_signature_or_its_schema():
    def plain(city: str, days: int = 1, unit: str = "C") -> str:
        """Forecast."""
        return city

    def nested(orders: list[dict[str, int]]) -> str:
        """Count orders."""
        return ""

    told = tell(as_tools([plain, nested]).values())
    assert '- plain(city: string, days: integer = 1, unit: string = "C"): Forecast.' in told
    assert "JSON Schema of its arguments" in told
    assert tell(as_tools([plain]).values(), "none") == ""
    assert "call the tool `plain`" in tell(as_tools([plain]).values(), "plain")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=8) | st.just("</tool_call>\n```<think>"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)
arguments = st.dictionaries(st.sampled_from(["a", "b"]), json_values).map(json.dumps)
asked = st.lists(arguments, min_size=1, max_size=3)


@given(asked, st.randoms())
def test_calls_survive_being_written_and_read_however_the_reply_is_cut(called, random):
    body = completion(write([("add", one) for one in called]))
    request = Request(transcript=Transcript([User("go")]), tools=(add,))
    row = find("openai:m")[1]
    decoder = Prompted(Chat()).decoder(row, deltas=True, request=request)
    cuts = sorted(random.sample(range(len(body)), min(5, len(body) - 1)))
    for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True):
        decoder.feed(body[start:end])
    message = decoder.finish()
    assert [json.loads(call.arguments) for call in message.tool_calls] == [json.loads(one) for one in called]
    assert len({call.id for call in message.tool_calls}) == len(called)


MARKERS = [
    *("</tool_call>", "<tool_call>", "```", "```json\n", "<think>", "</think>", "</tool_response>", "<tool_response>"),
    *(
        "<｜tool▁calls▁begin｜>",
        "<｜DSML｜invoke",
        "</｜DSML｜parameter>",
        "[TOOL_CALLS]",
        "<|python_tag|>",
        "Observation: ",
    ),
    *(
        "<function=add>",
        "</invoke>",
        "<arg_key>",
        "<escape>",
        "Action: add\n",
        "{",
        "}",
        "[",
        '"',
        "\\",
        "'",
        "`",
        "\n",
        "é",
    ),
]
texts = st.lists(
    st.sampled_from(MARKERS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=4), max_size=5
).map("".join)
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(st.dictionaries(texts, any_json, max_size=3), min_size=1, max_size=4), st.integers(1, 50))
def test_any_calls_survive_being_told_to_a_model_and_said_again_by_it(called, cut):
    calls = tuple(ToolCall(f"c{n}", "add", json.dumps(one, ensure_ascii=n % 2 == 0)) for n, one in enumerate(called))
    row = find("openai:m")[1]
    said = Transcript(
        [User("go"), Assistant("Well.", tool_calls=calls), *(ToolMessage(one.id, "add", "1") for one in calls)]
    )
    body = json.loads(Prompted(Chat()).encoder(row).encode(Request(transcript=said, tools=(add,)), stream=False))
    told = next(one["content"] for one in body["messages"] if one["role"] == "assistant")
    decoder = Prompted(Chat()).decoder(row, deltas=True, request=Request(transcript=said, tools=(add,)))
    reply = event({"content": told}) + event({}, "stop") + b"data: [DONE]\n\n"
    shown = [delta for at in range(0, len(reply), cut) for delta in decoder.feed(reply[at : at + cut])]
    message = decoder.finish()
    assert decoder.flaw() is None
    assert [json.loads(call.arguments) for call in message.tool_calls] == called
    assert (
        "".join(one.text for one in [*shown, *decoder.rest()] if isinstance(one, TextDelta))
        == message.text
        == "Well.\n"
    )


entries = st.lists(
    st.one_of(
        st.builds(User, st.text(min_size=1, max_size=5)),
        st.builds(System, st.text(min_size=1, max_size=5)),
        st.builds(Assistant, st.text(max_size=5)),
        asked.map(
            lambda some: Assistant("", tool_calls=tuple(ToolCall(f"c{i}", "add", one) for i, one in enumerate(some)))
        ),
        st.builds(ToolMessage, st.sampled_from(["c0", "c1", "c2"]), st.just("add"), st.text(max_size=5)),
        st.just(Note("other", {})),
    ),
    max_size=12,
)


@given(entries, st.integers(0, 12))
def test_any_transcript_is_told_as_plain_conversation_the_same_at_once_and_step_by_step(said, cut):
    row = find("openai:m")[1]
    transcript = Transcript([User("first"), *said[:cut]])
    request = Request(transcript=transcript, tools=(add,))
    grown = Prompted(Chat()).encoder(row)
    before = json.loads(grown.encode(request, stream=False))
    assert {one["role"] for one in before["messages"]} <= {"system", "user", "assistant"}
    assert all("tool_calls" not in one for one in before["messages"])
    for entry in said[cut:]:
        transcript.append(entry)
    settled = not Transcript(said[:cut]).open_calls
    if settled:
        whole = Prompted(Chat()).encoder(row).encode(request, stream=False)
        assert grown.encode(request, stream=False) == whole
