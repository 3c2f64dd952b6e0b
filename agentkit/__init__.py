"""Tool-calling agents for DeepSeek and OpenAI-compatible endpoints: plain Python functions in, answers out.

What is listed in `__all__` is the public face; importing it loads no HTTP library and no pydantic.
"""

from agentkit.agent import Agent
from agentkit.approval import Answer, Approve, Deny
from agentkit.errors import (
    AgentkitError,
    ConfigurationError,
    LimitReached,
    ModelError,
    RunError,
    ToolError,
    Truncated,
    Unavailable,
)
from agentkit.events import Event, Finished, ReasoningDelta, TextDelta, ToolFinished, ToolStarted
from agentkit.loop import Limits
from agentkit.messages import Assistant, Image, Message, ToolCall, ToolMessage, Usage, User
from agentkit.models.request import Settings
from agentkit.result import Result
from agentkit.stream import AsyncStream, Stream
from agentkit.tools import Context, Tool, ToolResult, tool
from agentkit.toolset import Toolset

__all__ = [
    "Agent",
    "AgentkitError",
    "Answer",
    "Approve",
    "Assistant",
    "AsyncStream",
    "ConfigurationError",
    "Context",
    "Deny",
    "Event",
    "Finished",
    "Image",
    "LimitReached",
    "Limits",
    "Message",
    "ModelError",
    "ReasoningDelta",
    "Result",
    "RunError",
    "Settings",
    "Stream",
    "TextDelta",
    "Tool",
    "ToolCall",
    "ToolError",
    "ToolFinished",
    "ToolMessage",
    "ToolResult",
    "ToolStarted",
    "Toolset",
    "Truncated",
    "Unavailable",
    "Usage",
    "User",
    "aclose",
    "close",
    "tool",
]


def close() -> None:
    """Close every connection and thread that runs have left open for the next one; new runs open new ones."""
    from agentkit import threads, toolset
    from agentkit.models import transport

    toolset.close_all()
    transport.close_all()
    threads.close()


async def aclose() -> None:
    """`close` for programs on an event loop: also waits until the connections of the running loop are closed."""
    from agentkit import toolset
    from agentkit.models import transport

    await toolset.aclose_all()
    await transport.aclose_all()
    close()
