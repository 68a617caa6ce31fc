from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.entry import Entry, Kind
from bot.estimates import Past, estimate_of, estimates, runs_of, wait_for_people
from bot.evolve import evolve, fold
from bot.history import History
from bot.journal import Draft
from bot.maintenances import Maintenances
from bot.state import Approval, Planned, State, StepState
from tests.maintenance_fixtures import created_payload, raw_step

START = datetime(2026, 11, 25, 4, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
STEPS = [
    raw_step("off", estimate_s=60, due=["start", 0.0]),
    raw_step("upgrade", estimate_s=600, needs=["off"]),
    {**raw_step("watch", estimate_s=1), "with": {"until": "upgrade"}},
]


def planned() -> State:
    payload: dict[str, Any] = created_payload(STEPS, START)
    return evolve(None, Entry("m", 1, START, "U0ANA", Kind.CREATED, None, payload, "k", "", "h"))


def over(upgrade: StepState, status: str = "completed") -> State:
    done = StepState("succeeded", attempt=1, started_at=START, ended_at=START + MINUTE)
    return replace(planned(), status=status, steps={"off": done, "upgrade": upgrade, "watch": done})


def took(minutes: float, **changes: Any) -> StepState:
    return StepState("succeeded", attempt=1, started_at=START, ended_at=START + minutes * MINUTE, **changes)


def past_of(*minutes: float, **changes: Any) -> Past:
    past = Past()
    for each in minutes:
        past = past.with_runs("postgres-upgrade", runs_of(over(took(each, **changes))))
    return past


def test_without_a_past_it_is_the_runbooks_and_a_range() -> None:
    found = estimate_of(planned(), "upgrade", Past())
    assert (found.source, round(found.likely_s)) == ("the runbook", 600)
    assert 300 < found.low_s < 450
    assert 800 < found.high_s < 1200


def test_the_last_runs_of_the_same_step_say_more() -> None:
    found = estimate_of(planned(), "upgrade", past_of(60, 62, 58, 60))
    assert found.source == "the last 4 runs"
    assert 45 * 60 < found.likely_s < 62 * 60
    assert estimate_of(planned(), "upgrade", past_of(60)).source == "the last run"
    other = Past().with_runs("other", runs_of(over(took(60))))
    assert estimate_of(planned(), "upgrade", other).source == "the runbook"


def test_old_runs_are_forgotten() -> None:
    found = estimate_of(planned(), "upgrade", past_of(*[60] * 10, *[5] * 10))
    assert found.source == "the last 10 runs"
    assert found.likely_s < 6 * 60


def test_runbooks_that_were_always_too_hopeful_are_corrected() -> None:
    runs = [run for run in runs_of(over(took(20))) if run.step == "upgrade"]
    past = Past().with_runs("other", runs * 5)
    assert 18 * 60 < estimate_of(planned(), "upgrade", past).likely_s <= 20 * 60


def test_size_and_rehearsal_go_before_and_are_corrected_by_how_they_did_before() -> None:
    state = planned()
    size = StepState(planned=Planned(3600, "size"))
    known = replace(state, steps={**state.steps, "upgrade": size})
    found = estimate_of(known, "upgrade", past_of(10, 10))
    assert (found.source, round(found.likely_s)) == ("its size", 3600)
    found = estimate_of(known, "upgrade", past_of(20, 22, 18, planned=Planned(600, "size")))
    assert found.source == "its size and the last 3 runs"
    assert 1.6 * 3600 < found.likely_s < 2.2 * 3600


def test_what_was_found_is_on_record_and_a_rehearsal_is_not_replaced_by_a_size() -> None:
    def entry(seq: int, kind: Kind, step: str | None, payload: dict[str, Any]) -> Entry:
        return Entry("m", seq, START, "maint", kind, step, payload, f"k{seq}", "", "h")

    rehearsed = entry(2, Kind.ESTIMATED, None, {"source": "rehearsal", "takes_s": {"upgrade": 1200, "gone": 5}})
    started = entry(3, Kind.STEP_STARTED, "upgrade", {"attempt": 1, "summary": "", "estimate_s": 60.0})
    other = entry(4, Kind.STEP_STARTED, "off", {"attempt": 1, "summary": "", "estimate_s": 60.0})
    state = fold([rehearsed, started, other], planned())
    assert state is not None
    assert state.steps["upgrade"].planned == Planned(1200, "rehearsal")
    assert state.steps["off"].planned == Planned(60, "size")
    assert estimates(state, Past())["upgrade"].source == "the rehearsal"


def test_only_what_was_completed_and_has_a_length_of_its_own_is_learned() -> None:
    assert [run.step for run in runs_of(over(took(60)))] == ["off", "upgrade"]
    assert runs_of(over(took(60), "aborted")) == []
    assert [run.step for run in runs_of(over(StepState("skipped", ended_at=START)))] == ["off"]


def test_peoples_time_to_decide_is_learned_from_decisions_inside_the_window() -> None:
    def decided(after: float, at: datetime = START) -> Approval:
        asked = Approval("t", "d", "s", (), 1, ("U0BEN",), at, at + 60 * MINUTE)
        return replace(asked, closed="granted", decided_at=at + after * MINUTE)

    assert 120 < wait_for_people(planned(), "upgrade", Past()).median_s < 600
    slow = past_of(10, 10, 10, approval=decided(20))
    assert wait_for_people(planned(), "upgrade", slow).median_s > 15 * 60
    assert wait_for_people(planned(), "off", slow).median_s > 8 * 60
    ahead = past_of(10, 10, 10, approval=decided(20, START - 600 * MINUTE))
    assert wait_for_people(planned(), "upgrade", ahead) == wait_for_people(planned(), "upgrade", Past())


def test_each_completed_maintenance_is_read_once(maintenances: Maintenances) -> None:
    def add(number: int, *drafts: tuple[Kind, str | None, dict[str, Any]]) -> None:
        name = f"m{number}"
        seq = maintenances.state(name).seq if name in maintenances.ids() else 0
        made = [Draft(kind, "maint", f"{name}:{seq}:{kind}", step, payload) for kind, step, payload in drafts]
        maintenances.journal.append(name, made, after=seq)

    history = History(maintenances)
    add(1, (Kind.CREATED, None, created_payload([raw_step("upgrade")], START)))
    add(1, (Kind.STEP_STARTED, "upgrade", {"attempt": 1}))
    add(1, (Kind.STEP_SUCCEEDED, "upgrade", {"summary": "", "facts": {}}))
    assert history.past().latest == ()
    add(1, (Kind.STATE_CHANGED, None, {"to": "completed"}))
    assert [run.step for run in history.past().latest] == ["upgrade"]
    assert history.past() is history.past()
