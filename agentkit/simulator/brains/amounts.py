"""Which number of a text belongs to which parameter: a beginning, an end, how many, how much money, or by its unit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from agentkit.simulator.brains.evidence import Quantity
from agentkit.simulator.brains.words import STOP, stem, words

_NAMES = (
    ("many", frozenset("n count limit top max maximum first number results size times least".split())),
    ("start", frozenset("start from begin beginning offset since skip".split())),
    ("end", frozenset("end to until stop".split())),
    ("money", frozenset("amount price cost total budget money fee".split())),
)
"""The words in a parameter's name that say which part a number plays for it."""

_UNIT = r"(?:lines?|pages?|rows?|items?|numbers?|entries|entry|records?|no\.?)"
_BEFORE_MANY = re.compile(
    r"\b(?:first|top|last|at most|at least|up to|no more than|not more than|maximum(?: of)?|max|limit(?:ed)?(?: to)?|"
    r"only|within|next)\s*$"
)
_BEFORE_START = re.compile(
    rf"\b(?:from|since|after|offset|skip|(?:start|begin)(?:s|ing)?)\s+(?:(?:at|from|with|on)\s+)?(?:the\s+)?{_UNIT}?\s*$"
    rf"|\b{_UNIT}\s+$"
)
_BEFORE_END = re.compile(rf"(?:\d\s*(?:to|-|–|through|until|till)|\b(?:until|till|up\s+to\s+{_UNIT}))\s*{_UNIT}?\s*$")
_AFTER_MANY = re.compile(r"\s*(?:results|items|entries|lines|rows|pages|hits|matches)\b")
_MONEY_STEMS = frozenset(
    map(stem, "usd eur gbp jpy chf cny inr dollar euro pound yen franc yuan rupee cent buck".split())
)
_AFTER_MONEY = re.compile(r"\s*([a-z]+|[$€£¥])")


def role(text: str, quantity: Quantity) -> str:
    """The part that a number plays in its text: `"start"`, `"end"`, `"many"`, `"money"`, or `""` for none."""
    before, after = text[: quantity.start].lower()[-48:], text[quantity.end :].lower()[:24]
    unit = _AFTER_MONEY.match(after)
    if re.search(r"[$€£¥]\s*$", before) or (unit and (unit[1] in "$€£¥" or stem(unit[1]) in _MONEY_STEMS)):
        return "money"
    if _BEFORE_END.search(before):
        return "end"
    if _BEFORE_MANY.search(before) or _AFTER_MANY.match(after):
        return "many"
    if _BEFORE_START.search(before):
        return "start"
    return "money" if re.fullmatch(r"\d+\.\d\d", text[quantity.start : quantity.end]) else ""


def belongs(name: str, schema: Mapping[str, Any], quantity: Quantity, text: str) -> bool:
    """Whether a number is plainly meant for a parameter."""
    parts = set(words(name))
    kind = next((kind for kind, known in _NAMES if parts & known), "")
    found = role(text, quantity)
    if kind and found:
        return kind == found
    if kind in ("start", "end"):
        return False
    named = {stem(word) for word in parts}
    beside = {stem(word) for word in (quantity.before, quantity.after) if word and word not in STOP}
    if named & beside:
        return True
    if kind:
        return False
    after = stem(quantity.after) if quantity.after and quantity.after not in STOP else ""
    return bool(after) and after in {stem(word) for word in words(str(schema.get("description", "")))[:8]}
