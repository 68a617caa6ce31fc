"""A copy to rehearse on: made of a server that goes on serving, reaching nothing, and gone at the end."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bot.errors import Final, Stopped
from integrations.postgres import Analyze, Clone, RemoveClone, Upgrade
from integrations.postgres.clone_settings import inward
from integrations.postgres.copies import pointed_with_folders
from sandbox.postgres.account import new_folder
from sandbox.postgres.cluster import Cluster
from tests.integrations.postgres.conftest import DSN, execute
from tests.integrations.postgres.killed import kill, life
from tests.integrations.postgres.night import Night

DATA = "SELECT current_setting('data_directory')"


@pytest.fixture(scope="module")
def live(templates: Callable[[int], Cluster]) -> Iterator[Cluster]:
    """A small running 14 with a tablespace of its own; no test leaves anything beside it."""
    folder = new_folder()
    made = templates(14).copy(folder / "live")
    made.start()
    place = made.root / "apart"
    place.mkdir()
    made.account.give(place)
    far = "CREATE TABLE far TABLESPACE apart AS SELECT 7 AS id"
    execute(made.dsn("shop"), f"CREATE TABLESPACE apart LOCATION '{place}'", far)
    yield made
    made.destroy()
    shutil.rmtree(folder)


@pytest.fixture
def night(live: Cluster, tmp_path: Path) -> Night:
    return Night(tmp_path, {DSN: live.dsn("shop")})


def clone_of(cluster: Cluster, **fields: object) -> Clone:
    places = {"bin": cluster.bin, "folder": cluster.root / "rehearsal", "checkpoint": "fast"}
    return Clone.model_validate({**places, **fields})


def test_a_copy_of_a_live_server_with_tablespaces_is_quiet_and_is_removed(night: Night, live: Cluster) -> None:
    clone = clone_of(live)
    planned = clone.plan(night.context("clone"))
    assert planned.summary.startswith("Copy the live cluster (")
    assert "the live server is only read, and goes on serving" in planned.details
    made = night.do("clone", clone)
    conninfo = made.facts["conninfo"]
    assert execute(conninfo, "SELECT id FROM far") == [(7,)]
    assert execute(conninfo, DATA) == [(str(live.root / "rehearsal" / "old"),)]
    for name, value in {"listen_addresses": "", "archive_mode": "off", "max_logical_replication_workers": "0"}.items():
        assert execute(conninfo, f"SHOW {name}") == [(value,)]
    execute(conninfo, "UPDATE far SET id = 8")
    assert execute(live.dsn("shop"), "SELECT id FROM far") == [(7,)]
    assert made.facts["copy"]["bytes"] == pytest.approx(made.facts["copy"]["live_bytes"], rel=0.1)
    standing = clone.standing(night.context("clone"), made)
    assert standing is not None
    night.do("remove", RemoveClone(of="clone"))
    assert clone.standing(night.context("clone"), made) is None
    assert not (live.root / "rehearsal").exists()
    assert execute(live.dsn("shop"), DATA) == [(str(live.data),)]


def test_a_copy_is_refused_where_it_could_touch_what_is_live(night: Night, live: Cluster) -> None:
    for folder in (live.data / "copy", live.data, live.root, live.root / "apart" / "copy"):
        with pytest.raises(Final, match="is not to be touched"):
            clone_of(live, folder=folder).plan(night.context("clone"))
    with pytest.raises(Final, match="is the live data directory"):
        clone_of(live, directory=live.data).plan(night.context("clone"))
    with pytest.raises(Final, match=r"belongs to .*root"):
        clone_of(live, folder=Path("/maint-rehearsal")).plan(night.context("clone"))
    (live.root / "full").mkdir()
    (live.root / "full" / "precious").touch()
    with pytest.raises(Final, match="is not empty"):
        night.do("clone", clone_of(live, folder=live.root / "full"))
    night.undo("clone", clone_of(live, folder=live.root / "full"))
    assert (live.root / "full" / "precious").exists()


def test_a_backup_that_leads_out_of_the_copy_is_not_started(night: Night, live: Cluster) -> None:
    """Its tablespace is the live one's own, and so is the number in its postmaster.pid: nothing is sent there."""
    restore = clone_of(live, command=["sh", "-c", f'cp -a {live.data}/. "$COPY_TO"'])
    with pytest.raises(Final, match="out of the copy: a server on it could damage"):
        night.do("clone", restore)
    live.account.run(["cp", live.data / "postmaster.pid", live.root / "rehearsal" / "old"], cwd=live.root)
    night.undo("clone", restore)
    assert not (live.root / "rehearsal").exists()
    assert execute(live.dsn("shop"), "SELECT id FROM far") == [(7,)]


def test_a_directory_and_a_command_give_a_copy_as_well(
    tmp_path: Path, live: Cluster, templates: Callable[[int], Cluster]
) -> None:
    backup = templates(14).data
    restored = ["sh", "-c", f'cp -a {backup}/. "$COPY_TO"']
    for source, words in ({"directory": backup}, f"the cluster in {backup}"), ({"command": restored}, "the newest"):
        clone = clone_of(live, folder=live.root / next(iter(source)), **source)
        (tmp_path / clone.folder.name).mkdir()
        night = Night(tmp_path / clone.folder.name, {DSN: live.dsn("shop")})
        clone.plan(night.context("clone"))
        made = night.do("clone", clone)
        assert f"A copy of {words}" in made.summary
        conninfo = made.facts["conninfo"]
        assert execute(conninfo, "SELECT count(*) FROM plain") == [(3000,)]
        assert execute(conninfo, DATA) == [(f"{clone.folder}/old",)]
        night.undo("clone", clone)
        assert not clone.folder.exists()


def test_nothing_falls_back_to_the_live_server(night: Night, live: Cluster, upgrade_of: Callable[..., Upgrade]) -> None:
    """Neither before there is a copy, nor with the folders of the live one, whose identity the copy has."""
    with pytest.raises(Final, match="has not made a copy"):
        night.do("analyze", Analyze(database="copy:clone"))
    night.do("clone", clone_of(live))
    with pytest.raises(Final, match="is not a folder of it"):
        night.do("upgrade", upgrade_of(live, database="copy:clone"))
    assert execute(live.dsn("shop"), DATA) == [(str(live.data),)]
    night.undo("clone", clone_of(live))
    with_ = {"database": "MAINT_POSTGRES_OTHER", "old_data": "/a", "new_data": "/b"}
    assert pointed_with_folders(with_, "clone", {}) is None


def test_a_library_that_connects_to_other_servers_is_not_loaded_on_a_copy() -> None:
    assert inward('pg_stat_statements, "$libdir/pglogical",auto_explain, citus') == "pg_stat_statements, auto_explain"
    assert inward("") == ""


def test_an_abort_ends_the_copying_and_leaves_nothing(night: Night, live: Cluster) -> None:
    restore = clone_of(live, command=["sh", "-c", 'echo begun > "$COPY_TO/begun"; exec sleep 600'])
    begun = live.root / "rehearsal" / "old" / "begun"
    failed: list[Exception] = []

    def copies() -> None:
        try:
            night.do("clone", restore)
        except Stopped as error:
            failed.append(error)

    thread = threading.Thread(target=copies)
    thread.start()
    wait_for(begun.exists)
    night.abort()
    thread.join(60)
    assert failed
    night.undo("clone", restore)
    assert not (live.root / "rehearsal").exists()


def test_a_bot_that_is_killed_finds_its_copying_again(night: Night, live: Cluster, tmp_path: Path) -> None:
    command = ["sh", "-c", 'echo x >> "$COPY_TO/../begun"; while [ ! -e "$COPY_TO/../go" ]; do sleep 0.1; done; '
               'exit 3']  # fmt: skip
    restore = clone_of(live, command=command)
    begun = live.root / "rehearsal" / "begun"
    bot = life(tmp_path, night, {"clone": restore.model_dump(mode="json")})
    wait_for(begun.exists)
    kill(bot)
    (live.root / "rehearsal" / "go").touch()
    with pytest.raises(Final, match="No copy of the newest backup could be made: sh ended with 3"):
        night.do("clone", restore)
    assert begun.read_text() == "x\n"
    night.undo("clone", restore)
    assert not (live.root / "rehearsal").exists()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
