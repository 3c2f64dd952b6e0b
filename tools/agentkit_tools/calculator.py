"""A tool that calculates: exact where numbers are rational, without `eval`, and bounded in all that can grow.

    agent = Agent("deepseek:deepseek-flash", tools=calculator())

An expression is read by a small parser of its own: numbers, `+ - * / // % ^ **`, brackets, and the names in `FUNCTIONS`
and `CONSTANTS`; there is nothing else in its language. Whole numbers and decimal fractions are kept as fractions, so
`0.1 + 0.2` is 0.3; roots, logarithms and the like are floating point numbers. Length, depth, the size of numbers and
the work for a power are checked before the work is done.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from typing import Any

from agentkit import Tool, ToolError, tool

MAX_LENGTH = 2_000
"""How many characters an expression may have."""

MAX_DEPTH = 50
"""How many brackets, signs and powers may stand one in the other."""

MAX_BITS = 10_000
"""The largest whole number, and the largest numerator and denominator: some 3,000 digits."""

DIGITS = 15
"""How many significant digits a result has that is not exact: as many as a floating point number holds for sure."""

Number = int | Fraction | float

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:[0-9][0-9_]*+(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?)"
    r"|(?P<name>[A-Za-z][A-Za-z0-9_]*+)|(?P<sign>\*\*|//|[-+*/%^(),]))"
)
_SPELLINGS = str.maketrans({"×": "*", "·": "*", "⋅": "*", "÷": "/", "∕": "/", "−": "-", "–": "-", "π": "pi"})


def calculator() -> list[Tool[..., Any]]:
    """The tool `calculate`."""

    @tool(side_effects="none")
    def calculate(expression: str) -> str:
        """Calculate an arithmetic expression.

        There are + - * / // % ^, brackets, pi, e, tau, and the functions abs, acos, asin, atan, atan2, cbrt, ceil,
        comb, cos, degrees, exp, factorial, floor, gcd, hypot, lcm, ln, log (to base 10, or log(x, base)), log2, log10,
        max, min, radians, round (also to places: round(x, 2)), sin, sqrt, sum, tan. Angles are in radians.

        Args:
            expression: The expression, e.g. (3 + 4.5) * 2^10 / sqrt(16). Numbers have no thousands separators.
        """
        return shown(evaluate(expression))

    return [calculate]


def evaluate(expression: str) -> Number:
    """The value of an expression.

    Raises:
        ToolError: It is no expression, it has no value, or it is larger than the limits.
    """
    if len(expression) > MAX_LENGTH:
        raise ToolError(f"the expression has {len(expression):,} characters; at most {MAX_LENGTH:,} are read")
    try:
        return _Reader(list(_tokens(expression.translate(_SPELLINGS)))).whole()
    except ZeroDivisionError:
        raise ToolError("there is a division by zero") from None
    except OverflowError:
        raise ToolError("a number is too large for a floating point calculation") from None


def shown(value: Number) -> str:
    """A value as it is told: whole numbers and short decimals exactly, others with `DIGITS` digits."""
    if isinstance(value, float):
        return f"{value + 0.0:.{DIGITS}g}"  # and no minus before a zero
    if isinstance(value, int):
        return str(value)
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    exact = Context(prec=100)
    if rest == 1:
        text = exact.divide(Decimal(value.numerator), Decimal(value.denominator))
        if Fraction(text) == value:
            return format(text.normalize(exact), "f" if -20 < text.adjusted() < 40 else "g")
    about = Context(prec=DIGITS).divide(Decimal(value.numerator), Decimal(value.denominator))
    return format(about.normalize(), "f" if -7 < about.adjusted() < 40 else "e")


# Reading.


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            rest = text[at:].lstrip()
            raise ToolError(f"`{rest[:20]}` cannot be read: it is no number, no operator and no name of a function")
        yield _Token(str(match.lastgroup), match[0].strip())
        at = match.end()
    yield _Token("end", "the end")


class _Reader:
    """Reads tokens and calculates as it goes.

    From loose to tight: `+ -`, then `* / // %`, then a sign, then a power (from the right, as in Python: `-2^2` is -4).
    """

    def __init__(self, tokens: list[_Token]) -> None:
        self.tokens = tokens
        self.at = 0
        self.depth = 0

    def whole(self) -> Number:
        value = self.sum()
        if self.next.kind != "end":
            raise ToolError(f"`{self.next.text[:20]}` is not expected there; an operator or the end is{self.hint()}")
        return value

    @property
    def next(self) -> _Token:
        return self.tokens[self.at]

    def take(self, *texts: str) -> str:
        """The next token's text if it is one of these signs, which are then passed; else `""`."""
        if self.next.kind == "sign" and self.next.text in texts:
            self.at += 1
            return self.tokens[self.at - 1].text
        return ""

    def sum(self) -> Number:
        value = self.product()
        while sign := self.take("+", "-"):
            value = _binary(sign, value, self.product())
        return value

    def product(self) -> Number:
        value = self.signed()
        while sign := self.take("*", "/", "//", "%"):
            value = _binary(sign, value, self.signed())
        return value

    def signed(self) -> Number:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ToolError(f"more than {MAX_DEPTH} brackets, signs or powers stand one in the other; take it in parts")
        sign = self.take("-", "+")
        value = self.signed() if sign else self.power()
        self.depth -= 1
        return -value if sign == "-" else value

    def power(self) -> Number:
        base = self.atom()
        return _power(base, self.signed()) if self.take("^", "**") else base

    def atom(self) -> Number:
        token = self.next
        self.at += 1
        if token.kind == "number":
            return _number(token.text)
        if token.kind == "name":
            return self.named(token.text)
        if token.text == "(":
            value = self.sum()
            self.close()
            return value
        raise ToolError(f"`{token.text}` stands where a number, a name or `(` is expected")

    def named(self, name: str) -> Number:
        if self.take("("):
            given = list[Number]()
            if not self.take(")"):
                given.append(self.sum())
                while self.take(","):
                    given.append(self.sum())
                self.close()
            return _call(name, given)
        if (value := CONSTANTS.get(name)) is not None:
            return value
        if name in FUNCTIONS:
            raise ToolError(f"`{name}` is a function: write `{name}(…)`")
        raise ToolError(f"there is no `{name[:20]}`; the names are {', '.join([*CONSTANTS, *FUNCTIONS])}")

    def close(self) -> None:
        if not self.take(")"):
            raise ToolError(f"`{self.next.text}` stands where `)` is expected{self.hint()}")

    def hint(self) -> str:
        return ". Write numbers without thousands separators" if self.next.text == "," else ""


def _number(text: str) -> Number:
    digits = text.replace("_", "")
    head, _, power = digits.lower().partition("e")
    if len(head) > MAX_BITS // 4 or len(power) > 6 or abs(int(power or "0")) > MAX_BITS // 4:
        raise ToolError(f"the number `{text[:20]}…` is too large")
    return _kept(Fraction(digits))


# Calculating, within bounds.


def _kept(value: Number) -> Number:
    """A value as it is kept: finite, small enough, and a fraction with denominator 1 as a whole number."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ToolError("the result is no finite number")
        return value
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
        raise ToolError(f"a number has more than {MAX_BITS * 3 // 10:,} digits, which is more than is calculated here")
    return value.numerator if value.denominator == 1 else value


def _binary(sign: str, left: Number, right: Number) -> Number:
    if sign == "+":
        return _kept(left + right)
    if sign == "-":
        return _kept(left - right)
    if sign == "*":
        return _kept(left * right)
    if sign == "//":
        return _kept(left // right)
    if sign == "%":
        return _kept(left % right)
    if isinstance(left, float) or isinstance(right, float):
        return _kept(left / right)
    return _kept(Fraction(left) / right)


def _power(base: Number, exponent: Number) -> Number:
    if isinstance(base, float) or not isinstance(exponent, int):
        if base < 0 and not float(exponent).is_integer():
            raise ToolError("a negative number has no real root of that kind")
        return _kept(float(base) ** float(exponent))
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if bits > 1 and abs(exponent) * (bits - 1) > MAX_BITS:  # before the work, and not after it
        raise ToolError(f"`^`: the result would have more than {MAX_BITS * 3 // 10:,} digits")
    if bits <= 1:  # 0, 1 and -1 to any power
        exponent = (exponent > 0) - (exponent < 0) if exponent % 2 else 2 * ((exponent > 0) - (exponent < 0))
    return _kept(Fraction(base) ** exponent)


def _call(name: str, given: list[Number]) -> Number:
    if name not in FUNCTIONS:
        raise ToolError(f"there is no function `{name[:20]}`; there are {', '.join(FUNCTIONS)}")
    function, least, most = FUNCTIONS[name]
    if not least <= len(given) <= most:
        wanted = str(least) if least == most else f"{least} or more" if most == _ANY else f"{least} to {most}"
        raise ToolError(f"`{name}` takes {wanted} number(s), and {len(given)} were given")
    try:
        return _kept(function(*given))
    except (ValueError, TypeError):
        values = ", ".join(shown(one)[:30] for one in given)
        raise ToolError(f"`{name}({values})` has no value") from None


def _whole(value: Number, most: int = MAX_BITS) -> int:
    """A whole number up to a limit, for functions whose work grows with it."""
    if value != int(value):
        raise ValueError(value)
    if abs(value) > most:
        raise ToolError(f"{shown(value)[:30]} is too large there: at most {most:,}")
    return int(value)


def _root(value: Number) -> Number:
    """The square root; exact where it is rational."""
    if isinstance(value, float) or value < 0:
        return math.sqrt(value)
    up, down = math.isqrt(value.numerator), math.isqrt(value.denominator)
    if up * up == value.numerator and down * down == value.denominator:
        return Fraction(up, down)
    return math.sqrt(value)


def _round(value: Number, places: Number = 0) -> Number:
    """Half to even, as Python does it."""
    at = _whole(places, 1000)
    return round(value, at) if at or isinstance(value, float) else round(value)


def _log(value: Number, base: Number = 10) -> Number:
    if base == 10:
        return math.log10(value)  # `math` takes whole numbers of any size, and fractions as floating point numbers
    return math.log2(value) if base == 2 else math.log(value) / math.log(base)


def _integers(function: Callable[..., int], most: int = 1 << MAX_BITS) -> Callable[..., int]:
    def checked(*values: Number) -> int:
        return function(*(_whole(one, most) for one in values))

    return checked


def _sum(*values: Number) -> Number:
    return sum(values)


_ANY = MAX_LENGTH

CONSTANTS: dict[str, Number] = {"pi": math.pi, "e": math.e, "tau": math.tau}
"""The names that stand for a number."""

FUNCTIONS: dict[str, tuple[Callable[..., Any], int, int]] = {
    "abs": (abs, 1, 1),
    "acos": (math.acos, 1, 1),
    "asin": (math.asin, 1, 1),
    "atan": (math.atan, 1, 1),
    "atan2": (math.atan2, 2, 2),
    "cbrt": (math.cbrt, 1, 1),
    "ceil": (math.ceil, 1, 1),
    "comb": (_integers(math.comb, 1000), 2, 2),
    "cos": (math.cos, 1, 1),
    "degrees": (math.degrees, 1, 1),
    "exp": (math.exp, 1, 1),
    "factorial": (_integers(math.factorial, 1000), 1, 1),
    "floor": (math.floor, 1, 1),
    "gcd": (_integers(math.gcd), 1, _ANY),
    "hypot": (math.hypot, 1, _ANY),
    "lcm": (_integers(math.lcm), 1, _ANY),
    "ln": (math.log, 1, 1),
    "log": (_log, 1, 2),
    "log10": (math.log10, 1, 1),
    "log2": (math.log2, 1, 1),
    "max": (max, 1, _ANY),
    "min": (min, 1, _ANY),
    "radians": (math.radians, 1, 1),
    "round": (_round, 1, 2),
    "sin": (math.sin, 1, 1),
    "sqrt": (_root, 1, 1),
    "sum": (_sum, 1, _ANY),
    "tan": (math.tan, 1, 1),
}
"""The functions by name, with how many numbers they take at least and at most."""
