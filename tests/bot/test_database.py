"""What both databases promise alike: one shape of rows, whole transactions, errors told apart."""

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from bot.database import Database, SqliteDatabase, Unavailable, UniqueViolation
from bot.database_postgres import PostgresDatabase
from sandbox.postgres.cluster import Cluster
from tests.bot.databases import address, another, database, opened, postgres_address, postgres_server

__all__ = ["address", "another", "database", "postgres_address", "postgres_server"]

CHECKOUT = Path(__file__).resolve().parents[2]
INSERT = "INSERT INTO intents (key, at) VALUES (?, ?)"


def keys(database: Database) -> list[str]:
    return [str(row["key"]) for row in database.query("SELECT key FROM intents ORDER BY key")]


def test_rows_are_dicts_and_text_comes_back_as_it_went(database: Database) -> None:
    odd = "māori ⏱ '\"%s ? \\ \n"
    assert database.query(INSERT, (odd, "now")) == []
    assert database.query("SELECT key, at FROM intents") == [{"key": odd, "at": "now"}]


def test_a_transaction_is_all_or_nothing(database: Database) -> None:
    def half() -> None:
        with database.transaction():
            database.query(INSERT, ("a", "now"))
            assert keys(database) == ["a"]
            raise KeyError("in the middle")

    with pytest.raises(KeyError):
        half()
    assert keys(database) == []
    with database.transaction():
        database.query(INSERT, ("b", "now"))
    assert keys(database) == ["b"]


def test_others_see_a_transaction_only_when_it_is_whole(database: Database, another: Callable[[], Database]) -> None:
    other = another()
    with database.transaction():
        database.query(INSERT, ("a", "now"))
        assert keys(other) == []
    assert keys(other) == ["a"]


def test_a_known_key_is_told_and_rolls_everything_back(database: Database) -> None:
    database.query(INSERT, ("a", "now"))

    def again() -> None:
        with database.transaction():
            database.query(INSERT, ("b", "now"))
            database.query(INSERT, ("a", "now"))

    with pytest.raises(UniqueViolation):
        again()
    assert keys(database) == ["a"]


def test_another_violation_is_not_taken_for_a_known_key(database: Database) -> None:
    with pytest.raises((sqlite3.IntegrityError, psycopg.IntegrityError)):
        database.query(INSERT, ("a", None))


def test_a_transaction_inside_another_is_refused(database: Database) -> None:
    def nested() -> None:
        with database.transaction():
            database.query(INSERT, ("a", "now"))
            with database.transaction():
                raise AssertionError("never in here")

    with pytest.raises(RuntimeError, match="inside a transaction"):
        nested()
    assert keys(database) == []
    with database.transaction():
        database.query(INSERT, ("b", "now"))
    assert keys(database) == ["b"]


def test_many_threads_write_without_losing_anything(database: Database) -> None:
    def write(number: int) -> None:
        with database.transaction():
            database.query(INSERT, (f"{number:03}", "now"))

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(write, range(120)))
    assert keys(database) == [f"{number:03}" for number in range(120)]


def test_processes_that_start_together_make_the_tables_once(address: str) -> None:
    code = "import sys; from tests.bot.databases import opened; opened(sys.argv[1]).close()"
    starting = [
        subprocess.Popen([sys.executable, "-c", code, address], cwd=CHECKOUT, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    told = [process.communicate(timeout=60)[1] for process in starting]
    assert [process.returncode for process in starting] == [0] * 4, told
    database = opened(address)
    assert keys(database) == []
    database.close()


def test_a_file_that_stays_locked_is_unavailable_and_then_usable_again(tmp_path: Path) -> None:
    path = tmp_path / "maint.sqlite3"
    database = SqliteDatabase(path, busy_timeout_s=0.1)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="locked"):
        database.query(INSERT, ("a", "now"))

    def write() -> None:
        with database.transaction():
            raise AssertionError("never in here")

    with pytest.raises(Unavailable):
        write()
    holder.execute("ROLLBACK")
    database.query(INSERT, ("a", "now"))
    assert keys(database) == ["a"]
    holder.close()
    database.close()


def test_a_full_disk_is_unavailable_and_nothing_is_half_written(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "maint.sqlite3")
    (pages,) = database.query("PRAGMA page_count")
    database.query(f"PRAGMA max_page_count = {pages['page_count'] + 2}")

    def fill() -> None:
        with database.transaction():
            for number in range(10_000):
                database.query(INSERT, (f"{number}:{'x' * 500}", "now"))

    with pytest.raises(Unavailable, match="full"):
        fill()
    assert keys(database) == []
    database.query("PRAGMA max_page_count = 1000000")
    database.query(INSERT, ("a", "now"))
    assert keys(database) == ["a"]
    database.close()


def test_a_server_that_goes_away_is_unavailable_and_is_found_again(
    postgres_address: str, postgres_server: Cluster
) -> None:
    database = PostgresDatabase(postgres_address, connections=2, timeout_s=1.0)
    database.query(INSERT, ("a", "now"))
    postgres_server.stop("immediate")
    try:
        with pytest.raises(Unavailable):
            database.query(INSERT, ("b", "now"))
    finally:
        postgres_server.start()
    done = threading.Event()

    def until_back() -> None:
        while not done.is_set():
            try:
                database.query(INSERT, ("c", "now"))
            except Unavailable:
                done.wait(0.1)
            else:
                done.set()

    waiting = threading.Thread(target=until_back)
    waiting.start()
    waiting.join(60)
    assert done.is_set()
    assert keys(database) == ["a", "c"]
    database.close()


def test_a_server_that_dies_in_a_transaction_leaves_nothing(postgres_address: str, postgres_server: Cluster) -> None:
    database = PostgresDatabase(postgres_address, connections=2, timeout_s=1.0)

    def interrupted() -> None:
        with database.transaction():
            database.query(INSERT, ("a", "now"))
            postgres_server.stop("immediate")
            database.query(INSERT, ("b", "now"))

    try:
        with pytest.raises(Unavailable):
            interrupted()
    finally:
        if not postgres_server.running:
            postgres_server.start()
    database.close()
    again = opened(postgres_address)
    assert keys(again) == []
    again.close()
