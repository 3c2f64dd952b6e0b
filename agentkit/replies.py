"""What becomes of a model's reply: it is written down, or kept as spent and the run ends.

Nothing here waits; `perform` waits, in its two ways.
"""

from __future__ import annotations

from dataclasses import fields, replace

from agentkit.errors import LimitReached, Truncated
from agentkit.events import Emit, Repeated
from agentkit.ledger import Ledger
from agentkit.loop import Say
from agentkit.messages import Assistant, Note, ToolMessage, Usage, User, told_apart
from agentkit.transcript import DISCARDED, Transcript

REPEATED = 3
"""So many times in a row is the same call with the same result one that the model is told of."""


def accept(message: Assistant, say: Say, *, model: str, ledger: Ledger | None = None) -> None:
    """Write a message down if it is whole: `stop` without calls, or calls under `stop` or `tool_calls`.

    Args:
        message: The reply.
        say: Writes down.
        model: The name of the model that was asked.
        ledger: The run's money; a reply that comes without its cost costs what is assumed there.

    Raises:
        Truncated: The reply ended for any other reason. Its usage and text are kept in a note.
    """
    if ledger is not None and message.cost is None and message.usage is not None:
        message = replace(message, cost=ledger.charge(message.usage.total_tokens))
    reason = message.finish_reason
    if reason == "stop" or (reason == "tool_calls" and message.tool_calls):
        calls = told_apart(message.tool_calls)  # a model of one's own need not know better
        say(message if calls == message.tool_calls else replace(message, tool_calls=calls))
        return
    say(discarded(message))
    raise Truncated(why_cut(message, model), finish_reason=reason, text=message.text, partial=message)


def tell_repeats(transcript: Transcript, say: Say, show: Emit | None) -> None:
    """Tell the model, once, that a call came `REPEATED` times in a row with the same result; no more, since tools poll.

    It is a message marked as ours, said before the model is asked again.
    """
    if not isinstance(transcript.last, ToolMessage) or not (names := transcript.repeated(REPEATED)):
        return
    if show is not None:
        for name in names:
            show(Repeated(name, REPEATED))
    tools = ", ".join(f"`{name}`" for name in names)
    say(
        User(
            f"You called {tools} {REPEATED} times in a row with the same arguments, and the result was the same each"
            " time. If you wait for it to change, go on; otherwise use what you have, or do something else.",
            by="repeats",
        )
    )


def discarded(message: Assistant) -> Note:
    """The note that keeps what a reply cost that is thrown away, and the words that came of it."""
    usage = message.usage or Usage(requests=1)
    spent = {one.name: getattr(usage, one.name) for one in fields(usage)}
    data = {"finish_reason": message.finish_reason, "usage": spent, "text": message.text}
    return Note(DISCARDED, data if message.cost is None else {**data, "cost": message.cost.dump()})


def keep_spent(error: LimitReached | Truncated, say: Say) -> None:
    """Note what a model spent on an answer that it gave up, where the error tells."""
    if isinstance(error.message, Assistant):
        say(discarded(error.message))


def why_cut(message: Assistant, model: str) -> str:
    """Why a reply is no answer, and what to do."""
    reason = message.finish_reason
    if reason == "length":
        tried = f" and gone on with {message.continued} time(s)" if message.continued else ""
        return (
            f"the answer of `{model}` was cut after {len(message.text)} characters (finish reason `length`){tried}:"
            " the token limit was reached; raise `Settings(max_tokens=…)` (reasoning counts against it)"
            " or ask for less. The part that came is in the error's `.text`"
        )
    if reason == "tool_calls":
        return (
            f"`{model}` ended its reply with finish reason `tool_calls` but named no call; ask again, or another model"
        )
    said = "gave no finish reason" if reason is None else f"ended its reply with finish reason `{reason}`"
    return f"`{model}` {said}, which is not a finished answer. The part that came is in the error's `.text`"
