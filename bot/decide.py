"""What follows from the state, now: the actions that the engine carries out. Pure, like `bot.state`."""

from dataclasses import dataclass
from datetime import datetime

from bot.early import missed
from bot.paging import is_left, is_moot, is_page
from bot.state import State, StepState, must_undo, rollback_of
from bot.step_spec import OF_THE_WINDOW, StepSpec, due_at
from bot.unproved import unproved

PHASES = ("scheduled", "in_progress", "verifying")
_SETTLED = frozenset({"succeeded", "skipped", "undone"})


@dataclass(frozen=True)
class Move:
    """Change the status of the maintenance."""

    to: str


@dataclass(frozen=True)
class Ask:
    """Plan the step and ask for its approval."""

    step: str


@dataclass(frozen=True)
class Expire:
    """Close a request that nobody decided in time; it is asked again, and nothing runs meanwhile."""

    step: str


@dataclass(frozen=True)
class Start:
    """Start attempt number `attempt` of the step."""

    step: str
    attempt: int


@dataclass(frozen=True)
class MarkOverdue:
    """Say that a running step has passed its time-out."""

    step: str


@dataclass(frozen=True)
class Undo:
    """Take down what the step put up; `attempt` counts from 1."""

    step: str
    attempt: int


@dataclass(frozen=True)
class Drop:
    """Drop a change that nobody has approved because it has become moot, or a notice whose time has passed."""

    step: str
    because: str = "everything else is done, and nobody has approved it"


@dataclass(frozen=True)
class Sweep:
    """Everything is done: look outside whether all that was put up is down, and complete the maintenance if it is."""


Action = Move | Ask | Expire | Start | MarkOverdue | Undo | Drop | Sweep


def decide(state: State, now: datetime) -> list[Action]:
    """Return what is to be done at `now` (aware UTC), in order. Empty where something or somebody is waited for.

    That may be a newer version of the bot, which alone understands what is in the journal.
    """
    if state.over or state.unread:
        return []
    pages = _for_pages(state, now)
    if state.status == "aborted":
        return pages or _taking_down(state)
    overdue = [
        MarkOverdue(step)
        for step, spec in state.specs.items()
        if not (state.paused and spec.pausable) and _is_overdue(spec, state.steps[step], now)
    ]
    actions: list[Action] = [*overdue, *pages]
    rollback = rollback_of(state)
    if state.paused and (rollback is None or state.rolling_back):
        return actions
    status = state.status
    for spec in state.specs.values():
        if not _may_go_on(state, spec, rollback):
            continue
        if _is_moot(state, spec):
            actions.append(Drop(spec.id, "the gate has been settled without it"))
            continue
        for action in _for_step(state, spec, now):
            if isinstance(action, Start):
                phase = _later(status, spec.phase)
                if phase != status:
                    actions.append(Move(phase))
                    status = phase
            actions.append(action)
    return [*actions, *(_ending(state) if rollback is None else _ending_rolled_back(state, rollback))]


def _for_pages(state: State, now: datetime) -> list[Action]:
    """What follows for the pages to those on call. Nothing else holds them up, a pause neither."""
    return [action for spec in state.specs.values() if is_page(spec) for action in _for_page(state, spec, now)]


def _for_page(state: State, spec: StepSpec, now: datetime) -> list[Action]:
    """Page, or once that is not needed any more, resolve the page."""
    step = state.steps[spec.id]
    if not is_moot(state, spec):
        return _for_step(state, spec, now)
    if step.attempt == 0:
        left = step.status in {"pending", "waiting", "failed"}
        return [Drop(spec.id, "left out: nobody has to be paged any more")] if left else []
    # What failed or was skipped after an attempt may have reached somebody all the same.
    may_stand = spec.reversible and step.status not in {"running", "undone"} and step.undo in {None, "lift"}
    return [Undo(spec.id, step.undo_attempt + 1)] if may_stand else []


def _may_go_on(state: State, spec: StepSpec, rollback: str | None) -> bool:
    """Whether the step may start at all, whatever it waits for itself."""
    if is_page(spec):
        return False  # it has been seen to before all else
    if rollback is not None:
        # Nothing goes on while people decide, and nobody is told of a way back that has not been gone to its end.
        if spec.id == rollback:
            return True
        return spec.change == rollback and state.rolling_back and not _is_left(state)
    if state.cancelled_because is not None:
        return spec.change is not None
    if spec.surface and undecided_change(state) is not None:
        return False  # nobody should read a time that may be another one in a minute
    return spec.ahead or spec.change is not None or not is_blocked(state)


def undecided_change(state: State) -> str | None:
    """Return the change of the window that has been asked for and does not hold yet, nor is off; None without one."""
    return next(
        (
            step
            for step, spec in state.specs.items()
            if spec.uses in OF_THE_WINDOW and state.steps[step].status not in _SETTLED
        ),
        None,
    )


def is_blocked(state: State) -> bool:
    """Whether a look ahead has found something, or is at it again: nothing else starts meanwhile."""
    return any(spec.ahead and _is_red(state.steps[step]) for step, spec in state.specs.items())


def _is_red(step: StepState) -> bool:
    again = step.status == "running" and step.attempt > 1
    asked_again = step.status in {"pending", "waiting"} and step.attempt > 0
    return step.status == "failed" or again or asked_again


def _is_left(state: State) -> bool:
    """Whether something still has to be taken down, apart from what tells of it."""
    return any(must_undo(state, step) for step, spec in state.specs.items() if spec.change is None or spec.surface)


def _is_moot(state: State, spec: StepSpec) -> bool:
    """Whether it would open on red, and the gate is not red any more."""
    if spec.uses != "maint.open-on-red":
        return False
    open_ = is_undecided(state.steps[spec.id]) or state.steps[spec.id].status == "failed"
    return open_ and state.steps[spec.with_["red"]].status in _SETTLED


def _ending(state: State) -> list[Action]:
    """What ends the maintenance, if nothing else is left to do."""
    own = [step for step, spec in state.specs.items() if spec.change is None]
    changes = [step for step, spec in state.specs.items() if spec.change is not None]
    if state.cancelled_because is not None:
        actions = _taking_down(state)
        settled = all(state.steps[step].status in _SETTLED for step in changes)
        left = is_left(state) or any(must_undo(state, step) for step in state.specs)
        return actions if actions or left or not settled else [Move("cancelled")]
    if is_left(state) or not all(state.steps[step].status in _SETTLED for step in own):
        return []
    open_changes = [step for step in changes if state.steps[step].status not in _SETTLED]
    if any(now.undo == "running" for now in state.steps.values()):
        return []
    lift = [Undo(step, now.undo_attempt + 1) for step, now in state.steps.items() if now.undo == "lift"]
    if lift:
        return [lift[0]]
    if not open_changes:
        return [Sweep()]
    return [Drop(step) for step in open_changes if state.specs[step].change == step and is_undecided(state.steps[step])]


def _ending_rolled_back(state: State, rollback: str) -> list[Action]:
    if not state.rolling_back or is_left(state):
        return []
    told = all(state.steps[step].status in _SETTLED for step, spec in state.specs.items() if spec.change == rollback)
    actions = _taking_down(state)
    return actions if actions or _is_left(state) or not told else [Move("rolled_back")]


def is_undecided(step: StepState) -> bool:
    """Whether a step has not started and nobody has approved it."""
    return step.status in {"pending", "waiting"} and (step.approval is None or step.approval.closed != "granted")


def _for_step(state: State, spec: StepSpec, now: datetime) -> list[Action]:
    step = state.steps[spec.id]
    if step.status in {"pending", "waiting", "failed"} and (why := _missed(state, spec, now)):
        return [Drop(spec.id, f"left out: {why}")]
    if step.status == "failed" and step.retry_at is not None and now >= step.retry_at:
        return [Start(spec.id, step.attempt + 1)]
    if step.status not in {"pending", "waiting"} or not is_ready(state, spec, now):
        return []
    return [_next(spec, step)] if not _is_open(step, now) else []


def _is_open(step: StepState, now: datetime) -> bool:
    """Whether people can still decide about a request."""
    return step.approval is not None and step.approval.closed is None and now < step.approval.expires_at


def _next(spec: StepSpec, step: StepState) -> Action:
    """What follows for a step that is ready and waits for nobody."""
    approval = step.approval
    asks = spec.approval is not None and (approval is not None or spec.approved_with is None)
    if not asks or (approval is not None and approval.closed == "granted"):
        return Start(spec.id, step.attempt + 1)
    if approval is None or approval.closed in {"expired", "void", "passed", "extended"}:
        return Ask(spec.id)
    return Expire(spec.id)


def _missed(state: State, spec: StepSpec, now: datetime) -> str | None:
    """Why a notice ahead of the window is not to go out any more, once it is its turn."""
    return missed(state, spec, now) if all(state.steps[need].status in _SETTLED for need in spec.needs) else None


def is_ready(state: State, spec: StepSpec, now: datetime) -> bool:
    """Whether everything that the step needs is settled and its time has come."""
    due = due_at(spec, state.window)
    return all(state.steps[need].status in _SETTLED for need in spec.needs) and (due is None or now >= due)


def _is_overdue(spec: StepSpec, step: StepState, now: datetime) -> bool:
    if step.status != "running" or step.overdue or step.attempt_at is None or spec.by_hand:
        return False
    return (now - step.attempt_at).total_seconds() - step.held_s > spec.timeout_s


def _later(status: str, phase: str) -> str:
    """A maintenance never moves back: the later of its status and the step's phase."""
    if status not in PHASES or phase not in PHASES:
        return phase if status not in PHASES else status
    return max(status, phase, key=PHASES.index)


def _taking_down(state: State) -> list[Action]:
    """Undo in reverse order, one at a time: after an abort only what is to be lifted or what a person said to lift.

    On the way back an undo that failed holds up all that come after it.
    """
    for spec in reversed(list(state.specs.values())):
        step = state.steps[spec.id]
        if step.status == "running" or step.undo == "running":
            return []
        if state.rolling_back and step.undo == "failed" and must_undo(state, spec.id):
            return []  # what was put up before it may open the app: not before this is back and proved
        by_itself = spec.on_failure == "lift" and unproved(state, spec.id) is None
        lift = by_itself or step.undo == "lift" or state.takes_all_back
        if must_undo(state, spec.id) and step.undo != "failed" and lift:
            return [Undo(spec.id, step.undo_attempt + 1)]
    return []
