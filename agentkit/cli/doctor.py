"""`agentkit doctor`: what is installed and set, or what an endpoint can do and the row of the catalog that says so."""

from __future__ import annotations

import json as jsonlib
import platform
import re
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from agentkit.cli.exit import DONE, USAGE
from agentkit.cli.listing import table
from agentkit.cli.probes import Ask, Found, Json, Probes, Reply
from agentkit.cli.text import clean, one_line
from agentkit.errors import AgentkitError, ConfigurationError, ModelError, Unauthorized, Unavailable
from agentkit.frozen import frozen
from agentkit.models.catalog import parse, providers
from agentkit.models.open import own_catalogs, variable
from agentkit.models.rows import Provider
from agentkit.models.transport import Patience, Post, shared

PATIENCE = Patience(connect=10, first_byte=120, idle=60, total=180)
"""How long a probe may take: a queue is waited for, a dead server is not."""

TRIES = 3
"""How often a busy endpoint is asked in all."""

EXTRAS: Mapping[str, tuple[str, ...]] = {
    "needed": ("pydantic", "httpx", "docstring-parser", "rich", "typer"),
    "extra `cli`": ("prompt_toolkit",),
    "extra `fast`": ("aiohttp",),
    "extra `sim`": ("starlette", "uvicorn"),
}


@frozen
class Endpoint:
    """The endpoint to examine.

    Attributes:
        url: Its address, to which `/chat/completions` is added.
        model: The model's name, as it is sent.
        key: The variable that holds the key; `None` for that of the catalog's provider of this address, else
            `OPENAI_API_KEY`.
        name: What to call it in the row; `None` for a name made of the address.
    """

    url: str
    model: str
    key: str | None = None
    name: str | None = None


def endpoint(asked: Endpoint, write: Path | None, *, json: bool) -> int:
    """Find out what an endpoint can do, and write it as a table and as a row of the catalog; the exit code.

    Args:
        asked: Which.
        write: The file that gets the row; `None` writes it to stdout.
        json: Whether stdout gets JSON.

    Raises:
        ConfigurationError: The address is none, or the file cannot be added to.
        ModelError: The endpoint did not answer a plain chat.
    """
    if not asked.url.startswith(("http://", "https://")):
        raise ConfigurationError(
            f"`{asked.url}` is no address: it must begin with `http://` or `https://`", code="bad-address"
        )
    own_catalogs()
    key = asked.key or _key_of(asked.url)
    url = asked.url.rstrip("/")
    secret = variable(key)
    beta = f"{url.removesuffix('/v1')}/beta"
    probes = Probes(asked.model, _asker(url, secret), _asker(beta, secret))
    began = time.monotonic()
    for sent, probe in enumerate(probes.run(), 1):
        if not json and sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[2K{sent:>2} {probe}")
    if not json and sys.stderr.isatty():
        sys.stderr.write("\r\x1b[2K")
    found = probes.found
    row = _row(asked, url, key, found) if found.results["chat"] == "yes" else ""
    if json:
        told = {"url": url, "model": asked.model, "found": found.results, "notes": found.notes, "row": found.row}
        sys.stdout.write(jsonlib.dumps(told, indent=2) + "\n")
    else:
        rows = [(name, result, one_line(found.notes.get(name, ""), 200)) for name, result in found.results.items()]
        table(("PROBE", "FOUND", ""), rows)
    if not row:
        told = found.notes["chat"]
        hint = "" if secret else f"; no key was sent, since `{key}` is not set"
        kind = Unauthorized if told.startswith(("401", "403")) else Unavailable
        raise kind(f"`{asked.model}` at `{url}` did not answer a plain chat: {told}{hint}")
    if write is not None:
        _add(write, row, asked)
    elif not json:
        sys.stdout.write(f"\n{clean(row)}")
    if not json:
        sys.stderr.write(f"{time.monotonic() - began:.1f} s; {_use(asked, url, write)}\n")
    return DONE


def _key_of(url: str) -> str:
    at = (one.key for one in providers().values() if one.key and one.base_url.rstrip("/") == url.rstrip("/"))
    return next(at, "OPENAI_API_KEY")


def _asker(url: str, secret: str) -> Ask:
    """Sends probes to an address; what goes wrong on the way is a reply without a status."""
    headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
    if secret:
        headers["authorization"] = f"Bearer {secret}"

    def once(path: str, body: Json | None) -> tuple[Reply, Mapping[str, str]]:
        content = None if body is None else jsonlib.dumps(body).encode()
        post = Post(url + path, headers, content, PATIENCE, method="GET" if body is None else "POST")
        try:
            with shared("httpx").send(post) as reply:
                text = b"".join(reply).decode("utf-8", "replace")
                return Reply(reply.status, _masked(text, secret)), dict(reply.headers)
        except ModelError as error:
            return Reply(0, _masked(str(error), secret)), {}

    def ask(path: str, body: Json | None) -> Reply:
        reply, told = once(path, body)
        for attempt in range(1, TRIES):
            if reply.status not in (429, 503):
                break
            time.sleep(_delay(told.get("retry-after", ""), attempt))
            reply, told = once(path, body)
        return reply

    return ask


def _delay(asked: str, attempt: int) -> float:
    """Seconds until a busy endpoint is asked again: what it says, up to 20, or 2, 4, …"""
    return min(float(asked), 20.0) if re.fullmatch(r"\d+(\.\d+)?", asked) else 2.0 * attempt


def _masked(text: str, secret: str) -> str:
    return text.replace(secret, "***") if secret else text


def _row(asked: Endpoint, url: str, key: str, found: Found) -> str:
    """What was found as rows of a catalog, in TOML."""
    lines = [f"[{_name(asked)}]", f"base_url = {_toml(url)}"]
    if variable(key):
        lines.append(f"key = {_toml(key)}")
    if found.row.get("prefix") and found.results["prefix"].endswith("/beta"):
        lines.append('beta = "/beta"')
    lines += ["", f"[[{_name(asked)}.models]]", *(f"{name} = {_toml(value)}" for name, value in found.row.items())]
    return "\n".join(lines) + "\n"


def _name(asked: Endpoint) -> str:
    if asked.name is not None:
        if not re.fullmatch(r"[a-z][a-z0-9.-]*", asked.name):
            raise ConfigurationError(
                f"`--name {asked.name}`: small letters, digits and hyphens make a name", code="bad-option"
            )
        return f'"{asked.name}"' if "." in asked.name else asked.name
    host = asked.url.split("//", 1)[1].split("/")[0].split(":")[0].split(".")
    named = host[-2] if len(host) > 1 and not host[-1].isdigit() else host[0]
    named = re.sub(r"[^a-z0-9-]", "", named.lower())
    return named if named and not named[0].isdigit() else "local"


def _toml(value: Any) -> str:
    """A value in TOML, which takes the texts, numbers and lists of JSON as they are."""
    return jsonlib.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _add(path: Path, row: str, asked: Endpoint) -> None:
    """Add a row to a file, which stays a catalog."""
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        old = parse(text, str(path))
        name = _name(asked).strip('"')
        if name in old:
            if any(one.name == asked.model for one in old[name].models):
                raise ConfigurationError(
                    f"`{path}` has a row for `{name}:{asked.model}` already: delete it first", code="bad-option"
                )
            if old[name].base_url != asked.url.rstrip("/"):
                raise ConfigurationError(
                    f"`{path}` has a provider `{name}` at another address: give `--name`", code="bad-option"
                )
            row = row[row.index("[[") :]
        joined = f"{text.rstrip()}\n\n{row}".lstrip()
        parse(joined, str(path))
        path.write_text(joined, encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"`{path}` cannot be written: {error}; name another file", code="bad-path") from error


def _use(asked: Endpoint, url: str, write: Path | None) -> str:
    name = _name(asked).strip('"')
    if write is None:
        return "`--write FILE` adds this row to a catalog of yours"
    return f"now `AGENTKIT_CATALOG={write} agentkit chat -m {name}:{asked.model}` speaks to {url}"


# Without an endpoint: the installation.


def installation(*, json: bool) -> int:
    """Write what is installed and set, never a key; the exit code says whether something is wrong.

    Args:
        json: Whether stdout gets JSON.
    """
    lines = list(_looked_at())
    if json:
        told = [{"what": what, "found": found, "wrong": wrong} for what, found, wrong in lines]
        sys.stdout.write(jsonlib.dumps(told, indent=2) + "\n")
    else:
        table(("WHAT", "FOUND", ""), [(what, found, "!" if wrong else "") for what, found, wrong in lines])
    return USAGE if any(wrong for _, _, wrong in lines) else DONE


def _looked_at() -> Iterator[tuple[str, str, bool]]:
    """Each thing that was looked at, what was found, and whether that is wrong."""
    yield "agentkit", _version("agentkit") or "from its source, not installed", False
    yield "python", f"{platform.python_version()} ({platform.system()})", False
    for extra, packages in EXTRAS.items():
        for package in packages:
            found = _version(package)
            yield f"{package} ({extra})", found or "not installed", not found and extra == "needed"
    yield from _folder()
    yield from _catalog()
    yield _simulated()


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _folder() -> Iterator[tuple[str, str, bool]]:
    from agentkit.home import home
    from agentkit.sessions import every

    try:
        yield "folder", str(home()), False
        yield "sessions", str(len(every())), False
    except AgentkitError as error:
        yield "sessions", str(error), True


def _catalog() -> Iterator[tuple[str, str, bool]]:
    """The user's catalogs, the model that is asked by default, and which keys are there."""
    from agentkit.models.catalog import find

    try:
        own_catalogs()
    except ConfigurationError as error:
        yield "AGENTKIT_CATALOG", str(error), True
        return
    known: list[Provider] = list(providers().values())
    yield "AGENTKIT_CATALOG", variable("AGENTKIT_CATALOG") or "not set", False
    yield "models", f"{sum(len(one.models) for one in known)} of {len(known)} providers", False
    for key in dict.fromkeys(one.key for one in known if one.key):
        yield key, "set" if variable(key) else "not set", False
    if not (name := variable("AGENTKIT_MODEL")):
        yield "AGENTKIT_MODEL", "not set", False
        return
    for one in name.split(","):
        try:
            provider, row = find(one.strip())
        except ConfigurationError as error:
            yield "AGENTKIT_MODEL", str(error), True
            continue
        missing = bool(provider.key) and not provider.open and not variable(provider.key)
        found = f"{provider.name}:{row.name}" + (f", but `{provider.key}` is not set" if missing else "")
        yield "AGENTKIT_MODEL", found, missing


def _simulated() -> tuple[str, str, bool]:
    """A run, offline."""
    from agentkit.agent import Agent

    try:
        return "a run on the simulator", Agent("sim:deepseek-flash").run("What is 6 * 7?").text, False
    except AgentkitError as error:
        return "a run on the simulator", str(error), True
