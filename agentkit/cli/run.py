"""`agentkit run`: one run of a target, its answer on stdout and its steps on stderr."""

from __future__ import annotations

import logging
import sys

from agentkit.cli.exit import DONE, WAITING
from agentkit.cli.target import agent_of
from agentkit.errors import ConfigurationError
from agentkit.events import CallModel, Stamper, dump
from agentkit.stream import Stream


def run(target: str, prompt: str | None, model: str | None, *, json: bool) -> int:
    """Run the agent that a target names; the exit code.

    Args:
        target: The agent, as `agentkit.cli.target` reads it.
        prompt: What to say; `None` or `"-"` reads stdin.
        model: In place of the agent's.
        json: Whether stdout gets the events, as lines of JSON, in place of the model's words.

    Raises:
        AgentkitError: There is no such agent, or the run ended without its answer.
        KeyboardInterrupt: Somebody stopped it; its text says in which step.
    """
    agent = agent_of(target)
    said = _from_stdin() if prompt in (None, "-") else prompt
    step = 0

    def count(event: object) -> None:
        nonlocal step
        step += isinstance(event, CallModel)

    try:
        with agent.stream(said, model=model, on_event=count) as stream:
            (_write_json if json else _show)(stream)
            return WAITING if stream.result.pending else DONE
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"stopped in step {step}" if step else "stopped") from None


def _show(stream: Stream[str]) -> None:
    from agentkit.cli.show import Screen, console_for

    with Screen(console_for(sys.stderr), answer=sys.stdout) as screen:
        for event in stream:
            screen(event)


def _write_json(stream: Stream[str]) -> None:
    logging.getLogger("agentkit").addHandler(logging.NullHandler())  # the events say it all
    stamp = Stamper()
    for event in stream:
        sys.stdout.buffer.write(dump(stamp(event)) + b"\n")
        sys.stdout.buffer.flush()


def _from_stdin() -> str:
    if sys.stdin is None or sys.stdin.isatty():
        raise ConfigurationError("there is no prompt: write it after the target, or pipe it in")
    return sys.stdin.buffer.read().decode("utf-8", "replace").strip()
