"""`/maint open-on-red`: two people let the maintenance go on although a gate is red. Pure.

A gate cannot be skipped. This is the one other way past it, and it is loud: a step of its own (`maint.open-on-red`)
whose approval is bound to what the gate has found, by two people of whom neither has asked for it.
"""

from bot.acts import Act, needed_reason
from bot.changes import number_of_change, policy, raw_step
from bot.entry import Kind
from bot.errors import BadInput, Final
from bot.journal import Draft
from bot.state import State, rollback_of
from bot.step import Plan
from bot.step_spec import StepSpec

_PEOPLE = 2
_ERROR_LINES = 40


def open_on_red(state: State, act: Act, gate: str, reason: str) -> list[Draft]:
    """Ask two others to let it go on although `gate` is red. Raises `BadInput` saying why it cannot be asked."""
    if state.over or state.taking_down or rollback_of(state) is not None:
        raise BadInput(f"{state.id} does not go on: nothing is to be opened in it.", field="step")
    if gate not in state.specs or not may_be_opened(state.specs[gate]):
        gates = ", ".join(step for step, spec in state.specs.items() if may_be_opened(spec)) or "none"
        raise BadInput(f"{gate} is no gate of {state.id}. Its gates: {gates}.", field="step")
    now = state.steps[gate]
    if now.status != "failed":
        raise BadInput(f"{gate} is {now.status}, not red: there is nothing to override.", field="step")
    for step, spec in state.specs.items():
        if spec.uses == "maint.open-on-red" and spec.with_["red"] == gate and state.steps[step].status != "skipped":
            raise BadInput(f"That has been asked already: {step} waits for its approvals.", field="step")
    change = f"open-on-red-{number_of_change(state)}"
    own = {
        **raw_step(change, change, act.user),
        "uses": "maint.open-on-red",
        "with": {"red": gate, "reason": needed_reason(reason)},
        "title": f"OPEN ON RED: {state.specs[gate].title}",
        "approval": {**_two(state, act.user), "count": _PEOPLE, "requester_may": False},
    }
    payload = {"change": change, "what": "opened on red", "reason": own["with"]["reason"], "window": None}
    return [Draft(Kind.CHANGE_ASKED, act.user, f"change:{act.delivery}", payload={**payload, "steps": [own]})]


def may_be_opened(spec: StepSpec) -> bool:
    """Whether the step is a gate that measures; where people themselves are the gate, their no is the answer."""
    return spec.gate and spec.approval is None


def _two(state: State, user: str) -> dict[str, object]:
    """The policy, if two of its people could be found; a group may have enough people in it."""
    asked = policy(state)
    people = set(asked["approvers"]) - {user, state.requester}
    if len(people) < _PEOPLE and not any(each.startswith("S") for each in people):
        raise BadInput(
            f"Two people have to approve it, neither you nor <@{state.requester}>, and only {len(people)} of those who "
            "approve here remain. Mend what the gate has found, or `/maint rollback REASON`."
        )
    return asked


def plan_of_opening(state: State, change: str) -> Plan:
    """Return what would go on and what the gate has found; the approval is bound to that. Raises `Final` if it is not
    red any more.
    """
    gate, reason = state.specs[change].with_["red"], state.specs[change].with_["reason"]
    now = state.steps[gate]
    if now.status != "failed":
        raise Final(f"{gate} is {now.status} by now, not red: there is nothing to override.")
    waiting = [spec.title for spec in state.specs.values() if gate in spec.needs]
    found = (now.error or "").splitlines()
    details = (
        f"Why: {reason}",
        f"What goes on although {state.specs[gate].title} is red: {', '.join(waiting) or 'nothing waits for it'}.",
        "What it has found:",
        *found[:_ERROR_LINES],
    )
    subject = {"gate": gate, "attempt": now.attempt, "found": now.error, "reason": reason}
    return Plan(f"Go on although {state.specs[gate].title} is RED", details, subject)
