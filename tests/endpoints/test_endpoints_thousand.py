"""Runs of five rounds at endpoints that fail at every fifth request: every answer is right, no effect happens twice.

The clock is injected, so nothing is slept. Which faults are retryable is the table of docs/reference/endpoints.md; here
they come at random, and three in a row for one request at the most, since four attempts are the default.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from random import Random

import pytest
from endpoint_runs import MOST, Desk, Endpoint, answered_once

from agentkit import Agent, tool
from agentkit.messages import ToolMessage
from agentkit.simulator import Simulator
from agentkit.simulator.brains import Call, Plan
from agentkit.simulator.faults.rules import at_once

ROUNDS = 5
RATE = 0.2
EVERY_TIME = (
    "429",
    "429(retry_after=0.001)",
    "429(limit=tpm)",
    "500",
    "503",
    "503(retry_after=0)",
    "html",
    "html(status=503)",
    "no-resource",
    "queued-out",
    "cut-chunk",
    "cut-utf8",
    "cut-arguments",
    "no-finish",
    "error-inside",
)
"""What is asked again up to three times."""

ONE_TIME = ("empty", "empty(20s)", "html(status=200)", "zero-tokens", "empty-content", "no-calls")
"""What is asked again once, each for its own reason (`empty` and a page are one, and so are the two empty replies)."""

SAME = {"empty(20s)": "empty", "html(status=200)": "empty", "empty-content": "zero-tokens"}
PLACES = [
    (Endpoint("deepseek:deepseek-flash", "deepseek"), 0.5),
    (Endpoint("deepseek-v3.2:deepseek-chat", "deepseek-v3.2"), 0.2),
    (Endpoint("lkeap:deepseek-v3", "lkeap"), 0.2),
    (Endpoint("openrouter:deepseek/deepseek-v3.2", "openrouter"), 0.1),
]


def relay(turn):
    """A brain that asks for one leg after the other, each made of the last one's result, and then tells the last."""
    results = [message.text for message in turn.messages if message.role == "tool"]
    start = next(message.text for message in turn.messages if message.role == "user")
    thought = f"{len(results)} legs are done." if turn.thinking else ""
    if len(results) == ROUNDS - 1:
        return Plan(content=f"The token is {results[-1]}.", reasoning=thought)
    token = results[-1] if results else start
    return Plan(calls=(Call("leg", json.dumps({"token": token})),), reasoning=thought)


def faults_of_a_run(random, streamed):
    """What each request of a run meets, in order: a fifth of them fail, up to three in a row for one answer."""
    script = []
    for answer in range(ROUNDS):
        row, once = 0, set()
        while row < MOST - 1 and random.random() < RATE:
            fault = random.choice(EVERY_TIME + ONE_TIME)
            if SAME.get(fault, fault) in once:  # a second one would be the end, as it should
                fault = random.choice(EVERY_TIME)
            if fault in ONE_TIME:
                once.add(SAME.get(fault, fault))
            if (fault == "cut-arguments" and answer == ROUNDS - 1) or (fault == "no-finish" and not streamed):
                fault = "cut-chunk"  # those would find nothing to act on
            script.append(fault)
            row += 1
        script.append(None)
    return script


class Relay:
    """Many runs at one endpoint, and what came of them."""

    def __init__(self, endpoint, seed):
        self.simulator = Simulator(endpoint.profile, brain=relay, time_scale=0, seed=seed)
        self.desk = Desk(endpoint, simulator=self.simulator)
        self.random = Random(seed)
        self.effects = Counter()
        self.failed = Counter()
        self.requests = 0

        @tool
        def leg(token: str) -> str:
            """Carry the token one leg further."""
            self.effects[token] += 1
            return f"{token}+"

        self.agent = Agent(self.desk.model, tools=[leg])

    def begin(self, number):
        """The script of a run is set, and its prompt given."""
        streamed = self.desk.model.row.streams(asked=False, thinks=self.desk.model.row.thinks(None))
        script = faults_of_a_run(self.random, streamed)
        self.simulator.log.clear()
        self.simulator.faults.clear()
        self.simulator.faults.next(*script)
        return f"t{number}", script

    def end(self, number, script, result):
        """The run is right in every respect."""
        start = f"t{number}"
        log = self.simulator.log.chats
        assert result.output == f"The token is {start}{'+' * (ROUNDS - 1)}."
        assert [self.effects[f"{start}{'+' * leg}"] for leg in range(ROUNDS)] == [1] * (ROUNDS - 1) + [0]
        assert len([one for one in result.messages if isinstance(one, ToolMessage)]) == ROUNDS - 1
        assert answered_once(result.messages)
        assert len(log) == len(script), "no request beyond the documented retries"
        for entry, fault in zip(log, script, strict=True):
            assert entry.idle == ()
            assert bool(entry.faults) == (fault is not None)
        self.requests += len(log)
        self.failed.update(fault for fault in script if fault)


def lead(endpoint, runs, seed):
    """Lead that many runs, the even ones on threads and the odd ones on one event loop."""
    relay = Relay(endpoint, seed)

    async def odd(numbers):
        for number in numbers:
            prompt, script = relay.begin(number)
            relay.end(number, script, await relay.agent.arun(prompt))

    for number in range(0, runs, 2):
        prompt, script = relay.begin(number)
        relay.end(number, script, relay.agent.run(prompt))
    asyncio.run(odd(range(1, runs, 2)))
    assert all(0 <= seconds <= 30 for seconds in relay.desk.waits.seconds)
    return relay


@pytest.mark.parametrize(("endpoint", "share"), PLACES, ids=[str(one) for one, _ in PLACES])
@pytest.mark.parametrize("runs", [20, pytest.param(1_000, marks=pytest.mark.slow)])
def test_every_run_is_right_at_an_endpoint_that_fails_at_every_fifth_request(runs, endpoint, share):
    relay = lead(endpoint, max(10, int(runs * share)), seed=runs)
    failures = sum(relay.failed.values())
    assert 0.1 < failures / relay.requests < 0.3
    if runs == 1_000:
        assert set(relay.failed) >= {"429", "500", "503", "html", "empty", "cut-chunk", "error-inside"}


def test_each_fault_of_the_thousand_runs_is_one_that_the_simulator_knows():
    for fault in EVERY_TIME + ONE_TIME:
        assert at_once(fault)
