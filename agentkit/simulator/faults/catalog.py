"""All faults there are, as data."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from agentkit.simulator.faults import answers, carriage, leaks, shapes, words
from agentkit.simulator.faults.kinds import Fault, Option

_RETRY_AFTER = Option("retry_after", "", "the value of a `Retry-After` header; without it none is sent")
_AFTER = Option("after", None, "after how many events of a stream; drawn where it is not given")
_EVERY = Option("every", 10.0, "a blank line or comment this often", seconds=True)
_LONG = 3600.0


def _seconds(default: float, what: str) -> Option:
    return Option("seconds", default, what, seconds=True)


_ANSWERS = (
    Fault("401", "the key is wrong", reply=answers.unauthorized),
    Fault("402", "the account is empty", reply=answers.told("balance")),
    Fault("422", "a field has the wrong type", reply=answers.told("type")),
    Fault(
        "429",
        "too many requests at once",
        (_RETRY_AFTER, Option("limit", "concurrency", "the limit that is named", choices=("concurrency", "tpm"))),
        reply=answers.too_many,
    ),
    Fault("500", "the server is broken", (_RETRY_AFTER,), reply=answers.told("broken")),
    Fault("503", "the server is overloaded", (_RETRY_AFTER,), reply=answers.told("busy")),
    Fault("moderation", "400, the content is refused", reply=answers.told("risk")),
    Fault("overflow", "400, the prompt is longer than the context", reply=answers.too_long),
    Fault("html", "a proxy's page instead of JSON", (Option("status", 502, "its HTTP status"),), reply=answers.page),
    Fault("empty", "200 without a body", (_seconds(0.0, "blank lines for so long first"),), reply=answers.nothing),
)

_WORDS = (
    Fault("zero-tokens", "200 with no word and no call, 0 tokens", words=words.nothing, shape=shapes.no_tokens),
    Fault("empty-content", "an empty answer", words=words.no_content),
    Fault("content-filter", "an empty answer that ends with `content_filter`", words=words.filtered),
    Fault("no-resource", "breaks off with `insufficient_system_resource`", words=words.no_resource),
    Fault("malformed", "arguments that are not quite JSON", needs="calls", words=words.arguments(words.malformed)),
    Fault("truncated", "arguments that break off", needs="calls", words=words.arguments(words.truncated)),
    Fault(
        "double-encoded",
        "arguments that are JSON within JSON",
        needs="calls",
        words=words.arguments(words.doubly_encoded),
    ),
    Fault("two-objects", "arguments of two objects in a row", needs="calls", words=words.arguments(words.twice)),
    Fault("empty-arguments", "arguments that are an empty text", needs="calls", words=words.arguments(words.emptied)),
    Fault(
        "invented-tool",
        "calls of a tool that there is not",
        (Option("name", "", "its name; else one like the tool's own"),),
        needs="calls",
        words=words.invented_tool,
    ),
    Fault("stop-with-calls", "calls that end with `stop`", needs="calls", words=words.stop_with_calls),
    Fault(
        "no-calls",
        "ends with `tool_calls`, and their list is empty",
        words=words.no_calls,
        shape=shapes.empty_calls,
    ),
    Fault(
        "leak",
        "calls as text in the answer",
        (
            Option("notation", "", "whose; drawn where it is not given", choices=tuple(leaks.NOTATIONS)),
            Option("bars", "wide", "how the bars of its tokens are spelt", choices=tuple(leaks.BARS)),
        ),
        needs="calls",
        words=leaks.leak,
    ),
    Fault(
        "think-in-content",
        "reasoning as `<think>…</think>` in the answer",
        (Option("opened", "yes", "whether there is an opening tag", choices=("yes", "no")),),
        words=words.think_in_content,
        shape=shapes.no_reasoning_key,
    ),
)

_SHAPES = (
    Fault("object-arguments", "arguments that are an object, no text", needs="calls", shape=shapes.object_arguments),
    Fault(
        "missing-ids",
        "calls without an id",
        (Option("as", "absent", "what stands in its place", choices=("absent", "null", "empty")),),
        needs="calls",
        shape=shapes.missing_ids,
    ),
    Fault("duplicate-ids", "calls that share an id", needs="several calls", shape=shapes.duplicate_ids),
    Fault("repeated-ids", "id and name in each fragment", needs="streamed calls", shape=shapes.repeated_ids),
    Fault("same-index", "calls that share index 0", needs="several calls", shape=shapes.same_index),
    Fault(
        "reasoning-key",
        "reasoning under another key",
        (Option("key", "reasoning", "which", choices=("reasoning", "thinking", "reasoning_details")),),
        needs="reasoning",
        shape=shapes.reasoning_key,
    ),
    Fault("no-usage", "no token counts", shape=shapes.no_usage),
    Fault("no-delta", "a last chunk without `delta`", needs="a stream", shape=shapes.no_delta),
)

_CARRIAGE = (
    Fault(
        "queued",
        "blank lines or keep-alive comments, then the reply",
        (_seconds(20.0, "for how long"), _EVERY),
        carriage=carriage.queued,
    ),
    Fault(
        "queued-out",
        "blank lines or keep-alive comments, then the server closes",
        (_seconds(1800.0, "for how long"), _EVERY),
        carriage=carriage.queued_out,
    ),
    Fault("silence", "nothing at all, then the reply", (_seconds(_LONG, "for how long"),), wait=carriage.silent),
    Fault("stall", "a silence inside the reply", (_seconds(_LONG, "for how long"), _AFTER), carriage=carriage.stall),
    Fault(
        "drip",
        "a few bytes at a time",
        (Option("bytes", 16, "how many"), Option("every", 0.05, "the pause after them", seconds=True)),
        carriage=carriage.drip,
    ),
    Fault("cut-chunk", "the connection ends within an event", (_AFTER,), carriage=carriage.cut_chunk),
    Fault(
        "cut-utf8",
        "the connection ends within a character",
        words=words.one_wide_character,
        carriage=carriage.cut_utf8,
    ),
    Fault("cut-arguments", "the connection ends within arguments", needs="calls", carriage=carriage.cut_arguments),
    Fault("no-done", "a stream without `[DONE]`", needs="a stream", carriage=carriage.no_done),
    Fault("no-finish", "a stream that ends without a reason", needs="a stream", carriage=carriage.no_finish),
    Fault(
        "error-inside",
        "an error where a chunk was due; 200 with an error for a body",
        (Option("message", "Internal Server Error", "its text"), _AFTER),
        carriage=carriage.error_inside,
    ),
)

FAULTS: Mapping[str, Fault] = MappingProxyType(
    {fault.name: fault for fault in (*_ANSWERS, *_WORDS, *_SHAPES, *_CARRIAGE)}
)
"""Every fault by its name: other answers first, then those of what is said, of its JSON, and of its sending."""
