"""An abort is no way round the gate: what was taken off comes back by two people, where nothing is proved."""

from typing import Any

import pytest

from bot import acts
from bot.acts import Act
from bot.decide import Start, Undo
from bot.entry import Kind
from bot.errors import BadInput
from bot.journal import Draft
from bot.questions import questions
from bot.unproved import unproved
from commands.abort import what_follows
from tests.bot.simulated import Simulated
from tests.maintenance_fixtures import raw_step

ANA, BEN = "U0ANA", "U0BEN"


def night(on_failure: str = "ask") -> Simulated:
    off = raw_step("off", opens=True, reversible=True, on_failure=on_failure)
    upgrade, gate = raw_step("upgrade", needs=["off"]), raw_step("gate", needs=["upgrade"], gate=True)
    case = Simulated([off, upgrade, gate, raw_step("on", needs=["gate"])])
    ends(case, "off")
    return case


def ends(case: Simulated, step: str, kind: Kind = Kind.STEP_SUCCEEDED, **payload: Any) -> None:
    case.carry_out(Start(step, 1))
    said = {"summary": "", "facts": {}, "error": "slow", "retry_at": None, **payload}
    case.record(Draft(kind, "maint", f"{step}:end", step, said))


def red(on_failure: str = "ask") -> Simulated:
    case = night(on_failure)
    ends(case, "upgrade")
    ends(case, "gate", Kind.STEP_FAILED)
    return case


def abort(case: Simulated, by: str = ANA) -> None:
    case.record(*acts.abort(case.state, Act(by, "abort"), "enough"))


def test_whoever_aborted_it_does_not_open_it_on_red_as_well() -> None:
    case = red()
    abort(case)
    assert unproved(case.state, "off") == "gate"
    with pytest.raises(BadInput, match="gate has not come out green"):
        acts.answer_undo(case.state, Act(ANA, "lift"), "off", "lift")
    lifted = acts.answer_undo(case.state, Act(BEN, "lift"), "off", "lift")
    assert lifted[0].payload == {"answer": "lift", "unproved": "gate"}
    case.record(*lifted)
    assert case.actions() == [Undo("off", 1)]


def test_the_card_says_what_lifting_would_do_and_asks_twice() -> None:
    case = red()
    assert "only a second person who may approve can lift off" in what_follows(case.state)
    abort(case)
    shown = str(questions(case.state))
    assert "“gate” has not come out green" in shown
    assert "'confirm'" in shown.partition("'Keep'")[0]


def test_a_runbook_that_lifts_by_itself_is_asked_first_where_nothing_is_proved() -> None:
    case = red("lift")
    abort(case)
    assert case.actions() == []
    assert "off is still up" in str(questions(case.state))


@pytest.mark.parametrize("on_failure", ["ask", "lift"])
def test_before_anything_was_begun_and_once_it_is_proved_one_person_is_enough(on_failure: str) -> None:
    early = night(on_failure)
    abort(early)
    green = night(on_failure)
    ends(green, "upgrade")
    ends(green, "gate")
    abort(green)
    for case in (early, green):
        assert unproved(case.state, "off") is None
        if on_failure == "ask":
            case.record(*acts.answer_undo(case.state, Act(ANA, "lift"), "off", "lift"))
        assert case.actions() == [Undo("off", 1)]


def test_to_keep_it_off_is_anybodys_who_decides() -> None:
    case = red()
    abort(case)
    case.record(*acts.answer_undo(case.state, Act(ANA, "keep"), "off", "keep"))
    assert case.state.over
