"""Moving, extending and cancelling: one approved change of the window, and all that has to follow from it. Pure.

A change is itself a step (`maint.window`, `maint.cancel`) that is added to the maintenance together with the steps
that bring every surface up to date and tell people, so that approval, retry, journal and report are what they always
are. Its approval is bound to the plans of all of them.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from bot.acts import Act, needed_reason
from bot.early import digests, listed, to_come
from bot.entry import Kind, instant
from bot.errors import BadInput
from bot.journal import Draft
from bot.overrides import must_be_decided
from bot.state import State, must_undo
from bot.step import AGAIN, Plan, Window
from bot.step_spec import OF_THE_WINDOW, StepSpec, due_at
from bot.window import LONG, duration_words, local
from bot.window_steps import OVERRIDE, Found

_BEFORE = frozenset({"draft", "scheduled"})
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_WORDS = {
    "move": "moved",
    "extend": "extended",
    "cancel": "cancelled",
    "rollback": "rolled back",
    "open": "opened on red",
}
_IN_FLIGHT = frozenset({"running", "unknown"})


def move(
    state: State, act: Act, start: datetime, zone: str, now: datetime, *, against: Mapping[str, Any] = _NOTHING
) -> list[Draft]:
    """Ask for the window to begin at `start` (aware UTC, said in `zone`), as long as it is.

    `against` is what `bot.overrides.overridden` keeps of what speaks against it.
    """
    if state.status not in _BEFORE:
        raise BadInput(f"{state.id} has begun; it can be extended (`/maint extend 30m`), not moved.")
    length = state.window.end - state.window.start
    if start == state.window.start:
        raise BadInput(f"{state.id} begins at {local(start, zone)} already.", field="at")
    return _asked(state, act, "move", now, window=Window(start, start + length, zone), against=against)


def extend(
    state: State, act: Act, length: timedelta, now: datetime, *, against: Mapping[str, Any] = _NOTHING
) -> list[Draft]:
    """Ask for the window to end later by `length`; `against` as in `move`."""
    end = state.window.end + length
    if end <= now:
        raise BadInput(f"With that the window would have ended at {local(end, state.window.zone)}, before now.")
    if end - state.window.start > LONG:
        raise BadInput(
            f"With that the window would be {duration_words(end - state.window.start)} long; plan a new one."
        )
    window = Window(state.window.start, end, state.window.zone)
    return _asked(state, act, "extend", now, window=window, against=against)


def cancel(state: State, act: Act, reason: str, now: datetime) -> list[Draft]:
    """Ask for the maintenance to be cancelled: everything published is taken back, and people are told."""
    if state.status not in _BEFORE:
        raise BadInput(f"{state.id} has begun; `/maint abort REASON` stops it.")
    return _asked(state, act, "cancel", now, reason=needed_reason(reason))


def _asked(
    state: State,
    act: Act,
    what: str,
    now: datetime,
    *,
    window: Window | None = None,
    reason: str = "",
    against: Mapping[str, Any] = _NOTHING,
) -> list[Draft]:
    must_be_decided(state)
    if state.status in {"completed", "cancelled", "aborted", "rolled_back"} or state.taking_down:
        raise BadInput(f"{state.id} is {state.status}; its window cannot be changed any more.")
    for step, spec in state.specs.items():
        if spec.uses in OF_THE_WINDOW and state.steps[step].status not in {"succeeded", "skipped"}:
            raise BadInput(f"{step} is not decided yet: approve or reject it first, or `/maint skip {step} REASON`.")
    number = number_of_change(state)
    change = f"{what}-{number}"
    steps = [_change_step(state, act.user, change, window, {"reason": reason} if window is None else against)]
    if window is not None:
        steps += _again(state, change, number, window, now)
    steps += notices(state, change, number, what)
    payload = {
        "change": change,
        "what": _WORDS[what],
        "reason": reason,
        "window": None if window is None else plain(window),
        "steps": steps,
    }
    return [Draft(Kind.CHANGE_ASKED, act.user, f"change:{act.delivery}", payload=payload)]


def number_of_change(state: State) -> int:
    """Return the number of the next change, from 1: what comes with a change is named after it."""
    return 1 + sum(spec.change == step for step, spec in state.specs.items())


def plain(window: Window) -> dict[str, str]:
    """Return a window as plain JSON."""
    return {"start": window.start.isoformat(), "end": window.end.isoformat(), "zone": window.zone}


def _change_step(
    state: State, user: str, change: str, window: Window | None, more: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        **raw_step(change, change, user),
        "uses": "maint.cancel" if window is None else "maint.window",
        "with": dict(more) if window is None else {**plain(window), **more},
        "title": _title(state, window),
        # An override is a second person's, whatever else the policy lets people approve of their own.
        "approval": {**policy(state), **({"requester_may": False} if "override" in more else {})},
    }


def _title(state: State, window: Window | None) -> str:
    if window is None:
        return "Cancel the maintenance"
    if window.start == state.window.start:
        return f"Extend to {local(window.end, window.zone)}"
    return f"Move to {local(window.start, window.zone)}"


def policy(state: State) -> dict[str, Any]:
    """Return the approval that a change needs, as an entry stores it. Raises `BadInput` if nobody could give it.

    A change is decided by those who decide the rest: not by whom one step alone names, such as those who only say what
    people are told.
    """
    found = [spec.approval for spec in state.specs.values() if spec.uses != OVERRIDE and spec.approval is not None]
    if not found:
        raise BadInput(
            f"{state.id} has no step that needs an approval, so nobody could approve a change of its window."
        )
    general = state.crew.approvers
    asked = next((each for each in found if each.approvers == general), found[0])
    return {
        **asdict(asked),
        "count": state.crew.people,
        "approvers": list(general or asked.approvers),
        "escalate_to": list(asked.escalate_to),
    }


def _again(state: State, change: str, number: int, window: Window, now: datetime) -> list[dict[str, Any]]:
    """The surfaces that are up, to show the new window; and what was done ahead of the start and falls due again.

    What is being put up just now will show the window of now, so it is done again as well, right behind itself.
    """
    latest: dict[str, StepSpec] = {}
    for spec in state.specs.values():
        due = due_at(spec, window)
        ahead = spec.due is not None and spec.due[0] == "start" and spec.due[1] < 0 and due is not None and due > now
        if state.steps[spec.id].status in {"succeeded", *_IN_FLIGHT} and (spec.surface or ahead):
            latest[_origin(spec.id)] = spec
    return [
        {
            **raw_step(f"{origin}{AGAIN}{number}", change, None),
            "uses": spec.uses,
            "with": spec.with_,
            "title": f"{spec.title} (again)",
            "needs": [change, *([spec.id] if state.steps[spec.id].status in _IN_FLIGHT else [])],
            "estimate_s": spec.estimate_s,
            "timeout_s": spec.timeout_s,
            "retry": asdict(spec.retry),
            "on_failure": spec.on_failure,
            "due": None if spec.surface else list(spec.due or ()),
            "reversible": spec.reversible,
            "pausable": spec.pausable,
            "surface": spec.surface,
            "approved_with": spec.approved_with,
        }
        for origin, spec in latest.items()
    ]


def _origin(step: str) -> str:
    return step.partition(AGAIN)[0]


def notices(state: State, change: str, number: int, what: str) -> list[dict[str, Any]]:
    """Return what tells people of a change, as an entry stores it: the runbook's `on_change` steps.

    Their templates may name what `about` returns, as `change`.
    """
    return [
        {
            **raw,
            "id": f"{raw['id']}-{number}",
            "title": f"{raw['title']} ({_WORDS[what]})",
            "needs": [change],
            "approval": None,
            "change": change,
        }
        for raw in state.on_change
    ]


def raw_step(id_: str, change: str, asked_by: str | None) -> dict[str, Any]:
    """Return a step that comes with a change, as an entry stores it, with what is the same for all of them."""
    return {
        "id": id_,
        "uses": "",
        "with": {},
        "needs": [],
        "title": id_,
        "approval": None,
        "estimate_s": 5.0,
        "timeout_s": 600.0,
        "retry": {"attempts": 5, "wait_s": 5.0, "longest_wait_s": 300.0},
        "on_failure": "keep",
        "phase": "scheduled",
        "due": None,
        "gate": False,
        "by_hand": False,
        "reversible": False,
        "surface": False,
        "change": change,
        "asked_by": asked_by,
    }


def about(state: State, change: str) -> dict[str, Any]:
    """Return what templates may say of a change: `what` (moved, extended, cancelled, rolled back) and `reason` ("" for
    a move or an extension).
    """
    return {"what": _WORDS[change.partition("-")[0]], "reason": state.specs[change].with_.get("reason", "")}


def plan_of_change(state: State, change: str, now: datetime, plan: Callable[[State, str], Plan]) -> Plan:
    """Return what a change would do: the new window, the plans of all steps that came with it, and the notices to come.

    They are planned by `plan` for the maintenance as it would be, so that the digest binds the approval to the very
    texts that people will read. Raises what `plan` raises.
    """
    spec = state.specs[change]
    then = {name: each for name, each in state.specs.items() if each.change == change and name != change}
    if spec.uses == "maint.cancel":
        later, notices = state, []
        lifted = [name for name in state.specs if must_undo(replace(state, cancelled_because="planned"), name)]
        summary = f"Cancel {state.title}: {spec.with_['reason']}"
        details = [f"Taken back: {', '.join(lifted)}." if lifted else "Nothing has been published yet."]
    else:
        window = Window(instant(spec.with_["start"]), instant(spec.with_["end"]), spec.with_["zone"])
        later, lifted = replace(state, window=window), []
        summary = f"{spec.title}: {_span(state.window)} becomes {_span(window)}"
        details = _conflicts(spec.with_)
        notices = to_come(later)
    plans = {name: plan(later, name) for name in then}
    for name, planned in plans.items():
        details += [f"Then {then[name].title}: {planned.summary}", *planned.details]
    plans |= {each.id: plan(later, each.id) for each in notices}
    details += listed(later, notices, plans, now)
    return Plan(summary, tuple(details), {"change": dict(spec.with_), "then": digests(plans), "lifted": lifted})


def _conflicts(with_: Mapping[str, Any]) -> list[str]:
    reason = [f"In spite of what blocks it. Reason: {with_['override']}"] if with_.get("override") else []
    return [*reason, *(Found(**each).line for each in with_.get("conflicts", ()))]


def _span(window: Window) -> str:
    return f"{local(window.start, window.zone)} to {local(window.end, window.zone)}"
