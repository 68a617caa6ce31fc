"""Reads an iCalendar text (RFC 5545) into the times of its events, those that recur too. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from dateutil.rrule import rrulestr
from icalendar import Calendar

# A component as `icalendar` reads it: what stands under a name has one of a dozen types, told apart here.
Event = Any
_FINEST = frozenset({"YEARLY", "MONTHLY", "WEEKLY", "DAILY"})
_MOST_CHARACTERS = 5_000_000


@dataclass(frozen=True)
class Happening:
    """One event at one time: from `begin` until `until`, aware UTC."""

    begin: datetime
    until: datetime
    summary: str


def read_calendar(text: str) -> Calendar:
    """Return the calendar. Raises `ValueError` for what is none, or too long to be read."""
    if len(text) > _MOST_CHARACTERS:
        raise ValueError(f"it has more than {_MOST_CHARACTERS:,} characters")
    if "BEGIN:VCALENDAR" not in text:
        raise ValueError("it is not an iCalendar file")
    read = Calendar.from_ical(text)
    if not isinstance(read, Calendar):
        raise ValueError("it holds more than one calendar")  # noqa: TRY004 - it is the text that is wrong
    return read


def happenings(calendar: Calendar, begin: datetime, until: datetime) -> list[Happening]:
    """Return what happens between `begin` and `until` (aware UTC), the earliest first; cancelled events do not.

    A day, and a time without a zone, is one of the calendar's zone (`X-WR-TIMEZONE`, else its first `VTIMEZONE`, else
    UTC). Rules recur in the zone of the event, so its hour stays when clocks change. Raises `ValueError` for a rule
    that cannot be followed: one of hours or less, or not a rule.
    """
    zone = _zone(calendar)
    events: list[Event] = [event for event in calendar.walk("VEVENT") if event.get("DTSTART") is not None]
    moved = {(str(event.get("UID")), _aware(event["RECURRENCE-ID"].dt, zone)) for event in events if _is_moved(event)}
    found = []
    for event in events:
        if str(event.get("STATUS", "")).upper() == "CANCELLED":
            continue
        for first in _beginnings(event, zone, begin, until):
            if not _is_moved(event) and (str(event.get("UID")), first) in moved:
                continue
            end = _end(event, first, zone)
            if first < until and begin < max(end, first + timedelta(microseconds=1)):
                summary = " ".join(str(event.get("SUMMARY", "")).split()) or "(without a title)"
                found.append(Happening(first.astimezone(UTC), end.astimezone(UTC), summary))
    return sorted(found, key=lambda one: (one.begin, one.summary))


def _zone(calendar: Calendar) -> ZoneInfo:
    named: list[Any] = [calendar.get("X-WR-TIMEZONE"), *(one.get("TZID") for one in calendar.walk("VTIMEZONE"))]
    known = available_timezones()
    return ZoneInfo(next((str(name) for name in named if str(name) in known), "UTC"))


def _is_moved(event: Event) -> bool:
    """Whether it stands in the place of one recurrence of another event."""
    return event.get("RECURRENCE-ID") is not None


def _aware(at: date, zone: tzinfo) -> datetime:
    if not isinstance(at, datetime):
        return datetime.combine(at, time(0), zone)
    return at if at.tzinfo is not None else at.replace(tzinfo=zone)


def _beginnings(event: Event, zone: ZoneInfo, begin: datetime, until: datetime) -> Iterator[datetime]:
    first = _aware(event["DTSTART"].dt, zone)
    left_out = {_aware(at, zone) for at in _listed(event.get("EXDATE"))}
    found = {first, *(_aware(at, zone) for at in _listed(event.get("RDATE")))}
    if event.get("RRULE") is not None and not _is_moved(event):
        rule = rrulestr(_rule(event, zone), dtstart=first)
        long_before = begin.astimezone(first.tzinfo) - (_end(event, first, zone) - first) - timedelta(days=1)
        # What the rule gives counts from the first on; `between` ends a rule that never does.
        found |= set(rule.between(long_before, until.astimezone(first.tzinfo), inc=True))
    yield from found - left_out


def _rule(event: Event, zone: ZoneInfo) -> str:
    rules = event["RRULE"]
    if isinstance(rules, list):
        raise ValueError("an event with more than one RRULE cannot be followed")  # noqa: TRY004 - see `read_calendar`
    rule = dict(rules)
    if str(rule.get("FREQ", [""])[0]).upper() not in _FINEST:
        raise ValueError("a RRULE of hours or less cannot be followed")
    ends: Sequence[Any] = rule.pop("UNTIL", [])
    text = str(type(rules)(rule).to_ical().decode())
    if not ends:
        return text
    # A day counts to its end; dateutil takes the end of a rule in UTC alone.
    last = ends[0] if isinstance(ends[0], datetime) else datetime.combine(ends[0], time.max)
    return f"{text};UNTIL={_aware(last, zone).astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _listed(value: Any) -> Iterator[date]:
    for one in value if isinstance(value, list) else [value] if value is not None else []:
        # RDATE may hold periods, which are pairs.
        yield from (each.dt[0] if isinstance(each.dt, tuple) else each.dt for each in one.dts)


def _end(event: Event, first: datetime, zone: ZoneInfo) -> datetime:
    """When the recurrence that begins at `first` ends (RFC 5545, section 3.6.1: a day without an end takes the day)."""
    start = event["DTSTART"].dt
    if event.get("DURATION") is not None:
        length = event["DURATION"].dt
    elif event.get("DTEND") is not None:
        length = (
            event["DTEND"].dt - start
            if not isinstance(start, datetime)
            else _aware(event["DTEND"].dt, zone).astimezone(UTC) - _aware(start, zone).astimezone(UTC)
        )
    else:
        length = timedelta(days=0 if isinstance(start, datetime) else 1)
    if not isinstance(start, datetime):
        end = first + length  # by the calendar: a day may have 23 hours
    else:
        end = (first.astimezone(UTC) + length).astimezone(first.tzinfo)
    made: datetime = end
    return made
