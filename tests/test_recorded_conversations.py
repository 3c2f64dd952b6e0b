"""Recorded conversations with DeepSeek go through `Agent` again, over loopback HTTP.

The server answers with the recorded replies; each request that the agent then sends must carry what the recorded
client sent: the same tool messages, the same calls, the same reasoning.
"""

import asyncio
import json
from dataclasses import replace
from itertools import pairwise

import pytest
from recordings import conversations, needs_shared
from wire import serving

from agentkit import Agent, Settings, Tool
from agentkit.messages import Assistant, System, ToolCall, ToolMessage, User
from agentkit.models import open_model


def led_by_deepseek():
    """Each whole conversation with DeepSeek to which its client added nothing but what was called for."""
    return [
        chain
        for chain in conversations()
        if chain[0].deepseek
        and all(added(*pair) in (["assistant"] + ["tool"] * n for n in range(1, 9)) for pair in pairwise(chain))
    ]


def added(first, second):
    """The roles of the messages by which a request is longer than the one before it."""
    return [message["role"] for message in second.request["messages"][len(first.request["messages"]) :]]


def entry(message):
    """A recorded message as one of ours."""
    text = message.get("content") or ""
    if message["role"] == "system":
        return System(text)
    if message["role"] == "user":
        return User(text)
    if message["role"] == "tool":
        return ToolMessage(message["tool_call_id"], "", text)
    calls = tuple(
        ToolCall(call["id"], call["function"]["name"], call["function"]["arguments"])
        for call in message.get("tool_calls") or ()
    )
    return Assistant(text, message.get("reasoning_content"), calls)


def recorded_tools(group):
    """Tools that return what the recorded client returned, in the recorded order."""
    answers = {}
    for message in group[-1].request["messages"]:
        if message["role"] == "tool":
            answers[message["tool_call_id"]] = message["content"]
    queue = {}
    for message in group[-1].request["messages"][len(group[0].request["messages"]) :]:
        for call in message.get("tool_calls") or ():
            queue.setdefault(call["function"]["name"], []).append(answers[call["id"]])
    offered = {one["function"]["name"]: one["function"] for step in group for one in step.request["tools"]}

    def make(name, function):
        return Tool.from_schema(
            lambda **arguments: queue[name].pop(0),
            name=name,
            description=function.get("description") or name,
            parameters=function.get("parameters") or {"type": "object", "properties": {}},
            sequential=True,
        )

    return [make(name, function) for name, function in offered.items()]


def settings_of(body):
    thinking = body.get("thinking") or {}
    return Settings(thinking={"enabled": True, "disabled": False}.get(thinking.get("type")))


def wanted(message):
    """What of a message must be sent again; the recorded clients wrote the arguments' JSON anew."""
    calls = [
        (call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
        for call in message.get("tool_calls") or ()
    ]
    reasoning = message.get("reasoning_content") or ""
    return message["role"], message.get("content") or "", calls, message.get("tool_call_id"), reasoning


@needs_shared
@pytest.mark.parametrize("group", led_by_deepseek(), ids=lambda group: group[0].name)
@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_recorded_conversation_is_led_again_word_for_word(group, asynchronous):
    def handler(exchange):
        recorded = group[len(server.exchanges) - 1]
        exchange.reply(recorded.body, kind="text/event-stream" if recorded.streamed else "application/json")

    first = group[0].request
    with serving(handler) as server:
        model = open_model("openai:m", base_url=server.url, api_key="k", retries=0)
        model.row = replace(model.row, name=first["model"], thinking="on", reasoning="always", stream="always")
        agent = Agent(model, tools=recorded_tools(group), settings=settings_of(first))
        history = [entry(message) for message in first["messages"]]
        if asynchronous:
            result = asyncio.run(agent.arun(None, history=history))
        else:
            result = agent.run(None, history=history)
        sent = [exchange.json["messages"] for exchange in server.exchanges]
    assert len(sent) == len(group)
    for mine, theirs in zip(sent, group, strict=True):
        assert [wanted(one) for one in mine] == [wanted(one) for one in theirs.request["messages"]]
    assert result.finish_reason == "stop"
    assert result.steps == len(group)


@needs_shared
def test_there_are_enough_recorded_conversations_to_judge_by():
    assert len(led_by_deepseek()) >= 20
