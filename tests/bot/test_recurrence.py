"""When it comes again: by local time, over changes of the clocks, and never by a guess at what a rule means."""

from datetime import UTC, date, datetime, timedelta

import pytest

from bot.errors import BadInput
from bot.recurrence import checked_rule, clock_of, following, key_of, occurrences

WEEKLY = "FREQ=WEEKLY;BYDAY=SU"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def starts(rule: str, clock: str, after: str, until: str, **more: date) -> list[str]:
    return [f"{each.at:%Y-%m-%d %H:%M}" for each in occurrences(rule, clock, at(after), at(until), **more)]


def test_the_hour_stays_when_the_clocks_change() -> None:
    found = starts(WEEKLY, "04:00 Europe/Berlin", "2026-10-17", "2026-11-02")
    assert found == ["2026-10-18 02:00", "2026-10-25 03:00", "2026-11-01 03:00"]


def test_a_sunday_in_auckland_is_a_saturday_in_utc() -> None:
    found = starts(WEEKLY, "02:00 Pacific/Auckland", "2026-11-27", "2026-12-05 13:00")
    assert found == ["2026-11-28 13:00", "2026-12-05 13:00"]


@pytest.mark.parametrize(
    ("day", "clock", "utc", "note"),
    [
        # Berlin goes from 02:00 to 03:00 on 28 March 2027, and from 03:00 to 02:00 on 31 October.
        ("2027-03-28", "02:30 Europe/Berlin", "01:30", "02:30 does not exist that day: it is 03:30, 01:30 UTC."),
        ("2027-10-31", "02:30 Europe/Berlin", "00:30", "02:30 comes twice that day: it is 02:30, 00:30 UTC."),
        ("2027-10-31", "04:30 Europe/Berlin", "03:30", ""),
        # Lord Howe changes by half an hour: from 02:00 to 02:30 on 3 October 2027.
        ("2027-10-03", "02:15 Australia/Lord_Howe", "15:45", "02:15 does not exist that day: it is 02:45, 15:45 UTC."),
    ],
)
def test_an_hour_that_there_is_not_or_twice(day: str, clock: str, utc: str, note: str) -> None:
    around = at(day)
    near = occurrences(WEEKLY, clock, around - timedelta(days=2), around + timedelta(days=2))
    [found] = [each for each in near if f"{each.day}" == day]
    assert (f"{found.at:%H:%M}", found.note) == (utc, note)


def test_every_second_week_is_counted_from_a_day_that_stays() -> None:
    rule = "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO"
    january = [f"2024-01-{day} 01:00" for day in ("01", "15", "29")]
    assert starts(rule, "01:00 UTC", "2024-01-01", "2024-02-01") == january
    assert starts(rule, "01:00 UTC", "2024-01-10", "2024-01-20", since=date(2024, 1, 8)) == []
    assert starts(rule, "01:00 UTC", "2024-01-01", "2024-01-20", since=date(2024, 1, 8)) == ["2024-01-08 01:00"]


def test_both_ends_are_included_and_nothing_is_lost_between_two_looks() -> None:
    now = at("2026-11-29 01:00")
    assert len(list(occurrences(WEEKLY, "02:00 Europe/Berlin", now, now))) == 1
    day, rule, clock = timedelta(days=1), "FREQ=DAILY", "02:30 Europe/Berlin"
    whole = [each.at for each in occurrences(rule, clock, now, now + 60 * day - timedelta.resolution)]
    looks = [occurrences(rule, clock, now + n * day, now + (n + 1) * day - timedelta.resolution) for n in range(60)]
    assert [each.at for look in looks for each in look] == whole
    assert len(whole) == 60


def test_the_first_sunday_of_a_month_and_the_29th_of_february() -> None:
    first = starts("FREQ=MONTHLY;BYDAY=1SU", "03:00 UTC", "2026-12-01", "2027-01-31")
    assert first == ["2026-12-06 03:00", "2027-01-03 03:00"]
    leap = next(following("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", "03:00 UTC", at("2026-11-25")))
    assert leap.day == date(2028, 2, 29)
    assert key_of("vacuum", leap) == "recur:vacuum:2028-02-29"


@pytest.mark.parametrize(
    "rule",
    [
        *("", "every sunday", "BYDAY=SU", "FREQ=HOURLY", "FREQ=WEEKLY;COUNT=3", "FREQ=WEEKLY;UNTIL=20270101"),
        *("FREQ=WEEKLY;BYHOUR=3", "FREQ=WEEKLY;BYDAY=XX", "FREQ=WEEKLY;BYDAY=SU;", "freq=weekly"),
        *("FREQ=WEEKLY\nDTSTART:20240101", "FREQ=WEEKLY;INTERVAL=0", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"),
    ],
)
def test_a_rule_that_is_none_is_refused(rule: str) -> None:
    with pytest.raises(BadInput, match="rule"):
        checked_rule(rule)


@pytest.mark.parametrize("text", ["02:00", "2am Europe/Berlin", "24:00 UTC", "02:00 Middle/Earth", ""])
def test_a_time_without_a_zone_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        clock_of(text)
