"""`agentkit.frozen` beside `dataclass(frozen=True, slots=True)`: no use of a class shows which of the two made it."""

import copy
import dataclasses
import gc
import importlib
import inspect
import pickle
import pkgutil
import re
import sys
import weakref
from collections.abc import Callable
from dataclasses import FrozenInstanceError, InitVar, dataclass, field, fields
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

import agentkit
from agentkit.events import ToolStarted
from agentkit.frozen import frozen
from agentkit.messages import ToolCall, Usage

T = TypeVar("T")
FIELD = ("default", "default_factory", "init", "repr", "hash", "compare", "kw_only", "metadata")


def made_by_frozen(value: object) -> bool:
    init = getattr(value, "__init__", None)
    return isinstance(value, type) and inspect.isfunction(init) and init.__code__.co_filename == "<agentkit.frozen>"


def written_in(file: str | None, value: object) -> bool:
    return inspect.isfunction(value) and value.__code__.co_filename == file


def classes_of_the_tree() -> list[type[Any]]:
    names = [module.name for module in pkgutil.walk_packages(agentkit.__path__, "agentkit.")]
    modules = [importlib.import_module(name) for name in names if not name.endswith("__main__")]
    found = {value for module in modules for value in vars(module).values() if made_by_frozen(value)}
    return sorted(found, key=lambda one: (one.__module__, one.__qualname__))


CLASSES = classes_of_the_tree()


def twin(cls: type[Any]) -> type[Any]:
    """The class as the standard library makes it from the same fields."""
    own = [(one.name, one.type, field(**{key: getattr(one, key) for key in FIELD})) for one in fields(cls)]
    file = sys.modules[cls.__module__].__file__
    space = {name: value for name, value in vars(cls).items() if isinstance(value, property) or written_in(file, value)}
    made = dataclasses.make_dataclass(
        cls.__name__, own, namespace=space, frozen=True, slots=True, eq=cls.__eq__ is not object.__eq__
    )
    made.__qualname__ = cls.__qualname__
    return made


def outcome(act: Callable[[], object]) -> object:
    """What came of it, or the kind of its error and the words, less what Python 3.13 adds to one of them."""
    try:
        return act()
    except Exception as error:
        return type(error), re.sub(r"(follows default argument) '\w+'$", r"\1", str(error))


def values(cls: type[Any], tail: str = "") -> dict[str, Any]:
    """Arguments for all fields; none for classes that look at what they are given."""
    return {} if hasattr(cls, "__post_init__") else {one.name: one.name + tail for one in fields(cls) if one.init}


def alike(cls: type[Any], std: type[Any], arguments: dict[str, Any], others: dict[str, Any]) -> None:
    """Two classes of the same fields behave alike.

    Args:
        cls: Made by `frozen`.
        std: Made by the standard library.
        arguments: What an instance of either is made with.
        others: What another is made with.
    """
    assert str(inspect.signature(cls)) == str(inspect.signature(std))
    assert cls.__match_args__ == std.__match_args__
    assert cls.__slots__ == std.__slots__
    for key in FIELD:
        assert [getattr(one, key) for one in fields(cls)] == [getattr(one, key) for one in fields(std)]
    here, there = cls(**arguments), std(**arguments)
    assert not hasattr(here, "__dict__")
    assert outcome(lambda: repr(here)) == outcome(lambda: repr(there))
    for method in ("__eq__", "__hash__"):
        assert (getattr(cls, method) is getattr(object, method)) is (getattr(std, method) is getattr(object, method))
    if cls.__hash__ is not object.__hash__:
        assert outcome(lambda: hash(here)) == outcome(lambda: hash(there))
    whole = all(hasattr(here, one.name) for one in fields(cls))  # else it depends on Python's version who misses what
    for more in (arguments, others) if whole else ():
        assert outcome(lambda m=more: here == cls(**m)) == outcome(lambda m=more: there == std(**m))
        assert outcome(lambda m=more: here != cls(**m)) == outcome(lambda m=more: there != std(**m))
    assert here.__eq__(there) is there.__eq__(here) is NotImplemented
    refuses_alike(here, there)
    copies_alike(here, there, others)


def refuses_alike(here: Any, there: Any) -> None:
    count = len(fields(here)) + 1
    wrong: list[tuple[tuple[str, ...], dict[str, str]]] = [((), {}), (("x",) * count, {}), ((), {"nothing": "x"})]
    wrong += [(("x",), {one.name: "x"}) for one in fields(here)]
    for arguments, named in wrong:
        ours, theirs = (outcome(partial(type(one), *arguments, **named)) for one in (here, there))
        assert isinstance(ours, tuple) is isinstance(theirs, tuple)
        assert not isinstance(ours, tuple) or ours == theirs
    for one in fields(here):
        for act in (lambda it, name: setattr(it, name, "x"), delattr):
            refusal = outcome(partial(act, here, one.name))
            assert refusal == outcome(partial(act, there, one.name))
            assert isinstance(refusal, tuple)
            assert refusal[0] is FrozenInstanceError


def copies_alike(here: Any, there: Any, others: dict[str, Any]) -> None:
    for act in (dataclasses.asdict, dataclasses.astuple, lambda it: it.__getstate__()):
        assert outcome(lambda a=act: a(here)) == outcome(lambda a=act: a(there))
    for act in (copy.copy, copy.deepcopy, lambda it: dataclasses.replace(it, **others), dataclasses.replace):
        ours, theirs = (outcome(lambda o=one, a=act: shown(a(o))) for one in (here, there))
        assert ours == theirs


def shown(it: Any) -> list[tuple[str, object]]:
    return [(one.name, getattr(it, one.name, "unset")) for one in fields(it)]


def test_the_data_of_agentkit_are_made_by_it() -> None:
    assert len(CLASSES) > 100
    assert {ToolCall, Usage, ToolStarted} < set(CLASSES)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: f"{cls.__module__}.{cls.__qualname__}")
def test_a_class_of_agentkit_is_as_the_standard_library_would_have_made_it(cls: type[Any]) -> None:
    alike(cls, twin(cls), values(cls), values(cls, "!"))
    again = pickle.loads(pickle.dumps(cls(**values(cls))))
    assert type(again) is cls
    assert shown(again) == shown(cls(**values(cls)))


NAMES = ("a", "b", "self", "hash", "other", "_0", "_1", "cls")
some = st.sampled_from(["x", "y", 1, None, (), ["not hashed"]])


@st.composite
def a_field(draw: st.DrawFn) -> Any:
    options: dict[str, Any] = {key: draw(st.booleans()) for key in ("init", "repr", "compare") if draw(st.booleans())}
    if draw(st.booleans()):
        options["hash"] = draw(st.sampled_from([None, True, False]))
    if draw(st.booleans()):
        options["kw_only"] = draw(st.booleans())
    match draw(st.sampled_from(["default", "factory", "none", "none"])):
        case "default":
            options["default"] = draw(some.filter(lambda value: not isinstance(value, list)))
        case "factory":
            options["default_factory"] = draw(st.sampled_from([list, tuple, str]))
        case _:
            pass
    return options


@st.composite
def a_class(draw: st.DrawFn) -> tuple[Callable[[], type[Any]], dict[str, Any]]:
    """What makes a class anew each time, and the options of the decorator."""
    names = draw(st.lists(st.sampled_from(NAMES), max_size=5, unique=True))
    options = [draw(a_field()) for _ in names]
    marker = draw(st.integers(0, 9))

    def make() -> type[Any]:
        space: dict[str, Any] = {"__annotations__": {}, "__module__": __name__, "__qualname__": "Outer.Made"}
        for at, (name, one) in enumerate(zip(names, options, strict=True)):
            if at == marker:
                space["__annotations__"]["_"] = dataclasses.KW_ONLY
            space["__annotations__"][name] = "str"
            space[name] = field(**one)
        return type("Made", (), space)

    return make, {key: draw(st.booleans()) for key in ("kw_only", "eq") if draw(st.booleans())}


@given(a_class(), st.data())
def test_a_class_of_any_fields_is_as_the_standard_library_would_have_made_it(
    a_class: tuple[Callable[[], type[Any]], dict[str, Any]], data: st.DataObject
) -> None:
    make, options = a_class
    std = outcome(lambda: dataclass(frozen=True, slots=True, **options)(make()))
    cls = outcome(lambda: frozen(**options)(make()))
    if not isinstance(std, type) or not isinstance(cls, type):
        assert cls == std
        return
    given = [one.name for one in fields(std) if one.init]
    arguments, others = ({name: data.draw(some, label=name) for name in given} for _ in range(2))
    alike(cls, std, arguments, others)


def test_a_field_that_is_no_field_cannot_be_set_either() -> None:
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'nothing'"):
        Usage().nothing = 1
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'nothing'"):
        del Usage().nothing


def test_what_a_class_says_itself_is_kept() -> None:
    @frozen
    class Own:
        a: int
        KIND: ClassVar[str] = "own"

        def __init__(self, a: str) -> None:
            object.__setattr__(self, "a", int(a))

        def __repr__(self) -> str:
            return "me"

        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 5

    assert (repr(Own("3")), Own("3") == 1, hash(Own("3")), Own("3").a, Own.KIND) == ("me", True, 5, 3, "own")


def test_what_a_class_says_of_equality_alone_leaves_the_hash_to_its_fields() -> None:
    def always(self: object, other: object) -> bool:
        return True

    own = frozen(type("Own", (), {"__annotations__": {"a": int}, "__eq__": always}))

    @frozen
    class NoHash:
        a: int
        __hash__ = None

    assert hash(own(1)) == hash(own(1)) == hash((1,))
    assert own(1) == own(2)
    with pytest.raises(TypeError, match="unhashable"):
        hash(NoHash(1))


def test_a_class_after_its_own_init_looks_at_itself() -> None:
    @frozen
    class Checked:
        a: int
        b: list[int] = field(default_factory=list)

        def __post_init__(self) -> None:
            if self.a < 0 or self.b:
                raise ValueError(self.a)

    assert Checked(1).b == []
    with pytest.raises(ValueError, match="-1"):
        Checked(-1)


def test_a_match_statement_takes_it_apart() -> None:
    match ToolCall("1", "add", "{}"):
        case ToolCall(id, name, arguments="{}"):
            assert (id, name) == ("1", "add")
        case _:
            pytest.fail("it did not match")


def test_one_that_holds_itself_is_shown() -> None:
    @frozen
    class Ring:
        items: list[Any] = field(default_factory=list)

    ring = Ring()
    ring.items.append(ring)
    assert repr(ring).endswith("Ring(items=[...])")


def test_a_generic_class_takes_types() -> None:
    @frozen
    class Box(Generic[T]):
        value: T

    assert Box[int](3) == Box(3)
    assert Box(3).value == 3
    assert repr(Box[int]).endswith("Box[int]")


def test_what_is_built_on_it_is_built_by_the_standard_library() -> None:
    @dataclass(frozen=True, slots=True)
    class More(ToolCall):
        more: int = 0

    @frozen
    class Most(More):
        most: str = ""

    class Plain(ToolCall):
        pass

    most = Most("1", "add", "{}", 4, most="x")
    assert (most.id, most.more, most.most) == ("1", 4, "x")
    assert most == copy.copy(most) != More("1", "add", "{}", 4)
    assert repr(most).endswith("Most(id='1', name='add', arguments='{}', more=4, most='x')")
    with pytest.raises(FrozenInstanceError):
        most.id = "2"
    plain = Plain("1", "add", "{}")
    plain.more = 1
    with pytest.raises(FrozenInstanceError):
        plain.id = "2"
    with pytest.raises(TypeError, match="cannot inherit non-frozen dataclass from a frozen one"):
        dataclass(type("Loose", (ToolCall,), {}))


def test_what_is_given_for_the_making_alone_is_left_to_the_standard_library() -> None:
    @frozen
    class Given:
        a: int = field(init=False)
        text: InitVar[str] = "7"

        def __post_init__(self, text: str) -> None:
            object.__setattr__(self, "a", int(text))

    assert Given().a == 7
    assert Given("8").a == 8


def test_it_has_no_weak_references_and_leaves_no_circles() -> None:
    with pytest.raises(TypeError, match="weak reference"):
        weakref.ref(Usage())
    gc.collect()
    for _ in range(100):
        Usage(1) + Usage(2)
    assert gc.collect() == 0
