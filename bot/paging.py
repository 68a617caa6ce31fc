"""The pages to those on call that the bot adds when nobody answers: which steps they are, when nobody needs them. Pure.

A page goes out also while the maintenance is paused or waits for a decision: that nobody decides is what it is about.
"""

from bot.state import State
from bot.step_spec import StepSpec

CHANGE = "overrun-"
"""What their `change` begins with; the number of the question follows."""
_SETTLED = frozenset({"succeeded", "skipped", "undone"})


def is_page(spec: StepSpec) -> bool:
    """Whether the step is a page that an unanswered question has led to."""
    return spec.change is not None and spec.change.startswith(CHANGE)


def is_moot(state: State, spec: StepSpec) -> bool:
    """Whether what the page is about is settled: it is answered, or everything else is done."""
    asked = state.overruns[int((spec.change or "").removeprefix(CHANGE)) - 1]
    if not asked.is_open:
        return asked.answer != "extend" or not change_is_open(state)
    return all(state.steps[step].status in _SETTLED for step, each in state.specs.items() if each.change is None)


def is_left(state: State) -> bool:
    """Whether a page is being resolved, or could not be: then the maintenance does not end."""
    return any(
        is_page(spec) and state.steps[step].undo in {"running", "failed", "lift"} for step, spec in state.specs.items()
    )


def change_is_open(state: State) -> bool:
    """Whether a change of the window is asked for and not decided."""
    return any(spec.change == name and state.steps[name].status not in _SETTLED for name, spec in state.specs.items())
