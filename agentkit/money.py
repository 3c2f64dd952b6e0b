"""Amounts of money, which carry their currency, and what requests cost.

Two currencies are never added: no rate is known here, and one that is guessed would be believed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from agentkit.errors import ConfigurationError
from agentkit.frozen import frozen

_AMOUNT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*([A-Za-z]{3})\s*")


@frozen
class Money:
    """An amount in a currency; `+` adds two of the same.

    Attributes:
        amount: How much, exact.
        currency: The three letters of ISO 4217, e.g. `"USD"` or `"CNY"`.
    """

    amount: Decimal
    currency: str

    @classmethod
    def of(cls, text: str) -> Money:
        """Read `"0.50 USD"`.

        Raises:
            ConfigurationError: It is no amount with a currency behind it.
        """
        found = _AMOUNT.fullmatch(text)
        if found is None:
            raise ConfigurationError(
                f"`{text}` is no amount of money: write it with its currency, as `0.50 USD`", code="bad-value"
            )
        return cls(Decimal(found[1]), found[2].upper())

    def __add__(self, other: Money) -> Money:
        if self.currency != other.currency:
            raise ConfigurationError(
                f"{self} and {other} are not added: no rate between the two is known; keep to one currency",
                code="two-currencies",
            )
        return Money(self.amount + other.amount, self.currency)

    def __str__(self) -> str:
        return f"{self.amount.normalize():f} {self.currency}"


@frozen
class Cost:
    """What requests cost, an amount in each currency; `+` adds up what is of one currency.

    Attributes:
        amounts: What they cost, by currency, in the order in which the currencies came.
        saved: How much more the prompts would have cost without the endpoint's cache, likewise.
    """

    amounts: tuple[Money, ...] = ()
    saved: tuple[Money, ...] = ()

    def __add__(self, other: Cost) -> Cost:
        return Cost(_sum((*self.amounts, *other.amounts)), _sum((*self.saved, *other.saved)))

    def within(self, currency: str) -> Decimal:
        """How much of it is in this currency; 0 where nothing is."""
        return next((one.amount for one in self.amounts if one.currency == currency), Decimal(0))

    def __str__(self) -> str:
        return " and ".join(map(str, self.amounts)) or "nothing"

    def dump(self) -> dict[str, list[str]]:
        """As a JSON object: for each currency the amount and what was saved; `load` reads it back."""
        saved = {one.currency: one.amount for one in self.saved}
        return {one.currency: [str(one.amount), str(saved.get(one.currency, Decimal(0)))] for one in self.amounts}

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> Cost:
        """What `dump` gave."""
        amounts = tuple(Money(Decimal(amount), currency) for currency, (amount, _) in data.items())
        return cls(amounts, tuple(Money(Decimal(saved), currency) for currency, (_, saved) in data.items()))


def _sum(amounts: Iterable[Money]) -> tuple[Money, ...]:
    by_currency: dict[str, Decimal] = {}
    for one in amounts:
        by_currency[one.currency] = by_currency.get(one.currency, Decimal(0)) + one.amount
    return tuple(Money(amount, currency) for currency, amount in by_currency.items())
