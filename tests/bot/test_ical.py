"""Times of events from iCalendar texts."""

from datetime import UTC, datetime

import pytest

from bot.ical import happenings, read_calendar


def times(*events: str, begin: str = "2026-01-01", until: str = "2027-12-31", head: str = "") -> list[str]:
    body = "".join(f"BEGIN:VEVENT\nUID:one\n{event}\nEND:VEVENT\n" for event in events)
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n{head}{body}END:VCALENDAR\n".replace("\n", "\r\n")
    between = (datetime.fromisoformat(day).replace(tzinfo=UTC) for day in (begin, until))
    return [
        f"{one.begin:%m-%dT%H:%M}/{one.until:%m-%dT%H:%M} {one.summary}"
        for one in happenings(read_calendar(text), *between)
    ]


def test_a_day_is_one_of_the_calendars_zone() -> None:
    sale = "DTSTART;VALUE=DATE:20261218\nDTEND;VALUE=DATE:20261220\nSUMMARY:Sale"
    assert times(sale) == ["12-18T00:00/12-20T00:00 Sale"]
    assert times(sale, head="X-WR-TIMEZONE:Pacific/Auckland\n") == ["12-17T11:00/12-19T11:00 Sale"]
    assert times("DTSTART;VALUE=DATE:20261218", head="X-WR-TIMEZONE:Moon/Sea\n") == [
        "12-18T00:00/12-19T00:00 (without a title)"
    ]


def test_a_rule_recurs_by_the_clock_of_its_zone_without_what_is_left_out() -> None:
    weekly = (
        "DTSTART;TZID=Europe/Berlin:20261012T180000\nDURATION:PT2H\nRRULE:FREQ=WEEKLY;UNTIL=20261102\n"
        "EXDATE;TZID=Europe/Berlin:20261019T180000\nSUMMARY:Batch"
    )
    assert times(weekly) == [
        "10-12T16:00/10-12T18:00 Batch",
        "10-26T17:00/10-26T19:00 Batch",
        "11-02T17:00/11-02T19:00 Batch",
    ]
    moved = "DTSTART:20261103T080000Z\nDTEND:20261103T090000Z\nSUMMARY:Late\n"
    moved += "RECURRENCE-ID;TZID=Europe/Berlin:20261102T180000"
    assert times(weekly, moved, begin="2026-11-01") == ["11-03T08:00/11-03T09:00 Late"]
    gone = (
        "DTSTART;TZID=Europe/Berlin:20261102T180000\nSTATUS:CANCELLED\nRECURRENCE-ID;TZID=Europe/Berlin:20261102T180000"
    )
    assert times(weekly, gone, begin="2026-11-01") == []


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        ("FREQ=MONTHLY;BYDAY=-1FR;COUNT=3", ["01-30", "02-27", "03-27"]),
        ("FREQ=YEARLY", ["01-30", "01-30"]),
        ("FREQ=MONTHLY;BYMONTHDAY=-1;UNTIL=20260331T120000Z", ["01-30", "01-31", "02-28", "03-31"]),
    ],
)
def test_rules(rule: str, found: list[str]) -> None:
    assert [one[:5] for one in times(f"DTSTART:20260130T100000Z\nDURATION:PT1H\nRRULE:{rule}")] == found


def test_what_began_before_and_lasts_is_found_and_what_ends_as_it_begins_is_not() -> None:
    long = "DTSTART:20260101T000000Z\nDTEND:20260110T000000Z\nRRULE:FREQ=MONTHLY\nRDATE:20260215T000000Z"
    assert [one[:5] for one in times(long, begin="2026-02-05", until="2026-02-20")] == ["02-01", "02-15"]
    assert times(long, begin="2026-02-10", until="2026-02-15") == []


@pytest.mark.parametrize(
    ("text", "told"),
    [("<html>", "not an iCalendar"), ("BEGIN:VCALENDAR\r\nBEGIN:", "BEGIN"), ("x" * 5_000_001, "5,000,000")],
)
def test_other_texts_are_refused(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        read_calendar(text)


@pytest.mark.parametrize("rule", ["FREQ=SECONDLY", "FREQ=HOURLY;INTERVAL=5"])
def test_a_rule_that_would_never_end_is_refused(rule: str) -> None:
    with pytest.raises(ValueError, match="hours or less"):
        times(f"DTSTART:19700101T000000Z\nRRULE:{rule}")
