"""Beside answering chats: prefixes, gaps, the list of models and the balance, against the simulator and over HTTP."""

import asyncio
import json
from decimal import Decimal

import pytest
from wire import completion, serving

from agentkit import Settings, User
from agentkit.errors import (
    ConfigurationError,
    InsufficientBalance,
    Rejected,
    Unauthorized,
    Unavailable,
    Unreadable,
)
from agentkit.messages import Assistant, System
from agentkit.models import open_model
from agentkit.models.beyond import Balance, Listed, Purse
from agentkit.models.http import Clock
from agentkit.simulator import Simulator

VERBS = ["fill", "complete", "models", "balance"]
ARGUMENTS = {"fill": ("def f(", "    return 1"), "complete": ("Say hi.", "Hi"), "models": (), "balance": ()}


def ask(model, verb, way, *given, **options):
    given = given or ARGUMENTS[verb]
    if way == "sync":
        return getattr(model, verb)(*given, **options)
    return asyncio.run(getattr(model, f"a{verb}")(*given, **options))


def served(server, waits=None, **options):
    waits = [] if waits is None else waits
    model = open_model("deepseek:deepseek-flash", base_url=server.url + "/v1", api_key="sk-secret-key", **options)

    async def asleep(seconds):
        waits.append(seconds)

    model.clock = Clock(sleep=waits.append, asleep=asleep, chance=lambda: 1.0)
    return model


ways = pytest.mark.parametrize("way", ["sync", "async"])
verbs = pytest.mark.parametrize("verb", VERBS)
FIM = {
    "id": "x",
    "object": "text_completion",
    "model": "deepseek-flash",
    "choices": [{"text": "a, b):\n", "index": 0, "finish_reason": "length", "logprobs": None}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 4, "prompt_cache_hit_tokens": 0, "prompt_cache_miss_tokens": 9},
}


@ways
def test_a_gap_is_filled_at_the_beta_address_whatever_the_base(way):
    with serving(lambda exchange: exchange.reply(json.dumps(FIM).encode())) as server:
        model = served(server)
        message = ask(model, "fill", way, "def f(", "    return 1", max_tokens=4, temperature=0.0, stop=["\n\n"])
        (exchange,) = server.exchanges
    assert exchange.head.startswith("POST /beta/completions HTTP/1.1")
    assert exchange.json == {
        "model": "deepseek-flash",
        "prompt": "def f(",
        "suffix": "    return 1",
        "max_tokens": 4,
        "temperature": 0.0,
        "stop": ["\n\n"],
    }
    assert (message.text, message.finish_reason, message.model) == ("a, b):\n", "length", "deepseek-flash")
    assert (message.usage.prompt_tokens, message.usage.completion_tokens, message.usage.requests) == (9, 4, 1)


@ways
def test_a_prefix_is_completed_at_the_beta_address(way):
    with serving(lambda exchange: exchange.reply(completion("print(1)", finish="stop"))) as server:
        said = [System("Be brief."), User("Write Python.")]
        settings = Settings(stop="```", thinking=False, extra_headers={"X-A": "b"})
        message = ask(served(server), "complete", way, said, "```python\n", settings=settings)
        (exchange,) = server.exchanges
    assert exchange.head.startswith("POST /beta/chat/completions HTTP/1.1")
    assert "x-a: b" in exchange.head.lower()
    assert exchange.json["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Write Python."},
        {"role": "assistant", "content": "```python\n", "prefix": True},
    ]
    assert exchange.json["stop"] == "```"
    assert (message.text, message.finish_reason) == ("print(1)", "stop")


def test_a_prefix_may_come_with_what_was_thought_before():
    with serving(lambda exchange: exchange.reply(completion("!"))) as server:
        served(server).complete("Say hi.", "Hi", reasoning="I greet.")
        last = server.exchanges[0].json["messages"][-1]
    assert last == {"role": "assistant", "content": "Hi", "prefix": True, "reasoning_content": "I greet."}


@pytest.mark.parametrize("base", ["", "/v1", "/beta", "/v1/"])
def test_every_address_of_the_endpoint_leads_to_the_beta_one(base):
    with serving(lambda exchange: exchange.reply(json.dumps(FIM).encode())) as server:
        open_model("deepseek:deepseek-flash", base_url=server.url + base, api_key="k").fill("a")
        assert server.exchanges[0].head.startswith("POST /beta/completions")


@ways
def test_on_the_simulator_all_of_it_answers(way):
    model = open_model("sim:deepseek-flash")
    filled = ask(model, "fill", way, "def add(a, b):\n    return", "\n")
    assert isinstance(filled, Assistant)
    assert filled.usage.prompt_tokens > 0
    assert isinstance(ask(model, "complete", way, "What is 2 + 3?", "The sum is "), Assistant)
    listed = ask(model, "models", way)
    assert "deepseek-flash" in [one.id for one in listed]
    held = ask(model, "balance", way)
    assert held.available
    assert [purse.currency for purse in held.purses] == ["CNY"]


@ways
def test_models_are_listed_with_what_the_endpoint_tells(way):
    data = [
        {"id": "a", "object": "model", "owned_by": "deepseek"},
        {
            "id": "b",
            "name": "B",
            "context_window": 1048576,
            "max_output_tokens": 393216,
            "input_modalities": ["text", "image"],
            "output_modalities": ["text"],
            "effort": {"supported_levels": ["low", "high"], "default_level": "high"},
        },
    ]
    with serving(lambda exchange: exchange.reply(json.dumps({"object": "list", "data": data}).encode())) as server:
        listed = ask(served(server), "models", way)
        assert server.exchanges[0].head.startswith("GET /v1/models ")
    assert listed == (
        Listed("a", "deepseek"),
        Listed("b", None, "B", 1048576, 393216, ("text", "image"), ("text",), ("low", "high")),
    )


@ways
def test_the_balance_is_exact_and_keeps_its_currencies_apart(way):
    amounts = {"total_balance": "110.10", "granted_balance": "10.00", "topped_up_balance": "100.10"}
    body = {"is_available": True, "balance_infos": [{"currency": "CNY", **amounts}, {"currency": "USD", **amounts}]}
    with serving(lambda exchange: exchange.reply(json.dumps(body).encode())) as server:
        held = ask(served(server), "balance", way)
        assert server.exchanges[0].head.startswith("GET /user/balance ")
        assert "bearer sk-secret-key" in server.exchanges[0].head.lower()
    purse = Purse("CNY", Decimal("110.10"), Decimal("10.00"), Decimal("100.10"))
    assert held.purses[0] == purse
    assert held == Balance(True, (purse, Purse("USD", Decimal("110.10"), Decimal("10.00"), Decimal("100.10"))))


@verbs
@ways
def test_a_busy_endpoint_is_asked_again(verb, way):
    with serving(lambda exchange: exchange.reply(b"", "503 Busy")) as server:
        waits = []
        with pytest.raises(Unavailable) as caught:
            ask(served(server, waits), verb, way)
        assert len(server.exchanges) == 4
    assert waits == [0.5, 1.0, 2.0]
    assert (caught.value.attempts, caught.value.status) == (4, 503)


@verbs
@ways
@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        ("401 No", b'{"error":{"message":"Authentication Fails, sk-secret-key"}}', Unauthorized),
        ("402 No", b'{"error":{"message":"Insufficient Balance"}}', InsufficientBalance),
        ("404 No", b"<html>nothing</html>", Rejected),
        ("200 OK", b'{"error":{"message":"bad","type":"invalid_request_error"}}', Rejected),
        ("200 OK", b"", Unreadable),
        ("200 OK", b"<html>proxy</html>", Unreadable),
        ("200 OK", b"[1]", Unreadable),
        ("200 OK", b'{"choices": 7, "data": 7, "balance_infos": 7}', Unreadable),
        ("200 OK", b'{"choices": [7], "data": [7], "balance_infos": [7]}', Unreadable),
        ("200 OK", b'{"choices": [{}], "data": [{}], "balance_infos": [{"currency": "x"}]}', Unreadable),
    ],
)
def test_what_is_no_answer_is_the_one_right_error(verb, way, status, body, kind):
    with serving(lambda exchange: exchange.reply(body, status)) as server:
        model = served(server, retries=0)
        with pytest.raises(kind) as caught:
            ask(model, verb, way)
    assert "sk-secret-key" not in str(caught.value)
    assert caught.value.model == "deepseek:deepseek-flash"


@pytest.mark.parametrize("verb", ["fill", "complete"])
@pytest.mark.parametrize("name", ["lkeap:deepseek-v3", "evolink:deepseek-v4-flash", "openai:m"])
def test_a_provider_without_it_is_refused_before_anything_is_sent(verb, name):
    model = open_model(name, api_key="k", base_url="http://127.0.0.1:1")
    with pytest.raises(ConfigurationError, match=r"deepseek"):
        ask(model, verb, "sync")


def test_a_prefix_must_be_there():
    with pytest.raises(ConfigurationError, match="prefix"):
        open_model("sim:deepseek-flash").complete("Say hi.", "")


def test_an_empty_account_is_told_by_name():
    model = open_model("deepseek:deepseek-flash", api_key="k", transport=Simulator(faults=["402"]).transport())
    with pytest.raises(InsufficientBalance):
        model.fill("a")
