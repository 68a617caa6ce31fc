"""A channel with holes, or with messages by whoever stole the bot's token, gives back what is sure, and no more."""

import dataclasses
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bot.anchor import Head
from bot.entry import Kind
from bot.evolve import fold
from bot.journal import Journal, entry_hash
from bot.messages import entry_json
from bot.rebuild import Rebuilt, rebuild, restore
from tests.bot.channel_house import House, house, open_house
from tests.bot.databases import opened
from tests.bot.entries import CHANNEL, ID, add, begin
from tests.maintenance_fixtures import raw_step

__all__ = ["house", "open_house"]


@pytest.fixture
def told(house: House) -> House:
    """A maintenance in its middle: one step done, one running, and what comes after."""
    steps = [raw_step("first"), raw_step("second"), raw_step("look", gate=True), raw_step("people", by_hand=True)]
    begin(house.maintenances, [*steps, raw_step("last")])
    add(
        house.maintenances,
        (Kind.STATE_CHANGED, None, {"from": "draft", "to": "scheduled"}),
        (Kind.STATE_CHANGED, None, {"from": "scheduled", "to": "in_progress"}),
        (Kind.STEP_STARTED, "first", {"attempt": 1}),
        (Kind.STEP_SUCCEEDED, "first", {"attempt": 1, "summary": "done", "facts": {}, "files": {}}),
        (Kind.STEP_STARTED, "second", {"attempt": 1}),
        (Kind.STEP_SUCCEEDED, "second", {"attempt": 1, "summary": "done", "facts": {}, "files": {}}),
    )
    house.settle()
    return house


def rebuilt(house: House, **options: Any) -> Rebuilt:
    return rebuild(house.api(), CHANNEL, pause=lambda _: None, **options)


def message(house: House, seq: int) -> dict[str, Any]:
    return next(m for m in house.history() if m.get("metadata", {}).get("event_payload", {}).get("seq") == seq)


def statuses(address: str, made: Rebuilt) -> dict[str, str]:
    database = opened(address)
    journal = Journal(database)
    restore(journal, made.entries[ID], cut=ID in made.cut)
    state = fold(journal.read(ID))
    assert state is not None
    assert state.paused
    database.close()
    return {step: now.status for step, now in state.steps.items()}


def test_behind_a_hole_nothing_is_done_again_unasked(told: House, tmp_path: Path) -> None:
    told.bot.chat_delete(channel=CHANNEL, ts=message(told, 6)["ts"])
    made = rebuilt(told)
    assert made.cut == {ID}
    assert statuses(f"sqlite:///{tmp_path}/again.sqlite3", made) == {
        "first": "succeeded",
        "second": "unknown",
        "look": "pending",
        "people": "pending",
        "last": "unknown",
    }


def test_a_tail_that_was_deleted_is_missed_by_the_head_that_is_kept_outside(told: House) -> None:
    entry = told.maintenances.journal.read(ID)[-1]
    head = Head(datetime.now(UTC).isoformat(), ID, entry.seq, entry.hash)
    assert rebuilt(told, anchored=[head]).cut == frozenset()
    told.bot.chat_delete(channel=CHANNEL, ts=message(told, entry.seq)["ts"])
    assert rebuilt(told).cut == frozenset()
    made = rebuilt(told, anchored=[head, dataclasses.replace(head, maintenance="another")])
    assert made.cut == {ID}
    assert f"#{entry.seq} was written" in " ".join(made.findings)


def forged(house: House, seq: int, **changes: Any) -> None:
    """Post another entry of that number, whole and with a hash that fits, with the bot's own token."""
    entry = house.maintenances.journal.read(ID)[min(seq, 6) - 1]
    entry = dataclasses.replace(entry, **{"seq": seq, **changes})
    entry = dataclasses.replace(entry, hash=entry_hash(entry))
    payload = {"maintenance": ID, "seq": 1, "hash": entry.hash, "format": 1, "entry": entry_json(entry)}
    house.bot.chat_postMessage(
        channel=CHANNEL, text="#1", metadata={"event_type": "maint_entry", "event_payload": payload}
    )


def test_another_entry_of_the_same_number_does_not_take_the_place_of_the_true_one(told: House) -> None:
    forged(told, 4, prev_hash="0" * 64)
    made = rebuilt(told)
    assert list(made.entries[ID]) == told.maintenances.journal.read(ID)


def test_of_two_that_both_continue_the_chain_neither_is_believed(told: House) -> None:
    forged(told, 4, actor="U0NOBODY1")
    made = rebuilt(told)
    assert [entry.seq for entry in made.entries[ID]] == [1, 2, 3]
    assert "twice" in " ".join(made.findings)


@pytest.mark.parametrize(
    "entry",
    [
        lambda _: "[" * 5_000,
        lambda _: "[]",
        lambda _: "null",
        lambda whole: json.dumps({**whole, "seq": "4"}),
        lambda whole: json.dumps({**whole, "seq": [4]}),
        lambda whole: json.dumps({**whole, "maintenance": None}),
        lambda whole: json.dumps({**whole, "at": 7}),
        lambda whole: json.dumps({**whole, "payload": "x"}),
        lambda whole: json.dumps({**whole, "more": 1}),
    ],
)
def test_what_is_no_entry_is_a_finding(told: House, entry: Callable[[dict[str, Any]], str]) -> None:
    whole = json.loads(entry_json(told.maintenances.journal.read(ID)[3]))
    payload = {"maintenance": ID, "seq": 4, "hash": "f" * 64, "format": 1, "entry": entry(whole)}
    told.bot.chat_postMessage(
        channel=CHANNEL, text="#4", metadata={"event_type": "maint_entry", "event_payload": payload}
    )
    made = rebuilt(told)
    assert len(made.findings) == 1
    assert list(made.entries[ID]) == told.maintenances.journal.read(ID)
