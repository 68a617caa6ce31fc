"""Small tables share a statement: for them the way to the server and back is a good part of the time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import sql

from integrations.postgres.connection import Session
from integrations.postgres.tables import Work, statement

_SMALL_BYTES = 1024 * 1024
_MOST = 16
# Up to 14 the counters lag behind: a table may be found undone, and is repeated.
_DONE = """
SELECT n.nspname, c.relname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_stat_all_tables s ON s.relid = c.oid
WHERE (NOT %(vacuum)s OR s.last_vacuum >= %(since)s) AND (NOT %(analyze)s OR s.last_analyze >= %(since)s)"""


@dataclass(frozen=True)
class Batch:
    """What one statement does: one table, or several small ones of one database.

    On its `first_try` it is not patient with locks.
    """

    works: tuple[Work, ...]
    first_try: bool = True

    @property
    def dbname(self) -> str:
        """The database."""
        return self.works[0].dbname

    @property
    def cost_bytes(self) -> int:
        """The cost of all its tables."""
        return sum(work.cost_bytes for work in self.works)

    @property
    def label(self) -> str:
        """The first table's full name, and how many more there are, for people."""
        more = len(self.works) - 1
        return self.works[0].label + (f" and {more} more" if more else "")

    @property
    def statement(self) -> sql.Composed:
        """The statement."""
        return statement(self.works)

    def apart(self) -> list["Batch"]:
        """Return its tables each for itself."""
        return [Batch((work,)) for work in self.works]


def batches(works: Sequence[Work]) -> list[Batch]:
    """Return `works` in their order, the small ones at its end put together where one statement can do them."""
    large = [Batch((work,)) for work in works if work.cost_bytes > _SMALL_BYTES]
    alike: dict[tuple[object, ...], list[Work]] = {}
    for work in works:
        if work.cost_bytes <= _SMALL_BYTES:
            alike.setdefault((work.dbname, work.vacuum, work.analyze, work.options), []).append(work)
    small = [
        Batch(tuple(group[first : first + _MOST])) for group in alike.values() for first in range(0, len(group), _MOST)
    ]
    return large + sorted(small, key=lambda batch: -batch.cost_bytes)


def finished(session: Session, batch: Batch, since: datetime) -> set[Work]:
    """Return which tables of a `batch` that failed as a whole were done `since` it began (by the server's clock)."""
    first = batch.works[0]
    parameters = {"vacuum": first.vacuum, "analyze": first.analyze, "since": since}
    rows = session.execute(_DONE, parameters).fetchall()
    names = {(row["nspname"], row["relname"]) for row in rows}
    return {work for work in batch.works if (work.schema, work.table) in names}
