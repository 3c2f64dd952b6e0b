"""What the endpoint refuses, in its own words (WIRE sections 3, 6 and 7), and in which order."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rules_table import about, rule
from simulator_requests import WEATHER, asked, chat, post, refused, tool, user

from agentkit.simulator import Simulator

DESERIALIZE = "Failed to deserialize the JSON body into the target type: "
HELLO = user("Hello")


def calling(*ids: str, arguments: str = "{}", **fields: Any) -> dict[str, Any]:
    calls = [{"id": i, "type": "function", "function": {"name": "weather", "arguments": arguments}} for i in ids]
    return {"role": "assistant", "content": "", "tool_calls": calls, **fields}


def answering(call_id: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": "sunny"}


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        about(
            "3.model.unknown",
            {"model": "gpt-9"},
            "The supported API model names are deepseek-v4-pro or deepseek-flash, but you passed gpt-9.",
        ),
        about("3.n", {"n": 2}, "Invalid n value (currently only n = 1 is supported)"),
        about("3.penalties", {"frequency_penalty": 2.5}, "frequency_penalty must be in [-2, 2]"),
        about("3.penalties", {"presence_penalty": -3}, "presence_penalty must be in [-2, 2]"),
        about(
            "3.max_tokens.range",
            {"max_tokens": 0},
            "Invalid max_tokens value, the valid range of max_tokens is [1, 393216]",
        ),
        about(
            "3.max_tokens.range",
            {"max_tokens": 393_217},
            "Invalid max_tokens value, the valid range of max_tokens is [1, 393216]",
        ),
        about("3.temperature", {"temperature": 2.1}, "temperature must be in [0, 2]"),
        about("3.top_p", {"top_p": 0}, "top_p must be in (0, 1]"),
        about("3.seed", {"seed": -1}, "seed must be in [0, 2^63)"),
        about("3.stop.count", {"stop": ["x"] * 17}, "ChatCompletionStopSequences string array too long: 17"),
        about(
            "3.stream_options",
            {"stream_options": {"include_usage": True}},
            "stream_options should be set along with stream = true",
        ),
        about(
            "3.json.schema",
            {"response_format": {"type": "json_schema"}},
            "This response_format type is unavailable now",
        ),
        about(
            "3.json.word",
            {"response_format": {"type": "json_object"}},
            "Prompt must contain the word 'json' in some form to use 'response_format' of type 'json_object'.",
        ),
        about(
            "3.tool.name",
            {"tools": [tool("a b")]},
            "tools.0.function.name: expected 1-128 ASCII letters, digits, underscores or hyphens",
        ),
        about(
            "3.tool.name",
            {"tools": [WEATHER, tool("x" * 129)]},
            "tools.1.function.name: expected 1-128 ASCII letters, digits, underscores or hyphens",
        ),
        about("3.tool.unique", {"tools": [WEATHER, WEATHER]}, "Tool names must be unique"),
        about(
            "3.tool.parameters",
            {"tools": [{"type": "function", "function": {"name": "x", "parameters": {"type": "string"}}}]},
            "tools.0.function.parameters must be a JSON Schema of type object",
        ),
        about(
            "3.tool_choice.unknown",
            {"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "nope"}}},
            "tool_choice: no tool named 'nope' was specified",
        ),
        about(
            "3.tool_choice.thinking",
            {"tools": [WEATHER], "tool_choice": "required", "thinking": {"type": "enabled"}},
            "Thinking mode does not support this tool_choice",
        ),
        about(
            "3.tool_choice.thinking",
            {
                "tools": [WEATHER],
                "tool_choice": {"type": "function", "function": {"name": "weather"}},
                "thinking": None,
            },
            "Thinking mode does not support this tool_choice",
        ),
    ],
)
def test_a_field_out_of_bounds_is_refused_in_the_endpoints_words(fields: dict[str, Any], text: str) -> None:
    assert refused({**chat(HELLO), **fields}) == (400, text)


@rule("3.tools.count")
def test_more_tools_than_the_profile_allows_are_refused() -> None:
    assert post(chat(HELLO, tools=[tool(f"t{i}") for i in range(128)])).status == 200
    status, text = refused(chat(HELLO, tools=[tool(f"t{i}") for i in range(129)]))
    assert status == 400
    assert "128" in text
    assert "129" in text


ANSWERS_WANTED = (
    "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
)
STRAY = "Messages with role 'tool' must be a response to a preceding message with 'tool_calls'"


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        about("7.empty", [], "Empty input messages"),
        about(
            "7.neither",
            [HELLO, {"role": "assistant", "content": None}],
            "Invalid assistant message: content or tool_calls must be set",
        ),
        about(
            "7.neither", [HELLO, {"role": "assistant"}], "Invalid assistant message: content or tool_calls must be set"
        ),
        about(
            "7.empty_calls",
            [HELLO, {"role": "assistant", "content": "", "tool_calls": []}],
            "Invalid 'messages[1].tool_calls': empty array. "
            "Expected an array with minimum length 1, but got an empty array instead.",
        ),
        about(
            "7.unanswered",
            [HELLO, calling("a")],
            ANSWERS_WANTED + "(insufficient tool messages following tool_calls message)",
        ),
        about(
            "7.unanswered",
            [HELLO, calling("a", "b"), answering("a"), HELLO],
            ANSWERS_WANTED + "(insufficient tool messages following tool_calls message)",
        ),
        about(
            "7.system_between",
            [HELLO, calling("a"), {"role": "system", "content": "!"}, answering("a")],
            ANSWERS_WANTED + "(insufficient tool messages following tool_calls message)",
        ),
        about("7.unknown_id", [HELLO, calling("a"), answering("x")], ANSWERS_WANTED + "Unexpected tool_call_id: x"),
        about("7.stray", [answering("a")], STRAY),
        about("7.stray", [HELLO, calling("a"), answering("a"), answering("a")], STRAY),
        about("7.arguments", [HELLO, calling("a", arguments='{"a":1}{"b":2}'), answering("a")], STRAY),
        about("7.arguments", [HELLO, calling("a", arguments=""), answering("a")], STRAY),
        about(
            "7.answered_twice",
            [HELLO, calling("a", "b"), answering("a"), answering("a")],
            "Duplicate value for 'tool_call_id' of a in message[3]",
        ),
        about(
            "7.shared_id",
            [HELLO, calling("a", "a"), answering("a")],
            "Duplicate value for 'tool_call_id' of a in message[1]",
        ),
        about(
            "3.image_literal",
            [user("see <｜image｜>")],
            'The sub-string "<｜image｜>" in your input is not allowed for this API. Please remove it and try again.',
        ),
    ],
)
def test_messages_out_of_order_are_refused(messages: list[dict[str, Any]], text: str) -> None:
    assert refused(chat(*messages)) == (400, text)


@pytest.mark.parametrize(
    "messages",
    [
        about("7.fine", [HELLO, HELLO]),
        about("7.empty_system", [{"role": "system", "content": "a"}, {"role": "system", "content": ""}, HELLO]),
        about("7.empty_content", [user("a"), {"role": "assistant", "content": ""}, HELLO]),
        about("7.any_order", [HELLO, calling("1", "2"), answering("2"), answering("1")]),
        about("7.fine", [HELLO, calling("foreign-id", content=None), answering("foreign-id")]),
        about(
            "7.joined_parts",
            [{"role": "user", "content": [{"type": "text", "text": "Hello"}, {"type": "text", "text": "there"}]}],
        ),
        about("7.fine", [{"role": "system", "content": "only a system message"}]),
    ],
)
def test_messages_that_were_recorded_as_fine_are_fine(messages: list[dict[str, Any]]) -> None:
    asked(chat(*messages))


@rule("6.no_tools", "6.not_thinking")
@pytest.mark.parametrize(
    ("messages", "fine"),
    [
        about("6.tool_turns", [HELLO, calling("a"), answering("a")], False),
        about("6.string", [HELLO, calling("a", reasoning_content=None), answering("a")], False),
        about("6.string", [HELLO, calling("a", reasoning_content=""), answering("a")], True),
        about("6.tool_turns", [HELLO, calling("a", reasoning_content="So."), answering("a")], True),
        about(
            "6.tool_turns",
            [HELLO, calling("a"), answering("a"), {"role": "assistant", "content": "Sunny."}, HELLO],
            False,
        ),
        about(
            "6.plain_turns",
            [
                HELLO,
                calling("a", reasoning_content="So."),
                answering("a"),
                {"role": "assistant", "content": "Sunny."},
                HELLO,
            ],
            True,
        ),
        about("6.plain_turns", [HELLO, {"role": "assistant", "content": "Hi."}, HELLO], True),
    ],
)
def test_while_thinking_with_tools_reasoning_goes_back_as_a_string(messages: list[dict[str, Any]], fine: bool) -> None:
    body = {**chat(*messages, tools=[WEATHER]), "thinking": {"type": "enabled"}}
    if fine:
        asked(body)
    else:
        text = "The `reasoning_content` in the thinking mode must be passed back to the API."
        assert refused(body) == (400, text)
    asked(chat(*messages, tools=[WEATHER]))  # not thinking: nobody looks
    asked({**chat(*messages), "thinking": {"type": "enabled"}})  # no tools: nobody looks


@rule("7.none")
def test_choosing_no_tool_drops_them_unchecked() -> None:
    asked(chat(HELLO, tools=[WEATHER, WEATHER], tool_choice="none"))


@rule("8.overflow")
def test_a_prompt_longer_than_the_context_is_refused_with_its_length() -> None:
    status, text = refused(chat(user("word " * 1_100_000)))
    assert status == 400
    assert text.startswith("This model's maximum context length is 1048565 tokens. However, you requested 11")
    assert text.endswith(
        "in the messages, 0 in the completion). Please reduce the length of the messages or completion."
    )


def image(kind: str = "image_url") -> dict[str, Any]:
    return {
        "role": "user",
        "content": [{"type": "text", "text": "What is it?"}, {"type": kind, kind: {"url": "data:,"}}],
    }


@rule("3.user.parts.v4", "3.user.parts.today")
def test_an_image_is_read_today_and_was_not_in_august() -> None:
    asked(chat(image()))
    body = {**chat(image()), "model": "deepseek-v4-flash"}
    status, text = refused(body, Simulator("deepseek-v4"))
    assert status == 400
    assert text.startswith(f"{DESERIALIZE}messages[0]: unknown variant `image_url`, expected `text` at line 1 column ")


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        about(
            "3.messages.roles",
            {"role": "developer", "content": "x"},
            "messages[0].role: unknown variant `developer`, expected one of `system`, ",
        ),
        about("7.type", {"content": "x"}, "messages[0]: missing field `role`"),
        about("7.type", {"role": "user"}, "messages[0]: missing field `content`"),
        about("7.type", {"role": "user", "content": 5}, "messages[0]: invalid type: integer `5`, expected a string"),
        about("3.tool.content", {"role": "tool", "content": "x"}, "messages[0]: missing field `tool_call_id`"),
        about(
            "7.type",
            image("input_audio"),
            "messages[0]: unknown variant `input_audio`, expected one of `text`, `image_url`, `file`",
        ),
        about(
            "7.type",
            {"role": "assistant", "content": None, "tool_calls": [{"id": "a", "type": "function"}]},
            "messages[0]: missing field `function`",
        ),
    ],
)
def test_a_message_of_the_wrong_type_is_told_like_serde_does(message: dict[str, Any], complaint: str) -> None:
    status, text = refused(chat(message))
    assert status == 400
    assert text.startswith(DESERIALIZE + complaint)


@pytest.mark.parametrize(
    ("fields", "status", "complaint"),
    [
        about("7.type", {"temperature": "hot"}, 400, 'temperature: invalid type: string "hot", expected f32'),
        about("7.type", {"stream": "true"}, 400, 'stream: invalid type: string "true", expected a boolean'),
        about("7.type", {"max_tokens": 1.5}, 400, "max_tokens: invalid type: floating point `1.5`, expected u32"),
        about("7.type", {"messages": "Hello"}, 400, 'messages: invalid type: string "Hello", expected a sequence'),
        about(
            "3.thinking.bool",
            {"thinking": True},
            422,
            "thinking: invalid type: boolean `true`, expected struct ThinkingOptions",
        ),
        about(
            "7.type",
            {"thinking": {"type": "on"}},
            400,
            "thinking.type: unknown variant `on`, expected one of `enabled`, ",
        ),
        about(
            "3.effort.invalid",
            {"reasoning_effort": "lots"},
            400,
            "reasoning_effort: unknown variant `lots`, expected one of `none`, ",
        ),
        about(
            "3.tool_choice",
            {"tool_choice": "any"},
            400,
            "tool_choice: unknown variant `any`, expected one of `none`, `auto`, `required`",
        ),
        about("7.type", {"tools": [{"type": "function"}]}, 400, "tools[0]: missing field `function`"),
        about(
            "3.tools.type",
            {"tools": [WEATHER, {"type": "web", "function": {}}]},
            400,
            "tools[1].type: unknown variant `web`, expected `function`",
        ),
        about(
            "7.type", {"tools": [{"type": "function", "function": {}}]}, 400, "tools[0].function: missing field `name`"
        ),
        about("7.type", {"response_format": {"type": "xml"}}, 400, "response_format.type: unknown variant `xml`"),
        about("7.type", {"stop": [1]}, 400, "stop[0]: invalid type: integer `1`, expected a string"),
    ],
)
def test_a_field_of_the_wrong_type_is_told_like_serde_does(fields: dict[str, Any], status: int, complaint: str) -> None:
    got, text = refused({**chat(HELLO), **fields})
    assert got == status
    assert text.startswith(DESERIALIZE + complaint)


@rule("7.type")
def test_the_place_of_a_complaint_is_where_the_recorded_reader_stood() -> None:
    # Rebuilt from a recorded 400: the column is one more than the end of the message (its list's bracket is read too).
    message = (
        '{"role":"user","content":[{"type":"text","text":"What colour is the attachment?"},'
        '{"type":"image_url","image_url":{"url":"https://example.invalid/red.png","detail":"auto"}}]}'
    )
    start = '{"model":"deepseek-v4-flash","messages":['
    body = f'{start}{message}],"max_tokens":16,"thinking":{{"type":"disabled"}}}}'
    _, text = refused(body.encode(), Simulator("deepseek-v4"))
    assert text.endswith("unknown variant `image_url`, expected `text` at line 1 column 216")


def test_the_place_of_a_complaint_counts_lines_and_bytes() -> None:
    body = '{\n  "model": "deepseek-flash",\n  "é": [{"x": "}"}],\n  "messages": [],\n  "top_p": "ü"\n}'
    assert refused(body.encode())[1].endswith("at line 5 column 15")
    assert refused(b'{"model": "deepseek-flash"}')[1] == f"{DESERIALIZE}missing field `messages` at line 1 column 27"


@rule("7.syntax")
@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "EOF while parsing a value at line 1 column 0"),
        (b"{", "EOF while parsing an object at line 1 column 1"),
        (b'{"a": 1,}', "trailing comma at line 1 column 9"),
        (b"{a: 1}", "key must be a string at line 1 column 2"),
        (b'{"a" 1}', "expected `:` at line 1 column 6"),
        (b'{"a": "x', "EOF while parsing a string at line 1 column 8"),
        (b"{} {}", "trailing characters at line 1 column 4"),
        (b"\xff", "invalid unicode code point at line 1 column 1"),
        (b'{"a": NaN}', "expected value at line 1 column 1"),
    ],
)
def test_a_body_that_is_not_json_is_told_so(body: bytes, text: str) -> None:
    status, message = refused(body)
    assert status == 400
    if b"1,}" in body:  # how this is told depends on the version of Python's own reader
        assert message.startswith("Failed to parse the request body as JSON: ")
    else:
        assert message == f"Failed to parse the request body as JSON: {text}"


def test_a_deeply_nested_body_is_refused_and_not_fatal() -> None:
    status, text = refused(b"[" * 200_000)
    assert (status, text.partition(": ")[0]) == (400, "Failed to parse the request body as JSON")


@rule("7.order")
def test_checks_come_in_the_order_of_the_adapter() -> None:
    wrong: dict[str, Any] = {
        "response_format": {"type": "json_object"},
        "messages": [HELLO, calling("a")],
        "tool_choice": {"type": "function", "function": {"name": "nope"}},
        "tools": [tool("x"), tool("x"), tool("a b")],
        "stream_options": {},
        "temperature": 3,
        "n": 2,
    }
    mended: dict[str, Any] = {
        "n": 1,
        "temperature": 1,
        "stream_options": None,
        "tools": [tool("x"), tool("x")],
        "tool_choice": "auto",
        "messages": [HELLO],
        "response_format": None,
    }
    body, texts = chat(HELLO) | wrong, []
    for field, value in mended.items():
        texts.append(refused(body)[1])
        body[field] = value
        if field == "tools":
            texts.append(refused(body)[1])
            body["tools"] = [tool("x")]
    assert [text.split()[0] for text in texts] == [
        "Invalid",  # n
        "temperature",
        "stream_options",
        "tools.2.function.name:",
        "Tool",  # names must be unique
        "tool_choice:",
        "An",  # assistant message with tool_calls
        "Prompt",  # must contain the word json
    ]
    asked(body)


@rule("3.unknown_fields", "3.user_id")
def test_unknown_fields_are_ignored() -> None:
    fields = {"seed": 7, "parallel_tool_calls": False, "enable_thinking": True, "user_id": "me", "whatever": [1]}
    asked(chat(HELLO, **fields))


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
FIELDS = [
    "model",
    "messages",
    "tools",
    "tool_choice",
    "thinking",
    "stop",
    "stream",
    "stream_options",
    "response_format",
    "max_tokens",
    "reasoning_effort",
    "temperature",
]


@given(st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=3))
def test_no_value_of_a_field_breaks_the_endpoint(fields: dict[str, Any]) -> None:
    reply = post({**chat(HELLO), **fields})
    assert reply.status in (200, 400, 422)
    if reply.status != 200:
        assert list(json.loads(reply.body)["error"]) == ["message", "type", "param", "code"]


@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "role": st.sampled_from(["system", "user", "assistant", "tool", "developer"]),
                "content": json_values | st.just([{"type": "text", "text": "x"}]) | st.just([{"type": "image_url"}]),
                "tool_calls": st.just([]) | st.lists(st.just(calling("a")["tool_calls"][0]), max_size=2) | json_values,
                "tool_call_id": st.just("a") | json_values,
                "reasoning_content": st.text(max_size=3) | json_values,
            },
        ),
        max_size=5,
    )
)
def test_no_messages_break_the_endpoint(messages: list[dict[str, Any]]) -> None:
    assert post(chat(*messages)).status in (200, 400)


@given(st.binary(max_size=60))
def test_no_bytes_break_the_endpoint(body: bytes) -> None:
    assert post(body).status == 400
