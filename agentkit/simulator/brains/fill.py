"""Arguments for a tool, out of what somebody wrote: by the type, the name and the description of each parameter."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from agentkit.simulator.brains import evidence
from agentkit.simulator.brains.amounts import belongs
from agentkit.simulator.brains.evidence import Found, Quantity
from agentkit.simulator.brains.schemas import as_list, as_map, fits, invent, plain, properties, required
from agentkit.simulator.brains.words import VERBS, meanings, stem, words
from agentkit.simulator.request import Tool

_KIND_WORDS: tuple[tuple[str, str], ...] = (
    ("folder", "folder directory dir root"),
    ("path", "path file filename filepath"),
    ("email", "email recipient"),
    ("url", "url uri link website"),
    ("expression", "expression formula equation"),
    ("currency", "currency"),
    ("zone", "zone timezone tz"),
    ("date", "date day when start end since until deadline due"),
    ("time", "time hour"),
    ("query", "query q search keyword keywords term terms pattern topic question phrase needle text subject title"),
    ("message", "message body content note sentence reason comment item summary description"),
    ("task", "task prompt request instruction instructions goal"),
    ("digits", "latitude longitude lat lon lng year zip zipcode postcode phone"),
    ("id", "id code sku ticket number reference ref"),
)
_FROM = frozenset("from origin source start departure depart base src".split())
_TO = frozenset("to destination target end arrival dest into".split())
_KEEPS = frozenset(
    stem(word) for word in "add append create note post remember remind save schedule send write".split()
)
"""Words in the names of tools that take a text to keep or to send, not one to look for."""
_SEEKS = frozenset(stem(word) for word in "search find grep lookup look query".split())
_POINTERS = frozenset(
    "it this that them these those the a an all one some my your me now again here there down".split()
)
_MOST = 24
"""How many values one parameter is offered."""


def kind_of(name: str, schema: Mapping[str, Any]) -> str:
    """What a string parameter is about: one of the kinds above, or `"name"`."""
    wanted = {"date": "date", "date-time": "date", "time": "time", "email": "email", "uri": "url", "url": "url"}
    if schema.get("format") in wanted:
        return wanted[str(schema["format"])]
    parts = words(name)
    for kind, line in _KIND_WORDS:
        if any(part in line.split() for part in parts) and not (
            kind == "date" and set(parts) & (_FROM | _TO) - {"start", "end"}
        ):
            return kind
    described = words(str(schema.get("description", "")))[:12]
    for kind in ("email", "url", "path", "folder", "currency", "date"):
        if kind in described:
            return kind
    return "name"


@lru_cache(maxsize=1_024)
def _shape(tool: Tool) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """The parameters of a tool and the names of those that are required."""
    return properties(tool.parameters), required(tool.parameters)


class _Candidate(NamedTuple):
    """A value for a parameter and where it stands in the text (-1: nowhere in particular)."""

    value: Any
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Filler:
    """Fills the parameters of one tool from a text.

    Attributes:
        tool: The tool.
        text: What was written that concerns this tool.
        now: Seconds since the epoch, for dates.
        known: Values by parameter name that other tools have given.
    """

    tool: Tool
    text: str
    now: float
    known: Mapping[str, Any]

    def calls(self) -> list[dict[str, Any]]:
        """The arguments of each call that the text asks for; empty where a required parameter cannot be filled."""
        wanted = self._wanted
        candidates = {name: self._candidates(name, wanted) for name in wanted}
        axis = self._axis(wanted, candidates)
        if not axis:
            arguments = self._one(wanted, candidates, self.text, None)
            return [arguments] if arguments is not None else []
        found = candidates[axis]
        calls: list[dict[str, Any]] = []
        for number, item in enumerate(found):
            end = found[number + 1].start if number + 1 < len(found) else len(self.text)
            nearest = {name: _from(item.start, end, candidates[name]) for name in wanted}
            arguments = self._one(wanted, nearest, self._segment(found, number), (axis, item))
            if arguments is not None and arguments not in calls:
                calls.append(arguments)
        return calls

    def missing(self) -> list[str]:
        """The required parameters that the text says nothing about."""
        wanted = self._wanted
        return [name for name in wanted if not self._candidates(name, wanted) and not self._has_default(name)]

    def offered(self, name: str, *, plainly: bool = False) -> Sequence[tuple[Any, int, int]]:
        """What the text offers for a parameter, the best first, each with its place (-1: nowhere in particular).

        Args:
            name: The parameter's.
            plainly: Whether a number must stand beside the parameter's name or its unit, and a truth value's name must
                be spoken of.
        """
        schema = self._schema(name)
        kind = schema.get("type")
        if plainly and kind in ("integer", "number"):
            return self._numbers(name, schema, self.text, strict=True)
        if plainly and kind == "boolean":
            flag = self._flag(name, self.text)
            return [] if flag is None else [_Candidate(flag, -1, -1)]
        return self._candidates(name, self._wanted)

    def invented(self) -> dict[str, Any]:
        """Arguments at any price, for a call that must be made: from the text, and made up where it gives nothing."""
        root = as_map(self.tool.parameters)
        wanted = self._wanted
        known = self._known
        hint = next((item.value for item in evidence.names(self.text)), "") or self.text.strip()[:80]
        arguments: dict[str, Any] = {}
        for name in wanted:
            fit = [item for item, _, _ in self._candidates(name, wanted) if fits(item, known[name], root)]
            arguments[name] = fit[0] if fit else invent(known[name], root, hint)
        return arguments

    @property
    def _known(self) -> dict[str, dict[str, Any]]:
        return _shape(self.tool)[0]

    @property
    def _wanted(self) -> list[str]:
        return _shape(self.tool)[1]

    # ── One call ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _axis(self, wanted: Sequence[str], candidates: Mapping[str, list[_Candidate]]) -> str:
        """The one parameter for whose several values several calls are made."""
        several = [name for name in wanted if len(candidates[name]) > 1 and not self._is_list(name)]
        strings = [name for name in several if isinstance(candidates[name][0].value, str)]
        if len(strings) == 1:
            return strings[0]
        scalars = [name for name in wanted if self._known[name].get("type") in ("number", "integer")]
        return several[0] if len(several) == 1 and len(scalars) == 1 else ""

    def _segment(self, found: Sequence[_Candidate], number: int) -> str:
        """What is said of one of several: from it up to the next, else what is said before the first or after all."""
        start = found[number].start
        end = found[number + 1].start if number + 1 < len(found) else len(self.text)
        own = self.text[start:end]
        if not (evidence.quantities(own) or evidence.dates(own, self.now)):
            before = self.text[: found[0].start]
            inner = any(
                evidence.quantities(self.text[found[place].start : found[place + 1].start])
                for place in range(len(found) - 1)
            )
            own += f" {before}" + ("" if inner else f" {self.text[found[-1].start :]}")
        return own

    def _one(
        self,
        wanted: Sequence[str],
        candidates: Mapping[str, list[_Candidate]],
        segment: str,
        chosen: tuple[str, _Candidate] | None,
    ) -> dict[str, Any] | None:
        root = as_map(self.tool.parameters)
        known = self._known
        arguments: dict[str, Any] = {}
        used: list[tuple[int, int]] = []
        if chosen is not None:
            arguments[chosen[0]] = chosen[1].value
            used.append(chosen[1][1:])
        for name in wanted:
            if name in arguments:
                continue
            free = [item for item in candidates[name] if item[1:] not in used or item.start < 0]
            free = [item for item in free if fits(item.value, known[name], root)]
            if not free:
                if self._has_default(name):
                    arguments[name] = known[name]["default"]
                    continue
                return None
            arguments[name] = free[0].value
            used.append(free[0][1:])
        taken = list(used) if segment is self.text else []
        for name in known:
            if name not in wanted:
                item = self._optional(name, segment, arguments, taken)
                if item is not None and fits(item.value, known[name], root):
                    arguments[name] = item.value
                    taken.append(item[1:])
        ordered = {name: arguments[name] for name in known if name in arguments}
        return ordered if fits(ordered, root, root) else None

    # ── One parameter ────────────────────────────────────────────────────────────────────────────────────────────

    def _schema(self, name: str) -> dict[str, Any]:
        return self._known[name]

    def _has_default(self, name: str) -> bool:
        return "default" in self._schema(name)

    def _is_list(self, name: str) -> bool:
        return self._schema(name).get("type") == "array"

    def _candidates(self, name: str, wanted: Sequence[str]) -> list[_Candidate]:
        """The values that the text offers for a required parameter, the best first or, of several alike, in order."""
        if name in self.known:
            return [_Candidate(self.known[name], -1, -1)]
        schema = self._schema(name)
        kind = schema.get("type", "object" if "properties" in schema else "string")
        if "enum" in schema:
            return self._members(schema, self.text)
        if kind == "boolean":
            return [_Candidate(self._flag(name, self.text) or False, -1, -1)]
        if kind in ("integer", "number"):
            return self._numbers(name, schema, self.text, strict=False)
        if kind == "array":
            return self._array(name, schema)
        if kind == "object":
            return self._nested(schema)
        return [_Candidate(*item) for item in self._strings(name, schema, wanted)]

    def _members(self, schema: Mapping[str, Any], text: str) -> list[_Candidate]:
        low = text.lower()
        meant = meanings(text)
        found: list[_Candidate] = []
        for member in as_list(schema["enum"]):
            spoken = str(member).lower().replace("_", " ")
            match = re.search(rf"(?<!\w){re.escape(spoken)}(?!\w)", low)
            if match:
                found.append(_Candidate(member, match.start(), match.end()))
            elif meant and meanings(spoken) and meanings(spoken) <= meant:
                found.append(_Candidate(member, len(text), len(text)))
        return sorted(found, key=lambda item: item.start)

    def _flag(self, name: str, text: str) -> bool | None:
        meant = meanings(name.replace("include", "").replace("use", ""))
        if not meant or not meant & meanings(text):
            return None
        spoken = "|".join(re.escape(word) for word in words(name))
        return not re.search(
            rf"\b(?:no|not|without|don't|do not|exclude|never)\s+(?:\w+\s+)?(?:{spoken})", text.lower()
        )

    def _numbers(self, name: str, schema: Mapping[str, Any], text: str, *, strict: bool) -> list[_Candidate]:
        """Numbers for a parameter: those next to its name or unit before all; without any, and not `strict`, all."""
        found = evidence.quantities(text)
        near = [quantity for quantity in found if belongs(name, schema, quantity, text)]
        if strict and not near:
            return []
        if not strict:
            near = _with_those_beside(near, found, text)
        whole = schema.get("type") == "integer"
        return [
            _Candidate(
                int(quantity.value) if whole and float(quantity.value).is_integer() else quantity.value, *quantity[1:3]
            )
            for quantity in (near or found)
        ]

    def _array(self, name: str, schema: Mapping[str, Any]) -> list[_Candidate]:
        root = as_map(self.tool.parameters)
        items = plain(schema.get("items"), root)
        kind = items.get("type", "string")
        if "enum" in items:
            values = [item.value for item in self._members(items, self.text)]
        elif kind in ("integer", "number"):
            values = [item.value for item in self._numbers(name, items, self.text, strict=False)]
        elif kind == "string":
            values = [item.value for item in self._strings(name, items, (name,))]
        elif kind == "object":
            values = [item.value for item in self._nested(items)]
        else:
            values = []
        return [_Candidate(values, -1, -1)] if values else []

    def _nested(self, schema: Mapping[str, Any]) -> list[_Candidate]:
        parameters = {**schema, "$defs": as_map(self.tool.parameters).get("$defs", {})}
        source = json.dumps(parameters, ensure_ascii=False)
        inner = Filler(
            Tool(self.tool.name, self.tool.description, parameters, source=source), self.text, self.now, self.known
        )
        return [_Candidate(arguments, -1, -1) for arguments in inner.calls()[:1]]

    def _strings(self, name: str, schema: Mapping[str, Any], wanted: Sequence[str]) -> list[Found]:
        kind = kind_of(name, schema)
        directed = self._directed(name, kind)
        if directed:
            return directed
        finders: dict[str, Callable[[str], list[Found]]] = {
            "folder": evidence.folders,
            "path": lambda text: evidence.paths(text) or _file_like_quotes(text),
            "email": evidence.emails,
            "url": evidence.urls,
            "currency": evidence.codes,
            "date": lambda text: evidence.dates(text, self.now),
            "time": evidence.times,
            "zone": evidence.zones,
            "id": lambda text: evidence.ids(text) or _bare_numbers(text),
            "query": self._sought,
            "message": lambda text: self._message(text) or self._rest(text),
            "task": lambda text: evidence.quotes(text) or _all_of(text),
            "expression": evidence.quotes,
        }
        if kind == "digits":
            return self._shared(name, kind, wanted, _numbers_as_written(self.text))
        if kind in finders:
            return finders[kind](self.text)
        return self._named(name, wanted)

    def _sought(self, text: str) -> list[Found]:
        """What to look for; for tools that keep or send texts, what to keep or send."""
        if meanings(self.tool.name) & _KEEPS and not meanings(self.tool.name) & _SEEKS:
            return self._message(text) or self._rest(text)
        return self._query(text) or self._rest(text) or self._message(text)

    def _shared(self, name: str, kind: str, wanted: Sequence[str], found: Sequence[Found]) -> list[Found]:
        """Where several parameters are of one kind, each gets one of the values, in order."""
        alike = [other for other in wanted if self._is_text(other) and kind_of(other, self._schema(other)) == kind]
        if len(alike) > 1 and name in alike:
            place = alike.index(name)
            return list(found[place : place + 1])
        return list(found)

    def _rest(self, text: str) -> list[Found]:
        """What is left of a text without the verb that names the tool and without `to Somewhere` at its end."""
        match = re.match(
            r"\s*(?:(?:please|can you|could you|would you|i want to|i want you to)\s+)*(\w+)\s+", text, re.IGNORECASE
        )
        about = meanings(f"{self.tool.name} {self.tool.description}")
        if not match or not (set(map(stem, words(match[1]))) <= about or match[1].lower() in VERBS):
            return []
        value = re.sub(r"\s+(?:to|into|in)\s+[A-Z][\w-]*\s*[.?!]*$", "", text[match.end() :])
        value = re.sub(r"^(?:me|us|him|her|them)\s+(?:(?:to|that|about)\s+)?", "", value).strip(" .?!")
        if all(word in _POINTERS or stem(word) in about for word in words(value)):
            return []
        start = text.find(value, match.end())
        return [Found(value, start, start + len(value))]

    def _named(self, name: str, wanted: Sequence[str]) -> list[Found]:
        """Names: quoted, capitalised, or after a preposition; several parameters of this kind share them in order."""
        meant = meanings(f"{self.tool.name} {self.tool.description}")
        found = evidence.quotes(self.text) or [
            item for item in evidence.names(self.text) if not set(map(stem, words(item.value))) <= meant
        ]
        found = found or [
            item._replace(value=item.value.title())
            for item in evidence.after_prepositions(self.text)
            if not set(map(stem, words(item.value))) <= meant
        ]
        return self._shared(name, "name", wanted, _once(found))

    def _is_text(self, name: str) -> bool:
        schema = self._schema(name)
        return schema.get("type", "string") == "string" and "enum" not in schema

    def _directed(self, name: str, kind: str) -> list[Found]:
        """`from X to Y`, for parameters that say which end they are."""
        parts = set(words(name))
        ends = ((_FROM, ("from", "in")), (_TO, ("to|into", "in")))
        for group, leads in ends:
            if not parts & group or kind in ("email", "path", "folder"):
                continue
            found = list(evidence.names(self.text)) + evidence.after_prepositions(self.text)
            if kind == "currency" or "currency" in parts:
                found = evidence.codes(self.text)
            elif kind == "date":
                found = evidence.dates(self.text, self.now)
            elif kind == "zone":
                found = evidence.zones(self.text)
            for lead in leads if kind == "zone" or group is _TO else leads[:1]:
                for item in found:
                    before = self.text[max(0, item.start - 24) : item.start]
                    if re.search(rf"\b(?:{lead})\s+(?:the\s+)?$", before, re.IGNORECASE):
                        return [item]
            if kind == "currency" or "currency" in parts:
                place = 0 if group is _FROM else 1
                return found[place : place + 1]
        return []

    _ABOUT = re.compile(
        r"\b(?:for|about|mention(?:s|ing|ed)?|contain(?:s|ing)?|on|saying|says?|named|called|titled|find|search|grep|"
        r"look\s+up|who|what|how)\s+(?:the\s+(?:word|words|phrase|text|term)\s+)?(.+)",
        re.IGNORECASE,
    )

    def _query(self, text: str) -> list[Found]:
        quoted = evidence.quotes(text) or evidence.subjects(text)
        if quoted:
            return quoted
        for folder in evidence.folders(text):
            text = re.sub(rf"\s+(?:in|inside|under|within)\s+(?:the\s+|my\s+)?{re.escape(folder.value)}\b.*", "", text)
        match = None
        for match in re.finditer(self._ABOUT, text):
            inner = re.search(r"\b(?:for|about|mention\w*|contain\w*|on|named|called)\s+(.+)", match[1], re.IGNORECASE)
            value, start = (inner[1], match.start(1) + inner.start(1)) if inner else (match[1], match.start(1))
            value = re.split(
                r"[.?!;](?:\s|$)|\s+(?:in|inside|under|within)\s+(?:the\s+|my\s+)?(?:[\w./-]+/|\S+\s+(?:folder|directory)|notes|docs|files|folder)",
                value,
            )[0]
            value = re.sub(r"^(?:the\s+(?:word|words|phrase|term)\s+|the\s+|an?\s+)", "", value).strip(" ,:")
            if value:
                return [Found(value, start, start + len(value))]
        return []

    def _message(self, text: str) -> list[Found]:
        quoted = evidence.quotes(text)
        if quoted:
            return quoted
        match = re.search(
            r"(?:\bsaying(?:\s+that)?|\bthat\s+says|\bto\s+say|\bthat|\bto|:)\s+(.+)", text, re.IGNORECASE
        )
        value = match[1].strip().rstrip(".") if match else ""
        return [Found(value, match.start(1), match.end(1))] if match and value else []

    def _optional(
        self, name: str, segment: str, arguments: Mapping[str, Any], taken: Sequence[tuple[int, int]]
    ) -> _Candidate | None:
        """A value for a parameter that may be left out, only where the text plainly speaks of it.

        A number that another parameter has (`taken`: their places) is not given a second time.
        """
        schema = self._schema(name)
        kind = schema.get("type", "string")
        if name in self.known:
            return _Candidate(self.known[name], -1, -1)
        if "enum" in schema:
            found = self._members(schema, segment) or self._members(schema, self.text)
            return found[0] if found else None
        if kind == "boolean":
            flag = self._flag(name, segment)
            return None if flag is None else _Candidate(flag, -1, -1)
        if kind in ("integer", "number"):
            numbers = self._numbers(name, schema, segment, strict=True)
            return next((item for item in numbers if item[1:] not in taken), None)
        if kind != "string":
            return None
        texts = [item for item in self._optional_texts(name, segment) if item.value not in arguments.values()]
        return _Candidate(texts[0].value, -1, -1) if texts else None

    def _optional_texts(self, name: str, segment: str) -> list[Found]:
        about = kind_of(name, self._schema(name))
        labelled = evidence.labelled(self.text, name)
        if labelled:
            return labelled
        found = self._directed(name, about)
        if not found and about in ("folder", "email", "url", "date", "time", "path", "zone"):
            found = self._strings(name, self._schema(name), ())
            if about == "date" and segment is not self.text:
                found = evidence.dates(segment, self.now) or found
        if not found and about in ("query", "message") and not self._wanted:
            found = self._strings(name, self._schema(name), ())
        if not found and about == "message" and "reason" in words(name):
            found = evidence.reasons(self.text)
        if not found and re.search(rf"\b{re.escape(name.replace('_', ' '))}\b", self.text, re.IGNORECASE):
            found = list(self._named(name, ()))
        return found


def _from(start: int, end: int, found: Sequence[_Candidate]) -> list[_Candidate]:
    """The values that stand in a part of the text before the others."""
    return sorted(found, key=lambda item: not start <= item.start < end)


def _with_those_beside(near: Sequence[Quantity], found: Sequence[Quantity], text: str) -> list[Quantity]:
    """The numbers and those that are listed with them: `notes 1, 2 and 3`."""
    kept = list(near)
    for quantity in found:
        if (
            kept
            and quantity not in kept
            and re.fullmatch(r"\s*(?:,|and|or|&|,\s*and)\s*", text[kept[-1].end : quantity.start])
        ):
            kept.append(quantity)
    return kept


def _once(found: Sequence[Found]) -> list[Found]:
    """Each value where it is said first."""
    first: dict[str, Found] = {}
    for item in found:
        first.setdefault(item.value, item)
    return list(first.values())[:_MOST]


def _all_of(text: str) -> list[Found]:
    return [Found(text.strip(), 0, len(text))] if text.strip() else []


def _numbers_as_written(text: str) -> list[Found]:
    return [Found(text[item.start : item.end], item.start, item.end) for item in evidence.quantities(text)]


def _file_like_quotes(text: str) -> list[Found]:
    return [item for item in evidence.quotes(text) if " " not in item.value]


def _bare_numbers(text: str) -> list[Found]:
    return [Found(match.group(), match.start(), match.end()) for match in re.finditer(r"\b\d+\b", text)]
