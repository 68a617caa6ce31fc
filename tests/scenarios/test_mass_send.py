"""Intercom as people in the channel steer it: a send held in the middle and killed meanwhile; news drafted and read."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from sandbox.intercom import ADMIN_ID, EVERYONE, Intercom
from sandbox.intercom.workspace import TOKEN
from sandbox.server import serving
from tests.scenarios.house import WAIT_S, House, Room, open_house

PEOPLE = 200
TELL = """
  - id: tell
    uses: intercom.message
    title: Tell the users
    approval: false
    with: {body: We will be down tonight., read_back_after_s: 1}
"""
ASKED = TELL.replace("approval: false", "approval: {from: S0APPROVE}").replace("tonight", "tomorrow")


@dataclass
class Office:
    """A house whose bot is connected to an Intercom workspace."""

    house: House
    workspace: Intercom

    def has_sent(self, count: int) -> None:
        """Wait until so many messages have arrived."""
        deadline = time.monotonic() + WAIT_S
        while len(self.workspace.messages) < count:
            assert time.monotonic() < deadline, f"only {len(self.workspace.messages)} messages have arrived"
            time.sleep(0.01)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    workspace = Intercom(contacts=PEOPLE, mix=EVERYONE, window_s=1.0)
    with serving(workspace.app) as server, open_house(tmp_path_factory.mktemp("office")) as house:
        house.bot.environment.update(
            MAINT_INTERCOM_URL=server.url, MAINT_INTERCOM_TOKEN=TOKEN, MAINT_INTERCOM_ADMIN_ID=ADMIN_ID
        )
        house.is_open()
        yield Office(house, workspace)


@pytest.fixture
def room(office: Office) -> Room:
    return office.house.room()


def test_a_pause_holds_a_send_between_two_messages_and_outlives_a_kill(office: Office, room: Room) -> None:
    people, before = len(office.workspace.contacts), len(office.workspace.messages)
    office.workspace.window.limit = 60
    room.plans(TELL)
    office.has_sent(before + 70)
    room.dev.says("/maint pause")
    room.dev.sees("is paused. Tell the users holds where it is")
    room.channel.shows("paused by @dev · ")
    held = len(office.workspace.messages) - before
    assert held < people
    room.channel.shows(f" · {held} of {people} messages")
    office.house.restarts()
    room.channel.shows("paused by @dev · ")
    room.ana.says("/maint status")
    room.ana.sees(f" · {held} of {people} messages")
    assert len(office.workspace.messages) == before + held
    room.ana.says("/maint resume")
    room.channel.shows(f"{people} messages sent")
    room.channel.shows("The maintenance is completed")
    [told] = [text for text in office.workspace.summary()["texts"] if "tonight" in text["text"]]
    assert (told["recipients"], told["duplicates"]) == (people, 0)
    assert sum(office.workspace.window.refused.values()) == 0


NEWS = """
  - {id: work, uses: manual, approval: false, with: {text: Do it.}}
  - {id: report, uses: report}
  - id: news
    uses: intercom.news
    with:
      title: "{{ title }} is done"
      body: |
        {% set report = outcomes['report'].words -%}
        It took {{ report.took }} of {{ report.allotted }}.
        {% for line in report.upgraded + report.security %}
        {{ line }}
        {%- endfor %}
  - {id: publish, title: Publish the news, uses: intercom.publish_news, with: {draft: news}}
"""


def test_news_made_from_the_report_is_published_as_it_was_approved(office: Office, room: Room) -> None:
    made = room.plans(NEWS)
    room.ana.says(f"/maint note {made} upgraded: PgBouncer 1.21 to 1.23")
    room.channel.shows("PgBouncer 1.21 to 1.23")
    room.ana.says(f"/maint done {made} work")
    room.channel.shows("Publish the news item")
    (item,) = office.workspace.news.values()
    assert item["state"] == "draft"
    assert "PgBouncer 1.21 to 1.23" in item["body"]
    item["body"] = "<p>Mended by hand</p>"
    room.ben.clicks("Approve", on="Publish the news")
    room.channel.shows("no longer counts")
    assert item["state"] == "draft"
    room.channel.shows("Mended by hand")
    room.ben.clicks("Approve", on="Publish the news")
    room.channel.shows("The maintenance is completed")
    assert (item["state"], item["body"]) == ("live", "<p>Mended by hand</p>")


def test_the_message_is_counted_shown_and_sent_to_whoever_approves_first(office: Office, room: Room) -> None:
    people, before = len(office.workspace.contacts) + 1, len(office.workspace.messages)
    office.workspace.window.limit = 10_000
    me = office.workspace.add_contact()
    room.plans(ASKED)
    prompt = room.channel.shows(" people will get this")["plain"]
    assert "We will be down tomorrow." in prompt
    assert "For example: User " in prompt
    assert "@example.com" not in prompt
    room.ben.clicks("Send to me first…", on="Approval: Tell the users")
    room.ben.sees_modal("Your e-mail address there")
    room.ben.submits(reason="not an address")
    assert "That is no e-mail address." in room.ben.form_errors().values()
    room.ben.submits(reason=me.email)
    room.ben.sees(f"Sent to {me.name} ({me.id}) alone")
    room.channel.shows("Asked to be sent it first, alone.")
    assert len(office.workspace.messages) == before + 1
    assert office.workspace.received(me.id) == ["<p>We will be down tomorrow.</p>"]
    assert room.count(me.email) == 0
    room.ben.clicks("Approve", on="Approval: Tell the users", confirm=True)
    room.channel.shows(f"{people} messages sent")
    assert len(office.workspace.received(me.id)) == 2
    room.channel.shows("The maintenance is completed")
