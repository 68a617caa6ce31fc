"""Who keeps our sessions waiting: asked of `pg_blocking_pids()`, told with age and query."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from integrations.postgres.connection import Session

_QUERY_CHARACTERS = 160
_BLOCKERS = """
SELECT ours.pid, extract(epoch FROM clock_timestamp() - ours.query_start)::float8 AS waiting_s,
       theirs.pid AS blocker, theirs.backend_start, theirs.usename, theirs.application_name, theirs.state,
       theirs.backend_type, theirs.query,
       extract(epoch FROM clock_timestamp() - coalesce(theirs.xact_start, theirs.query_start))::float8 AS age_s
FROM pg_stat_activity AS ours
CROSS JOIN LATERAL unnest(pg_blocking_pids(ours.pid)) AS blocking(pid)
JOIN pg_stat_activity AS theirs ON theirs.pid = blocking.pid
WHERE ours.pid = ANY(%s)
ORDER BY ours.pid, theirs.pid"""


@dataclass(frozen=True)
class Blocked:
    """One session of ours (`pid`) that waits for another (`blocker`), and what that one is doing."""

    pid: int
    waiting_s: float
    blocker: int
    doing: str
    anti_wraparound: bool
    idle: bool
    """Whether the blocker only keeps a transaction open: then there is no statement that could be cancelled."""
    since: datetime
    """When the blocker's session began."""

    def __str__(self) -> str:
        caution = (
            " It prevents transaction id wraparound: let it end unless you are sure." if self.anti_wraparound else ""
        )
        return f"blocked for {span(self.waiting_s)} by pid {self.blocker}: {self.doing}.{caution}"


def blocked(session: Session, pids: Collection[int]) -> list[Blocked]:
    """Return which of the sessions `pids` wait for whom, by asking over another session."""
    found = []
    for row in session.execute(_BLOCKERS, (list(pids),)).fetchall():
        query = " ".join((row["query"] or "").split())[:_QUERY_CHARACTERS]
        age = f", its transaction open for {span(row['age_s'])}" if row["age_s"] is not None else ""
        who = row["usename"] or row["backend_type"]
        application = f" ({row['application_name']})" if row["application_name"] else ""
        doing = f"{who}{application}, {row['state'] or 'active'}{age}, query: {query}"
        idle = (row["state"] or "").startswith("idle in transaction")
        wraparound = "to prevent wraparound" in query
        since = row["backend_start"]
        found.append(Blocked(row["pid"], row["waiting_s"], row["blocker"], doing, wraparound, idle, since))
    return found


def counted(number: int, thing: str) -> str:
    """Return a number of things as people read it: `1 table`, `1,200 tables`."""
    return f"{number:,} {thing}" + ("" if number == 1 else "s")


def span(seconds: float) -> str:
    """Return a length of time as people read it: `2.7 s`, `45 s`, `6 min`, `2 h 5 min`."""
    minutes = round(seconds / 60)
    if seconds < 10:  # noqa: PLR2004 - short times vary in tenths
        return f"{seconds:.1f} s"
    if seconds < 90:  # noqa: PLR2004 - up to one and a half minutes seconds say more
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"  # noqa: PLR2004


def size(size_bytes: float) -> str:
    """Return a size as people read it: `12.3 GB`."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size_bytes < 1024:  # noqa: PLR2004 - as PostgreSQL's own pg_size_pretty counts
            return f"{size_bytes:.0f} {unit}"
        size_bytes /= 1024
    return f"{size_bytes:.1f} TB"
