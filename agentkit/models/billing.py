"""What one answer costs, request by request; what it may cost at worst is set aside in the run's ledger meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

from agentkit.errors import ConfigurationError
from agentkit.ledger import Held, Ledger
from agentkit.messages import Assistant, Usage
from agentkit.models import jsontext
from agentkit.models.fit import tokens_about
from agentkit.models.request import Request
from agentkit.models.rows import ModelRow, Price, cost_of, price_at
from agentkit.money import Cost, Money

ASSUMED = 8_192
"""How many tokens an answer may have, under a limit on money, where neither settings nor catalog say."""

MILLION = 1_000_000


class Bill:
    """What one answer costs.

    Args:
        name: The model's name, for errors.
        request: What is asked; its ledger is where money is set aside.
        moment: What time it is, in seconds since 1970: prices change with the hour.

    Attributes:
        cost: What the replies cost that came; `None` once the price or the usage of one was not known.
        short: Whether the last request was given less room than it wanted, for want of money.
    """

    def __init__(self, name: str, request: Request, moment: Callable[[], float]) -> None:
        self.cost: Cost | None = Cost()
        self.short = False
        self._name = name
        self._request = request
        self._moment = moment
        self._price: Price | None = None
        self._held: Held | None = None
        self._prompt = Decimal(0)

    def open(self, body: bytes, row: ModelRow, wanted: int | None, *, thinks: bool) -> bytes | None:
        """Set money aside for a request.

        Args:
            body: The request.
            row: Who is asked.
            wanted: The `max_tokens` of the request; `None` where it has none.
            thinks: Whether the model will think.

        Returns:
            The body to send, with a smaller `max_tokens` where money is short; `None` where it is not enough.

        Raises:
            ConfigurationError: There is a limit on money, the price is not known, and the run is not to go on then.
        """
        ledger = self._request.ledger
        if ledger is None and not row.prices:
            return body
        now = datetime.fromtimestamp(self._moment(), UTC)
        self._price = price = price_at(row, now, None if ledger is None else ledger.currency)
        if ledger is None:
            return body
        if price is None and (price := self._unpriced(ledger, now)) is None:
            return body
        self._price = price
        about = min(tokens_about(body), row.context or MILLION)
        self._prompt = about * Decimal(str(price.miss)) / MILLION
        usual = row.writes(thinks=thinks, effort=self._request.settings.reasoning_effort)
        most = wanted or usual or row.output or ASSUMED
        held = self._held = ledger.reserve(self._prompt, Decimal(str(price.output)) / MILLION, most)
        if held is None:
            return None
        self.short = held.tokens < most
        if not self.short and (wanted or usual or row.output):
            return body
        data = cast("dict[str, Any]", jsontext.read(body))
        return jsontext.write({**data, "max_tokens": held.tokens})

    def close(self, usage: Usage | None) -> None:
        """A reply came whole: count what it cost, or at worst may have, where it does not say."""
        price, held = self._price, self._held
        cost = None if usage is None or price is None else cost_of(usage, price)
        self.cost = None if cost is None or self.cost is None else self.cost + cost
        self._settle(held.amount if cost is None and held else None if cost is None else cost.within(_currency(price)))

    def drop(self, partial: Callable[[], Assistant | None]) -> None:
        """There was no whole reply: count what came of one, by estimate, against the limit; nothing where none began.

        An endpoint does not say what it takes for a reply that broke off.

        Args:
            partial: Gives what came; it is asked only where money was set aside.
        """
        if self._held is None:
            return
        came = partial()
        if came is None or self._price is None:
            self._settle(Decimal(0))
            return
        words = (came.text, came.reasoning or "", *(call.arguments for call in came.tool_calls))
        about = sum(tokens_about(text.encode("utf-8", "replace")) for text in words)
        self._settle(self._prompt + about * Decimal(str(self._price.output)) / MILLION)

    def left(self) -> str:
        """What the run may still spend, for an error."""
        ledger = self._request.ledger
        return "" if ledger is None else f"of {ledger.limit} there is {ledger.left} left"

    def _settle(self, spent: Decimal | None) -> None:
        held, self._held = self._held, None
        if held is not None and self._request.ledger is not None:
            self._request.ledger.settle(held, Decimal(0) if spent is None else spent)

    def _unpriced(self, ledger: Ledger, now: datetime) -> Price | None:
        """The price that is assumed, or `None` to send the request all the same."""
        if isinstance(ledger.unpriced, Money):
            return assumed(ledger.unpriced, now)
        text = f"the price of `{self._name}` in {ledger.currency} is not known, so `Limits(cost=…)` cannot be kept"
        if ledger.unpriced == "warn":
            self._request.warn(text)
            return None
        raise ConfigurationError(
            f"{text}; say what to assume for a million tokens with `Limits(unpriced='2 {ledger.currency}')`, give the"
            " model a price in a catalog of your own, or let it pass with `Limits(unpriced='warn')`. Nothing was sent",
            code="no-price",
        )


def assumed(rate: Money, now: datetime) -> Price:
    """The price of a model of which it is assumed that a million tokens of any kind cost `rate`."""
    each = float(rate.amount)
    return Price(since=now, currency=rate.currency, hit=each, miss=each, output=each)


def priced(message: Assistant, row: ModelRow, moment: float) -> Assistant:
    """A reply with what it cost, at the price of that moment (seconds since 1970)."""
    price = price_at(row, datetime.fromtimestamp(moment, UTC))
    return message if price is None or message.usage is None else replace(message, cost=cost_of(message.usage, price))


def _currency(price: Price | None) -> str:
    return "" if price is None else price.currency
