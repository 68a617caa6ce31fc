"""The way back from an upgrade on real clusters: link mode before the new server was started, copy mode at any time."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bot.errors import Final, Red
from integrations.postgres import Baseline, Cross, DeleteOld, Upgrade
from sandbox.postgres.cluster import Cluster
from tests.integrations.postgres.conftest import DSN, execute
from tests.integrations.postgres.killed import killed_at_each_moment, life, moment_of
from tests.integrations.postgres.night import Night
from tests.integrations.postgres.test_upgrade import major
from tests.postgres_fixtures import ClusterFactory

UpgradeOf = Callable[..., Upgrade]


@pytest.fixture
def small(cluster_factory: ClusterFactory) -> Iterator[Cluster]:
    """A running 14 with one small table in its database `app`."""
    cluster = cluster_factory(14)
    cluster.start()
    execute(cluster.create_database("app"), "CREATE TABLE things AS SELECT generate_series(1, 1000) AS id")
    yield cluster
    if (cluster.root / "new" / "postmaster.pid").exists():
        cluster.run("pg_ctl", "stop", "-m", "immediate", "-D", cluster.root / "new")


@pytest.fixture
def small_night(small: Cluster, tmp_path: Path) -> Night:
    return Night(tmp_path, {DSN: small.dsn("app")})


def test_in_link_mode_there_is_a_way_back_until_the_new_server_is_started_through_any_kill(
    night: Night, story: Cluster, upgrade_of: UpgradeOf, probes: dict[str, str], tmp_path: Path
) -> None:
    dsn = night.settings[DSN]
    step = upgrade_of(story, mode="link", start=False)
    night.do("baseline", Baseline(probes=probes))
    left = night.do("upgrade", step)
    assert "nothing runs" in left.summary
    assert not (story.data / "global" / "pg_control").exists()
    assert night.state().steps["upgrade"].facts["way_back"]["possible"]
    planned = night.plan_undo("upgrade", step)
    assert "Nothing is lost" in " ".join(planned.details)

    steps = {"upgrade": step.model_dump(mode="json")}
    moment = moment_of(night, story, "upgrade")
    killed = killed_at_each_moment(lambda: life(tmp_path, night, steps, undo=True), moment, every_s=0.25)
    assert killed >= len(("begun", "started")), "between them it is given back, within moments"
    assert major(dsn) == 14
    begun = [line for line in night.lines("upgrade") if line.startswith("The way back begins")]
    assert len(begun) == 1
    assert not (story.root / "new" / "global" / "pg_control").exists(), "nobody starts what shares its files"
    back = night.undo("upgrade", step).summary
    assert "PostgreSQL 14 with its own identity" in back, "once more it only looks"
    assert "are as before" in back
    assert "latest_orders" in back


def test_in_link_mode_there_is_none_once_it_was_started_and_the_old_one_is_deleted_when_it_is_not_needed(
    small: Cluster, small_night: Night, upgrade_of: UpgradeOf, pg14_bin: Path, pg18_bin: Path
) -> None:
    step = upgrade_of(small, mode="link", start=False)
    delete = DeleteOld(old_bin=pg14_bin, old_data=small.data, after_gate="gate")
    with pytest.raises(Final, match="A server is running from"):
        small_night.do("delete", delete)
    small_night.do("upgrade", step)
    new = small.root / "new"

    def start() -> None:
        small.account.run([pg18_bin / "pg_ctl", "start", "-w", "-D", new, "-l", new / "log"], cwd=small.root)

    start()
    with pytest.raises(Final, match="has been started, and it shares its files"):
        small_night.plan_undo("upgrade", step)
    small.account.run([pg18_bin / "pg_ctl", "stop", "-w", "-D", new], cwd=small.root)
    with pytest.raises(Final, match="has been started, and it shares its files"):
        small_night.undo("upgrade", step)
    assert not (small.data / "global" / "pg_control").exists()

    start()
    with pytest.raises(Final, match="gate is not green"):
        small_night.do("delete", delete)
    free = delete.model_copy(update={"after_gate": None})
    with pytest.raises(Red, match="lack statistics"):
        free.plan(small_night.context("delete"))
    execute(small_night.settings[DSN], "ANALYZE")
    planned = free.plan(small_night.context("delete"))
    assert planned.summary.startswith(f"Delete the old cluster in {small.data} (0.0")
    sandbox = (small.data / "sandbox.conf").read_text()
    small_night.do("delete", free)
    assert not small.data.exists()
    assert execute(small_night.settings[DSN], "SELECT count(*) FROM things") == [(1000,)], (
        "the new one shares its files"
    )
    with pytest.raises(Final, match="There is no cluster"):
        free.plan(small_night.context("look"))
    small.data.mkdir()  # the fixture tidies up by what stands there
    (small.data / "sandbox.conf").write_text(sandbox)


@pytest.fixture(params=["copy", "clone"])
def mode(request: pytest.FixtureRequest, cluster_factory: ClusterFactory) -> str:
    if request.param == "clone" and not cluster_factory.share_blocks():
        pytest.skip("no file system here can share blocks between files, and none can be mounted")
    return str(request.param)


def test_after_a_copy_the_writes_since_are_told_and_the_old_server_comes_back(
    mode: str, small: Cluster, small_night: Night, upgrade_of: UpgradeOf, pg18_bin: Path
) -> None:
    dsn = small_night.settings[DSN]
    step = upgrade_of(small, mode=mode, start=False)
    small_night.do("upgrade", step)
    crossed = small_night.do("cross", Cross(upgrade="upgrade"))
    assert major(dsn) == 18
    assert crossed.facts["to"] == 18
    assert "what has been written since" in small_night.state().steps["cross"].facts["way_back"]["loses"]
    execute(
        dsn,
        "CREATE TABLE late (n int)",
        "INSERT INTO late SELECT generate_series(1, 300)",
        "UPDATE late SET n = 0 WHERE n <= 7",
        "DELETE FROM late WHERE n > 295",
        "SELECT pg_stat_force_next_flush()",
    )
    told = " ".join(small_night.plan_undo("upgrade", step).details)
    assert "in the tables are 295 rows (app: public.late 295) new or changed since" in told
    assert "300 inserted, 7 updated and 5 deleted rows" in told
    small.account.run([pg18_bin / "pg_ctl", "stop", "-m", "immediate", "-D", small.root / "new"], cwd=small.root)
    new_log = small.root / "new" / "log"
    small.account.run([pg18_bin / "pg_ctl", "start", "-w", "-D", small.root / "new", "-l", new_log], cwd=small.root)
    execute(dsn, "DELETE FROM things WHERE id <= 12", "UPDATE things SET id = -id WHERE id <= 20")
    told = " ".join(small_night.plan_undo("upgrade", step).details)
    assert "300 inserted" not in told, "a crash takes the server's counters along"
    assert "in the tables are 303 rows (app: public.late 295, app: public.things 8) new or changed since" in told
    assert "20 rows (app: public.things 20) of before changed or gone" in told
    small_night.undo("upgrade", step)
    assert major(dsn) == 14
    assert execute(dsn, "SELECT to_regclass('late')") == [(None,)]
    assert any("public.things 20) of before changed or gone" in line for line in small_night.lines("upgrade"))
