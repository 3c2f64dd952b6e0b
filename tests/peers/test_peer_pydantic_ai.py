"""pydantic-ai with its DeepSeek provider against `agentkit sim`: real HTTP, no patches, its own loop."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest
from peers import AS_JSON, KEY, PARALLEL, SINGLE, peer, weather

pydantic_ai: Any = peer("pydantic_ai")
openai: Any = peer("openai")
models: Any = peer("pydantic_ai.models.openai")
providers: Any = peer("pydantic_ai.providers.deepseek")
messages: Any = peer("pydantic_ai.messages")


@asynccontextmanager
async def agent(url: str, name: str, **settings: Any) -> AsyncIterator[Any]:
    async with openai.AsyncOpenAI(base_url=url, api_key=KEY, max_retries=0) as client:
        model = models.OpenAIChatModel(name, provider=providers.DeepSeekProvider(openai_client=client))
        yield pydantic_ai.Agent(model, **settings)


def parts(history: list[Any], kind: Any) -> list[Any]:
    return [part for message in history for part in message.parts if isinstance(part, kind)]


async def whole(running: Any, prompt: str) -> tuple[str, list[Any]]:
    result = await running.run(prompt)
    return result.output, result.all_messages()


async def streamed(running: Any, prompt: str) -> tuple[str, list[Any]]:
    async with running.run_stream(prompt) as result:
        pieces = [piece async for piece in result.stream_text(delta=True, debounce_by=None)]
        assert len(pieces) > 1
        return "".join(pieces), result.all_messages()


@pytest.mark.parametrize("ask", [whole, streamed])
@pytest.mark.parametrize(("prompt", "cities"), [(SINGLE, ["Paris"]), (PARALLEL, ["Paris", "Tokyo"])])
@pytest.mark.parametrize("name", ["deepseek-chat", "deepseek-flash"])  # the second one thinks
def test_calls_and_their_answers(deepseek: str, name: str, ask: Any, prompt: str, cities: list[str]) -> None:
    async def run() -> tuple[str, list[Any]]:
        async with agent(deepseek, name, tools=[weather]) as running:
            return await ask(running, prompt)

    answer, history = anyio.run(run)
    assert [part.args_as_dict()["city"] for part in parts(history, messages.ToolCallPart)] == cities
    assert all(weather(city).partition(" ")[2] in answer for city in cities)
    thoughts = parts(history, messages.ThinkingPart)
    assert len(thoughts) == (2 if name == "deepseek-flash" else 0)  # one for each request


@dataclass
class Report:
    """Weather in a city."""

    city: str
    degrees: int


SCRIPT = """
[[reply]]
text = '{"city": "Lima", "degrees": 19}'
[reply.expect]
matches = "json"
"""


def test_json_output_fills_a_type(serve: Callable[..., str], tmp_path: Path) -> None:
    """By a script, since the rules cannot fill a schema that stands in the prompt."""
    script = tmp_path / "report.toml"
    script.write_text(SCRIPT, encoding="utf-8")

    async def run() -> Any:
        output = pydantic_ai.PromptedOutput(Report)
        async with agent(serve("--script", script), "deepseek-chat", output_type=output) as running:
            return (await running.run(AS_JSON)).output

    assert anyio.run(run) == Report("Lima", 19)


def test_json_output_is_an_object(deepseek: str) -> None:
    async def run() -> Any:
        settings = {"extra_body": {"response_format": {"type": "json_object"}}}
        async with agent(deepseek, "deepseek-chat", model_settings=settings) as running:
            return (await running.run(AS_JSON)).output

    assert isinstance(json.loads(anyio.run(run)), dict)


def test_typed_output_comes_from_a_forced_call(deepseek: str) -> None:
    async def run() -> Any:
        async with agent(deepseek, "deepseek-chat", output_type=Report) as running:
            return (await running.run("Weather in Lima, 19 degrees")).output

    assert anyio.run(run) == Report("Lima", 19)
