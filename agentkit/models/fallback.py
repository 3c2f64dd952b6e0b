"""Several models as one: where the first cannot answer, the next is asked.

Which errors send a request on is a question of what another model could cure; the table is in
docs/reference/errors.md. What the caller did wrong, another model would refuse as well. What an endpoint's moderation
refused is not shown to further endpoints either: whether to do so is the caller's to decide.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from agentkit.errors import (
    AgentkitError,
    ConfigurationError,
    ContextOverflow,
    InsufficientBalance,
    ModelError,
    Rejected,
    Unauthorized,
    Unavailable,
    Unreadable,
)
from agentkit.events import CallDelta, Event, FellBack, ReasoningDelta, Restarted, TextDelta
from agentkit.messages import Assistant
from agentkit.models.request import Model, Request
from agentkit.models.retry import Resting

_CURABLE = (Unavailable, Unauthorized, InsufficientBalance, Unreadable, ContextOverflow)
_OUT = (Unavailable, Unauthorized, InsufficientBalance)
"""What the next request would meet too: who ended so is asked last for a while."""

_LACKING = re.compile(
    r"no function calling|not support (?:function calling|tools?\b|tool calling|tool use)"
    r"|(?:function calling|tools?) (?:is|are) not supported|requires --jinja"
    r"|model (?:does )?not exist|supported api model names",
    re.IGNORECASE,
)


def curable(error: AgentkitError) -> bool:
    """Whether another model might answer a request that ended in this error.

    It might where the endpoint could not answer, does not take the key, wants money, sends what cannot be read, or
    where the request is too long for it; and where it has no such model (HTTP 404), or the model has no tools.
    """
    if isinstance(error, _CURABLE):
        return True
    if isinstance(error, Rejected):
        return error.status == 404 or _LACKING.search(str(error)) is not None
    return isinstance(error, ConfigurationError) and _LACKING.search(str(error)) is not None


class Fallback:
    """Models that stand in for each other: each request goes to the first, and to the next where that cannot answer.

    A model that cannot be reached, is busy or takes no request of this account is asked after the others for half a
    minute, or for as long as it asked to be left alone.

    Each model tries by itself first what its own retries allow. What failed stands in `attempts` of the answer, and is
    shown as `FellBack`. To a caller who streams nothing is shown twice: once deltas were shown, the next model is asked
    only with `restart=True`, after a `Restarted`.

    Args:
        models: The models, the preferred one first; `open_model` makes them of names, also several at once
            (`open_model("deepseek:deepseek-flash, lkeap:deepseek-v3")`).

    Raises:
        ConfigurationError: There are no models, or there is something else among them.
    """

    def __init__(self, models: Sequence[Model]) -> None:
        if isinstance(models, str) or not models:
            raise ConfigurationError(
                '`Fallback` takes a list of models: `Fallback([open_model("a"), open_model("b")])`', code="bad-value"
            )
        for model in models:
            if not callable(getattr(model, "call", None)):
                raise ConfigurationError(
                    f"`Fallback` takes models, but there is {model!r} among them; `open_model` makes models of names,"
                    ' several at once too: `open_model("a, b")`',
                    code="bad-value",
                )
        self.models = tuple(models)
        self.resting = Resting(len(self.models))

    @property
    def name(self) -> str:
        """The names of all, with commas: `open_model` takes it again."""
        return ", ".join(model.name for model in self.models)

    def __repr__(self) -> str:
        return f"Fallback({list(self.models)!r})"

    def call(self, request: Request) -> Assistant:
        """Answer in the calling thread. Raises the last model's error where none answered."""
        turn = _Turn(self.models, request, self.resting)
        for model in turn:
            try:
                return turn.answered(model.call(turn.request))
            except (ModelError, ConfigurationError) as error:
                if not turn.failed(error):
                    raise
        raise AssertionError("the last failure is raised")

    async def acall(self, request: Request) -> Assistant:
        """Answer on the running event loop. Raises the last model's error where none answered."""
        turn = _Turn(self.models, request, self.resting)
        for model in turn:
            try:
                return turn.answered(await model.acall(turn.request))
            except (ModelError, ConfigurationError) as error:
                if not turn.failed(error):
                    raise
        raise AssertionError("the last failure is raised")


class _Turn:
    """One answer under way: who is asked, who failed, and what was shown."""

    def __init__(self, models: Sequence[Model], request: Request, resting: Resting) -> None:
        self._models = models
        self._resting = resting
        self._left = list(resting.order())
        self._now = 0
        self._emit = request.emit
        self._shown = False
        self._sent = 0
        self._failed: list[str] = []
        self._request = request

    @property
    def request(self) -> Request:
        """What the next model is asked; made anew, since what is shown of the reply leads back here."""
        return self._request if self._emit is None else replace(self._request, emit=self._watch)

    def __iter__(self) -> Iterator[Model]:
        while self._left:
            self._now = self._left.pop(0)
            yield self._models[self._now]

    def _watch(self, event: Event) -> None:
        if isinstance(event, TextDelta | ReasoningDelta | CallDelta):
            self._shown = True
        elif isinstance(event, Restarted):
            self._shown = False
        if self._emit is not None:
            self._emit(event)

    def answered(self, message: Assistant) -> Assistant:
        """The answer, with those who failed before."""
        self._resting.back(self._now)
        return replace(message, attempts=(*self._failed, *message.attempts)) if self._failed else message

    def failed(self, error: ModelError | ConfigurationError) -> bool:
        """Whether to go on to the next model; else the caller raises the error, since no other model would help."""
        request, model = self._request, self._models[self._now]
        if isinstance(error, ModelError):
            error.attempts += self._sent
            self._sent = error.attempts
        late = request.deadline is not None and time.monotonic() >= request.deadline
        if isinstance(error, _OUT) and not late:  # where the run's time was too short, nothing is known of the model
            self._resting.out(self._now, error.retry_after if isinstance(error, Unavailable) else None)
        shown_to_one_who_streams = self._shown and request.stream and not request.restart
        if not self._left or late or shown_to_one_who_streams or not curable(error):
            if self._failed:
                error.args = (f"{error} (before it failed: {'; '.join(self._failed)})",)
            return False
        why = f"{type(error).__name__}: {error}"
        self._failed.append(f"`{model.name}` {why}")
        if self._emit is not None:
            self._emit(FellBack(model.name, self._models[self._left[0]].name, why))
            if self._shown:
                self._emit(Restarted())
                self._shown = False
        return True
