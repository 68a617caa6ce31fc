"""Which tables the planner knows nothing about: measured in the catalogs, never assumed from what was run."""

from dataclasses import dataclass
from typing import LiteralString

from psycopg import sql

from integrations.postgres.connection import Rows, Server, Session
from integrations.postgres.rights import Sight, sight

# A column of a type with an analyze function from an extension may rightly have no statistics; built-in types always
# get them. Virtual generated columns (18 and later) never do. `reltuples` is -1 before the first ANALYZE (from 14 on).
_SUSPECTS = """
SELECT c.oid, n.nspname, c.relname, c.relkind = 'p' AS partitioned, c.reltuples < 0 AS never,
       i.inherited, {hidden} AS hidden, has_any_column_privilege(c.oid, 'SELECT') AS readable
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
    SELECT c.relkind = 'p' AS inherited WHERE true
    UNION SELECT true WHERE c.relkind = 'r' AND EXISTS (SELECT FROM pg_inherits h WHERE h.inhparent = c.oid)
) AS i
WHERE c.relkind IN ('r', 'm', 'p') AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
  AND (i.inherited OR pg_relation_size(c.oid) > 0)
  AND EXISTS (
    SELECT FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND coalesce(a.attstattarget, -1) <> 0
      AND t.typanalyze::oid < 16384 AND a.attgenerated <> 'v'
      AND (c.reltuples < 0 OR NOT EXISTS (
        SELECT FROM {columns} AS s
        WHERE s.relid = c.oid AND s.attnum = a.attnum AND s.inherited = i.inherited)))
  AND NOT ({not_ours})
ORDER BY pg_table_size(c.oid) DESC, 2, 3"""

_INDEXES = """
SELECT n.nspname, t.relname, 'index ' || c.relname AS what, {owned} AS seen,
       has_any_column_privilege(t.oid, 'SELECT') AS readable
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_class t ON t.oid = i.indrelid
JOIN pg_namespace n ON n.oid = t.relnamespace
WHERE i.indexprs IS NOT NULL AND i.indpred IS NULL AND i.indisvalid AND c.relkind = 'i' AND t.relpersistence <> 't'
  AND NOT EXISTS (SELECT FROM {columns} AS s WHERE s.relid = i.indexrelid) AND NOT ({not_ours})
ORDER BY 1, 2, 3"""

# Before 15 the row with the data is always there, filled or not, and it may rightly stay empty.
_EXTENDED = """
SELECT n.nspname, t.relname, 'extended statistics ' || e.stxname AS what, {owned} AS seen,
       has_any_column_privilege(t.oid, 'SELECT') AS readable
FROM pg_statistic_ext e
JOIN pg_class t ON t.oid = e.stxrelid
JOIN pg_namespace n ON n.oid = t.relnamespace
WHERE coalesce(e.stxstattarget, -1) <> 0
  AND NOT EXISTS (SELECT FROM {extended} AS d WHERE d.stxoid = e.oid) AND NOT ({not_ours})
ORDER BY 1, 2, 3"""
_EXTENDED_SINCE = 150000
_HIDDEN = "this account may not see whether it has statistics: grant it pg_read_all_data, or SELECT on the table"


@dataclass(frozen=True)
class Missing:
    """A table with rows that lacks planner statistics, and what exactly is lacking."""

    dbname: str
    table: str
    lacks: str

    def __str__(self) -> str:
        return f"{self.dbname}: {self.table} ({self.lacks})"


def missing_statistics(server: Server) -> list[Missing]:
    """Return all tables with rows that lack statistics, in every database, largest first within each.

    Covers tables, materialized views, partitioned and inheritance parents, expression indexes, and (from 15 on)
    extended statistics. What this account may not see is returned too, saying so: it cannot be told from what is
    missing.
    """
    found = [Missing(dbname, "every table", "this account may not connect to the database") for dbname in server.shut()]
    for dbname in server.databases():
        with server.session(dbname) as session:
            found += _missing_in(session, dbname)
    return found


def _missing_in(session: Session, dbname: str) -> list[Missing]:
    found = []
    seen = sight(session)
    for row in _rows(session, _SUSPECTS, seen, "c"):
        if row["readable"] and not _has_rows(session, row["nspname"], row["relname"], only=not row["inherited"]):
            continue
        lacks = "never analyzed" if row["never"] else _HIDDEN if row["hidden"] else "columns without statistics"
        if row["inherited"]:
            lacks += ", partitioned parent" if row["partitioned"] else ", of its children together"
        found.append(Missing(dbname, f"{row['nspname']}.{row['relname']}", lacks))
    known = {missing.table for missing in found}
    others = _rows(session, _INDEXES, seen, "t")
    if session.info.server_version >= _EXTENDED_SINCE:
        others += _rows(session, _EXTENDED, seen, "t")
    for row in others:
        table = f"{row['nspname']}.{row['relname']}"
        has_rows = not row["readable"] or _has_rows(session, row["nspname"], row["relname"], only=False)
        if table not in known and has_rows:
            found.append(Missing(dbname, table, row["what"] if row["seen"] else f"{row['what']}: {_HIDDEN}"))
    return found


def _rows(session: Session, query: LiteralString, seen: Sight, table: str) -> Rows:
    names = {"columns": seen.columns, "extended": seen.extended}
    conditions = {"hidden": seen.hidden(table), "not_ours": seen.not_ours(table), "owned": seen.owned(table)}
    return session.execute(sql.SQL(query).format(**names, **conditions)).fetchall()


def _has_rows(session: Session, schema: str, table: str, *, only: bool) -> bool:
    query = sql.SQL("SELECT EXISTS (SELECT FROM {only} {table}) AS found").format(
        only=sql.SQL("ONLY" if only else ""), table=sql.Identifier(schema, table)
    )
    row = session.execute(query).fetchone()
    return bool(row and row["found"])
