"""What starting costs: the import, `agentkit --help`, and a whole process with one run of ten rounds of four calls.

    python tests/benchmarks/start.py [repetitions] [part of a name]

Each line is a program in a fresh interpreter, run in turn with the one that it is held against: `import httpx`, a
small program of typer, and the same loop written by hand with httpx, its JSON Schemas too. It prints the median of the
repetitions (20 unless said otherwise) in milliseconds of processor time, user and system, of all threads, less what an
interpreter takes that does nothing; for the whole process nothing is taken away. The ratio is the median of the ratios
within each turn. The exit status is 1 where a limit is passed; a busy machine moves a ratio by a tenth.

Both sides import from compiled files, so `PYTHONDONTWRITEBYTECODE` is ignored; the first turn, which writes them, does
not count. What is written by hand finds no click: with it, and with rich, httpx loads its command line as well, which
takes half its time again, and who installs httpx alone has neither.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.endpoint import SAID, endpoint

MODEL = "rounds-10x4"

IMPORT = 'import sys; sys.modules["click"] = None; import httpx'
BY_HAND = (
    f"import asyncio, json\n{IMPORT}\n"
    """

URL = sys.argv[1] + "/chat/completions"
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer", "description": "The first number."},
          "b": {"type": "integer", "description": "The second number."}}, "required": ["a", "b"]}
TOOLS = [{"type": "function", "function": {"name": "add", "description": "Add two numbers.", "parameters": SCHEMA}}]

async def add(a: int, b: int) -> int:
    return a + b

async def answer(call):
    result = await add(**json.loads(call["function"]["arguments"]))
    return {"role": "tool", "tool_call_id": call["id"], "content": str(result)}

async def main():
    messages = [{"role": "user", "content": "Add the numbers."}]
    async with httpx.AsyncClient(headers={"Authorization": "Bearer x"}, timeout=60) as client:
        while True:
            reply = await client.post(URL, json={"model": "MODEL", "messages": messages, "tools": TOOLS})
            message = reply.raise_for_status().json()["choices"][0]["message"]
            messages.append(message)
            if not message.get("tool_calls"):
                return message["content"]
            messages += await asyncio.gather(*(answer(call) for call in message["tool_calls"]))

print(asyncio.run(main()))
""".replace("MODEL", MODEL)
)

BY_HAND_SYNC = (
    BY_HAND.replace("import asyncio, json", "import json")
    .replace("async with httpx.AsyncClient", "with httpx.Client")
    .replace("async def", "def")
    .replace(
        'await asyncio.gather(*(answer(call) for call in message["tool_calls"]))', 'map(answer, message["tool_calls"])'
    )
    .replace("await ", "")
    .replace("asyncio.run(main())", "main()")
)

AGENTKIT = '''
import sys
from agentkit import Agent, tool
from agentkit.models import open_model
{imports}
@tool
{kind} add(a: int, b: int) -> int:
    """Add two numbers.

    Args:
        a: The first number.
        b: The second number.
    """
    return a + b

model = open_model("openai:{model}", base_url=sys.argv[1], api_key="x", transport={transport!r})
agent = Agent(model, tools=[add])
print({run}.text)
'''


def agentkit(transport: str | None = None) -> str:
    """The program on an event loop, over one of the transports."""
    run = "asyncio.run(agent.arun('Add the numbers.'))"
    return AGENTKIT.format(model=MODEL, imports="import asyncio\n", kind="async def", transport=transport, run=run)


AGENTKIT_SYNC = AGENTKIT.format(
    model=MODEL, imports="", kind="def", transport=None, run="agent.run('Add the numbers.')"
)

HELP = "import sys; sys.argv = ['agentkit', '--help']; from agentkit.cli import main; main()"
TYPER = "\n".join(
    [
        "import sys, typer",
        "sys.argv = ['x', '--help']",
        "app = typer.Typer(help='What the program does.', no_args_is_help=True)",
        *(
            f"@app.command()\ndef command{n}(name: str, times: int = typer.Option(1, help='How often.')) -> None:\n"
            f"    'What command {n} does.'"
            for n in range(9)
        ),
        "app()",
    ]
)


@dataclass(frozen=True)
class Line:
    """A program, what it is held against, and how many times its processor time it may take."""

    name: str
    program: str
    beside: str
    limit: float
    whole: bool = False


LINES = [
    Line("import", "from agentkit import Agent, tool", IMPORT, 1.2),
    Line("agentkit --help", HELP, TYPER, 1.2),
    Line("whole process", agentkit(), BY_HAND, 1.8, whole=True),
    Line("whole process, aiohttp", agentkit("aiohttp"), BY_HAND, 2.2, whole=True),
    Line("whole process, no event loop", AGENTKIT_SYNC, BY_HAND_SYNC, 1.8, whole=True),
]


def cpu(program: str, url: str, said: str | None) -> float:
    """The milliseconds of processor time that a program takes in an interpreter of its own."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    child = subprocess.Popen([sys.executable, "-c", program, url], stdout=subprocess.PIPE, env=environ)
    assert child.stdout is not None
    with child.stdout:
        out = child.stdout.read().decode()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode or (said is not None and out.strip() != said):
        raise SystemExit(f"status {child.returncode}, and it wrote {out!r}:\n{program}")
    return (usage.ru_utime + usage.ru_stime) * 1e3


def measure(line: Line, url: str, repetitions: int) -> bool:
    """Print one line, and whether it keeps within its limit."""
    ours: list[float] = []
    theirs: list[float] = []
    said = SAID if line.whole else None
    for turn in range(repetitions + 1):
        nothing = 0.0 if line.whole else cpu("pass", url, None)
        pair = [cpu(program, url, said) - nothing for program in (line.program, line.beside)]
        if turn:
            ours.append(pair[0])
            theirs.append(pair[1])
    ratio = statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))
    figures = f"{statistics.median(ours):7.0f} {statistics.median(theirs):7.0f} {ratio:7.2f} {line.limit:7.2f}"
    sys.stdout.write(f"{line.name:30}{figures}\n")
    sys.stdout.flush()
    return ratio <= line.limit


def chosen(part: str) -> Iterable[Line]:
    """The lines whose name holds a text, and whose libraries are there."""
    return [line for line in LINES if part in line.name and ("aiohttp" not in line.name or find_spec("aiohttp"))]


def main() -> None:
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    sys.stdout.write(f"{'ms of processor time':30}{'ours':>7} {'beside':>7} {'ratio':>7} {'limit':>7}\n")
    with endpoint() as url:
        kept = [measure(line, url, repetitions) for line in chosen(sys.argv[2] if len(sys.argv) > 2 else "")]
    raise SystemExit(not all(kept))


if __name__ == "__main__":
    main()
