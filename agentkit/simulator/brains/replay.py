"""Recorded exchanges as a brain: a request that was recorded gets the reply that was recorded.

A recording is a folder with these files:

- `request.json`: an object with `body`, the JSON of the request (`method` and `url` may stand beside it);
- `response.json` or `response.sse`: the body of the reply, unstreamed or streamed;
- `response_meta.json`: an object with `status`, the HTTP status (and perhaps `headers`); without the file it is 200.

What counts is what the model was shown: the model's name, whether it thinks and how hard, the tools, and every message
with its calls. How it was asked (streamed or not, temperature, budgets) does not, nor do the ids of calls, as long as
they fit together: a streamed recording answers a request that is not streamed, and the other way round. Ids of calls,
finish reasons and errors come as recorded; the rest is the profile's.
"""

from __future__ import annotations

import difflib
import itertools
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, cast

from agentkit.errors import ConfigurationError
from agentkit.simulator.brains import Turn, turn_of
from agentkit.simulator.checks import Case
from agentkit.simulator.endpoints import profile_named
from agentkit.simulator.plan import Call, Plan
from agentkit.simulator.profiles import Profile
from agentkit.simulator.refusal import Refusal
from agentkit.simulator.request import Message, read_chat

Lines = tuple[tuple[str, str], ...]
"""What a model is shown, as places and texts."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One exchange: the name of its folder, what the model was shown, and the reply."""

    name: str
    lines: Lines
    reply: Plan | Refusal


class Replay:
    """A brain that answers as recorded.

    The same request recorded several times gets its replies one after the other, the last one ever after. A request
    that was not recorded is refused with a 400 that names the nearest one and the first difference; `misses` keeps it.

    Attributes:
        recordings: What was read.
        skipped: The folders that were not, and why.
        misses: The texts of the refusals.
    """

    def __init__(self, folder: str | PathLike[str], *, profile: str | Profile = "deepseek") -> None:
        """Read all recordings in a folder and the folders in it.

        Args:
            folder: The folder.
            profile: Which endpoint's rules the requests are read by.

        Raises:
            ConfigurationError: There is no such folder or profile, or no recording that can be read in it.
        """
        self._folder = str(folder)
        self._lock = threading.Lock()
        self._asked: dict[Lines, int] = {}
        self.recordings: list[Recording] = []
        self.skipped: dict[str, str] = {}
        self.misses: list[str] = []
        known = profile_named(profile)
        root = Path(folder)
        if not root.is_dir():
            raise ConfigurationError(f"there is no folder `{folder}` to replay", code="bad-simulator")
        for request in sorted(root.rglob("request.json")):
            name = request.parent.relative_to(root).as_posix()
            try:
                self.recordings.append(_recording(name, request.parent, known))
            except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, Refusal) as error:
                self.skipped[name] = f"{type(error).__name__}: {error}"
        if not self.recordings:
            first = next(iter(self.skipped.items()), None)
            told = f": `{first[0]}`: {first[1]}" if first else ""
            raise ConfigurationError(
                f"`{folder}` has no recording that can be read (folders with `request.json` and `response.json` or "
                f"`response.sse`){told}",
                code="bad-simulator",
            )
        self._by_lines: dict[Lines, list[Recording]] = {}
        for one in self.recordings:
            self._by_lines.setdefault(one.lines, []).append(one)

    def __call__(self, turn: Turn) -> Plan:
        """The recorded reply.

        Raises:
            Refusal: It is an error, or there is none.
        """
        lines = shown(turn)
        found = self._by_lines.get(lines)
        if not found:
            text = f"no recording in `{self._folder}` has this request; {self._nearest(lines)}"
            self.misses.append(text)
            raise Refusal(text)
        with self._lock:
            number = self._asked.get(lines, 0)
            self._asked[lines] = number + 1
        reply = found[min(number, len(found) - 1)].reply
        if isinstance(reply, Refusal):
            raise Refusal(reply.message, status=reply.status, type=reply.type, code=reply.code)
        return reply

    def _nearest(self, lines: Lines) -> str:
        matcher: difflib.SequenceMatcher[tuple[str, str]] = difflib.SequenceMatcher(None, (), lines, autojunk=False)

        def nearness(recording: Recording) -> tuple[int, float]:
            matcher.set_seq1(recording.lines)
            same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(recording.lines, lines, strict=False))
            return sum(block.size for block in matcher.get_matching_blocks()), len(list(same))

        near = max(self.recordings, key=nearness)
        return f"the nearest is `{near.name}`, and the first difference: {_difference(lines, near.lines)}"


def shown(turn: Turn) -> Lines:
    """What a model is shown, as places and texts; ids of calls are numbered in the order in which they appear."""
    return tuple(_lines(turn))


def _lines(turn: Turn) -> Iterator[tuple[str, str]]:
    yield "model", turn.model
    yield "thinking", f"{turn.thinking}, effort {turn.effort}" if turn.thinking else "False"
    yield "must_call", str(turn.must_call)
    yield "json", str(turn.json)
    for number, tool in enumerate(turn.tools):
        yield f"tools[{number}].name", tool.name
        yield f"tools[{number}].description", tool.description
        yield f"tools[{number}].parameters", _canonical(tool.parameters)
    ids: dict[str, int] = {}
    for number, message in enumerate(turn.messages):
        yield from _message(message, f"messages[{number}]", ids)


def _message(message: Message, place: str, ids: dict[str, int]) -> Iterator[tuple[str, str]]:
    yield f"{place}.role", message.role
    if message.call_id:
        yield f"{place}.answers", f"call {ids.get(message.call_id, message.call_id)}"
    yield f"{place}.content", message.text or ""
    for number, call in enumerate(message.calls or ()):
        yield f"{place}.tool_calls[{number}]", f"{call.name}({_canonical_text(call.arguments)})"
        ids[call.id] = len(ids)


def _canonical(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _canonical_text(text: str) -> str:
    try:
        return _canonical(json.loads(text))
    except ValueError:
        return text


def _difference(asked: Lines, recorded: Lines) -> str:
    for now, then in itertools.zip_longest(asked, recorded, fillvalue=("", "nothing")):
        if now != then:
            place = now[0] or then[0]
            if now[0] and then[0] and now[0] != then[0]:
                return f"`{now[0]}` was asked where `{then[0]}` was recorded"
            return f"`{place}` is {_from(now[1], then[1])}, recorded was {_from(then[1], now[1])}"
    return "none"


def _from(text: str, other: str) -> str:
    """A text, of a long one the part from where it differs."""
    same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(text, other, strict=False)))
    start = max(0, same - 30) if len(text) > 120 else 0
    part = text[start : start + 120]
    return f"“{'… ' if start else ''}{part}{' …' if start + 120 < len(text) else ''}”"


# ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _recording(name: str, folder: Path, profile: Profile) -> Recording:
    request: Any = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    body = json.dumps(request["body"], ensure_ascii=False).encode("utf-8", "replace")
    chat = read_chat(body, profile)
    if chat.model not in profile.models:
        raise ValueError(f"the profile `{profile.name}` serves no model `{chat.model}`")
    turn = turn_of(Case(chat, profile), 0.0)
    meta = folder / "response_meta.json"
    status: int = json.loads(meta.read_text(encoding="utf-8"))["status"] if meta.exists() else 200
    streamed = folder / "response.sse"
    if streamed.exists() and status == 200:
        reply: Plan | Refusal = _plan_of_stream(streamed.read_text(encoding="utf-8"))
    else:
        text = (streamed if streamed.exists() else folder / "response.json").read_text(encoding="utf-8")
        reply = _plan_of_body(json.loads(text)) if status == 200 else _refusal(status, text)
    return Recording(name, shown(turn), reply)


def _refusal(status: int, text: str) -> Refusal:
    error: Any = json.loads(text)["error"]
    return Refusal(
        str(error["message"]),
        status=status,
        type=str(error.get("type", "invalid_request_error")),
        code=str(error.get("code", "invalid_request_error")),
    )


def _plan_of_body(body: Mapping[str, Any]) -> Plan:
    choice = body["choices"][0]
    message: Mapping[str, Any] = choice["message"]
    return Plan(
        content=message.get("content") or "",
        calls=tuple(_call(call) for call in message.get("tool_calls") or ()),
        reasoning=message.get("reasoning_content") or message.get("reasoning") or "",
        finish_reason=choice.get("finish_reason"),
    )


def _call(call: Mapping[str, Any]) -> Call:
    function: Mapping[str, Any] = call["function"]
    arguments: Any = function.get("arguments") or ""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return Call(function["name"], text, call.get("id") or "")


def _plan_of_stream(text: str) -> Plan:
    said: dict[str, str] = {"content": "", "reasoning": ""}
    calls: dict[int, dict[str, str]] = {}
    finish: str | None = None
    for choice in _choices(text):
        delta: Mapping[str, Any] = choice.get("delta") or {}
        said["content"] += delta.get("content") or ""
        said["reasoning"] += delta.get("reasoning_content") or delta.get("reasoning") or ""
        for part in cast("Sequence[Mapping[str, Any]]", delta.get("tool_calls") or ()):
            call = calls.setdefault(part.get("index", 0), {"id": "", "name": "", "arguments": ""})
            function: Mapping[str, Any] = part.get("function") or {}
            call["id"] = call["id"] or part.get("id") or ""
            call["name"] = call["name"] or function.get("name") or ""
            call["arguments"] += function.get("arguments") or ""
        finish = choice.get("finish_reason") or finish
    return Plan(said["content"], tuple(Call(**call) for _, call in sorted(calls.items())), said["reasoning"], finish)


def _choices(text: str) -> Iterator[Mapping[str, Any]]:
    for line in text.splitlines():
        if line.startswith("data:") and line[5:].strip() != "[DONE]":
            yield from cast("Sequence[Mapping[str, Any]]", json.loads(line[5:]).get("choices") or ())
