"""Verdicts on calls that a tool does not carry out unasked.

A run that meets such a call ends with it in `result.pending`; `agent.resume(result, {call_id: verdict})` goes on. What
waits and what was decided are notes of the transcript, so a saved transcript can be decided on days later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from agentkit.errors import ConfigurationError
from agentkit.messages import Note, ToolCall
from agentkit.transcript import VERDICT, Transcript


@dataclass(frozen=True, slots=True)
class Approve:
    """The call may be carried out.

    Attributes:
        arguments: Arguments to use in place of the model's, a JSON object; they are checked as the model's are.
    """

    arguments: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Deny:
    """The call is not carried out; the model is told why.

    Attributes:
        reason: What to tell it; may be empty.
    """

    reason: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """The call was carried out elsewhere: this is its result.

    Attributes:
        text: What to tell the model.
    """

    text: str


Verdict = bool | str | Approve | Deny | Answer
"""`True` approves, `False` denies, a text denies for that reason."""


def verdict_notes(transcript: Transcript, verdicts: Mapping[str, Verdict]) -> Iterable[Note]:
    """The notes that decide on calls which wait.

    Raises:
        ConfigurationError: A verdict is on a call that does not wait, or is none.
    """
    waiting = {call.id: call for call in transcript.waiting}
    for call_id, verdict in verdicts.items():
        if call_id not in waiting:
            raise ConfigurationError(f"the call `{call_id}` waits for no verdict; {_those(waiting.values())}")
        yield Note(VERDICT, {"call": call_id, **_said(verdict)})


def _those(waiting: Iterable[ToolCall]) -> str:
    names = ", ".join(f"`{call.id}` ({call.name})" for call in waiting)
    return f"these do: {names}" if names else "none does"


def _said(verdict: Verdict) -> dict[str, Any]:
    match verdict:
        case True:
            return {"approved": True}
        case False:
            return {"approved": False, "reason": ""}
        case str():
            return {"approved": False, "reason": verdict}
        case Approve(arguments):
            return {"approved": True} if arguments is None else {"approved": True, "arguments": dict(arguments)}
        case Deny(reason):
            return {"approved": False, "reason": reason}
        case Answer(text):
            return {"answer": text}
        case _:
            raise ConfigurationError(
                f"{verdict!r} is no verdict: give `True`, `False`, a reason to deny, `Approve`, `Deny` or `Answer`"
            )
