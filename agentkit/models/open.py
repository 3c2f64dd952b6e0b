"""A name becomes a model. The only module beside `home.py` that reads the environment."""

from __future__ import annotations

import functools
import os
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from agentkit.errors import ConfigurationError
from agentkit.models import transport as transports
from agentkit.models.catalog import ModelRow, Provider, add, find, providers
from agentkit.models.http import HttpModel
from agentkit.models.limiter import limiter_of
from agentkit.models.retry import Retries
from agentkit.models.transport import Patience, Transport
from agentkit.models.transport.between import alone

if TYPE_CHECKING:
    from agentkit.models.fallback import Fallback

SIMULATOR = "sim"
"""The provider that is served in this process."""


def open_model(
    name: str | None = None,
    *,
    api_key: str | None = None,
    base_url: str | None = None,
    transport: Literal["httpx", "aiohttp"] | Any = None,
    retries: int = 3,
    timeout: float | Patience | None = None,
    proxy: str | None = None,
    verify: Any = True,
    tool_mode: Literal["auto", "native", "prompt"] = "auto",
) -> HttpModel | Fallback:
    """Make a model of its name, or one of several names with commas between them.

    Args:
        name: `"provider:model"`, a bare name that the catalog has, or `"openai:NAME"` for any model of an
            OpenAI-compatible server; `"sim:PROFILE:model"` for another endpoint that the simulator plays. `None` reads
            `$AGENTKIT_MODEL`. Of several, `"a, b, c"`, each stands in for those before it where they cannot answer.
        api_key: The key; by default the provider's environment variable.
        base_url: The server's address, in place of the provider's, e.g. `"http://127.0.0.1:8000/v1"`.
        transport: `"httpx"` (the default), `"aiohttp"` (the extra `fast`; for `arun` and `astream`), or a client of
            your own with httpx's face; by default `$AGENTKIT_TRANSPORT`.
        retries: How many times a request is sent again when the endpoint is busy or unreachable.
        timeout: The seconds that one answer may take in all, or a `Patience` with each limit.
        proxy: The URL of a proxy; by default the environment's.
        verify: Whether the server's certificate is checked: `True`, `False`, the path of a CA file, or an `SSLContext`.
        tool_mode: How tools are told: as the row says (`"auto"`), in the request (`"native"`), in words (`"prompt"`).

    Returns:
        A model for `Agent(model)`; one may serve many agents, threads and event loops.

    Raises:
        ConfigurationError: No such model, no key, no address, or an option that cannot be.
    """
    name = default_model() if name is None else name
    if "," in name:
        same: dict[str, Any] = {"transport": transport, "retries": retries, "timeout": timeout, "proxy": proxy}
        return _several(name, api_key or base_url, {**same, "verify": verify, "tool_mode": tool_mode})
    _check(tool_mode, retries)
    provider, row = found(name)
    patience = timeout if isinstance(timeout, Patience) else Patience(first_byte=row.first_byte, total=timeout)
    key, url, carrier, at_home = _reach(provider, name, api_key, base_url, transport)
    if not url.startswith(("http://", "https://")):
        raise ConfigurationError(
            f"`base_url={url!r}` is no address: it must begin with `http://` or `https://`", code="bad-address"
        )
    return HttpModel(
        provider.name,
        _as_of_today(row) if at_home else _as_it_was(row),
        base_url=url,
        api_key=key,
        transport=_carrier(carrier, proxy, verify),
        retries=Retries(attempts=retries + 1),
        patience=patience,
        tool_mode=tool_mode,
        also_at=provider.also_at if at_home else (),
        beta=provider.beta,
        limiter=None if isinstance(carrier, str) else limiter_of(url, key, carrier),
    )


def _check(tool_mode: str, retries: int) -> None:
    if tool_mode not in ("auto", "native", "prompt"):
        raise ConfigurationError(
            f"`tool_mode={tool_mode!r}`: it must be 'auto', 'native' or 'prompt'", code="bad-value"
        )
    if retries < 0:
        raise ConfigurationError(f"`retries={retries}`: it must be 0 or more", code="bad-value")


def found(name: str) -> tuple[Provider, ModelRow]:
    """The provider and the row that a name means, those of the simulator's profiles included.

    What the simulator plays has the rows of the provider that is called as the profile is, and else those of any
    compatible server.

    Raises:
        ConfigurationError: There is no such model, or a catalog of the user's own cannot be read.
    """
    own_catalogs()
    simulator, _, rest = name.partition(":")
    profile, colon, model = rest.partition(":")
    if simulator.lower() != SIMULATOR or not colon:
        return find(name)
    base = profile.lower().partition("+")[0]
    provider, row = find(f"{base if base in providers() else 'openai'}:{model}")
    title = f"the built-in simulator as {provider.title}"
    return replace(provider, name=f"{SIMULATOR}:{profile.lower()}", title=title, key="", address="", also_at=()), row


def own_catalogs() -> None:
    """Add the user's own files to the catalog, which `$AGENTKIT_CATALOG` names, with `:` between them (`;` on Windows).

    Raises:
        ConfigurationError: A file cannot be read, or is no catalog.
    """
    for path in filter(None, os.environ.get("AGENTKIT_CATALOG", "").split(os.pathsep)):
        add(path)


def _reach(
    provider: Provider, name: str, api_key: str | None, base_url: str | None, transport: Any
) -> tuple[str | None, str, Any, bool]:
    """Key, address and carrier, and whether that is the provider's own endpoint, spoken to as it is documented."""
    simulator, _, profile = provider.name.partition(":")
    if simulator == SIMULATOR:
        at_home = not (base_url or transport or profile)
        carrier, base = _simulated(profile or "deepseek")
        return api_key or "sim", base_url or f"http://simulator{base}", transport or carrier, at_home
    url = base_url or (os.environ.get(provider.address) if provider.address else None) or provider.base_url
    key = api_key or _key(provider, name, at_home=url == provider.base_url)
    carrier = transport or os.environ.get("AGENTKIT_TRANSPORT") or "httpx"
    if not url:
        raise ConfigurationError(f"`{name}` has no address of its own: give `base_url=`", code="bad-address")
    return key, url, carrier, url == provider.base_url and isinstance(carrier, str)


def _as_of_today(row: ModelRow) -> ModelRow:
    """At its own endpoint a retired name is asked for as its successor; elsewhere it may be served still."""
    return row.succeeded() if row.retired is not None and row.retired <= datetime.now(UTC) else row


def _as_it_was(row: ModelRow) -> ModelRow:
    """At another address a name that has a successor is sent as it is."""
    return replace(row, sent="", body={}) if row.instead and row.sent else row


def _several(names: str, only_for_one: str | None, options: dict[str, Any]) -> Fallback:
    from agentkit.models.fallback import Fallback

    if only_for_one is not None:
        raise ConfigurationError(
            f"`{names}` is several models, but `api_key` and `base_url` are those of one: open each by itself and"
            " join them with `Fallback([…])`",
            code="bad-value",
        )
    return Fallback([open_model(one.strip(), **options) for one in names.split(",") if one.strip()])


def variable(name: str) -> str:
    """What a variable of the environment holds, without blanks around it; `""` where it is not set."""
    return os.environ.get(name, "").strip()


def default_model() -> str:
    """The name in `$AGENTKIT_MODEL`.

    Raises:
        ConfigurationError: The variable is not set.
    """
    name = os.environ.get("AGENTKIT_MODEL")
    if not name:
        raise ConfigurationError(
            "no model was named: write `Agent('deepseek:deepseek-flash')`, set `AGENTKIT_MODEL`,"
            " or try `sim:deepseek-flash`, which runs offline",
            code="no-model",
        )
    return name


def _key(provider: Provider, name: str, *, at_home: bool) -> str | None:
    key = os.environ.get(provider.key, "").strip() if provider.key else ""
    if not key and provider.key and (at_home or not provider.open) and not alone():
        raise ConfigurationError(
            f"no key for {provider.title} (`{name}`): set `{provider.key}` or give `api_key=`;"
            " without a key, `sim:deepseek-flash` runs offline on the built-in simulator",
            code="no-key",
        )
    return key or None


def _carrier(asked: Any, proxy: str | None, verify: Any) -> Transport:
    if isinstance(asked, str):
        if asked not in ("httpx", "aiohttp"):
            raise ConfigurationError(
                f"there is no transport `{asked}`: it is 'httpx', 'aiohttp', or a client you bring",
                code="bad-transport",
            )
        return transports.shared(asked, proxy=proxy, verify=verify)
    return transports.bring(asked)


@functools.cache
def _simulated(profile: str) -> tuple[Any, str]:
    """The simulator of this process and the path of its address.

    It is spoken to over its own transport: nothing is started, nothing leaves.
    """
    from agentkit.models.transport import by_httpx
    from agentkit.simulator import Simulator

    by_httpx.load()  # before the simulator, which knows nothing of agentkit, imports it with its command line
    simulator = Simulator(profile)
    return simulator.transport(), simulator.profile.base
