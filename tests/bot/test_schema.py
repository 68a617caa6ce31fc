"""The tables of every version become those of this one, once, and an older bot works with newer ones."""

import hashlib
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from bot.database import Database
from bot.schema import MIGRATIONS, TooOld, migrate
from tests.bot.databases import address, another, database, postgres_address, postgres_server

__all__ = ["address", "another", "database", "postgres_address", "postgres_server"]

RELEASED: tuple[str, ...] = (
    "8ee96197101c1af5",
    "2e481c9359ca2c25",
    "f07ce697fd82096f",
    "308c3b8b6dcd753c",
    "3d6bc26d72aaa700",
)
"""The SHA-256 of each migration. Others have carried it out: a change goes into a new one at the end of the list."""
NEWER = (*MIGRATIONS, ("CREATE TABLE extra (id TEXT PRIMARY KEY)", "ALTER TABLE progress ADD COLUMN more TEXT"))


def migrated(database: Database, migrations: tuple[tuple[str, ...], ...] = MIGRATIONS) -> int:
    with database.transaction():
        return migrate(database.query, migrations)


def versions(database: Database) -> list[int]:
    return [int(row["version"]) for row in database.query("SELECT version FROM schema_versions ORDER BY version")]


def test_a_migration_is_never_changed() -> None:
    digests = [hashlib.sha256("\0".join(statements).encode()).hexdigest()[:16] for statements in MIGRATIONS]
    assert digests == list(RELEASED)


def test_an_empty_database_and_one_from_before_there_were_versions(database: Database) -> None:
    assert versions(database) == list(range(1, len(MIGRATIONS) + 1))
    database.query("INSERT INTO intents (key, at) VALUES ('kept', 'now')")
    database.query("DROP TABLE schema_versions")
    assert migrated(database) == len(MIGRATIONS)
    assert migrated(database) == 0
    assert database.query("SELECT key FROM intents") == [{"key": "kept"}]


def test_an_upgrade_keeps_what_there_is_and_the_older_bot_goes_on(
    database: Database, another: Callable[[], Database]
) -> None:
    older = another()
    assert migrated(database, NEWER) == 1
    database.query("INSERT INTO progress (maintenance, step, at, payload, more) VALUES ('m', 's', 'now', '{}', 'x')")
    older.query("INSERT INTO progress (maintenance, step, at, payload) VALUES ('m', 't', 'now', '{}')")
    assert len(older.query("SELECT step FROM progress")) == 2


def test_a_bot_that_is_older_than_the_tables_starts_so_that_a_release_can_be_taken_back(
    database: Database, another: Callable[[], Database]
) -> None:
    migrated(database, NEWER)
    assert migrated(another()) == 0
    assert versions(database)[-1] == len(NEWER)
    assert migrated(database, NEWER) == 0, "and the release can be made again"


def test_where_a_newer_version_forbids_it_an_older_one_refuses_in_words(
    database: Database, another: Callable[[], Database]
) -> None:
    forbidding = (*NEWER, (f"INSERT INTO schema_floor (version) VALUES ({len(NEWER) + 1})",))
    migrated(database, forbidding)
    assert migrated(database, forbidding) == 0
    with pytest.raises(TooOld, match="a newer bot has worked with it"):
        another()


def test_a_migration_only_adds_so_that_older_versions_go_on() -> None:
    for statement in (statement for statements in MIGRATIONS for statement in statements):
        words = " ".join(statement.split())
        assert re.match(
            r"CREATE (TABLE|INDEX) IF NOT EXISTS \w+ |ALTER TABLE \w+ ADD COLUMN |INSERT INTO schema_floor ", words
        )
        assert "ADD COLUMN" not in words or "NOT NULL" not in words or " DEFAULT " in words, words


def test_a_migration_that_fails_leaves_nothing_behind(database: Database) -> None:
    broken = (*MIGRATIONS, ("CREATE TABLE extra (id TEXT PRIMARY KEY)", "CREATE TABLE extra (id TEXT)"))
    with pytest.raises(Exception, match="already exists"):
        migrated(database, broken)
    assert versions(database) == list(range(1, len(MIGRATIONS) + 1))
    assert migrated(database, NEWER) == 1, "the table of the broken one is not there"


def test_two_that_start_together_migrate_once(database: Database, another: Callable[[], Database]) -> None:
    database.query("DROP TABLE schema_versions")
    with ThreadPoolExecutor(3) as pool:
        assert len(list(pool.map(lambda _: another(), range(3)))) == 3
    assert versions(database) == list(range(1, len(MIGRATIONS) + 1))
