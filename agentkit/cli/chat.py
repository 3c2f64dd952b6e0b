"""`agentkit chat`: a conversation at the prompt.

The state stands in `talk`, the screen in `chat_screen`, the keys in `reading`, verdicts in `verdicts`; here they meet.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentkit.agent import Agent
from agentkit.cli.chat_screen import ChatScreen
from agentkit.cli.exit import DONE, WAITING, paragraph
from agentkit.cli.reading import Reader, reader
from agentkit.cli.show import console_for, count, money, tokens
from agentkit.cli.talk import COMMANDS, Command, Talk, UnderWay, read, stopped
from agentkit.cli.text import clean, one_line
from agentkit.cli.verdicts import Asker
from agentkit.cli.waiting import told_of
from agentkit.errors import AgentkitError, ConfigurationError
from agentkit.frozen import frozen
from agentkit.home import home
from agentkit.messages import ToolCall, dump
from agentkit.sessions import Session, every
from agentkit.stream import Stream

if TYPE_CHECKING:
    from rich.console import Console

    from agentkit.approval import Verdict
    from agentkit.events import Emit
    from agentkit.result import Result
    from agentkit.transcript import Transcript

PROMPT = "› "


@frozen
class Options:
    """What the command line says of a chat.

    Attributes:
        target: The agent, as `agentkit.cli.target` reads it; `None` for one without tools.
        model: In place of the agent's.
        session: The session that keeps the conversation.
        yes: Whether every call is approved.
        log: Whether what is sent and received is kept.
    """

    target: str | None = None
    model: str | None = None
    session: str | None = None
    yes: bool = False
    log: bool = False


def chat(options: Options) -> int:
    """Hold a conversation until `/quit` or the end of the input; the exit code.

    Raises:
        AgentkitError: There is no such agent; off a terminal also what ended a run without its answer.
        KeyboardInterrupt: Ctrl-C twice.
    """
    if options.target is None:
        agent: Agent[Any] = Agent(options.model)
    else:
        from agentkit.cli.target import agent_of

        agent = agent_of(options.target)
    terminal = all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))
    keys = reader(terminal=terminal, folder=_folder())
    return Chat(agent, options, keys, terminal=terminal).hold()


def _folder() -> Path | None:
    try:
        return home()
    except ConfigurationError:  # a chat needs none; its history of prompts ends with it
        return None


class Chat:
    """A chat under way.

    Args:
        agent: Who is spoken to.
        options: What the command line says.
        keys: Where words come from.
        terminal: Whether somebody sits at one: to be asked, and to be shown motion.
    """

    def __init__(self, agent: Agent[Any], options: Options, keys: Reader, *, terminal: bool) -> None:
        self.agent = agent
        self.keys = keys
        self.terminal = terminal
        self.console: Console = console_for(sys.stdout if terminal else sys.stderr)
        self.talk = Talk(options.model)
        self.screen: ChatScreen | None = None
        self._yes = options.yes
        self._log = options.log
        self._asker = Asker(lambda text, default: keys.ask(text, default=default, keep=False), self.tell, self._show)
        self._model = ""
        self._stops = 0
        if options.session is not None:
            self.talk.branch.session = options.session
            if any(one.name == options.session for one in every()):
                self.talk.branch.entries = Session(options.session).entries()

    def hold(self) -> int:
        """Answer line after line; the exit code."""
        if self.terminal:
            self._welcome()
        while True:
            try:
                line = self.keys.ask(PROMPT if self.terminal else "")
            except EOFError:
                return DONE
            except KeyboardInterrupt:
                self._stops += 1
                if self._stops > 1 or not self.terminal:
                    raise
                self.tell("Ctrl-C once more ends the chat, as Ctrl-D does")
                continue
            self._stops = 0
            try:
                code = self._answer(line)
            except AgentkitError as error:
                if not self.terminal:
                    raise
                self.tell(paragraph(f"error: {error} [{error.code}]"), style="red")
                continue
            if code is not None:
                return code

    def tell(self, text: str, style: str = "dim") -> None:
        """Write lines that are neither the model's nor a run's."""
        self.console.print(clean(text), style=style, soft_wrap=not self.terminal)

    def _welcome(self) -> None:
        count = len(self.agent.tools)
        tools = "no tools" if not count else "1 tool" if count == 1 else f"{count} tools"
        branch = self.talk.branch
        kept = f" · session `{branch.session}`, {len(branch.prompts())} prompts so far" if branch.session else ""
        self.tell(f"{tools}{kept} · /help lists commands, Ctrl-D ends · {self.keys.help}")

    def _answer(self, line: str) -> int | None:
        """Do what a line asks for; an exit code ends the chat."""
        asked = read(line)
        if isinstance(asked, str):
            return self._turn(asked) if asked else None
        if asked.name == "quit":
            return DONE
        if asked.name == "go":
            return self._turn(None)
        command: Callable[[Command], None] = getattr(self, f"_do_{asked.name}")
        command(asked)
        return None

    # A run.

    def _turn(self, prompt: str | None) -> int | None:
        if not self._log:
            return self._run(prompt, UnderWay())
        from agentkit.cli.wire import logged

        under_way = UnderWay()
        with logged(under_way) as watch:
            return self._run(prompt, under_way, watch)

    def _run(self, prompt: str | None, under_way: UnderWay, watch: Emit | None = None) -> int | None:
        branch = self.talk.branch
        stream: Stream[Any] = self.agent.stream(
            prompt,
            history=() if branch.session else branch.entries,
            session=branch.session,
            model=self.talk.model,
            approve=self._verdict if self.terminal or self._yes else None,
            on_event=watch or under_way,
            restart=True,
        )
        screen = ChatScreen(
            self.console,
            answer=None if self._moves() else sys.stdout,
            unfolded=self.talk.unfolded,
            model=self._model,
        )
        self.screen = screen
        try:
            with screen:
                try:
                    for event in stream:
                        screen(event)
                except KeyboardInterrupt:
                    self._stop(stream, screen)  # no `with stream`: one more Ctrl-C must not wait for its end again
                    return None
                except BaseException:
                    stream.close()
                    raise
            return self._finished(stream.result)
        finally:
            self._model = screen.model
            self._note(stream.transcript, under_way)

    def _note(self, said: Transcript, under_way: UnderWay) -> None:
        """Keep what a run said and cost, however it ended."""
        branch = self.talk.branch
        if said.steps:
            self.talk.count(said.usage, None if said.unpriced else said.cost)
        if said:  # a session's file notes by itself which calls were under way
            branch.entries = tuple(said) if branch.session else stopped(said, under_way.calls.values())

    def _moves(self) -> bool:
        return self.terminal and self.console.is_interactive and self.console.is_terminal

    def _stop(self, stream: Stream[Any], screen: ChatScreen) -> None:
        """End a run on Ctrl-C; one more while this waits ends the program."""
        if not self.terminal:
            raise KeyboardInterrupt(f"stopped in step {screen.step}" if screen.step else "stopped") from None
        self._stops += 1
        screen.pause()
        stream.close()
        where = f"in step {screen.step}" if screen.step else "before it began"
        self.tell(f"stopped {where}; what was said is kept: /go goes on, /undo takes the prompt back, or say more")

    def _finished(self, result: Result[Any]) -> int | None:
        if not result.pending:
            return None
        if not self.terminal:
            sys.stderr.write(told_of(result.pending))
            return WAITING
        self.tell(f"{told_of(result.pending)}/go asks again; with another prompt they are not carried out")
        return None

    def _verdict(self, call: ToolCall) -> Verdict | None:
        if self._yes:
            return True
        if self.screen is not None:
            self.screen.pause()
        return self._asker(call)

    def _show(self, call: ToolCall) -> None:
        self.tell(told_of([call]).rstrip("\n"), style="bold")

    # The commands.

    def _do_help(self, _: Command) -> None:
        width = max(len(f"/{name} {rest}") for name, (rest, _) in COMMANDS.items()) + 2
        lines = [f"{f'/{name} {rest}':{width}}{what}" for name, (rest, what) in COMMANDS.items()]
        self.tell("\n".join([*lines, self.keys.help, "Ctrl-C stops the run, twice the program"]))

    def _do_tools(self, _: Command) -> None:
        lines = [f"{tool.name}: {one_line(tool.description)}" for tool in self.agent.tools]
        self.tell("\n".join(lines) or "there are no tools")

    def _do_model(self, asked: Command) -> None:
        if asked.rest:
            from agentkit.models.open import open_model

            self.tell(f"from now on: {open_model(asked.rest).name}")
            self._model = ""
            self.talk.model = asked.rest
        else:
            self.tell(self.talk.model or self._model or "the agent's own; it is named when it answers")

    def _do_usage(self, _: Command) -> None:
        talk = self.talk
        told = [count(talk.runs, "run"), count(talk.usage.requests, "request"), tokens(talk.usage), *money(talk.cost)]
        if talk.unpriced:
            told.append(f"the price of {count(talk.unpriced, 'run')} is not known")
        self.tell(" · ".join(told))

    def _do_think(self, asked: Command) -> None:
        if asked.rest in ("on", "off"):
            self.talk.unfolded = asked.rest == "on"
            self.tell("reasoning is shown as it comes" if self.talk.unfolded else "reasoning is folded")
            return
        self.tell("\n\n".join(self.talk.branch.reasoning()) or "the last answer has no reasoning")

    def _do_undo(self, _: Command) -> None:
        branch = self.talk.branch
        if branch.session is None:
            said = self.talk.undo()
        else:
            prompts = branch.prompts()
            said = prompts[-1][1] if prompts else ""
            self._fork(branch.before(len(prompts)))
        self.tell(f"taken back: {one_line(said)}")

    def _do_fork(self, asked: Command) -> None:
        branch = self.talk.branch
        self._fork(branch.before(_number(asked)) if asked.rest else len(branch.entries))
        self.tell(
            f"this is conversation {self.talk.number + 1} now; /switch {(self.talk.branch.parent or 0) + 1} goes back"
        )

    def _fork(self, end: int) -> None:
        """Go on in a copy; of a session in a session beside it, since what was written stays."""
        old = self.talk.branch.session
        name = None
        if old is not None:
            taken = {one.name for one in every()} | {one.session for one in self.talk.branches}
            name = next(made for number in range(2, 1_000_000) if (made := f"{old}.{number}") not in taken)
            if end:
                Session(old).fork(name, at=end - 1)
            self.tell(f"kept in the session `{name}` from now on")
        self.talk.fork(end, name)

    def _do_switch(self, asked: Command) -> None:
        if asked.rest:
            self.talk.switch(_number(asked))
        lines = [
            f"{'*' if number == self.talk.number else ' '} {number + 1}  {one_line(branch.title(), 80)}"
            for number, branch in enumerate(self.talk.branches)
        ]
        self.tell("\n".join(lines))

    def _do_save(self, asked: Command) -> None:
        path = Path(asked.rest or f"chat-{datetime.now(UTC):%Y%m%d-%H%M%S}.jsonl").expanduser()
        lines = [dump([entry])[1:-1] + b"\n" for entry in self.talk.branch.entries]
        try:
            with path.open("xb") as file:
                file.writelines(lines)
        except OSError as error:
            raise ConfigurationError(
                f"`{path}` cannot be written: {error.strerror}; name another file", code="bad-path"
            ) from error
        self.tell(f"{len(lines)} lines in {path}; `agentkit sessions import NAME {path}` makes a session of it")


def _number(asked: Command) -> int:
    try:
        return int(asked.rest)
    except ValueError:
        raise ConfigurationError(f"`/{asked.name} {asked.rest}`: a number is wanted", code="bad-option") from None
