"""The errors of agentkit, in one tree.

    AgentkitError
    ├── ConfigurationError          what was asked for cannot be done as it was written; nothing was sent
    ├── ModelError                  a model did not answer (.model .attempts .status)
    │   ├── Rejected                the endpoint refused the request; sending it again would not help
    │   │   ├── Unauthorized        the key is missing or wrong
    │   │   ├── InsufficientBalance the account is empty
    │   │   ├── ContextOverflow     the request is longer than the model can take
    │   │   └── ContentRefused      the endpoint's moderation refused the content
    │   ├── Unavailable             the endpoint could not answer now (.retry_after)
    │   │   ├── RateLimited         too many requests, or too many at once
    │   │   ├── TimedOut            a time limit passed: connecting, first byte, silence, or in all
    │   │   └── ConnectionLost      no connection, or it broke before the answer was whole
    │   └── Unreadable              an answer came, but it is not what the format says
    ├── RunError                    a run ended without its answer
    │   ├── LimitReached            a limit of the run was reached (.limit)
    │   ├── Truncated               the answer was cut (.finish_reason, .text)
    │   ├── OutputInvalid           the answer is not of the output type
    │   ├── SessionBusy             another process holds the session
    │   └── Cancelled               the run was stopped from outside
    └── ToolError                   raised by a tool: its text is told to the model

A message says what happened, where, and what to do; identifiers are in backticks; the cause is kept.
Each error has a `.code`, short and stable, for programs, for logs and to look up in `docs/reference/errors.md`: that of
its class, or a narrower one where causes of one class want different cures. `str` leaves it out; the command line
shows it at the end.
Whatever ends a run carries `.transcript`: all that was said, to look at or to go on with.
No message, `repr` or attribute of an error holds an API key.
"""

from __future__ import annotations

from typing import Any


class AgentkitError(Exception):
    """The root of all errors that agentkit raises on purpose.

    An error goes through `pickle` and `copy` with all its attributes; a subclass whose `__init__` wants more than the
    message must see to that itself.

    Args:
        args: The message.
        code: A narrower code than that of the class; `None` for the class's own.

    Attributes:
        code: What went wrong, as one stable word with hyphens, such as `"no-key"`.
        transcript: What had been said when the error ended a run, else `None`.
    """

    code: str = "error"
    transcript: Any = None

    def __init__(self, *args: object, code: str | None = None) -> None:
        super().__init__(*args)
        if code is not None:
            self.code = code


class ConfigurationError(AgentkitError):
    """What was asked for cannot be done as it was written: fix the code, the arguments or the environment."""

    code = "configuration"


class ModelError(AgentkitError):
    """A model did not give an answer.

    Attributes:
        model: The name of the model as it was asked for.
        attempts: How many requests were sent for this answer (0: none).
        status: The HTTP status of the last reply, or `None` where there was none.
    """

    code = "model-error"

    def __init__(
        self,
        message: str,
        *,
        model: str | None = None,
        attempts: int = 0,
        status: int | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message, code=code)
        self.model = model
        self.attempts = attempts
        self.status = status


class Rejected(ModelError):
    """The endpoint refused the request; the same request would be refused again."""

    code = "rejected"


class Unauthorized(Rejected):
    """The endpoint does not accept the key (HTTP 401 or 403)."""

    code = "unauthorized"


class InsufficientBalance(Rejected):
    """The account has no money left (HTTP 402; LKEAP code 20031)."""

    code = "no-balance"


class ContextOverflow(Rejected):
    """The request is longer than the model's context window."""

    code = "context-overflow"


class ContentRefused(Rejected):
    """The endpoint's moderation refused the content."""

    code = "content-refused"


class Unavailable(ModelError):
    """The endpoint could not answer now; the same request may succeed later.

    Attributes:
        retry_after: Seconds that the endpoint asked to wait, or `None` where it did not say.
    """

    code = "unavailable"

    def __init__(
        self,
        message: str,
        *,
        model: str | None = None,
        attempts: int = 0,
        status: int | None = None,
        retry_after: float | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message, model=model, attempts=attempts, status=status, code=code)
        self.retry_after = retry_after


class RateLimited(Unavailable):
    """Too many requests, or too many at the same time (HTTP 429; LKEAP code 20034)."""

    code = "rate-limited"


class TimedOut(Unavailable):
    """A time limit passed: connecting, the first byte, silence between bytes, or the whole request."""

    code = "timed-out"


class ConnectionLost(Unavailable):
    """There was no connection, or it broke before the answer was whole."""

    code = "connection-lost"


class Unreadable(ModelError):
    """An answer came, but it cannot be read as the format that was asked for."""

    code = "unreadable"


class RunError(AgentkitError):
    """A run ended without its answer."""

    code = "run-error"


class LimitReached(RunError):
    """A limit of the run was reached.

    Attributes:
        limit: Which one, by its field in `Limits`, e.g. `"steps"`.
        text: The last text that the model wrote in this run, perhaps empty.
        message: The partial message (an `Assistant`) where the limit cut an answer, else `None`.
    """

    code = "limit-reached"

    def __init__(
        self, message: str, *, limit: str = "", text: str = "", partial: Any = None, code: str | None = None
    ) -> None:
        super().__init__(message, code=code)
        self.limit = limit
        self.text = text
        self.message = partial


class Truncated(RunError):
    """The model's answer was cut, or ended for a reason that is not success.

    Attributes:
        finish_reason: The endpoint's word for why it ended, e.g. `"length"`; `None` where it gave none.
        text: The part of the answer that came.
        message: The whole partial message (an `Assistant`).
    """

    code = "truncated"

    def __init__(
        self,
        message: str,
        *,
        finish_reason: str | None = None,
        text: str = "",
        partial: Any = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message, code=code)
        self.finish_reason = finish_reason
        self.text = text
        self.message = partial


class OutputInvalid(RunError):
    """The answer is not of the type that the agent was asked for."""

    code = "output-invalid"


class SessionBusy(RunError):
    """Another process holds the session."""

    code = "session-busy"


class Cancelled(RunError):
    """The run was stopped from outside, by `stream.close()` for instance."""

    code = "cancelled"


class ToolError(AgentkitError):
    """Raise this in a tool to tell the model, in these words, why the call failed."""

    code = "tool-error"
