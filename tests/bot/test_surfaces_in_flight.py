"""A change of the window while a surface is on its way up: no old time may stay behind, or be published meanwhile."""

from datetime import timedelta

from bot import changes
from bot.acts import Act
from bot.decide import Ask, Start
from bot.entry import Kind
from bot.journal import Draft
from bot.waiting import waited_for
from tests.bot.simulated import START, Simulated
from tests.maintenance_fixtures import raw_step

POLICY = {"count": 1, "approvers": ["U0BEN"], "expires_s": 3600.0, "requester_may": False}


def made() -> Simulated:
    banner = raw_step("banner", surface=True, reversible=True, phase="scheduled")
    return Simulated([banner, raw_step("work", needs=["banner"], due=["start", 0.0], approval=POLICY)])


def move(case: Simulated, number: int = 1) -> None:
    act = Act("U0ANA", str(number))
    case.record(*changes.move(case.state, act, START + timedelta(days=number), "UTC", case.now))


def settled(case: Simulated, step: str, kind: Kind, **payload: object) -> None:
    case.record(Draft(kind, "maint", f"{step}:{kind}", step, {"summary": "", "facts": {}, **payload}))


def approve(case: Simulated, step: str) -> None:
    case.carry_out(Ask(step))
    settled(case, step, Kind.APPROVED, token="", digest="d")
    case.carry_out(Start(step, 1))
    settled(case, step, Kind.STEP_SUCCEEDED)


def test_what_was_being_put_up_when_a_move_was_asked_for_is_put_up_again_behind_itself() -> None:
    case = made()
    case.carry_out(Start("banner", 1))
    move(case)
    assert case.state.specs["banner-again-1"].needs == ("move-1", "banner")
    approve(case, "move-1")
    assert Start("banner-again-1", 1) not in case.actions()
    settled(case, "banner", Kind.STEP_SUCCEEDED)
    assert Start("banner-again-1", 1) in case.actions()


def test_what_nobody_knows_of_is_put_up_again_once_it_is_settled() -> None:
    case = made()
    case.carry_out(Start("banner", 1))
    settled(case, "banner", Kind.STEP_UNKNOWN, error="the answer was lost")
    move(case)
    approve(case, "move-1")
    settled(case, "banner", Kind.STEP_SETTLED, happened=True, attempt=1)
    assert Start("banner-again-1", 1) in case.actions()


def test_nothing_with_the_old_time_is_published_while_a_move_is_being_decided() -> None:
    case = made()
    move(case)
    assert case.actions() == [Ask("move-1")]
    assert any("a decision about move-1" in line for line in waited_for(case.state, case.now))
    approve(case, "move-1")
    assert Start("banner", 1) in case.actions()


def test_a_move_that_is_turned_down_holds_nothing_up() -> None:
    case = made()
    move(case)
    case.carry_out(Ask("move-1"))
    settled(case, "move-1", Kind.REJECTED, token="", reason="no")
    assert Start("banner", 1) in case.actions()
