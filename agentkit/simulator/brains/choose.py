"""Which tools a message speaks of: words of names and descriptions, against the words of the message."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agentkit.simulator.brains import evidence
from agentkit.simulator.brains.fill import kind_of
from agentkit.simulator.brains.schemas import as_list, properties, required
from agentkit.simulator.brains.words import GENERIC, groups_of, kin, meanings, stem, words
from agentkit.simulator.request import Tool

ENOUGH = 2.0
"""The score from which a tool counts as spoken of: its name's word, or two words of its description."""


_READS = frozenset(
    stem(word)
    for word in "find get look lookup list search read show check status current fetch view open cat query".split()
)
_SEARCHES = frozenset(stem(word) for word in "search find grep lookup look query".split())
_QUESTION = re.compile(
    r"\?\s*$|^\s*(?:what|where|when|which|who|how|has|have|is|are|was|does|do|did|show|tell|give|check)\b",
    re.IGNORECASE,
)
_SEEKS = re.compile(r"\b(?:find|search|look\s+for|lookup|grep)\b", re.IGNORECASE)
_SHOWS = re.compile(r"\b(?:show|print|display|see|view|what|open|content|contents|give|look)\b", re.IGNORECASE)
_PHRASES = (
    (re.compile(r"\b(?:my\s+)?money\s+back\b|\bpay\s+(?:me|us|him|her)\s+back\b", re.IGNORECASE), "refund"),
    (re.compile(r"\blook(?:ing|ed)?\s+up\b", re.IGNORECASE), "lookup"),
    (re.compile(r"\bwrite\s+down\b|\bnote\s+down\b|\bmake\s+a\s+note\b", re.IGNORECASE), "add a note"),
    (
        re.compile(r"\bnote\s+(?:it|this|that|them)\s+down\b|^\s*(?:please\s+)?note\s+that\b", re.IGNORECASE),
        "add a note",
    ),
)
"""Phrases and the words that tools have for them."""

_ACTS = {
    name: frozenset(map(stem, f"{name} {alike}".split()))
    for name, alike in {
        "write": "save create overwrite append replace",
        "add": "append insert create note write put book schedule set",
        "create": "make write add new book schedule",
        "delete": "remove erase drop clear",
        "remove": "delete erase drop clear",
        "cancel": "stop delete remove",
        "refund": "reimburse money repay return",
        "send": "mail email message post write reply",
        "rename": "move",
        "move": "rename transfer",
        "copy": "duplicate",
        "buy": "order purchase book",
        "order": "buy purchase",
        "book": "reserve reservation schedule",
        "edit": "change update write modify",
        "update": "change edit write set modify",
        "upload": "send store save",
        "pay": "transfer send payment",
    }.items()
}
"""Verbs that ask for something to be done, and words of tools that do it."""
_VERBS = _READS | _SEARCHES
_IMPERATIVE = re.compile(
    rf"^\s*(?:(?:and|then|also|now|please|kindly|(?:can|could|would|will)\s+you|i\s+want\s+(?:you\s+)?to|i'd\s+like\s+(?:you\s+)?to"
    rf"|let's)\s+)*({'|'.join(_ACTS)})\b",
    re.IGNORECASE,
)


def _wanted_act(text: str) -> frozenset[str]:
    """The verb of doing that a clause begins with, if it begins with one."""
    match = _IMPERATIVE.search(text)
    return frozenset((match[1].lower(),)) if match else frozenset()


@dataclass(frozen=True, slots=True)
class _Traits:
    """The telling words of a tool, each with its weight."""

    weights: Mapping[str, float]
    examples: frozenset[str]
    kinds: frozenset[str]
    """The kinds of its required parameters that show in a text by themselves: addresses, paths, ids, names, what to
    look for."""
    reads: bool
    """Whether its name says that it only tells something."""
    searches: bool
    bare: bool
    """Whether it has no required parameter."""
    placed: bool
    """Whether it may be told a folder."""
    acts: frozenset[str]
    """The verbs of doing that its name or description has, and those that mean the same."""


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
                alike = kin(word) if word in _READS | _SEARCHES else frozenset[str]()
                shared = sum(word in other or bool(alike & groups_of(other)) for other in group)
                weights[word] = max(weights.get(word, 0.0), weight / shared)
        text = " ".join(str(schema.get("description", "")) for schema in properties(tool.parameters).values())
        examples = frozenset(item.value.lower() for item in evidence.names(f"{text} {tool.description}"))
        known = properties(tool.parameters)
        kinds = frozenset(kind_of(name, known[name]) for name in required(tool.parameters))
        means = meanings(tool.name) | meanings(tool.description)
        return _Traits(
            weights,
            examples,
            kinds=kinds & {"url", "path", "id", "name", "query"},
            reads=bool(set(map(stem, words(tool.name))) & _READS),
            searches=bool(meanings(tool.name) & _SEARCHES),
            bare=not kinds,
            placed=any(kind_of(name, schema) == "folder" for name, schema in known.items()),
            acts=frozenset(verb for verb, group in _ACTS.items() if means & group),
        )

    def score(self, place: int, text: str) -> float:
        """How much a text speaks of the tool at a place."""
        traits = self._traits[place]
        for phrase, word in _PHRASES:
            text = phrase.sub(word, text)
        if not _wanted_act(text) <= traits.acts:
            return 0.0  # it wants something done that this tool does not do
        spoken = meanings(text)
        groups = groups_of(spoken)
        hits = [word for word in traits.weights if word in spoken or kin(word) & groups]
        score = sum(traits.weights[word] for word in hits)
        if "url" in traits.kinds and evidence.urls(text):
            score += ENOUGH
        if "path" in traits.kinds and evidence.paths(text):
            score += 1.0 + (traits.reads and bool(_SHOWS.search(text)))
        if score > 0:
            score += self._fitness(traits, text, named=any(word not in _VERBS for word in hits))
        return score + sum(1.0 for item in evidence.names(text) if item.value.lower() in traits.examples)

    def _fitness(self, traits: _Traits, text: str, *, named: bool) -> float:
        """What else speaks for a tool, or against it: what it needs and is there, and whether its subject is named."""
        has_id = "id" in traits.kinds and bool(evidence.ids(text))
        score = -1.0 if "id" in traits.kinds and not has_id else 0.0
        placed = traits.placed and bool(evidence.folders(text))
        there = has_id or placed or ("path" in traits.kinds and evidence.paths(text)) or "url" in traits.kinds
        if not named and not there:
            score -= 1.5
        if traits.reads and _QUESTION.search(text):
            score += 1.2 + self._answers(traits, text) + has_id
        if traits.searches and "query" in traits.kinds and _SEEKS.search(text):
            score += 1.0
        return score + 0.5 * placed

    def _answers(self, traits: _Traits, text: str) -> float:
        """How much a tool that tells something suits a question."""
        score = 0.0
        if "name" in traits.kinds:
            score += 0.6 if evidence.names(text) else -0.4
        if traits.searches and re.search(r"\babout\b|\bmention|\bcontain", text, re.IGNORECASE):
            score += 0.8
        if traits.bare and re.search(r"\b(?:what|which|list|show|how\s+many)\b", text, re.IGNORECASE):
            score += 0.6
        return score

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
