"""Faults that answer in the endpoint's stead: its errors (WIRE section 8), a proxy's page, nothing at all.

The endpoint writes its errors itself, with the headers of its profile; here are the texts. LKEAP has words and codes of
its own for three of them (seed 000; it documents no HTTP statuses). What no source gives is marked as ours.
"""

from __future__ import annotations

from agentkit.simulator.faults.kinds import Draw
from agentkit.simulator.refusal import Refusal
from agentkit.simulator.refusal import unauthorized as refusal_of_key
from agentkit.simulator.reply import Reply, Step


def unauthorized(draw: Draw) -> Refusal:
    """401: the key that was sent is wrong."""
    key = draw.exchange.headers.get("authorization", "").partition(" ")[2].strip()
    return refusal_of_key(key or None)


def no_balance(draw: Draw) -> Refusal:
    """402: the account is empty."""
    if _is_lkeap(draw):
        return Refusal("not enough quota", status=402, type="runtime_error", code="20031")
    return Refusal("Insufficient Balance", status=402, type="unknown_error")


def wrong_type(_: Draw) -> Refusal:
    """422: the one that is reported, of a `thinking` that is no object."""
    text = "thinking: invalid type: boolean `true`, expected struct ThinkingOptions at line 1 column 64"
    return Refusal(f"Failed to deserialize the JSON body into the target type: {text}", status=422)


def too_many(draw: Draw) -> Refusal:
    """429: a limit of concurrency, or of tokens per minute."""
    if _is_lkeap(draw):
        return Refusal("concurrency exceeded", status=429, type="runtime_error", code="20034")
    text = "Rate limit reached for TPM"
    if draw.options["limit"] == "concurrency":
        text = (
            "Your current concurrency is 40, which exceeds your concurrency limit of 39 based on your remaining "
            "balance. Please top up to raise it."  # ours: the report ends after `top up`
        )
    return Refusal(text, status=429, type="rate_limit_error", code="rate_limit_error")  # ours: type and code


def broken(_: Draw) -> Refusal:
    """500: no body of it is known; this one is ours."""
    return Refusal("Internal Server Error", status=500, type="server_error", code="server_error")


def overloaded(_: Draw) -> Refusal:
    """503: the server is overloaded."""
    kind = "service_unavailable_error"
    text = "Service is too busy. We advise users to temporarily switch to alternative LLM API service providers."
    return Refusal(text, status=503, type=kind, code=kind)


def moderated(_: Draw) -> Refusal:
    """400: the content is refused."""
    return Refusal("Content Exists Risk")


def too_long(draw: Draw) -> Refusal:
    """400: the prompt is longer than the context."""
    if _is_lkeap(draw):
        return Refusal("input content too long", type="runtime_error", code="20059")
    most = draw.exchange.profile.context
    asked = most + most // 5
    return Refusal(
        f"This model's maximum context length is {most} tokens. However, you requested {asked} tokens ({asked} in the "
        "messages, 0 in the completion). Please reduce the length of the messages or completion."
    )


def _is_lkeap(draw: Draw) -> bool:
    return draw.exchange.profile.name == "lkeap"


_PAGES = {502: "502 Bad Gateway", 503: "503 Service Temporarily Unavailable", 504: "504 Gateway Time-out"}


def page(draw: Draw) -> Reply:
    """A proxy's page in HTML."""
    status: int = draw.options["status"]
    title = _PAGES.get(status, f"{status} from a proxy")
    body = (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
        "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    )
    return Reply(status, (("server", "nginx"), ("content-type", "text/html")), (body.encode(),), length=True)


def nothing(draw: Draw) -> Reply:
    """200, and no body; perhaps after a while of blank lines (WIRE section 8)."""
    steps: list[Step] = []
    left: float = draw.options["seconds"]
    while left > 0:
        steps += [b"\n", draw.pause(min(10.0, left))]
        left -= 10.0
    return Reply(200, (("content-type", "application/json"),), tuple(steps), streamed=bool(steps))
