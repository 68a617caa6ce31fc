"""A copy of the database, made while the bot writes, is whole, and the bot goes on from it."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from bot.backup import backup
from bot.database import Database, SqliteDatabase
from bot.entry import Kind
from bot.errors import Final
from bot.journal import Draft, Journal
from bot.ledger import Progress, TableLedger
from bot.maintenances import Maintenances
from bot.retention import Retention
from tests.bot.entries import ID, begin
from tests.bot.feed_story import Story


def note(maintenances: Maintenances, number: int, maintenance: str = ID) -> None:
    text = {"text": "x" * 2000}
    draft = Draft(Kind.NOTED, "U0ANA0001", f"{maintenance}:note:{number}", None, text)
    maintenances.record(maintenance, lambda _: [draft])


@contextmanager
def written_to(maintenances: Maintenances) -> Iterator[None]:
    """Another thread writes into the journal for as long as the `with` block lasts, and before it has begun."""
    stop, begun = threading.Event(), threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            note(maintenances, number)
            begun.set()

    thread = threading.Thread(target=write)
    thread.start()
    assert begun.wait(60)
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_a_copy_made_while_the_bot_writes_is_whole_and_goes_on(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "maint.sqlite3")
    maintenances = Maintenances(Journal(database))
    begin(maintenances)
    for number in range(300):
        note(maintenances, -number)
    with written_to(maintenances):
        assert backup(tmp_path / "maint.sqlite3", tmp_path / "copy.sqlite3") > 500_000
    (tmp_path / "restored").mkdir()
    shutil.copy(tmp_path / "copy.sqlite3", tmp_path / "restored" / "maint.sqlite3")
    restored = SqliteDatabase(tmp_path / "restored" / "maint.sqlite3")
    journal = Journal(restored)
    entries = journal.read(ID)
    assert journal.broken_at(ID) is None
    assert entries == maintenances.journal.read(ID)[: len(entries)]
    assert len(entries) >= 301
    [row] = restored.query("SELECT count(*) AS number FROM deliveries")
    assert row["number"] == len(entries), "each entry is there with its place in the outbox"
    begin(Maintenances(journal), maintenance="2026-11-26-next")
    assert journal.maintenances() == [ID, "2026-11-26-next"]
    restored.close()
    database.close()


def test_the_database_of_a_bot_that_is_stopped_can_be_copied_too(tmp_path: Path) -> None:
    SqliteDatabase(tmp_path / "maint.sqlite3").close()
    backup(tmp_path / "maint.sqlite3", tmp_path / "copy.sqlite3")
    assert {path.name for path in tmp_path.iterdir()} >= {"maint.sqlite3", "copy.sqlite3"}
    assert not (tmp_path / "copy.sqlite3.partial").exists()


def test_no_copy_is_written_over_and_none_made_of_nothing(tmp_path: Path) -> None:
    SqliteDatabase(tmp_path / "maint.sqlite3").close()
    (tmp_path / "copy.sqlite3").write_text("older")
    with pytest.raises(Final, match="not written over"):
        backup(tmp_path / "maint.sqlite3", tmp_path / "copy.sqlite3")
    with pytest.raises(Final, match="There is no database"):
        backup(tmp_path / "none.sqlite3", tmp_path / "other.sqlite3")
    (tmp_path / "garbage.sqlite3").write_text("no database at all, but long enough to be looked at" * 100)
    with pytest.raises(Final, match="could not be copied"):
        backup(tmp_path / "garbage.sqlite3", tmp_path / "other.sqlite3")
    assert not list(tmp_path.glob("other*"))


def test_what_is_long_over_leaves_only_its_journal(database: Database, tmp_path: Path) -> None:
    story, work = Story(database), tmp_path / "work"
    retention = Retention(story.maintenances, work, timedelta(days=30))
    for name in ("2026-11-25-old", "2026-11-25-running"):
        story.plan(name)
        story.is_announced(name)
        story.turns("in_progress", name)
        story.happens(Kind.STEP_STARTED, "secret-work", {"attempt": 1}, name)
        story.happens(Kind.STEP_FACT, "secret-work", {"text": "fixed", "facts": {"ledger": "letter"}}, name)
        TableLedger(database, f"{name}:letter").add(["ana", "ben"])
        Progress(database).set(name, "secret-work", story.now, {"done": 1})
        (work / name / "secret-work" / "job").mkdir(parents=True)
        (work / name / "secret-work" / "job" / "log").write_text("done")
    story.turns("completed", "2026-11-25-old")
    entries = story.maintenances.journal.read("2026-11-25-old")
    story.now += timedelta(days=29)
    assert retention.remove() == []
    story.now += timedelta(days=2)
    assert retention.remove() == ["2026-11-25-old"]
    assert retention.remove() == []
    assert [path.name for path in work.iterdir()] == ["2026-11-25-running"]
    counts = {
        name: TableLedger(database, f"2026-11-25-{name}:letter").counts()["pending"] for name in ("old", "running")
    }
    assert counts == {"old": 0, "running": 2}
    assert Progress(database).read("2026-11-25-old") == {}
    assert story.maintenances.journal.read("2026-11-25-old") == entries
    assert Retention(story.maintenances, work, timedelta(days=30)).remove() == [], "nothing is left to remove"


def test_a_link_in_the_place_of_a_folder_is_not_followed(database: Database, tmp_path: Path) -> None:
    story, work = Story(database), tmp_path / "work"
    story.plan()
    story.is_announced()
    story.turns("completed")
    work.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "kept").touch()
    (work / ID).symlink_to(tmp_path / "elsewhere")
    story.now += timedelta(days=400)
    Retention(story.maintenances, work, timedelta(days=30)).remove()
    assert (tmp_path / "elsewhere" / "kept").exists()
