"""The way back and the opening on red, as the journal has them: what is held, undone, told, and who decides."""

from datetime import timedelta
from typing import Any

import pytest

from bot import acts
from bot.decide import Ask, Drop, Move, Start, Sweep, Undo
from bot.errors import BadInput
from bot.open_on_red import open_on_red
from bot.rollback import rollback
from tests.bot.simulated import PEOPLE, Simulated
from tests.bot.test_decide import POLICY as NOBODY
from tests.bot.test_decide import case_of, go_through
from tests.maintenance_fixtures import raw_step

ANA, BEN, CHLOE = PEOPLE
POLICY = {**NOBODY, "approvers": ["S0DBA"]}


def night(*more: dict[str, Any]) -> Simulated:
    """The app is off, the upgrade done, and the rest to come."""
    case = case_of(
        raw_step("off", reversible=True, on_failure="ask", approval=POLICY),
        raw_step("upgrade", reversible=True, needs=["off"]),
        *more,
    )
    case.carry_out(Move("in_progress"))
    go_through(case, "off", "upgrade")
    return case


def asked(case: Simulated) -> str:
    case.record(*rollback(case.state, case.act(), "too slow", case.now))
    return next(step for step in case.state.specs if step.startswith("rollback-"))


def approved(case: Simulated, step: str, *people: str) -> None:
    case.carry_out(Ask(step))
    for by in people:
        approval = case.state.steps[step].approval
        assert approval is not None
        case.record(*acts.approve(case.state, by, approval.token, case.now))


def going_back(case: Simulated) -> str:
    step = asked(case)
    approved(case, step, CHLOE)
    go_through(case, step)
    return step


def test_from_the_moment_it_is_asked_for_nothing_else_starts() -> None:
    case = night(raw_step("vacuum", needs=["upgrade"]))
    assert Start("vacuum", 1) in case.actions()
    step = asked(case)
    assert case.actions() == [Ask(step)]
    case.carry_out(Ask(step))
    assert case.actions() == []
    approval = case.state.steps[step].approval
    assert approval is not None
    case.record(*acts.reject(case.state, CHLOE, approval.token, "it is fast enough", case.now))
    assert Start("vacuum", 1) in case.actions(), "a rejected one holds up nothing"


def test_everything_is_undone_in_reverse_order_and_then_it_is_rolled_back() -> None:
    case = night()
    going_back(case)
    assert case.actions() == [Undo("upgrade", 1)]
    case.carry_out(Undo("upgrade", 1))
    assert case.actions() == []
    case.end_undo("upgrade", good=True)
    assert case.actions() == [Undo("off", 1)], "whatever an abort would ask"
    case.carry_out(Undo("off", 1))
    case.end_undo("off", good=True)
    assert case.actions() == [Move("rolled_back")]
    case.carry_out(Move("rolled_back"))
    assert case.state.over


def test_an_undo_that_failed_holds_up_the_opening() -> None:
    case = night()
    going_back(case)
    case.carry_out(Undo("upgrade", 1))
    case.end_undo("upgrade", good=False)
    assert case.actions() == []
    case.now += timedelta(hours=3)
    assert case.actions() == []
    case.record(*acts.answer_undo(case.state, case.act(), "upgrade", "lift"))
    assert case.actions() == [Undo("upgrade", 2)]


def test_what_runs_comes_to_its_end_first_and_what_a_person_does_ends() -> None:
    case = night(raw_step("vacuum", needs=["upgrade"]), raw_step("racks", by_hand=True))
    case.carry_out(Start("vacuum", 1))
    case.carry_out(Start("racks", 1))
    going_back(case)
    assert case.state.steps["racks"].status == "failed"
    assert case.actions() == []
    case.end_attempt("vacuum", "final")
    assert case.actions() == [Undo("upgrade", 1)]


def test_what_failed_and_is_to_be_tried_again_is_taken_back_too() -> None:
    case = case_of(raw_step("off", reversible=True, approval=POLICY))
    case.carry_out(Move("in_progress"))
    case.carry_out(Start("off", 1))
    case.end_attempt("off", "final")
    case.record(*acts.retry(case.state, case.act(), "off"))
    going_back(case)
    assert case.actions() == [Undo("off", 1)]
    with pytest.raises(BadInput, match="taken back"):
        acts.skip(case.state, case.act(), "off", "no")


def test_a_pause_does_not_hold_up_the_question_and_ends_with_the_answer() -> None:
    case = night()
    case.record(*acts.pause(case.state, case.act()))
    step = asked(case)
    assert case.actions() == [Ask(step)]
    approved(case, step, CHLOE)
    go_through(case, step)
    assert not case.state.paused
    case.record(*acts.pause(case.state, case.act()))
    assert case.actions() == []


def test_an_abort_ends_the_way_back() -> None:
    case = night()
    going_back(case)
    case.record(*acts.abort(case.state, case.act(), "leave it"))
    assert case.actions() == [], "the upgrade is kept, and about the app a person is asked"
    assert not case.state.over


def test_where_there_is_no_way_back_it_is_refused_with_the_reason() -> None:
    case = night(raw_step("cross", title="Open", point_of_no_return=True))
    go_through(case, "cross")
    with pytest.raises(BadInput, match="“Open” was the point of no return"):
        asked(case)
    early = case_of(raw_step("off", reversible=True, approval=POLICY))
    with pytest.raises(BadInput, match="has not begun"):
        asked(early)


RED = {"gate": True, "phase": "verifying"}


def red() -> tuple[Simulated, str]:
    case = night(raw_step("gate", needs=["upgrade"], **RED), raw_step("on", needs=["gate"]))
    case.carry_out(Start("gate", 1))
    case.end_attempt("gate", "final")
    case.record(*open_on_red(case.state, case.act(), "gate", "only the reports are slow"))
    return case, next(step for step in case.state.specs if step.startswith("open-on-red-"))


def test_two_people_open_on_red_and_the_gate_says_so() -> None:
    case, step = red()
    approved(case, step, ANA)
    assert case.actions() == []
    approval = case.state.steps[step].approval
    assert approval is not None
    with pytest.raises(acts.AlreadyDecided):
        acts.approve(case.state, ANA, approval.token, case.now)
    case.record(*acts.approve(case.state, CHLOE, approval.token, case.now))
    assert Start("on", 1) not in case.actions()
    go_through(case, step)
    gate = case.state.steps["gate"]
    assert (gate.status, gate.overridden_by) == ("skipped", (ANA, CHLOE))
    assert gate.error == "OPENED ON RED: only the reports are slow"
    assert Start("on", 1) in case.actions()


def test_a_gate_that_turns_green_meanwhile_needs_nobody() -> None:
    case, step = red()
    approved(case, step, ANA)
    case.record(*acts.retry(case.state, case.act(), "gate"))
    go_through(case, "gate")
    (drop,) = [action for action in case.actions() if isinstance(action, Drop)]
    case.carry_out(drop)
    assert case.state.steps["gate"].status == "succeeded"
    go_through(case, "on")
    assert case.actions() == [Sweep()]


def test_only_a_red_gate_can_be_overridden_and_only_once() -> None:
    case, _ = red()
    with pytest.raises(BadInput, match="asked already"):
        open_on_red(case.state, case.act(), "gate", "again")
    with pytest.raises(BadInput, match="no gate"):
        open_on_red(case.state, case.act(), "upgrade", "why not")
    green = night(raw_step("gate", **RED))
    with pytest.raises(BadInput, match="not red"):
        open_on_red(green.state, green.act(), "gate", "why not")
