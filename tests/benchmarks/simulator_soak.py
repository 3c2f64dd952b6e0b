"""Whether the simulator's memory stays flat: many requests with random faults, and the size of its process meanwhile.

    python tests/benchmarks/simulator_soak.py [requests]

`agentkit sim` runs with every fault there is, each of them in one of a hundred requests, and is asked 20,000 times
(unless said otherwise) from 16 connections: chats, tools, thinking, streams, long and broken requests; one client in
fifty goes away in the midst of its reply. What is told is the resident memory of the process after each tenth, in MB
(from `/proc`, so it needs Linux). A quarter of the requests is for caches and log to fill; after that, the memory may
grow by 5 MB and 10 per cent, or the exit status is 1. So it is where a request is left without an end, or a plain one
at the end without its right answer.
"""

from __future__ import annotations

import http.client
import json
import random
import re
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

from agentkit.simulator.faults import FAULTS

CLIENTS, RATE = 16, 0.01
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Forecast for a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city"],
        },
    },
}
CITIES = ("Paris", "Tokyo", "Lima", "Oslo", "Zürich")


def body(draw: random.Random, number: int) -> bytes:
    """One of the requests that the simulator is asked."""
    asked: dict[str, Any] = {"model": draw.choice(("deepseek-chat", "deepseek-flash")), "stream": draw.random() < 0.5}
    text = f"What is {number} * 7?"
    kind = draw.random()
    if kind < 0.5:
        asked["tools"] = [TOOL]
        text = f"Weather in {draw.choice(CITIES)} for {draw.randint(1, 7)} days and in {draw.choice(CITIES)}?"
    elif kind < 0.6:
        text = f"{number}: {'all that was said before, ' * draw.randint(10, 2_000)} {text}"
    elif kind < 0.65:
        asked["max_tokens"] = draw.randint(1, 30)
    elif kind < 0.7:
        return draw.choice((b"{", b"[]", b'{"model": "nope", "messages": []}', b"\xff"))
    return json.dumps({**asked, "messages": [{"role": "user", "content": text}]}).encode()


def ask(address: str, seed: int, requests: int, told: Counter[str]) -> None:
    """One client's requests, one after the other."""
    draw = random.Random(seed)
    connection = http.client.HTTPConnection(address, timeout=30)
    for number in range(requests):
        try:
            connection.request("POST", "/chat/completions", body(draw, number), {"Authorization": f"Bearer {seed}"})
            reply = connection.getresponse()
            if draw.random() < 0.02:
                reply.read(10)
                raise ConnectionError("the client goes away")
            reply.read()
            told[str(reply.status)] += 1
        except (http.client.HTTPException, ConnectionError) as error:
            told[type(error).__name__] += 1
            connection.close()
        except TimeoutError:
            told["left without an end"] += 1
            connection.close()
    connection.close()


def resident(process: subprocess.Popen[str]) -> float:
    """The resident memory of a process, in MB."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found
    return int(found[1]) / 1024


def in_order(address: str) -> bool:
    """Whether a plain request without faults gets its answer."""
    connection = http.client.HTTPConnection(address, timeout=30)
    asked = json.dumps({"model": "deepseek-chat", "messages": [{"role": "user", "content": "What is 6 * 7?"}]})
    for _ in range(200):  # a fault meets some of them
        connection.request("POST", "/chat/completions", asked, {"Authorization": "Bearer last"})
        try:
            reply = connection.getresponse()
            text = reply.read()
        except (http.client.HTTPException, ConnectionError):
            connection.close()
            continue
        if reply.status == 200 and reply.headers["X-Sim-Fault"] is None:
            connection.close()
            return b"6 * 7 = 42." in text
    return False


def soaked(process: subprocess.Popen[str], address: str, requests: int) -> bool:
    told: Counter[str] = Counter()
    sizes: list[float] = []
    for tenth in range(10):
        share = max(1, requests // 10 // CLIENTS)
        clients = [
            threading.Thread(target=ask, args=(address, tenth * CLIENTS + number, share, told))
            for number in range(CLIENTS)
        ]
        for one in clients:
            one.start()
        for one in clients:
            one.join()
        sizes.append(resident(process))
        sys.stdout.write(f"{sum(told.values()):7} requests, {sizes[-1]:7.1f} MB\n")
        sys.stdout.flush()
    sys.stdout.write(", ".join(f"{name}: {number}" for name, number in told.most_common()) + "\n")
    flat = max(sizes[2:]) <= sizes[2] * 1.1 + 5
    whole = in_order(address)
    sys.stdout.write(f"memory {'flat' if flat else 'GROWS'}, plain request {'in order' if whole else 'WRONG'}\n")
    return flat and whole and not told["left without an end"]


def main(arguments: list[str]) -> int:
    requests = int(arguments[0]) if arguments else 20_000
    command = [sys.executable, "-m", "agentkit", "sim", "--port", "0", "--time-scale", "0"]
    for name in FAULTS:
        command += ["--fault", f"{name}:{RATE}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip().removeprefix("export OPENAI_BASE_URL=")
            return 0 if soaked(process, url.removeprefix("http://"), requests) else 1
        finally:
            process.terminate()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
