"""What `maint check` tries of all that is asked before a window is announced: freezes, vendors' pages,
schedules of those on call, busy hours."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial

from pydantic import SecretStr

from bot.calendars import busy_of
from bot.connections import ValueOf
from bot.errors import BadInput
from bot.freeze_calendars import calendar_at, freezes_in, host_of
from bot.freeze_sources import in_file
from bot.maintenances import utc_now
from bot.on_call import shifts_of
from bot.radar import Conflict
from bot.settings import Settings
from bot.step import Window
from bot.vendor_pages import VendorPage, announced, vendors_of

_AHEAD, _WEEK = timedelta(days=366), timedelta(days=7)
Check = tuple[str, Callable[[], str]]


def radar_checks(settings: Settings, value_of: ValueOf) -> Iterator[Check]:
    """Yield what is to be tried, and how: that returns a line on what was found, or raises `MaintError`."""
    if settings.busy_hours:
        yield "busy hours", partial(_busy, settings.busy_hours)
    if settings.freezes is not None:
        yield "freezes", partial(_freezes, settings)
    for url in settings.freeze_calendars:
        yield f"calendar of freezes at {host_of(url)}", partial(_calendar, url)
    for page in vendors_of(settings):
        yield f"status page of {page.name}", partial(_vendor, page)
    for schedule in settings.on_call:
        yield f"on call by {schedule}", partial(_on_call, schedule, value_of)


def _busy(words: str) -> str:
    return f"{len(busy_of(words))} spans of hours"


def _freezes(settings: Settings) -> str:
    found = list(in_file(settings.freezes)) if settings.freezes is not None else []
    wrong = [each.text for each in found if isinstance(each, Conflict)]
    if wrong:
        raise BadInput(" ".join(wrong))
    return f"{len(found)} in {settings.freezes}"


def _calendar(url: SecretStr) -> str:
    now = utc_now()
    found = freezes_in(calendar_at(url), host_of(url), Window(now, now + _AHEAD, "UTC"))
    return f"{len(found)} freezes in the coming year"


def _vendor(page: VendorPage) -> str:
    return f"{len(announced(page))} maintenances planned or under way at {page.url}"


def _on_call(schedule: str, value_of: ValueOf) -> str:
    now = utc_now()
    return f"{len(shifts_of(schedule, value_of, now, now + _WEEK))} shifts in the coming week"
