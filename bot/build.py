"""From the runbook's words to a step that can run: templates rendered, class found, fields validated."""

from pydantic import ValidationError

from bot.changes import about
from bot.errors import BadInput, Final
from bot.state import State
from bot.step import REGISTRY, Step
from bot.step_spec import StepSpec
from bot.templates import render, variables_of
from bot.window_steps import CancelMaintenance, ChangeWindow, OverrideConflicts

__all__ = ["CancelMaintenance", "ChangeWindow", "OverrideConflicts", "build_step"]


def build_step(state: State, spec: StepSpec) -> Step:
    """Return the step as `state` makes it now. Raises `Final` saying which field of which step is wrong."""
    cls = REGISTRY.get(spec.uses)
    if cls is None:
        raise Final(f"{spec.id} uses {spec.uses}, which this version of the bot does not know.")
    try:
        names = variables_of(state)
        if spec.change is not None and spec.change in state.specs:
            names["change"] = about(state, spec.change)
        # The bot's own steps carry the words of people, which are never template text.
        return cls(**(spec.with_ if spec.uses.startswith("maint.") else render(spec.with_, names)))
    except BadInput as error:
        raise Final(f"{spec.id}: {error}") from None
    except ValidationError as error:
        problems = "; ".join(f"`{'.'.join(map(str, each['loc']))}`: {each['msg']}" for each in error.errors())
        raise Final(f"{spec.id}: {problems}") from None
