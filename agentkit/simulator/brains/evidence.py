"""What a text holds that could be an argument: names, numbers with their units, quotes, paths, dates, …

Each finder gives what it found with the place where it stands, in order.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from agentkit.simulator.brains.words import NUMBERS, STOP, VERBS, stem


class Found(NamedTuple):
    """Something found in a text, from `start` to `end`."""

    value: str
    start: int
    end: int


class Quantity(NamedTuple):
    """A number in a text, with the words round it."""

    value: float
    start: int
    end: int
    before: str
    after: str


_QUOTED = re.compile(
    r'"([^"\n]{1,500})"|“([^”\n]{1,500})”|„([^“”\n]{1,500})[“”]|«([^»\n]{1,500})»|`([^`\n]{1,500})`'
    r"|(?<![\w])'([^'\n]{1,500})'(?![\w])|‘([^’\n]{1,500})’"
)
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_URL = re.compile(r"https?://[^\s\"'<>`]+[^\s\"'<>`.,;:!?)]")
_PATH = re.compile(
    r"(?<![\w@/.-])((?:~|\.{1,2})?/?(?:[\w.-]+/)*[\w-]+(?:\.[\w-]+)*\.[A-Za-z][A-Za-z0-9]{0,5}"
    r"|(?:[\w.-]+/)+[\w.-]+|(?:README|LICENSE|Makefile|Dockerfile|CHANGELOG))(?![\w@])"
)
_FOLDERS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"[`'\"]?([\w.~/-]*[\w~/-])[`'\"]?\s+(?:folder|directory|dir)\b",
        r"\b(?:folder|directory|dir)\s+(?:called\s+|named\s+)?[`'\"]?([\w.~/-]*[\w~/-])",
        r"(?<![\w/.])[`'\"]?((?:[\w.-]+/)*[\w.-]+/)(?![\w.])",
        (
            r"\b(?:files?|everything|entries|contents?|inside|within|documents?|notes?|saved)\s+(?:are\s+|is\s+)?(?:there\s+)?"
            r"(?:in|of|inside|under|from|within)\s+(?:the\s+|my\s+|our\s+)?[`'\"]?([\w.~/-]*[\w~/-])"
        ),
        (
            r"\b(?:what'?s|what\s+is|what\s+are|look|list|search|ls)\s+(?:\w+\s+)?(?:in|inside|under)\s+(?:the\s+|my\s+)?"
            r"[`'\"]?([\w.~/-]*[\w~/-])"
        ),
        r"\bls\s+([\w.~/-]+)",
        r"\bin\s+(?:the\s+|my\s+)?[`'\"]?((?:[\w.-]+/)+[\w.-]+|notes|docs|src|tests|data|logs|examples)\b",
    )
)
_NO_FOLDER = STOP | frozenset("current working file files folder directory whole root home".split())
_CONNECTORS = frozenset("de la le du del della di da do dos das van von der den of el al am an upon sur und y".split())
_MONTHS: Sequence[str] = "january february march april may june july august september october november december".split()
_DAYS: Sequence[str] = "monday tuesday wednesday thursday friday saturday sunday".split()
_CALENDAR = frozenset([*_MONTHS, *_DAYS, *(month[:3] for month in _MONTHS), *(day[:3] for day in _DAYS), "sept"]) - {
    "mar"
}
_COUNTRIES = frozenset(
    """argentina australia austria belgium brazil bulgaria canada chile china colombia croatia cuba denmark egypt
    england estonia ethiopia finland france germany ghana greece hungary iceland india indonesia iran iraq ireland
    israel italy jamaica japan kenya latvia lithuania malaysia mexico morocco nepal netherlands nigeria norway
    pakistan peru philippines poland portugal romania russia scotland serbia singapore slovakia slovenia spain sweden
    switzerland thailand tunisia turkey uk ukraine uruguay usa us venezuela vietnam wales texas california""".split()
)
_CAPITALISED = re.compile(r"[^\W\d_a-z]\w*(?:[-'’.]\w+|/[A-Z]\w+)*|[A-Z]\.?")


def quotes(text: str) -> list[Found]:
    """What stands in quotation marks."""
    return [Found(next(filter(None, match.groups())), match.start(), match.end()) for match in _QUOTED.finditer(text)]


def emails(text: str) -> list[Found]:
    """Mail addresses."""
    return [Found(match.group(), match.start(), match.end()) for match in _EMAIL.finditer(text)]


def urls(text: str) -> list[Found]:
    """Web addresses."""
    return [Found(match.group(), match.start(), match.end()) for match in _URL.finditer(text)]


def paths(text: str) -> list[Found]:
    """Names of files, with or without folders."""
    text = _EMAIL.sub(lambda match: " " * len(match.group()), _URL.sub(lambda match: " " * len(match.group()), text))
    found = [Found(match[1], match.start(1), match.end(1)) for match in _PATH.finditer(text)]
    return [item for item in found if item.value.lower().strip(".") not in ("e.g", "i.e", "a.m", "p.m", "and/or")]


def folders(text: str) -> list[Found]:
    """Names of folders: `in notes`, `the docs folder`, `src/`."""
    for pattern in _FOLDERS:
        found = [Found(match[1].rstrip("/") or "/", match.start(1), match.end(1)) for match in pattern.finditer(text)]
        found = [item for item in found if item.value.lower() not in _NO_FOLDER and not item.value.isdigit()]
        if found:
            return found
    return []


def ids(text: str) -> list[Found]:
    """Identifiers: `A-123`, `ORD77`, `#4521`."""
    pattern = r"#(\w+)|\b([A-Za-z]+[-_]?\d[\w-]*)\b|\b(?:id|number|no\.?|code)\s+(?:is\s+)?([\w-]*\d[\w-]*)"
    return [
        Found(next(filter(None, match.groups())), match.start(), match.end())
        for match in re.finditer(pattern, text, re.IGNORECASE)
    ]


def codes(text: str) -> list[Found]:
    """Three capitals, as currencies are written; a few currencies by their names."""
    names = {
        "dollar": "USD",
        "euro": "EUR",
        "pound": "GBP",
        "yen": "JPY",
        "franc": "CHF",
        "yuan": "CNY",
        "rupee": "INR",
    }
    pattern = rf"\b([A-Z]{{3}})\b|\b((?i:{'|'.join(names)}))s?\b|([$€£¥])"
    signs = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY"}
    found: list[Found] = []
    for match in re.finditer(pattern, text):
        value = match[1] or signs.get(match[3] or "", "") or names[(match[2] or "").lower()]
        found.append(Found(value, match.start(), match.end()))
    return found


def quantities(text: str) -> list[Quantity]:
    """Numbers in digits or words, and the words next to them; `this week` is seven days."""
    named = "|".join(NUMBERS)
    pattern = rf"(?<![\w.#])(-?\d+(?:,\d{{3}})*(?:\.\d+)?|(?:{named})\b)\s*-?\s*([A-Za-z°%]+)?"
    found: list[Quantity] = []
    for match in re.finditer(pattern, text, re.IGNORECASE):
        digits = match[1].lower().replace(",", "")
        value = NUMBERS[digits] if digits in NUMBERS else float(digits)
        before = re.findall(r"[A-Za-z]+", text[max(0, match.start() - 40) : match.start()])
        after = (match[2] or "").lower()
        if after.startswith("week"):
            value, after = value * 7, "days"
        if digits == "one" and not after:
            continue
        value = int(value) if float(value).is_integer() and "." not in digits else value
        found.append(Quantity(value, match.start(), match.end(1), before[-1].lower() if before else "", after))
    weeks = [
        Quantity(7, match.start(), match.end(), "", "days")
        for match in re.finditer(
            r"\b(?:this|next|coming|the|all|whole|a|per)\s+week\b(?!end)|\bweekly\b", text, re.IGNORECASE
        )
    ]
    return sorted([*found, *weeks], key=lambda quantity: quantity.start)


def dates(text: str, now: float) -> list[Found]:
    """Dates as `YYYY-MM-DD`: written so, by month and day, by weekday, or as today, tomorrow, yesterday."""
    today = datetime.datetime.fromtimestamp(now, tz=datetime.UTC).date()
    months = "|".join(f"{month}|{month[:3]}" for month in _MONTHS)
    pattern = (
        rf"(?P<iso>\d{{4}}-\d\d-\d\d)|(?P<month>{months})\.?\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?:,?\s+(?P<year>\d{{4}}))?\b"
        rf"|(?P<day2>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?(?P<month2>{months})(?:\s+(?P<year2>\d{{4}}))?\b"
        rf"|\b(?P<word>today|tonight|tomorrow|yesterday)\b|\b(?P<week>{'|'.join(_DAYS)})\b"
    )
    found: list[Found] = []
    for match in re.finditer(pattern, text, re.IGNORECASE):
        value = _date(match, today)
        if value is not None:
            found.append(Found(value, match.start(), match.end()))
    return found


def _date(match: re.Match[str], today: datetime.date) -> str | None:
    if match["iso"]:
        return match["iso"]
    if match["word"]:
        shift = {"tomorrow": 1, "yesterday": -1}.get(match["word"].lower(), 0)
        return (today + datetime.timedelta(days=shift)).isoformat()
    if match["week"]:
        ahead = (_DAYS.index(match["week"].lower()) - today.weekday() - 1) % 7 + 1
        return (today + datetime.timedelta(days=ahead)).isoformat()
    name = str(match["month"] or match["month2"])[:3].lower()
    month = next(place for place, known in enumerate(_MONTHS, 1) if known.startswith(name))
    day, year = int(match["day"] or match["day2"]), match["year"] or match["year2"]
    try:
        value = datetime.date(int(year) if year else today.year, month, day)
        if not year and value < today:
            value = value.replace(year=today.year + 1)
    except ValueError:
        return None
    return value.isoformat()


def times(text: str) -> list[Found]:
    """Times of day as `HH:MM`."""
    found: list[Found] = []
    for match in re.finditer(r"\b(\d{1,2})(?::(\d\d))?\s*(am|pm)\b|\b(\d{1,2}):(\d\d)\b", text, re.IGNORECASE):
        hour = int(match[1] or match[4])
        if match[3]:
            hour = hour % 12 + (12 if match[3].lower() == "pm" else 0)
        if hour < 24:
            found.append(Found(f"{hour:02}:{match[2] or match[5] or '00'}", match.start(), match.end()))
    return found


@lru_cache(maxsize=256)
def names(text: str) -> tuple[Found, ...]:
    """Capitalised names: `Paris`, `New York`, `Rio de Janeiro`, `Paris, France`; no months, and no ordinary words that
    only begin a sentence."""
    found: list[Found] = []
    for match in _CAPITALISED.finditer(text):
        if not _is_name(text, match):
            continue
        last = found[-1] if found else None
        between = text[last.end : match.start()] if last else ""
        if last and _joins(between, match.group(), last.value):
            found[-1] = Found(text[last.start : match.end()], last.start, match.end())
        else:
            found.append(Found(match.group(), match.start(), match.end()))
    return tuple(item._replace(value=re.sub(r"['’]s$", "", item.value)) for item in found)


def _joins(between: str, word: str, before: str) -> bool:
    """Whether two capitalised words are one name."""
    if between == " ":
        return True
    if between in (", ", ","):
        return word.lower() in _COUNTRIES and before.lower() not in _COUNTRIES and "," not in before
    inner = between.split()
    return between.startswith(" ") and 0 < len(inner) <= 2 and all(part in _CONNECTORS for part in inner)


def _is_name(text: str, match: re.Match[str]) -> bool:
    word = match.group()
    low = re.sub(r"['’]s$", "", word.lower()).strip(".")
    if low in _CALENDAR or low == "i" or low.startswith(("i'", "i’")):
        return False
    begins = not re.search(r"[\w,;)\"']\s*$", text[max(0, match.start() - 12) : match.start()])
    if begins and (low in VERBS or low in STOP):
        return False
    return not (low in STOP and len(low) > 1)


_AFTER = re.compile(
    r"\b(?:in|for|at|of|to|from|about|on)\s+((?:the\s+|my\s+)?[^\W\d_][\w'’-]*(?:(?:\s+|\s*,\s*)[^\W\d_][\w'’-]*){0,6})",
    re.IGNORECASE,
)
_ENDS = STOP | frozenset(
    "today tomorrow tonight week weekend right day days hour hours night celsius fahrenheit degrees".split()
)


def after_prepositions(text: str) -> list[Found]:
    """Lower-case names after `in`, `for`, `at`, …: `weather in paris and new york` gives both."""
    found: list[Found] = []
    for match in _AFTER.finditer(text):
        start = match.start(1)
        for part in re.finditer(r"[^,]+", re.sub(r"\b(and|or)\b", lambda word: "," * len(word[0]), match[1])):
            kept: list[re.Match[str]] = []
            for word in re.finditer(r"[\w'’-]+", part.group()):
                if word.group().lower() in _ENDS:
                    if kept:
                        break
                    continue
                kept.append(word)
            if kept:
                begin, end = start + part.start() + kept[0].start(), start + part.start() + kept[-1].end()
                found.append(Found(text[begin:end], begin, end))
    return found


def leftovers(text: str) -> Iterator[str]:
    """The telling words of a text that are neither names nor numbers nor dates."""
    spans = [(item.start, item.end) for item in (*names(text), *dates(text, 0.0), *quantities(text), *quotes(text))]
    for match in re.finditer(r"[A-Za-z][A-Za-z'’]*", text):
        word = match.group().lower()
        inside = any(start <= match.start() < end for start, end in spans)
        if not inside and word not in STOP and stem(word) not in _TIME_STEMS:
            yield word


def subjects(text: str) -> list[Found]:
    """What is asked for in `where is X mentioned` and the like."""
    pattern = (
        r"\b(?:where|who|which\s+files?|what)\b[^.?!]*?\b(?:is|are|was|does|do)\s+(?:the\s+(?:word|text)\s+)?(.{1,80}?)\s+"
        r"(?:mentioned|defined|used|found|written|appear|appears|occur|occurs|stand|stands)\b"
    )
    return [Found(match[1], match.start(1), match.end(1)) for match in re.finditer(pattern, text, re.IGNORECASE)]


def reasons(text: str) -> list[Found]:
    """What follows `because`, `since` or `as`."""
    pattern = r"\b(?:because(?:\s+of)?|since|due\s+to)\s+([^.;!?]+)"
    return [
        Found(match[1].strip(), match.start(1), match.end(1)) for match in re.finditer(pattern, text, re.IGNORECASE)
    ]


def labelled(text: str, name: str) -> list[Found]:
    """What a text calls by a parameter's name: `tag: work`, `the tag 'work'`, `reason: it broke`."""
    label = re.escape(name.replace("_", " "))
    pattern = (
        rf"\b{label}\s*[:=]\s*(?:[`'\"“]([^`'\"”\n]+)[`'\"”]|([^.,;!?\n]+))"
        rf"|\b(?:the|a|with|and|under)\s+{label}\s+(?:of\s+|is\s+|called\s+)?[`'\"“]?([\w-]+)[`'\"”]?"
    )
    return [
        Found(next(filter(None, match.groups())).strip(), match.start(), match.end())
        for match in re.finditer(pattern, text, re.IGNORECASE)
    ]


_ZONES = {
    "amsterdam": "Europe/Amsterdam",
    "athens": "Europe/Athens",
    "bangkok": "Asia/Bangkok",
    "beijing": "Asia/Shanghai",
    "berlin": "Europe/Berlin",
    "cairo": "Africa/Cairo",
    "chicago": "America/Chicago",
    "delhi": "Asia/Kolkata",
    "dubai": "Asia/Dubai",
    "hong kong": "Asia/Hong_Kong",
    "istanbul": "Europe/Istanbul",
    "lima": "America/Lima",
    "lisbon": "Europe/Lisbon",
    "london": "Europe/London",
    "los angeles": "America/Los_Angeles",
    "madrid": "Europe/Madrid",
    "moscow": "Europe/Moscow",
    "mumbai": "Asia/Kolkata",
    "nairobi": "Africa/Nairobi",
    "new york": "America/New_York",
    "oslo": "Europe/Oslo",
    "paris": "Europe/Paris",
    "rome": "Europe/Rome",
    "san francisco": "America/Los_Angeles",
    "shanghai": "Asia/Shanghai",
    "singapore": "Asia/Singapore",
    "sydney": "Australia/Sydney",
    "tokyo": "Asia/Tokyo",
    "toronto": "America/Toronto",
    "utc": "UTC",
    "vienna": "Europe/Vienna",
}
_ZONE = re.compile(rf"\b(?:([A-Z][A-Za-z]+/[A-Z][A-Za-z_]+)|({'|'.join(_ZONES)}))\b", re.IGNORECASE)


def zones(text: str) -> list[Found]:
    """Time zones by their names in the time zone database, and those of a few large cities."""
    return [Found(match[1] or _ZONES[match[2].lower()], match.start(), match.end()) for match in _ZONE.finditer(text)]


_TIME_STEMS = frozenset(
    stem(word) for word in "today tomorrow tonight week weekend day days next morning evening".split()
)
