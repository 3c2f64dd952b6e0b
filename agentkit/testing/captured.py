"""The requests that models send, as bytes: `capture`."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager
from dataclasses import field
from typing import Any

from agentkit.frozen import frozen
from agentkit.models.transport.between import between
from agentkit.models.transport.seam import AsyncReply, Post, Reply, Transport

_SECRET = ("authorization", "proxy-authorization", "x-api-key", "api-key", "cookie")


@frozen
class Captured:
    """One request as it was handed to the HTTP library; each attempt is one.

    Attributes:
        method: The HTTP method.
        url: The whole address.
        headers: The headers, names in lower case; a key is shown as `***`. The library adds `Host` and the like.
        content: The body as it was sent, `b""` where there was none.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)

    @property
    def body(self) -> Any:
        """The body as JSON; `None` where it is none."""
        try:
            return json.loads(self.content)
        except ValueError:
            return None


@contextmanager
def capture() -> Generator[list[Captured]]:
    """Collect the requests that models send within a `with` block, which is given the list of them.

    It holds for this thread or task and what runs on its behalf: streams, tools, agents that are tools. The requests
    are sent all the same. Models that send nothing, such as `Script`, keep what they were asked in `requests`.
    """
    seen: list[Captured] = []
    with between(lambda transport: _Tap(transport, seen)):
        yield seen


class _Tap:
    """A transport that notes what it hands on."""

    def __init__(self, transport: Transport, seen: list[Captured]) -> None:
        self._transport = transport
        self._seen = seen

    def send(self, post: Post) -> AbstractContextManager[Reply]:
        self._seen.append(_captured(post))
        return self._transport.send(post)

    def asend(self, post: Post) -> AbstractAsyncContextManager[AsyncReply]:
        self._seen.append(_captured(post))
        return self._transport.asend(post)

    def close(self) -> None:
        self._transport.close()

    async def aclose(self) -> None:
        await self._transport.aclose()


def _captured(post: Post) -> Captured:
    headers = {name.lower(): value for name, value in post.headers.items()}
    for name in _SECRET:
        if name in headers:
            headers[name] = "***"
    return Captured(post.method, post.url, headers, post.body or b"")
