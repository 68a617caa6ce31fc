"""The card and the prompts in the channel: posted once, updated in place, without buttons once they are decided."""

from datetime import timedelta

import pytest

from bot.entry import Kind
from bot.journal import Draft
from bot.maintenances import Unread
from tests.bot.channel_house import House, house, open_house
from tests.bot.entries import ANA, BEN, CHANNEL, ID, POLICY, add, begin, request
from tests.maintenance_fixtures import raw_step

__all__ = ["house", "open_house"]
PROMPT = "approval:upgrade:1"
POST = "^/api/chat.postMessage"


def ask(house: House) -> None:
    begin(house.maintenances, [raw_step("upgrade", title="Upgrade", approval=POLICY)])
    add(house.maintenances, request("upgrade"))


def approve(house: House) -> None:
    add(house.maintenances, (Kind.APPROVED, "upgrade", {"token": "t0ken"}, BEN))


def buttons(message: dict[str, object]) -> list[str]:
    blocks = message["blocks"]
    assert isinstance(blocks, list)
    return [e["action_id"] for block in blocks if block["type"] == "actions" for e in block["elements"]]


def test_the_card_is_posted_once_behind_the_log_and_pinned(house: House) -> None:
    begin(house.maintenances)
    house.settle()
    history = house.history()
    assert history[0]["metadata"]["event_type"] == "maint_entry"
    assert history[1]["metadata"]["event_type"] == "maint_card"
    pinned = house.bot.pins_list(channel=CHANNEL)["items"]
    assert [pin["message"]["ts"] for pin in pinned] == [house.live("card")[0]["ts"]]
    house.restarted()
    house.settle()
    assert len(house.live("card")) == 1
    assert house.calls("pins.add") == 1


def test_a_prompt_is_posted_once_and_answered_in_place(house: House) -> None:
    ask(house)
    house.settle()
    (prompt,) = house.live(PROMPT)
    assert buttons(prompt) == ["approve:upgrade", "reject:upgrade"]
    approve(house)
    house.settle()
    (decided,) = house.live(PROMPT)
    assert decided["ts"] == prompt["ts"]
    assert buttons(decided) == []
    assert f"Approved by <@{BEN}>" in str(decided["blocks"])


def test_what_a_newer_version_goes_on_with_is_told_on_the_card_and_its_prompts_are_left_alone(house: House) -> None:
    ask(house)
    house.settle()
    (before,) = house.live(PROMPT)
    house.maintenances.happened(ID, Draft("weighed", "maint", "k1", "upgrade", {"text": "3 kg"}))
    house.maintenances.happened(ID, Draft(Kind.APPROVAL_VOID, "maint", "k2", "upgrade", {"token": "t0ken"}))
    house.restarted()
    house.settle()
    assert house.live(PROMPT) == [before]
    (card,) = house.live("card")
    assert "does not understand its log (weighed)" in str(card["blocks"])
    told = [str(message.get("blocks")) for message in house.history()]
    assert any("Weighed of `upgrade`: " in text and "3 kg" in text for text in told)
    assert house.logged() == [entry.seq for entry in house.maintenances.journal.read(ID)]
    assert house.verified().ok
    with pytest.raises(Unread, match="A newer version of the bot has gone on with"):
        house.maintenances.record(ID, lambda _: [Draft(Kind.PAUSED, ANA, "k3")])


def test_refresh_takes_the_buttons_away_at_once(house: House) -> None:
    ask(house)
    house.settle()
    approve(house)
    house.channel.refresh(ID)
    assert buttons(house.live(PROMPT)[0]) == []


def test_after_a_refresh_the_delivery_has_the_last_word(house: House) -> None:
    ask(house)
    house.settle()
    approve(house)
    house.channel.refresh(ID)
    updates = house.calls("chat.update")
    house.settle()
    settled = house.calls("chat.update")
    assert settled > updates
    house.settle()
    assert house.calls("chat.update") == settled, "what is shown already is not sent again"


def test_refresh_never_raises_and_the_next_pass_makes_up_for_it(house: House) -> None:
    ask(house)
    house.settle()
    approve(house)
    house.slack.goes_down()
    house.channel.refresh(ID)
    house.slack.comes_back()
    house.settle()
    assert buttons(house.live(PROMPT)[0]) == []


def test_a_request_that_was_replaced_while_slack_was_down_loses_its_buttons(house: House) -> None:
    ask(house)
    house.settle()
    house.slack.goes_down()
    add(house.maintenances, (Kind.APPROVAL_EXPIRED, "upgrade", {"token": "t0ken"}), request("upgrade", token="t2"))
    house.channel.deliver(house.now)
    house.slack.comes_back()
    house.settle()
    assert buttons(house.live(PROMPT)[0]) == []
    (new,) = house.live("approval:upgrade:2")
    assert buttons(new) == ["approve:upgrade", "reject:upgrade"]


def test_a_request_decided_before_it_could_be_posted_is_not_posted(house: House) -> None:
    ask(house)
    approve(house)
    house.settle()
    assert house.live(PROMPT) == []
    assert house.logged() == [1, 2, 3]


@pytest.mark.parametrize("kind", ["drop", "drop_after"])
@pytest.mark.parametrize("skip", [2, 3])
def test_a_lost_answer_posts_no_card_and_no_prompt_twice(house: House, kind: str, skip: int) -> None:
    ask(house)
    fault = house.faults.arm(kind, path=POST, skip=skip)
    for _ in range(3):
        house.channel.deliver(house.now)
        house.now += timedelta(seconds=5)
        house.restarted()
    assert fault.times == 0
    house.settle()
    house.passes(lambda: house.live("card") and house.live(PROMPT))
    house.settle()
    assert len(house.live("card")) == 1
    assert len(house.live(PROMPT)) == 1
    assert house.logged() == [1, 2]


def test_the_card_is_throttled_and_its_last_state_arrives(house: House) -> None:
    begin(house.maintenances)
    add(house.maintenances, (Kind.STEP_STARTED, "upgrade", {"attempt": 1}))
    house.settle()
    before = house.calls("chat.update")
    for done in range(30):
        house.progress.set(ID, "upgrade", house.now, {"done": done, "total": 30, "unit": "tables", "text": ""})
        house.now += timedelta(seconds=0.1)
        house.channel.deliver(house.now)
    assert house.calls("chat.update") - before <= 3
    house.settle()
    assert "29 of 30 tables" in str(house.live("card")[0]["blocks"])


def test_nothing_is_sent_when_nothing_has_changed(house: House) -> None:
    begin(house.maintenances)
    house.settle()
    house.faults.requests.clear()
    for _ in range(10):
        house.channel.deliver(house.now)
    assert list(house.faults.requests) == []


def test_a_deleted_card_is_posted_anew(house: House) -> None:
    begin(house.maintenances)
    house.settle()
    house.bot.chat_delete(channel=CHANNEL, ts=house.live("card")[0]["ts"])
    add(house.maintenances, (Kind.PAUSED, None, {}, ANA))
    house.settle()
    (card,) = house.live("card")
    assert "resume" in buttons(card)


def test_a_card_that_cannot_be_pinned_is_updated_all_the_same(house: House) -> None:
    begin(house.maintenances)
    house.faults.arm("status", path="pins.add", status=200, body={"ok": False, "error": "missing_scope"})
    house.settle()
    assert "could not be pinned" in " ".join(house.channel.problems(ID))
    assert "could not be pinned" in str(house.live("card")[0]["blocks"])


def test_content_that_is_refused_is_not_sent_again_until_it_changes(house: House) -> None:
    begin(house.maintenances)
    house.settle()
    add(house.maintenances, (Kind.PAUSED, None, {}, ANA))
    fault = house.faults.arm(
        "status", path="chat.update", status=200, times=99, body={"ok": False, "error": "invalid_blocks"}
    )
    house.settle()
    assert fault.times == 98
    house.faults.clear()
    add(house.maintenances, (Kind.RESUMED, None, {}, ANA))
    house.settle()
    assert "pause" in buttons(house.live("card")[0])


def test_a_maintenance_that_is_over_is_left_alone_but_can_still_be_noted(house: House) -> None:
    begin(house.maintenances)
    end = {"attempt": 1, "summary": "done", "facts": {}, "files": {}}
    add(
        house.maintenances,
        (Kind.STEP_STARTED, "upgrade", {"attempt": 1}),
        (Kind.STEP_SUCCEEDED, "upgrade", end),
        (Kind.STATE_CHANGED, None, {"from": "in_progress", "to": "completed"}),
    )
    house.settle()
    assert buttons(house.live("card")[0]) == []
    assert house.channel.deliver(house.now) is None
    house.restarted()
    house.faults.requests.clear()
    assert house.channel.deliver(house.now) is None
    assert list(house.faults.requests) == []
    add(house.maintenances, (Kind.NOTED, None, {"text": "thanks"}, ANA))
    house.settle()
    assert house.logged() == house.seqs()
