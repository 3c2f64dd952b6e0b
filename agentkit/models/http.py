"""A model behind an HTTP endpoint: encode, send, retry, feed the decoder.

What thinks stands in `Sending`, which lives for one answer and knows every attempt; `HttpModel.call` and
`HttpModel.acall` only wait.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from agentkit.errors import Cancelled, ModelError, TimedOut
from agentkit.events import Retried
from agentkit.messages import Assistant
from agentkit.models.catalog import ModelRow
from agentkit.models.dialects.chat import Chat, check
from agentkit.models.failures import error_from
from agentkit.models.request import Decoder, Dialect, Request
from agentkit.models.retry import Retries
from agentkit.models.transport import Patience, Post, Transport, Watch


@dataclass(frozen=True, slots=True)
class Clock:
    """Where time comes from; tests hand in their own.

    Attributes:
        now: Seconds since some fixed moment.
        sleep: Waits that many seconds in a thread.
        asleep: Waits that many seconds on an event loop.
        chance: A number from 0 to 1, for jitter.
    """

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    asleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    chance: Callable[[], float] = random.random


class HttpModel:
    """A model that is asked over HTTP.

    Args:
        provider: The provider's name, shown before the model's.
        row: What is known of the model.
        base_url: The address that `/chat/completions` is added to.
        api_key: Sent as a bearer token; `None` sends none. It is never shown.
        transport: How HTTP is spoken.
        retries: How often a busy endpoint is asked again.
        patience: How long to wait for what.
        dialect: The wire format.
        clock: Where time comes from.
    """

    def __init__(
        self,
        provider: str,
        row: ModelRow,
        *,
        base_url: str,
        api_key: str | None,
        transport: Transport,
        retries: Retries = Retries(),
        patience: Patience = Patience(),
        dialect: Dialect | None = None,
        clock: Clock = Clock(),
    ) -> None:
        self.provider = provider
        self.row = row
        self.base_url = base_url.rstrip("/")
        self.transport = transport
        self.retries = retries
        self.patience = patience
        self.dialect: Dialect = dialect or Chat()
        self.clock = clock
        self.url = f"{self.base_url}/chat/completions"
        self._headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
        self._key = api_key or ""
        if api_key:
            self._headers["authorization"] = f"Bearer {api_key}"

    @property
    def name(self) -> str:
        """`provider:model`."""
        return f"{self.provider}:{self.row.name}"

    def __repr__(self) -> str:
        return f"HttpModel({self.name!r}, base_url={self.base_url!r})"

    def headers(self, extra: Mapping[str, str]) -> Mapping[str, str]:
        """The headers of a request: ours, and the caller's on top of them."""
        return {**self._headers, **{name.lower(): value for name, value in extra.items()}} if extra else self._headers

    def refused(self, status: int, headers: Mapping[str, str], body: bytes) -> ModelError:
        """The error that an HTTP status other than 200 means; the key is masked where the endpoint repeats it."""
        return error_from(status, headers, body, model=self.name, now=time.time(), key=self._key)

    def call(self, request: Request) -> Assistant:
        """Answer in the calling thread."""
        sending = Sending(self, request)
        while True:
            try:
                with self.transport.send(sending.post()) as reply:
                    if reply.status != 200:
                        raise sending.refused(reply.status, reply.headers, b"".join(reply))
                    for chunk in reply:
                        sending.feed(chunk, reply.watch)
                return sending.finish()
            except ModelError as error:
                delay = sending.failed(error)
            if request.stop is None:
                self.clock.sleep(delay)
            elif request.stop.wait(delay):
                raise Cancelled("the run was stopped from outside")

    async def acall(self, request: Request) -> Assistant:
        """Answer on the running event loop."""
        sending = Sending(self, request)
        while True:
            try:
                async with self.transport.asend(sending.post()) as reply:
                    if reply.status != 200:
                        raise sending.refused(reply.status, reply.headers, b"".join([chunk async for chunk in reply]))
                    async for chunk in reply:
                        sending.feed(chunk, reply.watch)
                return sending.finish()
            except ModelError as error:
                delay = sending.failed(error)
            await self.clock.asleep(delay)


class Sending:
    """One answer under way: the body, the attempts, and what was shown of the reply so far."""

    def __init__(self, model: HttpModel, request: Request) -> None:
        row = model.row
        check(request, row)
        self.model = model
        self.request = request
        self.attempts = 0
        self.shown = False
        thinks = row.thinks(request.settings.thinking)
        stream = row.streams(asked=request.stream, thinks=thinks)
        key = (type(model.dialect), row)
        encoder = request.encoders.get(key)
        if encoder is None:
            encoder = request.encoders[key] = model.dialect.encoder(row)
        self.body = encoder.encode(request, stream=stream)
        self.decoder: Decoder

    def post(self) -> Post:
        """The next attempt."""
        model, request = self.model, self.request
        self.attempts += 1
        self.decoder = model.dialect.decoder(model.row, deltas=request.emit is not None)
        patience = model.patience
        if request.deadline is not None:
            left = max(0.0, request.deadline - time.monotonic())
            patience = replace(patience, total=left if patience.total is None else min(left, patience.total))
        return Post(
            url=model.url,
            headers=model.headers(request.settings.extra_headers),
            body=self.body,
            patience=patience,
            stop=request.stop,
        )

    def feed(self, chunk: bytes, watch: Watch) -> None:
        """Hand bytes to the decoder and its deltas to the onlooker."""
        deltas = self.decoder.feed(chunk)
        if self.decoder.begun:
            watch.progress()
        emit = self.request.emit
        if deltas and emit is not None:
            self.shown = True
            for delta in deltas:
                emit(delta)

    def finish(self) -> Assistant:
        """The whole message."""
        return self.decoder.finish()

    def refused(self, status: int, headers: Mapping[str, str], body: bytes) -> ModelError:
        """The error that an HTTP status other than 200 means."""
        return self.model.refused(status, headers, body)

    def failed(self, error: ModelError) -> float:
        """Seconds to wait before the next attempt; raises `error` where there is none.

        Once deltas were shown to somebody who streams, a retry would show them twice: the error is raised.
        """
        error.model, error.attempts = self.model.name, self.attempts
        delay = self.model.retries.delay(error, self.attempts, self.model.clock.chance())
        deadline = self.request.deadline
        late = delay is not None and deadline is not None and time.monotonic() + delay >= deadline
        out_of_time = isinstance(error, TimedOut) and deadline is not None and time.monotonic() >= deadline
        if delay is None or late or out_of_time or (self.shown and self.request.stream):
            if self.attempts > 1:
                error.args = (f"{error} (after {self.attempts} attempts)",)
            raise error
        if self.request.emit is not None:
            self.request.emit(Retried(self.attempts, delay, f"{type(error).__name__}: {error}"))
        return delay
