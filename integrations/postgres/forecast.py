"""How far a vacuum is, in bytes, and when it will be done."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from integrations.postgres.batches import Batch
from integrations.postgres.connection import Session
from integrations.postgres.tables import ANALYZE_READS_BYTES

_VACUUM = """
SELECT pid, phase, heap_blks_total AS total, heap_blks_scanned AS scanned, heap_blks_vacuumed AS vacuumed
FROM pg_stat_progress_vacuum WHERE pid = ANY(%s)"""
_ANALYZE = """
SELECT pid, phase, sample_blks_total AS total, sample_blks_scanned AS scanned
FROM pg_stat_progress_analyze WHERE pid = ANY(%s)"""
_ANALYZE_PROGRESS_SINCE = 130000
_MOST_SAMPLES = 600
# Shares of a table's time, as measured on tables with a few indexes and some dead rows. Phases: PostgreSQL manual,
# chapter "Monitoring Database Activity", section "Progress Reporting".
_SCAN, _INDEXES, _HEAP = 0.45, 0.2, 0.35
_INDEXES_DONE = {"scanning heap": 0.0, "vacuuming indexes": 0.5}
_AFTER_HEAP = {"cleaning up indexes": 0.95, "truncating heap": 0.97, "performing final cleanup": 0.99}
_SAMPLE = 0.6
_AFTER_SAMPLE = {"computing statistics": 0.8, "computing extended statistics": 0.95, "finalizing analyze": 0.99}
_ANALYZE_A_BYTE = 0.75
"""What ANALYZE takes for a byte that it reads, of what VACUUM takes for a byte of table and indexes."""


def fractions(session: Session, running: Mapping[int, tuple[Batch, float]]) -> dict[int, float]:
    """Return how much of its current table each session has behind it, from 0 to 1 (`running`: `Scheduler.running`)."""
    found: dict[int, float] = {}
    for row in session.execute(_VACUUM, (list(running),)).fetchall():
        found[row["pid"]] = vacuum_share(running[row["pid"]][0]) * of_vacuum(row)
    if session.info.server_version >= _ANALYZE_PROGRESS_SINCE:
        for row in session.execute(_ANALYZE, (list(running),)).fetchall():
            before = vacuum_share(running[row["pid"]][0])
            found[row["pid"]] = before + (1 - before) * of_analyze(row)
    return found


def vacuum_share(batch: Batch) -> float:
    """Return which part of the batch's time goes into vacuum: ANALYZE reads no more of a large table than of others."""
    first = batch.works[0]
    if not (first.vacuum and first.analyze):
        return float(first.vacuum)
    return batch.cost_bytes / (batch.cost_bytes + _ANALYZE_A_BYTE * min(batch.cost_bytes, ANALYZE_READS_BYTES))


def of_vacuum(row: Mapping[str, Any]) -> float:
    """Return how much of a VACUUM is done, by its row of `pg_stat_progress_vacuum`."""
    if row["phase"] in _AFTER_HEAP:
        return _AFTER_HEAP[row["phase"]]
    total = max(1, row["total"])
    indexes = 0.0 if row["phase"] == "initializing" else _INDEXES_DONE.get(row["phase"], 1.0)
    return float(_SCAN * row["scanned"] / total + _INDEXES * indexes + _HEAP * row["vacuumed"] / total)


def of_analyze(row: Mapping[str, Any]) -> float:
    """Return how much of an ANALYZE is done, by its row of `pg_stat_progress_analyze`."""
    return float(_AFTER_SAMPLE.get(row["phase"], _SAMPLE * row["scanned"] / max(1, row["total"])))


def remaining_s(
    *, done: float, busy_s: float, running: Mapping[int, float], waiting: Collection[int], jobs: int
) -> float | None:
    """Return the seconds until all is done, None as long as nothing can be told.

    `done` bytes took the sessions `busy_s` seconds together; `running` is what is left (bytes) of what each works on,
    `waiting` the sizes still in the queue. One large table keeps one session busy, whatever the others do.
    """
    if done <= 0 or busy_s <= 0:
        return None
    left = sum(running.values()) + sum(waiting)
    longest = max([*running.values(), *waiting], default=0)
    return max(left / jobs, longest) * busy_s / done


@dataclass
class Track:
    """How the work went and what was forecast when, by aware moments: bytes done, and the end that was predicted."""

    total: float
    done: list[tuple[datetime, float]] = field(default_factory=list)
    ends: list[tuple[datetime, datetime]] = field(default_factory=list)
    _looks: int = 0
    _every: int = 1

    def note(self, at: datetime, done: float, left_s: float | None) -> None:
        """Note a look at the work; of very many looks only every second, fourth and so on is kept."""
        self._looks += 1
        if self._looks % self._every:
            return
        self.done.append((at, done))
        if left_s is not None:
            self.ends.append((at, at + timedelta(seconds=left_s)))
        if len(self.done) >= _MOST_SAMPLES:
            self.done, self.ends, self._every = self.done[::2], self.ends[::2], self._every * 2

    def half_way(self) -> tuple[float, float] | None:
        """Return, for the look at which half was done, how many seconds too late (or, negative, too early) the end
        was predicted, and how many were really left; None if nothing was predicted there."""
        if not self.done:
            return None
        ended = self.done[-1][0]
        since = next((at for at, done in self.done if done >= self.total / 2), ended)
        predicted = next(((at, end) for at, end in self.ends if at >= since), None)
        if predicted is None or predicted[0] >= ended:
            return None
        return (predicted[1] - ended).total_seconds(), (ended - predicted[0]).total_seconds()
