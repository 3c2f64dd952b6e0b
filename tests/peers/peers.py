"""What the tests of other people's clients have in common: how they are found, the tool, and what is asked of it."""

from types import ModuleType

import pytest

KEY = "sk-peers"
TEMPERATURES = {"Paris": 11, "Tokyo": 16, "Lima": 19}
SINGLE, PARALLEL = "What is the weather in Paris?", "What is the weather in Paris and Tokyo?"
AS_JSON = "Tell me as json: what is the weather in Lima?"


def peer(name: str) -> ModuleType:
    """A module of the extra `peers`; where that is not installed, the tests are skipped."""
    for part in ("langchain_deepseek", "openai", "pydantic_ai"):
        pytest.importorskip(part, reason="needs the extra `peers`, in an environment of its own (see CONTRIBUTING)")
    return pytest.importorskip(name)


def weather(city: str) -> str:
    """Weather in a city.

    Args:
        city: City name, e.g. Paris.
    """
    return f"{city}: {TEMPERATURES[city]} degrees"


DEFINITION = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "City name, e.g. Paris."}},
            "required": ["city"],
        },
    },
}
