"""The texts that the steps publish where a runbook gives none. Times carry their zone, offset and date: readers are
anywhere, and nobody knows when they read it."""

import html
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from bot.step import Window


def window_text(window: Window) -> str:
    """Return the window as `Wednesday 25 November 2026, 17:00 to 19:00 NZDT (UTC+13:00), which is … UTC`."""
    zone = ZoneInfo(window.zone)
    start, end = window.start.astimezone(zone), window.end.astimezone(zone)
    here = _span(start, end, window.zone)
    if not start.utcoffset() and not end.utcoffset():
        return here
    return f"{here}, which is {_span(window.start.astimezone(UTC), window.end.astimezone(UTC), 'UTC', beside=start)}"


def end_text(window: Window) -> str:
    """Return the end of the window, with its date, zone and offset."""
    end = window.end.astimezone(ZoneInfo(window.zone))
    return f"{_day(end)}, {end:%H:%M} {_label(end, window.zone)}"


def announced(window: Window, components: Iterable[str]) -> str:
    """Return the text that tells of a maintenance to come."""
    names = _listed(sorted(components, key=str.casefold))
    affected = f" During that time, {names} may be unavailable." if names else ""
    return f"We will carry out scheduled maintenance on {window_text(window)}.{affected}"


def moved(window: Window) -> str:
    """Return the text for a window that has changed before the work began."""
    return f"The scheduled maintenance has been moved. It will now take place on {window_text(window)}."


def prolonged(window: Window) -> str:
    """Return the text for a window that has changed while the work goes on."""
    return f"The maintenance is still in progress. We now expect it to end on {end_text(window)}."


def begun(window: Window) -> str:
    """Return the text for the beginning of the work."""
    return f"The scheduled maintenance has begun. We expect it to end on {end_text(window)}."


VERIFYING = "The work is done. We are making sure that everything runs as it should, and will confirm it here."
COMPLETED = "The scheduled maintenance has been completed. Thank you for your patience."
CANCELLED = "This scheduled maintenance has been cancelled and will not take place. We are sorry for the trouble."
ROLLED_BACK = (
    "The maintenance has been stopped, and everything is back as it was before it. This maintenance is over. We will "
    "announce any further work here."
)
ENDED_EARLY = "The maintenance has been stopped, and this maintenance is over. We will announce any further work here."


def same(one: str, other: str) -> bool:
    """Whether two texts say the same, however the page has broken lines or marked them up."""
    return _plain(one) == _plain(other)


def _plain(text: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^<>]*>", " ", text)).split())


def _span(start: datetime, end: datetime, zone: str, *, beside: datetime | None = None) -> str:
    day = "" if beside is not None and beside.date() == start.date() else f"{_day(start)}, "
    end_day = "" if end.date() == start.date() else f"{_day(end)}, "
    start_zone = "" if start.utcoffset() == end.utcoffset() else f" {_label(start, zone)}"
    return f"{day}{start:%H:%M}{start_zone} to {end_day}{end:%H:%M} {_label(end, zone)}"


def _day(at: datetime) -> str:
    return f"{at:%A} {at.day} {at:%B %Y}"


def _label(at: datetime, zone: str) -> str:
    """Return the zone as people write it; one without letters for a name goes by its place."""
    name = at.tzname() or zone
    if name == "UTC":
        return name
    offset = f"{at:%z}"
    return f"{name if name.isalpha() else zone} (UTC{offset[:3]}:{offset[3:5]})"


def _listed(names: Iterable[str]) -> str:
    *first, last = list(names) or [""]
    return f"{', '.join(first)} and {last}" if first else last
