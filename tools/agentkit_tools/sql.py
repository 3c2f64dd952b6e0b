"""Tools for a SQLite database, which is only read unless writing is asked for.

    agent = Agent("deepseek:deepseek-flash", tools=sql("shop.sqlite"))

What a model writes is not trusted. For reading, the file is opened read-only (`mode=ro`), and SQLite is asked before
each statement is prepared: only selecting passes, so there is no ATTACH, no VACUUM INTO, no setting that can be changed
and no extension that can be loaded, neither directly nor through a view. Rows, cells, the text of a statement and the
time have limits. Each call opens the file anew: nothing is kept from one to the next, and queries may run side by side.

With `write=True` there is a further tool; each of its calls is one statement in one transaction, done as a whole or not
at all, and the file grows by a limited size.

What it does not protect from: SQLite cannot be stopped within one function, so that searching one long text for another
may go on for seconds after the call was given up; and what a query sorts or collects goes to temporary files, for as
long as it may take. What is in the database is told as it is: it may try to put the model up to something.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import sqlite3
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentkit import ConfigurationError, Tool, ToolError, tool
from agentkit_tools._text import amount, one_line, plain

MAX_ROWS = 200
"""How many rows one query tells, unless `sql` is told another number."""

MAX_CHARS = 16_000
"""How many characters an answer has, unless `sql` is told another number."""

MAX_CELL = 1_000
"""How many characters of one value are told."""

MAX_VALUE = 500_000
"""How large a text, a blob or a row may be, in bytes."""

MAX_STATEMENT = 50_000
"""How many bytes a statement may have."""

MAX_GROWTH = 64 * 1024 * 1024
"""By how much one call may let the file grow, in bytes."""

_NOTES = 1_000
_GIVE_UP = 5.0
"""For so many seconds more it is waited that SQLite stops."""

_STEPS = 1_000
"""After so many instructions of SQLite's virtual machine, some microseconds, it is looked whether time is over."""

_READS = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE})
_WRITES = _READS | {
    sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE, sqlite3.SQLITE_REINDEX, sqlite3.SQLITE_ANALYZE,
    sqlite3.SQLITE_CREATE_TABLE, sqlite3.SQLITE_CREATE_INDEX, sqlite3.SQLITE_CREATE_VIEW, sqlite3.SQLITE_CREATE_TRIGGER,
    sqlite3.SQLITE_DROP_TABLE, sqlite3.SQLITE_DROP_INDEX, sqlite3.SQLITE_DROP_VIEW, sqlite3.SQLITE_DROP_TRIGGER,
    sqlite3.SQLITE_ALTER_TABLE,
}  # fmt: skip
_PRAGMAS = frozenset(  # the last one is what FTS5 looks at, to know whether another connection has written
    {"table_info", "table_xinfo", "table_list", "index_list", "index_info", "foreign_key_list", "data_version"}
)
_FUNCTIONS = frozenset({"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer", "sqlite_source_id"})
"""Functions that reach out of the database, where a build of SQLite has them."""

_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: MAX_VALUE,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: MAX_STATEMENT,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 200,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 200,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 50,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}

Authorizer = Callable[[int, str | None, str | None, str | None, str | None], int]


def sql(
    path: str | os.PathLike[str],
    *,
    write: bool = False,
    timeout: float = 10.0,
    max_rows: int = MAX_ROWS,
    max_chars: int = MAX_CHARS,
    approval: bool | Callable[..., Any] = False,
) -> list[Tool[..., Any]]:
    """Tools for one database: `describe_database`, `query_database`, and `change_database` where that is wanted.

    Args:
        path: The file of the database; it must be there.
        write: Whether there is a `change_database`.
        timeout: Seconds that a statement may take.
        max_rows: How many rows one query tells.
        max_chars: How many characters an answer has.
        approval: Whether each change waits for a verdict, or a function that says so. Reading does not wait.

    Raises:
        ConfigurationError: There is no such file, or an option has no sense.
    """
    if not Path(path).is_file():
        raise ConfigurationError(f"`sql({str(path)!r})`: there is no such file; `sqlite3.connect` makes a new one")
    if not timeout > 0 or max_rows < 1 or max_chars < 100:
        raise ConfigurationError(
            "`sql(…)`: `timeout` must be above 0, `max_rows` 1 or more, and `max_chars` 100 or more"
        )
    base = _Database(Path(path).resolve(), timeout, max_rows, max_chars)

    @tool(side_effects="none", timeout=timeout + _GIVE_UP, max_result=max_chars + _NOTES)
    def describe_database(name: str = "") -> str:
        """Tell the tables and views of the SQLite database, as the statements that made them.

        Args:
            name: One table or view; without it, all of them.
        """
        return base.describe(name)

    @tool(side_effects="none", timeout=timeout + _GIVE_UP, max_result=max_chars + _NOTES)
    def query_database(statement: str) -> str:
        """Read from the SQLite database. The first line has the names of the columns, each further line one row.

        Args:
            statement: One SELECT statement in SQLite's dialect. Ask for no more rows than needed, with LIMIT.
        """
        return base.query(statement)

    return [describe_database, query_database, *([_changing(base, approval)] if write else [])]


def _changing(base: _Database, approval: bool | Callable[..., Any]) -> Tool[..., Any]:
    @tool(
        side_effects="unsafe", sequential=True, approval=approval, timeout=base.timeout + _GIVE_UP,
        max_result=base.max_chars + _NOTES,
    )  # fmt: skip
    async def change_database(statement: str) -> str:
        """Change the SQLite database: one statement, which is done as a whole or, where it fails, not at all.

        Args:
            statement: One INSERT, UPDATE, DELETE, CREATE, ALTER or DROP statement in SQLite's dialect.
        """
        return await asyncio.to_thread(base.change, statement)

    return change_database


@dataclass(frozen=True, slots=True)
class _Database:
    """The file of a database, and what one call may take."""

    path: Path
    timeout: float
    max_rows: int
    max_chars: int

    def describe(self, name: str) -> str:
        statement = (
            "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite~_%' ESCAPE '~' "
            "AND (?1 = '' OR tbl_name = ?1 COLLATE NOCASE) ORDER BY tbl_name, type DESC, name"
        )
        with self._open("ro", _asked(_READS)) as connection:
            rows = connection.execute(statement, (name.strip(),)).fetchmany(self.max_rows + 1)
        if not rows:
            if name.strip():
                raise ToolError(f"there is no table or view `{one_line(name, 60)}`; without a `name`, all are told")
            return "(there are no tables)"
        lines = [f"{plain(str(row[0]))};" for row in rows]
        return self._fitting(lines, "ask for one table by its `name`")

    def query(self, statement: str) -> str:
        with self._open("ro", _asked(_READS)) as connection:
            return self._told(connection.execute(_one(statement, _SELECTING)))

    def change(self, statement: str) -> str:
        with self._open("rw", None) as connection:
            size, pages = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_size", "page_count"))
            connection.execute(f"PRAGMA max_page_count = {int(pages) + MAX_GROWTH // int(size)}")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("BEGIN IMMEDIATE")
            try:
                connection.set_authorizer(_asked(_WRITES))
                cursor = connection.execute(_one(statement, _CHANGING))
                told = self._told(cursor) if cursor.description else ""
                while cursor.description and cursor.fetchone():
                    pass  # the rows of RETURNING come before all is done
                count = cursor.rowcount
                cursor.close()
            finally:
                connection.set_authorizer(None)
            connection.set_progress_handler(None, 0)
            connection.execute("COMMIT")
        done = f"done: {amount(count, 'row')} changed" if count >= 0 else "done"
        return f"{done}\n{told}" if told else done

    @contextlib.contextmanager
    def _open(self, mode: str, authorizer: Authorizer | None) -> Generator[sqlite3.Connection]:
        """A connection for one statement.

        Raises:
            ToolError: What SQLite refuses, in its words.
        """
        end = time.monotonic() + self.timeout
        connection: sqlite3.Connection | None = None
        try:
            connection = sqlite3.connect(
                f"{self.path.as_uri()}?mode={mode}", timeout=self.timeout, isolation_level=None, uri=True
            )
            for kind, most in _LIMITS.items():
                connection.setlimit(kind, most)
            connection.text_factory = _text
            connection.execute("PRAGMA trusted_schema = OFF")  # nor may a view or trigger call what reaches out
            if authorizer is not None:
                connection.execute("PRAGMA query_only = ON")
                connection.set_authorizer(authorizer)
            connection.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
            yield connection
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise ToolError(self._words(error)) from error
        except (UnicodeEncodeError, ValueError) as error:
            raise ToolError("the statement holds a character that SQL cannot have") from error
        finally:
            if connection is not None:
                connection.close()  # what was not committed is undone

    def _words(self, error: Exception) -> str:
        words = one_line(str(error), 500)
        code = getattr(error, "sqlite_errorcode", 0)
        if code == sqlite3.SQLITE_INTERRUPT:
            return f"stopped: it took longer than {amount(self.timeout, 'second')}. Ask for less, or use an index"
        if code == sqlite3.SQLITE_AUTH:
            return f"refused: {words}. Only statements that this tool is for may be used, without ATTACH and PRAGMA"
        if code == sqlite3.SQLITE_FULL:
            return f"nothing was changed: one statement may let the file grow by {amount(MAX_GROWTH, 'byte')}"
        return f"SQLite says: {words}"

    def _told(self, cursor: sqlite3.Cursor) -> str:
        """Column names and rows as JSON lists, one in a line."""
        if cursor.description is None:
            raise ToolError("that statement gives no rows; use a SELECT")
        lines = [_row([column[0] for column in cursor.description])]
        room = self.max_chars - len(lines[0])
        while len(lines) <= self.max_rows and room > 0 and (row := cursor.fetchone()) is not None:
            lines.append(_row(row))
            room -= len(lines[-1]) + 1
        more = cursor.fetchone() is not None
        if len(lines) == 1 and not more:
            return f"{lines[0]}\n(no rows)"
        if more or room < 0:
            return self._fitting([*lines, *([""] if more else [])], "use LIMIT and OFFSET, or ask for less")
        return "\n".join(lines)

    def _fitting(self, lines: list[str], advice: str) -> str:
        kept, room = list[str](), self.max_chars
        for line in lines[: self.max_rows + 1]:
            room -= len(line) + 1
            if room < 0:
                break
            kept.append(line)
        if len(kept) == len(lines):
            return "\n".join(kept)
        return "\n".join([*kept, f"[there is more than is told: {advice}]"])


def _asked(actions: frozenset[int]) -> Authorizer:
    """What SQLite asks while it prepares a statement: whether an action is one of those allowed."""

    def answer(action: int, first: str | None, second: str | None, _base: str | None, _inner: str | None) -> int:
        if action in actions:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_UPDATE and first == "sqlite_master":
            return sqlite3.SQLITE_OK  # how `json_each` is declared; a statement that says so itself is refused anyway
        if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() not in _FUNCTIONS:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_PRAGMA and (first or "").lower() in _PRAGMAS:
            return sqlite3.SQLITE_OK
        return sqlite3.SQLITE_DENY

    return answer


_WORD = re.compile(r"(?:\s++|--[^\n]*+(?:\n|\Z)|/\*(?:[^*]|\*(?!/))*+(?:\*/|\Z))*+([A-Za-z]*)")
_SELECTING = ("SELECT", "WITH", "VALUES", "EXPLAIN", "PRAGMA")
_CHANGING = (
    "INSERT", "REPLACE", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP", "REINDEX", "ANALYZE", *_SELECTING
)  # fmt: skip


def _one(statement: str, words: tuple[str, ...]) -> str:
    """A statement that begins with one of these words: what SQLite would not ask about is not even shown to it.

    Raises:
        ToolError: It begins otherwise.
    """
    match = _WORD.match(statement)
    word = match[1] if match else ""
    if word.upper() not in words:
        known = ", ".join(words)
        raise ToolError(f"`{one_line(word or statement, 40)}` is refused: a statement begins with one of {known}")
    return statement


def _row(values: Any) -> str:
    return json.dumps([_cell(value) for value in values], ensure_ascii=False, separators=(",", ":"))


def _cell(value: Any) -> Any:
    if isinstance(value, bytes):
        return f"({amount(len(value), 'byte')})"
    if isinstance(value, str):
        text = plain(value)  # what controls are left, JSON escapes
        return text if len(text) <= MAX_CELL else text[:MAX_CELL] + "…"
    return value


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
