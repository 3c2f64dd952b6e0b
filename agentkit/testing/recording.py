"""Runs written to a file: `record`. The file's lines are explained in docs/guides/testing.md.

Nothing is written before the block ends: only then all keys are known that must not be in the file.
"""

from __future__ import annotations

import json
import os
import re
import secrets as chance
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, cast

from agentkit.beside import Called, beside, caller
from agentkit.errors import AgentkitError, Cancelled, ConfigurationError
from agentkit.frozen import frozen
from agentkit.messages import dump, ids_made_of, make_ids_of
from agentkit.models.request import Request
from agentkit.models.transport.between import Passed, between
from agentkit.models.transport.seam import AsyncReply, Post, Reply, Transport
from agentkit.tools import Told
from agentkit.transcript import RUN

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator

VERSION = 1
"""The version of the format, in the first line of each file."""

_ASKED = frozenset({"accept", "content-type"})
_TOLD = frozenset({"content-type", "retry-after", "x-ds-trace-id", "x-request-id"})
_SECRET = re.compile(r"auth|key|token|secret|cookie|password|credential", re.I)
_SHORTEST = 8
"""So many characters a key has at the least: masking shorter ones everywhere would mask words too."""


# What a file holds.


@frozen
class Exchange:
    """A request and its reply.

    Attributes:
        number: Its place among the requests, in the order in which they were sent, from 1.
        within: The number of the tool call in which it was sent; 0 for none.
        method: The HTTP method.
        url: The whole address.
        body: The body as it was sent.
        status: The reply's status; `None` where none came.
        headers: The reply's headers that clients look at, names in lower case.
        begun: Seconds from the request to the headers.
        chunks: The pieces of the reply as they came, each with the seconds since the request.
        end: `"read"` to its end, `"left"` by the reader before that, or `"failed"`.
        error: The class, the text and the code of the error in which it failed.
        ids: What ids are made of where the reply has none.
    """

    number: int
    within: int
    method: str
    url: str
    body: bytes
    status: int | None
    headers: Mapping[str, str]
    begun: float
    chunks: tuple[tuple[float, bytes], ...]
    end: Literal["read", "left", "failed"]
    error: tuple[str, str, str]
    ids: str


@frozen
class Answered:
    """A tool call and what the model was told.

    Attributes:
        number: By which `within` names it.
        within: The number of the call in which it was made; 0 for none.
        place: Its place among the calls, in the order in which they ended, from 0.
        id: The call's id.
        name: The tool's name.
        arguments: The arguments as they were given.
        text: What the model was told.
        ok: Whether the tool did what it was asked.
        data: A JSON value for the program.
        whole: The whole result, where the model was told a part; else `None`.
        warning: What was wrong with the value that the tool returned; `""` for nothing.
        delegated: Whether the tool is an agent, whose own run is recorded too.
    """

    number: int
    within: int
    place: int
    id: str
    name: str
    arguments: str
    text: str
    ok: bool
    data: Any
    whole: str | None
    warning: str
    delegated: bool


@frozen
class Began:
    """How a run began.

    Attributes:
        within: The number of the call in which it did; 0 for none.
        model: The model's name.
        streamed: Whether the endpoint was asked for a streamed reply.
        final: The name of the output tool; `None` where the answer is the model's words.
        instructions: What was said before all else.
        settings: The fields of the requests that were set, headers left out.
        tools: The definitions of the tools.
        entries: What had been said, the prompt last: JSON for `agentkit.messages.load`.
    """

    within: int
    model: str
    streamed: bool
    final: str | None
    instructions: str | None
    settings: Mapping[str, Any]
    tools: Sequence[Any]
    entries: str


@frozen
class Recording:
    """What a file holds.

    Attributes:
        runs: The runs, in the order in which they began.
        exchanges: The requests and replies, in the order in which they were sent.
        tools: The calls, in the order in which they ended.
    """

    runs: Sequence[Began] = ()
    exchanges: Sequence[Exchange] = ()
    tools: Sequence[Answered] = ()


def read(file: str | os.PathLike[str]) -> Recording:
    """Read what `record` wrote.

    Raises:
        ConfigurationError: The file cannot be read, or it is no recording of this version.
    """
    try:
        lines = Path(file).read_text("ascii").splitlines()
    except OSError as error:
        raise ConfigurationError(
            f"the recording `{os.fspath(file)}` cannot be read: {error.strerror}", code="bad-path"
        ) from error
    except UnicodeDecodeError:
        raise _no_recording(file, 1) from None
    number = 0
    runs: list[Began] = []
    exchanges: list[Exchange] = []
    tools: list[Answered] = []
    try:
        version = json.loads(lines[0])["recording"]
        if version != VERSION:
            raise ConfigurationError(
                f"`{os.fspath(file)}` is a recording of version {version!r}, and this agentkit reads version {VERSION}:"
                " record it anew",
                code="bad-saved",
            )
        for line in lines[1:]:
            number += 1
            fields: dict[str, Any] = json.loads(line)
            if "exchange" in fields:
                exchanges.append(_exchange(fields))
            elif "tool" in fields:
                tools.append(Answered(number=fields.pop("tool"), place=len(tools), **fields))
            else:
                fields.pop("run")
                runs.append(Began(**fields))
    except (ValueError, LookupError, TypeError, AttributeError):
        raise _no_recording(file, number + 1) from None
    exchanges.sort(key=lambda one: one.number)
    return Recording(runs, exchanges, tools)


def _no_recording(file: str | os.PathLike[str], line: int) -> ConfigurationError:
    return ConfigurationError(
        f"`{os.fspath(file)}` is no recording: line {line} is not what `record` writes", code="bad-saved"
    )


def _exchange(fields: Mapping[str, Any]) -> Exchange:
    request, reply = fields["request"], fields["reply"]
    return Exchange(
        number=fields["exchange"],
        within=fields["within"],
        method=request["method"],
        url=request["url"],
        body=_bytes(request["body"]),
        status=reply["status"],
        headers=reply["headers"],
        begun=reply["after"],
        chunks=tuple((after, _bytes(data)) for after, data in reply["chunks"]),
        end=reply["end"],
        error=(reply["error"][0], reply["error"][1], reply["error"][2]),
        ids=fields["ids"],
    )


def _text(data: bytes) -> str:
    """Bytes as a text of JSON: UTF-8, and what is none of it as lone surrogates."""
    return data.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


# What must not be in it.


class Mask:
    """Makes stars of what must not be seen, as many as it has characters.

    Args:
        secrets: Texts that must not be seen.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = {one for one in secrets if one}

    def learn(self, headers: Mapping[str, str]) -> None:
        """Take the keys among the headers of a request."""
        for name, value in headers.items():
            key = value.rpartition(" ")[2]
            if _SECRET.search(name) and len(key) >= _SHORTEST:
                self._secrets |= {key, json.dumps(key)[1:-1]}

    def text(self, text: str) -> str:
        """A text with stars for secrets."""
        for secret in self._ordered():
            text = text.replace(secret, "*" * len(secret))
        return text

    def data(self, data: bytes) -> bytes:
        """Bytes with stars for secrets."""
        for secret in self._ordered():
            raw = secret.encode()
            data = data.replace(raw, b"*" * len(raw))
        return data

    def chunks(self, chunks: Sequence[tuple[float, bytes]]) -> list[tuple[float, bytes]]:
        """The pieces of one reply, also where a secret goes from one into the next."""
        whole = self.data(b"".join(data for _, data in chunks))
        masked: list[tuple[float, bytes]] = []
        for after, data in chunks:
            masked.append((after, whole[: len(data)]))
            whole = whole[len(data) :]
        return masked

    def value(self, value: Any) -> Any:
        """A JSON value with stars for secrets in all of its texts, names of members too."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list | tuple):
            return [self.value(one) for one in cast("Sequence[Any]", value)]
        if isinstance(value, dict):
            return {self.text(name): self.value(one) for name, one in cast("dict[str, Any]", value).items()}
        return value

    def _ordered(self) -> list[str]:
        return sorted(self._secrets, key=len, reverse=True)  # one may be a part of another


def _public(url: str) -> str:
    """An address without the name and the key that may stand before its host."""
    scheme, mark, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}"


# Recording.


@contextmanager
def record(file: str | os.PathLike[str], *, secrets: Iterable[str] = ()) -> Generator[None]:
    """Write down the runs of a `with` block, for `replay`: requests, replies as they came, and results of tools.

    It holds for this thread or task and what runs on its behalf, sync and async alike. Every attempt is written, those
    too that were thrown away. The file is written when the block ends, however it does, in place of an earlier one. It
    holds no key: what is sent as one is masked wherever it occurs.

    Args:
        file: Where to.
        secrets: Further texts that must not be in the file.

    Raises:
        ConfigurationError: The file cannot be written.
    """
    path = Path(file)
    if not path.parent.is_dir():
        raise ConfigurationError(
            f"the recording cannot be written to `{path}`: there is no folder `{path.parent}`", code="bad-path"
        )
    recorder = Recorder(secrets)
    before = ids_made_of()
    try:
        with between(recorder.tap), beside(recorder):
            yield
    finally:
        make_ids_of(before)
        _write(path, recorder.lines())


def _write(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    new = path.with_name(f"{path.name}.{chance.token_hex(4)}")
    try:
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            for line in lines:
                out.write(json.dumps(line).encode() + b"\n")
        os.replace(new, path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise ConfigurationError(
            f"the recording cannot be written to `{path}`: {error.strerror}", code="bad-path"
        ) from error


class Recorder:
    """What is known of the runs of one block. For any number of threads.

    Args:
        secrets: Texts that must not be in the file.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._mask = Mask(secrets)
        self._seed = chance.token_hex(6)
        self._lines: list[Line] = []
        self._numbers: dict[int, int] = {}
        self._count = 0
        self._lock = Lock()

    def tap(self, transport: Transport) -> Transport:
        """A transport that notes what it hands on, and what comes back."""
        return _Tap(transport, self)

    def lines(self) -> list[dict[str, Any]]:
        """What the file is made of."""
        with self._lock:
            head = {"recording": VERSION, "made": datetime.now(UTC).isoformat(timespec="seconds")}
            return [head, *(line.json(self._mask) for line in self._lines)]

    def sent(self, post: Post) -> Taken:
        """Note a request."""
        with self._lock:
            self._mask.learn(post.headers)
            self._count += 1
            make_ids_of(f"{self._seed}/{self._count}")
            return Taken(self._count, self._number(caller()), post, ids_made_of())

    def add(self, line: Line) -> None:
        """Note something that is over."""
        with self._lock:
            self._lines.append(line)

    def began(self, request: Request, /) -> None:
        """Note that a run begins."""
        entries = tuple(request.transcript)
        note: Any = next(one for one in reversed(entries) if getattr(one, "kind", None) == RUN)
        set_ = {name: value for name, value in asdict(request.settings).items() if value not in (None, {})}
        set_.pop("extra_headers", None)
        fields = {
            "model": note.data.get("model"),
            "streamed": request.stream,
            "final": request.final,
            "instructions": request.instructions,
            "settings": set_,
            "tools": [tool.definition() for tool in request.tools],
            "entries": dump(entries).decode(),
        }
        with self._lock:
            self._lines.append(_Noted({"run": note.data.get("id"), "within": self._number(caller()), **fields}))

    def answers(self, _: Sequence[Called], /) -> Mapping[int, Told]:
        """Answer nothing."""
        return {}

    def ended(self, called: Called, told: Told, /, *, delegated: bool) -> None:
        """Note a result."""
        call, message = called.call, told.message
        fields = {
            "id": call.id,
            "name": call.name,
            "arguments": call.arguments,
            "text": message.text,
            "ok": message.ok,
            "data": message.data,
            "whole": told.whole,
            "warning": told.warning,
            "delegated": delegated,
        }
        with self._lock:
            number = {"tool": self._number(called.serial), "within": self._number(caller())}
            self._lines.append(_Noted({**number, **fields}))

    def _number(self, serial: int) -> int:
        return self._numbers.setdefault(serial, len(self._numbers) + 1) if serial else 0


@frozen
class _Noted:
    """A line that was whole at once."""

    fields: Mapping[str, Any]

    def json(self, mask: Mask) -> dict[str, Any]:
        return {name: mask.value(value) for name, value in self.fields.items()}


@dataclass(slots=True)
class Taken:
    """A request under way and what has come of its reply."""

    number: int
    within: int
    post: Post
    ids: str
    began: float = field(default_factory=time.monotonic)
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict[str, str])
    head: float = 0.0
    chunks: list[tuple[float, bytes]] = field(default_factory=list[tuple[float, bytes]])
    end: Literal["read", "left", "failed"] = "left"
    error: tuple[str, str, str] = ("", "", "")

    def headed(self, status: int, headers: Mapping[str, str]) -> None:
        """The reply begins."""
        self.ids = ids_made_of()  # where a recording is replayed, they are of that one
        self.head = self._after()
        self.status = status
        kept = {name.lower(): value for name, value in headers.items() if name.lower() in _TOLD}
        if "retry-after" in kept:
            kept["retry-after"] = _in_seconds(kept["retry-after"])
        self.headers = kept

    def came(self, data: bytes) -> None:
        """A piece of it came."""
        self.chunks.append((self._after(), data))

    def failed(self, error: BaseException) -> None:
        """It ended in an error; if that was somebody's wish, it was only left."""
        if isinstance(error, Exception) and not isinstance(error, Cancelled):
            self.end = "failed"
            text, code = (str(error), error.code) if isinstance(error, AgentkitError) else ("", "")
            self.error = (type(error).__name__, text, code)  # the text of another's error may hold secrets

    def json(self, mask: Mask) -> dict[str, Any]:
        """The line."""
        post = self.post
        request = {
            "method": post.method,
            "url": mask.text(_public(post.url)),
            "headers": {
                name.lower(): value if name.lower() in _ASKED else "***" for name, value in post.headers.items()
            },
            "body": _text(mask.data(post.body or b"")),
        }
        reply = {
            "after": self.head,
            "status": self.status,
            "headers": mask.value(self.headers),
            "chunks": [[after, _text(data)] for after, data in mask.chunks(self.chunks)],
            "end": self.end,
            "error": [self.error[0], mask.text(self.error[1]), self.error[2]],
        }
        return {"exchange": self.number, "within": self.within, "ids": self.ids, "request": request, "reply": reply}

    def _after(self) -> float:
        return round(time.monotonic() - self.began, 6)


Line = _Noted | Taken


def _in_seconds(wait: str) -> str:
    """`Retry-After` as a number of seconds, since a date would be over when the recording is replayed."""
    from email.utils import parsedate_to_datetime

    try:
        return wait if wait.strip().isdigit() else f"{max(0.0, parsedate_to_datetime(wait).timestamp() - time.time())}"
    except (ValueError, TypeError, OverflowError):
        return wait


class _Tap:
    """A transport that notes what it hands on, and what comes back."""

    def __init__(self, transport: Transport, recorder: Recorder) -> None:
        self._transport = transport
        self._recorder = recorder

    def send(self, post: Post) -> AbstractContextManager[Reply]:
        return self._send(post)

    @contextmanager
    def _send(self, post: Post) -> Generator[Reply]:
        taken = self._recorder.sent(post)
        heard: _Heard | None = None
        try:
            with self._transport.send(post) as reply:
                taken.headed(reply.status, reply.headers)
                heard = _Heard(reply, taken)
                yield heard
        except BaseException as error:
            if heard is None:
                taken.failed(error)
            raise
        finally:
            self._recorder.add(taken)

    def asend(self, post: Post) -> AbstractAsyncContextManager[AsyncReply]:
        return self._asend(post)

    @asynccontextmanager
    async def _asend(self, post: Post) -> AsyncGenerator[AsyncReply]:
        taken = self._recorder.sent(post)
        heard: _AsyncHeard | None = None
        try:
            async with self._transport.asend(post) as reply:
                taken.headed(reply.status, reply.headers)
                heard = _AsyncHeard(reply, taken)
                yield heard
        except BaseException as error:
            if heard is None or heard.cancelled:  # a limit that passes cancels what waits, and is told of only here
                taken.failed(error)
            raise
        finally:
            self._recorder.add(taken)

    def close(self) -> None:
        self._transport.close()

    async def aclose(self) -> None:
        await self._transport.aclose()


class _Heard(Passed[Reply]):
    """A reply whose pieces are noted as they are read."""

    def __init__(self, reply: Reply, taken: Taken) -> None:
        super().__init__(reply)
        self._taken = taken
        self._pieces = iter(reply)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            piece = next(self._pieces)
        except StopIteration:
            self._taken.end = "read"
            raise
        except BaseException as error:
            self._taken.failed(error)
            raise
        self._taken.came(piece)
        return piece


class _AsyncHeard(Passed[AsyncReply]):
    """The same on an event loop."""

    def __init__(self, reply: AsyncReply, taken: Taken) -> None:
        super().__init__(reply)
        self._taken = taken
        self._pieces = aiter(reply)
        self.cancelled = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await anext(self._pieces)
        except StopAsyncIteration:
            self._taken.end = "read"
            raise
        except Exception as error:
            self._taken.failed(error)
            raise
        except BaseException:
            self.cancelled = True
            raise
        self._taken.came(piece)
        return piece
