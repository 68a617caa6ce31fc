"""The log arrives in the channel: every entry once, in order, whatever Slack does."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from bot.database import Unavailable
from bot.entry import Kind
from bot.outbox import LogSlot
from bot.pictures import Pictures
from sandbox.faults import Fault
from sandbox.slack import Limits
from tests.bot.channel_house import House, house, open_house
from tests.bot.entries import ANA, CHANNEL, ID, a_night, add, begin, request
from tests.maintenance_fixtures import raw_step

__all__ = ["house", "open_house"]
POST = "^/api/chat.postMessage"


def failed(house: House, error: str, **files: str) -> None:
    add(
        house.maintenances,
        (Kind.STEP_STARTED, "upgrade", {"attempt": 1}),
        (Kind.STEP_FAILED, "upgrade", {"attempt": 1, "error": error, "files": files, "retry_at": None}),
    )


def all_fired(faults: list[Fault]) -> bool:
    """A fault that did not fire has proved nothing."""
    return all(fault.times == 0 for fault in faults)


def test_a_night_arrives_in_order_and_once(house: House) -> None:
    a_night(house.maintenances)
    house.settle()
    assert house.logged() == house.seqs()
    assert house.verified().ok
    assert house.verified().counted == len(house.seqs())


def test_log_messages_are_never_edited_and_have_no_buttons(house: House) -> None:
    begin(house.maintenances)
    house.settle()
    before = [m for m in house.history() if m.get("metadata", {}).get("event_type") == "maint_entry"]
    add(house.maintenances, (Kind.PAUSED, None, {}, ANA), (Kind.RESUMED, None, {}, ANA))
    house.settle()
    after = [m for m in house.history() if m.get("metadata", {}).get("event_type") == "maint_entry"]
    assert after[: len(before)] == before
    assert not any(block["type"] == "actions" for message in after for block in message["blocks"])


@pytest.mark.parametrize("kind", ["drop", "drop_after"])
def test_a_lost_answer_posts_nothing_twice(house: House, kind: str) -> None:
    a_night(house.maintenances)
    faults = [house.faults.arm(kind, path=POST, skip=skip, times=2) for skip in (0, 3, 11)]
    house.settle()
    assert all_fired(faults)
    assert house.logged() == house.seqs()
    assert len(house.live("card")) == 1
    assert house.verified().ok


@pytest.mark.parametrize("kind", ["drop", "drop_after"])
def test_a_lost_answer_shares_no_file_twice(house: House, kind: str) -> None:
    begin(house.maintenances)
    failed(house, "x" * 4000, **{"server.log": "FATAL"})
    paths = (
        "/api/files.completeUploadExternal",
        "/api/files.getUploadURLExternal",
        "/api/conversations.history",
        "/upload/",
    )
    faults = [house.faults.arm(kind, path=f"^{path}") for path in paths]
    house.settle()
    assert all_fired(faults)
    assert sorted(house.files()) == [f"{ID}-3-error.txt", f"{ID}-3-server.log"]
    assert house.verified().ok


def test_files_stand_right_behind_their_entry(house: House) -> None:
    begin(house.maintenances)
    failed(house, "x" * 4000, **{"server.log": "FATAL"})
    add(house.maintenances, (Kind.NOTED, None, {"text": "after"}, ANA))
    house.settle()
    history = house.history()
    shown = [
        m.get("metadata", {}).get("event_payload", {}).get("seq") or [f["name"] for f in m["files"]]
        for m in history[:6]
    ]
    assert shown == [1, 2, 3, [f"{ID}-3-error.txt"], [f"{ID}-3-server.log"], 4]


def pictured(house: House, digest: str) -> None:
    pictures = {"timeline.png": {"sha256": digest, "alt": "two bars"}}
    told = {"attempt": 1, "summary": "done", "facts": {}, "files": {}, "pictures": pictures}
    add(house.maintenances, (Kind.STEP_STARTED, "upgrade", {"attempt": 1}), (Kind.STEP_SUCCEEDED, "upgrade", told))


def test_a_picture_follows_its_entry_with_words_for_those_who_cannot_see_it(house: House) -> None:
    begin(house.maintenances)
    png = b"\x89PNG\r\n\x1a\n\x00\xff"
    kept = Pictures(house.maintenances.journal.database)
    assert kept.keep(png) == kept.keep(png)
    pictured(house, kept.keep(png))
    house.settle()
    (file,) = [file for message in house.history() for file in message.get("files", [])]
    assert (file["name"], file["mimetype"], file["alt_txt"]) == (f"{ID}-3-timeline.png", "image/png", "two bars")
    assert house.workspace.state.files[file["id"]].content == png
    assert house.verified().ok


def test_a_picture_that_is_not_kept_any_more_does_not_hold_up_the_log(house: House) -> None:
    begin(house.maintenances)
    pictured(house, "0" * 64)
    add(house.maintenances, (Kind.NOTED, None, {"text": "after"}, ANA))
    house.settle()
    assert (house.logged(), house.files()) == ([1, 2, 3, 4], [])
    assert any("timeline.png" in problem for problem in house.channel.problems(ID))


def test_slack_down_for_long_then_back(house: House) -> None:
    begin(house.maintenances)
    house.settle()
    house.slack.goes_down()
    for number in range(8):
        add(house.maintenances, (Kind.NOTED, None, {"text": f"note {number}"}, ANA))
        wait_s = house.channel.deliver(house.now)
        assert wait_s is not None
        house.now += timedelta(seconds=31)
    assert house.channel.problems(ID)
    house.slack.comes_back()
    house.settle()
    assert house.logged() == house.seqs()
    assert not house.channel.problems(ID)
    assert house.verified().ok


def test_a_slack_that_cannot_be_reached_is_not_asked_about_the_past(house: House) -> None:
    begin(house.maintenances)
    away = House.client(house, "xoxb-away")
    away.base_url = "http://127.0.0.1:9/api/"
    unreachable, house.bot = house.bot, away
    house.restarted().deliver(house.now)
    rows = house.channel.outbox.undelivered(ID)
    assert rows == {1: "waiting"}, "a refused connection has certainly posted nothing"
    house.bot = unreachable
    house.restarted()
    house.settle()
    assert house.logged() == [1]


def test_a_429_is_waited_out_and_asks_nothing_meanwhile(house: House) -> None:
    begin(house.maintenances)
    house.faults.arm(
        "status", path=POST, status=429, headers={"Retry-After": "7"}, body={"ok": False, "error": "ratelimited"}
    )
    assert house.channel.deliver(house.now) == 7.0
    asked = house.calls("chat.postMessage")
    house.channel.deliver(house.now)
    assert house.calls("chat.postMessage") == asked
    house.settle()
    assert house.logged() == [1]
    assert not house.channel.problems(ID)


def test_under_slacks_own_limits_everything_arrives(open_house: Callable[..., House]) -> None:
    house = open_house(limits=Limits(posts_per_s=30.0, post_burst=3))
    a_night(house.maintenances)
    wake = threading.Event()

    def all_there() -> bool:
        wake.wait(0.02)
        return not house.channel.outbox.pending()

    house.passes(all_there)
    assert house.logged() == house.seqs()


@pytest.mark.parametrize("arrived", [True, False])
def test_a_restart_in_the_middle_of_posting(house: House, arrived: bool) -> None:
    begin(house.maintenances)
    add(house.maintenances, (Kind.NOTED, None, {"text": "one"}, ANA), (Kind.NOTED, None, {"text": "two"}, ANA))
    if arrived:
        house.faults.arm("drop_after", path=POST, skip=1)
        house.channel.deliver(house.now)
    else:
        house.faults.arm("drop", path=POST, skip=1)
        house.channel.deliver(house.now)
    assert house.channel.outbox.undelivered(ID) == {2: "posting", 3: "waiting"}
    house.restarted()
    house.settle()
    assert house.logged() == [1, 2, 3]


def test_a_slot_is_claimed_by_one_only(house: House) -> None:
    begin(house.maintenances)
    slots = [LogSlot(house.maintenances.journal.database, ID, 1, CHANNEL) for _ in range(8)]
    won: list[bool] = []
    threads = [threading.Thread(target=lambda slot=slot: won.append(slot.claim())) for slot in slots]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 7 + [True]


def test_looking_back_reads_as_many_pages_as_it_takes(house: House) -> None:
    begin(house.maintenances)
    house.settle()
    add(house.maintenances, (Kind.NOTED, None, {"text": "lost"}, ANA))
    house.faults.arm("drop_after", path=POST)
    house.channel.deliver(house.now)
    for number in range(450):
        house.other.chat_postMessage(channel=CHANNEL, text=f"chatter {number}")
    house.restarted()
    house.faults.requests.clear()
    house.passes(lambda: not house.channel.outbox.pending())
    assert house.calls("conversations.history") == 3
    assert house.calls("chat.postMessage") == 0
    assert house.logged() == [1, 2]


@pytest.mark.parametrize(
    ("channel", "word"), [("C0GENERAL", "/invite"), ("C0OLDNEWS", "archive"), ("C0NOWHERE", "invite")]
)
def test_one_channel_that_refuses_keeps_no_other_waiting(house: House, channel: str, word: str) -> None:
    begin(house.maintenances, maintenance="a-refused")
    database = house.maintenances.journal.database
    database.query("UPDATE deliveries SET channel = ? WHERE maintenance = 'a-refused'", (channel,))
    begin(house.maintenances)
    house.passes(lambda: house.channel.outbox.pending() == ["a-refused"] and house.logged() == [1])
    assert word in " ".join(house.channel.problems("a-refused"))
    assert not house.channel.problems(ID)


def test_once_invited_the_log_arrives(house: House) -> None:
    begin(house.maintenances)
    house.maintenances.journal.database.query("UPDATE deliveries SET channel = 'C0GENERAL'")
    house.channel.deliver(house.now)
    assert house.channel.outbox.undelivered(ID) == {1: "waiting"}
    house.slack.person("ana").invites_app("general")
    house.passes(lambda: not house.channel.outbox.pending())
    assert house.logged(channel="C0GENERAL") == [1]


def test_what_slack_does_not_take_as_blocks_goes_as_text_and_file(house: House) -> None:
    begin(house.maintenances)
    house.settle()
    add(house.maintenances, (Kind.NOTED, None, {"text": "strange"}, ANA))
    house.faults.arm("status", path=POST, status=200, body={"ok": False, "error": "msg_blocks_too_long"})
    house.settle()
    assert house.logged() == [1, 2]
    assert f"{ID}-entry-2.json" in house.files()
    assert "could not be shown in full" in " ".join(house.channel.problems(ID))
    assert house.verified().ok


def test_a_file_that_is_refused_does_not_stop_the_log(house: House) -> None:
    begin(house.maintenances)
    failed(house, "x" * 4000)
    add(house.maintenances, (Kind.NOTED, None, {"text": "after"}, ANA))
    house.faults.arm("status", path="files.getUpload", status=200, body={"ok": False, "error": "missing_scope"})
    house.settle()
    assert house.logged() == [1, 2, 3, 4]
    assert "missing_scope" in " ".join(house.channel.problems(ID))


def test_sixty_steps_and_four_thousand_characters(house: House) -> None:
    steps = [raw_step(f"step-{number}", title=f"Vacuum & analyze <table {number}>") for number in range(60)]
    begin(house.maintenances, steps)
    ends: list[tuple[Any, ...]] = []
    for number in range(60):
        name = f"step-{number}"
        ends.append((Kind.STEP_STARTED, name, {"attempt": 1}))
        ends.append((Kind.STEP_FAILED, name, {"attempt": 1, "error": "&" * 4000, "files": {}, "retry_at": None}))
    add(house.maintenances, *ends)
    house.settle()
    assert house.logged() == house.seqs()
    assert len(house.live("card")) == 1
    assert house.verified().ok
    assert house.slack.complaints() == []


def test_the_thread_delivers_when_woken_and_stops(house: House) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=house.channel.run, args=(stop,))
    thread.start()
    try:
        begin(house.maintenances)
        house.channel.wake()
        house.slack.person("ana").sees("is planned from the runbook")
        add(house.maintenances, request("upgrade"))
        house.channel.wake()
        house.slack.person("ben").sees("may decide, until")
    finally:
        stop.set()
        house.channel.wake()
        thread.join(60)
    assert not thread.is_alive()


def test_the_thread_outlives_a_database_that_is_away(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(house.maintenances)
    asked = threading.Event()
    healthy = house.channel.outbox.pending

    def away() -> list[str]:
        asked.set()
        raise Unavailable("locked")

    monkeypatch.setattr(house.channel.outbox, "pending", away)
    stop = threading.Event()
    thread = threading.Thread(target=house.channel.run, args=(stop,))
    thread.start()
    try:
        assert asked.wait(60)
        monkeypatch.setattr(house.channel.outbox, "pending", healthy)
        house.channel.wake()
        house.slack.person("ana").sees("is planned from the runbook")
    finally:
        stop.set()
        house.channel.wake()
        thread.join(60)
    assert not thread.is_alive()


def test_only_the_process_that_leads_delivers(house: House) -> None:
    begin(house.maintenances)
    stop, leads, asked = threading.Event(), threading.Event(), threading.Event()

    def leading() -> bool:
        asked.set()
        return leads.is_set()

    thread = threading.Thread(target=house.channel.run, args=(stop, leading))
    thread.start()
    try:
        assert asked.wait(60)
        assert house.calls("chat.postMessage") == 0
        leads.set()
        house.channel.wake()
        house.slack.person("ana").sees("is planned from the runbook")
    finally:
        stop.set()
        house.channel.wake()
        thread.join(60)
