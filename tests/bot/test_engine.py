"""The engine on a real journal and real DBOS: order, approvals, retries, unknown, abort, pause."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest

from bot import acts
from bot.acts import Act
from bot.attempt import Attempts, Waits
from bot.context import Surroundings
from bot.database import SqliteDatabase
from bot.durable import DbosDurable
from bot.engine import Engine
from bot.entry import Kind
from bot.errors import AnswerLost, BadInput, CannotTell, Final, Temporary
from bot.journal import Draft, Journal
from bot.ledger import Intents, Progress
from bot.maintenances import Maintenances
from bot.state import State
from bot.step import REGISTRY, Context, Outcome, Plan, Retry, Standing, Step
from bot.step_spec import StepSpec
from tests.maintenance_fixtures import created_payload, raw_step

LATER = datetime.max.replace(tzinfo=UTC)


class Touch(Step):
    """Appends its name to a file, which is all the world there is in these tests."""

    uses: ClassVar[str] = "test.touch"
    world: str
    fails: list[str] = []  # noqa: RUF012 - pydantic copies field defaults
    checks: str = "cannot"
    subject: str = "as it was"
    stands: bool = False

    def plan(self, ctx: Context) -> Plan:
        if self.subject == "broken":
            raise ZeroDivisionError
        text = Path(f"{self.world}.subject")
        return Plan(f"touch {ctx.step}", subject={"subject": text.read_text() if text.exists() else self.subject})

    def check(self, ctx: Context) -> Outcome | None:
        if self.checks == "cannot":
            raise CannotTell("no way of asking")
        done = ctx.step in Path(self.world).read_text().split() if Path(self.world).exists() else False
        return Outcome("was done") if done else None

    def apply(self, ctx: Context) -> Outcome:
        fault = self.fails[ctx.attempt - 1] if ctx.attempt <= len(self.fails) else "none"
        if fault == "temporary":
            raise Temporary("busy", retry_after_s=0.01)
        if fault == "final":
            raise Final("no")
        if fault == "broken":
            raise ZeroDivisionError
        if fault == "waits":
            Path(f"{self.world}.waiting").touch()
            ctx.sleep(60)
        if fault != "lost before":
            with Path(self.world).open("a") as file:
                file.write(f"{ctx.step} ")
        if fault.startswith("lost"):
            raise AnswerLost("gone")
        facts = {"attempt": ctx.attempt} if fault != "no json" else {"attempts": {1, 2}}
        return Outcome("touched", facts=facts)

    def standing(self, ctx: Context, outcome: Outcome) -> Standing | None:
        stands = Path(self.world).read_text().split().count(ctx.step) if self.stands else 0
        undone = Path(self.world).read_text().split().count(f"-{ctx.step}")
        return Standing("a banner") if stands > undone else None

    def undo(self, ctx: Context, outcome: Outcome) -> Outcome:
        with Path(self.world).open("a") as file:
            file.write(f"-{ctx.step} ")
        return Outcome("untouched")


class Running:
    """An engine that is running, for all tests of the module: each has a maintenance of its own in it."""

    def __init__(self, folder: Path) -> None:
        address = folder / "maint.sqlite3"
        self.all = Maintenances(Journal(SqliteDatabase(address)))
        self.surroundings = Surroundings(
            maintenances=self.all,
            intents=Intents(self.all.journal.database),
            progress=Progress(self.all.journal.database),
            value_of=lambda setting: setting.default,
            workdir=folder / "work",
            stopping=threading.Event(),
        )
        quick = Waits(settle_s=(0.01, 0.02), verify_s=(0.01, 0.02))
        attempts = Attempts(self.surroundings, build, ended=self._wake, waits=quick)
        self.durable = DbosDurable(f"sqlite:///{address}", "maint", attempts.run)
        self.durable.launch()
        self.engine = Engine(self.surroundings, build, self.durable)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self.engine.run, args=(self._stop,), daemon=True)
        self._thread.start()

    def _wake(self) -> None:
        self.engine.wake()

    def close(self) -> None:
        self._stop.set()
        self.engine.wake()
        self._thread.join(60)
        self.durable.close()
        self.all.journal.database.close()


class Sized(Touch):
    """Knows how long it takes, once somebody has let it look."""

    uses: ClassVar[str] = "test.sized"
    sized: ClassVar[bool] = True

    def plan(self, ctx: Context) -> Plan:
        while not Path(f"{self.world}.size").exists():
            ctx.sleep(0.01)
        return Plan("sized", estimate_s=3600.0)


def build(_: State, spec: StepSpec) -> Step:
    return (Sized if spec.uses == Sized.uses else Touch)(**spec.with_)


class House:
    """One maintenance in the running engine, and the words to drive it."""

    def __init__(self, running: Running, tmp_path: Path) -> None:
        self.id = f"2026-11-25-{tmp_path.name}"
        self.world = tmp_path / "world"
        self.all, self.engine = running.all, running.engine

    def step(self, name: str, needs: list[str] | None = None, **changes: Any) -> dict[str, Any]:
        with_ = {"world": str(self.world), **changes.pop("with_", {})}
        return raw_step(name, "test.touch", **{"with": with_, "needs": needs or [], **changes})

    def begin(self, *steps: dict[str, Any]) -> None:
        payload = created_payload(list(steps), datetime.now(UTC))
        self.all.create(self.id, Draft(Kind.CREATED, "U0ANA", f"{self.id}:created", payload=payload))
        self.engine.wake()

    def act(self, decision: Callable[[State], list[Draft]]) -> None:
        self.all.record(self.id, decision)
        self.engine.wake()

    def by(self, user: str, delivery: str, attempt: int | None = None) -> Act:
        return Act(user, f"{self.id}:{delivery}", attempt)

    def until(self, holds: Callable[[State], bool], what: str) -> State:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            state = self.all.state(self.id)
            if holds(state):
                return state
            time.sleep(0.01)
        raise AssertionError(f"never {what}: {self.all.state(self.id)}")

    def until_status(self, step: str, status: str) -> State:
        return self.until(lambda state: state.steps[step].status == status, f"{step} {status}")

    def touched(self) -> str:
        return self.world.read_text() if self.world.exists() else ""

    def end(self) -> None:
        """Leave nothing behind that the engine would go on with."""
        end = self.by("U0ANA", "end")

        def abort(state: State) -> list[Draft]:
            return [] if state.status in {"completed", "aborted"} else acts.abort(state, end, "the test is over")

        self.act(abort)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(tmp_path_factory.mktemp("running"))
    yield running
    running.close()


@pytest.fixture
def house(running: Running, tmp_path: Path) -> Iterator[House]:
    house = House(running, tmp_path)
    yield house
    house.end()


def test_steps_run_in_the_order_of_their_needs_and_the_maintenance_completes(house: House) -> None:
    house.begin(house.step("a"), house.step("b", ["a"]), house.step("c", ["b"], phase="verifying"))
    state = house.until(lambda state: state.status == "completed", "completed")
    assert house.touched() == "a b c "
    moves = [entry.payload["to"] for entry in house.all.journal.read(house.id) if entry.kind == Kind.STATE_CHANGED]
    assert moves == ["in_progress", "verifying", "completed"]
    assert state.steps["a"].outcome == {"attempt": 1}
    assert house.all.journal.broken_at(house.id) is None


def test_a_step_waits_for_its_approval_and_the_first_of_two_clicks_wins(house: House) -> None:
    house.begin(house.step("a", approval={"count": 1, "approvers": ["U0BEN"], "expires_s": 60, "requester_may": False}))
    state = house.until_status("a", "waiting")
    approval = state.steps["a"].approval
    assert approval is not None
    assert house.touched() == ""
    now = datetime.now(UTC)
    house.act(lambda state: acts.approve(state, "U0BEN", approval.token, now))
    with pytest.raises(acts.AlreadyDecided, match=r"already approved by <@U0BEN>"):
        house.act(lambda state: acts.approve(state, "U0CHLOE", approval.token, now))
    house.until(lambda state: state.status == "completed", "completed")
    assert house.touched() == "a "


def test_a_page_is_raised_in_a_pause_resolved_when_it_is_answered_and_once(house: House) -> None:
    by_hand = house.step("work", by_hand=True)
    page = house.step("page-1", change="overrun-1", reversible=True, on_failure="lift", with_={"stands": True})
    now = datetime.now(UTC).isoformat()
    late = {"number": 1, "end": now, "low": now, "high": now, "announced": now, "late_chance": 0.9, "asked": ["U0ANA"]}
    house.begin(by_hand)
    house.until_status("work", "running")
    house.act(lambda state: acts.pause(state, house.by("U0ANA", "pause")))
    house.act(
        lambda _: [
            Draft(Kind.OVERRUN_EXPECTED, "maint", f"{house.id}:late", payload=late),
            Draft(
                Kind.OVERRUN_ESCALATED, "maint", f"{house.id}:more", payload={"number": 1, "to": [], "steps": [page]}
            ),
        ]
    )
    house.until_status("page-1", "succeeded")
    house.act(lambda _: [Draft(Kind.OVERRUN_ACCEPTED, "U0BEN", f"{house.id}:on", payload={"number": 1})])
    house.until_status("page-1", "undone")
    house.act(lambda state: acts.resume(state, house.by("U0ANA", "resume")))
    house.act(lambda state: acts.done(state, house.by("U0ANA", "done"), "work"))
    house.until(lambda state: state.status == "completed", "completed")
    assert house.touched() == "page-1 -page-1 "


def test_nothing_is_announced_before_the_sizes_are_known(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(REGISTRY, Sized.uses, Sized)
    work = {**house.step("work", due=["start", 86400.0]), "uses": Sized.uses}
    house.begin(house.step("announce", phase="scheduled"), work)
    for _ in range(5):
        house.engine.tick()
    assert house.all.state(house.id).seq == 1
    Path(f"{house.world}.size").touch()
    house.until_status("announce", "succeeded")
    kinds = [entry.kind for entry in house.all.journal.read(house.id)]
    assert kinds.index(Kind.ESTIMATED) < kinds.index(Kind.STEP_STARTED)


def test_a_changed_plan_voids_the_approval_and_asks_again(house: House) -> None:
    house.begin(
        house.step("a", approval={"count": 1, "approvers": [], "expires_s": 60, "requester_may": False}),
    )
    first = house.until_status("a", "waiting").steps["a"].approval
    assert first is not None
    Path(f"{house.world}.subject").write_text("something else")
    house.act(lambda state: acts.approve(state, "U0BEN", first.token, datetime.now(UTC)))
    state = house.until(lambda state: state.steps["a"].requests == 2, "asked again")
    second = state.steps["a"].approval
    assert second is not None
    assert second.digest != first.digest
    assert house.touched() == ""
    house.act(lambda state: acts.approve(state, "U0BEN", second.token, datetime.now(UTC)))
    house.until(lambda state: state.status == "completed", "completed")


def test_an_expired_request_is_asked_again_and_nothing_runs(house: House) -> None:
    house.begin(house.step("a", approval={"count": 1, "approvers": [], "expires_s": 0.2, "requester_may": False}))
    house.until(lambda state: state.steps["a"].requests >= 2, "asked again")
    assert house.touched() == ""


def test_a_temporary_failure_is_retried_up_to_the_policy(house: House) -> None:
    quick = {"attempts": 3, "wait_s": 0.01, "longest_wait_s": 0.01}
    house.begin(
        house.step("a", with_={"fails": ["temporary", "temporary"]}, retry=quick),
        house.step("b", with_={"fails": ["temporary"] * 9}, retry=quick),
    )
    house.until_status("a", "succeeded")
    state = house.until(lambda state: state.steps["b"].attempt == 3 and state.steps["b"].status == "failed", "failed")
    assert state.steps["b"].retry_at is None
    assert state.status == "in_progress"


def test_pause_beats_retry(house: House) -> None:
    slow = {"attempts": 3, "wait_s": 0.5, "longest_wait_s": 0.5}
    house.begin(house.step("a", with_={"fails": ["temporary"]}, retry=slow))
    house.until_status("a", "failed")
    house.act(lambda state: acts.pause(state, house.by("U0ANA", "d1")))
    house.until(
        lambda state: datetime.now(UTC) > (state.steps["a"].retry_at or datetime.max.replace(tzinfo=UTC)), "due"
    )
    house.engine.tick()
    assert house.all.state(house.id).steps["a"].attempt == 1
    house.act(lambda state: acts.resume(state, house.by("U0ANA", "d2")))
    house.until_status("a", "succeeded")


def test_a_lost_answer_is_settled_by_reading_back(house: House) -> None:
    quick = Retry(attempts=3, wait_s=0.01, longest_wait_s=0.01)
    house.begin(
        house.step("after", with_={"fails": ["lost after"], "checks": "can"}),
        house.step("before", with_={"fails": ["lost before"], "checks": "can"}, retry=vars(quick)),
        house.step("dark", with_={"fails": ["lost after"]}),
    )
    house.until_status("after", "succeeded")
    house.until_status("before", "succeeded")
    house.until_status("dark", "unknown")
    assert sorted(house.touched().split()) == ["after", "before", "dark"]
    house.act(lambda state: acts.settle(state, house.by("U0BEN", "d1", 1), "dark", True))
    house.until(lambda state: state.status == "completed", "completed")
    assert house.touched().split().count("dark") == 1


def test_a_fault_of_our_own_ends_as_unknown_with_its_trace(house: House) -> None:
    house.begin(house.step("a", with_={"fails": ["broken"]}))
    state = house.until_status("a", "unknown")
    assert "ZeroDivisionError" in str(state.steps["a"].error)


def test_facts_that_cannot_be_recorded_end_as_unknown_and_are_not_tried_again(house: House) -> None:
    house.begin(house.step("a", with_={"fails": ["no json"]}))
    state = house.until_status("a", "unknown")
    assert "TypeError" in str(state.steps["a"].error)
    house.engine.tick()
    assert house.touched() == "a "


def test_a_plan_that_breaks_is_a_failure_that_people_see_and_can_retry(house: House) -> None:
    policy = {"count": 1, "approvers": [], "expires_s": 60, "requester_may": False}
    house.begin(house.step("a", with_={"subject": "broken"}, approval=policy))
    state = house.until_status("a", "failed")
    assert "cannot be planned" in str(state.steps["a"].error)
    assert "ZeroDivisionError" in str(state.steps["a"].error)
    house.act(lambda state: acts.retry(state, house.by("U0ANA", "d1"), "a"))
    house.until(lambda state: state.seq > 3 and state.steps["a"].status == "failed", "failed again")
    failures = [entry for entry in house.all.journal.read(house.id) if entry.kind == Kind.STEP_FAILED]
    assert len(failures) == 2
    assert house.touched() == ""


def test_a_step_that_a_person_does_waits_for_them_and_ends_with_an_abort(house: House) -> None:
    house.begin(house.step("a", by_hand=True), house.step("b", ["a"], by_hand=True), house.step("c", ["b"]))
    house.until_status("a", "running")
    house.act(lambda state: acts.done(state, house.by("U0BEN", "d1"), "a"))
    house.until_status("b", "running")
    house.act(lambda state: acts.abort(state, house.by("U0ANA", "d2"), "not tonight"))
    assert house.until(lambda state: state.over, "over").steps["b"].status == "failed"
    assert house.touched() == ""


def test_abort_stops_what_runs_and_takes_down_what_is_to_be_lifted(house: House) -> None:
    house.begin(
        house.step("banner", reversible=True, on_failure="lift"),
        house.step("silence", ["banner"], reversible=True, on_failure="ask"),
        house.step("long", ["silence"], with_={"fails": ["waits"]}),
    )
    house.until(lambda _: Path(f"{house.world}.waiting").exists(), "waiting")
    house.act(lambda state: acts.abort(state, house.by("U0ANA", "d1"), "the old cluster is needed"))
    house.until_status("long", "failed")
    assert not house.all.state(house.id).over
    house.act(lambda state: acts.answer_undo(state, house.by("U0ANA", "d2"), "silence", "keep"))
    house.until_status("banner", "undone")
    assert house.until(lambda state: state.over, "over").status == "aborted"
    assert house.touched() == "banner silence -banner "


def test_a_gate_cannot_be_skipped(house: House) -> None:
    house.begin(house.step("gate", with_={"fails": ["final"]}, gate=True), house.step("open", ["gate"]))
    house.until_status("gate", "failed")
    with pytest.raises(BadInput, match="cannot be skipped"):
        house.act(lambda state: acts.skip(state, house.by("U0ANA", "d1"), "gate", "we are in a hurry"))
    assert house.all.state(house.id).steps["open"].status == "pending"


def test_a_gate_that_cannot_find_out_is_red_and_nobody_can_settle_it(house: House) -> None:
    house.begin(house.step("gate", with_={"fails": ["broken"]}, gate=True), house.step("open", ["gate"]))
    house.until_status("gate", "failed")
    with pytest.raises(BadInput, match="Nothing is asked about"):
        house.act(lambda state: acts.settle(state, house.by("U0ANA", "d1"), "gate", True))
    assert house.all.state(house.id).steps["open"].status == "pending"


def test_nothing_is_completed_while_something_is_still_up(house: House) -> None:
    house.begin(house.step("banner", with_={"stands": True}, reversible=True), house.step("work", ["banner"]))
    state = house.until(lambda state: bool(state.still_up), "still up")
    assert state.still_up == {"banner": "a banner"}
    assert state.status == "in_progress"
    house.act(lambda state: acts.answer_undo(state, Act("U0ANA", "d-lift"), "banner", "lift"))
    state = house.until(lambda state: state.status == "completed", "completed")
    assert house.touched() == "banner work -banner "


def test_what_is_kept_at_the_end_is_no_longer_waited_for(house: House) -> None:
    house.begin(house.step("banner", with_={"stands": True}, reversible=True))
    house.until(lambda state: bool(state.still_up), "still up")
    house.act(lambda state: acts.answer_undo(state, Act("U0ANA", "d-keep"), "banner", "keep"))
    house.until(lambda state: state.status == "completed", "completed")
    assert house.touched() == "banner "
