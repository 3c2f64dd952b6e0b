"""`agentkit sim`: the simulator as a server."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from agentkit.cli.exit import DONE
from agentkit.errors import ConfigurationError
from agentkit.frozen import frozen

if TYPE_CHECKING:
    from agentkit.simulator.exchange import Exchange, Handler
    from agentkit.simulator.faults import Option
    from agentkit.simulator.profiles import Profile
    from agentkit.simulator.reply import Reply


@frozen
class Served:
    """What is served, as the options say it.

    Attributes:
        profile: The profile's name.
        faults: The rules of faults, as they are written.
        time_scale: How long a second of a fault lasts, in seconds.
        seed: Decides everything that looks random.
        script: The file of a script, or nothing.
        replay: The folder of recordings, or nothing.
        brain: The target of a function, or nothing.
        log: Whether a line is written for each request.
    """

    profile: str
    faults: Sequence[str] = ()
    time_scale: float = 1.0
    seed: int = 0
    script: str = ""
    replay: str = ""
    brain: str = ""
    log: bool = False


def serve(host: str, port: int, served: Served) -> int:
    """Serve the simulator until a signal ends it; the exit code.

    Raises:
        ConfigurationError: No such profile or fault, a script, folder or function that cannot be read, the port cannot
            be had, or the extra `sim` is not installed.
        KeyboardInterrupt: Somebody stopped it.
    """
    from agentkit.simulator import Simulator
    from agentkit.simulator.server import serve

    simulator = Simulator(
        served.profile,
        brain=_brain(served),
        faults=served.faults,
        time_scale=served.time_scale,
        seed=served.seed,
        layers=[_told] if served.log else [],
    )
    serve(simulator, host, port, ready=lambda url: _ready(url, served, simulator.profile))
    return DONE


def list_faults() -> int:
    """Write all faults with their options and what they do; the exit code."""
    from agentkit.simulator.faults import FAULTS

    heads = {
        "answer": "Another answer comes",
        "words": "What is said",
        "shape": "How it is written",
        "carriage": "How it is sent",
    }
    width = max(map(len, FAULTS)) + 2
    for kind, head in heads.items():
        sys.stdout.write(f"{head}:\n")
        for fault in FAULTS.values():
            if fault.kind == kind:
                needs = f" (needs {fault.needs})" if fault.needs else ""
                sys.stdout.write(f"  {fault.name:{width}}{fault.what}{needs}\n")
                for option in fault.options:
                    sys.stdout.write(f"  {'':{width}}  {_option(option)}: {option.what}\n")
        sys.stdout.write("\n")
    sys.stdout.write(
        "When: `429` each time, `429:0.1` one in ten, `429@3` the third request, `429@2-4,9-` spans of them.\n"
        "A request may ask for faults itself: `X-Sim-Fault: stall(20s) + missing-ids`.\n"
    )
    return DONE


def _option(option: Option) -> str:
    if option.choices:
        return f"{option.name}={'|'.join(option.choices)}"
    if option.seconds:
        return f"{option.name}={option.default:g}s"
    return f"{option.name}={'…' if option.default in (None, '') else option.default}"


def _brain(served: Served) -> Callable[..., Any] | None:
    given = [name for name in ("script", "replay", "brain") if getattr(served, name)]
    if len(given) > 1:
        raise ConfigurationError(
            f"one brain can answer, and there are {' and '.join(f'`--{name}`' for name in given)}: give one",
            code="bad-option",
        )
    if served.script:
        from agentkit.simulator.brains.script import Script

        return Script.read(served.script)
    if served.replay:
        from agentkit.simulator.brains.replay import Replay

        return Replay(served.replay, profile=served.profile)
    return _function(served.brain) if served.brain else None


def _function(target: str) -> Callable[..., Any]:
    from agentkit.cli.target import load

    found = load(target)
    value = getattr(found.module, found.name, None) if found.name else None
    if not callable(value):
        raise ConfigurationError(
            f"`--brain {target}` names no function: write `file.py:name` or `module:name`", code="bad-target"
        )
    return value


def _ready(url: str, served: Served, profile: Profile) -> None:
    if served.script or served.replay:
        told = f"its replies come from `{served.script or served.replay}`"
    elif served.brain:
        told = f"its replies come from the function `{served.brain}`"
    else:
        told = "a rule-based stand-in, no real model"
    sys.stderr.write(
        f"simulator of `{served.profile}` on {url}: {told}; Ctrl-C stops it\n"
        "any OpenAI client speaks to it with these two variables and the model name "
        f"`{next(iter(profile.models))}`:\n"
    )
    sys.stderr.flush()
    sys.stdout.write(f"export OPENAI_BASE_URL={url}{profile.base}\nexport OPENAI_API_KEY=sim\n")
    sys.stdout.flush()


def _told(exchange: Exchange, handler: Handler) -> Reply:
    """A layer that writes a line for each request, with what a refused one is told."""
    from agentkit.cli.text import one_line

    reply = handler(exchange)
    met = f" ({' + '.join(reply.faults)})" if reply.faults else ""
    text = f" {one_line(reply.body.decode('utf-8', 'replace'), 300)}" if reply.length else ""
    sys.stderr.write(f"{exchange.number + 1} {exchange.method} {exchange.path} {reply.status}{met}{text}\n")
    sys.stderr.flush()
    return reply
