"""An account's balance, as `GET /user/balance` tells it (WIRE section 1.1)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Balance:
    """What is left in an account, in its currency. An account without any is refused with HTTP 402.

    Attributes:
        granted: What was given.
        topped_up: What was paid in.
        currency: `"CNY"` or `"USD"`.
    """

    granted: Decimal = Decimal(10)
    topped_up: Decimal = Decimal(100)
    currency: Literal["CNY", "USD"] = "CNY"

    @property
    def total(self) -> Decimal:
        """Both together."""
        return self.granted + self.topped_up

    def body(self) -> dict[str, Any]:
        """The JSON of the reply; amounts are texts with two places."""
        amounts = {"total_balance": self.total, "granted_balance": self.granted, "topped_up_balance": self.topped_up}
        info = {"currency": self.currency, **{name: f"{amount:.2f}" for name, amount in amounts.items()}}
        return {"is_available": self.total > 0, "balance_infos": [info]}
