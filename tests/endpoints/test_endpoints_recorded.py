"""The recorded tool loops of thinking models, led again with the catalog's own row, in each of the four ways."""

import pytest
from recordings import naive, needs_shared
from script import go
from test_recorded_conversations import entry, led_by_deepseek, recorded_tools, settings_of, wanted
from wire import serving

from agentkit import Agent
from agentkit.events import ReasoningDelta
from agentkit.messages import Assistant
from agentkit.models import open_model


def thoughtful():
    """The conversations in which the model thought."""
    return [chain for chain in led_by_deepseek() if any(naive(step)["reasoning"] for step in chain)]


def kind(chain):
    """How its replies came, and whether several calls stood in one of them."""
    several = any(len(naive(step)["calls"]) > 1 for step in chain)
    return "streamed" if chain[0].streamed else "whole", "parallel" if several else "single"


@needs_shared
@pytest.mark.parametrize("chain", thoughtful(), ids=lambda chain: f"{chain[0].name} {' '.join(kind(chain))}")
@pytest.mark.parametrize("way", ["run", "arun", "stream", "astream"])
def test_a_thinking_loop_sends_what_the_recorded_client_sent_reasoning_included(chain, way):
    def handler(exchange):
        recorded = chain[len(server.exchanges) - 1]
        exchange.reply(recorded.body, kind="text/event-stream" if recorded.streamed else "application/json")

    first, seen = chain[0].request, []
    with serving(handler) as server:
        model = open_model("deepseek-v4:deepseek-v4-flash", base_url=server.url, api_key="k", retries=0)
        agent = Agent(model, tools=recorded_tools(chain), settings=settings_of(first))
        history = [entry(message) for message in first["messages"]]
        result = go(agent, way, None, history=history, on_event=seen.append)
        sent = [exchange.json["messages"] for exchange in server.exchanges]
    for mine, step in zip(sent, chain, strict=True):
        assert [wanted(one) for one in mine] == [wanted(one) for one in step.request["messages"]]
    said = [one for one in result.new_messages if isinstance(one, Assistant)]
    thoughts = [naive(step)["reasoning"] or "" for step in chain]
    assert [one.reasoning or "" for one in said] == thoughts
    assert result.output == naive(chain[-1])["text"]
    assert any(thoughts)
    if way in ("stream", "astream"):
        assert "".join(one.text for one in seen if isinstance(one, ReasoningDelta)) == "".join(thoughts)


@needs_shared
def test_there_are_single_and_parallel_ones_whole_and_streamed():
    assert {kind(chain) for chain in thoughtful()} == {
        ("whole", "single"),
        ("whole", "parallel"),
        ("streamed", "single"),
        ("streamed", "parallel"),
    }
