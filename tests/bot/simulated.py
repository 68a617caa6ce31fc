"""A maintenance without engine, journal or clock: whatever may happen to it, as entries, for the property tests."""

import itertools
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from bot import acts
from bot.acts import Act
from bot.decide import Action, Ask, Drop, Expire, MarkOverdue, Move, Start, Sweep, Undo, decide
from bot.entry import Entry, Kind
from bot.errors import BadInput
from bot.evolve import evolve
from bot.journal import Draft
from bot.open_on_red import open_on_red
from bot.rollback import rollback
from bot.state import State
from tests.maintenance_fixtures import created_payload, raw_step

START = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
ID = "2026-11-25-simulated"
PEOPLE = ("U0ANA", "U0BEN", "U0CHLOE")
RETRY = {"attempts": 3, "wait_s": 10.0, "longest_wait_s": 60.0}


@st.composite
def runbooks(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Up to six steps of every make; each needs some of those before it."""
    steps: list[dict[str, Any]] = []
    phases = sorted(draw(st.lists(st.sampled_from([0, 1, 2]), min_size=1, max_size=6)))
    for number, phase in enumerate(phases):
        earlier = [step["id"] for step in steps]
        policy = {"count": draw(st.integers(1, 2)), "approvers": ["S0DBA"], "expires_s": 60.0, "requester_may": False}
        steps.append(
            raw_step(
                f"s{number}",
                needs=draw(st.lists(st.sampled_from(earlier), unique=True)) if earlier else [],
                approval=draw(st.sampled_from([None, None, policy])),
                phase=("scheduled", "in_progress", "verifying")[phase],
                due=draw(st.sampled_from([None, None, ["start", -600.0], ["start", 0.0], ["end", 60.0]])),
                gate=draw(st.booleans()),
                by_hand=draw(st.sampled_from([False, False, True])),
                reversible=draw(st.booleans()),
                on_failure=draw(st.sampled_from(["keep", "lift", "ask"])),
                retry=RETRY,
                timeout_s=120.0,
            )
        )
    return steps


class Simulated:
    """A maintenance to which things happen. `state` is kept by `evolve` alone; a wrong entry raises."""

    def __init__(self, steps: list[dict[str, Any]]) -> None:
        self.now = START - timedelta(hours=1)
        self.entries: list[Entry] = []
        self._numbers = itertools.count(1)
        self.maybe: State | None = None
        self.record(Draft(Kind.CREATED, "U0ANA", "created", payload=created_payload(steps, START)))

    @property
    def state(self) -> State:
        assert self.maybe is not None
        return self.maybe

    def record(self, *drafts: Draft) -> None:
        for draft in drafts:
            seq = len(self.entries) + 1
            assert draft.key not in {entry.key for entry in self.entries}, f"{draft.key} is recorded twice"
            entry = Entry(
                ID,
                seq,
                self.now,
                draft.actor,
                draft.kind,
                draft.step,
                draft.payload,
                draft.key,
                f"h{seq - 1}",
                f"h{seq}",
            )
            self.maybe = evolve(self.maybe, entry)
            self.entries.append(entry)

    def actions(self) -> list[Action]:
        return decide(self.state, self.now)

    def carry_out(self, action: Action, *, standing: Sequence[str] = ()) -> None:
        """Record what the engine records for an action. A plan's digest is always `d`; a sweep finds `standing`."""
        if isinstance(action, Sweep):
            self._sweep(standing)
            return
        step = "" if isinstance(action, Move) else action.step
        if isinstance(action, Move):
            self.record(Draft(Kind.STATE_CHANGED, "maint", f"state:{action.to}", payload={"to": action.to}))
        elif isinstance(action, Ask):
            number = self.state.steps[step].requests + 1
            self.record(Draft(Kind.APPROVAL_REQUESTED, "maint", f"{step}:request:{number}", step, self._request(step)))
        elif isinstance(action, Expire):
            approval = self.state.steps[step].approval
            assert approval is not None
            self.record(
                Draft(Kind.APPROVAL_EXPIRED, "maint", f"expired:{approval.token}", step, {"token": approval.token})
            )
        elif isinstance(action, Start):
            self.record(
                Draft(Kind.STEP_STARTED, "maint", f"{step}:start:{action.attempt}", step, {"attempt": action.attempt})
            )
        elif isinstance(action, MarkOverdue):
            attempt = self.state.steps[step].attempt
            self.record(Draft(Kind.STEP_OVERDUE, "maint", f"{step}:overdue:{attempt}", step, {"attempt": attempt}))
        elif isinstance(action, Drop):
            self.record(Draft(Kind.STEP_SKIPPED, "maint", f"{step}:dropped", step, {"reason": "nobody approved it"}))
        elif isinstance(action, Undo):
            self.record(
                Draft(Kind.UNDO_STARTED, "maint", f"{step}:undo:{action.attempt}", step, {"attempt": action.attempt})
            )

    def _sweep(self, standing: Sequence[str]) -> None:
        if standing:
            payload = {"standing": dict.fromkeys(standing, "it shows")}
            self.record(Draft(Kind.STILL_UP, "maint", f"still-up:{next(self._numbers)}", payload=payload))
        else:
            self.carry_out(Move("completed"))

    def may_stand(self) -> list[str]:
        """What a look around may find: what was put up and not taken down, and nobody wants to keep."""
        return [
            name
            for name, step in self.state.steps.items()
            if self.state.specs[name].reversible and step.status == "succeeded" and step.undo != "keep"
        ]

    def _request(self, step: str) -> dict[str, Any]:
        policy = self.state.specs[step].approval
        assert policy is not None
        return {
            "token": f"t{next(self._numbers)}",
            "digest": "d",
            "summary": "it would be done",
            "details": [],
            "count": policy.count,
            "approvers": [],
            "expires_at": (self.now + timedelta(seconds=policy.expires_s)).isoformat(),
        }

    def end_attempt(self, step: str, how: str) -> None:
        """Record how the running attempt ended: `good`, `temporary`, `final` or `unknown`."""
        spec, now = self.state.specs[step], self.state.steps[step]
        if spec.gate and how == "unknown":
            how = "final"  # a gate that could not find out is red
        key = f"{step}:apply:{now.attempt}:end"
        if how == "good":
            payload: dict[str, Any] = {
                "attempt": now.attempt,
                "summary": "done",
                "facts": {"n": now.attempt},
                "files": {},
            }
            self.record(Draft(Kind.STEP_SUCCEEDED, "maint", key, step, payload))
        elif how == "unknown":
            self.record(Draft(Kind.STEP_UNKNOWN, "maint", key, step, {"attempt": now.attempt, "error": "lost"}))
        else:
            again = how == "temporary" and now.attempt < spec.retry.attempts
            retry_at = self.now + timedelta(seconds=spec.retry.delay_s(now.attempt))
            payload = {"attempt": now.attempt, "error": how, "retry_at": retry_at.isoformat() if again else None}
            self.record(Draft(Kind.STEP_FAILED, "maint", key, step, payload))

    def end_undo(self, step: str, good: bool) -> None:
        attempt = self.state.steps[step].undo_attempt
        kind = Kind.UNDONE if good else Kind.UNDO_FAILED
        payload = {"attempt": attempt, "summary": "lifted", "error": "could not be lifted"}
        self.record(Draft(kind, "maint", f"{step}:undo:{attempt}:end", step, payload))

    def attempts_running(self) -> list[str]:
        return [
            step
            for step, now in self.state.steps.items()
            if now.status == "running" and not self.state.specs[step].by_hand
        ]

    def undos_running(self) -> list[str]:
        return [step for step, now in self.state.steps.items() if now.undo == "running"]

    def act(self) -> Act:
        return Act("U0BEN", f"d{next(self._numbers)}")

    def people_may(self) -> Sequence[Callable[[], list[Draft]]]:
        """Everything that somebody may try; most of it is refused in most situations."""
        state = self.state
        may: list[Callable[[], list[Draft]]] = [
            lambda: acts.note(state, self.act(), "a note"),
            lambda: acts.pause(state, self.act()),
            lambda: acts.resume(state, self.act()),
            lambda: acts.abort(state, self.act(), "enough"),
        ]
        may.append(lambda: rollback(state, self.act(), "too slow", self.now))
        for step, now in state.steps.items():
            may += [
                lambda step=step: open_on_red(state, self.act(), step, "it will do"),  # type: ignore[misc]
                lambda step=step: acts.retry(state, self.act(), step),  # type: ignore[misc]
                lambda step=step: acts.skip(state, self.act(), step, "no need"),  # type: ignore[misc]
                lambda step=step: acts.done(state, self.act(), step),  # type: ignore[misc]
                lambda step=step: acts.settle(state, self.act(), step, True),  # type: ignore[misc]
                lambda step=step: acts.settle(state, self.act(), step, False),  # type: ignore[misc]
                lambda step=step: acts.answer_undo(state, self.act(), step, "lift"),  # type: ignore[misc]
                lambda step=step: acts.answer_undo(state, self.act(), step, "keep"),  # type: ignore[misc]
            ]
            if now.approval is not None:
                token = now.approval.token
                may += [
                    lambda by=by, token=token: acts.approve(state, by, token, self.now)  # type: ignore[misc]
                    for by in PEOPLE
                ]
                may.append(lambda token=token: acts.reject(state, "U0BEN", token, "no", self.now))  # type: ignore[misc]
        return may

    def happen(self, draw: Callable[[int], int]) -> None:
        """Let one thing happen: `draw(n)` chooses a number below n."""
        what = draw(10)
        if what < 4 and (actions := self.actions()):
            self.carry_out(actions[0], standing=self.may_stand()[: draw(3)])
        elif what < 6 and (running := self.attempts_running()):
            how = ("good", "good", "good", "temporary", "final", "unknown")[draw(6)]
            self.end_attempt(running[draw(len(running))], how)
        elif what < 6 and (undoing := self.undos_running()):
            self.end_undo(undoing[draw(len(undoing))], bool(draw(3)))
        elif what < 9:
            may = self.people_may()
            try:
                self.record(*may[draw(len(may))]())
            except BadInput:
                self.now += timedelta(seconds=1)
        else:
            self.now += timedelta(seconds=(1, 15, 90, 3600)[draw(4)])
