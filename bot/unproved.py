"""Whether taking a step down lets users in on what no gate has proved: after an abort, with the work half done. Pure.

While a maintenance goes on, the step that opens the app waits for its gate. An abort ends that waiting, and what was
taken off can be put on again by undoing it; so that way round the gate asks for two people as well, as
`bot.open_on_red` does.
"""

from bot.state import State


def unproved(state: State, step: str) -> str | None:
    """Return the gate that should have come out green before `step` is taken down, or None where nothing is open.

    Only what opens something to users when it is undone (`Step.opens`) counts, and only once something that the gate
    would have judged has been begun behind it.
    """
    if not state.specs[step].opens:
        return None
    names = list(state.specs)
    behind = names[names.index(step) + 1 :]
    return next((gate for gate in behind if _is_open(state, gate) and _is_begun(state, gate, behind)), None)


def _is_open(state: State, gate: str) -> bool:
    spec, now = state.specs[gate], state.steps[gate]
    return spec.gate and not spec.ahead and now.status != "succeeded" and not now.overridden_by


def _is_begun(state: State, gate: str, behind: list[str]) -> bool:
    judged = _judged(state, gate)
    return any(
        name in judged and state.steps[name].attempt > 0 and state.steps[name].status != "undone" for name in behind
    )


def _judged(state: State, gate: str) -> set[str]:
    """Return all that has to be settled before the gate looks."""
    found: set[str] = set()
    left = list(state.specs[gate].needs)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += state.specs[name].needs
    return found
