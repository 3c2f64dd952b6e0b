"""The folder in which agentkit keeps what outlives a process: sessions, and the key that signs what waits.

The only module beside `models/open.py` that reads the environment.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from agentkit.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

VARIABLE = "AGENTKIT_HOME"
"""The environment variable that names another folder than `~/.agentkit`."""


def home() -> Path:
    """The folder: `$AGENTKIT_HOME`, else `~/.agentkit`. It need not exist yet.

    Raises:
        ConfigurationError: The user has no home, as in a container that runs under a number of its own.
    """
    from pathlib import Path

    asked = os.environ.get(VARIABLE, "").strip()
    try:
        return Path(asked).expanduser() if asked else Path.home() / ".agentkit"
    except RuntimeError as error:
        raise ConfigurationError(
            f"there is no folder to keep things in: {error}. Name one in `{VARIABLE}`", code="bad-path"
        ) from error
