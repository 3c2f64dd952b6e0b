"""A model behind an HTTP endpoint: encode, send, retry, feed the decoder.

What thinks stands in `sending.py`; `HttpModel.call` and `HttpModel.acall` only wait.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Literal

from agentkit.errors import Cancelled, ModelError
from agentkit.messages import Assistant
from agentkit.models.beyond import Beyond
from agentkit.models.catalog import ModelRow
from agentkit.models.continuing import beta_of
from agentkit.models.dialects.chat import Chat
from agentkit.models.dialects.prompted import Prompted
from agentkit.models.failures import error_from
from agentkit.models.limiter import Limiter, limiter_of
from agentkit.models.request import Dialect, Request
from agentkit.models.retry import Clock, Resting, Retries, elsewhere
from agentkit.models.sending import Manner, Sending
from agentkit.models.transport import Patience, Post, Transport
from agentkit.models.transport.between import pace, through

ToolMode = Literal["auto", "native", "prompt"]


class HttpModel(Beyond):
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
        limiter: How many requests are sent at once; by default all models of an address and a key share one.
        also_at: Further addresses of the same endpoint: where one cannot be reached or its server fails, the next
            attempt goes to the next.
        beta: What is added to the address, less its `/v1`, for what is beta; `""` where the provider has none.
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
        tool_mode: ToolMode = "auto",
        clock: Clock = Clock(),
        limiter: Limiter | None = None,
        also_at: Sequence[str] = (),
        beta: str = "",
    ) -> None:
        self.provider = provider
        self.row = row
        self.base_url = base_url.rstrip("/")
        self.beta = beta
        self.transport = transport
        self.retries = retries
        self.patience = patience
        self.dialect: Dialect = dialect or Chat()
        self.tool_mode: ToolMode = tool_mode
        self.clock = clock
        addresses = (self.base_url, *(address.rstrip("/") for address in also_at))
        self.addresses = tuple((address, limiter or limiter_of(address, api_key)) for address in addresses)
        self.resting = Resting(len(self.addresses))
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
        return error_from(status, headers, body, model=self.name, now=self.clock.date(), key=self._key)

    def _at(self, sending: Sending) -> int:
        """Which of the addresses the next attempt goes to."""
        if not sending.order:
            sending.order = self.resting.order()
        return sending.order[sending.moves % len(self.addresses)]

    def _failed(self, sending: Sending, error: ModelError) -> float | None:
        """Seconds until the next attempt, elsewhere if this address is out; `None`: the caller raises the error."""
        deadline = sending.request.deadline
        if elsewhere(error) and (deadline is None or time.monotonic() < deadline):
            self.resting.out(self._at(sending))
        delay = sending.failed(error)
        return None if delay is None else delay * pace()

    def _finish(self, sending: Sending) -> Assistant | None:
        self.resting.back(self._at(sending))
        return sending.finish()

    def _post(self, sending: Sending, address: str) -> Post:
        """The request of the next attempt, to one of the addresses."""
        request = sending.request
        if sending.part is not None:  # the rest of a cut answer
            address = beta_of(address, self.beta)
        patience = sending.begin()
        return Post(
            url=f"{address}/chat/completions",
            headers=self.headers(request.settings.extra_headers),
            body=sending.sent,
            patience=patience,
            stop=request.stop,
        )

    def _sending(self, request: Request) -> Sending:
        return Sending(
            Manner(
                self.name,
                self.row,
                self.dialect,
                None if self.tool_mode == "native" else Prompted(self.dialect),
                self.tool_mode == "prompt",
                self.retries,
                self.patience,
                self.clock.chance,
                self._learn,
                self.clock.date,
                bool(self.beta),
            ),
            request,
        )

    def _learn(self, row: ModelRow) -> None:
        """Ask from now on as the endpoint turned out to want it."""
        self.row = row

    def call(self, request: Request) -> Assistant:
        """Answer in the calling thread."""
        with self._sending(request) as sending:
            return self._send(sending, request)

    def _send(self, sending: Sending, request: Request) -> Assistant:
        while True:
            delay: float | None = 0.0
            try:
                address, limiter = self.addresses[self._at(sending)]
                place = limiter.place(stop=request.stop, until=request.deadline, tell=sending.queued)
                with place, through(self.transport).send(self._post(sending, address)) as reply:
                    if reply.status != 200:
                        raise self.refused(reply.status, reply.headers, b"".join(reply))
                    for chunk in reply:
                        if sending.feed(chunk):
                            reply.watch.progress()
                if (message := self._finish(sending)) is not None:
                    return message
            except ModelError as error:
                delay = self._failed(sending, error)
                if delay is None:
                    raise
            if request.stop is None:
                self.clock.sleep(delay)
            elif request.stop.wait(delay):
                raise Cancelled("the run was stopped from outside")

    async def acall(self, request: Request) -> Assistant:
        """Answer on the running event loop."""
        with self._sending(request) as sending:
            return await self._asend(sending, request)

    async def _asend(self, sending: Sending, request: Request) -> Assistant:
        import asyncio

        while True:
            shown = False
            delay: float | None = 0.0
            try:
                address, limiter = self.addresses[self._at(sending)]
                place = limiter.aplace(until=request.deadline, tell=sending.queued)
                async with place, through(self.transport).asend(self._post(sending, address)) as reply:
                    if reply.status != 200:
                        raise self.refused(reply.status, reply.headers, b"".join([chunk async for chunk in reply]))
                    async for chunk in reply:
                        if sending.feed(chunk):
                            reply.watch.progress()
                        if sending.shown and not shown:  # the first words reach who streams before more is read
                            shown = True
                            await asyncio.sleep(0)
                if (message := self._finish(sending)) is not None:
                    return message
            except ModelError as error:
                delay = self._failed(sending, error)
                if delay is None:
                    raise
            await self.clock.asleep(delay)
