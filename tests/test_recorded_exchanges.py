"""Every recorded chat completion, served over loopback HTTP, is read into the right message by the whole client.

Out of scope by rule: what was asked of another API than chat completions (the Responses API, Ollama's native chat).
"""

import asyncio
import json

import pytest
from recordings import completions, each, naive
from wire import serving

from agentkit.messages import User
from agentkit.models import open_model
from agentkit.models.request import Request
from agentkit.transcript import Transcript


def read(recording, way, transport="httpx"):
    """The message that the client makes of a recorded reply, in small chunks as a network may cut it."""

    def handler(exchange):
        exchange.begin("text/event-stream" if recording.streamed else "application/json")
        for at in range(0, len(recording.body), 997):
            exchange.chunk(recording.body[at : at + 997])
        exchange.end()

    with serving(handler) as server:
        model = open_model("openai:m", base_url=server.url, api_key="k", retries=0, transport=transport)
        request = Request(transcript=Transcript([User("go")]), stream=recording.streamed)
        return model.call(request) if way == "call" else asyncio.run(model.acall(request))


@each(lambda: completions(deepseek=True))
@pytest.mark.parametrize(("way", "transport"), [("call", "httpx"), ("acall", "httpx"), ("acall", "aiohttp")])
def test_a_recorded_reply_of_deepseek_is_read_rightly_over_http(recording, way, transport):
    message, meant = read(recording, way, transport), naive(recording)
    assert message.text == meant["text"]
    assert message.reasoning == meant["reasoning"]
    assert [(one.id, one.name, one.arguments) for one in message.tool_calls] == [
        (one["id"], one["name"], one["arguments"]) for one in meant["calls"]
    ]
    assert message.finish_reason == meant["finish"]
    assert message.model == meant["model"]
    usage, times = meant["usage"], message.usage.requests
    assert times == 1 + (meant["finish"] == "length" and bool(meant["calls"])), "a cut call is asked for once more"
    assert message.usage.prompt_tokens == times * usage["prompt_tokens"]
    assert message.usage.completion_tokens == times * usage["completion_tokens"]
    assert message.usage.cache_hit_tokens == times * usage["prompt_cache_hit_tokens"]
    assert message.usage.cache_miss_tokens == times * usage["prompt_cache_miss_tokens"]
    thinking = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens", 0)
    assert message.usage.reasoning_tokens == times * thinking


@each(lambda: completions(deepseek=False))
def test_a_recorded_reply_of_another_host_is_read_rightly_over_http(recording):
    message, meant = read(recording, "call"), naive(recording)
    thought, tag, answer = meant["text"].partition("</think>")
    # these hosts leave the reasoning in the text, llama.cpp without the opening tag
    if tag or thought.startswith("<think>"):
        meant |= {"reasoning": thought.lstrip().removeprefix("<think>"), "text": answer.lstrip("\n")}
    assert (message.text, message.reasoning, message.finish_reason) == (
        meant["text"],
        meant["reasoning"],
        meant["finish"],
    )
    assert [(one.name, one.arguments) for one in message.tool_calls] == [
        (one["name"], one["arguments"]) for one in meant["calls"]
    ]
    assert all(
        json.loads(one.arguments or "{}") is not None for one in message.tool_calls if meant["finish"] != "length"
    )
