"""A stand-in Statuspage with three components, and steps that run on it with real contexts."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.attempt import Waits, perform
from bot.context import StepContext
from bot.entry import Kind
from bot.journal import Draft
from bot.step import Context, Outcome, Step
from integrations.statuspage import Begin, Complete, Note, Schedule, Verify
from sandbox.statuspage import PAGE_ID, Statuspage
from tests.maintenance_fixtures import raw_step
from tests.sandbox.statuspage.conftest import Front, served

__all__ = ["served"]

QUICK = Waits(settle_s=(0.01, 0.05), verify_s=(0.01, 0.05))
WINDOW = {
    "start": datetime(2026, 11, 25, 4, tzinfo=UTC).isoformat(),
    "end": datetime(2026, 11, 25, 6, tzinfo=UTC).isoformat(),
    "zone": "Pacific/Auckland",
}
ANNOUNCED = (
    "We will carry out scheduled maintenance on Wednesday 25 November 2026, 17:00 to 19:00 NZDT (UTC+13:00), which is "
    "04:00 to 06:00 UTC. During that time, API and Dashboard may be unavailable."
)
STEPS: dict[str, type[Step]] = {
    "announce": Schedule,
    "begin": Begin,
    "verify": Verify,
    "complete": Complete,
    "note": Note,
    "note-again": Note,
}


class Night:
    """One maintenance with all steps of the status page, run one by one as the engine would."""

    def __init__(self, page: Statuspage, url: str, context_of: Callable[..., StepContext], surroundings: Any) -> None:
        self.page, self.url = page, url
        (self.key,) = page.keys
        self._context_of, self._all = context_of, surroundings
        self.maintenance = "2026-11-25-postgres"
        self.steps: dict[str, Step] = {}
        self._attempts: dict[str, int] = {}
        self.give("announce", components=("api", "Dashboard"))
        for name in ("begin", "verify", "complete"):
            self.give(name)

    def give(self, name: str, **fields: Any) -> Step:
        """Give a step its keys, as a runbook would."""
        self.steps[name] = STEPS[name](**{"page": PAGE_ID, "public": self.url, **fields})
        return self.steps[name]

    def context(self, name: str) -> StepContext:
        """The context of the step's present attempt."""
        return self._context_of(
            id_=name,
            maintenance=self.maintenance,
            attempt=self._attempts.get(name, 1),
            steps=[raw_step(one, cls.uses) for one, cls in STEPS.items()],
            settings={"MAINT_STATUSPAGE_URL": f"{self.url}/v1", "MAINT_STATUSPAGE_KEY": self.key},
            window=WINDOW,
        )

    def run(self, name: str) -> Outcome:
        """One attempt, recorded in the journal as the engine records it."""
        context = self.context(name)
        attempt = self._attempts[name] = self._attempts.get(name, 0) + 1
        key = f"{context.key}:{attempt}"
        started = Draft(Kind.STEP_STARTED, "maint", f"{key}:start", name, {"attempt": attempt})
        self._all.maintenances.record(self.maintenance, lambda _: [started])
        outcome = perform(self.steps[name], self.context(name), QUICK)
        told = {
            "attempt": attempt,
            "summary": outcome.summary,
            "details": "",
            "facts": dict(outcome.facts),
            "files": {},
        }
        ended = Draft(Kind.STEP_SUCCEEDED, "maint", f"{key}:end", name, told)
        self._all.maintenances.record(self.maintenance, lambda _: [ended])
        return outcome

    def undo(self, name: str = "announce") -> Outcome:
        """Take down what a step put up, as the engine does."""
        context = self.context(name)
        return self.steps[name].undo(context, Outcome("", facts={**context.facts, **context.outcomes.get(name, {})}))

    @property
    def incident(self) -> Any:
        """The one maintenance on the page."""
        (incident,) = self.page.incidents.values()
        return incident

    @property
    def statuses(self) -> dict[str, str]:
        """The components' statuses by name."""
        found: dict[str, str] = self.page.summary()["components"]
        return found

    def component(self, name: str) -> Any:
        """A component of the page."""
        return next(one for one in self.page.components.values() if one.name == name)


def plan_of(step: Step, context: Context) -> str:
    """A plan as people read it."""
    plan = step.plan(context)
    return "\n".join([plan.summary, *plan.details])


@pytest.fixture
def page() -> Statuspage:
    # Each test has a key of its own, and so a rate of its own.
    page = Statuspage(key=f"key-{uuid.uuid4()}", clock=lambda: datetime(2026, 11, 24, 4, tzinfo=UTC))
    for name in ("API", "Dashboard", "Website"):
        page.add_component(name)
    return page


@pytest.fixture
def night(
    page: Statuspage, served: tuple[Front, str], context_of: Callable[..., StepContext], surroundings: Any
) -> Night:
    front, url = served
    front.app = page.app
    return Night(page, url, context_of, surroundings)
