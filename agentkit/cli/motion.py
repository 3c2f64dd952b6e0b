"""What is under way, with running clocks: the part of the screen that moves. Terminals only."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class Motion:
    """Lines at the foot of the screen, one for each thing under way; they vanish when it is over.

    Args:
        console: Where they are shown; where it is no terminal, nothing is.
        clock: Seconds.
    """

    def __init__(self, console: Console, clock: Callable[[], float]) -> None:
        self.moves = console.is_interactive and console.file.isatty()
        self._console = console
        self._clock = clock
        self._under_way: dict[str, tuple[str, float]] = {}
        self._live: Live | None = None

    def add(self, key: str, line: str) -> None:
        """Show a line until `remove(key)`. It is cut where the screen ends."""
        if not self.moves:
            return
        self._under_way[key] = (line, self._clock())
        if self._live is None:
            from rich.live import Live

            self._live = Live(
                get_renderable=self._lines,
                console=self._console,
                refresh_per_second=12,
                transient=True,
                redirect_stdout=sys.stdout.isatty(),  # else what tools print belongs to the pipe
            )
            self._live.start()

    def remove(self, key: str) -> None:
        """Take one line away; harmless where it is not there."""
        if self._under_way.pop(key, None) is None or self._live is None:
            return
        if self._under_way:
            self._live.refresh()  # else the line stays until the next tick, beside what is shown in its place
        else:
            self.clear()

    def clear(self) -> None:
        """Take all lines away and give the cursor back."""
        self._under_way.clear()
        if self._live is not None:
            live, self._live = self._live, None
            live.stop()

    def _lines(self) -> Text:
        from rich.text import Text

        now = self._clock()
        frame = _FRAMES[int(now * 12) % len(_FRAMES)]
        lines: list[Text] = []
        for what, began in list(self._under_way.values()):
            line = Text(f" {frame} {now - began:14.2f} s {what}", style="dim")
            line.truncate(max(20, self._console.width - 1), overflow="ellipsis")
            lines.append(line)
        return Text("\n").join(lines)
