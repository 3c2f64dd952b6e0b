"""What an endpoint says when it does not answer, as an error of our tree (WIRE section 8).

Nobody agrees on the form: `{"error": {…}}`, `{"error": "text"}`, `{"detail": …}`, `{"message": …}`, nothing at all, a
proxy's HTML page, and DeepSeek sends its JSON as `application/octet-stream`. So the body is read whatever the content
type says, and the endpoint's own words are kept.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from agentkit import errors
from agentkit.errors import ModelError
from agentkit.frozen import frozen
from agentkit.messages import Assistant, Image, Message, ToolMessage, User
from agentkit.models import jsontext

_LONGEST = 500
_DEEPEST = 5
# Texts, and not compiled: most processes see no error, and `re` keeps what it has compiled.
_OVERFLOW = (
    r"(?i)maximum context length|exceeds the available context|exceed_context_size|context_length_exceeded"
    r"|input content too long|\b20059\b|longer than the m(?:odel's context|aximum model) length"
    r"|exceeds the context window|context length of only"
)
_REFUSED = r"(?i)content exists risk|\bcontent_filter\b|\bcontent_policy_violation\b|your input was flagged"
_EMPTY = r"(?i)insufficient balance|\binsufficient_quota\b|\b20031\b"
_BUSY = r"(?i)\brate_?limit|\b20034\b|too_many_requests"
_KEY_REFUSED = r"(?i)authentication|invalid_api_key|permission_error"
_BAD_REQUEST = r"(?i)invalid_request|bad_request|invalid_parameter"
_FOR_GOOD = r"(?i)requires --jinja|jinja exception|raise_exception\(|roles must alternate|cannot use both|parse grammar"
"""What llama.cpp says with a 500 though it is the request that is wrong, and always will be (WIRE section 8)."""
_NO_MODEL = r"(?i)model (?:does )?not exist|model_not_found|supported api model names"
_LIKE_A_KEY = r"\b(?:sk|ak|pk|gsk|hf|key)[-_][A-Za-z0-9_\-.]{8,}|(?i:\bbearer\s+)[^\s\"',;]{8,}"
_TAGS = r"(?is)<(script|style)\b.*?</\1\s*>|<!--.*?-->|<[^>]*>"
_MARKUP = rb"(?i)\s*<(!doctype|html|head|body|\?xml)"

_ADVICE: dict[type[ModelError], str] = {
    errors.Unauthorized: "does not accept the API key; check the key and what it may be used for",
    errors.InsufficientBalance: "says that the account has no money left; top it up",
    errors.ContextOverflow: "says that the request is longer than it takes; send less",
    errors.ContentRefused: "refused the content by its moderation; change the content",
    errors.RateLimited: "had too many requests at once; ask more slowly",
    errors.Unavailable: "could not answer; try again later",
    errors.Rejected: "refused the request; change the request",
}
_WORDS = ("message", "msg", "error_msg", "error_message")
_CURES = {
    "no-quota": "has no quota left for this account; toggle on the postpaid switch in the console's postpaid settings"
    " or buy a prepaid concurrency package",
    "not-served": "is not to be had at this address; check the model's name and the base URL",
    "tools-refused": "takes no tools; leave them out, or have them told in words with `tool_mode='prompt'`",
}


@frozen
class _Failure:
    words: str = ""
    code: str = ""
    kind: str = ""

    @property
    def all(self) -> str:
        return f"{self.words}\n{self.code}\n{self.kind}"


def error_from(
    status: int, headers: Mapping[str, str], body: bytes, *, model: str, now: float | None = None, key: str = ""
) -> ModelError:
    """The error that a reply with a status other than 200 means; it is returned, not raised.

    Args:
        status: The HTTP status.
        headers: The reply's headers, names in any case.
        body: The whole body, of any content type.
        model: The name of the model as it was asked for.
        now: Seconds since 1970, to read a `Retry-After` that is a date; without it the reply's `Date` stands in.
        key: The API key, which is masked where the endpoint repeats it.
    """
    failure = _read(body)
    return _error(status, failure, model=model, key=key, wait=_retry_after(headers, now))


def error_in(data: object, *, model: str) -> ModelError | None:
    """The error that a JSON value within a reply of status 200 speaks of, or `None` if it speaks of none.

    Some endpoints answer 200 and then fail, in the body or as an event of the stream (WIRE section 5, rule 10).
    """
    failure = _find(data)
    return None if failure is None else _error(200, failure, model=model)


def raise_error_in(data: object, *, model: str) -> None:
    """Raise what `error_in` finds, if anything."""
    error = error_in(data, model=model)
    try:
        if error is not None:
            raise error
    finally:
        del error  # in a local of its own traceback, it would keep the run alive until the next collection


def largest(messages: Sequence[Message], instructions: str | None = None) -> str:
    """Which message of a request is the largest and what its size is, as a sentence; `""` where there is none.

    A size is in characters: of the text, and of the arguments of calls.
    """
    sizes = [
        (_size(message), f"number {n} of {len(messages)}, {_who(message)}") for n, message in enumerate(messages, 1)
    ]
    if instructions:
        sizes.insert(0, (len(instructions), "the agent's instructions"))
    if not sizes:
        return ""
    size, which = max(sizes, key=lambda one: one[0])
    return f"The largest message is {which}: {size:,} characters"


def _size(message: Message) -> int:
    calls = message.tool_calls if isinstance(message, Assistant) else ()
    images = message.content if isinstance(message, User) and not isinstance(message.content, str) else ()
    return (
        len(message.text)
        + sum(len(call.arguments) for call in calls)
        + sum(len(part.url) for part in images if isinstance(part, Image))
    )


def _who(message: Message) -> str:
    if isinstance(message, ToolMessage):
        return f"the answer of the tool `{one_line(message.name, 60)}`"
    if isinstance(message, Assistant):
        names = ", ".join(f"`{one_line(call.name, 60)}`" for call in message.tool_calls[:3])
        return f"the model's, with calls of {names}" if names else "the model's"
    return "the user's" if isinstance(message, User) else "a system message"


def one_line(text: str, limit: int = _LONGEST, *, key: str = "") -> str:
    """The text on one line: no control characters, no API key, at most `limit` characters."""
    if len(text) > 20 * limit:
        text = text[: 20 * limit]
    if len(key) >= 4:
        text = text.replace(key, "****")
    text = re.sub(_LIKE_A_KEY, "****", text)
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def shown(data: bytes, limit: int = 200) -> str:
    """The first characters of what came, control characters escaped and API keys masked."""
    text = re.sub(_LIKE_A_KEY, "****", data[: 20 * limit].decode("utf-8", "replace"))
    cut = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:limit])
    return f"`{cut}…`" if len(text) > limit else f"`{cut}`"


def _read(body: bytes) -> _Failure:
    try:
        data = jsontext.read(body)
    except ValueError:
        text = body[: 40 * _LONGEST].decode("utf-8", "replace")
        return _Failure(re.sub(_TAGS, " ", text) if re.match(_MARKUP, body) else text)
    return _find(data) or _Failure(data if isinstance(data, str) else json.dumps(data, ensure_ascii=False))


def _find(data: object, depth: int = 0) -> _Failure | None:
    """What a JSON value says went wrong; from depth 1 on it is inside an error, where a bare text is its message."""
    inside = depth > 0
    if isinstance(data, str):
        return _Failure(data) if inside and data.strip() else None
    if isinstance(data, list):
        items = [item for item in cast("list[object]", data)[:5] if not isinstance(item, list)]
        found = [one for one in (_find(item, depth) for item in items) if one]
        return _Failure("; ".join(one.words for one in found), found[0].code, found[0].kind) if found else None
    if not isinstance(data, dict) or depth > _DEEPEST:
        return None
    fields = {name.lower(): value for name, value in cast("dict[str, Any]", data).items()}  # Tencent writes capitals
    if isinstance(fields.get("response"), dict):
        fields = {"error": _member(fields["response"], "error"), **fields}
    for name in ("error", "detail", "errors"):
        if (found := _find(fields.get(name), depth + 1)) is not None:
            return found if found.code or found.kind else _Failure(found.words, *_labels(fields))
    words = [fields[name] for name in _WORDS if isinstance(fields.get(name), str) and fields[name]][:1]
    code, kind = _labels(fields)
    metadata = fields.get("metadata")
    if isinstance(metadata, dict) and isinstance(raw := cast("dict[str, Any]", metadata).get("raw"), str):
        behind = _read(raw.encode("utf-8", "replace"))  # OpenRouter: what the endpoint behind it said
        words.append(behind.words)
        kind = " ".join(one for one in (kind, behind.code, behind.kind) if one)
    if words or (inside and (code or kind)):
        return _Failure(": ".join(words), code, kind)
    return _Failure(json.dumps(fields, ensure_ascii=False)) if inside and fields else None


def _member(fields: dict[str, Any], name: str) -> Any:
    return next((value for key, value in fields.items() if key.lower() == name), None)


def _labels(fields: dict[str, Any]) -> tuple[str, str]:
    code, kind = fields.get("code"), fields.get("type")
    return "" if code is None else str(code), "" if kind is None else str(kind)


def _error(status: int, failure: _Failure, *, model: str, key: str = "", wait: float | None = None) -> ModelError:
    kind = _class(status, failure)
    code = _code(kind, status, failure)
    advice = _CURES[code] if code else _ADVICE[kind]
    named = (failure.code or failure.kind) if status == 200 else f"HTTP {status}"
    label = f" ({one_line(named, 60, key=key)})" if named else ""
    words = one_line(failure.words or failure.kind or failure.code, key=key) or "it gave no reason"
    message = f"`{model}` {advice}. The endpoint's words{label}: {words}"
    if issubclass(kind, errors.Unavailable):
        return kind(message, model=model, status=status, retry_after=wait)
    return kind(message, model=model, status=status, code=code)


def _code(kind: type[ModelError], status: int, failure: _Failure) -> str | None:
    """A narrower code than the class's, where the cure is another; `None` for the class's own."""
    if kind is errors.InsufficientBalance and "20031" in failure.all:
        return "no-quota"
    if kind is errors.Rejected and re.search(_NO_TOOLS, failure.all):
        return "tools-refused"
    if kind is errors.Rejected and (status == 404 or re.search(_NO_MODEL, failure.all)):
        return "not-served"
    return None


def _class(status: int, failure: _Failure) -> type[ModelError]:
    everything = failure.all
    if status == 200 and re.fullmatch(r"[45]\d\d", failure.code):
        status = int(failure.code)
    for pattern, kind in (
        (_OVERFLOW, errors.ContextOverflow),
        (_REFUSED, errors.ContentRefused),
        (_EMPTY, errors.InsufficientBalance),
    ):
        if re.search(pattern, everything):
            return kind
    if status == 402:
        return errors.InsufficientBalance
    if status == 413:
        return errors.ContextOverflow
    if status == 429 or (status < 500 and re.search(_BUSY, f"{failure.code}\n{failure.kind}")):
        return errors.RateLimited
    if status in (401, 403):
        return errors.Unauthorized
    if status == 501 or (status >= 500 and re.search(_FOR_GOOD, failure.words)):
        return errors.Rejected
    if status >= 500 or status in (408, 425):
        return errors.Unavailable
    if status == 200:
        labels = f"{failure.code}\n{failure.kind}"
        if re.search(_KEY_REFUSED, labels):
            return errors.Unauthorized
        return errors.Rejected if re.search(_BAD_REQUEST, labels) else errors.Unavailable
    return errors.Rejected


def _retry_after(headers: Mapping[str, str], now: float | None) -> float | None:
    """Seconds to wait by `Retry-After` (RFC 9110, section 10.2.3), which is a number of seconds or a date."""
    found = {name.lower(): value for name, value in headers.items() if name.lower() in ("retry-after", "date")}
    value = found.get("retry-after", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        since = _epoch(found.get("date", "")) if now is None else now
        until = _epoch(value)
        if since is None or until is None:
            return None
        seconds = until - since
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _epoch(date: str) -> float | None:
    from email.utils import parsedate_to_datetime  # brings in sockets and more: not at start-up

    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


_NO_TOOLS = (
    r"(?i)does not support (?:function calling|tools?|tool calling|tool use)|function calling is not supported"
    r"|tools? (?:is|are) not supported|no support for tools|tools param requires --jinja"
)


def no_tools(error: ModelError) -> bool:
    """Whether a refusal says that the model has no function calling: DeepSeek's words, Ollama's,
    llama.cpp's, and their like."""
    return isinstance(error, errors.Rejected) and re.search(_NO_TOOLS, str(error)) is not None
