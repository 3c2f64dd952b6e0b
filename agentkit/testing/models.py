"""Models for tests, in the place of an endpoint: `Script` answers from a list, `Function` by a Python function.

Both are whole models (`agentkit.models.request.Model`): sync, async and streamed. They stand above the wire, so nothing
is encoded, sent or retried; what an endpoint makes of a request is the simulator's to say.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import json
import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

from agentkit import threads
from agentkit.errors import Cancelled, ConfigurationError
from agentkit.events import CallDelta, Delta, ReasoningDelta, TextDelta
from agentkit.messages import Assistant, ToolCall
from agentkit.models.request import Request
from agentkit.transcript import Transcript

Said = str | ToolCall | Sequence[str | ToolCall] | Assistant | BaseException
"""What a model says: a text, a call, a list of texts and calls, a whole message, or an error that it raises."""

Answer = Callable[[Request], Said | Awaitable[Said]]
"""A function from what the model is asked to what it says, plain or async."""

_WORDS = re.compile(r"\S+\s*|\s+")


def call(name: str, /, **arguments: Any) -> ToolCall:
    """A tool call, for a `Script` or a `Function`; its id is given when it is said (`call_1`, `call_2`, …).

    Args:
        name: The tool's name.
        arguments: Its arguments, values that JSON can hold. For arguments that are not as they should be, make a
            `ToolCall` with their text.

    Raises:
        ConfigurationError: JSON cannot hold an argument.
    """
    try:
        return ToolCall("", name, json.dumps(arguments, ensure_ascii=False))
    except (TypeError, ValueError) as error:
        raise ConfigurationError(
            f"the arguments of the call of `{name}` cannot be written as JSON: {error}", code="not-json"
        ) from error


class _Double(ABC):
    """What both models share: the record of requests, and replies as messages and deltas."""

    def __init__(self, name: str, piece: int | None) -> None:
        if piece is not None and piece < 1:
            raise ConfigurationError(f"`piece={piece}`: a piece has at least one character", code="bad-value")
        self.name = name
        self.requests: list[Request] = []
        self._piece = piece
        self._ids = itertools.count(1)
        self._lock = threading.Lock()

    def call(self, request: Request) -> Assistant:
        """Answer in the calling thread; an async function runs on the event loop that async tools of sync runs have."""
        said = self._asked(request)
        if inspect.isawaitable(said):
            said = threads.run_on_shared_loop(_awaited(said)).result()
        message = self._message(said)
        if request.emit is not None:
            for delta in self._deltas(message, request):
                if request.stop is not None and request.stop.is_set:
                    raise Cancelled("the run was stopped from outside")
                request.emit(delta)
        return message

    async def acall(self, request: Request) -> Assistant:
        """Answer on the running event loop; a plain function is called on it."""
        said = self._asked(request)
        if inspect.isawaitable(said):
            said = await said
        message = self._message(said)
        if request.emit is not None:
            for delta in self._deltas(message, request):
                request.emit(delta)
                await asyncio.sleep(0)  # so that each is seen before the next, and a stream can be left between two
        return message

    def _asked(self, request: Request) -> object:
        """Note a request, as it is now, and give what is said to it."""
        kept = Request(
            transcript=Transcript(request.transcript),
            instructions=request.instructions,
            tools=request.tools,
            settings=request.settings,
            stream=request.stream,
            restart=request.restart,
        )
        with self._lock:
            self.requests.append(kept)
            number = len(self.requests)
        return self._say(number, request)

    @abstractmethod
    def _say(self, number: int, request: Request, /) -> object:
        """What is said to a request, the number-th from 1 on."""

    def _message(self, said: object) -> Assistant:
        """What was said, as a message; an error is raised."""
        if isinstance(said, BaseException):
            raise said
        message = _read(said, self.name)
        if message is None:
            raise ConfigurationError(
                f"`{self.name}` said {_shown(said)}, which is no reply: {_REPLIES}", code="bad-script"
            )
        if any(not one.id for one in message.tool_calls):
            calls = (one if one.id else replace(one, id=f"call_{next(self._ids)}") for one in message.tool_calls)
            return replace(message, tool_calls=tuple(calls))
        return message

    def _deltas(self, message: Assistant, request: Request) -> Iterator[Delta]:
        """The message as an onlooker sees it come: in pieces where the caller streams, else whole."""

        def pieces(text: str) -> list[str]:
            if not request.stream:
                return [text] if text else []
            if self._piece is None:
                return _WORDS.findall(text)
            return [text[start : start + self._piece] for start in range(0, len(text), self._piece)]

        for text in pieces(message.reasoning or ""):
            yield ReasoningDelta(text)
        for text in pieces(message.text):
            yield TextDelta(text)
        for index, one in enumerate(message.tool_calls):
            yield CallDelta(index, one.id, one.name, "")
            for text in pieces(one.arguments):
                yield CallDelta(index, "", "", text)


class Script(_Double):
    """A model that gives its replies one after the other.

        model = Script([call("weather", city="Paris"), "Sunny, then."])
        result = Agent(model, tools=[weather]).run("Paris?")
        model.assert_complete()

    A request too many raises `AssertionError`. Several threads may ask at once; each gets the next reply. `requests` is
    the list of what was asked so far: `Request`s whose `transcript` is as it was then.

    Args:
        replies: Each a text, a `ToolCall` (`call` makes them), a list of texts and calls, an `Assistant` (said as it
            is, its `finish_reason` too), an exception to raise, or a function that takes the `Request` and gives one
            of these; it may be async, and it may `assert` what the request must be.
        name: The model's name.
        piece: How many characters a streamed piece has; `None` streams word by word.

    Raises:
        ConfigurationError: There is no list, or something in it is no reply.
    """

    def __init__(self, replies: Iterable[Said | Answer], *, name: str = "script", piece: int | None = None) -> None:
        super().__init__(name, piece)
        if isinstance(replies, str) or not isinstance(cast(object, replies), Iterable):
            raise ConfigurationError(
                f"`Script` takes a list of replies: `Script([…])`, not {_shown(replies)}", code="bad-script"
            )
        self._replies = list(replies)
        self._failures: list[str] = []
        for number, reply in enumerate(self._replies, 1):
            good = callable(reply) or isinstance(reply, BaseException) or _read(reply, name) is not None
            if not good or isinstance(reply, type):
                raise ConfigurationError(
                    f"reply {number} of `{name}` is {_shown(reply)}: {_REPLIES}", code="bad-script"
                )

    def __repr__(self) -> str:
        given = min(len(self.requests), len(self._replies))
        return f"<Script {self.name!r}: {given} of {len(self._replies)} replies given>"

    def assert_complete(self) -> None:
        """Check that every reply was asked for, that there was no request too many, and that no function objected.

        Raises:
            AssertionError: It was not so; the text says all of it.
        """
        wrong = list(self._failures)
        if len(self.requests) < len(self._replies):
            wrong.append(f"`{self.name}`: {len(self.requests)} of {len(self._replies)} replies were asked for")
        if wrong:
            raise AssertionError("\n".join(wrong))

    def _say(self, number: int, request: Request, /) -> object:
        if number > len(self._replies):
            raise self._failed(f"`{self.name}` has {len(self._replies)} replies, and this is request {number}")
        reply = self._replies[number - 1]
        if not callable(reply):
            return reply
        try:
            said = reply(request)
        except AssertionError as error:
            self._failed(f"`{self.name}`, reply {number}: {error or 'its function raised `AssertionError`'}")
            raise
        return self._watched(said, number) if inspect.isawaitable(said) else said

    async def _watched(self, said: Awaitable[object], number: int) -> object:
        try:
            return await said
        except AssertionError as error:
            self._failed(f"`{self.name}`, reply {number}: {error or 'its function raised `AssertionError`'}")
            raise

    def _failed(self, text: str) -> AssertionError:
        """Keep a failure: within a tool of another agent the error itself would be lost."""
        with self._lock:
            self._failures.append(text)
        return AssertionError(text)


class Function(_Double):
    """A model that answers by a function.

        model = Function(lambda request: f"You said: {request.transcript.last.text}")

    `requests` is the list of what was asked so far, as that of `Script` is.

    Args:
        answer: Takes the `Request` (`transcript`, `instructions`, `tools`, `settings`) and gives what a reply of
            `Script` may be; it may be async. What it raises, the model raises.
        name: The model's name; by default the function's.
        piece: How many characters a streamed piece has; `None` streams word by word.

    Raises:
        ConfigurationError: It is no function.
    """

    def __init__(self, answer: Answer, *, name: str | None = None, piece: int | None = None) -> None:
        if not callable(answer):
            raise ConfigurationError(
                f"`Function` takes a function of a `Request`, not {_shown(answer)}", code="bad-script"
            )
        super().__init__(name or getattr(answer, "__name__", type(answer).__name__), piece)
        self._answer = answer

    def __repr__(self) -> str:
        return f"<Function {self.name!r}: {len(self.requests)} replies given>"

    def _say(self, _: int, request: Request, /) -> object:
        return self._answer(request)


_REPLIES = "a reply is a text, a `ToolCall`, a list of texts and `ToolCall`s, an `Assistant`, or an exception"


async def _awaited(said: Awaitable[object]) -> object:
    return await said


def _read(said: object, model: str) -> Assistant | None:
    """What is said, as a message; `None` where it is no reply."""
    if isinstance(said, Assistant):
        return said
    if isinstance(said, str | ToolCall):
        said = (said,)
    if not isinstance(said, list | tuple):
        return None
    parts = cast("Sequence[object]", said)
    calls = tuple(one for one in parts if isinstance(one, ToolCall))
    texts = [one for one in parts if isinstance(one, str)]
    if not parts or len(calls) + len(texts) < len(parts):
        return None
    finish_reason = "tool_calls" if calls else "stop"
    return Assistant("".join(texts), tool_calls=calls, finish_reason=finish_reason, model=model)


def _shown(value: object) -> str:
    text = repr(value)
    return f"`{text}`" if len(text) <= 80 else f"`{text[:80]} …`"
