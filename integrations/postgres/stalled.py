"""A vacuum that gets nowhere: told once, with whoever holds back what may be removed."""

import time
from collections.abc import Mapping

from bot.step import Context
from integrations.postgres.batches import Batch
from integrations.postgres.blocked import span
from integrations.postgres.connection import Session

# Whose snapshot or slot is the oldest: VACUUM can remove nothing that died after it (PostgreSQL manual, chapter
# "Routine Vacuuming"; the same four places as in its section "Preventing Transaction ID Wraparound Failures").
_HOLDERS = """
SELECT who FROM (
    SELECT age(backend_xmin) AS xmin_age, format('pid %%s (%%s), its transaction open for %%s, query: %%s', pid,
      concat_ws(', ', coalesce(usename::text, backend_type), nullif(application_name, ''), state),
      date_trunc('second', clock_timestamp() - xact_start), left(regexp_replace(query, '\\s+', ' ', 'g'), 120)) AS who
    FROM pg_stat_activity WHERE backend_xmin IS NOT NULL AND NOT pid = ANY(%(ours)s) AND pid <> pg_backend_pid()
    UNION ALL
    SELECT age(transaction), format('the prepared transaction %%s of %%s', gid, owner) FROM pg_prepared_xacts
    UNION ALL
    SELECT greatest(age(xmin), age(catalog_xmin)), format('the replication slot %%s', slot_name)
    FROM pg_replication_slots WHERE xmin IS NOT NULL OR catalog_xmin IS NOT NULL
    UNION ALL
    SELECT age(backend_xmin), format('the standby %%s', application_name)
    FROM pg_stat_replication WHERE backend_xmin IS NOT NULL
) AS holders
ORDER BY xmin_age DESC LIMIT 3"""
_SEEN = """
SELECT pid, to_jsonb(v)::text AS seen FROM pg_stat_progress_vacuum v WHERE pid = ANY(%(pids)s)
UNION ALL
SELECT pid, to_jsonb(a)::text FROM pg_stat_progress_analyze a WHERE pid = ANY(%(pids)s)"""


class Stalled:
    """Watches whether what the server says of its progress changes at all."""

    def __init__(self, ctx: Context, monitor: Session, *, after_s: float) -> None:
        self._ctx = ctx
        self._monitor = monitor
        self._after_s = after_s
        self._seen: dict[int, tuple[str, float]] = {}
        self._told: set[str] = set()

    def look(self, running: Mapping[int, tuple[Batch, float]]) -> None:
        """Look at what runs (as `Scheduler.running` returns it); put on record, once each, what stands still."""
        now = time.monotonic()
        rows = self._monitor.execute(_SEEN, {"pids": list(running)}).fetchall()
        said = {row["pid"]: row["seen"] for row in rows}
        for pid, (batch, _) in running.items():
            seen = f"{batch.label} {said.get(pid, '')}"
            if self._seen.get(pid, ("", 0.0))[0] != seen:
                self._seen[pid] = (seen, now)
            elif now - self._seen[pid][1] >= self._after_s and batch.label not in self._told:
                self._told.add(batch.label)
                self._ctx.record(
                    f"{batch.label} has made no progress for {span(self._after_s)}. {self.holders(running)}"
                )

    def holders(self, ours: Mapping[int, object]) -> str:
        """Say who holds back the oldest snapshot, oldest first."""
        rows = self._monitor.execute(_HOLDERS, {"ours": list(ours)}).fetchall()
        if not rows:
            return "Nobody holds an old snapshot."
        return "What may be removed is held back by " + "; then ".join(row["who"] for row in rows) + "."
