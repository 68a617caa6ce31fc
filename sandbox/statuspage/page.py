"""The status page: its components, its incidents, the clock that moves them where it may, and who was notified."""

import random
import string
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.statuspage.refusal import Refusal
from sandbox.statuspage.rules import COMPONENT_STATUSES, PLANNED, moment, validate

PAGE_ID = "j1nvlvyv7w27"
KEY = "statuspage-key"
OVER = {"resolved", "completed"}
REMINDER = timedelta(minutes=60)
FLAGS = {
    "scheduled_auto_in_progress": False,
    "scheduled_auto_completed": False,
    "auto_transition_to_maintenance_state": True,
    "auto_transition_to_operational_state": True,
    "auto_transition_deliver_notifications_at_start": True,
    "auto_transition_deliver_notifications_at_end": True,
    "scheduled_remind_prior": False,
}


@dataclass
class Component:
    """A component, or a group of them (`group`)."""

    id: str
    name: str
    description: str = ""
    status: str = "operational"
    group: bool = False
    group_id: str | None = None
    position: int = 1
    created_at: datetime = datetime(2020, 1, 1, tzinfo=UTC)
    updated_at: datetime = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass
class Update:
    """One text under an incident; `affected` is what became of components, None if nothing did."""

    id: str
    status: str
    body: str
    at: datetime
    notified: bool
    affected: list[dict[str, str]] | None


@dataclass
class Incident:
    """An incident, planned ones (maintenances) among them; the newest update comes first."""

    id: str
    name: str
    status: str
    shortlink: str
    created_at: datetime
    updated_at: datetime
    scheduled_for: datetime | None = None
    scheduled_until: datetime | None = None
    resolved_at: datetime | None = None
    reminded_at: datetime | None = None
    impact_override: str | None = None
    component_ids: list[str] = field(default_factory=list)
    updates: list[Update] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    flags: dict[str, bool] = field(default_factory=lambda: dict(FLAGS))

    @property
    def planned(self) -> bool:
        """Whether it is a scheduled maintenance."""
        return self.status in PLANNED

    @property
    def impact(self) -> str:
        """How bad it is."""
        return self.impact_override or ("maintenance" if self.planned else "minor")


@dataclass(frozen=True)
class Notification:
    """What every subscriber got: `kind` is `update`, `reminder` or, from the clock, `automatic`."""

    incident: str
    kind: str
    status: str
    body: str
    at: datetime


class StatusPage:
    """State of the stand-in: one page. `clock` gives the time, aware; what it brings about happens on `settle`."""

    def __init__(
        self,
        name: str = "Acme",
        *,
        page_id: str = PAGE_ID,
        subscribers: int = 1240,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        seed: int = 1,
    ) -> None:
        self.name, self.page_id, self.subscribers, self.clock = name, page_id, subscribers, clock
        self.components: dict[str, Component] = {}
        self.incidents: dict[str, Incident] = {}
        self.notifications: list[Notification] = []
        self.members_only = False
        self.lock = threading.RLock()
        self._random = random.Random(seed)  # noqa: S311 - ids, not secrets

    def new_id(self) -> str:
        """An id such as `p31zjtct2jer`."""
        return "".join(self._random.choices(string.ascii_lowercase + string.digits, k=12))

    def add_component(self, name: str, description: str = "", *, group: str | None = None) -> Component:
        """A new component, in the group of the id `group` if given."""
        return self._add(name, description, group=False, group_id=group)

    def add_group(self, name: str) -> Component:
        """A new group, to put components into."""
        return self._add(name, "", group=True, group_id=None)

    def _add(self, name: str, description: str, *, group: bool, group_id: str | None) -> Component:
        with self.lock:
            made = Component(
                self.new_id(), name, description, group=group, group_id=group_id, position=len(self.components) + 1
            )
            self.components[made.id] = made
        return made

    def members(self, incident: Incident) -> list[Component]:
        """The components that an incident affects."""
        return [self.components[one] for one in incident.component_ids if one in self.components]

    def by_status(self, *statuses: str) -> list[Incident]:
        """The incidents in one of `statuses`, newest first."""
        return [one for one in reversed(self.incidents.values()) if one.status in statuses]

    def create(self, fields: Mapping[str, Any], base_url: str) -> Incident:
        """A new incident. Raises `Refusal`."""
        with self.lock:
            now, number = self.clock(), self.new_id()
            status = str(fields.get("status") or ("scheduled" if fields.get("scheduled_for") else "investigating"))
            made = Incident(number, "", status, f"{base_url}/incidents/{number}", now, now)
            if not fields.get("name"):
                raise Refusal(422, "Validation failed: Name can't be blank")
            self._set(made, fields)
            if made.planned and (made.scheduled_for is None or made.scheduled_until is None):
                raise Refusal(422, "Validation failed: Scheduled for and until can't be blank")
            self.incidents[number] = made
            self._enter(made, status, fields)
        return made

    def update(self, incident: Incident, fields: Mapping[str, Any]) -> Incident:
        """Change an incident: what has a body, or another status, is one more update. Raises `Refusal`."""
        with self.lock:
            status = str(fields.get("status") or incident.status)
            if (status in PLANNED) != incident.planned:
                raise Refusal(422, f"Validation failed: Status {status} is not valid for this kind of incident")
            self._set(incident, fields)
            self._enter(incident, status, fields)
        return incident

    def _set(self, incident: Incident, fields: Mapping[str, Any]) -> None:
        """Validate everything, then take over what an update does not tell of."""
        validate(fields, self.components)
        start = moment(fields, "scheduled_for", incident.scheduled_for)
        end = moment(fields, "scheduled_until", incident.scheduled_until)
        if start and end and end <= start:
            raise Refusal(422, "Validation failed: Scheduled until must be after scheduled for")
        incident.scheduled_for, incident.scheduled_until = start, end
        incident.name = str(fields.get("name", incident.name))
        incident.impact_override = fields.get("impact_override", incident.impact_override)
        if "metadata" in fields:
            incident.metadata = dict(fields["metadata"])
        if "component_ids" in fields:
            incident.component_ids = list(fields["component_ids"])
        incident.flags.update({flag: bool(fields[flag]) for flag in FLAGS if flag in fields})

    def _enter(self, incident: Incident, status: str, fields: Mapping[str, Any]) -> None:
        body, moved = fields.get("body"), status != incident.status or not incident.updates
        changes = dict(fields.get("components") or {})
        if moved:
            changes = self._by_transition(incident, status) | changes
        incident.status, incident.updated_at = status, self.clock()
        affected = self._change(incident, changes)
        if status in OVER:
            incident.resolved_at = self.clock()
        if moved or body:
            self._publish(incident, str(body or ""), bool(fields.get("deliver_notifications", True)), affected)

    def _by_transition(self, incident: Incident, status: str) -> dict[str, str]:
        """What the flags do to the components on the way into `status`."""
        if status == "in_progress" and incident.flags["auto_transition_to_maintenance_state"]:
            return dict.fromkeys(incident.component_ids, "under_maintenance")
        if status == "completed" and incident.flags["auto_transition_to_operational_state"]:
            return dict.fromkeys(incident.component_ids, "operational")
        return {}

    def _change(self, incident: Incident, statuses: Mapping[str, str]) -> list[dict[str, str]] | None:
        affected = []
        for number, status in statuses.items():
            component = self.components[number]
            if number not in incident.component_ids:
                incident.component_ids.append(number)
            affected.append(
                {"code": number, "name": component.name, "old_status": component.status, "new_status": status}
            )
            self.set_status(component, status)
        return affected or None

    def set_status(self, component: Component, status: str) -> None:
        """Set the status of a component. Raises `Refusal` for one that there is not."""
        if status not in COMPONENT_STATUSES:
            raise Refusal(422, f"Validation failed: Status {status} is not included in the list")
        with self.lock:
            component.status, component.updated_at = status, self.clock()

    def _publish(
        self, incident: Incident, body: str, notify: bool, affected: list[dict[str, str]] | None, kind: str = "update"
    ) -> None:
        now = self.clock()
        incident.updates.insert(0, Update(self.new_id(), incident.status, body, now, notify, affected))
        if notify:
            self.notifications.append(Notification(incident.id, kind, incident.status, body, now))

    def settle(self) -> None:
        """Let happen what the clock brings about until now: reminders, and transitions where their flag is on."""
        with self.lock:
            for incident in [one for one in self.incidents.values() if one.planned]:
                self._remind(incident)
                self._move(incident, "scheduled", "in_progress", incident.scheduled_for)
                self._move(incident, "in_progress", "completed", incident.scheduled_until)
                self._move(incident, "verifying", "completed", incident.scheduled_until)

    def _remind(self, incident: Incident) -> None:
        start, now = incident.scheduled_for, self.clock()
        wanted = incident.flags["scheduled_remind_prior"] and incident.reminded_at is None
        if wanted and start and incident.status == "scheduled" and start - REMINDER <= now < start:
            incident.reminded_at = now
            text = f"{incident.name} begins within the hour."
            self.notifications.append(Notification(incident.id, "reminder", incident.status, text, now))

    def _move(self, incident: Incident, before: str, after: str, at: datetime | None) -> None:
        starts = after == "in_progress"
        flag = "scheduled_auto_in_progress" if starts else "scheduled_auto_completed"
        if incident.status != before or not incident.flags[flag] or at is None or self.clock() < at:
            return
        affected = self._change(incident, self._by_transition(incident, after))
        incident.status, incident.updated_at = after, self.clock()
        incident.resolved_at = None if starts else self.clock()
        text = f"Scheduled maintenance is {'currently in progress' if starts else 'now completed'}."
        notify = incident.flags[f"auto_transition_deliver_notifications_at_{'start' if starts else 'end'}"]
        self._publish(incident, text, notify, affected, "automatic")

    def summary(self) -> dict[str, Any]:
        """What tests and the demo ask about: notifications by kind, and the maintenances' statuses."""
        kinds = [one.kind for one in self.notifications]
        return {
            "notifications": len(kinds),
            "by_kind": {kind: kinds.count(kind) for kind in sorted(set(kinds))},
            "messages": len(kinds) * self.subscribers,
            "incidents": {one.name: one.status for one in self.incidents.values()},
            "components": {one.name: one.status for one in self.components.values() if not one.group},
        }
