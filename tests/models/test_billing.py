"""What a run costs and what it may cost: prices of the hour, limits on money, and prices that nobody knows."""

import asyncio
import json
import threading
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from script import Script, ago, go, says, ways
from wire import completion, event, serving

from agentkit import Agent, LimitReached, Limits, Settings, ToolCall, tool
from agentkit.errors import ConfigurationError, ConnectionLost
from agentkit.events import Warned
from agentkit.ledger import LEAST
from agentkit.messages import Assistant, Note, Usage, User, dump, load
from agentkit.models import Fallback, open_model
from agentkit.models.catalog import find
from agentkit.models.request import Request
from agentkit.models.retry import Clock
from agentkit.models.rows import cost_of, price_at
from agentkit.money import Cost, Money
from agentkit.simulator import Simulator
from agentkit.simulator.brains import Call, Plan
from agentkit.transcript import Transcript

OFF_PEAK = datetime(2026, 11, 20, 12, tzinfo=UTC)
PEAK = datetime(2026, 11, 20, 2, tzinfo=UTC)
USAGE = Usage(1_000, 500, 100, 640, 360, requests=1)


def usd(amount, saved="0"):
    return Cost((Money(Decimal(amount), "USD"),), (Money(Decimal(saved), "USD"),))


def simulated(brain=None, at=OFF_PEAK, name="deepseek:deepseek-flash"):
    simulator = Simulator(brain=brain, clock=at.timestamp)
    model = open_model(name, api_key="k", base_url="http://simulator", transport=simulator.transport())
    model.clock = Clock(date=at.timestamp)
    return simulator, model


@pytest.mark.parametrize(
    ("name", "moment", "currency", "amount", "saved"),
    [
        ("deepseek:deepseek-flash", OFF_PEAK, "USD", "0.00035592", "0.00009408"),
        ("deepseek:deepseek-flash", PEAK, "USD", "0.00071184", "0.00018816"),
        ("deepseek:deepseek-flash", OFF_PEAK, "CNY", "0.0023728", "0.0006272"),
        ("deepseek:deepseek-v4-pro", OFF_PEAK, "USD", "0.00035592", "0.00009408"),
        ("deepseek:deepseek-v4-pro", datetime(2026, 9, 1, 2, tzinfo=UTC), "USD", "0.00248336", "0.00081664"),
        ("deepseek-r1:deepseek-reasoner", OFF_PEAK, "USD", "0.0013826", "0.0002624"),
    ],
)
def test_a_reply_costs_what_the_price_of_the_hour_says(name, moment, currency, amount, saved):
    _, row = find(name)
    cost = cost_of(USAGE, price_at(row, moment, currency))
    assert cost == Cost((Money(Decimal(amount), currency),), (Money(Decimal(saved), currency),))


@ways
def test_a_run_costs_the_sum_of_its_messages_each_at_the_price_of_its_hour(way):
    @tool
    def look(at: str) -> str:
        """Look at something."""
        return at

    def brain(turn):
        if any(message.role == "tool" for message in turn.messages):
            return Plan(content="Seen.")
        return Plan(calls=(Call("look", json.dumps({"at": "it"})),))

    simulator, model = simulated(brain)
    hours = iter([PEAK, PEAK, OFF_PEAK])
    moments = []

    def date():
        moments.append(next(hours, OFF_PEAK))
        return moments[-1].timestamp()

    model.clock = Clock(date=date)
    result = go(Agent(model, tools=[look]), way, "Look at it.")
    _, row = find("deepseek:deepseek-flash")
    said = [one for one in result.messages if isinstance(one, Assistant)]
    assert [one.cost for one in said] == [
        cost_of(one.usage, price_at(row, moment)) for one, moment in zip(said, moments, strict=True)
    ]
    assert result.cost == said[0].cost + said[1].cost
    assert result.cost.amounts[0].currency == "USD"
    assert load(dump(result.entries)) == list(result.entries)
    assert len(simulator.log) == 2


def test_what_the_cache_saved_is_told():
    _, model = simulated(lambda turn: Plan(content="Yes."))
    agent = Agent(model, instructions="Be brief. " * 200)
    agent.run("A first question?")
    result = agent.run("A first question?")
    assert result.usage.cache_hit_tokens
    saved = result.usage.cache_hit_tokens * Decimal("0.147") / 1_000_000
    assert result.cost.saved == (Money(saved, "USD"),)


def test_an_unknown_price_is_unknown_and_not_nothing():
    with serving(lambda exchange: exchange.reply(completion("hi"))) as server:
        result = Agent(open_model("openai:m", base_url=server.url)).run("Hello")
    assert result.cost is None
    assert result.last.cost is None
    assert Agent(Script(says("hi"))).run("Hello").cost is None


def test_of_a_run_with_one_unknown_price_the_cost_is_unknown_and_each_message_has_its_own():
    calls = completion("", [("a", "look", '{"at": "x"}')])
    replies = iter([calls])

    @tool
    def look(at: str) -> str:
        """Look."""
        return at

    def handler(exchange):
        reply = next(replies, None)
        exchange.reply(reply or b"{}", "200 OK" if reply else "401 Unauthorized")

    _, priced = simulated(lambda turn: Plan(content="Done."))
    with serving(handler) as server:
        unknown = open_model("openai:m", base_url=server.url)
        result = Agent(Fallback([unknown, priced]), tools=[look]).run("Look.")
    assert result.cost is None
    assert [one.cost is None for one in result.messages if isinstance(one, Assistant)] == [True, False]


@pytest.mark.parametrize("way", ["sync", "async"])
def test_filling_gaps_and_completing_prefixes_is_priced_as_chat(way):
    _, model = simulated()
    if way == "sync":
        said = [model.fill("a = ", "\n"), model.complete("What is 2 + 2?", "2 + 2 is ")]
    else:

        async def both():
            return [await model.afill("a = ", "\n"), await model.acomplete("What is 2 + 2?", "2 + 2 is ")]

        said = asyncio.run(both())
    _, row = find("deepseek:deepseek-flash")
    assert [one.cost for one in said] == [cost_of(one.usage, price_at(row, OFF_PEAK)) for one in said]


# Limits.

FULL = "The tide rises twice a day, since the moon pulls the water on the near side more than the earth. " * 3


@ways
@pytest.mark.parametrize("thinking", [True, False])
def test_no_run_spends_more_than_its_limit_whatever_it_is(way, thinking):
    ends = set()
    for amount in ("0", "0.000001", "0.00001", "0.00003", "0.00005", "0.0001", "0.001", "1"):
        simulator, model = simulated(lambda turn: Plan(content=FULL, reasoning="The moon it is."))
        agent = Agent(model, settings=Settings(thinking=thinking), limits=Limits(cost=f"{amount} USD"))
        try:
            end = go(agent, way, "Why is there a tide?")
        except LimitReached as error:
            end = error
        assert end.transcript.cost.within("USD") <= Decimal(amount)
        assert end.transcript.usage.requests == len(simulator.log)
        if isinstance(end, LimitReached):
            assert end.limit == "cost"
            assert FULL.startswith(end.text)
            assert "Limits(cost=" in str(end)
            ends.add("partly" if end.text else "not at all")
        else:
            assert end.text == FULL
            ends.add("answered")
    assert ends == {"answered", "partly", "not at all"}


def test_max_tokens_is_lowered_to_what_is_left_and_never_raised():
    simulator, model = simulated(lambda turn: Plan(content="Yes."))
    for cost, asked in (("1 USD", None), ("1 USD", 100), ("0.001 USD", None), ("0.00003 USD", 100)):
        settings = Settings(max_tokens=asked, thinking=False)
        Agent(model, settings=settings, limits=Limits(cost=cost)).run("Is there a tide?")
    sent = [entry.body.get("max_tokens") for entry in simulator.log]
    assert sent[:2] == [None, 100]
    assert LEAST < sent[2] < 8_192
    assert LEAST < sent[3] < 100
    assert [sent[2], sent[3]] == [pytest.approx(1_660, abs=60), pytest.approx(40, abs=15)]


def test_the_limits_currency_is_the_one_that_prices_are_taken_in():
    _, model = simulated(lambda turn: Plan(content="Yes."))
    result = Agent(model, limits=Limits(cost="1 CNY")).run("Is there a tide?")
    assert [one.currency for one in result.cost.amounts] == ["CNY"]


@ways
def test_without_a_known_price_nothing_is_sent_unless_the_caller_says_so(way):
    with serving(lambda exchange: exchange.reply(completion("hi"))) as server:
        agent = Agent(open_model("openai:m", base_url=server.url))
        if "stream" in way:
            agent = Agent(open_model("openai:m", base_url=server.url), settings=Settings(extra_body={"stream": False}))
        with pytest.raises(ConfigurationError, match="price of `openai:m` in USD is not known"):
            go(agent, way, "Hello", limits=Limits(cost="1 USD"))
        assert server.exchanges == []
        events = []
        limits = Limits(cost="1 USD", unpriced="warn")
        result = go(agent, way, "Hello", limits=limits, on_event=events.append)
        assert result.cost is None
        assert any(isinstance(one, Warned) and "price of `openai:m`" in one.text for one in events)
        assert "max_tokens" not in server.exchanges[0].json
        result = go(agent, way, "Hello", limits=Limits(cost="1 USD", unpriced="2 USD"))
        assert result.cost == usd("0.00001")  # five tokens
        assert server.exchanges[1].json["max_tokens"] == 8_192


def test_a_model_of_ones_own_is_held_to_the_limit_by_what_is_assumed():
    @tool
    def again() -> str:
        """Do it again."""
        return "done"

    def reply(request):
        call = ToolCall(f"c{len(request.transcript)}", "again", "{}")
        return Assistant("", None, (call,), "tool_calls", Usage(90, 10, requests=1))

    agent = Agent(Script(*[reply] * 20), tools=[again])
    with pytest.raises(LimitReached) as caught:
        agent.run("Go.", limits=Limits(cost="0.001 USD", unpriced="2 USD"))
    assert caught.value.limit == "cost"
    assert caught.value.transcript.cost == usd("0.001")
    with pytest.raises(LimitReached, match="what 1 of its replies cost is not known"):
        Agent(Script(*[reply] * 20), tools=[again]).run("Go.", limits=Limits(cost="1 USD"))


@pytest.mark.parametrize("way", ["run", "arun"])
def test_replies_that_broke_off_count_against_the_limit_by_estimate(way):
    def handler(exchange):
        exchange.begin()
        exchange.chunk(event({"content": FULL}))
        exchange.connection.close()

    with serving(handler) as server:
        model = open_model("deepseek:deepseek-flash", api_key="k", base_url=server.url, retries=50)

        async def asleep(_):
            return None

        model.clock = Clock(sleep=lambda _: None, asleep=asleep, date=OFF_PEAK.timestamp)
        agent = Agent(model, settings=Settings(max_tokens=100), limits=Limits(cost="0.0005 USD"))
        with pytest.raises((LimitReached, ConnectionLost)) as caught:
            go(agent, way, "Why?")
    assert isinstance(caught.value, LimitReached)
    assert 3 < len(server.exchanges) < 15


def test_a_refusal_costs_nothing():
    def handler(exchange):
        if len(server.exchanges) < 30:
            return exchange.reply(b'{"error":{"message":"busy"}}', "503 Service Unavailable")
        return exchange.reply(completion("hi"))

    with serving(handler) as server:
        model = open_model("deepseek:deepseek-flash", api_key="k", base_url=server.url, retries=40)
        model.clock = Clock(sleep=lambda _: None, date=OFF_PEAK.timestamp)
        limits = Limits(cost="0.0001 USD")
        assert Agent(model, settings=Settings(max_tokens=50, thinking=False), limits=limits).run("Hi").text == "hi"


def test_money_set_aside_by_a_run_that_was_stopped_is_given_back():
    limits = Limits(cost="1 USD")
    ledger = limits.ledger()
    came = threading.Event()

    def handler(exchange):
        came.set()
        exchange.wait_until_left()

    with serving(handler) as server:
        model = open_model("deepseek:deepseek-flash", api_key="k", base_url=server.url)

        async def stop_it():
            task = asyncio.create_task(model.acall(Request(Transcript([User("Hi")]), ledger=ledger)))
            assert await asyncio.to_thread(came.wait, 30), task
            assert ledger.left.amount < 1
            task.cancel()
            await asyncio.wait([task])

        asyncio.run(stop_it())
    assert ledger.left == Money(Decimal(1), "USD")


def test_runs_side_by_side_have_ledgers_of_their_own():
    _, model = simulated(lambda turn: Plan(content="Yes."))
    agent = Agent(model, settings=Settings(max_tokens=100), limits=Limits(cost="0.0001 USD"))

    async def all_of_them():
        return await asyncio.gather(*(ago(agent, "arun", f"Is there tide {number}?") for number in range(20)))

    assert {result.text for result in asyncio.run(all_of_them())} == {"Yes."}


def test_what_a_thrown_away_reply_cost_is_kept_with_the_transcript():
    _, model = simulated(lambda turn: Plan(content=FULL))
    agent = Agent(model, settings=Settings(max_tokens=4, thinking=False))
    with pytest.raises(Exception, match="was cut") as caught:
        agent.run("Why?")
    transcript = caught.value.transcript
    (note,) = [one for one in transcript if isinstance(one, Note) and one.kind == "discarded"]
    assert Cost.load(note.data["cost"]) == transcript.cost == caught.value.message.cost
    assert transcript.unpriced == 0
    assert transcript.cost.within("USD") > 0
