"""The same rows in PostgreSQL, for several processes: `bot.database.Database` over a psycopg pool."""

import contextlib
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from bot.database import Row, Unavailable, UniqueViolation, Value
from bot.schema import migrate

_SCHEMA_LOCK = 0x6D61696E  # "main": two processes that start together must not create the tables together


class PostgresDatabase:
    """One PostgreSQL database at `url`; a connection a query, or a transaction, from a pool of up to `connections`.

    `timeout_s` is how long a query waits for a connection before the database counts as unavailable.
    """

    def __init__(self, url: str, *, connections: int = 10, timeout_s: float = 30.0) -> None:
        self._pool = ConnectionPool[psycopg.Connection[dict[str, Any]]](
            url,
            min_size=1,
            max_size=connections,
            timeout=timeout_s,
            kwargs={"row_factory": dict_row, "autocommit": True},
            check=ConnectionPool.check_connection,
            open=True,
        )
        self._local = threading.local()
        with self.transaction():
            self.query("SELECT pg_advisory_xact_lock(?)", (_SCHEMA_LOCK,))
            migrate(self.query)

    def query(self, sql: str, parameters: Sequence[Value] = ()) -> list[Row]:
        with _told_apart():
            connection = getattr(self._local, "connection", None)
            if connection is not None:
                return _run(connection, sql, parameters)
            with self._pool.connection() as fresh:
                return _run(fresh, sql, parameters)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        if getattr(self._local, "connection", None) is not None:
            raise RuntimeError("this thread is inside a transaction already")
        with _told_apart(), self._pool.connection() as connection, connection.transaction():
            self._local.connection = connection
            try:
                yield
            finally:
                self._local.connection = None

    def close(self) -> None:
        self._pool.close()


def _run(connection: psycopg.Connection[dict[str, Any]], sql: str, parameters: Sequence[Value]) -> list[Row]:
    cursor = connection.execute(sql.replace("?", "%s").encode(), tuple(parameters))
    return cursor.fetchall() if cursor.description is not None else []


@contextlib.contextmanager
def _told_apart() -> Iterator[None]:
    """Raise psycopg's errors as ours. `OperationalError` covers a server that is away, full, stopping or locked."""
    try:
        yield
    except psycopg.errors.UniqueViolation as error:
        raise UniqueViolation(str(error)) from error
    except psycopg.OperationalError as error:
        raise Unavailable(type(error).__name__) from error
