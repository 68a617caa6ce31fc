"""What the server can bear: how many sessions of ours, and how much memory for each of them."""

from dataclasses import dataclass

import psycopg

from integrations.postgres.connection import Session

_MOST_KB = 512 * 1024
"""More was of no use in measurements, and before 17 VACUUM cannot use more than 1 GB."""
_LEAST_KB = 64 * 1024
"""PostgreSQL's own default of maintenance_work_mem."""
_MOST_KEPT = 8
_SPARED = 3
"""Connections left to others: people who look for what is wrong need some."""
# Memory is read from the server's /proc, which its superuser may; where this is refused (a managed service), twice
# shared_buffers stands for it, for these are a quarter of the memory there. In either case half of it is left alone.
_ROOM = """
SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
         - (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections,
       pg_size_bytes(current_setting('shared_buffers')) / 1024 AS buffers_kb,
       pg_size_bytes(current_setting('maintenance_work_mem')) / 1024 AS own_kb"""
_MEMORY = """
SELECT substring(pg_read_file('/proc/meminfo', 0, 8192) FROM 'MemAvailable: *([0-9]+) kB')::bigint AS available_kb"""


@dataclass(frozen=True)
class Capacity:
    """What a round may take: `sessions` at work at the same time, each with `memory_kb` of maintenance_work_mem.

    One at work may have `kept` open in all, each to a database of its own.
    """

    sessions: int
    kept: int
    memory_kb: int


def capacity(session: Session, jobs: int) -> Capacity:
    """Return what the server can bear of `jobs` sessions: at least one, and never less memory than it gives itself."""
    row = session.execute(_ROOM).fetchone() or {"connections": 1, "buffers_kb": 0, "own_kb": _LEAST_KB}
    free = row["connections"] - _SPARED
    sessions = max(1, min(jobs, free))
    available_kb = _available_kb(session) or row["buffers_kb"] * 2
    tuned_kb = min(_MOST_KB, available_kb // 2 // sessions)
    return Capacity(sessions, max(1, min(_MOST_KEPT, free // sessions)), max(_LEAST_KB, tuned_kb, row["own_kb"]))


def _available_kb(session: Session) -> int | None:
    try:
        row = session.execute(_MEMORY).fetchone()
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedFile):
        return None
    return row["available_kb"] if row else None
