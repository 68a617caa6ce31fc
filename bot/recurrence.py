"""When a maintenance comes again: a rule of days (RFC 5545, "Recurrence Rule"), a time on the clocks of a zone. Pure.

The time is local: at 02:00 in Berlin it stays 02:00 when the clocks change. A time that they leave out is taken with
the offset from before the change, and of a time that comes twice the first (RFC 5545, section 3.3.5): there is nobody
to ask, and people see what was made of it before they approve.
"""

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

from bot.errors import BadInput
from bot.zones import instants, zone_of

FIRST = date(2024, 1, 1)
"""What rules such as “every second week” are counted from where nobody says: a Monday."""
_AT = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)\s+(\S.*)")
_PART = re.compile(r"([A-Z]+)=([A-Z0-9,+-]+)")
_PARTS = frozenset({"FREQ", "INTERVAL", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS", "BYWEEKNO", "BYYEARDAY", "WKST"})
_FREQUENCIES = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})
_LONGEST = timedelta(days=4 * 366)
"""How far ahead the next day is looked for: a 29 February comes within four years, in this century."""


@dataclass(frozen=True)
class Occurrence:
    """One time that it comes: the day by the rule, the instant (aware UTC), and `note` if it is not as written."""

    day: date
    at: datetime
    note: str = ""


@functools.cache
def checked_rule(rule: str) -> str:
    """Return `rule` as it is. Raises `BadInput` unless it names days, in the terms of RFC 5545, section 3.3.10."""
    found = [part for part in map(_PART.fullmatch, rule.split(";")) if part is not None]
    parts = {part[1]: part[2] for part in found}
    if (
        len(found) != len(rule.split(";"))
        or parts.get("FREQ") not in _FREQUENCIES
        or parts.keys() - _PARTS
        or not _counts(parts)
    ):
        raise BadInput(
            f"expected a rule of days such as FREQ=WEEKLY;BYDAY=SU (FREQ is one of {', '.join(sorted(_FREQUENCIES))}; "
            f"then {', '.join(sorted(_PARTS - {'FREQ'}))}), found {rule!r}"
        )
    try:
        ever = any(rrulestr(rule, dtstart=datetime.combine(FIRST, time())))
    except (ValueError, TypeError) as error:
        raise BadInput(f"the rule {rule!r} cannot be read ({error})") from None
    if not ever:
        raise BadInput(f"the rule {rule!r} names no day that there is")
    return rule


def _counts(parts: Mapping[str, str]) -> bool:
    """Whether INTERVAL, if there is one, is a number of at least 1."""
    interval = parts.get("INTERVAL", "1")
    return interval.isdecimal() and int(interval) >= 1


def clock_of(at: str) -> tuple[time, ZoneInfo]:
    """Return the time of day and the zone of a text such as `02:00 Europe/Berlin`. Raises `BadInput`."""
    found = _AT.fullmatch(at.strip())
    if found is None:
        raise BadInput(f"expected a time and a zone such as 02:00 Europe/Berlin, found {at!r}")
    return time(int(found[1]), int(found[2])), zone_of(found[3])


def occurrences(rule: str, at: str, after: datetime, until: datetime, since: date = FIRST) -> Iterator[Occurrence]:
    """Yield when it comes from `after` until `until` (aware UTC, both included), in order; never before `since`.

    Raises `BadInput` for a rule or a time that is none.
    """
    clock, zone = clock_of(at)
    days = rrulestr(checked_rule(rule), dtstart=datetime.combine(since, clock))
    # By the clocks of the zone, a day more on each side: what is kept is judged as an instant.
    first, last = (moment.astimezone(zone).replace(tzinfo=None) for moment in (after, until))
    for local in days.between(first - timedelta(days=1), last + timedelta(days=1), inc=True):
        found = _settled(local, zone)
        if after <= found.at <= until:
            yield found


def following(rule: str, at: str, now: datetime, since: date = FIRST) -> Iterator[Occurrence]:
    """Yield when it comes from `now` (aware UTC) on, in order, for four years."""
    return occurrences(rule, at, now, now + _LONGEST, since)


def key_of(runbook: str, occurrence: Occurrence) -> str:
    """Return the idempotency key of what is planned for `occurrence`, whatever time of its day it begins."""
    return f"recur:{runbook}:{occurrence.day}"


def _settled(local: datetime, zone: ZoneInfo) -> Occurrence:
    found = instants(local, zone)
    if len(found) == 1:
        return Occurrence(local.date(), found[0])
    at = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    what = "comes twice" if found else "does not exist"
    return Occurrence(
        local.date(), at, f"{local:%H:%M} {what} that day: it is {at.astimezone(zone):%H:%M}, {at:%H:%M} UTC."
    )
