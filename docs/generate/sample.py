"""A made-up maintenance in which every kind of entry occurs, written by a real journal, for the reference pages."""

import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bot import acts, changes, handover, overrun
from bot.acts import Act
from bot.database import SqliteDatabase
from bot.entry import Entry, Kind
from bot.evolve import evolve
from bot.journal import Draft, Journal
from bot.maintenances import Maintenances
from bot.runbook import Runbook, resolve
from bot.state import State
from bot.step import Window

ID = "2026-11-25-example"
ANA, BEN = "U0ANA0001", "U0BEN0001"
_BEGIN = datetime(2026, 11, 25, 3, 30, tzinfo=UTC)
_RUNBOOK = {
    "name": "example",
    "title": "Postgres 14 to 18",
    "steps": [
        {
            "id": "banner-on",
            "uses": "banner.on",
            "approval": False,
            "timeout": "1m",
            "with": {"repository": "acme/theme", "text": "Maintenance at 5pm", "url": "/maintenance/"},
        },
        {"id": "racks", "uses": "manual", "with": {"text": "Swap the cable."}},
        {"id": "app-off", "uses": "command", "title": "Take the app off", "with": {"argv": ["app-switch", "off"]}},
    ],
}


class _Night:
    """The journal of the sample, and a clock that goes on by 40 seconds with every entry."""

    def __init__(self, folder: Path) -> None:
        self.now = _BEGIN
        self._database = SqliteDatabase(folder / "sample.sqlite3")
        self._maintenances = Maintenances(Journal(self._database, lambda: self.now), lambda: self.now)
        self._number = 0

    def create(self) -> None:
        window = Window(_BEGIN + timedelta(minutes=30), _BEGIN + timedelta(minutes=150), "Pacific/Auckland")
        runbook = Runbook.model_validate(_RUNBOOK)
        made = resolve(runbook, params={}, window=window, requester=ANA, channel="C0MAINT01", approvers=["S0APPROVE"])
        self._maintenances.create(ID, acts.created(ID, self._act(ANA), made))

    def bot(self, kind: Kind, step: str | None, **payload: Any) -> None:
        """What the engine or a step records."""
        key = f"{ID}:{step}:{kind}:{self._number}"
        self._record(lambda _: [Draft(kind, "maint", key, step, payload)])

    def person(self, who: str, act: Callable[[State, Act], list[Draft]]) -> None:
        """What a person does, by the functions that commands and buttons call."""
        made = self._act(who)
        self._record(lambda state: act(state, made))

    def approved(self, token: str) -> None:
        self._record(lambda state: acts.approve(state, BEN, token, self.now))

    def rejected(self, token: str, reason: str) -> None:
        self._record(lambda state: acts.reject(state, BEN, token, reason, self.now))

    def told(self) -> Iterator[tuple[Entry, State]]:
        state: State | None = None
        for entry in self._maintenances.journal.read(ID):
            state = evolve(state, entry)
            yield entry, state

    def close(self) -> None:
        self._database.close()

    def _act(self, who: str) -> Act:
        return Act(who, f"1395.{self._number}")

    def _record(self, decision: Callable[[State], list[Draft]]) -> None:
        self.now += timedelta(seconds=40)
        self._number += 1
        self._maintenances.record(ID, decision)


def entries() -> dict[str, tuple[Entry, State]]:
    """Return the first entry of each kind with the state right after it, by kind, in the order of the night."""
    with tempfile.TemporaryDirectory() as folder:
        night = _Night(Path(folder))
        night.create()
        _work(night)
        _approvals(night)
        _people(night)
        _end(night)
        found: dict[str, tuple[Entry, State]] = {}
        for entry, state in night.told():
            found.setdefault(entry.kind, (entry, state))
        night.close()
    return found


def _work(night: _Night) -> None:
    night.bot(Kind.STATE_CHANGED, None, **{"from": "draft", "to": "scheduled"})
    night.bot(Kind.STEP_STARTED, "banner-on", attempt=1)
    night.bot(Kind.STEP_FACT, "banner-on", text="Opened pull request 3.", facts={"pr": 3})
    night.bot(Kind.STEP_OVERDUE, "banner-on", attempt=1, timeout_s=60.0)
    retry_at = (night.now + timedelta(seconds=45)).isoformat()
    night.bot(
        Kind.STEP_FAILED,
        "banner-on",
        attempt=1,
        error="GitHub cannot be reached (connection refused); nothing was sent.",
        files={},
        temporary=True,
        retry_at=retry_at,
    )
    night.bot(Kind.STEP_STARTED, "banner-on", attempt=2)
    facts = {"pr": 3, "enabled": True}
    night.bot(Kind.STEP_SUCCEEDED, "banner-on", attempt=2, summary="The banner is on.", facts=facts, files={})
    told = [{"text": "Swap the cable", "owner": "Gil"}, {"text": "Look at the lamp", "owner": ""}]
    night.bot(Kind.STEP_STARTED, "racks", attempt=1, summary="By hand: Swap the cable.", items=told)
    night.person(BEN, lambda state, act: acts.tick(state, act, "racks", 1))


def _approvals(night: _Night) -> None:
    def ask(token: str) -> None:
        night.bot(
            Kind.APPROVAL_REQUESTED,
            "app-off",
            token=token,
            digest="9f2c",
            summary="Run app-switch off",
            details=["in /, for at most 3600 seconds"],
            count=1,
            approvers=["S0APPROVE"],
            requester_may=False,
            expires_at=(night.now + timedelta(hours=1)).isoformat(),
        )

    ask("a1")
    night.bot(Kind.APPROVAL_EXPIRED, "app-off", token="a1")  # noqa: S106 - a request, not a secret
    ask("a2")
    night.rejected("a2", "Not while the sale is on.")
    night.person(ANA, lambda state, act: acts.retry(state, act, "app-off"))
    glass = {"token": "a3", "asker": ANA, "reason": "Nobody answers, and the disk is nearly full."}
    ask("a3")
    night.bot(Kind.GLASS_BROKEN, "app-off", **glass)
    night.approved("a3")
    why = "what would be done has changed since it was approved"
    changed = {"token": "a3", "digest": "77aa", "summary": "Run app-switch off", "reason": why}
    night.bot(Kind.APPROVAL_VOID, "app-off", **changed)
    ask("a4")
    night.approved("a4")


def _handover(night: _Night) -> None:
    told = "State: in progress. Runs now: Take the app off.\nOpen questions: is the vendor told?"
    night.person(ANA, lambda state, act: handover.ask(state, act, BEN, told, night.now))
    night.person(BEN, lambda state, act: handover.answer(state, act, 1, True, night.now))


def _promise(night: _Night) -> None:
    low, end, high = ((_BEGIN + timedelta(minutes=minutes)).isoformat() for minutes in (159, 168, 180))
    late = {"end": end, "low": low, "high": high, "announced": (_BEGIN + timedelta(minutes=150)).isoformat()}
    asked = [ANA, "S0APPROVE"]
    night.bot(Kind.OVERRUN_EXPECTED, None, number=1, **late, late_chance=0.93, asked=asked)
    night.bot(Kind.OVERRUN_AVERTED, None, **{**late, "end": low}, late_chance=0.04)
    night.bot(Kind.OVERRUN_EXPECTED, None, number=2, **late, late_chance=0.91, asked=asked)
    night.bot(Kind.OVERRUN_ESCALATED, None, number=2, to=["U0CHLOE01"], steps=[])
    night.person(BEN, lambda state, act: overrun.go_on(state, act, 2))
    moment = (night.now + timedelta(minutes=15, seconds=40)).isoformat()
    back = "yes, in about 12 min; nothing is lost, until “Take the app off”"
    night.bot(Kind.TURN_BACK_NEAR, None, moment=moment, minutes=15, way_back=back)
    night.bot(Kind.TURN_BACK_PASSED, None, moment=moment, before=None, policy=None)


def _people(night: _Night) -> None:
    night.person(ANA, lambda state, act: acts.note(state, act, "Support knows."))
    night.person(ANA, lambda state, act: changes.extend(state, act, timedelta(minutes=30), night.now))
    night.person(ANA, acts.pause)
    night.person(ANA, acts.resume)
    night.bot(Kind.STEP_STARTED, "app-off", attempt=1, summary="Run app-switch off")
    lost = "The job off-1 was started and is gone without an exit status."
    night.bot(Kind.STEP_UNKNOWN, "app-off", attempt=1, error=lost, files={})
    night.person(BEN, lambda state, act: acts.settle(state, act, "app-off", True))
    _promise(night)
    _handover(night)
    night.bot(Kind.ESTIMATED, None, source="rehearsal", takes_s={"app-off": 12.0}, rehearsal=_REHEARSAL)
    night.bot(Kind.READ_BACK, None, wrong={"banner-on": "is not up any more as it was put up"}, right=[])
    night.bot(Kind.STILL_UP, None, standing={"banner-on": "Scheduled maintenance today"})
    night.bot(Kind.STEP_FAILED, "racks", attempt=1, error="No.", files={}, temporary=False, retry_at=None)
    night.person(ANA, lambda state, act: acts.skip(state, act, "racks", "The cable is fine."))


_REHEARSAL = {
    "id": "2026-11-24-rehearse-postgres-upgrade",
    "at": "2026-11-24T09:40:00+00:00",
    "green": True,
    "why": "",
    "took_s": 2280.0,
    "bytes": 442381631488.0,
    "live_bytes": 442381631488.0,
    "findings": [],
    "gates": ["Is the database as fast as before?"],
    "window_s": 3300.0,
    "source": "the rehearsal of Tue 24 Nov, 412 GB in 38 min",
}


def _end(night: _Night) -> None:
    night.person(ANA, lambda state, act: acts.abort(state, act, "The vendor called it off."))
    night.person(BEN, lambda state, act: acts.answer_undo(state, act, "banner-on", "lift"))
    night.bot(Kind.UNDO_STARTED, "banner-on", attempt=1)
    night.bot(Kind.UNDO_FAILED, "banner-on", attempt=1, error="GitHub answered 502.", files={})
    night.bot(Kind.UNDO_STARTED, "banner-on", attempt=2)
    night.bot(Kind.UNDONE, "banner-on", summary="The banner is off again.")
