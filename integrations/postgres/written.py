"""What has been written to a server since it was started for the first time: what going back to the old one loses."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from integrations.postgres import snapshot
from integrations.postgres.blocked import counted
from integrations.postgres.connection import Server, Session

_NAMED = 5
_LOOK_FOR_S = 20.0
_FURTHEST = 2_000_000_000
"""Transaction ids are compared in a circle (PostgreSQL manual, "Preventing Transaction ID Wraparound Failures")."""
# A row carries the transaction that wrote it (`xmin`), whatever happened to the server's counters: these are lost in a
# crash, and do not know of TRUNCATE.
_COUNT = """
SELECT count(*) AS rows, count(*) FILTER (WHERE age(xmin) BETWEEN 0 AND {since}) AS new FROM ONLY {table}"""
# pg_upgrade copies files: a new cluster's counters of its users' tables begin at zero with its first start
# (PostgreSQL manual, "The Cumulative Statistics System", pg_stat_all_tables).
_COUNTERS = """
SELECT schemaname || '.' || relname AS name, n_tup_ins AS inserted, n_tup_upd AS updated, n_tup_del AS deleted
FROM pg_stat_user_tables WHERE n_tup_ins + n_tup_upd + n_tup_del > 0"""


@dataclass(frozen=True)
class Written:
    """What was written since, in all databases.

    `new` and `gone` are rows counted in the tables themselves, by table: written since and still there; there before,
    and now deleted or changed. `uncounted` tables were left when the time was up. The rest are the server's counters.
    """

    transactions: int | None
    new: Mapping[str, int]
    gone: Mapping[str, int]
    uncounted: int
    inserted: int
    updated: int
    deleted: int

    @property
    def nothing(self) -> bool:
        """Whether nothing was."""
        return not (self.transactions or self.new or self.gone or self.inserted or self.updated or self.deleted)

    def __str__(self) -> str:
        if self.nothing:
            return "no row has been written since"
        told = [f"{counted(self.transactions, 'transaction')} wrote"] if self.transactions is not None else []
        told += [f"in the tables are {_rows(self.new)} new or changed since"] if self.new else []
        told += [f"{_rows(self.gone)} of before changed or gone"] if self.gone else []
        told += [f"{counted(self.uncounted, 'table')} could not be counted in time"] if self.uncounted else []
        counters = f"{self.inserted:,} inserted, {self.updated:,} updated and {self.deleted:,} deleted rows"
        return "; ".join([*told, f"by the server's counters {counters}"])


def written(server: Server, *, since: int | None, before: snapshot.Snapshot | None) -> Written:
    """Ask the server, and count in its tables for 20 seconds, those with most changes by its counters first.

    `since` is the next transaction id (with epoch) before its first start, None if that is not known; `before` what was
    noted of the old one. Raises what `Server.session` raises.
    """
    transactions = None if since is None else _transactions(server, since)
    until = time.monotonic() + _LOOK_FOR_S
    new: dict[str, int] = {}
    gone: dict[str, int] = {}
    uncounted = 0
    counters = {"inserted": 0, "updated": 0, "deleted": 0}
    for dbname in server.databases():
        noted = (before or {}).get("in", {}).get(dbname, {}).get("tables", {})
        with server.session(dbname) as session:
            changes = {str(row.pop("name")): row for row in session.execute(_COUNTERS).fetchall()}
            looked = _looked(session, changes, min(transactions or 0, _FURTHEST), until)
        for what in counters:
            counters[what] += sum(int(row[what]) for row in changes.values())
        for name, row in looked.items():
            if row is None:
                uncounted += 1
                continue
            if row["new"]:
                new[f"{dbname}: {name}"] = row["new"]
            missing = noted[name][0] - (row["rows"] - row["new"]) if name in noted else 0
            if missing > 0:
                gone[f"{dbname}: {name}"] = missing
    return Written(transactions, new, gone, uncounted, **counters)


def _transactions(server: Server, since: int) -> int:
    with server.session() as session:
        row = session.execute("SELECT txid_snapshot_xmax(txid_current_snapshot()) AS next").fetchone()
    return int(row["next"]) - since if row else 0


def _looked(
    session: Session, changes: Mapping[str, Mapping[str, Any]], since: int, until: float
) -> dict[str, dict[str, Any] | None]:
    """Return `rows` and `new` rows by table, None for one that there was no time for; nothing if nobody wrote."""
    if not since:
        return {}
    tables = snapshot.readable(session)
    found: dict[str, dict[str, Any] | None] = dict.fromkeys(tables)
    for name in sorted(tables, key=lambda name: -sum(int(number) for number in changes.get(name, {}).values())):
        left_ms = round((until - time.monotonic()) * 1000)
        if left_ms <= 0:
            break
        try:
            session.execute(sql.SQL("SET statement_timeout = {}").format(sql.Literal(left_ms)))
            query = sql.SQL(_COUNT).format(table=tables[name], since=sql.Literal(since))
            found[name] = session.execute(query).fetchone()
        except psycopg.errors.QueryCanceled:
            break
    return found


def _rows(tables: Mapping[str, int]) -> str:
    most = sorted(tables.items(), key=lambda item: -item[1])
    named = ", ".join(f"{name} {rows:,}" for name, rows in most[:_NAMED])
    return f"{counted(sum(tables.values()), 'row')} ({named}{', …' if len(most) > _NAMED else ''})"
