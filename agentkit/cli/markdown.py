"""Markdown that comes piece by piece: blocks that are whole are written once, the one that still grows is redrawn.

What was written is never written again, so however long an answer gets, a redraw costs no more than its last block, and
nothing above it moves. The growing block shows its last lines alone where it is taller than the screen. Texts are
cleaned before they are read as Markdown, and what Markdown makes of them once more, since `&#8238;` is a sign, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentkit.cli.text import clean

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.live import Live
    from rich.segment import Segment

REFRESHES = 10
"""How often in a second the growing block is drawn."""

TALL = 200
"""A growing block of more lines than this is shown as it is written until it is whole: reading it again costs time."""


def whole(text: str) -> int:
    """How many characters at the beginning of a Markdown text are blocks that nothing behind them can change.

    All but the last block are such, of the lines that are complete: a `1` may still become an item of the list above.
    """
    from markdown_it import MarkdownIt

    tokens = MarkdownIt().enable("strikethrough").enable("table").parse(text[: text.rfind("\n") + 1])
    starts = [token.map[0] for token in tokens if token.level == 0 and token.map and token.nesting >= 0]
    if len(starts) < 2:
        return 0
    lines = text.split("\n")
    return sum(len(line) + 1 for line in lines[: starts[-1]])


class Shown:
    """A Markdown text as it is shown: links tell their address, and nothing in it is a command to the terminal.

    Args:
        text: The text.
        last: How many of its last lines are shown; `None` for all.
    """

    def __init__(self, text: str, *, last: int | None = None) -> None:
        self._text = clean(text)
        self._last = last

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.segment import Segment

        lines = self._lines(console, options)
        for line in lines if self._last is None else lines[-self._last :]:
            yield from line
            yield Segment.line()

    def _lines(self, console: Console, options: ConsoleOptions) -> list[list[Segment]]:
        from rich.markdown import Markdown
        from rich.text import Text

        source = self._text.split("\n")
        if self._last is not None and len(source) > TALL:
            made = Text("\n".join(source[-self._last :]))
        else:
            made = Markdown(self._text, code_theme="ansi_dark", hyperlinks=False)
        lines = [_trimmed(line) for line in console.render_lines(made, options.update(height=None), pad=False)]
        while lines and not lines[0]:
            del lines[0]
        while lines and not lines[-1]:
            del lines[-1]
        return lines


def _trimmed(line: list[Segment]) -> list[Segment]:
    """A line without what `clean` drops and without the blanks at its end, which a narrower screen would break."""
    kept = [one._replace(text=clean(one.text)) for one in line if not one.control]
    while kept and not kept[-1].text.strip() and not (kept[-1].style and kept[-1].style.bgcolor):
        kept.pop()
    if kept and not (kept[-1].style and kept[-1].style.bgcolor):
        kept[-1] = kept[-1]._replace(text=kept[-1].text.rstrip())
    return kept


class Streamed:
    """A Markdown text on a terminal, as it grows.

    Args:
        console: A console that moves.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._rest = ""
        self._look_at = 0
        self._live: Live | None = None
        self._begun = False

    def feed(self, piece: str) -> None:
        """Show a further piece of the text."""
        self._rest += clean(piece)
        if "\n" in piece and len(self._rest) >= self._look_at:
            if end := whole(self._rest):
                done, self._rest = self._rest[:end], self._rest[end:]
                self._write(done)
            self._look_at = len(self._rest) * 9 // 8  # a long block is not read again at each of its lines
        if self._live is None and self._rest.strip():
            from rich.live import Live

            self._live = Live(
                get_renderable=self._foot,
                console=self._console,
                refresh_per_second=REFRESHES,
                transient=True,
            )
            self._live.start(refresh=True)

    def end(self) -> None:
        """Show what is left, for good; the next thing on the screen begins a line."""
        if self._live is not None:  # before the rest is taken: what is drawn last is what it wipes away
            live, self._live = self._live, None
            live.stop()
        rest, self._rest = self._rest, ""
        if rest.strip():
            self._write(rest)
        self._begun = False
        self._look_at = 0

    def _foot(self) -> Shown:
        return Shown(self._rest, last=max(1, self._console.height - 2))

    def _write(self, text: str) -> None:
        if self._begun:
            self._console.print()
        self._begun = True
        self._console.print(Shown(text), soft_wrap=False)
