"""Tool-calling agents for DeepSeek and OpenAI-compatible endpoints: plain Python functions in, answers out.

What is listed in `__all__` is the public face; importing it loads no HTTP library and no pydantic. Each name is loaded
when it is first asked for (PEP 562), so that the command line and the pytest plugin start at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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

_HOMES = {
    "agentkit.agent": ("Agent",),
    "agentkit.approval": ("Answer", "Approve", "Deny"),
    "agentkit.errors": (
        "AgentkitError",
        "ConfigurationError",
        "LimitReached",
        "ModelError",
        "RunError",
        "ToolError",
        "Truncated",
        "Unavailable",
    ),
    "agentkit.events": ("Event", "Finished", "ReasoningDelta", "TextDelta", "ToolFinished", "ToolStarted"),
    "agentkit.loop": ("Limits",),
    "agentkit.messages": ("Assistant", "Image", "Message", "ToolCall", "ToolMessage", "Usage", "User"),
    "agentkit.models.request": ("Settings",),
    "agentkit.result": ("Result",),
    "agentkit.stream": ("AsyncStream", "Stream"),
    "agentkit.tools": ("Context", "Tool", "ToolResult", "tool"),
    "agentkit.toolset": ("Toolset",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    """A name of the face or a module of the package, loaded now and kept.

    Raises:
        AttributeError: there is no such name.
    """
    if name in _HOME:
        value: object = getattr(import_module(_HOME[name]), name)
        globals()[name] = value
        return value
    if not name.startswith("_"):
        try:
            return import_module(f"agentkit.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"agentkit.{name}":
                raise
    raise AttributeError(f"module `agentkit` has no attribute `{name}`")


def __dir__() -> list[str]:
    """The names of the face, loaded or not."""
    return sorted({*globals(), *__all__})


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
