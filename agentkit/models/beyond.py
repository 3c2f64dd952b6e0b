"""What a model's endpoint does beside answering chats: prefixes, gaps, the list of models, the balance.

No part of a run goes this way, so there are no events, no tools and no streams: one request, tried again as others are,
and a typed answer. Prefix completion and filling in the middle are beta at DeepSeek (WIRE sections 1.1 and 3): they
have an address of their own, which is taken by itself whatever address the model was opened with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Generic, Literal, Protocol, TypeVar, cast

from agentkit.errors import ConfigurationError, ModelError, Unreadable
from agentkit.frozen import frozen
from agentkit.messages import Assistant, Message, User
from agentkit.models import jsontext
from agentkit.models.billing import priced
from agentkit.models.continuing import beta_of, opening
from agentkit.models.failures import raise_error_in, shown
from agentkit.models.limiter import Limiter
from agentkit.models.request import Dialect, Request, Settings
from agentkit.models.retry import Clock, Retries
from agentkit.models.rows import ModelRow
from agentkit.models.transport import Patience, Post, Transport
from agentkit.models.transport.between import pace, through
from agentkit.transcript import Transcript

T = TypeVar("T")


@frozen
class Listed:
    """A model that an endpoint lists; what it does not tell is `None` or empty.

    Attributes:
        id: The name to ask for.
        owner: Whose it is.
        title: Its name for people.
        context: The context window, in tokens.
        output: The longest answer, in tokens.
        inputs: What it reads: `"text"`, `"image"`, ….
        outputs: What it writes.
        efforts: The values of `reasoning_effort` that it takes.
    """

    id: str
    owner: str | None = None
    title: str | None = None
    context: int | None = None
    output: int | None = None
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    efforts: tuple[str, ...] = ()


@frozen
class Purse:
    """What an account holds in one currency.

    Attributes:
        currency: `"CNY"` or `"USD"`.
        total: All of it.
        granted: What was given; it is spent first.
        topped_up: What was paid in.
    """

    currency: str
    total: Decimal
    granted: Decimal
    topped_up: Decimal


@frozen
class Balance:
    """What is left in an account.

    Attributes:
        available: Whether it is enough to ask for anything.
        purses: The amounts, one for each currency.
    """

    available: bool
    purses: tuple[Purse, ...]


@frozen
class Ask(Generic[T]):
    """One request and how its reply is read.

    Attributes:
        url: The whole address.
        read: From the body to the answer; raises `ModelError`, or `ValueError` where the body is something else.
        body: What is sent, `None` for a GET.
        headers: The caller's own.
    """

    url: str
    read: Callable[[bytes], T]
    body: bytes | None = None
    headers: Mapping[str, str] | None = None


class Asked(Protocol):
    """What a model must have to be asked so; `HttpModel` does."""

    row: ModelRow
    base_url: str
    beta: str
    dialect: Dialect
    clock: Clock

    @property
    def name(self) -> str:
        """The name to show."""
        ...


class Endpoint(Asked, Protocol):
    """What it must have besides, to be asked over HTTP."""

    transport: Transport
    retries: Retries
    patience: Patience
    addresses: tuple[tuple[str, Limiter], ...]

    def headers(self, extra: Mapping[str, str]) -> Mapping[str, str]:
        """The headers of a request."""
        ...

    def refused(self, status: int, headers: Mapping[str, str], body: bytes) -> ModelError:
        """The error that an HTTP status other than 200 means."""
        ...


def gap(
    model: Asked,
    prefix: str,
    suffix: str,
    *,
    max_tokens: int | None,
    temperature: float | None,
    top_p: float | None,
    stop: str | Sequence[str] | None,
) -> Ask[Assistant]:
    """Fill in what stands between two texts.

    Raises:
        ConfigurationError: The model cannot, or its provider has no such address.
    """
    if not model.row.fim:
        raise ConfigurationError(
            f"`{model.name}` does not fill in the middle; `deepseek:deepseek-flash` does", code="model-cannot"
        )
    fields: dict[str, Any] = {"model": model.row.sent or model.row.name, "prompt": prefix}
    if suffix:
        fields["suffix"] = suffix
    options = {"max_tokens": max_tokens, "temperature": temperature, "top_p": top_p}
    fields |= {name: value for name, value in options.items() if value is not None}
    if stop:
        fields["stop"] = stop if isinstance(stop, str) else list(stop)

    def read(body: bytes) -> Assistant:
        data = _object(body, model.name)
        for choice in data.get("choices") or ():
            choice["message"] = {"role": "assistant", "content": choice.pop("text")}  # read as a chat is
        return _decoded(model, jsontext.write(data), None)

    return Ask(f"{_beta(model)}/completions", read, jsontext.write(fields))


def continued(
    model: Asked, prompt: str | Sequence[Message], prefix: str, *, reasoning: str | None, settings: Settings | None
) -> Ask[Assistant]:
    """Go on with an answer that begins with `prefix`.

    Raises:
        ConfigurationError: The model cannot, its provider has no such address, there is no prefix, or a setting is one
            that the model does not take.
    """
    if not model.row.prefix:
        raise ConfigurationError(
            f"`{model.name}` does not complete a prefix; `deepseek:deepseek-flash` does", code="model-cannot"
        )
    if not prefix:
        raise ConfigurationError(
            "`complete` needs the beginning of the answer as `prefix`; `Agent.run` needs none", code="no-prompt"
        )
    said = [User(prompt)] if isinstance(prompt, str) else list(prompt)
    request = Request(Transcript(said), settings=settings if settings is not None else Settings())
    return Ask(
        f"{_beta(model)}/chat/completions",
        lambda body: _decoded(model, body, request),
        opening(model.dialect, model.row, request, Assistant(prefix, reasoning), stream=False),
        request.settings.extra_headers,
    )


def listed(model: Asked) -> Ask[tuple[Listed, ...]]:
    """List the models of the endpoint."""

    def read(body: bytes) -> tuple[Listed, ...]:
        return tuple(_entry(one) for one in _object(body, model.name)["data"])

    return Ask(f"{model.base_url}/models", read)


def balance(model: Asked) -> Ask[Balance]:
    """Tell what is left in the account; DeepSeek has this, others answer 404."""

    def read(body: bytes) -> Balance:
        data = _object(body, model.name)
        purses = [
            Purse(
                str(one["currency"]),
                Decimal(str(one["total_balance"])),
                Decimal(str(one["granted_balance"])),
                Decimal(str(one["topped_up_balance"])),
            )
            for one in data["balance_infos"]
        ]
        return Balance(bool(data["is_available"]), tuple(purses))

    return Ask(f"{_root(model.base_url)}/user/balance", read)


def answer(ask: Ask[T], body: bytes, model: str) -> T:
    """Read the reply of an `Ask`.

    Raises:
        Unreadable: It is not what the format says.
        ModelError: It says that the endpoint failed.
    """
    try:
        return ask.read(body)
    except (ValueError, TypeError, LookupError, AttributeError, InvalidOperation) as error:
        raise Unreadable(
            f"`{model}` sent something else than `{ask.url}` should give: {shown(body)}; check the base URL",
            model=model,
            status=200,
        ) from error


def _root(base_url: str) -> str:
    return base_url.removesuffix("/v1")


def _beta(model: Asked) -> str:
    """The address for what is beta: WIRE section 1.1."""
    if not model.beta:
        raise ConfigurationError(
            f"the provider of `{model.name}` has no address for prefix completion and filling in the middle;"
            " `deepseek:` has",
            code="model-cannot",
        )
    return beta_of(model.base_url, model.beta)


def _object(body: bytes, model: str) -> dict[str, Any]:
    data = jsontext.read(body)
    raise_error_in(data, model=model)
    if not isinstance(data, dict):
        raise ValueError("no JSON object")
    return cast("dict[str, Any]", data)


def _decoded(model: Asked, body: bytes, request: Request | None) -> Assistant:
    decoder = model.dialect.decoder(model.row, deltas=False, request=request)
    decoder.feed(body)
    return priced(decoder.finish(), model.row, model.clock.date())


def _entry(one: dict[str, Any]) -> Listed:
    effort: dict[str, Any] = one.get("effort") or {}
    return Listed(
        str(one["id"]),
        one.get("owned_by"),
        one.get("name"),
        one.get("context_window") or one.get("context_length") or one.get("max_model_len"),
        one.get("max_output_tokens"),
        tuple(one.get("input_modalities") or ()),
        tuple(one.get("output_modalities") or ()),
        tuple(effort.get("supported_levels") or ()),
    )


class Beyond:
    """The methods of `HttpModel` for what its endpoint does beside answering chats.

    Each is there twice, for threads and for event loops. They raise `ConfigurationError` where the model or its
    provider has no such thing, and `ModelError` where the endpoint did not answer.
    """

    def fill(
        self: Endpoint,
        prefix: str,
        suffix: str = "",
        *,
        max_tokens: int | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        stop: str | Sequence[str] | None = None,
    ) -> Assistant:
        """Write what stands between `prefix` and `suffix` (fill in the middle; beta at DeepSeek, without thinking).

        Args:
            prefix: What stands before the gap.
            suffix: What stands behind it.
            max_tokens: The most tokens to write; DeepSeek writes up to 4096.
            temperature: 0 to 2.
            top_p: Above 0, up to 1.
            stop: Up to 16 texts at which the model stops.

        Returns:
            The gap as `.text`; `.finish_reason` is `"length"` where the budget ended it, `.usage` counts as a chat's.
        """
        return _ask(
            self, gap(self, prefix, suffix, max_tokens=max_tokens, temperature=temperature, top_p=top_p, stop=stop)
        )

    async def afill(
        self: Endpoint,
        prefix: str,
        suffix: str = "",
        *,
        max_tokens: int | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        stop: str | Sequence[str] | None = None,
    ) -> Assistant:
        """`fill` on the running event loop."""
        return await _aask(
            self, gap(self, prefix, suffix, max_tokens=max_tokens, temperature=temperature, top_p=top_p, stop=stop)
        )

    def complete(
        self: Endpoint,
        prompt: str | Sequence[Message],
        prefix: str,
        *,
        reasoning: str | None = None,
        settings: Settings | None = None,
    ) -> Assistant:
        """Answer with a text that begins with `prefix` (chat prefix completion; beta at DeepSeek).

        Args:
            prompt: What the user says, or the messages so far.
            prefix: How the answer begins, e.g. a code fence; with `stop` it keeps the model to one form.
            reasoning: What the model is to have thought before, where that matters.
            settings: Fields of the request.

        Returns:
            What the model wrote behind the prefix, as `.text`.
        """
        return _ask(self, continued(self, prompt, prefix, reasoning=reasoning, settings=settings))

    async def acomplete(
        self: Endpoint,
        prompt: str | Sequence[Message],
        prefix: str,
        *,
        reasoning: str | None = None,
        settings: Settings | None = None,
    ) -> Assistant:
        """`complete` on the running event loop."""
        return await _aask(self, continued(self, prompt, prefix, reasoning=reasoning, settings=settings))

    def models(self: Endpoint) -> tuple[Listed, ...]:
        """The models that the endpoint lists."""
        return _ask(self, listed(self))

    async def amodels(self: Endpoint) -> tuple[Listed, ...]:
        """`models` on the running event loop."""
        return await _aask(self, listed(self))

    def balance(self: Endpoint) -> Balance:
        """What is left in the account, where the endpoint tells (DeepSeek does)."""
        return _ask(self, balance(self))

    async def abalance(self: Endpoint) -> Balance:
        """`balance` on the running event loop."""
        return await _aask(self, balance(self))


# What waits, twice.


def _ask(model: Endpoint, ask: Ask[T]) -> T:
    attempts = 0
    while True:
        attempts += 1
        try:
            with model.addresses[0][1].place(), through(model.transport).send(_post_of(model, ask)) as reply:
                body = b"".join(reply)
                if reply.status != 200:
                    raise model.refused(reply.status, reply.headers, body)
            return answer(ask, body, model.name)
        except ModelError as error:
            delay = _once_more(model, error, attempts)
            if delay is None:
                raise
        model.clock.sleep(delay)


async def _aask(model: Endpoint, ask: Ask[T]) -> T:
    attempts = 0
    while True:
        attempts += 1
        try:
            async with model.addresses[0][1].aplace(), through(model.transport).asend(_post_of(model, ask)) as reply:
                body = b"".join([chunk async for chunk in reply])
                if reply.status != 200:
                    raise model.refused(reply.status, reply.headers, body)
            return answer(ask, body, model.name)
        except ModelError as error:
            delay = _once_more(model, error, attempts)
            if delay is None:
                raise
        await model.clock.asleep(delay)


def _post_of(model: Endpoint, ask: Ask[Any]) -> Post:
    method: Literal["GET", "POST"] = "GET" if ask.body is None else "POST"
    headers = model.headers(ask.headers or {})
    return Post(url=ask.url, headers=headers, body=ask.body, patience=model.patience, method=method)


def _once_more(model: Endpoint, error: ModelError, attempts: int) -> float | None:
    """Seconds until the next attempt; `None` where there is none, and the caller raises the error."""
    error.model, error.attempts = model.name, attempts
    delay = model.retries.delay(error, attempts, model.clock.chance())
    return None if delay is None else delay * pace()
