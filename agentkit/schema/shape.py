"""A function's signature and docstring as JSON Schema, and a validator for the arguments that a model writes.

`read` makes one `Shape`, which serves both, so the model is corrected by the rules it was shown. Common types
(`str, int, float, bool`, lists and dictionaries of them, `Optional`, unions, `Literal`, `Any`) are described by hand, as
pydantic would describe them but without importing it; everything else pydantic describes. Both ways the arguments
are one object of our own, a typed dictionary keyed by what the model is shown, because pydantic's own reading of a
function makes an array of positional-only parameters and its models reserve names (`schema`, `json`, `model_config`).

The validator reads JSON straight into values and keeps only what was given: defaults stay Python's own.
"""

from __future__ import annotations

import functools
import re
import types
import typing
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, Literal, Union

from agentkit.schema import docstrings, lean
from agentkit.schema.arguments import ArgumentsInvalid, Problem, check_text, from_pydantic, unknown_key
from agentkit.errors import ConfigurationError
from agentkit.schema.signature import (
    ABSENT,
    EMPTY,
    KEYWORD_ONLY,
    POSITIONAL_ONLY,
    VAR_KEYWORD,
    VAR_POSITIONAL,
    Param,
    Source,
    Unresolved,
    resolve,
    signature,
)

if TYPE_CHECKING:
    from pydantic import TypeAdapter

Json = dict[str, Any]
Hidden = Callable[[Any], bool]
"""Whether an annotation marks the parameter that the run fills; also asked with the text of an unresolvable one."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_BAD_NAME = "its name is `{}`, but endpoints take 1 to 64 ASCII letters, digits, `_` and `-`. Give it another: `name=…`"
_SCALARS: dict[Any, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    None: "null",
    types.NoneType: "null",
}


def read(
    function: Callable[..., Any],
    *,
    name: str | None = None,
    description: str | None = None,
    hidden: Hidden = lambda _: False,
    drop_first: bool = False,
    later: bool = False,
    by_hand: bool = True,
) -> Shape:
    """Read a function's signature and docstring.

    Args:
        function: What to read: a function, method, partial or an object that can be called.
        name: The tool's name; else the function's own.
        description: What the tool does; else the docstring's word, else the name in words.
        hidden: Tells by its annotation the parameter that the run fills; it is not shown to the model.
        drop_first: Leave out the first parameter: the function is a method that is not bound yet.
        later: Look at the types at the first use only; else they are looked at now, so that errors show now.
        by_hand: `False` lets pydantic describe common types too; both ways give the same (a test compares them).

    Raises:
        ConfigurationError: The function cannot be described; the message names it, its place and the way out.
    """
    source = Source(function)
    if isinstance(function, type):
        raise source.fail("it is a class. Give a function that makes one, or an object of it that can be called")
    if not callable(function):
        raise ConfigurationError(f"`{function!r}` cannot be a tool, since it cannot be called. Give a function")
    order = signature(function, source)
    settled: Collection[str] = ()
    if isinstance(function, functools.partial):
        # what was bound is settled: the model neither sees nor changes it
        settled = typing.cast("functools.partial[Any]", function).keywords.keys()
    elif drop_first and order and order[0].kind != VAR_POSITIONAL:
        settled = [order[0].name]
    shape = Shape(_tool_name(function, source, name), source, [one for one in order if one.name not in settled], hidden)
    shape.reserved.update(settled)
    if isinstance(function, types.MethodType) and source.function is not None:
        shape.reserved.update(source.function.__code__.co_varnames[:1])
    shape.told = description
    shape.by_hand = by_hand
    if not later:
        shape.settle(first=True)
    return shape


def _tool_name(function: Any, source: Source, name: str | None) -> str:
    if name is None:
        name = getattr(function, "__name__", None)
    if name is None and isinstance(function, functools.partial):
        name = getattr(source.function, "__name__", None)
    if name is None:
        name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(function).__name__).lower()
    if name == "<lambda>":
        raise source.fail("a lambda has no name. Give it one: `tool(lambda …, name=…)`")
    if not _NAME.fullmatch(name):
        raise source.fail(_BAD_NAME.format(name))
    return name


class Shape:
    """What a model is told of a function, and the check of what it answers.

    Attributes:
        name: The tool's name.
        order: All parameters, in the order of the signature.
        hidden: The parameter that the run fills, or `None`.
        reserved: Names that must not come in through `**kwargs`.
        source: Where the function comes from.
        told: The description that was given by hand, or `None`.
        by_hand: Whether common types are described by hand.
    """

    __slots__ = (
        "_doc", "_is_hidden", "_json", "_lone", "_lone_adapter", "_model", "_plain", "_settled", "_simple", "_validate",
        "by_hand", "hidden", "name", "order", "reserved", "source", "told",
    )  # fmt: skip

    def __init__(self, name: str, source: Source, order: list[Param], is_hidden: Hidden) -> None:
        self.name = name
        self.source = source
        self.order = order
        self.hidden: Param | None = None
        self.reserved: set[str] = set()
        self.told: str | None = None
        self.by_hand = True
        self._is_hidden = is_hidden
        self._settled = False
        self._simple = False
        self._plain: dict[str, Json] | None = None  # by key: the types, where all could be described by hand
        self._model: TypeAdapter[Any] | None = None  # the arguments object, where pydantic described it
        self._lone: Param | None = None  # the one model-like parameter whose fields the model is shown
        self._lone_adapter: TypeAdapter[Any] | None = None
        self._validate: Callable[..., Any] | None = None
        self._json: Json | None = None
        self._doc: docstrings.Doc | None = None

    @property
    def params(self) -> list[Param]:
        """The parameters that the model is shown."""
        return [one for one in self.order if one is not self.hidden]

    @property
    def description(self) -> str:
        """What the tool does: as told, else the docstring without its parameters, else the name in words."""
        return self.told or self.doc.description or _in_words(self.name)

    @property
    def doc(self) -> docstrings.Doc:
        """What the docstring says."""
        if self._doc is None:
            self._doc = docstrings.parse(self.source.doc)
        return self._doc

    @property
    def parameters(self) -> Json:
        """The JSON Schema (2020-12) of the arguments, an object; not to be changed.

        Raises:
            ConfigurationError: An annotation still cannot be resolved.
        """
        if self._json is None:
            self.settle()
            if self._json is None:
                self._json = self._object(self._plain or {})
        return self._json

    def findings(self) -> list[str]:
        """What a careful author would mend: parameters that the docstring leaves out, or names though there are none."""
        properties: dict[str, Json] = self.parameters["properties"]
        names = {*properties, *(one.name for one in self.order)}
        found = [f"`{name}` is described but is no parameter" for name in self.doc.parameters if name not in names]
        found += [f"`{key}` has no description" for key, schema in properties.items() if "description" not in schema]
        found += [
            f"the default of `{one.key}` cannot be shown, since JSON has no form for it"
            for one in self.params
            if one.default not in (EMPTY, ABSENT) and "default" not in properties.get(one.key, {})
        ]
        return found

    def unbound(self, function: Any) -> str | None:
        """What to say of a method that still waits for its object, else `None`."""
        if not isinstance(function, types.FunctionType) or "." not in function.__qualname__ or not self.order:
            return None
        first = self.order[0]
        if (
            first.name not in ("self", "cls")
            or first.annotation is not EMPTY
            or "<locals>" in function.__qualname__.rpartition(".")[0][-8:]
        ):
            return None
        owner = function.__qualname__.rpartition(".")[0].rpartition(".")[2]
        return f"it is a method without its object. Give the method of an object: `{owner}(…).{function.__name__}`"

    # Reading the types.

    def settle(self, *, first: bool = False) -> None:
        """Resolve the annotations, and describe what is not common; done once.

        Args:
            first: Leave it for the first use if an annotation cannot be resolved yet.

        Raises:
            ConfigurationError: A type has no JSON Schema, or (not `first`) an annotation cannot be resolved.
        """
        if self._settled:
            return
        try:
            for one in self.order:
                if one is not self.hidden:
                    self._look_at(one)
        except Unresolved as error:
            if first:
                return
            raise self.source.fail(
                f"{error}, which an annotation needs. Import it where the running program sees it, too"
            ) from error
        self.order = [
            new for one in self.order for new in ([one] if one is self.hidden else _expanded(one, self.source))
        ]
        self._check_keys()
        self._describe()
        self.source.names = {}
        self._settled = True

    def _look_at(self, one: Param) -> None:
        """Resolve one annotation; find out whether it is the hidden one."""
        try:
            one.annotation = resolve(one.annotation, self.source)
        except Unresolved:
            if not (isinstance(one.annotation, str) and self._is_hidden(one.annotation)):
                raise
        if one.annotation is EMPTY or one.annotation in _SCALARS or not self._is_hidden(one.annotation):
            return
        if self.hidden is not None:
            raise self.source.fail(f"`{self.hidden.name}` and `{one.name}` are both filled by the run. Keep one")
        self.hidden = one

    def _check_keys(self) -> None:
        seen: set[str] = set()
        for one in self.params:
            if one.key in seen:
                raise self.source.fail(f"two parameters are shown as `{one.key}`. Give one of them another alias")
            seen.add(one.key)
            if one.kind != POSITIONAL_ONLY and one.key != one.name:
                self.reserved.add(one.name)
        if self.hidden is not None:
            self.reserved.add(self.hidden.name)
        self._simple = all(
            one.kind not in (POSITIONAL_ONLY, VAR_POSITIONAL) and one.fill is None and one.key == one.name
            for one in self.order
        )

    @property
    def _extras(self) -> Param | None:
        return next((one for one in self.order if one.kind == VAR_KEYWORD), None)

    def _describe(self) -> None:
        """Describe the types: by hand if that can be done for all, else by pydantic."""
        params = self.params
        if (
            len(params) == 1
            and params[0].required
            and lean.is_model(params[0].annotation)
            and self._describe_lone(params[0])
        ):
            return
        if self.by_hand:
            plain: dict[str, Json] = {}
            for one in params:
                schema = plain_schema(_kind_of(one))
                if schema is None:
                    break
                plain[one.key] = schema
            else:
                self._plain = plain
                return
        self._model = self._adapter(params)
        described = self._lean(self._model)
        types_of: dict[str, Json] = described.pop("properties", {})
        if (extras := self._extras) is not None:
            types_of[extras.key] = described.get("additionalProperties", True)
        self._json = self._object(types_of, described.get("$defs"))

    def _adapter(self, params: list[Param]) -> TypeAdapter[Any]:
        """Pydantic's adapter for an object with these parameters; an error names the one it cannot read."""
        try:
            return self._try_adapter(params)
        except Exception:
            for one in params:
                try:
                    self._lean(self._try_adapter([one]))
                except ConfigurationError:
                    raise
                except Exception as error:
                    raise self._no_schema(one, error) from error
            raise

    def _try_adapter(self, params: list[Param]) -> TypeAdapter[Any]:
        fields = {one.key: lean.Field(_kind_of(one), one.required) for one in params if one.kind != VAR_KEYWORD}
        extras = next((_kind_of(one) for one in params if one.kind == VAR_KEYWORD), None)
        return lean.adapter(fields, extras, namespace=self.source.namespace())

    def _lean(self, adapter: TypeAdapter[Any]) -> Json:
        from pydantic.errors import PydanticInvalidForJsonSchema

        try:
            return lean.schema_of(adapter)
        except PydanticInvalidForJsonSchema as error:
            for one in self.params:
                try:
                    lean.schema_of(self._try_adapter([one]))
                except PydanticInvalidForJsonSchema:
                    raise self._no_schema(one, error) from error
            raise

    def _no_schema(self, one: Param, error: Exception) -> ConfigurationError:
        kind = one.annotation
        name = f"{kind.__module__}.{kind.__qualname__}" if isinstance(kind, type) else str(kind)
        reason = str(error).split("\n", 1)[0].rstrip(".")
        return self.source.fail(
            f"parameter `{one.name}` has the type `{name.removeprefix('builtins.')}`, for which there is no JSON Schema"
            f" ({reason}). Take a type that JSON can carry, such as `str` or a dataclass, and make the value in the"
            " function, or let `Annotated[…, pydantic.BeforeValidator(…), pydantic.WithJsonSchema({…})]` make it;"
            " what the program itself should hand in belongs into the `Context`"
        )

    def _describe_lone(self, one: Param) -> bool:
        """Show the fields of a lone model-like parameter in its place, if its schema is an object."""
        try:
            adapter = lean.adapter({}, alone=one.annotation, namespace=self.source.namespace())
        except Exception:
            return False  # the ordinary way tells what is wrong
        described = dict(self._lean(adapter))
        if (ref := described.pop("$ref", None)) is not None:
            described = {**described["$defs"][ref.rpartition("/")[2]], **described}
        if described.get("type") != "object" or "properties" not in described:
            return False
        described.setdefault("additionalProperties", False)
        if words := one.extra.get("description") or self.doc.parameters.get(one.name):
            described["description"] = words
        self._lone, self._lone_adapter, self._model = one, adapter, self._adapter([one])
        self._json = lean.ordered(described)
        return True

    def _object(self, types_of: dict[str, Json], defs: Json | None = None) -> Json:
        """The schema of the arguments object, from the types of its keys."""
        properties: Json = {}
        required: list[str] = []
        extras: Any = False
        words = self.doc.parameters
        for one in self.params:
            schema = types_of[one.key]
            if one.kind == VAR_KEYWORD:
                extras = schema or True
                continue
            more = dict(one.extra)
            if "description" not in more and one.name in words and words[one.name]:
                more["description"] = words[one.name]
            if one.required:
                required.append(one.key)
            elif one.default is not EMPTY and one.default is not ABSENT:
                try:
                    more["default"] = lean.default_of(one.default)
                except (ValueError, TypeError):
                    pass  # `findings` tells
            properties[one.key] = (
                schema if not more else lean.ordered({**schema, **more}) if one.extra else {**schema, **more}
            )
        made: Json = {"type": "object", "properties": properties}
        if required:
            made["required"] = required
        made["additionalProperties"] = extras
        if defs:
            made["$defs"] = defs
        return made

    # Checking arguments.

    def check(self, arguments: str | bytes, *, strict: bool | None = None) -> dict[str, Any]:
        """Read the arguments of a call, straight from the JSON that the model wrote. Blank ones count as `{}`.

        Args:
            arguments: The text of one JSON object.
            strict: `True` takes no value of another type, such as `"3"` for a number.

        Returns:
            What was given, by the keys that the model is shown: no defaults, since those are Python's own.

        Raises:
            ArgumentsInvalid: They do not fit; its text is for the model.
            ConfigurationError: An annotation still cannot be resolved.
        """
        self.settle()
        text = arguments if arguments.strip() else "{}"
        if self._lone is not None:
            return self._read_lone(self._lone, text, strict)
        return self._read_object(text, strict)

    def place(self, given: dict[str, Any], context: Any = None) -> tuple[list[Any], dict[str, Any]]:
        """Positional and keyword arguments, from what `check` gave (and which is used up) and the run's context."""
        if not self._simple:
            return self._spread(given, context)
        if self.hidden is not None:
            given[self.hidden.name] = context
        return [], given

    def validate(self, arguments: str | bytes, context: Any = None) -> tuple[list[Any], dict[str, Any]]:
        """`check` and `place` in one."""
        return self.place(self.check(arguments), context)

    def _read_object(self, text: str | bytes, strict: bool | None) -> dict[str, Any]:
        if self._validate is None:
            self._validate = self._validator()
        found: dict[str, Any] = self._run(self._validate, text, strict)
        check_text(self.name, text, len(found))
        if self.reserved and self._extras is not None and (wrong := self.reserved & found.keys()):
            known = self.parameters["properties"]
            raise ArgumentsInvalid(self.name, [Problem(key, unknown_key(key, known)) for key in sorted(wrong)])
        return found

    def _validator(self) -> Callable[..., Any]:
        if self._model is not None:
            return self._model.validator.validate_json
        from pydantic_core import SchemaValidator, core_schema

        fields: dict[str, Any] = {}
        extras: Any = None
        for one in self.params:
            if one.kind == VAR_KEYWORD:
                extras = plain_core(one.annotation)
            else:
                fields[one.key] = core_schema.typed_dict_field(plain_core(_kind_of(one)), required=one.required)
        behaviour: Literal["allow", "forbid"] = "forbid" if extras is None else "allow"
        return SchemaValidator(
            core_schema.typed_dict_schema(fields, extra_behavior=behaviour, extras_schema=extras)
        ).validate_json

    def _run(self, validate: Callable[..., Any], text: str | bytes, strict: bool | None) -> Any:
        from pydantic_core import ValidationError

        try:
            return validate(text, strict=strict)
        except ValidationError as error:
            raise from_pydantic(self.name, error, text, self.parameters["properties"]) from None

    def _read_lone(self, one: Param, text: str | bytes, strict: bool | None) -> dict[str, Any]:
        """Read the fields of the lone parameter; an object that holds them under its name is taken, too."""
        assert self._lone_adapter is not None
        properties = self.parameters["properties"]
        wrapped = _sole_key(text) == one.key
        if wrapped and one.key not in properties:
            return self._read_object(text, strict)
        try:
            value = self._run(self._lone_adapter.validator.validate_json, text, strict)
        except ArgumentsInvalid:
            if not wrapped:
                raise
            try:
                return self._read_object(text, strict)
            except ArgumentsInvalid:
                pass
            raise
        from pydantic_core import from_json

        keys = from_json(text).keys()
        check_text(self.name, text, len(keys))
        known = {*properties, *lean.field_names(one.annotation)}
        if self.parameters["additionalProperties"] is False and (wrong := [key for key in keys if key not in known]):
            raise ArgumentsInvalid(self.name, [Problem(key, unknown_key(key, properties)) for key in wrong])
        return {one.key: value}

    def _spread(self, given: dict[str, Any], context: Any) -> tuple[list[Any], dict[str, Any]]:
        """Put values by key to their places: positional ones as far as the signature wants them so."""
        many = next((one for one in self.order if one.kind == VAR_POSITIONAL), None)
        rest: list[Any] = given.pop(many.key, []) if many is not None else []
        values: list[Any] = []
        keywords: dict[str, Any] = {}
        gap: list[Any] = []  # defaults that stand only where a later position is given
        by_place = True
        for one in self.order:
            if one.kind in (VAR_POSITIONAL, VAR_KEYWORD):
                continue
            by_place = one.kind == POSITIONAL_ONLY or (bool(rest) and one.kind < VAR_POSITIONAL)
            if one is self.hidden:
                here, value = True, context
            elif one.key in given:
                here, value = True, given.pop(one.key)
            elif one.fill is not None:
                here, value = True, one.fill()
            else:
                here, value = False, one.default
            if by_place:
                gap.append(value)
                if here or rest:
                    values += gap
                    gap = []
            elif here:
                keywords[one.name] = value
        return values + rest, keywords | given


class Given:
    """The shape of a tool whose JSON Schema was written by hand; it has the face of `Shape`.

    Attributes:
        name: The tool's name.
        description: What it does.
        parameters: The JSON Schema as it was given, with `type` and `properties`.
        source: Where the function comes from.
        hidden: The parameter that the run fills, or `None`.
    """

    __slots__ = ("description", "hidden", "name", "parameters", "source")

    def __init__(
        self, name: str, description: str, parameters: Mapping[str, Any], source: Source, hidden: Param | None = None
    ) -> None:
        """Take a ready schema.

        Raises:
            ConfigurationError: The name is none for a tool, or the schema is not of type `object`.
        """
        if not _NAME.fullmatch(name):
            raise source.fail(_BAD_NAME.format(name))
        made: Any = dict(parameters) if isinstance(parameters, Mapping) else None  # type: ignore[redundant-expr]
        if made is None or made.setdefault("type", "object") != "object":
            raise source.fail("its `parameters` are no JSON Schema of type `object`")
        if not isinstance(made.setdefault("properties", {}), dict) or not isinstance(made.get("required", []), list):
            raise source.fail("in its `parameters`, `properties` is no object or `required` no list")
        self.name = name
        self.description = description or _in_words(name)
        self.parameters: Json = made
        self.source = source
        self.hidden = hidden

    def settle(self) -> None:
        """There is nothing left to find out."""

    def findings(self) -> list[str]:
        """Parameters without a description."""
        properties: dict[str, Any] = self.parameters["properties"]
        return [f"`{key}` has no description" for key, one in properties.items() if "description" not in (one or {})]

    def unbound(self, function: Any) -> str | None:  # noqa: ARG002 - the face of `Shape`
        """A ready schema says nothing of methods."""
        return None

    def check(self, arguments: str | bytes, *, strict: bool | None = None) -> dict[str, Any]:  # noqa: ARG002
        """Read one JSON object; required keys must be there, others only if the schema does not forbid them.

        Raises:
            ArgumentsInvalid: It is no such object.
        """
        from pydantic_core import ValidationError

        text = arguments if arguments.strip() else "{}"
        try:
            found: Json = _any_object().validate_json(text)
        except ValidationError as error:
            raise from_pydantic(self.name, error, text, self.parameters["properties"]) from None
        check_text(self.name, text, len(found))
        known = self.parameters["properties"]
        problems = [
            Problem(key, "is required but missing") for key in self.parameters.get("required", ()) if key not in found
        ]
        if self.parameters.get("additionalProperties") is False:
            patterns = [re.compile(one) for one in self.parameters.get("patternProperties", ())]
            strange = [key for key in found if key not in known and not any(one.search(key) for one in patterns)]
            problems += [Problem(key, unknown_key(key, known)) for key in strange]
        elif self.hidden is not None and self.hidden.name in found:
            problems.append(Problem(self.hidden.name, unknown_key(self.hidden.name, known)))
        if problems:
            raise ArgumentsInvalid(self.name, problems)
        return found

    def place(self, given: dict[str, Any], context: Any = None) -> tuple[list[Any], dict[str, Any]]:
        """All by keyword."""
        if self.hidden is not None:
            given[self.hidden.name] = context
        return [], given


@functools.cache
def _any_object() -> Any:
    from pydantic_core import SchemaValidator, core_schema

    return SchemaValidator(core_schema.dict_schema(core_schema.str_schema(), core_schema.any_schema()))


def read_hidden(function: Callable[..., Any], is_hidden: Hidden) -> Param | None:
    """The parameter that the run fills, for a function whose schema is given; types that cannot be told are passed over."""
    source = Source(function)
    try:
        order = signature(function, source)
    except ConfigurationError:
        return None
    for one in order:
        try:
            kind = resolve(one.annotation, source)
        except (Unresolved, ConfigurationError):
            kind = one.annotation
        if kind is not EMPTY and is_hidden(kind):
            return one
    return None


def _sole_key(text: str | bytes) -> str | None:
    """The key of an object that has but one, else `None`."""
    from pydantic_core import from_json

    try:
        found: Any = from_json(text)
    except ValueError:
        return None
    return next(iter(found)) if isinstance(found, dict) and len(found) == 1 else None  # type: ignore[arg-type]


def _kind_of(one: Param) -> Any:
    """What the model must write for a parameter: for `*args` a list."""
    kind = Any if one.annotation is EMPTY else one.annotation
    return list[kind] if one.kind == VAR_POSITIONAL else kind


def _expanded(one: Param, source: Source) -> list[Param]:
    """A parameter without the words about it, which go into `extra`; unpacked keywords become parameters."""
    if one.kind == VAR_KEYWORD and (fields := lean.unpacked(one.annotation)) is not None:
        return [
            new
            for name, field in fields.items()
            for new in _expanded(Param(name, KEYWORD_ONLY, field.kind, EMPTY if field.required else ABSENT), source)
        ]
    metadata: tuple[Any, ...] = getattr(one.annotation, "__metadata__", ())
    if lean.is_field(one.default) or not all(isinstance(word, str) for word in metadata):
        lean.take_field(one)
    elif metadata:
        one.annotation = one.annotation.__origin__
        one.extra = {"description": lean.text_of(metadata)}
    if one.default is None and one.annotation is not EMPTY:
        one.annotation = Union[one.annotation, None]  # noqa: UP007 - made at run time
    return [one]


def _in_words(name: str) -> str:
    """`get_weather` and `getWeather` as "Get weather."."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", " ", name).replace("_", " ").replace("-", " ").split()
    text = " ".join(word if word.isupper() else word.lower() for word in words) or name
    return text[0].upper() + text[1:] + "."


def plain_schema(kind: Any) -> Json | None:
    """A common type as pydantic describes it; `None` for any other."""
    try:
        scalar = _SCALARS.get(kind)
    except TypeError:  # unhashable metadata
        return None
    if scalar is not None:
        return {"type": scalar}
    if kind is EMPTY or kind is Any or kind is object:
        return {}
    origin = getattr(kind, "__origin__", None)
    if kind is list:
        return {"type": "array", "items": {}}
    if kind is dict:
        return {"type": "object", "additionalProperties": True}
    if origin is list:
        items = plain_schema(kind.__args__[0])
        return None if items is None else {"type": "array", "items": items}
    if origin is dict and kind.__args__[0] is str:
        values = plain_schema(kind.__args__[1])
        return None if values is None else {"type": "object", "additionalProperties": values or True}
    if origin is Union or isinstance(kind, types.UnionType):
        return _plain_union(kind.__args__)
    if origin is Literal:
        return _plain_literal(kind.__args__)
    return None


def _plain_union(members: tuple[Any, ...]) -> Json | None:
    """`None` stands last, as pydantic puts it."""
    found: list[Json] = []
    for one in sorted(members, key=lambda one: one is types.NoneType):
        schema = plain_schema(one)
        if schema is None:
            return None
        found.append(schema)
    return {"anyOf": found}


def _plain_literal(values: tuple[Any, ...]) -> Json | None:
    kinds = {type(value) for value in values}
    if len(kinds) > 1 or not kinds <= {str, int, bool}:
        return None
    head: Json = {"type": _SCALARS[kinds.pop()]}
    return {**head, "const": values[0]} if len(values) == 1 else {**head, "enum": list(values)}


def plain_core(kind: Any) -> Any:
    """The core schema of a type that `plain_schema` describes: what pydantic would build for it."""
    from pydantic_core import core_schema

    if kind is float:
        return core_schema.float_schema(allow_inf_nan=False)
    simple = {str: core_schema.str_schema, int: core_schema.int_schema, bool: core_schema.bool_schema}.get(kind)
    if simple:
        return simple()
    if kind is None or kind is types.NoneType:
        return core_schema.none_schema()
    origin = getattr(kind, "__origin__", None)
    if kind is list or origin is list:
        return core_schema.list_schema(plain_core(kind.__args__[0]) if origin else None)
    if kind is dict or origin is dict:
        return (
            core_schema.dict_schema(core_schema.str_schema(), plain_core(kind.__args__[1]))
            if origin
            else core_schema.dict_schema()
        )
    if origin is Literal:
        return core_schema.literal_schema(list(kind.__args__))
    if origin is Union or isinstance(kind, types.UnionType):
        members = [plain_core(one) for one in kind.__args__ if one is not types.NoneType]
        schema = members[0] if len(members) == 1 else core_schema.union_schema(members)
        return core_schema.nullable_schema(schema) if len(members) < len(kind.__args__) else schema
    return core_schema.any_schema()
