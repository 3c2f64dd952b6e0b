"""What there is to think about the calls of a run: which may run, with what, and what the model is told of each.

Nothing here waits but the functions of the tools themselves; `perform` waits, in its two ways.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from agentkit.beside import Called, no_longer_under, onlookers, serials, under
from agentkit.delegating import Lent, Within
from agentkit.errors import Cancelled, ToolError
from agentkit.events import CallTools, Emit, Nested, Repaired, ToolFinished, ToolStarted, Warned
from agentkit.frozen import frozen
from agentkit.loop import Say
from agentkit.messages import Assistant, Note, ToolCall, ToolMessage
from agentkit.tools import ArgumentsInvalid, Bound, Context, Told, Tool, answer, bind, failure, unknown
from agentkit.transcript import WAITING, Transcript

if TYPE_CHECKING:
    import asyncio


@dataclass(slots=True)
class Ready:
    """A call whose arguments passed the check.

    Attributes:
        call: The call.
        tool: Its tool.
        bound: The checked arguments.
        began: When its function began, by the monotonic clock.
        over: Whether nobody waits for it any more: what goes on makes no further attempt.
        task: In which its async function runs, once it does.
        serial: Its number in this process.
    """

    call: ToolCall
    tool: Tool[..., Any]
    bound: Bound
    began: float = 0.0
    over: bool = False
    task: asyncio.Task[Any] | None = None
    serial: int = field(default_factory=serials.__next__)

    def leave(self) -> None:
        """From any thread: wait for it no more. An async function is cancelled, or not begun."""
        self.over = True
        task = self.task
        if task is not None:
            with contextlib.suppress(RuntimeError):  # its loop was closed meanwhile
                task.get_loop().call_soon_threadsafe(task.cancel)


@frozen
class Failed:
    """How a tool's function ended that did not return."""

    error: BaseException


class Calls:
    """The calls of one run.

    Attributes:
        transcript: What has been said.
        tools: The tools that the model may call now, by name.
        run: The run's id.
        value: What the caller gave as `context=`.
        final: The tool whose answer ends the run; `None` where there is none.
        show: Takes events; `None` when nobody looks.
        lent: What runs that the tools begin have of this one.
        nested: Takes the events of such runs, in their threads; `None` when nobody looks.
    """

    def __init__(
        self,
        transcript: Transcript,
        tools: Mapping[str, Tool[..., Any]],
        *,
        run: str,
        value: Any = None,
        final: Tool[..., Any] | None = None,
        show: Emit | None = None,
        lent: Lent = Lent(),
    ) -> None:
        self.transcript = transcript
        self.tools = tools
        self.run = run
        self.value = value
        self.final = final
        self.show = show
        self.lent = lent
        self.nested: Callable[[Nested], object] | None = None
        self._within: dict[str, Within] = {}

    # Before a call runs.

    def batches(self, effect: CallTools, say: Say) -> Iterator[list[Ready]]:
        """The calls to run, in the model's order; a sequential tool is a batch of its own.

        Calls that cannot be run are answered on the way. From a call on that needs a verdict nothing is run; of those
        behind it, the ones that need a verdict too are told of, so that all can be decided at once.
        """
        for batch in self._checked(effect, say):
            if rest := self._answered_beside(batch, say):
                yield rest

    def _checked(self, effect: CallTools, say: Say) -> Iterator[list[Ready]]:
        group: list[Ready] = []
        held = False
        complete = self._reply_was_complete()
        for call in effect.calls:
            ready = interrupted(call) if effect.interrupted else self.check(call, complete=complete)
            if isinstance(ready, Ready) and self.needs_verdict(ready):
                held = True
                say(Note(WAITING, {"call": call.id}))
            elif held:
                continue
            elif isinstance(ready, ToolMessage):
                say(ready)
            elif ready.tool.sequential:
                if group:
                    yield group
                yield [ready]
                group = []
            else:
                group.append(ready)
        if group:
            yield group

    def _reply_was_complete(self) -> bool:
        """Whether the reply with the open calls came to its end; of one in a foreign history that may be unknown."""
        _, position = self.transcript.asked
        last = self.transcript[position]
        return isinstance(last, Assistant) and last.finish_reason in ("stop", "tool_calls")

    def check(self, call: ToolCall, *, complete: bool = True) -> Ready | ToolMessage:
        """The call, ready to run; or the answer that says what is wrong with it.

        Args:
            call: The call.
            complete: Whether the reply with the call came to its end; what was cut is not mended.
        """
        tool = self.tools.get(call.name)
        if tool is None:
            return unknown(call, list(self.tools))
        verdict = self.transcript.verdicts.get(call.id, {})
        if "answer" in verdict:
            return ToolMessage(call.id, call.name, str(verdict["answer"]))
        if verdict.get("approved") is False:
            return denied(call, str(verdict.get("reason", "")))
        try:
            if "arguments" in verdict:
                call, complete = replace(call, arguments=json.dumps(verdict["arguments"])), True
            return Ready(call, tool, bind(tool, call, complete=complete))
        except ArgumentsInvalid as error:
            return failure(call, error).message
        except Exception as error:  # a validator of the tool's own types has a defect
            _warn("the arguments of tool `%s` could not be checked", call.name, exc_info=True)
            return failure(call, error).message

    def needs_verdict(self, ready: Ready) -> bool:
        """Whether the call must not be run before somebody has said so."""
        approval = ready.tool.approval
        transcript = self.transcript
        if not approval or ready.call.id in transcript.verdicts or ready.call.name in transcript.allowed:
            return False
        if approval is True:
            return True
        try:
            return bool(approval(ready.bound.arguments))
        except Exception:
            _warn("the `approval` of tool `%s` failed, so the call waits", ready.call.name, exc_info=True)
            return True

    def begin(self, ready: Ready) -> None:
        """Start the call's clock, and show that its function begins."""
        ready.began = time.monotonic()
        if self.show is not None:
            if ready.bound.repairs:
                self.show(Repaired(ready.call, ready.bound.repairs))
            self.show(ToolStarted(ready.call))

    def _answered_beside(self, batch: list[Ready], say: Say) -> list[Ready]:
        """Tell what is known of these calls without running their tools; the calls that are left to run."""
        known: dict[int, Told] = {}
        for onlooker in reversed(onlookers()):
            known |= onlooker.answers([self._called(one) for one in batch if one.serial not in known])
        if not known:
            return batch
        of = {ready.serial: ready for ready in batch}
        for ready in batch:
            if ready.serial in known:
                self.begin(ready)
        for serial, told in known.items():
            self._tell(of[serial], told, None, say)
        return [ready for ready in batch if ready.serial not in known]

    def _called(self, ready: Ready) -> Called:
        return Called(ready.serial, ready.call, ready.tool is self.final)

    # The function.

    def attempt(self, ready: Ready) -> object:
        """Call a plain function, again where its `retries` allow; the value, or `Failed`."""
        number = 1
        token = under(ready.serial)
        try:
            while True:
                try:
                    return ready.bound.call(self._context(ready, number))
                except BaseException as error:  # whatever a tool raises is an answer, also SystemExit
                    if _is_last(ready, number, error):
                        return Failed(error)  # in a local of this frame, it would keep the run alive by its traceback
                number += 1
        finally:
            no_longer_under(token)

    async def aattempt(self, ready: Ready) -> object:
        """Await an async function, again where its `retries` allow; the value, or `Failed`."""
        import asyncio

        ready.task = asyncio.current_task()  # first, since `leave` looks for it last
        if ready.over:
            return Failed(Cancelled())
        before = ready.task.cancelling() if ready.task else 0  # of a run within a task that was cancelled and goes on
        number = 1
        token = under(ready.serial)
        try:
            while True:
                try:
                    return await ready.bound.acall(self._context(ready, number))
                except BaseException as error:
                    stopped = ready.task is not None and ready.task.cancelling() > before
                    if isinstance(error, asyncio.CancelledError) and stopped:
                        raise  # the run is stopped, or the time is over: not the tool's doing
                    if stopped or _is_last(ready, number, error):
                        return Failed(error)
                number += 1
        finally:
            no_longer_under(token)
            ready.task = None

    def _context(self, ready: Ready, number: int) -> Context[Any] | None:
        return self.context(ready.call, number) if ready.tool.wants_context else None

    def context(self, call: ToolCall | None = None, attempt: int = 1) -> Context[Any]:
        """What a tool may know of the run, for its parameter annotated `Context`; without a call, what a group may."""
        transcript = self.transcript
        of_run: Context[Any] = Context(
            value=self.value, usage=transcript.usage, messages=transcript.messages(), run_id=self.run
        )
        if call is None:
            return of_run
        run, position = transcript.asked
        return replace(
            of_run,
            call_id=call.id,
            tool_name=call.name,
            attempt=attempt,
            idempotency_key=f"{run or self.run}/{position}/{call.id}",
            within=self._within.setdefault(call.id, Within(self.lent, call, self.nested)),
        )

    # After it.

    def close(self, ready: Ready, outcome: object, say: Say) -> None:
        """Turn what a function returned, or how it failed, into the one answer of its call.

        Raises:
            KeyboardInterrupt: The function raised it: it stops the run, and the call stays open.
        """
        call, trace = ready.call, None
        if isinstance(outcome, Failed):
            if isinstance(outcome.error, KeyboardInterrupt):
                raise KeyboardInterrupt(*outcome.error.args) from outcome.error
            told = failure(call, outcome.error)
            import traceback

            trace = "".join(traceback.format_exception(outcome.error))
            if not isinstance(outcome.error, ToolError):
                _warn("tool `%s` failed", call.name, exc_info=outcome.error)
        else:
            told = answer(call, outcome, ready.tool)
        self._tell(ready, told, trace, say)

    def _tell(self, ready: Ready, told: Told, trace: str | None, say: Say) -> None:
        """Say what is told of a call, and show that it ended."""
        call = ready.call
        message = told.message
        if self.final is ready.tool and message.ok:
            message = replace(message, final=True)
        within = self._within.pop(call.id, None)
        spent = None if within is None else within.note()
        for onlooker in onlookers():
            onlooker.ended(self._called(ready), told, delegated=spent is not None)
        if spent is not None:
            say(spent)
        say(message)
        if told.warning:
            _warn("%s", told.warning)
        if self.show is not None:
            if told.warning:
                self.show(Warned(told.warning))
            self.show(ToolFinished(call, message.ok, time.monotonic() - ready.began, trace, told.whole))


def _is_last(ready: Ready, number: int, error: BaseException) -> bool:
    """Whether no further attempt is made after this one, which failed."""
    spent = number > ready.tool.retries
    return spent or ready.over or isinstance(error, ToolError | KeyboardInterrupt | GeneratorExit)


def interrupted(call: ToolCall) -> ToolMessage:
    """The answer to a call that had none when the user spoke again. It may have begun: nobody knows."""
    text = f"`{call.name}` was interrupted by the user; whether it did anything is not known"
    return ToolMessage(call.id, call.name, text, ok=False)


def lost(call: ToolCall) -> ToolMessage:
    """The answer to a call that was begun by a process that ended before the answer was written down."""
    text = f"`{call.name}` was interrupted when the program ended; whether it did anything is not known"
    return ToolMessage(call.id, call.name, text, ok=False)


def denied(call: ToolCall, reason: str) -> ToolMessage:
    """The answer to a call that was not approved."""
    why = f": {reason}" if reason else ""
    return ToolMessage(call.id, call.name, f"`{call.name}` was not run: the user did not approve it{why}", ok=False)


def timed_out(tool: Tool[..., Any]) -> ToolError:
    """What the model is told of a call that took too long."""
    return ToolError(f"`{tool.name}` did not finish within {tool.timeout:g} seconds; what it did so far is not known")


def _warn(text: str, *values: object, exc_info: bool | BaseException = False) -> None:
    """Tell the developer, in the `agentkit` logger."""
    import logging

    logging.getLogger("agentkit").warning(text, *values, exc_info=exc_info, stacklevel=2)
