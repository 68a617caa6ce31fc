"""What Statuspage accepts of an incident, by its API description."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sandbox.statuspage.refusal import Refusal

REALTIME = ("investigating", "identified", "monitoring", "resolved")
PLANNED = ("scheduled", "in_progress", "verifying", "completed")
COMPONENT_STATUSES = ("operational", "under_maintenance", "degraded_performance", "partial_outage", "major_outage")


def validate(fields: Mapping[str, Any], components: Iterable[str]) -> None:
    """Refuse what an incident cannot be; `components` are the ids that there are. Raises `Refusal`."""
    known = set(components)
    if fields.get("status") and fields["status"] not in (*REALTIME, *PLANNED):
        raise Refusal(422, f"Validation failed: Status {fields['status']} is not included in the list")
    if len(str(fields.get("name", ""))) > 255:
        raise Refusal(422, "Validation failed: Name is too long (maximum is 255 characters)")
    if len(str(fields.get("body") or "")) > 25_000:
        raise Refusal(422, "Validation failed: Body is too long (maximum is 25000 characters)")
    metadata = fields.get("metadata", {})
    if not isinstance(metadata, dict) or any(not isinstance(one, dict) for one in metadata.values()):
        raise Refusal(422, "Validation failed: Metadata must be an object whose values are objects")
    changes = fields.get("components") or {}
    unknown = [one for one in (*(fields.get("component_ids") or []), *changes) if one not in known]
    if unknown:
        raise Refusal(422, f"Validation failed: Component {unknown[0]} does not exist on this page")
    wrong = [status for status in changes.values() if status not in COMPONENT_STATUSES]
    if wrong:
        raise Refusal(422, f"Validation failed: Status {wrong[0]} is not included in the list")


def moment(fields: Mapping[str, Any], name: str, now: datetime | None) -> datetime | None:
    """The time under `name`, or `now` where it is not given. Raises `Refusal`."""
    if not fields.get(name):
        return now
    try:
        at = datetime.fromisoformat(str(fields[name]))
    except ValueError:
        raise Refusal(422, f"Validation failed: {name} is not a time") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
