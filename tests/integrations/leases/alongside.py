"""Runs a step that lasts until another one is settled, in a thread, as the engine would: alongside."""

import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from bot.attempt import perform, take_down
from bot.context import StepContext
from bot.entry import Kind
from bot.journal import Draft
from bot.step import Outcome, Step
from tests.maintenance_fixtures import raw_step

UNTIL = "app-on"


def until(condition: Callable[[], Any]) -> Any:
    """Wait for `condition` and return what it came to."""
    deadline = time.monotonic() + 60
    while not (met := condition()):
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)
    return met


class Run:
    """One attempt in a thread; `end()` waits for it, and returns its outcome or raises what it raised."""

    def __init__(self, step: Step, ctx: StepContext) -> None:
        self._outcome: Outcome | None = None
        self._error: BaseException | None = None
        self._step, self._ctx = step, ctx
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._outcome = perform(self._step, self._ctx)
        except BaseException as error:  # noqa: BLE001 - raised again by `end`
            self._error = error

    def goes_on(self) -> bool:
        return self._thread.is_alive()

    def end(self) -> Outcome:
        self._thread.join(60)
        assert not self._thread.is_alive(), "it never ended"
        if self._error is not None:
            raise self._error
        assert self._outcome is not None
        return self._outcome


class Night:
    """A maintenance of two steps, `quiet` and the one that it lasts for; its id is its own."""

    def __init__(self, context_of: Callable[..., StepContext], surroundings: Any, settings: dict[str, str]) -> None:
        self._context_of, self._surroundings = context_of, surroundings
        self.settings = settings
        self.maintenance = f"2026-11-25-{uuid.uuid4().hex[:8]}"

    def ctx(self, attempt: int = 1) -> StepContext:
        steps = [raw_step(UNTIL, "app.on"), raw_step("quiet")]
        return self._context_of(
            id_="quiet", maintenance=self.maintenance, attempt=attempt, steps=steps, settings=self.settings
        )

    def run(self, step: Step, attempt: int = 1) -> Run:
        return Run(step, self.ctx(attempt))

    def settle(self, kind: Kind = Kind.STEP_SUCCEEDED) -> None:
        """End the other step."""
        key = f"{self.maintenance}:{UNTIL}"
        drafts = [
            Draft(Kind.STEP_STARTED, "maint", f"{key}:1", UNTIL, {"attempt": 1}),
            Draft(kind, "maint", f"{key}:2", UNTIL, {"summary": "", "facts": {}, "files": {}, "reason": "x"}),
        ]
        self._surroundings.maintenances.record(self.maintenance, lambda _: drafts)

    def restart(self, run: Run) -> None:
        """End the run as a redeploy does; what comes after is the next process."""
        self._surroundings.stopping.set()
        try:
            run.end()
        finally:
            self._surroundings.stopping.clear()

    def abort(self) -> None:
        draft = Draft(Kind.ABORTED, "U0ANA", f"{self.maintenance}:abort", payload={"reason": "no time left"})
        self._surroundings.maintenances.record(self.maintenance, lambda _: [draft])

    def undo(self, step: Step) -> Outcome:
        return take_down(step, self._after())

    def standing(self, step: Step) -> str | None:
        """What stands of the step, as the look around before the end asks for it."""
        seen = step.standing(ctx := self._after(), Outcome("", facts=ctx.facts))
        return seen.shown if seen else None

    def _after(self) -> StepContext:
        return StepContext(self._surroundings, self.maintenance, "quiet", 1, undoing=True)

    def told(self) -> list[str]:
        """What the step has written into the log."""
        return [entry["payload"]["text"] for entry in self.ctx().history if entry["kind"] == Kind.STEP_FACT]
