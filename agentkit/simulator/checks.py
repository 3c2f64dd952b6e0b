"""What an endpoint refuses in a request whose types are right: small checks, in the order it makes them.

The order is that of WIRE section 7 ("Order of checks"), with the texts of sections 3, 6 and 7. Each check takes a
`Case` and raises a `Refusal`, or does nothing. Texts without a source are marked; they are ours.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from typing import Any, cast

from agentkit.simulator import prompt
from agentkit.simulator.plan import Call
from agentkit.simulator.profiles import Profile
from agentkit.simulator.refusal import Refusal
from agentkit.simulator.request import Chat, Message


class Case:
    """A request before an endpoint, with what several checks and the reply want to know about it."""

    def __init__(self, chat: Chat, profile: Profile) -> None:
        self.chat = chat
        self.profile = profile

    @functools.cached_property
    def thinking(self) -> bool:
        """Whether the model thinks before it answers: `thinking` decides, then the effort, then the model's habit."""
        if self.chat.thinking is not None:
            return self.chat.thinking != "disabled"
        if self.chat.effort is not None:
            return self.chat.effort != "none"
        return self.profile.models[self.chat.model].thinking

    @functools.cached_property
    def prompt_tokens(self) -> int:
        """What the prompt costs, by the simulator's own count."""
        return prompt.tokens_of(self.chat)


Check = Callable[[Case], None]


def run_checks(case: Case) -> None:
    """Make all checks in order.

    Raises:
        Refusal: The first one that finds something.
    """
    for check in CHECKS:
        check(case)


def _model(case: Case) -> None:
    chat, profile = case.chat, case.profile
    if chat.model not in profile.models:
        names = " or ".join(reversed(profile.listed))  # the text names them last to first (recorded)
        raise Refusal(f"The supported API model names are {names}, but you passed {chat.model}.")


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
    chat, most = case.chat, case.profile.models[case.chat.model].max_tokens
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
    if chat.top_logprobs is not None and not 0 <= chat.top_logprobs <= 20:
        raise Refusal("Invalid top_logprobs value, the valid range of top_logprobs is [0, 20]")  # our text


def _stop(case: Case) -> None:
    chat, profile = case.chat, case.profile
    if len(chat.stop) > profile.max_stops:
        raise Refusal(f"ChatCompletionStopSequences string array too long: {len(chat.stop)}")


def _stream_options(case: Case) -> None:
    chat = case.chat
    if chat.stream_options and not chat.stream:
        raise Refusal("stream_options should be set along with stream = true")


def _response_format(case: Case) -> None:
    chat = case.chat
    if chat.response_format == "json_schema":
        raise Refusal("This response_format type is unavailable now")


def _tool_names(case: Case) -> None:
    chat, profile = case.chat, case.profile
    if len(chat.tools) > profile.max_tools:  # the limit is documented, the text is ours
        raise Refusal(
            f"Invalid 'tools': array too long. Expected an array with maximum length {profile.max_tools}, "
            f"but got an array with length {len(chat.tools)} instead."
        )
    for number, tool in enumerate(chat.tools):
        if not re.fullmatch(r"[A-Za-z0-9_-]+", tool.name) or len(tool.name) > profile.max_name:
            expected = f"expected 1-{profile.max_name} ASCII letters, digits, underscores or hyphens"
            raise Refusal(f"tools.{number}.function.name: {expected}")


def _tool_definitions(case: Case) -> None:
    chat = case.chat
    if chat.tool_choice == "none":
        return
    if len({tool.name for tool in chat.tools}) < len(chat.tools):
        raise Refusal("Tool names must be unique")
    for number, tool in enumerate(chat.tools):
        if not _is_object_schema(tool.parameters):
            raise Refusal(f"tools.{number}.function.parameters must be a JSON Schema of type object")


def _is_object_schema(parameters: Any) -> bool:
    """Absent, null and `{}` mean a tool without arguments."""
    if parameters is None or parameters == {}:
        return True
    return isinstance(parameters, dict) and cast("dict[str, Any]", parameters).get("type") == "object"


def _tool_choice(case: Case) -> None:
    chat, profile = case.chat, case.profile
    if chat.tool_choice == "named" and all(tool.name != chat.named for tool in chat.tools):
        raise Refusal(f"tool_choice: no tool named '{chat.named}' was specified")
    forced = chat.tool_choice in ("required", "named")
    if forced and not profile.models[chat.model].forced_choice and case.thinking:
        raise Refusal("Thinking mode does not support this tool_choice")


_UNANSWERED = (
    "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
)
_STRAY = "Messages with role 'tool' must be a response to a preceding message with 'tool_calls'"
_IMAGE = "<｜image｜>"


def _messages(case: Case) -> None:
    """Left to right: after an assistant message with N calls, the next N messages answer them, in any order."""
    chat = case.chat
    if not chat.messages:
        raise Refusal("Empty input messages")
    at = 0
    while at < len(chat.messages):
        message = chat.messages[at]
        _no_literals(message)
        if message.role == "tool":
            raise Refusal(_STRAY)
        if message.role == "assistant":
            at += _assistant(chat.messages, at)
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


def _json_word(case: Case) -> None:
    chat = case.chat
    if chat.response_format != "json_object":
        return
    if not any(message.text and "json" in message.text.lower() for message in chat.messages):
        raise Refusal(
            "Prompt must contain the word 'json' in some form to use 'response_format' of type 'json_object'."
        )


def _reasoning_back(case: Case) -> None:
    """Thinking with tools: every assistant turn with calls carries its reasoning, as a string (WIRE section 6)."""
    chat, profile = case.chat, case.profile
    if profile.models[chat.model].reasoning_back == "ignored" or not chat.tools or not case.thinking:
        return
    if any(message.calls and message.reasoning is None for message in chat.messages):
        raise Refusal("The `reasoning_content` in the thinking mode must be passed back to the API.")


def _context(case: Case) -> None:
    chat, profile = case.chat, case.profile
    asked = case.prompt_tokens
    completion = chat.max_tokens or 0
    if asked + completion > profile.context:
        raise Refusal(
            f"This model's maximum context length is {profile.context} tokens. However, you requested "
            f"{asked + completion} tokens ({asked} in the messages, {completion} in the completion). "
            "Please reduce the length of the messages or completion."
        )


CHECKS: tuple[Check, ...] = (
    _model,
    _n,
    _penalties,
    _max_tokens,
    _sampling,
    _stop,
    _stream_options,
    _response_format,
    _tool_names,
    _tool_definitions,
    _tool_choice,
    _messages,
    _json_word,
    _reasoning_back,
    _context,
)
"""All checks, in order. The service's own (model, reasoning, context) stand where they do no harm to that order."""
