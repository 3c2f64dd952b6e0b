"""Chat completions with native tool calls, as DeepSeek and all who are compatible speak them (WIRE sections 3 to 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentkit.models.dialects.chat_decoder import ChatDecoder
from agentkit.models.dialects.chat_encoder import ChatEncoder
from agentkit.models.dialects.salvage import SalvagingDecoder
from agentkit.models.fit import fit

if TYPE_CHECKING:
    from agentkit.models.request import Decoder, Request
    from agentkit.models.rows import ModelRow


class Chat:
    """The dialect of `/chat/completions`."""

    def encoder(self, row: ModelRow) -> ChatEncoder:
        """A new encoder for one run."""
        return ChatEncoder(row)

    def decoder(self, row: ModelRow, *, deltas: bool, request: Request | None = None) -> Decoder:
        """A new decoder for one reply; without `deltas`, `feed` gives none and saves the work.

        Where the request has tools that may be called, calls that leak into the text are read there.
        """
        decoder = ChatDecoder(row, deltas=deltas)
        if request is None or not request.tools or request.settings.tool_choice == "none":
            return decoder
        return SalvagingDecoder(decoder, deltas, request)


def check(request: Request, row: ModelRow) -> None:
    """Look for what the endpoint would refuse, or worse, would answer as another model.

    Raises:
        ConfigurationError: As `fit` does.
    """
    fit(request.settings, request.tools, row)
