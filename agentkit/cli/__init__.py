"""The command `agentkit`. The only place that names rich and typer; `--help` loads nothing but typer."""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command line in `sys.argv`; always ends in `SystemExit` with a code of `agentkit.cli.exit`."""
    try:
        from agentkit.cli.app import app

        app(prog_name="agentkit")
    except KeyboardInterrupt:  # so early that no command had begun
        raise SystemExit(130) from None
