"""The table of docs/reference/errors.md: which failure is which error, and who is asked again. Made from what happens.

Each row is played by a server on loopback, for threads and event loops. `python tests/models/test_error_table.py`
writes the table anew.
"""

import asyncio
import functools
import json
import re
import socket
import sys
from pathlib import Path

import pytest
from wire import completion, event, serving

from agentkit import Agent
from agentkit.errors import AgentkitError
from agentkit.models import open_model
from agentkit.models.fallback import curable
from agentkit.models.http import Clock
from agentkit.models.transport import Patience

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "errors.md"
BEGIN, END = "<!-- begin: made by tests/models/test_error_table.py -->", "<!-- end -->"
OVERFLOW = "This model's maximum context length is 9 tokens. However, you requested 12 tokens"
CONCURRENCY = "Your current concurrency is 40, which exceeds your concurrency limit of 39"


def error(message, code=None, kind=None):
    return json.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}}).encode()


def says(status, body=b"", kind="application/json", headers=""):
    def handler(exchange):
        head = f"HTTP/1.1 {status} Reason\r\nContent-Type: {kind}\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
        exchange.send(head.encode() + body)

    return handler


def streams(*parts, end=False):
    """A stream of these events; without `end` the connection breaks behind them."""

    def handler(exchange):
        exchange.begin()
        for part in parts:
            exchange.chunk(part)
        if end:
            exchange.end()
        else:
            exchange.connection.shutdown(socket.SHUT_RDWR)

    return handler


def breaks(exchange):
    exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + completion("half")[:40])
    exchange.connection.shutdown(socket.SHUT_RDWR)


def silence(exchange):
    exchange.wait_until_left()


RAW = {"error": {"code": 429, "message": "Provider returned error", "metadata": {"raw": "upstream is busy"}}}
HALF = event({"role": "assistant", "content": "half"})
ROWS = [
    ("400, any other", says(400, error("Empty input messages"), "application/octet-stream")),
    ("400 `This model's maximum context length is …` and its like", says(400, error(OVERFLOW))),
    ("400 code `20059` (LKEAP)", says(400, error("input content too long", "20059"))),
    ("400 `Content Exists Risk`", says(400, error("Content Exists Risk"))),
    ("400 code `20031` (LKEAP)", says(400, error("not enough quota", "20031"))),
    ("400 code `20034` (LKEAP)", says(400, error("concurrency exceeded", "20034"))),
    ("400 `Model Not Exist`", says(400, error("Model Not Exist"))),
    ("400 `… does not support Function Calling`", says(400, error("m does not support Function Calling"))),
    ("401", says(401, error("Authentication Fails, Your api key: ****-key is invalid"))),
    ("402", says(402, error("Insufficient Balance"))),
    ("403", says(403)),
    ("404, also as HTML", says(404, b"<html><body>404 Not Found</body></html>", "text/html")),
    ("405", says(405, b'{"detail":"Method Not Allowed"}')),
    ("408", says(408)),
    ("413", says(413, b"<html>Request Entity Too Large</html>", "text/html")),
    ("422", says(422, error("expected struct ThinkingOptions"))),
    ("429", says(429, error(CONCURRENCY))),
    ("429 with `Retry-After` of up to 30 seconds", says(429, headers="Retry-After: 7\r\n")),
    ("429 with a longer `Retry-After`", says(429, headers="Retry-After: 3600\r\n")),
    ("429 code `insufficient_quota`", says(429, error("You exceeded your quota", "insufficient_quota"))),
    ("429 with `error.metadata.raw` (OpenRouter)", says(429, json.dumps(RAW).encode())),
    ("500", says(500, error("internal"))),
    ("500 `tools param requires --jinja flag` (llama.cpp)", says(500, error("tools param requires --jinja flag"))),
    ("500 `… Jinja Exception: …` (llama.cpp)", says(500, error("Error: Jinja Exception: roles must alternate"))),
    ("501", says(501)),
    ("502, also as HTML", says(502, b"<html>Bad gateway</html>", "text/html")),
    ("503", says(503, error("Service is too busy."))),
    ("200 with nothing", says(200)),
    ("200 with a page of a proxy", says(200, b"<html>hello</html>", "text/html")),
    ("200 with an error for a body", says(200, error("engine died"))),
    (
        "200 with an error for a body, of type `invalid_request_error`",
        says(200, error("x", kind="invalid_request_error")),
    ),
    ("200 with `insufficient_system_resource`", says(200, completion("half", finish="insufficient_system_resource"))),
    ("200, and the connection breaks", breaks),
    ("200, and the stream breaks", streams(HALF)),
    ("200, and the stream ends without a reason", streams(HALF, end=True)),
    ("200, and an error in the stream", streams(HALF, b'data: {"error":{"message":"engine died"}}\n\n', end=True)),
    ("silence before the first byte", silence),
    ("no connection", None),
]


def play(handler, way):
    """Class and attempts of the error that a run ends in, and whether another model would be asked."""
    with serving(handler or says(500)) as server:
        url = server.url if handler else "http://127.0.0.1:1"
        model = open_model(
            "openai:m", base_url=url, api_key="k", timeout=Patience(first_byte=0.1 if handler is silence else 60)
        )

        async def asleep(seconds):
            pass

        model.clock = Clock(sleep=lambda seconds: None, asleep=asleep)
        agent = Agent(model)
        with pytest.raises(AgentkitError) as caught:
            agent.run("go") if way == "run" else asyncio.run(agent.arun("go"))
        if handler:
            assert len(server.exchanges) == caught.value.attempts
    return type(caught.value).__name__, caught.value.attempts, curable(caught.value)


@functools.cache
def outcome(number):
    return play(ROWS[number][1], "run")


def line(number):
    name, attempts, cured = outcome(number)
    again = {1: "no", 2: "once", 4: "yes"}[attempts]
    return f"| {ROWS[number][0]} | `{name}` | {again} | {'yes' if cured else 'no'} |"


@pytest.mark.parametrize("number", range(len(ROWS)), ids=[re.sub(r"[^\w]+", "-", row[0]) for row in ROWS])
def test_a_failure_is_the_error_that_the_page_says(number):
    assert line(number) in PAGE.read_text(encoding="utf-8").splitlines()
    assert play(ROWS[number][1], "arun") == outcome(number)


def test_the_page_has_no_other_rows():
    text = PAGE.read_text(encoding="utf-8")
    table = text[text.index(BEGIN) + len(BEGIN) : text.index(END)].strip().splitlines()
    assert [row.split(" | ")[0][2:] for row in table[2:]] == [row[0] for row in ROWS]


def main():
    head = ["| what comes | error | asked again | goes on to the next model |", "| --- | --- | --- | --- |"]
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    table = "\n".join([*head, *(line(number) for number in range(len(ROWS)))])
    PAGE.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
