"""The prefix cache: hits in blocks over what earlier requests of the same key began with (WIRE section 4)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rules_table import rule
from simulator_requests import WEATHER, asked, chat, post, user

from agentkit.simulator import Simulator
from agentkit.simulator.brains import Call, Plan
from agentkit.simulator.cache import PrefixCache
from agentkit.simulator.profiles import Cache

LONG = "The quick brown fox jumps over the lazy dog. " * 100  # a thousand tokens
SYSTEM = {"role": "system", "content": LONG}
V4 = Cache(128, 256)


def hit(body: dict[str, Any], simulator: Simulator) -> int:
    usage = asked(body, simulator)["usage"]
    assert usage["prompt_cache_hit_tokens"] + usage["prompt_cache_miss_tokens"] == usage["prompt_tokens"]
    assert usage["prompt_tokens_details"]["cached_tokens"] == usage["prompt_cache_hit_tokens"]
    return usage["prompt_cache_hit_tokens"]


@rule("4.cache.blocks", "4.usage")
def test_the_same_prompt_again_is_a_hit_in_whole_blocks() -> None:
    simulator = Simulator()
    body = chat(SYSTEM, user("Hello"))
    tokens = asked(body, Simulator())["usage"]["prompt_tokens"]
    assert hit(body, simulator) == 0
    assert hit(body, simulator) == (tokens - 1) // 128 * 128


@rule("4.cache.blocks")
def test_a_hit_ends_where_the_prompts_part() -> None:
    simulator = Simulator()
    hit(chat(SYSTEM, user("Hello")), simulator)
    shorter = chat({"role": "system", "content": LONG[: len(LONG) // 2] + "But then " + LONG}, user("Hello"))
    assert 384 <= hit(shorter, simulator) <= 512
    assert hit(chat({"role": "system", "content": "x" + LONG}, user("Hello")), simulator) == 0


@rule("4.cache.blocks")
def test_a_short_prompt_is_no_hit() -> None:
    simulator = Simulator()
    body = chat(user("word " * 150))  # one whole block, but recorded hits begin at 256
    assert [hit(body, simulator) for _ in range(3)] == [0, 0, 0]


@rule("4.cache.blocks")
def test_a_conversation_that_goes_on_hits_its_own_replies_too() -> None:
    story = " ".join(f"step {number}," for number in range(300))
    simulator = Simulator(brain=lambda _: Plan(content=story))
    first = asked(chat(user("Tell me.")), simulator)
    assert first["usage"]["prompt_tokens"] < 128
    message = first["choices"][0]["message"]
    whole = first["usage"]["total_tokens"]
    assert hit(chat(user("Tell me."), message, user("Go on.")), simulator) == whole // 128 * 128


@rule("4.cache.blocks")
@pytest.mark.parametrize("thinking", [False, True])
def test_a_tool_loop_hits_all_that_was_said_before(thinking: bool) -> None:
    plan = Plan(calls=(Call("weather", '{"city": "Paris", "days": 3}'),), reasoning="Paris it is. " * 40)
    simulator = Simulator(brain=lambda _: plan)
    body = chat(SYSTEM, user("Weather in Paris?"), tools=[WEATHER])
    body["thinking"] = {"type": "enabled" if thinking else "disabled"}
    first = asked(body, simulator)
    message = first["choices"][0]["message"]
    answer = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "sunny " * 300}
    body["messages"] = [*body["messages"], message, answer]
    assert hit(body, simulator) == first["usage"]["total_tokens"] // 128 * 128


def test_reasoning_that_is_not_shown_again_ends_the_hit() -> None:
    plan = Plan(content="Four.", reasoning="Two and two. " * 200)
    simulator = Simulator(brain=lambda _: plan)
    body = {**chat(SYSTEM, user("2 + 2?")), "thinking": {"type": "enabled"}}
    first = asked(body, simulator)
    body["messages"] = [*body["messages"], first["choices"][0]["message"], user("Sure?")]
    assert hit(body, simulator) == first["usage"]["prompt_tokens"] // 128 * 128


@pytest.mark.parametrize(
    "change",
    [{"tools": [WEATHER]}, {"tool_choice": "none", "tools": [WEATHER]}, {"temperature": 0.5}, {"max_tokens": 5}],
)
def test_what_the_model_is_not_shown_does_not_matter(change: dict[str, Any]) -> None:
    simulator = Simulator()
    hit(chat(SYSTEM, user("Hello")), simulator)
    found = hit(chat(SYSTEM, user("Hello"), **change), simulator)
    assert found == 896  # the system text stands before the tools


def test_each_key_and_each_model_has_a_cache_of_its_own() -> None:
    simulator = Simulator("deepseek-v4")
    body = {**chat(SYSTEM, user("Hello")), "model": "deepseek-v4-flash"}

    def hit_of(key: str, **fields: Any) -> int:
        reply = post({**body, **fields}, simulator, headers={"authorization": f"Bearer {key}"})
        return json.loads(reply.body)["usage"]["prompt_cache_hit_tokens"]

    assert hit_of("one") == 0
    assert hit_of("two") == 0
    assert hit_of("one", model="deepseek-v4-pro") == 0
    assert hit_of("one", model="deepseek-chat") > 0  # another name of the same model
    assert hit_of("two") > 0


def test_a_stream_tells_the_same_hits() -> None:
    simulator = Simulator()
    body = chat(SYSTEM, user("Hello"))
    whole = hit(body, simulator), hit(body, simulator)
    reply = post({**body, "stream": True}, simulator).body.decode()
    assert f'"prompt_cache_hit_tokens":{whole[1]}' in reply


def test_a_refused_request_leaves_nothing_behind() -> None:
    simulator = Simulator()
    assert post(chat(SYSTEM, user("Hello"), n=2), simulator).status == 400
    assert hit(chat(SYSTEM, user("Hello")), simulator) == 0


@rule("4.cache.2025")
@pytest.mark.parametrize("profile", ["deepseek-v3.2", "deepseek-v3.2-exp"])
def test_in_2025_blocks_had_64_tokens(profile: str) -> None:
    simulator = Simulator(profile)
    body = {"model": "deepseek-chat", "messages": [user("word " * 150)]}
    assert [hit(body, simulator) for _ in range(2)] == [0, 128]


def test_an_endpoint_without_a_cache_tells_of_none() -> None:
    simulator = Simulator("lkeap")
    body = {"model": "deepseek-v3", "messages": [SYSTEM, user("Hello")]}
    for _ in range(2):
        reply = json.loads(post(body, simulator, "/v1/chat/completions").body)
        assert list(reply["usage"]) == ["completion_tokens", "prompt_tokens", "total_tokens"]


prompts = st.lists(st.sampled_from("abc"), max_size=40)


@given(st.lists(prompts, max_size=6), prompts, st.integers(1, 4), st.integers(1, 8))
def test_a_hit_is_the_longest_common_beginning_in_blocks(
    earlier: list[list[str]], prompt: list[str], unit: int, least: int
) -> None:
    cache, kind = PrefixCache(), Cache(unit, least)
    for one in earlier:
        cache.remember(("key", "model"), one, kind)
    common = 0
    for one in earlier:
        same = 0
        while same < min(len(one), len(prompt) - 1) and one[same] == prompt[same]:
            same += 1
        common = max(common, same // unit * unit)
    assert cache.hits(("key", "model"), prompt, kind) == (common if common >= least else 0)
    assert cache.hits(("key", "other"), prompt, kind) == 0


def test_memory_is_bounded_and_the_oldest_goes_first() -> None:
    cache = PrefixCache(most=8)
    texts = [[f"{number}-{place}" for place in range(4 * 128)] for number in range(3)]
    for text in texts:
        cache.remember(("k", "m"), text, V4)
    assert len(cache) == 8
    hits = [cache.hits(("k", "m"), [*text, "?"], V4) for text in texts]
    assert hits == [0, 512, 512]
    cache.remember(("k", "m"), texts[1], V4)  # met again
    cache.remember(("k", "m"), [f"new-{place}" for place in range(2 * 128)], V4)
    assert cache.hits(("k", "m"), [*texts[1], "?"], V4) == 512
    assert cache.hits(("k", "m"), [*texts[2], "?"], V4) == 256  # its end went before its beginning
