"""The folder in which agentkit keeps what outlives a process: sessions, and the key that signs what waits.

The only module beside `models/open.py` that reads the environment.
"""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "AGENTKIT_HOME"
"""The environment variable that names another folder than `~/.agentkit`."""


def home() -> Path:
    """The folder: `$AGENTKIT_HOME`, else `~/.agentkit`. It need not exist yet."""
    asked = os.environ.get(VARIABLE, "").strip()
    return Path(asked).expanduser() if asked else Path.home() / ".agentkit"
