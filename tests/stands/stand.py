"""What a stand is, and a maintenance that runs its steps one by one as the engine does."""

import json
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from bot.attempt import Waits, perform, take_down
from bot.context import StepContext, Surroundings
from bot.entry import Kind
from bot.errors import AnswerLost, Temporary
from bot.journal import Draft
from bot.step import Outcome, Step
from sandbox.faults import Faults
from tests.maintenance_fixtures import raw_step

QUICK = Waits(settle_s=(0.01, 0.05, 0.2), verify_s=(0.01, 0.05, 0.2, 0.5))
WINDOW = {"start": "2026-11-25T04:00:00+00:00", "end": "2026-11-25T06:00:00+00:00", "zone": "Pacific/Auckland"}
CHANGING = ("POST", "PUT", "PATCH", "DELETE")
ATTEMPTS = 6


@dataclass
class Stand:
    """`steps` by id, in the order in which they run; the last one is tried, the others have to go before.

    `seen` is everything that the step may do in the system, without what chance decides (ids, times): the same
    again means that nothing was done again. `shown` is what people read there now, which an undo has to restore.
    `faults` are where the answers of the system can be lost, None where it has no address.
    """

    steps: Mapping[str, Step]
    settings: Mapping[str, str]
    seen: Callable[[], object]
    shown: Callable[[], object]
    secrets: tuple[str, ...] = ()
    faults: Faults | None = None
    most_faults: int = 4
    """How many of the changing calls lose their answer, one in each run; the first ones."""
    looks: str = "$^"
    """Which paths only look, whatever their method (a regular expression)."""

    @property
    def id(self) -> str:
        """The id of the step that is tried."""
        return list(self.steps)[-1]

    @property
    def step(self) -> Step:
        """The step that is tried."""
        return self.steps[self.id]

    def changing(self) -> int:
        """How many changing calls have been made since the steps before have run."""
        calls = self.faults.requests if self.faults else []
        return sum(call["method"] in CHANGING and not re.search(self.looks, call["path"]) for call in calls)


Open = Callable[[Path], AbstractContextManager[Stand]]
STANDS: dict[str, Open] = {}
"""How the stand of a step is opened, by the step's `uses`."""


def stand(*uses: str) -> Callable[[Callable[..., AbstractContextManager[Stand]]], Open]:
    """Register what opens the stands of these steps; with several, it is told which one."""

    def register(opens: Callable[..., AbstractContextManager[Stand]]) -> Open:
        for name in uses:
            STANDS[name] = opens if len(uses) == 1 else (lambda folder, name=name: opens(folder, name))
        return opens

    return register


class Trial:
    """One maintenance of a stand's steps, recorded in a real journal."""

    def __init__(self, stand: Stand, context_of: Callable[..., StepContext], surroundings: Surroundings) -> None:
        self.stand, self._context_of, self._all = stand, context_of, surroundings
        self._attempts: dict[str, int] = {}
        for name in list(stand.steps)[:-1]:
            self.runs(name)
        if stand.faults:
            stand.faults.requests.clear()

    def context(self, name: str = "", *, undoing: bool = False) -> StepContext:
        """The context of a step's present attempt."""
        name = name or self.stand.id
        return self._context_of(
            id_=name,
            attempt=self._attempts.get(name, 1),
            steps=[raw_step(one, step.uses) for one, step in self.stand.steps.items()],
            settings=dict(self.stand.settings),
            window=WINDOW,
            undoing=undoing,
        )

    def attempt(self, name: str = "") -> Outcome:
        """One attempt as the engine makes it: check, apply, verify. Raises `StepError`."""
        name = name or self.stand.id
        context = self.context(name)
        number = self._attempts[name] = self._attempts.get(name, 0) + 1
        self._record(Draft(Kind.STEP_STARTED, "maint", f"{context.key}:{number}:start", name, {"attempt": number}))
        return perform(self.stand.steps[name], self.context(name), QUICK)

    def runs(self, name: str = "") -> Outcome | None:
        """Attempts until one succeeds, as the engine makes them; None if a person would be asked what happened."""
        name = name or self.stand.id
        for _ in range(ATTEMPTS):
            try:
                outcome = self.attempt(name)
            except Temporary:
                continue
            except AnswerLost:
                return None
            self._succeeded(name, outcome)
            return outcome
        raise AssertionError(f"{name} did not succeed in {ATTEMPTS} attempts")

    def undoes(self) -> Outcome:
        """Take down what the tried step has put up."""
        return take_down(self.stand.step, self.context(undoing=True))

    def told(self) -> str:
        """The whole journal as text."""
        return json.dumps(list(self.context().history), default=str)

    def _succeeded(self, name: str, outcome: Outcome) -> None:
        number = self._attempts[name]
        told = {
            "attempt": number,
            "summary": outcome.summary,
            "details": outcome.details,
            "facts": dict(outcome.facts),
            "files": {},
        }
        self._record(Draft(Kind.STEP_SUCCEEDED, "maint", f"{self.context().key}:{name}:{number}:end", name, told))

    def _record(self, draft: Draft) -> None:
        self._all.maintenances.record(self.context().maintenance, lambda _: [draft])
