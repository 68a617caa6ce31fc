"""The data that is upgraded and vacuumed: few large tables, many small ones, in no order that helps anybody.

After pg_upgrade tables come in the order of their names (pg_dump's), and without statistics vacuumdb takes them in that
order. So names are drawn, anew for each `layout`.
"""

import random
import shutil
from collections.abc import Mapping
from pathlib import Path

import psycopg
from psycopg import sql

from sandbox.postgres.cluster import Cluster

OLD, NEW = 14, 18
SMALL_TABLES = 200
SMALL_TABLES_EACH = 25
DATABASES = 4
# On top of the sandbox's fsync = off: the disk of a test machine, shared with others, would drown what is compared.
SETTINGS = {"autovacuum": "off", "shared_buffers": "256MB", "max_wal_size": "4GB"}

LARGE = """
CREATE TABLE {name} (id bigint, customer int, product int, state text, note text, made timestamptz, total numeric);
INSERT INTO {name} SELECT g, hashint8(g) % 50000, hashint8(g + 1) % 5000,
  (ARRAY['new', 'paid', 'sent', 'done'])[1 + g % 4], repeat(md5(g::text), 7), '2020-01-01'::timestamptz + g * interval
  '1 minute', g % 1000 FROM generate_series(1, {rows}) AS g;
UPDATE {name} SET state = 'gone' WHERE id % 20 = 0;
ALTER TABLE {name} ADD PRIMARY KEY (id);
CREATE INDEX ON {name} (customer);
CREATE INDEX ON {name} (product, made);
CREATE INDEX ON {name} (made);
DELETE FROM {name} WHERE id % 33 = 0;
"""
SMALL = """
CREATE TABLE {name} (id int PRIMARY KEY, value text);
INSERT INTO {name} SELECT g, md5(g::text) FROM generate_series(1, 500) AS g;
DELETE FROM {name} WHERE id % 10 = 0;
"""
PARTITIONED = """
CREATE TABLE events (id bigint, at date) PARTITION BY RANGE (at);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-07-01');
CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('2026-07-01') TO ('2027-01-01');
INSERT INTO events SELECT g, '2026-01-01'::date + g % 365 FROM generate_series(1, {rows}) AS g;
"""


def one_database(rows: int) -> dict[str, str]:
    """Three large tables (the largest with `rows`), many small ones, one partitioned."""
    parts = [LARGE.format(name=f"large_{n}", rows=rows // n) for n in (1, 2, 3)]
    parts += [SMALL.format(name=f"small_{n}") for n in range(SMALL_TABLES)]
    return {"bench": "".join([*parts, PARTITIONED.format(rows=rows // 10)])}


def four_databases(rows: int) -> dict[str, str]:
    """In each database one large table and some small ones."""
    parts = [LARGE.format(name="large_1", rows=rows // 4)]
    parts += [SMALL.format(name=f"small_{n}") for n in range(SMALL_TABLES_EACH)]
    return {f"bench_{n}": "".join(parts) for n in range(DATABASES)}


def made(folder: Path, databases: Mapping[str, str]) -> Cluster:
    """Make a stopped cluster of the old major in `folder`, with the databases (name to SQL)."""
    old = Cluster.create(folder / "old", OLD, settings=SETTINGS)
    with old.started():
        for name, text in databases.items():
            with psycopg.connect(old.create_database(name), autocommit=True) as session:
                session.execute("SET synchronous_commit = off")
                session.execute("SET maintenance_work_mem = '512MB'")
                for statement in text.split(";\n"):
                    if statement.strip():
                        session.execute(statement.encode())
            print(f"  {name}: {_megabytes(old.dsn(name)):,.0f} MB", flush=True)
    return old


def laid_out(old: Cluster, folder: Path, layout: int) -> Cluster:
    """Give a copy of `old` names by `layout`, in `folder`, and upgrade it for real, leaving statistics behind."""
    copied = old.copy(folder / f"old-{layout}")
    with copied.started(), psycopg.connect(copied.dsn()) as session:
        names = [name for (name,) in session.execute("SELECT datname FROM pg_database WHERE datname ~ '^bench'")]
        for name in names:
            _rename(copied.dsn(name), layout)
    new = Cluster.create(folder / f"new-{layout}", NEW, settings=SETTINGS)
    places: list[str | Path] = ["-b", copied.bin, "-B", new.bin, "-d", copied.data, "-D", new.data]
    new.run("pg_upgrade", "--link", "--no-statistics", *places, "-U", "postgres", "-s", new.root, timeout_s=1800)
    shutil.rmtree(copied.root)
    return new


def _rename(dsn: str, layout: int) -> None:
    with psycopg.connect(dsn, autocommit=True) as session:
        tables = "SELECT relname FROM pg_class WHERE relname ~ '^(large|small)_[0-9]+$' AND relkind = 'r' ORDER BY 1"
        names = [name for (name,) in session.execute(tables)]
        numbers = random.Random(layout).sample(range(1000), len(names))
        for name, number in zip(names, numbers, strict=True):
            new = f"t{number:03}_{name}"
            session.execute(sql.SQL("ALTER TABLE {} RENAME TO {}").format(sql.Identifier(name), sql.Identifier(new)))


def _megabytes(dsn: str) -> float:
    with psycopg.connect(dsn) as session:
        row = session.execute("SELECT pg_database_size(current_database())").fetchone()
    return float(row[0]) / 1_000_000 if row else 0.0
