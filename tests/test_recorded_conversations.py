"""Recorded conversations with DeepSeek go through `Agent` again, over loopback HTTP.

The server answers with the recorded replies; each request that the agent then sends must carry what the recorded
client sent: the same tool messages, the same calls, the same reasoning.
"""

import asyncio
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from wire import serving

from agentkit import Agent, Settings, Tool
from agentkit.messages import Assistant, System, ToolCall, ToolMessage, User
from agentkit.models import open_model

RECORDED = Path(__file__).resolve().parents[1] / ".." / "shared" / "wire" / "recorded"


def load(folder):
    request = json.loads((folder / "request.json").read_text())
    streamed = (folder / "response.sse").exists()
    reply = folder / ("response.sse" if streamed else "response.json")
    return request, reply.read_bytes() if reply.exists() else b"", streamed


def grows_by_tools(before, after):
    """Whether a request goes on where another ended: the model's calls and the answers to them."""
    n = len(before)
    return after[:n] == before and [one["role"] for one in after[n:]] == ["assistant"] + ["tool"] * (len(after) - n - 1)


def conversations():
    """By rule: consecutive requests to DeepSeek's chat completions, each the one before plus calls and answers."""
    found, folders = {}, sorted(RECORDED.iterdir()) if RECORDED.exists() else []
    for folder in folders:
        match = re.fullmatch(r"(.+)__(\d+)", folder.name)
        if match and (folder / "request.json").exists():
            request, body, streamed = load(folder)
            content = request["body"] or {}
            if "api.deepseek.com" in request["url"] and "messages" in content and content.get("tools"):
                found.setdefault(match[1], []).append((int(match[2]), content, body, streamed))
    for name, steps in found.items():
        steps.sort(key=lambda step: step[0])
        groups = [[steps[0]]]
        for step in steps[1:]:
            if grows_by_tools(groups[-1][-1][1]["messages"], step[1]["messages"]):
                groups[-1].append(step)
            else:
                groups.append([step])
        for i, group in enumerate(groups):
            if len(group) > 1:
                yield pytest.param(group, id=f"{name}-{i}")


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
    for message in group[-1][1]["messages"]:
        if message["role"] == "tool":
            answers[message["tool_call_id"]] = message["content"]
    queue = {}
    for message in group[-1][1]["messages"][len(group[0][1]["messages"]) :]:
        for call in message.get("tool_calls") or ():
            queue.setdefault(call["function"]["name"], []).append(answers[call["id"]])
    offered = {one["function"]["name"]: one["function"] for step in group for one in step[1]["tools"]}

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


@pytest.mark.skipif(not RECORDED.exists(), reason="needs ../shared")
@pytest.mark.parametrize("group", list(conversations()))
@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_recorded_conversation_is_led_again_word_for_word(group, asynchronous):
    def handler(exchange):
        _, _, body, streamed = group[len(server.exchanges) - 1]
        exchange.reply(body, kind="text/event-stream" if streamed else "application/json")

    first, last = group[0][1], group[-1]
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
    for mine, (_, theirs, _, _) in zip(sent, group, strict=True):
        assert [wanted(one) for one in mine] == [wanted(one) for one in theirs["messages"]]
    assert result.finish_reason == "stop", last
    assert result.steps == len(group)


@pytest.mark.skipif(not RECORDED.exists(), reason="needs ../shared")
def test_there_are_enough_recorded_conversations_to_judge_by():
    assert len(list(conversations())) >= 20
