"""Faults that answer in the endpoint's stead: its errors (WIRE section 8), a proxy's page, nothing at all.

The endpoint says and writes its errors itself, in the words and with the headers of its profile.
"""

from __future__ import annotations

from collections.abc import Callable

from agentkit.simulator.faults.kinds import Draw
from agentkit.simulator.refusal import Refusal
from agentkit.simulator.reply import Reply, Step


def told(name: str) -> Callable[[Draw], Refusal]:
    """The endpoint's error of that name in `agentkit.simulator.profiles.WORDS`."""
    return lambda draw: draw.exchange.profile.refusal(name)


def unauthorized(draw: Draw) -> Refusal:
    """401: the key that was sent is wrong."""
    key = draw.exchange.headers.get("authorization", "").partition(" ")[2].strip()
    profile = draw.exchange.profile
    return profile.refusal("key", end=key[-4:]) if key else profile.refusal("no key")


def too_many(draw: Draw) -> Refusal:
    """429: a limit of concurrency, or of tokens per minute."""
    return draw.exchange.profile.refusal("rate" if draw.options["limit"] == "tpm" else "concurrency")


def too_long(draw: Draw) -> Refusal:
    """400: the prompt is longer than the context."""
    profile = draw.exchange.profile
    asked = profile.context + profile.context // 5
    return profile.refusal("overflow", context=profile.context, asked=asked, prompt=asked, completion=0)


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
