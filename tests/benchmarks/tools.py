"""What tools cost: describing 1,000 functions, registering 10,000, and 128 calls in one reply that wait 50 ms each.

    python tests/benchmarks/tools.py [repetitions]

It prints the median of the repetitions (5 unless said otherwise) and, for the calls, how it compares with a loop
written by hand: `asyncio.gather` for async functions, `asyncio.to_thread` with Python's own pool for plain ones. The
exit status is 1 where a limit is passed. Describing and registering are processor time; the calls are not, and a busy
machine may pass their limits, so look twice.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from script import Script, calls, says

from agentkit import Agent, tool
from agentkit.messages import ToolMessage

FUNCTIONS, MANY, CALLS, SECONDS = 1_000, 10_000, 128, 0.05
SCHEMA_MS, REGISTER_SECONDS, ASYNC_RATIO, PLAIN_RATIO = 0.2, 2.0, 1.3, 0.3

SOURCE = '''
def function_{n}(city: str, days: int = 1, unit: Literal["C", "F"] = "C", tags: list[str] | None = None,
                 exact: bool = False) -> str:
    """Forecast for a city, number {n}.

    Args:
        city: City name, e.g. Paris.
        days: How many days, 1 to 7.
        unit: The unit of the temperatures.
        tags: What to look for.
        exact: Whether to tell fractions.
    """
    return city
'''

ASKED = [(f"c{n}", "wait", json.dumps({"n": n})) for n in range(CALLS)]


def functions(count: int) -> list[Callable[..., Any]]:
    names: dict[str, Any] = {}
    exec("from typing import Literal\n" + "".join(SOURCE.format(n=n) for n in range(count)), names)
    return [names[f"function_{n}"] for n in range(count)]


def schemas() -> float:
    """Milliseconds of processor time for the schema of one function."""
    made = functions(FUNCTIONS)
    began = time.process_time()
    for one in made:
        assert len(tool(one).definition()["function"]["parameters"]["properties"]) == 5
    return (time.process_time() - began) / FUNCTIONS * 1e3


def register() -> float:
    """Seconds of processor time for an agent of so many functions."""
    made = functions(MANY)
    began = time.process_time()
    Agent(Script(), tools=made)
    return time.process_time() - began


async def await_(n: int) -> int:
    """Wait."""
    await asyncio.sleep(SECONDS)
    return n


def wait(n: int) -> int:
    """Wait."""
    time.sleep(SECONDS)
    return n


def agent(function: Callable[..., Any]) -> Agent:
    return Agent(Script(calls(*ASKED), says("done")), tools=[tool(function, name="wait")])


def answered(result: Any) -> None:
    assert sum(isinstance(one, ToolMessage) and one.ok for one in result.messages) == CALLS


def by_agent_async() -> float:
    async def run() -> float:
        began = time.perf_counter()
        answered(await agent(await_).arun("go"))
        return time.perf_counter() - began

    return asyncio.run(run())


def by_agent_plain() -> float:
    began = time.perf_counter()
    answered(agent(wait).run("go"))
    return time.perf_counter() - began


def by_hand(function: Callable[[int], Any]) -> float:
    async def run() -> float:
        began = time.perf_counter()
        texts = await asyncio.gather(*[function(**json.loads(arguments)) for _, _, arguments in ASKED])
        assert len([json.dumps(text) for text in texts]) == CALLS
        return time.perf_counter() - began

    return asyncio.run(run())


def main(arguments: list[str]) -> int:
    times = int(arguments[0]) if arguments else 5
    rows: dict[str, list[float]] = {}
    for _ in range(times):  # by turns, so that a busy moment slows all alike
        for name, measure in (
            ("schema", schemas),
            ("register", register),
            ("async", by_agent_async),
            ("async by hand", lambda: by_hand(await_)),
            ("plain", by_agent_plain),
            ("plain by hand", lambda: by_hand(lambda n: asyncio.to_thread(wait, n))),
        ):
            rows.setdefault(name, []).append(measure())
    median = {name: statistics.median(row) for name, row in rows.items()}
    found = [
        ("schema of a function of five parameters", median["schema"], SCHEMA_MS, "ms"),
        (f"registering {MANY:,} functions", median["register"], REGISTER_SECONDS, "s"),
    ]
    for kind, limit in (("async", ASYNC_RATIO), ("plain", PLAIN_RATIO)):
        mine, hand = median[kind], median[f"{kind} by hand"]
        what = f"{CALLS} {kind} calls of {SECONDS * 1e3:.0f} ms: {mine * 1e3:.0f} ms, by hand {hand * 1e3:.0f} ms"
        found.append((what, mine / hand, limit, "of it"))
    for what, value, limit, unit in found:
        sys.stdout.write(f"{what}: {value:.2f} {unit} (limit {limit:g})\n")
    return int(any(value > limit for _, value, limit, _ in found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
