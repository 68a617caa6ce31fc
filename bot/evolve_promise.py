"""What entries about expectations do to the state: how long steps take, overruns, the moment to turn back. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from bot.altered import replace
from bot.entry import Entry, Kind, instant
from bot.promise import Overrun, TurnBack
from bot.state import Planned, State, StepState
from bot.step_spec import approval_policy, step_spec

_STOPPING = frozenset({Kind.ABORTED, "rollback_asked", "rolled_back"})


def kept_up(before: State, after: State, entry: Entry) -> State:
    """Return `after` with what `entry` means for the promise: a question is answered by what people do, too."""
    asked = after.overruns[-1] if after.overruns else None
    if asked is not None and asked.is_open:
        if entry.kind == Kind.CHANGE_ASKED and entry.payload.get("what") == "extended":
            after = _answered(after, entry, "extend")
        elif entry.kind in _STOPPING or (after.taking_down and not before.taking_down):
            after = _answered(after, entry, "stopped")
        elif after.status == "completed":
            after = _answered(after, entry, "averted")
    if after.turn_back is not None and after.window.end != before.window.end:
        return _rearmed(before, after, entry)
    return after


def sized(now: StepState, likely_s: float | None, source: str = "size") -> StepState:
    """Return the step with what is known of its length; a rehearsal is not replaced by what follows from a size."""
    rehearsed = now.planned is not None and now.planned.source == "rehearsal" and source != "rehearsal"
    return now if likely_s is None or rehearsed else replace(now, planned=Planned(likely_s, source))


def _estimated(state: State, entry: Entry) -> State:
    return estimated(state, entry.payload)


def estimated(state: State, payload: Mapping[str, Any]) -> State:
    """Return the state with what was found of steps that there are; a plan of today may name others than those.

    `payload` is that of an `estimated` entry: `source`, `takes_s` by step, and what a rehearsal has shown.
    """
    found = {
        name: sized(state.steps[name], float(likely_s), payload["source"])
        for name, likely_s in payload["takes_s"].items()
        if name in state.steps
    }
    return replace(state, steps={**state.steps, **found}, rehearsed=payload.get("rehearsal", state.rehearsed))


def _expected(state: State, entry: Entry) -> State:
    told = entry.payload
    asked = Overrun(
        number=len(state.overruns) + 1,
        asked_at=entry.at,
        end=instant(told["end"]),
        low=instant(told["low"]),
        high=instant(told["high"]),
        announced=instant(told["announced"]),
        asked=tuple(told["asked"]),
    )
    return replace(state, overruns=(*state.overruns, asked))


def _answered(state: State, entry: Entry, answer: str) -> State:
    if not state.overruns:
        return state
    now = replace(state.overruns[-1], answer=answer, answered_by=entry.actor, answered_at=entry.at)
    return replace(state, overruns=(*state.overruns[:-1], now))


def _escalated(state: State, entry: Entry) -> State:
    if not state.overruns:
        return state
    now = replace(state.overruns[-1], escalations=state.overruns[-1].escalations + 1)
    added = {raw["id"]: step_spec(raw) for raw in entry.payload["steps"] if raw["id"] not in state.specs}
    return replace(
        state,
        overruns=(*state.overruns[:-1], now),
        specs={**state.specs, **added},
        steps={**state.steps, **dict.fromkeys(added, StepState())},
    )


def _near(state: State, entry: Entry) -> State:
    said = state.turn_back.said if state.turn_back is not None else ()
    return replace(state, turn_back=TurnBack(state.window.end, (*said, int(entry.payload["minutes"]))))


def _passed(state: State, entry: Entry) -> State:
    """Past the moment, the next step that cannot be undone takes one more person; an open request is not enough."""
    name = entry.payload["before"]
    said = state.turn_back.said if state.turn_back is not None else ()
    state = replace(state, turn_back=TurnBack(state.window.end, said, passed=True, step=name))
    if name not in state.specs or entry.payload["policy"] is None:
        return state
    spec, step = state.specs[name], state.steps[name]
    raised = replace(
        spec, approval=approval_policy(entry.payload["policy"]), approval_before=spec.approval, raised=True
    )
    if step.approval is not None and step.approval.closed is None:
        step = replace(step, approval=replace(step.approval, closed="passed", decided_at=entry.at))
    return replace(state, specs={**state.specs, name: raised}, steps={**state.steps, name: step})


def _rearmed(before: State, after: State, entry: Entry) -> State:
    """With another end there is another last moment, and what was asked because the old one had passed is not."""
    name = before.turn_back.step if before.turn_back is not None else None
    specs, steps = dict(after.specs), dict(after.steps)
    if name in specs and specs[name].raised and after.steps[name].attempt == 0:
        specs[name] = replace(specs[name], approval=specs[name].approval_before, approval_before=None, raised=False)
        asked = steps[name].approval
        if asked is not None and asked.closed is None:
            steps[name] = replace(steps[name], approval=replace(asked, closed="extended", decided_at=entry.at))
    return replace(after, turn_back=None, specs=specs, steps=steps)


PROMISE: dict[str, Callable[[State, Entry], State]] = {
    Kind.ESTIMATED: _estimated,
    Kind.OVERRUN_EXPECTED: _expected,
    Kind.OVERRUN_AVERTED: lambda state, entry: _answered(state, entry, "averted"),
    Kind.OVERRUN_ACCEPTED: lambda state, entry: _answered(state, entry, "go_on"),
    Kind.OVERRUN_ESCALATED: _escalated,
    Kind.TURN_BACK_NEAR: _near,
    Kind.TURN_BACK_PASSED: _passed,
}
