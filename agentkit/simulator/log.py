"""What was asked of a simulator and what it answered, for tests to read: `simulator.log`."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, overload

from agentkit.simulator.exchange import Exchange, Handler
from agentkit.simulator.reply import Cut, Reply, Step

_SECRET = frozenset(("authorization", "proxy-authorization", "x-api-key", "api-key", "cookie"))


class Entry:
    """One request and its reply.

    What a streamed reply has sent so far is in `text` while it is sent; `complete` becomes true when all of it was.

    Attributes:
        number: How many requests the simulator had before this one.
        method: The HTTP method.
        path: The path without its query.
        headers: The request's headers, names in lower case; a key is shown as `***`.
        content: The request's body as it came.
        status: The reply's HTTP status; 0 until there is one.
        size: How many bytes of bodies it holds; those of a streamed reply count when it has ended.
        faults: The faults that the reply met, as they are written.
        idle: The faults that were due and found nothing to act on.
        complete: Whether the reply was sent to its end.
    """

    __slots__ = (
        "_grew",
        "_parts",
        "complete",
        "content",
        "faults",
        "headers",
        "idle",
        "method",
        "number",
        "path",
        "size",
        "status",
    )

    def __init__(self, exchange: Exchange, grew: Callable[[Entry, int], None]) -> None:
        headers = {name.lower(): value for name, value in exchange.headers.items()}
        for name in _SECRET & headers.keys():
            headers[name] = "***"
        self.number = exchange.number
        self.method = exchange.method
        self.path = exchange.path
        self.headers: Mapping[str, str] = headers
        self.content = exchange.body
        self.status = 0
        self.faults: tuple[str, ...] = ()
        self.idle: tuple[str, ...] = ()
        self.complete = False
        self.size = len(exchange.body)
        self._parts: list[bytes] = []
        self._grew = grew

    @property
    def body(self) -> Any:
        """The request's body as JSON; `None` where it is none."""
        try:
            return json.loads(self.content)
        except ValueError:
            return None

    @property
    def text(self) -> str:
        """The reply's body, as far as it was sent."""
        return b"".join(self._parts).decode("utf-8", "replace")

    def answered(self, reply: Reply) -> Reply:
        """Note a reply; what comes back is sent instead, and noted as it is."""
        self.status, self.faults, self.idle = reply.status, reply.faults, reply.idle
        steps = reply.steps
        if isinstance(steps, tuple) and not reply.streamed:
            parts = [step for step in steps if isinstance(step, bytes)]
            if len(parts) == len(steps):
                self._parts, self.complete = parts, True
                self._grew(self, sum(map(len, parts)))
                return reply
        return replace(reply, steps=self._noted(steps))

    def _noted(self, steps: Iterable[Step]) -> Iterator[Step]:
        try:
            for step in steps:
                if isinstance(step, bytes):
                    self._parts.append(step)
                yield step
                if isinstance(step, Cut):
                    return
            self.complete = True
        finally:
            self._grew(self, sum(map(len, self._parts)))

    def __repr__(self) -> str:
        faults = f", faults={' + '.join(self.faults)}" if self.faults else ""
        return f"<Entry {self.number}: {self.method} {self.path} -> {self.status}{faults}>"


class Log(Sequence[Entry]):
    """The latest requests, the oldest first; a layer of the simulator (`agentkit.simulator.exchange`).

    Args:
        entries: How many are kept.
        size: How many bytes of bodies are kept in all; the last entry is kept whatever its size.
    """

    def __init__(self, entries: int = 1_000, size: int = 32_000_000) -> None:
        self._entries: deque[Entry] = deque()
        self._most = (max(1, entries), size)
        self._held = 0
        self._lock = threading.Lock()

    @overload
    def __getitem__(self, index: int) -> Entry: ...
    @overload
    def __getitem__(self, index: slice) -> list[Entry]: ...
    def __getitem__(self, index: int | slice) -> Entry | list[Entry]:
        with self._lock:
            return list(self._entries)[index]

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        with self._lock:
            return iter(list(self._entries))

    @property
    def chats(self) -> list[Entry]:
        """Those that asked for a completion."""
        return [entry for entry in self if entry.method == "POST" and entry.path.endswith("/completions")]

    def clear(self) -> None:
        """Forget them all."""
        with self._lock:
            self._entries.clear()
            self._held = 0

    def __call__(self, exchange: Exchange, handler: Handler) -> Reply:
        """Answer an exchange, and note what was asked and answered."""
        entry = Entry(exchange, self._grown)
        with self._lock:
            self._entries.append(entry)
            self._held += entry.size
            self._forget()
        return entry.answered(handler(exchange))

    def _grown(self, entry: Entry, size: int) -> None:
        with self._lock:
            entry.size += size
            if self._entries and self._entries[0].number <= entry.number:  # it was not forgotten meanwhile
                self._held += size
                self._forget()

    def _forget(self) -> None:
        entries, size = self._most
        while len(self._entries) > entries or (self._held > size and len(self._entries) > 1):
            self._held -= self._entries.popleft().size
