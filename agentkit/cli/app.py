"""The commands and their options. Each one imports what it needs when it is run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

app = typer.Typer(
    name="agentkit",
    help="Tool-calling agents for DeepSeek and OpenAI-compatible endpoints.",
    epilog="Exit codes: 0 done, 1 a defect (with a traceback), 2 usage or configuration, 3 waiting for approval,"
    " 4 limit reached or answer cut, 5 the model did not answer, 6 output invalid, 130 stopped.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

TARGET = "`file.py`, `file.py:name` or `package.module:name`"
Target = Annotated[
    str,
    typer.Argument(metavar="TARGET", help=f"{TARGET}: an Agent, or a function that returns one.", show_default=False),
]
Model = Annotated[
    str | None,
    typer.Option("--model", "-m", metavar="NAME", help="In place of the agent's, e.g. sim:deepseek-flash (offline)."),
]
Session = Annotated[
    str | None,
    typer.Option("--session", "-s", metavar="NAME", help="Keep the conversation under this name, and go on with it."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Approve every call that wants approval.")]
Kept = Annotated[str, typer.Argument(metavar="SESSION", help="The session's name.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Write each event as a line of JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Write errors alone to standard error, no steps.")]
MaxCost = Annotated[
    str | None, typer.Option(metavar="AMOUNT", help='The most that the run may cost, such as "0.50 USD".')
]
Log = Annotated[bool, typer.Option("--log", help="Keep what is sent and received, for `agentkit show RUN --raw`.")]


def _show_version(asked: bool) -> None:
    if asked:
        _end(_version)


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    """Tool-calling agents for DeepSeek and OpenAI-compatible endpoints."""


@app.command()
def demo(
    plain: Annotated[bool, typer.Option("--plain", help="No colour and no motion, on a terminal too.")] = False,
    model: Model = None,
) -> None:
    """Watch an agent call a tool for two cities at once, offline.

    The model is the built-in simulator: a rule-based stand-in, no language model.
    """
    from agentkit.cli import demo

    _end(lambda: demo.demo(model, plain=plain))


@app.command()
def run(
    target: Target,
    prompt: Annotated[
        str | None,
        typer.Argument(
            metavar="[PROMPT]", help="What to say; `-` or nothing reads standard input.", show_default=False
        ),
    ] = None,
    model: Model = None,
    session: Session = None,
    json: Json = False,
    quiet: Quiet = False,
    yes: Yes = False,
    max_cost: MaxCost = None,
    output_schema: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write the answer as JSON that fits the JSON Schema in this file."),
    ] = None,
    log: Log = False,
    record: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write the run to this file, for `agentkit replay`.")
    ] = None,
) -> None:
    """Run an agent on a prompt.

    What the model says goes to standard output as it comes, the steps go to standard error. A file or pipe on standard
    input is put behind the prompt.
    """
    from agentkit.cli import run

    options = run.Options(
        target=target,
        model=model,
        json=json,
        quiet=quiet,
        yes=yes,
        session=session,
        max_cost=max_cost,
        schema=output_schema,
        log=log,
        record=record,
    )
    _end(lambda: run.run(options, prompt))


@app.command()
def resume(
    target: Target,
    session: Kept,
    prompt: Annotated[
        str | None, typer.Argument(metavar="[PROMPT]", help="What to say; by default nothing.", show_default=False)
    ] = None,
    model: Model = None,
    json: Json = False,
    quiet: Quiet = False,
    yes: Yes = False,
    max_cost: MaxCost = None,
    log: Log = False,
) -> None:
    """Go on with a session where it ended: after Ctrl-C, an error, a limit, or the end of the machine."""
    from agentkit.cli import run

    options = run.Options(
        target=target, model=model, json=json, quiet=quiet, yes=yes, session=session, max_cost=max_cost, log=log
    )
    _end(lambda: run.resume(options, prompt))


@app.command()
def approve(
    target: Target,
    session: Kept,
    call: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Only on this call; repeatable. By default on all.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Approve.")] = False,
    arguments: Annotated[
        str | None, typer.Option(metavar="JSON", help="Approve with these arguments in place of the model's.")
    ] = None,
    no: Annotated[str | None, typer.Option(metavar="REASON", help="Deny; the model is told the reason.")] = None,
    answer: Annotated[
        str | None, typer.Option(metavar="TEXT", help="It was done elsewhere; this is its result.")
    ] = None,
    model: Model = None,
    json: Json = False,
    quiet: Quiet = False,
    log: Log = False,
) -> None:
    """Decide on the calls of a session that wait for approval, and go on with it.

    On a terminal, without a verdict, it asks.
    """
    from agentkit.cli import run
    from agentkit.cli.verdicts import verdicts

    options = run.Options(target=target, model=model, json=json, quiet=quiet, session=session, log=log)
    _end(lambda: run.approve(options, verdicts(call or (), yes=yes, arguments=arguments, no=no, answer=answer)))


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="RUN", help="The name of a session, or the id of a run.")],
    raw: Annotated[
        bool, typer.Option("--raw", help="What was sent and received, byte for byte, as `--log` kept it.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object for each entry.")] = False,
) -> None:
    """Show what was said in a session or a run, with the positions that `fork` takes."""
    from agentkit.cli import kept

    _end(lambda: kept.show(name, raw=raw, json=json))


@app.command()
def replay(
    file: Annotated[str, typer.Argument(metavar="FILE", help="What `run --record` or `record` wrote.")],
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[TARGET]",
            help=f"{TARGET}: an Agent, or a function that returns one; none: one of what the file says.",
            show_default=False,
        ),
    ] = None,
    tools: Annotated[
        str, typer.Option(metavar="recorded|real", help="Whether tools are answered from the file, or run.")
    ] = "recorded",
    model: Annotated[
        str | None, typer.Option("--model", "-m", metavar="NAME", help="Ask this model in place of the file.")
    ] = None,
    times: Annotated[float, typer.Option(metavar="X", help="How long a recorded second lasts.")] = 0.0,
    quiet: Quiet = False,
    yes: Yes = False,
) -> None:
    """Run a recorded conversation again, from its file alone.

    Exit code 1 says that something is not as it was recorded, with the first difference.
    """
    from agentkit.cli import replay, run

    approve = run.approver_of(run.Options(target="", yes=yes))
    options = replay.Options(
        file=file, target=target, tools=tools, model=model, times=times, quiet=quiet, approve=approve
    )
    _end(lambda: replay.replay(options))


@app.command(name="fork")
def fork_session(
    session: Kept,
    new: Annotated[str, typer.Argument(metavar="NEW", help="The name of the new session.")],
    at: Annotated[
        int | None, typer.Option(metavar="N", help="The last entry to take, as `agentkit show` numbers them.")
    ] = None,
) -> None:
    """Begin another session with what was said in one, all of it or up to an entry."""
    from agentkit.cli import sessions

    _end(lambda: sessions.fork(session, new, at, None))


@app.command()
def chat(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[TARGET]",
            help=f"{TARGET}: an Agent, or a function that returns one; none: a model without tools.",
            show_default=False,
        ),
    ] = None,
    model: Model = None,
    session: Session = None,
    yes: Yes = False,
    log: Log = False,
) -> None:
    """Hold a conversation at the prompt.

    `/help` in it lists what else can be done there. Off a terminal, each line of standard input is a prompt.
    """
    from agentkit.cli import chat

    _end(lambda: chat.chat(chat.Options(target, model, session, yes, log)))


class _ShowFirst(TyperGroup):
    """`agentkit tools TARGET` is `agentkit tools show TARGET`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = ["show", *args]
        return super().parse_args(ctx, args)


tools_app = typer.Typer(cls=_ShowFirst, no_args_is_help=True, rich_markup_mode=None)
app.add_typer(tools_app, name="tools", help="Show the tools of an agent or module (the default), or check them.")
ToolTarget = Annotated[
    str,
    typer.Argument(metavar="TARGET", help=f"{TARGET}: an Agent, or a module of @tool functions.", show_default=False),
]


@tools_app.command(name="show")
def show_tools(
    target: ToolTarget,
    json: Annotated[bool, typer.Option("--json", help="Write the definitions as they are sent, as JSON.")] = False,
) -> None:
    """Show the tools of an agent or module, with their parameters."""
    from agentkit.cli import listing

    _end(lambda: listing.tools(target, json=json))


@tools_app.command()
def check(
    target: ToolTarget,
    json: Annotated[bool, typer.Option("--json", help="Write what was found as JSON.")] = False,
) -> None:
    """Say what a careful author would mend, and about how many tokens the tools cost in each request.

    Exit code 0 says that there is nothing to mend, 1 that there is; notes do not count.
    """
    from agentkit.cli import checks

    _end(lambda: checks.check(target, json=json))


@app.command()
def models(
    name: Annotated[str | None, typer.Argument(help="One model to explain, such as `lkeap:deepseek-r1`.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Write it as JSON.")] = False,
) -> None:
    """List the models of the catalog, or explain one."""
    from agentkit.cli import listing

    _end(lambda: listing.models(name, json=json))


@app.command()
def doctor(
    url: Annotated[
        str | None,
        typer.Argument(metavar="[URL", help="The address that `/chat/completions` is added to.", show_default=False),
    ] = None,
    model: Annotated[
        str | None, typer.Argument(metavar="MODEL]", help="The model's name there.", show_default=False)
    ] = None,
    key: Annotated[
        str | None, typer.Option(metavar="VARIABLE", help="The variable that holds the key; else OPENAI_API_KEY.")
    ] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="What to call the provider in the row.")] = None,
    write: Annotated[Path | None, typer.Option(metavar="FILE", help="Add the row to this catalog of yours.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Write what was found as JSON.")] = False,
) -> None:
    """Check the installation; or find out, by about a dozen small requests, what an endpoint can do.

    What was found is a row for a catalog of yours. The requests cost what they cost there: a few thousand tokens.
    """
    from agentkit.cli import doctor

    if url is None:
        _end(lambda: doctor.installation(json=json))
    if model is None:
        raise typer.BadParameter("a model is wanted behind the address")
    asked = doctor.Endpoint(url, model, key, name)
    _end(lambda: doctor.endpoint(asked, write, json=json))


@app.command()
def sim(
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = 8000,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    profile: Annotated[str, typer.Option(help="Which endpoint to behave like.")] = "deepseek",
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RULE", help="Misbehave, e.g. `429:0.1` (one in ten), `stall(20s)@3` (the third); repeatable."
        ),
    ] = None,
    list_faults: Annotated[bool, typer.Option("--list-faults", help="Tell all faults, and end.")] = False,
    time_scale: Annotated[float, typer.Option(metavar="X", help="How long a second of a fault lasts.")] = 1.0,
    script: Annotated[str, typer.Option(metavar="FILE", help="Take the replies from a TOML file.")] = "",
    replay: Annotated[str, typer.Option(metavar="FOLDER", help="Take the replies from recorded exchanges.")] = "",
    brain: Annotated[str, typer.Option(metavar="TARGET", help="Take them from a function: `file.py:name`.")] = "",
    seed: Annotated[int, typer.Option(help="Decides ids, rates and all else that looks random.")] = 0,
    log: Annotated[bool, typer.Option("--log", help="Write a line for each request to standard error.")] = False,
) -> None:
    """Serve the simulator for any OpenAI client.

    It is a rule-based stand-in, no real model: it speaks DeepSeek's wire format, checks requests as DeepSeek does,
    and picks tools and answers by rule, unless they are taken from elsewhere. It needs the extra `sim`.
    """
    from agentkit.cli import serve

    if list_faults:
        _end(serve.list_faults)
    served = serve.Served(profile, fault or (), time_scale, seed, script, replay, brain, log)
    _end(lambda: serve.serve(host, port, served))


class _ListFirst(TyperGroup):
    """`agentkit sessions` is `agentkit sessions list`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ("-h", "--help")):
            args = ["list", *args]
        return super().parse_args(ctx, args)


sessions_app = typer.Typer(cls=_ListFirst, rich_markup_mode=None)
app.add_typer(sessions_app, name="sessions", help="List kept conversations (the default), show, fork, delete, export.")
SessionName = Annotated[str, typer.Argument(metavar="NAME", help="The session.", show_default=False)]
SessionsFile = Annotated[
    Path | None,
    typer.Option(
        "--file", help="The file of sessions, in place of `sessions.db` in `$AGENTKIT_HOME` or `~/.agentkit`."
    ),
]


@sessions_app.command("list")
def list_sessions(
    json: Annotated[bool, typer.Option("--json", help="Write them as JSON.")] = False, file: SessionsFile = None
) -> None:
    """List the sessions, the last written first."""
    from agentkit.cli import sessions

    _end(lambda: sessions.listed(file, json=json))


@sessions_app.command("show")
def show_session(
    name: SessionName,
    json: Annotated[bool, typer.Option("--json", help="Write the entries whole, as JSON lines.")] = False,
    file: SessionsFile = None,
) -> None:
    """Show what was said in a session, a line for each message and note with its position."""
    from agentkit.cli import sessions

    _end(lambda: sessions.show(name, file, json=json))


@sessions_app.command()
def fork(
    name: SessionName,
    new: Annotated[str, typer.Argument(metavar="NEW", help="The new session.", show_default=False)],
    at: Annotated[int | None, typer.Option(metavar="N", help="The last position to take, as `show` has it.")] = None,
    file: SessionsFile = None,
) -> None:
    """Begin a session with what was said in another, up to a position."""
    from agentkit.cli import sessions

    _end(lambda: sessions.fork(name, new, at, file))


@sessions_app.command()
def delete(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="The sessions.", show_default=False)],
    file: SessionsFile = None,
) -> None:
    """Delete sessions, with all that was said in them."""
    from agentkit.cli import sessions

    _end(lambda: sessions.delete(names, file))


@sessions_app.command()
def export(
    name: SessionName,
    target: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Where to; standard output.", show_default=False)
    ] = None,
    file: SessionsFile = None,
) -> None:
    """Write a session as JSON lines."""
    from agentkit.cli import sessions

    _end(lambda: sessions.export(name, target, file))


@sessions_app.command("import")
def bring(
    name: SessionName,
    source: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Where from; standard input.", show_default=False)
    ] = None,
    file: SessionsFile = None,
) -> None:
    """Read what `export` wrote into a new session."""
    from agentkit.cli import sessions

    _end(lambda: sessions.bring(name, source, file))


def _end(work: Callable[[], int]) -> NoReturn:
    from agentkit.cli.exit import guarded

    raise typer.Exit(guarded(work))


def _version() -> int:
    import sys
    from importlib.metadata import PackageNotFoundError, version

    try:
        number = version("agentkit")
    except PackageNotFoundError:
        number = "(not installed: run from its source)"
    sys.stdout.write(f"agentkit {number}\n")
    return 0
