"""Calls that models wrote as text, in ../shared/wire/text_calls.jsonl: each is read, and nothing else is."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agentkit.models.dialects.notations import SALVAGE, Reader, Reading, read

FILE = Path(__file__).resolve().parents[3] / ".." / "shared" / "wire" / "text_calls.jsonl"
needs_shared = pytest.mark.skipif(not FILE.is_file(), reason="needs ../shared")

OTHERWISE = {
    "dsml-v4-033": "There is no tool `DangerousExecute`. There are: `Bash`.",
    "react-018": "There is no tool `teleport`. There are: `search`.",
    "glm-xml-007": "The call of `get_weather` holds a name or a value that does not end.",
}
"""Lines whose policy is ours: no call, but words for the model (docs/guides/prompt-only.md, "Which text is a call")."""


@functools.cache
def lines() -> list[dict[str, Any]]:
    return [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()] if FILE.is_file() else []


def each_line(*, called: bool = False) -> pytest.MarkDecorator:
    chosen = [line for line in lines() if not called or (line["expect"] and line["id"] not in OTHERWISE)]
    return pytest.mark.parametrize("line", [pytest.param(line, id=line["id"]) for line in chosen])


def tools(line: dict[str, Any]) -> dict[str, None]:
    return dict.fromkeys(line["tools"])


def calls(reading: Reading) -> list[dict[str, Any]]:
    return [{"name": call.name, "arguments": json.loads(call.arguments)} for call in reading.calls]


def in_pieces(line: dict[str, Any], pieces: list[str]) -> tuple[str, Reading]:
    reader = Reader(tools(line))
    shown = "".join([reader.feed(piece) for piece in pieces])
    return shown, reader.finish()


@needs_shared
@each_line()
def test_a_written_call_is_read_and_nothing_else_is(line: dict[str, Any]) -> None:
    reading = read(line["text"], tools(line))
    if line["id"] in OTHERWISE:
        assert reading.calls == ()
        assert reading.problem == OTHERWISE[line["id"]]
        return
    assert calls(reading) == line["expect"]
    if not (reading.calls or reading.unread):
        assert reading.text == line["text"]


@needs_shared
def test_the_guide_says_how_many_are_read_of_each_family() -> None:
    root = Path(__file__).resolve().parents[3]
    script = root / "tests" / "benchmarks" / "notations_families.py"
    done = subprocess.run([sys.executable, str(script), str(FILE)], capture_output=True, text=True, check=True)
    assert "| all | 280 of 280 | 23 of 26 |" in done.stdout
    assert done.stdout.strip() in (root / "docs" / "guides" / "prompt-only.md").read_text(encoding="utf-8")


@needs_shared
def test_only_policies_are_read_otherwise_than_expected() -> None:
    assert all("[policy]" in line["note"] for line in lines() if line["id"] in OTHERWISE)
    assert len(lines()) == 306


@needs_shared
@each_line()
def test_a_reply_is_read_alike_however_it_is_cut(line: dict[str, Any]) -> None:
    text = line["text"]
    whole = read(text, tools(line))
    cuts = [[*text], [text[at : at + 5] for at in range(0, len(text), 5)]]
    if len(text) < 90:
        cuts += [[text[:at], text[at:]] for at in range(len(text))]
    for pieces in cuts:
        shown, reading = in_pieces(line, pieces)
        assert (shown + reading.text, reading.calls, reading.unread, reading.cut) == (
            whole.text,
            whole.calls,
            whole.unread,
            whole.cut,
        )


@needs_shared
@each_line(called=True)
def test_nothing_of_a_call_is_shown(line: dict[str, Any]) -> None:
    text = read(line["text"], tools(line)).text.rpartition("</think>")[2]
    assert not any(mark in text for mark in ("<", "｜", "```", "[TOOL", "Action", "[ARGS]", '"arguments"'))


@needs_shared
@each_line()
def test_leaks_are_salvaged_and_prose_is_left_alone(line: dict[str, Any]) -> None:
    text = line["text"]
    whole = read(text, tools(line))
    unmistakable = SALVAGE | {"function", "glm"} if "<tool_call>" in text else SALVAGE
    reading = read(text, tools(line), SALVAGE)
    assert reading.calls == tuple(call for call in whole.calls if call.notation in unmistakable)
    if not (reading.calls or reading.unread):
        assert reading.text == text
