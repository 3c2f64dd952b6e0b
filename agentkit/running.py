"""One run, made ready: what was asked for, what is written down before it is shown, and driving it in both ways.

With a session, every entry is in its file before an onlooker sees it. On threads that is one write after the other. On
an event loop the writing is left to a thread: what was said since waits in a queue, and so do the events behind it,
until `settle` has had it written; nothing is begun before that.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

from agentkit import threads
from agentkit.approval import Approver, Pending, Verdict, verdict_notes
from agentkit.beside import onlookers
from agentkit.delegating import Lent
from agentkit.errors import Cancelled, ConfigurationError
from agentkit.events import CallTools, Effect, Emit, Event
from agentkit.frozen import frozen
from agentkit.loop import Limits, Say, adrive, drive
from agentkit.messages import Entry, Image, Note, Part, Text, ToolCall, User
from agentkit.models.request import Model, Settings
from agentkit.perform import Performer
from agentkit.result import Result
from agentkit.sessions import Held, Session
from agentkit.threads import Stop
from agentkit.tools import Tool
from agentkit.transcript import BEGUN, Transcript

if TYPE_CHECKING:
    import asyncio

Prompt = str | Sequence[str | Part] | None
History = Iterable[Entry] | Result[Any]

T = TypeVar("T")


@frozen(kw_only=True)
class Asked:
    """What a caller asked for: the keywords of `run` and its like.

    Attributes:
        prompt: What the user says; `None` goes on with what was said.
        history: What was said before.
        context: What tools find in `Context.value`.
        session: Where the conversation is kept.
        model: In place of the agent's.
        settings: On top of the agent's.
        limits: In place of the agent's.
        on_event: Takes the events.
        approve: Asked for verdicts, in place of the agent's.
        verdicts: On calls that wait, by their ids.
        streamed: Whether the endpoint is asked for a streamed body.
        restart: Whether a reply may begin anew after parts of it were shown.
        stop: Ends the run, where it is on threads and watched.
        lent: What the run has of the one that called the agent as a tool.
    """

    prompt: Prompt
    history: History = ()
    context: Any = None
    session: str | Session | None = None
    model: Model | str | None = None
    settings: Settings | None = None
    limits: Limits | None = None
    on_event: Emit | None = None
    approve: Approver | None = None
    verdicts: Mapping[str, Verdict] = field(default_factory=dict[str, Verdict])
    streamed: bool = False
    restart: bool = False
    stop: Stop | None = None
    lent: Lent = Lent()


@contextlib.contextmanager
def held(session: str | Session | None) -> Generator[Held | None]:
    """The session, taken for the time of a run; `None` where there is none."""
    if session is None:
        yield None
    else:
        with _named(session).hold() as taken:
            yield taken


@contextlib.asynccontextmanager
async def aheld(session: str | Session | None) -> AsyncGenerator[Held | None]:
    """The same on the running event loop, which the file does not hold up."""
    if session is None:
        yield None
        return
    taken = await _in_thread(_named(session).hold, unwanted=Held.close)
    try:
        yield taken
    finally:
        await _in_thread(taken.close)


def _named(session: str | Session) -> Session:
    return Session(session) if isinstance(session, str) else session


class Keeper:
    """Writes down what is said, in the session if there is one, and then shows it.

    Args:
        transcript: Where it is written in memory.
        taken: The session.
        emit: Takes the events; `None` where nobody looks.
    """

    __slots__ = ("_unshown", "emit", "later", "taken", "transcript")

    def __init__(self, transcript: Transcript, taken: Held | None, emit: Emit | None) -> None:
        self.transcript = transcript
        self.taken = taken
        self.emit = emit
        self.later = False  # whether `settle` writes
        self._unshown: list[Event] = []  # seldom more than a few; a deque takes 700 bytes in each run

    def say(self, entry: Entry) -> None:
        """Write one entry down and show it."""
        if self.taken is not None:
            self.taken.add(entry)
            if not self.later:
                self.taken.flush()
        self.transcript.append(entry)
        if self.emit is not None:
            self.show(entry)

    def show(self, event: Event) -> None:
        """Show an event, after all that was said before it is written."""
        if self.later and (self._unshown or (self.taken is not None and self.taken.behind)):
            self._unshown.append(event)
        elif self.emit is not None:
            self.emit(event)

    async def settle(self) -> None:
        """Have written what was said, and show what waits for that."""
        while self.taken is not None and (self.taken.behind or self._unshown):
            if self.taken.behind:
                await _in_thread(self.taken.flush)
            while self._unshown and self.emit is not None and not self.taken.behind:
                self.emit(self._unshown.pop(0))


@dataclass(slots=True)
class Run:
    """One run, made ready: what both ways of driving it need.

    Attributes:
        transcript: What has been said.
        performer: Carries out the effects.
        limits: What it may spend.
        keeper: Writes down and shows.
        approve: Asked for verdicts; `None` leaves calls pending.
        loaded: How much of the transcript the session holds already.
        mended: Sentences on what was mended in the history.
    """

    transcript: Transcript
    performer: Performer
    limits: Limits
    keeper: Keeper
    approve: Approver | None = None
    loaded: int = 0
    mended: Sequence[str] = ()
    _asked: set[tuple[int, str]] = field(default_factory=set[tuple[int, str]])

    def drive(self) -> Result[Any]:
        """Run to the end in the calling thread."""
        say, show = self.keeper.say, self._show
        try:
            self._begin()
            drive(self.transcript, self._perform, say, show, self.limits)
            while self._ask_all():
                drive(self.transcript, self._perform, say, show, self.limits)
            return self._result()
        except BaseException as error:
            self._carry(error)
            raise

    async def adrive(self) -> Result[Any]:
        """Run to the end on the running event loop."""
        say, show = self.keeper.say, self._show
        if self.keeper.taken is not None:
            self.keeper.later = True
            self.performer.settle = self.keeper.settle
        try:
            self._begin()
            await adrive(self.transcript, self._aperform, say, show, self.limits)
            while await self._aask_all():
                await adrive(self.transcript, self._aperform, say, show, self.limits)
            await self.keeper.settle()
            return self._result()
        except BaseException as error:
            self._carry(error)
            raise

    @property
    def _show(self) -> Emit | None:
        return None if self.keeper.emit is None else self.keeper.show

    def _carry(self, error: BaseException) -> None:
        """Whatever ends the run carries the transcript, a `KeyboardInterrupt` too."""
        with contextlib.suppress(AttributeError):  # an exception class may have fixed slots
            vars(error)["transcript"] = self.transcript

    def _begin(self) -> None:
        keeper = self.keeper
        for onlooker in onlookers():
            onlooker.began(self.performer.request)
        if keeper.taken is not None:
            for entry in self.transcript.since(self.loaded):
                keeper.taken.add(entry)
            if not keeper.later:
                keeper.taken.flush()
        if keeper.emit is not None:
            for entry in self.transcript.since(self.transcript.start):
                keeper.show(entry)
        for sentence in self.mended:
            self.performer.request.warn(f"the history was mended: {sentence}")

    # Effects, with what a session must know of them first.

    def _perform(self, effect: Effect, say: Say) -> None:
        self._announce(effect)
        self.performer.perform(effect, say)

    async def _aperform(self, effect: Effect, say: Say) -> None:
        self._announce(effect)
        await self.keeper.settle()
        await self.performer.aperform(effect, say)
        await self.keeper.settle()

    def _announce(self, effect: Effect) -> None:
        """Note calls that may not be repeated before they begin: after a crash, nobody knows what they did."""
        if self.keeper.taken is None or not isinstance(effect, CallTools) or effect.interrupted:
            return
        tools = self.performer.calls.tools
        if begun := [call.id for call in effect.calls if not repeatable(tools.get(call.name))]:
            self.keeper.say(Note(BEGUN, {"calls": begun}))

    # Verdicts asked for on the way.

    def _to_ask(self) -> list[ToolCall]:
        if self.approve is None:
            return []
        step = self.transcript.steps
        calls = [call for call in self.transcript.waiting if (step, call.id) not in self._asked]
        self._asked.update((step, call.id) for call in calls)
        return calls

    def _ask_all(self) -> bool:
        """Ask for verdicts; whether there is any."""
        decided = [self._judge(call, self._ask(call)) for call in self._to_ask()]
        return any(decided)

    async def _aask_all(self) -> bool:
        decided = [self._judge(call, await self._aask(call)) for call in self._to_ask()]
        return any(decided)

    def _ask(self, call: ToolCall) -> Verdict | None:
        if not self._waits(call):
            return None
        approve = cast("Approver", self.approve)
        said = self.performer.in_caller(lambda: approve(call))
        return self._waited(said) if inspect.isawaitable(said) else said

    def _waited(self, said: Awaitable[T]) -> T:
        """Wait for what an async function says, until the run is stopped or its time is over."""
        from concurrent.futures import CancelledError

        future = threads.run_on_shared_loop(_awaited(said))
        stop = self.performer.request.stop
        forget = stop.on_set(future.cancel) if stop is not None else None
        try:
            return future.result(self.performer.seconds_left())
        except TimeoutError as error:
            if future.done():
                raise  # the function raised it
            raise self.performer.out_of_time() from error
        except CancelledError as error:
            raise Cancelled("the run was stopped from outside") from error
        finally:
            future.cancel()
            if forget is not None:
                forget()
            del future  # it holds the error, and the error's traceback this frame

    async def _aask(self, call: ToolCall) -> Verdict | None:
        await self.keeper.settle()
        if not self._waits(call):
            return None
        import asyncio

        approve = cast("Approver", self.approve)
        scope = asyncio.timeout(self.performer.seconds_left())
        try:
            async with scope:
                if inspect.iscoroutinefunction(approve):
                    return cast("Verdict | None", await approve(call))
                said: Any = await _in_thread(lambda: approve(call))  # it may well wait for somebody's keys
                return await said if inspect.isawaitable(said) else said
        except TimeoutError as error:
            if scope.expired():
                raise self.performer.out_of_time() from error
            raise

    def _waits(self, call: ToolCall) -> bool:
        return any(call.id == one.id for one in self.transcript.waiting)

    def _judge(self, call: ToolCall, verdict: Verdict | None) -> bool:
        """Note a verdict; whether the call is decided."""
        if verdict is not None:
            for note in verdict_notes(self.transcript, {call.id: verdict}):
                self.keeper.say(note)
        return not self._waits(call)

    def _result(self) -> Result[Any]:
        transcript = self.transcript
        waiting = transcript.waiting
        session = self.keeper.taken.session if self.keeper.taken is not None else None
        return Result(
            output=transcript.text if waiting else self.performer.answer,
            entries=tuple(transcript),
            start=transcript.start,
            usage=transcript.usage,
            steps=transcript.steps,
            cost=None if transcript.unpriced else transcript.cost,
            pending=Pending(waiting, transcript, session) if waiting else Pending(),
        )


def repeatable(tool: Tool[..., Any] | None) -> bool:
    """Whether a tool's call may be carried out again when nobody knows what became of the first time."""
    return tool is not None and tool.side_effects != "unsafe"


class Relay:
    """Hands events to the caller's `on_event` and into a stream's pipe."""

    __slots__ = ("into", "on_event")

    def __init__(self, on_event: Emit | None) -> None:
        self.on_event = on_event
        self.into: Callable[[Event], None] = _nowhere

    def __call__(self, event: Event) -> None:
        """Hand one event on."""
        if self.on_event is not None:
            self.on_event(event)
        self.into(event)


def _nowhere(_: Event) -> None:
    """Where events go before the stream is iterated."""


def said_by_user(prompt: Prompt, transcript: Transcript) -> User | None:
    """The prompt as a message; `None` where the run goes on without one.

    Raises:
        ConfigurationError: It says nothing, or is made of something else than texts and parts.
    """
    if prompt is None:
        if transcript.last is None:
            raise ConfigurationError(
                "`prompt=None` goes on with the history, but the history holds no message", code="no-prompt"
            )
        return None
    if isinstance(prompt, str):
        content: str | tuple[Part, ...] = prompt
        empty = not prompt.strip()
    else:
        content = tuple(Text(part) if isinstance(part, str) else part for part in prompt)
        wrong: list[object] = [part for part in content if type(part) not in (Text, Image)]
        if wrong:
            raise ConfigurationError(
                f"a prompt is made of texts, `Text` and `Image`, not of `{type(wrong[0]).__name__}`", code="bad-value"
            )
        empty = not any(isinstance(part, Image) or part.text.strip() for part in content)
    if empty:
        raise ConfigurationError(
            "the prompt is empty: say something, or give `None` to go on with the history", code="no-prompt"
        )
    return User(content)


async def _awaited(what: Awaitable[T]) -> T:
    return await what


async def _in_thread(job: Callable[[], T], *, unwanted: Callable[[T], object] | None = None) -> T:
    """Do a job in a daemon thread.

    A task that is cancelled meanwhile no longer waits; the job goes on to its end, and `unwanted` gets what it gives.
    """
    import asyncio

    loop = asyncio.get_running_loop()
    waiting: list[asyncio.Future[T]] = [loop.create_future()]

    def give(value: Any, error: BaseException | None) -> None:
        done = waiting.pop()  # it keeps the error, and the error by its traceback the frames below
        if done.done():
            drop(value, error)
        elif error is not None:
            done.set_exception(threads.without_stop_iteration(error))
        else:
            done.set_result(value)

    def drop(value: Any, error: BaseException | None) -> None:
        if unwanted is not None and error is None:
            unwanted(value)

    def work() -> None:
        value, failed = None, None
        try:
            value = job()
        except BaseException as error:
            failed = error
        try:
            loop.call_soon_threadsafe(give, value, failed)
        except RuntimeError:  # the loop was closed meanwhile: nobody waits any more
            drop(value, failed)
        del failed

    threads.start(work)
    return await waiting[0]
