"""Every endpoint of the simulator, every fault: what a run with tools comes to, and that nothing is lost on the way.

The table in docs/reference/endpoints.md says it, and is written from these runs:
`python tests/endpoints/test_endpoints_faults.py --write`; without `--write` it says whether the page is up to date.
"""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from endpoint_runs import ANSWER, CITIES, ENDPOINTS, MOST, PROMPT, Desk, Endpoint, answered_once, forecaster
from script import go

from agentkit.errors import AgentkitError
from agentkit.messages import ToolMessage
from agentkit.simulator import Simulator
from agentkit.simulator.faults.catalog import FAULTS
from agentkit.simulator.server import running

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "endpoints.md"
BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"
ON_A_SOCKET = ("silence", "stall")
"""Faults whose point is real time: they are played over loopback HTTP, with little patience."""

ROWS = {
    **{name: name for name in FAULTS if name not in ON_A_SOCKET},
    "429, retry_after=0.001": "429(retry_after=0.001)",
    "429, retry_after=3600": "429(retry_after=3600)",
    "429, limit=tpm": "429(limit=tpm)",
    "html, status=404": "html(status=404)",
    "html, status=200": "html(status=200)",
    "empty after blank lines": "empty(60s)",
    "think-in-content, opened=no": "think-in-content(no)",
    "missing-ids, as=null": "missing-ids(null)",
    "missing-ids, as=empty": "missing-ids(empty)",
    "reasoning-key, key=thinking": "reasoning-key(thinking)",
    "reasoning-key, key=reasoning_details": "reasoning-key(reasoning_details)",
}
"""The rows of the table: a fault as it is called there, and as a rule."""

ONCE = ("@1", "@2")
"""Once: in the first request, or in the one after the tools."""

FEW = [ENDPOINTS[0], Endpoint("lkeap:deepseek-v3", "lkeap")]
"""Where all is played each time the tests run; the others are slow."""


class Outcome(NamedTuple):
    """What a run came to.

    Attributes:
        ends: The class of the error, or what kind of answer came.
        more: How many requests there were beyond those of a run without faults; `None` for an error.
        met: Whether the fault found anything to act on.
    """

    ends: str
    more: int | None
    met: bool


def play(endpoint, rule, way, desk=None, **options):
    """Run with a fault; check what must hold however it ends; say how it ended."""
    desk = desk or Desk(endpoint)
    desk.simulator.faults.add(rule)
    error, result = None, None
    try:
        result = go(desk.agent, way, PROMPT, **options)
    except AgentkitError as caught:
        error = caught
    messages = list(error.transcript.messages() if error else result.messages)
    log = desk.simulator.log.chats
    check(desk, messages, log)
    go_on(desk, way, error, messages)
    more = None if error else len(log) - usual(endpoint)
    return Outcome(ending(error, result), more, any(one.faults for one in log))


@functools.cache
def usual(endpoint):
    """How many requests a run without faults sends: two, and one more where tools are refused first."""
    desk = Desk(endpoint)
    assert desk.agent.run(PROMPT).output == ANSWER
    return len(desk.simulator.log.chats)


def ending(error, result):
    """How a run ended, in the words of the table."""
    if error is not None:
        return type(error).__name__
    if result.output == ANSWER:
        return "answer"
    if result.output == "":
        return "empty answer"
    assert result.output.endswith(ANSWER)
    assert "</think>" in result.output
    return "answer with the tags in it"


def check(desk, messages, log):
    """The transcript is whole, and a tool was run exactly as often as it says that it was."""
    assert answered_once(messages)
    done = [one.text for one in messages if isinstance(one, ToolMessage) and one.ok]
    assert sorted(done) == sorted(f"{city}: sunny" for city, times in desk.effects.items() for _ in range(times))
    assert set(desk.effects) <= set(CITIES)
    assert all(times == 1 for times in desk.effects.values())
    assert len(log) <= MOST * 25


def go_on(desk, way, error, messages):
    """The transcript is good for a next request, and the run that goes on from it comes to its answer."""
    desk.simulator.faults.clear()
    effects = dict(desk.effects)
    prompt = None if error else "And once more?"
    result = go(desk.agent, way, prompt, history=messages)
    assert result.output == ANSWER
    assert answered_once(result.messages)
    assert all(times == 1 or city not in effects for city, times in desk.effects.items())


@functools.cache
def outcome(endpoint, rule, when, way, **options):
    return play(endpoint, f"{rule}{when}", way, **options)


def said(found):
    """The outcomes of one cell in words; a fault that found nothing to act on counts only where it never did."""
    met = {one for one in found if one.met} or found
    words = []
    for word in sorted({one.ends for one in met}, key=lambda word: (word != "answer", word)):
        more = sorted({one.more for one in met if one.ends == word and one.more is not None})
        ends = f"`{word}`" if word[0].isupper() else word
        words.append(ends if more in ([], [0]) else f"{ends}, {_span(more)}")
    return " or ".join(words)


def _span(more):
    low, high = more[0], more[-1]
    if low == high:
        return f"{low} more request{'s' * (low != 1)}"
    return f"{low} to {high} more requests"


def line(name):
    """A row of the table: with the fault once and each time; and once for one who looks on."""
    rule = ROWS[name]
    what = FAULTS[rule.partition("(")[0]].what
    once = {outcome(one, rule, when, "run") for one in ENDPOINTS for when in ONCE}
    always = {outcome(one, rule, "@1-", "run") for one in ENDPOINTS}
    shown = {outcome(one, rule, when, "stream") for one in ENDPOINTS for when in ONCE}
    again = {outcome(one, rule, when, "stream", restart=True) for one in ENDPOINTS for when in ONCE}
    return f"| `{name}` | {what} | {said(once)} | {said(always)} | {said(shown)} | {said(again)} |"


def on_the_way(rule):
    """Whether a fault concerns how a reply is carried, or replaces it by another."""
    return FAULTS[rule.partition("(")[0]].kind in ("carriage", "answer")


def rows_of_the_page():
    """The rows as they stand on the page, by the name of the fault."""
    text = PAGE.read_text(encoding="utf-8")
    rows = text[text.index(BEGIN) + len(BEGIN) : text.index(END)].strip().splitlines()[2:]
    return {row.split("`")[1]: row for row in rows}


def cells(row):
    """What a row says: once, each time, once to one who looks on, and the same with `restart=True`."""
    return [cell.strip() for cell in row.strip("|").split(" | ")[2:]]


@pytest.mark.slow
@pytest.mark.parametrize("name", ROWS)
def test_at_every_endpoint_a_fault_comes_to_what_the_page_says(name):
    assert line(name) == rows_of_the_page()[name]
    for one in ENDPOINTS:  # event loops come to the same as threads
        for when, sync, options in (("@1", "run", {}), ("@1-", "run", {}), ("@2", "stream", {"restart": True})):
            assert play(one, f"{ROWS[name]}{when}", f"a{sync}", **options) == outcome(
                one, ROWS[name], when, sync, **options
            )


@pytest.mark.parametrize("endpoint", FEW, ids=str)
@pytest.mark.parametrize("name", ROWS)
def test_a_fault_comes_to_what_the_page_says(name, endpoint):
    once, always, shown, again = cells(rows_of_the_page()[name])
    for when, way, options, cell in (
        ("@1", "run", {}, once),
        ("@1-", "arun", {}, always),
        ("@2", "astream", {}, shown),
        ("@1", "stream", {"restart": True}, again),
    ):
        found = outcome(endpoint, ROWS[name], when, way, **options)
        assert found.ends in cell if found.met else found == ("answer", 0, False)


@pytest.fixture(scope="module")
def served():
    """A simulator behind a real socket, and its address."""
    simulator = Simulator(ENDPOINTS[0].profile, brain=forecaster, time_scale=0)
    with running(simulator) as url:
        yield simulator, url


@pytest.mark.parametrize(
    ("way", "transport"),
    [
        ("run", "httpx"),
        ("arun", "aiohttp"),
        pytest.param("arun", "httpx", marks=pytest.mark.slow),
        pytest.param("astream", "aiohttp", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("name", [name for name, rule in ROWS.items() if on_the_way(rule)])
def test_on_a_socket_it_comes_to_the_same_on_every_transport(name, way, transport, served):
    simulator, url = served
    shown = cells(rows_of_the_page()[name])[2]
    for when in ("@1", "@1-"):
        simulator.faults.clear()
        simulator.log.clear()
        desk = Desk(ENDPOINTS[0], simulator=simulator, url=url, transport=transport)
        found = play(ENDPOINTS[0], f"{ROWS[name]}{when}", way, desk)
        if way == "astream" and when == "@1":  # how the network cuts it decides what was shown before
            assert found.ends in shown
        elif way != "astream":
            assert found == outcome(ENDPOINTS[0], ROWS[name], when, "run")


def test_the_page_has_a_row_for_every_fault_and_no_other():
    assert list(rows_of_the_page()) == list(ROWS)
    assert {rule.partition("(")[0] for rule in ROWS.values()} == set(FAULTS) - set(ON_A_SOCKET)


def main(write):
    """Write the table into the page, or say whether it is up to date."""
    head = [
        "| fault | what comes | once | each time | once, streamed | with `restart=True` |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    text = PAGE.read_text(encoding="utf-8")
    table = "\n".join([*head, *map(line, ROWS)])
    before, _, rest = text.partition(BEGIN)
    made = f"{before}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}"
    if write:
        PAGE.write_text(made, encoding="utf-8")
    sys.stdout.write("written\n" if write else "up to date\n" if made == text else "not up to date: run with --write\n")
    return int(not write and made != text)


if __name__ == "__main__":
    sys.exit(main("--write" in sys.argv))
