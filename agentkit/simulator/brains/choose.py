"""Which tools a message speaks of: words of names and descriptions, against the words of the message."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agentkit.simulator.brains import evidence
from agentkit.simulator.brains.fill import kind_of
from agentkit.simulator.brains.schemas import as_list, properties, required
from agentkit.simulator.brains.words import GENERIC, groups_of, kin, meanings, words
from agentkit.simulator.request import Tool

ENOUGH = 2.0
"""The score from which a tool counts as spoken of: its name's word, or two words of its description."""


@dataclass(frozen=True, slots=True)
class _Traits:
    """The telling words of a tool, each with its weight."""

    weights: Mapping[str, float]
    examples: frozenset[str]
    kinds: frozenset[str]
    """The kinds of its required parameters that show in a text by themselves: addresses and paths."""


class Chooser:
    """Scores the tools of a request against texts."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self._tools = tuple(tools)
        named = [meanings(_without(tool.name)) for tool in tools]
        described = [meanings(_without(re.split(r"[.\n]", tool.description)[0])) for tool in tools]
        self._traits = [self._traits_of(place, named, described) for place in range(len(self._tools))]

    def _traits_of(self, place: int, named: list[frozenset[str]], described: list[frozenset[str]]) -> _Traits:
        tool = self._tools[place]
        weights: dict[str, float] = {}
        for name, schema in properties(tool.parameters).items():
            spoken = f"{name} {' '.join(str(member) for member in as_list(schema.get('enum')))}"
            for word in meanings(spoken):
                weights[word] = 0.6
        for group, weight in ((described, 1.0), (named, 3.0)):
            for word in group[place]:
                shared = sum(word in other for other in group)
                weights[word] = max(weights.get(word, 0.0), weight / shared)
        text = " ".join(str(schema.get("description", "")) for schema in properties(tool.parameters).values())
        examples = frozenset(item.value.lower() for item in evidence.names(f"{text} {tool.description}"))
        known = properties(tool.parameters)
        kinds = frozenset(kind_of(name, known[name]) for name in required(tool.parameters))
        return _Traits(weights, examples, kinds & {"url", "path"})

    def score(self, place: int, text: str) -> float:
        """How much a text speaks of the tool at a place."""
        traits = self._traits[place]
        spoken = meanings(text)
        groups = groups_of(spoken)
        score = sum(weight for word, weight in traits.weights.items() if word in spoken or kin(word) & groups)
        if "url" in traits.kinds and evidence.urls(text):
            score += ENOUGH
        if "path" in traits.kinds and evidence.paths(text):
            score += 1.0
        return score + sum(1.0 for item in evidence.names(text) if item.value.lower() in traits.examples)

    def best(self, text: str) -> list[Tool]:
        """The tools that a text speaks of enough, the best first."""
        scored = [(self.score(place, text), -place) for place in range(len(self._tools))]
        return [self._tools[-place] for score, place in sorted(scored, reverse=True) if score >= ENOUGH]

    def by_clause(self, text: str) -> list[tuple[Tool, str]]:
        """The tools that a text speaks of, each with the part of the text that concerns it.

        A clause that speaks of no tool belongs to the one before it. Where no clause speaks of one, the whole text
        is looked at.
        """
        parts: dict[str, tuple[Tool, list[str]]] = {}
        current: Tool | None = None
        waiting: list[str] = []
        for clause in clauses(text):
            found = self.best(clause)
            if found and (current is None or found[0].name != current.name):
                current = found[0]
            if current is None:
                waiting.append(clause)
                continue
            parts.setdefault(current.name, (current, []))[1].extend([*waiting, clause])
            waiting = []
        if len(parts) == 1:
            return [(tool, text) for tool, _ in parts.values()]
        if parts:
            return [(tool, " ".join(own)) for tool, own in parts.values()]
        return [(tool, text) for tool in self.best(text)[:1]]


def _without(text: str) -> str:
    return " ".join(word for word in words(text) if word not in GENERIC)


def clauses(text: str) -> list[str]:
    """A text in clauses: sentences, and what `and`, `then` or a comma separates."""
    parts = re.split(
        r"(?<=[.?!;])\s+|\s*\n+\s*|,\s+(?=(?:and|then|also)\b)|\s+(?=(?:and|then|also|plus)\s)|,\s+(?=[a-z])",
        text.strip(),
    )
    return [part for part in parts if part and re.search(r"\w", part)]


def is_elliptical(text: str) -> bool:
    """Whether a text is only names, numbers and times, such as `Paris and Tokyo this week?` or `And in Berlin?`."""
    return not any(True for _ in evidence.leftovers(text)) and bool(
        evidence.names(text) or evidence.quantities(text) or evidence.quotes(text)
    )


def source_for(parameter: str, tools: Sequence[Tool], user: Tool) -> Tool | None:
    """A tool without required parameters whose name says that it gives a parameter of another, such as
    `current_city()` for `city`."""
    meant = meanings(parameter)
    for tool in tools:
        if tool.name != user.name and meant and meant <= meanings(tool.name) and not required(tool.parameters):
            return tool
    return None
