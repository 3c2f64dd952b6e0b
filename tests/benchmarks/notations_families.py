"""How many of the calls that models wrote as text are read as expected, by family.

    python tests/benchmarks/notations_families.py FILE

FILE has a JSON object on each line: `family`, `text`, `tools` (names), `expect` (name and arguments of each call) and
`note`, which begins with `[policy]` where more than one reading is sound.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

from agentkit.models.dialects.notations import read


def main(arguments: list[str]) -> int:
    good: Counter[tuple[str, bool]] = Counter()
    all_: Counter[tuple[str, bool]] = Counter()
    for line in map(json.loads, Path(arguments[0]).read_text(encoding="utf-8").splitlines()):
        key = line["family"], "[policy]" in line["note"]
        reading = read(line["text"], dict.fromkeys(line["tools"]))
        calls = [{"name": call.name, "arguments": json.loads(call.arguments)} for call in reading.calls]
        all_[key] += 1
        good[key] += calls == line["expect"]
    print(f"{'family':26} {'as expected':>14} {'of the policies':>18}")  # noqa: T201 - a script prints
    for family in dict.fromkeys(family for family, _ in all_):
        sure, policy = (f"{good[family, kind]} of {all_[family, kind]}" for kind in (False, True))
        print(f"{family:26} {sure:>14} {policy:>18}")  # noqa: T201 - a script prints
    return int(any(good[key] < all_[key] for key in all_ if not key[1]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
