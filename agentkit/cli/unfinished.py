"""Runs that ended without their answer: where they are kept, and what to type to go on with them."""

from __future__ import annotations

import shlex

from agentkit.cli.talk import UnderWay
from agentkit.cli.text import one_line
from agentkit.cli.waiting import told_of
from agentkit.errors import AgentkitError
from agentkit.events import Event
from agentkit.messages import Assistant, Note
from agentkit.sessions import Session
from agentkit.transcript import BEGUN, RUN, Transcript


class Unfinished:
    """Keeps what a run said, where no session does, as the session `run-ID`.

    Args:
        target: The agent, as it was named.
        session: The session that keeps the run; `None` where none does.
    """

    def __init__(self, target: str, session: str | None) -> None:
        self._target = target
        self._session = session
        self._under_way = UnderWay()

    def __call__(self, event: Event) -> None:
        """Take each event of the run."""
        self._under_way(event)

    def kept(self, transcript: Transcript) -> list[str]:
        """How to go on with what was said; nothing where there is nothing to go on with, or it cannot be kept."""
        name = self._name(transcript)
        return [f"go on with `agentkit resume {self._words(name)}`"] if name else []

    def waits(self, transcript: Transcript) -> str:
        """The lines for calls that wait."""
        name = self._name(transcript)
        told = f"waiting for approval:\n{told_of(transcript.waiting)}"
        if not name:
            return told + "there is nowhere to keep them: to decide on them later, name a folder in `AGENTKIT_HOME`\n"
        return f"{told}decide with: agentkit approve {self._words(name)} [--yes | --no REASON]\n"

    def _words(self, name: str) -> str:
        return shlex.join([one_line(self._target), name])

    def _name(self, transcript: Transcript) -> str | None:
        since = transcript.since(transcript.start)
        if not any(isinstance(entry, Assistant) for entry in since):
            return None
        if self._session is not None:
            return self._session
        run = next((entry.data.get("id") for entry in since if isinstance(entry, Note) and entry.kind == RUN), "")
        name = f"run-{run}"
        begun = [Note(BEGUN, {"calls": list(self._under_way.calls)})] if self._under_way.calls else []
        try:
            with Session(name).hold() as held:
                held.write([*transcript, *begun])
        except AgentkitError:  # the folder cannot be written: there is nothing to go on with
            return None
        return name
