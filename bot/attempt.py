"""One attempt of one step, from its check to the entry that says how it ended."""

import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import NoReturn, TypeVar

import structlog

from bot.context import StepContext, Surroundings
from bot.database import Unavailable
from bot.entry import Kind
from bot.errors import AnswerLost, CannotTell, Final, StepError, Stopped, Temporary
from bot.journal import Draft, Duplicate
from bot.pictures import Pictures
from bot.state import State
from bot.step import Context, Outcome, Picture, Step, canonical
from bot.step_spec import StepSpec

_AWAY_S = 1.0
_LONGEST_RETRY_S = 86_400.0
"""Whatever an outside system asks for: beyond it there is no date, and nobody waits for years."""

log = structlog.get_logger()

Result = TypeVar("Result")
Build = Callable[[State, StepSpec], Step]
"""Makes the step object: templates rendered, class found, fields validated. Raises `Final` if that is impossible."""


@dataclass(frozen=True)
class Waits:
    """How long to wait, in seconds, before each further look at the outside: after a lost answer, and to verify."""

    settle_s: tuple[float, ...] = (1.0, 5.0, 15.0)
    verify_s: tuple[float, ...] = (0.2, 1.0, 2.0, 5.0, 10.0, 20.0)


class Attempts:
    """Runs attempts. Safe to be told twice to run the same one: what has ended is not run again.

    `ended` is called after the end of an attempt has been recorded.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        build: Build,
        *,
        ended: Callable[[], None] = lambda: None,
        waits: Waits = Waits(),
    ) -> None:
        self._all = surroundings
        self._build = build
        self._ended = ended
        self._waits = waits
        self._busy = 0
        self._lock = threading.Lock()

    def busy(self) -> int:
        """Return how many attempts this process is in the middle of, without those that rest until a restart."""
        return self._busy

    def run(self, maintenance: str, step: str, attempt: int, what: str) -> None:
        """Run one attempt (`what` is `apply` or `undo`) to its end, and record that end in the journal.

        Does not return when the bot is shutting down: the attempt is then unfinished, and is taken up after the
        restart. While the database is away it waits, and then goes on as after a restart.
        """
        self._count(1)
        try:
            end = self._patiently(lambda: self._end(maintenance, step, attempt, what))
            if end is not None:
                self._patiently(lambda: self._record(maintenance, end))
        finally:
            self._count(-1)
        self._ended()

    def _patiently(self, work: Callable[[], Result]) -> Result:
        while True:
            try:
                return work()
            except Unavailable as error:
                log.warning("attempt_waits_for_the_database", error=str(error))
                if self._all.stopping.wait(_AWAY_S):
                    self._rest()

    def _rest(self) -> NoReturn:
        """Never return: a workflow that returned would count as done."""
        self._count(-1)
        while True:
            threading.Event().wait()

    def _record(self, maintenance: str, end: Draft) -> None:
        try:
            self._all.maintenances.happened(maintenance, end)
        except Duplicate:
            log.info("attempt_ended_before", maintenance=maintenance, key=end.key)

    def _end(self, maintenance: str, step: str, attempt: int, what: str) -> Draft | None:
        """Run the attempt and return the entry that says how it ended; None if that has been recorded.

        None too where it is for a newer version to run: that finds it ended without its end, and runs it again.
        """
        state = self._all.maintenances.state(maintenance)
        if state.unread or self._all.superseded():
            log.info("attempt_left_to_a_newer_version", maintenance=maintenance, step=step, kind=state.unread)
            return None
        now = state.steps[step]
        current = now.attempt if what == "apply" else now.undo_attempt
        running = now.status == "running" if what == "apply" else now.undo == "running"
        if not running or current != attempt:
            return None
        context = StepContext(self._all, maintenance, step, attempt, undoing=what == "undo")
        try:
            return self._end_of(state, context, what)
        except Stopped:
            if self._all.stopping.is_set():
                self._rest()
            latest = self._all.maintenances.state(maintenance)
            if latest.unread:
                return None
            reasons = (latest.aborted_because, latest.rolled_back_because, latest.cancelled_because)
            because = next(filter(None, reasons), "the maintenance was aborted")
            return self._failure(state.specs[step], context, Final(f"Stopped cleanly: {because}."), what)

    def _count(self, change: int) -> None:
        with self._lock:
            self._busy += change

    def _end_of(self, state: State, context: StepContext, what: str) -> Draft:
        spec = state.specs[context.step]
        try:
            step = self._build(state, spec)
            self._all.may_act()
            outcome = perform(step, context, self._waits) if what == "apply" else take_down(step, context)
            canonical(dict(outcome.facts))
        except (Stopped, Unavailable):
            raise
        except StepError as error:
            return self._failure(spec, context, error, what)
        except Exception as error:
            # A fault of ours must end as a failed step that people see, not as a step that runs for ever. Its trace may
            # quote what an outside system said, so it stays in our own log.
            reference = uuid.uuid4().hex[:8]
            log.exception("attempt_broke", maintenance=context.maintenance, step=context.step, reference=reference)
            broken = AnswerLost(
                f"The bot itself failed inside {spec.uses} ({type(error).__name__}): what was done until then is not "
                f"known. The trace is in the bot's own log, under the reference {reference}."
            )
            return self._failure(spec, context, broken, what)
        if what == "undo":
            return _draft(Kind.UNDONE, context, what, {"summary": outcome.summary})
        return _draft(
            Kind.STEP_SUCCEEDED,
            context,
            what,
            {
                "attempt": context.attempt,
                "summary": outcome.summary,
                "details": outcome.details,
                "facts": dict(outcome.facts),
                "files": dict(outcome.files),
                **self._pictures(outcome.pictures),
            },
        )

    def _failure(self, spec: StepSpec, context: StepContext, error: StepError, what: str) -> Draft:
        return _failure(spec, context, error, what, self._pictures(error.pictures))

    def _pictures(self, pictures: Mapping[str, Picture]) -> dict[str, object]:
        """Keep the pictures, and return how the entry names them; nothing where there are none."""
        if not pictures:
            return {}
        kept = Pictures(self._all.maintenances.journal.database)
        named = {name: {"sha256": kept.keep(picture.png), "alt": picture.alt} for name, picture in pictures.items()}
        return {"pictures": named}


def perform(step: Step, context: Context, waits: Waits = Waits()) -> Outcome:
    """Bring the step's effect about, unless it is there already, and read it back. Raises `StepError`."""
    outcome = _done_already(step, context)
    if outcome is None:
        try:
            outcome = step.apply(context)
        except AnswerLost as lost:
            outcome = _settle(step, context, lost, waits)
    _verify(step, context, outcome, waits)
    return outcome


def take_down(step: Step, context: Context) -> Outcome:
    """Undo what the step put up. Raises `StepError`."""
    recorded = context.outcomes.get(context.step, {})
    return step.undo(context, Outcome("", facts={**context.facts, **recorded}))


def _done_already(step: Step, context: Context) -> Outcome | None:
    try:
        return step.check(context)
    except CannotTell:
        return None


def _settle(step: Step, context: Context, lost: AnswerLost, waits: Waits) -> Outcome:
    """Ask the outside what came of a lost answer. Raises `lost` again if it cannot tell."""
    for wait_s in waits.settle_s:
        context.sleep(wait_s)
        try:
            done = step.check(context)
        except CannotTell:
            raise lost from None
        except Temporary:
            continue
        if done is None:
            raise Temporary(f"{lost} Reading back shows that it was not done.", files=lost.files)
        return done
    raise lost


def _verify(step: Step, context: Context, outcome: Outcome, waits: Waits) -> None:
    for wait_s in waits.verify_s:
        try:
            step.verify(context, outcome)
        except Temporary:
            context.sleep(wait_s)
        else:
            return
    try:
        step.verify(context, outcome)
    except Temporary as error:
        raise Final(f"Done, but reading back does not show it: {error}", files=error.files) from None


def _draft(kind: Kind, context: StepContext, what: str, payload: dict[str, object]) -> Draft:
    return Draft(kind, "maint", f"{context.key}:{what}:{context.attempt}:end", context.step, payload)


def _failure(
    spec: StepSpec, context: StepContext, error: StepError, what: str, pictures: Mapping[str, object]
) -> Draft:
    told = {"attempt": context.attempt, "error": str(error), "files": dict(error.files), **pictures}
    if what == "undo":
        return _draft(Kind.UNDO_FAILED, context, what, told)
    # A gate that could not find out has not proved anything: nobody can settle that by saying that it happened.
    if isinstance(error, AnswerLost | CannotTell) and not spec.gate:
        return _draft(Kind.STEP_UNKNOWN, context, what, told)
    retry_at = None
    if isinstance(error, Temporary) and context.attempt < spec.retry.attempts:
        delay_s = min(max(spec.retry.delay_s(context.attempt), error.retry_after_s or 0.0), _LONGEST_RETRY_S)
        retry_at = (context.now() + timedelta(seconds=delay_s)).isoformat()
    return _draft(
        Kind.STEP_FAILED, context, what, {**told, "temporary": isinstance(error, Temporary), "retry_at": retry_at}
    )
