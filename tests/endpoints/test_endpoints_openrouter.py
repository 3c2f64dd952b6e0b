"""Runs at OpenRouter as the simulator plays it: reasoning under its own key, comments while it waits."""

import json

import pytest
from endpoint_runs import ANSWER, PROMPT, Desk, Endpoint
from script import go, ways

from agentkit import Settings
from agentkit.events import Queued, ReasoningDelta, TextDelta
from agentkit.messages import Assistant

R1 = Endpoint("openrouter:deepseek/deepseek-r1-0528", "openrouter")
V32 = Endpoint("openrouter:deepseek/deepseek-v3.2", "openrouter")


@ways
def test_reasoning_is_read_from_openrouters_key_and_is_no_part_of_the_answer(way):
    desk, seen = Desk(R1), []
    result = go(desk.agent, way, PROMPT, on_event=seen.append)
    assert result.output == ANSWER
    said = [one for one in result.messages if isinstance(one, Assistant)]
    assert [one.reasoning for one in said] == ["They want the weather."] * 2
    if "stream" in way:
        shown = "".join(one.text for one in seen if isinstance(one, ReasoningDelta))
        assert shown == "They want the weather." * 2
        assert "They want" not in "".join(one.text for one in seen if isinstance(one, TextDelta))
    for entry in desk.simulator.log.chats:
        assert '"reasoning":' in entry.text
        assert '"reasoning_content":' not in entry.text
    sent = desk.simulator.log.chats[-1].content.decode()
    assert "They want" not in sent, "R1 is sent no reasoning"


@pytest.mark.parametrize("form", ["queued(20s)", "queued(20s, every=1s)"])
@ways
def test_comments_while_it_waits_show_as_queued_and_are_no_answer(way, form):
    desk, seen = Desk(V32), []
    desk.simulator.faults.add(f"{form}@1")
    result = go(desk.agent, way, PROMPT, on_event=seen.append)
    assert result.output == ANSWER
    assert desk.effects == {"Paris": 1, "Tokyo": 1}
    assert any(isinstance(one, Queued) for one in seen)
    assert len(desk.simulator.log.chats) == 2


def test_it_is_told_to_think_in_its_own_words():
    desk = Desk(V32)
    desk.agent.run(PROMPT, settings=Settings(thinking=True))
    assert json.loads(desk.simulator.log.chats[0].content)["reasoning"] == {"enabled": True}
