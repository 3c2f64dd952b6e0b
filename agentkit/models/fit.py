"""What a request becomes for a model: what is sent, what is left out, what is said otherwise, and what is refused.

Pure: the settings, the tools and the row go in, the fields of the request come out, with a warning for each thing that
is not as it was asked for. Endpoints differ in what they take (WIRE sections 2 and 3); a setting that one does not take
is dropped where the answer stays what it is, and the request is refused before it is sent where it would not.
"""

from __future__ import annotations

import fnmatch
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from agentkit.errors import ConfigurationError, ContextOverflow, ModelError
from agentkit.frozen import frozen
from agentkit.models.rows import Range

if TYPE_CHECKING:
    from agentkit.models.request import Request, Settings
    from agentkit.models.rows import ModelRow
    from agentkit.tools import Tool

CHOICES = ("auto", "none", "required")
"""The values of `tool_choice` that are no name of a tool."""

_NUMBERS = {
    "max_tokens": Range(1, math.inf),
    "temperature": Range(0, 2),
    "top_p": Range(0, 1, above=True),
    "frequency_penalty": Range(-2, 2),
    "presence_penalty": Range(-2, 2),
    "top_logprobs": Range(0, 20),
    "n": Range(1, 1),
    "seed": Range(0, 2**63, below=True),
}
_WHOLE = ("max_tokens", "top_logprobs", "n", "seed")
_PLAIN = (*_NUMBERS, "reasoning_effort", "logprobs", "user_id")
STOPS = Range(0, 16)
"""How many stop sequences go with a request where the row does not say otherwise."""
_USER = re.compile(r"[A-Za-z0-9_-]{1,512}")


@frozen
class Fitted:
    """A request as a row takes it.

    Attributes:
        fields: The fields beside `model`, `messages`, `tools` and `stream`; the caller's `extra_body` is not in it.
        tools: The tools that go with it.
        thinks: Whether the model will think.
        reminder: What the model is told in words, since the request cannot say it; `None` for nothing.
        warnings: What is not as it was asked for, a sentence each.
    """

    fields: dict[str, Any]
    tools: tuple[Tool[..., Any], ...]
    thinks: bool
    reminder: str | None
    warnings: tuple[str, ...]


def fit(settings: Settings, tools: tuple[Tool[..., Any], ...], row: ModelRow, final: str | None = None) -> Fitted:
    """Make of settings and tools what the row takes; `final` is the tool that gives the answer, if one does.

    Raises:
        ConfigurationError: A setting is out of its range, or of no use without another; there are tools for a model
            that takes none, or more than it takes; a `tool_choice` names none of them; a `response_format` or an
            effort that it does not have; messages among `extra_body`.
    """
    _check(settings, tools, row)
    warnings: list[str] = []
    if row.instead:
        gone = f"; retired on {row.retired:%Y-%m-%d}" if row.retired else ""
        sent = f"; `{row.sent}` is asked in its place" if row.sent else ""
        warnings.append(f"`{row.name}` ({row.title or 'an old name'}{gone}): use `{row.instead}`{sent}")
    fields, thinks = _thinking(settings, row, warnings)
    choice, tools, reminder = _choice(settings, tools, row, thinks, warnings)
    if final is not None and tools and settings.tool_choice is None:
        choice, tools, reminder = _final_choice(final, tools, row, thinks)
    if choice is not None:
        fields["tool_choice"] = choice
    for name in _PLAIN:
        value = getattr(settings, name)
        if value is not None and _is_sent(name, value, row, thinks, warnings):
            fields.setdefault(name, value)
    if settings.temperature is not None and settings.top_p is not None:
        warnings.append("`temperature` and `top_p` are both set: change one of them only, since they work together")
    parallel = settings.parallel_tool_calls if tools else None
    if parallel is not None and _is_sent("parallel_tool_calls", parallel, row, thinks, warnings):
        fields["parallel_tool_calls"] = parallel
    stop = _stop(settings, row)
    if stop and _is_sent("stop", stop, row, thinks, warnings):
        fields["stop"] = stop
    if settings.response_format is not None:
        fields["response_format"] = _format(settings, row)
    return Fitted({**row.body, **fields}, tools, thinks, reminder, tuple(warnings))


def takes(row: ModelRow, name: str) -> bool:
    """Whether a field of the request goes to the endpoint at all.

    Where an endpoint lists what it takes, nothing else is sent; LKEAP, which does, sends the usage of a stream without
    being asked by `stream_options` (seed 000).
    """
    return name not in row.drops and (not row.takes or name in row.takes)


def _check(settings: Settings, tools: Sequence[Tool[..., Any]], row: ModelRow) -> None:
    choice = settings.tool_choice
    if tools and not row.tools:
        raise ConfigurationError(
            f"`{row.name}` has no function calling, but {len(tools)} tool(s) are given; use a model that has it,"
            " or `tool_mode='auto'`, which tells it of tools in words",
            code="no-function-calling",
        )
    if len(tools) > row.max_tools:
        raise ConfigurationError(
            f"{len(tools)} tools are given, but `{row.name}` takes at most {row.max_tools} in one request;"
            " give fewer, or spread them over several agents",
            code="too-many-tools",
        )
    if choice is not None and choice not in CHOICES and all(tool.name != choice for tool in tools):
        names = ", ".join(f"`{tool.name}`" for tool in tools) or "none"
        raise ConfigurationError(
            f"`tool_choice` is `{choice}`, which is neither `auto`, `none`, `required` nor one of the tools ({names})",
            code="bad-value",
        )
    if settings.top_logprobs is not None and not settings.logprobs:
        raise ConfigurationError("`top_logprobs` needs `logprobs=True` beside it", code="bad-value")
    times: Any = settings.continuations
    if times is not None and (isinstance(times, bool) or not isinstance(times, int) or times < 0):
        raise ConfigurationError(
            f"`continuations={times!r}`: it must be a whole number from 0 on, or `None`", code="bad-value"
        )
    if "messages" in settings.extra_body:
        raise ConfigurationError(
            "`extra_body` must not hold `messages`: pass them as `history=` instead", code="bad-value"
        )


def asked_to_think(settings: Settings) -> bool | None:
    """What the settings say of thinking; the effort `none` says no, but `thinking` is stronger (WIRE 3)."""
    if settings.thinking is None and settings.reasoning_effort == "none":
        return False
    return settings.thinking


def _thinking(settings: Settings, row: ModelRow, warnings: list[str]) -> tuple[dict[str, Any], bool]:
    """The fields that say whether to think, and whether the model will."""
    _is_flag("thinking", settings.thinking)
    asked, effort = asked_to_think(settings), settings.reasoning_effort
    if effort is not None and row.efforts and effort not in row.efforts:
        raise ConfigurationError(
            f"`reasoning_effort={effort!r}`: `{row.name}` takes {', '.join(f'`{one}`' for one in row.efforts)}",
            code="model-cannot",
        )
    thinks = row.thinks(asked)
    if asked is None:
        return {}, thinks
    if thinks != asked:
        warnings.append(f"`thinking={asked}` has no effect: `{row.name}` {row.thinking} thinks")
        return {}, thinks
    if settings.thinking is None or row.thinking in ("never", "always"):
        return {}, thinks
    wanted = row.thinking_on if asked else row.thinking_off
    if not wanted and asked is not row.thinks(None):
        warnings.append(f"`thinking={asked}` is not sent: `{row.name}` has no switch for it here")
        return {}, row.thinks(None)
    return dict(wanted), thinks


def _choice(
    settings: Settings, tools: tuple[Tool[..., Any], ...], row: ModelRow, thinks: bool, warnings: list[str]
) -> tuple[Any, tuple[Tool[..., Any], ...], str | None]:
    """`tool_choice` as it is sent, the tools with it, and the words that stand in for a choice that is not taken."""
    choice = settings.tool_choice
    if not tools or choice is None:
        return None, tools, None
    kind = choice if choice in CHOICES else "named"
    if choice in ("auto", "none"):
        return choice, tools, None
    if kind in row.choices and (row.forced_thinking or not thinks):
        return (_named(choice) if kind == "named" else choice), tools, None
    if row.forced_thinking or not thinks:
        if kind == "required" and len(tools) == 1 and "named" in row.choices:
            return _named(tools[0].name), tools, None
        if kind == "named" and "required" in row.choices:  # with one tool, the two mean the same (WIRE 7, rule 4)
            return "required", tuple(tool for tool in tools if tool.name == choice), None
        why = f"`{row.name}` does not take it"
    else:
        why = f"`{row.name}` does not take it while it thinks (`Settings(thinking=False)` would let it)"
    warnings.append(f"`tool_choice={choice!r}` is sent as `auto`, with a reminder in words: {why}")
    if kind == "named":
        return "auto", tools, f"Answer by calling the tool `{choice}`."
    return "auto", tools, "Answer by calling at least one of the tools."


def _final_choice(
    final: str, tools: tuple[Tool[..., Any], ...], row: ModelRow, thinks: bool
) -> tuple[Any, tuple[Tool[..., Any], ...], str | None]:
    """`tool_choice` where the answer comes by a tool: forced, else `auto` and a reminder (WIRE 7 on thinking)."""
    from agentkit.models.request import Settings

    wanted = Settings(tool_choice=final if len(tools) == 1 else "required")
    choice, tools, reminder = _choice(wanted, tools, row, thinks, [])
    if reminder is not None:
        reminder = f"When you know the answer, give it by calling the tool `{final}`, never in words."
        choice = None
    return choice, tools, reminder


def _named(tool: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": tool}}


def _is_sent(name: str, value: object, row: ModelRow, thinks: bool, warnings: list[str]) -> bool:
    """Whether a setting goes into the request; a warning where it does not, or will not be heeded."""
    if name in _NUMBERS:
        _is_number(name, value, row)
    elif name in ("logprobs", "parallel_tool_calls"):
        _is_flag(name, value)
    elif name == "user_id" and not (isinstance(value, str) and _USER.fullmatch(value)):
        raise ConfigurationError(
            f"`user_id={value!r}`: it must be 1 to 512 of `A-Z`, `a-z`, `0-9`, `_` and `-`", code="bad-value"
        )
    if not takes(row, name):
        if not (name == "n" or (name == "reasoning_effort" and value == "none")):  # what holds without them too
            warnings.append(f"`{name}` is not sent: `{row.name}` does not take it")
        return False
    if name in row.ignores:
        warnings.append(f"`{name}` has no effect on `{row.name}`")
    elif thinks and name in row.ignores_thinking:
        warnings.append(f"`{name}` has no effect on `{row.name}` while it thinks")
    return True


def _is_number(name: str, value: object, row: ModelRow) -> None:
    wanted = row.ranges.get(name, _NUMBERS[name])
    if name == "max_tokens" and row.output and name not in row.ranges:
        wanted = Range(1, row.output)
    whole = name in _WHOLE
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        raise ConfigurationError(
            f"`{name}={value!r}`: it must be a {'whole ' if whole else ''}number", code="bad-value"
        )
    if value not in wanted:
        raise ConfigurationError(f"`{name}={value!r}`: `{row.name}` takes {wanted}", code="bad-value")


def _is_flag(name: str, value: object) -> None:
    if value is not None and not isinstance(value, bool):
        raise ConfigurationError(f"`{name}={value!r}`: it must be `True` or `False`", code="bad-value")


def _stop(settings: Settings, row: ModelRow) -> str | list[str] | None:
    stop = settings.stop
    if not stop:
        return None
    if isinstance(stop, str):
        return stop
    texts: list[object] = list(stop)
    if not all(isinstance(text, str) for text in texts):
        raise ConfigurationError(f"`stop={stop!r}`: it must be a text or a list of texts", code="bad-value")
    wanted = row.ranges.get("stop", STOPS)
    if len(texts) not in wanted:
        raise ConfigurationError(f"`stop` has {len(texts)} texts, but `{row.name}` takes {wanted}", code="bad-value")
    return cast("list[str]", texts)


def _format(settings: Settings, row: ModelRow) -> dict[str, Any]:
    """The `response_format`; an endpoint that does not have it would answer in another form, so it is refused."""
    wanted = dict(settings.response_format or {})
    kind = wanted.get("type")
    if kind != "text" and kind not in row.formats:
        known = ", ".join(f"`{one}`" for one in ("text", *row.formats))
        raise ConfigurationError(
            f"`response_format` is of type `{kind}`, but `{row.name}` takes only {known}", code="model-cannot"
        )
    return wanted


def other_model(row: ModelRow, tools: Sequence[object], thinks: bool, served: str | None) -> str | None:
    """A warning where a request with tools to a reasoner was answered by another model, which does not reason.

    V3.2-Exp's endpoint did so and said it nowhere but in the answer's `model` (WIRE 2.2). Names that differ in a date,
    a path or capitals are the same model; those that the row names in `served` are known to answer.
    """
    asked = row.sent or row.name
    if not (tools and thinks and served) or _alike(asked, served):
        return None
    if any(fnmatch.fnmatchcase(served.lower(), pattern.lower()) for pattern in row.served):
        return None
    return (
        f"`{asked}` was asked with tools, but `{served}` answered: it may not have reasoned;"
        " the endpoint does not offer tools to this reasoner"
    )


def _alike(one: str, other: str) -> bool:
    """Whether two names are the same but for a path before and a date or a tag behind."""
    first, second = (name.lower().rpartition("/")[2] for name in (one, other))
    return first.startswith(second) or second.startswith(first)


def flipped(row: ModelRow, error: ModelError) -> tuple[ModelRow, str] | None:
    """The row with the other policy for reasoning, and a warning, where a refusal speaks of `reasoning_content`.

    Gateways serve models of one era under names of another; what their endpoint wants shows in its refusal only
    (WIRE section 6). `None` where the refusal is about something else.
    """
    if error.status != 400 or "reasoning_content" not in str(error):
        return None
    reasoning = "always" if row.reasoning == "strip" else "strip"
    done = "is sent back to it" if reasoning == "always" else "is no longer sent back to it"
    text = f"`{row.name}` refused the request for its `reasoning_content`: from now on the reasoning {done}"
    return replace(row, reasoning=reasoning), text


def tokens_about(body: bytes | bytearray) -> int:
    """How many tokens a body is at most likely to be: 0.3 for a Latin character, 0.6 for a Chinese one (WIRE 2.7).

    A Chinese character is three bytes of UTF-8.
    """
    latin = len(body) - len(body.translate(None, _LATIN))
    return math.ceil(0.3 * latin + 0.2 * (len(body) - latin))


_LATIN = bytes(range(128))


def check_length(body: bytes | bytearray, request: Request, row: ModelRow) -> str | None:
    """A warning where the messages are perhaps longer than the row's input limit; the count is an estimate.

    Args:
        body: The request's body so far.
        request: The request, to name its largest message.
        row: The model.

    Raises:
        ContextOverflow: They are longer than twice the limit, which no estimate is wrong by.
    """
    if not row.input or 0.3 * len(body) <= row.input:
        return None
    about = tokens_about(body)
    if about <= row.input:
        return None
    largest = max(request.transcript.messages(), key=lambda message: len(message.text), default=None)
    named = f"; the largest message, of the {largest.role}, has {len(largest.text):,} characters" if largest else ""
    text = f"the messages are about {about:,} tokens, but `{row.name}` takes {row.input:,} at most{named}"
    if about > 2 * row.input:
        raise ContextOverflow(f"{text}. Send less: nothing was sent", model=row.name)
    return text
