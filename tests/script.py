"""Shorthands round `agentkit.testing.Script`, and the four ways to run an agent, for tests of all above models."""

import asyncio

import pytest

from agentkit import testing
from agentkit.messages import Assistant, ToolCall


def Script(*replies):
    """The public one, with its replies spelled out one by one."""
    return testing.Script(replies, name="script:model")


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
