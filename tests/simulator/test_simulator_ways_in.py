"""The ways into the simulator: in-process for httpx, over HTTP, and through the openai SDK."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import httpx
import openai
import pytest
from simulator_requests import PLAIN, WEATHER, chat, user

from agentkit.errors import ConfigurationError
from agentkit.simulator import Reply, Simulator
from agentkit.simulator.reply import Cut, Pause, Step
from agentkit.simulator.server import app, running, serve

KEY = {"authorization": "Bearer sk-some-key"}
QUESTION = chat(user("Weather in Paris and Tokyo?"), tools=[WEATHER])


class Scripted(Simulator):
    """A simulator whose replies have the given steps."""

    def __init__(self, *steps: Step) -> None:
        super().__init__()
        self.steps = steps
        self.taken: list[Step] = []
        self.ended = threading.Event()

    def handle(self, *_: object, **__: object) -> Reply:
        def take() -> Iterator[Step]:
            try:
                for step in self.steps:
                    self.taken.append(step)
                    yield step
            finally:
                self.ended.set()

        return Reply(200, (("content-type", "text/event-stream"),), take(), streamed=True)


def test_an_httpx_client_gets_the_reply_in_process() -> None:
    with httpx.Client(transport=Simulator(seed=5).transport(), base_url="http://sim") as client:
        reply = client.post("/chat/completions", json=QUESTION, headers=KEY)
        assert reply.status_code == 200
        assert reply.headers["server"] == "elb"
        assert len(reply.json()["choices"][0]["message"]["tool_calls"]) == 2
        assert client.get("/v1/models").status_code == 401


def test_a_stream_is_made_while_it_is_read() -> None:
    simulator = Scripted(b"a", b"b", b"c")
    with httpx.Client(transport=simulator.transport()) as client, client.stream("GET", "http://sim/") as reply:
        parts = reply.iter_raw()
        assert next(parts) == b"a"
        assert simulator.taken == [b"a"]
        assert list(parts) == [b"b", b"c"]


def test_an_async_client_gets_the_same() -> None:
    async def parts() -> list[bytes]:
        transport = Scripted(b"a", Pause(0), b"b").transport()
        async with httpx.AsyncClient(transport=transport) as client, client.stream("GET", "http://sim/") as reply:
            return [part async for part in reply.aiter_raw()]

    assert asyncio.run(parts()) == [b"a", b"b"]


def test_a_cut_in_process_is_a_protocol_error() -> None:
    async def read_async() -> None:
        async with httpx.AsyncClient(transport=Scripted(b"a", Cut(), b"b").transport()) as client:
            await client.get("http://sim/")

    with (
        httpx.Client(transport=Scripted(b"a", Cut(), b"b").transport()) as client,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        client.get("http://sim/")
    with pytest.raises(httpx.RemoteProtocolError):
        asyncio.run(read_async())


def test_a_pause_longer_than_the_read_timeout_is_a_timeout() -> None:
    async def read_async() -> None:
        async with httpx.AsyncClient(transport=Scripted(b"a", Pause(60)).transport(), timeout=0.01) as client:
            await client.get("http://sim/")

    with (
        httpx.Client(transport=Scripted(b"a", Pause(60)).transport(), timeout=0.01) as client,
        pytest.raises(httpx.ReadTimeout),
    ):
        client.get("http://sim/")
    with pytest.raises(httpx.ReadTimeout):
        asyncio.run(read_async())


def test_both_ways_in_give_the_same_bytes() -> None:
    def read(client: httpx.Client) -> list[bytes]:
        bodies = (QUESTION, {**QUESTION, "stream": True}, {"model": "nope", "messages": []})
        return [client.post("/chat/completions", json=body, headers=KEY).content for body in bodies]

    def made() -> Simulator:
        return Simulator(seed=1, clock=lambda: 0.0)

    with httpx.Client(transport=made().transport(), base_url="http://sim") as client:
        inside = read(client)
    with running(made()) as url, httpx.Client(base_url=url) as client:
        assert read(client) == inside


def test_a_served_error_has_a_length_and_a_success_is_chunked() -> None:
    with running(Simulator()) as url, httpx.Client(base_url=url, headers=KEY) as client:
        good, bad = client.post("/chat/completions", json=QUESTION), client.post("/chat/completions", content=b"{")
        assert good.headers["transfer-encoding"] == "chunked"
        assert "content-length" not in good.headers
        assert int(bad.headers["content-length"]) == len(bad.content)
        assert (good.headers["server"], good.headers.get_list("date")) == ("elb", [good.headers["date"]])


def test_a_cut_over_http_breaks_the_body() -> None:
    with (
        running(Scripted(b"a", Cut(), b"b")) as url,
        httpx.Client() as client,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        client.get(url)


def test_when_the_client_leaves_the_rest_is_not_made() -> None:
    simulator = Scripted(b"a", Pause(3600), b"b")
    with running(simulator) as url:
        with httpx.Client() as client, client.stream("GET", url) as reply:
            assert next(reply.iter_raw()) == b"a"
        assert simulator.ended.wait(10)
    assert b"b" not in simulator.taken


def test_many_clients_at_once_get_each_their_own_reply() -> None:
    async def ask(client: httpx.AsyncClient, number: int) -> bool:
        body = chat(user(f"What is {number} + 1000?"), stream=number % 2 == 0)
        reply = await client.post("/chat/completions", json=body, headers=KEY)
        return str(number + 1000) in reply.text.replace('"},"logprobs"', "") or f"{number + 1000}" in joined(reply.text)

    def joined(text: str) -> str:
        lines = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
        return "".join(line["choices"][0]["delta"].get("content") or "" for line in lines)

    async def all_of_them(url: str) -> list[bool]:
        async with httpx.AsyncClient(base_url=url) as client:
            return await asyncio.gather(*(ask(client, number) for number in range(60)))

    with running(Simulator()) as url:
        assert all(asyncio.run(all_of_them(url)))


def test_a_busy_port_is_a_configuration_error_that_says_which() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ConfigurationError, match=rf"port {port} of `127.0.0.1` is in use: choose another"):
            serve(Simulator(), port=port)
        with pytest.raises(ConfigurationError, match=f"port {port}"), running(Simulator(), port=port):
            raise AssertionError("it must not come so far")


@pytest.mark.parametrize(("host", "port"), [("no.such.host.invalid", 8000), ("127.0.0.1", 99_999)])
def test_an_address_that_cannot_be_had_is_a_configuration_error(host: str, port: int) -> None:
    with pytest.raises(ConfigurationError, match="cannot listen on"):
        serve(Simulator(), host, port)


def test_without_uvicorn_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)  # as where uvicorn is not installed
    with pytest.raises(ConfigurationError, match=r'pip install "\.\[sim\]"'), running(Simulator()):
        raise AssertionError("it must not come so far")


def test_serve_says_when_it_is_ready_and_stops_at_ctrl_c() -> None:
    program = """
import json, os, signal, urllib.request
from agentkit.simulator import Simulator
from agentkit.simulator.server import serve

def ready(url):
    print(url, flush=True)
    os.kill(os.getpid(), signal.SIGINT)

try:
    serve(Simulator(), port=0, ready=ready)
except KeyboardInterrupt:
    print("stopped", flush=True)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[0].startswith("http://127.0.0.1:")
    assert done.stdout.splitlines()[1:] == ["stopped"], done.stderr


def test_importing_the_simulator_imports_no_http_library() -> None:
    program = """
import sys
import agentkit
inside = set(sys.modules)
from agentkit.simulator import Simulator
Simulator()
print([name for name in ("httpx", "uvicorn") if name in set(sys.modules) - inside])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_the_application_takes_bodies_in_parts() -> None:
    data = json.dumps(QUESTION).encode()
    parts = [{"type": "http.request", "body": data[:9], "more_body": True}, {"type": "http.request", "body": data[9:]}]
    sent: list[dict[str, object]] = []

    async def exchange() -> None:
        async def receive() -> dict[str, object]:
            return parts.pop(0)

        async def send(message: dict[str, object]) -> None:
            sent.append(message)

        headers = [(b"authorization", b"Bearer k")]
        scope = {"type": "http", "method": "POST", "path": "/chat/completions", "headers": headers}
        await app(Simulator())(scope, receive, send)

    asyncio.run(exchange())
    assert sent[0]["status"] == 200


# ── The openai SDK ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def sdk() -> Iterator[openai.OpenAI]:
    with running(Simulator()) as url, openai.OpenAI(base_url=url, api_key="sk-some-key", max_retries=0) as client:
        yield client


def weather(arguments: str) -> str:
    city = json.loads(arguments)["city"]
    return f"{city}: sunny"


@pytest.mark.parametrize("thinking", [PLAIN, {"type": "enabled"}])
def test_the_openai_sdk_completes_a_parallel_tool_exchange(sdk: openai.OpenAI, thinking: dict[str, str]) -> None:
    messages: list[object] = [user("Weather in Paris and Tokyo?")]
    extra = {"thinking": thinking}
    first = sdk.chat.completions.create(
        model="deepseek-flash", messages=messages, tools=[WEATHER], extra_body=extra
    ).choices[0]
    assert first.finish_reason == "tool_calls"
    assert [call.function.arguments for call in first.message.tool_calls] == ['{"city": "Paris"}', '{"city": "Tokyo"}']
    messages.append(first.message.model_dump(exclude_none=True))
    messages += [
        {"role": "tool", "tool_call_id": call.id, "content": weather(call.function.arguments)}
        for call in first.message.tool_calls
    ]
    last = sdk.chat.completions.create(model="deepseek-flash", messages=messages, tools=[WEATHER], extra_body=extra)
    assert last.choices[0].message.content == "Paris: sunny. Tokyo: sunny."
    assert last.usage is not None
    assert last.usage.total_tokens == last.usage.prompt_tokens + last.usage.completion_tokens


@pytest.mark.parametrize("thinking", [PLAIN, {"type": "enabled"}])
def test_the_openai_sdk_gathers_a_streamed_tool_exchange(sdk: openai.OpenAI, thinking: dict[str, str]) -> None:
    messages: list[object] = [user("Weather in Paris and Tokyo?")]
    for _ in range(2):
        with sdk.chat.completions.stream(
            model="deepseek-flash",
            messages=messages,
            tools=[WEATHER],
            stream_options={"include_usage": True},
            extra_body={"thinking": thinking},
        ) as stream:
            completion = stream.get_final_completion()
        assert completion.usage is not None
        message = completion.choices[0].message
        messages.append(message.model_dump(exclude_none=True))
        messages += [
            {"role": "tool", "tool_call_id": call.id, "content": weather(call.function.arguments)}
            for call in message.tool_calls or ()
        ]
    assert message.content == "Paris: sunny. Tokyo: sunny."


def test_the_openai_sdk_reads_errors_and_models(sdk: openai.OpenAI) -> None:
    assert [model.id for model in sdk.models.list()] == ["deepseek-flash", "deepseek-v4-pro"]
    with pytest.raises(openai.BadRequestError, match="Empty input messages"):
        sdk.chat.completions.create(model="deepseek-flash", messages=[])
    with running(Simulator(key="sk-another")) as url, pytest.raises(openai.AuthenticationError, match=r"\*\*\*\*-key"):
        sdk.with_options(base_url=url).models.list()
