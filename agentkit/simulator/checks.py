"""What an endpoint refuses in a request whose types are right: small checks, in the order it makes them.

The order is that of WIRE section 7 ("Order of checks"), with the texts of sections 3, 6 and 7. Each check takes a
`Case` and raises a `Refusal`, or does nothing; a profile names those that its endpoint does not make (`skips`). Texts
without a source are marked; they are ours.
"""

from __future__ import annotations

import functools
import itertools
import json
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, cast

from agentkit.simulator import prompt, strict
from agentkit.simulator.plan import Call
from agentkit.simulator.profiles import Profile, Served
from agentkit.simulator.refusal import Refusal
from agentkit.simulator.request import Chat, Message, Tool


class Case:
    """A request before an endpoint, with what several checks and the reply want to know about it."""

    def __init__(self, chat: Chat, profile: Profile, *, beta: bool = False) -> None:
        self.chat = chat
        self.profile = profile
        self.beta = beta

    @functools.cached_property
    def served(self) -> Served:
        """The model that answers.

        Raises:
            Refusal: There is no such model.
        """
        chat, profile = self.chat, self.profile
        served = profile.served(chat.model)
        if served is None:
            names = " or ".join(reversed(profile.listed))  # the text names them last to first (recorded)
            raise profile.refusal("model", names=names, model=chat.model)
        if served.tools == "elsewhere" and chat.tools:
            return profile.models[served.tools_model]
        return served

    @functools.cached_property
    def thinking(self) -> bool:
        """Whether the model thinks before it answers: `thinking` decides, then the effort, then the model's habit."""
        if self.served.toggle:
            if self.chat.thinking is not None:
                return self.chat.thinking != "disabled"
            if self.chat.effort is not None:
                return self.chat.effort != "none"
        return self.served.thinking

    @functools.cached_property
    def tools(self) -> tuple[Tool, ...]:
        """The tools that the model is shown: none under `tool_choice` none, the named one alone if one is named."""
        chat = self.chat
        if chat.tool_choice == "none" or self.served.tools != "yes":
            return ()
        if chat.tool_choice == "named":
            return tuple(tool for tool in chat.tools if tool.name == chat.named)
        return chat.tools

    @functools.cached_property
    def forced(self) -> bool:
        """Whether a call must be made."""
        return bool(self.tools) and self.chat.tool_choice in ("required", "named")

    @functools.cached_property
    def continues(self) -> bool:
        """Whether the last message is the beginning of the answer."""
        return self.served.prefix and bool(self.chat.messages) and self.chat.messages[-1].prefix

    @functools.cached_property
    def prompt(self) -> list[str]:
        """The prompt in tokens, by the simulator's own count."""
        return prompt.rendered(
            self.chat.messages,
            self.tools,
            thinking=self.thinking,
            back=self.served.reasoning_back,
            forced=self.forced,
        )


Check = Callable[[Case], None]


def run_checks(case: Case) -> None:
    """Make all checks of the endpoint, in order.

    Raises:
        Refusal: The first one that finds something.
    """
    skips = case.profile.skips
    for name, check in CHECKS.items():
        if name not in skips:
            check(case)


def _model(case: Case) -> None:
    assert case.served


def _refused_fields(case: Case) -> None:
    """Fields that a model refuses (WIRE sections 2.3 and 2.4); those without effect are refused as such, too."""
    for name in case.served.refuses:
        if name in case.chat.sent:
            raise case.profile.refusal("parameter", model=case.chat.model, name=name)


def _n(case: Case) -> None:
    chat = case.chat
    if chat.n not in (None, 1):
        raise Refusal("Invalid n value (currently only n = 1 is supported)")


def _penalties(case: Case) -> None:
    chat = case.chat
    for name, value in (
        ("frequency_penalty", chat.frequency_penalty),
        ("presence_penalty", chat.presence_penalty),
    ):
        if value is not None and not -2 <= value <= 2:
            raise Refusal(f"{name} must be in [-2, 2]")


def _max_tokens(case: Case) -> None:
    chat, most = case.chat, case.served.max_tokens
    if chat.max_tokens is not None and not 1 <= chat.max_tokens <= most:
        raise Refusal(f"Invalid max_tokens value, the valid range of max_tokens is [1, {most}]")


def _sampling(case: Case) -> None:
    chat = case.chat
    if chat.temperature is not None and not 0 <= chat.temperature <= 2:
        raise Refusal("temperature must be in [0, 2]")
    if chat.top_p is not None and not 0 < chat.top_p <= 1:
        raise Refusal("top_p must be in (0, 1]")
    if chat.seed is not None and not 0 <= chat.seed < 2**63:
        raise Refusal("seed must be in [0, 2^63)")


def _logprobs(case: Case) -> None:
    """Bounds of `top_logprobs` (the text is ours), and who refuses log probabilities (WIRE section 3)."""
    chat, stance = case.chat, case.served.logprobs
    if chat.top_logprobs is not None and not 0 <= chat.top_logprobs <= 20:
        raise Refusal("Invalid top_logprobs value, the valid range of top_logprobs is [0, 20]")
    asked = "logprobs" if chat.logprobs else "top_logprobs" if chat.top_logprobs is not None else ""
    if asked and (stance == "refused" or (stance == "plain" and case.thinking)):
        raise case.profile.refusal("parameter", model=chat.model, name=asked)


def _stop(case: Case) -> None:
    chat, profile = case.chat, case.profile
    if len(chat.stop) > profile.max_stops:
        raise Refusal(f"ChatCompletionStopSequences string array too long: {len(chat.stop)}")


def _stream_options(case: Case) -> None:
    chat = case.chat
    if chat.stream_options and not chat.stream:
        raise Refusal("stream_options should be set along with stream = true")


def _json_schema(case: Case) -> None:
    if case.chat.response_format == "json_schema":
        raise Refusal("This response_format type is unavailable now")


def _grammar(case: Case) -> None:
    """llama.cpp's own fields (recorded)."""
    if "grammar" in case.profile.words and case.chat.sent >= {"grammar", "json_schema"}:
        raise case.profile.refusal("grammar")


def _json_output(case: Case) -> None:
    if case.chat.response_format == "json_object" and case.served.json == "refused":
        raise case.profile.refusal("json", model=case.chat.model)


def _tool_support(case: Case) -> None:
    """Models without tools (WIRE section 2.2), and how many tools the others take; that text is ours."""
    chat, profile = case.chat, case.profile
    if chat.tools and case.served.tools == "refused":
        raise profile.refusal("tools", model=chat.model)
    if len(chat.tools) > profile.max_tools:
        raise Refusal(
            f"Invalid 'tools': array too long. Expected an array with maximum length {profile.max_tools}, "
            f"but got an array with length {len(chat.tools)} instead."
        )


def _tool_names(case: Case) -> None:
    chat, profile = case.chat, case.profile
    for number, tool in enumerate(chat.tools):
        if not re.fullmatch(r"[A-Za-z0-9_-]+", tool.name) or len(tool.name) > profile.max_name:
            raise profile.refusal("name", number=number, most=profile.max_name)


def _duplicate_tools(case: Case) -> None:
    chat = case.chat
    if chat.tool_choice != "none" and len({tool.name for tool in chat.tools}) < len(chat.tools):
        raise Refusal("Tool names must be unique")


def _tool_schemas(case: Case) -> None:
    chat = case.chat
    if chat.tool_choice == "none":
        return
    for number, tool in enumerate(chat.tools):
        if not _is_object_schema(tool.parameters):
            raise Refusal(f"tools.{number}.function.parameters must be a JSON Schema of type object")


def _is_object_schema(parameters: Any) -> bool:
    """Absent, null and `{}` mean a tool without arguments."""
    if parameters is None or parameters == {}:
        return True
    return isinstance(parameters, dict) and cast("dict[str, Any]", parameters).get("type") == "object"


def _strict_tools(case: Case) -> None:
    """Under `/beta`, strict tools keep to a subset of JSON Schema (WIRE section 3); elsewhere nobody looks."""
    chat = case.chat
    if not case.beta or chat.tool_choice == "none" or not any(tool.strict for tool in chat.tools):
        return
    for number, tool in enumerate(chat.tools):
        if not tool.strict:
            raise Refusal(f"tools.{number}.function.strict: if one function is strict, all must be")  # our text
        complaint = strict.complaint(tool.parameters)
        if complaint:
            raise Refusal(f"tools.{number}.function.parameters: {complaint}")  # our text


def _tool_choice(case: Case) -> None:
    chat, profile, served = case.chat, case.profile, case.served
    if chat.tool_choice is not None and chat.tool_choice not in served.choices:
        raise profile.refusal("choices", model=chat.model, choice=chat.tool_choice)
    if chat.tool_choice == "named" and all(tool.name != chat.named for tool in chat.tools):
        raise Refusal(f"tool_choice: no tool named '{chat.named}' was specified")
    if chat.tool_choice in ("required", "named") and not served.forced_choice and case.thinking:
        raise profile.refusal("choice")


_UNANSWERED = (
    "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
)
_STRAY = "Messages with role 'tool' must be a response to a preceding message with 'tool_calls'"
_IMAGE = "<｜image｜>"


def _no_messages(case: Case) -> None:
    if not case.chat.messages:
        raise Refusal("Empty input messages")


def _messages(case: Case) -> None:
    """Left to right: after an assistant message with N calls, the next N messages answer them, in any order."""
    messages = case.chat.messages
    at = 0
    while at < len(messages):
        message = messages[at]
        _no_literals(message)
        if message.role == "tool":
            raise Refusal(_STRAY)
        if message.role == "assistant":
            at += _assistant(messages, at)
        at += 1


def _no_literals(message: Message) -> None:
    if message.text and _IMAGE in message.text:
        raise Refusal(
            f'The sub-string "{_IMAGE}" in your input is not allowed for this API. Please remove it and try again.'
        )


def _assistant(messages: tuple[Message, ...], at: int) -> int:
    """Check an assistant message and its tool messages; how many of those there are."""
    message = messages[at]
    if message.calls is None:
        if message.text is None:
            raise Refusal("Invalid assistant message: content or tool_calls must be set")
        return 0
    if not message.calls:
        raise Refusal(
            f"Invalid 'messages[{at}].tool_calls': empty array. "
            "Expected an array with minimum length 1, but got an empty array instead."
        )
    _call_ids(message.calls, at)
    wanted = {call.id for call in message.calls}
    seen: set[str] = set()
    for place in range(at + 1, at + 1 + len(message.calls)):
        if place >= len(messages) or messages[place].role != "tool":
            raise Refusal(f"{_UNANSWERED}(insufficient tool messages following tool_calls message)")
        _no_literals(messages[place])
        call_id = messages[place].call_id
        if call_id in seen:
            raise Refusal(f"Duplicate value for 'tool_call_id' of {call_id} in message[{place}]")
        if call_id not in wanted:
            raise Refusal(f"{_UNANSWERED}Unexpected tool_call_id: {call_id}")
        seen.add(call_id)
    if not all(_is_one_object(call.arguments) for call in message.calls):
        raise Refusal(_STRAY)
    return len(message.calls)


def _call_ids(calls: tuple[Call, ...], at: int) -> None:
    seen: set[str] = set()
    for call in calls:
        if call.id in seen:
            raise Refusal(f"Duplicate value for 'tool_call_id' of {call.id} in message[{at}]")
        seen.add(call.id)


def _is_one_object(arguments: str) -> bool:
    try:
        return isinstance(json.loads(arguments), dict)
    except (ValueError, RecursionError):
        return False


def _alternating(case: Case) -> None:
    """R1's rules of order (WIRE section 7). System messages do not count; the rest of the third text is ours."""
    if not case.served.alternating:
        return
    model, spoken = (
        case.chat.model,
        [(place, message) for place, message in enumerate(case.chat.messages) if message.role in ("user", "assistant")],
    )
    if spoken and spoken[0][1].role != "user":
        raise Refusal(f"The first message (except the system message) of {model} must be a user message.")
    for (before, first), (place, second) in itertools.pairwise(spoken):
        if first.role == second.role:
            raise Refusal(
                f"{model} does not support successive user or assistant messages (messages[{before}] and "
                f"messages[{place}] in your input). You should interleave the user/assistant messages in the message "
                "sequence."
            )
    if spoken and spoken[-1][1].role == "assistant" and not case.continues:
        raise Refusal(
            f"The last message of {model} must be a user message, or an assistant message with prefix mode on "
            "(refer to https://api-docs.deepseek.com/guides/chat_prefix_completion)."
        )


def _prefix(case: Case) -> None:
    """A prefix is the last message, from the assistant, and under `/beta` (the second and third text are ours)."""
    messages = case.chat.messages
    places = [place for place, message in enumerate(messages) if message.prefix]
    if not places:
        return
    if case.profile.beta and not case.beta:
        raise case.profile.refusal("prefix")
    if not case.served.prefix:
        raise case.profile.refusal("parameter", model=case.chat.model, name="prefix")
    if places != [len(messages) - 1]:
        raise Refusal(f"messages[{places[0]}].prefix: only the last message can be a prefix")


def _json_word(case: Case) -> None:
    chat = case.chat
    if chat.response_format != "json_object" or case.served.json != "yes":
        return
    if not any(message.text and "json" in message.text.lower() for message in chat.messages):
        raise Refusal(
            "Prompt must contain the word 'json' in some form to use 'response_format' of type 'json_object'."
        )


def _reasoning_back(case: Case) -> None:
    """What becomes of earlier reasoning, by era (WIRE section 6)."""
    rule = case.served.reasoning_back
    if rule == "ignored":
        return
    messages = case.chat.messages
    if rule == "refused":
        if any(message.reasoning is not None and not message.prefix for message in messages):
            raise case.profile.refusal("reasoning")
        return
    if not case.chat.tools or not case.thinking:
        return
    start = 0
    if rule == "current_turn":
        start = max((place for place, message in enumerate(messages) if message.role == "user"), default=0)
    for number, message in enumerate(messages[start:], start):
        if message.calls and message.reasoning is None:
            raise case.profile.refusal("reasoning", number=number)


def _context(case: Case) -> None:
    served, completion = case.served, case.chat.max_tokens or 0
    if "completion overflow" in case.profile.skips:
        completion = 0
    if len(case.prompt) > (served.max_input or served.context) or len(case.prompt) + completion > served.context:
        raise overflow(case.profile, served, len(case.prompt), completion)


def overflow(profile: Profile, served: Served, asked: int, completion: int) -> Refusal:
    """The refusal of a prompt that is too long; all counts in tokens."""
    return profile.refusal(
        "overflow", context=served.context, asked=asked + completion, prompt=asked, completion=completion
    )


CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "model": _model,
        "refused fields": _refused_fields,
        "n": _n,
        "penalties": _penalties,
        "max tokens": _max_tokens,
        "sampling": _sampling,
        "logprobs": _logprobs,
        "stop": _stop,
        "stream options": _stream_options,
        "json schema": _json_schema,
        "json output": _json_output,
        "grammar": _grammar,
        "tool support": _tool_support,
        "tool names": _tool_names,
        "duplicate tools": _duplicate_tools,
        "tool schemas": _tool_schemas,
        "strict tools": _strict_tools,
        "tool choice": _tool_choice,
        "no messages": _no_messages,
        "message order": _messages,
        "alternating": _alternating,
        "prefix": _prefix,
        "json word": _json_word,
        "reasoning back": _reasoning_back,
        "context": _context,
    }
)
"""All checks by name, in order. Those of which no order is known (model, reasoning, prefix, context, …) stand where
they do no harm to that of WIRE section 7. `"completion overflow"` names a part of the last one."""
