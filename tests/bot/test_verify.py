"""Whoever alters the channel's log is found out; and the journal can be made again from it."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from bot import slack_api
from bot.blocks import METADATA_BYTES
from bot.entry import Kind
from bot.errors import Temporary
from bot.messages import shown_digest
from bot.outbox import LogSlot
from bot.rebuild import rebuild
from bot.verify import verify
from tests.bot.channel_house import House, house, open_house
from tests.bot.entries import ANA, CHANNEL, ID, a_night, add, begin
from tests.maintenance_fixtures import raw_step

__all__ = ["house", "open_house"]


@pytest.fixture
def told(house: House) -> House:
    """A house whose night is in the channel, intact."""
    a_night(house.maintenances)
    house.settle()
    assert house.verified().ok
    return house


def message(house: House, seq: int) -> dict[str, Any]:
    payloads = {m["ts"]: m.get("metadata", {}).get("event_payload", {}) for m in house.history()}
    return next(m for m in house.history() if payloads[m["ts"]].get("seq") == seq)


def findings(house: House) -> list[tuple[str, int | None]]:
    verification = house.verified()
    assert verification.ok == (not verification.findings)
    return [(finding.what, finding.seq) for finding in verification.findings]


@pytest.mark.parametrize("place", [0, 6, -1])
def test_a_deleted_message_is_missing_even_at_the_very_end(told: House, place: int) -> None:
    seq = sorted(told.seqs())[place]
    told.bot.chat_delete(channel=CHANNEL, ts=message(told, seq)["ts"])
    assert findings(told) == [("missing", seq)]


def test_an_admin_who_deletes_is_found_out(told: House) -> None:
    told.slack.person("chloe").deletes(on=message(told, 9)["ts"])
    assert ("missing", 9) in findings(told)


def edited_text(held: dict[str, Any]) -> dict[str, Any]:
    return {"text": "nothing happened"}


def edited_blocks(held: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps(held["blocks"]).replace("Upgrade", "Cup of tea")
    return {"text": held["text"], "blocks": json.loads(text)}


def edited_metadata(held: dict[str, Any]) -> dict[str, Any]:
    payload = {**held["metadata"]["event_payload"], "hash": "0" * 64}
    return {"text": held["text"], "blocks": held["blocks"], "metadata": {**held["metadata"], "event_payload": payload}}


def edited_entry(held: dict[str, Any]) -> dict[str, Any]:
    payload = dict(held["metadata"]["event_payload"])
    payload["entry"] = payload["entry"].replace('"actor":"', '"actor":"U0NOBODY')
    return {"text": held["text"], "blocks": held["blocks"], "metadata": {**held["metadata"], "event_payload": payload}}


def no_metadata(held: dict[str, Any]) -> dict[str, Any]:
    return {"text": held["text"], "blocks": held["blocks"], "metadata": {}}


def other_format(held: dict[str, Any]) -> dict[str, Any]:
    payload = {**held["metadata"]["event_payload"], "format": 99}
    return {"text": "new", "blocks": held["blocks"], "metadata": {**held["metadata"], "event_payload": payload}}


def attached(held: dict[str, Any]) -> dict[str, Any]:
    return {"text": held["text"], "blocks": held["blocks"], "attachments": [{"text": "but not really"}]}


@pytest.mark.parametrize(
    "edit", [edited_text, edited_blocks, edited_metadata, edited_entry, no_metadata, other_format, attached]
)
def test_every_way_of_editing_is_found(told: House, edit: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    held = message(told, 18)
    told.bot.chat_update(channel=CHANNEL, ts=held["ts"], **edit(held))
    assert findings(told) == [("edited", 18)]


def test_what_an_older_version_has_put_into_other_words_is_no_edit_and_an_edit_of_that_is(told: House) -> None:
    section = {"type": "section", "text": {"type": "mrkdwn", "text": "in the words of then"}}
    then: dict[str, Any] = {"text": "#4 then", "blocks": [section]}
    ts = message(told, 4)["ts"]
    told.bot.chat_update(channel=CHANNEL, ts=ts, **then)
    assert findings(told) == [("edited", 4)]
    slot = LogSlot(told.maintenances.journal.database, ID, 4, CHANNEL)
    slot.posted(ts, shown_digest(then["text"], then["blocks"]))
    assert told.verified().ok
    told.bot.chat_update(channel=CHANNEL, ts=ts, text="#4 then", blocks=[])
    assert findings(told) == [("edited", 4)]


def test_another_app_that_poses_as_us_is_named(told: House) -> None:
    held = message(told, 5)
    told.other.chat_postMessage(channel=CHANNEL, text=held["text"], blocks=held["blocks"], metadata=held["metadata"])
    verification = told.verified()
    assert findings(told) == [("forged", None)]
    assert "U0OTHERBT" in str(verification.findings[0])


def test_an_entry_that_never_was_is_forged_though_our_own_token_posted_it(told: House) -> None:
    held = message(told, 5)
    payload = {**held["metadata"]["event_payload"], "seq": 99, "hash": "f" * 64}
    metadata = {**held["metadata"], "event_payload": payload}
    told.bot.chat_postMessage(channel=CHANNEL, text="#99", metadata=metadata)
    assert findings(told) == [("forged", None)]


@pytest.mark.parametrize("who", ["bot", "other"])
def test_what_only_looks_like_an_entry_is_named(told: House, who: str) -> None:
    held = message(told, 5)
    getattr(told, who).chat_postMessage(channel=CHANNEL, text=held["text"], blocks=held["blocks"])
    assert findings(told) == [("forged", None)]


@pytest.mark.parametrize("who", ["bot", "other"])
def test_an_entry_of_a_maintenance_that_there_is_not_is_named(told: House, who: str) -> None:
    held = message(told, 5)
    payload = {**held["metadata"]["event_payload"], "maintenance": f"{ID}-2"}
    metadata = {**held["metadata"], "event_payload": payload}
    getattr(told, who).chat_postMessage(channel=CHANNEL, text=held["text"], metadata=metadata)
    assert findings(told) == [("forged", None)]


def test_the_log_of_another_maintenance_is_no_forgery(told: House) -> None:
    begin(told.maintenances, maintenance="second")
    told.settle()
    assert told.verified().ok
    assert told.verified("second").ok


def test_a_file_that_was_put_to_an_entry_later_is_an_edit(told: House) -> None:
    held = message(told, 18)
    channel = told.workspace.state.channels[CHANNEL]
    next(m for m in channel.messages if m["ts"] == held["ts"])["files"] = [{"name": "proof.png"}]
    assert findings(told) == [("edited", 18)]


def test_a_second_copy_is_named(told: House) -> None:
    held = message(told, 5)
    told.bot.chat_postMessage(channel=CHANNEL, text=held["text"], blocks=held["blocks"], metadata=held["metadata"])
    assert findings(told) == [("duplicated", 5)]


def test_a_wrong_order_is_named(told: House) -> None:
    database = told.maintenances.journal.database
    stamps = told.channel.outbox.delivered(ID)
    for seq, ts in ((4, stamps[5]), (5, stamps[4])):
        database.query("UPDATE deliveries SET ts = ? WHERE maintenance = ? AND seq = ?", (ts, ID, seq))
    assert ("order", 5) in findings(told)


def test_a_journal_that_was_altered_is_named(told: House) -> None:
    told.maintenances.journal.database.query("UPDATE entries SET actor = 'U0NOBODY' WHERE seq = 6")
    assert ("chain", 6) in findings(told)


def test_a_file_that_was_deleted_is_named(house: House) -> None:
    begin(house.maintenances)
    add(house.maintenances, (Kind.NOTED, None, {"text": "x" * 4000}, ANA))
    house.settle()
    assert house.verified().ok
    (ts,) = [m["ts"] for m in house.history() if m.get("files")]
    house.bot.chat_delete(channel=CHANNEL, ts=ts)
    assert findings(house) == [("file", 2)]


def test_what_still_waits_for_slack_is_not_at_fault(told: House) -> None:
    add(told.maintenances, (Kind.NOTED, None, {"text": "not there yet"}, ANA))
    told.faults.arm("drop_after", path="chat.postMessage")
    told.channel.deliver(told.now)
    assert told.channel.outbox.undelivered(ID) == {told.maintenances.state(ID).seq: "posting"}
    assert told.verified().ok


def test_what_is_noted_as_posted_while_the_channel_is_read_is_not_doubled(told: House) -> None:
    last = max(told.seqs())
    ts = message(told, last)["ts"]
    database = told.maintenances.journal.database
    database.query("UPDATE deliveries SET state = 'posting', ts = NULL WHERE seq = ?", (last,))

    def noted(_: float) -> None:
        database.query("UPDATE deliveries SET state = 'posted', ts = ? WHERE seq = ?", (ts, last))

    assert verify(told.api(), told.maintenances.journal, ID, page=1, pause=noted).ok


def test_what_people_write_is_nobodys_fault(told: House) -> None:
    told.slack.person("ben").says("#99 all fine")
    told.slack.person("ben").reacts("eyes", on=message(told, 5)["ts"])
    assert told.verified().ok


def test_emoji_links_and_entities_come_back_altered_and_are_no_edit(house: House) -> None:
    begin(house.maintenances)
    words = "✅ 🎉 done & dusted <b> at 10:42:13, see https://example.com/a?b=1&c=2 :tada:"
    add(
        house.maintenances, (Kind.NOTED, None, {"text": words}, ANA), (Kind.NOTED, None, {"text": f"{words}\nand"}, ANA)
    )
    house.settle()
    assert house.verified().ok


def test_many_pages_are_read_gently(told: House) -> None:
    pauses: list[float] = []
    told.faults.requests.clear()
    told.faults.arm(
        "status",
        path="history",
        skip=2,
        status=429,
        headers={"Retry-After": "3"},
        body={"ok": False, "error": "ratelimited"},
    )
    told.faults.arm("status", path="history", skip=4, status=503)
    assert told.verified(page=7, pause=pauses.append).ok
    assert told.calls("conversations.history") > 5
    assert 3.0 in pauses
    assert min(pauses) > 1.0


def test_the_journal_can_be_made_again_from_the_channel(told: House) -> None:
    begin(told.maintenances, [raw_step(f"step-{number}") for number in range(60)], maintenance="second")
    told.passes(lambda: not told.channel.outbox.pending())
    size = len(json.dumps(message_of(told, "second")["metadata"]))
    assert size <= METADATA_BYTES
    made = rebuild(told.api(), CHANNEL, page=9, pause=lambda _: None)
    assert made.findings == ()
    assert set(made.entries) == {ID, "second"}
    for maintenance, entries in made.entries.items():
        assert list(entries) == told.maintenances.journal.read(maintenance)


def message_of(house: House, maintenance: str) -> dict[str, Any]:
    payloads = [(m, m.get("metadata", {}).get("event_payload", {})) for m in house.history()]
    return next(m for m, payload in payloads if payload.get("maintenance") == maintenance)


def test_a_gap_ends_the_rebuilt_journal_and_is_said(told: House) -> None:
    told.bot.chat_delete(channel=CHANNEL, ts=message(told, 12)["ts"])
    made = rebuild(told.api(), CHANNEL, pause=lambda _: None)
    assert [entry.seq for entry in made.entries[ID]] == list(range(1, 12))
    assert "#12 is missing" in " ".join(made.findings)


def test_an_altered_entry_ends_it_too(told: House) -> None:
    held = message(told, 12)
    told.bot.chat_update(channel=CHANNEL, ts=held["ts"], **edited_entry(held))
    made = rebuild(told.api(), CHANNEL, pause=lambda _: None)
    assert len(made.entries[ID]) == 11
    assert "was altered" in " ".join(made.findings)


def test_a_history_that_stays_unreadable_is_an_error_of_slack(told: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slack_api, "_SLOWEST_RETRY_S", 0.0)
    told.faults.arm("status", path="history", times=99, status=503)
    with pytest.raises(Temporary, match="history"):
        told.verified()
