"""Notices ahead of the window: approved once with their announcement, sent by themselves or not at all."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot import acts, changes
from bot.changes import plan_of_change
from bot.decide import Ask, Drop, Start, decide
from bot.early import missed, with_notices
from bot.entry import Kind
from bot.state import Approval, State
from bot.step import Plan
from tests.bot.simulated import Simulated
from tests.bot.test_engine import House, Running
from tests.maintenance_fixtures import created_payload, raw_step

POLICY = {"count": 1, "approvers": ["U0BEN"], "expires_s": 3600.0, "requester_may": False}
DAY = timedelta(days=1)
START = datetime(2026, 11, 25, 9, tzinfo=UTC)


def notice(days: float, **changes: Any) -> dict[str, Any]:
    early = {"approval": POLICY, "approved_with": "announce", "phase": "scheduled", "due": ["start", -days * 86400]}
    return raw_step(f"remind-{days:g}", **{"needs": ["announce"], **early, **changes})


def steps(*notices: dict[str, Any]) -> list[dict[str, Any]]:
    work = raw_step("work", needs=["announce"], due=["start", 0.0])
    return [raw_step("announce", approval=POLICY, phase="scheduled"), *notices, work]


def planned(now: datetime) -> Simulated:
    """A maintenance that begins at `START` of the simulation, planned at `now`, with two notices."""
    made = Simulated(steps(notice(7), notice(1)))
    made.now = now
    return made


def texts(state: State, step: str) -> Plan:
    return Plan(f"tell {step}", (f"down from {state.window.start:%d %b %H:%M}",), {"start": str(state.window.start)})


def announced(then: dict[str, str], at: datetime, now: datetime) -> Simulated:
    made = planned(now)
    state = made.state
    approval = Approval("t", "d", "", (), 1, ("U0BEN",), at, at + DAY, ("U0BEN",), at, closed="granted", then=then)
    done = replace(state.steps["announce"], status="succeeded", attempt=1, approval=approval)
    made.maybe = replace(state, status="scheduled", steps={**state.steps, "announce": done})
    return made


THEN = {"remind-7": "x", "remind-1": "y"}


def test_the_request_for_the_announcement_lists_the_notices_with_their_texts_and_times() -> None:
    state = planned(START - 3 * DAY).state
    plan = with_notices(state, "announce", START - 3 * DAY, texts)
    assert plan.details == (
        "down from 25 Nov 09:00",
        "Left out, since its time has passed: remind-7",
        "By itself, Tue 24 Nov 2026 22:00 NZDT (UTC+13): remind-1: tell remind-1",
        "down from 25 Nov 09:00",
    )
    assert plan.subject["then"] == {name: texts(state, name).digest for name in THEN}
    alone = replace(state, specs={"announce": state.specs["announce"]})
    assert with_notices(alone, "announce", START, texts) == texts(state, "announce")


def test_each_goes_out_when_it_falls_due_and_nobody_is_asked_again() -> None:
    made = announced(THEN, START - 8 * DAY, START - 8 * DAY)
    assert made.actions() == []
    made.now = START - 7 * DAY
    assert made.actions() == [Start("remind-7", 1)]
    made.now = START - DAY
    assert Start("remind-1", 1) in made.actions()


@pytest.mark.parametrize(
    ("approved", "now", "left_out"),
    [
        (START - 8 * DAY, START, ["remind-7", "remind-1"]),
        (START - 3 * DAY, START - 3 * DAY, ["remind-7"]),
        (START - DAY / 2, START - DAY / 3, ["remind-7", "remind-1"]),
    ],
)
def test_what_is_too_late_is_left_out(approved: datetime, now: datetime, left_out: list[str]) -> None:
    made = announced(THEN, approved, now)
    assert [action.step for action in made.actions() if isinstance(action, Drop)] == left_out
    for action in made.actions():
        made.carry_out(action)
    assert [name for name in THEN if made.state.steps[name].status == "skipped"] == left_out


def test_a_notice_that_fails_is_not_tried_again_in_the_window() -> None:
    made = announced(THEN, START - 8 * DAY, START - DAY)
    failed = replace(made.state.steps["remind-1"], status="failed", attempt=1, retry_at=START)
    made.maybe = replace(made.state, steps={**made.state.steps, "remind-1": failed})
    assert [action.step for action in decide(made.state, START) if isinstance(action, Start)] == ["work"]


def test_without_an_early_approval_a_notice_waits_for_its_own() -> None:
    made = announced({}, START - 8 * DAY, START - DAY)
    # The engine compares with what was approved, finds nothing, and asks.
    assert Start("remind-1", 1) in made.actions()
    own = replace(made.state.steps["remind-1"], requests=1, approval=_closed("expired"))
    made.maybe = replace(made.state, steps={**made.state.steps, "remind-1": own})
    assert Ask("remind-1") in made.actions()
    assert missed(made.state, made.state.specs["remind-1"], START) is not None


def _closed(how: str) -> Approval:
    return Approval("u", "d", "", (), 1, (), START, START, closed=how)


def test_a_move_shows_the_new_texts_and_approves_them() -> None:
    made = announced(THEN, START - 8 * DAY, START - 3 * DAY)
    act = acts.Act("U0ANA", "1")
    made.record(*changes.move(made.state, act, START + 2 * DAY, "UTC", made.now))
    plan = plan_of_change(made.state, "move-1", made.now, texts)
    assert "By itself, Thu 26 Nov 2026 09:00 UTC: remind-1: tell remind-1" in plan.details
    assert "down from 27 Nov 09:00" in plan.details
    moved = replace(made.state, window=replace(made.state.window, start=START + 2 * DAY))
    assert plan.subject["then"]["remind-1"] == texts(moved, "remind-1").digest


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(tmp_path_factory.mktemp("early"))
    yield running
    running.close()


@pytest.fixture
def house(running: Running, tmp_path: Path) -> Iterator[House]:
    house = House(running, tmp_path)
    clock = running.all.now
    yield house
    running.all.now = clock
    house.end()


def begin(house: House) -> None:
    """Announce a maintenance two days ahead with a reminder one day ahead, and go on to that time."""
    announce = house.step("announce", approval=POLICY, phase="scheduled")
    early = {"approval": POLICY, "approved_with": "announce", "phase": "scheduled", "due": ["start", -86400.0]}
    now = datetime.now(UTC)
    window = {"start": (now + 2 * DAY).isoformat(), "end": (now + 3 * DAY).isoformat(), "zone": "UTC"}
    both = [announce, house.step("remind", ["announce"], **early)]
    payload = created_payload(both, now, window=window)
    house.all.create(house.id, acts.created(house.id, acts.Act("U0ANA", house.id), payload))
    house.engine.wake()
    approve(house, "announce")
    house.until_status("announce", "succeeded")
    assert house.touched() == "announce "


def approve(house: House, step: str) -> None:
    approval = house.until_status(step, "waiting").steps[step].approval
    assert approval is not None
    house.act(lambda state: acts.approve(state, "U0BEN", approval.token, datetime.now(UTC)))


def test_one_approval_is_enough_for_both(house: House) -> None:
    begin(house)
    house.all.now = lambda: datetime.now(UTC) + DAY
    house.engine.wake()
    house.until_status("remind", "succeeded")
    assert house.touched() == "announce remind "
    kinds = [entry.kind for entry in house.all.journal.read(house.id)]
    assert kinds.count(Kind.APPROVAL_REQUESTED) == 1


def test_a_notice_that_is_not_what_was_approved_is_asked_about(house: House) -> None:
    begin(house)
    Path(f"{house.world}.subject").write_text("something else")
    house.all.now = lambda: datetime.now(UTC) + DAY
    house.engine.wake()
    approve(house, "remind")
    house.until_status("remind", "succeeded")
    assert house.touched() == "announce remind "
