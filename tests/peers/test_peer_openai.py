"""The openai SDK against `agentkit sim`: real HTTP, no patches. Its loop is the one that its users write."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from peers import AS_JSON, DEFINITION, KEY, PARALLEL, SINGLE, peer, weather

openai: Any = peer("openai")

PLAIN = {"thinking": {"type": "disabled"}}
THINKING = {"thinking": {"type": "enabled"}}


@pytest.fixture
def client(deepseek: str) -> Iterator[Any]:
    with openai.OpenAI(base_url=deepseek, api_key=KEY, max_retries=0) as client:
        yield client


def whole(client: Any, messages: list[Any], extra: dict[str, Any]) -> Any:
    completion = client.chat.completions.create(
        model="deepseek-flash", messages=messages, tools=[DEFINITION], extra_body=extra
    )
    return completion.choices[0].message


def streamed(client: Any, messages: list[Any], extra: dict[str, Any]) -> Any:
    """The message that the SDK's own accumulator makes of a stream."""
    with client.chat.completions.stream(
        model="deepseek-flash", messages=messages, tools=[DEFINITION], extra_body=extra
    ) as stream:
        kinds = {event.type for event in stream}
        message = stream.get_final_completion().choices[0].message
    assert "chunk" in kinds
    return message


def looped(client: Any, ask: Any, prompt: str, extra: dict[str, Any]) -> tuple[list[list[str]], str, list[Any]]:
    """A tool loop: the cities of each round, the answer, and all messages."""
    messages: list[Any] = [{"role": "user", "content": prompt}]
    rounds: list[list[str]] = []
    for _ in range(4):
        message = ask(client, messages, extra)
        messages.append(message.model_dump(exclude_none=True, exclude={"parsed"}))
        if not message.tool_calls:
            return rounds, message.content, messages
        rounds.append([json.loads(call.function.arguments)["city"] for call in message.tool_calls])
        messages += [
            {"role": "tool", "tool_call_id": call.id, "content": weather(**json.loads(call.function.arguments))}
            for call in message.tool_calls
        ]
    raise AssertionError(f"the loop does not end: {rounds}")


@pytest.mark.parametrize("ask", [whole, streamed])
def test_one_call_and_its_answer(client: Any, ask: Any) -> None:
    rounds, answer, _ = looped(client, ask, SINGLE, PLAIN)
    assert rounds == [["Paris"]]
    assert "11 degrees" in answer


@pytest.mark.parametrize("ask", [whole, streamed])
def test_parallel_calls_and_their_answers(client: Any, ask: Any) -> None:
    rounds, answer, _ = looped(client, ask, PARALLEL, PLAIN)
    assert rounds == [["Paris", "Tokyo"]]
    assert "11 degrees" in answer
    assert "16 degrees" in answer


@pytest.mark.parametrize("ask", [whole, streamed])
def test_a_thinking_loop_hands_the_reasoning_back(client: Any, ask: Any) -> None:
    rounds, answer, messages = looped(client, ask, PARALLEL, THINKING)
    assert rounds == [["Paris", "Tokyo"]]
    assert "16 degrees" in answer
    assert all(message["reasoning_content"] for message in messages if message["role"] == "assistant")


def test_a_thinking_loop_without_the_reasoning_is_refused(client: Any) -> None:
    messages = looped(client, whole, SINGLE, THINKING)[2][:3]
    del messages[1]["reasoning_content"]
    with pytest.raises(openai.BadRequestError, match="must be passed back to the API"):
        whole(client, messages, THINKING)


def test_json_output_is_an_object(client: Any) -> None:
    completion = client.chat.completions.create(
        model="deepseek-flash",
        messages=[{"role": "user", "content": AS_JSON}],
        response_format={"type": "json_object"},
        extra_body=PLAIN,
    )
    assert isinstance(json.loads(completion.choices[0].message.content), dict)


def test_errors_are_those_that_the_sdk_knows(deepseek: str) -> None:
    with openai.OpenAI(base_url=deepseek, api_key=KEY, max_retries=0) as client:
        for fault, error in (
            ("401", openai.AuthenticationError),
            ("422", openai.UnprocessableEntityError),
            ("429", openai.RateLimitError),
            ("500", openai.InternalServerError),
        ):
            with pytest.raises(error):
                client.chat.completions.create(
                    model="deepseek-flash",
                    messages=[{"role": "user", "content": "Hello"}],
                    extra_headers={"X-Sim-Fault": fault},
                )
