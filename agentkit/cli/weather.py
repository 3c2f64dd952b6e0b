"""The program that `agentkit demo` shows and runs."""

import time

from agentkit import Agent, tool

FORECASTS = {"paris": "18 °C, light rain", "tokyo": "24 °C, clear sky"}


@tool
def weather(city: str) -> str:
    """Today's weather in a city.

    Args:
        city: The city's name, e.g. Paris.
    """
    time.sleep(0.6)  # as slow as a real service
    return FORECASTS.get(city.lower(), "no forecast for this city")


agent = Agent("sim:deepseek-flash", tools=[weather])
prompt = "What is the weather in Paris and Tokyo?"
