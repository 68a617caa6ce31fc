"""A rehearsal on a copy of a live server: nothing else is touched, and the maintenance planned next knows its times."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from sandbox.postgres.cluster import Cluster
from tests.postgres_fixtures import STORY_DATABASE, ClusterFactory
from tests.scenarios.house import Room, open_house, planned

LONG_S = 120.0
STEPS = """\
  - {id: announce, uses: command, approval: true, with: {argv: [sh, -c, "echo announced >> WORLD"]}}
  - id: preflight
    uses: postgres.preflight
    with: &places {old_bin: OLD_BIN, new_bin: NEW_BIN, old_data: OLD_DATA, new_data: NEW_DATA}
  - {id: off, uses: command, when: start, with: {argv: [sh, -c, "echo off >> WORLD"]}}
  - id: baseline
    uses: postgres.baseline
    with: {probes: {latest: SELECT * FROM orders ORDER BY id DESC LIMIT 20}}
  - {id: upgrade, uses: postgres.upgrade, with: {<<: *places, start: false, count_rows_for_s: 2}}
  - {id: cross, uses: postgres.cross, with: {upgrade: upgrade}}
  - {id: vacuum, uses: postgres.vacuum}
  - {id: gate, title: Is it fast, uses: postgres.gate, with: {baseline: baseline, grace_ms: 5000}}
  - {id: "on", uses: command, with: {argv: [sh, -c, "echo on >> WORLD"]}}
"""
HEAD = """\
rehearsal:
  uses: postgres.clone
  with: {bin: OLD_BIN, folder: FOLDER, checkpoint: fast}
"""


class Customers(threading.Thread):
    """Write to the shop all the time; `served` is how often, and `failed` what they saw when it did not work."""

    def __init__(self, dsn: str) -> None:
        super().__init__(daemon=True)
        self._dsn = dsn
        self._enough = threading.Event()
        self.served = 0
        self.failed: list[str] = []

    def run(self) -> None:
        try:
            with psycopg.connect(self._dsn, autocommit=True) as session:
                while not self._enough.wait(0.1):
                    session.execute("INSERT INTO visits DEFAULT VALUES")
                    self.served += 1
        except psycopg.Error as error:
            self.failed.append(str(error))

    def leave(self) -> None:
        self._enough.set()
        self.join()


@pytest.fixture
def live(pg14_seeded_template: Cluster, cluster_factory: ClusterFactory) -> Cluster:
    made = cluster_factory(template=pg14_seeded_template)
    made.start()
    with psycopg.connect(made.dsn(STORY_DATABASE), autocommit=True) as shop:
        shop.execute("CREATE TABLE visits (id serial)")
    return made


@pytest.fixture
def shop_room(live: Cluster, tmp_path: Path) -> Iterator[Room]:
    """A room in a house whose bot works with the live server."""
    with open_house(tmp_path) as house:
        house.bot.environment["MAINT_POSTGRES_DSN"] = live.dsn(STORY_DATABASE)
        house.slack.wait_s = LONG_S
        house.is_open()
        yield house.room()


def test_a_live_server_is_rehearsed_and_knows_nothing_of_it(shop_room: Room, live: Cluster, pg18_bin: Path) -> None:
    room, folder = shop_room, live.root / "rehearsal"
    begun = asked(live, "SELECT pg_postmaster_start_time()")
    places = {
        "OLD_BIN": live.bin, "NEW_BIN": pg18_bin, "OLD_DATA": live.data, "NEW_DATA": live.root / "new", "FOLDER": folder
    }  # fmt: skip
    texts = [STEPS, HEAD]
    for name, place in places.items():
        texts = [text.replace(name, str(place)) for text in texts]
    runbook = room.runbook(*texts)
    customers = Customers(live.dsn(STORY_DATABASE))
    customers.start()

    room.ana.says(f"/maint rehearse {runbook}")
    first = planned(room.ana, "Rehearsal of Work in")
    assert not folder.exists()
    room.ana.clicks("Approve", on="Approval: Make a copy of the database")
    room.ana.sees("somebody else has to decide")
    room.ben.clicks("Approve", on="Approval: Make a copy of the database")
    shown = room.channel.shows("✓ Rehearsed on")["plain"]
    assert "gate green" in shown
    assert "A window of" in shown
    room.channel.shows("The maintenance is completed")

    customers.leave()
    assert customers.failed == []
    assert asked(live, "SELECT count(*) FROM visits") == customers.served > 0
    assert asked(live, "SELECT pg_postmaster_start_time()") == begun
    assert live.running
    assert not folder.exists()
    assert not (live.root / "new").exists()
    assert room.done() == []

    room.ana.says(f"/maint start {runbook} at tomorrow 22:00 for 2h")
    told = room.ana.sees("is planned: Work in")["plain"]
    assert "Rehearsed on" in told
    assert "gate green, 0 findings" in told

    # What is planned can be rehearsed by its id, and an abort in the middle of the upgrade leaves nothing.
    made = planned(room.ana, "Work in")
    room.ana.says(f"/maint rehearse {made}")
    room.ana.sees(f"{first}-2 is planned: Rehearsal of Work in")
    room.ben.clicks("Approve", on="Approval: Make a copy of the database")
    wait_for((folder / "new" / "PG_VERSION").exists)
    room.ana.says(f"/maint abort {first}-2 seen enough")
    wait_for(lambda: not folder.exists())
    assert live.running
    assert room.done() == []


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONG_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def asked(cluster: Cluster, query: str) -> object:
    with psycopg.connect(cluster.dsn(STORY_DATABASE)) as session:
        row = session.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]
