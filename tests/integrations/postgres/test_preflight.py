"""Each refusal of pg_upgrade, and what it only notices in the middle, is found before: on real clusters."""

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydantic import ValidationError

from bot.errors import Final, Red, Temporary
from integrations.postgres import Preflight
from integrations.postgres.rules import RULES
from sandbox.postgres.account import new_folder, remove_folder
from sandbox.postgres.cluster import Cluster
from tests.integrations.postgres.conftest import DSN, execute
from tests.integrations.postgres.night import Night
from tests.reflinks import shares_blocks


@pytest.fixture(scope="module")
def old() -> Iterator[Cluster]:
    """A running 14 with a database `shop`; each test puts back what it changes."""
    folder = new_folder()
    cluster = Cluster.create(folder / "old", 14, settings={"max_prepared_transactions": "2"})
    cluster.start()
    cluster.create_database("shop")
    yield cluster
    cluster.destroy()
    remove_folder(folder)


@pytest.fixture
def night(old: Cluster, tmp_path: Path) -> Night:
    return Night(tmp_path, {DSN: old.dsn("shop")})


@pytest.fixture
def full(old: Cluster, pg14_bin: Path, pg18_bin: Path) -> Callable[..., Preflight]:
    def make(**fields: Any) -> Preflight:
        places = {"old_bin": pg14_bin, "new_bin": pg18_bin, "old_data": old.data, "new_data": old.root / "new"}
        return Preflight.model_validate({**places, **fields})

    return make


REFUSED = [
    (
        "prepared transactions",
        "BEGIN\\; CREATE TABLE prepared (id int)\\; PREPARE TRANSACTION 'x1'",
        "ROLLBACK PREPARED 'x1'",
        "x1 (shop, since",
    ),
    (
        "invalid databases",
        "CREATE DATABASE broken; UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'broken'",
        "UPDATE pg_database SET datconnlimit = -1 WHERE datname = 'broken'; DROP DATABASE broken",
        "broken",
    ),
    (
        "databases without connections",
        "CREATE DATABASE closed ALLOW_CONNECTIONS false",
        "DROP DATABASE closed",
        "closed",
    ),
    (
        "template0 allows connections",
        "ALTER DATABASE template0 ALLOW_CONNECTIONS true",
        "ALTER DATABASE template0 ALLOW_CONNECTIONS false",
        "template0",
    ),
    ("reg* columns", "CREATE TABLE hooks (f regproc)", "DROP TABLE hooks", "shop: public.hooks.f (regproc)"),
    (
        "reg* columns",
        "CREATE DOMAIN hook AS regprocedure; CREATE TYPE pair AS (a int, h hook[]); CREATE TABLE pairs (p pair)",
        "DROP TABLE pairs; DROP TYPE pair; DROP DOMAIN hook",
        "shop: public.pairs.p (pair)",
    ),
    (
        "system composite columns",
        "CREATE TABLE rows (r pg_class)",
        "DROP TABLE rows",
        "shop: public.rows.r (pg_class)",
    ),
    (
        "exclusive base backup",
        "SELECT pg_start_backup('nightly', true, true)",
        "SELECT pg_stop_backup()",
        "since 20",
    ),
    ("aclitem columns", "CREATE TABLE grants (a aclitem[])", "DROP TABLE grants", "shop: public.grants.a (aclitem[])"),
    (
        "not-null inconsistencies",
        "CREATE TABLE p (a int NOT NULL); CREATE TABLE ch () INHERITS (p); ALTER TABLE ch ALTER a DROP NOT NULL",
        "DROP TABLE p CASCADE",
        "shop: ch.a (not null in p)",
    ),
]


@pytest.mark.parametrize("case", REFUSED, ids=[case[0] for case in REFUSED])
def test_what_pg_upgrade_refuses_is_found_by_asking(night: Night, old: Cluster, case: tuple[str, ...]) -> None:
    check, make, unmake, place = case
    execute(night.settings[DSN], *statements(make))
    try:
        with pytest.raises(Red) as red:
            night.do("preflight", Preflight(new_major=18))
    finally:
        execute(night.settings[DSN], *statements(unmake))
    assert place in str(red.value)
    assert f"({check})" in red.value.files["findings.txt"]
    assert "mend:" in red.value.files["findings.txt"]
    assert str(red.value).startswith("1 finding would stop")


def statements(text: str) -> list[str]:
    """Split at `; `; one escaped with a backslash belongs to a statement that is sent as a whole."""
    return [part.replace("\\;", ";") for part in re.split(r"(?<!\\); ", text)]


def test_nothing_found_is_green_and_says_what_was_asked(night: Night) -> None:
    outcome = night.do("preflight", Preflight(new_major=17))
    assert "Nothing stops the upgrade to PostgreSQL 17" in outcome.summary
    assert outcome.facts["findings"] == []


def test_every_question_is_understood_by_the_server(old: Cluster) -> None:
    """The rules for older majors find nothing here, but have to be valid all the same."""
    with psycopg.connect(old.dsn("shop"), autocommit=True) as session:
        for rule in RULES:
            if rule.first_old <= 14 and ("sql_identifier" in rule.query or rule.last_old >= 14):
                session.execute(rule.query.encode()).fetchall()


def test_a_trial_finds_nothing_on_a_plain_cluster_and_leaves_nothing(
    night: Night, old: Cluster, full: Callable[..., Preflight]
) -> None:
    before = sorted(path.name for path in old.root.iterdir())
    outcome = night.do("preflight", full())
    assert "Data checksums are off" in outcome.summary
    assert outcome.facts["warnings"] == 0
    assert sorted(path.name for path in old.root.iterdir()) == before


def test_clone_mode_is_refused_in_clear_words_where_files_cannot_share_blocks(
    night: Night, old: Cluster, full: Callable[..., Preflight]
) -> None:
    look = full(mode="clone", restore_schema=False)
    if shares_blocks(old.root):
        night.do("preflight", look)
        return
    with pytest.raises(Red, match="could not clone file between old and new data directories") as red:
        night.do("preflight", look)
    assert "cannot share blocks between files. Use `mode: copy`" in str(red.value)
    assert "Checking cluster versions" not in str(red.value)


def test_a_trial_finds_what_check_accepts_and_what_cannot_be_loaded(
    night: Night, old: Cluster, full: Callable[..., Preflight]
) -> None:
    dsn = night.settings[DSN]
    execute(dsn, "CREATE EXTENSION adminpack", "CREATE VIEW writes AS SELECT buffers_backend FROM pg_stat_bgwriter")
    execute(dsn, "CREATE ROLE shop", "ALTER ROLE shop SET work_mem = '4MB'", "ALTER ROLE shop SET app.kind = 'web'")
    # As an upgrade from 13 or earlier leaves it: the setting went away in 14, what the role kept did not.
    execute(dsn, "ALTER SYSTEM SET allow_system_table_mods = on", "SELECT pg_reload_conf()")
    keep = "UPDATE pg_db_role_setting SET setconfig = setconfig || '{vacuum_cleanup_index_scale_factor=0.1}'::text[]"
    execute(dsn, "SET allow_system_table_mods = on; " + keep)
    try:
        with pytest.raises(Red) as red:
            night.do("preflight", full())
    finally:
        execute(dsn, "DROP EXTENSION adminpack", "DROP VIEW writes", "DROP ROLE shop")
        execute(dsn, "ALTER SYSTEM RESET ALL", "SELECT pg_reload_conf()")
    told = red.value.files["findings.txt"]
    assert "column pg_stat_bgwriter.buffers_backend does not exist" in told
    assert "vacuum_cleanup_index_scale_factor for shop in all databases" in told
    assert "$libdir/adminpack" in told
    assert "used by shop: adminpack" in told
    assert "pg_upgrade --check" in told
    assert "work_mem" not in told
    assert "app.kind" not in told


def test_a_library_of_ones_own_that_is_missing_is_found(
    night: Night, old: Cluster, full: Callable[..., Preflight], pg14_bin: Path
) -> None:
    dsn = night.settings[DSN]
    library = next(pg14_bin.parent.rglob("pageinspect.so"))
    execute(dsn, f"CREATE FUNCTION header(bytea) RETURNS record LANGUAGE c AS '{library}', 'page_header'")
    try:
        with pytest.raises(Red) as red:
            night.do("preflight", full(restore_schema=False))
    finally:
        execute(dsn, "DROP FUNCTION header")
    assert str(library) in red.value.files["findings.txt"]
    assert "used by shop: header(bytea)" in red.value.files["findings.txt"]


def test_folders_that_do_not_fit_are_found(
    night: Night, old: Cluster, full: Callable[..., Preflight], pg18_bin: Path, tmp_path: Path
) -> None:
    with pytest.raises(Red) as red:
        night.do("preflight", full(old_bin=pg18_bin, new_data=old.data))
    assert "is not empty" in str(red.value)
    assert "is of 18, the server of 14" in str(red.value)
    with pytest.raises(Final, match="no PostgreSQL server that runs here"):
        night.do("preflight", full(new_bin=tmp_path))


def test_another_file_system_cannot_be_linked_to(night: Night, full: Callable[..., Preflight]) -> None:
    shm = Path("/dev/shm")
    if not shm.is_dir() or shm.stat().st_dev == Path("/tmp").stat().st_dev:
        pytest.skip("this machine has no second file system at /dev/shm")
    with pytest.raises(Red, match="are on different file systems"):
        night.do("preflight", full(new_data=shm / "maint-new"))


def test_no_room_on_the_disk_is_found(night: Night, full: Callable[..., Preflight], tmp_path: Path) -> None:
    """A file system too small for a copy, if we may mount one."""
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", small], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("mounting a small file system is not allowed here")
    try:
        with pytest.raises(Red, match="copy mode needs about"):
            night.do("preflight", full(new_data=small / "new", mode="copy"))
    finally:
        subprocess.run(["umount", small], check=True)


def test_another_user_than_the_install_user_is_found(night: Night, old: Cluster) -> None:
    execute(old.dsn(), "CREATE ROLE deputy SUPERUSER LOGIN")
    night.settings[DSN] = old.dsn("shop", user="deputy")
    try:
        with pytest.raises(Red, match="deputy, not postgres"):
            night.do("preflight", Preflight(new_major=18))
    finally:
        execute(old.dsn(), "DROP ROLE deputy")


def test_the_bots_own_server_is_refused(night: Night, old: Cluster) -> None:
    night.settings["MAINT_DATABASE_URL"] = f"postgresql:///postgres?host={old.sockets}&port={old.port}&user=postgres"
    with pytest.raises(Final, match="keeps its own database"):
        night.do("preflight", Preflight(new_major=18))


def test_what_is_not_an_upgrade_or_half_described_is_refused(night: Night, pg18_bin: Path) -> None:
    with pytest.raises(Final, match="is PostgreSQL 14 already"):
        night.do("preflight", Preflight(new_major=14))
    with pytest.raises(ValidationError, match="belong together"):
        Preflight(new_bin=pg18_bin)
    with pytest.raises(ValidationError, match="which major"):
        Preflight()


def test_a_server_that_cannot_be_reached_is_worth_another_try(night: Night) -> None:
    night.settings[DSN] = "host=127.0.0.1 port=1 user=postgres password=hunter2"
    with pytest.raises(Temporary, match="cannot be reached") as failed:
        night.do("preflight", Preflight(new_major=18))
    assert "hunter2" not in str(failed.value)
    night.settings[DSN] = "not a connection string with hunter2"
    with pytest.raises(Final, match="is not a PostgreSQL connection string") as refused:
        night.do("preflight", Preflight(new_major=18))
    assert "hunter2" not in str(refused.value)
