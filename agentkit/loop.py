"""What has been said decides what happens next; doing it says more.

`decide` reads the transcript and names the next effect; a driver has it performed and writes down what comes back,
until a whole step says nothing new. There is one driver for threads and one for an event loop; nothing else in
agentkit decides what a run does next.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Literal

from agentkit.errors import ConfigurationError, LimitReached
from agentkit.events import CallModel, CallTools, Effect, Emit, LimitNear, Review
from agentkit.frozen import frozen
from agentkit.ledger import Ledger
from agentkit.messages import Assistant, Entry, ToolMessage
from agentkit.money import Money
from agentkit.transcript import Transcript

Say = Callable[[Entry], None]
"""Writes a message or note down, then shows it."""

NEAR = Decimal("0.8")
"""The part of a limit from which on it is near."""

Perform = Callable[[Effect, Say], None]
APerform = Callable[[Effect, Say], Awaitable[None]]


@frozen(kw_only=True)
class Limits:
    """What one run may spend; `None` is no limit.

    Attributes:
        steps: Model calls.
        tool_calls: Tool calls; a batch that would go beyond it is not begun.
        tokens: Prompt and completion tokens together, as the endpoint counts them after each step.
        cost: Money, with its currency: `"0.50 USD"`. What a request may cost at worst is set aside before it is sent,
            and its `max_tokens` is lowered to what is left; prices are those of that currency.
        seconds: Wall time. Requests and tools under way are stopped when it is over.
        repeats: How many times in a row the same call may have the same result. Without it the model is told once.
        unpriced: What a limit on money does about a model whose price is not known: `"stop"`, `"warn"` (and let it
            pass), or what a million tokens of any kind are assumed to cost: `"2 USD"`.
    """

    steps: int | None = 25
    tool_calls: int | None = None
    tokens: int | None = None
    cost: Money | str | None = None
    seconds: float | None = None
    repeats: int | None = None
    unpriced: Literal["stop", "warn"] | Money | str = "stop"

    def __post_init__(self) -> None:
        for name in ("steps", "tool_calls", "tokens", "seconds", "repeats"):
            value: object = getattr(self, name)
            least = 2 if name == "repeats" else 0
            if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value < least):
                raise ConfigurationError(
                    f"`Limits({name}={value!r})`: it must be a number from {least} on, or `None`", code="bad-value"
                )
        if self.cost is not None:
            object.__setattr__(self, "cost", _money("cost", self.cost))
        if self.unpriced not in ("stop", "warn"):
            object.__setattr__(self, "unpriced", _money("unpriced", self.unpriced))
        self.ledger()  # raises where it cannot be

    @property
    def money(self) -> Money | None:
        """`cost`, which may have been given as a text, as an amount."""
        return self.cost if isinstance(self.cost, Money) else None

    def ledger(self, above: Ledger | None = None) -> Ledger | None:
        """A new ledger for one run, or the one above where there is no limit on money of its own.

        Raises:
            ConfigurationError: `cost` and `unpriced`, or `cost` and the ledger above, are of two currencies.
        """
        limit = self.money
        if limit is None:
            return above
        if not isinstance(self.unpriced, Money):
            return Ledger(limit, unpriced="warn" if self.unpriced == "warn" else "stop", above=above)
        if self.unpriced.currency != limit.currency:
            raise ConfigurationError(
                f"`Limits(cost='{limit}', unpriced='{self.unpriced}')` are of two currencies: state both in one",
                code="two-currencies",
            )
        return Ledger(limit, unpriced=self.unpriced, above=above)


def decide(transcript: Transcript, limits: Limits) -> Effect | None:
    """What the transcript calls for next; `None` when only calls are left that wait for a verdict.

    Raises:
        ConfigurationError: Nothing has been said.
        LimitReached: The next effect would go beyond a limit.
    """
    last = transcript.last
    if last is None:
        raise ConfigurationError(
            "there is nothing to answer: give a prompt, or a history that holds a message", code="no-prompt"
        )
    if calls := transcript.open_calls:
        if not isinstance(last, Assistant | ToolMessage):
            return CallTools(calls, interrupted=True)
        if not (ready := transcript.ready_calls):
            return None
        _check("tool_calls", transcript.tool_calls + len(ready) - 1, limits.tool_calls, transcript)
        return CallTools(ready)
    if transcript.final or isinstance(last, Assistant):
        return Review()
    _check("steps", transcript.steps, limits.steps, transcript)
    _check("repeats", transcript.repeats, limits.repeats, transcript)
    _check("tokens", transcript.usage.total_tokens, limits.tokens, transcript)
    if (money := limits.money) is not None:
        _check_cost(money, limits, transcript)
    return CallModel()


def _check_cost(money: Money, limits: Limits, transcript: Transcript) -> None:
    if transcript.unpriced and limits.unpriced == "stop":
        raise LimitReached(
            f"the run stopped at its limit `cost='{money}'`: what {transcript.unpriced} of its replies cost is not"
            " known; say what to assume with `Limits(unpriced=…)`, or let it pass with `Limits(unpriced='warn')`",
            limit="cost",
            text=transcript.text,
            code="no-price",
        )
    _check("cost", transcript.cost.within(money.currency), money.amount, transcript, f"'{money}'")


def _money(name: str, value: object) -> Money:
    if isinstance(value, Money):
        return value
    if not isinstance(value, str):
        raise ConfigurationError(
            f"`Limits({name}={value!r})`: an amount needs its currency, as in `'0.50 USD'`", code="bad-value"
        )
    return Money.of(value)


def _check(
    name: str, spent: Decimal | int, limit: Decimal | int | None, transcript: Transcript, shown: str = ""
) -> None:
    if limit is not None and spent >= limit:
        raise LimitReached(
            f"the run stopped at its limit `{name}={shown or limit}` before it had an answer;"
            f" raise it with `limits=Limits({name}=…)`, or go on from the error's `.transcript`",
            limit=name,
            text=transcript.text,
        )


def near(transcript: Transcript, limits: Limits, told: set[str], effect: Effect) -> list[LimitNear]:
    """The limits of which four fifths are used up, but for those in `told`, which takes them in.

    Steps and tokens are looked at, calls and money, before the model is asked; time is not said in the transcript.
    """
    if not isinstance(effect, CallModel):
        return []
    money = limits.money
    spent = (
        ("steps", transcript.steps, limits.steps),
        ("tool_calls", transcript.tool_calls, limits.tool_calls),
        ("tokens", transcript.usage.total_tokens, limits.tokens),
        ("cost", transcript.cost.within(money.currency) if money else 0, money.amount if money else None),
    )
    found = [
        LimitNear(name, round(float(used / limit), 3))
        for name, used, limit in spent
        if limit and name not in told and used >= NEAR * limit
    ]
    told.update(one.limit for one in found)
    return found


def drive(transcript: Transcript, perform: Perform, say: Say, show: Emit | None, limits: Limits) -> None:
    """Run to the end in the calling thread. `say` must append to `transcript` before it shows anything."""
    said, told = -1, set[str]()
    while said != transcript.said:
        said = transcript.said
        if (effect := decide(transcript, limits)) is None:
            return
        if show is not None:
            for event in (effect, *near(transcript, limits, told, effect)):
                show(event)
        perform(effect, say)


async def adrive(transcript: Transcript, perform: APerform, say: Say, show: Emit | None, limits: Limits) -> None:
    """The same on the running event loop."""
    said, told = -1, set[str]()
    while said != transcript.said:
        said = transcript.said
        if (effect := decide(transcript, limits)) is None:
            return
        if show is not None:
            for event in (effect, *near(transcript, limits, told, effect)):
                show(event)
        await perform(effect, say)
