"""The endpoints that the simulator knows, and one run of an agent at each of them: what the endpoint tests share."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from agentkit import Agent, tool
from agentkit.messages import Assistant, ToolMessage
from agentkit.models import open_model
from agentkit.models.http import Clock
from agentkit.simulator import Simulator
from agentkit.simulator.brains import Call, Plan
from agentkit.simulator.endpoints import PROFILES, profile_named

CITIES = ("Paris", "Tokyo")
ANSWER = "Paris: sunny. Tokyo: sunny."
PROMPT = "What is the weather in Paris and Tokyo?"
MOST = 4
"""How many attempts there are for one answer by default."""


class Endpoint(NamedTuple):
    """A model of the catalog, and the profile of the simulator that serves it."""

    model: str
    profile: str

    def __str__(self) -> str:
        return f"{self.model} at {self.profile}"


ENDPOINTS = [
    Endpoint("deepseek:deepseek-flash", "deepseek"),
    Endpoint("deepseek-v4:deepseek-v4-pro", "deepseek-v4"),
    Endpoint("deepseek-v4:deepseek-chat", "deepseek-v4"),
    Endpoint("deepseek-v3.2:deepseek-reasoner", "deepseek-v3.2"),
    Endpoint("deepseek-v3.2:deepseek-chat", "deepseek-v3.2"),
    Endpoint("deepseek-v3.2-exp:deepseek-chat", "deepseek-v3.2-exp"),
    Endpoint("deepseek-v3.2-exp:deepseek-reasoner", "deepseek-v3.2-exp"),
    Endpoint("deepseek-r1:deepseek-chat", "deepseek-r1"),
    Endpoint("deepseek-r1:deepseek-reasoner", "deepseek-r1"),
    Endpoint("lkeap:deepseek-v3", "lkeap"),
    Endpoint("lkeap:deepseek-r1", "lkeap"),
    Endpoint("lkeap:Deepseek-V3.1-Terminus", "lkeap"),
    Endpoint("evolink:deepseek-chat", "evolink"),
    Endpoint("evolink:deepseek-reasoner", "evolink"),
    Endpoint("openai:deepseek-v3.2", "openai-compatible"),
    Endpoint("openai:deepseek-v3.2", "openai-compatible+think-tags"),
    Endpoint("vllm:deepseek-v3.2", "vllm"),
    Endpoint("sglang:deepseek-v3.2", "sglang"),
    Endpoint("llamacpp:deepseek-v3.2", "llama.cpp"),
    Endpoint("llamacpp:deepseek-v3.2", "llama.cpp+no-jinja"),
    Endpoint("ollama:deepseek-v3.2", "ollama"),
    Endpoint("openrouter:deepseek/deepseek-v3.2", "openrouter"),
    Endpoint("openrouter:deepseek/deepseek-r1-0528", "openrouter"),
]
"""Each profile with a model that calls tools, one that does not, one that thinks and one that does not, where it has
them. A model without function calling is told of the tools in words."""


def forecaster(turn):
    """A brain that asks for the weather that it was not told yet, in the request's own way, and then tells it."""
    said = "\n".join(message.text for message in turn.messages)
    thought = "They want the weather." if turn.thinking else ""
    asked = [json.dumps({"city": city}) for city in CITIES if f"{city}: sunny" not in said]
    if not asked:
        return Plan(content=ANSWER, reasoning=thought)
    if turn.tools:
        return Plan(calls=tuple(Call("weather", one) for one in asked), reasoning=thought)
    blocks = "\n".join(f'<tool_call>\n{{"name": "weather", "arguments": {one}}}\n</tool_call>' for one in asked)
    return Plan(content=blocks, reasoning=thought)


@dataclass
class Waits:
    """A clock that tells the waits it was asked for, and waits none of them."""

    seconds: list[float] = field(default_factory=list)

    @property
    def clock(self):
        async def asleep(seconds):
            self.seconds.append(seconds)

        return Clock(sleep=self.seconds.append, asleep=asleep, chance=lambda: 0.5)


class Desk:
    """An agent with one tool at one endpoint, and what happened there.

    Attributes:
        simulator: The endpoint.
        agent: The agent.
        effects: How often the tool was run for each city.
        waits: The waits between attempts.
    """

    def __init__(self, endpoint, *, url="", transport=None, simulator=None, **options):
        self.simulator = simulator or Simulator(endpoint.profile, brain=forecaster, time_scale=0)
        base = profile_named(endpoint.profile).prefixes[0]
        model = open_model(
            endpoint.model,
            api_key="k",
            base_url=f"{url or 'http://simulator'}{base}",
            transport=transport or self.simulator.transport(),
            **options,
        )
        self.waits = Waits()
        model.clock = self.waits.clock
        model.retries = replace(model.retries, first=0.0)  # a stream waits for its stop, not by the clock
        self.model = model
        self.effects = Counter()

        @tool
        def weather(city: str) -> str:
            """Forecast for a city."""
            self.effects[city] += 1
            return f"{city}: sunny"

        self.agent = Agent(model, tools=[weather])


def answered_once(messages):
    """Whether every call of a transcript has exactly one answer, and every answer a call before it."""
    open_calls = []
    for message in messages:
        if isinstance(message, ToolMessage):
            if message.tool_call_id not in open_calls:
                return False
            open_calls.remove(message.tool_call_id)
        elif open_calls:
            return False
        elif isinstance(message, Assistant):
            open_calls = [call.id for call in message.tool_calls]
            if len(set(open_calls)) < len(open_calls):
                return False
    return not open_calls


__all__ = [
    "ANSWER",
    "CITIES",
    "ENDPOINTS",
    "MOST",
    "PROFILES",
    "PROMPT",
    "Desk",
    "Endpoint",
    "answered_once",
    "forecaster",
]
