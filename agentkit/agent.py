"""The agent: standing orders that runs are made of."""

from __future__ import annotations

import contextlib
import contextvars
import secrets
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic

from agentkit.approval import Verdict, verdict_notes
from agentkit.calls import interrupted
from agentkit.errors import ConfigurationError
from agentkit.events import Emit, Event
from agentkit.loop import Limits, Say, adrive, drive
from agentkit.messages import Entry, Image, Note, Part, Text, User
from agentkit.models.request import Model, Request, Settings
from agentkit.output import Output, with_output
from agentkit.perform import Performer
from agentkit.result import Result
from agentkit.stream import AsyncPipe, AsyncStream, Pipe, Stream
from agentkit.threads import Stop
from agentkit.tools import Context, Tool
from agentkit.toolset import Toolset
from agentkit.transcript import RUN, Transcript

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    OutputT = TypeVar("OutputT", default=str)
else:
    from typing import TypeVar

    OutputT = TypeVar("OutputT")

Prompt = str | Sequence[str | Part] | None
Instructions = str | Callable[[Context[Any]], str] | None
History = Iterable[Entry] | Result[Any]


@dataclass(frozen=True, slots=True)
class _Override:
    model: Model | str | None
    tools: Toolset | None


@dataclass(frozen=True, slots=True)
class _Watched:
    """What a run knows of the stream that shows it."""

    restart: bool
    stop: Stop | None = None


@dataclass(slots=True)
class _Run:
    """One run, made ready: what both ways of driving it need."""

    transcript: Transcript
    performer: Performer
    limits: Limits
    say: Say
    show: Emit | None

    def drive(self) -> Result[Any]:
        try:
            self._begin()
            drive(self.transcript, self.performer.perform, self.say, self.show, self.limits)
            return self.result()
        except BaseException as error:
            self._carry(error)
            raise

    async def adrive(self) -> Result[Any]:
        try:
            self._begin()
            await adrive(self.transcript, self.performer.aperform, self.say, self.show, self.limits)
            return self.result()
        except BaseException as error:
            self._carry(error)
            raise

    def _carry(self, error: BaseException) -> None:
        """Whatever ends the run carries the transcript, a `KeyboardInterrupt` too."""
        with contextlib.suppress(AttributeError):  # an exception class may have fixed slots
            vars(error)["transcript"] = self.transcript

    def _begin(self) -> None:
        if self.show is not None:
            for entry in self.transcript.since(self.transcript.start):
                self.show(entry)

    def result(self) -> Result[Any]:
        transcript, output = self.transcript, self.performer.output
        return Result(
            output=transcript.text if output is None or transcript.waiting else output.read(transcript),
            entries=tuple(transcript),
            start=transcript.start,
            usage=transcript.usage,
            steps=transcript.steps,
            pending=transcript.waiting,
        )


class Agent(Generic[OutputT]):
    """A model with instructions and tools, ready to run any number of times, from any thread or event loop.

    Args:
        model: A name (`"provider:model"`, a bare name of the catalog, `"sim:model"`) or a `Model`; `None` reads
            `$AGENTKIT_MODEL` when a run begins.
        instructions: What is said to the model before all else: a text, or a function of the run's `Context`.
        tools: Functions, `Tool`s and `Toolset`s that the model may call; plain functions are made tools.
        output: The type of the answer: `str`, or any type that a tool's parameter may have.
        settings: Fields of every request.
        limits: What a run may spend; by default 25 model calls.
        name: The agent's name in notes and logs.
        parallel: How many tools of one run may be under way at once.

    Raises:
        ConfigurationError: A tool that cannot be described, two tools of one name, or an option that cannot be.
    """

    def __init__(
        self,
        model: Model | str | None = None,
        *,
        instructions: Instructions = None,
        tools: Iterable[Any] = (),
        output: type[OutputT] = str,  # pyright: ignore[reportArgumentType]  # the default of the type variable too
        settings: Settings | None = None,
        limits: Limits | None = None,
        name: str | None = None,
        parallel: int = 128,
    ) -> None:
        if parallel < 1:
            raise ConfigurationError(f"`parallel={parallel}`: at least one tool must be able to run")
        self.instructions = instructions
        self.settings = settings or Settings()
        self.limits = limits or Limits()
        self.name = name or "agent"
        self.parallel = parallel
        self._model = model
        self._output: Output[Any] | None = None if output is str else Output(output)
        self._tools = Toolset(tools)
        self._opened: dict[str, Model] = {}
        self._override: contextvars.ContextVar[_Override | None] = contextvars.ContextVar("override", default=None)

    @property
    def tools(self) -> tuple[Tool[..., Any], ...]:
        """The tools that are known before a run, in the order given."""
        return self._tools.tools

    def __repr__(self) -> str:
        return f"Agent({self._model!r}, tools=[{', '.join(tool.name for tool in self.tools)}])"

    def run(
        self,
        prompt: Prompt,
        *,
        history: History = (),
        context: Any = None,
        session: str | None = None,
        model: Model | str | None = None,
        settings: Settings | None = None,
        limits: Limits | None = None,
        on_event: Emit | None = None,
    ) -> Result[OutputT]:
        """Run until the model has answered, in the calling thread. Works inside a running event loop too.

        Args:
            prompt: What the user says: a text, a list of texts and parts, or `None` to go on with the history.
            history: What was said before: messages, or an earlier `Result`.
            context: Anything; tools find it in `Context.value`.
            session: The name of a kept conversation. Not built yet.
            model: In place of the agent's.
            settings: On top of the agent's.
            limits: In place of the agent's.
            on_event: Called with each event, in the run's thread; what it raises ends the run.

        Raises:
            ConfigurationError: The run cannot begin as it was asked for.
            ModelError: The model did not answer.
            RunError: The run ended without its answer. Every error carries `.transcript`.
        """
        return self._prepare(prompt, history, context, session, model, settings, limits, on_event).drive()

    async def arun(
        self,
        prompt: Prompt,
        *,
        history: History = (),
        context: Any = None,
        session: str | None = None,
        model: Model | str | None = None,
        settings: Settings | None = None,
        limits: Limits | None = None,
        on_event: Emit | None = None,
    ) -> Result[OutputT]:
        """`run` on the running event loop; the same arguments and errors."""
        return await self._prepare(prompt, history, context, session, model, settings, limits, on_event).adrive()

    def stream(
        self,
        prompt: Prompt,
        *,
        history: History = (),
        context: Any = None,
        session: str | None = None,
        model: Model | str | None = None,
        settings: Settings | None = None,
        limits: Limits | None = None,
        on_event: Emit | None = None,
        restart: bool = False,
    ) -> Stream[OutputT]:
        """A run to watch: iterate the stream for its events; the arguments are those of `run`.

        With `restart`, a reply that breaks off is asked for anew even when parts of it were shown: `Restarted` says
        that they are void.
        """
        shown, stop = _Relay(on_event), Stop()
        watched = _Watched(restart, stop)
        run = self._prepare(prompt, history, context, session, model, settings, limits, shown, watched=watched)

        def drive_into(pipe: Pipe) -> Result[OutputT]:
            shown.into = pipe.items.put
            run.performer.in_caller = pipe.in_caller
            return run.drive()

        return Stream(run.transcript, drive_into, stop)

    def astream(
        self,
        prompt: Prompt,
        *,
        history: History = (),
        context: Any = None,
        session: str | None = None,
        model: Model | str | None = None,
        settings: Settings | None = None,
        limits: Limits | None = None,
        on_event: Emit | None = None,
        restart: bool = False,
    ) -> AsyncStream[OutputT]:
        """`stream` on the running event loop: `async with agent.astream(…) as stream: async for event in stream: …`."""
        shown = _Relay(on_event)
        watched = _Watched(restart)
        run = self._prepare(prompt, history, context, session, model, settings, limits, shown, watched=watched)

        async def drive_into(pipe: AsyncPipe) -> Result[OutputT]:
            shown.into = pipe.put
            return await run.adrive()

        return AsyncStream(run.transcript, drive_into)

    def resume(
        self,
        history: History,
        verdicts: Mapping[str, Verdict],
        *,
        context: Any = None,
        model: Model | str | None = None,
        settings: Settings | None = None,
        limits: Limits | None = None,
        on_event: Emit | None = None,
    ) -> Result[OutputT]:
        """Go on with a run that ended with `result.pending`, in the calling thread.

        Args:
            history: That result, or its entries.
            verdicts: For each pending call, by id: `True`, `False`, a reason to deny, or an `Approve` (perhaps with
                other arguments), `Deny` or `Answer`. Calls without one go on waiting.
            context: As for `run`, like the rest.

        Raises:
            ConfigurationError: A verdict is on a call that does not wait, or is none.
            AgentkitError: As `run` does.
        """
        run = self._prepare(None, history, context, None, model, settings, limits, on_event, verdicts=verdicts)
        return run.drive()

    async def aresume(
        self,
        history: History,
        verdicts: Mapping[str, Verdict],
        *,
        context: Any = None,
        model: Model | str | None = None,
        settings: Settings | None = None,
        limits: Limits | None = None,
        on_event: Emit | None = None,
    ) -> Result[OutputT]:
        """`resume` on the running event loop; the same arguments and errors."""
        run = self._prepare(None, history, context, None, model, settings, limits, on_event, verdicts=verdicts)
        return await run.adrive()

    @contextlib.contextmanager
    def override(self, *, model: Model | str | None = None, tools: Iterable[Any] | None = None) -> Generator[None]:
        """Use another model or other tools for the runs that begin within the block, in this thread or task."""
        token = self._override.set(_Override(model, None if tools is None else Toolset(tools)))
        try:
            yield
        finally:
            self._override.reset(token)

    def _prepare(
        self,
        prompt: Prompt,
        history: History,
        context: Any,
        session: str | None,
        model: Model | str | None,
        settings: Settings | None,
        limits: Limits | None,
        on_event: Emit | None,
        *,
        watched: _Watched | None = None,
        verdicts: Mapping[str, Verdict] | None = None,
    ) -> _Run:
        if session is not None:
            raise ConfigurationError(f"`session={session!r}`: sessions are not built yet; hand `history=` on instead")
        override = self._override.get()
        group = self._tools if override is None or override.tools is None else override.tools
        tools = with_output(group.named(), self._output)
        answering = self._resolve((override.model if override else None) or model or self._model)
        limits = limits or self.limits
        run = secrets.token_hex(6)
        transcript = Transcript(history.entries if isinstance(history, Result) else history)
        for note in verdict_notes(transcript, verdicts or {}):
            transcript.append(note)
        said = _user(prompt, transcript)
        for call in transcript.open_calls if said is not None else ():
            transcript.append(interrupted(call))
        transcript.append(Note(RUN, {"id": run, "agent": self.name, "model": answering.name}))
        if said is not None:
            transcript.append(said)
        request = Request(
            transcript=transcript,
            instructions=self._instructions(context, transcript, run),
            tools=tuple(tools.values()),
            settings=settings.over(self.settings) if settings else self.settings,
            stream=watched is not None,
            restart=watched is not None and watched.restart,
            emit=on_event,
            stop=watched.stop if watched else None,
            deadline=None if limits.seconds is None else time.monotonic() + limits.seconds,
        )
        performer = Performer(
            answering,
            request,
            tools,
            run=run,
            value=context,
            output=self._output,
            group=group if group.changes else None,
            parallel=self.parallel,
        )

        def say(entry: Entry) -> None:
            transcript.append(entry)
            if on_event is not None:
                on_event(entry)

        return _Run(transcript, performer, limits, say, on_event)

    def _instructions(self, context: Any, transcript: Transcript, run: str) -> str | None:
        if self.instructions is None or isinstance(self.instructions, str):
            return self.instructions
        return self.instructions(Context(value=context, messages=transcript.messages(), run_id=run))

    def _resolve(self, model: Model | str | None) -> Model:
        if model is not None and not isinstance(model, str):
            return model
        from agentkit.models.open import default_model, open_model

        name = model or default_model()
        if name not in self._opened:
            self._opened[name] = open_model(name)
        return self._opened[name]


class _Relay:
    """Hands events to the caller's `on_event` and into a stream's pipe."""

    __slots__ = ("into", "on_event")

    def __init__(self, on_event: Emit | None) -> None:
        self.on_event = on_event
        self.into: Callable[[Event], None] = _nowhere

    def __call__(self, event: Event) -> None:
        if self.on_event is not None:
            self.on_event(event)
        self.into(event)


def _nowhere(_: Event) -> None:
    """Where events go before the stream is iterated."""


def _user(prompt: Prompt, transcript: Transcript) -> User | None:
    if prompt is None:
        if transcript.last is None:
            raise ConfigurationError("`prompt=None` goes on with the history, but the history holds no message")
        return None
    if isinstance(prompt, str):
        content: str | tuple[Part, ...] = prompt
        empty = not prompt.strip()
    else:
        content = tuple(Text(part) if isinstance(part, str) else part for part in prompt)
        wrong: list[object] = [part for part in content if type(part) not in (Text, Image)]
        if wrong:
            raise ConfigurationError(
                f"a prompt is made of texts, `Text` and `Image`, not of `{type(wrong[0]).__name__}`"
            )
        empty = not any(isinstance(part, Image) or part.text.strip() for part in content)
    if empty:
        raise ConfigurationError("the prompt is empty: say something, or give `None` to go on with the history")
    return User(content)
