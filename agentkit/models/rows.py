"""What can be known of a model and of who serves it: the vocabulary of `catalog.toml`, and what a row answers.

Each field is a key of the file. A key is added only when two models need it, and each is read in one place.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import field, replace
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any, Literal

from agentkit.frozen import frozen
from agentkit.messages import Usage
from agentkit.money import Cost, Money

Reasoning = Literal["strip", "turn", "always"]
Thinking = Literal["never", "always", "on", "off"]
Streaming = Literal["asked", "thinking", "always"]
Choice = Literal["auto", "none", "required", "named"]
Format = Literal["json_object", "json_schema"]
Roles = Literal["any", "alternate"]
Hours = Literal["all", "peak", "off-peak"]

_RANGE = re.compile(r"([\[(])\s*(-?[\d._]+)\s*,\s*(-?[\d._]+|∞)\s*([\])])")


@frozen
class Range:
    """Numbers from `low` to `high`; written as in mathematics, `(0, 1]` is above 0 and up to 1."""

    low: float
    high: float
    above: bool = False
    below: bool = False

    @classmethod
    def parse(cls, text: str) -> Range:
        """Read `[0, 2]`, `(0, 1]`, `[1, ∞)`. Raises `ValueError` for anything else."""
        found = _RANGE.fullmatch(text.strip())
        if found is None:
            raise ValueError(f"`{text}` is no range such as `[0, 2]`, `(0, 1]` or `[1, ∞)`")
        high = math.inf if found[3] == "∞" else float(found[3])
        return cls(float(found[2]), high, found[1] == "(", found[4] == ")")

    def __contains__(self, value: float) -> bool:
        over = value > self.low if self.above else value >= self.low
        under = value < self.high if self.below else value <= self.high
        return over and under

    def __str__(self) -> str:
        low = f"above {self.low:g}" if self.above else f"{self.low:.15g}"
        if self.high == math.inf:
            return low if self.above else f"{low} or more"
        return f"{low} {'to below' if self.below else 'to'} {self.high:.15g}"


@frozen(kw_only=True)
class Price:
    """What a million tokens cost.

    Attributes:
        since: From when on (UTC).
        currency: `"USD"` or `"CNY"`; two currencies are never added.
        hit: Of the prompt, what the endpoint's cache held.
        miss: The rest of the prompt.
        output: Of the answer, reasoning included.
        hours: Whether it holds at all hours, in peak hours only, or outside of them.
        source: Where it is stated.
    """

    since: datetime
    currency: str
    hit: float
    miss: float
    output: float
    hours: Hours = "all"
    source: str = ""


@frozen(kw_only=True)
class Priced:
    """That a model costs, from a moment on, what another of the same provider costs.

    Attributes:
        like: The other one's name.
        since: From when on (UTC); its earlier prices do not count.
    """

    like: str
    since: datetime


@frozen(kw_only=True)
class ModelRow:
    """What is known of a model at a provider; the defaults are those of a compatible server of which nothing is known.

    Attributes:
        name: The name, spelt as it is sent; it is found in capitals and small letters alike.
        title: What it is, in a few words.
        also: Patterns (`*` for any text) of other names of the same model, which are sent as they were asked for.
        sent: The name that is sent in place of `name`; `""` for the same.
        body: Fields that go with every request to it.
        context: The context window, in tokens, prompt and answer together; 0 where it is not known.
        input: The longest prompt, in tokens, where that has a limit of its own (WIRE 2.3); else 0.
        output: The largest `max_tokens`; 0 where it is not known.
        output_default: The tokens it may write where `max_tokens` is not sent; 0 where that is not known.
        output_default_thinking: The same while it thinks.
        output_default_max: The same while it thinks at effort `max`, where that is more.
        first_byte: Seconds after which the endpoint gives a request up that it has not begun (WIRE 8).
        tools: Whether it takes tools in the request.
        max_tools: How many of them.
        choices: The values of `tool_choice` that it takes; `"named"` is the name of a tool.
        forced_thinking: Whether `required` and named choices are taken while it thinks (WIRE 3).
        formats: The types of `response_format` that it takes, besides `text`.
        prefix: Whether it completes a given beginning of the answer.
        fim: Whether it fills in the middle, when it does not think.
        vision: Whether it takes images.
        thinking: Whether it thinks: `"never"`, `"always"`, or by request, then `"on"` or `"off"` by default.
        thinking_on: The fields that make it think.
        thinking_off: The fields that keep it from thinking.
        efforts: The values of `reasoning_effort` that it takes; none: any.
        reasoning: Which reasoning goes back to it: none (`"strip"`), that of the turn under way (`"turn"`),
            or all of it, `""` where there was none (`"always"`); WIRE section 6.
        tags: Whether its reasoning may stand in the text, before `</think>`.
        roles: Whether it takes messages in any order, or users and assistants in turns and no system message
            (`"alternate"`; WIRE sections 2.3 and 7).
        stream: When the wire streams: only when the caller asks (`"asked"`), also whenever the model thinks
            (`"thinking"`), or always. Long silent replies are what proxies cut.
        takes: The settings that are sent, where the endpoint lists what it supports; nothing else is. None: any.
        drops: Settings that are not sent, since the endpoint refuses them.
        ignores: Settings that it takes without effect.
        ignores_thinking: Settings that it takes without effect while it thinks.
        ranges: The range of a setting where it is not the usual one.
        defaults: What holds for a setting that is not sent.
        temperatures: The temperature that is advised for a kind of work.
        served: Patterns of the names of other models that are known to answer in its place.
        peak: The peak hours, Monday to Friday, as `HH:MM-HH:MM` in UTC.
        prices: What it costs and cost, in any order.
        priced: Whose prices hold besides its own, and from when on.
        retired: When the name was or will be retired (UTC).
        instead: What to use in its place.
    """

    name: str
    title: str = ""
    also: tuple[str, ...] = ()
    sent: str = ""
    body: Mapping[str, Any] = field(default_factory=dict[str, Any])
    context: int = 0
    input: int = 0
    output: int = 0
    output_default: int = 0
    output_default_thinking: int = 0
    output_default_max: int = 0
    first_byte: int = 600
    tools: bool = True
    max_tools: int = 128
    choices: tuple[Choice, ...] = ("auto", "none", "required", "named")
    forced_thinking: bool = True
    formats: tuple[Format, ...] = ("json_object", "json_schema")
    prefix: bool = False
    fim: bool = False
    vision: bool = True
    thinking: Thinking = "off"
    thinking_on: Mapping[str, Any] = field(default_factory=lambda: {"thinking": {"type": "enabled"}})
    thinking_off: Mapping[str, Any] = field(default_factory=lambda: {"thinking": {"type": "disabled"}})
    efforts: tuple[str, ...] = ()
    reasoning: Reasoning = "strip"
    tags: bool = False
    roles: Roles = "any"
    stream: Streaming = "asked"
    takes: tuple[str, ...] = ()
    drops: tuple[str, ...] = ()
    ignores: tuple[str, ...] = ()
    ignores_thinking: tuple[str, ...] = ()
    ranges: Mapping[str, Range] = field(default_factory=dict[str, Range])
    defaults: Mapping[str, Any] = field(default_factory=dict[str, Any])
    temperatures: Mapping[str, float] = field(default_factory=dict[str, float])
    served: tuple[str, ...] = ()
    peak: tuple[str, ...] = ()
    prices: tuple[Price, ...] = ()
    priced: Priced | None = None
    retired: datetime | None = None
    instead: str = ""

    def __hash__(self) -> int:
        return hash(self.name)  # rows are keys wherever something is kept for each, and have many fields

    def thinks(self, asked: bool | None) -> bool:
        """Whether the model thinks in a request whose settings ask for this (`None`: they do not say)."""
        if self.thinking in ("never", "always"):
            return self.thinking == "always"
        return self.thinking == "on" if asked is None else asked

    def writes(self, *, thinks: bool, effort: str | None = None) -> int:
        """The tokens it may write where `max_tokens` is not sent; 0 where that is not known."""
        if not thinks:
            return self.output_default
        most = effort in ("max", "ultra")  # two words for the same (WIRE section 3)
        return (most and self.output_default_max) or self.output_default_thinking

    def streams(self, *, asked: bool, thinks: bool) -> bool:
        """Whether the wire streams: when the caller wants to look on, or the row asks for it."""
        return asked or self.stream == "always" or (self.stream == "thinking" and thinks)

    def succeeded(self) -> ModelRow:
        """The row that sends the name of its successor, and asks that for the thinking that this name stood for."""
        thinking = {"always": self.thinking_on, "never": self.thinking_off}.get(self.thinking, {})
        if self.takes:  # the endpoint lists what it takes
            thinking = {name: value for name, value in thinking.items() if name in self.takes}
        return replace(self, sent=self.instead, body={**thinking, **self.body})


@frozen(kw_only=True)
class Provider:
    """Where models are served.

    Attributes:
        name: The word before the colon of a model's name.
        title: Its name for people.
        base_url: The address that `/chat/completions` is added to; `""` where the caller must give one.
        also_at: Further addresses of the same endpoint, to fall back to.
        beta: What is added to the address, less its `/v1`, for prefix completion and FIM; `""` where there is neither.
        key: The environment variable that holds the API key; `""` where none is needed.
        address: The environment variable that may replace `base_url`; `""` for none.
        like: The provider whose models it serves too; `""` for none.
        open: Whether it takes any model name, also one that has no row.
        any: What is known of a model that has no row, where `open`.
        models: The rows, the most useful first.
    """

    name: str
    title: str = ""
    base_url: str = ""
    also_at: tuple[str, ...] = ()
    beta: str = ""
    key: str = ""
    address: str = ""
    like: str = ""
    open: bool = False
    any: ModelRow = ModelRow(name="")
    models: tuple[ModelRow, ...] = ()


def price_at(row: ModelRow, moment: datetime, currency: str | None = None) -> Price | None:
    """What the model costs at a moment; `None` where that is not known, which is not nothing.

    The latest prices that hold by then count, whatever their currency: older ones in another are history. Peak hours
    are those of the row, Monday to Friday; Chinese holidays have none at DeepSeek (WIRE 2.5), but are not known here,
    so the higher price is given for them.

    Args:
        row: The model.
        moment: When; with a time zone.
        currency: The account's, e.g. `"CNY"`; `None` takes the one that is stated first.

    Raises:
        ValueError: `moment` has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError("`moment` must have a time zone")
    moment = moment.astimezone(UTC)
    begun = [price for price in row.prices if price.since <= moment]
    if not begun:
        return None
    latest = max(price.since for price in begun)
    hours = ("all", "peak" if _is_peak(row, moment) else "off-peak")
    return next(
        (
            price
            for price in begun
            if price.since == latest and price.hours in hours and currency in (None, price.currency)
        ),
        None,
    )


def cost_of(usage: Usage, price: Price) -> Cost:
    """What a reply cost at a price: the prompt by what the cache held and what it did not, and the answer."""
    hit, miss, output = (Decimal(str(rate)) / 1_000_000 for rate in (price.hit, price.miss, price.output))
    amount = usage.cache_hit_tokens * hit + usage.cache_miss_tokens * miss + usage.completion_tokens * output
    saved = usage.cache_hit_tokens * (miss - hit)
    return Cost((Money(amount, price.currency),), (Money(saved, price.currency),))


def _is_peak(row: ModelRow, moment: datetime) -> bool:
    if moment.weekday() > 4:
        return False
    spans = (span.split("-") for span in row.peak)
    return any(time.fromisoformat(start) <= moment.time() < time.fromisoformat(end) for start, end in spans)
