"""Chat completions with native tool calls, as DeepSeek and all who are compatible speak them (WIRE sections 3 to 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentkit.errors import ConfigurationError
from agentkit.models.dialects.chat_decoder import ChatDecoder
from agentkit.models.dialects.chat_encoder import CHOICES, ChatEncoder

if TYPE_CHECKING:
    from agentkit.models.catalog import ModelRow
    from agentkit.models.request import Request


class Chat:
    """The dialect of `/chat/completions`."""

    def encoder(self, row: ModelRow) -> ChatEncoder:
        """A new encoder for one run."""
        return ChatEncoder(row)

    def decoder(self, row: ModelRow, *, deltas: bool) -> ChatDecoder:
        """A new decoder for one reply; without `deltas`, `feed` gives none and saves the work."""
        return ChatDecoder(row, deltas=deltas)


def check(request: Request, row: ModelRow) -> None:
    """Look for what the endpoint would refuse, or worse, would answer as another model.

    Raises:
        ConfigurationError: There are tools for a model that takes none, more tools than it takes, a `tool_choice`
            that names none of them, or messages among `extra_body`.
    """
    tools, choice = request.tools, request.settings.tool_choice
    if tools and not row.tools:
        raise ConfigurationError(
            f"`{row.name}` has no function calling, but {len(tools)} tool(s) are given; use a model that has it"
            " (a mode that tells a model of tools in words is not built yet)"
        )
    if len(tools) > row.max_tools:
        raise ConfigurationError(
            f"{len(tools)} tools are given, but `{row.name}` takes at most {row.max_tools} in one request;"
            " give fewer, or spread them over several agents"
        )
    if choice is not None and choice not in CHOICES and all(tool.name != choice for tool in tools):
        names = ", ".join(f"`{tool.name}`" for tool in tools) or "none"
        raise ConfigurationError(
            f"`tool_choice` is `{choice}`, which is neither `auto`, `none`, `required` nor one of the tools ({names})"
        )
    if "messages" in request.settings.extra_body:
        raise ConfigurationError("`extra_body` must not hold `messages`: pass them as `history=` instead")
