"""`frozen`: what `dataclass(frozen=True, slots=True)` makes, in a fraction of the time.

agentkit is made of a hundred small frozen classes, and making them was half of its import time: for each, the
standard library compiles six functions out of text. Here `dataclasses.dataclass` still finds the fields, so that
`fields`, `replace`, `asdict`, `match`, `copy` and `pickle` see a dataclass like any other. But what has to be
compiled (`__init__`, `__eq__`, `__hash__`) is compiled once for all classes of one form, with names that are then
exchanged for those of the class, and the rest are closures. `__init__` writes through the setters of the slots,
which takes half the time of `object.__setattr__`.

Two things differ from the standard library's: to set an attribute that is no field is a `FrozenInstanceError` too
(there a `TypeError`, by mistake), and a class without a docstring gets none that tells its signature.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields, is_dataclass
from functools import cache, partial
from reprlib import recursive_repr
from types import CellType, CodeType, FunctionType, GenericAlias
from typing import Any, TypeVar, cast, dataclass_transform, overload

T = TypeVar("T")


@overload
def frozen(cls: type[T], /) -> type[T]: ...
@overload
def frozen(*, kw_only: bool = False, eq: bool = True) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(Field, field))
def frozen(cls: type[Any] | None = None, /, *, kw_only: bool = False, eq: bool = True) -> Any:
    """Make a class a frozen dataclass with slots, as `dataclass(frozen=True, slots=True)` does.

    Args:
        cls: The class, whose annotations are the fields.
        kw_only: Whether its fields are taken by keyword only.
        eq: Whether two with equal fields are equal, and hash alike; else each equals itself alone.

    Raises:
        TypeError: What `dataclass` refuses too, such as a field without a default after one that has one.
    """
    if cls is None:
        return partial(_made, kw_only=kw_only, eq=eq)
    return _made(cls, kw_only, eq)


def _made(cls: Any, kw_only: bool, eq: bool) -> Any:
    """The class anew, with slots and the methods of its fields."""
    if _is_uncommon(cls):
        return dataclass(frozen=True, slots=True, kw_only=kw_only, eq=eq)(cls)
    if cls.__doc__ is None:
        cls.__doc__ = ""  # or `dataclass` writes one, by way of a slow look at the signature
    dataclass(init=False, repr=False, eq=False, kw_only=kw_only)(cls)
    own = fields(cls)
    names = tuple(one.name for one in own)
    space: dict[str, Any] = dict(cls.__dict__)
    for name in (*names, "__dict__", "__weakref__"):  # they belong to the class as it was without slots
        space.pop(name, None)
    space |= {"__slots__": names, "__qualname__": cls.__qualname__}
    space.setdefault("__repr__", _repr(own))
    space.setdefault("__getstate__", _getstate)
    space.setdefault("__setstate__", _setstate)
    if eq:
        _compare(space, own, cls)
    make = cast(Any, type(cls))
    new = make(cls.__name__, cls.__bases__, space)  # a class can be given slots at its birth alone
    _seal(new, names)
    if "__init__" not in space:
        new.__init__ = _init(new, own)
    # said only now: asked to freeze, `dataclass` would write the methods of `_seal` itself. What is derived from the
    # class has to be frozen as well
    new.__dataclass_params__.frozen = True
    return new


def _is_uncommon(cls: Any) -> bool:
    """Whether a class has slots, inherits fields or slots, or takes what is no field (`InitVar`).

    Such a class is left to the standard library; none of agentkit's is one.
    """
    return (
        "__slots__" in vars(cls)
        or any(is_dataclass(base) or getattr(base, "__slots__", ()) for base in cls.__mro__[1:-1])
        or any("InitVar" in str(kind) for kind in cls.__annotations__.values())
    )


# --- Methods that need no compiling ---------------------------------------------------------------------------------


def _getstate(self: Any) -> list[Any]:
    return [getattr(self, one.name) for one in fields(self)]


def _setstate(self: Any, state: Iterable[Any]) -> None:
    for one, value in zip(fields(self), state, strict=False):
        object.__setattr__(self, one.name, value)


def _repr(own: Iterable[Field[Any]]) -> Callable[[Any], str]:
    names = tuple(one.name for one in own if one.repr)
    form = f"({', '.join(f'{name}=%r' for name in names)})"

    def __repr__(self: Any) -> str:
        return type(self).__qualname__ + form % tuple([getattr(self, name) for name in names])

    return recursive_repr()(__repr__)


def _seal(cls: Any, names: tuple[str, ...]) -> None:
    """Let nothing be set or deleted; only a plain class derived from it may have further attributes."""

    def __setattr__(self: object, name: str, value: object) -> None:
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot assign to field {name!r}")
        super(cls, self).__setattr__(name, value)

    def __delattr__(self: object, name: str) -> None:
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot delete field {name!r}")
        super(cls, self).__delattr__(name)

    for method in (__setattr__, __delattr__):
        if method.__name__ in vars(cls):
            raise TypeError(f"Cannot overwrite attribute {method.__name__} in class {cls.__name__}")
        setattr(cls, method.__name__, method)


# --- Methods of a form ----------------------------------------------------------------------------------------------
#
# The code of a method is compiled once for all classes of one form, with `_0`, `_1`, … where the names of fields stand,
# both as attributes (`self._0`) and as parameters. A class gets a copy in which its own names stand there.


def _code(text: str) -> CodeType:
    """The code of the innermost function that a text defines."""
    code = compile(text, f"<{__name__}>", "exec")
    while inner := [one for one in code.co_consts if isinstance(one, CodeType)]:
        code = inner[0]
    return code


def _method(code: CodeType, cls: type[Any], renamed: Mapping[str, str], cells: Mapping[str, Any] | None = None) -> Any:
    """A method of a class, from the code of its form.

    Args:
        code: The code.
        cls: The class.
        renamed: What names in the code are exchanged for.
        cells: The values of its free variables.
    """
    code = code.replace(
        co_names=tuple(renamed.get(name, name) for name in code.co_names),
        co_varnames=tuple(renamed.get(name, name) for name in code.co_varnames),
        co_qualname=f"{cls.__qualname__}.{code.co_name}",
    )
    closure = tuple(CellType((cells or {})[name]) for name in code.co_freevars)
    function = FunctionType(code, globals(), closure=closure)
    function.__module__ = cls.__module__
    return function


def _renamed(names: Iterable[str]) -> dict[str, str]:
    """The names that fields have in the code of a form, and those that they have in a class."""
    return {f"_{position}": name for position, name in enumerate(names)}


@cache
def _hash_code(size: int) -> CodeType:
    return _code(f"def __hash__(self):\n return hash({_tuple('self', size)})")


@cache
def _eq_code(size: int) -> CodeType:
    return _code(
        "def __eq__(self, other):\n"
        f" if other.__class__ is self.__class__: return {_tuple('self', size)} == {_tuple('other', size)}\n"
        " return NotImplemented"
    )


def _tuple(of: str, size: int) -> str:
    return f"({''.join(f'{of}._{position},' for position in range(size))})"


def _compare(space: dict[str, Any], own: Sequence[Field[Any]], cls: type[Any]) -> None:
    """Put `__eq__` and `__hash__` into what a class is made of, where it has none of its own."""
    # where a class says `__eq__` and no `__hash__`, Python itself puts `None` there
    has_hash = "__hash__" in space and not (space["__hash__"] is None and "__eq__" in space)
    if not has_hash:
        hashed = [one.name for one in own if (one.compare if one.hash is None else one.hash)]
        space["__hash__"] = _method(_hash_code(len(hashed)), cls, _renamed(hashed))
    if "__eq__" not in space:
        compared = [one.name for one in own if one.compare]
        space["__eq__"] = _method(_eq_code(len(compared)), cls, _renamed(compared))


class _Absent:
    """The default, as a signature shows it, of a parameter whose value a factory makes."""

    def __repr__(self) -> str:
        return "<factory>"


ABSENT = _Absent()


@cache
def _init_code(form: tuple[str, ...], positional: tuple[int, ...], named: tuple[int, ...], post: bool) -> CodeType:
    """The code of an `__init__`.

    Args:
        form: For each field, where its value comes from (see `_kind`).
        positional: Which fields are parameters that may be given by position, in their order.
        named: Which are parameters that are given by keyword only.
        post: Whether the class has a `__post_init__`.
    """
    value = {
        "given": "_{0}",
        "made": "_make{0}() if _{0} is ABSENT else _{0}",
        "always made": "_make{0}()",
        "kept": "_keep{0}",
    }
    lines = [f"  _set{at}(self, {value[kind].format(at)})" for at, kind in enumerate(form) if kind in value]
    lines += ["  self.__post_init__()"] if post else []
    signature = ", ".join(
        ["self", *(f"_{at}" for at in positional), *(["*"] if named else []), *(f"_{at}" for at in named)]
    )
    free = ", ".join(f"_set{at}, _make{at}, _keep{at}" for at in range(len(form)))
    return _code("\n".join([f"def _({free}):", f" def __init__({signature}):", *(lines or ["  pass"])]))


def _init(cls: type[Any], own: Sequence[Field[Any]]) -> Any:
    form = tuple(_kind(one) for one in own)
    positional = tuple(at for at, one in enumerate(own) if one.init and not one.kw_only)
    named = tuple(at for at, one in enumerate(own) if one.init and one.kw_only)
    cells: dict[str, Any] = {}
    for at, one in enumerate(own):
        cells |= {
            f"_set{at}": getattr(cls, one.name).__set__,
            f"_make{at}": _maker(one.default_factory),
            f"_keep{at}": one.default,
        }
    renamed = _renamed(one.name for one in own)
    if "self" in renamed.values():
        renamed["self"] = "__dataclass_self__"  # as in the standard library
    init = _method(_init_code(form, positional, named, hasattr(cls, "__post_init__")), cls, renamed, cells)
    init.__defaults__ = _defaults([own[at] for at in positional]) or None
    init.__kwdefaults__ = {own[at].name: value for at in named if (value := _default(own[at])) is not MISSING} or None
    init.__annotations__ = {one.name: one.type for one in own if one.init} | {"return": None}
    return init


def _kind(one: Field[Any]) -> str:
    """Where `__init__` has the value of a field from; `"kept"` is a default that no parameter changes."""
    if one.default_factory is not MISSING:
        return "made" if one.init else "always made"
    if one.init:
        return "given"
    return "unset" if one.default is MISSING else "kept"


def _maker(factory: Any) -> Any:
    """The factory; for one such as `dict[str, int]` the class itself, which makes the same in a tenth of the time."""
    bare = factory.__origin__ if isinstance(factory, GenericAlias) else None
    return bare if bare in (dict, list, set) else factory


def _defaults(positional: Sequence[Field[Any]]) -> tuple[object, ...]:
    """The defaults of the last parameters, from the first that has one on."""
    defaults = [_default(one) for one in positional]
    while defaults and defaults[0] is MISSING:
        del defaults[0]
    if MISSING in defaults:
        name = positional[defaults.index(MISSING) - len(defaults)].name
        raise TypeError(f"non-default argument {name!r} follows default argument")
    return tuple(defaults)


def _default(one: Field[Any]) -> object:
    return one.default if one.default_factory is MISSING else ABSENT
