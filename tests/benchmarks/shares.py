"""Where the time goes: which parts the processor time of rounds and of streams is spent in, as a table in Markdown.

    python tests/benchmarks/shares.py [seconds]

For agentkit on both transports, runs of ten rounds of four calls, and streams of 5,000 pieces, each for so many seconds
(5 unless said otherwise) in a process of its own, against an endpoint in another. A signal at each thousandth second of
processor time (`SIGPROF`, so it needs Unix) looks which code is running; what C does counts for the Python that called
it. A look counts for the innermost frame of a part below; code of the standard library that is in none of them counts
for who called it.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from types import FrameType

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.endpoint import endpoint
from benchmarks.loops import LOOPS, OurFastLoop, OurLoop, add

PARTS = {
    "httpx, httpcore, h11, anyio": ("/httpx/", "/httpcore/", "/h11/", "/anyio/", "/sniffio/"),
    "aiohttp": ("/aiohttp/", "/multidict/", "/yarl/", "/frozenlist/", "/propcache/"),
    "asyncio, sockets": ("/asyncio/", "/selectors.py", "/socket.py"),
    "agentkit: its side of the transport": ("/agentkit/models/transport/", "/agentkit/models/limiter.py"),
    "agentkit: encoding": ("/dialects/chat_encoder.py", "/dialects/chat_history.py", "/agentkit/models/fit.py"),
    "agentkit: decoding": ("/agentkit/models/dialects/", "/agentkit/models/sse.py", "/agentkit/models/jsontext.py"),
    "agentkit: retries, limits, prices": ("/agentkit/models/",),
    "agentkit: tools": ("/agentkit/tools.py", "/agentkit/calls.py", "/agentkit/schema/", "/agentkit/values.py"),
    "agentkit: loop, transcript, events": ("/agentkit/",),
    "the program": ("/benchmarks/",),
}
WORK = {"rounds": "rounds-10x4", "stream": "stream-5000"}
SECONDS = 5.0


def part_of(frame: FrameType | None) -> str:
    """The part that the innermost known frame belongs to."""
    while frame is not None:
        file = frame.f_code.co_filename
        for part, places in PARTS.items():
            if any(place in file for place in places):
                return part
        frame = frame.f_back
    return "other"


async def sampled(name: str, work: str, url: str, seconds: float) -> Counter[str]:
    """How often each part was met."""
    found: Counter[str] = Counter()
    loop = next(one for one in LOOPS if one.name == name)(url)
    agent = loop.agent(WORK[work], [add])

    async def once() -> None:
        if work == "rounds":
            await loop.run(agent, "Add.")
        else:
            await loop.stream(agent, "Add.", lambda _: None)

    await once()
    signal.signal(signal.SIGPROF, lambda _, frame: found.update((part_of(frame),)))
    signal.setitimer(signal.ITIMER_PROF, 0.001, 0.001)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        await once()
    signal.setitimer(signal.ITIMER_PROF, 0)
    return found


def main(arguments: list[str]) -> int:
    seconds = float(arguments[0]) if arguments else SECONDS
    columns: dict[str, dict[str, int]] = {}
    with endpoint() as url:
        for work in WORK:
            for loop in (OurLoop, OurFastLoop):
                command = [sys.executable, __file__, "--one", loop.name, work, url, str(seconds)]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                columns[f"{work}, {loop.transport}"] = json.loads(done.stdout)
    sys.stdout.write(f"| share of processor time | {' | '.join(columns)} |\n| --- |{' ---: |' * len(columns)}\n")
    for part in (*PARTS, "other"):
        shares = [f"{column.get(part, 0) / sum(column.values()):.0%}" for column in columns.values()]
        sys.stdout.write(f"| {part} | {' | '.join(shares)} |\n")
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        _, _, name, work, url, seconds = sys.argv
        sys.stdout.write(json.dumps(asyncio.run(sampled(name, work, url, float(seconds)))))
    else:
        sys.exit(main(sys.argv[1:]))
