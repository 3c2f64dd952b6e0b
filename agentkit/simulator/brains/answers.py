"""An answer that fits a schema, out of the question and of what tools said.

Each field looks in turn at what calls and their answers have under its name, at numbers beside its name or its unit, at
the choices of an enumeration that are spoken of, at the question, and, where it is there to tell something, at the
words in which the answer would be given otherwise. What is required and said nowhere is null, or made up.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agentkit.simulator.brains import evidence, tell
from agentkit.simulator.brains.fill import Filler, kind_of
from agentkit.simulator.brains.schemas import as_list, as_map, fits, invent, nullable, plain
from agentkit.simulator.brains.words import meanings, stem, words
from agentkit.simulator.request import Tool

_TELLS = frozenset(
    "advice analysis answer body comment conclusion content description details explanation message note overview "
    "reply report response result sentence statement summary text verdict".split()
)
"""Words in the names of fields that are there to tell something."""

_RESULTS = frozenset(map(stem, "answer difference number product quotient result sum total value".split()))
"""Words in the names of fields that take the result of a sum."""

_COUNTS = frozenset(map(stem, "count many number".split()))
"""Words in the names of fields that say how many there are."""

_UNITS = tuple(
    (frozenset(names.split()), frozenset(units.split()))
    for names, units in (
        ("temperature temp degrees celsius fahrenheit high low", "° °c °f c f degree degrees celsius fahrenheit"),
        ("wind speed", "km kmh kph mph knots"),
        ("humidity percent percentage chance probability rain share", "% percent"),
        ("distance length", "km m kilometers kilometres meters metres miles"),
        ("duration time minutes", "min minutes"),
        ("weight mass", "kg g pounds"),
    )
)
"""Words in the names of fields, and the units that numbers for them have."""

_NUMBER = r"-?\d+(?:\.\d+)?"
_WORKED_OUT = re.compile(rf"= ({_NUMBER})\.?$")
_NO_VALUE: Any = object()


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of one thing: a call and its answer, or an object out of one.

    Attributes:
        asked: The arguments of the call.
        said: By name, what the answer says.
        text: The answer in words.
        listed: The members of the answer, where it is a list.
    """

    asked: Mapping[str, Any]
    said: Mapping[str, Any]
    text: str
    listed: Sequence[Any] = ()

    @property
    def values(self) -> dict[str, Any]:
        """What is known by name; what the answer says comes before what was asked."""
        return {**self.asked, **self.said}


def record(asked: Mapping[str, Any], answer: str) -> Record:
    """What a call and its answer tell."""
    try:
        said: Any = json.loads(answer)
    except (ValueError, RecursionError):
        said = None
    listed = as_list(said)
    if not listed and said is None and "\n" in answer.strip():
        listed = [line.strip() for line in answer.split("\n") if line.strip()]
    first = as_map(said)
    inner = {key: value for one in first.values() for key, value in as_map(one).items()}
    return Record(asked, {**inner, **first}, tell.phrase(answer), listed)


@dataclass(frozen=True, slots=True)
class Sources:
    """What an answer is made of.

    Attributes:
        question: What was asked in all.
        prompt: What of it concerns the object that is being made.
        now: Seconds since the epoch, for dates.
        words: The answer as it would be given in words.
        records: What the tools said, in order.
    """

    question: str
    prompt: str
    now: float
    words: str
    records: tuple[Record, ...] = ()


def answered(parameters: Any, sources: Sources) -> dict[str, Any]:
    """The fields of an answer.

    Args:
        parameters: The JSON Schema of an object.
        sources: What it is made of.
    """
    root = as_map(parameters)
    found = _Fields(plain(root, root), root, sources).filled()
    return found if fits(found, root, root) else as_map(invent(root, root))


class _Fields:
    """The fields of one object."""

    def __init__(self, schema: Mapping[str, Any], root: Mapping[str, Any], sources: Sources) -> None:
        self._schema = schema
        self._root = root
        self._sources = sources
        self._given = as_map(schema.get("properties"))
        self._known = {name: plain(one, root) for name, one in self._given.items()}
        self._wanted = [name for name in as_list(schema.get("required")) if name in self._known]
        self._asked = Filler(self._as_tool(self._known), sources.prompt, sources.now, {})
        self._told = [Filler(self._as_tool(self._known), one.text, sources.now, {}) for one in sources.records]
        self._claimed = {
            item[1:]
            for name, one in self._known.items()
            if one.get("type") in ("integer", "number")
            for item in self._asked.offered(name, plainly=True)
        }

    def _as_tool(self, known: Mapping[str, Any]) -> Tool:
        parameters = {
            "type": "object",
            "properties": dict(known),
            "required": list(known),
            "$defs": self._root.get("$defs", {}),
        }
        return Tool("answer", "", parameters, source=json.dumps(parameters, ensure_ascii=False, sort_keys=True))

    def filled(self) -> dict[str, Any]:
        """The fields by name; of those that may be left out, the ones that something is said of."""
        extra = self._schema.get("additionalProperties")
        if not self._known and isinstance(extra, dict):
            return self._by_label(as_map(extra))
        found: dict[str, Any] = {}
        for name, schema in self._known.items():
            value = next((one for one in self._candidates(name, schema) if fits(one, schema, self._root)), _NO_VALUE)
            if value is _NO_VALUE and name in self._wanted:
                value = self._made_up(name)
            if value is not _NO_VALUE:
                found[name] = value
        return found

    def _made_up(self, name: str) -> Any:
        """What stands for a field of which nothing is said."""
        given = as_map(self._given[name])
        if "default" in given:
            return given["default"]
        return None if nullable(given, self._root) else invent(given, self._root)

    def _by_label(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """A mapping of what each call was about to what was said of it."""
        found: dict[str, Any] = {}
        for one in self._sources.records:
            label = next((value for value in one.asked.values() if isinstance(value, str)), "")
            inner: dict[str, Any] = {"type": "object", "properties": {"value": schema}, "required": []}
            value = self._element(one, inner)
            if label and "value" in value:
                found[label] = value["value"]
        return found

    # ── One field ────────────────────────────────────────────────────────────────────────────────────────────────

    def _candidates(self, name: str, schema: Mapping[str, Any]) -> Iterator[Any]:
        """Values for a field, the best first; not all of them fit."""
        kind = schema.get("type", "object" if "properties" in schema else "string")
        if "enum" not in schema and kind in ("integer", "number") and meanings(name) & _RESULTS:
            yield from self._worked_out(kind)
        for value in (*self._by_name(name), *self._asked_for(name)):
            yield from _as(value, kind)
        if "enum" in schema:
            yield from self._offered(name)
        elif kind == "boolean":
            yield from self._flags(name)
        elif kind in ("integer", "number"):
            yield from self._numbers(name, kind)
        elif kind == "array":
            yield from self._lists(name, plain(schema.get("items"), self._root))
        elif kind == "object":
            yield _Fields(schema, self._root, self._sources).filled()
        elif kind == "string":
            yield from self._strings(name, schema)

    def _by_name(self, name: str) -> list[Any]:
        """What calls and their answers have under a name like this, the nearest name first."""
        meant = meanings(name)
        near: tuple[list[Any], list[Any], list[Any]] = ([], [], [])
        for one in self._sources.records:
            for key, value in one.values.items():
                means = meanings(key)
                if key == name:
                    near[0].append(value)
                elif means and means == meant:
                    near[1].append(value)
                elif means and meant and (means <= meant or meant <= means):
                    near[2].append(value)
        return [value for values in near for value in values]

    def _asked_for(self, name: str) -> list[Any]:
        """For a field that says no more than that it is the answer: what stands under a name that the question has."""
        if not meanings(name) & _RESULTS:
            return []
        about = meanings(self._sources.question)
        told = [(meanings(key), value) for one in self._sources.records for key, value in one.said.items()]
        return [value for means, value in told if means & about]

    def _offered(self, name: str) -> Iterator[Any]:
        """What the answers of tools offer, then what the question does."""
        for filler in (*self._told, self._asked):
            yield from (item[0] for item in filler.offered(name))

    def _flags(self, name: str) -> Iterator[bool]:
        for filler in (*self._told, self._asked):
            for value, _, _ in filler.offered(name, plainly=True):
                yield value
        for one in self._sources.records:
            said = re.match(r"(?:yes|no|true|false)\b", one.text, re.IGNORECASE)
            if said:
                yield said[0].lower() in ("yes", "true")

    def _worked_out(self, kind: str) -> Iterator[Any]:
        if match := _WORKED_OUT.search(self._sources.words):
            yield from _as(match[1], kind)

    def _numbers(self, name: str, kind: str) -> Iterator[Any]:
        """Numbers beside the name or the unit; then, if there is but one left that nobody has claimed, that one."""
        texts = [one.text for one in self._sources.records]
        how_many = re.search(r"\bhow many\b", self._sources.question, re.IGNORECASE) and meanings(name) & _RESULTS
        if how_many or meanings(name) & _COUNTS:
            yield from (len(one.listed) for one in self._sources.records if one.listed)
        for text in texts:
            yield from (value for found in _labelled(name, text) for value in _as(found, kind))
        for filler in (*self._told, self._asked):
            yield from (item[0] for item in filler.offered(name, plainly=True))
        if name not in self._wanted:
            return
        records = self._sources.records
        asked = [value for one in records for value in one.asked.values()]
        said = [value for one in records for value in one.said.values() if _is_number(value)]
        yield from said if len(said) == 1 else ()
        for text in texts:
            free = [item.value for item in evidence.quantities(text) if item.value not in asked]
            if len(free) == 1 or re.fullmatch(rf"\s*{_NUMBER}\W*", text):
                yield from (value for found in free for value in _as(found, kind))
        for item in () if records else self._asked.offered(name):
            if item[1:] not in self._claimed:
                self._claimed.add(item[1:])
                yield item[0]
                return

    def _strings(self, name: str, schema: Mapping[str, Any]) -> Iterator[str]:
        records = self._sources.records
        about = kind_of(name, schema)
        if "reason" in words(name):
            yield from (item.value for item in evidence.reasons(self._sources.prompt))
        if about == "date" and schema.get("format") == "date-time":
            yield from (f"{item[0]}T00:00:00Z" for item in self._asked.offered(name))
        if set(words(name)) & _TELLS:
            yield self._sources.words
            return
        taken = [value for one in records for value in one.asked.values()] if about == "name" else []
        yield from (item[0] for item in self._asked.offered(name) if item[0] not in taken)
        for filler in self._told:
            yield from (item[0] for item in filler.offered(name) if item[0] not in taken)
        if about == "name" and len(taken) == 1 and isinstance(taken[0], str) and not self._is_taken(taken[0], name):
            yield taken[0]
        if records and name in self._wanted and not nullable(self._given[name], self._root):
            yield self._sources.words

    def _is_taken(self, value: str, name: str) -> bool:
        """Whether an argument of a call goes under the name of another field."""
        keys = [key for one in self._sources.records for key, given in one.asked.items() if given == value]
        return any(meanings(key) & meanings(other) for key in keys for other in self._known if other != name)

    # ── Lists ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _lists(self, name: str, items: Mapping[str, Any]) -> Iterator[list[Any]]:
        records = self._sources.records
        yield from (list(one.listed) for one in records if one.listed)
        if records and ("properties" in items or isinstance(items.get("additionalProperties"), dict)):
            yield [self._element(one, items) for one in _apart(records)]
        if items.get("type") == "object" and not records:
            yield Filler(
                self._as_tool(as_map(items.get("properties"))), self._sources.prompt, self._sources.now, {}
            ).calls()
        kind = str(items.get("type", "string"))
        values = [value for one in self._by_name(name) for value in _as(one, kind)]
        if values:
            yield list(dict.fromkeys(value for value in values if isinstance(value, (str, int, float))))
        if set(words(name)) & {f"{word}s" for word in _TELLS} | set(words(name)) & _TELLS and records:
            yield [one.text for one in records]
        found = [value for filler in self._told for item in filler.offered(name) for value in as_list(item[0])]
        if "enum" in items or not records:
            found += [value for item in self._asked.offered(name) for value in as_list(item[0])]
        if found:
            yield list(dict.fromkeys(found)) if all(isinstance(one, (str, int, float)) for one in found) else found
        strings = [value for one in records for value in one.asked.values() if isinstance(value, str)]
        if strings:
            yield list(dict.fromkeys(strings))

    def _element(self, one: Record, items: Mapping[str, Any]) -> dict[str, Any]:
        return _Fields(items, self._root, replace(self._sources, prompt="", words=one.text, records=(one,))).filled()


def _apart(records: Sequence[Record]) -> Iterator[Record]:
    """The records, those of a list of objects each for itself."""
    for one in records:
        objects = [as_map(member) for member in one.listed if isinstance(member, dict)]
        if not objects:
            yield one
        for member in objects:
            yield Record(one.asked, member, tell.phrase(json.dumps(member, ensure_ascii=False)))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _as(value: Any, kind: object) -> Iterator[Any]:
    """A value as one of a type, if it can be."""
    if kind in ("integer", "number"):
        if isinstance(value, str) and re.fullmatch(_NUMBER, value.strip()):
            value = float(value)
        if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
            value = int(value)
        yield value
    elif kind == "string" and isinstance(value, (int, float)) and not isinstance(value, bool):
        yield str(value)
    else:
        yield value


def _labelled(name: str, text: str) -> Iterator[str | float]:
    """Numbers that a text gives under a name (`humidity: 60`, `a high of 21`) or with its unit (`21 °C`)."""
    parts = [word for word in words(name) if len(word) > 2]
    for part in parts:
        pattern = rf"\b{re.escape(part)}\w*\W{{0,3}}(?:is|are|was|of|at)?\W{{0,2}}?({_NUMBER})"
        yield from (match[1] for match in re.finditer(pattern, text, re.IGNORECASE))
    units = {unit for names, known in _UNITS if names & set(parts) for unit in known}
    yield from (item.value for item in evidence.quantities(text) if item.after in units)
