"""What a cluster holds, noted before an upgrade and again after it: success is read back, never believed."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
from psycopg import sql

from integrations.postgres import sequences, server_log
from integrations.postgres.blocked import counted
from integrations.postgres.connection import Server, Session

Snapshot = Mapping[str, Any]
Name = tuple[str, str]
"""Schema and table."""

_SAMPLE_ROWS = 20
_SAMPLE_PLACES, _ROWS_A_PLACE = 16, 4
_SAMPLES_FOR_S = 30.0
_SMALL_BYTES, _TOGETHER = 8 * 1024 * 1024, 50
_COUNTERS = 2
_LONGEST_STATEMENT_S = 600.0
_SEQUENCES_FOR_S = 60.0

# Roles that belong to PostgreSQL itself or to whoever runs the server for us come and go with the version.
_OTHERS_ROLES = "^(pg_|rds_|rds(admin|repladmin|topmgr|writeforwarduser)$|cloudsql|alloydb|azure_)"
_CLUSTER = """
SELECT txid_snapshot_xmax(txid_current_snapshot()) AS next_xid,
       (SELECT array_agg(datname::text ORDER BY datname) FROM pg_database) AS databases,
       (SELECT array_agg(rolname::text ORDER BY rolname) FROM pg_roles WHERE rolname !~ %(others)s) AS roles,
       (SELECT array_agg(spcname::text ORDER BY spcname) FROM pg_tablespace) AS tablespaces"""
# Each thing with its properties as one text. Of settings only a hash: a value may be a secret.
_PROPERTIES = """
SELECT 'database ' || datname AS thing,
       format('owner %%s, %%s, %%s, %%s', datdba::regrole, pg_encoding_to_char(encoding), datcollate, datctype) AS told
FROM pg_database
UNION ALL
SELECT 'role ' || rolname,
       concat_ws(', ', CASE WHEN rolsuper THEN 'superuser' END, CASE WHEN rolcanlogin THEN 'login' END,
                 CASE WHEN rolcreatedb THEN 'createdb' END, CASE WHEN rolcreaterole THEN 'createrole' END,
                 CASE WHEN rolreplication THEN 'replication' END, CASE WHEN rolbypassrls THEN 'bypassrls' END,
                 CASE WHEN NOT rolinherit THEN 'noinherit' END, 'at most ' || nullif(rolconnlimit, -1),
                 'member of ' || (SELECT string_agg(m.roleid::regrole || CASE WHEN m.admin_option THEN ' (admin)'
                                                    ELSE '' END, ' and ' ORDER BY m.roleid::regrole::text)
                                  FROM pg_auth_members m WHERE m.member = r.oid))
FROM pg_roles r WHERE rolname !~ %(others)s
UNION ALL
SELECT format('setting %%s for %%s in %%s', split_part(setting, '=', 1), coalesce(r.rolname, 'all roles'),
              coalesce(d.datname, 'all databases')), 'hash ' || left(md5(setting), 8)
FROM pg_db_role_setting s LEFT JOIN pg_database d ON d.oid = s.setdatabase LEFT JOIN pg_roles r ON r.oid = s.setrole
CROSS JOIN LATERAL unnest(s.setconfig) AS setting WHERE coalesce(r.rolname, '') !~ %(others)s"""
_EXTENSIONS = "SELECT extname::text AS name, extversion AS version FROM pg_extension"
_SEQUENCES = "SELECT format('%I.%I', schemaname, sequencename) AS name, last_value FROM pg_sequences"
_RELATIONS = """
SELECT c.relkind::text AS kind, count(*) AS number
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid >= 16384 AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
GROUP BY 1"""
_TABLES = """
SELECT n.nspname, c.relname, pg_table_size(c.oid) <= %(small)s AS small
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't' AND c.relispopulated
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
  AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
ORDER BY pg_table_size(c.oid), 1, 2"""
_FIRST = "SELECT md5(string_agg(t::text, '|')) AS sample FROM (SELECT * FROM ONLY {table} LIMIT {limit}) AS t"
# pg_upgrade takes the files as they are, so each row stays where it is (its `ctid`), to the last page of the last file.
_SPREAD = """
SELECT md5(string_agg(t::text, '|' ORDER BY t.ctid)) AS sample FROM ONLY {table} AS t
WHERE t.ctid = ANY (ARRAY(
  SELECT format('(%s,%s)', place * last / greatest(least({places}, last), 1), line)::tid
  FROM (SELECT greatest(pg_relation_size({oid}) / current_setting('block_size')::int - 1, 0) AS last) AS page,
       generate_series(0, least({places}, last)) AS place, generate_series(1, {lines}) AS line))"""
# What a value looks like as text must hang on nothing but the value. Before 12 a float had other digits by default.
_AS_TEXT = (
    "SET extra_float_digits = 0; SET timezone = 'UTC'; SET datestyle = 'ISO, YMD'; SET intervalstyle = 'postgres'; "
    "SET bytea_output = 'hex'; SET xmloption = 'content'"
)


def take(
    server: Server, *, count_for_s: float, like: Snapshot | None = None, same_files: bool = False
) -> dict[str, Any]:
    """Return what the cluster holds, as plain JSON: databases, roles, and in each database what is in it.

    Of each table a sample of rows is hashed: the first ones, or, where the files will be the `same_files` after it,
    some from all over them. Rows are counted, smallest tables first, for `count_for_s` seconds in all. With `like` (an
    earlier snapshot) exactly those tables and in that way, however long it takes.
    """
    spread = same_files if like is None else bool(like.get("spread"))
    with server.session() as session:
        row = session.execute(_CLUSTER, {"others": _OTHERS_ROLES}).fetchone() or {}
        properties = session.execute(_PROPERTIES, {"others": _OTHERS_ROLES}).fetchall()
        log = server_log.mark(session)
    snapshot: dict[str, Any] = {
        **row,
        "spread": spread,
        "properties": {p["thing"]: p["told"] for p in properties},
        "log": log,
        "in": {},
    }
    deadline = time.monotonic() + (count_for_s if like is None else _LONGEST_STATEMENT_S)
    sequences_until = time.monotonic() + _SEQUENCES_FOR_S
    samples_until = time.monotonic() + (_SAMPLES_FOR_S if like is None else _LONGEST_STATEMENT_S)
    for dbname in server.databases():
        known = None if like is None else like["in"].get(dbname, {})
        with server.session(dbname) as session, ThreadPoolExecutor(1 + _COUNTERS) as beside:
            small = _small_first(session)
            sampled = beside.submit(_sampled, server, dbname, _groups(small, known, "samples"), spread, samples_until)
            groups = _groups(small, known, "tables")
            shared = iter(groups)
            counters = [
                beside.submit(_counted, server, dbname, shared, deadline) for _ in range(min(_COUNTERS, len(groups)))
            ]
            snapshot["in"][dbname] = {
                "extensions": {row["name"]: row["version"] for row in session.execute(_EXTENSIONS).fetchall()},
                "sequences": {row["name"]: row["last_value"] for row in session.execute(_SEQUENCES).fetchall()},
                "behind": sequences.behind(session, until=max(sequences_until, time.monotonic() + 1)),
                "relations": {row["kind"]: row["number"] for row in session.execute(_RELATIONS).fetchall()},
                "tables": {name: [rows] for counter in counters for name, rows in counter.result().items()},
                "samples": sampled.result(),
            }
    return snapshot


def _counted(server: Server, dbname: str, groups: Iterator[Sequence[Name]], until: float) -> dict[str, int]:
    """Return the number of rows by table's name, of as many of the groups that are left as there is time for."""

    def rows(name: Name) -> sql.Composed:
        return sql.SQL("SELECT count(*) FROM ONLY {}").format(sql.Identifier(*name))

    with server.session(dbname) as session:
        session.execute("SET max_parallel_workers_per_gather = 0")
        return _in_time(session, groups, rows, until=until)


def _sampled(
    server: Server, dbname: str, groups: Sequence[Sequence[Name]], spread: bool, until: float
) -> dict[str, str]:
    """Return the hash of a sample by table's name, of as many of the groups as there is time for."""
    if not groups:
        return {}
    with server.session(dbname) as session:
        session.execute("SET synchronize_seqscans = off")  # or the first rows would be others each time
        session.execute("SET max_parallel_workers_per_gather = 0")
        session.execute(_AS_TEXT)

        def sample(name: Name) -> sql.Composed:
            table = sql.Identifier(*name)
            return sql.SQL(_SPREAD if spread else _FIRST).format(
                table=table,
                oid=sql.Literal(table.as_string()) + sql.SQL("::regclass"),
                limit=sql.Literal(_SAMPLE_ROWS),
                places=sql.Literal(_SAMPLE_PLACES - 1),
                lines=sql.Literal(_ROWS_A_PLACE),
            )

        return _in_time(session, groups, sample, until=until)


def _groups(small: Mapping[Name, bool], known: Snapshot | None, what: str) -> list[list[Name]]:
    """Return the tables that are wanted, smallest first, the small ones many together."""
    names = [name for name in small if known is None or ".".join(name) in known.get(what, {})]
    few = [name for name in names if small[name]]
    return [few[n : n + _TOGETHER] for n in range(0, len(few), _TOGETHER)] + [[n] for n in names if not small[n]]


def readable(session: Session) -> dict[str, sql.Identifier]:
    """Return the session's tables and materialized views that have rows of their own, by name, smallest first."""
    return {".".join(name): sql.Identifier(*name) for name in _small_first(session)}


def _small_first(session: Session) -> dict[Name, bool]:
    """Return those tables by schema and name, each with whether it is small."""
    rows = session.execute(_TABLES, {"small": _SMALL_BYTES}).fetchall()
    return {(row["nspname"], row["relname"]): row["small"] for row in rows}


def _in_time(
    session: Session, groups: Iterable[Sequence[Name]], look: Callable[[Name], sql.Composed], *, until: float
) -> dict[str, Any]:
    """Look at one group after the other until the time is up (of the monotonic clock); return what was seen, by name.

    `look` is the query for one table; those of a group go together, for the way to the server and back is most of it.
    """
    found: dict[str, Any] = {}
    for group in groups:
        left_ms = round((until - time.monotonic()) * 1000)
        if left_ms <= 0:
            break
        each = [
            sql.SQL("SELECT {} AS name, ({}) AS value").format(sql.Literal(".".join(name)), look(name))
            for name in group
        ]
        try:
            session.execute(sql.SQL("SET statement_timeout = {}").format(sql.Literal(left_ms)))
            rows = session.execute(sql.SQL(" UNION ALL ").join(each)).fetchall()
        except psycopg.errors.QueryCanceled:
            break
        found |= {row["name"]: row["value"] for row in rows}
    session.execute("SET statement_timeout = 0")
    return found


def looked_at(snapshot: Snapshot) -> str:
    """Return of how many tables the rows were counted, and of how many others there is a sample only, for people."""
    number = sum(len(inside["tables"]) for inside in snapshot["in"].values())
    sampled = sum(len(set(inside.get("samples", {})) - set(inside["tables"])) for inside in snapshot["in"].values())
    also = f" and a sample of {counted(sampled, 'larger table')}" if sampled else ""
    return f"the rows of {counted(number, 'table')}{also}"
