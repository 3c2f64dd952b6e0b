"""The project's own benchmarks, one after the other: what agentkit costs, and how that compares with a loop by hand.

    python tests/benchmarks/run.py [--quick] [paths] [rounds] [memory] [tools] [start]

Each part is a program of its own in this folder, which says what it measures; without names, all of them run: in six
minutes, or with `--quick` in one, with fewer repetitions and so less sure figures. The exit status is 1 where a part
says that a limit was passed.
"""

from __future__ import annotations

import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
PARTS = {
    "paths": (["--fast"], ["-p", "1", "-n", "3", "-w", "1", "--min-time", "0.01"]),
    "rounds": ([], ["--quick"]),
    "memory": ([], ["128"]),
    "tools": ([], ["1"]),
    "start": ([], ["2"]),
}
"""The parts, with their arguments: for all the time that they want, and for little."""


def run(part: str, quick: bool) -> bool:
    """Run one part; whether it is content."""
    sys.stdout.write(f"\n## {part}\n\n")
    if part == "paths" and find_spec("pyperf") is None:
        sys.stdout.write('left out: it needs pyperf, which the extra `bench` brings (`pip install ".[bench]"`)\n')
        return True
    sys.stdout.flush()
    began = time.perf_counter()
    options = PARTS[part][quick] + (["-q"] if part == "paths" else [])
    done = subprocess.run([sys.executable, str(HERE / f"{part}.py"), *options], check=False)
    sys.stdout.write(f"\n({part}: {time.perf_counter() - began:.0f} s, exit status {done.returncode})\n")
    return done.returncode == 0


def main(arguments: list[str]) -> int:
    quick = "--quick" in arguments
    chosen = [one for one in arguments if one != "--quick"] or list(PARTS)
    if unknown := [one for one in chosen if one not in PARTS]:
        sys.stderr.write(f"there is no part `{unknown[0]}`; there are {', '.join(PARTS)}\n")
        return 2
    passed = [part for part in chosen if not run(part, quick)]
    if passed:
        sys.stdout.write(f"\na limit was passed: {', '.join(passed)}\n")
    return int(bool(passed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
