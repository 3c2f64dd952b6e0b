"""Answers of a type: a tool whose parameters are the type, JSON in words, or a function of the text.

The output tool is one more tool of the request, asked for as firmly as the model's row allows. Its arguments are
checked as any tool's are, so what does not fit goes back to the model with what is wrong, and a call that fits ends
the run. Words that are the JSON of a fitting answer are taken too; other words are objected to. What the model is told
of its answers has a budget of its own.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Generic, TypeGuard, TypeVar, cast

from agentkit import threads
from agentkit.errors import ConfigurationError, OutputInvalid, ToolError
from agentkit.events import CallDelta, CallModel, Event, Restarted, TextDelta
from agentkit.messages import Assistant, Entry, ToolCall, ToolMessage, User
from agentkit.tools import ArgumentsInvalid, Tool, bind
from agentkit.transcript import Transcript

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")

NAME = "final_answer"
"""The name of the output tool."""

CORRECTIONS = 2
"""How many times in a run a model is told what is wrong with its answer, unless the agent says otherwise."""

Check = Callable[..., Any]
"""Looks at an answer, `(answer)` or `(context, answer)`, and raises `ToolError` with its objection; may be async."""


class Output(Generic[T]):
    """How a run gets its answer, and whether it is one.

    Args:
        kind: `str`; any type that a tool's parameter may have; or a function that makes the answer of the model's
            words and raises `ToolError` or `ValueError` with what is wrong with them.
        checks: What further looks at the answer.
        corrections: How many times the model is told what is wrong.

    Attributes:
        tool: The output tool; `None` where the answer is the model's words, or made of them.

    Raises:
        ConfigurationError: The type has no JSON Schema.
    """

    def __init__(
        self,
        kind: type[T] | Callable[[str], T],
        checks: Sequence[Check] = (),
        corrections: int = CORRECTIONS,
    ) -> None:
        if inspect.iscoroutinefunction(kind):
            raise ConfigurationError(
                f"`output={kind.__name__}` is async: the function that makes the answer must be plain",
                code="sync-or-async",
            )
        self.kind: Any = kind
        self.checks = checks
        self.corrections = corrections
        self.tool: Tool[..., Any] | None = None if kind is str or _is_function(kind) else _output_tool(kind)

    @cached_property
    def adapter(self) -> TypeAdapter[T]:
        """What validates the type, apart from the tool."""
        from agentkit.schema import lean

        return lean.adapter({}, alone=self.kind)

    def read(self, transcript: Transcript) -> T:
        """The answer that the transcript ends with; the checks are not asked.

        Raises:
            OutputInvalid: It ends with none.
        """
        value, problem = self._look(transcript)
        if problem is not None:
            raise self._invalid(transcript, problem)
        return value

    def review(
        self, transcript: Transcript, context: Callable[[], Any], seconds: float | None = None
    ) -> tuple[Any, User | None]:
        """The answer, and what to say to the model if it is none; `None` accepts it.

        Args:
            transcript: It ends with what the model takes for its answer.
            context: Makes the run's `Context`, for checks that want it.
            seconds: How long async checks may take.

        Raises:
            OutputInvalid: The model was told often enough what is wrong.
            TimeoutError: The seconds are over.
            Exception: What a check raises that is no `ToolError`.
        """
        value, problem = self._look(transcript)
        for check in self.checks if problem is None else ():
            try:
                said = check(*((context(), value) if _takes_two(check) else (value,)))
                if inspect.iscoroutine(said):
                    threads.run_on_shared_loop(said).result(seconds)
            except ToolError as error:
                problem = str(error)
                break
        return value, self._objection(transcript, problem)

    async def areview(self, transcript: Transcript, context: Callable[[], Any]) -> tuple[Any, User | None]:
        """`review` on the running event loop."""
        value, problem = self._look(transcript)
        for check in self.checks if problem is None else ():
            try:
                said = check(*((context(), value) if _takes_two(check) else (value,)))
                if inspect.iscoroutine(said):
                    await said
            except ToolError as error:
                problem = str(error)
                break
        return value, self._objection(transcript, problem)

    def count(self, transcript: Transcript) -> None:
        """After calls: see that the output tool was not called wrongly more often than the model is corrected.

        Raises:
            OutputInvalid: It was.
        """
        if self.tool is None or transcript.final or transcript.open_calls:
            return
        since = takewhile(lambda entry: not isinstance(entry, Assistant), reversed(transcript))
        wrong = next((entry for entry in since if _is_wrong(entry)), None)
        if wrong is not None and self._corrected(transcript) > self.corrections:
            raise self._invalid(transcript, wrong.text)

    def _look(self, transcript: Transcript) -> tuple[Any, str | None]:
        """The answer, or what is wrong with it."""
        if self.tool is not None:
            return self._typed(self.tool, transcript)
        text = transcript.last.text if transcript.last is not None else ""
        if self.kind is str:
            return text, None
        try:
            return self.kind(text), None
        except (ToolError, ValueError) as error:
            return None, str(error) or type(error).__name__

    def _typed(self, tool: Tool[..., Any], transcript: Transcript) -> tuple[Any, str | None]:
        """The answer by the output tool, or as JSON in words."""
        if (call := _final_call(transcript)) is None:
            words = transcript.last.text.strip() if isinstance(transcript.last, Assistant) else ""
            if not words.startswith(("{", "```")):
                return None, "it is no call of the tool, and no JSON object"
            call = ToolCall("", NAME, words)
        try:
            return bind(tool, call).call(), None
        except ArgumentsInvalid as error:
            return None, "; ".join(str(problem) for problem in error.problems)

    def _objection(self, transcript: Transcript, problem: str | None) -> User | None:
        if problem is None:
            return None
        if self._corrected(transcript) >= self.corrections:
            raise self._invalid(transcript, problem)
        if self.tool is None:
            return User(f"Your answer cannot be taken: {problem}. Give it again, mended.", by="review")
        return User(
            f"Your answer cannot be taken: {problem}. Give the final answer by calling the tool `{NAME}`; if you have"
            " no such tool, as one JSON object and nothing else.",
            by="review",
        )

    def _corrected(self, transcript: Transcript) -> int:
        """How often this run's model was told that its answer is wrong."""
        since = transcript.since(transcript.turn)
        return sum(_is_wrong(entry) or (isinstance(entry, User) and entry.by == "review") for entry in since)

    def _invalid(self, transcript: Transcript, problem: str) -> OutputInvalid:
        said = transcript.text
        words = f" Its last words were {said[:200]!r}." if said else ""
        return OutputInvalid(
            f"the model gave no answer of type `{_name(self.kind)}`: {problem}.{words} Say in the instructions what is"
            " wanted, allow more `corrections`, or use a more able model"
        )


class Growing(Generic[T]):
    """The answer of a run while it comes: what can be made of the part that is there.

    Args:
        output: How the run gets its answer.
    """

    def __init__(self, output: Output[T]) -> None:
        self._output = output
        self._text: list[str] = []
        self._names: dict[int, str] = {}
        self._pieces: list[str] = []
        self._shown: object = _NOTHING

    def take(self, event: Event) -> bool:
        """Take the next event; whether there may be more of the answer now."""
        if isinstance(event, TextDelta):
            self._text.append(event.text)
            return not self._pieces
        if isinstance(event, CallDelta):
            name = self._names[event.index] = self._names.get(event.index, "") + event.name
            if name == NAME and event.arguments:
                self._pieces.append(event.arguments)
                return True
        elif isinstance(event, CallModel | Restarted):
            self._text, self._names, self._pieces = [], {}, []
        return False

    def values(self) -> Iterator[T]:
        """The answer so far, if it is one and another than before; strings that are still coming are cut short.

        Of a typed answer there is nothing before all that it requires is there: a `TypedDict` of which nothing is
        required, or fields with defaults, show it from the beginning.
        """
        value = self._value()
        if value is not _NOTHING and value != self._shown:
            self._shown = value
            yield cast("T", value)

    def _value(self) -> object:
        if self._output.tool is None:
            return "".join(self._text) if self._output.kind is str else _NOTHING
        from pydantic import ValidationError
        from pydantic_core import from_json

        written = "".join(self._pieces or self._text).encode("utf-8", "replace")
        try:
            data = from_json(written, allow_partial="trailing-strings")
        except ValueError:
            return _NOTHING
        for candidate in _unwrapped(data, self._output.tool):
            try:
                return self._output.adapter.validate_python(candidate, experimental_allow_partial="trailing-strings")
            except ValidationError:
                continue
        return _NOTHING


_NOTHING: Any = object()


def _unwrapped(data: object, tool: Tool[..., Any]) -> Iterator[object]:
    """What may be the answer among the output tool's arguments: its fields may stand alone, or under `answer`."""
    if isinstance(data, dict):
        fields = cast("dict[str, object]", data)
        if "answer" not in tool.schema.get("properties", {}):
            yield fields
        if "answer" in fields:
            yield fields["answer"]


def _output_tool(kind: Any) -> Tool[..., Any]:
    def final_answer(answer: Any) -> Any:
        return answer

    final_answer.__annotations__ = {"answer": kind, "return": kind}
    return Tool(
        final_answer,
        name=NAME,
        description="Give the final answer. Call this once, alone, when all that is needed for it is known.",
        side_effects="none",
    )


def _is_function(kind: Any) -> bool:
    """Whether this is called with the model's words: neither a class nor one of the forms that types are written in."""
    forms = ("typing", "types", "typing_extensions")
    return callable(kind) and not isinstance(kind, type) and type(kind).__module__ not in forms


def _takes_two(check: Check) -> bool:
    """Whether a check wants the `Context` before the answer."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    given = inspect.signature(check).parameters.values()
    return sum(one.kind in kinds and one.default is inspect.Parameter.empty for one in given) > 1


def _is_wrong(entry: Entry) -> TypeGuard[ToolMessage]:
    """Whether this answers a call of the output tool that did not fit."""
    return isinstance(entry, ToolMessage) and entry.name == NAME and not entry.ok


def _final_call(transcript: Transcript) -> ToolCall | None:
    """The call of the output tool that ended the run, if one did; of several, the one that was answered first."""
    answered = ""
    for entry in reversed(transcript) if transcript.final else ():
        if isinstance(entry, ToolMessage) and entry.final:
            answered = entry.tool_call_id
        elif isinstance(entry, Assistant):
            return next((call for call in entry.tool_calls if call.id == answered), None)
    return None


def _name(kind: Any) -> str:
    return getattr(kind, "__name__", None) or repr(kind)


def with_output(tools: dict[str, Tool[..., Any]], output: Output[Any]) -> dict[str, Tool[..., Any]]:
    """The tools and the output tool, if there is one.

    Raises:
        ConfigurationError: A tool has the output tool's name.
    """
    if output.tool is None:
        return tools
    if NAME in tools:
        raise ConfigurationError(
            f"a tool is called `{NAME}`, which is the name of the output tool: rename it", code="duplicate-tool"
        )
    return {**tools, NAME: output.tool}
