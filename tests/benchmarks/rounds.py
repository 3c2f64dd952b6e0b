"""What a round, a chunk and a wait cost over HTTP, as a ratio to a loop written by hand with httpx.

    python tests/benchmarks/rounds.py [--quick] [part of a name]

Each line is measured in turn for the loop written by hand, for agentkit and for agentkit on aiohttp, in one process,
against an endpoint in another (`endpoint.py`). One turn does not count; then there are fifteen, with `--quick` three.
It prints medians, and as the ratio the median of the ratios within each turn, since machines drift. CPU is processor
time, user and system, of all threads of the process. The exit status is 1 where a ratio is a fifth above its limit.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.endpoint import endpoint
from benchmarks.loops import LOOPS, add, write

import agentkit

PROMPT = "Add the numbers."
TURNS, QUICK_TURNS = 15, 3


def cpu() -> float:
    """Microseconds of processor time of this process."""
    return time.process_time() * 1e6


def wall() -> float:
    """Microseconds that have passed."""
    return time.perf_counter() * 1e6


class Measure(NamedTuple):
    """One line: what it is, in which unit, how it is measured for a loop, and the limits of the two ratios."""

    name: str
    unit: str
    of: Callable[[Any], Awaitable[float]]
    limits: tuple[float, float]


def runs(model: str, count: int, requests: int, at_once: bool = False) -> Callable[[Any], Awaitable[float]]:
    """CPU of a request, of so many runs one after the other or at once."""

    async def measure(loop: Any) -> float:
        agent = loop.agent(model, [add])
        await loop.run(agent, PROMPT)
        gc.collect()
        began = cpu()
        if at_once:
            await asyncio.gather(*[loop.run(agent, PROMPT) for _ in range(count)])
        else:
            for _ in range(count):
                await loop.run(agent, PROMPT)
        return (cpu() - began) / count / requests

    return measure


async def late_round(loop: Any) -> float:
    """CPU of a round near the 200th of one run."""
    marks: list[float] = []

    async def marking(a: int, b: int) -> int:
        """Add two numbers."""
        marks.append(cpu())
        return a + b

    marking.__name__ = "add"
    gc.collect()
    await loop.run(loop.agent("rounds-210x1", [marking]), PROMPT)
    return (marks[207] - marks[191]) / 16


def chunks(model: str, count: int, tool: Any) -> Callable[[Any], Awaitable[float]]:
    """CPU of a chunk of a stream."""

    async def measure(loop: Any) -> float:
        agent, seen = loop.agent(model, [tool]), list[str]()
        gc.collect()
        began = cpu()
        await loop.stream(agent, PROMPT, seen.append)
        assert seen
        return (cpu() - began) / count

    return measure


def named(number: int) -> Any:
    """A function of a name of its own."""

    async def search(a: int, b: int, query: str, limit: int) -> str:
        """Search the catalogue.

        Args:
            a: The first number.
            b: The second number.
            query: What to look for.
            limit: How many results to return.
        """
        return query

    search.__name__ = f"search_{number}"
    return search


SEARCHES = [named(number) for number in range(127)]


async def many_tools(loop: Any) -> float:
    """CPU of a request with 128 tools, the first of which does not count."""
    agent = loop.agent("rounds-0x0", [add, *SEARCHES])
    await loop.run(agent, PROMPT)
    gc.collect()
    began = cpu()
    for _ in range(5):
        await loop.run(agent, PROMPT)
    return (cpu() - began) / 5


async def cancelled(loop: Any) -> float:
    """From the cancellation of a stream to its end."""
    agent, took = loop.agent("hang", [add]), list[float]()
    for _ in range(5):
        begun = asyncio.Event()
        task = asyncio.ensure_future(loop.stream(agent, PROMPT, lambda _, begun=begun: begun.set()))
        await begun.wait()
        await asyncio.sleep(0.01)  # so that all that came has been read
        began = wall()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        took.append(wall() - began)
    return statistics.median(took)


async def first_text(loop: Any) -> float:
    """From the endpoint's sending of a text to its arrival."""
    agent, took = loop.agent("stamp", [add]), list[float]()
    for _ in range(10):
        await loop.stream(agent, PROMPT, lambda text: took.append((time.monotonic_ns() - int(text)) / 1e3))
    return statistics.median(took)


MEASURES = (
    Measure("a round of four calls", "µs of CPU", runs("rounds-10x4", 10, 11), (1.05, 0.42)),
    Measure("a round of a lone call", "µs of CPU", runs("rounds-10x1", 10, 11), (1.05, 0.42)),
    Measure("a round of four calls, 64 runs at once", "µs of CPU", runs("rounds-4x4", 64, 5, True), (1.0, 0.18)),
    Measure("round 200 of one run", "µs of CPU", late_round, (0.75, 0.3)),
    Measure("a chunk of a stream", "µs of CPU", chunks("stream-5000", 5000, add), (0.85, 0.3)),
    Measure("a chunk of a call's arguments", "µs of CPU", chunks("arguments-2000", 2000, write), (0.85, 0.32)),
    Measure("a request with 128 tools", "µs of CPU", many_tools, (0.75, 0.25)),
    Measure("a stream that is cancelled ends", "µs", cancelled, (1.0, 0.8)),
    Measure("from the sending of a text to its arrival", "µs", first_text, (1.1, 0.95)),
)


async def measured(url: str, measures: list[Measure], turns: int) -> bool:
    """Print the table; whether all limits are kept."""
    loops = [kind(url) for kind in LOOPS]
    good = True
    sys.stdout.write(f"| what | unit | {' | '.join(loop.name for loop in loops)} |\n| --- | --- |{' ---: |' * 3}\n")
    for measure in measures:
        rows: list[list[float]] = []
        for turn in range(turns + 1):
            ordered = loops if turn % 2 else loops[::-1]  # so that nobody has always the place after the same one
            found = {loop.name: await measure.of(loop) for loop in ordered}
            rows.append([found[loop.name] for loop in loops])
        del rows[0]
        median = [statistics.median(row[one] for row in rows) for one in range(len(loops))]
        ratios = [statistics.median(row[one] / row[0] for row in rows) for one in range(len(loops))]
        good = good and all(ratio <= 1.2 * limit for ratio, limit in zip(ratios[1:], measure.limits, strict=True))
        told = [f"{time:,.{1 if time < 100 else 0}f}" for time in median]
        told[1:] = [f"{one} ({ratio:.2f})" for one, ratio in zip(told[1:], ratios[1:], strict=True)]
        sys.stdout.write(f"| {measure.name} | {measure.unit} | {' | '.join(told)} |\n")
        sys.stdout.flush()
    await agentkit.aclose()
    return good


def main(arguments: list[str]) -> int:
    quick = "--quick" in arguments
    names = [one for one in arguments if not one.startswith("-")]
    chosen = [one for one in MEASURES if all(name in one.name for name in names)]
    with endpoint() as url:
        return int(not asyncio.run(measured(url, chosen, QUICK_TURNS if quick else TURNS)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
