"""What there is to vacuum and analyze: every table of every database with its size, and the work that it makes."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from typing import Any, Literal, LiteralString

from psycopg import sql

from integrations.postgres.connection import Server, Session
from integrations.postgres.rights import may_maintain, sight

Pass = Literal["first", "full"]

# ANALYZE reads at most 300 pages of 8 kB for each unit of the largest statistics target of a table (PostgreSQL manual,
# "Planner/Optimizer", and src/backend/commands/analyze.c: 300 * target rows).
_ANALYZE_READS = 300 * 8192
ANALYZE_READS_BYTES = 100 * _ANALYZE_READS
"""What ANALYZE reads of a large table at the default statistics target."""
_SMALLEST_COST = 8192
_LOOKING = 4
"""How many databases are looked at at the same time."""
_ONLY_SINCE = 18
_STATISTICS_CARRIED_OVER_SINCE = 18
_PARALLEL_SINCE = 13
_ALONE: LiteralString = "PARALLEL 0"
_SKIP_DATABASE_STATS_SINCE = 16

# Right after pg_upgrade `relpages` is 0 everywhere, so the size on disk is asked. Shared catalogs are the same in every
# database: they are taken with one of them only. Another session's temporary tables cannot be touched, and ANALYZE
# passes pg_statistic itself by. The size of what is done is not asked for again: that is the slow part. `lacking`
# leaves out what pg_upgrade has carried over: not parents, whose statistics span their children, and not extended
# statistics. `reltuples` is 0 for a table known to be empty.
_TABLES = """
SELECT c.oid, n.nspname, c.relname, c.relkind::text, c.relispartition, c.relhassubclass,
       size.bytes AS size_bytes, target.most AS target,
       coalesce(s.last_vacuum >= %(since)s, false) AS vacuumed,
       c.oid = 'pg_catalog.pg_statistic'::regclass OR coalesce(s.last_analyze >= %(since)s, false)
         OR (%(missing)s AND NOT lacking.it) AS analyzed
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
CROSS JOIN LATERAL (
    SELECT CASE WHEN c.relkind = 'p'
      THEN (SELECT coalesce(sum(pg_table_size(relid)), 0) FROM pg_partition_tree(c.oid) WHERE isleaf)
      ELSE pg_table_size(c.oid) + pg_indexes_size(c.oid) END AS bytes
) AS size
CROSS JOIN LATERAL (
    SELECT greatest(current_setting('default_statistics_target')::int, max(a.attstattarget)) AS most
    FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
) AS target
CROSS JOIN LATERAL (
    SELECT c.relkind = 'p' OR c.relhassubclass
      OR EXISTS (SELECT FROM pg_statistic_ext e WHERE e.stxrelid = c.oid)
      OR c.reltuples <> 0 AND (
        EXISTS (
          SELECT FROM pg_attribute a
          WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND coalesce(a.attstattarget, -1) <> 0
            AND a.attgenerated <> 'v'
            AND NOT EXISTS (SELECT FROM {columns} AS t WHERE t.relid = c.oid AND t.attnum = a.attnum))
        OR EXISTS (
          SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indexprs IS NOT NULL
            AND NOT EXISTS (SELECT FROM {columns} AS t WHERE t.relid = i.indexrelid))) AS it
) AS lacking
WHERE c.relkind IN ('r', 'm', 'p') AND c.relpersistence <> 't'
  AND NOT (c.relisshared AND %(without_shared)s) AND {may}
  AND (%(vacuum)s AND c.relkind <> 'p' AND NOT coalesce(s.last_vacuum >= %(since)s, false)
    OR %(analyze)s AND NOT coalesce(s.last_analyze >= %(since)s, false))
ORDER BY size_bytes DESC, n.nspname, c.relname"""


@dataclass(frozen=True)
class Wanted:
    """What a round does with each table: vacuum it (a `first` pass or a `full` one), make statistics, or both."""

    vacuum: Pass | None = None
    analyze: bool = True
    carried_over: bool = False
    """Whether statistics that pg_upgrade can have carried over (from 18 on) are left as they are."""


@dataclass(frozen=True)
class Work:
    """One statement to run on one table. `cost_bytes` is what progress and forecast count."""

    dbname: str
    schema: str
    table: str
    cost_bytes: int
    vacuum: bool
    analyze: bool
    options: tuple[LiteralString, ...] = ()
    only: bool = False

    @property
    def label(self) -> str:
        """The table's full name, for people."""
        return f"{self.dbname}.{self.schema}.{self.table}"


def statement(works: Sequence[Work]) -> sql.Composed:
    """Return the one statement that does `works`: tables of one database, alike in all but their names."""
    first = works[0]
    options: tuple[LiteralString, ...] = first.options + (("ANALYZE",) if first.vacuum and first.analyze else ())
    return sql.SQL("{verb} {options} {tables}").format(
        verb=sql.SQL("VACUUM" if first.vacuum else "ANALYZE"),
        options=sql.SQL("({})").format(sql.SQL(", ").join(map(sql.SQL, options))) if options else sql.SQL(""),
        tables=sql.SQL(", ").join(
            sql.SQL("ONLY {}" if work.only else "{}").format(sql.Identifier(work.schema, work.table)) for work in works
        ),
    )


def outstanding(server: Server, databases: Sequence[str], wanted: Wanted, *, jobs: int, since: datetime) -> list[Work]:
    """Return what is left to do, in the order to do it: largest first over all databases.

    What the server's own counters say was vacuumed or analyzed by hand after `since` is left out, so asking again
    after a crash returns the rest only. pg_upgrade resets these counters. So is what this account may not vacuum.
    """
    works: list[Work] = []
    parents: list[Work] = []

    def look(number: int) -> list[tuple[Mapping[str, Any], Work]]:
        with server.session(databases[number]) as session:
            return _outstanding_in(session, databases[number], wanted, since, without_shared=number > 0)

    with ThreadPoolExecutor(min(jobs, _LOOKING)) as several:
        looks = several.map(look, range(len(databases)))
        for row, work in chain.from_iterable(looks):
            # Before 18 the ANALYZE of a parent takes the locks of all its partitions: not while these are vacuumed.
            (parents if wanted.vacuum and row["relkind"] == "p" else works).append(work)
    return [*_with_helpers(sorted(works, key=lambda work: -work.cost_bytes), jobs), *parents]


def _outstanding_in(
    session: Session, dbname: str, wanted: Wanted, since: datetime, *, without_shared: bool
) -> list[tuple[Mapping[str, Any], Work]]:
    major = session.info.server_version // 10000
    missing = wanted.carried_over and major >= _STATISTICS_CARRIED_OVER_SINCE
    parameters = {
        "since": since,
        "without_shared": without_shared,
        "missing": missing,
        "vacuum": wanted.vacuum is not None,
        "analyze": wanted.analyze,
    }
    query = sql.SQL(_TABLES).format(columns=sight(session).columns, may=may_maintain(session))
    rows = session.execute(query, parameters).fetchall()
    return [(row, work) for row in rows if (work := _work(dbname, row, wanted, major)) is not None]


def _work(dbname: str, row: Mapping[str, Any], wanted: Wanted, major: int) -> Work | None:
    """Return the statement that one table still needs, if any."""
    size = max(_SMALLEST_COST, int(row["size_bytes"]))
    # Before 18 an ANALYZE of a partitioned table repeats all its partitions, so these are left to it.
    by_parent = row["relispartition"] and major < _ONLY_SINCE
    analyze = wanted.analyze and not row["analyzed"] and not by_parent
    vacuum = wanted.vacuum if row["relkind"] != "p" and not row["vacuumed"] else None
    if not analyze and vacuum is None:
        return None
    return Work(
        dbname,
        str(row["nspname"]),
        str(row["relname"]),
        size if vacuum else min(size, _ANALYZE_READS * row["target"]),
        vacuum=vacuum is not None,
        analyze=analyze,
        options=_options(vacuum, major) if vacuum else (),
        only=(row["relkind"] == "p" or row["relhassubclass"]) and major >= _ONLY_SINCE,
    )


def _with_helpers(works: list[Work], jobs: int) -> list[Work]:
    """Let PostgreSQL use parallel workers for a table that alone takes longer than all others shared out."""
    share = sum(work.cost_bytes for work in works if work.vacuum) / jobs
    return [
        replace(work, options=tuple(option for option in work.options if option != _ALONE))
        if work.vacuum and work.cost_bytes > share
        else work
        for work in works
    ]


def _options(vacuum: Pass, major: int) -> tuple[LiteralString, ...]:
    options: list[LiteralString] = []
    if vacuum == "first":
        options += ["INDEX_CLEANUP OFF", "TRUNCATE OFF"]
    if major >= _PARALLEL_SINCE:
        options.append(_ALONE)  # our own sessions are the parallelism
    if major >= _SKIP_DATABASE_STATS_SINCE:
        options.append("SKIP_DATABASE_STATS")  # once at the end instead of after every table
    return tuple(options)


def refresh_database_statistics(server: Server, databases: Sequence[str]) -> None:
    """Do once what `SKIP_DATABASE_STATS` left out: move each database's `datfrozenxid` on."""
    for dbname in databases:
        with server.session(dbname) as session:
            if session.info.server_version // 10000 >= _SKIP_DATABASE_STATS_SINCE:
                session.execute("SET lock_timeout = 0")  # the session may have been impatient with a table
                session.execute("VACUUM (ONLY_DATABASE_STATS)")
