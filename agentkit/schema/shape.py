"""`Shape`: what a model is told of a function, and the check of what it answers.

Both ways of describing types end in one arguments object of our own, a typed dictionary keyed by what the model is
shown, because pydantic's own reading of a function makes an array of positional-only parameters and its models
reserve names (`schema`, `json`, `model_config`). The validator reads JSON straight into values and keeps only what was
given: defaults stay Python's own.
"""

from __future__ import annotations

import functools
import threading
import types
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, Literal, cast

from agentkit.errors import ConfigurationError
from agentkit.schema import docstrings, lean
from agentkit.schema.arguments import ArgumentsInvalid, Problem, check_text, from_pydantic, suspect, unknown_key
from agentkit.schema.booleans import can_confuse, confused
from agentkit.schema.described import adapter_of, expanded, kind_of, lone_of
from agentkit.schema.fit import Fitted, Misfit, fit, strictly
from agentkit.schema.plain import plain_core, plain_schema
from agentkit.schema.signature import (
    ABSENT,
    EMPTY,
    POSITIONAL_ONLY,
    VAR_KEYWORD,
    VAR_POSITIONAL,
    Hidden,
    Param,
    Source,
    Unresolved,
    call_of,
    in_words,
    resolve,
    signature,
    tool_name,
)
from agentkit.schema.taken import Taken, take

if TYPE_CHECKING:
    from pydantic import TypeAdapter

Json = dict[str, Any]

Fit = Callable[[Callable[..., Any], "str | bytes"], Fitted]
"""Validates JSON with a validator's `validate_json`."""

_LOCK = threading.RLock()
"""Held while a shape settles, which two threads may want at its first use."""


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
        raise ConfigurationError(
            f"`{function!r:.80}` cannot be a tool, since it cannot be called. Give a function", code="bad-tool"
        )
    order = signature(function, source)
    settled: Collection[str] = ()
    if isinstance(function, functools.partial):
        # what was bound is settled: the model neither sees nor changes it
        settled = cast("functools.partial[Any]", function).keywords.keys()
    elif drop_first and order and order[0].kind != VAR_POSITIONAL:
        settled = [order[0].name]
    order = [one for one in order if one.name not in settled]
    shape = Shape(tool_name(function, source, name), source, order, hidden, told=description, by_hand=by_hand)
    shape.reserved.update(settled)
    if source.receiver is not None and (isinstance(function, types.MethodType) or call_of(function) is not None):
        shape.reserved.add(source.receiver)
    if not later:
        shape.settle(first=True)
    return shape


class Shape:
    """What a model is told of a function, and the check of what it answers.

    Attributes:
        name: The tool's name.
        source: Where the function comes from.
        order: All parameters, in the order of the signature.
        hidden: The parameter that the run fills, or `None`.
        told: The description that was given by hand, or `None`.
        reserved: Names that must not come in through `**kwargs`.
    """

    __slots__ = (
        "_by_hand", "_confusing", "_doc", "_is_hidden", "_json", "_lone", "_model", "_plain", "_quick",
        "_settled", "_simple", "_validate", "hidden", "name", "order", "reserved", "source", "told",
    )  # fmt: skip

    def __init__(
        self, name: str, source: Source, order: list[Param], is_hidden: Hidden, *, told: str | None, by_hand: bool
    ) -> None:
        self.name = name
        self.source = source
        self.order = order
        self.hidden: Param | None = None
        self.told = told
        self.reserved: set[str] = set()
        self._by_hand = by_hand
        self._is_hidden = is_hidden
        self._settled = False
        self._simple = False  # all goes by keyword, under the names that the model knows
        self._plain: dict[str, Json] = {}  # the types by parameter, where all could be described by hand
        self._model: TypeAdapter[Any] | None = None  # the arguments object, where pydantic described it
        self._lone: tuple[Param, TypeAdapter[Any]] | None = None  # the one model-like parameter that is shown opened
        self._validate: Callable[..., Any] | None = None
        self._quick: Callable[..., Any] | None = None  # the same, once it is known that all it lets pass fits
        self._json: Json | None = None
        self._doc: docstrings.Doc | None = None
        self._confusing: bool | None = None  # whether a boolean may be taken for a number of an enumeration

    @property
    def params(self) -> list[Param]:
        """The parameters that the model is shown."""
        return [one for one in self.order if one is not self.hidden]

    @property
    def extras(self) -> Param | None:
        """The parameter `**kwargs`, if there is one."""
        return next((one for one in self.order if one.kind == VAR_KEYWORD), None)

    @property
    def description(self) -> str:
        """What the tool does: as told, else the docstring without its parameters, else the name in words."""
        return self.told or self.doc.description or in_words(self.name)

    @property
    def described(self) -> bool:
        """Whether anybody has said what the tool does, in more than its name."""
        return bool(self.told or self.doc.description)

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
                self._json = self._object(self._plain, {})
        return self._json

    def findings(self) -> list[str]:
        """What a careful author would mend: parameters that the docstring leaves out, or that only it knows."""
        properties: dict[str, Json] = self.parameters["properties"]
        names = {*properties, *(one.name for one in self.order)}
        found = [f"`{name}` is described but is no parameter" for name in self.doc.parameters if name not in names]
        found += [f"`{key}` has no description" for key, schema in properties.items() if "description" not in schema]
        found += [
            f"the default of `{one.key}` cannot be shown, since JSON has no form for it"
            for one in self.params
            if one.default is not EMPTY and one.default is not ABSENT and "default" not in properties.get(one.key, {})
        ]
        return found

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
        with _LOCK:
            try:
                for one in self.order:
                    if one is not self.hidden and not self._settled:
                        self._look_at(one, first)
            except Unresolved as error:
                if first:
                    return
                raise self.source.fail(
                    f"an annotation cannot be resolved ({error}). Import what it names where the running program sees"
                    " it"
                ) from error
            if not self._settled:
                self.order = [new for one in self.order for new in ([one] if one is self.hidden else expanded(one))]
                self._check_keys()
                self._describe()
                self.source.names = {}
                self._settled = True

    def _look_at(self, one: Param, first: bool) -> None:
        """Resolve one annotation; find out whether it is the hidden one."""
        if self._is_plain(one):
            return
        try:
            one.annotation = resolve(one.annotation, self.source, last=not first)
        except Unresolved:
            if not (isinstance(one.annotation, str) and self._is_hidden(one.annotation)):
                raise
        if self._is_plain(one):
            return
        if one.annotation is EMPTY or not self._is_hidden(one.annotation):
            return
        if self.hidden is not None:
            raise self.source.fail(f"`{self.hidden.name}` and `{one.name}` are both filled by the run. Keep one")
        self.hidden = one

    def _is_plain(self, one: Param) -> bool:
        if self._by_hand and one.kind not in (VAR_POSITIONAL, VAR_KEYWORD):
            one.plain = plain_schema(one.annotation)
        return one.plain is not None

    def _check_keys(self) -> None:
        seen: set[str] = set()
        self._simple = True
        for one in self.order:
            if one.kind in (POSITIONAL_ONLY, VAR_POSITIONAL) or one.fill is not None or one.key != one.name:
                self._simple = False
            if one is self.hidden or (one.kind != POSITIONAL_ONLY and one.key != one.name):
                self.reserved.add(one.name)
            if one is not self.hidden and one.kind != VAR_KEYWORD:
                if one.key in seen:
                    raise self.source.fail(f"two parameters are shown as `{one.key}`. Give one of them another alias")
                seen.add(one.key)

    def _describe(self) -> None:
        """Describe the types: by hand if that can be done for all, else by pydantic."""
        params = self.params
        if self._describe_lone(params):
            return
        if self._by_hand:
            for one in params:
                schema = plain_schema(kind_of(one)) if one.plain is None else one.plain
                if schema is None:
                    break
                self._plain[one.name] = schema
            else:
                return
        self._model, described = adapter_of(params, self.source)
        of_keys: dict[str, Json] = described["properties"]
        kinds = {one.name: of_keys[one.key] for one in params if one.kind != VAR_KEYWORD}
        if (extras := self.extras) is not None:
            kinds[extras.name] = described["additionalProperties"]
        self._json = self._object(kinds, described.get("$defs", {}))

    def _describe_lone(self, params: list[Param]) -> bool:
        """Show the fields of a lone model-like parameter in its place, where its schema is an object."""
        if len(params) != 1 or not params[0].required or not lean.is_model(params[0].annotation):
            return False
        (one,) = params
        found = lone_of(one, self.source)
        if found is None:
            return False
        adapter, described = found
        if words := one.extra.get("description") or self.doc.parameters.get(one.name):
            described["description"] = words
        self._lone = one, adapter
        self._model, _ = adapter_of(params, self.source)
        self._json = lean.ordered(described)
        return True

    def _object(self, kinds: dict[str, Json], defs: Json) -> Json:
        """The schema of the arguments object, from the types of the parameters."""
        properties: Json = {}
        required: list[str] = []
        extras: Json | bool = False
        words = self.doc.parameters
        for one in self.params:
            more = dict(one.extra)
            if "description" not in more and (said := words.get(one.name) or words.get(one.key)):
                more["description"] = said
            if one.required:
                required.append(one.key)
            elif one.default is not EMPTY and one.default is not ABSENT:
                try:
                    more["default"] = lean.default_of(one.default)
                except (ValueError, TypeError):
                    pass  # `findings` tells
            schema: Any = kinds[one.name]
            if more:
                schema = more if schema is True else {**schema, **more}  # `True`: `**kwargs` of any type
            if one.kind == VAR_KEYWORD:
                extras = schema or True
            else:
                properties[one.key] = lean.ordered(schema) if one.extra else schema
        made: Json = {"type": "object", "properties": properties}
        if required:
            made["required"] = required
        made["additionalProperties"] = extras
        if defs:
            made["$defs"] = defs
        return made

    # Checking arguments.

    def take(self, arguments: str | bytes, *, complete: bool = True) -> Taken:
        """Read the arguments of a call as models write them, with the repairs that cannot change what was meant.

        Args:
            arguments: What the model wrote; the text of one JSON object, if all is well.
            complete: Whether the reply is known to have come to its end; what was cut is not mended.

        Raises:
            ArgumentsInvalid: They do not fit; its text is for the model.
            ConfigurationError: An annotation still cannot be resolved.
        """
        if self._quick is not None and isinstance(arguments, str):
            try:
                given = self._quick(arguments, strict=True)
            except ValueError:  # the long way tells what is wrong, or mends it
                pass
            else:
                if not suspect(arguments, len(given), self._as_read(given)):
                    return Taken(given, arguments, {})
        self.settle()
        return take(self._read, arguments, complete=complete)

    def check(self, arguments: str | bytes, *, strict: bool = False) -> dict[str, Any]:
        """`take` for what was given alone.

        Args:
            arguments: What the model wrote.
            strict: `True` mends nothing and takes no value of another type, such as `"3"` for a number.

        Returns:
            What was given, by the keys that the model is shown: no defaults, since those are Python's own.

        Raises:
            ArgumentsInvalid: They do not fit; its text is for the model.
            ConfigurationError: An annotation still cannot be resolved.
        """
        if not strict:
            return self.take(arguments).given
        self.settle()
        return self._read(arguments, fit=strictly).given

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

    def _read(self, text: str | bytes, *, fit: Fit = fit) -> Taken:
        if self._lone is not None:
            return self._read_lone(*self._lone, text, fit)
        return self._read_object(text, fit)

    def _read_object(self, text: str | bytes, fit: Fit) -> Taken:
        if self._validate is None:
            self._validate = self._validator()
        found = self._fit(self._validate, text, fit)
        if self._lone is None and not self._confusing and self.extras is None:
            self._quick = self._validate
        check_text(self.name, text, len(found.value), self._as_read(found.value))
        if self.reserved and self.extras is not None and (wrong := self.reserved & found.value.keys()):
            known = self.parameters["properties"]
            raise ArgumentsInvalid(self.name, [Problem(key, unknown_key(key, known)) for key in sorted(wrong)])
        return Taken(found.value, found.text, found.repairs)

    def _as_read(self, given: dict[str, Any]) -> Collection[Any] | None:
        """The values, where they are of the types that they were read as; validators may make a text of a number."""
        return given.values() if self._model is None else None

    def _validator(self) -> Callable[..., Any]:
        if self._model is not None:
            return self._model.validator.validate_json
        from pydantic_core import SchemaValidator, core_schema

        fields = {
            one.key: core_schema.typed_dict_field(plain_core(kind_of(one)), required=one.required)
            for one in self.params
            if one.kind != VAR_KEYWORD
        }
        extras = None if self.extras is None else plain_core(self.extras.annotation)
        behaviour: Literal["allow", "forbid"] = "forbid" if extras is None else "allow"
        schema = core_schema.typed_dict_schema(fields, extra_behavior=behaviour, extras_schema=extras)
        return SchemaValidator(schema).validate_json

    def _fit(self, validate: Callable[..., Any], text: str | bytes, fit: Fit) -> Fitted:
        try:
            found = fit(validate, text)
        except Misfit as misfit:
            raise from_pydantic(self.name, misfit.error, misfit.text, self.parameters["properties"]) from None
        if self._confusing is None:
            self._confusing = can_confuse(self.parameters)
        if self._confusing and (wrong := list(confused(self.parameters, _load(found.text)))):
            raise ArgumentsInvalid(self.name, wrong)
        return found

    def _read_lone(self, one: Param, adapter: TypeAdapter[Any], text: str | bytes, fit: Fit) -> Taken:
        """Read the fields of the lone parameter; an object that holds them under its name is taken, too."""
        from pydantic_core import from_json

        properties = self.parameters["properties"]
        try:
            keys: list[str] = list(from_json(text))
        except (ValueError, TypeError):  # the validator tells what is wrong
            keys = []
        wrapped = keys == [one.key]
        if wrapped and one.key not in properties:
            return self._read_object(text, fit)
        try:
            found = self._fit(adapter.validator.validate_json, text, fit)
        except ArgumentsInvalid as error:
            try:
                if wrapped:
                    return self._read_object(text, fit)
            except ArgumentsInvalid:
                pass
            raise error
        check_text(self.name, text, len(keys))
        known = {*properties, *lean.field_names(one.annotation)}
        if self.parameters["additionalProperties"] is False and (wrong := [key for key in keys if key not in known]):
            raise ArgumentsInvalid(self.name, [Problem(key, unknown_key(key, properties)) for key in wrong])
        return Taken({one.key: found.value}, found.text, found.repairs)

    def _spread(self, given: dict[str, Any], context: Any) -> tuple[list[Any], dict[str, Any]]:
        """Put values by key to their places: positional ones as far as the signature wants them so."""
        many = next((one for one in self.order if one.kind == VAR_POSITIONAL), None)
        rest: list[Any] = given.pop(many.key, []) if many is not None else []
        values: list[Any] = []
        keywords: dict[str, Any] = {}
        gap: list[Any] = []  # defaults, which stand only where a later position is given
        for one in self.order:
            if one.kind in (VAR_POSITIONAL, VAR_KEYWORD):
                continue
            here, value = True, one.default
            if one is self.hidden:
                value = context
            elif one.key in given:
                value = given.pop(one.key)
            elif one.fill is not None:
                value = one.fill()
            else:
                here = False
            if one.kind == POSITIONAL_ONLY or (rest and one.kind < VAR_POSITIONAL):
                gap.append(value)
                if here or rest:
                    values += gap
                    gap = []
            elif here:
                keywords[one.name] = value
        return values + rest, keywords | given


def _load(text: str | bytes) -> Any:
    from pydantic_core import from_json

    return from_json(text)
