"""What the steps of a round cost by themselves, without HTTP: encoding, decoding, checking arguments, one call.

    python tests/benchmarks/paths.py [options of pyperf]

`python -m pyperf compare_to before.json after.json` compares two runs that were kept with `-o`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pyperf
from benchmarks.endpoint import piece, whole
from script import Script, calls, says

from agentkit import Agent, tool
from agentkit.messages import Assistant, ToolCall, ToolMessage, Usage, User
from agentkit.models.catalog import find
from agentkit.models.dialects.chat import Chat
from agentkit.models.request import Request
from agentkit.tools import bind
from agentkit.transcript import Transcript

ROW = find("deepseek:deepseek-flash")[1]
CHUNKS = 1_000


@tool
async def add(a: int, b: int) -> int:
    """Add two numbers.

    Args:
        a: The first number.
        b: The second number.
    """
    return a + b


@tool
def search(query: str, limit: int = 10, exact: bool = False, tags: list[str] | None = None, score: float = 0.5) -> str:
    """Search."""
    return query


def said(transcript: Transcript, number: int) -> None:
    """One more round of one call."""
    call = ToolCall(f"call_{number}", "add", '{"a": 1, "b": 2}')
    transcript.append(Assistant("", None, (call,), "tool_calls", Usage(100, 20)))
    transcript.append(ToolMessage(call.id, "add", "3"))


def encode_late_rounds(loops: int) -> float:
    """The body of a round, each time one round further, from the 200th on."""
    transcript = Transcript([User("Add the numbers.")])
    for number in range(200):
        said(transcript, number)
    request = Request(transcript=transcript, tools=(add,))
    encoder = Chat().encoder(ROW)
    encoder.encode(request, stream=False)
    took = 0.0
    for number in range(loops):
        if number % 100 == 99:  # not further than to the 300th
            transcript = Transcript(list(transcript)[:401])
            request = Request(transcript=transcript, tools=(add,))
            encoder = Chat().encoder(ROW)
            encoder.encode(request, stream=False)
        said(transcript, 200 + number)
        began = time.perf_counter()
        encoder.encode(request, stream=False)
        took += time.perf_counter() - began
    return took


def decode_reply() -> Callable[[], object]:
    """Read a whole reply with four calls."""
    body = whole(4, 1).partition(b"\r\n\r\n")[2]

    def work() -> object:
        decoder = Chat().decoder(ROW, deltas=False)
        decoder.feed(body)
        return decoder.finish()

    return work


def unchunked(delta: dict[str, Any], finish: str | None = None) -> bytes:
    return piece(delta, finish).partition(b"\r\n")[2][:-2]


def decode_stream(delta: Callable[[str], dict[str, Any]], opening: list[dict[str, Any]]) -> Callable[[], object]:
    """Read a stream of so many pieces, sixteen to a read, with a delta for each."""
    parts = [unchunked(one) for one in opening]
    parts += [unchunked(delta(f"word{number} ")) for number in range(CHUNKS)]
    reads = [b"".join(parts[at : at + 16]) for at in range(0, len(parts), 16)]
    reads.append(unchunked({}, "stop") + b"data: [DONE]\n\n")

    def work() -> object:
        decoder = Chat().decoder(ROW, deltas=True)
        for read in reads:
            decoder.feed(read)
        return decoder.finish()

    return work


def check(arguments: dict[str, Any], of: Any) -> Callable[[], object]:
    """Check the arguments of a call."""
    call = ToolCall("c", of.name, json.dumps(arguments))
    return lambda: bind(of, call)


def run_of_a_lone_call() -> Callable[[], object]:
    """A run with one call of an async tool, with a model that answers from a list."""
    loop = asyncio.new_event_loop()

    def work() -> object:
        agent = Agent(Script(calls(("c", "add", '{"a": 1, "b": 2}')), says("3")), tools=[add])
        return loop.run_until_complete(agent.arun("Add."))

    return work


def main() -> None:
    runner = pyperf.Runner()
    runner.metadata["description"] = "The steps of a round, without HTTP"
    runner.bench_time_func("encode the body of a round after the 200th", encode_late_rounds)
    runner.bench_func("decode a reply with four calls", decode_reply())
    runner.bench_func("decode a chunk of a text", decode_stream(lambda text: {"content": text}, []), inner_loops=CHUNKS)
    opening = {"index": 0, "id": "c", "type": "function", "function": {"name": "write", "arguments": ""}}
    runner.bench_func(
        "decode a chunk of arguments",
        decode_stream(
            lambda text: {"tool_calls": [{"index": 0, "function": {"arguments": text}}]}, [{"tool_calls": [opening]}]
        ),
        inner_loops=CHUNKS,
    )
    runner.bench_func("check two arguments", check({"a": 1, "b": 2}, add))
    full = {"query": "a hat", "limit": 3, "exact": True, "tags": ["x", "y"], "score": 0.7}
    runner.bench_func("check five arguments", check(full, search))
    runner.bench_func("a run of one call, without HTTP", run_of_a_lone_call())


if __name__ == "__main__":
    main()
