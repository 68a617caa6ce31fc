"""Can we go back now, what would be lost, and how long would it take? Every moment has an answer. Pure.

It comes from what the steps have put on record and from the runbook. A step says it with a fact `way_back`, recorded
whenever the answer changes: `{"possible": true, "takes_s": 30.0, "loses": "", "why": ""}`, where `loses` is what going
back would lose ("" for nothing), and `why` is why it is impossible. A step that says nothing counts by its make: what
can be undone takes as long as it took, and what has the key `point_of_no_return` ends the way back when it starts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.markup import duration
from bot.state import State, StepState
from bot.step_spec import StepSpec

_BEFORE = frozenset({"draft", "scheduled"})


@dataclass(frozen=True)
class WayBack:
    """The answer at one moment.

    `takes_s` is the estimate in seconds (0.0 where it is not possible), `loses` what would be lost ("" for nothing),
    `text` all of it as one line of plain text, and `until` the step with which the way back ends, if one is to come.
    """

    possible: bool
    takes_s: float
    loses: str
    text: str
    until: str | None = None


def way_back(state: State, now: datetime) -> WayBack:  # noqa: ARG001 - the answer may come to depend on the time
    """Return whether the maintenance can be rolled back at `now` (aware UTC), how long that takes and what it loses."""
    if state.over or state.status == "aborted":
        return WayBack(False, 0.0, "", f"no: the maintenance is {state.status.replace('_', ' ')}")
    if state.rehearses is not None:
        return WayBack(True, 0.0, "", "yes: it works on a copy, and an abort removes that")
    steps = [(spec, state.steps[spec.id]) for spec in state.specs.values() if _counts(spec, state.steps[spec.id])]
    for spec, step in steps:
        why = _forbids(spec, step)
        if why:
            return WayBack(False, 0.0, "", f"no: {why}")
    takes_s = sum(_takes_s(spec, step) for spec, step in steps)
    if state.rolled_back_because is not None:
        return WayBack(True, takes_s, "", f"under way, about {duration(takes_s)} to go")
    loses = "; ".join(filter(None, (str(_said(step).get("loses", "")) for _, step in steps)))
    until = next((spec.title for spec in state.specs.values() if _is_ahead(spec, state.steps[spec.id])), None)
    return WayBack(True, takes_s, loses, _text(state, takes_s, loses, until), until)


def _text(state: State, takes_s: float, loses: str, until: str | None) -> str:
    end = f", until “{until}”" if until is not None else ""
    if state.status in _BEFORE:
        return f"yes: nothing has begun, and cancelling takes back what has been announced{end}"
    return f"yes, in about {duration(takes_s)}; {f'lost would be {loses}' if loses else 'nothing is lost'}{end}"


def _counts(spec: StepSpec, step: StepState) -> bool:
    """Whether going back has anything to do with this step: it has been begun, and is not taken down."""
    taken_down = step.status == "undone" or step.undo in {"done", "keep"}
    return spec.change is None and step.attempt > 0 and not taken_down


def _is_ahead(spec: StepSpec, step: StepState) -> bool:
    return spec.point_of_no_return and step.attempt == 0 and step.status in {"pending", "waiting"}


def _said(step: StepState) -> Mapping[str, Any]:
    """What the step itself has put on record; its outcome is newer than its facts."""
    said = step.outcome.get("way_back") or step.facts.get("way_back") or {}
    return said if isinstance(said, Mapping) else {}


def _forbids(spec: StepSpec, step: StepState) -> str:
    """Why this step ends the way back, or an empty text."""
    said = _said(step)
    if said:
        return "" if said.get("possible") else str(said.get("why") or f"{spec.title} cannot be taken back")
    return f"“{spec.title}” was the point of no return" if spec.point_of_no_return else ""


def _takes_s(spec: StepSpec, step: StepState) -> float:
    said = _said(step)
    if said:
        return float(said.get("takes_s", 0.0))
    if not spec.reversible or step.attempt_at is None:
        return 0.0
    # While it runs, its estimate: the card would change every second otherwise.
    return spec.estimate_s if step.ended_at is None else (step.ended_at - step.attempt_at).total_seconds()
