"""The outbox: each change is committed, a claim is won once, and only what is certain is sent again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.database import Database, SqliteDatabase
from bot.database_postgres import PostgresDatabase
from bot.entry import Kind
from bot.errors import AnswerLost, Final, Temporary
from bot.maintenances import Maintenances
from bot.outbox import GIVEN_UP, LiveSlot, LogSlot, Outbox, file_name, once, recover
from tests.bot.entries import ANA, CHANNEL, ID, add, begin


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """The same tests on both databases; the PostgreSQL one is a real cluster of its own."""
    if request.param == "sqlite":
        opened: Database = SqliteDatabase(tmp_path / "maint.sqlite3")
    else:
        cluster = request.getfixturevalue("cluster_factory")(18)
        cluster.start()
        opened = PostgresDatabase(cluster.dsn())
    yield opened
    opened.close()


@pytest.fixture
def outbox(maintenances: Maintenances) -> Outbox:
    begin(maintenances)
    return Outbox(maintenances.journal.database)


def slot(maintenances: Maintenances, seq: int = 1, *files: str) -> LogSlot:
    return LogSlot(maintenances.journal.database, ID, seq, CHANNEL, files)


def raises(error: Exception) -> str:
    raise error


def test_an_entry_waits_until_it_is_posted(maintenances: Maintenances, outbox: Outbox) -> None:
    assert outbox.pending() == [ID]
    assert outbox.undelivered(ID) == {1: "waiting"}
    assert once(slot(maintenances), lambda: "1.000001") == "1.000001"
    assert outbox.pending() == []
    assert outbox.undelivered(ID) == {}
    assert outbox.delivered(ID) == {1: "1.000001"}
    assert outbox.channel(ID) == CHANNEL


@pytest.mark.parametrize("error", [Temporary("not sent"), Final("refused")])
def test_after_a_certain_failure_it_waits_again(maintenances: Maintenances, outbox: Outbox, error: Exception) -> None:
    with pytest.raises(type(error)):
        once(slot(maintenances), lambda: raises(error))
    assert outbox.undelivered(ID) == {1: "waiting"}


def test_after_a_lost_answer_it_is_looked_for(maintenances: Maintenances, outbox: Outbox) -> None:
    with pytest.raises(AnswerLost):
        once(slot(maintenances), lambda: raises(AnswerLost("gone")))
    assert outbox.undelivered(ID) == {1: "posting"}
    assert recover(slot(maintenances), "2.000002")
    assert outbox.delivered(ID) == {1: "2.000002"}


def test_what_is_not_found_waits_again(maintenances: Maintenances, outbox: Outbox) -> None:
    assert slot(maintenances).claim()
    assert not recover(slot(maintenances), None)
    assert outbox.undelivered(ID) == {1: "waiting"}


def test_what_another_has_claimed_is_not_sent(maintenances: Maintenances, outbox: Outbox) -> None:
    assert slot(maintenances).claim()
    with pytest.raises(Temporary, match="Another process"):
        once(slot(maintenances), lambda: raises(AssertionError("sent")))


def test_files_keep_an_entry_undelivered(maintenances: Maintenances, outbox: Outbox) -> None:
    add(maintenances, (Kind.NOTED, None, {"text": "x"}, ANA))
    once(slot(maintenances, 1, "a.txt", "b.txt"), lambda: "1.000001")
    assert outbox.undelivered(ID) == {1: "posted", 2: "waiting"}
    database = maintenances.journal.database
    once(LiveSlot(database, ID, file_name(1, "a.txt"), CHANNEL), lambda: "1.000002")
    assert outbox.undelivered(ID) == {1: "posted", 2: "waiting"}
    LiveSlot(database, ID, file_name(1, "b.txt"), CHANNEL).give_up()
    assert outbox.undelivered(ID) == {2: "waiting"}
    assert outbox.live(ID)[file_name(1, "b.txt")].state == GIVEN_UP


def test_a_live_message_is_claimed_once_and_keeps_its_digest(maintenances: Maintenances, outbox: Outbox) -> None:
    live = LiveSlot(maintenances.journal.database, ID, "card", CHANNEL)
    assert live.claim()
    assert not live.claim()
    live.release()
    once(live, lambda: "3.000003", "digest")
    assert not live.claim()
    shown = outbox.live(ID)["card"]
    assert (shown.ts, shown.digest, shown.is_up) == ("3.000003", "digest", True)
    outbox.forget_shown(ID, "card")
    assert outbox.live(ID)["card"].digest == ""
