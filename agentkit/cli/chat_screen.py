"""A run of `agentkit chat` on the screen: the answer as Markdown, the model's reasoning folded to a line."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from agentkit.cli.markdown import Streamed
from agentkit.cli.show import Screen
from agentkit.events import Event, ReasoningDelta
from agentkit.messages import Note
from agentkit.transcript import RUN

if TYPE_CHECKING:
    from rich.console import Console


class ChatScreen(Screen):
    """Shows the events of one turn of a conversation; hand it each of them, in a `with` block.

    On a terminal the answer is Markdown, and reasoning a running clock and then a line that says how long it took.

    Args:
        console: Where the lines go.
        answer: Where the model's text goes as it is, off a terminal; on one it is Markdown on `console`.
        unfolded: Whether reasoning is shown as it comes.
        model: The model that was named on the screen already.
        clock: Seconds, for how long things took.

    Attributes:
        model: The model that answers.
    """

    def __init__(
        self,
        console: Console,
        *,
        answer: TextIO | None = None,
        unfolded: bool = False,
        model: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(console, answer=answer, thoughts=unfolded, clock=clock)
        self.model = model
        self._unfolded = unfolded
        self._words = Streamed(console) if self._motion.moves and answer is None else None
        self._thinking_since: float | None = None

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, ReasoningDelta) and not self._unfolded:
            if self._thinking_since is None:
                self._thinking_since = self._clock()
                self._motion.remove("model")
                self._motion.add("think", "thinking")
            return
        self._fold()
        if isinstance(event, Note) and event.kind == RUN:
            if (model := str(event.data.get("model", ""))) == self.model:
                return
            self.model = model
        super().__call__(event)

    def pause(self) -> None:
        """Let somebody be asked: end the words and take away what moves."""
        self._fold()
        self._quiet()

    def _fold(self) -> None:
        if self._thinking_since is not None:
            seconds, self._thinking_since = self._clock() - self._thinking_since, None
            self._motion.remove("think")
            self._line(self._head("think"), f"{seconds:6.2f} s", style="dim")

    def _say(self, text: str) -> None:
        if self._words is None:
            super()._say(text)
            return
        self._motion.clear()
        self._words.feed(text)

    def _end_words(self) -> None:
        if self._words is not None:
            self._words.end()
        super()._end_words()
