"""A preflight that is red blocks the announcement and the start, names those who can mend it, and looks again."""

from typing import Any

import pytest

from bot import acts
from bot.decide import Move, Start
from bot.entry import Kind
from bot.errors import BadInput
from bot.maintenances import Maintenances
from bot.messages import log_message
from bot.waiting import waited_for
from tests.bot.entries import ANA, APPROVERS, POLICY, add, begin, told
from tests.bot.simulated import START, Simulated
from tests.bot.test_decide import case_of, go_through
from tests.maintenance_fixtures import raw_step

AHEAD: dict[str, Any] = {"gate": True, "ahead": True, "phase": "scheduled"}


def week() -> Simulated:
    return case_of(
        raw_step("feasible", **AHEAD),
        raw_step("announce", needs=["feasible"], phase="scheduled"),
        raw_step("remind", phase="scheduled", due=["start", 0.0]),
        raw_step("work", needs=["announce"], due=["start", 0.0]),
    )


def test_while_it_is_red_nothing_else_starts() -> None:
    case = week()
    case.now = START
    case.carry_out(Move("scheduled"))
    case.carry_out(Start("feasible", 1))
    case.end_attempt("feasible", "final")
    assert case.actions() == [], "neither what needs it nor what does not"
    assert "nothing else starts" in waited_for(case.state, case.now)[0]
    with pytest.raises(BadInput, match="cannot be skipped"):
        acts.skip(case.state, case.act(), "feasible", "no")
    case.record(*acts.look_again(case.state, case.act()))
    assert case.actions() == [Start("feasible", 2)]
    case.carry_out(Start("feasible", 2))
    assert case.actions() == [], "not while it is being looked at again"
    case.end_attempt("feasible", "good")
    assert Start("announce", 1) in case.actions()


def test_a_green_one_is_looked_at_again_on_demand_until_it_begins() -> None:
    case = week()
    case.carry_out(Move("scheduled"))
    with pytest.raises(BadInput, match="not come to its end"):
        acts.look_again(case.state, case.act())
    go_through(case, "feasible", "announce")
    case.record(*acts.look_again(case.state, case.act()))
    assert case.actions() == [Start("feasible", 2)]
    case.carry_out(Start("feasible", 2))
    case.end_attempt("feasible", "final")
    assert case.actions() == []
    case.record(*acts.look_again(case.state, case.act()))
    go_through(case, "feasible")
    case.carry_out(Move("in_progress"))
    with pytest.raises(BadInput, match="has begun"):
        acts.look_again(case.state, case.act())


def test_those_who_can_mend_it_are_named(maintenances: Maintenances) -> None:
    begin(maintenances, [raw_step("feasible", **AHEAD), raw_step("work", approval=POLICY)])
    failure = {"attempt": 1, "error": "2 findings", "files": {}, "temporary": False, "retry_at": None}
    add(maintenances, (Kind.STEP_STARTED, "feasible", {"attempt": 1}), (Kind.STEP_FAILED, "feasible", failure))
    *_, (entry, state) = told(maintenances)
    shown = str(log_message(entry, state).blocks)
    assert f"<@{ANA}> and <!subteam^{APPROVERS}>: this blocks the maintenance" in shown
