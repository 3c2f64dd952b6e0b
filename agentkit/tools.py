"""Functions that a model may call: `@tool`, `Tool`, `Context`; checking one call's arguments and telling its outcome.

All here is pure but `Bound.call` and `Bound.acall`, which run the function. Threads and event loop share the rest.
"""

from __future__ import annotations

import functools
import inspect
import re
import types
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterable, Mapping, Sequence
from dataclasses import field
from typing import Any, Concatenate, Generic, Literal, ParamSpec, TypeVar, Union, cast, get_args, overload

from agentkit import values
from agentkit.errors import ConfigurationError, ToolError
from agentkit.frozen import frozen
from agentkit.messages import Message, ToolCall, ToolMessage, Usage
from agentkit.schema import ArgumentsInvalid, Given, Shape, Source, find_hidden, nearest, read, strict_form, tool_name

__all__ = [
    "ArgumentsInvalid",
    "Bound",
    "Context",
    "Told",
    "Tool",
    "ToolResult",
    "answer",
    "as_tools",
    "bind",
    "failure",
    "tool",
    "unknown",
]

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")

SideEffects = Literal["none", "idempotent", "unsafe"]
Approval = bool | Callable[..., Any]
Json = dict[str, Any]

_NAME_SHOWN = 100
"""So many characters of a name that a model made up are shown."""

_NAMES_SHOWN = 200
"""So many of the tools that there are a model is told; endpoints take at most 128 (WIRE section 3)."""

_LONGEST = 1_000_000_000
"""The longest `timeout`, in seconds, some 30 years; no lock can wait ten times as long."""

MAX_RESULT = 16_000
"""So many characters of a result are told to the model, unless a tool says otherwise."""


@frozen
class Context(Generic[T]):
    """What a tool may know of the run: the value of a parameter annotated `Context`, which the model does not see.

    Attributes:
        value: What the caller gave as `context=`.
        call_id: The id of the call.
        tool_name: The tool's name.
        attempt: 1 for the first attempt, more after retries.
        usage: What the run has cost so far.
        messages: What has been said so far, the message with this call last.
        idempotency_key: The same for each attempt at this call, also after a restart; different for any other call.
        run_id: The run's id.
        within: What the run shares with the runs of agents that are its tools.
    """

    value: T = None  # type: ignore[assignment] # without a context the type is `Context[None]`
    call_id: str = ""
    tool_name: str = ""
    attempt: int = 1
    usage: Usage = field(default_factory=Usage)
    messages: Sequence[Message] = ()
    idempotency_key: str = ""
    run_id: str = ""
    within: Any = field(default=None, repr=False, compare=False)


_CONTEXT_TEXT = re.compile(r"(?:Optional\[)?(?:\w+\.)*Context(?:\[.*\])?\]?(?:\s*\|\s*None)?")


def _is_context(annotation: Any) -> bool:
    """Whether an annotation is `Context`, `Context[T]`, one of these or `None`, or the text of it."""
    if isinstance(annotation, str):
        return _CONTEXT_TEXT.fullmatch(annotation.strip()) is not None
    origin: Any = getattr(annotation, "__origin__", None)
    if annotation is Context or origin is Context:
        return True
    if hasattr(annotation, "__metadata__"):
        return _is_context(origin)
    if origin is Union or isinstance(annotation, types.UnionType):
        return any(_is_context(one) for one in get_args(annotation))
    return False


@frozen
class ToolResult:
    """A result that tells the model one thing and gives the program another.

    Attributes:
        content: What the model is told; anything that a tool may return.
        data: A JSON value for `ToolMessage.data`; models, dataclasses and dates are made JSON.
    """

    content: Any
    data: Any = None


class Tool(Generic[P, R_co]):
    """A function that a model may call, with what the model is told of it; calling it calls the function.

    In a class it is a method: `obj.name` is the tool bound to `obj`.

    Attributes:
        function: The function.
        name: The name that the model calls it by.
        timeout: Seconds after which a call is given up; `None` for no limit.
        retries: How often a call that fails is tried again.
        approval: Whether a call needs a verdict first, or a function that says so.
        sequential: Whether it runs alone, in the caller's thread.
        side_effects: `"none"`, `"idempotent"` (a repetition does no harm) or `"unsafe"`.
        max_result: How many characters of a result the model is told.
        strict: Whether the endpoint shall hold the model to the schema, where it can.
        is_async: Whether a call must be awaited.
        is_method: Whether it was defined in a class, so that an object's attribute is bound to the object.
        written: `definition()` as JSON, once an encoder has written it: many runs share a tool.
    """

    __slots__ = (
        "__weakref__", "_bound_shape", "_shape", "approval", "function", "is_async", "is_method", "max_result", "name",
        "retries", "sequential", "side_effects", "strict", "timeout", "written",
    )  # fmt: skip

    def __init__(
        self,
        function: Callable[P, R_co],
        *,
        name: str | None = None,
        description: str | None = None,
        timeout: float | None = None,
        retries: int = 0,
        approval: Approval = False,
        sequential: bool = False,
        side_effects: SideEffects = "unsafe",
        max_result: int = MAX_RESULT,
        strict: bool = False,
        shape: Shape | Given | None = None,
    ) -> None:
        """Make a tool of a function; see `tool`. A `shape` stands for the function's own signature.

        Raises:
            ConfigurationError: The function cannot be described, or an option has no sense.
        """
        plain: Any = function
        if static := isinstance(plain, staticmethod):
            plain = cast("Any", plain).__func__
        self.is_method = not static and _in_class_body(plain)
        if shape is None:
            shape = read(_unbound(plain), name=name, description=description, hidden=_is_context, later=self.is_method)
        self.function: Callable[P, R_co] = plain
        self.name: str = shape.name
        self.timeout = timeout
        self.retries = retries
        self.approval = approval
        self.sequential = sequential
        self.side_effects: SideEffects = side_effects
        self.max_result = max_result
        self.strict = strict
        self.is_async = _is_async(plain)
        self._shape = shape
        self._bound_shape: Shape | None = None
        self.written: bytes | None = None
        if problem := _bad_option(self):
            raise shape.source.fail(problem)

    @classmethod
    def from_schema(
        cls, function: Callable[..., R], *, name: str, description: str, parameters: Mapping[str, Any], **options: Any
    ) -> Tool[..., R]:
        """Make a tool of a function and a ready JSON Schema; the function is called with keywords.

        Arguments are checked to be one JSON object with the required keys, and without others where the schema says
        `additionalProperties: false`; the rest is left to the function.

        Args:
            function: What to call. A parameter annotated `Context` is filled by the run.
            name: The tool's name.
            description: What it does.
            parameters: A JSON Schema of type `object`.
            **options: As for `tool`.

        Raises:
            ConfigurationError: The name or the schema is not fit for a tool, or an option has no sense.
        """
        given = Given(name, description, parameters, Source(function), find_hidden(function, _is_context))
        return cast("type[Tool[..., R]]", cls)(function, shape=given, **options)

    @property
    def description(self) -> str:
        """What the model is told that the tool does."""
        return self._shape.description

    @property
    def schema(self) -> Json:
        """The JSON Schema of the parameters; only to be read."""
        return self._shape.parameters

    @property
    def shape(self) -> Shape | Given:
        """How arguments are described and checked."""
        return self._shape

    @property
    def wants_context(self) -> bool:
        """Whether the run fills one of the parameters."""
        self._shape.settle()
        return self._shape.hidden is not None

    @property
    def where(self) -> str:
        """The place of the function in the source, `file.py:12`; `""` where there is none."""
        return self._shape.source.where

    @property
    def __wrapped__(self) -> Callable[P, R_co]:
        return self.function

    @property
    def __name__(self) -> str:
        return self.name

    def definition(self) -> Json:
        """The tool as the wire has it (WIRE section 3): always with name, description and parameters.

        With `strict`, the parameters are in the strict subset, if they can be; `findings` tells what is lost.
        """
        function: Json = {"name": self.name, "description": self.description, "parameters": self.schema}
        if self.strict and not (form := strict_form(self.schema)).obstacles:
            function |= {"parameters": form.parameters, "strict": True}
        return {"type": "function", "function": function}

    def findings(self) -> list[str]:
        """What a careful author would mend: words that are missing, options at odds, what strict mode cannot take."""
        found = self._shape.findings()
        if self.retries and self.side_effects == "unsafe":
            found.append(
                f'a call that fails is run again (`retries={self.retries}`) although `side_effects` is `"unsafe"`;'
                ' declare `"idempotent"` if that does no harm'
            )
        if self.strict:
            form = strict_form(self.schema)
            found += [f"sent without strict mode, since {one}" for one in form.obstacles]
            found += [f"checked here only, since strict mode cannot take it: {one}" for one in form.dropped]
        return found

    def options(self) -> dict[str, Any]:
        """The options by name, to make another tool like this one."""
        return {name: getattr(self, name) for name in _OPTIONS}

    def renamed(self, name: str) -> Tool[P, R_co]:
        """The same tool under another name.

        Raises:
            ConfigurationError: Endpoints do not take the name.
        """
        made = Tool(self.function, shape=self._shape, **self.options())
        made.name = tool_name(None, self._shape.source, name)
        made.is_method = self.is_method
        return made

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Call the function, as if it were no tool."""
        return self.function(*args, **kwargs)

    @overload
    def __get__(self, instance: None, owner: type, /) -> Tool[P, R_co]: ...
    @overload
    def __get__(self: Tool[Concatenate[Any, Q], R], instance: object, owner: type | None = None, /) -> Tool[Q, R]: ...
    def __get__(self, instance: object | None, owner: type | None = None, /) -> Tool[..., Any]:
        """Of a class, the tool itself (or bound to the class, for a class method); of an object, bound to it."""
        function: Any = self.function
        by_class = isinstance(self.function, classmethod)
        if not self.is_method or (instance is None and not by_class):
            return self
        if self._bound_shape is None:
            assert isinstance(self._shape, Shape)
            told = self._shape.told
            self._bound_shape = read(
                _unbound(function), name=self.name, description=told, hidden=_is_context, drop_first=True
            )
        return Tool(function.__get__(instance, owner), shape=self._bound_shape, **self.options())

    def __repr__(self) -> str:
        return f"<Tool {self.name} ({self.where})>" if self.where else f"<Tool {self.name}>"


_OPTIONS = ("timeout", "retries", "approval", "sequential", "side_effects", "max_result", "strict")


def _bad_option(tool: Tool[..., Any]) -> str | None:
    """What is wrong with an option, if anything."""

    def whole(value: object, least: int) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and value >= least

    timeout: Any = tool.timeout
    number = isinstance(timeout, int | float) and not isinstance(timeout, bool)
    if timeout is not None and not (number and 0 < timeout <= _LONGEST):
        return f"`timeout` is a number of seconds above 0 (up to {_LONGEST:,}), or `None`; got `{timeout!r}`"
    if not whole(tool.retries, 0):
        return f"`retries` is a whole number from 0; got `{tool.retries!r}`"
    if not whole(tool.max_result, 100):
        return f"`max_result` is a number of characters from 100; got `{tool.max_result!r}`"
    if tool.side_effects not in get_args(SideEffects):
        return f'`side_effects` is "none", "idempotent" or "unsafe"; got `{tool.side_effects!r}`'
    if not isinstance(tool.approval, bool) and not callable(tool.approval):
        return f"`approval` is `True`, `False` or a function; got `{tool.approval!r}`"
    if callable(tool.approval) and _is_async(tool.approval):
        return "`approval` is a plain function of the arguments; what must be awaited belongs in the run's `approve=`"
    for name in ("sequential", "strict"):
        if not isinstance(getattr(tool, name), bool):
            return f"`{name}` is `True` or `False`; got `{getattr(tool, name)!r}`"
    return None


def _in_class_body(function: Any) -> bool:
    """Whether a function was defined in the body of a class, by its qualified name."""
    if isinstance(function, classmethod):
        return True
    if not isinstance(function, types.FunctionType):
        return False
    head, _, _ = function.__qualname__.rpartition(".")
    return bool(head) and not head.endswith("<locals>")


def _unbound(function: Any) -> Any:
    """The function of a class method, anything else as it is."""
    return cast("Any", function).__func__ if isinstance(function, classmethod) else function


def _is_async(function: Any) -> bool:
    plain: Any = _unbound(function)
    if type(plain) is types.FunctionType and not plain.__dict__:
        return bool(plain.__code__.co_flags & (inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR))
    while isinstance(plain, functools.partial):
        plain = cast("functools.partial[Any]", plain).func
    if not isinstance(plain, types.FunctionType | types.MethodType):
        plain = getattr(cast("Any", type(plain)), "__call__", plain)  # noqa: B004 - the function behind it
    plain = cast("Any", plain)
    return inspect.iscoroutinefunction(plain) or inspect.isasyncgenfunction(plain)


@overload
def tool(
    function: Callable[P, R],
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    timeout: float | None = None,
    retries: int = 0,
    approval: Approval = False,
    sequential: bool = False,
    side_effects: SideEffects = "unsafe",
    max_result: int = MAX_RESULT,
    strict: bool = False,
) -> Tool[P, R]: ...
@overload
def tool(
    function: None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    timeout: float | None = None,
    retries: int = 0,
    approval: Approval = False,
    sequential: bool = False,
    side_effects: SideEffects = "unsafe",
    max_result: int = MAX_RESULT,
    strict: bool = False,
) -> Callable[[Callable[P, R]], Tool[P, R]]: ...
def tool(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a tool of a function: bare (`@tool`) or with options (`@tool(timeout=5)`).

    The model is told the function's name, its docstring without the parameters, and a JSON Schema of its parameters
    from type hints and docstring. The result can still be called as the function.

    Args:
        function: A function, method, partial or an object that can be called; plain or async.
        name: Another name for the model: 1 to 64 letters, digits, `_` and `-`.
        description: Other words for the model than the docstring's.
        timeout: Seconds after which a call is given up. A plain function's thread goes on; its result is ignored.
        retries: How often a call that fails is tried again (not after a `ToolError`).
        approval: `True`, or a function of the checked arguments (by name) that says whether a call waits.
        sequential: Let it run alone, in the caller's thread.
        side_effects: `"none"`, `"idempotent"` or `"unsafe"`: whether it may be done again after a crash.
        max_result: How many characters of a result the model is told; longer ones are cut in the middle.
        strict: Ask the endpoint to hold the model to the schema.

    Raises:
        ConfigurationError: The function cannot be described, or an option has no sense.
    """
    if function is None:
        return functools.partial(tool, **options)
    if isinstance(function, Tool):
        known = cast("Tool[..., Any]", function)
        raise known.shape.source.fail("it is a tool already. Make another of its `.function`")
    return Tool(function, **options)


def as_tools(items: Iterable[Any]) -> dict[str, Tool[..., Any]]:
    """Tools by name, from functions, `Tool`s and groups (objects that have `tools`).

    Raises:
        ConfigurationError: Two tools have one name, or something is no function.
    """
    if isinstance(items, str | bytes | Mapping) or not hasattr(items, "__iter__"):
        raise ConfigurationError(f"`tools` is a list of functions and tools; got `{items!r:.80}`", code="bad-tool")
    found: dict[str, Tool[..., Any]] = {}
    for item in items:
        for one in _flat(item):
            other = found.setdefault(one.name, one)
            if other is not one:
                places = " and ".join(place or "no source" for place in (other.where, one.where))
                raise ConfigurationError(
                    f"two tools are called `{one.name}` ({places}); give one of them a `name=`", code="duplicate-tool"
                )
    return found


def _flat(item: Any) -> Iterable[Tool[..., Any]]:
    if not isinstance(item, Tool):
        inner = getattr(item, "__func__", None)
        if isinstance(inner, Tool):  # a class method of a tool, as Python from 3.13 on binds it
            item = cast("Any", inner).__get__(item.__self__)
        elif not callable(item) and isinstance(group := getattr(item, "tools", None), Iterable):
            return [one for part in cast("Iterable[Any]", group) for one in _flat(part)]
        else:
            item = Tool(item)
    made = cast("Tool[..., Any]", item)
    _refuse_unbound(made)
    made.shape.settle(first=True)
    return [made]


def _refuse_unbound(made: Tool[..., Any]) -> None:
    """Refuse a method that still waits for its object: the model would be asked for `self`."""
    shape = made.shape
    if made.is_method and isinstance(shape, Shape) and shape.order:
        first = shape.order[0]
        if first.name in ("self", "cls") and first.annotation is inspect.Parameter.empty:
            owner = shape.source.label.split(".")[-2]
            raise shape.source.fail(
                f"it is a method without its object. Give the method of an object: `{owner}(…).{made.name}`"
            )


# One call.


class Bound:
    """A call whose arguments passed the check, ready to run.

    Attributes:
        tool: The tool.
        repairs: How often each kind of repair was made to what the model wrote; empty where none was needed.
    """

    __slots__ = ("_given", "_text", "repairs", "tool")

    def __init__(self, tool: Tool[..., Any], arguments: str, *, complete: bool = True) -> None:
        self.tool = tool
        try:
            taken = tool.shape.take(arguments, complete=complete)
        except ArgumentsInvalid as error:
            if error.tool == tool.name:
                raise
            raise ArgumentsInvalid(tool.name, error.problems) from None  # the model knows it by another name
        self.repairs: Mapping[str, int] = taken.repairs
        self._text = taken.text
        self._given: dict[str, Any] | None = taken.given

    @property
    def arguments(self) -> dict[str, Any]:
        """The checked arguments by the names that the model is shown, read anew: changing them changes nothing."""
        return self.tool.shape.take(self._text).given

    def _places(self, context: Context[Any] | None) -> tuple[list[Any], dict[str, Any]]:
        # a second attempt reads them anew: the first may have changed a list it was given
        given, self._given = self._given, None
        shape = self.tool.shape
        return shape.place(self.arguments if given is None else given, context)

    def call(self, context: Context[Any] | None = None) -> Any:
        """Run a plain function in this thread and give its value, a generator's as a list.

        An awaitable that it returns is awaited on an event loop of its own.

        Args:
            context: For the parameter that the run fills.

        Raises:
            ConfigurationError: It returned an awaitable in a thread whose event loop is running.
            Exception: Whatever the function raises.
        """
        args, kwargs = self._places(context)
        value: Any = self.tool.function(*args, **kwargs)
        if isinstance(value, Generator | map | filter | zip):
            return list(cast("Iterable[Any]", value))
        if inspect.isawaitable(value) or isinstance(value, AsyncGenerator):
            return self._run_to_its_end(value)
        return value

    def _run_to_its_end(self, value: Any) -> Any:
        import asyncio

        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(_awaited(value))
        if inspect.iscoroutine(value):
            value.close()
        raise self.tool.shape.source.fail(
            "it is a plain function that returns an awaitable, and it is `sequential`. Make it `async def`"
        )

    def acall(self, context: Context[Any] | None = None) -> Coroutine[Any, Any, Any]:
        """Call an async function; to be awaited for its value, an async generator's as a list."""
        args, kwargs = self._places(context)
        value: Any = self.tool.function(*args, **kwargs)
        plain = type(value) is types.CoroutineType  # as most are; the rest has to be looked at
        return cast("Coroutine[Any, Any, Any]", value) if plain else _awaited(value)


async def _awaited(value: Any) -> Any:
    if isinstance(value, AsyncGenerator):
        return [one async for one in cast("AsyncGenerator[Any, Any]", value)]
    return await value if inspect.isawaitable(value) else value


def bind(tool: Tool[..., Any], call: ToolCall, *, complete: bool = True) -> Bound:
    """Check the arguments of a call.

    Args:
        tool: The tool that is called.
        call: The call.
        complete: Whether the reply with the call is known to have come to its end; what was cut is not mended.

    Raises:
        ArgumentsInvalid: They do not fit; its text is for the model.
        ConfigurationError: A parameter's annotation cannot be resolved.
        Exception: What a validator of the tool's own types raises, if neither `ValueError` nor `AssertionError`.
    """
    return Bound(tool, call.arguments, complete=complete)


# What the model is told of the outcome.


@frozen
class Told:
    """The answer to a call, and what onlookers should know of it beside.

    Attributes:
        message: The answer.
        whole: All of its text, where the model is told a part; else `None`.
        warning: What is wrong with the value that a tool returned; `""` if nothing is.
    """

    message: ToolMessage
    whole: str | None = None
    warning: str = ""


def answer(call: ToolCall, value: Any, tool: Tool[..., Any]) -> Told:
    """The answer to a call whose tool returned a value.

    A string is told as it is, anything else as JSON: dataclasses, models, dates, sets, decimals, bytes as base64;
    `None` as `null`; what JSON cannot carry as a short `repr`, with a warning. A text longer than `max_result` is cut
    in the middle, with the parameters that turn its pages, if there are any.
    """
    data: Any = None
    odd: list[str] = []
    if isinstance(value, ToolResult):
        data = None if value.data is None else values.as_json(value.data, odd)
        value = value.content
    text = values.as_text(value, odd)
    shown = values.cut(text, tool.max_result, _paging(tool)) if len(text) > tool.max_result else text
    warning = ""
    if odd:
        kinds = ", ".join(f"`{kind}`" for kind in dict.fromkeys(odd[:_KINDS_SHOWN]))
        warning = (
            f"the result of tool `{call.name}` holds what JSON has no form for, or holds itself ({kinds});"
            " the model is told a short `repr`. Return texts, numbers, lists and dictionaries of them, or dataclasses"
        )
    return Told(ToolMessage(call.id, call.name, shown, data=data), None if shown is text else text, warning)


_KINDS_SHOWN = 100
"""So many objects without a form in JSON are looked at for their types."""

_PAGING = frozenset(
    "offset limit skip start end page page_size per_page page_number cursor head tail lines start_line end_line"
    " from_line to_line first_line last_line max_lines max_chars max_results".split()
)


def _paging(tool: Tool[..., Any]) -> str:
    """What to tell a model of the rest of a long result, where the tool has parameters that choose a part."""
    names = [f"`{name}`" for name in tool.schema["properties"] if name.lower() in _PAGING]
    if not names:
        return ""
    return f"for the rest, call `{tool.name}` again with other values of {' and '.join(names[:4])}"


def failure(call: ToolCall, error: BaseException) -> Told:
    """The answer to a call that failed.

    The words of a `ToolError` and of `ArgumentsInvalid` are the model's; of any other exception it is told the type
    only, since the text may hold secrets.
    """
    text = str(error) if isinstance(error, ToolError | ArgumentsInvalid) else ""
    text = values.clean(text or f"`{call.name}` failed (`{type(error).__name__}`)")
    shown = values.cut(text, MAX_RESULT)
    return Told(ToolMessage(call.id, call.name, shown, ok=False), None if shown is text else text)


def unknown(call: ToolCall, names: Iterable[str]) -> ToolMessage:
    """The message for a call of a tool that there is not: it names those there are, and the nearest. None is run."""
    known = list(names)
    text = f"There is no tool `{values.clean(call.name[:_NAME_SHOWN])}`."
    if near := nearest(call.name, known):
        text += f" Did you mean `{near}`?"
    if not known:
        text += " There are no tools."
    else:
        more = f" and {len(known) - _NAMES_SHOWN:,} more" if len(known) > _NAMES_SHOWN else ""
        text += f" The tools are: {', '.join(f'`{name}`' for name in known[:_NAMES_SHOWN])}{more}."
    return ToolMessage(call.id, call.name, text, ok=False)
