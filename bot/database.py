"""Where rows live: one small interface over SQLite (here) and PostgreSQL (`bot.database_postgres`).

SQL is written once, with `?` for parameters, in the part of the language that both understand.
"""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from bot.errors import MaintError
from bot.schema import migrate
from bot.sqlite_without_numpy import sqlite_utils

_PRIMARY_CODE = 0xFF
_PASSING = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
}

Row = dict[str, Any]
Value = str | int | float | None


class Database(Protocol):
    """One database. Safe to use from several threads."""

    def query(self, sql: str, parameters: Sequence[Value] = ()) -> list[Row]:
        """Run one statement and return its rows as dicts (empty where it returns none). Commits, outside a block."""
        ...

    def transaction(self) -> contextlib.AbstractContextManager[None]:
        """Run the block's queries of this thread as one write transaction: all of them, or none.

        Raises `RuntimeError` inside another one: a part of a whole cannot be committed by itself.
        """
        ...

    def close(self) -> None:
        """Close every connection."""
        ...


class UniqueViolation(Exception):
    """A row with this key is there already; the transaction was rolled back. Raised by both databases."""


class Unavailable(MaintError):
    """The database cannot be used just now: away, full, or locked for too long. Whether a commit that was under way
    has happened is not known: what is tried again must carry its key. Raised by both databases.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The bot's own database cannot be used just now ({reason}). What runs goes on; if what you did does not "
            "show in the channel in a minute, do it again."
        )


class SqliteDatabase:
    """One SQLite file in WAL mode; a connection a thread, writers waiting for one another up to `busy_timeout_s`."""

    def __init__(self, path: Path, *, busy_timeout_s: float = 60.0) -> None:
        self._path = path
        self._busy_timeout_s = busy_timeout_s
        self._local = threading.local()
        self._all: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        with self.transaction():
            migrate(self.query)

    def _database(self) -> sqlite_utils.Database:
        database = getattr(self._local, "database", None)
        if database is None:
            connection = sqlite3.connect(
                self._path, timeout=self._busy_timeout_s, isolation_level=None, check_same_thread=False
            )
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            database = self._local.database = sqlite_utils.Database(connection)
            with self._lock:
                self._all.append(connection)
        return database

    def query(self, sql: str, parameters: Sequence[Value] = ()) -> list[Row]:
        with _told_apart():
            cursor = self._database().conn.execute(sql, tuple(parameters))
            if cursor.description is None:
                return []
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        with _told_apart():
            connection = self._database().conn
            if connection.in_transaction:
                raise RuntimeError("this thread is inside a transaction already")
            connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            with _told_apart():
                connection.commit()
        except BaseException:
            connection.rollback()
            raise

    def close(self) -> None:
        with self._lock:
            for connection in self._all:
                connection.close()
            self._all.clear()


@contextlib.contextmanager
def _told_apart() -> Iterator[None]:
    """Raise SQLite's errors as ours, by their codes (https://www.sqlite.org/rescode.html)."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        if error.sqlite_errorcode in {sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY}:
            raise UniqueViolation(str(error)) from error
        raise
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & _PRIMARY_CODE in _PASSING:
            raise Unavailable(str(error)) from error
        raise
