"""Effects carried out: the model asked, tools run, answers looked at.

What thinks is shared: `Performer` checks calls, makes contexts and turns outcomes into messages. What waits is said
twice and short: on threads, where plain functions run in daemon threads and async ones on the shared loop, and on an
event loop, where async functions are awaited and plain ones run in daemon threads.
"""

from __future__ import annotations

import asyncio
import json
import logging
import queue
import time
import traceback
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from agentkit import threads
from agentkit.errors import Cancelled, LimitReached, TimedOut, ToolError, Truncated
from agentkit.events import CallModel, CallTools, Effect, Emit, Review, ToolFinished, ToolStarted
from agentkit.loop import Say
from agentkit.messages import Assistant, Note, ToolCall, ToolMessage, told_apart
from agentkit.models.request import Model, Request
from agentkit.output import Output
from agentkit.tools import ArgumentsInvalid, Bound, Context, Tool, answer, bind, failure, unknown
from agentkit.transcript import DISCARDED, WAITING

logger = logging.getLogger("agentkit")


@dataclass(slots=True)
class Ready:
    """A call whose arguments passed the check."""

    call: ToolCall
    tool: Tool[..., Any]
    bound: Bound
    began: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, slots=True)
class Failed:
    """How a tool's function ended that did not return."""

    error: BaseException


class Performer:
    """Carries out the effects of one run with its standing orders.

    Args:
        model: Who answers.
        request: The standing orders and the transcript, the same for every step.
        tools: The tools by name.
        run: The run's id, for idempotency keys.
        value: What the caller gave as `context=`.
        output: How the answer gets its type; `None` for a text.
        parallel: How many tools may be under way at once.
        in_caller: Runs a job in the caller's thread, where `sequential` tools go.
    """

    def __init__(
        self,
        model: Model,
        request: Request,
        tools: Mapping[str, Tool[..., Any]],
        *,
        run: str,
        value: Any = None,
        output: Output[Any] | None = None,
        parallel: int = 128,
        in_caller: Callable[[Callable[[], Any]], Any] = lambda job: job(),
    ) -> None:
        self.model = model
        self.request = request
        self.tools = tools
        self.run = run
        self.value = value
        self.output = output
        self.parallel = parallel
        self.in_caller = in_caller

    # What thinks, shared by both ways.

    @property
    def show(self) -> Emit | None:
        """Takes events; `None` when nobody looks."""
        return self.request.emit

    def seconds_left(self) -> float | None:
        """Seconds until the run's time is over; `None` for no limit."""
        deadline = self.request.deadline
        return None if deadline is None else max(0.0, deadline - time.monotonic())

    def out_of_time(self) -> LimitReached:
        """The error that says that the run's `seconds` are over; it is returned, not raised."""
        text = self.request.transcript.text
        return LimitReached("the run's time is over: it stopped at its limit `seconds`", limit="seconds", text=text)

    def accept(self, message: Assistant, say: Say) -> None:
        """Write the model's message down if it is whole: `stop` without calls, or calls under `stop` or `tool_calls`.

        Raises:
            Truncated: The reply ended for any other reason. Its usage and text are kept in a note.
        """
        reason = message.finish_reason
        if reason == "stop" or (reason == "tool_calls" and message.tool_calls):
            ids = {call.id for call in message.tool_calls}
            if "" in ids or len(ids) < len(message.tool_calls):  # a model of one's own need not know better
                message = replace(message, tool_calls=told_apart(message.tool_calls))
            say(message)
            return
        usage = message.usage
        spent = {name: getattr(usage, name) for name in usage.__slots__} if usage else {"requests": 1}
        say(Note(DISCARDED, {"finish_reason": reason, "usage": spent, "text": message.text}))
        raise Truncated(
            _why_cut(reason, message, self.model.name), finish_reason=reason, text=message.text, partial=message
        )

    def review(self, say: Say) -> None:
        """Look at the answer: say what is wrong with it, or nothing."""
        if self.output is not None and (objection := self.output.objection(self.request.transcript)) is not None:
            say(objection)

    def context(self, call: ToolCall, attempt: int) -> Context[Any]:
        """What a tool may know of the run, for its parameter annotated `Context`."""
        transcript = self.request.transcript
        return Context(
            value=self.value,
            call_id=call.id,
            tool_name=call.name,
            attempt=attempt,
            usage=transcript.usage,
            messages=transcript.messages(),
            run_id=self.run,
            idempotency_key=f"{self.run}/{transcript.steps}/{call.id}",
        )

    def check(self, call: ToolCall) -> Ready | ToolMessage:
        """The call, ready to run; or the answer that says what is wrong with it."""
        tool = self.tools.get(call.name)
        if tool is None:
            return unknown(call, list(self.tools))
        verdict = self.request.transcript.verdicts.get(call.id, {})
        if "answer" in verdict:
            return ToolMessage(call.id, call.name, str(verdict["answer"]))
        if verdict.get("approved") is False:
            return denied(call, str(verdict.get("reason", "")))
        try:
            if "arguments" in verdict:
                call = replace(call, arguments=json.dumps(verdict["arguments"]))
            return Ready(call, tool, bind(tool, call))
        except ArgumentsInvalid as error:
            return failure(call, error)
        except Exception as error:  # a validator of the tool's own types has a defect
            logger.warning("the arguments of tool `%s` could not be checked", call.name, exc_info=True)
            return failure(call, error)

    def begin(self, ready: Ready) -> None:
        """Start the call's clock, and show that its function begins."""
        ready.began = time.monotonic()
        if self.show is not None:
            self.show(ToolStarted(ready.call))

    def close(self, ready: Ready, outcome: object, say: Say) -> None:
        """Turn what a function returned, or how it failed, into the one answer of its call."""
        call, trace = ready.call, None
        if isinstance(outcome, Failed):
            if isinstance(outcome.error, KeyboardInterrupt):
                raise outcome.error  # stops the run; the call stays open in the transcript
            message = failure(call, outcome.error)
            trace = "".join(traceback.format_exception(outcome.error))
            if not isinstance(outcome.error, ToolError):
                logger.warning("tool `%s` failed", call.name, exc_info=outcome.error)
        else:
            message = answer(call, outcome, ready.tool)
            if self.output is not None and ready.tool is self.output.tool:
                message = replace(message, final=True)
        say(message)
        if self.show is not None:
            self.show(ToolFinished(call, message.ok, time.monotonic() - ready.began, trace))

    def batches(self, effect: CallTools, say: Say) -> Iterator[list[Ready]]:
        """The calls to run, in the model's order; a sequential tool is a batch of its own.

        Calls that cannot be run are answered on the way. From a call on that needs a verdict nothing is run; of those
        behind it, the ones that need a verdict too are told of, so that all can be decided at once.
        """
        group: list[Ready] = []
        held = False
        for call in effect.calls:
            ready = interrupted(call) if effect.interrupted else self.check(call)
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

    def needs_verdict(self, ready: Ready) -> bool:
        """Whether the call must not be run before somebody has said so."""
        approval = ready.tool.approval
        if not approval or ready.call.id in self.request.transcript.verdicts:
            return False
        if approval is True:
            return True
        try:
            return bool(approval(ready.bound.arguments))
        except Exception:
            logger.warning("the `approval` of tool `%s` failed, so the call waits", ready.call.name, exc_info=True)
            return True

    def attempt(self, ready: Ready) -> object:
        """Call a plain function, again where its `retries` allow; the value, or `Failed`."""
        failed: Failed | None = None
        for number in range(1, ready.tool.retries + 2):
            try:
                return ready.bound.call(self._context_for(ready, number))
            except BaseException as error:  # whatever a tool raises is an answer, also SystemExit
                failed = Failed(error)
                if isinstance(error, ToolError | KeyboardInterrupt):
                    break
        return failed

    async def aattempt(self, ready: Ready) -> object:
        """Await an async function within its time limit; the value, or `Failed`."""
        limit = ready.tool.timeout
        if limit is None:
            return await self._attempts(ready)
        try:
            async with asyncio.timeout(limit):
                return await self._attempts(ready)
        except TimeoutError:  # the limit's own: the tool's were caught inside
            return Failed(timed_out(ready.tool))

    async def _attempts(self, ready: Ready) -> object:
        failed: Failed | None = None
        for number in range(1, ready.tool.retries + 2):
            try:
                return await ready.bound.acall(self._context_for(ready, number))
            except BaseException as error:
                task = asyncio.current_task()
                if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                    raise  # the run is stopped, or the time is over: not the tool's doing
                failed = Failed(error)
                if isinstance(error, ToolError | KeyboardInterrupt):
                    break
        return failed

    def _context_for(self, ready: Ready, number: int) -> Context[Any] | None:
        return self.context(ready.call, number) if ready.tool.wants_context else None

    # What waits, on threads.

    def perform(self, effect: Effect, say: Say) -> None:
        """Carry out one effect in the calling thread; every message goes through `say`."""
        match effect:
            case CallModel():
                try:
                    message = self.model.call(self.request)
                except TimedOut as error:
                    if self.seconds_left() == 0:
                        raise self.out_of_time() from error
                    raise
                self.accept(message, say)
            case CallTools():
                for batch in self.batches(effect, say):
                    if batch[0].tool.sequential:
                        self.begin(batch[0])
                        self.close(batch[0], self._run_here(batch[0]), say)
                    else:
                        self._run_batch(batch, say)
            case Review():
                self.review(say)

    def _run_here(self, ready: Ready) -> object:
        if ready.tool.is_async:
            return threads.run_on_shared_loop(self.aattempt(ready)).result()
        return self.in_caller(lambda: self.attempt(ready))

    def _run_batch(self, batch: Sequence[Ready], say: Say) -> None:
        done: queue.SimpleQueue[tuple[Ready, object] | None] = queue.SimpleQueue()
        waiting, running = deque(batch), dict[str, tuple[Ready, float | None, Callable[[], object]]]()
        stop = self.request.stop
        forget = stop.on_set(lambda: done.put(None)) if stop is not None else None
        try:
            while waiting or running:
                while waiting and len(running) < self.parallel:
                    ready = waiting.popleft()
                    self.begin(ready)
                    limit = None if ready.tool.is_async else ready.tool.timeout  # async ones keep their own
                    until = None if limit is None else time.monotonic() + limit
                    running[ready.call.id] = (ready, until, self._start(ready, done))
                for ready, outcome in self._finished(done, running):
                    if running.pop(ready.call.id, None) is not None:  # else it was given up already
                        self.close(ready, outcome, say)
        finally:
            if forget is not None:
                forget()
            for _, _, cancel in running.values():
                cancel()

    def _start(self, ready: Ready, done: queue.SimpleQueue[tuple[Ready, object] | None]) -> Callable[[], object]:
        if ready.tool.is_async:
            future = threads.run_on_shared_loop(self.aattempt(ready))
            future.add_done_callback(
                lambda future: done.put((ready, Failed(Cancelled()) if future.cancelled() else future.result()))
            )
            return future.cancel
        threads.start(lambda: done.put((ready, self.attempt(ready))))
        return lambda: None  # a thread cannot be stopped; what it returns is ignored

    def _finished(
        self,
        done: queue.SimpleQueue[tuple[Ready, object] | None],
        running: Mapping[str, tuple[Ready, float | None, Callable[[], object]]],
    ) -> list[tuple[Ready, object]]:
        """Wait for the next call to end, or for the next limit to pass."""
        now = time.monotonic()
        limits = [until for _, until, _ in running.values() if until is not None]
        deadline = self.request.deadline
        soonest = min([*limits, deadline] if deadline is not None else limits, default=None)
        try:
            item = done.get(timeout=None if soonest is None else max(0.0, soonest - now))
        except queue.Empty:
            now = time.monotonic()
            if deadline is not None and now >= deadline:
                raise self.out_of_time() from None
            late = [(ready, cancel) for ready, until, cancel in running.values() if until is not None and now >= until]
            for _, cancel in late:
                cancel()
            return [(ready, Failed(timed_out(ready.tool))) for ready, _ in late]
        if item is None:
            raise Cancelled("the run was stopped from outside")
        return [item]

    # What waits, on an event loop.

    async def aperform(self, effect: Effect, say: Say) -> None:
        """Carry out one effect on the running event loop; every message goes through `say`."""
        match effect:
            case CallModel():
                self.accept(await self._in_time(self.model.acall(self.request)), say)
            case CallTools():
                for batch in self.batches(effect, say):
                    await self._in_time(self._arun_batch(batch, say))
            case Review():
                self.review(say)

    async def _in_time(self, work: Awaitable[Any]) -> Any:
        seconds = self.seconds_left()
        if seconds is None:
            return await work
        scope = asyncio.timeout(seconds)
        try:
            async with scope:
                return await work
        except (TimeoutError, TimedOut) as error:
            if scope.expired() or self.seconds_left() == 0:
                raise self.out_of_time() from error
            raise

    async def _arun_batch(self, batch: Sequence[Ready], say: Say) -> None:
        if len(batch) == 1:
            await self._arun(batch[0], say)
            return
        places = asyncio.Semaphore(self.parallel) if len(batch) > self.parallel else None
        async with asyncio.TaskGroup() as group:
            for ready in batch:
                group.create_task(self._arun(ready, say, places))

    async def _arun(self, ready: Ready, say: Say, places: asyncio.Semaphore | None = None) -> None:
        if places is not None:
            async with places:
                return await self._arun(ready, say)
        self.begin(ready)
        if ready.tool.is_async:
            outcome = await self.aattempt(ready)
        elif ready.tool.sequential:
            outcome = self.attempt(ready)
        else:
            outcome = await self._in_thread(ready)
        self.close(ready, outcome, say)
        return None

    async def _in_thread(self, ready: Ready) -> object:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[object] = loop.create_future()

        def give(outcome: object) -> None:
            if not future.done():
                future.set_result(outcome)

        def job() -> None:
            outcome = self.attempt(ready)
            try:
                loop.call_soon_threadsafe(give, outcome)
            except RuntimeError:  # the loop was closed meanwhile: nobody waits for the answer any more
                logger.debug("tool `%s` ended after its run", ready.call.name)

        threads.start(job)
        if ready.tool.timeout is None:
            return await future
        handle = loop.call_later(ready.tool.timeout, give, Failed(timed_out(ready.tool)))
        try:
            return await future
        finally:
            handle.cancel()


def interrupted(call: ToolCall) -> ToolMessage:
    """The answer to a call that had none when the user spoke again. It may have begun: nobody knows."""
    text = f"`{call.name}` was interrupted by the user; whether it did anything is not known"
    return ToolMessage(call.id, call.name, text, ok=False)


def denied(call: ToolCall, reason: str) -> ToolMessage:
    """The answer to a call that was not approved."""
    why = f": {reason}" if reason else ""
    return ToolMessage(call.id, call.name, f"`{call.name}` was not run: the user did not approve it{why}", ok=False)


def timed_out(tool: Tool[..., Any]) -> ToolError:
    """What the model is told of a call that took too long."""
    return ToolError(f"`{tool.name}` did not finish within {tool.timeout:g} seconds; what it did so far is not known")


def _why_cut(reason: str | None, message: Assistant, model: str) -> str:
    if reason == "length":
        return (
            f"the answer of `{model}` was cut after {len(message.text)} characters (finish reason `length`):"
            " the token limit was reached; raise `Settings(max_tokens=…)` (reasoning counts against it)"
            " or ask for less. The part that came is in the error's `.text`"
        )
    if reason == "tool_calls":
        return f"`{model}` ended its reply with finish reason `tool_calls` but named no call"
    said = "gave no finish reason" if reason is None else f"ended its reply with finish reason `{reason}`"
    return f"`{model}` {said}, which is not a finished answer. The part that came is in the error's `.text`"
