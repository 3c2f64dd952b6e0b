"""Money and the ledger: amounts keep their currency, and what is there once is spent once."""

import threading
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from agentkit import Limits
from agentkit.errors import ConfigurationError
from agentkit.ledger import LEAST, Ledger
from agentkit.money import Cost, Money

amounts = st.decimals(0, 10, places=6)
moneys = st.builds(Money, amounts, st.sampled_from(["USD", "CNY"]))
costs = st.lists(st.tuples(moneys, amounts), max_size=4).map(
    lambda parts: sum((Cost((one,), (Money(saved, one.currency),)) for one, saved in parts), Cost())
)


@pytest.mark.parametrize(
    ("text", "amount", "currency"),
    [("0.50 USD", "0.50", "USD"), ("3CNY", "3", "CNY"), (" .5 usd ", "0.5", "USD"), ("10 EUR", "10", "EUR")],
)
def test_an_amount_is_read_with_its_currency(text, amount, currency):
    assert Money.of(text) == Money(Decimal(amount), currency)


@pytest.mark.parametrize("text", ["", "0.50", "USD", "USD 0.5", "-1 USD", "1e3 USD", "0.5 dollars", "1,5 USD"])
def test_what_is_no_amount_with_a_currency_is_refused(text):
    with pytest.raises(ConfigurationError, match=r"0\.50 USD"):
        Money.of(text)


def test_an_amount_says_what_it_is_without_idle_digits():
    assert [str(Money(Decimal(one), "USD")) for one in ("0.500", "1E+3", "0E-9", "0.000028200")] == [
        "0.5 USD",
        "1000 USD",
        "0 USD",
        "0.0000282 USD",
    ]
    assert str(Cost()) == "nothing"
    assert str(Cost((Money.of("1 USD"), Money.of("2 CNY")))) == "1 USD and 2 CNY"


def test_two_currencies_are_never_added():
    with pytest.raises(ConfigurationError, match="1 USD and 1 CNY are not added"):
        Money.of("1 USD") + Money.of("1 CNY")


@given(costs, costs, costs)
def test_costs_add_up_by_currency_in_any_grouping_and_go_to_json_and_back(one, two, three):
    total = one + (two + three)
    assert total == (one + two) + three
    for currency in ("USD", "CNY"):
        assert total.within(currency) == sum(cost.within(currency) for cost in (one, two, three))
    assert Cost.load(total.dump()) == total


@pytest.mark.parametrize(
    "limits",
    [
        {"cost": 0.5},
        {"cost": "0.5"},
        {"cost": "1 USD", "unpriced": "go on"},
        {"cost": "1 USD", "unpriced": 2},
        {"cost": "1 USD", "unpriced": "2 CNY"},
    ],
)
def test_a_limit_on_money_without_its_currency_or_in_two_is_refused(limits):
    with pytest.raises(ConfigurationError):
        Limits(**limits)


def test_limits_read_amounts():
    assert Limits(cost="0.50 USD") == Limits(cost=Money(Decimal("0.50"), "USD"))
    assert Limits().ledger() is None


def test_less_room_is_given_where_money_is_short_and_none_where_it_is_of_no_use():
    ledger = Ledger(Money.of("1 USD"))
    first = ledger.reserve(Decimal("0.1"), Decimal("0.01"), 40)
    assert (first.amount, first.tokens) == (Decimal("0.5"), 40)
    second = ledger.reserve(Decimal("0.1"), Decimal("0.01"), 1_000)
    assert (second.amount, second.tokens) == (Decimal("0.5"), 40)
    assert ledger.reserve(Decimal(0), Decimal("0.01"), 40) is None
    ledger.settle(first, Decimal("0.3"))
    ledger.settle(second, Decimal("0.55"))  # an estimate may be wrong
    assert (ledger.spent, ledger.left) == (Money(Decimal("0.85"), "USD"), Money(Decimal("0.15"), "USD"))
    assert ledger.reserve(Decimal(0), Decimal("0.01"), LEAST) is None
    assert ledger.reserve(Decimal(0), Decimal("0.01"), LEAST - 1) is not None


def test_a_sub_agent_has_no_more_than_the_run_above_has_left():
    run = Ledger(Money.of("1 USD"))
    sub = Limits(cost="5 USD").ledger(run)
    held = sub.reserve(Decimal(0), Decimal("0.01"), 1_000)
    assert held.tokens == 100
    assert run.left == Money(Decimal(0), "USD")
    sub.settle(held, Decimal("0.4"))
    assert run.spent == sub.spent == Money(Decimal("0.4"), "USD")
    assert sub.left == Money(Decimal("0.6"), "USD")
    assert Limits().ledger(run) is run
    with pytest.raises(ConfigurationError, match="5 CNY cannot stand in one of 1 USD"):
        Limits(cost="5 CNY").ledger(run)


def test_threads_cannot_together_spend_what_there_is_once():
    ledger = Ledger(Money.of("1 USD"))
    given, start = [], threading.Barrier(8)

    def ask():
        start.wait()
        asked = [ledger.reserve(Decimal("0.001"), Decimal("0.0001"), 100) for _ in range(50)]
        given.extend(held for held in asked if held is not None)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sum(held.amount for held in given) <= 1
    assert ledger.left.amount < Decimal("0.001") + LEAST * Decimal("0.0001")


class Spending(RuleBasedStateMachine):
    """Whatever is reserved and settled as it was reserved, in a tree of ledgers, nobody spends more than his limit."""

    @initialize(limits=st.lists(amounts, min_size=3, max_size=3))
    def begin(self, limits):
        run = Ledger(Money(limits[0], "USD"))
        first = Ledger(Money(limits[1], "USD"), above=run)
        self.ledgers = [run, first, Ledger(Money(limits[2], "USD"), above=first)]
        self.held = []

    @rule(which=st.integers(0, 2), prompt=amounts, token=amounts, wanted=st.integers(1, 100))
    def reserve(self, which, prompt, token, wanted):
        before = self.ledgers[which].left.amount
        held = self.ledgers[which].reserve(prompt, token, wanted)
        if held is None:
            assert before < prompt + token * min(wanted, LEAST)
        else:
            assert held.tokens <= wanted
            assert held.amount == prompt + token * held.tokens <= before
            self.held.append((which, held))

    @rule(number=st.integers(0, 20), part=st.fractions(0, 1))
    def settle(self, number, part):
        if self.held:
            which, held = self.held.pop(number % len(self.held))
            self.ledgers[which].settle(held, held.amount * part.numerator / part.denominator)

    @invariant()
    def nobody_spends_more_than_his_limit(self):
        for one in getattr(self, "ledgers", ()):
            assert one.spent.amount <= one.limit.amount + Decimal("1e-20")


TestSpending = Spending.TestCase
TestSpending.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
