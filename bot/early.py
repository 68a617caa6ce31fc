"""Notices ahead of the window that are approved together with their announcement, and go out by themselves. Pure.

The request for the announcement lists them with their texts and times, and keeps the digest of each; so does the
request for a change of the window, for the texts as they become. When a notice falls due it is planned again: it goes
out if that is what was approved, and is asked about by itself if not.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from bot.state import State
from bot.step import Plan
from bot.step_spec import StepSpec, due_at
from bot.window import local

_BEFORE = frozenset({"draft", "scheduled"})


def to_come(state: State, announcement: str | None = None) -> list[StepSpec]:
    """Return the notices that have not begun to go out: those approved with `announcement`, or all."""
    return [
        spec
        for step, spec in state.specs.items()
        if spec.approved_with is not None
        and announcement in {None, spec.approved_with}
        and spec.change is None
        and state.steps[step].status in {"pending", "waiting"}
        and state.steps[step].attempt == 0
    ]


def approved(state: State, step: str) -> tuple[datetime, str] | None:
    """Return when a notice was last approved ahead of time (aware UTC), and the digest of what was approved."""
    granted = [
        (now.approval.decided_at, now.approval.then[step])
        for now in state.steps.values()
        if now.approval is not None and now.approval.closed == "granted" and step in now.approval.then
    ]
    found = [(at, digest) for at, digest in granted if at is not None]
    return max(found, default=None)


def missed(state: State, spec: StepSpec, now: datetime) -> str | None:
    """Return why a notice is not to go out any more at `now` (aware UTC), or None."""
    if spec.approved_with is None:
        return None
    if state.status not in _BEFORE or now >= state.window.start:
        return "it was to go out before the window, which has begun"
    due, early = due_at(spec, state.window), approved(state, spec.id)
    if due is not None and early is not None and due <= early[0] and state.steps[spec.id].approval is None:
        return "its time had passed when it was approved, and people have just been told"
    return None


def with_notices(state: State, step: str, now: datetime, plan: Callable[[State, str], Plan]) -> Plan:
    """Return the plan of an announcement, with those of the notices that are approved with it."""
    own = plan(state, step)
    notices = to_come(state, step)
    if not notices:
        return own
    plans = {spec.id: plan(state, spec.id) for spec in notices}
    due = {spec.id: due_at(spec, state.window) for spec in notices}
    subject = {
        "own": own.subject,
        "then": digests(plans),
        "due": {name: at.isoformat() for name, at in due.items() if at is not None},
    }
    return Plan(own.summary, (*own.details, *listed(state, notices, plans, now)), subject, own.estimate_s)


def listed(state: State, notices: Iterable[StepSpec], plans: Mapping[str, Plan], now: datetime) -> list[str]:
    """Return lines that say which notices go out when in the window of `state`, and their texts."""
    lines = []
    for spec in notices:
        due = due_at(spec, state.window)
        if due is None or due <= now:
            lines.append(f"Left out, since its time has passed: {spec.title}")
        else:
            lines += [f"By itself, {local(due, state.window.zone)}: {spec.title}: {plans[spec.id].summary}"]
            lines += plans[spec.id].details
    return lines


def digests(plans: Mapping[str, Plan]) -> dict[str, str]:
    """Return the digest of each plan, by step."""
    return {name: plan.digest for name, plan in plans.items()}
