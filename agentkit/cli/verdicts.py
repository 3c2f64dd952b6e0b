"""Asking for approval at the prompt: what is typed becomes a verdict on a call."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from agentkit.approval import Answer, Approve, Deny, Verdict
from agentkit.cli.text import clean
from agentkit.errors import ConfigurationError
from agentkit.frozen import frozen
from agentkit.messages import ToolCall

QUESTION = "   approve? [y]es, [n]o and why, [e]dit, [a]lways, [?] "


@frozen
class Again:
    """No verdict yet: what to tell before asking once more.

    Attributes:
        text: What to tell.
        edit: Whether the arguments are to be edited next.
    """

    text: str = ""
    edit: bool = False


@frozen
class Always:
    """Approved, and so is any further call of the same tool."""


HELP = Again(
    "y approves this call; n denies it, and `n too much` tells the model why; e lets you change the arguments;"
    " a approves this call and all further ones of the same tool; an empty answer decides nothing"
)


def said(answer: str) -> Verdict | Always | Again:
    """What an answer to the question means. Nothing but a clear yes approves."""
    word, _, rest = answer.strip().partition(" ")
    match word.lower():
        case "y" | "yes":
            return Approve() if not rest else Again("`y` stands alone: did you mean `n` and a reason?")
        case "n" | "no":
            return Deny(rest.strip())
        case "a" | "always":
            return Always() if not rest else Again("`a` stands alone")
        case "e" | "edit":
            return Again(edit=True)
        case _:
            return HELP


def edited(text: str, call: ToolCall) -> Verdict | Again:
    """A verdict with arguments that somebody has edited; empty for none.

    Args:
        text: What was typed: a JSON object.
        call: The call; arguments that are as they were are approved as the model wrote them.
    """
    if not text.strip():
        return Again("nothing was changed")
    try:
        arguments: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        return Again(f"that is no JSON: {error}")
    if not isinstance(arguments, dict):
        return Again("the arguments are one JSON object, such as " + (call.arguments or "{}"))
    if text == shown(call):
        return Approve()
    return Approve(cast("dict[str, Any]", arguments))


def verdicts(
    calls: Sequence[str], *, yes: bool, arguments: str | None, no: str | None, answer: str | None
) -> Mapping[str, Verdict] | Verdict | None:
    """The verdict that the options of `agentkit approve` say, on the calls that they name or on all.

    Args:
        calls: The ids of the calls; none for all.
        yes: Whether to approve.
        arguments: Arguments to approve with, as JSON.
        no: Why to deny.
        answer: The result of what was done elsewhere.

    Raises:
        ConfigurationError: There are several verdicts, calls without one, or arguments that are no JSON object.
    """
    given: list[Verdict] = []
    if arguments is not None:
        given.append(Approve(_object(arguments)))
    elif yes:
        given.append(Approve())
    if no is not None:
        given.append(Deny(no))
    if answer is not None:
        given.append(Answer(answer))
    if len(given) > 1:
        raise ConfigurationError(
            "one verdict can be given: `--yes`, `--arguments`, `--no` or `--answer`", code="bad-verdict"
        )
    if not given:
        if calls:
            raise ConfigurationError(
                "`--call` needs a verdict: `--yes`, `--arguments`, `--no` or `--answer`", code="bad-verdict"
            )
        return None
    return dict.fromkeys(calls, given[0]) if calls else given[0]


def _object(text: str) -> dict[str, Any]:
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"`--arguments` is no JSON: {error}", code="bad-verdict") from None
    if not isinstance(value, dict):
        raise ConfigurationError("`--arguments` must be one JSON object", code="bad-verdict")
    return cast("dict[str, Any]", value)


def shown(call: ToolCall) -> str:
    """The arguments of a call as they are edited: JSON in one line."""
    try:
        return clean(json.dumps(json.loads(call.arguments or "{}"), ensure_ascii=False))
    except (ValueError, RecursionError):
        return clean(call.arguments)


@dataclass(slots=True)
class Asker:
    """Asks for verdicts, and remembers the tools that need none any more.

    Attributes:
        ask: Asks a question, with the text that stands in the answer already.
        tell: Writes a line.
        show: Shows a call that is to be decided on.
        allowed: Tools whose calls are approved unasked.
    """

    ask: Callable[[str, str], str]
    tell: Callable[[str], None]
    show: Callable[[ToolCall], None]
    allowed: set[str] = field(default_factory=set[str])

    def __call__(self, call: ToolCall) -> Verdict | None:
        """The verdict on a call; `None` where nobody decides.

        Raises:
            KeyboardInterrupt: Ctrl-C: the run stops.
        """
        if call.name in self.allowed:
            return Approve()
        self.show(call)
        while True:
            try:
                answer = self.ask(QUESTION, "")
                found = said(answer) if answer.strip() else None
                if isinstance(found, Again) and found.edit:
                    found = edited(self.ask("   arguments: ", shown(call)), call)
            except EOFError:
                return None
            if isinstance(found, Always):
                self.allowed.add(call.name)
                return Approve()
            if not isinstance(found, Again):
                return found
            self.tell(found.text)
