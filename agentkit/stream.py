"""A run that is watched while it goes on: an iterator of events with a result at its end.

The run lives in a task or thread of its own and puts its events into a pipe; a stream takes them out. So nothing
yields from inside a task group or a time limit, and leaving early is one signal: it closes the socket.
"""

from __future__ import annotations

import copy
import queue
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from agentkit import threads
from agentkit.errors import Cancelled, ConfigurationError, RunError
from agentkit.events import Event, Finished
from agentkit.output import Growing, Output
from agentkit.result import Result
from agentkit.threads import Stop
from agentkit.transcript import Transcript

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")


class _Ending(Generic[T]):
    """How the run behind a stream ended, or that it has not."""

    __slots__ = ("closed", "error", "result")

    def __init__(self) -> None:
        self.result: Result[T] | None = None
        self.error: BaseException | None = None
        self.closed = False

    def keep_error(self, error: BaseException) -> None:
        """The run ended with an error, caught by the caller, whose frame is taken off its traceback: it knows of us."""
        if not self.closed:
            self.error = threads.without_stop_iteration(
                error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)
            )

    def raise_error(self) -> None:
        """Raise the error with which the run ended, if there is one and somebody wants it.

        What is kept is a copy: the traceback of what is raised leads to whoever holds the stream, and it and all that
        ran would stay until the next collection.
        """
        error = self.error
        if error is None or self.closed:
            return
        self.error = _again(error)
        try:
            raise error
        finally:
            del error

    def read(self) -> Result[T]:
        if self.result is not None:
            return self.result
        self.raise_error()
        if self.closed:
            raise RunError(
                "the stream was closed before the run ended; `.transcript` holds what was said", code="stream-closed"
            )
        raise RunError(
            "the run has not ended: iterate the stream to its end before you ask for `.result`", code="stream-open"
        )


def _again(error: BaseException) -> BaseException:
    """A copy of an error, with its traceback so far; the error itself where its class cannot be copied."""
    try:
        again = copy.copy(error)
    except Exception:
        return error
    if type(again) is not type(error):
        return error
    again.__cause__, again.__context__ = error.__cause__, error.__context__
    again.__suppress_context__ = error.__suppress_context__
    return again.with_traceback(error.__traceback__)


class _Job:
    """Work that the run hands to the thread that iterates the stream: `sequential` tools."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.work = work
        self.done: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()

    def run(self) -> None:
        try:
            self.done.put((self.work(), None))
        except BaseException as error:
            self.done.put((None, error))

    def wait(self, stop: Stop) -> Any:
        forget = stop.on_set(lambda: self.done.put((None, Cancelled("the run was stopped from outside"))))
        try:
            value, error = self.done.get()
        finally:
            forget()
        try:
            if error is not None:
                raise error
        finally:
            del error  # in a local of its own traceback, it would keep the run alive until the next collection
        return value


class Pipe:
    """What a run on a thread shares with its stream; it does not know the stream, so that a dropped one is noticed."""

    def __init__(self, stop: Stop) -> None:
        self.items: queue.SimpleQueue[Event | _Job | None] = queue.SimpleQueue()
        self.stop = stop
        self.over = threading.Event()
        self.thread: int | None = None

    def in_caller(self, work: Callable[[], Any]) -> Any:
        """Run `work` in the thread that iterates the stream; give its value or raise what it raised."""
        job = _Job(work)
        self.items.put(job)
        return job.wait(self.stop)


class Stream(Generic[T]):
    """The events of a run on threads, as they happen; made by `agent.stream(…)`.

    Use it as a context manager and iterate it; the last event is `Finished`, and `.result` is there after it. The run
    begins at the first event that is asked for. Leaving the block early, `close()` from any thread, or dropping the
    stream ends the run and closes its socket; what was said until then stays in `.transcript`.

    Attributes:
        transcript: What has been said so far; do not write to it.
    """

    def __init__(self, transcript: Transcript, run: Callable[[Pipe], Result[T]], stop: Stop, output: Output[T]) -> None:
        self.transcript = transcript
        self._output = output
        self._run = run
        self._pipe = Pipe(stop)
        self._ending: _Ending[T] = _Ending()
        self._begun = False

    @property
    def result(self) -> Result[T]:
        """How the run ended.

        Raises:
            RunError: It has not ended yet, or the stream was closed before.
            AgentkitError: What ended the run in place of an answer.
        """
        return self._ending.read()

    def outputs(self) -> Iterator[T]:
        """The answer as it grows, in place of the events: what can be made of what has come, at last the whole.

        Whoever is slower than the model gets fewer of them. Of a typed answer there is nothing before all that its type
        requires is there; an answer that a function makes comes once.
        """
        growing = Growing(self._output)
        for event in self:
            if isinstance(event, Finished):
                yield self.result.output
            elif growing.take(event) and self._pipe.items.empty():
                yield from growing.values()

    def close(self) -> None:
        """End the run and close its socket; harmless when it is over. May be called from any thread."""
        if not self._pipe.over.is_set():
            self._ending.closed = True
            self._pipe.stop.set()
            if self._begun and self._pipe.thread != threading.get_ident():
                self._pipe.over.wait(5)  # the run unwinds at once; a tool's busy thread is not waited for
        self._pipe.items.put(None)

    def __enter__(self) -> Stream[T]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        if not self._begun:
            if self._ending.closed:
                raise StopIteration
            self._begun = True
            threads.start(_Runner(self._run, self._pipe, self._ending))
        while (item := self._pipe.items.get()) is not None:
            if not isinstance(item, _Job):
                return item
            item.run()
        self._pipe.items.put(None)  # for whoever asks again
        self._ending.raise_error()
        raise StopIteration

    def __aiter__(self) -> NoReturn:
        raise ConfigurationError(
            "`stream` is iterated with `for`; on an event loop use `astream` with `async for`", code="sync-or-async"
        )

    def __del__(self) -> None:
        if self._begun and not self._pipe.over.is_set():
            self._pipe.stop.set()


class _Runner(Generic[T]):
    """The job of the thread behind a stream: it drives the run, and tells how it ended."""

    def __init__(self, run: Callable[[Pipe], Result[T]], pipe: Pipe, ending: _Ending[T]) -> None:
        self._run = run
        self._pipe = pipe
        self._ending: _Ending[T] | None = ending

    def __call__(self) -> None:
        pipe, ending = self._pipe, self._ending
        assert ending is not None
        pipe.thread = threading.get_ident()
        try:
            result = self._run(pipe)
            ending.result = result
            pipe.items.put(Finished(result))
        except BaseException as error:
            ending.keep_error(error)
        finally:
            pipe.over.set()
            pipe.items.put(None)
            self._ending = ending = None  # an error leads to this frame, and must not lead from it back to itself


class AsyncPipe:
    """What a task shares with its stream: a list of events and those who wait for them."""

    __slots__ = ("items", "over", "waiters")

    def __init__(self) -> None:
        self.items: deque[Event] = deque()
        self.over = False
        self.waiters: list[asyncio.Future[None]] = []

    def put(self, event: Event) -> None:
        """Give an event to whoever iterates the stream."""
        self.items.append(event)
        if self.waiters:
            self.wake()

    async def wait(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wait to be woken."""
        waiter = loop.create_future()
        self.waiters.append(waiter)
        try:
            await waiter
        finally:
            if waiter in self.waiters:  # nobody woke it: the wait was given up
                self.waiters.remove(waiter)

    def wake(self) -> None:
        """Wake those who wait; they then look for an event, and whether the run is over."""
        waiters, self.waiters = self.waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def end(self, _: object = None) -> None:
        """The run is over; also the callback of its task, which gives itself."""
        self.over = True
        self.wake()


class AsyncStream(Generic[T]):
    """The events of a run on an event loop, as they happen; made by `agent.astream(…)`.

    The same as `Stream`, with `async with` and `async for`. `close()` may be called from any thread.
    """

    def __init__(
        self, transcript: Transcript, run: Callable[[AsyncPipe], Awaitable[Result[T]]], output: Output[T]
    ) -> None:
        self.transcript = transcript
        self._output = output
        self._run = run
        self._pipe = AsyncPipe()
        self._ending: _Ending[T] = _Ending()
        self._task: asyncio.Task[None] | None = None

    @property
    def result(self) -> Result[T]:
        """How the run ended.

        Raises:
            RunError: It has not ended yet, or the stream was closed before.
            AgentkitError: What ended the run in place of an answer.
        """
        return self._ending.read()

    async def outputs(self) -> AsyncIterator[T]:
        """The answer as it grows, in place of the events; as of `Stream`."""
        growing = Growing(self._output)
        async for event in self:
            if isinstance(event, Finished):
                yield self.result.output
            elif growing.take(event) and not self._pipe.items:
                for value in growing.values():
                    yield value

    def close(self) -> None:
        """End the run and close its socket, without waiting for it; from any thread."""
        if self._pipe.over:
            return
        self._ending.closed = True
        task = self._task
        if task is not None and not task.done():
            import asyncio

            loop = task.get_loop()
            try:
                running = asyncio.get_running_loop() is loop
            except RuntimeError:
                running = False
            if running:
                task.cancel()
            else:
                loop.call_soon_threadsafe(task.cancel)

    async def aclose(self) -> None:
        """End the run and wait until its socket is closed and its async tools are told."""
        import asyncio

        self.close()
        task = self._task
        if task is not None and task is not asyncio.current_task():
            while not task.done():
                await self._pipe.wait(task.get_loop())

    async def __aenter__(self) -> AsyncStream[T]:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        pipe = self._pipe
        if pipe.items:
            return pipe.items.popleft()
        if self._task is None:
            if self._ending.closed:
                raise StopAsyncIteration
            import asyncio

            self._task = asyncio.get_running_loop().create_task(_arunner(self._run, pipe, self._ending))
            self._task.add_done_callback(pipe.end)  # one that is cancelled before it begins says nothing by itself
        while not pipe.items:
            if pipe.over:
                self._ending.raise_error()
                raise StopAsyncIteration
            await pipe.wait(self._task.get_loop())
        return pipe.items.popleft()

    def __iter__(self) -> NoReturn:
        raise ConfigurationError(
            "`astream` is iterated with `async for`; without an event loop use `stream` with `for`",
            code="sync-or-async",
        )

    def __del__(self) -> None:
        task = self._task
        if task is not None and not task.done() and not task.get_loop().is_closed():
            task.get_loop().call_soon_threadsafe(task.cancel)


async def _arunner(run: Callable[[AsyncPipe], Awaitable[Result[T]]], pipe: AsyncPipe, ending: _Ending[T]) -> None:
    try:
        result = await run(pipe)
        ending.result = result
        pipe.items.append(Finished(result))
    except BaseException as error:
        # raised to whoever iterates the stream, and not here: KeyboardInterrupt out of a task would end the event loop,
        # and a task keeps the CancelledError with which it ended
        ending.keep_error(error)
    finally:
        pipe.end()
        del ending  # an error leads to this frame, and must not lead from it back to itself
