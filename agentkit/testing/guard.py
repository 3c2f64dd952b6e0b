"""The guard that keeps tests from the network.

It listens to the interpreter's audit events (PEP 578), which tell of every address that Python's own sockets look up or
connect to, whatever library uses them, in every thread. So nothing is patched, neither of ours nor of others. It does
not see programs that the test starts, and not libraries that open sockets in C by themselves, such as uvloop.
"""

from __future__ import annotations

import ipaddress
import platform
import re
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast


class NetworkForbidden(RuntimeError):
    """A test wanted to reach another machine."""


_CONNECTS = frozenset(("socket.connect", "socket.sendto", "socket.sendmsg"))
_LOOKS_UP = frozenset(("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"))


_NUMBERS = re.compile(
    r"(?:0[xX][0-9a-fA-F]+|\d+)(?:\.(?:0[xX][0-9a-fA-F]+|\d+)){0,3}|[0-9a-fA-F.]*:[0-9a-fA-F:.]*(?:%\w+)?"
)
"""IP addresses in all their spellings, `127.1` and `2130706433` among them."""


class Guard:
    """Forbids connections to other machines while it is up; one for a process, since audit hooks stay for good."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._test = ""
        self._seen: list[str] = []
        self._own_name = platform.node().lower()
        sys.addaudithook(self._hear)

    @contextmanager
    def up(self, test: str) -> Generator[list[str]]:
        """Forbid it for the length of a `with` block, which is given the list of what was refused.

        Args:
            test: The name of the test, for the error.
        """
        seen: list[str] = []
        self._seen, self._test = seen, test
        try:
            yield seen
        finally:
            self._test = ""

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._test or not event.startswith("socket."):
            return
        if event in _CONNECTS:
            address: Any = arguments[1]
            if not isinstance(address, tuple) or not address:  # a socket of this machine by its path, or none given
                return
            host, port = (*cast("tuple[Any, ...]", address), None)[:2]
        elif event in _LOOKS_UP:
            host, port = (*arguments, None)[:2]
            if isinstance(host, str) and _NUMBERS.fullmatch(host):  # there is nothing to look up
                return
        else:
            return
        if not self._is_here(host):
            self._refuse(host, port)

    def _is_here(self, host: object) -> bool:
        """Whether a host is this machine; what is no name and no IP address does not lead to another one either."""
        if isinstance(host, (bytes, bytearray)):
            host = host.decode("ascii", "replace")
        if not isinstance(host, str):
            return True
        name = host.lower().rstrip(".")
        if name in ("", "localhost", self._own_name) or name.endswith((".localhost", ".invalid")):  # RFC 6761
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return (mapped or address).is_loopback or address.is_unspecified

    def _refuse(self, host: object, port: object) -> None:
        place = f"{host}:{port}" if port else str(host)
        text = (
            f"`{self._test}` wanted to reach `{place}`, and `agentkit_forbid_network` is on: use the fixture `sim` or"
            " `sim_server`, or mark the test `live`"
        )
        with self._lock:
            self._seen.append(text)
        raise NetworkForbidden(text)
