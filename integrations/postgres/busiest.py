"""The statements that the server spent most time on: planned again, never run.

They come from pg_stat_statements with parameters in the place of values. As a prepared statement with a generic plan
such a text can be planned without values, and on every major alike (PostgreSQL manual, PREPARE, and `plan_cache_mode`).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import LiteralString

import psycopg
from psycopg import RawCursor, sql
from psycopg.rows import tuple_row

from integrations.postgres.connection import Server, Session, first_line
from integrations.postgres.probes import Measured, explained

_TOTAL_EXEC_TIME_SINCE = 130000
_LONGEST = 4000
# What begins a statement to be planned; our own questions of the catalogs are left out.
_WANTED: LiteralString = """query ~* '^\\s*(SELECT|WITH)\\M' AND query ~* '\\mFROM\\M' AND length(query) <= {longest}
  AND query !~* '\\m(pg_catalog|information_schema|pg_[a-z_]+)\\M'"""
_TOP: LiteralString = """
SELECT query, sum(calls)::float8 AS calls, sum({time})::float8 AS total_ms
FROM {view} AS s JOIN pg_database AS d ON d.oid = s.dbid
WHERE d.datname = current_database() AND {wanted}
GROUP BY query ORDER BY 3 DESC LIMIT {count}"""
_SIZES = """
SELECT relname, max(pg_table_size(oid)) AS bytes FROM pg_class
WHERE relname = ANY(%s) AND relkind IN ('r', 'm') GROUP BY relname"""


@dataclass(frozen=True)
class Ran:
    """How often a statement has run since its counters began, and how many milliseconds that took in all."""

    calls: float
    total_ms: float

    @property
    def mean_ms(self) -> float:
        """The mean time of one run."""
        return self.total_ms / self.calls

    def since(self, earlier: "Ran") -> "Ran | None":
        """Return what has run since `earlier`, None for nothing; all of it if the counters have begun anew."""
        if self.calls < earlier.calls or self.total_ms < earlier.total_ms:
            return self
        return Ran(self.calls - earlier.calls, self.total_ms - earlier.total_ms) if self.calls > earlier.calls else None


def busiest(server: Server, count: int, dbname: str | None) -> dict[str, Ran]:
    """Return the `count` SELECTs that took most time in all, with that; none without pg_stat_statements."""
    wanted = sql.SQL(_WANTED).format(longest=sql.Literal(_LONGEST))
    return _ran(server, dbname, wanted, count) if count else {}


def ran(server: Server, queries: Collection[str], dbname: str | None) -> dict[str, Ran]:
    """Return which of `queries` (texts as `busiest` returned them) the server has counted."""
    wanted = sql.SQL("query = ANY({})").format(sql.Literal(list(queries)))
    return _ran(server, dbname, wanted, len(queries)) if queries else {}


def _ran(server: Server, dbname: str | None, wanted: sql.Composed, count: int) -> dict[str, Ran]:
    with server.session(dbname) as session:
        row = session.execute(
            "SELECT nspname FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace "
            "WHERE extname = 'pg_stat_statements'"
        ).fetchone()
        if row is None:
            return {}
        since_13 = session.info.server_version >= _TOTAL_EXEC_TIME_SINCE
        query = sql.SQL(_TOP).format(
            view=sql.Identifier(row["nspname"], "pg_stat_statements"),
            time=sql.Identifier("total_exec_time" if since_13 else "total_time"),
            count=sql.Literal(count),
            wanted=wanted,
        )
        try:
            found = session.execute(query).fetchall()
        except psycopg.errors.ObjectNotInPrerequisiteState:  # made, but its library is not loaded: nothing is counted
            return {}
    return {each["query"]: Ran(each["calls"], each["total_ms"]) for each in found if each["calls"]}


def planned(server: Server, queries: Mapping[str, str], dbname: str | None) -> list[Measured]:
    """Return the generic plan of each query (name to text with `$1` and so on), or why it cannot be planned."""
    with server.session(dbname) as session:
        for setting in ("default_transaction_read_only = on", "lock_timeout = '5s'", "statement_timeout = '10s'"):
            session.execute(sql.SQL("SET {}").format(sql.SQL(setting)))
        session.execute("SET plan_cache_mode = force_generic_plan")
        return [_planned(session, name, query.strip().rstrip(";")) for name, query in queries.items()]


def _planned(session: Session, name: str, query: str) -> Measured:
    try:
        # One statement only, as with the probes: the extended protocol refuses a second one behind a semicolon.
        with RawCursor(session, row_factory=tuple_row) as cursor:
            cursor.execute(f"PREPARE maint_busiest AS {query}".encode(), [])
        row = session.execute(
            "SELECT cardinality(parameter_types) AS number FROM pg_prepared_statements WHERE name = 'maint_busiest'"
        ).fetchone()
        nulls = ", ".join(["NULL"] * (row["number"] if row else 0))
        plan, scanned = explained(session, f"EXECUTE maint_busiest{f'({nulls})' if nulls else ''}")
        session.execute("DEALLOCATE maint_busiest")
    except psycopg.Error as error:
        if session.broken:
            raise
        session.execute("DEALLOCATE ALL")
        return Measured(name, query, error=first_line(error))
    return Measured(name, query, plan=plan, scanned=scanned)


def large(server: Server, tables: Sequence[str], at_least_bytes: float, dbname: str | None) -> set[str]:
    """Return which of `tables` (names as plans have them) are at least so large."""
    with server.session(dbname) as session:
        rows = session.execute(_SIZES, (list(tables),)).fetchall()
    return {row["relname"] for row in rows if row["bytes"] >= at_least_bytes}
