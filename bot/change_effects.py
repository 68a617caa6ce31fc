"""What the end of a step that changes the whole maintenance (its window, its direction, a gate) does to it. Pure."""

from bot.altered import replace
from bot.entry import Entry, Kind, instant
from bot.state import State
from bot.step import Window

CHANGES = frozenset({"maint.window", "maint.cancel", "maint.rollback", "maint.open-on-red"})
"""The step types that change the whole maintenance."""


def change_effect(state: State, entry: Entry) -> State:
    """What the end of a step that changes the whole does to it: it holds, or all that came with it is off."""
    step = str(entry.step)
    if entry.kind in {Kind.REJECTED, Kind.STEP_SKIPPED}:
        off = {
            name: replace(now, status="skipped", ended_at=entry.at, error="The change was not approved.")
            for name, now in state.steps.items()
            if state.specs[name].change == step and name != step and now.status in {"pending", "waiting"}
        }
        own = replace(state.steps[step], status="skipped")
        return replace(state, steps={**state.steps, **off, step: own})
    # Where the bot failed inside it, a person has looked and said that it is to count as done.
    if entry.kind != Kind.STEP_SUCCEEDED and not (entry.kind == Kind.STEP_SETTLED and entry.payload["happened"]):
        return state
    with_, uses = state.specs[step].with_, state.specs[step].uses
    if uses == "maint.cancel":
        return replace(state, cancelled_because=with_["reason"])
    if uses == "maint.rollback":
        return _rolling_back(state, entry)
    if uses == "maint.open-on-red":
        return _overridden(state, entry)
    window = Window(instant(with_["start"]), instant(with_["end"]), with_["zone"])
    return replace(state, window=window)


def _rolling_back(state: State, entry: Entry) -> State:
    """What a person was doing ends here, as at an abort; other changes that are not over are off."""
    step, because = str(entry.step), state.specs[str(entry.step)].with_["reason"]
    steps = dict(state.steps)
    for name, now in state.steps.items():
        spec = state.specs[name]
        if now.status == "running" and spec.by_hand:
            error = "Not finished: the maintenance was rolled back."
            steps[name] = replace(now, status="failed", ended_at=entry.at, error=error)
        elif spec.change not in {None, step} and now.status in {"pending", "waiting", "failed"}:
            steps[name] = replace(now, status="skipped", ended_at=entry.at, error="The maintenance was rolled back.")
    return replace(state, rolled_back_because=because, paused=False, steps=steps)


def _overridden(state: State, entry: Entry) -> State:
    """Two people have let it go on although a gate is red; a gate that has been looked at again meanwhile stands."""
    with_, approval = state.specs[str(entry.step)].with_, state.steps[str(entry.step)].approval
    gate = state.steps[with_["red"]]
    if gate.status != "failed":
        return state
    by = approval.approved_by if approval is not None else ()
    opened = replace(gate, status="skipped", retry_at=None, error=f"OPENED ON RED: {with_['reason']}", overridden_by=by)
    return replace(state, steps={**state.steps, with_["red"]: opened})
