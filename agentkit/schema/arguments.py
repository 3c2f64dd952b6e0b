"""What is wrong with the arguments of a call, told so that a model can mend it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from agentkit.frozen import frozen

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails, ValidationError

MOST_PROBLEMS = 10
"""So many problems are listed one by one; of the others only the number is told."""

_GOT = 80
"""A wrong value is shown up to this many characters."""

_SUBJECT = re.compile(
    r"^(?:Input|String|List|Tuple|Set|Frozenset|Dictionary|Data|Value|Bytes|Decimal input|Iterable|Generator|JSON input"
    r"|Object|Enumeration|Arguments) should "
)
_OWN_ERROR = re.compile(r"^(?:Value error|Assertion failed), ")
_NOT_VALID = re.compile(r"^(?:Input|Value) is not (?:a |an )?valid (\w+).*")
_PLACE = re.compile(r"at line (\d+) column (\d+)")
_PLAIN_KEY = re.compile(r"[^\W\d]\w*")
_APART = re.compile(r"[\W_]+")
_HUGE = re.compile(r"[0-9][eE]\+?[0-9]{3}|(?<![0-9])[0-9]{300}")
"""What each number has that is greater than any float."""

_EXACT = frozenset({str, int, bool, type(None)})
"""No number that became infinite is of these types."""


@frozen
class Problem:
    """One thing that is wrong.

    Attributes:
        path: Where: `orders[0].price`; `arguments` for all of them.
        problem: What is wrong, and what is expected: "must be a valid integer".
        got: The value as JSON, cut if it is long; `None` where there is none to show.
    """

    path: str
    problem: str
    got: str | None = None

    def __str__(self) -> str:
        return f"`{self.path}` {self.problem}" + (f"; got {self.got}" if self.got is not None else "")


class ArgumentsInvalid(Exception):
    """The arguments of a call do not fit its tool; the text is a short numbered list for the model.

    Attributes:
        tool: The tool's name.
        problems: All that is wrong.
        malformed: Whether the text is no JSON object at all, so that mending it may help.
    """

    def __init__(self, tool: str, problems: Sequence[Problem], *, malformed: bool = False) -> None:
        self.tool = tool
        self.problems = tuple(problems)
        self.malformed = malformed
        shown = [f"{number}. {problem}" for number, problem in enumerate(self.problems[:MOST_PROBLEMS], 1)]
        if len(self.problems) > MOST_PROBLEMS:
            shown.append(f"… and {len(self.problems) - MOST_PROBLEMS} more.")
        head = f"`{tool}` was not run, because its arguments are wrong:"
        super().__init__("\n".join([head, *shown, "Call it again with these mended."]))


def whole(tool: str, problem: str, got: str | None = None) -> ArgumentsInvalid:
    """The error for arguments that are no JSON object."""
    return ArgumentsInvalid(tool, [Problem("arguments", problem, got)], malformed=True)


def show(value: Any) -> str:
    """A value as the model would write it, cut in the middle if it is long."""
    from pydantic_core import to_json

    if isinstance(value, str):
        value = value[: 2 * _GOT]
    try:
        text = to_json(value, fallback=repr, inf_nan_mode="constants").decode()
    except ValueError:
        text = json.dumps(value, default=repr)
    return text if len(text) <= _GOT else f"{text[: _GOT * 2 // 3]} … {text[-_GOT // 4 :]}"


def from_pydantic(tool: str, error: ValidationError, text: str | bytes, known: Iterable[str]) -> ArgumentsInvalid:
    """What pydantic found, in short words and by path; the alternatives of a union become one problem.

    Args:
        tool: The tool's name.
        error: What pydantic raised.
        text: The arguments as the model wrote them.
        known: The names of the parameters, for the one that was misspelt.
    """
    found: dict[str, list[str]] = {}
    values: dict[str, str | None] = {}
    whole_input = _load(text)
    problems = error.errors(include_url=False)
    if not problems[0]["loc"] and problems[0]["type"] in ("json_invalid", "string_unicode"):
        return whole(tool, _not_json(problems[0]["msg"], text))
    if not isinstance(whole_input, dict):
        return whole(tool, "must be an object", show(whole_input))
    for one in problems:
        if len(found) > MOST_PROBLEMS:  # these are told by their number only
            found.setdefault(str(len(found)), [])
            continue
        loc, missing = one["loc"], one["type"] in ("missing", "missing_argument")
        path = _path(loc, whole_input, missing)
        problem = _words(one, known)
        found.setdefault(path, [])
        if problem not in found[path]:
            found[path].append(problem)
        values[path] = None if missing or one["type"] == "extra_forbidden" else show(one["input"])
    return ArgumentsInvalid(
        tool, [Problem(path or "arguments", ", or ".join(words), values.get(path)) for path, words in found.items()]
    )


def _load(text: str | bytes) -> Any:
    from pydantic_core import from_json

    try:
        return from_json(text)
    except (ValueError, TypeError):
        return None


def _not_json(message: str, text: str | bytes) -> str:
    if "raw data as a unicode" in message:
        return "must be valid Unicode text; there is half of a surrogate pair in it"
    reason = message.removeprefix("Invalid JSON: ")
    near = ""
    if place := _PLACE.search(reason):  # counted in bytes
        data = text if isinstance(text, bytes) else text.encode(errors="replace")
        line, column = int(place[1]), int(place[2])
        lines = data.split(b"\n", line)
        near = lines[line - 1][max(0, column - _GOT // 2) : column + _GOT // 4] if line <= len(lines) else b""
        near = f", near {show(near.decode(errors='replace'))}" if near else ""
    return f"must be one JSON object, but what came is not valid JSON: {reason}{near}"


def steps_to(loc: Sequence[str | int], root: Any, *, missing: bool = False) -> tuple[list[str | int], Any]:
    """A place in the input, without the steps that only name an alternative of a union; and what stands there.

    Args:
        loc: The place as pydantic tells it.
        root: The input.
        missing: Whether the last step names what is not there.
    """
    steps: list[str | int] = []
    value: Any = root
    for number, step in enumerate(loc):
        if isinstance(value, dict):
            inside = step in value
        else:
            inside = isinstance(value, list) and isinstance(step, int) and step < len(cast("list[Any]", value))
        if inside or (missing and number == len(loc) - 1):
            steps.append(step)
            value = cast("Any", value)[step] if inside else None
    return steps, cast("Any", value)


def _path(loc: Sequence[str | int], value: Any, missing: bool) -> str:
    return path_of(steps_to(loc, value, missing=missing)[0])


def path_of(steps: Iterable[str | int]) -> str:
    """A place in words: `orders[0].price`."""
    return "".join(_step(step, first=not number) for number, step in enumerate(steps))


def _step(step: str | int, *, first: bool) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    if len(step) > _GOT or not _PLAIN_KEY.fullmatch(step):
        return f"[{show(step)}]"
    return step if first else f".{step}"


def _words(one: ErrorDetails, known: Iterable[str]) -> str:
    kind, message, loc, value = one["type"], str(one["msg"]), one["loc"], one["input"]
    if kind in ("missing", "missing_argument"):
        return "is required but missing"
    if kind == "extra_forbidden":
        return unknown_key(str(loc[-1]), known) if len(loc) == 1 else "is not known here"
    if kind in ("dict_type", "model_type", "dataclass_type", "model_attributes_type", "arguments_type"):
        return "must be an object"
    if kind == "union_tag_invalid":
        context = one.get("ctx", {})
        return f"has a wrong {context.get('discriminator')}, which must be one of {context.get('expected_tags')}"
    if kind == "date_from_datetime_inexact":
        return "must be a date without a time of day"
    if kind == "int_type" and isinstance(value, float) and math.isfinite(value) and not value.is_integer():
        message += ", got a number with a fractional part"
    if kind in ("int_parsing", "float_parsing", "bool_parsing"):
        message = message.partition(", unable")[0]
    message = _NOT_VALID.sub(r"must be a valid \1", message)
    return _SUBJECT.sub("must ", _OWN_ERROR.sub("", message))


def unknown_key(key: str, known: Iterable[str]) -> str:
    """What to say of a parameter that there is not: the one that was probably meant, else all there are."""
    names = list(known)
    if not names:
        return "is not known: there are no parameters"
    if near := nearest(key, names):
        return f"is not known; did you mean `{near}`?"
    return "is not known; there are " + ", ".join(f"`{name}`" for name in names)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The name that was probably meant, also in other cases, with other signs between words, or behind a prefix.

    Args:
        name: What was written: `getWeather`, `functions.get_weather`.
        known: The names that there are.

    Returns:
        One of them; `None` where none is near, or `name` is longer than names are.
    """
    if len(name) > _GOT:
        return None
    from difflib import get_close_matches

    bare = {_APART.sub("", one).casefold(): one for one in reversed(list(known))}  # the first of equal ones stays
    parts = [one for one in re.split(r"[./:]", name.casefold()) if one]
    for written in (name.casefold(), *parts[-1:]):
        if found := get_close_matches(_APART.sub("", written), bare, 1):
            return bare[found[0]]
    return None


def check_text(tool: str, text: str | bytes, keys: int, values: Iterable[object] | None = None) -> None:
    """Refuse what JSON readers let through: a key twice in one object, `NaN`, `Infinity`, and what becomes infinite.

    It costs next to nothing where there can be neither: each key needs a colon, so a text with as many colons as the
    object has keys repeats none.

    Args:
        tool: The tool's name.
        text: JSON that was already read without error.
        keys: How many keys the object at the top turned out to have.
        values: The values that were read there; `None` where they are not at hand.

    Raises:
        ArgumentsInvalid: There is one or the other.
    """
    if isinstance(text, bytes):
        text = text.decode()
    if suspect(text, keys, values) and (problems := flaws(text)):
        raise ArgumentsInvalid(tool, problems)


def suspect(text: str, keys: int, values: Iterable[object] | None) -> bool:
    """Whether `check_text`, which is given the same, has to look closer: there may be what it refuses, if seldom is."""
    if text.count(":") > keys or "NaN" in text or "Infinity" in text:
        return True
    if values is not None and _EXACT.issuperset(map(type, values)):  # to search a long text takes its time
        return False
    return _HUGE.search(text) is not None


def flaws(text: str | bytes) -> list[Problem]:
    """Each key that stands twice in one object, and each number that is none or becomes infinite.

    Args:
        text: JSON that was read without error.
    """
    problems: list[Problem] = []

    def pairs(items: list[tuple[str, Any]]) -> Mapping[str, Any]:
        found = dict(items)
        if len(found) < len(items):
            seen: set[str] = set()
            for key, _ in items:
                if key in seen:
                    problems.append(Problem(key, "stands twice in one object; write it once"))
                seen.add(key)
        return found

    def constant(name: str) -> None:
        problems.append(Problem("arguments", f"must not hold {name}, which is no JSON number"))

    def number(written: str) -> str:
        if math.isinf(float(written)):
            problems.append(Problem("arguments", f"must not hold {written:.{_GOT}}, which is too great a number"))
        return written

    # whole numbers are left as texts: reading them was done, and a long one would take its time
    json.loads(text, object_pairs_hook=pairs, parse_constant=constant, parse_int=str, parse_float=number)
    return problems
