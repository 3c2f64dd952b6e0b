"""A report that cron asks for each morning: what runs low in a warehouse, in one line of JSON.

What it shows: a run with nobody there. It has a budget in money, time and steps; it keeps one session a month, so that
a report can look back at those before it; it never asks and never waits for keys; standard output gets one JSON object
whatever happens, and the exit code says how it went, as that of `agentkit run` does. The stock is made up: it stands in
the table below, so that the program runs without a warehouse.

    python examples/cron_report.py                            offline, on the built-in simulator
    python examples/cron_report.py deepseek:deepseek-flash    on DeepSeek, with DEEPSEEK_API_KEY set
    agentkit run examples/cron_report.py "Which articles are below 40?"

A line for a crontab; what is mailed is what went wrong:

    30 6 * * 1-5  cd /srv/shop && .venv/bin/python examples/cron_report.py >> reports.jsonl
"""

import json
import os
import sys
from datetime import UTC, datetime

from agentkit import Agent, AgentkitError, ConfigurationError, LimitReached, Limits, ModelError, Result, tool
from agentkit.errors import SessionBusy

STOCK = {"lamp": 4, "desk": 31, "chair": 12, "shelf": 88}


@tool(side_effects="none")
def articles_below(count: int) -> dict[str, int]:
    """List the articles of which fewer are in stock than a count.

    Args:
        count: The number of pieces that an article should have.
    """
    return {name: pieces for name, pieces in STOCK.items() if pieces < count}


agent = Agent(
    os.environ.get("AGENTKIT_MODEL", "sim:deepseek-flash"),
    instructions="You report on a warehouse, in two or three sentences and without a greeting.",
    tools=[articles_below],
    limits=Limits(cost="0.05 USD", unpriced="2 USD", seconds=120, steps=6),  # models without a known price: 2 a million
)

CODES: tuple[tuple[type[AgentkitError], int], ...] = (
    (SessionBusy, 2),  # yesterday's run hangs
    (ConfigurationError, 2),
    (LimitReached, 4),
    (ModelError, 5),
    (AgentkitError, 1),
)


def report(model: str | None) -> Result[str]:
    """Ask for today's report, in the session of this month."""
    today = datetime.now(UTC)
    return agent.run(
        f"It is {today:%A}. Which articles are below 20 pieces in stock?",
        session=f"stock report {today:%Y-%m}",
        model=model,
    )


def main() -> int:
    """Write the report, or what went wrong, as one line of JSON; the exit code."""
    model = sys.argv[1] if len(sys.argv) > 1 else None
    line: dict[str, object] = {"at": datetime.now(UTC).isoformat(timespec="seconds")}
    try:
        result = report(model)
    except AgentkitError as error:
        code = next(code for kind, code in CODES if isinstance(error, kind))
        line |= {"ok": False, "error": type(error).__name__, "message": str(error)}
        print(f"the stock report failed: {error}", file=sys.stderr)
    else:
        code = 0
        line |= {"ok": True, "report": result.output, "steps": result.steps, "cost": str(result.cost)}
    print(json.dumps(line, ensure_ascii=False))
    return code


if __name__ == "__main__":
    sys.exit(main())
