"""How many of the replies in which models wrote calls as text are read as expected, by family: a table in Markdown.

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
    for kind in (False, True):
        for some in (good, all_):
            some["all", kind] = sum(count for (_, policy), count in some.items() if policy == kind)
    print("| family | read as expected | policies shared |")  # noqa: T201 - a script prints
    print("| --- | ---: | ---: |")  # noqa: T201 - a script prints
    for family in dict.fromkeys(family for family, _ in all_):
        sure, policy = (f"{good[family, kind]} of {all_[family, kind]}" for kind in (False, True))
        print(f"| {family} | {sure} | {policy} |")  # noqa: T201 - a script prints
    return int(any(good[key] < all_[key] for key in all_ if not key[1]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
