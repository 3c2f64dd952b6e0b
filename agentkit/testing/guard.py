"""The guard that keeps tests from the network.

It listens to the interpreter's audit events (PEP 578), which tell of every address that Python's own sockets look up or
connect to, whatever library uses them, in every thread. So nothing is patched, neither of ours nor of others. It does
not see the programs that a test starts, nor sockets that a library opens in C by itself, as uvloop does.
"""

from __future__ import annotations

import ipaddress
import platform
import socket
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast


class NetworkForbidden(RuntimeError):
    """A test wanted to reach another machine.

    It is no `OSError`, so that clients do not take it for a failure of the network and try again.
    """


class Watch:
    """One stretch under guard.

    Attributes:
        test: The name of the test, for the error.
        refused: What was refused, one sentence each.
    """

    def __init__(self, test: str) -> None:
        self.test = test
        self.refused: list[str] = []

    def refuse(self, host: object, port: object) -> NetworkForbidden:
        """The error for an address; it is noted, since the program may swallow it."""
        name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
        place = f"{name}:{port}" if port else name
        text = (
            f"`{self.test}` wanted to reach `{place}`, and `agentkit_forbid_network` is on: use the fixture `sim` or"
            " `sim_server`, or mark the test `live`"
        )
        self.refused.append(text)
        return NetworkForbidden(text)


_SENDS = ("socket.connect", "socket.sendto", "socket.sendmsg")
_LOOKS_UP = ("socket.getaddrinfo", "socket.gethostbyname")
_LOOKS_BACK = ("socket.gethostbyaddr", "socket.getnameinfo")
_OWN_NAME = platform.node().lower()

_watch: Watch | None = None
_listening = False
_lock = threading.Lock()


@contextmanager
def forbidden(test: str) -> Generator[Watch]:
    """Keep this process from the network for the length of a `with` block, in every thread.

    What wants to reach another machine gets a `NetworkForbidden`, and its socket is closed. Addresses of this machine
    and sockets without an address are let through; names under `.invalid` are told to be unknown, without a question
    to anybody (RFC 6761, section 6.4).

    Args:
        test: Whose doing it is, for the error.
    """
    global _watch, _listening
    with _lock:
        if not _listening:
            sys.addaudithook(_hear)  # there is no way to take it back, so it is there once and mostly idle
            _listening = True
    before, _watch = _watch, Watch(test)
    try:
        yield _watch
    finally:
        _watch = before


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    watch = _watch
    if watch is None or not event.startswith("socket."):
        return
    if event in _SENDS:
        opened, address = arguments[:2]
        if not isinstance(address, tuple) or not address:  # a socket of this machine by its path, or connected before
            return
        host, port = (*cast("tuple[Any, ...]", address), None)[:2]
        if not is_here(host):
            opened.close()  # who asked may not expect an error of this kind, and leave it open
            raise watch.refuse(host, port)
    elif event in _LOOKS_UP:
        host, port = (*arguments, None)[:2]
        if _ends_in(host, "invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if _address(host) is None and not is_here(host):  # of an address there is nothing to look up
            raise watch.refuse(host, port)
    elif event in _LOOKS_BACK:
        asked = arguments[0]
        host: object = cast("tuple[Any, ...]", asked)[0] if isinstance(asked, tuple) else asked
        if not is_here(host):
            raise watch.refuse(host, None)


def is_here(host: object) -> bool:
    """Whether a host is this machine, by name or address; what is neither leads to no other machine."""
    address = _address(host)
    if address is not None:
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return (mapped or address).is_loopback or address.is_unspecified
    name = _text(host)
    return name in (None, "", _OWN_NAME) or _ends_in(name, "localhost")


def _text(host: object) -> str | None:
    if isinstance(host, bytes | bytearray):
        host = host.decode("ascii", "replace")
    return host.lower().rstrip(".") if isinstance(host, str) else None


def _ends_in(host: object, name: str) -> bool:
    """Whether a name is this one or under it (RFC 6761)."""
    text = _text(host)
    return text is not None and (text == name or text.endswith(f".{name}"))


def _address(host: object) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The IP address that a text is, in any spelling that the system takes (`127.1`, `2130706433`); else `None`."""
    text = _text(host)
    if not text:
        return None
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(text)) if text[0].isdigit() else None
    except OSError:
        return None
