"""Named probe queries: run read-only against the clock, with what they return and the plan they take."""

import hashlib
import statistics
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import psycopg
from psycopg import RawCursor, sql
from psycopg.rows import tuple_row

from bot.step import read_as
from integrations.postgres.connection import Server, Session, first_line


@dataclass(frozen=True)
class Measured:
    """What came of one probe. Without `error` all is filled in; `gave_up_s` is set where the time ran out.

    `first_ms` is the first run, with whatever the caches hold then (cold right after a start); `warm_ms` is the best of
    those that follow.
    """

    name: str
    query: str
    first_ms: float = 0.0
    median_ms: float = 0.0
    rows: int = 0
    checksum: str = ""
    plan: str = ""
    scanned: tuple[str, ...] = ()
    """The tables that the plan reads from end to end."""
    gave_up_s: float | None = None
    error: str = ""
    warm_ms: float = 0.0

    def facts(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {**asdict(self), "scanned": list(self.scanned)}

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> "Measured":
        """Return what `facts` was made from."""
        return read_as(cls, {"warm_ms": facts["median_ms"], **facts, "scanned": tuple(facts["scanned"])})

    @property
    def took(self) -> str:
        """How long it took, in words for people."""
        if self.error:
            return f"failed: {self.error}"
        if not self.checksum and self.gave_up_s is None:
            return "planned, not run"
        if self.gave_up_s is not None:
            return f"gave up after {self.gave_up_s:g} s"
        cold = f" ({duration(self.first_ms)} cold)" if self.first_ms != self.warm_ms else ""
        return duration(self.warm_ms) + cold


def measure(
    server: Server, probes: Mapping[str, str], *, runs: int, give_up_after_s: float, dbname: str | None = None
) -> list[Measured]:
    """Run each probe `runs` times (once, if it does not end in time) and return what was seen, in their order.

    Everything happens in read-only transactions that are rolled back. Raises `StepError` only if the server cannot
    be reached; a probe that fails says so in its result.
    """
    found = []
    with server.session(dbname) as session:
        session.execute("SET default_transaction_read_only = on")
        for name, query in probes.items():
            found.append(_measure(session, name, query.strip().rstrip(";"), runs, give_up_after_s))
    return found


def duration(milliseconds: float) -> str:
    """Return a time as people read it: `0.2 ms`, `16 ms`, `3.3 s`."""
    if milliseconds >= 1000:  # noqa: PLR2004 - milliseconds in a second
        return f"{milliseconds / 1000:,.1f} s"
    return f"{milliseconds:.0f} ms" if milliseconds >= 10 else f"{milliseconds:.1f} ms"  # noqa: PLR2004


def _measure(session: Session, name: str, query: str, runs: int, give_up_after_s: float) -> Measured:
    plan = ""
    scanned: tuple[str, ...] = ()
    times: list[float] = []
    began = time.perf_counter()
    try:
        plan, scanned = explained(session, query)
        for _ in range(runs):
            began = time.perf_counter()
            elapsed_ms, rows, checksum = _timed(session, query, give_up_after_s)
            times.append(elapsed_ms)
    except psycopg.errors.QueryCanceled as error:
        if time.perf_counter() - began >= give_up_after_s:
            return Measured(name, query, plan=plan, scanned=scanned, gave_up_s=give_up_after_s)
        return Measured(name, query, plan=plan, scanned=scanned, error=f"somebody cancelled it ({first_line(error)})")
    except psycopg.Error as error:
        if session.broken:
            raise
        return Measured(name, query, plan=plan, scanned=scanned, error=first_line(error))
    best_ms = min(times[1:] or times)
    return Measured(name, query, times[0], statistics.median(times), rows, checksum, plan, scanned, warm_ms=best_ms)


def explained(session: Session, query: str) -> tuple[str, tuple[str, ...]]:
    """Return the plan of one query as text, and the tables that it reads from end to end."""
    # The extended protocol (a RawCursor with parameters, even none) takes one statement only: a second one, hidden
    # behind a semicolon, is refused by the server.
    with RawCursor(session, row_factory=tuple_row) as cursor:
        lines = cursor.execute(f"EXPLAIN {query}".encode(), []).fetchall()
        row = cursor.execute(f"EXPLAIN (FORMAT JSON) {query}".encode(), []).fetchone()
    assert row is not None  # noqa: S101 - EXPLAIN always answers
    return "\n".join(line for (line,) in lines), tuple(sorted(set(_scanned(row[0][0]["Plan"]))))


def _scanned(plan: Mapping[str, Any]) -> list[str]:
    here = [str(plan["Relation Name"])] if plan["Node Type"] == "Seq Scan" else []
    return here + [name for child in plan.get("Plans", []) for name in _scanned(child)]


def _timed(session: Session, query: str, give_up_after_s: float) -> tuple[float, int, str]:
    """Return the milliseconds until all rows are here, their number, and a checksum, the same in any order."""
    with session.transaction(force_rollback=True), RawCursor(session, row_factory=tuple_row) as cursor:
        session.execute(
            sql.SQL("SET LOCAL statement_timeout = {}").format(
                sql.Literal(f"{max(1, round(give_up_after_s * 1000))}ms")
            )
        )
        started = time.perf_counter()
        rows = cursor.execute(query.encode(), []).fetchall()
        elapsed_ms = (time.perf_counter() - started) * 1000
    digests = sorted(hashlib.sha256(repr(row).encode()).hexdigest() for row in rows)
    return elapsed_ms, len(rows), hashlib.sha256("".join(digests).encode()).hexdigest()
