"""A run on the screen: takes events, shows one line for each thing that happened, and the model's words as they come.

On a terminal, calls under way are shown with a running clock and are replaced by their line when they are done. Off a
terminal there are the lines alone. Nothing that a model or a tool said is read as markup, and all of it is cleaned.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from pathlib import PurePath
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from agentkit.cli.flow import Flow
from agentkit.cli.motion import Motion
from agentkit.cli.notices import notice
from agentkit.cli.text import call_line, clean, one_line
from agentkit.events import (
    CallModel,
    Event,
    Finished,
    Nested,
    Queued,
    ReasoningDelta,
    Repaired,
    Restarted,
    TextDelta,
    ToolFinished,
    ToolStarted,
)
from agentkit.messages import Assistant, Note, ToolCall, ToolMessage, Usage
from agentkit.result import Result

if TYPE_CHECKING:
    from decimal import Decimal

    from rich.console import Console
    from rich.text import Text

    from agentkit.money import Cost

INDENT = 11
"""Columns before what is said: step, word and their spaces."""


def console_for(stream: TextIO, *, plain: bool = False) -> Console:
    """A console that uses colour and motion only where `stream` is a terminal that wants them."""
    from rich.console import Console

    console = Console(file=stream, highlight=False, markup=False, emoji=False, soft_wrap=True)
    if plain or console.no_color or console.is_dumb_terminal or not console.is_terminal:
        return Console(
            file=stream, highlight=False, markup=False, emoji=False, soft_wrap=True, force_terminal=False, no_color=True
        )
    return console


class Screen:
    """Shows the events of one run; hand it each of them, in a `with` block.

    Args:
        console: Where the lines go.
        answer: Where the model's text goes as it is; by default it goes to `console` too, as a line of its own.
        thoughts: Whether the model's reasoning is shown.
        starts: Whether the start of a call is a line too, where there is no terminal that shows calls under way.
        clock: Seconds, for how long the run took.
    """

    def __init__(
        self,
        console: Console,
        *,
        answer: TextIO | None = None,
        thoughts: bool = False,
        starts: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.step = 0
        self._console = console
        self._answer = answer
        self._thoughts = thoughts
        self._clock = clock
        self._began = clock()
        self._motion = Motion(console, clock)
        self._starts = starts and not self._motion.moves
        self._running: set[str] = set()
        self._told: dict[str, str] = {}
        self._calls = self._at_once = 0
        self._flow: tuple[str, Flow] | None = None
        self._spoke = self._queued = False
        self._line_begun = False

    def __enter__(self) -> Screen:
        # The line of a failed tool says it all; without a handler, logging would write the traceback over it.
        logging.getLogger("agentkit").addHandler(logging.NullHandler())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._quiet()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        match event:
            case TextDelta(text):
                self._spoke = True
                self._say(text)
            case ReasoningDelta(text):
                if self._thoughts:
                    self._flow_to("think", text)
            case Assistant():
                self._close(event)
            case ToolStarted(call):
                self._start(call)
            case ToolMessage():
                self._note_answer(event)
            case ToolFinished():
                self._finish(event)
            case CallModel():
                self.step += 1
                self._spoke = self._queued = False
                self._motion.add("model", "waiting for the model")
            case Finished(result):
                self._sum_up(result)
            case Note("run", data):
                self._line(f"{data.get('model', '')} · run {data.get('id', '')}", style="dim")
            case Queued() if self._queued:
                pass
            case _:
                self._notice(event)

    # The model's words.

    def _say(self, text: str) -> None:
        if self._answer is None:
            self._flow_to("answer", text)
            return
        self._motion.remove("model")
        text = clean(text)
        if text:
            self._line_begun = not text.endswith("\n")
            self._answer.write(text)
            self._answer.flush()

    def _flow_to(self, word: str, text: str) -> None:
        self._motion.remove("model")
        if self._flow is None or self._flow[0] != word:
            self._end_words()
            style = "dim" if word == "think" else ""
            self._console.print(self._head(word, style="bold" if word == "answer" else "dim"), end="")
            width = self._console.width if self._motion.moves else None
            flow = Flow(lambda piece: self._print(piece, style), start=INDENT, indent=INDENT, width=width)
            self._flow = (word, flow)
        self._flow[1].feed(clean(text))

    def _end_words(self) -> None:
        if self._flow is not None:
            self._flow[1].end()
            self._flow = None
        if self._line_begun and self._answer is not None:
            self._answer.write("\n")
            self._answer.flush()
            self._line_begun = False

    def _close(self, message: Assistant) -> None:
        if message.reasoning and self._thoughts and self._flow is None and not self._spoke:
            self._flow_to("think", message.reasoning)  # it came whole, not in deltas
        if message.text and not self._spoke:
            self._say(message.text)
        self._quiet()

    # Calls.

    def _start(self, call: ToolCall) -> None:
        line = call_line(call.name, call.arguments)
        self._running.add(call.id)
        self._at_once = max(self._at_once, len(self._running))
        self._motion.add(call.id, line)
        if self._starts:
            self._line(self._head("start"), " " * 9, line)

    def _note_answer(self, message: ToolMessage) -> None:
        self._calls += 1
        if message.tool_call_id in self._running:
            self._told[message.tool_call_id] = message.text  # `ToolFinished` comes next and knows how long it took
        else:
            self._line(self._head("refused"), " " * 9, f"{one_line(message.name, 80)} → {one_line(message.text)}")

    def _finish(self, event: ToolFinished) -> None:
        self._running.discard(event.call.id)
        self._motion.remove(event.call.id)
        text = self._told.pop(event.call.id, "")
        told = one_line(text)
        if event.text is not None:
            told = f"{told} [{len(text):,} of {len(event.text):,} characters are told]"
        if not event.ok and event.traceback:
            told = f"{told} [{_cause(event.traceback)}]"
        head = self._head("done" if event.ok else "failed", style="green" if event.ok else "red")
        self._line(head, f"{event.seconds:6.2f} s ", f"{call_line(event.call.name, event.call.arguments)} → {told}")

    # Everything else.

    def _notice(self, event: Event) -> None:
        told = notice(event)
        if told is None:
            return
        self._queued = self._queued or isinstance(event, Queued)
        if isinstance(event, Restarted):
            self._spoke = False
        quiet = isinstance(event, Repaired | Nested)
        self._line(self._head(told[0], style="" if quiet else "yellow"), told[1], style="dim" if quiet else "")

    def _sum_up(self, result: Result[object]) -> None:
        calls = count(self._calls, "call") + (f" (up to {self._at_once} at once)" if self._at_once > 1 else "")
        seconds = f"{self._clock() - self._began:.1f} s"
        self._line(
            " · ".join([count(result.steps, "step"), calls, tokens(result.usage), *money(result.cost), seconds]),
            style="dim",
        )

    def _head(self, word: str, style: str = "") -> Text:
        from rich.text import Text

        return Text(f"{self.step:>2} ").append(f"{word:<8}", style=style)

    def _line(self, *parts: Text | str, style: str = "") -> None:
        """Show one line; on a terminal, what does not fit into it is cut."""
        from rich.text import Text

        self._end_words()
        line = Text.assemble(*(part if isinstance(part, Text) else clean(part) for part in parts), style=style)
        if self._motion.moves:
            self._console.print(line, no_wrap=True, overflow="ellipsis", soft_wrap=False)
        else:
            self._console.print(line)

    def _print(self, piece: str, style: str) -> None:
        from rich.text import Text

        self._console.print(Text(piece, style=style), end="")

    def _quiet(self) -> None:
        """End the words and the motion: the next thing on the screen begins a line."""
        self._motion.clear()
        self._end_words()


def tokens(usage: Usage) -> str:
    """Tokens as a line tells them: `1,234 tokens in (1,024 cached), 56 out`."""
    hit = f" ({usage.cache_hit_tokens:,} cached)" if usage.cache_hit_tokens else ""
    return f"{usage.prompt_tokens:,} tokens in{hit}, {usage.completion_tokens:,} out"


def money(cost: Cost | None) -> list[str]:
    """Money as a line tells it: `0.0011 USD (0.0013 saved by the cache)`, by currency; none where it is unknown."""
    if cost is None:
        return []
    saved = {one.currency: one.amount for one in cost.saved}
    told: list[str] = []
    for one in cost.amounts:
        less = saved.get(one.currency, 0)
        told.append(
            f"{_amount(one.amount)} {one.currency}" + (f" ({_amount(less)} saved by the cache)" if less else "")
        )
    return told


def _amount(amount: Decimal | int) -> str:
    return f"{amount:.6f}".rstrip("0").rstrip(".")


def _cause(trace: str) -> str:
    """What a traceback comes down to: the exception, and where it was raised."""
    last = trace.strip().rpartition("\n")[2]
    places = re.findall(r'File "([^"]+)", line (\d+)', trace)
    if not places:
        return one_line(last, 200)
    path, line = places[-1]
    return f"{one_line(last, 200)}, {PurePath(path).name}:{line}"


def count(number: int, what: str) -> str:
    """A number of things: `1 call`, `2 calls`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
