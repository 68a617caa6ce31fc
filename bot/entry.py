"""The journal's entries: what they say has happened, and what one consists of. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What a journal entry says has happened. The names are stored: add to them, never rename or drop one."""

    CREATED = "created"
    STATE_CHANGED = "state_changed"
    APPROVAL_REQUESTED = "approval_requested"
    APPROVED = "approved"
    REJECTED = "rejected"
    APPROVAL_EXPIRED = "approval_expired"
    APPROVAL_VOID = "approval_void"
    STEP_STARTED = "step_started"
    STEP_FACT = "step_fact"
    STEP_SUCCEEDED = "step_succeeded"
    STEP_FAILED = "step_failed"
    STEP_OVERDUE = "step_overdue"
    STEP_UNKNOWN = "step_unknown"
    STEP_SETTLED = "step_settled"
    STEP_RETRIED = "step_retried"
    STEP_SKIPPED = "step_skipped"
    UNDO_STARTED = "undo_started"
    UNDONE = "undone"
    UNDO_FAILED = "undo_failed"
    UNDO_ANSWERED = "undo_answered"
    NOTED = "noted"
    PAUSED = "paused"
    RESUMED = "resumed"
    ABORTED = "aborted"
    CHANGE_ASKED = "change_asked"
    STILL_UP = "still_up"
    READ_BACK = "read_back"
    ESTIMATED = "estimated"
    OVERRUN_EXPECTED = "overrun_expected"
    OVERRUN_AVERTED = "overrun_averted"
    OVERRUN_ACCEPTED = "overrun_accepted"
    OVERRUN_ESCALATED = "overrun_escalated"
    TURN_BACK_NEAR = "turn_back_near"
    TURN_BACK_PASSED = "turn_back_passed"
    GLASS_BROKEN = "glass_broken"
    HANDOVER_ASKED = "handover_asked"
    HANDOVER_ANSWERED = "handover_answered"
    ITEM_TICKED = "item_ticked"


@dataclass(frozen=True)
class Entry:
    """One line of the journal. `at` is aware UTC; `actor` is a Slack user id or `maint`; `payload` is plain JSON."""

    maintenance: str
    seq: int
    at: datetime
    actor: str
    kind: str
    step: str | None
    payload: Mapping[str, Any]
    key: str
    prev_hash: str
    hash: str


_KNOWN = frozenset(Kind)


def is_understood(entry: Entry) -> bool:
    """Whether this version knows the kind of `entry`, or whoever wrote it says that it may be passed over."""
    return entry.kind in _KNOWN or bool(entry.payload.get("optional"))


def instant(text: str) -> datetime:
    """Return an ISO 8601 text with offset as aware UTC. Raises `ValueError` if it names no offset."""
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        raise ValueError(f"{text} has no UTC offset")
    return value.astimezone(UTC)
