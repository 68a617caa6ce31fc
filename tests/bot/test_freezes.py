"""Freezes: what is declared and lifted stays, counts from then on, and reaches the channel once."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.database import Database, SqliteDatabase
from bot.errors import BadInput
from bot.freeze_notices import hit_by, notice
from bot.freeze_sources import FreezeSources
from bot.freezes import OF_FREEZES, Event, Freeze, Freezes
from bot.outbox import LiveSlot, once
from bot.radar import Conflict
from bot.step import Window
from tests.bot.databases import address, another, database, postgres_address, postgres_server
from tests.bot.test_radar import made

__all__ = ["address", "another", "database", "postgres_address", "postgres_server"]

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
SALE = Freeze(
    NOW + timedelta(days=1), NOW + timedelta(days=2), "The sale", zone="Europe/Berlin", who="U0BEN0001", at=NOW
)
START = datetime(2026, 12, 24, 22, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(hours=2), "Pacific/Auckland")


def test_declared_lifted_and_told_once_each(database: Database, another: Callable[[], Database]) -> None:
    freezes = Freezes(database)
    first = freezes.declare(SALE, channel="C1", delivery="a")
    assert (first.id, freezes.declare(SALE, channel="C1", delivery="a")) == ("freeze-1", first), "delivered twice"
    second = freezes.declare(replace(SALE, reason="Another"), channel="C1", delivery="b")
    assert [each.id for each in Freezes(another()).from_now(NOW)] == ["freeze-1", "freeze-2"]
    assert freezes.from_now(SALE.until) == [], "what is over does not count"
    later = NOW + timedelta(minutes=1)
    freezes.lift(first.id, "U0CHLOE01", later, channel="C1", delivery="c")
    freezes.lift(first.id, "U0CHLOE01", later, channel="C1", delivery="c")
    assert freezes.from_now(NOW) == [second]
    told = freezes.untold()
    assert [(each.name, each.who) for each in told] == [
        ("declared:freeze-1", "U0BEN0001"),
        ("declared:freeze-2", "U0BEN0001"),
        ("lifted:freeze-1", "U0CHLOE01"),
    ]
    once(LiveSlot(database, OF_FREEZES, told[0].name, "C1"), lambda: "1.0")
    assert LiveSlot(database, OF_FREEZES, told[1].name, "C1").claim()
    assert [freezes.is_being_told(each) for each in freezes.untold()] == [True, False]
    with pytest.raises(BadInput, match="lifted already"):
        freezes.lift(first.id, "U0BEN0001", later, channel="C1", delivery="d")
    with pytest.raises(BadInput, match="There is no freeze freeze-9"):
        freezes.lift("freeze-9", "U0BEN0001", later, channel="C1", delivery="e")


@pytest.mark.parametrize("wrong", [{"until": SALE.begin}, {"reason": " "}])
def test_a_freeze_without_length_or_reason_is_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(BadInput, match="/maint freeze FROM to UNTIL REASON"):
        Freezes(SqliteDatabase(tmp_path / "db")).declare(replace(SALE, **wrong), channel="C1", delivery="a")


def test_what_was_planned_before_is_hit_and_what_was_planned_in_spite_of_it_is_not() -> None:
    planned = made(start=SALE.begin - timedelta(hours=1))
    assert hit_by(replace(SALE, at=planned.created_at), [planned]) == [planned]
    assert hit_by(replace(SALE, at=planned.created_at - timedelta(seconds=1)), [planned]) == []
    assert hit_by(replace(SALE, begin=planned.window.end), [planned]) == []


def test_the_notice_shows_words_as_text_and_names_what_is_planned() -> None:
    planned = made(start=SALE.begin)
    freeze = replace(SALE, id="freeze-1", reason="<!channel> " + "x" * 5000)
    shown = notice(Event("declared", freeze, SALE.who, NOW, "C1"), [planned])
    assert "&lt;!channel&gt;" in shown.text
    assert "<@U0BEN0001>" in shown.text
    assert f"Planned inside it: `{planned.id}`" in shown.text
    assert len(shown.text) < 3000, "Slack takes no longer section"
    assert "has lifted freeze-1" in notice(Event("lifted", freeze, SALE.who, NOW, "C1"), []).text


# All that know of freezes ---------------------------------------------------------------------------------------------


def found(folder: Path, text: str) -> list[Conflict]:
    path = folder / "freezes.yml"
    path.write_text(text)
    return FreezeSources(Freezes(SqliteDatabase(folder / "db")), path).conflicts(WINDOW)


def test_a_freeze_says_until_when_and_why(tmp_path: Path) -> None:
    during = "- {from: '2026-12-18T00:00+13:00', until: 2027-01-05T09:00+13:00, reason: The sale}\n"
    after = "- {from: '2026-12-25T00:00Z', until: '2026-12-26T00:00Z', reason: Later}\n"
    [one] = found(tmp_path, during + after)
    assert (one.kind, one.text) == (
        "freeze",
        "There is a freeze until Tue 5 Jan 2027 09:00 NZDT (UTC+13) (freezes.yml): The sale",
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("from: now", "expected a list"),
        ("- {from: '2026-12-18', until: '2026-12-19T00:00Z', reason: x}", "has no UTC offset"),
        ("- {from: '2026-12-18T00:00Z', reason: x}", "from, until and reason"),
        ("- {", "freezes.yml:"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_conflict_itself(tmp_path: Path, text: str, told: str) -> None:
    [one] = found(tmp_path, text)
    assert one.kind == "unseen"
    assert told in one.text
    nowhere = FreezeSources(Freezes(SqliteDatabase(tmp_path / "db")), tmp_path / "nowhere.yml")
    assert nowhere.conflicts(WINDOW)[0].kind == "unseen"
