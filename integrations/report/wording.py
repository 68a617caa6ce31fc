"""Durations and moments in words. Pure."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86400


def in_words(seconds: float) -> str:
    """Return a length of time (seconds, not negative) as people say it: `1 hour 45 minutes`, `12 seconds`.

    Two units at most; from an hour on, seconds are rounded away.
    """
    if seconds < 1:
        return "under a second"
    whole = round(seconds)
    if whole >= _HOUR_S:
        whole = round(seconds / _MINUTE_S) * _MINUTE_S
    days, rest = divmod(whole, _DAY_S)
    hours, rest = divmod(rest, _HOUR_S)
    minutes, left_s = divmod(rest, _MINUTE_S)
    parts = [(days, "day"), (hours, "hour"), (minutes, "minute"), (left_s, "second")]
    said = [f"{number:,} {unit}{'' if number == 1 else 's'}" for number, unit in parts if number]
    return " ".join(said[:2])


def clock(at: datetime, zone: str, beside: datetime) -> str:
    """Return the time in `zone` to the second, such as `17:05:10 NZDT`; with its day where that is not `beside`'s:
    `Wed 18 Nov, 17:05:10 NZDT`.
    """
    there = at.astimezone(ZoneInfo(zone))
    return f"{_time(there, beside)} {there:%Z}"


def stretch(since: datetime, to: datetime, zone: str, beside: datetime) -> str:
    """Return two moments as `clock` does: `17:05:06 to 17:32:30 NZDT`."""
    here, there = since.astimezone(ZoneInfo(zone)), to.astimezone(ZoneInfo(zone))
    label = "" if here.tzname() == there.tzname() else f" {here:%Z}"
    return f"{_time(here, beside)}{label} to {clock(to, zone, since)}"


def _time(there: datetime, beside: datetime) -> str:
    is_same = there.date() == beside.astimezone(there.tzinfo).date()
    return f"{there:%H:%M:%S}" if is_same else f"{there:%a} {there.day} {there:%b}, {there:%H:%M:%S}"


def span(start: datetime, end: datetime, zone: str) -> str:
    """Return two moments with date, zone and UTC: `Wed 25 Nov 2026, 17:00 to 19:00 NZDT (04:00 to 06:00 UTC)`."""
    here, there = start.astimezone(ZoneInfo(zone)), end.astimezone(ZoneInfo(zone))
    until = f"{there:%H:%M}" if there.date() == here.date() else f"{_day(there)}, {there:%H:%M}"
    label = "" if here.utcoffset() == there.utcoffset() else f" {here:%Z}"
    return f"{_day(here)}, {here:%H:%M}{label} to {until} {there:%Z} ({_utc(start, end)} UTC)"


def _utc(start: datetime, end: datetime) -> str:
    """Two moments on UTC's clock, each with its day where these are two."""
    here, there = start.astimezone(UTC), end.astimezone(UTC)
    if here.date() == there.date():
        return f"{here:%H:%M} to {there:%H:%M}"
    return f"{_day(here)}, {here:%H:%M} to {_day(there)}, {there:%H:%M}"


def _day(at: datetime) -> str:
    return f"{at:%a} {at.day} {at:%b %Y}"
