"""What a completion costs the simulator's process: `agentkit sim` under `wrk` with 64 connections.

    python tests/benchmarks/simulator.py [seconds]

Each workload runs for so many seconds (5 unless said otherwise). Every reply is held against the request that it
answers, by a number that must come back: none may be lost, and none may be another's. What is told is the process's
own CPU time for a completion, from `/proc`, so it needs Linux, and the time in which half and 99 of 100 replies came.
The exit status is 1 where a completion costs more than 2.5 ms or a reply is wrong; a busy machine costs more, so look
twice. The last workload is told and not held to that: 5,000 tokens in one message that nobody has sent before must be
cut into tokens and read by the stand-in. `wrk` is a package of most systems (`apt-get install wrk`); without it 64
threads of Python ask one after the other, which is slower for them and the same for the simulator.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
CONNECTIONS, MOST_MS = 64, 2.5
WORKLOADS = {
    "plain": "a question, 12 tokens",
    "streamed": "the same, streamed",
    "tools": "a tool call, 287 tokens",
    "tools-streamed": "the same, streamed",
    "tools-thinking-streamed": "the same, thinking",
    "history": "5,000 tokens, of which the first were seen before",
    "fresh": "5,000 tokens in one message that is new each time",
}


class Measured(NamedTuple):
    """Replies, those that were wrong or did not come, and milliseconds: half and 99 of 100 replies took so long."""

    answered: int
    wrong: int
    lost: int
    half: float
    most: float


def by_wrk(url: str, workload: str, seconds: int) -> Measured:
    command = ["wrk", f"-t{CONNECTIONS}", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "20s"]
    command += ["-s", str(HERE / "simulator.lua"), f"{url}/chat/completions", "--", workload]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    sys.stderr.write(done.stderr)
    found = re.search(r"answered (\d+) wrong (\d+) lost (\d+) p50 (\d+) p99 (\d+)", done.stdout)
    assert found, done.stdout
    answered, wrong, lost, half, most = map(int, found.groups())
    return Measured(answered, wrong, lost, half / 1000, most / 1000)


def by_threads(url: str, workload: str, seconds: int) -> Measured:
    took: list[float] = []
    wrong: list[str] = []
    end = time.monotonic() + seconds

    def ask(thread: int) -> None:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
        number = thread * 10_000
        while time.monotonic() < end:
            number += 1
            body = {
                "model": "deepseek-chat",
                "messages": [{"role": "user", "content": f"What is {number} * 7?"}],
            }
            began = time.perf_counter()
            connection.request("POST", "/chat/completions", json.dumps(body), {"Authorization": f"Bearer {thread}"})
            text = connection.getresponse().read()
            took.append(time.perf_counter() - began)
            if json.loads(text)["choices"][0]["message"]["content"] != f"{number} * 7 = {number * 7}.":
                wrong.append(text.decode())
        connection.close()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(1, CONNECTIONS + 1)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    took.sort()
    lost = sum(1 for one in threads if one.is_alive())
    return Measured(len(took), len(wrong), lost, took[len(took) // 2] * 1000, took[len(took) * 99 // 100] * 1000)


def cpu(process: subprocess.Popen[str]) -> float:
    """Seconds of CPU that a process has had, its own and the system's for it."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measured(workload: str, seconds: int) -> tuple[float, Measured]:
    """Milliseconds of CPU for a completion, and what came back."""
    command = [sys.executable, "-m", "agentkit", "sim", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip().removeprefix("export OPENAI_BASE_URL=")
            ask = by_wrk if shutil.which("wrk") else by_threads
            ask(url, workload, 1)  # warm
            before = cpu(process)
            found = ask(url, workload, seconds)
            return (cpu(process) - before) * 1000 / max(1, found.answered), found
        finally:
            process.terminate()


def main(arguments: list[str]) -> int:
    seconds = int(arguments[0]) if arguments else 5
    workloads = WORKLOADS if shutil.which("wrk") else {"plain": WORKLOADS["plain"]}
    write = sys.stdout.write
    write(f"{'':26}{'replies':>8}{'wrong':>7}{'lost':>6}{'ms of CPU':>11}{'p50 ms':>8}{'p99 ms':>8}\n")
    bad = False
    for workload, what in workloads.items():
        cost, found = measured(workload, seconds)
        bad = bad or (cost > MOST_MS and workload != "fresh") or bool(found.wrong or found.lost) or not found.answered
        figures = f"{found.answered:8}{found.wrong:7}{found.lost:6}{cost:11.2f}{found.half:8.0f}{found.most:8.0f}"
        write(f"{workload:26}{figures}  {what}\n")
        sys.stdout.flush()
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
