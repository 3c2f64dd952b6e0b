"""Markdown that streams: whatever the pieces, what stands there at the end is the whole text, and no command."""

import io

from hypothesis import given
from hypothesis import strategies as some
from rich.console import Console
from shell import CONTROL

from agentkit.cli.markdown import Shown, Streamed, whole

BLOCKS = [
    "# Head",
    "Some *words* with `code` and [a link](https://example.org/a).",
    "Two lines\nof one paragraph",
    "- one\n- two\n  - deeper",
    "1. one\n\n   more of one\n2. two",
    "```python\nprint(1)\n\n\nprint(2)\n```",
    "~~~\n# no head\n~~~",
    "| a | b |\n| --- | --- |\n| 1 | 2 |",
    "> said\n> by someone",
    "Head\n----",
    "---",
    "    code by indent",
    "漢字 and 😀 &#8238;&#13;&#12; \x1b[31mred\x07",
]
TEXTS = some.lists(some.sampled_from(BLOCKS), max_size=6).flatmap(
    lambda blocks: some.sampled_from(["\n\n", "\n", "\n\n\n"]).map(lambda between: between.join(blocks))
)


def lines(*texts):
    """The lines that texts are shown as, without blank ones."""
    console = Console(file=io.StringIO(), width=60, color_system=None)
    for text in texts:
        console.print(Shown(text))
    return [line for line in console.file.getvalue().splitlines() if line.strip()]


@given(TEXTS, some.lists(some.integers(1, 40), max_size=30))
def test_blocks_that_were_written_stay_right_whatever_comes_behind_them(text, sizes):
    written, rest, position = [], "", 0
    for size in [*sizes, len(text)]:
        rest += text[position : position + size]
        position += size
        if end := whole(rest):
            written.append(rest[:end])
            rest = rest[end:]
    assert "".join(written) + rest == text
    assert lines(*written, rest) == lines(text)


@given(TEXTS, some.lists(some.integers(1, 40), min_size=1, max_size=30))
def test_what_is_streamed_on_a_terminal_ends_as_the_whole_text(text, sizes):
    console = Console(file=io.StringIO(), width=60, force_terminal=True, color_system=None, height=10)
    streamed = Streamed(console)
    position = 0
    for size in [*sizes, len(text)]:
        streamed.feed(text[position : position + size])
        position += size
    streamed.end()
    shown = console.file.getvalue()
    for line in lines(text):
        assert line.strip() in shown
    for sequence in ("\x1b[31m", "\x07", "\u202e", "\x0c"):
        assert sequence not in shown


def test_nothing_that_markdown_makes_is_a_command():
    shown = "\n".join(lines("&#27;[2J &#8238; &#7; <b>\x1b]0;x\x07</b> [x](javascript:\x1b[31m) ![y](file:///etc)"))
    assert not CONTROL.search(shown)


def test_a_long_block_is_not_read_again_at_each_of_its_lines():
    console = Console(file=io.StringIO(), width=60, force_terminal=True, height=10)
    streamed = Streamed(console)
    streamed.feed("```\n")
    for number in range(3_000):
        streamed.feed(f"line {number}\n")
    streamed.feed("```\n\nThe end.")
    streamed.end()
    shown = console.file.getvalue()
    assert shown.rstrip().endswith("The end.")
    assert [f"line {number}" in shown for number in range(0, 3_000, 100)] == [True] * 30
