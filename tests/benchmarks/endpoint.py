"""A model's endpoint that costs nearly nothing, in a process of its own, for benchmarks that speak HTTP.

What it answers is the name of the model: `rounds-10x4` is ten rounds of four calls of `add` and then a text,
`stream-5000` a text of that many pieces, `arguments-2000` one call whose arguments come in that many pieces, and then a
text, `hang` a first piece and then nothing, `stamp` a text that says when it was sent, by `time.monotonic_ns`.
It reads of a request no more than it must, keeps nothing, and checks nothing.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from typing import Any

_MODEL = re.compile(rb'"model":\s*"([a-z]+)-?(\d*)x?(\d*)"')
_ANSWER = re.compile(rb'"role":\s*"assistant"')
_STREAM = re.compile(rb'"stream":\s*true')

SAID = "It is done."
"""The text of a whole reply without calls, which ends a run."""


@contextmanager
def endpoint() -> Generator[str]:
    """Serve for the length of a block, which is given the base URL."""
    command = [sys.executable, __file__]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


@cache
def whole(calls: int, round_: int) -> bytes:
    """A reply in one piece: calls of `add`, or a text where there are none."""
    message: dict[str, Any] = {"role": "assistant", "content": "" if calls else SAID}
    if calls:
        message["tool_calls"] = [
            {
                "index": n,
                "id": f"call_{round_}_{n}",
                "type": "function",
                "function": {"name": "add", "arguments": json.dumps({"a": round_, "b": n})},
            }
            for n in range(calls)
        ]
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop", "logprobs": None}
    usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
    reply = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
    body = json.dumps(reply).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def piece(delta: dict[str, Any], finish: str | None = None) -> bytes:
    """An event of a stream, as a chunk of HTTP."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
    data = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return chunk(b"data: " + json.dumps(data).encode() + b"\n\n")


def chunk(data: bytes) -> bytes:
    """A chunk of HTTP."""
    return b"%x\r\n%s\r\n" % (len(data), data)


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
END = chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"


@cache
def streamed(kind: str, pieces: int, calls: int, round_: int) -> bytes:
    """A streamed reply, all of it."""
    parts = [piece({"role": "assistant", "content": ""})]
    if kind == "arguments" and not round_:
        opening = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "write", "arguments": ""}}
        parts.append(piece({"tool_calls": [opening]}))
        texts = ['{"text": "', *("word " for _ in range(pieces)), '"}']
        parts += [piece({"tool_calls": [{"index": 0, "function": {"arguments": text}}]}) for text in texts]
        parts.append(piece({}, "tool_calls"))
    elif kind == "rounds" and round_ < pieces:
        for n in range(calls):
            function = {"name": "add", "arguments": json.dumps({"a": round_, "b": n})}
            call = {"index": n, "id": f"call_{round_}_{n}", "type": "function", "function": function}
            parts.append(piece({"tool_calls": [call]}))
        parts.append(piece({}, "tool_calls"))
    else:
        parts += [piece({"content": "word "}) for _ in range(pieces if kind == "stream" else 1)]
        parts.append(piece({}, "stop"))
    return HEAD + b"".join(parts) + END


def answer(body: bytes) -> bytes:
    """The reply to a request."""
    found = _MODEL.search(body)
    assert found, body[:200]
    kind, many, calls = found[1].decode(), int(found[2] or 0), int(found[3] or 0)
    round_ = len(_ANSWER.findall(body))
    if kind == "hang":
        return HEAD + piece({"role": "assistant", "content": "word "})
    if kind == "stamp":
        return HEAD + piece({"content": str(time.monotonic_ns())}) + piece({}, "stop") + END
    if _STREAM.search(body):
        return streamed(kind, many, calls, round_)
    return whole(calls if kind == "rounds" and round_ < many else 0, round_)


class Connection(asyncio.Protocol):
    """Answers one request after the other."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.need = 0
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: Any) -> None:
        """Remember where answers go."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer, once the request is whole."""
        self.data += data
        while (end := self.data.find(b"\r\n\r\n")) >= 0 if not self.need else len(self.data) >= self.need:
            if not self.need:
                head = bytes(self.data[:end]).lower()
                length = re.search(rb"content-length: *(\d+)", head)
                self.need = end + 4 + (int(length[1]) if length else 0)
                continue
            body = bytes(self.data[: self.need])
            del self.data[: self.need]
            self.need = 0
            assert self.transport is not None
            self.transport.write(answer(body))


async def main() -> None:
    """Serve until the process is ended."""
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0, backlog=2048)
    sys.stdout.write(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
