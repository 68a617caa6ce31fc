"""The journal on both databases: one chain whoever writes, each key once, and every tampering found."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from bot.database import Database
from bot.entry import Entry, Kind
from bot.errors import Conflict
from bot.journal import GENESIS, Draft, Duplicate, Journal, entry_hash
from bot.maintenances import Maintenances
from tests.bot.databases import address, another, database, postgres_address, postgres_server
from tests.maintenance_fixtures import created_payload, raw_step

__all__ = ["address", "another", "database", "postgres_address", "postgres_server"]

CHECKOUT = Path(__file__).resolve().parents[2]
ID = "2026-11-25-test"
START = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)


def created(key: str = "created", **changes: object) -> Draft:
    return Draft(Kind.CREATED, "U0ANA", key, payload=created_payload([raw_step("a")], START, **changes))


def note(text: str, key: str | None = None) -> Draft:
    return Draft(Kind.NOTED, "U0ANA", key or f"note:{text}", payload={"text": text})


@pytest.fixture
def journal(database: Database) -> Journal:
    return Journal(database)


def test_entries_are_chained_and_read_back_as_they_were_written(journal: Journal) -> None:
    first = journal.append(ID, [created()], after=0)
    more = journal.append(ID, [note("one"), note("two")], after=1)
    assert journal.read(ID) == [*first, *more]
    assert [entry.seq for entry in journal.read(ID)] == [1, 2, 3]
    assert [entry.prev_hash for entry in journal.read(ID)] == [GENESIS, first[0].hash, more[0].hash]
    assert journal.read(ID, after=2) == more[1:]
    assert journal.find("note:one") == more[0]
    assert journal.broken_at(ID) is None


def test_an_unknown_maintenance_has_no_entries(journal: Journal) -> None:
    assert journal.read("never") == []
    assert journal.find("never") is None
    assert journal.maintenances() == []
    assert journal.broken_at("never") is None


def test_whoever_is_behind_is_refused_and_writes_nothing(journal: Journal) -> None:
    journal.append(ID, [created()], after=0)
    journal.append(ID, [note("one")], after=1)
    for after in (0, 1, 3):
        with pytest.raises(Conflict) as caught:
            journal.append(ID, [note(f"late after {after}")], after=after)
        assert not isinstance(caught.value, Duplicate)
    assert [entry.seq for entry in journal.read(ID)] == [1, 2]


def test_a_known_key_is_refused_with_the_entry_that_has_it(journal: Journal) -> None:
    journal.append(ID, [created()], after=0)
    (first,) = journal.append(ID, [note("one", "click-1")], after=1)
    for after in (1, 2):  # the second press may have read the journal before the first one wrote, or after it
        with pytest.raises(Duplicate) as caught:
            journal.append(ID, [note("before", "other"), note("again", "click-1")], after=after)
        assert caught.value.entry == first
    assert len(journal.read(ID)) == 2


def test_a_key_counts_over_all_maintenances(journal: Journal) -> None:
    (first,) = journal.append(ID, [created("delivery-1")], after=0)
    with pytest.raises(Duplicate) as caught:
        journal.append("another", [created("delivery-1")], after=0)
    assert caught.value.entry == first
    assert journal.maintenances() == [ID]


def test_several_entries_are_appended_together_or_not_at_all(journal: Journal) -> None:
    journal.append("another", [created("other")], after=0)
    journal.append(ID, [created()], after=0)
    with pytest.raises(Duplicate):
        journal.append(ID, [note("one"), note("two"), note("three", "other")], after=1)
    with pytest.raises(ValueError, match="one key"):
        journal.append(ID, [note("one"), note("two"), note("three", "note:one")], after=1)
    assert len(journal.read(ID)) == 1
    waiting = journal.database.query("SELECT seq FROM deliveries WHERE maintenance = ?", (ID,))
    assert [row["seq"] for row in waiting] == [1]


def test_every_entry_waits_for_its_delivery_to_the_channel(journal: Journal) -> None:
    journal.append(ID, [created(channel="C0NIGHT")], after=0)
    journal.append(ID, [note("one"), note("two")], after=1)
    rows = journal.database.query("SELECT seq, channel, state FROM deliveries ORDER BY seq")
    assert rows == [{"seq": seq, "channel": "C0NIGHT", "state": "waiting"} for seq in (1, 2, 3)]


def test_a_clock_that_is_set_back_does_not_turn_the_log_round(database: Database) -> None:
    times = iter([START, START - timedelta(hours=1), START + timedelta(seconds=1)])
    journal = Journal(database, clock=lambda: next(times))
    journal.append(ID, [created()], after=0)
    journal.append(ID, [note("an hour earlier by the clock")], after=1)
    journal.append(ID, [note("later")], after=2)
    assert [entry.at for entry in journal.read(ID)] == [START, START, START + timedelta(seconds=1)]
    assert journal.broken_at(ID) is None


def test_a_clock_of_another_zone_is_the_same_chain(database: Database) -> None:
    zone = timezone(timedelta(hours=13))
    journal = Journal(database, clock=lambda: START.astimezone(zone))
    (entry,) = journal.append(ID, [created()], after=0)
    assert entry == journal.read(ID)[0]
    assert entry.at.utcoffset() == timedelta(0)
    assert journal.broken_at(ID) is None


@pytest.mark.parametrize(
    "payload",
    [
        {"text": "āé⏱ \u2028 \x00 \x7f"},
        {"text": "cut in the middle of a pair \ud83d"},
        {"number": 0.1 + 0.2, "large": 2**60, "nothing": None, "yes": True},
        {"nested": {"b": [1, {"c": []}], "a": {}}},
        {"tuple": (1, 2), "numbers as keys": {1: "a"}},
    ],
)
def test_any_json_survives_the_way_and_keeps_its_hash(journal: Journal, payload: dict[str, object]) -> None:
    journal.append(ID, [created()], after=0)
    (written,) = journal.append(ID, [Draft(Kind.NOTED, "maint", "odd", payload=payload)], after=1)
    assert journal.read(ID)[1] == written
    assert journal.broken_at(ID) is None


@pytest.mark.parametrize("payload", [{"no number": float("nan")}, {"no JSON": {1, 2}}])
def test_what_is_not_json_is_refused_and_nothing_is_written(journal: Journal, payload: dict[str, object]) -> None:
    journal.append(ID, [created()], after=0)
    with pytest.raises((TypeError, ValueError)):
        journal.append(ID, [note("one"), Draft(Kind.NOTED, "maint", "odd", payload=payload)], after=1)
    assert len(journal.read(ID)) == 1


TAMPERINGS = {
    "another actor": ("UPDATE entries SET actor = 'U0EVE' WHERE seq = 2", 2),
    "another time": ("UPDATE entries SET at = '2026-11-25T08:00:00+00:00' WHERE seq = 2", 2),
    "another kind": ("UPDATE entries SET kind = 'approved' WHERE seq = 2", 2),
    "another step": ("UPDATE entries SET step = 'b' WHERE seq = 2", 2),
    "another payload": ("""UPDATE entries SET payload = '{"text":"1"}' WHERE seq = 2""", 2),
    "another key": ("UPDATE entries SET key = 'k' WHERE seq = 2", 2),
    "another hash": ("UPDATE entries SET hash = prev_hash WHERE seq = 2", 2),
    "another predecessor": ("UPDATE entries SET prev_hash = hash WHERE seq = 3", 3),
    "the first one removed": ("DELETE FROM entries WHERE seq = 1", 1),
    "one removed": ("DELETE FROM entries WHERE seq = 2", 2),
    "one moved": ("UPDATE entries SET seq = 9 WHERE seq = 3", 3),
}


@pytest.mark.parametrize("how", TAMPERINGS)
def test_tampering_is_found_where_it_was_done(journal: Journal, how: str) -> None:
    journal.append(ID, [created()], after=0)
    journal.append(ID, [note("one"), note("two"), note("three")], after=1)
    statement, where = TAMPERINGS[how]
    journal.database.query(statement)
    assert journal.broken_at(ID) == where


def test_an_entry_forged_with_a_right_hash_breaks_the_chain_behind_it(journal: Journal) -> None:
    journal.append(ID, [created()], after=0)
    journal.append(ID, [note("one"), note("two")], after=1)
    real = journal.read(ID)[1]
    forged = Entry(**{**vars(real), "actor": "U0EVE"})
    journal.database.query("UPDATE entries SET actor = 'U0EVE', hash = ? WHERE seq = 2", (entry_hash(forged),))
    assert journal.broken_at(ID) == 3


def test_threads_that_decide_at_once_make_one_chain(database: Database, another: Callable[[], Database]) -> None:
    Maintenances(Journal(database)).create(ID, created())
    writers = [Maintenances(Journal(database)), Maintenances(Journal(another())), Maintenances(Journal(another()))]

    def write(number: int) -> None:
        writers[number % 3].record(ID, lambda state: [note(f"{number} after {state.seq}", f"n{number}")])

    with ThreadPoolExecutor(9) as pool:
        list(pool.map(write, range(90)))
    entries = Journal(database).read(ID)
    assert [entry.seq for entry in entries] == list(range(1, 92))
    # Each decision was made on the state right before its entry, however many others wrote meanwhile.
    assert all(entry.payload["text"].endswith(f"after {entry.seq - 1}") for entry in entries[1:])
    assert Journal(database).broken_at(ID) is None


def test_a_click_pressed_twice_at_once_is_recorded_once(database: Database, another: Callable[[], Database]) -> None:
    Maintenances(Journal(database)).create(ID, created())
    writers = [Maintenances(Journal(database)), Maintenances(Journal(another()))]

    def press(number: int) -> int:
        try:
            return len(writers[number % 2].record(ID, lambda _: [note("pressed", "click")]))
        except Duplicate:
            return 0

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(press, range(24))) == 1
    assert len(Journal(database).read(ID)) == 2


WRITER = """
import itertools, sys
from bot.journal import Draft, Journal
from bot.maintenances import Maintenances
from tests.bot.databases import opened
address, maintenance, name, many = sys.argv[1:]
maintenances = Maintenances(Journal(opened(address)))
for number in (range(int(many)) if many != "-" else itertools.count()):
    key = f"{name}:{number}"
    maintenances.record(maintenance, lambda _: [Draft("noted", name, key, payload={"text": key})])
    print(key, flush=True)
"""


def writer(address: str, name: str, many: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, address, ID, name, many], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
    )


def test_processes_that_write_at_once_make_one_chain(journal: Journal, address: str) -> None:
    journal.append(ID, [created()], after=0)
    writing = [writer(address, name, "40") for name in ("one", "two", "three")]
    for process in writing:
        process.communicate(timeout=120)
        assert process.returncode == 0
    entries = journal.read(ID)
    assert [entry.seq for entry in entries] == list(range(1, 122))
    for name in ("one", "two", "three"):
        own = [entry.key for entry in entries if entry.actor == name]
        assert own == [f"{name}:{number}" for number in range(40)]
    assert journal.broken_at(ID) is None


def test_processes_that_are_killed_while_writing_leave_one_whole_chain(journal: Journal, address: str) -> None:
    journal.append(ID, [created()], after=0)
    acknowledged = []
    for round_ in range(4):
        process = writer(address, f"round{round_}", "-")
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(5)]
        time.sleep(0.003 * round_)  # to be killed at other points of its writing; nothing depends on which
        os.kill(process.pid, signal.SIGKILL)
        acknowledged += [
            line.strip()
            for line in (*lines, *process.communicate()[0].splitlines(keepends=True))
            if line.endswith("\n")
        ]
        assert journal.broken_at(ID) is None
    keys = [entry.key for entry in journal.read(ID)]
    assert set(acknowledged) <= set(keys)
    assert len(keys) == len(set(keys)) == 1 + len(journal.database.query("SELECT seq FROM deliveries WHERE seq > 1"))
    # What a killed writer had not finished holds nobody up.
    journal.append(ID, [note("after them all")], after=len(keys))


def test_states_are_kept_up_to_date_and_an_unknown_one_is_told(
    journal: Journal, another: Callable[[], Database]
) -> None:
    mine, others = Maintenances(journal), Maintenances(Journal(another()))
    mine.create(ID, created())
    assert mine.state(ID).paused is False
    others.record(ID, lambda _: [Draft(Kind.PAUSED, "U0ANA", "pause")])
    assert mine.state(ID).paused is True
    assert mine.record(ID, lambda _: []) == []
    assert [state.id for state in mine.active()] == [ID]
    with pytest.raises(Exception, match="no maintenance called never"):
        mine.state("never")


def test_the_rows_are_plain_json_that_anybody_can_check(journal: Journal) -> None:
    journal.append(ID, [created()], after=0)
    (row,) = journal.database.query("SELECT payload FROM entries")
    assert json.loads(str(row["payload"]))["channel"] == "C0MAINT"
