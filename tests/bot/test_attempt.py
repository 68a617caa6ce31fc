"""One attempt: read back before and after, a lost answer settled, and a database that goes away in the middle."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import pytest

from bot import acts
from bot.acts import Act
from bot.attempt import Attempts, Waits, perform
from bot.context import StepContext, Surroundings
from bot.database import Database, SqliteDatabase
from bot.entry import Kind
from bot.errors import AnswerLost, CannotTell, Final, Temporary
from bot.journal import Draft
from bot.pictures import Pictures
from bot.state import StepState
from bot.step import Context, Outcome, Picture, Step
from tests.maintenance_fixtures import created_payload, raw_step

ID = "2026-11-25-attempt"
QUICK = Waits(settle_s=(0.01, 0.01), verify_s=(0.01, 0.01))
WITHIN_S = 20


class Told(Step):
    """Does what the test has written down for it, and writes down what it was asked to do."""

    uses: ClassVar[str] = "test.told"
    world: str

    def _told(self, ctx: Context, what: str) -> str:
        with Path(f"{self.world}.asked").open("a") as file:
            file.write(f"{what}\n")
        plans = Path(f"{self.world}.{what}")
        lines = plans.read_text().split() if plans.exists() else []
        plans.write_text("\n".join(lines[1:]))
        return lines[0] if lines else ""

    def check(self, ctx: Context) -> Outcome | None:
        what = self._told(ctx, "check")
        if what == "there":
            return Outcome("it was there")
        if what == "busy":
            raise Temporary("busy")
        if what == "not":
            return None
        raise CannotTell("no way of asking")

    def apply(self, ctx: Context) -> Outcome:
        what = self._told(ctx, "apply")
        if what == "lost":
            raise AnswerLost("the answer never came")
        if what == "refused":
            raise Final("refused", files={"why.txt": "because"}, pictures={"why.png": Picture(b"\x89PNG", "a picture")})
        if what == "breaks":
            raise RuntimeError("Bearer s3cr3t")
        if what == "for-ever":
            raise Temporary("not now", retry_after_s=float("inf"))
        if what == "waits":
            ctx.sleep(60)
        if what == "intends":
            happened = not ctx.intend("effect")
            with Path(f"{self.world}.effects").open("a") as file:
                file.write("again\n" if happened else "once\n")
        return Outcome("applied", facts={"n": 1})

    def verify(self, ctx: Context, outcome: Outcome) -> None:
        what = self._told(ctx, "verify")
        if what == "later":
            raise Temporary("does not show yet")


class Case:
    """A maintenance whose one step is running, in a journal whose database can be taken away."""

    def __init__(self, surroundings: Surroundings, world: Path) -> None:
        self.all, self.surroundings, self.world = surroundings.maintenances, surroundings, world
        payload = created_payload([raw_step("a", "test.told")], datetime.now(UTC))
        self.all.create(ID, Draft(Kind.CREATED, "U0ANA", "created", payload=payload))
        self.record(Draft(Kind.STEP_STARTED, "maint", "start", "a", {"attempt": 1}))
        self.attempts = self.attempts_with(surroundings)

    def attempts_with(self, surroundings: Surroundings) -> Attempts:
        return Attempts(surroundings, lambda state, spec: Told(world=str(self.world)), waits=QUICK)

    def record(self, *drafts: Draft) -> None:
        self.all.record(ID, lambda _: list(drafts))

    def plan(self, what: str, *answers: str) -> None:
        Path(f"{self.world}.{what}").write_text("\n".join(answers))

    def asked(self) -> list[str]:
        path = Path(f"{self.world}.asked")
        return path.read_text().split() if path.exists() else []

    def run(self, attempt: int = 1) -> StepState:
        self.attempts.run(ID, "a", attempt, "apply")
        return self.step()

    def step(self) -> StepState:
        return self.all.state(ID).steps["a"]

    def context(self) -> StepContext:
        return StepContext(self.surroundings, ID, "a", 1)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = SqliteDatabase(tmp_path / "maint.sqlite3", busy_timeout_s=0.05)
    yield database
    database.close()


@pytest.fixture
def case(surroundings: Surroundings, tmp_path: Path) -> Case:
    return Case(surroundings, tmp_path / "world")


def test_what_is_done_already_is_not_done_again(case: Case) -> None:
    case.plan("check", "there")
    assert case.run().summary == "it was there"
    assert case.asked() == ["check", "verify"]


def test_it_is_asked_then_done_then_read_back(case: Case) -> None:
    case.plan("verify", "later", "later")
    assert case.run().status == "succeeded"
    assert case.asked() == ["check", "apply", "verify", "verify", "verify"]
    assert case.step().outcome == {"n": 1}


def test_what_never_shows_when_read_back_has_failed(case: Case) -> None:
    case.plan("verify", "later", "later", "later")
    step = case.run()
    assert step.status == "failed"
    assert "reading back does not show it" in str(step.error)
    assert step.retry_at is None


def test_a_lost_answer_that_the_outside_knows_is_a_success(case: Case) -> None:
    case.plan("check", "not", "busy", "there")
    case.plan("apply", "lost")
    assert case.run().summary == "it was there"
    assert case.asked() == ["check", "apply", "check", "check", "verify"]


def test_a_lost_answer_that_was_certainly_not_done_is_tried_again(case: Case) -> None:
    case.plan("check", "not", "not")
    case.plan("apply", "lost")
    step = case.run()
    assert (step.status, step.retry_at is not None) == ("failed", True)


@pytest.mark.parametrize("afterwards", [["cannot"], ["busy", "busy"]])
def test_a_lost_answer_that_nobody_knows_is_unknown(case: Case, afterwards: list[str]) -> None:
    case.plan("check", "not", *afterwards)
    case.plan("apply", "lost")
    assert case.run().status == "unknown"
    assert case.asked().count("apply") == 1


def test_a_fault_of_ours_is_unknown_and_its_trace_stays_in_our_own_log(
    case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    case.plan("apply", "breaks")
    step = case.run()
    assert step.status == "unknown"
    end = case.all.journal.read(ID)[-1]
    assert "s3cr3t" not in str(end.payload)
    assert "Traceback" not in str(end.payload)
    reference = str(step.error).rstrip(".").rpartition(" ")[2]
    written = capsys.readouterr().out
    assert reference in written
    assert "RuntimeError" in written


def test_who_is_asked_to_wait_for_ever_waits_a_day(case: Case) -> None:
    case.plan("apply", "for-ever")
    step = case.run()
    assert step.status == "failed"
    assert step.retry_at is not None
    assert step.retry_at < datetime.now(UTC) + timedelta(days=1, hours=1)


def test_a_refusal_is_recorded_with_its_evidence(case: Case) -> None:
    case.plan("apply", "refused")
    assert case.run().status == "failed"
    (failed,) = [entry for entry in case.all.journal.read(ID) if entry.kind == Kind.STEP_FAILED]
    assert failed.payload["files"] == {"why.txt": "because"}
    picture = failed.payload["pictures"]["why.png"]
    assert picture["alt"] == "a picture"
    assert Pictures(case.all.journal.database).read(picture["sha256"]) == b"\x89PNG"
    assert failed.payload["retry_at"] is None


def test_an_attempt_that_has_ended_is_not_run_again(case: Case) -> None:
    case.run()
    asked = case.asked()
    assert case.run().status == "succeeded"
    case.run(attempt=2)
    assert case.asked() == asked
    assert len(case.all.journal.read(ID)) == 3


def test_an_abort_stops_it_between_effects(case: Case) -> None:
    case.plan("apply", "waits")
    running = threading.Thread(target=case.run, daemon=True)
    running.start()
    until(lambda: "apply" in case.asked())
    assert case.attempts.busy() == 1
    case.all.record(ID, lambda state: acts.abort(state, Act("U0ANA", "d1"), "not tonight"))
    running.join(WITHIN_S)
    assert "not tonight" in str(case.step().error)
    assert case.attempts.busy() == 0


def test_a_shutdown_leaves_it_running_for_the_next_process(case: Case, surroundings: Surroundings) -> None:
    case.plan("apply", "waits", "done")
    threading.Thread(target=case.run, daemon=True).start()
    until(lambda: "apply" in case.asked())
    surroundings.stopping.set()
    until(lambda: case.attempts.busy() == 0)
    assert case.step().status == "running"
    next_process = case.attempts_with(replace(surroundings, stopping=threading.Event()))
    next_process.run(ID, "a", 1, "apply")
    assert case.step().status == "succeeded"


def test_nothing_is_asked_or_done_before_it_is_certain_that_it_may(case: Case, surroundings: Surroundings) -> None:
    lease, asked = threading.Event(), threading.Event()

    def may_act() -> None:
        asked.set()
        assert lease.wait(WITHIN_S)

    attempts = case.attempts_with(replace(surroundings, may_act=may_act))
    running = threading.Thread(target=attempts.run, args=(ID, "a", 1, "apply"), daemon=True)
    running.start()
    assert asked.wait(WITHIN_S)
    assert case.asked() == []
    lease.set()
    running.join(WITHIN_S)
    assert case.step().status == "succeeded"


@pytest.mark.parametrize("at", ["check", "apply", "verify"])
def test_a_database_that_goes_away_holds_the_attempt_up_and_does_not_end_it(
    case: Case, tmp_path: Path, at: str
) -> None:
    """It is locked by somebody else from the moment that the step is asked `at`, for longer than we wait for a lock."""
    case.plan("apply", "intends", "intends", "intends", "intends")
    holder = sqlite3.connect(tmp_path / "maint.sqlite3", isolation_level=None, check_same_thread=False)
    hold_from(case, at, holder)
    running = threading.Thread(target=case.run, daemon=True)
    running.start()
    until(lambda: at in case.asked())
    time.sleep(0.5)  # it runs into the lock meanwhile, or is about to: either way it must not end
    assert running.is_alive()
    holder.execute("ROLLBACK")
    holder.close()
    running.join(WITHIN_S)
    assert case.step().status == "succeeded"
    assert Path(f"{case.world}.effects").read_text().split().count("once") == 1
    ends = [entry for entry in case.all.journal.read(ID) if entry.kind not in {Kind.CREATED, Kind.STEP_STARTED}]
    assert [entry.kind for entry in ends] == [Kind.STEP_SUCCEEDED]
    assert case.all.journal.broken_at(ID) is None


def hold_from(case: Case, at: str, holder: sqlite3.Connection) -> None:
    """Lock the database as soon as the step is asked `at`, once."""
    real = Told._told
    locked = threading.Event()

    def told(self: Told, ctx: Context, what: str) -> str:
        if what == at and not locked.is_set():
            locked.set()
            holder.execute("BEGIN EXCLUSIVE")
        return real(self, ctx, what)

    case.attempts = Attempts(
        case.surroundings,
        lambda state, spec: type("Locking", (Told,), {"_told": told})(world=str(case.world)),
        waits=QUICK,
    )


def test_a_step_may_be_performed_by_hand_in_a_test_of_its_own(case: Case) -> None:
    case.plan("verify", "later")
    assert perform(Told(world=str(case.world)), case.context(), QUICK) == Outcome("applied", facts={"n": 1})


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)
