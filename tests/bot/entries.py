"""Entries of every kind, written by a real journal, for the tests of what is shown of them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.entry import Entry, Kind
from bot.evolve import evolve
from bot.journal import Draft
from bot.maintenances import Maintenances
from bot.state import State
from tests.maintenance_fixtures import created_payload, raw_step

ID = "2026-11-25-postgres-17"
ANA, BEN, CHLOE, APPROVERS = "U0ANA0001", "U0BEN0001", "U0CHLOE01", "S0APPROVE"
CHANNEL = "C0MAINT01"
POLICY = {"count": 1, "approvers": [APPROVERS], "expires_s": 3600.0, "requester_may": False}


def begin(maintenances: Maintenances, steps: list[dict[str, Any]] | None = None, **changes: Any) -> None:
    """Start the maintenance `ID` in the stand-in's channel."""
    now = changes.pop("now", datetime.now(UTC))
    maintenance = changes.pop("maintenance", ID)
    payload = created_payload(steps or [raw_step("upgrade", title="Upgrade")], now, channel=CHANNEL, **changes)
    maintenances.create(maintenance, Draft(Kind.CREATED, ANA, f"{maintenance}:created", payload=payload))


def add(maintenances: Maintenances, *drafts: tuple[Any, ...], maintenance: str = ID) -> None:
    """Append entries: each draft is (kind, step or None, payload, actor or `maint`)."""
    state = maintenances.state(maintenance)
    made = []
    for number, (kind, step, payload, *actor) in enumerate(drafts, 1):
        who = actor[0] if actor else "maint"
        made.append(Draft(kind, who, f"{maintenance}:{state.seq + number}", step, payload))
    maintenances.record(maintenance, lambda _: made)


def told(maintenances: Maintenances, maintenance: str = ID) -> Iterator[tuple[Entry, State]]:
    """Yield every entry with the state right after it."""
    state = None
    for entry in maintenances.journal.read(maintenance):
        state = evolve(state, entry)
        yield entry, state


def request(step: str, **changes: Any) -> tuple[Any, ...]:
    """A draft that asks for approval."""
    payload = {
        "token": "t0ken",
        "digest": "d",
        "summary": "pg_upgrade 14 to 18 in link mode",
        "details": ["old: 14", "new: 18"],
        "count": 1,
        "approvers": [APPROVERS],
        "requester_may": False,
        "expires_at": (datetime.now(UTC) + timedelta(hours=1)).isoformat(),
        **changes,
    }
    return (Kind.APPROVAL_REQUESTED, step, payload)


def extension() -> tuple[Any, ...]:
    """A draft that asks for half an hour more."""
    now = datetime.now(UTC)
    window = {"start": now.isoformat(), "end": (now + timedelta(minutes=150)).isoformat(), "zone": "Pacific/Auckland"}
    step = raw_step("extend-1", "maint.window", title="Extend", approval=POLICY, change="extend-1", **{"with": window})
    payload = {"change": "extend-1", "what": "extended", "reason": "", "window": window, "steps": [step]}
    return (Kind.CHANGE_ASKED, None, payload, ANA)


def a_night(maintenances: Maintenances) -> None:
    """A maintenance in which every kind of entry occurs."""
    reversible = raw_step("banner", title="Banner on", reversible=True, on_failure="ask")
    begin(
        maintenances,
        [reversible, raw_step("upgrade", title="Upgrade", approval=POLICY), raw_step("by-hand", by_hand=True)],
    )
    end = datetime.now(UTC).isoformat()
    late = {"end": end, "low": end, "high": end, "announced": end, "late_chance": 0.9}
    again = {"attempt": 1, "error": "Connection refused", "files": {}, "temporary": True}
    retry_at = (datetime.now(UTC) + timedelta(seconds=5)).isoformat()
    add(
        maintenances,
        (Kind.STATE_CHANGED, None, {"from": "draft", "to": "scheduled"}),
        (Kind.STATE_CHANGED, None, {"from": "scheduled", "to": "in_progress"}),
        (Kind.STEP_STARTED, "banner", {"attempt": 1}),
        (Kind.STEP_FACT, "banner", {"text": "PR https://example.com/pull/3 opened", "facts": {"pr": 3}}),
        (Kind.STEP_FAILED, "banner", {**again, "retry_at": retry_at}),
        (Kind.STEP_STARTED, "banner", {"attempt": 2}),
        (Kind.STEP_OVERDUE, "banner", {"attempt": 2, "timeout_s": 600.0}),
        (Kind.STEP_SUCCEEDED, "banner", {"attempt": 2, "summary": "live", "facts": {}, "files": {}}),
        request("upgrade"),
        (Kind.APPROVAL_EXPIRED, "upgrade", {"token": "t0ken"}),
        request("upgrade", token="t1"),
        (Kind.APPROVED, "upgrade", {"token": "t1", "digest": "d", "of": 1}, BEN),
        (Kind.APPROVAL_VOID, "upgrade", {"token": "t1", "digest": "e", "summary": "s", "reason": "it has changed"}),
        request("upgrade", token="t2"),
        (Kind.REJECTED, "upgrade", {"token": "t2", "digest": "d", "reason": "not tonight"}, BEN),
        (Kind.STEP_RETRIED, "upgrade", {"attempt": 0}, ANA),
        (Kind.STEP_STARTED, "upgrade", {"attempt": 1}),
        (Kind.STEP_UNKNOWN, "upgrade", {"attempt": 1, "error": "the answer was lost", "files": {}}),
        (Kind.STEP_SETTLED, "upgrade", {"happened": True, "summary": f"confirmed by <@{ANA}>", "attempt": 1}, ANA),
        (Kind.NOTED, None, {"text": "all quiet"}, ANA),
        extension(),
        (Kind.PAUSED, None, {}, ANA),
        (Kind.RESUMED, None, {}, ANA),
        (Kind.STEP_SKIPPED, "by-hand", {"reason": "not needed"}, ANA),
        (Kind.STILL_UP, None, {"standing": {"banner": "Scheduled maintenance today"}}),
        (Kind.ABORTED, None, {"reason": "customers call"}, ANA),
        (Kind.UNDO_ANSWERED, "banner", {"answer": "lift"}, ANA),
        (Kind.UNDO_STARTED, "banner", {"attempt": 1}),
        (Kind.UNDO_FAILED, "banner", {"attempt": 1, "error": "merge conflict", "files": {}}),
        (Kind.UNDO_STARTED, "banner", {"attempt": 2}),
        (Kind.UNDONE, "banner", {"summary": "banner off"}),
        (Kind.READ_BACK, None, {"wrong": {"banner": "shows “x”, and should show “y”"}, "right": []}),
        (Kind.READ_BACK, None, {"wrong": {}, "right": ["banner"]}),
        (Kind.OVERRUN_EXPECTED, None, {**late, "number": 1, "asked": [ANA, APPROVERS]}),
        (Kind.OVERRUN_AVERTED, None, late),
        (Kind.OVERRUN_EXPECTED, None, {**late, "number": 2, "asked": [ANA, APPROVERS]}),
        (Kind.OVERRUN_ESCALATED, None, {"number": 2, "to": [CHLOE], "steps": []}),
        (Kind.OVERRUN_ACCEPTED, None, {"number": 2}, ANA),
        (Kind.TURN_BACK_NEAR, None, {"moment": late["end"], "minutes": 5, "way_back": "yes, in about 8 min"}),
        (Kind.TURN_BACK_PASSED, None, {"moment": late["end"], "before": None, "policy": None}),
        (Kind.ESTIMATED, None, {"source": "rehearsal", "takes_s": {"upgrade": 720.0}}),
        (Kind.GLASS_BROKEN, "upgrade", {"token": "t1", "asker": ANA, "reason": "nobody answers"}, CHLOE),
        (Kind.HANDOVER_ASKED, None, {"to": BEN, "package": "State: in progress", "expires_at": end}, ANA),
        (Kind.ITEM_TICKED, "by-hand", {"item": 1, "text": "Look", "left": 1}, BEN),
        (Kind.HANDOVER_ANSWERED, None, {"number": 1, "accepted": True, "from": ANA}, BEN),
    )
