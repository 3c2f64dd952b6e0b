"""Sums in words and signs, as trees, and their evaluation with the tools at hand, step by step."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agentkit.simulator.brains.schemas import as_map, fits, plain, properties, required
from agentkit.simulator.brains.words import NUMBERS, meanings, stem
from agentkit.simulator.request import Tool


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it stands in the text."""

    value: float


@dataclass(frozen=True, slots=True)
class Operation:
    """Two operands and one of `+ - * / ^ %`."""

    sign: str
    left: Node
    right: Node


Node = Number | Operation

# ── From a text to trees ─────────────────────────────────────────────────────────────────────────────────────────────

_NUMBER = r"-?\d+(?:\.\d+)?"


def _nested(depth: int) -> str:
    """A pattern for a pair of brackets with others inside, so many deep."""
    return rf"\([^()]*(?:{_nested(depth - 1)}[^()]*)*\)" if depth else r"\([^()]*\)"


_GROUP = _nested(4)
_TERM = rf"(?:{_GROUP}|(?<![\w.]){_NUMBER}(?![\w%]))"
_RUN = re.compile(rf"{_TERM}(?:\s*[-+*/^]\s*(?:{_GROUP}|{_NUMBER}(?![\w%])))+")
_IT = r"(?:\s+(?:it|that|this|them|the\s+(?:result|sum|product|answer|total|difference|quotient|whole|outcome)))?"
_THEN = r"\s*[,.;?]?\s*(?:and\s+)?(?:then\s+)?(?:finally\s+)?"
_NEXT = r"(?:\s*[,.;]\s*(?:and\s+)?(?:then\s+)?|\s+(?:and\s+then|and|then)\s+)"
_A, _B = rf"({_TERM})", rf"({_TERM})"

_LONGEST = 200
"""How many numbers, signs and brackets a sum may have."""
_GROUPS = re.compile(_GROUP)
_START = re.compile(r"[-\d(]")
"""How runs and groups begin."""
_LIST = re.compile(
    r"\b(sum of|total of|product of|add(?:ing)?(?: up)?|multiply)\s+"
    rf"({_NUMBER}(?:(?:\s*,\s*(?:and\s+)?|\s+and\s+){_NUMBER}){{2,}})"
    r"(?![\w.]|\s+(?:by|to|from)\b)"
)

_SIGNS = (
    ("multiplied", r"\bmultiplied\s+(?:by|with)\b", " * "),
    ("times × · x", r"(?<=[\d)])\s*(?:\btimes\b|[×·]|\bx\b)\s*(?=[\d(-])", " * "),
    ("divided ÷", r"\bdivided\s+by\b|÷", " / "),
    ("power **", r"\b(?:raised\s+)?to\s+the\s+power\s+of\b|\*\*", " ^ "),
    ("plus", r"(?<=[\d)])\s*\bplus\b\s*(?=[\d(-])", " + "),
    ("minus less", r"(?<=[\d)])\s*\b(?:minus|less)\b\s*(?=[\d(-])", " - "),
    ("over", r"(?<=[\d)])\s*\bover\b\s*(?=[\d(-])", " / "),
    ("− –", r"−|–", "-"),
)

_PHRASES = (
    ("% percent", rf"({_NUMBER})\s*(?:%|percent)\s+of\s+{_B}", r"(\1 / 100 * \2)"),
    ("sum total", rf"\b(?:sum|total)\s+of\s+{_A}\s+and\s+{_B}", r"(\1 + \2)"),
    ("product", rf"\bproduct\s+of\s+{_A}\s+and\s+{_B}", r"(\1 * \2)"),
    ("difference", rf"\bdifference\s+(?:between|of)\s+{_A}\s+and\s+{_B}", r"(\1 - \2)"),
    ("quotient ratio", rf"\b(?:quotient|ratio)\s+of\s+{_A}\s+and\s+{_B}", r"(\1 / \2)"),
    ("add", rf"\badd(?:ing)?\s+{_A}\s+(?:and|to|with)\s+{_B}", r"(\1 + \2)"),
    ("subtract take", rf"\b(?:subtract(?:ing)?|take(?:\s+away)?)\s+{_A}\s+from\s+{_B}", r"(\2 - \1)"),
    ("multiply", rf"\bmultiply(?:ing)?\s+{_A}\s+(?:by|and|with)\s+{_B}", r"(\1 * \2)"),
    ("divid", rf"\bdivid(?:e|ing)\s+{_A}\s+by\s+{_B}", r"(\1 / \2)"),
    ("raise", rf"\braise\s+{_A}\s*\^\s*{_B}", r"(\1 ^ \2)"),
    ("half", rf"\bhalf\s+of\s+{_A}", r"(\1 / 2)"),
    ("double twice", rf"\b(?:double|twice)\s+{_A}", r"(2 * \1)"),
    ("triple", rf"\btriple\s+{_A}", r"(3 * \1)"),
    ("square", rf"{_A}\s+squared\b|\bsquare\s+of\s+{_B}", r"(\1\2 ^ 2)"),
    ("cube", rf"{_A}\s+cubed\b|\bcube\s+of\s+{_B}", r"(\1\2 ^ 3)"),
)

_CHAINS = (
    ("add plus", rf"{_A}{_THEN}(?:add|plus)(?:ing)?\s+{_B}(?:\s+to{_IT})?", r"(\1 + \2)"),
    (
        "subtract minus take",
        rf"{_A}{_THEN}(?:subtract|minus|take\s+away)(?:ing)?\s+{_B}(?:\s+from{_IT})?",
        r"(\1 - \2)",
    ),
    ("multipl times", rf"{_A}{_THEN}(?:multipl(?:y|ied|ying)|times){_IT}\s+(?:by|with)?\s*{_B}", r"(\1 * \2)"),
    ("*", rf"{_A}{_NEXT}\*\s*{_B}", r"(\1 * \2)"),
    ("divid", rf"{_A}{_THEN}divid(?:e|ed|ing){_IT}\s+by\s+{_B}", r"(\1 / \2)"),
    ("/", rf"{_A}{_NEXT}/\s*{_B}", r"(\1 / \2)"),
    ("double", rf"{_A}{_THEN}(?:double|doubled){_IT}", r"(\1 * 2)"),
    ("halve", rf"{_A}{_THEN}(?:halve|halved){_IT}", r"(\1 / 2)"),
    ("square", rf"{_A}{_THEN}(?:square|squared){_IT}", r"(\1 ^ 2)"),
)

Rule = tuple[tuple[str, ...], re.Pattern[str], str]
"""The words of which a line must have one (looking for those is quick), a pattern, and what stands in its place."""


def _compiled(rules: Sequence[tuple[str, str, str]]) -> list[Rule]:
    return [(tuple(words.split()), re.compile(pattern), instead) for words, pattern, instead in rules]


_SIGN_RULES, _PHRASE_RULES, _CHAIN_RULES = _compiled(_SIGNS), _compiled(_PHRASES), _compiled(_CHAINS)
_NO_SUM = (re.compile(r"https?://\S+"), re.compile(r"\d(?:\d{3}-\d\d-\d\d|\d*(?:\.\d+){2,})"))
"""Addresses, dates and versions; each pattern begins with what is quick to look for."""
_CODE = re.compile(r"\b[a-z]+-\d+\b")
_CODE_HINT = re.compile(r"-(?<=[a-z]-)\d")
_DIGITS = re.compile(r"\d+")
_WORDS = re.compile(r"[a-z]+")
_REACH = 200
"""How many characters a number may be away from the words that say what is done with it."""
_HAS_NUMBERS = re.compile(rf"\d|\b(?:{'|'.join(NUMBERS)})\b", re.IGNORECASE)
_NUMBER_WORDS = re.compile(rf"\b(?:{'|'.join(NUMBERS)})\b")


def sums(text: str) -> list[Operation]:
    """The sums that a text speaks of, in signs or in words, in the order they stand there.

    `"(3 + 4) * 5"`, `"add 2 and 3, then multiply by 4"`, `"15% of 80"`. Dates and version numbers are none.
    """
    if not _HAS_NUMBERS.search(text):
        return []
    line = text.lower()
    for pattern in _NO_SUM:
        line = pattern.sub(" ", line)
    if _CODE_HINT.search(line):
        line = _CODE.sub(" ", line)
    line = re.sub(r",(?<=\d,)(?=\d{3}\b)", "", line)
    if not NUMBERS.keys().isdisjoint(_WORDS.findall(line)):
        line = _NUMBER_WORDS.sub(lambda match: str(NUMBERS[match.group()]), line)
    line = _near_numbers(line)
    for _ in range(12):
        before = line
        line = _rewritten(line, _SIGN_RULES)
        line = _bracketed(_LIST.sub(_list_of, line))
        for rules in (_PHRASE_RULES, _CHAIN_RULES):
            line = _rewritten(line, rules, count=1)
        if line == before or len(line) > 8_000:
            break
    nodes = [node for match in re.finditer(_GROUP, line) if (node := _parse(match.group())) is not None]
    return [node for node in nodes if isinstance(node, Operation)]


def _near_numbers(line: str) -> str:
    """What stands near the numbers of a line, since the rest of a long one has no sum."""
    if len(line) <= 2 * _REACH:
        return line
    parts: list[str] = []
    begin = end = 0
    for match in _DIGITS.finditer(line):
        if match.start() - _REACH > end:
            parts.append(line[begin:end])
            begin = match.start() - _REACH
        end = match.end() + _REACH
    return " … ".join((*parts, line[begin:end]))


_FORMULA = re.compile(
    r"(?:\b[a-z][a-z0-9]*\(|[\d()]|(?<=[\d)\s,])[-+*/^%,]|(?<=\d)\.(?=\d)|\bpi\b|\s+)+", re.IGNORECASE
)


def formula(text: str) -> str:
    """The expression in a text that has functions in it, such as `sqrt(2) * 3`, as it stands; empty where none has."""
    if "(" not in text:
        return ""
    found = [match.group().strip(" ,\n") for match in _FORMULA.finditer(text)]
    fit = [
        one
        for one in found
        if re.search(r"[a-z]\w*\(.*\d.*\)", one, re.IGNORECASE) and one.count("(") == one.count(")")
    ]
    return max(fit, key=len, default="")


def _rewritten(line: str, rules: Sequence[Rule], count: int = 0) -> str:
    for words, pattern, instead in rules:
        if any(word in line for word in words):
            line = pattern.sub(instead, line, count=count)
    return line


def _list_of(match: re.Match[str]) -> str:
    """`the sum of 1, 2 and 3` as `(1 + 2 + 3)`."""
    sign = " * " if match[1].startswith(("product", "multiply")) else " + "
    return f"({sign.join(re.findall(_NUMBER, match[2]))})"


def _bracketed(line: str) -> str:
    """Brackets round every run of signs and numbers that stands outside brackets."""
    parts: list[str] = []
    at = 0
    while start := _START.search(line, at):
        parts.append(line[at : start.start()])
        at = start.start()
        if run := _RUN.match(line, at):
            parts.append(f"({run.group()})")
            at = run.end()
        elif group := _GROUPS.match(line, at):
            parts.append(group.group())
            at = group.end()
        else:
            parts.append(line[at])
            at += 1
    return "".join((*parts, line[at:]))


def _parse(text: str) -> Node | None:
    signs = re.findall(r"\d+(?:\.\d+)?|[-+*/^()%]", text)
    if len(signs) > _LONGEST or "".join(signs) != re.sub(r"\s+", "", text):
        return None
    parser = _Parser(signs)
    try:
        node = parser.sum()
    except (IndexError, ValueError, RecursionError):
        return None
    return node if parser.at == len(signs) else None


class _Parser:
    """Recursive descent over `+ -`, `* / %`, `^` and brackets."""

    def __init__(self, signs: list[str]) -> None:
        self.signs = signs
        self.at = 0

    def _next(self, *wanted: str) -> str:
        if self.at < len(self.signs) and self.signs[self.at] in wanted:
            self.at += 1
            return self.signs[self.at - 1]
        return ""

    def sum(self) -> Node:
        left = self.product()
        while sign := self._next("+", "-"):
            left = Operation(sign, left, self.product())
        return left

    def product(self) -> Node:
        left = self.power()
        while sign := self._next("*", "/", "%"):
            left = Operation(sign, left, self.power())
        return left

    def power(self) -> Node:
        base = self.atom()
        return Operation("^", base, self.power()) if self._next("^") else base

    def atom(self) -> Node:
        if self._next("-"):
            inner = self.atom()
            return Number(-inner.value) if isinstance(inner, Number) else Operation("*", Number(-1), inner)
        if self._next("("):
            inner = self.sum()
            if not self._next(")"):
                raise ValueError("unbalanced")
            return inner
        self.at += 1
        value = float(self.signs[self.at - 1])
        return Number(int(value) if value.is_integer() and "." not in self.signs[self.at - 1] else value)


_RANK = {"+": 1, "-": 1, "*": 2, "/": 2, "%": 2, "^": 3}


def written(node: Node, power: str = "^") -> str:
    """A tree as people write it, with no more brackets than it needs."""
    if isinstance(node, Number):
        return number(node.value)
    rank = _RANK[node.sign]
    sides: list[str] = []
    for side, right in ((node.left, False), (node.right, True)):
        text = written(side, power)
        if isinstance(side, Operation) and (_RANK[side.sign] < rank or (right and _RANK[side.sign] == rank)):
            text = f"({text})"
        sides.append(text)
    return f"{sides[0]} {power if node.sign == '^' else node.sign} {sides[1]}"


def number(value: float) -> str:
    """A number without a needless `.0`."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def compute(node: Node) -> float | None:
    """The value of a tree; `None` where there is none (a division by zero, a number out of bounds)."""
    if isinstance(node, Number):
        return node.value
    left, right = compute(node.left), compute(node.right)
    if left is None or right is None:
        return None
    try:
        value = {
            "+": lambda: left + right,
            "-": lambda: left - right,
            "*": lambda: left * right,
            "/": lambda: left / right,
            "%": lambda: left % right,
            "^": lambda: float(left) ** right,
        }[node.sign]()
    except (ZeroDivisionError, OverflowError):
        return None
    return None if isinstance(value, complex) else value


# ── The tools for it ─────────────────────────────────────────────────────────────────────────────────────────────────

_OPERATION_WORDS = {
    "+": "add addition plus sum",
    "-": "subtract subtraction minus difference sub",
    "*": "multiply multiplication times product mul",
    "/": "divide division quotient div",
    "^": "power pow exponent exponentiate",
    "%": "modulo mod remainder",
}
_OPERATION_STEMS = {sign: frozenset(stem(word) for word in line.split()) for sign, line in _OPERATION_WORDS.items()}
_EXPRESSION_STEMS = frozenset(
    stem(word) for word in "calculate calculator calc evaluate eval compute math maths expression arithmetic".split()
)


class Calculator:
    """What the tools of a request can calculate."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self._by_sign: dict[str, Tool] = {}
        self._choosing: tuple[Tool, str, dict[str, Any]] | None = None
        self._expression: tuple[Tool, str] | None = None
        for tool in tools:
            self._take(tool)

    def __bool__(self) -> bool:
        return bool(self._by_sign) or self._choosing is not None or self._expression is not None

    def _take(self, tool: Tool) -> None:
        known = properties(tool.parameters)
        wanted = required(tool.parameters)
        named = meanings(tool.name)
        for name in wanted:
            signs = {sign: member for member in known[name].get("enum", ()) if (sign := _sign_of(str(member)))}
            if len(signs) >= 2:
                self._choosing = self._choosing or (tool, name, signs)
                return
        if operands(tool):
            for meant in (named, meanings(tool.description.partition(".")[0])):
                for sign, stems in _OPERATION_STEMS.items():
                    if stems & meant:
                        self._by_sign.setdefault(sign, tool)
                        return
        texts = [name for name in wanted if known[name].get("type", "string") == "string" and "enum" not in known[name]]
        if len(wanted) == len(texts) == 1 and _EXPRESSION_STEMS & (named | meanings(f"{texts[0]} {tool.description}")):
            self._expression = self._expression or (tool, texts[0])

    def call(self, node: Operation) -> tuple[str, dict[str, Any]] | None:
        """The call that does one step (or all of it, where a tool takes whole expressions); `None`: no tool can."""
        if self._takes_whole(node):
            assert self._expression is not None
            tool, name = self._expression
            return tool.name, {name: written(node, "**")}
        if not isinstance(node.left, Number) or not isinstance(node.right, Number):
            return None
        values: list[float] = [node.left.value, node.right.value]
        if tool := self._by_sign.get(node.sign):
            return _operate(tool, values, {})
        if self._choosing and node.sign in self._choosing[2]:
            tool, name, signs = self._choosing
            return _operate(tool, values, {name: signs[node.sign]})
        return None

    def formula(self, text: str) -> tuple[str, dict[str, Any]] | None:
        """The call that works an expression out as it stands; `None`: no tool takes expressions."""
        if self._expression is None:
            return None
        tool, name = self._expression
        return tool.name, {name: text}

    def _takes_whole(self, node: Node) -> bool:
        return self._expression is not None and not self._each_sign(node)

    def _each_sign(self, node: Node) -> bool:
        if isinstance(node, Number):
            return True
        known = node.sign in self._by_sign or (self._choosing is not None and node.sign in self._choosing[2])
        return known and self._each_sign(node.left) and self._each_sign(node.right)

    def can(self, node: Node) -> bool:
        """Whether all steps of a tree can be done."""
        return self._expression is not None or self._each_sign(node)

    def whole(self, node: Operation) -> bool:
        """Whether one call does all of a tree."""
        return self._takes_whole(node)


def _sign_of(member: str) -> str:
    if member in ("+", "-", "*", "/", "^", "%", "**"):
        return "^" if member == "**" else member
    meant = meanings(member)
    return next((sign for sign, stems in _OPERATION_STEMS.items() if stems & meant), "")


def operands(tool: Tool) -> list[str]:
    """The names of a tool's two number parameters, or of its one list of numbers; else an empty list."""
    known = properties(tool.parameters)
    wanted = required(tool.parameters) or list(known)
    numbers = [name for name in wanted if known[name].get("type") in ("number", "integer")]
    if len(numbers) == 2:
        return numbers
    root = as_map(tool.parameters)
    lists = [
        name
        for name in wanted
        if known[name].get("type") == "array"
        and plain(known[name].get("items"), root).get("type") in ("number", "integer")
    ]
    return lists if len(lists) == 1 and not numbers else []


def _operate(tool: Tool, values: list[float], extra: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    names = operands(tool)
    root = as_map(tool.parameters)
    known = properties(tool.parameters)
    whole = [int(value) if float(value).is_integer() else value for value in values]
    arguments: dict[str, Any] = dict(extra)
    if len(names) == 1:
        arguments[names[0]] = whole
    else:
        arguments |= dict(zip(names, whole, strict=False))
    ordered = {name: arguments[name] for name in known if name in arguments}
    return (tool.name, ordered) if names and fits(ordered, root, root) else None


def value_in(result: str) -> float | None:
    """The number that a tool's answer holds: all of it, under a key, after the last `=`, or the last one in it."""
    try:
        value: Any = json.loads(result)
    except ValueError:
        value = None
    if isinstance(value, dict):
        found = as_map(value)
        picked = [found[key] for key in ("result", "value", "answer", "output") if key in found] or list(found.values())
        value = picked[0] if picked else None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        result = value
    numbers = re.findall(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?", result.replace(",", "").rpartition("=")[2])
    if not numbers:
        return None
    value = float(numbers[-1])
    return int(value) if value.is_integer() and abs(value) < 1e15 else value
