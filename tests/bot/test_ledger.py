"""Intents, ledgers and progress on both databases: nobody is claimed twice, whoever claims at once."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot import ledger
from bot.database import Database
from bot.entry import Kind
from bot.journal import Draft, Journal
from bot.ledger import Intents, Progress, TableLedger
from bot.maintenances import Maintenances
from tests.bot.databases import address, another, database, postgres_address, postgres_server
from tests.maintenance_fixtures import created_payload, raw_step

__all__ = ["address", "another", "database", "postgres_address", "postgres_server"]

CHECKOUT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)


def people(number: int) -> list[str]:
    return [f"contact-{one:05}" for one in range(number)]


def test_an_intent_is_new_once_until_it_is_taken_back(database: Database, another: Callable[[], Database]) -> None:
    intents, later = Intents(database), Intents(another())
    assert intents.intend("m:step:send", NOW) is True
    assert intents.intend("m:step:send", NOW) is False
    assert later.intend("m:step:send", NOW) is False
    assert later.intend("m:step:other", NOW) is True
    later.forget("m:step:send")
    assert intents.intend("m:step:send", NOW) is True


def test_of_many_who_intend_the_same_one_is_first(database: Database, another: Callable[[], Database]) -> None:
    intents = [Intents(database), Intents(another())]
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda number: intents[number % 2].intend("k", NOW), range(24))) == 1


def test_recipients_are_added_once_and_keep_their_state(database: Database) -> None:
    book = TableLedger(database, "m:start")
    assert book.add(people(3)) == 3
    assert book.claim(1) == ["contact-00000"]
    assert book.add([*people(4), "contact-00003"]) == 1
    assert book.add([]) == 0
    assert book.counts() == {"pending": 3, "sending": 1, "sent": 0, "skipped": 0, "unknown": 0}


def test_it_is_known_whether_another_send_may_have_written_to_somebody_since(database: Database) -> None:
    moment, minute = [NOW], timedelta(minutes=1)
    maintenances = Maintenances(Journal(database, lambda: moment[0]))
    for name in ("other", "this"):
        payload = created_payload([raw_step("tell", "intercom.message")], NOW)
        maintenances.create(name, Draft(Kind.CREATED, "U0ANA", name, payload=payload))
    other, this = TableLedger(database, "other:told"), TableLedger(database, "this:told")
    for book in (other, this):
        book.add(people(2))
    assert not this.written_elsewhere("contact-00000", NOW)
    other.claim(1)
    assert this.written_elsewhere("contact-00000", NOW)
    assert not this.written_elsewhere("contact-00001", NOW)
    assert not this.written_elsewhere("contact-00000", NOW + minute), "the other was left alone by then"
    moment[0] += minute
    ended = {"attempt": 1, "summary": "told", "facts": {"ledger": "told"}, "files": {}}
    drafts = [
        Draft(Kind.STEP_STARTED, "maint", "start", "tell", {"attempt": 1}),
        Draft(Kind.STEP_SUCCEEDED, "maint", "end", "tell", ended),
    ]
    maintenances.record("other", lambda _: drafts)
    moment[0] += 5 * minute
    maintenances.record("other", lambda _: [Draft(Kind.NOTED, "U0ANA", "note", payload={"text": "still at it"})])
    assert this.written_elsewhere("contact-00000", NOW)
    assert not this.written_elsewhere("contact-00000", NOW + 2 * minute), "it had ended by then"


def test_ledgers_do_not_see_one_another(database: Database) -> None:
    one, other = TableLedger(database, "m:start"), TableLedger(database, "m:done")
    one.add(people(2))
    assert other.counts()["pending"] == 0
    assert other.claim(5) == []
    assert other.add(people(2)) == 2


def test_claims_follow_the_order_in_which_they_were_added(database: Database) -> None:
    book = TableLedger(database, "m:start")
    book.add(["zoe", "ana", "mia"])
    book.add(["ben"])
    assert book.claim(2) == ["zoe", "ana"]
    assert book.claim(0) == []
    assert book.claim(9) == ["mia", "ben"]
    assert book.claim(9) == []


def test_settling_sets_state_and_detail_or_nothing(database: Database) -> None:
    book = TableLedger(database, "m:start")
    book.add(people(3))
    book.claim(3)
    book.settle([("contact-00000", "sent", "message 1"), ("contact-00001", "unknown", "no answer")])
    assert list(book.recipients("sent")) == [("contact-00000", "message 1")]
    assert list(book.recipients("unknown")) == [("contact-00001", "no answer")]
    for wrong in (("contact-00002", "lost", ""), ("nobody", "sent", "")):
        with pytest.raises(ValueError, match=r"lost|nobody"):
            book.settle([("contact-00002", "sent", "message 3"), wrong])
    assert list(book.recipients("sending")) == [("contact-00002", "")]


def test_recipients_come_in_pages_without_loss(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "_PAGE", 7)
    book = TableLedger(database, "m:start")
    book.add(people(50))
    # Two processes that add at once can give two recipients one position.
    database.query("UPDATE ledger SET position = position / 3")
    assert sorted(recipient for recipient, _ in book.recipients("pending")) == people(50)


def test_a_large_audience_is_added_in_one_go(database: Database) -> None:
    book = TableLedger(database, "m:start")
    assert book.add(iter(people(20_000))) == 20_000
    assert book.add(people(20_001)) == 1
    assert book.claim(3) == people(3)
    assert book.counts()["pending"] == 19_998


def test_a_failure_while_adding_leaves_others_free_to_write(
    database: Database, another: Callable[[], Database]
) -> None:
    book, elsewhere = TableLedger(database, "m:start"), another()

    def page_by_page() -> list[str]:
        elsewhere.query("INSERT INTO intents (key, at) VALUES ('while adding', 'now')")
        raise ConnectionError

    with pytest.raises(ConnectionError):
        book.add(recipient for page in (page_by_page,) for recipient in page())
    assert book.counts()["pending"] == 0
    assert len(elsewhere.query("SELECT key FROM intents")) == 1


def test_nobody_is_claimed_twice_by_those_who_claim_at_once(
    database: Database, another: Callable[[], Database]
) -> None:
    books = [TableLedger(one, "m:start") for one in (database, another(), another())]
    books[0].add(people(600))

    def claim_all(number: int) -> list[str]:
        mine: list[str] = []
        while claimed := books[number % 3].claim(7):
            mine += claimed
        return mine

    with ThreadPoolExecutor(9) as pool:
        claimed = [recipient for mine in pool.map(claim_all, range(9)) for recipient in mine]
    assert sorted(claimed) == people(600)


CLAIMER = """
import sys
from bot.ledger import TableLedger
from tests.bot.databases import opened
book = TableLedger(opened(sys.argv[1]), "m:start")
print("ready", flush=True)
while claimed := book.claim(5):
    print(*claimed, flush=True)
    book.settle((recipient, "sent", "") for recipient in claimed)
"""


def test_what_a_killed_process_had_claimed_stays_in_doubt_and_nobody_else_gets_it(
    database: Database, address: str
) -> None:
    book = TableLedger(database, "m:start")
    book.add(people(3000))
    process = subprocess.Popen(
        [sys.executable, "-c", CLAIMER, address], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    told = [process.stdout.readline() for _ in range(4)]
    os.kill(process.pid, signal.SIGKILL)
    told += process.communicate()[0].splitlines(keepends=True)
    given = {recipient for line in told[1:] if line.endswith("\n") for recipient in line.split()}
    counts = book.counts()
    assert counts["sending"] in {0, 5}
    assert counts["sent"] + counts["sending"] >= len(given)
    rest = []
    while claimed := book.claim(500):
        rest += claimed
    assert not given & set(rest)
    assert len(rest) == counts["pending"]


def test_progress_is_the_latest_of_each_step(database: Database) -> None:
    progress = Progress(database)
    assert progress.read("m") == {}
    progress.set("m", "vacuum", NOW, {"done": 1, "total": 9, "unit": "tables", "text": ""})
    progress.set("m", "vacuum", NOW, {"done": 2, "total": 9, "unit": "tables", "text": "orders"})
    progress.set("m", "send", NOW, {"done": 5, "total": None, "unit": "messages", "text": ""})
    progress.set("other", "vacuum", NOW, {"done": 0, "total": 1, "unit": "tables", "text": ""})
    assert progress.read("m") == {
        "vacuum": {"done": 2, "total": 9, "unit": "tables", "text": "orders", "at": NOW.isoformat()},
        "send": {"done": 5, "total": None, "unit": "messages", "text": "", "at": NOW.isoformat()},
    }
