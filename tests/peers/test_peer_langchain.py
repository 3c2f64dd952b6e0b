"""langchain-deepseek against `agentkit sim`: real HTTP, no patches.

It does not send `reasoning_content` back (1.1.1 keeps it in `additional_kwargs` and leaves it there), so that a
thinking tool loop ends with DeepSeek's 400 at the second request, here as there. Two ways round it are tested: a
model that does not think, and a subclass that puts the reasoning back.
"""

import json
from typing import Any

import pytest
from peers import AS_JSON, KEY, PARALLEL, SINGLE, peer, weather

langchain: Any = peer("langchain_deepseek")
messages_of: Any = peer("langchain_core.messages")
openai: Any = peer("openai")

THINKING = {"thinking": {"type": "enabled"}}


class ReasoningBack(langchain.ChatDeepSeek):  # type: ignore[misc]  # the base is `Any`: its package is optional
    """ChatDeepSeek, and the reasoning goes back with the calls that it led to."""

    def _get_request_payload(self, input_: Any, **kwargs: Any) -> dict[str, Any]:
        payload: dict[str, Any] = super()._get_request_payload(input_, **kwargs)
        for said, sent in zip(self._convert_input(input_).to_messages(), payload["messages"], strict=True):
            if "reasoning_content" in said.additional_kwargs:
                sent["reasoning_content"] = said.additional_kwargs["reasoning_content"]
        return payload


def model(url: str, kind: Any = langchain.ChatDeepSeek, name: str = "deepseek-chat", **more: Any) -> Any:
    return kind(model=name, base_url=url, api_key=KEY, max_retries=0, **more)


def whole(bound: Any, history: list[Any]) -> Any:
    return bound.invoke(history)


def streamed(bound: Any, history: list[Any]) -> Any:
    """The sum of the chunks, as LangChain adds them up."""
    first, *rest = bound.stream(history)
    return sum(rest, first)


def looped(chat: Any, ask: Any, prompt: str) -> tuple[list[list[str]], str, list[Any]]:
    """A tool loop: the cities of each round, the answer, and all messages."""
    bound = chat.bind_tools([weather])
    history: list[Any] = [messages_of.HumanMessage(prompt)]
    rounds: list[list[str]] = []
    for _ in range(4):
        message = ask(bound, history)
        history.append(message)
        if not message.tool_calls:
            return rounds, message.content, history
        rounds.append([call["args"]["city"] for call in message.tool_calls])
        history += [
            messages_of.ToolMessage(weather(**call["args"]), tool_call_id=call["id"]) for call in message.tool_calls
        ]
    raise AssertionError(f"the loop does not end: {rounds}")


@pytest.mark.parametrize("ask", [whole, streamed])
@pytest.mark.parametrize(("prompt", "cities"), [(SINGLE, ["Paris"]), (PARALLEL, ["Paris", "Tokyo"])])
def test_calls_and_their_answers(deepseek: str, ask: Any, prompt: str, cities: list[str]) -> None:
    rounds, answer, _ = looped(model(deepseek), ask, prompt)
    assert rounds == [cities]
    assert all(weather(city).partition(" ")[2] in answer for city in cities)


def test_json_output_is_an_object(deepseek: str) -> None:
    answer = model(deepseek).bind(response_format={"type": "json_object"}).invoke(AS_JSON)
    assert isinstance(json.loads(answer.content), dict)


@pytest.mark.parametrize("ask", [whole, streamed])
def test_a_thinking_loop_ends_with_the_400_of_deepseek(deepseek: str, ask: Any) -> None:
    chat = model(deepseek, name="deepseek-flash", extra_body=THINKING)
    bound = chat.bind_tools([weather])
    history: list[Any] = [messages_of.HumanMessage(SINGLE)]
    first = ask(bound, history)
    assert first.tool_calls
    assert first.additional_kwargs["reasoning_content"]
    call = first.tool_calls[0]
    history += [first, messages_of.ToolMessage(weather(**call["args"]), tool_call_id=call["id"])]
    with pytest.raises(openai.BadRequestError, match="must be passed back to the API"):
        ask(bound, history)


@pytest.mark.parametrize("ask", [whole, streamed])
def test_a_thinking_loop_is_completed_where_the_reasoning_is_put_back(deepseek: str, ask: Any) -> None:
    rounds, answer, history = looped(
        model(deepseek, ReasoningBack, "deepseek-flash", extra_body=THINKING), ask, PARALLEL
    )
    assert rounds == [["Paris", "Tokyo"]]
    assert "11 degrees" in answer
    assert "16 degrees" in answer
    assert history[-1].additional_kwargs["reasoning_content"]


def test_typed_output_comes_from_a_forced_call(deepseek: str) -> None:
    structured = model(deepseek).with_structured_output(
        {"title": "weather", "description": "Weather in a city.", **WEATHER_SCHEMA}, method="function_calling"
    )
    assert structured.invoke(SINGLE) == {"city": "Paris"}


WEATHER_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string", "description": "City name, e.g. Paris."}},
    "required": ["city"],
}
