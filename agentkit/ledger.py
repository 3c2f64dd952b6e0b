"""The money of a run: reserved before each request, settled after it, shared with the runs that its tools begin.

What a request may cost at worst is set aside before it is sent, so that requests under way at the same time cannot
together spend what there is but once. A ledger stands in those above it: what the run of a sub-agent spends, the run
that began it spends too, and it gets no more than that one has left.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Literal

from agentkit.errors import ConfigurationError
from agentkit.frozen import frozen
from agentkit.money import Cost, Money

Unpriced = Literal["stop", "warn"] | Money
"""What to do about a request whose price is not known: not to send it, to warn and send it, or to assume that a million
tokens of any kind cost so much."""

LEAST = 16
"""With fewer tokens of room a request is not worth sending: nothing of a call is seen below (WIRE section 4)."""


@frozen
class Held:
    """Money set aside for a request.

    Attributes:
        amount: How much.
        tokens: How many tokens of answer it is enough for.
    """

    amount: Decimal
    tokens: int


class Ledger:
    """What a run may spend, what it has spent, and what is set aside; for any number of threads.

    Args:
        limit: What may be spent.
        unpriced: What to do where no price is known.
        above: The ledger of the run that began this one.

    Raises:
        ConfigurationError: The ledger above counts in another currency.
    """

    def __init__(self, limit: Money, *, unpriced: Unpriced = "stop", above: Ledger | None = None) -> None:
        if above is not None and above.currency != limit.currency:
            raise ConfigurationError(
                f"a limit of {limit} cannot stand in one of {above.limit}: no rate between the two is known; state both"
                " in one currency",
                code="two-currencies",
            )
        self.limit = limit
        self.unpriced: Unpriced = unpriced
        self._above = above
        self._spent = Decimal(0)
        self._held = Decimal(0)
        self._lock: threading.Lock = threading.Lock() if above is None else above._lock

    @property
    def currency(self) -> str:
        """The currency that it counts in."""
        return self.limit.currency

    @property
    def spent(self) -> Money:
        """What was settled so far."""
        return Money(self._spent, self.currency)

    @property
    def left(self) -> Money:
        """What is neither spent nor set aside, here and in the ledgers above; never below nothing."""
        with self._lock:
            return Money(max(Decimal(0), self._left()), self.currency)

    def reserve(self, prompt: Decimal, token: Decimal, wanted: int) -> Held | None:
        """Set aside what a request may cost at worst.

        Args:
            prompt: What its prompt costs.
            token: What a token of its answer costs.
            wanted: How many tokens the answer may have.

        Returns:
            What is set aside, perhaps for fewer tokens than were wanted; `None` where it is too few to be of use.
        """
        with self._lock:
            room = self._left() - prompt
            tokens = min(wanted, int(room / token)) if token else wanted
            if room < 0 or tokens < min(wanted, LEAST):
                return None
            held = Held(prompt + token * tokens, tokens)
            for one in self._chain():
                one._held += held.amount
            return held

    def settle(self, held: Held, spent: Decimal) -> None:
        """Take back what was set aside, and count what was spent in its place."""
        with self._lock:
            for one in self._chain():
                one._held -= held.amount
                one._spent += spent

    def charge(self, tokens: int) -> Cost | None:
        """Count tokens that came without a price, at what is assumed; `None` where nothing is."""
        if not isinstance(self.unpriced, Money):
            return None
        amount = self.unpriced.amount * tokens / 1_000_000
        self.settle(Held(Decimal(0), 0), amount)
        return Cost((Money(amount, self.currency),), (Money(Decimal(0), self.currency),))

    def _chain(self) -> Iterator[Ledger]:
        one: Ledger | None = self
        while one is not None:
            yield one
            one = one._above

    def _left(self) -> Decimal:
        return min(one.limit.amount - one._spent - one._held for one in self._chain())
