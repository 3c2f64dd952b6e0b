"""What is known of one model, in words: `agentkit models NAME`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from agentkit.models.fit import CHOICES
from agentkit.models.rows import price_at

if TYPE_CHECKING:
    from agentkit.models.rows import ModelRow, Price, Provider

Section = tuple[str, Sequence[tuple[str, object]]]

_THINKS = {
    "never": "never",
    "always": "always",
    "on": "unless asked not to (`thinking=False`)",
    "off": "if asked to (`thinking=True`)",
}
_REASONING = {
    "strip": "is not sent back",
    "turn": "is sent back within the turn under way",
    "always": "is always sent back",
}
_ROLES = {
    "any": "any order, a system message first",
    "alternate": "user and assistant by turns; instructions go into the first message of the user",
}


def explained(provider: Provider, row: ModelRow, now: datetime) -> list[Section]:
    """All that the catalog knows of a model, in sections of labels and values.

    Args:
        provider: Where it is served.
        row: The model.
        now: The moment whose price is shown; with a time zone.
    """
    sections: list[Section] = [
        (f"{provider.name}:{row.name}", _what(provider, row)),
        ("Limits, in tokens", _limits(row)),
        ("What it can do", _abilities(provider, row)),
        ("Settings", _settings(row)),
        ("Temperature, as advised", [(work, f"{value:g}") for work, value in row.temperatures.items()]),
        (f"Price now ({now:%Y-%m-%d %H:%M} UTC), per million tokens", _prices(row, now)),
    ]
    return [(head, lines) for head, lines in sections if lines]


def _what(provider: Provider, row: ModelRow) -> list[tuple[str, object]]:
    lines: list[tuple[str, object]] = [("provider", provider.title)]
    if row.title:
        lines.append(("model", row.title))
    if row.instead:
        lines.append(("use instead", f"{provider.name}:{row.instead}"))
    if row.retired:
        lines.append(("retired", f"{row.retired:%Y-%m-%d}"))
    if row.also:
        lines.append(("also known as", list(row.also)))
    lines.append(("address", provider.base_url or "give `base_url=`"))
    if provider.also_at:
        lines.append(("falls back to", list(provider.also_at)))
    lines.append(("key", f"${provider.key}" if provider.key else "none needed"))
    return lines


def _limits(row: ModelRow) -> list[tuple[str, object]]:
    counts = (
        ("context window", row.context),
        ("longest prompt", row.input),
        ("longest answer", row.output),
        ("answer by default", row.output_default),
        ("while thinking", row.output_default_thinking if row.thinking != "never" else 0),
        ("at effort `max`", row.output_default_max if row.thinking != "never" else 0),
    )
    return [(label, f"{count:,}" if count else "not known") for label, count in counts if count or label[0] == "c"]


def _abilities(provider: Provider, row: ModelRow) -> list[tuple[str, object]]:
    tools = f"up to {row.max_tools}" if row.tools else "no function calling: told in words"
    lines: list[tuple[str, object]] = [("tools", tools)]
    if row.tools:
        choices = [choice if choice in CHOICES else "a tool's name" for choice in row.choices]
        lines.append(("tool_choice", choices))
        if not row.forced_thinking and row.thinking != "never":
            lines.append(("  while thinking", "a forced call is sent as `auto`, with a reminder in words"))
    beta = f" (beta, at {provider.beta})" if provider.beta else ""
    lines += [
        ("response_format", ["text", *row.formats]),
        ("prefix completion", f"yes{beta}" if row.prefix else "no"),
        ("fill in the middle", f"yes{beta}" if row.fim else "no"),
        ("images", "yes" if row.vision else "no"),
        ("thinks", _THINKS[row.thinking]),
        ("its reasoning", _REASONING[row.reasoning]),
        ("messages", _ROLES[row.roles]),
        ("streams on the wire", {"asked": "if asked", "thinking": "while it thinks", "always": "always"}[row.stream]),
        ("gives up unbegun after", f"{row.first_byte // 60} minutes"),
    ]
    return lines


def _settings(row: ModelRow) -> list[tuple[str, object]]:
    lines: list[tuple[str, object]] = [(f"{name} by default", value) for name, value in row.defaults.items()]
    lines += [(f"{name} range", str(wanted)) for name, wanted in row.ranges.items()]
    for label, names in (
        ("reasoning_effort", row.efforts),
        ("takes only", row.takes),
        ("not sent", row.drops),
        ("without effect", row.ignores),
        ("while thinking, too", row.ignores_thinking if row.thinking != "never" else ()),
    ):
        if names:
            lines.append((label, list(names)))
    return lines


def _prices(row: ModelRow, now: datetime) -> list[tuple[str, object]]:
    currencies = list(dict.fromkeys(price.currency for price in row.prices))
    found = [price for currency in currencies if (price := price_at(row, now, currency)) is not None]
    return [(price.currency, _price(price)) for price in found] or [("not known", "")]


def _price(price: Price) -> str:
    hours = "" if price.hours == "all" else f", {price.hours} hours"
    return (
        f"{price.miss:g} in, {price.hit:g} in from the cache, {price.output:g} out{hours}"
        f" (since {price.since:%Y-%m-%d}; {price.source})"
    )
