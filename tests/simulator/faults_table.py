"""The table of faults in `docs/guides/simulator.md`, written from the catalog of faults.

`python tests/simulator/faults_table.py --write` writes it between two markers; without `--write` it says whether the
page is up to date.
"""

from __future__ import annotations

import sys
from pathlib import Path

from agentkit.simulator.faults import FAULTS, Fault, Option

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "guides" / "simulator.md"
BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"
HEADS = {
    "answer": "Another answer comes",
    "words": "What is said",
    "shape": "How it is written",
    "carriage": "How it is sent",
}


def table() -> str:
    """All faults by kind, as Markdown."""
    lines: list[str] = []
    for kind, head in HEADS.items():
        lines += [f"{head}:", "", "| fault | what the client meets | needs | options |", "| --- | --- | --- | --- |"]
        lines += [_row(fault) for fault in FAULTS.values() if fault.kind == kind]
        lines.append("")
    return "\n".join(lines).rstrip()


def _row(fault: Fault) -> str:
    options = "; ".join(_option(option) for option in fault.options)
    return f"| `{fault.name}` | {fault.what} | {fault.needs} | {options} |"


def _option(option: Option) -> str:
    if option.choices:
        told = ", ".join(f"`{choice}`" for choice in option.choices)
        return f"`{option.name}`: {option.what} ({told})"
    default = f" (`{option.default:g}s`)" if option.seconds else f" (`{option.default}`)" if option.default else ""
    return f"`{option.name}`: {option.what}{default}"


def fresh() -> str:
    """The page as it should be."""
    head, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    return f"{head}{BEGIN}\n\n{table()}\n\n{END}{rest.partition(END)[2]}"


def main(arguments: list[str]) -> int:
    """Compare the page with the catalog, or write it; 0 if they agree (afterwards)."""
    if fresh() == PAGE.read_text(encoding="utf-8"):
        return 0
    if "--write" in arguments:
        PAGE.write_text(fresh(), encoding="utf-8")
        return 0
    sys.stderr.write(f"{PAGE} is behind: run `python {Path(__file__).relative_to(ROOT)} --write`\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
