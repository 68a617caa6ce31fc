"""The last safe moment to turn back: later than that, going back would itself end after the announced end. Pure."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from bot.changes import policy
from bot.entry import Kind
from bot.forecast import Forecast
from bot.journal import Draft
from bot.state import State
from bot.step_spec import StepSpec
from bot.way_back import way_back
from bot.window_steps import OVERRIDE

CALLS_MIN = (15, 5)
"""How many minutes before the moment it is called out."""
MARGIN = timedelta(minutes=5)
"""What is kept free after the way back: to see that all is well, and to tell people."""
_MOST_OF_WINDOW = 1 / 6
"""How much of a short window that is at most: its last safe moment would be over before it begins."""
_LONGER = 1.25
"""The way back is estimated, and nobody has gone it tonight."""
_WORKING = frozenset({"in_progress", "verifying"})
_UNBEGUN = frozenset({"pending", "waiting"})


def last_moment(state: State, now: datetime) -> datetime | None:
    """Return the last safe moment (aware UTC) as it is at `now`, or None while there is nothing to turn back from, or
    no way back.
    """
    if state.status not in _WORKING or state.taking_down or state.rolled_back_because is not None:
        return None
    back = way_back(state, now)
    if not back.possible:
        return None
    margin = min(MARGIN, (state.window.end - state.window.start) * _MOST_OF_WINDOW)
    return state.window.end - timedelta(seconds=back.takes_s * _LONGER) - margin


def watch(state: State, found: Forecast, now: datetime, approvers: Sequence[str]) -> list[Draft]:
    """Return what is to be called out at `now`: the moment is near, or has passed; each once for an announced end.

    Nothing is said while the forecast `found` is sure to be done by then. `approvers` decide where no step names any.
    """
    moment = last_moment(state, now)
    if moment is None or found.high <= moment:
        return []
    said = state.turn_back
    if said is not None and said.passed:
        return []
    key = f"{state.id}:turn-back:{state.window.end.isoformat()}"
    told: dict[str, Any] = {"moment": moment.isoformat(timespec="seconds")}
    if now >= moment:
        step = _next_for_good(state)
        policy = _one_more(state, step, approvers) if step is not None else None
        payload = {**told, "before": None if policy is None or step is None else step.id, "policy": policy}
        return [Draft(Kind.TURN_BACK_PASSED, "maint", f"{key}:passed", payload=payload)]
    due = [minutes for minutes in CALLS_MIN if now >= moment - timedelta(minutes=minutes)]
    if not due or (said is not None and min(said.said) <= min(due)):
        return []
    payload = {**told, "minutes": min(due), "way_back": way_back(state, now).text}
    return [Draft(Kind.TURN_BACK_NEAR, "maint", f"{key}:{min(due)}", payload=payload)]


def _next_for_good(state: State) -> StepSpec | None:
    """The next step that cannot be undone: the point of no return where the runbook marks one."""
    ahead = [
        spec
        for spec in state.specs.values()
        if spec.change is None and not spec.reversible and not spec.gate and spec.phase == "in_progress"
        if state.steps[spec.id].status in _UNBEGUN and not _is_granted(state, spec)
    ]
    return next((spec for spec in ahead if spec.point_of_no_return), ahead[0] if ahead else None)


def _is_granted(state: State, spec: StepSpec) -> bool:
    approval = state.steps[spec.id].approval
    return approval is not None and approval.closed == "granted"


def _one_more(state: State, spec: StepSpec, approvers: Sequence[str]) -> dict[str, Any] | None:
    """The policy of `spec` with one person more; None where nobody could approve."""
    if spec.approval is not None:
        own = asdict(spec.approval)
        lists = {key: list(own[key]) for key in ("approvers", "escalate_to")}
        return {**own, "count": spec.approval.count + 1, **lists}
    if any(each.approval is not None and each.uses != OVERRIDE for each in state.specs.values()):
        return {**policy(state), "count": 1}
    if not approvers:
        return None
    return {"count": 1, "approvers": list(approvers), "expires_s": 3600.0, "requester_may": False, "escalate_to": []}
