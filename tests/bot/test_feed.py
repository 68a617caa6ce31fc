"""What the public is shown, when, and what never: the feed and its three texts."""

import json
import re
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import icalendar
import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.database import Database
from bot.feed import link, public, told
from bot.feed_texts import as_atom, as_calendar, as_json
from bot.milestones import ENDS
from tests.bot import entries
from tests.bot.entries import ID
from tests.bot.feed_story import IMPACT, START, URL, Story
from tests.bot.simulated import Simulated, runbooks

DOCS = Path(__file__).parents[2] / "docs" / "reference"
SCHEMA = json.loads((DOCS / "maintenance.schema.json").read_text())
VALID = jsonschema.Draft202012Validator(SCHEMA)
ATOM = {"a": "http://www.w3.org/2005/Atom"}


@pytest.fixture
def story(database: Database) -> Story:
    return Story(database)


def shown(story: Story) -> list[dict[str, Any]]:
    """The maintenances in the JSON, which is as its schema says."""
    document = json.loads(as_json(story.feed()))
    VALID.validate(document)
    found: list[dict[str, Any]] = document["maintenances"]
    return found


def only(story: Story) -> dict[str, Any]:
    (found,) = shown(story)
    return found


def happened(story: Story) -> list[str]:
    return [change["what"] for change in only(story)["changes"]]


# When it is shown -----------------------------------------------------------------------------------------------------


def test_nothing_is_told_before_somebody_has_approved_it(story: Story) -> None:
    story.plan()
    assert shown(story) == []
    story.looks_around()
    assert story.state().status == "scheduled"
    assert shown(story) == []


def test_from_the_announcement_to_the_end(story: Story) -> None:
    story.plan()
    story.is_announced()
    found = only(story)
    assert (found["title"], found["status"], found["impact"], found["url"]) == (
        "Postgres 14 to 18",
        "scheduled",
        IMPACT,
        URL,
    )
    assert (found["start"], found["end"], found["duration_s"]) == (
        "2026-11-25T09:00:00Z",
        "2026-11-25T11:00:00Z",
        7200,
    )
    assert found["zone"] == "Pacific/Auckland"
    story.begins()
    assert only(story)["status"] == "in_progress"
    story.turns("verifying")
    assert only(story)["status"] == "verifying"
    story.turns("completed")
    assert only(story)["status"] == "completed"
    assert happened(story) == ["announced", "begun", "completed"]
    assert only(story)["id"] == found["id"]


def test_work_that_begins_without_a_notice_is_announced_by_beginning(story: Story) -> None:
    story.plan()
    story.turns("in_progress")
    assert happened(story) == ["announced", "begun"]


def test_a_moved_and_extended_window_is_shown_with_what_it_was(story: Story) -> None:
    story.plan()
    story.is_announced()
    story.moves(START + timedelta(days=2))
    story.extends(timedelta(minutes=30), number=2)
    found = only(story)
    assert (found["start"], found["end"]) == ("2026-11-27T09:00:00Z", "2026-11-27T11:30:00Z")
    assert [(each["what"], each["start"], each["end"]) for each in found["changes"]] == [
        ("announced", "2026-11-25T09:00:00Z", "2026-11-25T11:00:00Z"),
        ("moved", "2026-11-27T09:00:00Z", "2026-11-27T11:00:00Z"),
        ("extended", "2026-11-27T09:00:00Z", "2026-11-27T11:30:00Z"),
    ]


def test_a_change_that_is_asked_for_and_not_approved_shows_nowhere(story: Story) -> None:
    story.plan()
    story.is_announced()
    entries.add(story.maintenances, entries.extension())
    assert happened(story) == ["announced"]


def test_what_was_moved_before_its_announcement_is_told_with_its_new_window_alone(story: Story) -> None:
    story.plan()
    story.moves(START + timedelta(days=1))
    assert shown(story) == []
    story.is_announced()
    assert happened(story) == ["announced"]
    assert only(story)["changes"][0]["start"] == "2026-11-26T09:00:00Z"


def test_a_cancelled_maintenance_is_shown_as_cancelled_at_once_and_once(story: Story) -> None:
    story.plan()
    story.is_announced()
    story.cancels()
    assert only(story)["status"] == "cancelled"
    story.turns("cancelled")
    assert happened(story) == ["announced", "cancelled"]


def test_what_was_never_announced_is_not_shown_when_it_ends(story: Story) -> None:
    story.plan("2026-11-25-a")
    story.cancels("2026-11-25-a")
    story.turns("cancelled", "2026-11-25-a")
    story.plan("2026-11-25-b")
    story.aborts("2026-11-25-b")
    assert shown(story) == []


def test_an_abort_before_the_work_is_a_cancellation_and_after_it_is_not(story: Story) -> None:
    story.plan("2026-11-25-a")
    story.is_announced("2026-11-25-a")
    story.aborts("2026-11-25-a")
    assert only(story)["status"] == "cancelled"
    story.plan(start=START + timedelta(hours=1))
    story.is_announced()
    story.begins()
    story.aborts()
    assert [found["status"] for found in shown(story)] == ["cancelled", "aborted"]


def test_what_has_ended_stays_for_thirty_days(story: Story) -> None:
    story.plan()
    story.is_announced()
    story.begins()
    story.turns("completed")
    story.now += timedelta(days=30, seconds=-1)
    assert len(shown(story)) == 1
    story.now += timedelta(seconds=1)
    assert shown(story) == []


def test_what_nobody_has_begun_stays(story: Story) -> None:
    story.plan()
    story.is_announced()
    story.now += timedelta(days=90)
    assert only(story)["status"] == "scheduled"


def test_a_runbook_can_keep_it_out(story: Story) -> None:
    story.plan(public=False)
    story.is_announced()
    story.begins()
    assert shown(story) == []


def test_maintenances_are_sorted_by_their_start(story: Story) -> None:
    for number in (3, 1, 2):
        name = f"2026-11-25-{number}"
        story.plan(name, start=START + timedelta(days=number), title=f"Work {number}")
        story.is_announced(name)
    assert [found["title"] for found in shown(story)] == ["Work 1", "Work 2", "Work 3"]


@given(steps=runbooks(), data=st.data())
@settings(max_examples=60, deadline=None)
def test_whatever_happens_it_is_told_in_order(steps: list[dict[str, Any]], data: st.DataObject) -> None:
    case = Simulated(steps)
    before: tuple[str, ...] = ()
    for _ in range(data.draw(st.integers(0, 40), label="events")):
        case.happen(lambda below: data.draw(st.integers(0, below - 1)))
        what = tuple(each.what for each in case.state.milestones)
        assert what[: len(before)] == before, "something that was told has been taken back"
        assert what[:1] in {(), ("announced",)}
        assert all(each in what[-1:] for each in what if each in ENDS), "something after the end"
        assert len(set(what)) == len(what)
        before = what
    VALID.validate(json.loads(as_json(public([case.state], case.now))))


# What is never shown --------------------------------------------------------------------------------------------------


def texts(story: Story) -> str:
    feed = story.feed()
    # Folded lines of the calendar would hide words from a search.
    calendar = as_calendar(feed).decode().replace("\r\n ", "")
    return as_json(feed).decode() + calendar + as_atom(feed).decode()


def test_nothing_internal_is_in_it(story: Story) -> None:
    story.plan()
    story.is_announced()
    story.begins()
    story.plan("2026-11-26-secret-runbook", start=START + timedelta(days=1))
    story.is_announced("2026-11-26-secret-runbook")
    story.cancels("2026-11-26-secret-runbook")
    found = texts(story)
    assert "Postgres 14 to 18" in found
    for internal in (
        *(entries.ANA, entries.BEN, entries.APPROVERS, entries.CHANNEL),
        *("2026-11-25-postgres-17", "secret-runbook", "postgres-upgrade"),
        *("secret-work", "tell-users", "look-around", "cancel-1", "Acme", "t0ken", "s3cret"),
    ):
        assert internal not in found, internal


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("Postgres 14 to 18", "Postgres 14 to 18"),
        (" two\nlines\t ", "two lines"),
        ("by <@U0ANA0001|ana> and <!subteam^S0APPROVE> in <#C0MAINT01|ops>", "by and in"),
        ("a < b & <b>c</b>", "a < b & <b>c</b>"),
        ("\x1b[31mred\x00 \ud800\uffff", "[31mred"),
        ("äöü 维护 🚧", "äöü 维护 🚧"),
        ("down \u202e0:71 ta\u2069 שלום", "down 0:71 ta שלום"),
        ("x" * 21, "x" * 19 + "…"),
    ],
)
def test_words_are_one_plain_line(words: str, said: str) -> None:
    assert told(words, 20 if len(words) == 21 else 200) == said


@pytest.mark.parametrize(
    ("address", "good"),
    [
        ("https://example.com/a?b=c#d", True),
        ("http://example.com", True),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("https://user:password@example.com/", False),
        ("//example.com/", False),
        ("/relative", False),
        ("https://", False),
        ("https://example.com/\nx", False),
        ("https://[", False),
        ("", False),
    ],
)
def test_only_web_addresses_without_a_password_are_linked(address: str, good: bool) -> None:
    assert link(address) == (address if good else "")


# The texts ------------------------------------------------------------------------------------------------------------


def test_the_schema_refuses_what_it_does_not_know(story: Story) -> None:
    story.plan()
    story.is_announced()
    document = json.loads(as_json(story.feed()))
    spoiled: list[dict[str, Any]] = [
        {"requester": "U0ANA0001"},
        {"status": "draft"},
        {"url": "javascript:alert(1)"},
        {"start": "2026-11-25T09:00:00"},
        {"changes": []},
    ]
    for change in spoiled:
        wrong = {**document, "maintenances": [{**document["maintenances"][0], **change}]}
        assert list(VALID.iter_errors(wrong)), change


def test_an_empty_feed_is_three_good_texts(story: Story) -> None:
    assert shown(story) == []
    assert icalendar.Calendar.from_ical(as_calendar(story.feed())).walk("VEVENT") == []
    assert ET.fromstring(as_atom(story.feed())).findtext("a:updated", namespaces=ATOM) == "1970-01-01T00:00:00Z"


def test_equal_feeds_give_equal_texts(story: Story) -> None:
    story.plan()
    story.is_announced()
    before = texts(story)
    story.now += timedelta(hours=1)
    assert texts(story) == before


def event(story: Story) -> Any:
    (found,) = icalendar.Calendar.from_ical(as_calendar(story.feed())).walk("VEVENT")
    assert not found.errors
    return found


def test_the_calendar_follows_every_change(story: Story) -> None:
    story.plan()
    story.is_announced()
    first = event(story)
    assert (first["SUMMARY"], first["STATUS"], first["SEQUENCE"]) == ("Postgres 14 to 18", "CONFIRMED", 0)
    assert first["DESCRIPTION"] == f"{IMPACT}\n\n{URL}"
    assert (first["DTSTART"].dt, first["DTEND"].dt) == (START, START + timedelta(hours=2))
    story.moves(START + timedelta(days=2))
    moved = event(story)
    assert (moved["UID"], moved["SEQUENCE"], moved["DTSTART"].dt) == (first["UID"], 1, START + timedelta(days=2))
    assert moved["DTSTAMP"].dt > first["DTSTAMP"].dt
    story.cancels(number=2)
    cancelled = event(story)
    assert (cancelled["UID"], cancelled["SEQUENCE"], cancelled["STATUS"]) == (first["UID"], 2, "CANCELLED")


def test_the_calendar_is_written_as_the_standard_has_it(story: Story) -> None:
    story.plan(title="Längere Arbeiten; Datenbank, Suche & mehr " + "x" * 100)
    story.is_announced()
    raw = as_calendar(story.feed())
    lines = raw.split(b"\r\n")
    assert lines[0] == b"BEGIN:VCALENDAR"
    assert all(len(line) <= 75 for line in lines)
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert b"DTSTART:20261125T090000Z" in lines
    assert b"REFRESH-INTERVAL;VALUE=DURATION:PT15M" in lines
    assert event(story)["SUMMARY"].startswith("Längere Arbeiten; Datenbank, Suche & mehr")


@pytest.mark.parametrize(
    ("start", "zone", "said"),
    [
        # The night in which the clocks go back: two hours from 1:30 end at 2:30, by the clock an hour later.
        (
            datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
            "Europe/Berlin",
            "Sun 25 Oct 2026 02:30 CEST (UTC+2) to Sun 25 Oct 2026 03:30 CET (UTC+1) (2 hours)",
        ),
        (
            datetime(2026, 3, 8, 6, 30, tzinfo=UTC),
            "America/New_York",
            "Sun 8 Mar 2026 01:30 EST (UTC-5) to Sun 8 Mar 2026 04:30 EDT (UTC-4) (2 hours)",
        ),
        (
            datetime(2026, 4, 4, 12, 30, tzinfo=UTC),
            "Pacific/Auckland",
            "Sun 5 Apr 2026 01:30 NZDT (UTC+13) to Sun 5 Apr 2026 02:30 NZST (UTC+12) (2 hours)",
        ),
    ],
)
def test_a_window_across_the_change_of_the_clocks(story: Story, start: datetime, zone: str, said: str) -> None:
    story.now = start - timedelta(days=1)
    end = start + timedelta(hours=2)
    story.plan(start=start, window={"start": start.isoformat(), "end": end.isoformat(), "zone": zone})
    story.is_announced()
    found = only(story)
    assert (found["duration_s"], found["zone"]) == (7200, zone)
    assert event(story)["DTEND"].dt - event(story)["DTSTART"].dt == timedelta(hours=2)
    (entry,) = atom(story)
    assert entry["content"] == f"Planned for {said}. {IMPACT}"


def atom(story: Story) -> list[dict[str, str]]:
    """The entries of the change log, as their parts by name."""
    root = ET.fromstring(as_atom(story.feed()))
    return [
        {child.tag.partition("}")[2]: child.text or child.get("term") or child.get("href") or "" for child in entry}
        for entry in root.findall("a:entry", ATOM)
    ]


def test_the_change_log_has_an_entry_for_each_change_newest_first(story: Story) -> None:
    story.plan(title="A <b>bold</b> plan & more")
    story.is_announced()
    before = atom(story)
    story.moves(START + timedelta(days=2))
    story.begins()
    story.turns("completed")
    entries_ = atom(story)
    assert [entry["title"] for entry in entries_] == [
        "Completed: A <b>bold</b> plan & more",
        "Begun: A <b>bold</b> plan & more",
        "Moved: A <b>bold</b> plan & more",
        "Announced: A <b>bold</b> plan & more",
    ]
    assert [entry["category"] for entry in entries_] == ["completed", "begun", "moved", "announced"]
    assert entries_[2]["content"] == (
        "Now Fri 27 Nov 2026 22:00 NZDT (UTC+13) to Sat 28 Nov 2026 00:00 NZDT (UTC+13) (2 hours). " + IMPACT
    )
    assert entries_[0]["link"] == URL
    assert len({entry["id"] for entry in entries_}) == 4
    assert entries_[3] == before[0]
    stamps = [entry["updated"] for entry in entries_]
    assert stamps == sorted(stamps, reverse=True)


def test_an_older_journal_has_neither_impact_nor_choice(story: Story) -> None:
    entries.begin(story.maintenances, maintenance="2026-11-25-old", now=START)
    state = story.state("2026-11-25-old")
    assert (state.impact, state.public) == ("", True)


def test_the_id_of_a_maintenance_tells_nothing_and_two_bots_have_two_feeds(story: Story) -> None:
    story.plan()
    story.is_announced()
    states = [story.state()]
    assert public(states, story.now, of="a").id != public(states, story.now, of="b").id
    assert ID not in only(story)["id"]


# The reference --------------------------------------------------------------------------------------------------------


def test_the_reference_has_every_key_and_status_of_the_schema() -> None:
    text = (DOCS / "feed.md").read_text()
    tables = re.findall(r"^\| key \| .*\n\| --- .*\n((?:\|.*\n)+)", text, re.MULTILINE)
    keys = [re.findall(r"^\| `(\w+)`", rows, re.MULTILINE) for rows in tables]
    parts = [SCHEMA, SCHEMA["$defs"]["maintenance"], SCHEMA["$defs"]["change"]]
    assert keys == [list(part["properties"]) for part in parts]
    assert all(part["required"] == list(part["properties"]) for part in parts)
    statuses = SCHEMA["$defs"]["maintenance"]["properties"]["status"]["enum"]
    assert re.findall(r"^\| `(\w+)`", text.partition("## Status")[2], re.MULTILINE) == statuses
    told_of = set(re.findall(r"`(\w+)`", tables[2].splitlines()[0]))
    assert told_of == {"what", *SCHEMA["$defs"]["change"]["properties"]["what"]["enum"]}
