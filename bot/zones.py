"""Time zones as people name them: IANA names, cities, abbreviations, offsets; and what clocks show there. Pure."""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from bot.errors import BadInput

# Whom people mean by an abbreviation, and its offset in hours. Several zones: it is never guessed which one.
ABBREVIATIONS: dict[str, tuple[tuple[str, float], ...]] = {
    "ACDT": (("Australia/Adelaide", 10.5),),
    "ACST": (("Australia/Adelaide", 9.5),),
    "ADT": (("America/Halifax", -3),),
    "AEDT": (("Australia/Sydney", 11),),
    "AEST": (("Australia/Sydney", 10),),
    "AKDT": (("America/Anchorage", -8),),
    "AKST": (("America/Anchorage", -9),),
    "ART": (("America/Argentina/Buenos_Aires", -3),),
    "AST": (("America/Halifax", -4), ("Asia/Riyadh", 3)),
    "AWST": (("Australia/Perth", 8),),
    "BRT": (("America/Sao_Paulo", -3),),
    "BST": (("Europe/London", 1),),
    "CAT": (("Africa/Maputo", 2),),
    "CDT": (("America/Chicago", -5), ("America/Havana", -4)),
    "CEST": (("Europe/Berlin", 2),),
    "CET": (("Europe/Berlin", 1),),
    "COT": (("America/Bogota", -5),),
    "CST": (("America/Chicago", -6), ("Asia/Shanghai", 8), ("America/Havana", -5)),
    "EAT": (("Africa/Nairobi", 3),),
    "EDT": (("America/New_York", -4),),
    "EEST": (("Europe/Athens", 3),),
    "EET": (("Europe/Athens", 2),),
    "EST": (("America/New_York", -5),),
    "GST": (("Asia/Dubai", 4), ("Atlantic/South_Georgia", -2)),
    "HKT": (("Asia/Hong_Kong", 8),),
    "HST": (("Pacific/Honolulu", -10),),
    "ICT": (("Asia/Bangkok", 7),),
    "IDT": (("Asia/Jerusalem", 3),),
    "IST": (("Asia/Kolkata", 5.5), ("Europe/Dublin", 1), ("Asia/Jerusalem", 2)),
    "JST": (("Asia/Tokyo", 9),),
    "KST": (("Asia/Seoul", 9),),
    "MDT": (("America/Denver", -6),),
    "MSK": (("Europe/Moscow", 3),),
    "MST": (("America/Denver", -7),),
    "NDT": (("America/St_Johns", -2.5),),
    "NST": (("America/St_Johns", -3.5),),
    "NZDT": (("Pacific/Auckland", 13),),
    "NZST": (("Pacific/Auckland", 12),),
    "PDT": (("America/Los_Angeles", -7),),
    "PKT": (("Asia/Karachi", 5),),
    "PST": (("America/Los_Angeles", -8), ("Asia/Manila", 8)),
    "SAST": (("Africa/Johannesburg", 2),),
    "SGT": (("Asia/Singapore", 8),),
    "SST": (("Pacific/Pago_Pago", -11), ("Asia/Singapore", 8)),
    "WAT": (("Africa/Lagos", 1),),
    "WEST": (("Europe/Lisbon", 1),),
    "WET": (("Europe/Lisbon", 0),),
    "WIB": (("Asia/Jakarta", 7),),
}
_UTC = frozenset({"UTC", "Z", "GMT", "ZULU"})
_OFFSET = re.compile(r"(?P<name>UTC|GMT)?\s*(?P<sign>[+-])\s*(?P<hours>\d{1,2})(?::?(?P<minutes>\d{2}))?", re.I)
_WEST_MOST, _EAST_MOST = timedelta(hours=-12), timedelta(hours=14)


@dataclass(frozen=True)
class Spoken:
    """A zone as somebody said it. `holds` is an abbreviation that has to be right on the day, `offset` its offset."""

    clock: tzinfo
    own: ZoneInfo
    holds: str | None = None
    offset: timedelta | None = None

    def instants(self, local: datetime) -> list[datetime]:
        """Return the instants (aware UTC) that `local` (naive) can mean: none in a gap, two where clocks went back.

        Raises `BadInput` if the abbreviation that was said is not the one in use on that day.
        """
        found = instants(local, self.clock)
        kept = [at for at in found if self._right(at)]
        if found and not kept:
            there = f"{self.clock} is on {label(found[0], self.clock)}"
            used = found[0].astimezone(self.clock).tzname() or ""
            say = used if used.isalpha() else str(self.clock)
            raise BadInput(f"On {local:%a} {local.day} {local:%b %Y} {there}, not on {self.holds}. Say {say} instead.")
        return kept

    def zone(self, at: datetime) -> str:
        """Return the IANA name to store with `at`: for a plain offset, the person's own zone where it agrees."""
        if isinstance(self.clock, ZoneInfo):
            return self.clock.key
        offset = self.clock.utcoffset(None) or timedelta(0)
        hours, rest = divmod(offset, timedelta(hours=1))
        if at.astimezone(self.own).utcoffset() == offset or rest:
            return self.own.key
        # POSIX signs: Etc/GMT-2 is two hours east of Greenwich.
        return f"Etc/GMT{-hours:+d}" if hours else "UTC"

    def _right(self, at: datetime) -> bool:
        there = at.astimezone(self.clock)
        return self.holds is None or (there.tzname() or "").upper() == self.holds or there.utcoffset() == self.offset


def spoken(words: str, own: ZoneInfo, now: datetime, *, iso: bool = False) -> Spoken:
    """Return what `words` (what is left of a time once date and hour are taken out) says about the zone.

    `own` is the person's zone; `iso` allows a bare offset, which only makes sense behind an ISO date. Raises
    `BadInput` with the choices where an abbreviation belongs to several zones, or with a suggestion for a misspelt one.
    """
    words = re.sub(r"\s+time$", "", words.strip(), flags=re.I)
    if words.lower() in {"", "local", "my", "our"}:
        return Spoken(own, own)
    offset = _OFFSET.fullmatch(words)
    if offset and (offset["name"] or iso):
        return Spoken(timezone(_offset_of(offset)), own)
    if offset:
        raise BadInput(
            f"“{words}” alone is not a zone. Write UTC{words} for an offset, and an end as its length: for 2h."
        )
    name = words.upper()
    if name in _names_in_use(own, now):
        return Spoken(own, own, holds=name)
    if name in _UTC:
        return Spoken(ZoneInfo("UTC"), own)
    meanings = ABBREVIATIONS.get(name, ())
    meanings = tuple(meant for meant in meanings if meant[0] == own.key) or meanings
    if len(meanings) > 1:
        choices = ", ".join(f"{zone} ({_offset_text(timedelta(hours=hours))})" for zone, hours in meanings)
        raise BadInput(f"{name} is used in several places. Say which one: {choices}.")
    if meanings:
        zone, hours = meanings[0]
        return Spoken(ZoneInfo(zone), own, holds=name, offset=timedelta(hours=hours))
    return Spoken(zone_of(words), own)


def zone_of(name: str) -> ZoneInfo:
    """Return the zone of an IANA name or of its city, in any case. Raises `BadInput` with what may have been meant."""
    wanted = re.sub(r"\s+", "_", name.strip()).lower()
    keys = _keys()
    if wanted in keys:
        return ZoneInfo(keys[wanted])
    cities = _cities().get(wanted, [])
    if len(cities) == 1:
        return ZoneInfo(cities[0])
    near = cities or _near(wanted)
    hint = (
        f"Did you mean {' or '.join(near)}?" if near else "Say UTC, an offset such as UTC+2, or a zone: Europe/Berlin."
    )
    raise BadInput(f"I do not know the time zone “{name}”. {hint}")


def instants(local: datetime, clock: tzinfo) -> list[datetime]:
    """Return the instants (aware UTC, ascending) at which `clock` shows `local` (naive): none, one, or two (DST)."""
    both = {local.replace(tzinfo=clock, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return sorted(at for at in both if at.astimezone(clock).replace(tzinfo=None, fold=0) == local)


def label(at: datetime, clock: tzinfo) -> str:
    """Return the abbreviation and offset of `clock` on that day: `NZDT (UTC+13)`, `UTC-3`, `UTC`."""
    there = at.astimezone(clock)
    offset = offset_text(at, clock)
    name = there.tzname() or ""
    return f"{name} ({offset})" if name.isalpha() and name != "UTC" else offset


def offset_text(at: datetime, clock: tzinfo) -> str:
    """Return the offset of `clock` on that day: `UTC+5:30`, `UTC-3`, `UTC`."""
    return _offset_text(at.astimezone(clock).utcoffset() or timedelta(0))


def _offset_text(offset: timedelta) -> str:
    hours, minutes = divmod(abs(offset) // timedelta(minutes=1), 60)
    if not hours and not minutes:
        return "UTC"
    return f"UTC{'-' if offset < timedelta(0) else '+'}{hours}" + (f":{minutes:02}" if minutes else "")


def _offset_of(found: re.Match[str]) -> timedelta:
    size = timedelta(hours=int(found["hours"]), minutes=int(found["minutes"] or 0))
    offset = -size if found["sign"] == "-" else size
    if not _WEST_MOST <= offset <= _EAST_MOST or int(found["minutes"] or 0) >= 60:  # noqa: PLR2004 - minutes
        raise BadInput(f"There is no such offset as {found[0].strip()}. They go from UTC-12 to UTC+14.")
    return offset


def _names_in_use(zone: ZoneInfo, now: datetime) -> set[str]:
    """The abbreviations of `zone` in the year from `now`: half a month apart finds every one that lasts."""
    days: Iterable[int] = range(0, 380, 14)
    names = {(now + timedelta(days=day)).astimezone(zone).tzname() or "" for day in days}
    return {name.upper() for name in names if name.isalpha()}


@cache
def _keys() -> dict[str, str]:
    return {key.lower(): key for key in available_timezones()}


@cache
def _cities() -> dict[str, list[str]]:
    cities: dict[str, list[str]] = {}
    for key in sorted(available_timezones()):
        if "/" in key and not key.startswith(("Etc/", "US/", "Canada/", "Brazil/", "Chile/", "Mexico/")):
            cities.setdefault(key.rsplit("/", 1)[1].lower(), []).append(key)
    return cities


def _near(wanted: str) -> list[str]:
    keys = difflib.get_close_matches(wanted, _keys(), n=3, cutoff=0.7)
    if keys:
        return [_keys()[key] for key in keys]
    return [zone for city in difflib.get_close_matches(wanted, _cities(), n=2, cutoff=0.75) for zone in _cities()[city]]
