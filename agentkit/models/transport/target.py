"""Where a request goes: what there is to know of a URL, found out once, and the headers that go there."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from agentkit.errors import ConfigurationError

if TYPE_CHECKING:
    import ssl


class Target:
    """An address that requests go to.

    Attributes:
        origin: Scheme, host and port: what a connection belongs to.
        where: Host and port, for messages.
        tls: Whether the connection is encrypted.
        proxy: The URL of the proxy to go by, or `None`.
        url: The address as the library that sends wants it.
    """

    __slots__ = ("_prepare", "_ready", "origin", "proxy", "tls", "url", "where")

    def __init__(self, url: str, targets: Targets) -> None:
        from urllib.parse import urlsplit

        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise ConfigurationError(
                f"`base_url` cannot be read as a URL: {error}; write it as `https://host/path`", code="bad-address"
            ) from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError(
                f"`{parts.scheme}://{parts.hostname or ''}` is no address to send to: "
                "give a `base_url` that begins with `https://` or `http://` and names a host",
                code="bad-address",
            )
        if parts.username is not None or parts.password is not None:
            raise ConfigurationError(
                f"the URL of `{parts.hostname}` holds a user name or password, which would not be sent: "
                "give an `api_key` or a header instead",
                code="bad-header",
            )
        self.tls = parts.scheme == "https"
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        self.where = f"{host}:{port or (443 if self.tls else 80)}"
        self.origin = f"{parts.scheme}://{self.where}"
        try:
            self.url = targets.parse(url)
        except Exception as error:
            raise ConfigurationError(
                f"the URL of `{self.where}` cannot be read: {error}; look at its `base_url`", code="bad-address"
            ) from error
        self.proxy = targets.proxy_of(parts.scheme, parts.hostname)
        self._prepare = targets.prepare
        self._ready: tuple[Mapping[str, str], Any] | None = None

    def headers(self, given: Mapping[str, str]) -> Any:
        """The headers as the library wants them. The latest are kept, since most requests to a target share them."""
        ready = self._ready  # one attribute for both, so that no thread sends the headers of another
        if ready is None or ready[0] != given:
            ready = self._ready = (dict(given), self._prepare(self, checked(given)))
        return ready[1]


class Targets:
    """The targets of one transport.

    Args:
        parse: Makes of a URL what the library wants.
        prepare: Makes of checked headers what the library wants.
        proxy_of: The proxy for a scheme and host.
    """

    def __init__(
        self,
        parse: Callable[[str], Any],
        prepare: Callable[[Target, dict[str, str]], Any],
        proxy_of: Callable[[str, str], str | None],
    ) -> None:
        self.parse = parse
        self.prepare = prepare
        self.proxy_of = proxy_of
        self._known: dict[str, Target] = {}

    def find(self, url: str) -> Target:
        """The target of a URL. Raises `ConfigurationError` where it is none."""
        target = self._known.get(url)
        if target is None:
            if len(self._known) >= 256:  # nobody talks to so many; it is a leak if somebody makes URLs
                self._known.clear()
            target = self._known[url] = Target(url, self)
        return target


_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"(?:[!-~](?:[!-~ \t]*[!-~])?)?")
_COUNTED = {"content-length", "transfer-encoding"}


def checked(given: Mapping[str, str]) -> dict[str, str]:
    """Headers that may be sent, with `Accept-Encoding` where it is missing and without the length, which is counted.

    They are checked here (RFC 9110, 5.1 and 5.5) since the libraries put a value that they refuse into their error,
    and it may be a key.

    Raises:
        ConfigurationError: A name or value cannot be sent.
    """
    for name, value in given.items():
        if not _NAME.fullmatch(name):
            raise ConfigurationError(f"{name!r} cannot be the name of a header", code="bad-header")
        if not _VALUE.fullmatch(value):
            raise ConfigurationError(
                f"the value of the header `{name}` cannot be sent: it has a line break, a blank at an end, or a "
                "character that is not ASCII; look at the key or the header that was given",
                code="bad-header",
            )
    headers = {name: value for name, value in given.items() if name.lower() not in _COUNTED}
    if not any(name.lower() == "accept-encoding" for name in headers):
        headers["Accept-Encoding"] = "identity"
    return headers


def proxy_for(given: str | None, scheme: str, host: str) -> str | None:
    """The proxy to go by: the one that was given, else that of the environment (on macOS and Windows: of the system).

    The environment is read as the libraries read it: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`.
    """
    if given is not None:
        return given
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    proxy = proxies.get(scheme) or proxies.get("all")
    if not proxy or proxy_bypass(host):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


@lru_cache(maxsize=16)
def context(verify: Any) -> ssl.SSLContext:
    """One TLS context per process and choice: to load the certificates takes longer than many requests.

    Raises:
        ConfigurationError: There are no certificates where `verify` says.
    """
    import ssl

    if isinstance(verify, ssl.SSLContext):
        return verify
    if isinstance(verify, str):
        folder = os.path.isdir(verify)
        try:
            return ssl.create_default_context(capath=verify if folder else None, cafile=None if folder else verify)
        except OSError as error:
            raise ConfigurationError(
                f"`verify={verify!r}`: no certificates can be read there ({error}); name a file or folder"
                " of PEM certificates",
                code="bad-transport",
            ) from error
    import httpx

    return httpx.create_ssl_context(verify=verify)


@lru_cache(maxsize=1)
def no_context() -> ssl.SSLContext:
    """Stands in where there is no TLS: httpx wants a context in any case, and would load the certificates."""
    import ssl

    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
