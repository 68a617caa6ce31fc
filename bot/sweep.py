"""The look around before the end: is everything that the maintenance put up down again?"""

import time
from datetime import datetime, timedelta

import structlog

from bot.attempt import Build
from bot.context import StepContext, Surroundings
from bot.entry import Kind
from bot.errors import StepError
from bot.journal import Draft
from bot.state import State
from bot.step import Outcome, Standing

_AGAIN_S = 20.0
_NAG = timedelta(minutes=10)

log = structlog.get_logger()


class Sweeper:
    """Looks at what stands. Thread-safe; remembers when it looked, so that it asks the outside only so often."""

    def __init__(self, surroundings: Surroundings, build: Build) -> None:
        self._all = surroundings
        self._build = build
        self._looked: dict[str, tuple[int, float]] = {}

    def is_due(self, state: State) -> bool:
        """Whether to look: something has been recorded since the last look, or that is some time ago."""
        seq, at = self._looked.get(state.id, (-1, 0.0))
        return seq != state.seq or time.monotonic() - at > _AGAIN_S

    def sweep(self, state: State) -> list[Draft]:
        """Look, and return the entry that completes the maintenance, or that says what is still up (now and then)."""
        self._looked[state.id] = (state.seq, time.monotonic())
        standing = {step: text for step, text in self._standing(state) if text}
        if not standing:
            payload = {"from": state.status, "to": "completed"}
            return [Draft(Kind.STATE_CHANGED, "maint", f"{state.id}:state:completed", payload=payload)]
        if standing == dict(state.still_up) and not _is_time_to_nag(state, self._all.maintenances.now()):
            return []
        key = f"{state.id}:still-up:{state.seq}"
        return [Draft(Kind.STILL_UP, "maint", key, payload={"standing": standing})]

    def look(self, state: State) -> dict[str, Standing | str | None]:
        """Return what stands of each step that has put something up: what is seen, None for down, or why not seen."""
        found: dict[str, Standing | str | None] = {}
        for spec in state.specs.values():
            step = state.steps[spec.id]
            # What failed or was skipped half-way may stand as well as what succeeded.
            if not spec.reversible or step.attempt == 0 or step.status == "undone" or step.undo in {"keep", "done"}:
                continue
            context = StepContext(self._all, state.id, spec.id, step.attempt, undoing=True)
            try:
                outcome = Outcome(step.summary or "", facts={**step.facts, **step.outcome})
                found[spec.id] = self._build(state, spec).standing(context, outcome)
            except StepError as error:
                found[spec.id] = f"cannot be seen: {error}"
        return found

    def _standing(self, state: State) -> list[tuple[str, str]]:
        return [
            (step, seen.shown if isinstance(seen, Standing) else seen or "") for step, seen in self.look(state).items()
        ]


def _is_time_to_nag(state: State, now: datetime) -> bool:
    return state.looked_at is None or now - state.looked_at > _NAG
