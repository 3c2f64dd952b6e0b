"""Answers of a type: the model gives them by calling a tool whose parameters are the type.

The output tool is one more tool of the request. Its arguments are checked as any tool's are, so what does not fit goes
back to the model with what is wrong, and a call that fits ends the run. A model that answers in words is reminded of
the tool, a few times; words that are the JSON of a fitting answer are taken.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Generic, TypeVar

from agentkit.errors import ConfigurationError, OutputInvalid
from agentkit.messages import Assistant, ToolCall, ToolMessage, User
from agentkit.tools import ArgumentsInvalid, Tool, bind
from agentkit.transcript import Transcript

T = TypeVar("T")

NAME = "final_answer"
"""The name of the output tool."""

OBJECTIONS = 2
"""How many times a model that answers in words is reminded of the output tool."""


class Output(Generic[T]):
    """How a run gets an answer of a type.

    Args:
        kind: Any type that a tool's parameter may have.

    Attributes:
        tool: The output tool.

    Raises:
        ConfigurationError: The type has no JSON Schema.
    """

    def __init__(self, kind: type[T]) -> None:
        def final_answer(answer: Any) -> Any:
            return answer

        final_answer.__annotations__ = {"answer": kind, "return": kind}
        self.kind = kind
        self.tool: Tool[..., Any] = Tool(
            final_answer,
            name=NAME,
            description="Give the final answer. Call this once, alone, when all that is needed for it is known.",
            side_effects="none",
        )

    def read(self, transcript: Transcript) -> T:
        """The answer that the transcript ends with.

        Raises:
            OutputInvalid: It ends with none.
        """
        for call in _candidates(transcript):
            try:
                return bind(self.tool, call).call()
            except ArgumentsInvalid:
                continue
        raise OutputInvalid(
            f"the model gave no answer of type `{_name(self.kind)}`: its last words were {transcript.text[:200]!r}."
            " Say in the instructions what is wanted, or use a more able model"
        )

    def objection(self, transcript: Transcript) -> User | None:
        """What to say to an answer in words; `None` accepts it.

        Raises:
            OutputInvalid: The model was reminded often enough.
        """
        try:
            self.read(transcript)
        except OutputInvalid:
            since = transcript.since(transcript.start)
            if sum(isinstance(entry, User) and entry.by == "review" for entry in since) >= OBJECTIONS:
                raise
            return User(f"Give the answer by calling the tool `{NAME}`, and in no other way.", by="review")
        return None


def _candidates(transcript: Transcript) -> Iterable[ToolCall]:
    """The calls that may hold the answer: the one that ended the run, or words that are an object in JSON."""
    calls: dict[str, ToolCall] = {}
    final: list[ToolCall] = []
    for entry in transcript.since(transcript.turn):
        if isinstance(entry, Assistant):
            calls = {call.id: call for call in entry.tool_calls}
            final = []
        elif isinstance(entry, ToolMessage) and entry.final and entry.tool_call_id in calls:
            final.append(calls[entry.tool_call_id])
    if final:
        return final[:1]
    return [ToolCall("", NAME, transcript.text)] if isinstance(transcript.last, Assistant) else []


def _name(kind: Any) -> str:
    return getattr(kind, "__name__", None) or repr(kind)


def with_output(tools: dict[str, Tool[..., Any]], output: Output[Any] | None) -> dict[str, Tool[..., Any]]:
    """The tools and the output tool.

    Raises:
        ConfigurationError: A tool has the output tool's name.
    """
    if output is None:
        return tools
    if NAME in tools:
        raise ConfigurationError(f"a tool is called `{NAME}`, which is the name of the output tool: rename it")
    return {**tools, NAME: output.tool}
