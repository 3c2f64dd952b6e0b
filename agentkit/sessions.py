"""Conversations that outlive the process: transcripts under names, many in one SQLite file.

What a run says is written down before it is shown, so whatever ends the process, what was seen is kept; the next run
under the name goes on from there. One run at a time may hold a session; the system gives it back when its process
ends. The tables are described in `docs/guides/sessions.md`; `PRAGMA user_version` holds their version.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from agentkit import locks
from agentkit.errors import ConfigurationError, SessionBusy
from agentkit.frozen import frozen
from agentkit.home import home
from agentkit.messages import Entry, dump, load

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

FILE = "sessions.db"
"""The name of the file within `home()`."""

VERSION = 1
"""The version of the tables that this agentkit writes."""

APPLICATION = 0x61676B74
"""SQLite's `application_id` of a file of sessions."""

BUSY_SECONDS = 10.0
"""How long a write waits for those of other processes to the same file, in seconds; each takes a fraction of one."""

LONGEST_NAME = 200

_TABLES = """
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    parent TEXT,
    forked_at INTEGER
);
CREATE TABLE entries (
    session INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    written TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    role TEXT NOT NULL,
    entry TEXT NOT NULL,
    PRIMARY KEY (session, position)
) WITHOUT ROWID;
CREATE TABLE holders (
    name TEXT PRIMARY KEY,
    process INTEGER NOT NULL,
    host TEXT NOT NULL,
    since TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);
"""


@frozen
class Summary:
    """A session as a list shows it.

    Attributes:
        name: Its name.
        created: When it was made, UTC in ISO 8601.
        written: When something was last written to it; `None` where nothing was.
        entries: How many messages and notes it holds.
        messages: How many messages.
        parent: The session that it was forked from; `None` where it was not.
        forked_at: The position of the last entry that it has from there.
    """

    name: str
    created: str
    written: str | None
    entries: int
    messages: int
    parent: str | None = None
    forked_at: int | None = None


class Session:
    """A kept conversation, by its name; nothing is opened before it is used.

    Give it, or the name alone, as `session=` to a run.

    Args:
        name: Up to 200 printable characters, any of them.
        file: The SQLite file; by default `sessions.db` in `$AGENTKIT_HOME`, else in `~/.agentkit`.

    Raises:
        ConfigurationError: The name cannot be one.
    """

    __slots__ = ("file", "name")

    def __init__(self, name: str, *, file: str | os.PathLike[str] | None = None) -> None:
        if not name or len(name) > LONGEST_NAME or not name.isprintable() or name != name.strip():
            raise ConfigurationError(
                f"`session={name[: LONGEST_NAME + 1]!r}`: a name has 1 to {LONGEST_NAME} printable characters,"
                " no space first or last",
                code="bad-value",
            )
        from pathlib import Path

        self.name = name
        self.file = Path(os.path.realpath(home() / FILE if file is None else Path(file).expanduser()))

    def __repr__(self) -> str:
        return f"Session({self.name!r}, file={str(self.file)!r})"

    def entries(self) -> list[Entry]:
        """All that was said and noted in it; also while a run holds it.

        Raises:
            ConfigurationError: There is no such session, or the file cannot be read.
        """
        with _opened(self.file, create=False) as db:
            return _read(db, self.name, _id(db, self))

    def lines(self) -> Iterator[bytes]:
        """Its entries as JSON lines, each as `agentkit.messages.dump` writes it, with the line break.

        Raises:
            ConfigurationError: As for `entries`.
        """
        for entry in self.entries():
            yield dump([entry])[1:-1] + b"\n"

    def add_lines(self, lines: Iterable[bytes | str]) -> None:
        """Add what `lines` gave, to this session or to a new one of this name.

        Raises:
            ConfigurationError: A line is no message or note; nothing was added.
            SessionBusy: A run holds the session.
        """
        entries: list[Entry] = []
        for number, line in enumerate(lines, 1):
            text = line if isinstance(line, str) else line.decode("utf-8", "replace")
            try:
                entries += load(f"[{text}]") if text.strip() else ()
            except ConfigurationError as error:
                raise ConfigurationError(
                    f"line {number} of what was to be added to the session `{self.name}`: {error}", code="bad-saved"
                ) from error
        with self.hold() as held:
            held.write(entries)

    def fork(self, name: str, *, at: int | None = None) -> Session:
        """Begin another session with what was said in this one; also while a run holds this one.

        Args:
            name: The new session's name.
            at: The position of the last entry to take, as `entries` counts them from 0; `None` takes all.

        Raises:
            ConfigurationError: There is a session of the new name, none of the old, or no such position.
            SessionBusy: A run holds the new name.
        """
        new = Session(name, file=self.file)
        with new.hold(), _opened(self.file, create=False) as db, _transaction(db):
            old = _id(db, self)
            count = int(db.execute("SELECT count(*) FROM entries WHERE session = ?", (old,)).fetchone()[0])
            last = count - 1 if at is None else at
            if not 0 <= last < count:
                raise ConfigurationError(
                    f"`at={at}`: the session `{self.name}` has the positions 0 to {count - 1}", code="bad-value"
                )
            if db.execute("SELECT 1 FROM sessions WHERE name = ?", (name,)).fetchone():
                raise ConfigurationError(
                    f"there is a session `{name}` already: choose another name, or delete it", code="session-exists"
                )
            made = db.execute(
                "INSERT INTO sessions (name, parent, forked_at) VALUES (?, ?, ?)", (name, self.name, last)
            ).lastrowid
            db.execute(
                "INSERT INTO entries (session, position, written, role, entry) SELECT ?, position, written, role, entry"
                " FROM entries WHERE session = ? AND position <= ?",
                (made, old, last),
            )
        return new

    def delete(self) -> None:
        """Delete it with all that was said in it.

        Raises:
            ConfigurationError: There is no such session.
            SessionBusy: A run holds it.
        """
        with _opened(self.file, create=False) as db:
            _id(db, self)
        with self.hold(), _opened(self.file, create=False) as db, _transaction(db):
            db.execute("DELETE FROM sessions WHERE name = ?", (self.name,))

    def hold(self) -> Held:
        """Take the session for writing, until the end of the `with` block or `close`.

        Raises:
            SessionBusy: Another run holds it, in this process or in another.
            ConfigurationError: The file cannot be written, or is no file of sessions.
        """
        return Held(self)


class Held:
    """A session taken for writing by one run. Use it as a context manager, or `close` it.

    Attributes:
        session: Which.
        entries: What it held when it was taken.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        import platform

        self._mutex = threading.Lock()
        self._unwritten: deque[Entry] = deque()
        with contextlib.ExitStack() as undo:
            self._db = undo.enter_context(_opened(session.file, create=True))
            self._take()
            undo.callback(locks.give_back, _lock_file(session.file), session.name)
            with _errors(session.file):
                found = self._db.execute("SELECT id FROM sessions WHERE name = ?", (session.name,)).fetchone()
                self._id: int | None = found[0] if found else None
                self.entries: tuple[Entry, ...] = tuple(_read(self._db, session.name, self._id)) if found else ()
                self._db.execute(
                    "INSERT OR REPLACE INTO holders (name, process, host) VALUES (?, ?, ?)",
                    (session.name, os.getpid(), platform.node()),
                )
            self._next = len(self.entries)
            self._undo = undo.pop_all()

    def _take(self) -> None:
        session = self.session
        with _errors(session.file):
            taken = locks.take(_lock_file(session.file), session.name)
        if not taken:
            with _errors(session.file):
                told = "SELECT process, host, since FROM holders WHERE name = ?"
                who = self._db.execute(told, (session.name,)).fetchone()
            here = "another run of this process" if taken is None else "another process"
            more = f" (process {who[0]} on `{who[1]}`, since {who[2]})" if who and taken is False else ""
            raise SessionBusy(
                f"the session `{session.name}` in `{session.file}` is held by {here}{more}: wait until that is done, or"
                f" go on beside it with a fork, `Session({session.name!r}).fork(…)`"
            )

    def __enter__(self) -> Held:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, entry: Entry) -> None:
        """Have an entry written by the next `flush`."""
        self._unwritten.append(entry)

    @property
    def behind(self) -> bool:
        """Whether something was added that is not written yet."""
        return bool(self._unwritten)

    def write(self, entries: Iterable[Entry]) -> None:
        """Write entries down; they are kept when this returns."""
        self._unwritten.extend(entries)
        self.flush()

    def flush(self) -> None:
        """Write down what was added, in one transaction; from any thread.

        Raises:
            ConfigurationError: An entry holds what JSON cannot carry, or the file cannot be written.
        """
        with self._mutex:
            entries = list(self._unwritten)
            if not entries:
                return
            rows = [(entry.role, dump([entry])[1:-1].decode()) for entry in entries]
            with _errors(self.session.file), _transaction(self._db):
                if (session := self._id) is None:
                    made = self._db.execute("INSERT INTO sessions (name) VALUES (?)", (self.session.name,))
                    session = made.lastrowid
                self._db.executemany(
                    "INSERT INTO entries (session, position, role, entry) VALUES (?, ?, ?, ?)",
                    [(session, self._next + number, *row) for number, row in enumerate(rows)],
                )
            self._id = session
            self._next += len(entries)
            for _ in entries:
                self._unwritten.popleft()

    def close(self) -> None:
        """Write down what was added, and give the session back; harmless when that is done."""
        try:
            self.flush()
        finally:
            with self._mutex, self._undo, contextlib.suppress(Exception):  # the row is there for an error's text alone
                self._db.execute("DELETE FROM holders WHERE name = ?", (self.session.name,))


def every(file: str | os.PathLike[str] | None = None) -> list[Summary]:
    """The sessions of a file, the last written first; none where there is no file.

    Args:
        file: As for `Session`.

    Raises:
        ConfigurationError: The file cannot be read, or is no file of sessions.
    """
    path = Session("-", file=file).file
    if not path.exists():
        return []
    with _opened(path, create=False) as db, _errors(path):
        rows = db.execute(
            "SELECT s.name, s.created, max(e.written), count(e.position), count(CASE WHEN e.role != 'note' THEN 1 END),"
            " s.parent, s.forked_at FROM sessions s LEFT JOIN entries e ON e.session = s.id GROUP BY s.id"
            " ORDER BY coalesce(max(e.written), s.created) DESC, s.id DESC"
        ).fetchall()
    return [Summary(*row) for row in rows]


def _lock_file(file: Path) -> Path:
    return file.with_name(file.name + ".lock")


def _id(db: sqlite3.Connection, session: Session) -> int:
    found = db.execute("SELECT id FROM sessions WHERE name = ?", (session.name,)).fetchone()
    if found is None:
        from difflib import get_close_matches

        names = [str(row[0]) for row in db.execute("SELECT name FROM sessions")]
        near = get_close_matches(session.name, names, n=1)
        raise ConfigurationError(
            f"there is no session `{session.name}` in `{session.file}`"
            + (f"; did you mean `{near[0]}`?" if near and near[0].isprintable() else ""),
            code="no-session",
        )
    return int(found[0])


def _read(db: sqlite3.Connection, name: str, number: int | None) -> list[Entry]:
    rows: list[Any] = db.execute("SELECT entry FROM entries WHERE session = ? ORDER BY position", (number,)).fetchall()
    try:
        return load(f"[{','.join(row[0] for row in rows)}]")
    except ConfigurationError as error:
        raise ConfigurationError(
            f"the session `{name}` is damaged: {error}; delete it, or go on with a fork that ends before that",
            code="session-file",
        ) from error


@contextlib.contextmanager
def _opened(file: Path, *, create: bool) -> Generator[sqlite3.Connection]:
    """A connection to a file of sessions, which is made where it is not there and may be."""
    import sqlite3

    with _errors(file):
        if create:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))  # what was said is nobody else's business
        elif not file.exists():
            raise ConfigurationError(
                f"there is no file of sessions at `{file}`: a run with `session=` makes it, or name another file",
                code="no-session",
            )
        db = sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        with _errors(file):
            _settle(db, file)
        with _errors(file):
            yield db
    finally:
        db.close()


def _settle(db: sqlite3.Connection, file: Path) -> None:
    """See that the file is what it should be; make its tables where it is empty."""
    with _transaction(db, "DEFERRED"):  # else another process may make the tables between one answer and the next
        application, version, tables = _kind(db)
    if (application, version, tables) == (0, 0, 0):
        _write_ahead(db)
        with _transaction(db):
            if _kind(db)[2] == 0:  # else another process was quicker
                for statement in filter(str.strip, _TABLES.split(";")):
                    db.execute(statement)
                db.execute(f"PRAGMA application_id = {APPLICATION}")
                db.execute(f"PRAGMA user_version = {VERSION}")
            application, version, tables = _kind(db)
    if application != APPLICATION:
        raise ConfigurationError(
            f"`{file}` is an SQLite file of another program: name another file for sessions", code="session-file"
        )
    if version > VERSION:
        raise ConfigurationError(
            f"`{file}` was written by a newer agentkit (its tables have version {version}, this one knows {VERSION}):"
            " update agentkit, or name another file",
            code="session-file",
        )
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("PRAGMA foreign_keys = ON")


def _write_ahead(db: sqlite3.Connection) -> None:
    """Let the file be read while it is written. Where others do the same, SQLite does not wait here by itself."""
    import sqlite3

    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
        time.sleep(0.01)


def _kind(db: sqlite3.Connection) -> tuple[int, int, int]:
    """The application, the version of the tables, and how many there are; all at one time only in a transaction."""
    found = [
        db.execute(question).fetchone()[0]
        for question in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
    ]
    return found[0], found[1], found[2]


@contextlib.contextmanager
def _transaction(db: sqlite3.Connection, kind: str = "IMMEDIATE") -> Generator[None]:
    db.execute(f"BEGIN {kind}")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # of some failures SQLite has taken everything back by itself
            db.execute("ROLLBACK")
        raise


@contextlib.contextmanager
def _errors(file: Path) -> Generator[None]:
    """What SQLite and the system raise about the file, as errors that say what to do."""
    import sqlite3

    try:
        yield
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise SessionBusy(
                f"another program has kept `{file}` locked for {BUSY_SECONDS:g} seconds: end it, or name another file",
                code="session-locked",
            ) from error
        raise ConfigurationError(_unusable(file, str(error)), code="session-file") from error
    except sqlite3.DatabaseError as error:
        raise ConfigurationError(
            f"`{file}` is no file of sessions, or a damaged one ({error}): name another, or move it away",
            code="no-session",
        ) from error
    except OSError as error:
        raise ConfigurationError(_unusable(file, error.strerror or str(error)), code="session-file") from error


def _unusable(file: Path, why: str) -> str:
    return (
        f"the sessions in `{file}` cannot be read and written ({why}): see to the rights of its folder and the space"
        " on its disk, or name another place (`Session(name, file=…)`, or `AGENTKIT_HOME` for all)"
    )
