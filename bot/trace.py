"""One maintenance as a trace: a span for the whole, one for each step and below it one for each attempt. Pure.

Requests for approval and what takes down again are spans beside the steps, since they may come hours before or after
them. All ids come from the journal, so that a trace that is made twice is the same trace.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bot.entry import Entry, Kind
from bot.state import State

Attributes = Mapping[str, str | int | float | bool]
_MOST_EVENTS = 128
"""As many as others take by default (OpenTelemetry specification, "Span Limits")."""
_LONGEST = 500
_CLOSES = {
    Kind.STEP_SUCCEEDED: "attempt",
    Kind.STEP_FAILED: "attempt",
    Kind.STEP_UNKNOWN: "attempt",
    Kind.STEP_SKIPPED: "attempt",
    Kind.UNDONE: "undo",
    Kind.UNDO_FAILED: "undo",
    Kind.APPROVED: "approval",
    Kind.REJECTED: "approval",
    Kind.APPROVAL_EXPIRED: "approval",
    Kind.APPROVAL_VOID: "approval",
}
_WRONG = frozenset({Kind.STEP_FAILED, Kind.STEP_UNKNOWN, Kind.UNDO_FAILED, Kind.REJECTED, Kind.APPROVAL_EXPIRED})
_TEXTS = ("to", "reason", "error", "text", "summary", "attempt")


@dataclass(frozen=True)
class Event:
    """Something that happened within a span, `at` which time (aware UTC)."""

    at: datetime
    name: str
    attributes: Attributes


@dataclass
class Span:
    """A stretch of time. `parent` is the id of the span around it, None for the whole; `error` is why it failed."""

    id: bytes
    parent: bytes | None
    name: str
    start: datetime
    end: datetime | None = None
    attributes: Attributes = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    error: str | None = None
    dropped: int = 0
    """How many events it had beyond those that are kept."""

    def happens(self, event: Event) -> None:
        """Keep `event`, if there is room."""
        if len(self.events) < _MOST_EVENTS:
            self.events.append(event)
        else:
            self.dropped += 1


@dataclass(frozen=True)
class Trace:
    """All spans of one maintenance, the whole first. `id` has 16 bytes, those of spans 8."""

    id: bytes
    spans: Sequence[Span]


def trace_of(entries: Sequence[Entry], state: State) -> Trace:
    """Return the trace of the maintenance whose journal is `entries` and whose state, which is over, is `state`."""
    # The first entry's hash, since two bots may each have a maintenance of this name.
    maker = _Maker(f"{state.id}:{entries[0].hash}", state, entries[0].at)
    for entry in entries[1:]:
        maker.take(entry)
    return maker.trace(state.ended_at or entries[-1].at)


class _Maker:
    def __init__(self, seed: str, state: State, start: datetime) -> None:
        self._seed = seed
        self._state = state
        self._whole = Span(self._id(""), None, f"maintenance {state.runbook}", start, attributes=_whole(state))
        self._steps: dict[str, Span] = {}
        self._open: dict[tuple[str, str], Span] = {}
        self._parts: list[Span] = []

    def take(self, entry: Entry) -> None:
        event = Event(entry.at, entry.kind, _told(entry))
        if entry.step is None:
            self._whole.happens(event)
        elif entry.kind == Kind.STEP_STARTED:
            step = self._step(entry.step, entry.at)
            self._begin("attempt", entry.step, step.id, entry, f"{entry.step} attempt {entry.payload['attempt']}")
        elif entry.kind == Kind.UNDO_STARTED:
            self._begin("undo", entry.step, self._whole.id, entry, f"undo {entry.step}")
        elif entry.kind == Kind.APPROVAL_REQUESTED:
            self._begin("approval", entry.step, self._whole.id, entry, f"approval {entry.step}")
        else:
            self._goes_on(entry, entry.step, event)

    def _goes_on(self, entry: Entry, step: str, event: Event) -> None:
        closes = _CLOSES.get(Kind(entry.kind)) if entry.kind in set(Kind) else None
        part = self._open.get((closes or "attempt", step))
        (part or self._steps.get(step) or self._whole).happens(event)
        if closes is None or part is None:
            return
        part.end = entry.at
        if entry.kind in _WRONG:
            part.error = str(entry.payload.get("error") or entry.payload.get("reason") or entry.kind)[:_LONGEST]
        if entry.kind != Kind.APPROVED:  # others may have to approve as well: it ends with the last of them
            del self._open[closes, step]
        if closes == "attempt" and step in self._steps:
            self._steps[step].end = entry.at

    def _begin(self, what: str, step: str, parent: bytes, entry: Entry, name: str) -> None:
        attributes: Attributes = {"maint.step": step, "maint.entry": entry.seq}
        span = Span(self._id(f"{what}:{entry.seq}"), parent, name, entry.at, attributes=attributes)
        self._open[what, step] = span
        self._parts.append(span)

    def _step(self, step: str, at: datetime) -> Span:
        if step not in self._steps:
            spec, now = self._state.specs[step], self._state.steps[step]
            attributes: Attributes = {
                "maint.step": step,
                "maint.uses": spec.uses,
                "maint.status": now.status,
                "maint.attempts": now.attempt,
                "maint.estimate_s": spec.estimate_s,
            }
            error = (now.error or now.status)[:_LONGEST] if now.status in {"failed", "unknown"} else None
            self._steps[step] = Span(
                self._id(f"step:{step}"), self._whole.id, step, at, attributes=attributes, error=error
            )
        return self._steps[step]

    def trace(self, end: datetime) -> Trace:
        spans = [self._whole, *self._steps.values(), *self._parts]
        self._whole.end = max([end, *(span.end for span in spans if span.end is not None)])
        for span in spans:
            span.end = span.end or self._whole.end
        if self._state.status != "completed":
            self._whole.error = self._state.status
        return Trace(self._hash("trace")[:16], spans)

    def _id(self, name: str) -> bytes:
        return self._hash(f"span:{name}")[:8]

    def _hash(self, name: str) -> bytes:
        return hashlib.sha256(f"{self._seed}:{name}".encode()).digest()


def _whole(state: State) -> Attributes:
    return {
        "maint.maintenance": state.id,
        "maint.title": state.title,
        "maint.runbook": state.runbook,
        "maint.status": state.status,
        "maint.window.start": state.window.start.isoformat(),
        "maint.window.end": state.window.end.isoformat(),
    }


def _told(entry: Entry) -> Attributes:
    texts = {f"maint.{key}": str(entry.payload[key])[:_LONGEST] for key in _TEXTS if entry.payload.get(key) is not None}
    return {"maint.entry": entry.seq, **texts, **({"maint.step": entry.step} if entry.step else {})}
