"""Calls that models write as text: reading them in every notation, and writing them in one.

`Reader` reads a reply as it comes, `read` one that is there as a whole; `write` writes calls in our own notation, which
the readers understand like any other. Everything here is pure: text in, text and calls out. Which text is a call, and
why, stands in `docs/guides/prompt-only.md`.
"""

from __future__ import annotations

from agentkit.models.dialects.notations.found import Reading, TextCall, Unread
from agentkit.models.dialects.notations.marks import ALL, SALVAGE
from agentkit.models.dialects.notations.own import write
from agentkit.models.dialects.notations.reader import Reader, read

__all__ = ["ALL", "SALVAGE", "Reader", "Reading", "TextCall", "Unread", "read", "write"]
