"""`/maint rollback`: one approval, and all that can be undone is undone in reverse order. Pure.

Like a change of the window it is a step of its own (`maint.rollback`), so that approval, journal and report are what
they always are. From the moment that it is asked for nothing else starts; once it is approved, what runs is stopped
(`bot.decide`), and what tells people of it comes last, when everything is back.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from bot.acts import Act, needed_reason
from bot.changes import notices, number_of_change, policy, raw_step
from bot.entry import Kind
from bot.errors import BadInput
from bot.journal import Draft
from bot.state import State, must_undo, rollback_of
from bot.step import Plan
from bot.way_back import way_back

_BEFORE = frozenset({"draft", "scheduled"})
Planned = Callable[[State, str], Plan]


def rollback(state: State, act: Act, reason: str, now: datetime) -> list[Draft]:
    """Ask for the way back. Raises `BadInput`, saying why, where there is none."""
    if state.over or state.taking_down:
        raise BadInput(f"{state.id} is {_doing(state)}; there is nothing to go back from any more.")
    if state.status in _BEFORE:
        raise BadInput(f"{state.id} has not begun: `/maint cancel REASON` takes back what has been announced.")
    asked = rollback_of(state)
    if asked is not None:
        raise BadInput(f"It has been asked for already: approve or reject {asked}, or `/maint skip {asked} REASON`.")
    found = way_back(state, now)
    if not found.possible:
        raise BadInput(f"There is no way back, {found.text}. What remains is to go on, or `/maint abort REASON`.")
    number = number_of_change(state)
    change, reason = f"rollback-{number}", needed_reason(reason)
    own = {
        **raw_step(change, change, act.user),
        "uses": "maint.rollback",
        "with": {"reason": reason},
        "title": "Roll back",
        "approval": policy(state),
    }
    steps = [own, *notices(state, change, number, "rollback")]
    payload = {"change": change, "what": "rolled back", "reason": reason, "window": None, "steps": steps}
    return [Draft(Kind.CHANGE_ASKED, act.user, f"change:{act.delivery}", payload=payload)]


def _doing(state: State) -> str:
    return "on its way back already" if state.rolling_back and not state.over else state.status.replace("_", " ")


def plan_of_rollback(state: State, change: str, plan: Planned, plan_undo: Planned) -> Plan:
    """Return what the way back would do, step by step in its order, what it would lose, and what is told then.

    Steps are planned by `plan` (what tells of it) and `plan_undo`. Raises what they raise: `Final` where a step finds
    outside that there is no way back.
    """
    then = replace(state, rolled_back_because="planned")
    order = [step for step, spec in reversed(list(state.specs.items())) if spec.reversible and must_undo(then, step)]
    undone = {step: plan_undo(state, step) for step in order}
    told = {step: plan(state, step) for step, spec in state.specs.items() if spec.change == change and step != change}
    running = [spec.title for step, spec in state.specs.items() if state.steps[step].status == "running"]
    details = [f"Stopped first: {', '.join(running)}."] if running else []
    for number, (step, planned) in enumerate(undone.items(), 1):
        details += [f"{number}. {state.specs[step].title}: {planned.summary}", *(f"   {x}" for x in planned.details)]
    for step, planned in told.items():
        details += [f"When all is back, {state.specs[step].title}: {planned.summary}", *planned.details]
    digests = {step: planned.digest for step, planned in {**undone, **told}.items()}
    reason = state.specs[change].with_["reason"]
    return Plan(f"Roll back {state.title}: {reason}", tuple(details), {"rollback": reason, "plans": digests})
