"""What a run takes of memory when many are under way: 512 runs at once, of two rounds of four calls each.

    python tests/benchmarks/memory.py [runs] [--top]

For a loop written by hand with httpx and for agentkit on both transports, each in a process of its own after a few
runs that do not count, it prints the bytes that Python's allocator had given out at the peak, more than before and for
each run (`tracemalloc`), those that are still taken when all runs are over, and how many times as much it is as by
hand. With `--top`, it prints which lines of code took most at the peak. The exit status is 1 where a limit is passed.

`tracemalloc` does not see what C libraries take for themselves (sockets, TLS), nor that freed memory lies in pieces.
"""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.endpoint import endpoint
from benchmarks.loops import LOOPS, add

RUNS, MODEL = 512, "rounds-2x4"
LIMITS = {"agentkit": 1.5, "agentkit, fast": 2.0}


async def measure(name: str, url: str, runs: int, top: bool) -> dict[str, Any]:
    """Bytes a run: at the peak, and left."""
    loop = next(one for one in LOOPS if one.name == name)(url)
    agent = loop.agent(MODEL, [add])
    for _ in range(3):
        await loop.run(agent, "Add the numbers.")
    gc.collect()
    tracemalloc.start(12 if top else 1)
    shots: list[tuple[int, tracemalloc.Snapshot]] = []
    under_way = asyncio.gather(*[loop.run(agent, "Add the numbers.") for _ in range(runs)])
    while top and not under_way.done():
        await asyncio.sleep(0)
        now = tracemalloc.get_traced_memory()[0]
        if not shots or now > shots[-1][0] * 1.05:
            shots.append((now, tracemalloc.take_snapshot()))
    assert len(await under_way) == runs
    _, peak = tracemalloc.get_traced_memory()
    del under_way
    left, _ = tracemalloc.get_traced_memory()
    if top:
        for line in shots[-1][1].statistics("lineno")[:40]:
            sys.stderr.write(f"{line.size / runs:8.0f} B {line.count / runs:6.1f} of  {line.traceback}\n")
    return {"peak": peak / runs, "left": left / runs}


def main(arguments: list[str]) -> int:
    top = "--top" in arguments
    numbers = [int(one) for one in arguments if one.isdigit()]
    runs = numbers[0] if numbers else RUNS
    found: dict[str, dict[str, float]] = {}
    with endpoint() as url:
        for loop in LOOPS:
            command = [sys.executable, __file__, "--one", loop.name, url, str(runs), *(["--top"] if top else [])]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            found[loop.name] = json.loads(done.stdout)
    by_hand = found[LOOPS[0].name]["peak"]
    sys.stdout.write(f"| bytes a run, {runs} at once | at the peak | ratio | left |\n| --- | ---: | ---: | ---: |\n")
    for name, one in found.items():
        peak, left = one["peak"], one["left"]
        sys.stdout.write(f"| {name} | {peak:,.0f} | {peak / by_hand:.2f} | {left:,.0f} |\n")
    return int(any(found[name]["peak"] / by_hand > limit for name, limit in LIMITS.items()))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        _, _, name, url, runs, *rest = sys.argv
        sys.stdout.write(json.dumps(asyncio.run(measure(name, url, int(runs), bool(rest)))))
    else:
        sys.exit(main(sys.argv[1:]))
