"""Long journals, as a long night writes them: steps that start, tell, fail and are tried again, and notes of people."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.entry import Entry, Kind
from bot.journal import GENESIS, entry_hash
from tests.maintenance_fixtures import created_payload, raw_step

BEGUN = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
_STEPS = 20
_TOLD: tuple[tuple[str, dict[str, Any]], ...] = (
    (Kind.STEP_STARTED, {"attempt": 1}),
    (Kind.STEP_FACT, {"text": "PR https://example.com/pull/3 opened", "facts": {"pr": 3}}),
    (Kind.NOTED, {"text": "all quiet"}),
    (Kind.STEP_FAILED, {"attempt": 1, "error": "busy", "files": {}, "temporary": True, "retry_at": BEGUN.isoformat()}),
    (Kind.STEP_RETRIED, {"attempt": 1}),
)


def entries(maintenance: str, count: int, *, ended: bool = False, begun: datetime = BEGUN) -> Iterator[Entry]:
    """Yield the `count` entries of a journal, with their hashes; the last one ends it if `ended`."""
    steps = [raw_step(f"s{number}", title=f"Step {number}", by_hand=True, needs=[]) for number in range(_STEPS)]
    prev = GENESIS
    for seq in range(1, count + 1):
        kind, step, payload = Kind.CREATED, None, created_payload(steps, begun, channel="C0MAINT01")
        if seq == 2:
            kind, payload = Kind.STATE_CHANGED, {"from": "draft", "to": "in_progress"}
        elif ended and seq == count:
            kind, payload = Kind.STATE_CHANGED, {"from": "verifying", "to": "completed"}
        elif seq > 2:
            told, payload = _TOLD[seq % len(_TOLD)]
            kind = Kind(told)
            step = None if kind == Kind.NOTED else f"s{seq // len(_TOLD) % _STEPS}"
        at = begun + timedelta(seconds=seq)
        bare = Entry(maintenance, seq, at, "maint", str(kind), step, payload, f"{maintenance}:{seq}", prev, "")
        prev = entry_hash(bare)
        yield Entry(**{**vars(bare), "hash": prev})
