"""Freezes from calendars: iCalendar files at addresses, asked for when somebody asks, kept for minutes.

The address of a calendar is a secret: whoever knows it can read the calendar.
"""

from collections.abc import Callable, Iterable
from functools import partial
from urllib.parse import urlsplit

from icalendar import Calendar
from pydantic import SecretStr

from bot.errors import Final, StepError
from bot.freezes import Freeze
from bot.http import Http
from bot.ical import happenings, read_calendar
from bot.lookups import Lookups
from bot.radar import Conflict, unseen
from bot.step import Window

_TIMEOUT_S = 10.0
Found = tuple[list[Freeze], list[Conflict]]


class FreezeCalendars:
    """Asks calendars, each by its address."""

    def __init__(self, urls: Iterable[SecretStr], lookups: Lookups) -> None:
        self.urls = tuple(urls)
        self._lookups = lookups

    def begin(self, window: Window) -> Callable[[], Found]:
        """Begin to ask; returns what waits, and gives the events in `window`, and a conflict for what is not known."""
        asked = [(url, self._lookups.begin(("calendar", url), partial(calendar_at, url))) for url in self.urls]

        def wait() -> Found:
            found: list[Freeze] = []
            not_seen = []
            for url, ask in asked:
                try:
                    found += freezes_in(ask(), host_of(url), window)
                except StepError as error:
                    not_seen.append(unseen(f"The calendar of freezes at {host_of(url)}", error, host_of(url)))
            return found, not_seen

        return wait


def calendar_at(url: SecretStr) -> Calendar:
    """Return the calendar at `url`. Raises `StepError`, which does not tell the address but for its host."""
    parts = urlsplit(url.get_secret_value())
    scheme = "https" if parts.scheme == "webcal" else parts.scheme
    where = parts._replace(scheme="", netloc="").geturl()
    secrets = [part for part in (where, parts.path, parts.query) if len(part) > 1]
    with Http(
        f"{scheme}://{parts.netloc}", system=f"The calendar at {parts.hostname}", secrets=secrets, timeout_s=_TIMEOUT_S
    ) as http:
        text = http.request("GET", where or "/").text
    try:
        return read_calendar(text)
    except ValueError as error:
        raise Final(f"What answers there is no calendar that can be read: {error}.") from None


def freezes_in(calendar: Calendar, host: str, window: Window) -> list[Freeze]:
    """Return the events of a calendar that fall into `window`. Raises `Final` for a rule that cannot be followed."""
    name = " ".join(str(calendar.get("X-WR-CALNAME") or f"the calendar at {host}").split())
    try:
        events = happenings(calendar, window.start, window.end)
    except ValueError as error:
        raise Final(f"It has an event that cannot be read: {error}.") from None
    return [Freeze(one.begin, one.until, one.summary, source=name) for one in events]


def host_of(url: SecretStr) -> str:
    """Return what may be told of a calendar's address."""
    return str(urlsplit(url.get_secret_value()).hostname)
