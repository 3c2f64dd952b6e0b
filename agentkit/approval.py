"""Verdicts on calls that a tool does not carry out unasked.

A run that meets such a call asks its `approve=` function, or else ends with the call in `result.pending`, and
`agent.resume(result, {call_id: verdict})` goes on. What waits and what was decided are notes of the transcript, so a
saved one can be decided on days later. `Pending` goes to JSON, signed, and back.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from agentkit.errors import ConfigurationError
from agentkit.frozen import frozen
from agentkit.home import home
from agentkit.messages import Assistant, Entry, Note, ToolCall, dump, load
from agentkit.sessions import Session
from agentkit.transcript import VERDICT, Transcript

if TYPE_CHECKING:
    from pathlib import Path


@frozen
class Approve:
    """The call may be carried out.

    Attributes:
        arguments: Arguments to use in place of the model's, a JSON object; they are checked as the model's are.
        always: Whether further calls of the same tool need no verdict either, until the user speaks again.
    """

    arguments: Mapping[str, Any] | None = None
    always: bool = False


@frozen
class Deny:
    """The call is not carried out; the model is told why.

    Attributes:
        reason: What to tell it; may be empty.
    """

    reason: str = ""


@frozen
class Answer:
    """The call was carried out elsewhere: this is its result.

    Attributes:
        text: What to tell the model.
    """

    text: str


Verdict = bool | str | Approve | Deny | Answer
"""`True` approves, `False` denies, a text denies for that reason."""

Approver = Callable[[ToolCall], Verdict | Awaitable[Verdict | None] | None]
"""Asked for a verdict on a call while the run waits; `None` leaves it undecided. Plain or async."""


def verdict_notes(transcript: Transcript, verdicts: Mapping[str, Verdict]) -> Iterable[Note]:
    """The notes that decide on calls which wait.

    Raises:
        ConfigurationError: A verdict is on a call that does not wait, or is none.
    """
    waiting = {call.id: call for call in transcript.waiting}
    allowed: set[str] = set()
    for call_id, verdict in verdicts.items():
        if call_id not in waiting:
            raise ConfigurationError(
                f"the call `{call_id}` waits for no verdict; {_those(waiting.values())}", code="nothing-waits"
            )
        said = _said(verdict)
        if isinstance(verdict, Approve) and verdict.always:
            allowed.add(waiting[call_id].name)
            said["always"] = waiting[call_id].name
        yield Note(VERDICT, {"call": call_id, **said})
    for call in waiting.values():
        if call.name in allowed and call.id not in verdicts:
            yield Note(VERDICT, {"call": call.id, "approved": True})


def _those(waiting: Iterable[ToolCall]) -> str:
    names = ", ".join(f"`{call.id}` ({call.name})" for call in waiting)
    return f"these do: {names}" if names else "none does"


def _said(verdict: Verdict) -> dict[str, Any]:
    match verdict:
        case True:
            return {"approved": True}
        case False:
            return {"approved": False, "reason": ""}
        case str():
            return {"approved": False, "reason": verdict}
        case Approve(arguments):
            return {"approved": True} if arguments is None else {"approved": True, "arguments": dict(arguments)}
        case Deny(reason):
            return {"approved": False, "reason": reason}
        case Answer(text):
            return {"answer": text}
        case _:
            raise ConfigurationError(
                f"{verdict!r} is no verdict: give `True`, `False`, a reason to deny, `Approve`, `Deny` or `Answer`",
                code="bad-verdict",
            )


class Pending(tuple[ToolCall, ...]):
    """The calls of a run that wait for a verdict, with all that is needed to go on after it.

    A tuple of the calls. `agent.resume(pending, verdicts)` takes it as it takes the result it comes from.

    Attributes:
        entries: The transcript; empty where a session keeps it.
        session: The session that keeps it, or `None`.
    """

    entries: tuple[Entry, ...]
    session: Session | None

    def __new__(
        cls, calls: Iterable[ToolCall] = (), entries: Iterable[Entry] = (), session: Session | None = None
    ) -> Pending:
        """Put together what waits."""
        made = super().__new__(cls, calls)
        made.session = session
        made.entries = tuple(entries) if session is None else ()
        return made

    def dump(self, *, key: bytes | str | None = None) -> bytes:
        """Write it as one JSON object (UTF-8), signed with HMAC and SHA-256 (RFC 2104): `load` refuses a changed one.

        The signature says that it was written by somebody with the key. It does not hide anything, and does not keep
        an old one from being handed in again; a session does.

        Args:
            key: The secret, at least 16 bytes; by default that of this installation, the file `key` in `$AGENTKIT_HOME`
                or `~/.agentkit`, which is made at its first use.

        Raises:
            ConfigurationError: The key is too short, or its file cannot be used.
        """
        # through an assistant message, whose JSON is known to come back without loss
        calls = json.loads(dump([Assistant(tool_calls=tuple(self))]))[0]["tool_calls"]
        session = None if self.session is None else {"name": self.session.name, "file": str(self.session.file)}
        body = {
            "agentkit": "pending",
            "version": 1,
            "calls": calls,
            "session": session,
            "entries": json.loads(dump(self.entries)),
        }
        return json.dumps({**body, "signature": _signature(body, key)}).encode()

    @classmethod
    def load(cls, data: bytes | str, *, key: bytes | str | None = None) -> Pending:
        """Read what `dump` wrote, with the same key. The order of the keys and white space may have changed.

        Raises:
            ConfigurationError: It is something else, or was changed, or signed with another key.
        """
        try:
            body: Any = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise ConfigurationError(
                f"this is no saved `Pending`: {error}; give what `Pending.dump` wrote", code="bad-saved"
            ) from error
        if not isinstance(body, dict) or cast("dict[str, Any]", body).get("agentkit") != "pending":
            raise ConfigurationError("this is no saved `Pending`: `Pending.dump` writes one", code="bad-saved")
        import hmac

        fields = cast("dict[str, Any]", body)
        signature = fields.pop("signature", "")
        if not hmac.compare_digest(str(signature).encode(), _signature(fields, key).encode()):
            raise ConfigurationError(
                "this `Pending` was changed since it was saved, or signed with another key: do not go on with it; take"
                " it from where it was saved, on the machine or with the `key=` that it was saved with",
                code="pending-changed",
            )
        if fields.get("version") != 1:
            raise ConfigurationError("this `Pending` was saved by a newer agentkit: update agentkit", code="bad-saved")
        message = load(json.dumps([{"role": "assistant", "tool_calls": fields["calls"]}]))[0]
        assert isinstance(message, Assistant)
        kept = fields["session"]
        session = None if kept is None else Session(kept["name"], file=kept["file"])
        return cls(message.tool_calls, load(json.dumps(fields["entries"])), session)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """For JSON of results and events: the calls."""
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(cls, handler(tuple[ToolCall, ...]))


def _signature(body: Mapping[str, Any], key: bytes | str | None) -> str:
    import hashlib
    import hmac

    secret = key.encode() if isinstance(key, str) else _own_key() if key is None else key
    if len(secret) < 16:
        raise ConfigurationError(
            "the `key` is too short to sign with: it must have at least 16 bytes", code="signing-key"
        )
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()


def _own_key() -> bytes:
    """The key of this installation, made at its first use."""
    file = home() / "key"
    try:
        if not file.exists():
            _make_key(file)
        found = file.stat()
        if sys.platform != "win32" and stat.S_IMODE(found.st_mode) & 0o077:
            raise ConfigurationError(
                f"others may read the key `{file}`: `chmod 600` it, or delete it for a new one", code="signing-key"
            )
        return bytes.fromhex(file.read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"the key `{file}`, with which what waits is signed, cannot be used ({error}): mend or delete it, name"
            " another folder in `AGENTKIT_HOME`, or give `key=`",
            code="signing-key",
        ) from error


def _make_key(file: Path) -> None:
    """Make the file whole or not at all, and once, however many processes begin at the same time."""
    import secrets

    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = file.with_name(f"key.{secrets.token_hex(8)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as out:
            out.write(secrets.token_hex(32))
        try:
            os.link(beside, file)
        except FileExistsError:
            pass  # another process was quicker: its key holds
    finally:
        beside.unlink()
