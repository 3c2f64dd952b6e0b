"""The request log: what tests can read of what was asked and answered."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import httpx
import pytest
from simulator_requests import HEADERS, WEATHER, chat, post, user

from agentkit.simulator import Reply, Simulator
from agentkit.simulator.log import Log
from agentkit.simulator.server import running

QUESTION = chat(user("Weather in Paris?"), tools=[WEATHER])


def test_an_entry_has_the_request_and_the_reply() -> None:
    simulator = Simulator()
    reply = post(QUESTION, simulator)
    (entry,) = simulator.log
    assert (entry.method, entry.path, entry.status, entry.number) == ("POST", "/chat/completions", 200, 0)
    assert entry.body == QUESTION
    assert entry.text == reply.body.decode()
    assert entry.complete
    assert repr(entry) == "<Entry 0: POST /chat/completions -> 200>"


def test_no_entry_has_a_key() -> None:
    simulator = Simulator()
    headers = {"Authorization": "Bearer sk-secret", "X-API-Key": "sk-secret", "Cookie": "sk-secret", "Accept": "*/*"}
    simulator.handle("GET", "/models?key=sk-secret", headers, b"")
    entry = simulator.log[0]
    assert entry.headers == {"authorization": "***", "x-api-key": "***", "cookie": "***", "accept": "*/*"}
    assert entry.path == "/models"
    assert "sk-secret" not in str([getattr(entry, name) for name in entry.__slots__])


def test_an_entry_names_the_faults_and_those_that_found_nothing() -> None:
    simulator = Simulator(faults=["429(2)@1", "malformed@2"])
    post(QUESTION, simulator)
    post(chat(user("Hello")), simulator)
    assert [(entry.status, entry.faults, entry.idle) for entry in simulator.log] == [
        (429, ("429(retry_after=2)",), ()),
        (200, (), ("malformed",)),
    ]
    assert repr(simulator.log[0]) == "<Entry 0: POST /chat/completions -> 429, faults=429(retry_after=2)>"


def test_a_stream_is_noted_while_it_is_sent() -> None:
    simulator = Simulator()
    reply = post({**QUESTION, "stream": True}, simulator)
    entry = simulator.log[0]
    steps: Iterator[object] = iter(reply.steps)
    first = next(steps)
    assert isinstance(first, bytes)
    assert (entry.text, entry.complete) == (first.decode(), False)
    list(steps)
    assert entry.complete
    assert entry.text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("streamed", [False, True])
def test_a_cut_reply_is_not_complete(streamed: bool) -> None:
    simulator = Simulator(faults="cut-chunk")
    reply = post({**QUESTION, "stream": streamed}, simulator)
    sent = reply.body.decode()
    assert simulator.log[0].text == sent
    assert not simulator.log[0].complete


def test_a_body_that_is_no_json_is_none() -> None:
    simulator = Simulator()
    post(b"{", simulator)
    assert (simulator.log[0].body, simulator.log[0].content, simulator.log[0].status) == (None, b"{", 400)


def test_the_latest_are_kept() -> None:
    log = Log(entries=3)
    simulator = Simulator(layers=[log])
    for _ in range(5):
        post(QUESTION, simulator)
    assert [entry.number for entry in log] == [2, 3, 4]
    assert [entry.number for entry in log[1:]] == [3, 4]
    assert log[-1].number == 4
    log.clear()
    assert len(log) == 0


@pytest.mark.parametrize("streamed", [False, True])
def test_no_more_bytes_are_kept_than_asked_for_but_the_last_entry_always(streamed: bool) -> None:
    log = Log(size=3_000)
    simulator = Simulator(layers=[log], brain=lambda _: "word " * 100)
    for number in range(10):
        list(post({**chat(user("x" * number)), "stream": streamed}, simulator).steps)
        assert len(log) == 1 or sum(entry.size for entry in log) <= 3_000
    assert log[-1].number == 9
    assert len(log) < 5
    post(chat(user("x" * 5_000)), simulator)
    assert [entry.number for entry in log] == [10]


def test_a_stream_that_ends_after_its_entry_was_forgotten_does_no_harm() -> None:
    log = Log(entries=1)
    simulator = Simulator(layers=[log])
    replies: list[Reply] = [post({**QUESTION, "stream": True}, simulator) for _ in range(3)]
    for reply in replies:
        list(reply.steps)
    assert [(entry.number, entry.complete) for entry in log] == [(2, True)]


def test_completions_are_told_from_the_rest() -> None:
    simulator = Simulator()
    simulator.handle("GET", "/models", HEADERS, b"")
    post(QUESTION, simulator)
    simulator.handle("POST", "/nowhere", HEADERS, b"")
    assert [entry.path for entry in simulator.log.chats] == ["/chat/completions"]
    assert [entry.status for entry in simulator.log] == [200, 200, 404]


def test_both_ways_in_are_noted() -> None:
    simulator = Simulator()
    with httpx.Client(transport=simulator.transport(), base_url="http://sim", headers=HEADERS) as client:
        client.post("/chat/completions", json=QUESTION)
    with running(simulator) as url, httpx.Client(base_url=url, headers=HEADERS) as client:
        client.post("/chat/completions", json={**QUESTION, "stream": True})
    assert [(entry.status, entry.complete) for entry in simulator.log] == [(200, True)] * 2
    assert simulator.log[1].headers["user-agent"].startswith("python-httpx")


def test_threads_may_ask_and_read_at_once() -> None:
    simulator = Simulator()

    def ask() -> None:
        for _ in range(20):
            list(post({**QUESTION, "stream": True}, simulator).steps)
            assert all(entry.status in (0, 200) for entry in simulator.log)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(simulator.log) == 80
    assert all(entry.complete for entry in simulator.log)
