"""What follows from a state, by examples; `test_state.py` has the rules over everything that may happen."""

from datetime import timedelta
from typing import Any

from bot import acts
from bot.decide import Ask, Expire, MarkOverdue, Move, Start, Sweep, Undo
from tests.bot.simulated import RETRY, START, Simulated
from tests.maintenance_fixtures import raw_step

POLICY = {"count": 1, "approvers": [], "expires_s": 60.0, "requester_may": False}


def case_of(*steps: dict[str, Any]) -> Simulated:
    case = Simulated(list(steps))
    case.now = START
    return case


def go_through(case: Simulated, *steps: str) -> None:
    """Run these steps to a good end, whatever else is due."""
    for step in steps:
        case.carry_out(Start(step, case.state.steps[step].attempt + 1))
        case.end_attempt(step, "good")


def test_steps_without_needs_start_together_and_the_others_after_theirs() -> None:
    case = case_of(raw_step("a"), raw_step("b"), raw_step("c", needs=["a", "b"]))
    assert case.actions() == [Move("in_progress"), Start("a", 1), Start("b", 1)]
    go_through(case, "a")
    assert Start("c", 1) not in case.actions()
    go_through(case, "b")
    assert case.actions() == [Move("in_progress"), Start("c", 1)]


def test_a_skipped_need_is_settled_and_a_failed_one_is_not() -> None:
    case = case_of(raw_step("a"), raw_step("b", needs=["a"]))
    case.carry_out(Start("a", 1))
    case.end_attempt("a", "final")
    assert case.actions() == []
    case.record(*acts.skip(case.state, case.act(), "a", "not needed"))
    assert Start("b", 1) in case.actions()


def test_the_status_follows_the_steps_and_never_moves_back() -> None:
    case = case_of(raw_step("tell", phase="scheduled"), raw_step("late", phase="verifying"), raw_step("do"))
    assert case.actions()[:2] == [Move("scheduled"), Start("tell", 1)]
    assert case.actions()[2:] == [Move("verifying"), Start("late", 1), Start("do", 1)]


def test_a_step_waits_for_its_time_before_or_after_the_window() -> None:
    case = case_of(
        raw_step("early", due=["start", -3600.0]),
        raw_step("on-time", due=["start", 0.0]),
        raw_step("late", due=["end", 60.0]),
    )
    case.now = START - timedelta(hours=1, seconds=1)
    assert case.actions() == []
    case.now = START - timedelta(hours=1)
    assert case.actions() == [Move("in_progress"), Start("early", 1)]
    case.now = START + timedelta(hours=2, seconds=60)
    assert [action for action in case.actions() if isinstance(action, Start)] == [
        Start("early", 1),
        Start("on-time", 1),
        Start("late", 1),
    ]


def test_an_approval_is_asked_for_when_the_step_is_due_and_asked_again_when_it_expired() -> None:
    case = case_of(raw_step("a", approval=POLICY, due=["start", 10.0]))
    assert case.actions() == []
    case.now += timedelta(seconds=10)
    assert case.actions() == [Ask("a")]
    case.carry_out(Ask("a"))
    assert case.actions() == []
    case.now += timedelta(seconds=59)
    assert case.actions() == []
    case.now += timedelta(seconds=1)
    assert case.actions() == [Expire("a")]
    case.carry_out(Expire("a"))
    assert case.actions() == [Ask("a")]


def test_nobody_is_asked_while_it_is_paused() -> None:
    case = case_of(raw_step("a", approval=POLICY), raw_step("b"))
    case.carry_out(Start("b", 1))
    case.record(*acts.pause(case.state, case.act()))
    assert case.actions() == []
    case.now += timedelta(hours=1)
    assert case.actions() == [MarkOverdue("b")]


def test_a_pause_does_not_count_against_the_time_out_of_a_step_that_holds() -> None:
    case = case_of(raw_step("a", pausable=True, timeout_s=600.0))
    case.carry_out(Start("a", 1))
    case.now += timedelta(minutes=9)
    case.record(*acts.pause(case.state, case.act()))
    case.now += timedelta(days=2)
    assert case.actions() == []
    case.record(*acts.resume(case.state, case.act()))
    assert case.actions() == []
    case.now += timedelta(seconds=61)
    assert case.actions() == [MarkOverdue("a")]


def test_a_retry_waits_for_its_time_and_gives_way_to_a_pause() -> None:
    case = case_of(raw_step("a", retry=RETRY))
    case.carry_out(Start("a", 1))
    case.end_attempt("a", "temporary")
    assert case.actions() == []
    case.now += timedelta(seconds=RETRY["wait_s"])
    assert case.actions() == [Move("in_progress"), Start("a", 2)]
    case.record(*acts.pause(case.state, case.act()))
    assert case.actions() == []


def test_a_step_that_takes_too_long_is_told_once_an_attempt_and_goes_on() -> None:
    case = case_of(raw_step("a", timeout_s=120.0), raw_step("by-hand", by_hand=True, timeout_s=120.0))
    case.carry_out(Start("a", 1))
    case.carry_out(Start("by-hand", 1))
    case.now += timedelta(seconds=120)
    assert case.actions() == []
    case.now += timedelta(seconds=1)
    assert case.actions() == [MarkOverdue("a")]
    case.carry_out(MarkOverdue("a"))
    assert case.actions() == []
    assert case.state.steps["a"].status == "running"


def test_what_is_unknown_holds_up_what_needs_it() -> None:
    case = case_of(raw_step("a"), raw_step("b", needs=["a"]))
    case.carry_out(Start("a", 1))
    case.end_attempt("a", "unknown")
    case.now += timedelta(days=3)
    assert case.actions() == []


def test_it_is_completed_when_everything_is_settled_and_then_nothing_follows() -> None:
    case = case_of(raw_step("a"), raw_step("b"))
    go_through(case, "a")
    case.record(*acts.skip(case.state, case.act(), "b", "not needed"))
    assert case.actions() == [Sweep()]
    case.carry_out(Sweep())
    assert case.state.status == "completed"
    assert case.actions() == []
    assert case.state.over


def test_after_an_abort_it_is_taken_down_backwards_one_at_a_time() -> None:
    lift: dict[str, Any] = {"reversible": True, "on_failure": "lift"}
    case = case_of(raw_step("a", **lift), raw_step("b"), raw_step("c", **lift), raw_step("d", **lift), raw_step("e"))
    go_through(case, "a", "b", "c")
    case.carry_out(Start("e", 1))
    case.record(*acts.abort(case.state, case.act(), "enough"))
    assert case.actions() == [], "what runs comes to its end first"
    case.end_attempt("e", "final")
    assert case.actions() == [Undo("c", 1)], "d was never put up"
    case.carry_out(Undo("c", 1))
    assert case.actions() == []
    case.end_undo("c", good=True)
    assert case.actions() == [Undo("a", 1)]
    case.carry_out(Undo("a", 1))
    case.end_undo("a", good=True)
    assert case.state.over


def test_an_undo_that_failed_waits_for_people_and_does_not_hold_up_the_others() -> None:
    lift: dict[str, Any] = {"reversible": True, "on_failure": "lift"}
    case = case_of(raw_step("a", **lift), raw_step("b", **lift))
    go_through(case, "a", "b")
    case.record(*acts.abort(case.state, case.act(), "enough"))
    case.carry_out(Undo("b", 1))
    case.end_undo("b", good=False)
    assert case.actions() == [Undo("a", 1)]
    case.carry_out(Undo("a", 1))
    case.end_undo("a", good=True)
    assert case.actions() == []
    assert not case.state.over
    case.record(*acts.answer_undo(case.state, case.act(), "b", "lift"))
    assert case.actions() == [Undo("b", 2)]


def test_what_is_still_up_at_the_end_is_asked_about_and_lifted() -> None:
    case = case_of(raw_step("banner", reversible=True, on_failure="keep"))
    go_through(case, "banner")
    case.carry_out(Sweep(), standing=["banner"])
    assert case.actions() == [Sweep()]
    case.record(*acts.answer_undo(case.state, case.act(), "banner", "lift"))
    assert case.actions() == [Undo("banner", 1)]
    case.carry_out(Undo("banner", 1))
    assert case.actions() == []
    case.end_undo("banner", good=True)
    assert case.actions() == [Sweep()]
