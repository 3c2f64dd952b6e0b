"""Types as JSON Schema by pydantic, made lean: no titles, no definition used only once, one order of keys."""

from __future__ import annotations

import enum
import functools
import inspect
import math
import sys
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from agentkit.schema import docstrings
from agentkit.schema.signature import ABSENT, EMPTY, Param

if TYPE_CHECKING:
    from pydantic import TypeAdapter
    from pydantic.json_schema import GenerateJsonSchema

Json = dict[str, Any]

_ORDER = {
    key: rank
    for rank, key in enumerate(
        (
            *("$ref", "type", "format", "const", "enum", "anyOf", "oneOf", "allOf", "items", "prefixItems"),
            *("properties", "required", "additionalProperties"),
        )
    )
}
_LAST = {"description": 1, "default": 2, "examples": 3, "$defs": 4}
_MAPS = frozenset({"properties", "patternProperties", "$defs", "dependentSchemas"})
_LISTS = frozenset({"anyOf", "allOf", "oneOf", "prefixItems"})
_SINGLE = frozenset(
    "items additionalProperties not if then else contains propertyNames unevaluatedItems unevaluatedProperties".split()
)
_REF = "#/$defs/"


class Field(typing.NamedTuple):
    """One key of an object to be described: its type, and whether it must be there."""

    kind: Any
    required: bool


def adapter(
    fields: Mapping[str, Field], extras: Any = None, *, alone: Any = None, namespace: Any = None
) -> TypeAdapter[Any]:
    """Pydantic's adapter for one object with these keys.

    Args:
        fields: The keys. A missing one that may be missing stays missing: no defaults are filled in.
        extras: The type of the values of other keys; `None` refuses other keys.
        alone: Describe this type itself, instead of an object with keys.
        namespace: Names for annotations that are still texts.

    Raises:
        Exception: Whatever pydantic raises for a type that it cannot read.
    """
    from pydantic import ConfigDict, TypeAdapter
    from pydantic_core import core_schema

    class Arguments:
        @classmethod
        def __get_pydantic_core_schema__(cls, _source: Any, handler: Any) -> Any:
            if alone is not None:
                return handler.generate_schema(portable(alone))
            return core_schema.typed_dict_schema(
                {
                    name: core_schema.typed_dict_field(
                        handler.generate_schema(portable(one.kind)), required=one.required
                    )
                    for name, one in fields.items()
                },
                extra_behavior="forbid" if extras is None else "allow",
                extras_schema=None if extras is None else handler.generate_schema(portable(extras)),
                config=core_schema.CoreConfig(allow_inf_nan=False),  # that of the adapter does not reach within
            )

    config = ConfigDict(allow_inf_nan=False, defer_build=True)
    made: TypeAdapter[Any] = TypeAdapter(Arguments, config=config)
    made.rebuild(_types_namespace=namespace)
    return made


@functools.cache
def _generator() -> type[GenerateJsonSchema]:
    """Pydantic's generator without the titles that only repeat names, and with the descriptions that classes hold."""
    from pydantic.json_schema import GenerateJsonSchema

    enums: set[str] = set()

    class Generator(GenerateJsonSchema):
        ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012 - pydantic's own form

        def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's own form
            return False

        def encode_default(self, dft: Any) -> Any:
            return super().encode_default(_sorted(dft))

        def model_schema(self, schema: Any) -> Json:
            return _of_class(super().model_schema(schema), schema["cls"])

        def dataclass_schema(self, schema: Any) -> Json:
            return _of_class(super().dataclass_schema(schema), schema["cls"])

        def typed_dict_schema(self, schema: Any) -> Json:
            return _of_class(super().typed_dict_schema(schema), schema.get("cls"))

        def is_subclass_schema(self, schema: Any) -> Json:
            return self.handle_invalid_for_json_schema(schema, "a class")

        def enum_schema(self, schema: Any) -> Json:
            enums.add(schema["cls"].__name__)
            return super().enum_schema(schema)

        def generate(self, schema: Any, mode: Any = "validation") -> Json:
            # the title of an enum is added outside of `enum_schema`
            return _without_titles(super().generate(schema, mode), enums)

    return Generator


def _without_titles(schema: Any, enums: set[str]) -> Any:
    """A copy in which no enum has its class's name for a title."""
    if not isinstance(schema, dict):
        return schema
    here = cast("Json", schema)
    if ("enum" in here or "const" in here) and here.get("title") in enums:
        here = {key: value for key, value in here.items() if key != "title"}
    return _mapped(here, lambda one: _without_titles(one, enums))


def _sorted(value: Any) -> Any:
    """A set as a list in a fixed order, so that the schema is the same in each process."""
    return sorted(cast("set[Any]", value), key=repr) if isinstance(value, set | frozenset) else value


def _of_class(schema: Json, cls: Any) -> Json:
    """Drop the title that is the class's name; describe fields from `Annotated` texts and the class's docstring."""
    if cls is None:
        return schema
    if schema.get("title") == cls.__name__:
        del schema["title"]
    properties: dict[str, Json] = schema.get("properties") or {}
    text = inspect.cleandoc(cls.__doc__ or "")
    if text.startswith(f"{cls.__name__}("):  # the signature that `dataclass` writes
        text = ""
    doc = docstrings.parse(text if schema.get("description", text) == text else None)
    if doc.description or doc.parameters:
        schema["description"] = doc.description
    if not schema.get("description"):
        schema.pop("description", None)
    texts = _annotated_texts(cls) if properties else {}
    for name, one in properties.items():
        words = texts.get(name) or doc.parameters.get(name)
        if words and "description" not in one:
            one["description"] = words
    return schema


def _annotated_texts(cls: Any) -> dict[str, str]:
    try:
        hints = typing.get_type_hints(cls, include_extras=True)
    except Exception:  # a name that only pydantic can resolve; the texts are a courtesy
        return {}
    found = {name: text_of(getattr(unmarked(hint), "__metadata__", ())) for name, hint in hints.items()}
    return {name: text for name, text in found.items() if text}


def text_of(metadata: tuple[Any, ...]) -> str | None:
    """The description among the metadata of an `Annotated`: a plain string, or a `Doc` (PEP 727)."""
    for one in metadata:
        text = one if isinstance(one, str) else getattr(one, "documentation", None)
        if isinstance(text, str):
            return docstrings.flow(text.split("\n"))
    return None


def portable(kind: Any) -> Any:
    """A type in a form that pydantic can read from JSON.

    Before Python 3.12 it asks for `TypedDict` of typing_extensions in place of typing's; and of an enum's member in
    a `Literal` it shows the value but would not take it. Classes that hold one in a field are left as they are.
    """
    if sys.version_info < (3, 12) and typing.is_typeddict(kind) and type(kind).__module__ == "typing":
        return _portable_dict(kind)
    if kind is typing.LiteralString:
        return str
    members: Any = getattr(kind, "__args__", ())
    origin = getattr(kind, "__origin__", None)
    if origin is typing.Literal:
        return _portable_literal(kind, members)
    if not members:
        return kind
    metadata: Any = getattr(kind, "__metadata__", ())
    if metadata:
        made = portable(origin)
        return kind if made is origin else typing.Annotated[(made, *metadata)]
    parts = tuple(portable(one) for one in members)
    if all(new is old for new, old in zip(parts, members, strict=True)):
        return kind
    if isinstance(kind, types.UnionType):
        return typing.Union[parts]  # noqa: UP007 - made at run time
    return kind.copy_with(parts) if hasattr(kind, "copy_with") else kind.__origin__[parts]


def _portable_literal(kind: Any, members: tuple[Any, ...]) -> Any:
    if not any(isinstance(one, enum.Enum) for one in members):
        return kind
    from pydantic import AfterValidator

    values = [one.value if isinstance(one, enum.Enum) else one for one in members]

    def member(value: Any) -> Any:
        found = (one for one, own in zip(members, values, strict=True) if own == value and type(own) is type(value))
        return next(found)

    return typing.Annotated[(typing.Literal[tuple(values)], AfterValidator(member))]


@functools.lru_cache(maxsize=256)
def _portable_dict(kind: Any) -> Any:
    import typing_extensions

    hints: dict[str, Any] = {}
    for name, hint in typing.get_type_hints(kind, include_extras=True).items():
        marked = getattr(hint, "__origin__", None) in (typing.Required, typing.NotRequired)
        required = hint.__origin__ is typing.Required if marked else name in kind.__required_keys__
        inner = portable(hint.__args__[0] if marked else hint)
        hints[name] = typing.Required[inner] if required else typing.NotRequired[inner]
    made: Any = typing_extensions.TypedDict(kind.__name__, hints)  # type: ignore[operator] # made at run time
    made.__doc__, made.__module__, made.__qualname__ = kind.__doc__, kind.__module__, kind.__qualname__
    return made


def is_model(kind: Any) -> bool:
    """Whether a type is a class with fields: a pydantic model, a dataclass or a `TypedDict`."""
    kind = getattr(kind, "__origin__", kind)
    if not isinstance(kind, type):
        return False
    # by the name of its class, for that of typing_extensions is none to `typing.is_typeddict`
    if type(kind).__name__ == "_TypedDictMeta" or hasattr(kind, "__dataclass_fields__"):
        return True
    return hasattr(kind, "__pydantic_fields__") and not getattr(kind, "__pydantic_root_model__", False)


def field_names(kind: Any) -> Iterable[str]:
    """The names in Python of the fields of such a class."""
    kind = getattr(kind, "__origin__", kind)
    for place in ("__pydantic_fields__", "__dataclass_fields__", "__annotations__"):
        if fields := getattr(kind, place, None):
            return list(fields)
    return []


def unpacked(kind: Any) -> dict[str, Field] | None:
    """The fields of `Unpack[SomeTypedDict]`; `None` for any other type."""
    if getattr(kind, "__origin__", None) is not typing.Unpack:
        return None
    (fields,) = kind.__args__
    hints = typing.get_type_hints(fields, include_extras=True)
    found: dict[str, Field] = {}
    for name, hint in hints.items():
        marked = getattr(hint, "__origin__", None)
        required = name in fields.__required_keys__ and marked is not typing.NotRequired
        found[name] = Field(unmarked(hint), required or marked is typing.Required)
    return found


def unmarked(hint: Any) -> Any:
    """A type without `Required` or `NotRequired` around it."""
    return hint.__args__[0] if getattr(hint, "__origin__", None) in (typing.Required, typing.NotRequired) else hint


def is_field(value: Any) -> bool:
    """Whether a default is pydantic's `Field(…)`; tells without importing pydantic."""
    return type(value).__name__ == "FieldInfo" and type(value).__module__ == "pydantic.fields"


def take_field(one: Param) -> None:
    """Spread what `Annotated` and `Field` say of a parameter: type and limits, alias, default, words for the schema."""
    from pydantic import Field as field
    from pydantic.fields import FieldInfo
    from pydantic_core import PydanticUndefined

    kind: Any = Any if one.annotation is EMPTY else one.annotation
    words = text_of(getattr(kind, "__metadata__", ()))
    if is_field(one.default):
        info = cast("Any", FieldInfo).from_annotated_attribute(kind, one.default)
        one.default = EMPTY
    else:
        info = cast("Any", FieldInfo).from_annotation(kind)
    limits = [limit for limit in info.metadata if not isinstance(limit, str)]
    if info.discriminator is not None:
        limits.append(field(discriminator=info.discriminator))
    one.annotation = typing.Annotated[(info.annotation, *limits)] if limits else info.annotation
    alias = info.validation_alias or info.alias
    if isinstance(alias, str):
        one.key = alias
    if one.default is EMPTY and not info.is_required():
        one.default = ABSENT if info.default is PydanticUndefined else info.default
        one.fill = lambda: info.get_default(call_default_factory=True, validated_data={})
    extra: Json = {"title": info.title, "description": info.description or words, "examples": info.examples}
    extra["deprecated"] = True if info.deprecated else None
    more: Any = info.json_schema_extra
    if isinstance(more, dict):
        extra.update(cast("Json", more))
    one.extra = {key: value for key, value in extra.items() if value is not None}


def schema_of(adapter: TypeAdapter[Any]) -> Json:
    """The lean JSON Schema (2020-12) of what an adapter takes.

    Raises:
        PydanticInvalidForJsonSchema: A type has none.
    """
    return lean(adapter.json_schema(schema_generator=_generator()))


def default_of(value: Any) -> Any:
    """A default as a JSON value. Raises `ValueError` where JSON cannot carry it."""
    kind = cast("Any", type(value))
    if value is None or kind in (bool, int) or (kind is float and math.isfinite(value)):
        return value
    if kind is str:
        value.encode()  # half of a surrogate pair cannot be sent
        return value
    if kind in (list, tuple) and all(type(one) in (bool, int) for one in value):
        return list(value)
    if kind is dict and not value:
        return {}
    if hasattr(value, "get_secret_value"):
        raise ValueError("a secret is not shown")
    from pydantic_core import from_json, to_json

    return from_json(to_json(_sorted(value), inf_nan_mode="constants"), allow_inf_nan=False)


def lean(schema: Json) -> Json:
    """A schema without needless words: definitions used once are put where they are used; keys in one order.

    The argument is not changed.
    """
    defs: dict[str, Json] = schema.get("$defs", {})
    root = {key: value for key, value in schema.items() if key != "$defs"}
    uses: dict[str, int] = {}
    _count(root, uses, defs)
    kept = {name for name in uses if uses[name] > 1 or holds_itself(defs, name)}
    whole = _put(root, defs, kept)
    if kept:
        whole["$defs"] = {name: _put(defs[name], defs, kept) for name in sorted(kept)}
    return ordered(whole)


def _mapped(schema: Json, change: Callable[[Any], Any]) -> Json:
    """A copy with each subschema changed; what only looks like one (in a default, an example) is left alone."""
    copy: Json = {}
    for key, value in schema.items():
        if key in _MAPS and isinstance(value, dict):
            copy[key] = {name: change(one) for name, one in cast("Json", value).items()}
        elif key in _LISTS and isinstance(value, list):
            copy[key] = [change(one) for one in cast("list[Any]", value)]
        else:
            copy[key] = change(value) if key in _SINGLE else value
    return copy


def _target(schema: Json, defs: Mapping[str, Json]) -> str | None:
    ref = schema.get("$ref")
    name = ref.removeprefix(_REF) if isinstance(ref, str) and ref.startswith(_REF) else None
    return name if name in defs else None


def _count(schema: Any, uses: dict[str, int], defs: Mapping[str, Json]) -> Any:
    """Count how often each definition is used, following each but once."""
    if isinstance(schema, dict):
        here = cast("Json", schema)
        if (name := _target(here, defs)) is not None:
            uses[name] = uses.get(name, 0) + 1
            if uses[name] == 1:
                _count(defs[name], uses, defs)
        _mapped(here, lambda one: _count(one, uses, defs))
    return None


def holds_itself(defs: Mapping[str, Json], name: str) -> bool:
    """Whether a definition holds itself."""
    uses: dict[str, int] = {name: 1}  # so that its second use is not followed
    _count(defs[name], uses, defs)
    return uses[name] > 1


def _put(schema: Any, defs: Mapping[str, Json], kept: set[str]) -> Any:
    """A copy with the definitions that are not kept put in; what stands beside a reference wins."""
    if not isinstance(schema, dict):
        return schema
    here = cast("Json", schema)
    name = _target(here, defs)
    if name is not None and name not in kept:
        beside = {key: value for key, value in here.items() if key != "$ref"}
        return _put({**defs[name], **beside}, defs, kept)
    # `discriminator` is OpenAPI's, not JSON Schema's; the alternatives say it by a `const` each
    return _mapped({key: here[key] for key in here if key != "discriminator"}, lambda one: _put(one, defs, kept))


def ordered(schema: Any) -> Any:
    """A copy with the keywords in one order: what it is, its parts, its limits, then the words about it."""
    if not isinstance(schema, dict):
        return schema
    here = cast("Json", schema)
    keys = sorted(here, key=lambda key: (_LAST.get(key, 0), _ORDER.get(key, len(_ORDER)), key))
    return _mapped({key: here[key] for key in keys}, ordered)
