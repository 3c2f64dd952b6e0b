"""The standing orders of an agent, bound for a run: who answers, what it is told, and which tools it has."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from typing import Any

from agentkit.errors import ConfigurationError
from agentkit.frozen import frozen
from agentkit.messages import Assistant, Note, ToolMessage
from agentkit.models.request import Model, Request, Settings
from agentkit.output import Output, with_output
from agentkit.tools import Tool
from agentkit.toolset import Toolset
from agentkit.transcript import HANDOVER, Transcript


@frozen
class Handover:
    """A way to another agent.

    Attributes:
        tool: By calling it, the model hands the conversation over.
        take: Makes the orders of the agent that takes over.
    """

    tool: Tool[..., Any]
    take: Callable[[], Orders]


@frozen
class Orders:
    """What holds for an agent's part of a run.

    Attributes:
        agent: The agent's name.
        model: Who answers.
        instructions: What is said before all else; `None` for nothing.
        group: The agent's own tools.
        output: What the answer is, and whether it is one.
        settings: Fields of every request.
        handovers: The agents that may take over, by the names of the tools.
    """

    agent: str
    model: Model
    instructions: str | None
    group: Toolset
    output: Output[Any]
    settings: Settings
    handovers: Mapping[str, Handover] = field(default_factory=dict[str, Handover])

    def offered(self, tools: Mapping[str, Tool[..., Any]]) -> dict[str, Tool[..., Any]]:
        """These of the agent's tools, and those by which it hands over and gives its answer.

        Raises:
            ConfigurationError: One of them has the name of one of the others.
        """
        if taken := tools.keys() & self.handovers.keys():
            raise ConfigurationError(
                f"a tool is called `{min(taken)}`, as the one that hands over is: rename it", code="duplicate-tool"
            )
        return with_output({**tools, **{name: one.tool for name, one in self.handovers.items()}}, self.output)

    def request(self, request: Request, tools: Mapping[str, Tool[..., Any]]) -> Request:
        """The request with these orders and tools in place of those that it had."""
        return replace(
            request,
            instructions=self.instructions,
            tools=tuple(tools.values()),
            final=self.output.tool and self.output.tool.name,
            settings=self.settings,
        )

    def successor(self, transcript: Transcript) -> Handover | None:
        """Who takes over, where the model has just handed the conversation over: the first that it named."""
        done: set[str] = set()
        for entry in reversed(transcript) if self.handovers and not transcript.final else ():
            if isinstance(entry, Assistant):
                called = (self.handovers[call.name] for call in entry.tool_calls if call.id in done)
                return next(called, None)
            if isinstance(entry, Note) and entry.kind == HANDOVER:
                return None
            if isinstance(entry, ToolMessage) and entry.ok and entry.name in self.handovers:
                done.add(entry.tool_call_id)
        return None


@functools.cache
def handover_tool(agent: str, description: str | None) -> Tool[..., Any]:
    """The tool by which a model hands the conversation over.

    Raises:
        ConfigurationError: The agent's name cannot be part of a tool's.
    """

    def hand_over() -> str:
        return f"`{agent}` takes over."

    told = f"Hand the conversation over to `{agent}`, who answers from then on."
    return Tool(
        hand_over,
        name=f"hand_over_to_{agent}",
        description=f"{told} {description}" if description else told,
        side_effects="none",
    )
