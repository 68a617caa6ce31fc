"""What a maintenance waits for now, and for whom: lines of mrkdwn for the run card and `/maint status`. Pure."""

from datetime import datetime

from bot.checklist import unticked
from bot.decide import is_ready, undecided_change
from bot.markup import inline, mentions, when
from bot.paging import is_page
from bot.state import State, must_undo
from bot.step_spec import StepSpec, due_at
from bot.unproved import unproved

_MOST = 6
_TITLE_CHARACTERS = 100
_SETTLED = frozenset({"succeeded", "skipped", "undone"})


def waited_for(state: State, now: datetime) -> list[str]:
    """Return one line for each thing that has to happen before the maintenance can go on; none while it just runs."""
    if state.over:
        return []
    lines = [line for spec in state.specs.values() if (line := _for_step(state, spec, now))]
    if state.paused:
        lines.insert(0, "Resume: the maintenance is paused.")
    return lines if len(lines) <= _MOST else [*lines[:_MOST], f"… and {len(lines) - _MOST} more"]


def what_holds(state: State) -> str:
    """Return what a pause does to the steps that run now, as part of a sentence."""
    held = [
        inline(spec.title, _TITLE_CHARACTERS)
        for spec in state.specs.values()
        if spec.pausable and state.steps[spec.id].status == "running"
    ]
    return f"{' and '.join(held)} holds where it is, what else runs goes on" if held else "what runs goes on"


def _for_step(state: State, spec: StepSpec, now: datetime) -> str:
    status = state.steps[spec.id].status
    name = inline(spec.title, _TITLE_CHARACTERS)
    if status == "unknown":
        return f"? {name}: somebody to look whether it happened"
    if spec.id in state.still_up and asks_undo(state, spec):
        return f"↩ {name}: still up: {inline(state.still_up[spec.id], _TITLE_CHARACTERS)}"
    if state.taking_down and (spec.change is None or state.status == "aborted"):
        return f"↩ {name}: a decision to lift or to keep it" if asks_undo(state, spec) else ""
    if status == "failed":
        return f"✗ {name}: {_after_failure(state, spec)}"
    if status == "running" and spec.by_hand:
        items = state.steps[spec.id].items
        left = f"{len(unticked(items))} of {len(items)} to be ticked off, in its message"
        return f"▶ {name}: {left if items else 'a person to do it and press Done'}"
    what = _before_start(state, spec, now) if status in {"pending", "waiting"} else ""
    return f"◔ {name}: {what}" if what else ""


def _after_failure(state: State, spec: StepSpec) -> str:
    retry_at = state.steps[spec.id].retry_at
    if retry_at is not None:
        return f"the next attempt, {when(retry_at)}"
    if spec.ahead:
        return "nothing else starts; somebody to mend what it has found, then Retry or `/maint preflight`"
    return "Retry" if spec.gate else "Retry or Skip"


def _before_start(state: State, spec: StepSpec, now: datetime) -> str:
    approval = state.steps[spec.id].approval
    if approval is not None and approval.closed is None:
        more = approval.count - len(approval.approved_by)
        who = mentions(approval.approvers, "or") or "anybody who may approve"
        return f"{'approval' if more == 1 else f'{more} approvals'} by {who} until {when(approval.expires_at)}"
    if spec.surface and is_ready(state, spec, now) and (change := undecided_change(state)) is not None:
        return f"a decision about {change}, so that nobody reads a time that may change"
    due = due_at(spec, state.window)
    settled = all(state.steps[need].status in _SETTLED for need in spec.needs)
    if due is not None and settled and not is_ready(state, spec, now):
        return f"its time, {when(due)}"
    return ""


def asks_undo(state: State, spec: StepSpec) -> bool:
    """Whether a person has to say if what this step put up is lifted or kept, after an abort or at the end."""
    step = state.steps[spec.id]
    if spec.id in state.still_up and not state.over:
        return step.undo not in {"running", "lift", "keep", "done"}
    if is_page(spec) and step.undo == "failed" and not state.over:
        return True
    if not state.taking_down or step.status in {"running", "unknown"} or not must_undo(state, spec.id):
        return False
    is_asked = spec.on_failure == "ask" or unproved(state, spec.id) is not None
    asked = is_asked and step.undo is None and not state.takes_all_back
    return step.undo == "failed" or asked
