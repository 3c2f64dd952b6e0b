"""`agentkit sim`: the simulator as a server."""

from __future__ import annotations

import sys

from agentkit.cli.exit import DONE


def serve(host: str, port: int, profile: str) -> int:
    """Serve the simulator until a signal ends it; the exit code.

    Raises:
        ConfigurationError: No such profile, the port cannot be had, or the extra `sim` is not installed.
        KeyboardInterrupt: Somebody stopped it.
    """
    from agentkit.simulator import Simulator
    from agentkit.simulator.server import serve

    def ready(url: str) -> None:
        sys.stderr.write(
            f"simulator of `{profile}` on {url}: a rule-based stand-in, no real model; Ctrl-C stops it\n"
            "any OpenAI client speaks to it with these two variables and the model name `deepseek-flash`:\n"
        )
        sys.stderr.flush()
        sys.stdout.write(f"export OPENAI_BASE_URL={url}/v1\nexport OPENAI_API_KEY=sim\n")
        sys.stdout.flush()

    serve(Simulator(profile), host, port, ready=ready)
    return DONE
