"""Chat completions with native tool calls, as DeepSeek and all who are compatible speak them (WIRE sections 3 to 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentkit.models.dialects.chat_decoder import ChatDecoder
from agentkit.models.dialects.chat_encoder import ChatEncoder
from agentkit.models.fit import fit

if TYPE_CHECKING:
    from agentkit.models.request import Request
    from agentkit.models.rows import ModelRow


class Chat:
    """The dialect of `/chat/completions`."""

    def encoder(self, row: ModelRow) -> ChatEncoder:
        """A new encoder for one run."""
        return ChatEncoder(row)

    def decoder(self, row: ModelRow, *, deltas: bool, request: Request | None = None) -> ChatDecoder:  # noqa: ARG002
        """A new decoder for one reply, whatever was asked; without `deltas`, `feed` gives none and saves the work."""
        return ChatDecoder(row, deltas=deltas)


def check(request: Request, row: ModelRow) -> None:
    """Look for what the endpoint would refuse, or worse, would answer as another model.

    Raises:
        ConfigurationError: As `fit` does.
    """
    fit(request.settings, request.tools, row)
