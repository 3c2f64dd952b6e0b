"""The weather in two cities, looked up at the same time.

What it shows: a plain function as a tool, and two calls of it that the model makes in one reply; they run in parallel.
The forecasts are made up: they stand in the table below, so that the program runs without a weather service.

    python examples/weather.py                              offline, on the built-in simulator
    python examples/weather.py deepseek:deepseek-flash      on DeepSeek, with DEEPSEEK_API_KEY set
    agentkit run examples/weather.py "Rain in Oslo?"        the same agent with another prompt
"""

import os
import sys

from agentkit import Agent, ToolError, tool

FORECASTS = {
    "Lima": [(19, "overcast"), (20, "overcast"), (21, "some sun")],
    "Oslo": [(2, "snow"), (1, "snow"), (-3, "clear")],
    "Paris": [(11, "light rain"), (12, "cloudy"), (9, "clear")],
    "Tokyo": [(16, "clear"), (17, "clear"), (14, "light rain")],
}


@tool(side_effects="none")
def weather(city: str, days: int = 1) -> str:
    """Weather forecast for a city.

    Args:
        city: The city's name in English, e.g. Paris.
        days: How many days, from today on, 1 to 3.
    """
    forecast = FORECASTS.get(city.title())
    if forecast is None:
        raise ToolError(f"there is no forecast for {city}; there is one for {', '.join(FORECASTS)}")
    return "; ".join(f"{degrees} °C, {sky}" for degrees, sky in forecast[: max(1, days)])


agent = Agent(
    os.environ.get("AGENTKIT_MODEL", "sim:deepseek-flash"),
    instructions="You tell people about the weather, in one or two sentences.",
    tools=[weather],
)


def main() -> None:
    """Ask for two cities and print the answer."""
    model = sys.argv[1] if len(sys.argv) > 1 else None
    result = agent.run("What is the weather in Paris and Tokyo?", model=model)
    print(result.output)


if __name__ == "__main__":
    main()
