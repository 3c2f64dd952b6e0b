"""Makes the pictures of the command line in this folder: real runs on the simulator, as rich exports them to SVG.

    python docs/images/make.py           writes them all
    python docs/images/make.py FOLDER    writes them somewhere else

Each command runs on a pseudo-terminal and is typed into as a person would; what then stands on the screen is the
picture. It runs from a checkout, on Linux and macOS. `tests/cli/test_cli_pictures.py` holds the pictures to what the
commands write today, but for times and ids.
"""

from __future__ import annotations

import re
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from html import unescape
from pathlib import Path

from rich.ansi import AnsiDecoder
from rich.console import Console

from agentkit.simulator import Simulator
from agentkit.simulator.server import running

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests" / "cli"))

from shell import Terminal  # noqa: E402 - the tests' terminal, found only now

COLUMNS = 92

SHOP = '''
from agentkit import Agent, tool


@tool(side_effects="none")
def find_order(number: int) -> dict:
    """Find an order by its number."""
    return {"order": number, "article": "lamp", "total": 40}


@tool(approval=True)
def refund(order: int, amount: int) -> str:
    """Refund an amount to the customer of an order."""
    return f"{amount} euros were refunded"


agent = Agent("sim:deepseek-flash", tools=[find_order, refund])
'''


@dataclass(frozen=True)
class Picture:
    """A command, and what is typed into it.

    Attributes:
        name: The file's name, without its ending.
        command: What stands behind `agentkit`.
        typed: What is waited for, and what is typed then.
        profile: The simulator's profile that is served at `URL` meanwhile.
    """

    name: str
    command: tuple[str, ...]
    typed: tuple[tuple[str, str], ...] = ()
    profile: str = ""


PICTURES = (
    Picture("run", ("run", "examples/weather.py", "What is the weather in Paris and in Tokyo?")),
    Picture(
        "chat",
        ("chat", "shop.py"),
        (
            ("›", "Refund order 81, amount 40.\r"),
            ("approve?", "e\r"),
            ("arguments:", '{"order": 81, "amount": 20}\r'),
            ("›", "/usage\r"),
            ("›", "\x04"),
        ),
    ),
    Picture("doctor", ("doctor", "URL", "deepseek-v3.2"), profile="vllm"),
)


def made(picture: Picture, folder: Path) -> list[str]:
    """Run the command in a folder; the lines that stand on the screen at its end, with their colours."""
    (folder / "shop.py").write_text(SHOP, encoding="utf-8")
    (folder / "examples").mkdir(exist_ok=True)
    source = (ROOT / "examples" / "weather.py").read_text(encoding="utf-8")
    (folder / "examples" / "weather.py").write_text(source, encoding="utf-8")
    (folder / "prompt_toolkit.py").write_text("raise ImportError('the picture is made without it')", encoding="utf-8")
    around = {
        "PYTHONPATH": f"{folder}:{ROOT}:{ROOT / 'tools'}",
        "AGENTKIT_HOME": str(folder / "home"),
        "OPENAI_API_KEY": "sk-any",
    }
    with ExitStack() as stack:
        url = f"{stack.enter_context(running(Simulator(picture.profile)))}/v1" if picture.profile else ""
        command = [url if word == "URL" else word for word in picture.command]
        terminal = stack.enter_context(Terminal(*command, cwd=folder, columns=COLUMNS, **around))
        for wanted, keys in picture.typed:
            terminal.wait_for(wanted)
            terminal.type(keys)
        if terminal.end() != 0:
            raise SystemExit(f"`agentkit {' '.join(command)}` failed:\n{terminal.plain}")
    words = [f'"{word}"' if " " in word else word for word in command]
    lines = [f"$ agentkit {' '.join(words)}", *screen(terminal.written)]
    return [re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:8000", line) for line in lines]


def screen(written: str) -> list[str]:
    """What stands on a terminal after this was written to it, line by line, colours and all.

    It knows what rich and `input` write: whole lines, up by lines, and wiping a line before it is written again.
    """
    lines, row = [""], 0
    for piece in re.findall(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[^\[]|\n|\r|[^\x1b\n\r]+", written):
        if piece == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif piece.endswith("A") and piece.startswith("\x1b["):
            row = max(0, row - int(piece[2:-1] or 1))
        elif piece in ("\x1b[2K", "\x1b[K", "\x1b[J"):
            lines[row] = ""
        elif piece.endswith("m") or not piece.startswith(("\x1b", "\r")):
            lines[row] += piece
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def draw(lines: list[str], path: Path) -> None:
    """Write lines with colours as a picture."""
    with open("/dev/null", "w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True, color_system="truecolor")
        for text in AnsiDecoder().decode("\n".join(lines)):
            console.print(text, soft_wrap=False)
        drawn = console.export_svg(title="agentkit", unique_id=path.stem)
    drawn = re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)  # fonts that a browser would fetch
    path.write_text(drawn, encoding="utf-8")


def words_of(path: Path) -> str:
    """The text of a picture, without spaces, times and ids: what two of the same picture have in common."""
    texts = re.findall(r"<text [^>]*>([^<]*)</text>", path.read_text(encoding="utf-8"))
    joined = re.sub(r"\s", "", unescape("".join(texts)))
    return re.sub(r"\d+\.\d+s|run[0-9a-f]{12}|call_00_\w{24}", "…", joined)


def main() -> None:
    """Make all pictures."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    for picture in PICTURES:
        with tempfile.TemporaryDirectory() as temporary:
            draw(made(picture, Path(temporary)), folder / f"{picture.name}.svg")


if __name__ == "__main__":
    main()
