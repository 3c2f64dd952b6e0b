"""What happens beside words and calls is told in a line, whatever it is."""

import pytest
from shell import CONTROL

from agentkit import ToolCall
from agentkit.cli.notices import notice
from agentkit.events import (
    CallModel,
    Continued,
    FellBack,
    LimitNear,
    Nested,
    Queued,
    Repaired,
    Repeated,
    Restarted,
    Retried,
    Salvaged,
    TextDelta,
    ToolFinished,
    Warned,
)

CALL = ToolCall("1", "look\x1b[2J", '{"at": "it\\u001b"}')


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (Repaired(CALL, {"trailing comma": 1, "text for a number": 2}), "trailing comma, text for a number ×2"),
        (Salvaged((CALL, CALL), ("dsml",)), "read out of the text: look[2J, look[2J"),
        (Repeated("look", 3), "look gave the same 3 times in a row"),
        (Continued(2), "gone on with (2)"),
        (LimitNear("cost", 0.85), "85% of the limit `cost`"),
        (Warned("a\x1b]0;x\x07b"), "a]0;xb"),
        (Retried(1, 2.5, "busy"), "attempt 1 failed: busy; again in 2.5 s"),
        (FellBack("a:b", "c:d", "down"), "a:b failed: down; c:d is asked"),
        (Queued(3.0), "has not begun to answer"),
        (Restarted(), "begin anew"),
        (Nested("1", "helper\x1b", ToolFinished(CALL, True, 0.25)), "0.25 s helper › look[2J("),
        (Nested("1", "helper", Nested("2", "deeper", Warned("so"))), "helper › deeper › so"),
    ],
)
def test_each_thing_is_told_in_one_line_without_commands(event, told):
    word, sentence = notice(event)
    assert told in sentence
    assert len(word) <= 8
    assert "\n" not in sentence
    assert not CONTROL.search(word + sentence)


@pytest.mark.parametrize("event", [CallModel(), TextDelta("x"), Nested("1", "helper", TextDelta("x"))])
def test_what_is_shown_elsewhere_or_not_at_all_has_no_line(event):
    assert notice(event) is None
