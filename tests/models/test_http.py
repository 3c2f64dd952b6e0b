"""A model over real HTTP: what is sent, what is retried, and which error comes out."""

import asyncio
import json
import socket
from dataclasses import replace

import pytest
from wire import completion, event, serving

from agentkit import Agent, Limits, Settings, tool
from agentkit.errors import (
    ConfigurationError,
    ConnectionLost,
    InsufficientBalance,
    LimitReached,
    RateLimited,
    Rejected,
    TimedOut,
    Truncated,
    Unauthorized,
    Unavailable,
    Unreadable,
)
from agentkit.events import Queued, Restarted, Retried, TextDelta
from agentkit.models import open_model
from agentkit.models.http import Clock, HttpModel
from agentkit.models.transport import Patience


def patient(server, waits, retries=3, **options):
    """A model of that server whose waits between attempts are only written down."""
    model = open_model("openai:m", base_url=server.url, api_key="sk-secret", retries=retries, **options)

    async def asleep(seconds):
        waits.append(seconds)

    model.clock = Clock(sleep=waits.append, asleep=asleep, chance=lambda: 1.0)
    return model


def go(agent, way, prompt="go", **options):
    if way == "run":
        return agent.run(prompt, **options)
    return asyncio.run(agent.arun(prompt, **options))


ways = pytest.mark.parametrize(("way", "transport"), [("run", "httpx"), ("arun", "httpx"), ("arun", "aiohttp")])


@ways
def test_a_request_carries_key_model_messages_tools_and_settings(way, transport):
    @tool
    def add(a: int, b: int = 1) -> int:
        """Add two numbers."""
        return a + b

    settings = Settings(
        temperature=0.5, max_tokens=9, tool_choice="add", extra_body={"x": 1}, extra_headers={"X-A": "b"}
    )
    with serving(lambda exchange: exchange.reply(completion("hi"))) as server:
        model = patient(server, [], transport=transport)
        agent = Agent(model, instructions="Be brief.", tools=[add], settings=settings)
        assert go(agent, way).output == "hi"
        (exchange,) = server.exchanges
    assert exchange.head.startswith("POST /chat/completions HTTP/1.1")
    head = exchange.head.lower()
    assert "authorization: bearer sk-secret" in head
    assert "x-a: b" in head
    assert exchange.json == {
        "model": "m",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "go"}],
        "tools": [add.definition()],
        "tool_choice": {"type": "function", "function": {"name": "add"}},
        "temperature": 0.5,
        "max_tokens": 9,
        "x": 1,
    }


@ways
@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_busy_endpoint_is_asked_again_with_growing_waits(way, transport, status):
    def handler(exchange):
        if len(server.exchanges) < 4:
            exchange.reply(b'{"error":{"message":"busy"}}', f"{status} Busy")
        else:
            exchange.reply(completion("at last"))

    waits, events = [], []
    with serving(handler) as server:
        result = go(Agent(patient(server, waits, transport=transport)), way, on_event=events.append)
    assert result.output == "at last"
    assert waits == [0.5, 1.0, 2.0]
    assert [one.attempt for one in events if isinstance(one, Retried)] == [1, 2, 3]
    assert len({exchange.body for exchange in server.exchanges}) == 1


@ways
def test_after_the_last_attempt_the_error_says_how_many_there_were(way, transport):
    with serving(lambda exchange: exchange.reply(b'{"error":{"message":"full"}}', "503 Busy")) as server:
        with pytest.raises(Unavailable, match=r"full.*after 2 attempts") as caught:
            go(Agent(patient(server, [], retries=1, transport=transport)), way)
        assert len(server.exchanges) == 2
    assert (caught.value.attempts, caught.value.status, caught.value.model) == (2, 503, "openai:m")


@ways
def test_retry_after_is_kept_when_it_is_bearable_and_ends_the_attempts_when_it_is_not(way, transport):
    def handler(exchange):
        seconds = b"7" if len(server.exchanges) == 1 else b"9999"
        exchange.send(b"HTTP/1.1 429 Busy\r\nRetry-After: " + seconds + b"\r\nContent-Length: 0\r\n\r\n")

    waits = []
    with serving(handler) as server, pytest.raises(RateLimited) as caught:
        go(Agent(patient(server, waits, transport=transport)), way)
    assert waits == [7]
    assert caught.value.retry_after == 9999


@ways
@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, b'{"error":{"message":"Authentication Fails"}}', Unauthorized),
        (402, b'{"error":{"message":"Insufficient Balance"}}', InsufficientBalance),
        (400, b'{"error":{"message":"bad field"}}', Rejected),
        (404, b"<html>nothing here</html>", Rejected),
        (422, b"", Rejected),
    ],
)
def test_a_refusal_is_not_retried_and_keeps_the_endpoints_words(way, transport, status, body, kind):
    with serving(lambda exchange: exchange.reply(body, f"{status} No", "application/octet-stream")) as server:
        with pytest.raises(kind) as caught:
            go(Agent(patient(server, [], transport=transport)), way)
        assert len(server.exchanges) == 1
    assert caught.value.status == status
    words = json.loads(body)["error"]["message"] if body.startswith(b"{") else str(status)
    assert words in str(caught.value)
    assert "sk-secret" not in str(caught.value) + repr(caught.value)


@ways
def test_a_key_that_the_endpoint_repeats_is_masked(way, transport):
    body = b'{"error":{"message":"your key XyZ-odd-key-42 is wrong"}}'
    with serving(lambda exchange: exchange.reply(body, "401 No")) as server:
        model = open_model("openai:m", base_url=server.url, api_key="XyZ-odd-key-42", transport=transport)
        with pytest.raises(Unauthorized) as caught:
            go(Agent(model), way)
    assert "XyZ-odd-key-42" not in str(caught.value)


@ways
def test_silence_in_the_middle_of_a_stream_that_nobody_watches_has_a_limit(way, transport):
    def handler(exchange):
        exchange.begin()
        exchange.chunk(event({"role": "assistant", "content": "so"}))
        exchange.wait_until_left()

    with serving(handler) as server:
        model = patient(server, [], 0, transport=transport, timeout=Patience(idle=1.0))
        model.row = replace(model.row, stream="always")
        with pytest.raises(TimedOut, match="idle"):
            go(Agent(model), way)


@ways
@pytest.mark.parametrize("body", [b"<html>Bad gateway</html>", b"", b"[1]", b'{"x": 1}', b'"text"', b"\xff\xfe"])
def test_a_reply_that_is_no_completion_is_unreadable(way, transport, body):
    with serving(lambda exchange: exchange.reply(body)) as server, pytest.raises(Unreadable) as caught:
        go(Agent(patient(server, [], transport=transport)), way)
    assert "openai:m" in str(caught.value) or caught.value.model == "openai:m"


@ways
def test_a_server_that_is_not_there_is_named(way, transport):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    waits = []
    model = open_model("openai:m", base_url=f"http://127.0.0.1:{port}/v1", api_key="k", retries=1, transport=transport)

    async def asleep(seconds):
        waits.append(seconds)

    model.clock = Clock(sleep=waits.append, asleep=asleep)
    with pytest.raises(ConnectionLost, match=rf"127\.0\.0\.1.*{port}") as caught:
        go(Agent(model), way)
    assert len(waits) == 1
    assert caught.value.attempts == 2


@ways
def test_a_reply_that_breaks_off_is_asked_for_again(way, transport):
    def handler(exchange):
        if len(server.exchanges) == 1:
            exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + completion("half")[:40])
            exchange.connection.close()
        else:
            exchange.reply(completion("whole"))

    with serving(handler) as server:
        assert go(Agent(patient(server, [], transport=transport)), way).output == "whole"


def half(exchange):
    exchange.begin()
    exchange.chunk(event({"role": "assistant", "content": "half"}))
    exchange.connection.close()


def test_a_stream_that_breaks_off_is_not_asked_for_again_once_text_was_shown():
    seen = []
    with serving(half) as server:
        with Agent(patient(server, [])).stream("go") as stream, pytest.raises(ConnectionLost):
            seen.extend(one.text for one in stream if isinstance(one, TextDelta))
        assert len(server.exchanges) == 1
        assert stream.transcript.last.text == "go"


def mended(exchange, server):
    """The first reply breaks off, the second is whole."""
    if len(server.exchanges) == 1:
        half(exchange)
    else:
        whole(exchange)


def whole(exchange):
    exchange.begin()
    exchange.chunk(event({"role": "assistant", "content": "whole"}))
    exchange.chunk(event({"content": ""}, "stop") + b"data: [DONE]\n\n")
    exchange.end()


def test_a_stream_that_breaks_off_begins_anew_for_a_caller_who_said_so():
    handle = serving(lambda exchange: mended(exchange, server))
    with handle as server, Agent(patient(server, [])).stream("go", restart=True) as stream:
        seen = [one for one in stream if isinstance(one, TextDelta | Retried | Restarted)]
    assert [type(one) for one in seen] == [TextDelta, Retried, Restarted, TextDelta]
    assert stream.result.output == "whole"


def test_an_async_stream_that_breaks_off_begins_anew_for_a_caller_who_said_so():
    async def scenario(server):
        async with Agent(patient(server, [])).astream("go", restart=True) as stream:
            seen = [one async for one in stream if isinstance(one, TextDelta | Retried | Restarted)]
        assert [type(one) for one in seen] == [TextDelta, Retried, Restarted, TextDelta]
        return stream.result.output

    with serving(lambda exchange: mended(exchange, server)) as server:
        assert asyncio.run(scenario(server)) == "whole"


def in_turn(*bodies):
    """A handler that answers with one body after another."""
    return lambda exchange, server: exchange.reply(bodies[len(server.exchanges) - 1])


@ways
@pytest.mark.parametrize("first", [completion(""), completion("  \n"), completion("", finish="tool_calls")])
def test_an_empty_reply_is_asked_for_once_more_and_paid_for(way, transport, first):
    handler = in_turn(first, completion("there"))
    with serving(lambda exchange: handler(exchange, server)) as server:
        result = go(Agent(patient(server, [], transport=transport)), way)
    assert result.output == "there"
    assert (result.usage.requests, result.usage.prompt_tokens) == (2, 6)


@ways
def test_an_answer_that_stays_empty_is_returned_empty(way, transport):
    with serving(lambda exchange: exchange.reply(completion(""))) as server:
        result = go(Agent(patient(server, [], transport=transport)), way)
        assert len(server.exchanges) == 2
    assert result.output == ""


@ways
def test_a_call_that_was_cut_is_asked_for_again_once_with_more_room_and_never_run(way, transport):
    ran = []

    def act(n: int) -> int:
        """Act."""
        ran.append(n)
        return n

    cut = completion("", [("a", "act", '{"n": 1')], finish="length")
    handler = in_turn(cut, completion("", [("a", "act", '{"n": 12}')]), completion("done"))
    with serving(lambda exchange: handler(exchange, server)) as server:
        agent = Agent(patient(server, [], transport=transport), tools=[act], settings=Settings(max_tokens=3000))
        assert go(agent, way).output == "done"
        assert [exchange.json["max_tokens"] for exchange in server.exchanges] == [3000, 6000, 3000]
    assert ran == [12]


@ways
def test_a_call_that_is_cut_again_is_truncated(way, transport):
    cut = completion("", [("a", "act", '{"n": 1')], finish="length")
    with serving(lambda exchange: exchange.reply(cut)) as server:
        with pytest.raises(Truncated):
            go(Agent(patient(server, [], transport=transport), tools=[tool(lambda n: n, name="act")]), way)
        assert len(server.exchanges) == 2


@ways
def test_want_of_resources_in_the_middle_is_a_busy_endpoint(way, transport):
    handler = in_turn(completion("half", finish="insufficient_system_resource"), completion("whole"))
    waits = []
    with serving(lambda exchange: handler(exchange, server)) as server:
        assert go(Agent(patient(server, waits, transport=transport)), way).output == "whole"
    assert waits == [0.5]


def test_keep_alives_before_the_answer_show_as_queued():
    def handler(exchange):
        exchange.begin()
        exchange.chunk(b": keep-alive\n\n")
        exchange.chunk(event({"role": "assistant", "content": "hi"}))
        exchange.chunk(event({"content": ""}, "stop") + b"data: [DONE]\n\n")
        exchange.end()

    with serving(handler) as server, Agent(patient(server, [])).stream("go") as stream:
        kinds = [type(one) for one in stream]
    assert kinds.index(Queued) < kinds.index(TextDelta)


def test_run_may_retry_a_broken_stream_even_when_a_listener_saw_deltas():
    with serving(lambda exchange: mended(exchange, server)) as server:
        model = patient(server, [])
        model.row = replace(model.row, stream="always")
        assert Agent(model).run("go", on_event=lambda event: None).output == "whole"
        assert all(exchange.json["stream"] for exchange in server.exchanges)


@ways
def test_a_length_cut_is_truncated_with_its_text(way, transport):
    with serving(lambda exchange: exchange.reply(completion("half an", finish="length"))) as server:
        with pytest.raises(Truncated, match="max_tokens") as caught:
            go(Agent(patient(server, [], transport=transport)), way)
        assert len(server.exchanges) == 1
    assert caught.value.text == "half an"


@ways
def test_a_server_that_only_keeps_alive_is_left_when_the_time_is_over(way, transport):
    def handler(exchange):
        exchange.begin("application/json")
        while True:
            exchange.chunk(b"\n")
            exchange.left.wait(0.01)

    with serving(handler) as server, pytest.raises(TimedOut):
        go(Agent(patient(server, [], retries=0, transport=transport, timeout=0.3)), way)


@ways
def test_the_runs_own_time_limit_ends_a_request_under_way(way, transport):
    with serving(lambda exchange: exchange.wait_until_left()) as server:
        with pytest.raises(LimitReached) as caught:
            go(Agent(patient(server, [], transport=transport), limits=Limits(seconds=1.0)), way)
        assert server.exchanges[0].left.wait(10), "the socket is closed"
        assert len(server.exchanges) == 1
    assert caught.value.limit == "seconds"


@ways
def test_silence_before_the_first_byte_has_a_limit_of_its_own(way, transport):
    with serving(lambda exchange: exchange.wait_until_left()) as server, pytest.raises(TimedOut, match="first"):
        go(Agent(patient(server, [], 0, transport=transport, timeout=Patience(first_byte=0.2))), way)


def test_a_long_wait_between_attempts_ends_when_the_stream_is_closed():
    with serving(lambda exchange: exchange.reply(b"", "503 Busy")) as server:
        model = open_model("openai:m", base_url=server.url, api_key="k")
        with Agent(model).stream("go") as stream:
            for one in stream:
                if isinstance(one, Retried):
                    stream.close()
        assert len(server.exchanges) == 1


@pytest.mark.parametrize(
    ("name", "variable"),
    [("deepseek-flash", "DEEPSEEK_API_KEY"), ("lkeap:deepseek-r1", "LKEAP_API_KEY"), ("openai:x", "OPENAI_API_KEY")],
)
def test_a_missing_key_names_the_variable_and_the_way_offline(monkeypatch, name, variable):
    monkeypatch.delenv(variable, raising=False)
    with pytest.raises(ConfigurationError, match=rf"`{variable}`.*sim:deepseek-flash"):
        open_model(name)


def test_an_unknown_model_names_the_nearest():
    with pytest.raises(ConfigurationError, match=r"did you mean.*deepseek-flash"):
        open_model("deepseek-flsh")


def test_no_model_at_all_names_the_variable(monkeypatch):
    monkeypatch.delenv("AGENTKIT_MODEL", raising=False)
    with pytest.raises(ConfigurationError, match="AGENTKIT_MODEL"):
        Agent().run("go")


def test_the_environment_names_model_address_and_key(monkeypatch):
    with serving(lambda exchange: exchange.reply(completion("hi"))) as server:
        monkeypatch.setenv("AGENTKIT_MODEL", "openai:m")
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "from-env")
        assert Agent().run("go").output == "hi"
        assert "bearer from-env" in server.exchanges[0].head.lower()


def test_a_local_server_needs_no_key(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with serving(lambda exchange: exchange.reply(completion("hi"))) as server:
        assert Agent(open_model("openai:m", base_url=server.url)).run("go").output == "hi"
        assert "authorization" not in server.exchanges[0].head.lower()


@pytest.mark.parametrize(
    "options",
    [
        {"base_url": "api.example"},
        {"transport": "carrier-pigeon"},
        {"retries": -1},
        {"tool_mode": "sometimes"},
    ],
)
def test_an_option_that_cannot_be_is_refused(options):
    with pytest.raises(ConfigurationError):
        open_model("openai:m", api_key="k", **options)


def test_no_repr_or_error_holds_the_key():
    model = open_model("deepseek-flash", api_key="sk-very-secret")
    assert isinstance(model, HttpModel)
    assert "sk-very-secret" not in repr(model) + str(model)
    assert "sk-very-secret" not in repr(Agent(model))


def test_too_many_tools_are_refused_with_the_number():
    tools = [tool(lambda: 1, name=f"t{n}") for n in range(129)]
    with pytest.raises(ConfigurationError, match=r"129.*128"):
        Agent("sim:deepseek-flash", tools=tools).run("go")


def test_native_tools_for_a_model_without_function_calling_are_refused():
    model = open_model("lkeap:deepseek-r1", api_key="k", tool_mode="native")
    with pytest.raises(ConfigurationError, match="function calling"):
        Agent(model, tools=[tool(lambda: 1, name="t")]).run("go")


@pytest.mark.parametrize(("thinking", "streams"), [(None, True), (True, True), (False, False)])
def test_run_streams_on_the_wire_just_when_the_model_thinks(thinking, streams):
    def handler(exchange):
        if exchange.json.get("stream"):
            exchange.begin()
            exchange.chunk(event({"content": "hi"}, "stop") + b"data: [DONE]\n\n")
            exchange.end()
        else:
            exchange.reply(completion("hi"))

    with serving(handler) as server:
        model = open_model("deepseek-flash", base_url=server.url, api_key="k")
        assert Agent(model, settings=Settings(thinking=thinking)).run("go").output == "hi"
        body = server.exchanges[0].json
    assert body.get("stream", False) is streams
    assert ("stream_options" in body) is streams
