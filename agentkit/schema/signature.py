"""The signature of anything that can be called, with its annotations resolved."""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import re
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Literal, cast

from agentkit.errors import ConfigurationError

Hidden = Callable[[Any], bool]
"""Whether an annotation marks the parameter that the run fills; also asked with the text of one that has no meaning."""

EMPTY: Any = inspect.Parameter.empty
ABSENT: Any = object()
"""The default of a parameter that may be left out although it has no default, as in an unpacked `TypedDict`."""

POSITIONAL_ONLY, ORDINARY, VAR_POSITIONAL, KEYWORD_ONLY, VAR_KEYWORD = range(5)
"""The kinds of a parameter, as `inspect` counts them."""

_PLAIN_NAMES = {"str": str, "int": int, "float": float, "bool": bool, "None": None}


class Param:
    """One parameter of a function.

    Attributes:
        name: Its name in Python.
        key: The name that the model is shown: an alias, if `Field` gives one.
        kind: Positional-only 0, ordinary 1, `*args` 2, keyword-only 3, `**kwargs` 4.
        annotation: Its type; a text, or holding one, while that cannot be resolved.
        default: The default that Python or `Field` gives, or `inspect.Parameter.empty`.
        fill: Gives the value where the model gives none and Python would not (`Field` defaults); else `None`.
        plain: Its JSON Schema, if the type is a common one that was described by hand; else `None`.
        extra: What `Field` and `Annotated` add to the JSON Schema: a description, examples, …
    """

    __slots__ = ("annotation", "default", "extra", "fill", "key", "kind", "name", "plain")

    def __init__(self, name: str, kind: int, annotation: Any, default: Any) -> None:
        self.name = name
        self.key = name
        self.kind = kind
        self.annotation = annotation
        self.default = default
        self.fill: Callable[[], Any] | None = None
        self.plain: dict[str, Any] | None = None
        self.extra: dict[str, Any] = {}

    @property
    def required(self) -> bool:
        """Whether the model must give it."""
        return self.default is EMPTY and self.fill is None and self.kind not in (VAR_POSITIONAL, VAR_KEYWORD)


class Source:
    """Where a function comes from: for its names, its documentation and for messages about it.

    Attributes:
        function: The innermost plain function, or `None` where there is none (a builtin).
        label: How messages call it.
        doc: Its docstring.
        names: Local names that its annotations need, kept while they cannot be resolved.
    """

    __slots__ = ("doc", "function", "label", "names")

    def __init__(self, function: Any) -> None:
        inner = _innermost(function)
        self.function: types.FunctionType | None = inner if isinstance(inner, types.FunctionType) else None
        self.label: str = getattr(inner, "__qualname__", None) or repr(function)
        self.names: dict[str, Any] = {}
        while isinstance(function, functools.partial):  # its own docstring is that of its class
            function = cast("functools.partial[Any]", function).func
        doc = function.__doc__ if isinstance(function, types.FunctionType) else getattr(inner, "__doc__", None)
        if not doc and isinstance(function, types.MethodType):
            doc = inspect.getdoc(function)
        elif not doc and call_of(function) is not None:
            doc = type(function).__doc__
        self.doc: str | None = doc

    def namespace(self) -> dict[str, Any]:
        """The local names that an annotation may mean: of the functions around, and of the closure."""
        around = _frames(self.function.__globals__) if self.function else {}
        return {**self.names, **around, **_closure(self.function)}

    @property
    def receiver(self) -> str | None:
        """The name of the parameter that a method or an object that can be called fills by itself."""
        if self.function is None or not self.function.__code__.co_argcount:
            return None
        return self.function.__code__.co_varnames[0]

    @property
    def where(self) -> str:
        """The place in the source: `file.py:12`, or `""` where there is none."""
        if self.function is None:
            return ""
        code = self.function.__code__
        return f"{os.path.basename(code.co_filename)}:{code.co_firstlineno}"

    def fail(self, problem: str) -> ConfigurationError:
        """The error that says where, what and why."""
        where = f" ({self.where})" if self.where else ""
        return ConfigurationError(f"`{self.label}` cannot be a tool: {problem}{where}", code="bad-tool")


def _innermost(function: Any) -> Any:
    """Look through partials, methods, `functools.wraps` and objects that can be called, to what does the work."""
    for _ in range(100):
        if isinstance(function, functools.partial):
            function = cast("functools.partial[Any]", function).func
        elif isinstance(function, types.MethodType | staticmethod | classmethod):
            function = cast("types.MethodType", function).__func__
        elif hasattr(function, "__wrapped__"):
            function = function.__wrapped__
        elif (call := call_of(function)) is not None:
            function = call
        else:
            break
    return function


def call_of(function: Any) -> Any:
    """The `__call__` that a Python class gives its objects, else `None`."""
    if isinstance(function, type | types.FunctionType):
        return None
    call: Any = getattr(cast("type[Any]", type(function)), "__call__", None)  # noqa: B004 - the function itself
    return call if isinstance(call, types.FunctionType) else None


def signature(function: Any, source: Source) -> list[Param]:
    """The parameters; read off the code object of a plain function, which is many times quicker than `inspect`."""
    plain = function.__func__ if type(function) is types.MethodType else function
    if type(plain) is types.FunctionType and not plain.__dict__.keys() & {"__wrapped__", "__signature__"}:
        params = _of_code(plain)
        return params[1:] if plain is not function and params and params[0].kind != VAR_POSITIONAL else params
    try:
        found = inspect.signature(function).parameters.values()
    except (ValueError, TypeError) as error:
        raise source.fail(
            "Python cannot tell its signature. Wrap it: `def name(x: int) -> str: …`, or use `Tool.from_schema`"
        ) from error
    return [Param(one.name, int(one.kind), one.annotation, one.default) for one in found]


def _of_code(function: types.FunctionType) -> list[Param]:
    code = function.__code__
    notes: Mapping[str, Any] = function.__annotations__
    names, many, plain = code.co_varnames, code.co_argcount, code.co_posonlyargcount
    defaults = function.__defaults__ or ()
    first_default = many - len(defaults)
    params = [
        Param(
            name,
            POSITIONAL_ONLY if i < plain else ORDINARY,
            notes.get(name, EMPTY),
            defaults[i - first_default] if i >= first_default else EMPTY,
        )
        for i, name in enumerate(names[:many])
    ]
    keywords = code.co_kwonlyargcount
    after = many + keywords
    if code.co_flags & inspect.CO_VARARGS:
        params.append(Param(names[after], VAR_POSITIONAL, notes.get(names[after], EMPTY), EMPTY))
        after += 1
    if keywords:
        given = function.__kwdefaults__ or {}
        params += [
            Param(name, KEYWORD_ONLY, notes.get(name, EMPTY), given.get(name, EMPTY))
            for name in names[many : many + keywords]
        ]
    if code.co_flags & inspect.CO_VARKEYWORDS:
        params.append(Param(names[after], VAR_KEYWORD, notes.get(names[after], EMPTY), EMPTY))
    return params


class Unresolved(Exception):
    """An annotation names what is not there (yet)."""


def resolve(annotation: Any, source: Source, *, last: bool = False) -> Any:
    """An annotation as a type.

    Args:
        annotation: A type, or a text that names one.
        source: The function, whose names are looked at.
        last: Leave nothing untried: import what the module imports under `if TYPE_CHECKING:`.

    Raises:
        Unresolved: It names what is not there (yet).
        ConfigurationError: It is no type at all.
    """
    if isinstance(annotation, str):
        if annotation in _PLAIN_NAMES and source.function and annotation not in source.function.__globals__:
            return _PLAIN_NAMES[annotation]
    elif not _holds_text(annotation):
        return annotation
    function = source.function
    names: dict[str, Any] = function.__globals__ if function else {}
    local = {**source.names, **_closure(function)}
    try:
        return _hint(annotation, names, local)
    except NameError:
        pass
    except Exception as error:
        raise source.fail(
            f"its annotation `{annotation}` is no type ({error}). Write a type; words about a parameter go into the"
            ' docstring or into `Annotated[str, "…"]`'
        ) from error
    wanted = set(re.findall(r"\w+", str(annotation)))
    local = {**local, **_frames(names)}
    if last and function is not None:
        local = {**_for_type_checkers(function, wanted), **local}
    try:
        return _hint(annotation, names, local)
    except Exception as error:
        source.names.update((name, value) for name, value in local.items() if name in wanted)
        raise Unresolved(str(error)) from error


def _hint(annotation: Any, names: dict[str, Any], local: dict[str, Any]) -> Any:
    if isinstance(annotation, str):
        annotation = eval(_compiled(annotation), names, local)  # noqa: S307 - the program's own annotation
    if _holds_text(annotation):
        holder = types.SimpleNamespace(__annotations__={"it": annotation})
        annotation = typing.get_type_hints(holder, names, local, include_extras=True)["it"]
    return annotation


@functools.lru_cache(maxsize=1024)
def _compiled(annotation: str) -> types.CodeType:
    return compile(annotation.strip(), "<annotation>", "eval")


def _for_type_checkers(function: types.FunctionType, wanted: set[str]) -> dict[str, Any]:
    """The wanted names of those that the function's module imports under `if TYPE_CHECKING:`, where they can be had."""
    import ast

    try:
        tree = ast.parse(inspect.getsource(inspect.getmodule(function) or function))
    except (OSError, SyntaxError, TypeError):
        return {}
    names: dict[str, Any] = {"__package__": function.__globals__.get("__package__"), "__name__": function.__module__}
    for node in tree.body:
        if not isinstance(node, ast.If) or ast.unparse(node.test).rpartition(".")[2] != "TYPE_CHECKING":
            continue
        for statement in node.body:
            if not isinstance(statement, ast.Import | ast.ImportFrom):
                continue
            origin = ""
            if isinstance(statement, ast.ImportFrom):
                origin = f"from {'.' * statement.level}{statement.module or ''} "
            for alias in statement.names:
                if (alias.asname or alias.name.partition(".")[0]) in wanted:
                    with contextlib.suppress(Exception):  # it was not meant to run, and perhaps cannot
                        exec(f"{origin}import {ast.unparse(alias)}", names)  # noqa: S102 - the program's own words
    return {name: value for name, value in names.items() if name in wanted}


def _holds_text(annotation: Any) -> bool:
    """Whether there is a forward reference in a type."""
    if isinstance(annotation, str | typing.ForwardRef):
        return True
    origin = getattr(annotation, "__origin__", None)
    if origin is Literal:
        return False
    if metadata := getattr(annotation, "__metadata__", None):
        return metadata is not None and _holds_text(origin)
    arguments = getattr(annotation, "__args__", None)
    return isinstance(arguments, tuple) and any(_holds_text(one) for one in cast("tuple[Any, ...]", arguments))


def _closure(function: types.FunctionType | None) -> dict[str, Any]:
    if function is None:
        return {}
    found: dict[str, Any] = {one.__name__: one for one in getattr(function, "__type_params__", ())}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            pass
    return found


def _frames(names: dict[str, Any]) -> dict[str, Any]:
    """The local names of the running functions of the module whose globals these are, the innermost winning."""
    found: dict[str, Any] = {}
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_globals is names and frame.f_locals is not names:
            found = {**frame.f_locals, **found}
        frame = frame.f_back
    return found


_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def tool_name(function: Any, source: Source, name: str | None = None) -> str:
    """The name that is given, else the function's own, checked to be one that endpoints take (WIRE section 3).

    Raises:
        ConfigurationError: There is none, or it has other characters than ASCII letters, digits, `_` and `-`.
    """
    if name is None:
        name = getattr(function, "__name__", None)
    if name is None and isinstance(function, functools.partial):
        return tool_name(cast("functools.partial[Any]", function).func, source)
    if name is None:
        kind = str(cast("Any", type(cast("object", function))).__name__)
        name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", kind).lower()
    if name == "<lambda>":
        raise source.fail("a lambda has no name. Give it one: `tool(lambda …, name=…)`")
    if not isinstance(cast("Any", name), str) or not _NAME.fullmatch(name):
        raise source.fail(
            f"its name is `{name}`, but endpoints take 1 to 64 ASCII letters, digits, `_` and `-`."
            " Give it another: `name=…`"
        )
    return name


def in_words(name: str) -> str:
    """`get_weather` and `getWeather` as "Get weather."."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    words = parted.replace("_", " ").replace("-", " ").split()
    text = " ".join(word if word.isupper() else word.lower() for word in words) or name
    return text[0].upper() + text[1:] + "."


def find_hidden(function: Any, is_hidden: Hidden) -> Param | None:
    """The parameter that the run fills, of a function whose schema is given. Other types need not be resolvable."""
    source = Source(function)
    try:
        order = signature(function, source)
    except ConfigurationError:
        return None
    for one in order:
        try:
            one.annotation = resolve(one.annotation, source)
        except (Unresolved, ConfigurationError):
            pass
        if one.annotation is not EMPTY and is_hidden(one.annotation):
            return one
    return None
