"""`agentkit run`, `resume` and `approve`: one run of a target, its answer on stdout and its steps on stderr."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from agentkit.agent import Agent
from agentkit.approval import Approver, Verdict
from agentkit.cli.exit import DONE, WAITING
from agentkit.cli.given import prompt_of
from agentkit.cli.target import agent_of
from agentkit.cli.unfinished import Unfinished
from agentkit.errors import AgentkitError, ConfigurationError
from agentkit.events import CallModel, Emit, Event, Stamper, dump
from agentkit.frozen import frozen
from agentkit.messages import ToolCall
from agentkit.stream import Stream

if TYPE_CHECKING:
    from agentkit.loop import Limits
    from agentkit.result import Result


@frozen(kw_only=True)
class Options:
    """What the command line says of a run.

    Attributes:
        target: The agent, as `agentkit.cli.target` reads it.
        model: In place of the agent's.
        json: Whether stdout gets the events, as lines of JSON, in place of the model's words.
        quiet: Whether stderr gets errors alone.
        yes: Whether every call is approved.
        session: The session that keeps the conversation.
        max_cost: The most that the run may cost, such as `0.50 USD`.
        schema: The file with the JSON Schema of the answer.
        log: Whether what is sent and received is kept.
        record: The file that the run is recorded to.
    """

    target: str
    model: str | None = None
    json: bool = False
    quiet: bool = False
    yes: bool = False
    session: str | None = None
    max_cost: str | None = None
    schema: str | None = None
    log: bool = False
    record: str | None = None


def run(options: Options, prompt: str | None) -> int:
    """Run the agent that a target names; the exit code.

    Args:
        options: What the command line says.
        prompt: What to say; standard input, where it is no terminal, is said too: alone for `None` and `"-"`, else
            behind it.

    Raises:
        AgentkitError: There is no such agent, or the run ended without its answer.
        KeyboardInterrupt: Somebody stopped it; its text says in which step, and how to go on.
    """
    agent = agent_of(options.target)
    return _run(agent, options, prompt_of(prompt))


def resume(options: Options, prompt: str | None) -> int:
    """Go on with a session, with nothing said or with a prompt; the exit code.

    Raises:
        ConfigurationError: There is no such session, too.
        AgentkitError: As `run` does.
        KeyboardInterrupt: As `run` does.
    """
    from agentkit.sessions import Session

    assert options.session is not None
    agent = agent_of(options.target)
    Session(options.session).entries()
    return _run(agent, options, None if prompt is None else prompt_of(prompt))


def approve(options: Options, verdicts: Mapping[str, Verdict] | Verdict | None) -> int:
    """Decide on the calls of a session that wait, and go on with it; the exit code.

    Args:
        options: What the command line says.
        verdicts: By the ids of the calls; or one on all; `None` asks for each, on a terminal.

    Raises:
        ConfigurationError: There is no such session, nothing waits in it, or a call that was named does not.
        AgentkitError: As `run` does.
        KeyboardInterrupt: As `run` does.
    """
    from agentkit.sessions import Session
    from agentkit.transcript import Transcript

    assert options.session is not None
    agent = agent_of(options.target)
    waiting = {call.id for call in Transcript(Session(options.session).entries()).waiting}
    if not waiting:
        raise ConfigurationError(f"nothing waits for approval in the session `{options.session}`", code="nothing-waits")
    if verdicts is None:
        if not _somebody():
            raise ConfigurationError(
                "nobody can be asked here: say `--yes`, `--no REASON`, or another verdict", code="bad-verdict"
            )
        return _run(agent, options, None)
    chosen = verdicts if isinstance(verdicts, Mapping) else dict.fromkeys(waiting, verdicts)
    if unknown := set(chosen) - waiting:
        ids = ", ".join(f"`{one}`" for one in sorted(waiting))
        raise ConfigurationError(
            f"no call `{min(unknown)}` waits in the session `{options.session}`; these do: {ids}", code="nothing-waits"
        )
    return _run(agent, options, None, lambda call: chosen.get(call.id))


def _run(agent: Agent[Any], options: Options, said: str | None, approver: Approver | None = None) -> int:
    step = 0
    unfinished = Unfinished(options.target, options.session)

    def look(event: Event) -> None:
        nonlocal step
        step += isinstance(event, CallModel)
        unfinished(event)

    watch: Emit = look
    with ExitStack() as stack:
        if options.schema is not None:
            from agentkit.cli.schemas import type_of

            stack.enter_context(agent.override(output=type_of(options.schema)))
        typed = agent.output is not str
        if options.record is not None:
            from agentkit.testing.recording import record

            stack.enter_context(record(options.record))
        if options.log:
            from agentkit.cli.wire import logged

            watch = stack.enter_context(logged(look))
        stream: Stream[Any] = agent.stream(
            said,
            session=options.session,
            model=options.model,
            limits=_limits(agent, options),
            approve=approver or approver_of(options),
            on_event=watch,
        )
        try:
            with stream:
                if options.json:
                    _write_json(stream)
                else:
                    show_stream(stream, quiet=options.quiet, typed=typed)
                result: Result[Any] = stream.result
        except KeyboardInterrupt:
            stopped = f"stopped in step {step}" if step else "stopped"
            raise KeyboardInterrupt("; ".join([stopped, *unfinished.kept(stream.transcript)])) from None
        except AgentkitError as error:
            for line in unfinished.kept(stream.transcript):
                error.add_note(line)
            raise
        if result.pending:
            sys.stderr.write(unfinished.waits(stream.transcript))
            return WAITING
        return DONE


def _limits(agent: Agent[Any], options: Options) -> Limits | None:
    return None if options.max_cost is None else replace(agent.limits, cost=options.max_cost)


def approver_of(options: Options) -> Approver | None:
    """Who decides on calls: nobody, everything is approved, or somebody at the terminal."""
    if options.yes:
        return lambda _: True
    if options.json or not _somebody():
        return None
    from agentkit.cli.reading import Plain
    from agentkit.cli.verdicts import Asker
    from agentkit.cli.waiting import told_of

    def tell(text: str) -> None:
        sys.stderr.write(text + "\n")

    def show(call: ToolCall) -> None:
        sys.stderr.write(told_of([call]))

    keys = Plain(sys.stderr)
    return Asker(lambda text, default: keys.ask(text, default=default, keep=False), tell, show)


def _somebody() -> bool:
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


def show_stream(stream: Stream[Any], *, quiet: bool, typed: bool) -> None:
    """Show a run as it happens: the answer on stdout, the steps on stderr.

    Args:
        stream: The run.
        quiet: Whether stderr gets nothing.
        typed: Whether the answer is of a type, and stands alone on stdout when it is whole.
    """
    from agentkit.cli.show import Screen, console_for

    console = console_for(sys.stderr)
    console.quiet = quiet
    with Screen(console, answer=None if typed else sys.stdout) as screen:
        for event in stream:
            screen(event)
    if typed:
        write_output(stream.result)


def write_output(result: Result[Any]) -> None:
    """Write an answer of a type to stdout; nothing where the run is not over."""
    output = result.output
    if not result.pending:
        sys.stdout.write((output if isinstance(output, str) else _as_json(output)) + "\n")


def _as_json(value: object) -> str:
    from pydantic_core import to_json

    return to_json(value, indent=2, fallback=repr).decode()


def _write_json(stream: Stream[Any]) -> None:
    logging.getLogger("agentkit").addHandler(logging.NullHandler())  # the events say it all
    stamp = Stamper()
    for event in stream:
        sys.stdout.buffer.write(dump(stamp(event)) + b"\n")
        sys.stdout.buffer.flush()
