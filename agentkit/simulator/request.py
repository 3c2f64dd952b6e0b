"""A request for a chat completion, read as DeepSeek's service reads it (`agentkit.simulator.serde`)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from agentkit.simulator.plan import Call
from agentkit.simulator.profiles import Profile
from agentkit.simulator.serde import (
    Path,
    a_boolean,
    a_list,
    a_number,
    a_string,
    an_integer,
    an_object,
    invalid_type,
    missing,
    read,
    unknown_variant,
)


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
    logprobs: bool = False
    sent: frozenset[str] = frozenset()
    """The names of all fields that were sent and are not null, known or not."""


def read_chat(body: bytes, profile: Profile) -> Chat:
    """Read the body of `POST /chat/completions`.

    Raises:
        Refusal: It is not JSON, or does not fit; see `agentkit.simulator.serde.read`.
    """
    return read(body, profile, "ChatCompletionRequest", _chat)


def _chat(body: dict[str, Any], profile: Profile) -> Chat:
    for name in ("messages", "model"):
        if name not in body:
            missing(name, ())
    options = body.get("stream_options")
    choice, named = _tool_choice(body.get("tool_choice"))
    return Chat(
        model=a_string(body["model"], ("model",)),
        messages=tuple(
            _message(message, number, profile) for number, message in enumerate(a_list(body["messages"], ("messages",)))
        ),
        tools=tuple(_tool(tool, number) for number, tool in enumerate(a_list(body.get("tools") or [], ("tools",)))),
        tool_choice=choice,
        named=named,
        thinking=_thinking(body.get("thinking")) if profile.thinking_field else None,
        effort=_effort(body.get("reasoning_effort"), profile) if profile.efforts else None,
        max_tokens=an_integer(body, "max_tokens"),
        temperature=a_number(body, "temperature"),
        top_p=a_number(body, "top_p"),
        frequency_penalty=a_number(body, "frequency_penalty"),
        presence_penalty=a_number(body, "presence_penalty"),
        n=an_integer(body, "n"),
        seed=an_integer(body, "seed", "u64"),
        stop=read_stop(body.get("stop")),
        stream=a_boolean(body, "stream"),
        stream_options=options is not None,
        include_usage=options is not None
        and a_boolean(
            an_object(options, "struct StreamOptions", ("stream_options",)), "include_usage", ("stream_options",)
        ),
        response_format=_response_format(body.get("response_format")),
        top_logprobs=an_integer(body, "top_logprobs"),
        logprobs=a_boolean(body, "logprobs"),
        sent=frozenset(name for name, value in body.items() if value is not None),
    )


def _message(value: Any, number: int, profile: Profile) -> Message:
    path = ("messages", number)
    body = an_object(value, "internally tagged enum ChatCompletionRequestMessage", path)
    if "role" not in body:
        missing("role", path)
    role = a_string(body["role"], (*path, "role"))
    if role not in profile.roles:
        unknown_variant(role, profile.roles, (*path, "role"))
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
        missing("content", path)
    text = _text(content, path, profile.parts if role == "user" else ("text",))
    if role != "tool":
        return Message(role, text)
    if "tool_call_id" not in body:
        missing("tool_call_id", path)
    return Message(role, text, call_id=_inner_string(body["tool_call_id"], path))


def _inner_string(value: Any, path: Path) -> str:
    """A string within a message: complaints name the message, not the field (see the module's head)."""
    return value if isinstance(value, str) else invalid_type(value, "a string", path)


def _text(content: Any, path: Path, known: Sequence[str]) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        invalid_type(content, "a string", path)
    texts: list[str] = []
    for part in cast("list[Any]", content):
        body = an_object(part, "internally tagged enum ContentPart", path)
        if "type" not in body:
            missing("type", path)
        kind = _inner_string(body["type"], path)
        if kind not in known:
            unknown_variant(kind, known, path)
        if kind not in body:
            missing(kind, path)
        if kind == "text":
            texts.append(_inner_string(body["text"], path))
    return "\n\n".join(texts)


def _calls(value: Any, path: Path) -> tuple[Call, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list):
        invalid_type(value, "a sequence", path)
    calls: list[Call] = []
    for item in cast("list[Any]", value):
        call = an_object(item, "struct ToolCall", path)
        for name in ("id", "type", "function"):
            if name not in call:
                missing(name, path)
        if call["type"] != "function":
            unknown_variant(_inner_string(call["type"], path), ("function",), path)
        function = an_object(call["function"], "struct FunctionCall", path)
        for name in ("name", "arguments"):
            if name not in function:
                missing(name, path)
        name, arguments = _inner_string(function["name"], path), _inner_string(function["arguments"], path)
        calls.append(Call(name, arguments, _inner_string(call["id"], path)))
    return tuple(calls)


def _tool(value: Any, number: int) -> Tool:
    path = ("tools", number)
    body = an_object(value, "struct Tool", path)
    for name in ("type", "function"):
        if name not in body:
            missing(name, path)
    if body["type"] != "function":
        unknown_variant(a_string(body["type"], (*path, "type")), ("function",), (*path, "type"))
    path = (*path, "function")
    function = an_object(body["function"], "struct Function", path)
    if "name" not in function:
        missing("name", path)
    description = function.get("description")
    return Tool(
        name=a_string(function["name"], (*path, "name")),
        description="" if description is None else a_string(description, (*path, "description")),
        parameters=function.get("parameters"),
        strict=a_boolean(function, "strict", path),
        source=json.dumps(function, ensure_ascii=False),
    )


def _tool_choice(value: Any) -> tuple[str | None, str]:
    if value is None:
        return None, ""
    path = ("tool_choice",)
    if isinstance(value, str):
        if value not in ("none", "auto", "required"):
            unknown_variant(value, ("none", "auto", "required"), path)
        return value, ""
    body = an_object(value, "a string or a map", path)
    for name in ("type", "function"):
        if name not in body:
            missing(name, path)
    function = an_object(body["function"], "struct NamedFunction", (*path, "function"))
    if "name" not in function:
        missing("name", (*path, "function"))
    return "named", a_string(function["name"], (*path, "function", "name"))


def _thinking(value: Any) -> str | None:
    if value is None:
        return None
    body = an_object(value, "struct ThinkingOptions", ("thinking",), status=422)
    if "type" not in body:
        missing("type", ("thinking",))
    kind = a_string(body["type"], ("thinking", "type"))
    if kind not in ("enabled", "disabled", "adaptive"):
        unknown_variant(kind, ("enabled", "disabled", "adaptive"), ("thinking", "type"))
    return kind


def _effort(value: Any, profile: Profile) -> str | None:
    if value is None:
        return None
    effort = a_string(value, ("reasoning_effort",))
    if effort not in profile.efforts:
        unknown_variant(effort, tuple(profile.efforts), ("reasoning_effort",))
    return profile.efforts[effort]


def read_stop(value: Any) -> tuple[str, ...]:
    """Stop sequences: a string, a list of them, or none."""
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    return tuple(a_string(item, ("stop", number)) for number, item in enumerate(a_list(value, ("stop",))))


def _response_format(value: Any) -> str:
    if value is None:
        return "text"
    path = ("response_format",)
    body = an_object(value, "struct ResponseFormat", path)
    if "type" not in body:
        missing("type", path)
    kind = a_string(body["type"], (*path, "type"))
    known = ("text", "json_object", "json_schema")
    return kind if kind in known else unknown_variant(kind, known, (*path, "type"))
