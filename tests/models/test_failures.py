"""What endpoints say when they fail, as one error each."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recordings import each, failures

from agentkit import errors
from agentkit.errors import (
    ContentRefused,
    ContextOverflow,
    InsufficientBalance,
    RateLimited,
    Rejected,
    Unauthorized,
    Unavailable,
)
from agentkit.messages import Assistant, Image, System, ToolCall, ToolMessage, User
from agentkit.models.failures import error_from, error_in, largest, one_line, shown


def failed(status, body, **options):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return error_from(status, options.pop("headers", {}), data, model="sim:m", **options)


def deepseek(message, kind="invalid_request_error"):
    return {"error": {"message": message, "type": kind, "param": None, "code": "invalid_request_error"}}


def lkeap(message, code):
    return {"error": {"message": message, "type": "runtime_error", "param": None, "code": code}}


OVERFLOW = "This model's maximum context length is 1048565 tokens. However, you requested 1250025 tokens."
JINJA = {"error": {"code": 500, "message": "tools param requires --jinja flag", "type": "server_error"}}
TEMPLATE = {"error": {"code": 500, "message": "Error: Jinja Exception: roles must alternate", "type": "server_error"}}
CONCURRENCY = (
    "Your current concurrency is 40, which exceeds your concurrency limit of 39 based on your remaining balance."
    " Please top up your balance to restore your concurrency."
)
FLAGGED = "Your chosen model requires moderation and your input was flagged"
LLAMA = {"code": 400, "message": "request (9 tokens) exceeds the available context size (5 tokens)", "n_ctx": 512}

KINDS = [
    (400, deepseek("Empty input messages"), Rejected),
    (400, deepseek(OVERFLOW), ContextOverflow),
    (400, {"error": LLAMA}, ContextOverflow),
    (400, lkeap("input content too long", "20059"), ContextOverflow),
    (400, {"error": {"message": "too long", "code": "context_length_exceeded"}}, ContextOverflow),
    (400, deepseek("Content Exists Risk"), ContentRefused),
    (401, deepseek("Authentication Fails", "authentication_error"), Unauthorized),
    (403, b"", Unauthorized),
    (402, deepseek("Insufficient Balance", "unknown_error"), InsufficientBalance),
    (400, lkeap("not enough quota", "20031"), InsufficientBalance),
    (429, {"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}, InsufficientBalance),
    (400, lkeap("concurrency exceeded", "20034"), RateLimited),
    (400, lkeap("concurrency exceeded", 20034), RateLimited),
    (429, deepseek("Rate limit reached for TPM"), RateLimited),
    (429, deepseek(CONCURRENCY), RateLimited),
    (400, deepseek("Thinking mode does not support this tool_choice"), Rejected),
    (
        400,
        {"error": {"message": "The input (9 tokens) is longer than the model's context length (5)."}},
        ContextOverflow,
    ),
    (413, b"<html>Request Entity Too Large</html>", ContextOverflow),
    (403, {"error": {"code": 403, "message": FLAGGED}}, ContentRefused),
    (404, {"event_id": "30-x", "error_msg": "Not Found. Please check the configuration."}, Rejected),
    (400, {"Response": {"Error": {"Code": "FailedOperation", "Message": "no"}, "RequestId": "1"}}, Rejected),
    (501, {"error": {"code": 501, "message": "This server does not support it"}}, Rejected),
    (500, JINJA, Rejected),
    (500, TEMPLATE, Rejected),
    (
        400,
        {"error": {"code": 400, "message": "Provider returned error", "metadata": {"raw": OVERFLOW}}},
        ContextOverflow,
    ),
    (502, {"error": {"code": 502, "message": "Provider returned error", "metadata": {"raw": ""}}}, Unavailable),
    (404, b"<html><head><title>404 Not Found</title></head><body>nginx</body></html>", Rejected),
    (405, {"detail": "Method Not Allowed"}, Rejected),
    (408, b"", Unavailable),
    (422, {"detail": [{"loc": ["body"], "msg": "expected struct ThinkingOptions", "type": "t"}]}, Rejected),
    (500, b"", Unavailable),
    (502, b"<html>Bad gateway</html>", Unavailable),
    (503, deepseek("Service is too busy.", "service_unavailable_error"), Unavailable),
]


@pytest.mark.parametrize(("status", "body", "kind"), KINDS)
def test_a_reply_is_the_error_that_it_means(status, body, kind):
    error = failed(status, body)
    assert type(error) is kind
    assert (error.model, error.status) == ("sim:m", status)
    assert "`sim:m`" in str(error)


@each(failures)
def test_every_recorded_failure_has_its_class_and_keeps_its_words(recording):
    error = error_from(recording.status, recording.headers, recording.body, model="m")
    words = json.loads(recording.body)["error"]["message"]
    assert words in str(error) or str(error).endswith("…")
    if ("context" in words and "length" in words) or "context size" in words:
        assert type(error) is ContextOverflow
    else:
        assert type(error) is {400: Rejected, 401: Unauthorized, 500: Rejected}[recording.status]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "it gave no reason"),
        (b" \r\n\t ", "it gave no reason"),
        (b"plain words", "plain words"),
        (b"\xff\xfe broken", "broken"),
        ({"error": "just text"}, "just text"),
        ({"error": {"message": "deep"}}, "deep"),
        ({"error": {"error": {"message": "deeper"}}}, "deeper"),
        ({"error": None, "message": "beside"}, "beside"),
        ({"message": "flat", "code": 7}, "flat"),
        ({"detail": "detailed"}, "detailed"),
        ({"detail": [{"msg": "one"}, {"msg": "two"}]}, "one; two"),
        ([{"error": {"message": "in a list"}}], "in a list"),
        ({"error": {"reason": "odd"}}, '{"reason": "odd"}'),
        ({"odd": 1}, '{"odd": 1}'),
        ("a JSON text", "a JSON text"),
        ({"error": {"message": "outer", "metadata": {"raw": "inner words"}}}, "outer: inner words"),
        ({"error": {"message": "outer", "metadata": {"raw": '{"error": {"message": "within"}}'}}}, "outer: within"),
        ({"event_id": "30-x", "error_msg": "Not Found."}, "Not Found."),
        ({"Response": {"Error": {"Code": "Failed", "Message": "in capitals"}}}, "in capitals"),
        (b"<!DOCTYPE html><style>p{}</style><p>Too <b>busy</b></p><!-- no -->", "Too busy"),
        (b'{"error": {"message": "half \\ud83d a pair"}}', "half \ufffd a pair"),
        (b'\xef\xbb\xbf{"error": {"message": "after a mark"}}', "after a mark"),
        (b'{"error": {"message": "cut', '{"error": {"message": "cut'),
    ],
)
def test_the_words_are_found_in_any_form(body, words):
    assert str(failed(418, body)).endswith(f" {words}")


def test_an_empty_account_at_lkeap_names_the_way_out():
    message = str(failed(400, lkeap("not enough quota", "20031")))
    assert "postpaid" in message
    assert "prepaid concurrency package" in message
    assert "not enough quota" in message


def test_the_largest_message_is_named_with_its_size():
    call = ToolCall("1", "read_file", '{"path": "a"}')
    said = [User("Read it."), Assistant(tool_calls=(call,)), ToolMessage("1", "read_file", "x" * 12_345)]
    assert (
        largest(said) == "The largest message is number 3 of 3, the answer of the tool `read_file`: 12,345 characters"
    )
    assert largest(said[:2], "Be brief.") == (
        "The largest message is number 2 of 2, the model's, with calls of `read_file`: 13 characters"
    )
    assert largest([], "Be brief.") == "The largest message is the agent's instructions: 9 characters"
    assert largest([User((Image("data:" + "x" * 95),)), System("hi")]).endswith("of 2, the user's: 100 characters")
    assert largest([]) == ""


def test_words_are_one_short_line():
    message = str(failed(400, deepseek("a\r\nb\x00c\x1b[31m\u2028d" + "x" * 5000)))
    assert message.isprintable()
    assert "a b c [31m dxxx" in message
    assert len(message) < 700


@pytest.mark.parametrize(
    "words",
    [
        "Incorrect API key provided: sk-abcdefghij0123456789",
        "bad token Bearer abcdefghij0123456789, sorry",
        "the key sk-proj-abcdefghij0123456789_-x is wrong",
        "my odd key abcdefghij0123456789 is wrong",
    ],
)
@pytest.mark.parametrize("status", [400, 401, 500])
def test_no_error_repeats_the_key(words, status):
    error = failed(status, deepseek(words), key="abcdefghij0123456789")
    assert "abcdefghij0123456789" not in str(error) + repr(error)
    assert "****" in str(error)


def test_a_key_of_known_form_is_masked_though_nobody_named_it():
    assert "0123456789" not in shown(b"got sk-abcdefghij0123456789 in the body")
    assert "0123456789" not in one_line("got sk-abcdefghij0123456789 in the body")


def test_ordinary_words_are_not_taken_for_a_key():
    words = "risk-management of the task-oriented sk-learn key-value store"
    assert one_line(words) == words


@pytest.mark.parametrize(
    ("headers", "now", "seconds"),
    [
        ({}, None, None),
        ({"Retry-After": "7"}, None, 7.0),
        ({"RETRY-AFTER": " 1.5 "}, None, 1.5),
        ({"retry-after": "-3"}, None, 0.0),
        ({"retry-after": "nan"}, None, None),
        ({"retry-after": "1e999"}, None, None),
        ({"retry-after": "soon"}, 0.0, None),
        ({"retry-after": "Sun, 22 Nov 2026 10:00:30 GMT"}, 1795341600.0, 30.0),
        ({"retry-after": "Sun, 22 Nov 2026 10:00:30 GMT"}, 1795341700.0, 0.0),
        ({"retry-after": "Sun, 22 Nov 2026 10:00:30 GMT"}, None, None),
        ({"retry-after": "Sun, 22 Nov 2026 10:00:30 GMT", "Date": "Sun, 22 Nov 2026 10:00:00 GMT"}, None, 30.0),
    ],
)
def test_retry_after_is_read_in_seconds_and_as_a_date(headers, now, seconds):
    assert failed(429, b"", headers=headers, now=now).retry_after == seconds
    assert failed(503, b"", headers=headers, now=now).retry_after == seconds


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ({"error": {"message": "x", "code": 502}}, Unavailable),
        ({"error": {"message": "x", "code": "429"}}, RateLimited),
        ({"error": {"message": "x", "type": "rate_limit_error"}}, RateLimited),
        ({"error": {"message": "x", "type": "authentication_error"}}, Unauthorized),
        ({"error": {"message": "x", "type": "invalid_request_error"}}, Rejected),
        ({"error": {"message": "x", "type": "service_unavailable_error"}}, Unavailable),
        ({"error": {"message": "Insufficient Balance", "type": "unknown_error"}}, InsufficientBalance),
        ({"error": {"message": OVERFLOW, "type": "invalid_request_error"}}, ContextOverflow),
        ({"error": "engine died"}, Unavailable),
        ({"message": "engine died"}, Unavailable),
        ({"detail": "engine died"}, Unavailable),
    ],
)
def test_an_error_within_a_good_reply_is_told_by_its_code_and_type(data, kind):
    error = error_in(data, model="m")
    assert type(error) is kind
    assert error.status == 200


@pytest.mark.parametrize(
    "data",
    [
        None,
        1,
        "text",
        [],
        {},
        {"response": "words"},
        {"response": {}},
        {"error": None},
        {"error": ""},
        {"error": {}},
        {"choices": [], "usage": {}},
    ],
)
def test_what_speaks_of_no_error_is_none(data):
    assert error_in(data, model="m") is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["error", "message", "detail", "code", "x"]), inner)
    ),
)


@given(st.integers(100, 599), st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_body_is_too_odd(status, body):
    error = error_from(status, {"retry-after": "x"}, body, model="m")
    assert isinstance(error, errors.ModelError)
    assert str(error).isprintable()
    assert error.__context__ is None
