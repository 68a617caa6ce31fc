"""How long steps will take by the size of what is to be done, found out before anything is announced."""

import structlog

from bot.entry import Kind
from bot.errors import StepError, Stopped
from bot.journal import Draft
from bot.planning import Planner
from bot.state import State
from bot.step import REGISTRY

_SURPRISE = 1.25
"""What is found is only worth a word where it is so many times what the runbook says."""

log = structlog.get_logger()


def tells_size(state: State) -> bool:
    """Whether a step of the maintenance can tell from a size how long it takes."""
    classes = (REGISTRY.get(spec.uses) for spec in state.specs.values())
    return any(cls is not None and cls.sized for cls in classes)


def size_up(planner: Planner, state: State) -> list[Draft]:
    """Plan the steps that can tell their length from a size, and return the entry about those that take longer.

    A step that cannot be planned yet is left to its runbook's estimate. Raises `Stopped` and `Unavailable`.
    """
    found: dict[str, float] = {}
    for step, spec in state.specs.items():
        cls = REGISTRY.get(spec.uses)
        if cls is None or not cls.sized or state.steps[step].planned is not None:
            continue
        try:
            takes_s = planner.plan(state, step).estimate_s
        except Stopped:
            raise
        except StepError as error:
            log.info("not_sized", maintenance=state.id, step=step, error=str(error))
            continue
        if takes_s is not None and takes_s > spec.estimate_s * _SURPRISE:
            found[step] = round(takes_s, 1)
    if not found:
        return []
    payload = {"source": "size", "takes_s": found}
    return [Draft(Kind.ESTIMATED, "maint", f"{state.id}:sized", payload=payload)]
