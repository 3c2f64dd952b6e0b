"""`agentkit demo`: the program in `weather.py` beside this file, shown and run."""

from __future__ import annotations

import sys
import textwrap
from importlib.resources import files
from typing import TYPE_CHECKING

from agentkit.cli.show import Screen, console_for

if TYPE_CHECKING:
    from rich.console import Console

STAND_IN = (
    "The model here is the built-in simulator: a rule-based stand-in, no language model. It matches the words of the"
    " prompt with the tools and writes its replies by rule. Everything else is real: the same requests, the same"
    " stream of events, the same tools in threads as with a model behind an API."
)

NEXT = """\
Try next:
  agentkit run examples/calculator.py "What is 2 * (3 + 4)?"
  agentkit sim                                    the stand-in as a server
  agentkit demo --model deepseek:deepseek-flash   with DEEPSEEK_API_KEY set"""


def demo(model: str | None, *, plain: bool) -> int:
    """Show the program, run it, and say what to try next; the exit code.

    Args:
        model: In place of the program's.
        plain: Whether to use neither colour nor motion, whatever the terminal can do.

    Raises:
        AgentkitError: The run ended without its answer; not with the simulator.
    """
    from agentkit.cli.weather import agent, prompt

    console = console_for(sys.stdout, plain=plain)
    source = files("agentkit.cli").joinpath("weather.py").read_text(encoding="utf-8")
    _show_program(console, source)
    console.print()
    if model is None or model.startswith("sim:"):
        console.print(textwrap.fill(STAND_IN, min(console.width, 100)) + "\n", style="dim")
    console.print("agent.stream(prompt), event by event:\n", style="dim")
    with agent.stream(prompt, model=model) as stream, Screen(console, thoughts=True, starts=True) as screen:
        for event in stream:
            screen(event)
    console.print(f"\n{NEXT}", style="dim")
    return 0


def _show_program(console: Console, source: str) -> None:
    if console.is_terminal:
        from rich.syntax import Syntax

        console.print(Syntax(source.rstrip(), "python", theme="ansi_dark", background_color="default"), soft_wrap=False)
    else:
        console.print(source.rstrip())
