"""Several models as one: which errors send a request on, what the answer tells of it, and what a stream shows."""

import asyncio
import time

import pytest
from wire import completion, event, serving

from agentkit import Agent, Limits, tool
from agentkit.errors import (
    Cancelled,
    ConfigurationError,
    ConnectionLost,
    ContentRefused,
    ContextOverflow,
    InsufficientBalance,
    LimitReached,
    RateLimited,
    Rejected,
    TimedOut,
    ToolError,
    Truncated,
    Unauthorized,
    Unavailable,
    Unreadable,
)
from agentkit.events import FellBack, Restarted, Retried, TextDelta
from agentkit.messages import Assistant, dump, load
from agentkit.models import Fallback, open_model
from agentkit.models.fallback import curable
from agentkit.models.http import Clock, HttpModel
from agentkit.models.retry import REST, Resting
from agentkit.models.transport import shared
from agentkit.simulator import Simulator

CURABLE = [
    (Unavailable("busy", status=503), True),
    (RateLimited("busy", status=429), True),
    (TimedOut("late"), True),
    (ConnectionLost("lost"), True),
    (Unreadable("html"), True),
    (Unauthorized("key", status=401), True),
    (InsufficientBalance("money", status=402), True),
    (ContextOverflow("long", status=400), True),
    (Rejected("The endpoint's words: Not Found", status=404), True),
    (Rejected("The supported API model names are a or b, but you passed c.", status=400), True),
    (Rejected("Model Not Exist", status=400), True),
    (Rejected("x does not support Function Calling", status=400), True),
    (Rejected("tools param requires --jinja flag", status=500), True),
    (ConfigurationError("`x` has no function calling, but 1 tool(s) are given"), True),
    (Rejected("Invalid max_tokens value", status=400), False),
    (ContentRefused("Content Exists Risk", status=400), False),
    (ConfigurationError("`temperature` is 3"), False),
    (Truncated("cut", finish_reason="length"), False),
    (LimitReached("over", limit="steps"), False),
    (Cancelled("stopped"), False),
    (ToolError("no"), False),
]


@pytest.mark.parametrize(
    ("error", "cured"), CURABLE, ids=lambda value: value if isinstance(value, bool) else repr(value)
)
def test_only_what_another_model_could_cure_sends_a_request_on(error, cured):
    assert curable(error) is cured


class Scripted:
    """A model that shows deltas and then answers, or raises."""

    def __init__(self, name, *, shows=(), fails=None):
        self.name, self.shows, self.fails, self.asked = name, shows, fails, 0

    def call(self, request):
        self.asked += 1
        for text in self.shows:
            if request.emit is not None:
                request.emit(TextDelta(text))
        if self.fails is not None:
            raise self.fails
        return Assistant(f"by {self.name}", finish_reason="stop", model=self.name)

    async def acall(self, request):
        return self.call(request)


def go(model, way, **options):
    agent = Agent(model)
    return agent.run("go", **options) if way == "run" else asyncio.run(agent.arun("go", **options))


ways = pytest.mark.parametrize("way", ["run", "arun"])


@ways
def test_the_next_model_answers_and_the_answer_tells_of_those_before(way):
    events = []
    first = Scripted("a", fails=RateLimited("`a` had too many requests", attempts=4))
    second, third = Scripted("b", fails=Unauthorized("no key")), Scripted("c")
    result = go(Fallback([first, second, third]), way, on_event=events.append)
    assert result.output == "by c"
    said = result.messages[-1]
    assert said.attempts == ("`a` RateLimited: `a` had too many requests", "`b` Unauthorized: no key")
    assert load(dump([said])) == [said]
    assert [one for one in events if isinstance(one, FellBack)] == [
        FellBack("a", "b", "RateLimited: `a` had too many requests"),
        FellBack("b", "c", "Unauthorized: no key"),
    ]
    assert not [one for one in events if isinstance(one, Restarted)]


@ways
def test_a_first_model_that_answers_leaves_no_trace_of_the_others(way):
    second = Scripted("b")
    result = go(Fallback([Scripted("a"), second]), way)
    assert result.messages[-1].attempts == ()
    assert second.asked == 0


@ways
def test_when_all_fail_the_last_error_names_them_all(way):
    models = [
        Scripted("a", fails=Unavailable("`a` is down", attempts=4)),
        Scripted("b", fails=Unauthorized("`b`: no", attempts=1)),
    ]
    with pytest.raises(Unauthorized, match=r"`b`: no \(before it failed: `a` Unavailable: `a` is down\)") as caught:
        go(Fallback(models), way)
    assert caught.value.attempts == 5
    assert caught.value.transcript is not None


@ways
def test_what_no_model_could_cure_is_raised_at_once(way):
    second = Scripted("b")
    with pytest.raises(Rejected):
        go(Fallback([Scripted("a", fails=Rejected("bad field", status=400)), second]), way)
    assert second.asked == 0


def broken():
    return Fallback([Scripted("a", shows=("half",), fails=ConnectionLost("lost")), Scripted("b", shows=("whole",))])


def test_a_stream_that_has_shown_something_is_not_begun_anew_unasked():
    shown = []
    with Agent(broken()).stream("go") as stream, pytest.raises(ConnectionLost):
        shown.extend(one for one in stream if isinstance(one, TextDelta))
    assert shown == [TextDelta("half")]


def test_a_stream_begins_anew_for_a_caller_who_said_so():
    with Agent(broken()).stream("go", restart=True) as stream:
        shown = [one for one in stream if isinstance(one, TextDelta | FellBack | Restarted)]
    assert shown == [
        TextDelta("half"),
        FellBack("a", "b", "ConnectionLost: lost"),
        Restarted(),
        TextDelta("whole"),
    ]
    assert stream.result.output == "by b"


def test_run_may_go_on_although_a_listener_saw_deltas_and_is_told_that_they_are_void():
    events = []
    assert Agent(broken()).run("go", on_event=events.append).output == "by b"
    assert [type(one) for one in events if isinstance(one, TextDelta | Restarted)] == [TextDelta, Restarted, TextDelta]


@ways
def test_no_further_model_is_asked_when_the_time_of_the_run_is_over(way):
    class Late(Scripted):
        def call(self, request):
            while time.monotonic() < request.deadline:
                pass
            raise TimedOut("late")

    second = Scripted("b")
    with pytest.raises(LimitReached):
        go(Fallback([Late("a"), second]), way, limits=Limits(seconds=0.05))
    assert second.asked == 0


def test_a_name_with_commas_opens_several_models_that_stand_in_for_each_other():
    model = open_model("sim:deepseek-flash, sim:deepseek-v4-pro ,")
    assert isinstance(model, Fallback)
    assert model.name == "sim:deepseek-flash, sim:deepseek-v4-pro"
    assert Agent(model).run("What is 2 + 3?").output
    assert Agent(model.name).run("What is 2 + 3?").messages[-1].attempts == ()


@pytest.mark.parametrize("models", [[], "a, b", ["a"], [None]])
def test_what_is_no_list_of_models_is_refused(models):
    with pytest.raises(ConfigurationError, match="Fallback"):
        Fallback(models)


def test_one_key_or_address_for_several_models_is_refused():
    for options in ({"api_key": "k"}, {"base_url": "http://127.0.0.1:1"}):
        with pytest.raises(ConfigurationError, match="Fallback"):
            open_model("deepseek-flash, lkeap:deepseek-v3", **options)


@pytest.mark.parametrize("transport", ["httpx", "aiohttp"])
@ways
def test_over_http_a_run_with_tools_ends_at_the_second_endpoint(way, transport):
    @tool
    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    def handler(exchange):
        if exchange.json["messages"][-1]["role"] == "tool":
            exchange.reply(completion("7"))
        else:
            exchange.reply(completion(calls=[("c1", "add", '{"a": 3, "b": 4}')]))

    async def asleep(seconds):
        pass

    with serving(lambda exchange: exchange.reply(b"", "503 Busy")) as down, serving(handler) as up:
        models = [
            open_model("openai:m", base_url=one.url, api_key="k", retries=1, transport=transport) for one in (down, up)
        ]
        for model in models:
            model.clock = Clock(sleep=lambda seconds: None, asleep=asleep)
        agent = Agent(Fallback(models), tools=[add])
        result = agent.run("go") if way == "run" else asyncio.run(agent.arun("go"))
        assert (len(down.exchanges), len(up.exchanges)) == (
            2,
            2,
        )  # the second step does not wait for the one that is out
    assert result.output == "7"
    first, second = [one.attempts for one in result.messages if isinstance(one, Assistant)]
    assert "after 2 attempts" in first[0]
    assert second == ()


def test_over_http_a_stream_falls_back_before_its_first_delta():
    def handler(exchange):
        exchange.begin()
        exchange.chunk(event({"role": "assistant", "content": "hi"}, "stop") + b"data: [DONE]\n\n")
        exchange.end()

    with serving(lambda exchange: exchange.reply(b"", "401 No")) as down, serving(handler) as up:
        models = [open_model("openai:m", base_url=one.url, api_key="k") for one in (down, up)]
        with Agent(Fallback(models)).stream("go") as stream:
            assert [one.text for one in stream if isinstance(one, TextDelta)] == ["hi"]
    assert stream.result.output == "hi"


@pytest.mark.parametrize("transport", ["httpx", "aiohttp"])
@ways
@pytest.mark.parametrize("trouble", ["500", "502", "503", "no connection"])
def test_the_second_address_of_an_endpoint_is_asked_when_the_first_fails(way, transport, trouble):
    def refuse(exchange):
        exchange.reply(b"", f"{trouble} No")

    waits, events = [], []

    async def asleep(seconds):
        waits.append(seconds)

    with serving(refuse) as first, serving(lambda exchange: exchange.reply(completion("hi"))) as second:
        url = "http://127.0.0.1:1" if trouble == "no connection" else first.url
        model = open_model("openai:m", base_url=url, api_key="k", transport=transport)
        model = HttpModel(
            "openai",
            model.row,
            base_url=url,
            api_key="k",
            transport=model.transport,
            also_at=(second.url + "/",),
            clock=Clock(sleep=waits.append, asleep=asleep),
        )
        assert go(model, way, on_event=events.append).output == "hi"
        assert len(second.exchanges) == 1
        assert second.exchanges[0].head.startswith("POST /chat/completions")
    assert len(waits) == 1
    assert [one.attempt for one in events if isinstance(one, Retried)] == [1]


def test_the_addresses_of_an_endpoint_are_asked_in_turn_within_the_attempts():
    def refuse(exchange):
        exchange.reply(b"", "503 No")

    with serving(refuse) as first, serving(refuse) as second:
        row = open_model("sim:deepseek-flash").row
        clock, also = Clock(sleep=lambda seconds: None), (second.url,)
        model = HttpModel(
            "openai", row, base_url=first.url, api_key="k", transport=shared("httpx"), also_at=also, clock=clock
        )
        with pytest.raises(Unavailable) as caught:
            Agent(model).run("go")
        assert (len(first.exchanges), len(second.exchanges)) == (2, 2)
    assert caught.value.attempts == 4


def test_a_refusal_is_not_taken_to_the_second_address():
    with serving(lambda exchange: exchange.reply(b"", "401 No")) as first:
        row = open_model("sim:deepseek-flash").row
        also = ("http://127.0.0.1:1",)
        model = HttpModel("openai", row, base_url=first.url, api_key="k", transport=shared("httpx"), also_at=also)
        with pytest.raises(Unauthorized):
            Agent(model).run("go")
        assert len(first.exchanges) == 1


def test_evolink_has_its_second_address_by_itself_and_only_at_home():
    home = open_model("evolink:deepseek-v4-flash", api_key="k")
    assert [address for address, _ in home.addresses] == ["https://direct.evolink.ai/v1", "https://api.evolink.ai/v1"]
    elsewhere = open_model("evolink:deepseek-v4-flash", api_key="k", base_url="http://127.0.0.1:1/v1")
    assert [address for address, _ in elsewhere.addresses] == ["http://127.0.0.1:1/v1"]


@ways
def test_a_run_begun_at_one_endpoint_ends_at_another_of_another_kind(way):
    @tool
    def weather(city: str) -> str:
        """Tell the weather in a city."""
        return f"{city}: sunny"

    first, second = Simulator(faults=["402@2"]), Simulator("lkeap")
    models = [
        open_model("deepseek:deepseek-flash", api_key="k", transport=first.transport()),
        open_model("lkeap:deepseek-v3", api_key="k", transport=second.transport()),
    ]
    agent, prompt = Agent(Fallback(models), tools=[weather]), "What is the weather in Paris?"
    result = agent.run(prompt) if way == "run" else asyncio.run(agent.arun(prompt))
    assert "sunny" in result.output
    attempts = [one.attempts for one in result.messages if isinstance(one, Assistant)]
    assert attempts[0] == ()
    assert [len(one) for one in attempts] == [0, 1]
    assert attempts[1][0].startswith("`deepseek:deepseek-flash` InsufficientBalance")


def test_those_that_are_out_are_asked_last_and_come_back():
    now = [0.0]
    resting = Resting(3, clock=lambda: now[0])
    assert resting.order() == (0, 1, 2)
    resting.out(0)
    resting.out(1, 90)
    assert resting.order() == (2, 0, 1)
    now[0] = REST
    assert resting.order() == (0, 2, 1)
    resting.back(1)
    assert resting.order() == (0, 1, 2)


@ways
@pytest.mark.parametrize(
    ("error", "rests"),
    [
        (Unavailable("`a` is down"), True),
        (RateLimited("`a` is busy", retry_after=300), True),
        (Unauthorized("no key"), True),
        (InsufficientBalance("no money"), True),
        (ContextOverflow("too long"), False),
        (Unreadable("rubbish"), False),
    ],
)
def test_a_model_that_is_out_is_not_waited_for_at_each_request(way, error, rests):
    first, second = Scripted("a", fails=error), Scripted("b")
    now = [0.0]
    model = Fallback([first, second])
    model.resting = Resting(2, clock=lambda: now[0])
    for _ in range(3):
        assert go(model, way).output == "by b"
    assert first.asked == (1 if rests else 3)
    now[0] = 299.0 if getattr(error, "retry_after", None) else REST - 1
    assert go(model, way).messages[-1].attempts == (() if rests else (f"`a` {type(error).__name__}: {error}",))
    now[0] = 300.0
    first.fails = None
    assert go(model, way).output == "by a"
    assert go(model, way).output == "by a"


@ways
def test_a_model_that_is_out_is_still_asked_where_the_others_fail_too(way):
    first, second = Scripted("a", fails=Unavailable("`a` is down")), Scripted("b")
    model = Fallback([first, second])
    assert go(model, way).output == "by b"
    first.fails, second.fails = None, Unavailable("`b` is down")
    result = go(model, way)
    assert result.output == "by a"
    assert result.messages[-1].attempts == ("`b` Unavailable: `b` is down",)


@ways
def test_an_address_that_is_out_is_not_asked_first_by_the_next_request(way):
    def refuse(exchange):
        exchange.reply(b"", "503 No")

    async def asleep(seconds):
        return None

    with serving(refuse) as first, serving(lambda exchange: exchange.reply(completion("hi"))) as second:
        row = open_model("openai:m", base_url=first.url, api_key="k").row
        clock, also = Clock(sleep=lambda seconds: None, asleep=asleep), (second.url,)
        model = HttpModel(
            "openai", row, base_url=first.url, api_key="k", transport=shared("httpx"), also_at=also, clock=clock
        )
        for _ in range(4):
            assert go(model, way).output == "hi"
        assert (len(first.exchanges), len(second.exchanges)) == (1, 4)
