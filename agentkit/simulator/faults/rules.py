"""When which fault happens: rules, and how they are written.

    RULE   = FAULT [":" RATE | "@" NUMBERS]
    FAULT  = NAME ["(" VALUE, …, OPTION "=" VALUE, … ")"]
    NUMBERS = N | N "-" M | N "-", with commas between them

`429:0.1` happens to one request in ten, `stall@3` to the third, `cut-chunk@2-4,9-` to the second, third, fourth and
all from the ninth on, `leak(v4, bars=ascii)` to each. Requests are counted from 1.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentkit.errors import ConfigurationError
from agentkit.simulator.faults.catalog import FAULTS
from agentkit.simulator.faults.kinds import Fault, Option

_RULE = re.compile(r"\s*([\w-]+)\s*(?:\(([^()]*)\))?\s*(?::\s*([^@:]*)|@\s*([^@:]*))?\s*")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}
_WHERE_LISTED = "`agentkit sim --list-faults` tells all"


@dataclass(frozen=True, slots=True)
class Rule:
    """A fault, and when it happens.

    Attributes:
        fault: The fault.
        options: All its options with their values.
        rate: The share of requests that it happens to, where `numbers` does not say which.
        numbers: The first and last number of each span of requests; a last one of 0 means that the span has no end.
    """

    fault: Fault
    options: Mapping[str, Any]
    rate: float = 1.0
    numbers: tuple[tuple[int, int], ...] = ()

    def meets(self, number: int, chance: float) -> bool:
        """Whether it happens to the request of a number, given a draw from 0 to 1."""
        if self.numbers:
            return any(first <= number and (not last or number <= last) for first, last in self.numbers)
        return chance < self.rate

    def __str__(self) -> str:
        return shown(self.fault, self.options)


def shown(fault: Fault, options: Mapping[str, Any]) -> str:
    """A fault as it is written, with the options that are not as by default."""
    told = [
        f"{option.name}={options[option.name]}" for option in fault.options if options[option.name] != option.default
    ]
    return f"{fault.name}({', '.join(told)})" if told else fault.name


def rule(text: str) -> Rule:
    """Read a rule.

    Raises:
        ConfigurationError: It is not written so, no fault has that name, or an option has no such value.
    """
    match = _RULE.fullmatch(text)
    if not match:
        raise ConfigurationError(
            f"fault `{text}`: write a name, `name:RATE` or `name@NUMBER`, such as `429:0.1` or `stall(20s)@3`",
            code="bad-simulator",
        )
    name, options, rate, numbers = match.groups()
    fault = _named(name)
    given = _options(fault, options or "")
    if rate is not None:
        return Rule(fault, given, rate=_rate(text, rate))
    return Rule(fault, given, numbers=_numbers(text, numbers) if numbers is not None else ())


def rules(texts: str | Rule | Iterable[str | Rule]) -> tuple[Rule, ...]:
    """Read one or several rules; those that are rules already stay as they are.

    Raises:
        ConfigurationError: As `rule`.
    """
    several = (texts,) if isinstance(texts, (str, Rule)) else texts
    return tuple(one if isinstance(one, Rule) else rule(one) for one in several)


def in_turn(*faults: str | None) -> tuple[Rule, ...]:
    """A script: the first request meets the first fault, the second the second; `None` stands for none.

    Several faults of one request are written with `+` between them. After the last one nothing happens any more.

    Raises:
        ConfigurationError: As `rule`; also where one says itself when it happens.
    """
    return tuple(
        Rule(one.fault, one.options, numbers=((number, number),))
        for number, text in enumerate(faults, 1)
        for one in at_once(text or "")
    )


def at_once(text: str) -> tuple[Rule, ...]:
    """Read faults with `+` between them, as the request header has them.

    Raises:
        ConfigurationError: As `rule`; also where one says when it happens.
    """
    found = rules(part for part in text.split("+") if part.strip())
    for one in found:
        if one.numbers or one.rate != 1.0:
            raise ConfigurationError(
                f"faults `{text}`: they are for one request, so no `:RATE` and no `@NUMBER`", code="bad-simulator"
            )
    return found


def _named(name: str) -> Fault:
    if name in FAULTS:
        return FAULTS[name]
    near = difflib.get_close_matches(name, FAULTS, n=2)
    guess = f"; did you mean {' or '.join(f'`{one}`' for one in near)}?" if near else ""
    raise ConfigurationError(f"there is no fault `{name}`{guess} ({_WHERE_LISTED})", code="bad-simulator")


def _options(fault: Fault, text: str) -> dict[str, Any]:
    values: dict[str, Any] = {option.name: option.default for option in fault.options}
    for place, part in enumerate(part.strip() for part in text.split(",")):
        if not part:
            continue
        name, equals, value = (piece.strip() for piece in part.partition("="))
        option = _option(fault, name if equals else "", place)
        values[option.name] = _value(fault, option, value if equals else part)
    return values


def _option(fault: Fault, name: str, place: int) -> Option:
    known: Sequence[Option] = fault.options
    if not name and place < len(known):
        return known[place]
    for option in known:
        if option.name == name.replace("-", "_"):
            return option
    names = ", ".join(f"`{option.name}`" for option in known)
    told = f"its options are {names}" if names else "it has no options"
    raise ConfigurationError(
        f"fault `{fault.name}` has no option {f'`{name}`' if name else place + 1}: {told}", code="bad-simulator"
    )


def _value(fault: Fault, option: Option, text: str) -> Any:
    where = f"fault `{fault.name}`, option `{option.name}`"
    if option.choices:
        if text not in option.choices:
            raise ConfigurationError(
                f"{where}: `{text}` is none of {', '.join(f'`{one}`' for one in option.choices)}", code="bad-simulator"
            )
        return text
    if option.seconds:
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|)", text)
        if not match:
            raise ConfigurationError(
                f"{where}: `{text}` is no time; write `500ms`, `20s` or `30m`", code="bad-simulator"
            )
        return float(match[1]) * _UNITS[match[2]]
    if isinstance(option.default, str):
        return text
    if not text.isascii() or not text.isdigit():
        raise ConfigurationError(f"{where}: `{text}` is no whole number", code="bad-simulator")
    return int(text)


def _rate(rule: str, text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = -1.0
    if not 0.0 <= rate <= 1.0:
        raise ConfigurationError(f"fault `{rule}`: the rate `{text}` is no number from 0 to 1", code="bad-simulator")
    return rate


def _numbers(rule: str, text: str) -> tuple[tuple[int, int], ...]:
    spans: list[tuple[int, int]] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*([1-9]\d*)\s*(?:(-)\s*([1-9]\d*)?)?\s*", part, re.ASCII)
        if not match or (match[3] and int(match[3]) < int(match[1])):
            raise ConfigurationError(
                f"fault `{rule}`: `{part.strip()}` is no number of a request;"
                " they count from 1, as in `@3`, `@2-4` or `@5-`",
                code="bad-simulator",
            )
        spans.append((int(match[1]), int(match[3]) if match[3] else (0 if match[2] else int(match[1]))))
    return tuple(spans)
