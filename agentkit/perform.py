"""Effects carried out: the model asked, tools run, answers looked at.

What waits is said twice and short: on threads, where plain functions run in daemon threads and async ones on the
shared loop, and on an event loop, where async functions are awaited and plain ones run in daemon threads. What thinks
is shared: `Calls` checks calls and turns outcomes into messages, `replies` looks at what the model said.

A function that will not end when its time is over, or when the run is, is left behind: a thread cannot be stopped,
and a coroutine that swallows its cancellation will not be. What it returns is ignored, and it is not tried again.
Only a lone call without a time limit, which is awaited in the run's own task, cannot be left: its run ends with it.
"""

from __future__ import annotations

import queue
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from contextvars import copy_context
from dataclasses import replace
from functools import partial
from types import coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from agentkit import threads
from agentkit.calls import Calls, Failed, Ready, timed_out
from agentkit.delegating import Lent
from agentkit.errors import Cancelled, LimitReached, TimedOut, Truncated
from agentkit.events import CallModel, CallTools, Effect, Nested, Review
from agentkit.loop import Say
from agentkit.messages import Note, User
from agentkit.models.request import Request
from agentkit.orders import Orders
from agentkit.replies import accept, keep_spent, tell_repeats
from agentkit.tools import Tool
from agentkit.toolset import OFFERED, Opened, names_offered
from agentkit.transcript import HANDOVER

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")

Give = Callable[[tuple[Ready, object]], object]
"""Takes a call and how it ended."""

Running = dict[str, tuple[Ready, float | None]]
"""The calls under way, by id: each with the time at which it is given up."""

STOP_SECONDS = 0.5
"""How long a run that ends waits for its async tools to end, in seconds. They were cancelled; most end at once."""

_left: set[asyncio.Task[None]] = set()
"""Tasks of tools that were given up; an event loop by itself does not keep them."""


class Performer:
    """Carries out the effects of one run with its standing orders.

    Args:
        orders: Who answers, what it is told, and which tools it has.
        request: The transcript and what else holds for the whole run.
        run: The run's id, for idempotency keys.
        value: What the caller gave as `context=`.
        parallel: How many tools may be under way at once.
        in_caller: Runs a job in the caller's thread, where `sequential` tools go.
        lent: What the runs of agents that are tools have of this one.
        settle: On an event loop: waits until what was said is written down; `None` where that takes no waiting.
    """

    def __init__(
        self,
        orders: Orders,
        request: Request,
        *,
        run: str,
        value: Any = None,
        parallel: int = 128,
        in_caller: Callable[[Callable[[], Any]], Any] = lambda job: job(),
        settle: Callable[[], Awaitable[None]] | None = None,
        lent: Lent = Lent(),
    ) -> None:
        self.answer: Any = None  # what the review took
        self.calls = Calls(request.transcript, {}, run=run, value=value, show=request.emit, lent=lent)
        self.take(orders, request)
        self.parallel = parallel
        self.in_caller = in_caller
        self.settle = settle

    # What thinks, shared by both ways.

    def take(self, orders: Orders, request: Request) -> None:
        """Carry out effects with these orders from now on."""
        self.orders = orders
        self.model, self.output = orders.model, orders.output
        self.group = orders.group if orders.group.changes else None
        self._asked = False  # whether the group has said which tools there are
        self.calls.tools = orders.offered(orders.group.named())
        self.calls.final = orders.output.tool
        self.request = orders.request(request, self.calls.tools)

    def _begin(self, effect: Effect, say: Say) -> None:
        """Before an effect: see that there is time for it, and who carries it out."""
        if self.seconds_left() == 0 and not isinstance(effect, Review):
            raise self.out_of_time()
        if isinstance(effect, CallModel) and (after := self.orders.successor(self.request.transcript)) is not None:
            orders = after.take()
            say(Note(HANDOVER, {"agent": orders.agent, "model": orders.model.name}))
            self.take(orders, self.request)

    def seconds_left(self) -> float | None:
        """Seconds until the run's time is over; `None` for no limit."""
        deadline = self.request.deadline
        return None if deadline is None else max(0.0, deadline - time.monotonic())

    def out_of_time(self) -> LimitReached:
        """The error that says that the run's `seconds` are over; it is returned, not raised."""
        text = self.request.transcript.text
        return LimitReached(
            "the run's time is over: it stopped at its limit `seconds`; raise it with `limits=Limits(seconds=…)`, or go"
            " on from the error's `.transcript`",
            limit="seconds",
            text=text,
        )

    def offer(self, opened: Opened, say: Say) -> None:
        """Ask the group which tools to offer at this step; a choice that changes is noted."""
        assert self.group is not None
        transcript = self.request.transcript
        chosen = self.group.named(self.calls.context(), opened)
        known = names_offered(transcript)
        if list(chosen) != (list(self.group.named(None, opened)) if known is None else known):
            say(Note(OFFERED, {"names": list(chosen)}))
        self._take(chosen)

    def recall(self, opened: Opened) -> None:
        """Take the tools that the model was offered when it made the open calls, as the transcript says."""
        assert self.group is not None
        every = self.group.named(None, opened)
        known = names_offered(self.request.transcript)
        if known is not None:
            every = {**every, **self.group.named(self.calls.context(), opened)}
            every = {name: every[name] for name in known if name in every}
        self._take(every)

    def _take(self, tools: dict[str, Tool[..., Any]]) -> None:
        self._asked = True
        self.calls.tools = self.orders.offered(tools)
        offered = tuple(self.calls.tools.values())
        before = self.request.tools
        if len(offered) != len(before) or any(one is not other for one, other in zip(offered, before, strict=True)):
            # else they stay the same tuple, which was encoded already
            self.request = replace(self.request, tools=offered)

    def _must_ask(self, effect: Effect) -> bool:
        if self.group is None or isinstance(effect, Review):
            return False
        return isinstance(effect, CallModel) or not self._asked

    def _ask(self, effect: Effect, opened: Opened, say: Say) -> None:
        if isinstance(effect, CallModel):
            self.offer(opened, say)
        else:
            self.recall(opened)

    def review(self, say: Say) -> None:
        """Look at the answer: say what is wrong with it, or nothing."""
        try:
            reviewed = self.output.review(self.request.transcript, self.calls.context, self.seconds_left())
        except TimeoutError as error:
            if self.seconds_left() == 0:
                raise self.out_of_time() from error
            raise
        self._take_answer(reviewed, say)

    def _take_answer(self, reviewed: tuple[Any, User | None], say: Say) -> None:
        self.answer, objection = reviewed
        if objection is not None:
            say(objection)

    # What waits, on threads.

    def perform(self, effect: Effect, say: Say) -> None:
        """Carry out one effect in the calling thread; every message goes through `say`."""
        self._begin(effect, say)
        if self._must_ask(effect):
            self._ask(effect, self._opened(), say)
        match effect:
            case CallModel():
                tell_repeats(self.request.transcript, say, self.request.emit)
                try:
                    message = self.model.call(self.request)
                except TimedOut as error:
                    if self.seconds_left() == 0:
                        raise self.out_of_time() from error
                    raise
                except (Truncated, LimitReached) as error:
                    keep_spent(error, say)
                    raise
                accept(message, say, model=self.model.name, ledger=self.request.ledger)
            case CallTools():
                for batch in self.calls.batches(effect, say):
                    if batch[0].tool.sequential and not batch[0].tool.is_async:
                        self.calls.begin(batch[0])
                        self.calls.close(batch[0], self.in_caller(partial(self.calls.attempt, batch[0])), say)
                    else:
                        self._run_batch(batch, say)
                self.output.count(self.request.transcript)
            case Review():
                self.review(say)

    def _opened(self) -> Opened:
        """What the lifetimes gave that live on the shared loop."""
        from concurrent.futures import CancelledError

        assert self.group is not None
        future = threads.run_on_shared_loop(self.group.opened())
        forget = self.request.stop.on_set(future.cancel) if self.request.stop is not None else None
        try:
            return future.result(self.seconds_left())
        except TimeoutError as error:
            if future.done():
                raise  # entering raised it
            raise self.out_of_time() from error
        except CancelledError as error:
            raise Cancelled("the run was stopped from outside") from error
        finally:
            future.cancel()
            if forget is not None:
                forget()
            del future  # it holds the error, and the error's traceback this frame

    def _run_batch(self, batch: Sequence[Ready], say: Say) -> None:
        done: queue.SimpleQueue[tuple[Ready, object] | Nested | None] = queue.SimpleQueue()
        self.calls.nested = done.put if self.request.emit is not None else None

        def give(item: tuple[Ready, object]) -> None:
            if not item[0].over:  # else nobody takes it out of the queue
                done.put(item)

        waiting, running = deque(batch), Running()
        stop = self.request.stop
        forget = stop.on_set(lambda: done.put(None)) if stop is not None else None
        try:
            while waiting or running:
                while waiting and len(running) < self.parallel:
                    ready = waiting.popleft()
                    self.calls.begin(ready)
                    until = None if ready.tool.timeout is None else time.monotonic() + ready.tool.timeout
                    running[ready.call.id] = (ready, until)  # first, since Ctrl-C may come while it starts
                    self._start(ready, give)
                for ready, outcome in self._finished(done, running):
                    if running.pop(ready.call.id, None) is not None:  # else it was given up already
                        self.calls.close(ready, outcome, say)
        finally:
            if forget is not None:
                forget()
            for ready, _ in running.values():
                ready.leave()
            while not done.empty():  # errors lead by their tracebacks to who gave them, and so back to the queue
                done.get()

    def _start(self, ready: Ready, give: Give) -> None:
        """Let a call begin."""
        if not ready.tool.is_async:
            _in_thread(lambda: give((ready, self.calls.attempt(ready))), ready, give)
            return
        future = threads.run_on_shared_loop(self._outcome(ready))
        future.add_done_callback(
            lambda future: give((ready, Failed(Cancelled()) if future.cancelled() else future.result()))
        )

    async def _outcome(self, ready: Ready) -> object:
        """How an async function ended, on the shared loop."""
        import asyncio

        try:
            return await self.calls.aattempt(ready)
        except asyncio.CancelledError:  # a task that ends with it keeps it, and it by its traceback what ran
            return Failed(Cancelled())

    def _finished(
        self, done: queue.SimpleQueue[tuple[Ready, object] | Nested | None], running: Running
    ) -> list[tuple[Ready, object]]:
        """Wait for the next call to end, or for the next limit to pass."""
        now = time.monotonic()
        limits = [until for _, until in running.values() if until is not None]
        deadline = self.request.deadline
        soonest = min([*limits, deadline] if deadline is not None else limits, default=None)
        try:
            item = done.get(timeout=None if soonest is None else max(0.0, soonest - now))
        except queue.Empty:
            now = time.monotonic()
            if deadline is not None and now >= deadline:
                raise self.out_of_time() from None
            late = [ready for ready, until in running.values() if until is not None and now >= until]
            for ready in late:
                ready.leave()
            return [(ready, Failed(timed_out(ready.tool))) for ready in late]
        if item is None:
            raise Cancelled("the run was stopped from outside")
        if isinstance(item, Nested):  # it is shown in the run's thread, as all is
            assert self.request.emit is not None
            self.request.emit(item)
            return []
        return [item]

    # What waits, on an event loop.

    async def aperform(self, effect: Effect, say: Say) -> None:
        """Carry out one effect on the running event loop; every message goes through `say`."""
        self._begin(effect, say)
        if self.group is not None and self._must_ask(effect):
            self._ask(effect, await self._in_time(self.group.opened()), say)
        match effect:
            case CallModel():
                tell_repeats(self.request.transcript, say, self.request.emit)
                try:
                    message = await self._in_time(self.model.acall(self.request))
                except (Truncated, LimitReached) as error:
                    keep_spent(error, say)
                    raise
                accept(message, say, model=self.model.name, ledger=self.request.ledger)
            case CallTools():
                for batch in self.calls.batches(effect, say):
                    if batch[0].tool.sequential and not batch[0].tool.is_async:
                        self.calls.begin(batch[0])
                        self.calls.close(batch[0], self.calls.attempt(batch[0]), say)
                    else:
                        await self._in_time(self._arun_batch(batch, say))
                self.output.count(self.request.transcript)
            case Review():
                review = self.output.areview(self.request.transcript, self.calls.context)
                self._take_answer(await self._in_time(review), say)

    def _in_time(self, work: Awaitable[Any]) -> Awaitable[Any]:
        seconds = self.seconds_left()
        return work if seconds is None else self._within(seconds, work)

    async def _within(self, seconds: float, work: Awaitable[Any]) -> Any:
        import asyncio

        scope = asyncio.timeout(seconds)
        try:
            async with scope:
                return await work
        except (TimeoutError, TimedOut) as error:
            if scope.expired() or self.seconds_left() == 0:
                raise self.out_of_time() from error
            raise

    async def _arun_batch(self, batch: Sequence[Ready], say: Say) -> None:
        import asyncio

        # all is said in the run's own task: what an onlooker raises ends the run as it is, and no task of a tool can
        # end the event loop
        self.calls.nested = self.request.emit
        if len(batch) == 1 and (alone := batch[0]).tool.is_async and alone.tool.timeout is None:
            self.calls.begin(alone)
            self.calls.close(alone, await self._alone(alone), say)
            return
        loop = asyncio.get_running_loop()
        done: asyncio.Queue[tuple[Ready, object]] = asyncio.Queue()

        def give(item: tuple[Ready, object]) -> None:
            if not item[0].over:  # else nobody takes it out of the queue
                done.put_nowait(item)

        waiting, running = deque(batch), dict[str, _Away]()
        try:
            while waiting or running:
                while waiting and len(running) < self.parallel:
                    ready = waiting.popleft()
                    self.calls.begin(ready)
                    running[ready.call.id] = self._astart(ready, give, loop)
                ready, outcome = await done.get()
                if (away := running.pop(ready.call.id, None)) is not None:  # else it was given up already
                    away.stop()
                    self.calls.close(ready, outcome, say)
                    if self.settle is not None:
                        await self.settle()
        finally:
            tasks = [task for away in running.values() if (task := away.stop()) is not None]
            if tasks:
                await asyncio.wait(tasks, timeout=STOP_SECONDS)
            while not done.empty():  # errors lead by their tracebacks to who gave them, and so back to the queue
                done.get_nowait()

    async def _alone(self, ready: Ready) -> object:
        """Await a lone call in the run's own task: another task would cost more than most of what the loop does."""
        import asyncio

        task = asyncio.current_task()
        assert task is not None
        before = task.cancelling()
        outcome = await _apart(self.calls.aattempt(ready))
        if task.cancelling() > before:  # the tool has swallowed what was meant for the run
            raise asyncio.CancelledError
        return outcome

    async def _carry_out(self, ready: Ready, give: Give) -> None:
        """Await an async function in a task of its own, and hand over how it ended."""
        import asyncio

        outcome: object = Failed(asyncio.CancelledError())
        try:
            outcome = await self.calls.aattempt(ready)
        except asyncio.CancelledError:  # a task that ends with it keeps it, and it by its traceback what ran
            pass
        finally:
            give((ready, outcome))  # a callback of the task would come one turn of the event loop later
            del outcome  # it may hold an error, whose traceback leads to this frame

    def _astart(self, ready: Ready, give: Give, loop: asyncio.AbstractEventLoop) -> _Away:
        """Let a call begin."""
        task: asyncio.Task[None] | None = None
        if ready.tool.is_async:
            task = loop.create_task(self._carry_out(ready, give))
        else:

            def hand_over(outcome: object) -> None:
                try:
                    loop.call_soon_threadsafe(give, (ready, outcome))
                except RuntimeError:  # the loop was closed meanwhile: nobody waits for the answer any more
                    import logging

                    logging.getLogger("agentkit").debug("tool `%s` ended after its run", ready.call.name)

            _in_thread(lambda: hand_over(self.calls.attempt(ready)), ready, give)
        seconds = ready.tool.timeout
        late = None if seconds is None else loop.call_later(seconds, give, (ready, Failed(timed_out(ready.tool))))
        return _Away(ready, task, late)


class _Away:
    """A call under way on an event loop."""

    __slots__ = ("_late", "_ready", "_task")

    def __init__(self, ready: Ready, task: asyncio.Task[None] | None, late: asyncio.TimerHandle | None) -> None:
        self._ready = ready
        self._task = task
        self._late = late

    def stop(self) -> asyncio.Task[None] | None:
        """Stop what goes on of it; the task, if it has not ended yet."""
        self._ready.over = True
        if self._late is not None:
            self._late.cancel()
        if self._task is None or self._task.done():
            return None
        self._task.cancel()
        _left.add(self._task)
        self._task.add_done_callback(_left.discard)
        return self._task


@coroutine
def _apart(work: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
    """Await something with context variables of its own, as in a task of its own: what it sets, nobody else sees."""
    run = copy_context().run
    error: BaseException | None = None
    while True:
        try:
            waits = run(work.send, None) if error is None else run(work.throw, error)
        except StopIteration as end:
            return end.value
        finally:
            error = None  # in a local of its own traceback, it would keep the run alive until the next collection
        try:
            yield waits
        except BaseException as thrown:
            error = thrown


def _in_thread(job: Callable[[], object], ready: Ready, give: Give) -> None:
    """Run a job in a daemon thread. Nothing stops it; what it returns when nobody waits is ignored."""
    try:
        threads.start(job)
    except RuntimeError as error:  # the system gives no further thread
        give((ready, Failed(error)))
