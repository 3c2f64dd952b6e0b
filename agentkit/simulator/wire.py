"""How an endpoint writes its replies: the habits in which OpenAI-compatible servers differ, as data.

The defaults are DeepSeek's own (WIRE sections 4 and 5). What other servers do is told in WIRE section 9.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Wire:
    """The habits of one kind of server.

    Attributes:
        ids: The form of a reply's id: a UUID, 32 hexadecimal digits, `chatcmpl-` and such digits, or `gen-` and so on.
        call_ids: The form of a call's id: `"deepseek"` (`call_00_` and 24 characters, the last four digits),
            `"letters"` (the same without digits at the end, as in 2025), `"lkeap"` (`call_` and 20 lower-case
            characters), `"openai"` (`call_` and 24), `"vllm"` (`chatcmpl-tool-` and 32 hexadecimal digits), `"short"`
            (`call_` and 8).
        sorted: Whether the keys of a whole reply stand in alphabetical order.
        reasoning: The key of the reasoning; empty where it stands in the text, between `<think>` and `</think>`.
        both_texts: Whether a delta of a thinking reply has the reasoning and the content, one of them null.
        opening: The content of the first delta: `""` or null.
        opening_thinking: The same where the reply thinks and `both_texts` holds: null as recorded, or `""`.
        call_index: Whether calls of a whole reply have an index.
        opener: What the first delta of a call holds of its arguments: nothing, the first piece, or all of them.
        repeated: Whether id, type and name stand in each fragment of a call.
        content_beside_calls: The content of a whole reply that has calls and no text: `""` or null.
        finish_with_calls: The finish reason of a reply with calls that nothing cut short.
        last_delta: What the last delta holds: `""` for empty texts, null for nothing at all.
        usage: Where the usage of a stream rides: on the finish chunk, on a chunk of its own without choices, or on
            such a one only where the request asks for usage.
        usage_nulls: Whether the chunks before it carry `"usage":null` where usage was asked for.
        cache_fields: Whether usage tells cache hits and misses.
        cached_tokens: Whether usage has `prompt_tokens_details`.
        reasoning_tokens: Whether usage has `completion_tokens_details` where the reply thinks.
        logprobs: Whether choices have a `logprobs` key where none were asked for.
        compact: Whether arguments are written without white space, as the tool parsers of some servers do.
        narrated: Whether the text beside calls tells that a tool is going to be called.
        note: A `note` at the end of each whole answer that is final.
        timings: Whether llama.cpp's `timings` are there.
        routed: Whether OpenRouter's keys are there: `provider`, `native_finish_reason`, `refusal`, cost.
    """

    ids: Literal["uuid", "hex", "chatcmpl", "gen"] = "uuid"
    call_ids: Literal["deepseek", "letters", "lkeap", "openai", "vllm", "short"] = "deepseek"
    sorted: bool = False
    reasoning: Literal["reasoning_content", "reasoning", ""] = "reasoning_content"
    both_texts: bool = True
    opening: Literal[""] | None = ""
    opening_thinking: Literal[""] | None = None
    call_index: bool = True
    opener: Literal["empty", "first", "whole"] = "empty"
    repeated: bool = False
    content_beside_calls: Literal[""] | None = ""
    finish_with_calls: Literal["tool_calls", "stop"] = "tool_calls"
    last_delta: Literal[""] | None = ""
    usage: Literal["finish", "apart", "asked"] = "finish"
    usage_nulls: bool = True
    cache_fields: bool = True
    cached_tokens: bool = True
    reasoning_tokens: bool = True
    logprobs: bool = True
    compact: bool = False
    narrated: bool = False
    note: str = ""
    timings: bool = False
    routed: bool = False
