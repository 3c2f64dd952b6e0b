"""The seam to HTTP: send a request, get a status, headers and the bytes as they come.

There are three sides, which behave alike in time limits, cancellation, reuse of connections, and errors:

- httpx, the default, sync and async (`by_httpx`);
- aiohttp, where it is asked for: async, with httpx for its sync side (`by_aiohttp`);
- a client that the caller brings, with httpx's face (`brought`).

The libraries keep what they are good at, HTTP itself. Time limits and stopping are ours (`guards`), and so are the idle
connections of httpx (`keeping`), which are per process and, for async, per event loop. A connection is kept where the
reply was read to its end, so read on after the last word of a stream; leaving earlier closes the socket.

*Stale connections.* An idle connection that the server has closed is noticed before it is used. The server may also
close it just while the next request is under way. Neither httpx nor aiohttp sends a POST again then, since nobody can
know whether it arrived, and nor is it done here: it is a `ConnectionLost`, and it is for the caller to send again.

*Compression* is not asked for: a proxy that compresses holds back small pieces of a stream, and inflating takes more
time than replies of this size save. A reply that comes compressed nevertheless is decompressed.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING, Any, Literal

from agentkit.errors import ConfigurationError
from agentkit.models.transport.brought import Brought, bring
from agentkit.models.transport.seam import AsyncReply, Patience, Post, Reply, Transport, Watch

if TYPE_CHECKING:
    import ssl

    from agentkit.models.transport.by_aiohttp import Aiohttp
    from agentkit.models.transport.by_httpx import Httpx

__all__ = [
    "AsyncReply",
    "Brought",
    "Patience",
    "Post",
    "Reply",
    "Transport",
    "Watch",
    "aclose_all",
    "bring",
    "close_all",
    "shared",
]

_shared: dict[tuple[str, str | None, Any], Httpx | Aiohttp] = {}
_lock = threading.RLock()


def shared(
    kind: Literal["httpx", "aiohttp"], *, proxy: str | None = None, verify: bool | str | ssl.SSLContext = True
) -> Transport:
    """The transport of this process for these options, made on first use.

    Args:
        kind: The library that speaks HTTP.
        proxy: The URL of a proxy; `None` leaves it to the environment (`HTTPS_PROXY`, `NO_PROXY` and the like).
        verify: Whether to check certificates, a file or folder of certificates to trust, or a TLS context.

    Raises:
        ConfigurationError: The library is not installed, or there is no such kind.
    """
    return _shared.get((kind, proxy, verify)) or _make(kind, proxy, verify)


def _make(kind: str, proxy: str | None, verify: Any) -> Httpx | Aiohttp:
    with _lock:
        made = _shared.get((kind, proxy, verify))
        if made is not None:
            return made
        if kind == "httpx":
            from agentkit.models.transport.by_httpx import Httpx

            made = Httpx(proxy, verify)
        elif kind == "aiohttp":
            from agentkit.models.transport.by_aiohttp import Aiohttp

            made = Aiohttp(proxy, verify, lambda post: shared("httpx", proxy=proxy, verify=verify).send(post))
        else:
            raise ConfigurationError(
                f'`transport={kind!r}` is not known: give `"httpx"`, `"aiohttp"`, or a client with the face of httpx',
                code="bad-transport",
            )
        if not _shared:
            import atexit

            atexit.register(_at_exit)
        _shared[kind, proxy, verify] = made
        return made


def close_all() -> None:
    """Close the idle connections of the shared transports, also those on running event loops; they open again."""
    for one in list(_shared.values()):
        one.close()


async def aclose_all() -> None:
    """The same, from an event loop: its connections are closed on return."""
    for one in list(_shared.values()):
        await one.aclose()


def _at_exit() -> None:
    for one in list(_shared.values()):
        one.at_exit()


def _forked() -> None:
    """Children never use their parent's connections, and the parent's stay usable."""
    global _lock
    _lock = threading.RLock()
    for one in _shared.values():
        one.forked()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_forked)
