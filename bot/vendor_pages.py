"""What vendors have announced on their own status pages for the time of a window.

Source: the public API of a page of Atlassian Statuspage (its `/api`), version 2: `scheduled-maintenances/upcoming.json`
and `/active.json`, the latter those in progress or being verified.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from bot.entry import instant
from bot.errors import Final, StepError
from bot.http import Http
from bot.lookups import Lookups
from bot.radar import Conflict, unseen
from bot.settings import Settings
from bot.step import Window
from bot.window import local

_TIMEOUT_S = 10.0
_MOST, _MOST_COMPONENTS = 3, 5


@dataclass(frozen=True)
class VendorPage:
    """A vendor's public status page: its name for people, and its address without a slash at the end."""

    name: str
    url: str


@dataclass(frozen=True)
class Announced:
    """What a vendor plans: from `begin` until `until` (aware UTC), with its link and the components it names."""

    title: str
    begin: datetime
    until: datetime
    link: str
    components: tuple[str, ...]
    is_running: bool


class VendorPages:
    """Asks pages; what they say is kept for minutes."""

    def __init__(self, pages: Iterable[VendorPage], lookups: Lookups) -> None:
        self.pages = tuple(pages)
        self._lookups = lookups

    def begin(self, window: Window, now: datetime) -> Callable[[], list[Conflict]]:
        """Begin to ask; returns what waits, and gives what vendors plan in `window` as conflicts."""
        asked = [(page, self._lookups.begin(page, partial(announced, page))) for page in self.pages]
        return lambda: [conflict for page, wait in asked for conflict in _conflicts(page, wait, window, now)]


def vendors_of(settings: Settings) -> list[VendorPage]:
    """Return the pages of `MAINT_VENDOR_PAGES`."""
    return [VendorPage(name, url) for name, url in settings.vendor_pages.items()]


def announced(page: VendorPage) -> list[Announced]:
    """Return what is planned or under way on a page. Raises `StepError`."""
    with Http(page.url, system=f"The status page of {page.name}", timeout_s=_TIMEOUT_S) as http:
        return [
            _announced(raw, page, is_running=name == "active")
            for name in ("active", "upcoming")
            for raw in _listed(http.request("GET", f"/api/v2/scheduled-maintenances/{name}.json").json, page)
        ]


def _listed(answer: Any, page: VendorPage) -> list[dict[str, Any]]:
    found = answer.get("scheduled_maintenances") if isinstance(answer, dict) else None
    if not isinstance(found, list):
        raise Final(f"{page.url} is not the address of a public Statuspage page: it lists no scheduled maintenance.")
    return found


def _announced(raw: dict[str, Any], page: VendorPage, *, is_running: bool) -> Announced:
    try:
        begin, until = instant(raw["scheduled_for"]), instant(raw["scheduled_until"])
        names = tuple(str(one["name"]) for one in raw.get("components") or ())
        link = str(raw.get("shortlink") or f"{page.url}/incidents/{raw['id']}")
        return Announced(str(raw["name"]), begin, until, link, names, is_running)
    except (KeyError, TypeError, ValueError) as error:
        raise Final(f"{page.url} lists a maintenance that cannot be read ({type(error).__name__}: {error}).") from None


def _conflicts(page: VendorPage, wait: Callable[[], list[Announced]], window: Window, now: datetime) -> list[Conflict]:
    try:
        listed = wait()
    except StepError as error:
        return [unseen(f"What {page.name} plans", error, page.url)]
    # One that runs late is under way until its page says that it has ended.
    timed = [replace(one, until=max(one.until, now)) if one.is_running else one for one in listed]
    hits = [one for one in timed if one.begin < window.end and window.start < one.until]
    found = [Conflict("vendor", _words(page, one, window), blocks=False, about=one.link) for one in hits[:_MOST]]
    if len(hits) > _MOST:
        text = f"{page.name} plans {len(hits) - _MOST} more for that time: {page.url}"
        found.append(Conflict("vendor", text, blocks=False, about=page.url))
    return found


def _words(page: VendorPage, one: Announced, window: Window) -> str:
    span = f"{local(one.begin, window.zone)} to {local(one.until, window.zone)}"
    named = ", ".join(one.components[:_MOST_COMPONENTS])
    more = len(one.components) - _MOST_COMPONENTS
    which = f" It names {named}{f' and {more} more' if more > 0 else ''}." if named else ""
    verb = "is in" if one.is_running else "plans"
    return f"{page.name} {verb} maintenance of its own, {span}: {one.title.strip().rstrip('.')}.{which} {one.link}"
