"""The loops that are held against each other: one written by hand with httpx, and agentkit on either transport."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, Literal, get_type_hints

import httpx

from agentkit import Agent, Limits
from agentkit.events import TextDelta
from agentkit.models import open_model

Tools = list[Callable[..., Any]]


async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


async def write(text: str) -> int:
    """Write a text."""
    return len(text)


class ByHand:
    """What one writes without a framework: a client that is kept, a list of messages, JSON of the standard library."""

    name = "by hand, httpx"

    def __init__(self, url: str) -> None:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        self._url = f"{url}/chat/completions"
        self._client = httpx.AsyncClient(headers={"Authorization": "Bearer x"}, timeout=600, limits=limits)

    def agent(self, model: str, tools: Tools) -> Any:
        """What is made once for many runs."""
        types = {int: "integer", str: "string"}
        told: list[dict[str, Any]] = []
        for one in tools:
            names = {name: {"type": types[kind]} for name, kind in hints(one).items()}
            schema = {"type": "object", "properties": names, "required": list(names)}
            function = {"name": one.__name__, "description": one.__doc__, "parameters": schema}
            told.append({"type": "function", "function": function})
        return {"model": model, "tools": told}, {one.__name__: one for one in tools}

    async def _answer(self, tools: dict[str, Callable[..., Any]], call: dict[str, Any]) -> dict[str, Any]:
        function = tools[call["function"]["name"]]
        arguments = json.loads(call["function"]["arguments"])
        if asyncio.iscoroutinefunction(function):
            result = await function(**arguments)
        else:
            result = await asyncio.to_thread(function, **arguments)
        return {"role": "tool", "tool_call_id": call["id"], "content": str(result)}

    async def run(self, agent: Any, prompt: str) -> str:
        """A whole run; the answer."""
        request, tools = agent
        messages: list[dict[str, Any]] = [{"role": "user", "content": prompt}]
        while True:
            response = await self._client.post(self._url, json={**request, "messages": messages})
            message = response.raise_for_status().json()["choices"][0]["message"]
            messages.append(message)
            calls = message.get("tool_calls")
            if not calls:
                return message["content"]
            messages += await asyncio.gather(*[self._answer(tools, call) for call in calls])

    async def stream(self, agent: Any, prompt: str, on_text: Callable[[str], object]) -> None:
        """A whole run, streamed."""
        request, tools = agent
        messages: list[dict[str, Any]] = [{"role": "user", "content": prompt}]
        while True:
            words: list[str] = []
            calls: dict[int, dict[str, Any]] = {}
            body = {**request, "messages": messages, "stream": True}
            async with self._client.stream("POST", self._url, json=body) as response:
                async for line in response.raise_for_status().aiter_lines():
                    if not line.startswith("data: ") or line == "data: [DONE]":
                        continue
                    delta = json.loads(line[6:])["choices"][0]["delta"]
                    if text := delta.get("content"):
                        words.append(text)
                        on_text(text)
                    for part in delta.get("tool_calls") or ():
                        known = calls.setdefault(part["index"], {**part, "pieces": []})
                        known["pieces"].append(part["function"]["arguments"])
            if not calls:
                return
            asked = [
                {
                    "id": call["id"],
                    "type": "function",
                    "function": {"name": call["function"]["name"], "arguments": "".join(call["pieces"])},
                }
                for call in calls.values()
            ]
            messages.append({"role": "assistant", "content": "".join(words), "tool_calls": asked})
            messages += await asyncio.gather(*[self._answer(tools, call) for call in asked])


class OurLoop:
    """agentkit, on one of its transports."""

    transport: Literal["httpx", "aiohttp"] = "httpx"
    name = "agentkit"

    def __init__(self, url: str) -> None:
        self._url = url

    def agent(self, model: str, tools: Tools) -> Any:
        """What is made once for many runs."""
        opened = open_model(f"openai:{model}", base_url=self._url, api_key="x", transport=self.transport)
        return Agent(opened, tools=tools, limits=Limits(steps=None))

    async def run(self, agent: Any, prompt: str) -> str:
        """A whole run; the answer."""
        return (await agent.arun(prompt)).text

    async def stream(self, agent: Any, prompt: str, on_text: Callable[[str], object]) -> None:
        """A whole run, streamed."""
        async with agent.astream(prompt) as stream:
            async for event in stream:
                if type(event) is TextDelta:
                    on_text(event.text)


class OurFastLoop(OurLoop):
    """The same on aiohttp."""

    transport = "aiohttp"
    name = "agentkit, fast"


LOOPS = (ByHand, OurLoop, OurFastLoop)


def hints(function: Callable[..., Any]) -> dict[str, Any]:
    """The types of the parameters."""
    return {name: kind for name, kind in get_type_hints(function).items() if name != "return"}
