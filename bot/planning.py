"""Plans: what a step would do, found out without changing anything; for the engine and for `/maint plan`."""

from bot.attempt import Build
from bot.changes import plan_of_change
from bot.context import StepContext, Surroundings
from bot.early import with_notices
from bot.errors import StepError, Temporary
from bot.open_on_red import plan_of_opening
from bot.rollback import plan_of_rollback
from bot.state import State
from bot.step import Outcome, Plan


class Planner:
    """Plans steps. A temporary failure is tried again after each of `waits_s` seconds."""

    def __init__(self, surroundings: Surroundings, build: Build, *, waits_s: tuple[float, ...] = ()) -> None:
        self._all = surroundings
        self._build = build
        self._waits_s = waits_s

    def plan(self, state: State, step: str) -> Plan:
        """Return what `step` would do now. Raises `StepError` if it cannot be planned."""
        if state.specs[step].uses == "maint.rollback":
            return plan_of_rollback(state, step, self._plan, self._plan_undo)
        if state.specs[step].uses == "maint.open-on-red":
            return plan_of_opening(state, step)
        if state.specs[step].change == step:
            return plan_of_change(state, step, self._all.maintenances.now(), self._plan)
        return with_notices(state, step, self._all.maintenances.now(), self._plan)

    def _plan_undo(self, state: State, step: str) -> Plan:
        now = state.steps[step]
        context = StepContext(self._all, state.id, step, now.attempt, undoing=True)
        outcome = Outcome(now.summary or "", {**now.facts, **now.outcome})
        return self._build(state, state.specs[step]).plan_undo(context, outcome)

    def try_on(self, state: State, step: str, who: str) -> str:
        """Show the effect of `step` to the one person `who` (an e-mail address), and record what came of it.

        Returns it as a sentence. Raises `StepError`. Whoever calls has put on record that it was asked for.
        """
        context = StepContext(self._all, state.id, step, state.steps[step].attempt + 1, window=state.window)
        try:
            told = self._build(state, state.specs[step]).try_on(context, who)
        except StepError as error:
            context.record(str(error))
            raise
        context.record(told)
        return told

    def _plan(self, state: State, step: str) -> Plan:
        context = StepContext(self._all, state.id, step, state.steps[step].attempt + 1, window=state.window)
        for wait_s in self._waits_s:
            try:
                return self._build(state, state.specs[step]).plan(context)
            except Temporary:
                context.sleep(wait_s)
        return self._build(state, state.specs[step]).plan(context)
