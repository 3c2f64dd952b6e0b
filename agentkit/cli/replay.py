"""`agentkit replay`: recorded runs run again and shown, with the target's agent or one made of the recording."""

from __future__ import annotations

import json as jsonlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NoReturn, cast

from agentkit.agent import Agent
from agentkit.approval import Answer, Approve, Approver, Verdict
from agentkit.cli.exit import DEFECT, DONE, WAITING, paragraph
from agentkit.cli.run import show_stream
from agentkit.cli.target import agent_of
from agentkit.cli.text import clean
from agentkit.errors import AgentkitError, ConfigurationError
from agentkit.events import Finished
from agentkit.frozen import frozen
from agentkit.messages import Entry, Note, ToolCall, User, load
from agentkit.models.request import Settings
from agentkit.testing.recording import Began, Recording, read
from agentkit.testing.replaying import ReplayMismatch
from agentkit.testing.replaying import replay as replaying
from agentkit.tools import Tool
from agentkit.transcript import RUN

if TYPE_CHECKING:
    from agentkit.result import Result
    from agentkit.running import Prompt


@frozen(kw_only=True)
class Options:
    """What the command line says of a replay.

    Attributes:
        file: The recording.
        target: The agent, as `agentkit.cli.target` reads it; `None` makes one of the recording.
        tools: `"recorded"` or `"real"`.
        model: The model that is asked in place of the recording.
        times: How long a recorded second is.
        quiet: Whether stderr gets errors alone.
        approve: Asked about calls that want approval where the tools are real.
    """

    file: str
    target: str | None = None
    tools: str = "recorded"
    model: str | None = None
    times: float = 0.0
    quiet: bool = False
    approve: Approver | None = None


def replay(options: Options) -> int:
    """Run what was recorded again, each run in its turn; the exit code, 1 where something is not as it was recorded.

    Raises:
        ConfigurationError: The file is no recording of a run, or the target is wanted and was not named.
        AgentkitError: The last run ended as it did when it was recorded, without its answer.
    """
    recording = read(options.file)
    runs = [one for one in recording.runs if not one.within]
    if not runs:
        raise ConfigurationError(f"the recording `{options.file}` holds no run", code="bad-saved")
    agent = None if options.target is None else agent_of(options.target)
    if agent is None:
        _see_that_it_will_do(recording, options)
    tools = cast('Literal["recorded", "real"]', options.tools)
    model = "recorded" if options.model is None else "real"
    ended: AgentkitError | None = None
    code = DONE
    try:
        with replaying(options.file, tools=tools, model=model, times=options.times):
            for one in runs:
                if ended is not None:
                    sys.stderr.write(paragraph(f"error: {ended}") + "\n")
                try:
                    code = _again(agent or _agent_of(one, recording), one, recording, options)
                    ended = None
                except AgentkitError as error:
                    ended = error
    except ReplayMismatch as error:
        sys.stderr.write("error: " + clean(str(error)) + "\n")
        return DEFECT
    if ended is not None:
        raise ended
    return code


def _again(agent: Agent[Any], one: Began, recording: Recording, options: Options) -> int:
    """One run again; the exit code."""
    history, prompt = _said(load(one.entries))
    approve = options.approve if options.tools == "real" else _as_before(recording)
    model: Any = options.model
    if model is None and options.target is not None and (agent.model is None or isinstance(agent.model, str)):
        model = one.model  # which the command line may have named
    asked: dict[str, Any] = {"history": history, "model": model, "approve": approve}
    if one.streamed:
        with agent.stream(prompt, **asked) as stream:
            show_stream(stream, quiet=options.quiet, typed=agent.output is not str)
            result: Result[Any] = stream.result
    else:
        result = _whole(agent, prompt, asked, quiet=options.quiet)
    return WAITING if result.pending else DONE


def _whole(agent: Agent[Any], prompt: Prompt, asked: dict[str, Any], *, quiet: bool) -> Result[Any]:
    """A run whose replies are asked for whole, as they were."""
    from agentkit.cli.run import write_output
    from agentkit.cli.show import Screen, console_for

    console = console_for(sys.stderr)
    console.quiet = quiet
    typed = agent.output is not str
    with Screen(console, answer=None if typed else sys.stdout) as screen:
        result = agent.run(prompt, on_event=screen, **asked)
        screen(Finished(result))
    if typed:
        write_output(result)
    return result


def _said(entries: Sequence[Entry]) -> tuple[Sequence[Entry], Prompt]:
    """What had been said before a run, and its prompt; `None` where it went on without one."""
    place = max(at for at, entry in enumerate(entries) if isinstance(entry, Note) and entry.kind == RUN)
    last = entries[-1]
    return entries[:place], last.content if isinstance(last, User) and place < len(entries) - 1 else None


def _as_before(recording: Recording) -> Approver:
    """Decides on calls as it was decided when they were recorded: what was run is approved, what was told is told."""
    ran = {one.id: one for one in recording.tools}
    told: dict[str, str] = {}
    for exchange in recording.exchanges:
        try:
            for message in jsonlib.loads(exchange.body)["messages"]:
                if message["role"] == "tool":
                    told[message["tool_call_id"]] = str(message["content"])
        except (ValueError, LookupError, TypeError):
            continue

    def decide(call: ToolCall) -> Verdict | None:
        known = ran.get(call.id)
        if known is not None:
            return True if known.arguments == call.arguments else Approve(jsonlib.loads(known.arguments))
        return Answer(told[call.id]) if call.id in told else None

    return decide


# Without a target: an agent of what the recording says.


def _see_that_it_will_do(recording: Recording, options: Options) -> None:
    """See that a run needs nothing but what is in the file.

    Raises:
        ConfigurationError: It does.
    """
    if options.tools == "real":
        why = "its tools are to be run"
    elif any(one.final for one in recording.runs):
        why = "its answers are of a type"
    elif any(one.delegated for one in recording.tools) or any(
        one.name.startswith("hand_over_to_") for one in recording.tools
    ):
        why = "there are several agents in it"
    else:
        return
    raise ConfigurationError(
        f"`{options.file}` cannot be replayed without its agent, since {why}: name it,"
        f" `agentkit replay {options.file} TARGET`",
        code="bad-target",
    )


def _agent_of(one: Began, recording: Recording) -> Agent[Any]:
    """An agent that asks as the recorded one did."""
    from agentkit.models.open import open_model

    body = recording.exchanges[0].body if recording.exchanges else b"{}"
    in_words = bool(one.tools) and b'"tools":' not in body
    mode: Literal["prompt", "auto"] = "prompt" if in_words else "auto"
    try:
        model = open_model(one.model, tool_mode=mode)
    except ConfigurationError:
        if not recording.exchanges:
            raise
        address = recording.exchanges[0].url.removesuffix("/chat/completions")
        model = open_model(one.model, base_url=address, tool_mode=mode)
    tools = [_tool_of(definition["function"]) for definition in one.tools]
    return Agent(model, instructions=one.instructions, tools=tools, settings=Settings(**one.settings))


def _tool_of(told: dict[str, Any]) -> Tool[..., Any]:
    """A tool that is told as the recorded one was, and is never run.

    It wants approval, since what was wrong with the arguments only the real one knows: such a call is answered as it
    was, in place of a verdict.
    """

    def never(**_: Any) -> NoReturn:
        raise ConfigurationError(
            f"`{told['name']}` is known from the recording alone: name the TARGET", code="bad-target"
        )

    return Tool.from_schema(
        never,
        name=told["name"],
        description=told["description"],
        parameters=told["parameters"],
        strict=told.get("strict", False),
        approval=True,
    )
