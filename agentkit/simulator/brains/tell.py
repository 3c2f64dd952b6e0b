"""Answers from what tools said, in plain sentences."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from agentkit.simulator.brains.schemas import as_list, as_map

_LONGEST = 1_200
"""How much of one tool's answer is repeated, in characters."""


def failed(answer: str) -> bool:
    """Whether a tool's answer says that it did not work."""
    text = answer.lstrip().lower()
    if text.startswith(
        ("error", "traceback", "failed", "exception", "the tool", "unknown tool", "could not", "cannot ")
    ):
        return True
    try:
        value: Any = json.loads(answer)
    except ValueError:
        return False
    record = as_map(value)
    return bool(record.get("error")) or record.get("ok") is False


def sentence(name: str, arguments: Mapping[str, Any], answer: str, *, alone: bool) -> str:
    """One tool's answer as a sentence; its arguments are named where they tell it from others and it does not."""
    label = ", ".join(str(value) for value in arguments.values() if isinstance(value, (str, int, float)))
    if failed(answer):
        about = f" ({label})" if label else ""
        return _ended(f"`{name}`{about} did not work: {answer.strip()[:300]}")
    said = phrase(answer)
    if not said:
        return _ended(f"`{name}` gave no answer" + (f" for {label}" if label else ""))
    values = [str(value).lower() for value in arguments.values() if isinstance(value, str)]
    told = any(value in said.lower() for value in values) or not label
    if not told and (not alone or len(label) <= 60):
        said = f"{label}: {said}"
    return _ended(said)


def phrase(answer: str) -> str:
    """A tool's answer in words: text as it is, JSON with its keys as words."""
    text = answer.strip()
    if text[:1] in '{["':
        try:
            text = _spoken(json.loads(text))
        except ValueError:
            pass
    lines = text.split("\n")
    if len(lines) > 1 and not any(" " in line.strip() for line in lines):
        text = ", ".join(line.strip() for line in lines if line.strip())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST].rstrip()} …"


def _spoken(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{str(key).replace('_', ' ')}: {_spoken(item)}" for key, item in as_map(value).items())
    if isinstance(value, list):
        items = as_list(value)
        if not items:
            return "nothing"
        simple = all(isinstance(item, (str, int, float)) for item in items)
        return (", " if simple else "; ").join(_spoken(item) for item in items)
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    return str(value)


def _ended(text: str) -> str:
    return text if re.search(r"[.!?…]$|```$", text) else f"{text}."


_MORE = re.compile(
    r"\b(?:warmer|warmest|hotter|hottest|higher|highest|larger|largest|bigger|biggest|greater|more|most)\b", re.I
)
_LESS = re.compile(
    r"\b(?:colder|coldest|cooler|coolest|lower|lowest|smaller|smallest|cheaper|cheapest|less|least|fewer)\b", re.I
)


def comparison(prompt: str, told: Sequence[tuple[str, str]]) -> str:
    """A sentence that names the one with the largest or smallest number, where the prompt asks for it."""
    match = _MORE.search(prompt) or _LESS.search(prompt)
    numbers = [(label, found[0]) for label, answer in told if (found := re.findall(r"-?\d+(?:\.\d+)?", answer))]
    if not match or len({value for _, value in numbers}) < 2 or len(numbers) != len(told):
        return ""
    pick = max if _MORE.search(prompt) else min
    label, value = pick(numbers, key=lambda item: float(item[1]))
    return f"By these numbers, {label} is the one ({value})."
