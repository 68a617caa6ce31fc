"""The engine: carries out what `decide` says follows from the state. It knows no integration by name."""

import secrets
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import structlog

from bot.attempt import Build
from bot.context import Surroundings
from bot.database import Unavailable
from bot.decide import Action, Ask, Drop, Expire, MarkOverdue, Move, Start, Sweep, Undo, decide
from bot.durable import Durable
from bot.early import approved, to_come
from bot.entry import Kind
from bot.errors import Conflict, StepError, Stopped
from bot.journal import Draft, Duplicate
from bot.planning import Planner
from bot.sizing import size_up, tells_size
from bot.state import State, StepState
from bot.step import Plan, canonical
from bot.sweep import Sweeper

_TICK_S = 1.0
_PLAN_WAITS_S = (1.0, 5.0, 15.0)
_SIZING_LIMIT_S = 60.0

log = structlog.get_logger()


class Engine:
    """Advances maintenances. `look_out` says what is to be recorded about what is coming.

    `before_start` is called with a maintenance's id before an approved step starts.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        build: Build,
        durable: Durable,
        *,
        look_out: Callable[[State], list[Draft]] = lambda _: [],
        before_start: Callable[[str], None] = lambda _: None,
        after_entry: Callable[[], None] = lambda: None,
    ) -> None:
        self._all = surroundings
        self._sweeper = Sweeper(surroundings, build)
        self._planner = Planner(surroundings, build, waits_s=_PLAN_WAITS_S)
        self._durable = durable
        self._look_out = look_out
        self._before_start = before_start
        self._after_entry = after_entry
        self._pool = ThreadPoolExecutor(8, thread_name_prefix="plan")
        self._planning: set[tuple[str, str]] = set()
        self._lock = threading.Lock()
        self._awake = threading.Event()
        self._sized: dict[str, tuple[float, Future[None]]] = {}

    def wake(self) -> None:
        """Look at once instead of at the next tick: something was recorded."""
        self._awake.set()

    def run(self, stop: threading.Event) -> None:
        """Tick until `stop` is set. An error in one maintenance is logged and does not hold up the others."""
        while not stop.is_set():
            self.tick()
            self._awake.wait(_TICK_S)
            self._awake.clear()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def tick(self) -> None:
        """Advance every maintenance for which something may follow, and take up attempts that nobody runs.

        While a newer version of the bot runs, that is for it to do.
        """
        if self._all.superseded():
            return
        try:
            maintenances = self._all.maintenances.unfinished()
        except Unavailable as error:
            log.warning("engine_waits_for_the_database", error=str(error))
            return
        for maintenance, last in maintenances.items():
            try:
                self.advance(maintenance, last)
            except Unavailable as error:
                log.warning("engine_waits_for_the_database", error=str(error))
            except Exception:
                log.exception("advance_failed", maintenance=maintenance)

    def advance(self, maintenance: str, last: int = 0) -> None:
        """Do all that follows now, until something or somebody is waited for.

        `last` is the number of the last entry there was a moment ago, if that is known: where it has been read, the
        journal need not be.
        """
        state = self._all.maintenances.state(maintenance, last=last)
        if self._is_being_sized(state):
            return
        while self._once(state):
            self._after_entry()
            state = self._all.maintenances.state(maintenance)
        if state.over or state.unread:
            return
        self._foresee(state)
        for step, now in state.steps.items():
            if now.status == "running" and not state.specs[step].by_hand:
                self._durable.ensure(maintenance, step, now.attempt, "apply")
            if now.undo == "running":
                self._durable.ensure(maintenance, step, now.undo_attempt, "undo")

    def _is_being_sized(self, state: State) -> bool:
        """Whether a draft waits for the look at its sizes: what they show has to be known before it is announced.

        A look that takes long does not hold it up for ever.
        """
        if state.started_at is not None or not tells_size(state):
            return False
        if state.id not in self._sized:
            self._sized[state.id] = time.monotonic(), self._pool.submit(self._size_up, state)
        since, look = self._sized[state.id]
        return state.status == "draft" and not look.done() and time.monotonic() - since < _SIZING_LIMIT_S

    def _size_up(self, state: State) -> None:
        """Record what takes longer than the runbook says, while the window can still be chosen."""
        try:
            drafts = size_up(self._planner, state)
            if drafts:
                self._all.maintenances.record(state.id, lambda _: drafts)
        except (Stopped, Conflict, Unavailable) as error:
            log.info("not_sized", maintenance=state.id, error=str(error))
            return
        except Exception:
            log.exception("sizing_failed", maintenance=state.id)
            return
        finally:
            self.wake()
        self._after_entry()

    def _foresee(self, state: State) -> None:
        """Record what people have to know before it happens."""
        if not self._look_out(state):
            return
        try:
            self._all.maintenances.record(state.id, self._look_out)
        except Conflict as error:
            log.info("foreseen_by_another", maintenance=state.id, error=str(error))
        self._after_entry()
        self.wake()

    def _once(self, state: State) -> bool:
        """Carry out what follows from one reading of the state; True if the journal grew."""
        maintenance = state.id
        for action in decide(state, self._all.maintenances.now()):
            if isinstance(action, Sweep):
                if self._sweeper.is_due(state):
                    self._aside((state.id, ""), lambda: self._sweeper.sweep(state), state, action)
                continue
            if self._needs_plan(state, action):
                self._plan_aside(state, action)
                continue
            try:
                self._all.maintenances.journal.append(maintenance, [self._draft(state, action)], after=state.seq)
            except Duplicate as error:
                if error.entry.seq <= state.seq:
                    log.warning("decided_twice", maintenance=maintenance, action=repr(action), seq=error.entry.seq)
                    continue
            except Conflict:
                log.debug("decided_by_another", maintenance=maintenance, action=repr(action))
            return True
        return False

    def _needs_plan(self, state: State, action: Action) -> bool:
        if isinstance(action, Ask):
            return True
        if not isinstance(action, Start):
            return False
        spec = state.specs[action.step]
        return spec.approval is not None or spec.by_hand

    def _plan_aside(self, state: State, action: Action) -> None:
        if not isinstance(action, Ask | Start):
            raise TypeError(f"{action} needs no plan")
        self._aside((state.id, action.step), lambda: [self._draft_with_plan(state, action)], state, action)

    def _aside(self, job: tuple[str, str], work: Callable[[], list[Draft]], state: State, action: Action) -> None:
        """Work in a thread of the pool, one at a time for each job: asking the outside must not hold up others."""
        with self._lock:
            if job in self._planning:
                return
            self._planning.add(job)
        self._pool.submit(self._worked, job, work, state, action)

    def _worked(self, job: tuple[str, str], work: Callable[[], list[Draft]], state: State, action: Action) -> None:
        try:
            drafts = work()
            if any(draft.kind == Kind.STEP_STARTED for draft in drafts):
                self._before_start(state.id)
            self._all.maintenances.record(
                state.id,
                lambda latest: drafts if action in decide(latest, self._all.maintenances.now()) else [],
            )
        except (Stopped, Conflict, Unavailable) as error:
            # The next tick decides anew.
            log.info("plan_not_recorded", maintenance=state.id, job=job[1], error=str(error))
            return
        except Exception:
            log.exception("planning_failed", maintenance=state.id, job=job[1])
            return
        finally:
            with self._lock:
                self._planning.discard(job)
        self._after_entry()
        self.wake()

    def _draft_with_plan(self, state: State, action: Ask | Start) -> Draft:
        step = state.steps[action.step]
        try:
            plan = self._planner.plan(state, action.step)
            canonical([dict(plan.subject), plan.summary, list(plan.details)])
        except (Stopped, Unavailable):
            raise
        except StepError as error:
            return _unplanned(state, action.step, str(error), error.files)
        except Exception as error:
            # A fault of ours must be seen by people, not be tried again every second.
            reference = uuid.uuid4().hex[:8]
            log.exception("planning_broke", maintenance=state.id, step=action.step, reference=reference)
            told = (
                f"the bot itself failed over it ({type(error).__name__}). The trace is in the bot's own log, under the "
                f"reference {reference}."
            )
            return _unplanned(state, action.step, told, {})
        if isinstance(action, Ask):
            return self._request(state, action.step, plan)
        spec = state.specs[action.step]
        if step.approval is None and spec.approved_with is not None:
            # Approved ahead of time, with its announcement; asked about by itself if that is no longer what it says.
            early = approved(state, action.step)
            if spec.approval is not None and (early is None or early[1] != plan.digest):
                return self._request(state, action.step, plan)
        elif spec.approval is not None and not _still_approved(step, plan):
            payload = {
                "token": step.approval.token if step.approval else "",
                "digest": plan.digest,
                "summary": plan.summary,
                "reason": "what would be done has changed since it was approved",
            }
            key = f"{state.id}:{action.step}:void:{state.seq}"
            return Draft(Kind.APPROVAL_VOID, "maint", key, action.step, payload)
        started = self._draft(state, action)
        return replace(started, payload={**started.payload, "summary": plan.summary, **_sized(plan), **_listed(plan)})

    def _request(self, state: State, step: str, plan: Plan) -> Draft:
        spec = state.specs[step]
        policy = spec.approval
        if policy is None:
            raise ValueError(f"{step} needs no approval")
        number = state.steps[step].requests + 1
        speaks_for_others = spec.change == step or bool(to_come(state, step))
        payload = {
            "token": secrets.token_hex(8),
            "digest": plan.digest,
            "summary": plan.summary,
            "details": list(plan.details),
            "count": policy.count,
            "approvers": list(dict.fromkeys([*policy.approvers, *(policy.escalate_to if number > 1 else ())])),
            "requester_may": policy.requester_may,
            "expires_at": (self._all.maintenances.now() + timedelta(seconds=policy.expires_s)).isoformat(),
            **_sized(plan),
            # What is approved in the same breath; a rollback and an opening on red bring nothing else along.
            **({"then": plan.subject["then"]} if speaks_for_others and "then" in plan.subject else {}),
        }
        return Draft(Kind.APPROVAL_REQUESTED, "maint", f"{state.id}:{step}:request:{number}", step, payload)

    def _draft(self, state: State, action: Action) -> Draft:
        if isinstance(action, Move):
            return Draft(
                Kind.STATE_CHANGED,
                "maint",
                f"{state.id}:state:{action.to}",
                payload={"from": state.status, "to": action.to},
            )
        if isinstance(action, Sweep):
            raise TypeError("a sweep looks outside first")
        prefix = f"{state.id}:{action.step}"
        if isinstance(action, Start):
            key = f"{prefix}:apply:{action.attempt}:start"
            return Draft(Kind.STEP_STARTED, "maint", key, action.step, {"attempt": action.attempt})
        if isinstance(action, Undo):
            key = f"{prefix}:undo:{action.attempt}:start"
            return Draft(Kind.UNDO_STARTED, "maint", key, action.step, {"attempt": action.attempt})
        step = state.steps[action.step]
        if isinstance(action, Drop):
            reason = {"reason": action.because}
            return Draft(Kind.STEP_SKIPPED, "maint", f"{prefix}:dropped", action.step, reason)
        if isinstance(action, MarkOverdue):
            payload = {"attempt": step.attempt, "timeout_s": state.specs[action.step].timeout_s}
            return Draft(Kind.STEP_OVERDUE, "maint", f"{prefix}:overdue:{step.attempt}", action.step, payload)
        if isinstance(action, Expire):
            token = step.approval.token if step.approval else ""
            return Draft(Kind.APPROVAL_EXPIRED, "maint", f"{prefix}:expired:{token}", action.step, {"token": token})
        raise TypeError(f"{action} is not drafted from the state alone")


def _sized(plan: Plan) -> dict[str, float]:
    return {} if plan.estimate_s is None else {"estimate_s": plan.estimate_s}


def _listed(plan: Plan) -> dict[str, Any]:
    return {"items": [dict(item) for item in plan.items]} if plan.items else {}


def _still_approved(step: StepState, plan: Plan) -> bool:
    return step.approval is not None and step.approval.digest == plan.digest


def _unplanned(state: State, step: str, why: str, files: Mapping[str, str]) -> Draft:
    payload = {
        "attempt": state.steps[step].attempt,
        "error": f"It cannot be planned: {why}",
        "files": dict(files),
        "temporary": False,
        "retry_at": None,
    }
    return Draft(Kind.STEP_FAILED, "maint", f"{state.id}:{step}:unplanned:{state.seq}", step, payload)
