"""Colours and words that all pictures share."""

from datetime import datetime
from zoneinfo import ZoneInfo

from matplotlib import dates

# Okabe and Ito, "Color Universal Design" (2008).
BLUE, ORANGE, VERMILLION, GREEN = "#0072B2", "#E69F00", "#D55E00", "#009E73"
SKY, PURPLE, INK = "#56B4E9", "#CC79A7", "#222222"
SHADE, PLANNED, FAINT = "#E4EAF0", "#9AA5B1", "#666666"
CYCLE = (BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY)
DASHES = ("-", "--", "-.", ":")

_CHARACTERS = 38


def number(moment: datetime) -> float:
    """Return a moment as matplotlib counts it on an axis."""
    return float(dates.date2num(moment))  # type: ignore[no-untyped-call]


def cut(text: str, characters: int = _CHARACTERS) -> str:
    """Return `text` on one line, cut to so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= characters else line[: characters - 1] + "…"


def day_and_zone(since: datetime, to: datetime, zone: str) -> str:
    """Return what times on an axis mean: `Wed 25 Nov 2026, times in NZDT (Pacific/Auckland, UTC+13:00)`."""
    here, there = since.astimezone(ZoneInfo(zone)), to.astimezone(ZoneInfo(zone))
    days = f"{here:%a} {here.day} {here:%b %Y}"
    if here.date() != there.date():
        days += f" to {there:%a} {there.day} {there:%b %Y}"
    if here.utcoffset() == there.utcoffset():
        return f"{days}, times in {here:%Z} ({zone}, {_offset(here)})"
    return f"{days}, times in {here:%Z} ({_offset(here)}), then {there:%Z} ({_offset(there)}), {zone}"


def _offset(at: datetime) -> str:
    offset = f"{at:%z}"
    return f"UTC{offset[:3]}:{offset[3:5]}"
