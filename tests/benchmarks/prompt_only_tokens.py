"""What tools cost in tokens when they are told in words, beside what they cost in the request.

    python tests/benchmarks/prompt_only_tokens.py

The same runs are made both ways on the simulator of today's DeepSeek, and the tokens are those of its usage
(`agentkit.simulator.tokens` says how they are counted). The lines are tables of docs/guides/prompt-only.md. First: what
so many tools add to a request. They are plain (three parameters with a type, a description and perhaps a default each)
or nested (a list of objects, told as a JSON Schema). Then: all tokens of a run with two calls and their answers.
"""

from __future__ import annotations

import sys
from typing import Any

from pydantic import BaseModel

from agentkit import Agent, Result, Tool, tool
from agentkit.models import open_model
from agentkit.simulator import Simulator

COUNTS = (1, 5, 20, 128)
MODES = ("native", "prompt")
PROMPT = "What is the weather in Paris and Tokyo?"


class Stop(BaseModel):
    """A place on the way."""

    city: str
    nights: int = 1


def plain(number: int) -> Tool[..., Any]:
    @tool(name="weather" if not number else f"weather_{number}", side_effects="none")
    def weather(city: str, days: int = 1, unit: str = "C") -> str:
        """Forecast for a city.

        Args:
            city: City name, e.g. Paris.
            days: How many days, 1 to 7.
            unit: The unit of the temperatures.
        """
        return f"{city}: {days} day(s) of rain, in {unit}"

    return weather


def nested(number: int) -> Tool[..., Any]:
    @tool(name=f"book_{number}", side_effects="none")
    def book(stops: list[Stop], name: str) -> str:
        """Book a journey.

        Args:
            stops: The places, in their order.
            name: Who travels.
        """
        return f"{name}: {len(stops)}"

    return book


def run(tools: list[Tool[..., Any]], mode: str, prompt: str) -> Result[str]:
    model = open_model("sim:deepseek-flash", transport=Simulator().transport(), tool_mode=mode)
    return Agent(model, tools=tools).run(prompt)


def added(tools: list[Tool[..., Any]], mode: str) -> int:
    """The tokens that some tools add to a request which calls none of them."""
    return run(tools, mode, "Hello").usage.prompt_tokens - run([], mode, "Hello").usage.prompt_tokens


def main() -> int:
    print("| tools | plain, native | plain, in words | nested, native | nested, in words |")  # noqa: T201 - a script
    print("| ---: | ---: | ---: | ---: | ---: |")  # noqa: T201 - a script prints
    for count in COUNTS:
        costs = [added([make(n) for n in range(count)], mode) for make in (plain, nested) for mode in MODES]
        print(f"| {count} | {' | '.join(f'{cost:,}' for cost in costs)} |")  # noqa: T201 - a script prints
    print()  # noqa: T201 - a script prints
    print("| a run with two calls | prompt tokens | completion tokens |")  # noqa: T201 - a script prints
    print("| --- | ---: | ---: |")  # noqa: T201 - a script prints
    for mode, name in zip(MODES, ("native", "in words"), strict=True):
        result = run([plain(0)], mode, PROMPT)
        assert len(result.messages[1].tool_calls) == 2, "both ways call the same"
        usage = result.usage
        print(f"| {name} | {usage.prompt_tokens:,} | {usage.completion_tokens:,} |")  # noqa: T201 - a script prints
    return 0


if __name__ == "__main__":
    sys.exit(main())
