"""The calculator: right where numbers are exact, and never slow, whatever it is given."""

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit import ToolError
from agentkit_tools import calculator as module
from agentkit_tools.calculator import calculator, evaluate

(calculate,) = calculator()

VALUES = {
    "0.1 + 0.2": "0.3",
    "1/3": "0.333333333333333",
    "1/3 + 1/3 + 1/3": "1",
    "2^10": "1024",
    "2**10": "1024",
    "-2^2": "-4",
    "(-2)^2": "4",
    "2^-2": "0.25",
    "2^3^2": "512",
    "2 * -3": "-6",
    "--1": "1",
    "7 % 3": "1",
    "-7 // 2": "-4",
    "7.5 // 2": "3",
    "1e3": "1000",
    "1.5e-3": "0.0015",
    ".5 + 5.": "5.5",
    "1_000 + 1": "1001",
    "100000000000000000000.5": "100000000000000000000.5",
    "12345678901234567890 * 98765432109876543210": "1219326311370217952237463801111263526900",
    "123456789.123456789 * 1000": "123456789123.456789",
    "0.1^300": "1e-300",
    "1/3000000000": "3.33333333333333e-10",
    "sqrt(16)": "4",
    "sqrt(1/4)": "0.5",
    "sqrt(2)": "1.4142135623731",
    "cbrt(27)": "3",
    "2^0.5": "1.4142135623731",
    "16^(1/2)": "4",
    "log(1000)": "3",
    "log(8, 2)": "3",
    "log(10^2000)": "2000",
    "ln(e)": "1",
    "sin(pi/6)": "0.5",
    "atan2(1, 1) * 4": "3.14159265358979",
    "degrees(pi)": "180",
    "hypot(3, 4)": "5",
    "abs(-2.5)": "2.5",
    "floor(-2.5)": "-3",
    "ceil(2.1)": "3",
    "round(2.5)": "2",
    "round(2.675, 2)": "2.68",
    "round(1234, -2)": "1200",
    "max(1, 2.5, 2)": "2.5",
    "min(1, 1/2)": "0.5",
    "sum(1, 2, 3)": "6",
    "gcd(12, 18)": "6",
    "lcm(4, 6)": "12",
    "comb(5, 2)": "10",
    "factorial(20)": "2432902008176640000",
    "6 × 7 ÷ 2 − 1": "20",
    "2·π": "6.28318530717959",
    "1^99999999999999999999999999": "1",
    "(-1)^99999999999999999999999999": "-1",
    "(-1)^99999999999999999999999998": "1",
    "0^99999999999": "0",
    "0^0": "1",
    "sin(0) * -1": "0",
}


@pytest.mark.parametrize("expression", VALUES)
def test_expressions_have_their_values(expression):
    assert calculate(expression) == VALUES[expression]


REFUSED = {
    "9**9**9": "digits",
    "9^9^9^9^9^9": "digits",
    "10^10^100": "digits",
    "2^-99999999": "digits",
    "(1/3)^99999999": "digits",
    "1e99999999": "too large",
    "1e999999999999999999": "too large",
    "9" * 1_990 + "^9": "digits",
    "exp(1)^1000000": "too large for a floating point",
    "exp(10000)": "too large for a floating point",
    "factorial(1001)": "at most 1,000",
    "factorial(factorial(20))": "at most 1,000",
    "comb(99999999, 5000)": "at most 1,000",
    "factorial(-1)": "no value",
    "factorial(2.5)": "no value",
    "round(1.5, 10^9)": "at most 1,000",
    "10^3000 * 10^3000": "digits",
    "sqrt(-1)": "no value",
    "log(0)": "no value",
    "log(8, 1)": "division by zero",
    "(-8)^(1/3)": "no real root",
    "1/0": "division by zero",
    "1 % 0": "division by zero",
    "0^-1": "division by zero",
    "(" * 1_999: "more than 50",
    "(" * 60 + "1" + ")" * 60: "more than 50",
    "-" * 1_900 + "1": "more than 50",
    "2^" * 900 + "1": "more than 50",
    "abs(" * 400: "more than 50",
    "1+" * 2_000 + "1": "at most 2,000",
    "1" * 10_000_000: "at most 2,000",
    "1,000 * 2": "without thousands separators",
    "(1,000 * 2)": "without thousands separators",
    "2 3": "not expected",
    "2pi": "not expected",
    "5!": "cannot be read",
    "": "the end",
    "   ": "the end",
    "+": "the end",
    "(1": "`)` is expected",
    "1)": "not expected",
    "sqrt": "is a function",
    "sqrt()": "takes 1",
    "sqrt(1, 2)": "takes 1",
    "max()": "takes 1 or more",
    "log(1, 2, 3)": "takes 1 to 2",
    "foo": "there is no `foo`",
    "foo(1)": "no function `foo`",
    "__import__('os').system('id')": "cannot be read",
    "().__class__": "cannot be read",
    "()": "stands where",
    "e.__class__": "cannot be read",
    "abs.__globals__": "cannot be read",
    "lambda: 1": "cannot be read",
    "lambda x": "there is no `lambda`",
    "[1 for x in 1]": "cannot be read",
    "'a' * 10": "cannot be read",
    "1 if 1 else 2": "not expected",
    "x := 1": "cannot be read",
    "0x10": "not expected",
    "１+１": "cannot be read",
    "1\x00": "cannot be read",
    "\ud800": "cannot be read",
    "1 + True": "there is no `True`",
    "nan": "there is no `nan`",
    "inf": "there is no `inf`",
}


@pytest.mark.parametrize("expression", REFUSED, ids=[repr(one[:30]) for one in REFUSED])
def test_what_is_no_expression_or_too_large_is_refused_in_words(expression):
    with pytest.raises(ToolError, match=REFUSED[expression].replace("(", r"\(").replace(")", r"\)")) as refused:
        calculate(expression)
    assert len(str(refused.value)) < 400


def test_the_result_is_never_longer_than_a_number_may_be():
    assert len(calculate("10^3000")) == 3001
    assert len(calculate("lcm(10^900, 7^1000, 3^1500)")) < 3100


@given(st.text(alphabet="0123456789.e+-*/%^(), sqrtmaxlogpi_\n'\"[]×π", max_size=60))
def test_any_text_is_a_value_or_refused(text):
    try:
        told = calculate(text)
    except ToolError:
        return
    assert float(told) == float(told)
    assert len(told) < 3_100


numbers = st.integers(-(10**6), 10**6).map(str) | st.decimals(-1000, 1000, places=3).map(lambda one: f"{one:f}")
expressions = st.recursive(
    numbers.map(lambda one: f"({one})"),
    lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda one: f"({''.join(one)})"),
    max_leaves=12,
)


@given(expressions)
def test_the_four_operations_are_exact(expression):
    """Python's own reading of the same text, with its numbers as fractions, is the measure."""
    exact = re.sub(r"[0-9]+(?:\.[0-9]+)?", lambda match: f"Fraction('{match[0]}')", expression)
    try:
        meant = eval(exact)
    except ZeroDivisionError:
        with pytest.raises(ToolError, match="division by zero"):
            evaluate(expression)
        return
    value = evaluate(expression)
    assert isinstance(value, int | Fraction)
    assert value == meant


def test_each_name_in_the_description_is_there_and_each_there_is_in_it():
    described = set(re.findall(r"\w+", calculate.description))
    assert {*module.FUNCTIONS, *module.CONSTANTS} <= described
    assert calculate.side_effects == "none"
    assert calculate.schema["required"] == ["expression"]
