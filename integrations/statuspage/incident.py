"""A scheduled maintenance as Statuspage keeps it (it calls it an incident), and what is looked up in it. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from bot.errors import Final
from bot.step import Window
from integrations.statuspage.texts import same

SCHEDULED, IN_PROGRESS, VERIFYING, COMPLETED = STATUSES = ("scheduled", "in_progress", "verifying", "completed")
UNDER_MAINTENANCE, OPERATIONAL = "under_maintenance", "operational"
AUTO_OFF = {
    "scheduled_auto_in_progress": False,
    "scheduled_auto_completed": False,
    "auto_transition_to_maintenance_state": False,
    "auto_transition_to_operational_state": False,
}
"""What keeps the clock from moving the maintenance, or its components, by itself. Sent with every change."""


@dataclass(frozen=True)
class Update:
    """One text that was published under the maintenance."""

    id: str
    status: str
    body: str


@dataclass(frozen=True)
class Incident:
    """A scheduled maintenance as it is now; `components` are the names of the affected ones by id."""

    id: str
    name: str
    status: str
    shortlink: str
    window: tuple[datetime | None, datetime | None]
    components: Mapping[str, str]
    updates: tuple[Update, ...]
    raw: Mapping[str, Any]

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Self:
        """Read it from an answer of the API, or of the public page."""
        updates = raw.get("incident_updates") or ()
        return cls(
            id=str(raw["id"]),
            name=str(raw.get("name") or ""),
            status=str(raw.get("status") or ""),
            shortlink=str(raw.get("shortlink") or ""),
            window=(_moment(raw.get("scheduled_for")), _moment(raw.get("scheduled_until"))),
            components={str(one["id"]): str(one["name"]) for one in raw.get("components") or ()},
            updates=tuple(Update(str(one["id"]), str(one["status"]), str(one.get("body") or "")) for one in updates),
            raw=raw,
        )

    def reached(self, status: str) -> bool:
        """Whether it is in `status` or beyond."""
        return self.status in STATUSES and STATUSES.index(self.status) >= STATUSES.index(status)

    def has_window(self, window: Window) -> bool:
        """Whether it is announced for `window`, to the second."""
        return self.window == (window.start.replace(microsecond=0), window.end.replace(microsecond=0))

    def says(self, text: str, *, except_in: Iterable[str] = ()) -> bool:
        """Whether `text` has been published, in an update other than those with the ids in `except_in`."""
        return any(same(one.body, text) for one in self.updates if one.id not in set(except_in))

    def runs_by_the_clock(self) -> bool:
        """Whether Statuspage would begin or complete it by itself."""
        return bool(self.raw.get("scheduled_auto_in_progress") or self.raw.get("scheduled_auto_completed"))


def metadata_of(maintenance: str) -> dict[str, dict[str, str]]:
    """Return what marks an incident as that of a maintenance. (Top-level values of metadata have to be objects.)"""
    return {"maint": {"maintenance": maintenance}}


def is_of(raw: Mapping[str, Any], maintenance: str) -> bool:
    """Whether an incident carries the mark of `maintenance`."""
    mark = (raw.get("metadata") or {}).get("maint")
    return isinstance(mark, Mapping) and mark.get("maintenance") == maintenance


def times_of(window: Window) -> dict[str, str]:
    """Return the window as Statuspage takes it."""
    return {"scheduled_for": _stamp(window.start), "scheduled_until": _stamp(window.end)}


def chosen(listed: Iterable[Mapping[str, Any]], wanted: Iterable[str]) -> dict[str, str]:
    """Return the components that `wanted` names (by name or id, a group for all in it), as names by id.

    Raises `Final` for a name that no component has, or several have.
    """
    everything = list(listed)
    found: dict[str, str] = {}
    for name in wanted:
        fits = [one for one in everything if name == one["id"]] or [
            one for one in everything if name.casefold() == str(one["name"]).casefold()
        ]
        if len(fits) != 1:
            ids = f" ({', '.join(str(one['id']) for one in fits)}): name it by its id" if fits else ""
            known = ", ".join(str(one["name"]) for one in everything if not one.get("group"))
            raise Final(
                f"{len(fits) or 'No'} component{'s are' if fits else ' is'} called {name!r} on the status page{ids}. "
                f"It has: {known or '(none)'}."
            )
        group = fits[0].get("group")
        members = [one for one in everything if one.get("group_id") == fits[0]["id"]] if group else fits
        found.update({str(one["id"]): str(one["name"]) for one in members})
    return found


def _stamp(at: datetime) -> str:
    return at.replace(microsecond=0).isoformat().replace("+00:00", "Z")


def _moment(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)).replace(microsecond=0)
    except ValueError:
        return None
