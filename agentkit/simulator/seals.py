"""Ids and headers: what looks random in a reply, and follows from the 64 bytes of its exchange's seal."""

from __future__ import annotations

import hashlib

from agentkit.simulator.profiles import Profile
from agentkit.simulator.wire import Wire

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_SMALL = "abcdefghijklmnopqrstuvwxyz0123456789"

_FIXED = (
    ("server", "elb"),
    ("vary", "origin, access-control-request-method, access-control-request-headers"),
    ("access-control-allow-credentials", "true"),
    ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
    ("x-content-type-options", "nosniff"),
    ("via", "1.1 simulator.cloudfront.net (CloudFront)"),
    ("x-amz-cf-pop", "SIM50-P1"),
)


def reply_id(seal: bytes, wire: Wire) -> str:
    """The id of a reply, in the form of that server."""
    text = seal[:16].hex()
    if wire.ids == "uuid":
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{'89ab'[seal[8] & 3]}{text[17:20]}-{text[20:]}"
    if wire.ids == "gen":
        return f"gen-{int.from_bytes(seal[:4], 'big')}-{text[8:28]}"
    return text if wire.ids == "hex" else f"chatcmpl-{text}"


def call_id(number: int, seal: bytes, wire: Wire) -> str:
    """The id of the call at a position, in the form of that server (WIRE sections 4 and 9)."""
    own = hashlib.blake2b(seal, digest_size=24, salt=number.to_bytes(8, "big")).digest()
    form = wire.call_ids
    if form == "vllm":
        return f"chatcmpl-tool-{own[:16].hex()}"
    if form in ("lkeap", "short"):
        return f"call_{''.join([_SMALL[byte % 36] for byte in own[: 20 if form == 'lkeap' else 8]])}"
    letters = "".join([_LETTERS[byte % 62] for byte in own])
    if form == "openai":
        return f"call_{letters}"
    if form == "deepseek":
        letters = letters[:20] + "".join([str(byte % 10) for byte in own[20:]])
    return f"call_{number:02}_{letters}"


def headers(profile: Profile, content_type: str, seal: bytes, *, cache: str = "Miss") -> tuple[tuple[str, str], ...]:
    """The headers of a reply; DeepSeek's are those of WIRE section 1.4: no `Retry-After`, no `x-ratelimit-*`."""
    streamed = content_type == "text/event-stream"
    own = (("content-type", f"{content_type}; charset=utf-8" if streamed else content_type),)
    if profile.headers:
        own += (
            *_FIXED,
            ("x-ds-trace-id", seal[32:48].hex()),
            ("x-cache", f"{cache} from cloudfront"),
            ("x-amz-cf-id", seal[36:64].hex()),
        )
    return (*own, ("cache-control", "no-cache")) if streamed else own
