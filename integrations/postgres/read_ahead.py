"""Read ahead only where there is something to wait for: not where a table's blocks come out of the machine's memory.

From 18 on blocks that will be needed are read by processes of their own (PostgreSQL manual, `io_method`). For a table
that the operating system has in its memory, as right after an upgrade, handing each block over costs more than reading
it: on two cores an ANALYZE took a fifth more of the processor.
"""

from typing import Any

import psycopg
from psycopg import sql

from integrations.postgres.connection import Session
from integrations.postgres.tables import Work

_WORTH_A_LOOK_BYTES = 32 * 1024 * 1024
_SINCE = 180000
_LOOKS = 64
_FROM_MEMORY_MS = 0.03
"""What reading a block of 8 kB takes at most where no disk is asked: a fast one takes three times that."""
_LOOK = """
EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) SELECT count(*) FROM ONLY {table} WHERE ctid = ANY (ARRAY(
  SELECT format('(%s,1)', place * pages / {looks})::tid
  FROM (SELECT pg_relation_size({name}::regclass) / current_setting('block_size')::int AS pages) AS file,
       generate_series(0, {looks} - 1) AS place))"""


def suit(session: Session, work: Work) -> None:
    """Set the session's `maintenance_io_concurrency` to what the table is best read with.

    Leaves it as it is where that cannot be told. Raises what the server says of the table, such as that it is gone.
    """
    if work.cost_bytes < _WORTH_A_LOOK_BYTES or session.info.server_version < _SINCE:
        return
    took_ms = _block_ms(session, work)
    if took_ms is not None:
        value = "0" if took_ms <= _FROM_MEMORY_MS else "DEFAULT"
        session.execute(f"SET maintenance_io_concurrency TO {value}".encode())


def _block_ms(session: Session, work: Work) -> float | None:
    """Return the milliseconds that it took to read a block, of some from all over the table; None if it is not told."""
    table = sql.Identifier(work.schema, work.table)
    look = sql.SQL(_LOOK).format(table=table, name=sql.Literal(table.as_string()), looks=sql.Literal(_LOOKS))
    try:
        session.execute("SET track_io_timing = on")  # for superusers, and whom they have granted it
        row = session.execute(look).fetchone()
    except psycopg.errors.InsufficientPrivilege:
        return None
    told: dict[str, Any] = row["QUERY PLAN"][0]["Plan"] if row else {}
    read = int(told.get("Shared Read Blocks", 0))
    return float(told.get("Shared I/O Read Time", 0.0)) / read if read else 0.0
