"""pg_upgrade as a step: refused early, failed safely, carried through, and never run twice."""

import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bot.errors import Final, Red, Stopped, Temporary
from integrations.postgres import Baseline, Note, ReadBack, Upgrade
from sandbox.postgres.binaries import binaries
from sandbox.postgres.cluster import Cluster
from sandbox.postgres.story import story_probes
from tests.integrations.postgres.conftest import DSN, execute
from tests.integrations.postgres.killed import killed_at_each_moment, life, moment_of
from tests.integrations.postgres.night import Night

UpgradeOf = Callable[..., Upgrade]


def major(dsn: str) -> int:
    with psycopg.connect(dsn) as session:
        return session.info.server_version // 10000


def test_a_refusal_shows_the_check_and_its_file_and_changes_nothing(
    night: Night, story: Cluster, upgrade_of: UpgradeOf
) -> None:
    dsn = night.settings[DSN]
    execute(dsn, "CREATE TABLE hooks (name text, f regproc)", "CREATE SEQUENCE tickets", "SELECT nextval('tickets')")
    step = upgrade_of(story, mode="copy")
    with pytest.raises(Final) as refused:
        night.do("upgrade", step)
    told = str(refused.value)
    assert "reg* data types in user tables" in told
    assert "public.hooks.f" in told, "the content of the file that pg_upgrade only names"
    assert "the old server is running and open" in told
    assert any(name.startswith("check-") for name in refused.value.files)
    assert major(dsn) == 14

    execute(dsn, "ALTER TABLE hooks ALTER f TYPE text")
    execute(dsn, "ALTER SYSTEM SET work_mem = '5MB'", "ALTER SYSTEM SET vacuum_defer_cleanup_age = 7")
    execute(dsn, "SELECT pg_reload_conf()")
    outcome = night.do("upgrade", step)
    assert major(dsn) == 18
    assert "planner statistics came along" in outcome.summary
    assert execute(dsn, "SHOW work_mem") == [("5MB",)]
    assert any("18 has no vacuum_defer_cleanup_age, left out" in line for line in night.lines("upgrade"))
    assert execute(dsn, "SELECT last_value FROM tickets") == [(1,)]

    story.run("pg_ctl", "stop", "-w", "-D", story.root / "new")
    with story.started():
        assert major(dsn) == 14, "a copied cluster can be gone back to"


def test_a_failure_in_the_middle_starts_the_old_server_again(
    night: Night, story: Cluster, upgrade_of: UpgradeOf
) -> None:
    """`--check` accepts a view on a column that the new major has not; the upgrade itself does not."""
    dsn = night.settings[DSN]
    execute(dsn, "CREATE VIEW writes AS SELECT buffers_backend FROM pg_stat_bgwriter")
    step = upgrade_of(story, mode="link")
    with pytest.raises(Final) as failed:
        night.do("upgrade", step)
    assert "The old server is running again" in str(failed.value)
    assert any("buffers_backend does not exist" in text for text in failed.value.files.values())
    assert major(dsn) == 14

    execute(dsn, "DROP VIEW writes")
    night.do("upgrade", step)
    assert major(dsn) == 18
    again = night.do("upgrade", step)
    assert again.facts["to"] == 18, "asked again, it only says what was done"


def test_to_17_statistics_are_missing_without_being_asked_for_and_there_is_a_way_back(
    night: Night, story: Cluster, upgrade_of: UpgradeOf
) -> None:
    dsn = night.settings[DSN]
    execute(dsn, "CREATE ROLE clerk", "CREATE ROLE shop", "GRANT shop TO clerk", "ALTER ROLE shop SET work_mem = '5MB'")
    execute(dsn, "CREATE TABLE bills (id serial, n int)", "INSERT INTO bills (n) SELECT generate_series(1, 5)")
    night.do("note", Note())
    step = upgrade_of(story, new_bin=binaries(17), mode="copy")
    outcome = night.do("upgrade", step)
    assert outcome.facts["statistics_kept"] is False
    assert execute(dsn, "SELECT reltuples FROM pg_class WHERE relname = 'orders'") == [(-1,)]

    back = night.do("read-back", ReadBack(note="note", major=17))
    assert "its log has no errors" in back.summary
    with pytest.raises(Red, match=r"answers as PostgreSQL 17.*and 18 was to come of it"):
        night.do("read-back", ReadBack(note="note", major=18))
    execute(dsn, "REVOKE shop FROM clerk", "ALTER ROLE shop RESET work_mem", "SELECT setval('bills_id_seq', 3)")
    execute(dsn, "DELETE FROM refunds WHERE ctid = (SELECT min(ctid) FROM refunds)")
    execute(dsn, "UPDATE bills SET n = 7 WHERE n = 3")
    with pytest.raises(Red) as red:
        night.do("read-back", ReadBack(note="note"))
    told = str(red.value)
    assert "role clerk: was member of shop, is nothing" in told
    assert "setting work_mem for shop in all databases: was hash" in told
    assert "sequence public.bills_id_seq was at 5, is at 3" in told
    assert "bills_id_seq would give 4 next, and public.bills.id holds 5: inserts would collide" in told
    assert "public.refunds had" in told
    assert "public.bills does not hold what it held: a sample of its rows has another checksum" in told
    assert "Keep the app off" in told

    back = night.undo("upgrade", step)
    assert "PostgreSQL 14 with its own identity" in back.summary
    assert execute(dsn, "SELECT n FROM bills WHERE id = 3") == [(3,)]
    assert any("public.refunds 1) of before changed or gone" in line for line in night.lines("upgrade"))


def test_an_abort_before_the_new_server_opens_gives_the_old_one_back(
    night: Night, story: Cluster, upgrade_of: UpgradeOf, counted_bin: Path
) -> None:
    """The wrapper around pg_upgrade aborts the maintenance just before linking would begin."""
    once((counted_bin / "calls").exists, night.abort)
    with pytest.raises(Stopped, match="The old server is running again"):
        night.do("upgrade", upgrade_of(story, new_bin=counted_bin))
    assert major(night.settings[DSN]) == 14


def once(condition: Callable[[], bool], do: Callable[[], None]) -> None:
    """Do something in another thread as soon as the condition holds."""

    def watch() -> None:
        deadline = time.monotonic() + 60
        while not condition():
            if time.monotonic() > deadline:
                return
            time.sleep(0.02)
        do()

    threading.Thread(target=watch, daemon=True).start()


def test_a_standby_is_refused(night: Night, story: Cluster, upgrade_of: UpgradeOf) -> None:
    story.stop()
    (story.data / "standby.signal").touch()
    story.start()
    with pytest.raises(Final, match="is a standby"):
        night.do("upgrade", upgrade_of(story))
    assert not (story.root / "new").exists()


def test_the_server_of_the_bots_own_database_is_refused(night: Night, story: Cluster, upgrade_of: UpgradeOf) -> None:
    night.settings["MAINT_DATABASE_URL"] = (
        f"postgresql:///postgres?host={story.sockets}&port={story.port}&user=postgres"
    )
    with pytest.raises(Final, match="keeps its own database"):
        night.do("upgrade", upgrade_of(story))


def test_a_folder_with_something_in_it_is_left_alone(night: Night, story: Cluster, upgrade_of: UpgradeOf) -> None:
    (story.root / "new").mkdir()
    (story.root / "new" / "precious").touch()
    with pytest.raises(Final, match="is not empty"):
        night.do("upgrade", upgrade_of(story))
    assert (story.root / "new" / "precious").exists()


def test_versions_that_are_no_upgrade_are_refused(
    night: Night, story: Cluster, upgrade_of: UpgradeOf, pg14_bin: Path
) -> None:
    with pytest.raises(Final, match="that is no upgrade"):
        night.do("upgrade", upgrade_of(story, new_bin=pg14_bin))
    with pytest.raises(Final, match="no PostgreSQL server that runs here"):
        night.do("upgrade", upgrade_of(story, new_bin=Path("/nowhere")))


@pytest.fixture
def counted_bin(story: Cluster, pg18_bin: Path) -> Path:
    """The programs of 18, with a pg_upgrade that notes each real run (not `--check`) in the file `calls`."""
    folder = story.root / "bin18"
    folder.mkdir()
    for program in pg18_bin.iterdir():
        if program.name != "pg_upgrade":
            (folder / program.name).symlink_to(program)
    wrapper = folder / "pg_upgrade"
    wrapper.write_text(
        f'#!/bin/sh\ncase "$*" in *--check*) ;; *) echo upgrade >> {folder}/calls; sleep 0.5 ;; esac\n'
        f'exec {pg18_bin}/pg_upgrade "$@"\n'
    )
    wrapper.chmod(0o755)
    story.account.give(folder)
    return folder


def test_killed_at_each_moment_and_each_second_all_is_done_once(
    night: Night, story: Cluster, upgrade_of: UpgradeOf, counted_bin: Path, tmp_path: Path
) -> None:
    """The whole job: the upgrade, statistics, the gate, and the vacuum."""
    night.do("baseline", Baseline(probes=story_probes()))
    steps = {
        "upgrade": upgrade_of(story, new_bin=counted_bin, no_statistics=True).model_dump(mode="json"),
        "analyze": {},
        "gate": {"baseline": "baseline", "grace_ms": 5000},
        "vacuum": {"analyze": False},
    }
    killed = killed_at_each_moment(lambda: life(tmp_path, night, steps), moment_of(night, story, "upgrade"))
    assert killed > len(("looked", "made", "checked", "counted", "stopped", "upgraded", "opened", "compared"))
    assert (counted_bin / "calls").read_text().split() == ["upgrade"]
    dsn = night.settings[DSN]
    assert major(dsn) == 18
    done = [re.sub(r" \(.*", "", line) for line in night.lines("upgrade")]
    assert len(done) == len(set(done)), "each phase is on record once"
    times = execute(dsn, "SELECT relname, vacuum_count, analyze_count FROM pg_stat_user_tables")
    assert {counts[1:] for counts in times} == {(1, 1)}
    assert all(night.state().steps[step].status == "succeeded" for step in steps)


def test_a_job_lost_before_anything_was_touched_is_begun_anew(
    night: Night, story: Cluster, upgrade_of: UpgradeOf, counted_bin: Path
) -> None:
    """The machine kills everything while pg_upgrade has not begun to link."""
    started = night.context("upgrade").workdir / "pg_upgrade-1" / "started"

    def strike() -> None:
        record = json.loads(started.read_text())
        os.kill(record["supervisor"], signal.SIGKILL)
        os.killpg(record["pid"], signal.SIGKILL)

    once(started.exists, strike)
    with pytest.raises(Temporary, match="Nothing was changed"):
        night.do("upgrade", upgrade_of(story, new_bin=counted_bin))
    assert major(night.settings[DSN]) == 14
    night.do("upgrade", upgrade_of(story, new_bin=counted_bin))
    assert major(night.settings[DSN]) == 18


def test_the_password_is_written_nowhere(cluster_factory: Any, upgrade_of: UpgradeOf, tmp_path: Path) -> None:
    cluster = cluster_factory(14, password="hunter2-of-the-night")
    cluster.start()
    night = Night(tmp_path, {DSN: cluster.dsn()})
    night.do("upgrade", upgrade_of(cluster))
    cluster.run("pg_ctl", "stop", "-m", "immediate", "-D", cluster.root / "new")
    written = [night.journal(), *(p.read_text(errors="replace") for p in tmp_path.rglob("*") if p.is_file())]
    assert not any("hunter2-of-the-night" in text for text in written)
