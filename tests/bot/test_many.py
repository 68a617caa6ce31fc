"""Hundreds of maintenances cost no more than a few: journals are read when they have grown, never all of them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot import endings as endings_module
from bot import journal as journal_module
from bot.build import build_step
from bot.context import Surroundings
from bot.database import Row, SqliteDatabase, Value
from bot.engine import Engine
from bot.entry import Kind
from bot.history import History
from bot.journal import Draft, Journal
from bot.maintenances import Maintenances
from bot.metrics import Metrics
from bot.outbox import Outbox
from bot.outlook import Outlook
from bot.rehearsals import Rehearsals
from bot.retention import Retention
from bot.state import State
from tests.bot.channel_house import House, house, open_house
from tests.maintenance_fixtures import created_payload, raw_step, surroundings

__all__ = ["house", "open_house", "surroundings"]
LATER = datetime.now(UTC) + timedelta(days=3)


class Counted(SqliteDatabase):
    """Remembers what was asked of it."""

    def __init__(self, path: Path) -> None:
        self.asked: list[tuple[str, Sequence[Value]]] = []
        super().__init__(path)

    def query(self, sql: str, parameters: Sequence[Value] = ()) -> list[Row]:
        self.asked.append((sql, parameters))
        return super().query(sql, parameters)

    def count(self) -> int:
        """How many queries there were since the last count."""
        count = len(self.asked)
        self.asked.clear()
        return count

    def journals_read(self) -> set[str]:
        """The maintenances whose journals were read since the last count."""
        return {str(parameters[0]) for sql, parameters in self.asked if "seq > ?" in sql}


@pytest.fixture
def database(tmp_path: Path) -> Counted:
    return Counted(tmp_path / "maint.sqlite3")


def plan(maintenances: Maintenances, *names: str, channel: str = "C0MAINT01") -> None:
    """Plan a maintenance of each name, for which nothing is to be done yet."""
    for name in names:
        step = raw_step("upgrade", by_hand=True, due=("start", 0))
        payload = created_payload([step], LATER, channel=channel)
        maintenances.create(name, Draft(Kind.CREATED, "U0ANA", f"{name}:created", payload=payload))


def complete(maintenances: Maintenances, name: str, took_s: float = 60.0) -> None:
    done = [
        Draft(Kind.ESTIMATED, "maint", f"{name}:e", payload={"source": "size", "takes_s": {"upgrade": took_s}}),
        Draft(Kind.STEP_STARTED, "maint", f"{name}:s", "upgrade", {"attempt": 1}),
        Draft(Kind.STEP_SUCCEEDED, "maint", f"{name}:d", "upgrade", {"summary": "", "facts": {}}),
        Draft(Kind.STATE_CHANGED, "maint", f"{name}:c", payload={"from": "verifying", "to": "completed"}),
    ]
    maintenances.record(name, lambda _: done)


def names(count: int) -> list[str]:
    return [f"2026-11-25-work-{number:03}" for number in range(count)]


class Nowhere:
    """Nothing is running, so that nothing is to be ensured."""

    def ensure(self, maintenance: str, step: str, attempt: int, what: str) -> None:
        raise AssertionError(f"{what} {attempt} of {step} of {maintenance} was to run")


def test_a_tick_asks_once_for_all_that_rest(
    surroundings: Surroundings, maintenances: Maintenances, database: Counted
) -> None:
    engine = Engine(surroundings, build_step, Nowhere())
    counts = []
    for more in (names(12)[:3], names(12)[3:]):
        plan(maintenances, *more)
        engine.tick()
        database.count()
        engine.tick()
        counts.append(database.count())
    assert counts == [1, 1]


def test_a_tick_reads_the_journal_that_another_process_has_added_to(
    surroundings: Surroundings, maintenances: Maintenances, database: Counted
) -> None:
    engine = Engine(surroundings, build_step, Nowhere())
    plan(maintenances, *names(3))
    engine.tick()
    other = Maintenances(Journal(database))
    other.record(names(3)[1], lambda _: [Draft(Kind.PAUSED, "U0ANA", "paused")])
    database.count()
    engine.tick()
    assert database.journals_read() == {names(3)[1]}
    assert maintenances.state(names(3)[1], last=1).paused


def test_a_pass_asks_the_same_however_many_rest(house: House, maintenances: Maintenances, database: Counted) -> None:
    counts = []
    for more in (names(8)[:2], names(8)[2:]):
        plan(maintenances, *more)
        house.settle()
        database.count()
        house.channel.deliver(house.now)
        counts.append(database.count())
    assert counts[0] == counts[1]
    plan(maintenances, "one-more")
    house.settle()
    assert house.logged("one-more") == [1]


def test_what_is_over_is_not_read_again_after_a_restart(maintenances: Maintenances, database: Counted) -> None:
    plan(maintenances, *names(5))
    for name in names(4):
        complete(maintenances, name)
    started = Maintenances(Journal(database))
    database.count()
    assert [state.id for state in started.active()] == [names(5)[4]]
    assert database.journals_read() == {names(5)[4]}
    database.count()
    started.active()
    assert database.count() == 1


def test_what_another_process_ends_is_over_here_too(maintenances: Maintenances, database: Counted) -> None:
    plan(maintenances, *names(2))
    assert len(maintenances.active()) == 2
    complete(Maintenances(Journal(database)), names(2)[0])
    assert [state.id for state in maintenances.active()] == [names(2)[1]]
    assert names(2)[0] in maintenances.over()


def test_the_past_is_told_newest_first_and_read_one_by_one(maintenances: Maintenances, database: Counted) -> None:
    plan(maintenances, *names(4))
    plan(maintenances, "elsewhere", channel="C0OTHER")
    for name in (*names(3), "elsewhere"):
        complete(maintenances, name)
    started = Maintenances(Journal(database))
    started.active()
    database.count()
    assert next(started.past()).id == "elsewhere"
    assert database.journals_read() == {"elsewhere"}
    assert [state.id for state in started.past("C0MAINT01")] == names(3)[::-1]
    assert [state.id for state in started.past("C0NOBODY")] == []


def test_what_is_over_is_summed_up_a_little_at_a_time(
    maintenances: Maintenances, database: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan(maintenances, *names(5))
    for number, name in enumerate(names(5)):
        complete(maintenances, name, took_s=10.0 * number)
    whole = History(maintenances).past()
    database.query("DELETE FROM endings")  # as after an upgrade from a version without them, or a rebuild
    monkeypatch.setattr(endings_module, "_ENTRIES_AT_ONCE", 1)
    slow = History(Maintenances(Journal(database)))
    seen = [[run.planned.likely_s for run in slow.past().latest if run.planned] for _ in range(6)]
    assert seen[:2] == [[40.0], [30.0, 40.0]]
    assert seen[4] == seen[5] == [0.0, 10.0, 20.0, 30.0, 40.0]
    assert slow.past() == whole


def test_what_is_over_is_read_by_no_process_again(
    maintenances: Maintenances, surroundings: Surroundings, database: Counted
) -> None:
    plan(maintenances, *names(6))
    for name in names(4):
        complete(maintenances, name)
    maintenances.record(names(6)[4], lambda _: [Draft(Kind.ABORTED, "U0ANA", "aborted", payload={"reason": "no"})])
    whole, known = History(maintenances).past(), maintenances.endings.known()
    assert [(ending.id, ending.status) for ending in known.values()] == [
        *((name, "completed") for name in names(4)),
        (names(6)[4], "aborted"),
    ]

    started = Maintenances(Journal(database))
    database.count()
    assert started.endings.known() == known
    assert History(started).past() == whole
    assert Rehearsals(started).latest("upgrade", {}) is None
    Retention(started, surroundings.workdir, timedelta(days=1)).remove()
    text, _ = Metrics(started, Outbox(database), Outlook(started, surroundings.progress)).text()
    assert b'maint_maintenances{state="completed"} 4.0' in text
    assert b'maint_maintenances{state="aborted"} 1.0' in text
    assert b"maint_attempts_started_total 4.0" in text
    assert database.journals_read() == {names(6)[5]}, "only what is not over"


def test_a_journal_that_nobody_can_read_keeps_no_other_from_counting(
    maintenances: Maintenances, database: Counted
) -> None:
    plan(maintenances, *names(3))
    broken = Draft(Kind.STEP_STARTED, "maint", "broken", "no-such-step", {"attempt": 1})
    over = Draft(Kind.STATE_CHANGED, "maint", "over", payload={"from": "verifying", "to": "completed"})
    maintenances.journal.append(names(3)[1], [broken, over], after=1)
    complete(maintenances, names(3)[0])
    database.query("INSERT INTO endings (maintenance, payload) VALUES ('gone', '{}')")
    started = Maintenances(Journal(database))
    assert [*started.endings.known(everything=True)] == [names(3)[0]]
    assert started.endings.complete


def test_a_state_that_was_read_far_enough_is_not_asked_for(maintenances: Maintenances, database: Counted) -> None:
    plan(maintenances, "one")
    first = maintenances.state("one")
    database.count()
    assert maintenances.state("one", last=1) is first
    assert database.count() == 0
    grown: State = maintenances.state("one", last=2)
    assert (grown.seq, database.count()) == (1, 1)


def test_a_long_journal_is_read_page_by_page(maintenances: Maintenances, monkeypatch: pytest.MonkeyPatch) -> None:
    plan(maintenances, "one", "two")
    complete(maintenances, "one")
    whole = maintenances.journal.read("one")
    assert len(whole) == 5
    for at_once in (1, 2, 5, 6):
        monkeypatch.setattr(journal_module, "_AT_ONCE", at_once)
        assert list(maintenances.journal.stream("one")) == whole
        assert list(maintenances.journal.stream("nowhere")) == []
        assert maintenances.journal.broken_at("one") is None
