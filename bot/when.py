"""A moment as people write it (“tomorrow 5pm”, “1 Dec 22:00 Europe/Berlin”, “in 2h”), read without guessing. Pure."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from bot.durations import parse_duration
from bot.errors import BadInput
from bot.plain import plain
from bot.zones import Spoken, label, spoken, zone_of

FARTHEST = timedelta(days=366)
# “20 Nov”, said on 25 Nov, is a slip rather than next year's; “3 Jan”, said in December, is next year's.
_NEXT_TIME = timedelta(days=270)
_HOW = "Write it as “17:00”, “tomorrow 5pm”, “fri 22:00 NZDT”, “2026-12-01 22:00 Europe/Berlin”, “in 2h” or “now”."
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_MONTH = r"(?P<month>jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec|" + "|".join(_MONTHS) + r")\b\.?"
_YEAR = r"(?:,?\s+(?P<year>\d{4})(?![\d:]))?"
_ISO = re.compile(r"(?<!\d)(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})(?:t(?=\d)|(?!\d))")
_DAY_MONTH = re.compile(rf"(?<![\d:.])(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTH}{_YEAR}")
_MONTH_DAY = re.compile(rf"\b{_MONTH}\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?![\d:.]|\s*[ap]\.?m){_YEAR}")
_NUMERIC = re.compile(r"(?<!\d)\d{1,2}([./-])\d{1,2}\1(?:\d{4}|\d{2})(?!\d)|(?<![\d/])\d{1,2}/\d{1,2}(?![\d/])")
_WEEKDAY = re.compile(
    r"\b(?P<next>next\s+)?(?P<weekday>mon|tues?|wed|thur?s?|fri|sat|sun|" + "|".join(_DAYS) + r")\b(?!/)\.?"
)
_RELATIVE = re.compile(r"\b(?P<relative>today|tonight|tomorrow|tmrw)\b")
_TWELVE = re.compile(r"(?<![\d:.+-])(?P<hour>\d{1,2})(?:[:.](?P<minute>\d{2}))?\s*(?P<half>[ap])\.?m\b\.?")
_CLOCK = re.compile(r"(?<![\d:.+-])(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?(?![\d:])")
_DOTTED = re.compile(r"(?<![\d:.+-])(?P<hour>\d{1,2})\.(?P<minute>\d{2})(?![\d:.])")
_NAMED = re.compile(r"\b(?P<named>noon|midday|midnight)\b")
_FILLER = re.compile(r"\b(?:at|on|the|this|coming)\b|,")


class Moment(NamedTuple):
    """An instant (aware UTC) and the IANA zone that it was said in."""

    at: datetime
    zone: str


@dataclass(frozen=True)
class _Words:
    """A text taken apart: which day, which hour, and what is left, which has to be a zone."""

    text: str
    day: Callable[[date], list[date]] | None
    hour: time
    weekday: int | None
    iso: bool
    rest: str


def parse_when(text: str, now: datetime, zone: str) -> Moment:
    """Return the moment that `text` means for somebody in `zone` (IANA) at `now` (aware UTC).

    A time without a date is the next such time, a weekday or a date without a year the next such day. Raises
    `BadInput`, with the choices where there are some, for what is not a time, is in the past or more than a year
    ahead, happens twice or never (DST), or names a zone that does not exist, is not meant by one place alone, or is
    not in use on that day.
    """
    own = zone_of(zone)
    words = re.sub(r"\s+", " ", plain(text)).strip().lower()
    words = re.sub(r"^(?:at|on) ", "", words.strip("\"'"))
    if words == "now":
        return Moment(now.replace(second=0, microsecond=0), own.key)
    if re.search(r"\b(?:yesterday|last|ago)\b", words):
        raise BadInput(f"“{text}” is in the past. A maintenance begins now or later.")
    if words.startswith("in "):
        return _bounded(Moment(_whole_minute(now + parse_duration(words[3:])), own.key), now, text)
    said = _take_apart(words, text)
    clock = spoken(said.rest, own, now, iso=said.iso)
    return _bounded(_settle(said, clock, now), now, text)


def _whole_minute(at: datetime) -> datetime:
    rest = timedelta(seconds=at.second, microseconds=at.microsecond)
    return at + timedelta(minutes=1) - rest if rest else at


def _bounded(moment: Moment, now: datetime, text: str) -> Moment:
    if moment.at - now > FARTHEST:
        raise BadInput(f"“{text}” is more than a year ahead ({_shown(moment.at, moment.zone)}). Is the date right?")
    return moment


def _take_apart(words: str, text: str) -> _Words:
    numeric = _NUMERIC.search(words)
    if numeric:
        raise BadInput(
            f"“{numeric[0]}” is a different day in different countries. Write the date as 2026-12-01 or 1 Dec."
        )
    day, iso, rest = _take_day(words, text)
    weekday, rest = _take_weekday(rest, text, dated=day is not None)
    if day is None and weekday is not None:
        day = _next_weekday(weekday)
    hour, rest = _take_hour(rest, text)
    if re.search(r"(?<![+\d-])\d{1,2}:\d", rest):
        raise BadInput(f"“{text}” says more than one time. Say when it begins, and how long it takes with “for 2h”.")
    return _Words(text, day, hour, weekday, iso, _FILLER.sub(" ", rest).strip())


def _cut(found: re.Match[str], words: str) -> str:
    return f"{words[: found.start()]} {words[found.end() :]}"


def _take_day(words: str, text: str) -> tuple[Callable[[date], list[date]] | None, bool, str]:
    """Return which days may be meant, given today; whether it is an ISO date; and the words that are left."""
    for pattern in (_ISO, _DAY_MONTH, _MONTH_DAY):
        found = pattern.search(words)
        if found:
            month = found["month"] if pattern is _ISO else 1 + [name[:3] for name in _MONTHS].index(found["month"][:3])
            return _dated(found["year"], int(month), int(found["day"]), text), pattern is _ISO, _cut(found, words)
    found = _RELATIVE.search(words)
    if found is None:
        return None, False, words
    ahead = 1 if found["relative"] in {"tomorrow", "tmrw"} else 0
    return (lambda today: [today + timedelta(days=ahead)]), False, _cut(found, words)


def _dated(year: str | None, month: int, day: int, text: str) -> Callable[[date], list[date]]:
    def days(today: date) -> list[date]:
        found = []
        if year and abs(int(year) - today.year) > 1:
            raise BadInput(f"“{text}” is in the year {year}, and it is {today.year}. Is the date right?")
        for number in [int(year)] if year else [today.year, today.year + 1]:
            try:
                found.append(date(number, month, day))
            except ValueError:
                continue
        if not found:
            raise BadInput(f"“{text}”: there is no such day.")
        return found

    return days


def _take_weekday(words: str, text: str, *, dated: bool) -> tuple[int | None, str]:
    found = _WEEKDAY.search(words)
    if found is None:
        return None, words
    weekday = [name[:3] for name in _DAYS].index(found["weekday"][:3])
    if found["next"] and not dated:
        name = _DAYS[weekday].title()
        raise BadInput(f"“{text}”: “next {name}” is this week's for some and next week's for others. Write the date.")
    return weekday, _cut(found, words)


def _next_weekday(weekday: int) -> Callable[[date], list[date]]:
    def days(today: date) -> list[date]:
        first = today + timedelta(days=(weekday - today.weekday()) % 7)
        return [first, first + timedelta(days=7)]

    return days


def _take_hour(words: str, text: str) -> tuple[time, str]:
    for pattern in (_TWELVE, _CLOCK, _DOTTED, _NAMED):
        found = pattern.search(words)
        if found:
            return _hour(found.groupdict(), text), _cut(found, words)
    raise BadInput(f"“{text}” does not say at what time. {_HOW}")


def _hour(found: dict[str, str | None], text: str) -> time:
    if found.get("named"):
        return time(0) if found["named"] == "midnight" else time(12)
    hour, half = int(found["hour"] or 0), found.get("half")
    if half:
        if not 1 <= hour <= 12:  # noqa: PLR2004 - the hours of a twelve-hour clock
            raise BadInput(f"“{text}”: a time with am or pm goes from 1 to 12.")
        hour = hour % 12 + (12 if half == "p" else 0)
    try:
        return time(hour, int(found["minute"] or 0), int(found.get("second") or 0))
    except ValueError:
        raise BadInput(f"“{text}”: there is no such time of day. It goes from 00:00 to 23:59.") from None


def _settle(said: _Words, clock: Spoken, now: datetime) -> Moment:
    """The first of the days that may be meant on which the time is still to come."""
    this_minute = now.replace(second=0, microsecond=0)
    today = now.astimezone(clock.clock).date()
    past = None
    for day in said.day(today) if said.day else [today, today + timedelta(days=1)]:
        local = datetime.combine(day, said.hour)
        found = clock.instants(local)
        coming = [at for at in found if at >= this_minute]
        if found and not coming:
            past = found[-1]
            continue
        if past is not None and day - today > _NEXT_TIME:
            break
        _same_weekday(said, day)
        if len(coming) == 1:
            return Moment(coming[0], clock.zone(coming[0]))
        raise BadInput(_twice(said.text, local, coming, clock) if coming else _never(said.text, local, clock))
    ago = "" if past is None else f" ({_shown(past, clock.zone(past))})"
    raise BadInput(f"“{said.text}” is in the past{ago}. It is now {_shown(now, clock.zone(now))}.")


def _same_weekday(said: _Words, day: date) -> None:
    if said.weekday is not None and day.weekday() != said.weekday:
        raise BadInput(f"“{said.text}”: {day.day} {day:%B %Y} is a {day:%A}. Which of the two is right?")


def _never(text: str, local: datetime, clock: Spoken) -> str:
    before, after = _around(local, clock)
    choices = " or ".join(f"{at.astimezone(clock.clock):%H:%M}" for at in (before, after))
    day = f"{local:%a} {local.day} {local:%b}"
    return f"“{text}” does not exist: on {day} the clocks of {clock.clock} go forward over it. Say {choices}."


def _around(local: datetime, clock: Spoken) -> tuple[datetime, datetime]:
    """The two readings of a time in a gap: with the offset from after the change, and with the one from before."""
    both = sorted(local.replace(tzinfo=clock.clock, fold=fold).astimezone(UTC) for fold in (0, 1))
    return both[0], both[1]


def _twice(text: str, local: datetime, found: list[datetime], clock: Spoken) -> str:
    choices = " or ".join(f"{local:%H:%M} {_said(at, clock)} ({at:%H:%M} UTC)" for at in found)
    day = f"{local:%a} {local.day} {local:%b}"
    return f"“{text}” comes twice: on {day} the clocks of {clock.clock} go back. Say {choices}."


def _said(at: datetime, clock: Spoken) -> str:
    name = at.astimezone(clock.clock).tzname() or ""
    return name if name.isalpha() else label(at, clock.clock)


def _shown(at: datetime, zone: str) -> str:
    there = at.astimezone(ZoneInfo(zone))
    return f"{there:%a} {there.day} {there:%b %Y %H:%M} {label(at, there.tzinfo or UTC)}"
