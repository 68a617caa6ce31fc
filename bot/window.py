"""The window: made from what people say, and said back so that nobody can misread it. Pure: `now` is passed in.

This is the door to everything about times as people write them; `when`, `zones`, `durations` and `plain` lie behind it.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from bot.durations import duration_words, parse_duration
from bot.errors import BadInput
from bot.plain import plain
from bot.step import Window
from bot.when import Moment, parse_when
from bot.zones import label, offset_text, zone_of

__all__ = [
    "Moment", "banner_time", "duration_words", "echo", "local", "make_window", "needs_confirmation", "parse_duration",
    "parse_when", "plain", "relative", "zone_of",
]  # fmt: skip

LONG = timedelta(hours=12)
_NOON = 12


def make_window(start: Moment, end: datetime | timedelta) -> Window:
    """Return the window from `start` to `end` (an instant or a length). Raises `BadInput` unless it ends later."""
    ends = end if isinstance(end, datetime) else start.at + end
    if ends <= start.at:
        raise BadInput(f"The end ({local(ends, start.zone)}) is not after the start ({local(start.at, start.zone)}).")
    return Window(start.at, ends.astimezone(UTC), start.zone)


def needs_confirmation(window: Window) -> str | None:
    """Return what to ask about a window longer than 12 hours (“8 am to 12 am” is often a slip), or None."""
    length = window.end - window.start
    if length <= LONG:
        return None
    return f"That is {duration_words(length)}, until {local(window.end, window.zone)}. Is it meant to be so long?"


def echo(window: Window, now: datetime) -> str:
    """Return the window with weekday, zone, UTC, length and distance.

    Such as `Tue 1 Dec 2026 22:00 to 00:00 Europe/Berlin (UTC+1), 21:00 to 23:00 UTC, 2 hours, in 5 days`.
    """
    zone = ZoneInfo(window.zone)
    start, end = window.start.astimezone(zone), window.end.astimezone(zone)
    utc = window.start.astimezone(UTC), window.end.astimezone(UTC)
    here = f"{_day(start)} {start.year} {start:%H:%M}", f"{_unless_same(end, start)}{end:%H:%M}"
    there = f"{_unless_same(utc[0], start)}{utc[0]:%H:%M} to {_unless_same(utc[1], utc[0])}{utc[1]:%H:%M} UTC"
    offsets = offset_text(start, zone), offset_text(end, zone)
    if offsets[0] != offsets[1]:  # the clocks change within the window
        parts = [f"{here[0]} ({offsets[0]}) to {here[1]} ({offsets[1]}) {window.zone}", there]
    elif window.zone == "UTC":
        parts = [f"{here[0]} to {here[1]} UTC"]
    elif window.zone.startswith("Etc/"):  # said as an offset, and Etc's names have the sign turned round
        parts = [f"{here[0]} to {here[1]} {offsets[0]}", there]
    else:
        parts = [f"{here[0]} to {here[1]} {window.zone} ({offsets[0]})", there]
    return ", ".join([*parts, duration_words(window.end - window.start), relative(window.start, now)])


def relative(at: datetime, now: datetime) -> str:
    """Return how far `at` is from `now`: `in 5 days`, `in 2 hours 10 minutes`, `now`, `20 minutes ago`."""
    ahead = at - now
    if abs(ahead) < timedelta(minutes=1):
        return "now"
    words = duration_words(ahead)
    return f"in {words}" if ahead > timedelta(0) else f"{words} ago"


def local(at: datetime, zone: str) -> str:
    """Return `at` on the clocks of `zone`, with the abbreviation and offset of that day.

    Such as `Tue 1 Dec 2026 22:00 CET (UTC+1)`.
    """
    there = at.astimezone(ZoneInfo(zone))
    return f"{_day(there)} {there.year} {there:%H:%M} {label(at, ZoneInfo(zone))}"


def banner_time(at: datetime, now: datetime | None, zone: str) -> str:
    """Return `at` for readers whose zone nobody knows: `today at 5:00pm NZDT (UTC+13)`, `on Tuesday 1 December at …`.

    “today” and “tomorrow” are those of `zone` at `now`, the moment of publishing; a text that may be read on other
    days gets the date, with `now` None.
    """
    there = at.astimezone(ZoneInfo(zone))
    day = f"on {there:%A} {there.day} {there:%B}"
    if now is not None:
        ahead = (there.date() - now.astimezone(ZoneInfo(zone)).date()).days
        day = {0: "today", 1: "tomorrow"}.get(ahead, day)
    return (
        f"{day} at {there.hour % 12 or 12}:{there:%M}{'am' if there.hour < _NOON else 'pm'} {label(at, ZoneInfo(zone))}"
    )


def _day(at: datetime) -> str:
    return f"{at:%a} {at.day} {at:%b}"


def _unless_same(at: datetime, other: datetime) -> str:
    """The day of `at`, unless it is clear from `other`: the same day, or the midnight that ends it."""
    midnight = at.hour == at.minute == 0 and at.date() == other.date() + timedelta(days=1)
    return "" if at.date() == other.date() or midnight else f"{_day(at)} "
