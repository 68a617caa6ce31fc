"""Who is alive: one process on a folder, several on a server, takeover from the dead, and nobody acts after it."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bot.database_postgres import PostgresDatabase
from bot.entry import Kind
from bot.journal import Draft, Journal
from bot.lease import AlreadyRunning, FileLease, TableLease
from bot.maintenances import Maintenances
from bot.state import State
from sandbox.postgres.cluster import Cluster
from tests.bot.databases import postgres_address, postgres_server
from tests.bot.worker import LOST, happened
from tests.maintenance_fixtures import created_payload, raw_step

__all__ = ["postgres_address", "postgres_server"]

CHECKOUT = Path(__file__).resolve().parents[2]
ID = "2026-11-25-lease"
TTL_S = 2.4
BOT_TTL_S = 4.0  # whole processes share a busy machine: none of them is to be taken for dead while it starts


def until(holds: Callable[[], bool], what: str, within_s: float = 30) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.02)


# -- one folder, one process


def test_a_second_process_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    first = FileLease(tmp_path / "data")
    with pytest.raises(AlreadyRunning, match="MAINT_DATABASE_URL"):
        FileLease(tmp_path / "data")
    assert first.leads()
    first.may_act()
    first.close()
    FileLease(tmp_path / "data").close()


HOLDER = """
import subprocess, sys, time
from pathlib import Path
from bot.lease import FileLease
lease = FileLease(Path(sys.argv[1]))
child = subprocess.Popen(["sleep", "60"], start_new_session=True)
print(child.pid, flush=True)
time.sleep(60)
"""


def test_a_killed_process_frees_the_folder_even_if_its_job_goes_on(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    job = int(holder.stdout.readline())
    try:
        with pytest.raises(AlreadyRunning):
            FileLease(tmp_path)
        holder.kill()
        holder.wait()
        os.kill(job, 0)
        FileLease(tmp_path).close()
    finally:
        os.kill(job, signal.SIGKILL)


# -- one server, several processes


@pytest.fixture
def address(postgres_address: str) -> str:
    """A database that has our tables."""
    PostgresDatabase(postgres_address, connections=1).close()
    return postgres_address


Make = Callable[..., TableLease]


@pytest.fixture
def lease(address: str) -> Iterator[Make]:
    made: list[TableLease] = []

    def make(on_lost: Callable[[], None] = lambda: None, ttl_s: float = TTL_S, knows: int = 0) -> TableLease:
        made.append(TableLease(address, on_lost, ttl_s=ttl_s, knows=knows))
        return made[-1]

    yield make
    for one in made:
        one.close()


def rows(address: str) -> list[str]:
    with psycopg.connect(address) as connection:
        return sorted(str(row[0]) for row in connection.execute("SELECT executor FROM leases").fetchall())


def led_until(address: str) -> str:
    with psycopg.connect(address) as connection:
        [[seen_at]] = connection.execute("SELECT seen_at FROM leases WHERE executor = 'leader'").fetchall()
        return str(seen_at)


def test_each_process_has_a_name_of_its_own_and_one_leads(lease: Make, address: str) -> None:
    first, second = lease(), lease()
    assert first.executor != second.executor
    assert rows(address) == sorted(["leader", first.executor, second.executor])
    assert (first.leads(), second.leads()) == (True, False)
    first.may_act()
    second.may_act()
    first.close()
    assert rows(address) == [second.executor]
    until(second.leads, "the second leads after the first has gone")


def test_the_newer_version_leads_while_it_lives(lease: Make, address: str) -> None:
    older = lease(knows=7)
    assert (older.leads(), older.superseded()) == (True, False)
    newer = lease(knows=10)
    until(older.superseded, "the older one knows")
    assert not older.leads()
    before = led_until(address)
    until(lambda: led_until(address) > before, "the older one keeps the lead")
    assert not newer.leads(), "something may still be on its way to the channel from the older one"
    older.rest()
    until(newer.leads, "the newer one leads")
    older.may_act()  # it may end what it has begun
    equal = lease(knows=10)
    assert [equal.superseded(), newer.superseded()] == [False, False]
    newer.close()
    equal.close()
    until(older.leads, "the older one leads again")
    assert not older.superseded()


def test_a_lease_is_held_for_longer_than_its_life(lease: Make, address: str) -> None:
    first, second = lease(), lease()
    until_later = time.monotonic() + 2.5 * TTL_S
    while time.monotonic() < until_later:
        assert not second.leads()
        first.may_act()
        time.sleep(0.05)
    assert first.leads()
    assert set(rows(address)) == {"leader", first.executor, second.executor}


def test_a_lease_that_was_taken_away_is_told_once_and_lets_nobody_act(lease: Make, address: str) -> None:
    lost: list[str] = []
    first = lease(lambda: lost.append("lost"))
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("DELETE FROM leases")
    until(lambda: lost == ["lost"], "lost")
    until(lambda: not first.leads(), "does not lead any more")
    acting = threading.Thread(target=first.may_act, daemon=True)
    until(lambda: not first._is_fresh(first._held_at), "its life is over")
    acting.start()
    acting.join(2 * TTL_S)
    assert acting.is_alive()
    assert lost == ["lost"]


def test_while_the_server_is_away_nobody_acts_and_afterwards_nobody_is_dead(
    lease: Make, postgres_server: Cluster
) -> None:
    lost: list[str] = []
    first, second = lease(lambda: lost.append("first")), lease(lambda: lost.append("second"))
    postgres_server.stop("immediate")
    try:
        until(lambda: not first.leads(), "nobody leads")
        acting = threading.Thread(target=first.may_act, daemon=True)
        acting.start()
        acting.join(2 * TTL_S)
        assert acting.is_alive()
    finally:
        postgres_server.start()
    acting.join(60)
    assert not acting.is_alive()
    second.may_act()
    until(lambda: first.leads() or second.leads(), "one leads again")
    time.sleep(2 * TTL_S)  # time for a sweep that would take the living for dead
    assert lost == []
    assert first.leads() != second.leads()


# -- whole processes of the bot


class Bots:
    """Processes of the bot on one server, and the world that they act on."""

    def __init__(self, address: str, folder: Path) -> None:
        self.address, self.folder, self.world = address, folder, str(folder / "world")
        self.all = Maintenances(Journal(PostgresDatabase(address, connections=4)))
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, number: int = 1) -> list[subprocess.Popen[str]]:
        """Start processes, and return them when they work."""
        command = [sys.executable, "-m", "tests.bot.worker", self.address, str(self.folder), str(BOT_TTL_S)]
        started = [subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) for _ in range(number)]
        self.processes += started
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("up ")
        return started

    def begin(self, *steps: dict[str, Any]) -> None:
        payload = created_payload(list(steps), datetime.now(UTC))
        self.all.create(ID, Draft(Kind.CREATED, "U0ANA", "created", payload=payload))

    def step(self, name: str, *needs: str, **with_: Any) -> dict[str, Any]:
        return raw_step(name, "test.effect", **{"with": {"world": self.world, **with_}, "needs": list(needs)})

    def applied(self) -> list[tuple[str, int]]:
        """Return every apply that was begun, as (step, process)."""
        told = [line.split() for line in happened(f"{self.world}.applied")]
        return [(key.partition(":")[2], int(pid)) for key, pid in told]

    def state(self) -> State:
        return self.all.state(ID)

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.communicate()
        self.all.journal.database.close()


@pytest.fixture
def bots(address: str, tmp_path: Path) -> Iterator[Bots]:
    bots = Bots(address, tmp_path)
    yield bots
    bots.close()


def test_processes_share_the_work_and_none_of_it_is_done_twice(bots: Bots) -> None:
    names = [f"s{number}" for number in range(24)]
    chains = [bots.step(name, *([names[at - 3]] if at >= 3 else []), before_s=0.05) for at, name in enumerate(names)]
    bots.begin(*chains)
    started = bots.start(2)
    until(lambda: bots.state().status == "completed", "completed", 60)
    assert Counter(name for name, _ in bots.applied()) == Counter(names)
    assert sorted(happened(bots.world)) == sorted(f"{ID}:{name}" for name in names)
    assert bots.all.journal.broken_at(ID) is None
    assert [process.wait(60) for process in started] == [0, 0]


def test_what_a_dead_process_left_is_taken_over_and_has_one_effect(bots: Bots) -> None:
    bots.begin(bots.step("long", before_s=5.0), bots.step("next", "long"))
    started = bots.start(2)
    until(lambda: len(bots.applied()) == 1, "begun")
    ((_, first),) = bots.applied()
    os.kill(first, signal.SIGKILL)
    until(lambda: bots.state().status == "completed", "completed by the other", 60)
    assert [name for name, _ in bots.applied()] == ["long", "long", "next"]
    assert {process for _, process in bots.applied()[1:]} == {process.pid for process in started} - {first}
    assert happened(bots.world) == [f"{ID}:long", f"{ID}:next"]
    assert bots.state().steps["long"].attempt == 1
    assert bots.all.journal.broken_at(ID) is None


def test_a_frozen_process_that_was_taken_over_does_not_act_when_it_wakes(bots: Bots) -> None:
    # It wakes while there is work left, so that it ends over its lease and not because all is done.
    bots.begin(bots.step("long", before_s=5.0), bots.step("next", "long"), bots.step("last", "next", before_s=8.0))
    started = bots.start(2)
    until(lambda: len(bots.applied()) == 1, "begun")
    ((_, first),) = bots.applied()
    os.kill(first, signal.SIGSTOP)
    try:
        until(lambda: "last" in [name for name, _ in bots.applied()], "taken over by the other", 60)
    finally:
        os.kill(first, signal.SIGCONT)
    (frozen,) = [process for process in started if process.pid == first]
    assert frozen.wait(60) == LOST
    until(lambda: bots.state().status == "completed", "completed by the other", 60)
    assert happened(bots.world) == [f"{ID}:long", f"{ID}:next", f"{ID}:last"]
    assert bots.all.journal.broken_at(ID) is None


def test_one_process_alone_takes_up_what_it_left_itself(bots: Bots) -> None:
    bots.begin(bots.step("long", before_s=1.5))
    (first,) = bots.start()
    until(lambda: len(bots.applied()) == 1, "begun")
    first.kill()
    first.wait()
    bots.start()
    until(lambda: bots.state().status == "completed", "completed after the restart", 60)
    assert happened(bots.world) == [f"{ID}:long"]
