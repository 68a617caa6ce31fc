"""The channel is gone in the middle of a maintenance: somebody is told of it where they can read it."""

from datetime import timedelta

import pytest

from bot.entry import Kind
from tests.bot.channel_house import House, house, open_house
from tests.bot.entries import ANA, CHANNEL, ID, add, begin

__all__ = ["house", "open_house"]


def told(house: House) -> list[str]:
    direct = house.bot.conversations_open(users=ANA)["channel"]["id"]
    return [message["text"] for message in house.history(direct)]


def note(house: House, text: str) -> None:
    add(house.maintenances, (Kind.NOTED, None, {"text": text}, ANA))
    house.now += timedelta(seconds=61)
    house.channel.deliver(house.now)


@pytest.mark.parametrize("how", ["archived", "removed"])
def test_who_coordinates_is_told_once_and_the_log_comes_later(house: House, how: str) -> None:
    begin(house.maintenances)
    house.settle()
    place = house.workspace.state.channels[CHANNEL]
    own = house.workspace.config.app.user_id
    if how == "archived":
        place.is_archived = True
    else:
        place.members.remove(own)
    note(house, "one")
    note(house, "two")
    house.restarted()
    note(house, "three")
    [text] = told(house)
    assert text.startswith(f":warning: I cannot write into <#{CHANNEL}> any more. Slack refused chat.postMessage: ")
    assert ("Bring the channel back" if how == "archived" else "Invite the bot") in text
    assert f"`/maint status {ID}`" in text
    place.is_archived = False
    if own not in place.members:
        house.slack.person("ana", CHANNEL).invites_app()
    house.now += timedelta(seconds=61)
    house.settle()
    assert house.logged() == house.seqs()
    assert len(told(house)) == 1


def test_a_token_that_was_revoked_stops_nothing_and_says_so_on_the_card(house: House) -> None:
    begin(house.maintenances)
    house.settle()
    revoked = {"status": 200, "body": {"ok": False, "error": "token_revoked"}}
    house.faults.arm("status", path="^/api/", times=99, **revoked)
    note(house, "one")
    assert any("token was revoked: install the app again" in problem for problem in house.channel.problems(ID))
    house.faults.clear()
    house.now += timedelta(seconds=61)
    house.settle()
    assert house.logged() == house.seqs()
