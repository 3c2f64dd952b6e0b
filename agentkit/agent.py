"""The agent: standing orders that runs are made of."""

from __future__ import annotations

import contextlib
import contextvars
import os
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Generic

from agentkit.approval import Approver, Pending, Verdict, verdict_notes
from agentkit.calls import interrupted, lost
from agentkit.delegating import Lent, Within
from agentkit.errors import ConfigurationError, ToolError
from agentkit.events import Emit
from agentkit.frozen import frozen
from agentkit.history import mended
from agentkit.loop import Limits
from agentkit.messages import Entry, Note, ToolCall
from agentkit.models.request import Model, Request, Settings
from agentkit.orders import Handover, Orders, handover_tool
from agentkit.output import CORRECTIONS, Check, Output
from agentkit.perform import Performer
from agentkit.result import Result
from agentkit.running import Asked, History, Keeper, Prompt, Relay, Run, aheld, held, repeatable, said_by_user
from agentkit.sessions import Held, Session
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

CheckT = TypeVar("CheckT", bound=Check)
Instructions = str | Callable[[Context[Any]], str] | None


@frozen
class _Override:
    model: Model | str | None
    tools: Toolset | None
    output: Output[Any] | None = None


class Agent(Generic[OutputT]):
    """A model with instructions and tools, ready to run any number of times, from any thread or event loop.

    Args:
        model: A name (`"provider:model"`, a bare name of the catalog, `"sim:model"`) or a `Model`; `None` reads
            `$AGENTKIT_MODEL` when a run begins.
        instructions: What is said to the model before all else: a text, or a function of the run's `Context`.
        tools: Functions, `Tool`s and `Toolset`s that the model may call; plain functions are made tools.
        output: The type of the answer: `str`, or any type that a tool's parameter may have; or a function that makes
            the answer of the model's words, and raises `ToolError` or `ValueError` with what is wrong with them.
        settings: Fields of every request.
        limits: What a run may spend; by default 25 model calls.
        name: The agent's name in notes and logs, and for other agents.
        description: What other agents are told of it, in a sentence.
        handovers: The agents that may take over, each with a name of its own: the conversation goes on with that
            one's model, instructions, tools and output, within the limits of the run. `agent.handovers` is a list;
            agents that are to hand over to each other are added to it.
        parallel: How many tools of one run may be under way at once.
        corrections: How many times in a run the model is told that its answer is none, before `OutputInvalid`.
        approve: Asked for a verdict on each call that needs one, while the run waits: a plain or an async function of
            the `ToolCall` that gives what `resume` takes, or `None` to leave the call pending.

    Raises:
        ConfigurationError: A tool that cannot be described, two tools of one name, or an option that cannot be.
    """

    def __init__(
        self,
        model: Model | str | None = None,
        *,
        instructions: Instructions = None,
        tools: Iterable[Any] = (),
        output: type[OutputT] | Callable[[str], OutputT] = str,  # pyright: ignore[reportArgumentType]  # the default too
        settings: Settings | None = None,
        limits: Limits | None = None,
        name: str | None = None,
        description: str | None = None,
        handovers: Iterable[Agent[Any]] = (),
        parallel: int = 128,
        corrections: int = CORRECTIONS,
        approve: Approver | None = None,
    ) -> None:
        if parallel < 1:
            raise ConfigurationError(f"`parallel={parallel}`: at least one tool must be able to run", code="bad-value")
        self.instructions = instructions
        self.settings = settings or Settings()
        self.limits = limits or Limits()
        self.name = name or "agent"
        self.description = description
        self.handovers: list[Agent[Any]] = list(handovers)
        self.parallel = parallel
        self.approve = approve
        self._model = model
        if corrections < 0:
            raise ConfigurationError(f"`corrections={corrections}`: it must be a number from 0 on", code="bad-value")
        self._checks: list[Check] = []
        self._corrections = corrections
        self._output: Output[Any] = Output(output, self._checks, corrections)
        self._tools = Toolset(tools)
        self._opened: dict[str, Model] = {}
        self._override: contextvars.ContextVar[_Override | None] = contextvars.ContextVar("override", default=None)

    @property
    def model(self) -> Model | str | None:
        """The model that it was made with; `None` for the one that `$AGENTKIT_MODEL` names."""
        return self._model

    @property
    def tools(self) -> tuple[Tool[..., Any], ...]:
        """The tools that are known before a run, in the order given."""
        return self._tools.tools

    @property
    def output(self) -> Any:
        """The type of the answers, or the function that makes them, within an `override` too."""
        return self._goal.kind

    @property
    def _goal(self) -> Output[Any]:
        """What an answer is, in the block under way."""
        override = self._override.get()
        return self._output if override is None or override.output is None else override.output

    def __repr__(self) -> str:
        return f"Agent({self._model!r}, tools=[{', '.join(tool.name for tool in self.tools)}])"

    def run(
        self,
        prompt: Prompt,
        *,
        history: History = (),
        context: Any = None,
        session: str | Session | None = None,
        model: Model | str | None = None,
        settings: Settings | None = None,
        limits: Limits | None = None,
        on_event: Emit | None = None,
        approve: Approver | None = None,
    ) -> Result[OutputT]:
        """Run until the model has answered, in the calling thread. Works inside a running event loop too.

        Args:
            prompt: What the user says: a text, a list of texts and parts, or `None` to go on with the history.
            history: What was said before: messages, or an earlier `Result`. What cannot be sent as it is, and can be
                mended in but one way, is mended, with a `Warned` event.
            context: Anything; tools find it in `Context.value`.
            session: The name of a kept conversation, which goes on with this run, or a `Session`.
            model: In place of the agent's.
            settings: On top of the agent's.
            limits: In place of the agent's.
            on_event: Called with each event, in the run's thread; what it raises ends the run.
            approve: In place of the agent's.

        Raises:
            ConfigurationError: The run cannot begin as it was asked for.
            ModelError: The model did not answer.
            SessionBusy: Another run holds the session.
            RunError: The run ended without its answer. Every error carries `.transcript`.
        """
        asked = Asked(
            prompt=prompt,
            history=history,
            context=context,
            session=session,
            model=model,
            settings=settings,
            limits=limits,
            on_event=on_event,
            approve=approve,
        )
        with held(session) as taken:
            return self._prepare(asked, Transcript(), taken).drive()

    async def arun(
        self,
        prompt: Prompt,
        *,
        history: History = (),
        context: Any = None,
        session: str | Session | None = None,
        model: Model | str | None = None,
        settings: Settings | None = None,
        limits: Limits | None = None,
        on_event: Emit | None = None,
        approve: Approver | None = None,
    ) -> Result[OutputT]:
        """`run` on the running event loop; the same arguments and errors."""
        asked = Asked(
            prompt=prompt,
            history=history,
            context=context,
            session=session,
            model=model,
            settings=settings,
            limits=limits,
            on_event=on_event,
            approve=approve,
        )
        async with aheld(session) as taken:
            return await self._prepare(asked, Transcript(), taken).adrive()

    def stream(
        self,
        prompt: Prompt,
        *,
        history: History = (),
        context: Any = None,
        session: str | Session | None = None,
        model: Model | str | None = None,
        settings: Settings | None = None,
        limits: Limits | None = None,
        on_event: Emit | None = None,
        approve: Approver | None = None,
        restart: bool = False,
    ) -> Stream[OutputT]:
        """A run to watch: iterate the stream for its events; the arguments are those of `run`.

        With `restart`, a reply that breaks off is asked for anew even when parts of it were shown: `Restarted` says
        that they are void.
        """
        shown, stop, transcript = Relay(on_event), Stop(), Transcript()
        asked = Asked(
            prompt=prompt,
            history=history,
            context=context,
            session=session,
            model=model,
            settings=settings,
            limits=limits,
            on_event=shown,
            approve=approve,
            streamed=True,
            restart=restart,
            stop=stop,
        )
        ready = None if session is not None else self._prepare(asked, transcript)

        def drive_into(pipe: Pipe) -> Result[OutputT]:
            shown.into = pipe.items.put
            with held(session) as taken:
                run = ready or self._prepare(asked, transcript, taken)
                run.performer.in_caller = pipe.in_caller
                return run.drive()

        return Stream(transcript, drive_into, stop, self._goal)

    def astream(
        self,
        prompt: Prompt,
        *,
        history: History = (),
        context: Any = None,
        session: str | Session | None = None,
        model: Model | str | None = None,
        settings: Settings | None = None,
        limits: Limits | None = None,
        on_event: Emit | None = None,
        approve: Approver | None = None,
        restart: bool = False,
    ) -> AsyncStream[OutputT]:
        """`stream` on the running event loop: `async with agent.astream(…) as stream: async for event in stream: …`."""
        shown, transcript = Relay(on_event), Transcript()
        asked = Asked(
            prompt=prompt,
            history=history,
            context=context,
            session=session,
            model=model,
            settings=settings,
            limits=limits,
            on_event=shown,
            approve=approve,
            streamed=True,
            restart=restart,
        )
        ready = None if session is not None else self._prepare(asked, transcript)

        async def drive_into(pipe: AsyncPipe) -> Result[OutputT]:
            shown.into = pipe.put
            async with aheld(session) as taken:
                return await (ready or self._prepare(asked, transcript, taken)).adrive()

        return AsyncStream(transcript, drive_into, self._goal)

    def resume(
        self,
        history: History | Pending | None,
        verdicts: Mapping[str, Verdict],
        *,
        context: Any = None,
        session: str | Session | None = None,
        model: Model | str | None = None,
        settings: Settings | None = None,
        limits: Limits | None = None,
        on_event: Emit | None = None,
        approve: Approver | None = None,
    ) -> Result[OutputT]:
        """Go on with a run that ended with `result.pending`, in the calling thread.

        Args:
            history: That result, its `pending`, or its entries; `None` where a session keeps them.
            verdicts: For each pending call, by id: `True`, `False`, a reason to deny, or an `Approve` (perhaps with
                other arguments), `Deny` or `Answer`. Calls without one go on waiting.
            session: Where the run is kept; a result or `pending` of a session knows it.
            context: As for `run`, like the rest.

        Raises:
            ConfigurationError: A verdict is on a call that does not wait, or is none.
            AgentkitError: As `run` does.
        """
        asked = Asked(
            prompt=None,
            history=_kept(history),
            context=context,
            session=_session(history, session),
            model=model,
            settings=settings,
            limits=limits,
            on_event=on_event,
            approve=approve,
            verdicts=verdicts,
        )
        with held(asked.session) as taken:
            return self._prepare(asked, Transcript(), taken).drive()

    async def aresume(
        self,
        history: History | Pending | None,
        verdicts: Mapping[str, Verdict],
        *,
        context: Any = None,
        session: str | Session | None = None,
        model: Model | str | None = None,
        settings: Settings | None = None,
        limits: Limits | None = None,
        on_event: Emit | None = None,
        approve: Approver | None = None,
    ) -> Result[OutputT]:
        """`resume` on the running event loop; the same arguments and errors."""
        asked = Asked(
            prompt=None,
            history=_kept(history),
            context=context,
            session=_session(history, session),
            model=model,
            settings=settings,
            limits=limits,
            on_event=on_event,
            approve=approve,
            verdicts=verdicts,
        )
        async with aheld(asked.session) as taken:
            return await self._prepare(asked, Transcript(), taken).adrive()

    def check(self, function: CheckT) -> CheckT:
        """Let a function look at each answer before it is taken; a decorator, `@agent.check`.

        The function gets the answer, or the run's `Context` and the answer, and may be async. What it raises as
        `ToolError` is told to the model, which answers anew, `corrections` times at most; anything else that it raises
        ends the run. What it returns does not matter.
        """
        self._checks.append(function)
        return function

    def as_tool(
        self, *, name: str | None = None, description: str | None = None, limits: Limits | None = None, **options: Any
    ) -> Tool[..., Any]:
        """The agent as a tool for other agents: it is asked in words, and its answer is the result.

        Each call is a run of its own, without the conversation around it. It gets the `context` of the run that calls
        it, asks for verdicts where that one does, spends from the same money and ends with the same time at the
        latest. Its usage and cost count in the outer run; its events are there as `Nested`.

        Args:
            name: The tool's name; by default the agent's.
            description: What the model is told of it; by default the agent's.
            limits: What one call may spend, in place of the agent's.
            options: Further options of `tool`, such as `timeout`.

        Raises:
            ConfigurationError: An option that cannot be.
        """

        async def ask(
            prompt: Annotated[str, "What is asked, with all that must be known to answer."], context: Context[Any]
        ) -> Any:
            within = context.within or Within(Lent(), ToolCall(context.call_id, self.name, ""), None)
            asked = Asked(
                prompt=prompt,
                context=context.value,
                limits=limits,
                on_event=within.heard,
                approve=within.lent.approve,
                lent=within.lent,
            )
            result = await self._prepare(asked, Transcript()).adrive()
            if result.pending:
                names = ", ".join(f"`{call.name}`" for call in result.pending)
                raise ToolError(f"it could not go on: nobody is there who could approve its call of {names}")
            return result.output

        return Tool(
            ask,
            name=name or self.name,
            description=description or self.description or f"Ask the agent `{self.name}`.",
            **options,
        )

    @contextlib.contextmanager
    def override(
        self,
        *,
        model: Model | str | None = None,
        tools: Iterable[Any] | None = None,
        output: type[Any] | Callable[[str], Any] | None = None,
    ) -> Generator[None]:
        """Use another model, other tools or another type of answers for the runs that begin within the block.

        It holds in this thread or task. The agent's own checks judge answers of its own type alone.
        """
        goal = None if output is None else Output(output, (), self._corrections)
        token = self._override.set(_Override(model, None if tools is None else Toolset(tools), goal))
        try:
            yield
        finally:
            self._override.reset(token)

    def _prepare(self, asked: Asked, transcript: Transcript, taken: Held | None = None) -> Run:
        """Make a run ready in an empty transcript; nothing is written to the session yet."""
        limits = asked.limits or self.limits
        run = os.urandom(6).hex()
        told = self._recall(asked, transcript, taken)
        agent = self._speaking(transcript.handed)
        group, answering = agent._tools_now(), agent._answering(asked.model if agent is self else None)
        told += _lost(transcript, group.named()) if asked.prompt is None else []
        for note in verdict_notes(transcript, asked.verdicts):
            transcript.append(note)
        said = said_by_user(asked.prompt, transcript)
        for call in transcript.open_calls if said is not None else ():
            transcript.append(interrupted(call))
        transcript.append(Note(RUN, {"id": run, "agent": agent.name, "model": answering.name}))
        if said is not None:
            transcript.append(said)
        keeper = Keeper(transcript, taken, asked.on_event)
        request = Request(
            transcript=transcript,
            stream=asked.streamed,
            restart=asked.restart,
            emit=keeper.show if taken is not None and asked.on_event is not None else asked.on_event,
            stop=asked.stop,
            deadline=_sooner(asked.lent.deadline, limits.seconds),
            ledger=limits.ledger(asked.lent.ledger),
        )
        approve = asked.approve or self.approve
        settings = asked.settings.over(agent.settings) if asked.settings and agent is self else agent.settings
        performer = Performer(
            agent._orders(answering, group, settings, transcript, asked.context, run),
            request,
            run=run,
            value=asked.context,
            parallel=self.parallel,
            lent=Lent(request.ledger, request.deadline, approve),
        )
        loaded = len(taken.entries) if taken is not None else 0
        return Run(transcript, performer, limits, keeper, approve, loaded, told)

    def _recall(self, asked: Asked, transcript: Transcript, taken: Held | None) -> list[str]:
        """Bring back what was said before: from the session, or from the history; sentences on what was mended."""
        kept: tuple[Entry, ...] = taken.entries if taken is not None else ()
        entries, told = mended(asked.history.entries if isinstance(asked.history, Result) else asked.history)
        if kept and entries:
            raise ConfigurationError(
                "both `history=` and a `session=` that holds messages: go on with the session alone, or begin another",
                code="bad-history",
            )
        for entry in kept or entries:
            transcript.append(entry)
        return told

    def _speaking(self, handed: str | None) -> Agent[Any]:
        """The agent that the conversation was handed over to, if it can be reached from here; else this one."""
        reached: dict[int, Agent[Any]] = {}
        ahead: list[Agent[Any]] = [self]
        while ahead and handed is not None:
            agent = ahead.pop(0)
            if agent.name == handed:
                return agent
            if id(agent) not in reached:
                reached[id(agent)] = agent
                ahead += agent.handovers
        return self

    def _tools_now(self) -> Toolset:
        override = self._override.get()
        return self._tools if override is None or override.tools is None else override.tools

    def _answering(self, asked: Model | str | None) -> Model:
        override = self._override.get()
        return self._resolve((override.model if override else None) or asked or self._model)

    def _orders(
        self, model: Model, group: Toolset, settings: Settings, transcript: Transcript, context: Any, run: str
    ) -> Orders:
        """The agent's orders for its part of a run."""

        def way_to(agent: Agent[Any]) -> Handover:
            def take() -> Orders:
                return agent._orders(
                    agent._answering(None), agent._tools_now(), agent.settings, transcript, context, run
                )

            return Handover(handover_tool(agent.name, agent.description), take)

        ways = [way_to(agent) for agent in self.handovers]
        names = [agent.name for agent in self.handovers]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ConfigurationError(
                f"two agents that may take over are called `{twice[0]}`: name them apart", code="bad-value"
            )
        return Orders(
            agent=self.name,
            model=model,
            instructions=self._instructions(context, transcript, run),
            group=group,
            output=self._goal,
            settings=settings,
            handovers={way.tool.name: way for way in ways},
        )

    def _instructions(self, context: Any, transcript: Transcript, run: str) -> str | None:
        if self.instructions is None or isinstance(self.instructions, str):
            return self.instructions
        return self.instructions(Context(value=context, messages=transcript.messages(), run_id=run))

    def _resolve(self, model: Model | str | None) -> Model:
        if model is not None and not isinstance(model, str):
            return model
        from agentkit.models.open import default_model, open_model
        from agentkit.models.transport.between import alone

        name = model or default_model()
        if name in self._opened:
            return self._opened[name]
        opened = open_model(name)
        if not alone():  # else it may have no key
            self._opened[name] = opened
        return opened


def _lost(transcript: Transcript, tools: Mapping[str, Tool[..., Any]]) -> list[str]:
    """Answer the calls of which nobody knows what they did and which may not be repeated; sentences on them."""
    told: list[str] = []
    for call in transcript.unknown_calls:
        if not repeatable(tools.get(call.name)):
            transcript.append(lost(call))
            told.append(f"`{call.name}` was under way when the program ended; the model is told so")
    return told


def _sooner(deadline: float | None, seconds: float | None) -> float | None:
    """The end of a run's time: that of the run around it, or in so many seconds."""
    if seconds is None:
        return deadline
    own = time.monotonic() + seconds
    return own if deadline is None else min(own, deadline)


def _kept(history: History | Pending | None) -> History:
    """What was said before a pause; nothing where a session keeps it."""
    if history is None or (isinstance(history, Result) and _session(history, None) is not None):
        return ()
    return history.entries if isinstance(history, Pending) else history


def _session(history: History | Pending | None, session: str | Session | None) -> str | Session | None:
    """The session of a resumed run: the one that was named, or that of what is resumed."""
    pending = history.pending if isinstance(history, Result) else history
    return session or (pending.session if isinstance(pending, Pending) else None)
