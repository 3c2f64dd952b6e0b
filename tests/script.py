"""A model that says what it is told to say: enough of the `Model` protocol for tests of everything above models."""

import asyncio

import pytest

from agentkit.messages import Assistant, ToolCall


class Script:
    """Answers from a list: messages, errors to raise, or functions of the request."""

    name = "script:model"

    def __init__(self, *replies):
        self.replies = list(replies)
        self.requests = []

    def call(self, request):
        self.requests.append(list(request.transcript))
        reply = self.replies[len(self.requests) - 1]
        if callable(reply):
            reply = reply(request)
        if isinstance(reply, BaseException):
            raise reply
        return reply

    async def acall(self, request):
        return self.call(request)


def says(text):
    return Assistant(text, finish_reason="stop")


def calls(*asked):
    """An assistant message with calls, each given as (id, name, arguments)."""
    return Assistant("", tool_calls=tuple(ToolCall(*one) for one in asked), finish_reason="tool_calls")


ways = pytest.mark.parametrize("way", ["run", "arun", "stream", "astream"])


def go(agent, way, *args, **options):
    """Run an agent in one of the four ways."""
    if way == "run":
        return agent.run(*args, **options)
    if way == "stream":
        with agent.stream(*args, **options) as stream:
            for _ in stream:
                pass
        return stream.result
    return asyncio.run(ago(agent, way, *args, **options))


async def ago(agent, way, *args, **options):
    """Run an agent in one of the two ways for event loops."""
    if way == "arun":
        return await agent.arun(*args, **options)
    async with agent.astream(*args, **options) as stream:
        async for _ in stream:
            pass
    return stream.result
