"""Tasks over files that take several rounds: look what is there, then read some of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentkit.simulator.brains import evidence
from agentkit.simulator.brains.fill import Filler, kind_of
from agentkit.simulator.brains.schemas import as_list, as_map, properties, required
from agentkit.simulator.brains.tell import phrase
from agentkit.simulator.brains.words import meanings, stem
from agentkit.simulator.request import Tool

_MOST_READ = 10
"""How many files are read in one go."""

_LIST = frozenset(stem(word) for word in "list ls dir listing walk".split())
_READ = frozenset(stem(word) for word in "read open cat load view print".split())
_FILES = frozenset(stem(word) for word in "file files folder directory document dir".split())

_WHICH = (
    ("longest", r"\b(?:longest|largest|biggest|most\s+words)\b"),
    ("shortest", r"\b(?:shortest|smallest|fewest\s+words)\b"),
    ("first", r"\bfirst\s+(?:one|file|of|document|note)\b|\bthe\s+first\b"),
    ("last", r"\blast\s+(?:one|file|of|document|note)\b|\bthe\s+last\b"),
    ("each", r"\b(?:each|every|all|both|them|their\s+contents?)\b"),
)
_WANTS_READING = re.compile(
    r"\b(?:read|reads|reading|open|says?|contents?|summari[sz]e|summary|words|print|cat|about)\b", re.IGNORECASE
)


_WANTS_LISTING = re.compile(
    r"\b(?:what|which|how\s+many|show|list|see|any)\b[^.?!]*\b(?:files|documents|notes|folder|directory)\b",
    re.IGNORECASE,
)
_WANTS_SEARCH = re.compile(r"\b(?:mention\w*|contain\w*|search\w*|find|grep|look\s+for|about)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a listing: a file, and its size where the listing gives one."""

    path: str
    size: float | None


class FileTools:
    """The tools of a request that list and read files, where there are such."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self.lister: Tool | None = None
        self.reader: Tool | None = None
        self.parameter = ""
        for tool in tools:
            named = meanings(tool.name)
            about = named | meanings(tool.description)
            path = _path_parameter(tool)
            if self.lister is None and named & _LIST and about & _FILES and len(required(tool.parameters)) <= 1:
                self.lister = tool
            elif self.reader is None and named & _READ and path and about & _FILES:
                self.reader = tool
                self.parameter = path

    def which(self, text: str) -> str:
        """What a task wants of a folder's files: `"none"` (only their names), which of them to read (`"each"`,
        `"longest"`, …), or `""` where it is no such task."""
        if self.lister is None or evidence.paths(_no_folders(text)):
            return ""
        low = text.lower()
        named = next((which for which, pattern in _WHICH if re.search(pattern, low)), "")
        if self.reader is not None:
            if named in ("longest", "shortest") or (named and _WANTS_READING.search(text)):
                return named
            if re.search(r"\b(?:summari[sz]e|contents?\s+of|read|says?)\b", low) and re.search(
                r"\b(?:files|notes|documents|folder|directory)\b", low
            ):
                return "each"
        return "none" if _WANTS_LISTING.search(text) and not _WANTS_SEARCH.search(text) else ""

    def first(self, text: str, now: float) -> list[dict[str, Any]]:
        """The calls of the listing tool with which a task begins."""
        assert self.lister is not None
        filler = Filler(self.lister, text, now, {})
        return filler.calls() or [filler.invented()]

    def next(self, which: str, listings: Sequence[tuple[Mapping[str, Any], str]]) -> list[dict[str, Any]]:
        """The calls of the reading tool that follow from listings (their arguments and answers)."""
        entries = [entry for arguments, answer in listings for entry in _entries(answer, _folder_of(arguments))]
        if not entries:
            return []
        sized = [entry for entry in entries if entry.size is not None]
        if which in ("longest", "shortest") and len(sized) == len(entries):
            pick = max if which == "longest" else min
            entries = [pick(entries, key=lambda entry: entry.size or 0.0)]
        elif which in ("first", "last"):
            entries = [entries[0 if which == "first" else -1]]
        return [{self.parameter: entry.path} for entry in entries[:_MOST_READ]]


def extreme(which: str, readings: Sequence[tuple[str, str]]) -> str:
    """What is to be said of the longest or shortest of what was read (names and texts)."""
    if which not in ("longest", "shortest") or len(readings) < 2:
        return ""
    pick = max if which == "longest" else min
    name, text = pick(readings, key=lambda reading: len(reading[1]))
    return f"The {which} is {name}, with {len(text)} characters: {phrase(text)}"


def _no_folders(text: str) -> str:
    for folder in evidence.folders(text):
        text = text[: folder.start] + " " * (folder.end - folder.start) + text[folder.end :]
    return text


def _path_parameter(tool: Tool) -> str:
    known = properties(tool.parameters)
    wanted = required(tool.parameters)
    if len(wanted) != 1 or known[wanted[0]].get("type", "string") != "string":
        return ""
    return wanted[0] if kind_of(wanted[0], known[wanted[0]]) in ("path", "name") else ""


def _folder_of(arguments: Mapping[str, Any]) -> str:
    folder = next((value for value in arguments.values() if isinstance(value, str)), "")
    return "" if folder in (".", "./", "") or re.search(r"[*?]", folder) else folder.rstrip("/")


def _entries(answer: str, folder: str) -> list[Entry]:
    """The files of a listing: JSON, or lines, or names with commas between them."""
    try:
        value: Any = json.loads(answer)
    except ValueError:
        value = None
    for key in ("files", "entries", "result", "items"):
        value = as_map(value).get(key, value) if isinstance(value, dict) else value
    found: list[Entry] = []
    for item in as_list(value):
        if isinstance(item, dict):
            record = as_map(item)
            path = next((record[key] for key in ("path", "name", "file", "filename") if key in record), None)
            size = next(
                (record[key] for key in ("size", "bytes", "length", "characters", "words") if key in record), None
            )
            found.append(Entry(_joined(str(path), folder), size if isinstance(size, (int, float)) else None))
        else:
            found.append(Entry(_joined(str(item), folder), None))
    return found or _lines(answer, folder)


def _lines(answer: str, folder: str) -> list[Entry]:
    found: list[Entry] = []
    for line in re.split(r"\n|,\s+(?=\S+\.\w)", answer):
        for path in evidence.paths(line)[:1]:
            rest = line[: path.start] + line[path.end :]
            size = re.search(
                r"\b(\d+(?:[.,]\d+)*)\s*(?:bytes?|b|kb|characters|chars|words|lines)?\b", rest, re.IGNORECASE
            )
            found.append(Entry(_joined(path.value, folder), float(size[1].replace(",", "")) if size else None))
    return found


def _joined(path: str, folder: str) -> str:
    return path if not folder or path.startswith((folder + "/", "/")) else f"{folder}/{path}"
