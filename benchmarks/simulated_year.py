"""A year of maintenances that never happened: what is true of them, and one night of them played against a clock.

Nothing sleeps. The truth (how long steps take, how often they fail, when people look) is drawn from distributions that
the bot is not told; it sees estimates, the journal, and what steps report of their progress.
"""

import itertools
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from math import ceil
from typing import Any
from zoneinfo import ZoneInfo

from bot.decide import Ask, Expire, MarkOverdue, Move, Start, Sweep, decide
from bot.entry import Entry, Kind
from bot.evolve import evolve
from bot.journal import Draft
from bot.state import State

ZONES = ("Pacific/Auckland", "Europe/Berlin", "America/New_York")
POLICY = {"count": 1, "approvers": ["S0APPROVE"], "expires_s": 3600.0, "requester_may": False, "escalate_to": []}
RETRY = {"attempts": 3, "wait_s": 20.0, "longest_wait_s": 300.0}
MINUTE_S = 60.0
LONGEST = timedelta(hours=16)


@dataclass(frozen=True)
class Truth:
    """What is true of a step and in no runbook: its median and scatter, how often it fails, whether it tells."""

    median_s: float
    width: float
    fails: float
    slow: float
    bend: float | None
    """The exponent that bends its progress; None for a step that reports none."""


@dataclass(frozen=True)
class Plan:
    """A runbook: its steps as a `created` entry stores them, what is true of them, and the window it asks for."""

    name: str
    steps: tuple[dict[str, Any], ...]
    truth: Mapping[str, Truth]
    length: timedelta
    people_s: float


def runbook(name: str, minutes: Mapping[str, float], dice: random.Random) -> Plan:
    """Return a runbook of steps with these estimates; `?` behind a name asks for approval, `~` shows progress."""
    steps: list[dict[str, Any]] = []
    truth: dict[str, Truth] = {}
    for word, estimate in minutes.items():
        id_ = word.rstrip("?~")
        needs = [steps[-1]["id"]] if steps else []
        steps.append(_raw(id_, needs, estimate * MINUTE_S, POLICY if "?" in word else None, first=not steps))
        truth[id_] = Truth(
            # Estimates are hopes: the truth lies around them, rather above than below.
            median_s=estimate * MINUTE_S * dice.lognormvariate(0.08, 0.25),
            width=dice.uniform(0.06, 0.25),
            fails=dice.choice([0.0, 0.01, 0.04]),
            slow=dice.choice([0.0, 0.0, 0.03]),
            bend=dice.uniform(0.8, 1.25) if "~" in word else None,
        )
    people_s = dice.uniform(90, 420)
    asked = sum("?" in word for word in minutes)
    announced_min = ceil((sum(minutes.values()) * 1.25 + asked * 5) / 15) * 15
    return Plan(name, tuple(steps), truth, timedelta(minutes=announced_min), people_s)


def _raw(id_: str, needs: list[str], estimate_s: float, approval: Any, *, first: bool) -> dict[str, Any]:
    return {
        "id": id_,
        "uses": "command",
        "with": {},
        "needs": needs,
        "title": id_,
        "approval": approval,
        "estimate_s": estimate_s,
        "timeout_s": estimate_s * 6,
        "retry": RETRY,
        "on_failure": "keep",
        "phase": "in_progress",
        "due": ["start", 0.0] if first else None,
        "gate": False,
        "by_hand": False,
        "reversible": False,
    }


def runbooks(dice: random.Random) -> list[Plan]:
    """Return what this house does: short and long, with few decisions and with many."""
    shapes: dict[str, dict[str, float]] = {
        "postgres-upgrade": {
            "app-off?": 1, "baseline": 3, "upgrade?": 20, "look": 4, "vacuum~": 45, "gate": 5, "app-on?": 2, "done": 3,
        },
        "vacuum": {"app-off?": 1, "vacuum~": 60, "analyze~": 15, "app-on?": 2},
        "deploy": {"freeze": 2, "migrate?": 15, "roll-out~": 25, "smoke": 6, "thaw?": 2},
        "failover": {"drain": 8, "switch?": 4, "follow~": 20, "check": 10, "switch-back?": 4, "tell": 2},
        "storage": {"off?": 2, "copy~": 90, "compare": 30, "switch?": 5, "on?": 2, "tell": 3},
        "certificates": {"issue": 5, "install?": 10, "reload": 5, "check": 8},
    }  # fmt: skip
    return [runbook(name, minutes, dice) for name, minutes in shapes.items()]


def nights(year: int, dice: random.Random) -> Iterator[tuple[datetime, str]]:
    """Yield starts (aware UTC) and zones, in order: about four a week, and every night on which clocks change."""
    starts: list[tuple[datetime, str]] = []
    for day in (date(year, 1, 1) + timedelta(days=number) for number in range(365)):
        for zone in ZONES:
            place = ZoneInfo(zone)
            changes = _offset(day, place) != _offset(day + timedelta(days=1), place)
            if changes or dice.random() < 4 / 7 / len(ZONES):
                # An hour before the clocks change, so that they do inside the window; else in the evening.
                at = time(1) if changes else time(dice.choice([17, 20, 22, 23]))
                starts.append((datetime.combine(day, at, place).astimezone(UTC), zone))
    yield from sorted(starts)


def _offset(day: date, place: ZoneInfo) -> timedelta | None:
    return datetime.combine(day, time(0), place).utcoffset()


@dataclass
class Attempt:
    """One attempt under way: when it began, when it will end, and how."""

    began: datetime
    ends: datetime
    fails: bool


@dataclass
class Night:
    """One maintenance from an hour before its window until it is completed. `tick` lets 30 seconds pass."""

    plan: Plan
    id: str
    start: datetime
    zone: str
    dice: random.Random
    now: datetime = field(init=False)
    state: State = field(init=False)
    entries: list[Entry] = field(default_factory=list)
    _running: dict[str, Attempt] = field(default_factory=dict)
    _deciding: dict[str, datetime] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        """Plan it; tonight may be a slow night for everything."""
        self.now = self.start - timedelta(hours=1)
        self._tonight = self.dice.lognormvariate(0, 0.06)
        window = {"start": self.start.isoformat(), "end": self.end.isoformat(), "zone": self.zone}
        about = {"title": self.plan.name, "runbook": self.plan.name, "window": window, "channel": "C", "params": {}}
        entry = self._entry(Draft(Kind.CREATED, "U0ANA", "", payload={**about, "steps": list(self.plan.steps)}))
        self.state = evolve(None, entry)

    @property
    def end(self) -> datetime:
        """The announced end."""
        return self.start + self.plan.length

    def record(self, draft: Draft) -> None:
        """Let an entry happen now."""
        self.state = evolve(self.state, self._entry(draft))

    def _entry(self, draft: Draft) -> Entry:
        seq = len(self.entries) + 1
        entry = Entry(self.id, seq, self.now, draft.actor, draft.kind, draft.step, draft.payload, f"{seq}", "", "")
        self.entries.append(entry)
        return entry

    def progress(self) -> dict[str, dict[str, float]]:
        """Return what the running steps say of how far they are."""
        said = {}
        for step, attempt in self._running.items():
            bend = self.plan.truth[step].bend
            if bend is not None:
                share = (self.now - attempt.began) / (attempt.ends - attempt.began)
                said[step] = {"done": round(1000 * min(1.0, share) ** bend), "total": 1000}
        return said

    def tick(self) -> None:
        """Let half a minute pass, and happen what happens in it."""
        self.now += timedelta(seconds=30)
        if self.now > self.start + LONGEST:
            raise RuntimeError(f"{self.id} does not end")
        for step, attempt in list(self._running.items()):
            if attempt.ends <= self.now:
                del self._running[step]
                self._end(step, attempt)
        for step, at in list(self._deciding.items()):
            if at <= self.now:
                del self._deciding[step]
                self._decide(step)
        while self._follow():
            pass

    def _end(self, step: str, attempt: Attempt) -> None:
        if not attempt.fails:
            payload = {"attempt": 1, "summary": "done", "facts": {}, "files": {}}
            self.record(Draft(Kind.STEP_SUCCEEDED, "maint", "", step, payload))
            return
        payload = {"attempt": 1, "error": "no", "files": {}, "temporary": False, "retry_at": None}
        self.record(Draft(Kind.STEP_FAILED, "maint", "", step, payload))
        self._deciding[step] = self._when_somebody_looks()

    def _decide(self, step: str) -> None:
        now = self.state.steps[step]
        if now.status == "failed":
            self.record(Draft(Kind.STEP_RETRIED, "U0BEN", "", step, {"attempt": now.attempt}))
        elif now.approval is not None and now.approval.closed is None:
            payload = {"token": now.approval.token, "digest": "d", "of": 1}
            self.record(Draft(Kind.APPROVED, "U0BEN", "", step, payload))

    def _when_somebody_looks(self) -> datetime:
        return self.now + timedelta(seconds=self.dice.lognormvariate(0, 0.7) * self.plan.people_s)

    def _follow(self) -> bool:
        """Carry out one thing that follows from the state, as the engine does."""
        for action in decide(self.state, self.now):
            if isinstance(action, Move):
                self.record(Draft(Kind.STATE_CHANGED, "maint", "", payload={"to": action.to}))
            elif isinstance(action, Sweep):
                self.record(Draft(Kind.STATE_CHANGED, "maint", "", payload={"to": "completed"}))
            elif isinstance(action, Ask):
                self._ask(action.step)
            elif isinstance(action, Expire):
                self.record(Draft(Kind.APPROVAL_EXPIRED, "maint", "", action.step, {"token": ""}))
            elif isinstance(action, MarkOverdue):
                self.record(Draft(Kind.STEP_OVERDUE, "maint", "", action.step, {"attempt": 1}))
            elif isinstance(action, Start):
                self._start(action)
            return True
        return False

    def _ask(self, step: str) -> None:
        asked = {"token": f"t{next(self._numbers)}", "digest": "d", "summary": "", "details": [], "count": 1}
        until = {"approvers": ["S0APPROVE"], "expires_at": (self.now + timedelta(hours=1)).isoformat()}
        self.record(Draft(Kind.APPROVAL_REQUESTED, "maint", "", step, {**asked, **until}))
        self._deciding[step] = self._when_somebody_looks()

    def _start(self, action: Start) -> None:
        truth = self.plan.truth[action.step]
        takes_s = truth.median_s * self.dice.lognormvariate(0, truth.width) * self._tonight
        if self.dice.random() < truth.slow:
            takes_s *= self.dice.uniform(1.5, 2.5)
        fails = self.dice.random() < truth.fails
        takes_s *= self.dice.random() if fails else 1.0
        self.record(Draft(Kind.STEP_STARTED, "maint", "", action.step, {"attempt": action.attempt, "summary": ""}))
        self._running[action.step] = Attempt(self.now, self.now + timedelta(seconds=takes_s), fails)
