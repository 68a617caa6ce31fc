"""Sequences that would give out a number which their column holds already: inserts would collide.

Logical replication (and so a blue/green deployment) carries rows and not the state of sequences: PostgreSQL manual,
chapter "Logical Replication", section "Restrictions".
"""

import time

import psycopg
from psycopg import sql

from integrations.postgres.connection import Session

# Owned by a column: `serial` (deptype a), identity (i). What comes next is the start until it was called once.
_OWNED = """
SELECT format('%I.%I', sn.nspname, s.relname) AS name, n.nspname, c.relname, a.attname, q.seqincrement,
       coalesce(pg_sequence_last_value(s.oid) + q.seqincrement, q.seqstart) AS next
FROM pg_sequence q JOIN pg_class s ON s.oid = q.seqrelid JOIN pg_namespace sn ON sn.oid = s.relnamespace
JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = s.oid AND d.deptype IN ('a', 'i')
                AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
JOIN pg_class c ON c.oid = d.refobjid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
WHERE NOT q.seqcycle AND s.relpersistence <> 't' AND c.relkind IN ('r', 'p')
  AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype)
  AND has_sequence_privilege(s.oid, 'SELECT, USAGE') AND has_table_privilege(c.oid, 'SELECT')
ORDER BY 1"""


def behind(session: Session, *, until: float) -> dict[str, str]:
    """Return the sequences of the session's database that are behind their column, each with what is wrong.

    Looks until `until` (of the monotonic clock): a column without an index has to be read whole, and one that takes
    longer is left out.
    """
    found = {}
    for row in session.execute(_OWNED).fetchall():
        left_ms = round((until - time.monotonic()) * 1000)
        if left_ms <= 0:
            break
        ascending = row["seqincrement"] > 0
        furthest = sql.SQL("SELECT {}({}) AS value FROM {}").format(
            sql.SQL("max" if ascending else "min"),
            sql.Identifier(row["attname"]),
            sql.Identifier(row["nspname"], row["relname"]),
        )
        try:
            session.execute(sql.SQL("SET statement_timeout = {}").format(sql.Literal(left_ms)))
            value = (session.execute(furthest).fetchone() or {}).get("value")
        except psycopg.errors.QueryCanceled:
            break
        if value is not None and (value >= row["next"] if ascending else value <= row["next"]):
            column = f"{row['nspname']}.{row['relname']}.{row['attname']}"
            found[row["name"]] = f"would give {row['next']} next, and {column} holds {value}"
    session.execute("SET statement_timeout = 0")
    return found
