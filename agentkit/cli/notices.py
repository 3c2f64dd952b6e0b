"""What happens beside words and calls, each in a line: a word and a sentence."""

from __future__ import annotations

from agentkit.cli.text import call_line, one_line
from agentkit.events import (
    Continued,
    Event,
    FellBack,
    LimitNear,
    Nested,
    Queued,
    Repaired,
    Repeated,
    Restarted,
    Retried,
    Salvaged,
    ToolFinished,
    Warned,
)


def notice(event: Event) -> tuple[str, str] | None:
    """The word and the sentence for an event; `None` where there is nothing to tell."""
    match event:
        case Repaired(call, repairs):
            mended = ", ".join(kind if times == 1 else f"{kind} ×{times}" for kind, times in repairs.items())
            return "mended", f"{one_line(call.name, 80)}: {mended}"
        case Salvaged(calls):
            return "note", f"calls were read out of the text: {one_line(', '.join(call.name for call in calls))}"
        case Repeated(tool, times):
            return "note", f"{one_line(tool, 80)} gave the same {times} times in a row; the model is told so"
        case Continued(number):
            return "go on", f"the answer was cut and is gone on with ({number})"
        case LimitNear(limit, used):
            return "limit", f"{used:.0%} of the limit `{limit}` is used up"
        case Warned(text):
            return "note", one_line(text, 400)
        case Retried(attempt, delay, error):
            return "retry", f"attempt {attempt} failed: {one_line(error)}; again in {delay:.1f} s"
        case FellBack(model, next, error):
            return "next", f"{model} failed: {one_line(error)}; {next} is asked"
        case Queued():
            return "queue", "the endpoint has not begun to answer yet"
        case Restarted():
            return "again", "the reply broke off; the words of this step begin anew"
        case Nested():
            return _within(event)
        case _:
            return None


def _within(event: Nested) -> tuple[str, str] | None:
    """The same of an agent that was called as a tool, and the calls that it made."""
    match event.event:
        case ToolFinished(call, ok, seconds):
            word = "inner" if ok else "failed"
            told = f"{seconds:6.2f} s {one_line(event.tool, 80)} › {call_line(call.name, call.arguments)}"
            return word, told
        case _:
            inner = notice(event.event)
            return None if inner is None else (inner[0], f"{one_line(event.tool, 80)} › {inner[1]}")
