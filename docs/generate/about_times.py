"""Generated parts about times as people write them: what is understood, and what is refused with which words."""

from datetime import UTC, datetime

from bot.errors import BadInput
from bot.window import local, parse_when
from docs.generate.tables import table

_NOW = datetime(2026, 11, 25, 9, 30, tzinfo=UTC)
_ZONE = "Europe/Berlin"
_UNDERSTOOD = (
    "17:00",
    "5pm",
    "tomorrow 5pm",
    "tonight 22:00",
    "fri 22:00",
    "1 Dec 22:00",
    "Dec 1st 10pm",
    "2026-12-01 22:00",
    "22:00 NZDT",
    "22:00 America/New_York",
    "22:00 UTC+2",
    "in 2h",
    "now",
)
_REFUSED = (
    "12/1/2026 22:00",
    "9:00 today",
    "tomorrow",
    "25:00",
    "2027-03-28 02:30",
    "2027-10-31 02:30",
    "next friday 22:00",
    "Monday 1 Dec 22:00",
    "22:00 CST",
    "2028-01-01 10:00",
)


def understood() -> str:
    """What examples mean to somebody in Berlin."""
    rows = []
    for text in _UNDERSTOOD:
        moment = parse_when(text, _NOW, _ZONE)
        rows.append((f"`{text}`", local(moment.at, moment.zone)))
    return table(("you write", "it means"), rows)


def refused() -> str:
    """What examples are answered with."""
    return table(("you write", "the answer"), [(f"`{text}`", _answer(text)) for text in _REFUSED])


def _answer(text: str) -> str:
    try:
        moment = parse_when(text, _NOW, _ZONE)
    except BadInput as error:
        return str(error)
    raise ValueError(f"{text} is understood, as {moment}")
