"""A request body, read as DeepSeek's service reads it: types first, with the errors of its JSON reader.

The service is written in Rust, and its texts are those of axum and serde (recorded: ``messages[0]: unknown variant
`image_url`, expected `text` at line 1 column 391``). The column is where that reader stood when it noticed, which
differs by kind: a message is read whole, and then one byte more, before its content is looked at; other values are
looked at as they end. Places are found by a second reading, and only when there is something to complain about.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from json.decoder import JSONDecodeError
from typing import Any, NoReturn, cast

from agentkit.simulator.plan import Call
from agentkit.simulator.profiles import Profile
from agentkit.simulator.refusal import Refusal

_TARGET = "Failed to deserialize the JSON body into the target type: "
_SYNTAX = "Failed to parse the request body as JSON: "


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a request. Text parts are joined with a blank line (WIRE section 7).

    `calls` is `None` where the key is absent or null, and `()` where it is an empty list: the endpoint tells them
    apart. `reasoning` is `None` where `reasoning_content` is absent or null.
    """

    role: str
    text: str | None = None
    calls: tuple[Call, ...] | None = None
    call_id: str = ""
    reasoning: str | None = None
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool definition of a request; `parameters` is as sent, `None` where it is absent or null.

    Two tools are equal if their `source`, the definition as JSON text, is; so tools can be looked up in caches.
    """

    name: str
    description: str = field(default="", compare=False)
    parameters: Any = field(default=None, compare=False)
    strict: bool = field(default=False, compare=False)
    source: str = ""


@dataclass(frozen=True, slots=True)
class Chat:
    """A request for a chat completion, its types checked and nothing else."""

    model: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: str | None = None  # "none", "auto", "required", or "named"
    named: str = ""
    thinking: str | None = None
    effort: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    n: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    stream: bool = False
    stream_options: bool = False
    include_usage: bool = False
    response_format: str = "text"
    top_logprobs: int | None = None


class _Unfit(Exception):
    """A value of the wrong type: the text, the path it is told under, and the value where the reader stood."""

    def __init__(self, text: str, path: tuple[str | int, ...], status: int = 400) -> None:
        super().__init__(text)
        self.text = text
        self.path = path
        self.status = status


def read_chat(body: bytes, profile: Profile) -> Chat:
    """Read the body of `POST /chat/completions`.

    Raises:
        Refusal: It is not JSON, or a value has a type or a variant that the endpoint does not know (HTTP 400; 422
            for a `thinking` that is not an object, as reported).
    """
    value = _parse(body)
    try:
        if not isinstance(value, dict):
            _invalid_type(value, "struct ChatCompletionRequest", ())
        return _chat(cast("dict[str, Any]", value), profile)
    except _Unfit as unfit:
        shown = _shown(unfit.path)
        place = _place(body.decode("utf-8", "replace"), unfit.path)
        raise Refusal(f"{_TARGET}{shown}{unfit.text} at {place}", status=unfit.status) from None


# ── JSON ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _parse(body: bytes) -> Any:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refusal(f"{_SYNTAX}invalid unicode code point at {_line_column(body[: error.start + 1])}") from None
    try:
        return json.loads(text, parse_constant=_no_constant)
    except JSONDecodeError as error:
        raise Refusal(_SYNTAX + _syntax(text, error)) from None
    except RecursionError:
        raise Refusal(f"{_SYNTAX}recursion limit exceeded at line 1 column 128") from None
    except ValueError:  # NaN, Infinity, or an integer of thousands of digits
        raise Refusal(f"{_SYNTAX}expected value at line 1 column 1") from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


_SERDE_TEXTS = (
    ("Expecting property name", "key must be a string", 1),
    ("Expecting ':'", "expected `:`", 1),
    ("Expecting ','", "expected `,` or `}`", 1),
    ("Extra data", "trailing characters", 1),
    ("Invalid control character", "control character (\\u0000-\\u001F) found while parsing a string", 1),
    ("Invalid \\escape", "invalid escape", 2),
    ("Invalid \\uXXXX", "invalid escape", 2),
    ("Illegal trailing comma", "trailing comma", 2),
    ("Expecting value", "expected value", 1),
)


def _syntax(text: str, error: JSONDecodeError) -> str:
    if error.msg.startswith("Unterminated string"):
        return f"EOF while parsing a string at {_line_column(text.encode())}"
    if not text[error.pos :].strip():
        what = "a value" if error.msg.startswith("Expecting value") else "an object"
        return f"EOF while parsing {what} at {_line_column(text.encode())}"
    for start, serde, ahead in _SERDE_TEXTS:
        if error.msg.startswith(start):
            return f"{serde} at {_line_column(text[: error.pos + ahead].encode())}"
    return f"expected value at {_line_column(text[: error.pos + 1].encode())}"


def _line_column(read: bytes) -> str:
    """Where a reader stands that has read these bytes: lines from 1, columns in bytes of the line."""
    return f"line {read.count(10) + 1} column {len(read) - read.rfind(10) - 1}"


def _shown(path: tuple[str | int, ...]) -> str:
    """`messages[0].role: `, or nothing for the body itself."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return f"{text.removeprefix('.')}: " if text else ""


def _place(text: str, path: tuple[str | int, ...]) -> str:
    end = _end_of(text, path)
    if len(path) == 2 and path[0] == "messages":
        # A message is read whole, and the comma or bracket after it too, before its content is looked at.
        end = _skip_space(text, end) + 1
    return _line_column(text[:end].encode("utf-8", "replace"))


def _end_of(text: str, path: tuple[str | int, ...]) -> int:
    """The index after the value at a path, which is known to be there, in a text that is known to be JSON."""
    decoder = json.JSONDecoder()
    at = _skip_space(text, 0)
    for step in path:
        at = _skip_space(text, at + 1)
        if isinstance(step, int):
            for _ in range(step):
                at = _skip_space(text, _skip_space(text, decoder.raw_decode(text, at)[1]) + 1)
            continue
        while True:
            key, at = decoder.raw_decode(text, at)
            at = _skip_space(text, _skip_space(text, at) + 1)
            if key == step:
                break
            at = _skip_space(text, _skip_space(text, decoder.raw_decode(text, at)[1]) + 1)
    return decoder.raw_decode(text, at)[1]


def _skip_space(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


# ── Types ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _invalid_type(value: Any, expected: str, path: tuple[str | int, ...], status: int = 400) -> NoReturn:
    raise _Unfit(f"invalid type: {_named(value)}, expected {expected}", path, status)


def _named(value: Any) -> str:
    """What serde calls a JSON value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"boolean `{str(value).lower()}`"
    if isinstance(value, int):
        return f"integer `{value}`"
    if isinstance(value, float):
        return f"floating point `{value}`"
    if isinstance(value, str):
        return f"string {json.dumps(value, ensure_ascii=False)}"
    return "sequence" if isinstance(value, list) else "map"


def _variants(names: Sequence[str]) -> str:
    quoted = [f"`{name}`" for name in names]
    if len(quoted) == 1:
        return quoted[0]
    return f"{quoted[0]} or {quoted[1]}" if len(quoted) == 2 else f"one of {', '.join(quoted)}"


def _unknown_variant(value: str, names: Sequence[str], path: tuple[str | int, ...]) -> NoReturn:
    raise _Unfit(f"unknown variant `{value}`, expected {_variants(names)}", path)


def _missing(name: str, path: tuple[str | int, ...]) -> NoReturn:
    raise _Unfit(f"missing field `{name}`", path)


def _number(body: Mapping[str, Any], name: str) -> float | None:
    value = body.get(name)
    if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        return value
    _invalid_type(value, "f32", (name,))


def _integer(body: Mapping[str, Any], name: str, kind: str = "u32") -> int | None:
    value = body.get(name)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    _invalid_type(value, kind, (name,))


def _boolean(body: Mapping[str, Any], name: str, path: tuple[str | int, ...] = ()) -> bool:
    value = body.get(name)
    if value is None or isinstance(value, bool):
        return bool(value)
    _invalid_type(value, "a boolean", (*path, name))


def _string(value: Any, path: tuple[str | int, ...]) -> str:
    if isinstance(value, str):
        return value
    _invalid_type(value, "a string", path)


def _object(value: Any, expected: str, path: tuple[str | int, ...], status: int = 400) -> dict[str, Any]:
    if isinstance(value, dict):
        return cast("dict[str, Any]", value)
    _invalid_type(value, expected, path, status)


def _list(value: Any, path: tuple[str | int, ...]) -> list[Any]:
    if isinstance(value, list):
        return cast("list[Any]", value)
    _invalid_type(value, "a sequence", path)


# ── The request ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _chat(body: dict[str, Any], profile: Profile) -> Chat:
    for name in ("messages", "model"):
        if name not in body:
            _missing(name, ())
    options = body.get("stream_options")
    choice, named = _tool_choice(body.get("tool_choice"))
    return Chat(
        model=_string(body["model"], ("model",)),
        messages=tuple(
            _message(message, number, profile) for number, message in enumerate(_list(body["messages"], ("messages",)))
        ),
        tools=tuple(_tool(tool, number) for number, tool in enumerate(_list(body.get("tools") or [], ("tools",)))),
        tool_choice=choice,
        named=named,
        thinking=_thinking(body.get("thinking")),
        effort=_effort(body.get("reasoning_effort"), profile),
        max_tokens=_integer(body, "max_tokens"),
        temperature=_number(body, "temperature"),
        top_p=_number(body, "top_p"),
        frequency_penalty=_number(body, "frequency_penalty"),
        presence_penalty=_number(body, "presence_penalty"),
        n=_integer(body, "n"),
        seed=_integer(body, "seed", "u64"),
        stop=_stop(body.get("stop")),
        stream=_boolean(body, "stream"),
        stream_options=options is not None,
        include_usage=options is not None
        and _boolean(
            _object(options, "struct StreamOptions", ("stream_options",)), "include_usage", ("stream_options",)
        ),
        response_format=_response_format(body.get("response_format")),
        top_logprobs=_integer(body, "top_logprobs"),
    )


def _message(value: Any, number: int, profile: Profile) -> Message:
    path = ("messages", number)
    body = _object(value, "internally tagged enum ChatCompletionRequestMessage", path)
    if "role" not in body:
        _missing("role", path)
    role = _string(body["role"], (*path, "role"))
    if role not in profile.roles:
        _unknown_variant(role, profile.roles, (*path, "role"))
    content = body.get("content")
    if role == "assistant":
        reasoning = body.get("reasoning_content")
        return Message(
            role,
            None if content is None else _text(content, path, ("text",)),
            calls=_calls(body.get("tool_calls"), path),
            reasoning=None if reasoning is None else _inner_string(reasoning, path),
            prefix=body.get("prefix") is True,
        )
    if "content" not in body:
        _missing("content", path)
    text = _text(content, path, profile.parts if role == "user" else ("text",))
    if role != "tool":
        return Message(role, text)
    if "tool_call_id" not in body:
        _missing("tool_call_id", path)
    return Message(role, text, call_id=_inner_string(body["tool_call_id"], path))


def _inner_string(value: Any, path: tuple[str | int, ...]) -> str:
    """A string within a message: complaints name the message, not the field (see the module's head)."""
    return value if isinstance(value, str) else _invalid_type(value, "a string", path)


def _text(content: Any, path: tuple[str | int, ...], known: Sequence[str]) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        _invalid_type(content, "a string", path)
    texts: list[str] = []
    for part in cast("list[Any]", content):
        body = _object(part, "internally tagged enum ContentPart", path)
        if "type" not in body:
            _missing("type", path)
        kind = _inner_string(body["type"], path)
        if kind not in known:
            _unknown_variant(kind, known, path)
        if kind not in body:
            _missing(kind, path)
        if kind == "text":
            texts.append(_inner_string(body["text"], path))
    return "\n\n".join(texts)


def _calls(value: Any, path: tuple[str | int, ...]) -> tuple[Call, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list):
        _invalid_type(value, "a sequence", path)
    calls: list[Call] = []
    for item in cast("list[Any]", value):
        call = _object(item, "struct ToolCall", path)
        for name in ("id", "type", "function"):
            if name not in call:
                _missing(name, path)
        if call["type"] != "function":
            _unknown_variant(_inner_string(call["type"], path), ("function",), path)
        function = _object(call["function"], "struct FunctionCall", path)
        for name in ("name", "arguments"):
            if name not in function:
                _missing(name, path)
        name, arguments = _inner_string(function["name"], path), _inner_string(function["arguments"], path)
        calls.append(Call(name, arguments, _inner_string(call["id"], path)))
    return tuple(calls)


def _tool(value: Any, number: int) -> Tool:
    path = ("tools", number)
    body = _object(value, "struct Tool", path)
    for name in ("type", "function"):
        if name not in body:
            _missing(name, path)
    if body["type"] != "function":
        _unknown_variant(_string(body["type"], (*path, "type")), ("function",), (*path, "type"))
    path = (*path, "function")
    function = _object(body["function"], "struct Function", path)
    if "name" not in function:
        _missing("name", path)
    description = function.get("description")
    return Tool(
        name=_string(function["name"], (*path, "name")),
        description="" if description is None else _string(description, (*path, "description")),
        parameters=function.get("parameters"),
        strict=_boolean(function, "strict", path),
        source=json.dumps(function, ensure_ascii=False),
    )


def _tool_choice(value: Any) -> tuple[str | None, str]:
    if value is None:
        return None, ""
    path = ("tool_choice",)
    if isinstance(value, str):
        if value not in ("none", "auto", "required"):
            _unknown_variant(value, ("none", "auto", "required"), path)
        return value, ""
    body = _object(value, "a string or a map", path)
    for name in ("type", "function"):
        if name not in body:
            _missing(name, path)
    function = _object(body["function"], "struct NamedFunction", (*path, "function"))
    if "name" not in function:
        _missing("name", (*path, "function"))
    return "named", _string(function["name"], (*path, "function", "name"))


def _thinking(value: Any) -> str | None:
    if value is None:
        return None
    body = _object(value, "struct ThinkingOptions", ("thinking",), status=422)
    if "type" not in body:
        _missing("type", ("thinking",))
    kind = _string(body["type"], ("thinking", "type"))
    if kind not in ("enabled", "disabled", "adaptive"):
        _unknown_variant(kind, ("enabled", "disabled", "adaptive"), ("thinking", "type"))
    return kind


def _effort(value: Any, profile: Profile) -> str | None:
    if value is None:
        return None
    effort = _string(value, ("reasoning_effort",))
    if effort not in profile.efforts:
        _unknown_variant(effort, tuple(profile.efforts), ("reasoning_effort",))
    return profile.efforts[effort]


def _stop(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    return tuple(_string(item, ("stop", number)) for number, item in enumerate(_list(value, ("stop",))))


def _response_format(value: Any) -> str:
    if value is None:
        return "text"
    path = ("response_format",)
    body = _object(value, "struct ResponseFormat", path)
    if "type" not in body:
        _missing("type", path)
    kind = _string(body["type"], (*path, "type"))
    known = ("text", "json_object", "json_schema")
    return kind if kind in known else _unknown_variant(kind, known, (*path, "type"))
