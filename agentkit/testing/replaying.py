"""Recorded runs run again: `replay`, with the model, the tools or both from the recording."""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict, deque
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    ExitStack,
    asynccontextmanager,
    contextmanager,
)
from threading import Lock
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from agentkit import errors
from agentkit.beside import Called, beside
from agentkit.errors import AgentkitError, Cancelled, ConfigurationError
from agentkit.messages import ToolCall, ToolMessage, ids_made_of, make_ids_of
from agentkit.models.request import Request
from agentkit.models.retry import Clock
from agentkit.models.transport.between import between
from agentkit.models.transport.seam import AsyncReply, Post, Reply, Transport, Watch
from agentkit.testing.differences import first_difference, in_common
from agentkit.testing.recording import Answered, Exchange, Mask, Recording, read
from agentkit.tools import Told

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator

Source = Literal["recorded", "real"]

LEAVING = 2.0
"""How long, in seconds, a reply that was left when it was recorded waits for its reader to leave again."""

_STARS = re.compile(rb"\*{8,}")


class ReplayMismatch(AssertionError):
    """A replayed run asked for something else than what was recorded, or for less."""


@contextmanager
def replay(
    file: str | os.PathLike[str],
    *,
    tools: Source = "recorded",
    model: Source = "recorded",
    times: float = 0.0,
    secrets: Iterable[str] = (),
    clock: Clock = Clock(),
) -> Generator[Replay]:
    """Run what `record` wrote again: within a `with` block, requests and tool calls are answered from the file.

    Nothing goes over a network and no key is needed; names of models, agents and the program around them are real. A
    request is answered if it is, byte for byte, one that was recorded, whatever the order; so is a call of the same
    tool with the same arguments. Agents that are tools run again. It holds for this thread or task and what runs on
    its behalf.

    Args:
        file: What was recorded.
        tools: `"real"` runs the tools; what they return must lead to the same requests.
        model: `"real"` sends the requests; the tools are answered from the file.
        times: How long a recorded second is, between the pieces of a reply and between attempts; 0 waits for nothing.
        secrets: As they were given to `record`.
        clock: Who waits.

    Raises:
        ConfigurationError: The file cannot be read or is no recording, or nothing of it would be used.
        ReplayMismatch: Something else was asked for than what was recorded, with the first difference; or, when the
            block ends, not all of it was.
    """
    if tools not in ("recorded", "real") or model not in ("recorded", "real") or tools == model == "real":
        raise ConfigurationError(
            f'`tools={tools!r}, model={model!r}`: each is "recorded" or "real", and not both real', code="bad-value"
        )
    if not 0 <= times < float("inf"):
        raise ConfigurationError(f"`times={times!r}`: it is a number from 0 on", code="bad-value")
    player = Replay(read(file), os.fspath(file), tools, model, Mask(secrets))
    before = ids_made_of()
    with ExitStack() as stack:
        stack.callback(make_ids_of, before)
        if model == "recorded":
            stack.enter_context(between(lambda transport: _Player(transport, player, times, clock), pace=times))
        stack.enter_context(beside(player))
        yield player
    player.assert_complete()


class Replay:
    """What is left of a recording in a `replay` block. For any number of threads."""

    def __init__(self, recording: Recording, name: str, tools: Source, model: Source, mask: Mask) -> None:
        self._recording = recording
        self._name = name
        self._tools: Source = tools
        self._model: Source = model
        self._mask = mask
        self._lock = Lock()
        self._queues: dict[tuple[str, str, bytes], deque[Exchange]] = defaultdict(deque)
        for one in recording.exchanges:
            self._queues[_key(one.method, one.url, one.body)].append(one)
        self._used: set[int] = set()
        self._calls = list(recording.tools)
        self._skipped: set[int] = set()  # calls whose tools were not run, nor what they did
        self._missed: ReplayMismatch | None = None

    def assert_complete(self) -> None:
        """Check that all that was recorded was asked for, and nothing else.

        Raises:
            ReplayMismatch: It was not so. What a program swallowed, as an agent does with what its tools raise, is
                raised here.
        """
        with self._lock:
            if self._missed is not None:
                raise self._missed
            if self._model == "real":
                return
            left = [one for one in self._recording.exchanges if one.number not in self._used and self._expected(one)]
            if left:
                raise ReplayMismatch(
                    f"of the {len(self._recording.exchanges)} requests in `{self._name}`, {len(left)} were not sent;"
                    f" the first is {_told(left[0])}"
                )
            unmade = [one for one in self._calls if self._expected(one)] if self._tools == "recorded" else []
            if unmade:
                one = unmade[0]
                raise ReplayMismatch(
                    f"of the {len(self._recording.tools)} calls in `{self._name}`, {len(unmade)} were not made; the"
                    f" first is of `{one.name}` with {one.arguments:.200}"
                )

    def _expected(self, one: Exchange | Answered) -> bool:
        """Whether something is asked for, where no tool was answered for that would have done so."""
        outer = {call.number: call.within for call in self._recording.tools}
        within = one.within
        while within:
            if within in self._skipped or within not in outer:  # of a tool that was given up
                return False
            within = outer[within]
        return True

    def _miss(self, text: str) -> ReplayMismatch:
        missed = ReplayMismatch(text)
        self._missed = self._missed or missed
        return missed

    # Requests.

    def take(self, post: Post) -> Exchange:
        """The reply to a request.

        Raises:
            ReplayMismatch: There is none left.
        """
        with self._lock:
            self._mask.learn(post.headers)
            body = self._mask.data(post.body or b"")
            key = _key(post.method, post.url, body)
            if queue := self._queues.get(key):
                found = queue.popleft()
                self._used.add(found.number)
                return found
            raise self._miss(self._other(post, key, body))

    def _other(self, post: Post, key: tuple[str, str, bytes], body: bytes) -> str:
        """What is wrong with a request that was not recorded."""
        every = self._recording.exchanges
        if key in self._queues:
            times = sum(_key(one.method, one.url, one.body) == key for one in every)
            return f"a request was sent once more than in `{self._name}` ({times}): {_said(body)}"
        alike = [one for one in every if _key(one.method, one.url, b"") == _key(post.method, post.url, b"")]
        if not alike:
            there = ", ".join(sorted({f"{one.method} {_path(one.url)}" for one in every})) or "none"
            asked = f"{post.method} {_path(post.url)}"
            return f"a request was sent that is not in `{self._name}`: {asked}; recorded are {there}"
        left = [one for one in alike if one.number not in self._used] or alike
        near = max(left, key=lambda one: (in_common(one.body, body), -abs(len(one.body) - len(body)), -one.number))
        return (
            f"a request is not as it was recorded in `{self._name}`. The nearest is request {near.number} of"
            f" {len(every)}, and the first difference is\n{first_difference(near.body, body)}"
        )

    # Calls.

    def began(self, request: Request, /) -> None:
        """A run begins."""

    def answers(self, batch: Sequence[Called], /) -> Mapping[int, Told]:
        """What was told of these calls, in the order in which they ended.

        Raises:
            ReplayMismatch: One was not recorded.
        """
        if self._tools == "real":
            return {}
        with self._lock:
            found = [(known, one) for one in batch if (known := self._find(one)) is not None]
            found.sort(key=lambda pair: pair[0].place)
            return {one.serial: _told_of(known, one.call) for known, one in found if not known.delegated}

    def ended(self, called: Called, told: Told, /, *, delegated: bool) -> None:
        """A tool was run."""

    def _find(self, called: Called) -> Answered | None:
        call = called.call
        arguments = _canonical(self._mask.text(call.arguments))
        same = [one for one in self._calls if one.name == call.name and _canonical(one.arguments) == arguments]
        if not same and called.final:
            return None
        if not same:
            raise self._miss(self._other_call(call, arguments))
        found = next((one for one in same if one.id == call.id), same[0])
        self._calls.remove(found)
        if not found.delegated:
            self._skipped.add(found.number)
        return found

    def _other_call(self, call: ToolCall, arguments: str) -> str:
        every = [one for one in self._recording.tools if one.name == call.name]
        if not every:
            names = ", ".join(f"`{name}`" for name in dict.fromkeys(one.name for one in self._recording.tools))
            return f"`{call.name}` was called, which `{self._name}` has no result of; it has those of {names or 'none'}"
        if any(_canonical(one.arguments) == arguments for one in every):
            return f"`{call.name}` was called once more than in `{self._name}` with {arguments:.200}"
        left = [one for one in every if one in self._calls] or every
        near = max(left, key=lambda one: in_common(_canonical(one.arguments).encode(), arguments.encode()))
        return (
            f"`{call.name}` was called with other arguments than in `{self._name}`; the first difference is\n"
            f"{first_difference(_canonical(near.arguments).encode(), arguments.encode())}"
        )


def _key(method: str, url: str, body: bytes) -> tuple[str, str, bytes]:
    """What makes two requests the same; the host does not: a server on this machine has another port each time."""
    return method, _path(url), _STARS.sub(b"***", body)


def _path(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _canonical(arguments: str) -> str:
    try:
        return json.dumps(json.loads(arguments), sort_keys=True, ensure_ascii=False)
    except ValueError:
        return arguments


def _told(one: Exchange) -> str:
    return f"request {one.number}, {one.method} {_path(one.url)}: {_said(one.body)}"


def _said(body: bytes) -> str:
    """The last message of a request."""
    try:
        last = json.loads(body)["messages"][-1]
        return f"its last message is `{last['role']}`: {str(last.get('content') or '')[:100]!r}"
    except (ValueError, LookupError, TypeError, AttributeError):
        return f"its body has {len(body)} bytes"


def _told_of(known: Answered, call: ToolCall) -> Told:
    message = ToolMessage(call.id, call.name, known.text, known.ok, known.data)
    return Told(message, known.whole, known.warning)


class _Player:
    """A transport that answers from a recording."""

    def __init__(self, transport: Transport, replay: Replay, times: float, clock: Clock) -> None:
        self._transport = transport
        self._replay = replay
        self._times = times
        self._clock = clock

    def send(self, post: Post) -> AbstractContextManager[Reply]:
        return self._send(post)

    @contextmanager
    def _send(self, post: Post) -> Generator[Reply]:
        spoken = self._spoken(post)
        spoken.wait(spoken.exchange.begun)
        spoken.begin()
        yield _Reply(spoken)

    def asend(self, post: Post) -> AbstractAsyncContextManager[AsyncReply]:
        return self._asend(post)

    @asynccontextmanager
    async def _asend(self, post: Post) -> AsyncGenerator[AsyncReply]:
        spoken = self._spoken(post)
        await spoken.await_(spoken.exchange.begun)
        spoken.begin()
        yield _AsyncReply(spoken)

    def _spoken(self, post: Post) -> _Spoken:
        if post.stop is not None and post.stop.is_set:
            raise Cancelled("the run was stopped from outside")
        exchange = self._replay.take(post)
        make_ids_of(exchange.ids)
        return _Spoken(exchange, post, self._times, self._clock)

    def close(self) -> None:
        self._transport.close()

    async def aclose(self) -> None:
        await self._transport.aclose()


class _Spoken:
    """A recorded reply under way: what comes next, and how long to wait for it."""

    def __init__(self, exchange: Exchange, post: Post, times: float, clock: Clock) -> None:
        self.exchange = exchange
        self.left = deque(exchange.chunks)
        self.watch = Watch(post.patience)
        self._post = post
        self._times = times
        self._clock = clock
        self._now = 0.0

    def begin(self) -> None:
        """The headers are due; raises where none came."""
        if self.exchange.status is None:
            self.over()
            raise self.early()

    def over(self) -> None:
        """The pieces are used up: raise what the reply ended in; return where it ended well or was left."""
        name, text, code = self.exchange.error
        if self.exchange.end != "failed":
            return
        kind = getattr(errors, name, None)
        if isinstance(kind, type) and issubclass(kind, AgentkitError):
            error = kind(text)
            error.code = code
            raise error
        raise RuntimeError(f"the recorded request ended in `{name}`")

    def early(self) -> ReplayMismatch:
        """The error where a reader goes on who left when it was recorded."""
        return ReplayMismatch(
            f"the reply to request {self.exchange.number} was left before its end when it was recorded, and this run"
            " goes on reading it"
        )

    def wait(self, until: float) -> None:
        """Wait in a thread until a time of the recording."""
        seconds = self._seconds(until)
        if seconds and self._post.stop is None:
            self._clock.sleep(seconds)
        elif seconds and self._post.stop is not None:
            self._post.stop.wait(seconds)
        self._check()

    async def await_(self, until: float) -> None:
        """Wait on an event loop until a time of the recording."""
        if seconds := self._seconds(until):
            await self._clock.asleep(seconds)
        self._check()

    def _seconds(self, until: float) -> float:
        seconds, self._now = (until - self._now) * self._times, until
        return max(0.0, seconds)

    def _check(self) -> None:
        if self._post.stop is not None and self._post.stop.is_set:
            raise Cancelled("the run was stopped from outside")

    def linger(self) -> None:
        """Wait in a thread for the reader to leave."""
        if self._post.stop is not None and self._post.stop.wait(LEAVING):
            raise Cancelled("the run was stopped from outside")
        raise self.early()

    async def alinger(self) -> None:
        """Wait on an event loop for the reader to leave."""
        import asyncio

        await asyncio.sleep(LEAVING)
        raise self.early()


class _Head:
    """What both kinds of replies have."""

    def __init__(self, spoken: _Spoken) -> None:
        self._spoken = spoken

    @property
    def status(self) -> int:
        return self._spoken.exchange.status or 0

    @property
    def headers(self) -> Mapping[str, str]:
        return self._spoken.exchange.headers

    @property
    def watch(self) -> Watch:
        return self._spoken.watch


class _Reply(_Head):
    """A recorded reply in a thread."""

    def __iter__(self) -> Iterator[bytes]:
        spoken = self._spoken
        while spoken.left:
            after, piece = spoken.left.popleft()
            spoken.wait(after)
            yield piece
        spoken.over()
        if spoken.exchange.end == "left":
            spoken.linger()


class _AsyncReply(_Head):
    """A recorded reply on an event loop."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        spoken = self._spoken
        while spoken.left:
            after, piece = spoken.left.popleft()
            await spoken.await_(after)
            yield piece
        spoken.over()
        if spoken.exchange.end == "left":
            await spoken.alinger()
