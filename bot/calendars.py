"""What the calendar says against a window: public holidays, busy hours.

What cannot be read is itself a conflict, never silence.
"""

import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from importlib import resources
from zoneinfo import ZoneInfo, available_timezones

from bot.errors import BadInput
from bot.radar import Conflict, unseen
from bot.step import Window

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_BUSY = re.compile(
    r"(?P<first>[A-Za-z]{3})(?:-(?P<last>[A-Za-z]{3}))? (?P<begin>\d\d:\d\d)-(?P<end>\d\d:\d\d) (?P<zone>\S+)"
)


@dataclass(frozen=True)
class Busy:
    """Hours in which more people are there than usual, on the days from `first` to `last` (0 is Monday)."""

    first: int
    last: int
    begin: time
    end: time
    zone: str


def busy_of(words: str) -> tuple[Busy, ...]:
    """Return the hours of `Mon-Fri 09:00-17:00 Europe/Berlin, Sat 10:00-12:00 UTC`. Raises `BadInput`."""
    return tuple(_busy(" ".join(part.split())) for part in words.split(",") if part.strip())


def _busy(part: str) -> Busy:
    found = _BUSY.fullmatch(part)
    days = [found[name].lower() for name in ("first", "last") if found[name]] if found else []
    if found is None or not set(days) <= set(_DAYS) or found["zone"] not in available_timezones():
        raise _not_hours(part)
    try:
        begin, end = time.fromisoformat(found["begin"]), time.fromisoformat(found["end"])
    except ValueError:
        raise _not_hours(part) from None
    if begin >= end:
        raise BadInput(f"MAINT_BUSY_HOURS: {part!r} ends before it begins; write a night as two parts.")
    return Busy(_DAYS.index(days[0]), _DAYS.index(days[-1]), begin, end, found["zone"])


def _not_hours(part: str) -> BadInput:
    told = "expected days, hours and zone such as Mon-Fri 09:00-17:00 Europe/Berlin"
    return BadInput(f"MAINT_BUSY_HOURS: {told}, found {part!r}.")


def calendar_conflicts(window: Window, *, countries: Sequence[str], busy: Sequence[Busy]) -> list[Conflict]:
    """Return what speaks against `window`; `countries` are codes such as `NZ`, `US-CA`."""
    return [
        *(_holidays(window, countries) if countries else ()),
        *(conflict for hours in busy if (conflict := _in_busy(window, hours)) is not None),
    ]


def _holidays(window: Window, countries: Sequence[str]) -> Iterator[Conflict]:
    # Imported when first used: it takes 0.6 s and 43 MB, which a bot without MAINT_HOLIDAYS need not spend.
    import holidays  # noqa: PLC0415

    for code in countries:
        country, _, part = code.partition("-")
        days = sorted({day for zone in (window.zone, *_zones_of(country)) for day in _days(window, zone)})
        try:
            there = holidays.country_holidays(country, subdiv=part or None, years=sorted({day.year for day in days}))
        except NotImplementedError as error:
            yield unseen(f"The holidays of {code}", error, code)
            continue
        for day in days:
            if day in there:
                text = f"{day:%a} {day.day} {day:%b %Y} is a holiday in {code}: {there[day]}."
                yield Conflict("holiday", text, blocks=False, about=f"{code} {day}")


@functools.cache
def _zones_of(country: str) -> tuple[str, ...]:
    """The zones of a country (ISO 3166): its holidays are days on its own clocks. Source: zone.tab of the tz database.

    As many are left out as `zoneinfo` does not know; without the table there are none.
    """
    try:
        table = (resources.files("tzdata") / "zoneinfo" / "zone.tab").read_text("utf-8")
    except (ModuleNotFoundError, FileNotFoundError):
        return ()
    rows = [line.split("\t") for line in table.splitlines() if not line.startswith("#")]
    known = available_timezones()
    return tuple(row[2] for row in rows if row[0] == country and row[2] in known)


def _in_busy(window: Window, hours: Busy) -> Conflict | None:
    zone = ZoneInfo(hours.zone)
    for day in _days(window, hours.zone):
        begin, end = (datetime.combine(day, at, zone) for at in (hours.begin, hours.end))
        is_day = (day.weekday() - hours.first) % 7 <= (hours.last - hours.first) % 7
        if is_day and begin < window.end and window.start < end:
            text = f"It falls into busy hours, {hours.begin:%H:%M} to {hours.end:%H:%M} {hours.zone} on {day:%A}."
            return Conflict("busy", text, blocks=False, about=f"{hours}")
    return None


def _days(window: Window, zone: str) -> list[date]:
    first = window.start.astimezone(ZoneInfo(zone)).date()
    last = (window.end - timedelta(microseconds=1)).astimezone(ZoneInfo(zone)).date()
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]
