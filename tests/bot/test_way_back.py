"""Every moment of a maintenance has an answer to: can we go back, and what would it cost?"""

from datetime import timedelta
from typing import Any

from bot import acts
from bot.decide import Start
from bot.entry import Kind
from bot.journal import Draft
from bot.way_back import way_back
from tests.bot.simulated import Simulated
from tests.bot.test_decide import case_of, go_through
from tests.maintenance_fixtures import raw_step

REVERSIBLE: dict[str, Any] = {"reversible": True, "on_failure": "lift"}


def says(case: Simulated, step: str, **way: Any) -> None:
    """The step puts on record what the way back is now."""
    number = len(case.entries)
    case.record(Draft(Kind.STEP_FACT, "maint", f"fact:{number}", step, {"text": "…", "facts": {"way_back": way}}))


def test_before_it_has_begun_there_is_nothing_to_go_back_from() -> None:
    case = case_of(raw_step("banner", phase="scheduled", **REVERSIBLE), raw_step("cross", point_of_no_return=True))
    found = way_back(case.state, case.now)
    assert found.possible
    assert found.until == "cross"
    assert found.text == "yes: nothing has begun, and cancelling takes back what has been announced, until “cross”"


def test_a_step_that_says_nothing_takes_as_long_to_undo_as_it_took() -> None:
    case = case_of(raw_step("off", **REVERSIBLE), raw_step("look"))
    case.carry_out(case.actions()[0])
    go_through(case, "look")
    case.carry_out(Start("off", 1))
    assert way_back(case.state, case.now).takes_s == 60.0, "its estimate while it runs"
    case.now += timedelta(seconds=7)
    case.end_attempt("off", "good")
    found = way_back(case.state, case.now)
    assert (found.possible, found.takes_s, found.loses) == (True, 7.0, "")
    assert found.text == "yes, in about 7 s; nothing is lost"


def test_what_a_step_has_put_on_record_counts_and_the_newest_of_it() -> None:
    case = case_of(raw_step("upgrade", reversible=True), raw_step("cross", needs=["upgrade"], point_of_no_return=True))
    case.carry_out(case.actions()[0])
    case.carry_out(Start("upgrade", 1))
    says(case, "upgrade", possible=True, takes_s=20.0)
    assert way_back(case.state, case.now).takes_s == 20.0
    says(case, "upgrade", possible=True, takes_s=45.0, loses="what was written since 22:10")
    case.end_attempt("upgrade", "good")
    found = way_back(case.state, case.now)
    assert found.text == "yes, in about 45 s; lost would be what was written since 22:10, until “cross”"


def test_the_point_of_no_return_ends_it_unless_the_step_says_otherwise() -> None:
    case = case_of(raw_step("upgrade", reversible=True), raw_step("cross", title="Open", point_of_no_return=True))
    case.carry_out(case.actions()[0])
    go_through(case, "upgrade")
    case.carry_out(Start("cross", 1))
    found = way_back(case.state, case.now)
    assert (found.possible, found.text) == (False, "no: “Open” was the point of no return")
    says(case, "cross", possible=True, takes_s=30.0)
    assert way_back(case.state, case.now).possible
    says(case, "cross", possible=False, why="the new server has been started")
    assert way_back(case.state, case.now).text == "no: the new server has been started"


def test_what_is_taken_down_or_aborted_has_no_way_back_any_more() -> None:
    case = case_of(raw_step("off", **REVERSIBLE))
    case.carry_out(case.actions()[0])
    go_through(case, "off")
    case.record(*acts.abort(case.state, case.act(), "enough"))
    assert way_back(case.state, case.now).text == "no: the maintenance is aborted"
