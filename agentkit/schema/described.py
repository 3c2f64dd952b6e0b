"""Parameters described by pydantic; an error names the parameter, its type and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Union

from agentkit.errors import ConfigurationError
from agentkit.schema import lean
from agentkit.schema.signature import ABSENT, EMPTY, KEYWORD_ONLY, VAR_KEYWORD, VAR_POSITIONAL, Param, Source

if TYPE_CHECKING:
    from pydantic import TypeAdapter

Json = dict[str, Any]


def kind_of(one: Param) -> Any:
    """What the model must write for a parameter: for `*args` a list."""
    kind = Any if one.annotation is EMPTY else one.annotation
    return list[kind] if one.kind == VAR_POSITIONAL else kind


def expanded(one: Param) -> list[Param]:
    """A parameter without the words about it, which go into `extra`; unpacked keywords become parameters."""
    if one.kind == VAR_KEYWORD and (fields := lean.unpacked(one.annotation)) is not None:
        made = [
            Param(name, KEYWORD_ONLY, field.kind, EMPTY if field.required else ABSENT) for name, field in fields.items()
        ]
        return [new for field in made for new in expanded(field)]
    nullable = one.plain is not None and (not one.plain or one.plain.get("anyOf", [None])[-1] == {"type": "null"})
    if one.plain is not None and not lean.is_field(one.default) and (nullable or one.default is not None):
        return [one]
    metadata: tuple[Any, ...] = getattr(one.annotation, "__metadata__", ())
    if lean.is_field(one.default) or not all(isinstance(word, str) for word in metadata):
        lean.take_field(one)
        one.plain = None
    elif metadata:
        one.annotation = one.annotation.__origin__
        one.extra = {"description": lean.text_of(metadata)}
    if one.default is None and one.annotation not in (EMPTY, Any, object):
        # the model sees that the default is null, so it may write it
        one.annotation = Union[one.annotation, None]  # noqa: UP007 - made at run time
        one.plain = None
    return [one]


def adapter_of(params: Sequence[Param], source: Source) -> tuple[TypeAdapter[Any], Json]:
    """Pydantic's adapter for an object with these parameters, by the keys that the model is shown; and its schema.

    Raises:
        ConfigurationError: A type has no JSON Schema.
    """
    names = source.namespace()
    try:
        made = _adapter(params, names)
        return made, lean.schema_of(made)
    except Exception as error:
        for one in params:
            try:
                lean.schema_of(_adapter([one], names))
            except Exception as reason:
                raise _no_schema(one, reason, source) from reason
        raise source.fail(f"its parameters together have no JSON Schema ({error})") from error


def _adapter(params: Sequence[Param], names: dict[str, Any]) -> TypeAdapter[Any]:
    fields = {one.key: lean.Field(kind_of(one), one.required) for one in params if one.kind != VAR_KEYWORD}
    extras = next((kind_of(one) for one in params if one.kind == VAR_KEYWORD), None)
    return lean.adapter(fields, extras, namespace=names)


def _no_schema(one: Param, error: Exception, source: Source) -> ConfigurationError:
    kind = one.annotation
    name = f"{kind.__module__}.{kind.__qualname__}" if isinstance(kind, type) else str(kind)
    reason = " ".join(str(error).split("\n", 1)[0].split()).rstrip(".")
    why = "" if reason.startswith("Unable to generate") else f" ({reason})"
    return source.fail(
        f"parameter `{one.name}` has the type `{name.removeprefix('builtins.')}`, for which there is no"
        f" JSON Schema{why}. Take a type that JSON can carry, such as `str` or a dataclass, and make the value in the"
        " function; or say how to make it: `Annotated[…, pydantic.BeforeValidator(…), pydantic.WithJsonSchema({…})]`;"
        " or let the program hand it in, by the `Context`"
    )


def lone_of(one: Param, source: Source) -> tuple[TypeAdapter[Any], Json] | None:
    """For a model-like parameter its adapter and the schema of its fields; `None` if that is no object with fields."""
    try:
        adapter = lean.adapter({}, alone=one.annotation, namespace=source.namespace())
        described = lean.schema_of(adapter)
    except Exception:
        return None  # the ordinary way tells what is wrong
    if (ref := described.pop("$ref", None)) is not None:  # it holds itself
        described = {**described["$defs"][ref.rpartition("/")[2]], **described}
    if described.get("type") != "object" or "properties" not in described:
        return None
    described.setdefault("additionalProperties", False)
    return adapter, described
