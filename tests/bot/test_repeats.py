"""What Slack carries out long after its answer was lost: each entry and each prompt counts once, wherever it stands."""

import time
from collections.abc import Callable
from datetime import timedelta

import pytest

from bot.channel import Channel
from bot.entry import Kind
from bot.messages import ENTRY_EVENT
from bot.slack_api import payload_of
from tests.bot.channel_house import House, house, open_house
from tests.bot.entries import ANA, CHANNEL, ID, add, begin

__all__ = ["house", "open_house"]
POST = "^/api/chat.postMessage"


def impatient(house: House) -> None:
    """A process that has just started, and waits for Slack for a second."""
    house.channel = Channel(house.bot, house.maintenances, house.progress, timeout_s=1)


def late(house: House, delay_s: float, skip: int = 0) -> None:
    """Slack carries one post out only after whoever asked has given up, and has posted it again meanwhile."""
    house.faults.arm("delay", path=POST, delay_s=delay_s, skip=skip)
    house.channel.deliver(house.now)
    house.passes(lambda: not house.channel.outbox.pending())


def until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("restarts", [False, True])
def test_an_entry_that_comes_late_is_said_to_repeat_another(house: House, restarts: bool) -> None:
    begin(house.maintenances)
    house.settle()
    impatient(house)
    add(house.maintenances, (Kind.NOTED, None, {"text": "the coffee"}, ANA), (Kind.NOTED, None, {"text": "then"}, ANA))
    late(house, 1.5)
    until(lambda: sorted(house.logged()) == [1, 2, 2, 3])
    assert [str(each) for each in house.verified().findings] != []
    if restarts:
        house.restarted()
    house.now += timedelta(seconds=6)
    house.channel.deliver(house.now)
    assert house.logged() == house.seqs()
    assert house.verified().ok
    [repeat] = [m for m in house.history() if (m.get("metadata") or {}).get("event_type") == "maint_repeat"]
    assert "Entry #2 of" in repeat["text"]
    assert "the coffee" not in str(repeat["blocks"])


def test_a_card_that_comes_late_loses_its_buttons(house: House) -> None:
    begin(house.maintenances)
    impatient(house)
    late(house, 1.5, skip=1)
    house.settle()
    until(lambda: len(house.live("card")) == 2)
    house.now += timedelta(seconds=20)
    house.channel.deliver(house.now)
    [card] = house.live("card")
    assert card["ts"] == house.channel.outbox.live(ID)["card"].ts


def test_a_doubt_ends_and_touches_nothing_else(house: House) -> None:
    begin(house.maintenances)
    house.faults.arm("drop", path=POST)
    house.settle()
    [message] = [m for m in house.history() if (m.get("metadata") or {}).get("event_type") == ENTRY_EVENT]
    house.other.conversations_join(channel=CHANNEL)
    house.other.chat_postMessage(channel=CHANNEL, text="copied", metadata=message["metadata"])
    assert house.channel.outbox.doubts()
    house.now += timedelta(seconds=700)
    assert house.channel.deliver(house.now) is not None
    house.now += timedelta(seconds=1)
    house.channel.deliver(house.now)
    assert house.channel.outbox.doubts() == []
    claims = [m for m in house.history(CHANNEL) if payload_of(m).get("seq") == 1]
    assert len(claims) == 2
