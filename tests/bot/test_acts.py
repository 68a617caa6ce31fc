"""What people may do, when, and what they are told otherwise."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot import acts, changes
from bot.acts import Act, AlreadyDecided
from bot.decide import Ask, Start, Undo
from bot.entry import Kind
from bot.errors import BadInput
from bot.evolve import evolve
from bot.journal import Draft
from bot.sentences import said
from bot.waiting import waited_for
from commands.abort import what_follows
from commands.verb import held
from tests.bot.simulated import START, Simulated
from tests.maintenance_fixtures import raw_step

ANA, BEN, CHLOE = "U0ANA", "U0BEN", "U0CHLOE"
ASKED = {"approval": {"count": 1, "approvers": [], "expires_s": 60.0, "requester_may": False}}


def case_of(*steps: dict[str, Any]) -> Simulated:
    case = Simulated(list(steps))
    case.now = START
    return case


def waiting(count: int = 1) -> tuple[Simulated, str]:
    """A maintenance whose one step waits for `count` approvals, and the token of the request."""
    case = case_of(raw_step("a", approval={**ASKED["approval"], "count": count}))
    case.carry_out(Ask("a"))
    approval = case.state.steps["a"].approval
    assert approval is not None
    return case, approval.token


def running(**changes: Any) -> Simulated:
    case = case_of(raw_step("a", **changes))
    case.carry_out(Start("a", 1))
    return case


def failed(**changes: Any) -> Simulated:
    case = running(**changes)
    case.end_attempt("a", "final")
    return case


def unknown(**changes: Any) -> Simulated:
    case = running(**changes)
    case.end_attempt("a", "unknown")
    return case


def only(drafts: list[Draft]) -> Draft:
    (draft,) = drafts
    return draft


def test_an_approval_names_who_what_and_how_many_are_needed() -> None:
    case, token = waiting(count=2)
    draft = only(acts.approve(case.state, BEN, token, case.now))
    assert (draft.kind, draft.actor, draft.step) == (Kind.APPROVED, BEN, "a")
    assert draft.payload == {"token": token, "digest": "d", "of": 2}
    case.record(draft)
    with pytest.raises(AlreadyDecided, match="You have approved a already; 2 people have to"):
        acts.approve(case.state, BEN, token, case.now)
    case.record(*acts.approve(case.state, CHLOE, token, case.now))
    approval = case.state.steps["a"].approval
    assert approval is not None
    assert (approval.closed, approval.approved_by) == ("granted", (BEN, CHLOE))


def test_who_comes_late_is_told_who_was_first_and_when() -> None:
    case, token = waiting()
    case.record(*acts.approve(case.state, BEN, token, case.now))
    for by in (BEN, CHLOE):
        with pytest.raises(AlreadyDecided, match=r"already approved by <@U0BEN> at 09:00 UTC"):
            acts.approve(case.state, by, token, case.now)
    with pytest.raises(AlreadyDecided, match="already approved"):
        acts.reject(case.state, CHLOE, token, "too late", case.now)


def test_a_rejection_needs_a_reason_and_ends_the_request() -> None:
    case, token = waiting()
    for empty in ("", "  \n"):
        with pytest.raises(BadInput, match="reason is needed") as caught:
            acts.reject(case.state, BEN, token, empty, case.now)
        assert caught.value.field == "reason"
    with pytest.raises(BadInput, match="at most 1000 characters, this one has 1001"):
        acts.reject(case.state, BEN, token, "x" * 1001, case.now)
    case.record(*acts.reject(case.state, BEN, token, " not tonight ", case.now))
    assert (case.state.steps["a"].status, case.state.steps["a"].error) == ("failed", "not tonight")
    with pytest.raises(AlreadyDecided, match=f"already rejected by <@{BEN}> at 09:00 UTC"):
        acts.approve(case.state, CHLOE, token, case.now)


def test_a_request_that_has_expired_or_been_replaced_decides_nothing() -> None:
    case, token = waiting()
    case.now += timedelta(seconds=60)
    with pytest.raises(AlreadyDecided, match="expired at 09:01 UTC"):
        acts.approve(case.state, BEN, token, case.now)
    for action in case.actions():
        case.carry_out(action)
    with pytest.raises(AlreadyDecided, match="expired"):
        acts.approve(case.state, BEN, token, case.now)
    for action in case.actions():
        case.carry_out(action)
    with pytest.raises(AlreadyDecided, match="replaced by a newer one"):
        acts.approve(case.state, BEN, token, case.now)


def test_a_request_of_a_skipped_step_or_an_aborted_maintenance_decides_nothing() -> None:
    case, token = waiting()
    case.record(*acts.skip(case.state, case.act(), "a", "not needed"))
    with pytest.raises(AlreadyDecided, match="skipped"):
        acts.approve(case.state, BEN, token, case.now)
    case, token = waiting()
    case.record(*acts.abort(case.state, case.act(), "enough"))
    with pytest.raises(BadInput, match="is aborted"):
        acts.approve(case.state, BEN, token, case.now)


def test_the_same_request_delivered_twice_has_the_same_key() -> None:
    state = failed().state
    act = Act(BEN, "delivery-1")
    made = [
        acts.note(state, act, "x"),
        acts.pause(state, act),
        acts.abort(state, act, "x"),
        acts.retry(state, act, "a"),
        acts.skip(state, act, "a", "x"),
    ]
    keys = [only(drafts).key for drafts in made]
    assert len(set(keys)) == len(keys)
    assert only(acts.note(state, act, "y")).key == keys[0]
    assert only(acts.note(state, Act(BEN, "delivery-2"), "x")).key != keys[0]


def test_pausing_and_resuming_are_refused_where_they_change_nothing() -> None:
    case = running()
    with pytest.raises(BadInput, match="is not paused"):
        acts.resume(case.state, case.act())
    case.record(*acts.pause(case.state, case.act()))
    with pytest.raises(BadInput, match="paused already"):
        acts.pause(case.state, case.act())
    case.record(*acts.resume(case.state, case.act()))
    assert not case.state.paused


def test_what_is_asked_for_in_a_pause_says_that_it_waits_for_its_end() -> None:
    case = failed(**ASKED)
    case.record(*acts.pause(case.state, case.act()))
    case.record(*changes.extend(case.state, case.act(), timedelta(minutes=30), START))
    assert case.actions() == []
    assert waited_for(case.state, START)[0] == "Resume: the maintenance is paused."
    assert "put to people once the maintenance is resumed" in said(case.entries[-1], case.state).head
    assert "/maint resume" in held(case.state)


@pytest.mark.parametrize("made", [running, failed, unknown])
def test_aborting_is_always_possible_once(made: Any) -> None:
    case = made()
    case.record(*acts.pause(case.state, case.act()))
    case.record(*acts.abort(case.state, case.act(), "enough"))
    assert (case.state.status, case.state.paused, case.state.aborted_because) == ("aborted", False, "enough")
    with pytest.raises(BadInput, match="is aborted"):
        acts.abort(case.state, case.act(), "again")


def test_a_note_may_always_be_written_and_needs_words() -> None:
    case = failed()
    case.record(*acts.abort(case.state, case.act(), "enough"))
    assert only(acts.note(case.state, case.act(), "  afterwards ")).payload == {"text": "afterwards"}
    with pytest.raises(BadInput, match="needs words"):
        acts.note(case.state, case.act(), "   ")


def test_only_what_failed_can_be_retried() -> None:
    for case in (running(), unknown()):
        with pytest.raises(BadInput, match="cannot be retried; that works while it is failed"):
            acts.retry(case.state, case.act(), "a")
    case = failed()
    case.record(*acts.retry(case.state, case.act(), "a"))
    assert case.state.steps["a"].status == "pending"


def test_what_was_approved_stays_approved_when_it_is_retried_and_what_was_rejected_does_not() -> None:
    case, token = waiting()
    case.record(*acts.approve(case.state, BEN, token, case.now))
    case.carry_out(Start("a", 1))
    case.end_attempt("a", "final")
    case.record(*acts.retry(case.state, case.act(), "a"))
    assert Start("a", 2) in case.actions()
    case, token = waiting()
    case.record(*acts.reject(case.state, BEN, token, "no", case.now))
    case.record(*acts.retry(case.state, case.act(), "a"))
    assert case.actions() == [Ask("a")]


def test_a_button_of_an_older_attempt_acts_on_nothing() -> None:
    case = failed()
    case.record(*acts.retry(case.state, case.act(), "a"))
    case.carry_out(Start("a", 2))
    case.end_attempt("a", "final")
    presses: list[Callable[[int], list[Draft]]] = [
        lambda attempt: acts.retry(case.state, Act(BEN, "d", attempt), "a"),
        lambda attempt: acts.skip(case.state, Act(BEN, "d", attempt), "a", "reason"),
    ]
    for act in presses:
        with pytest.raises(AlreadyDecided, match="at attempt 2 now; that button belonged to attempt 1"):
            act(1)
        assert only(act(2)).step == "a"


def test_skipping_is_for_what_has_not_happened_and_never_for_a_gate() -> None:
    for case in (running(), unknown()):
        with pytest.raises(BadInput, match="cannot be skipped"):
            acts.skip(case.state, case.act(), "a", "reason")
    with pytest.raises(BadInput, match="is a gate and cannot be skipped"):
        acts.skip(failed(gate=True).state, Act(BEN, "d"), "a", "reason")
    with pytest.raises(BadInput, match="reason is needed"):
        acts.skip(failed().state, Act(BEN, "d"), "a", " ")
    case = failed()
    case.record(*acts.skip(case.state, case.act(), "a", "not needed"))
    assert case.state.steps["a"].status == "skipped"


def test_done_ends_only_what_a_person_does_and_only_while_it_runs() -> None:
    with pytest.raises(BadInput, match="is done by the bot"):
        acts.done(running().state, Act(BEN, "d"), "a")
    with pytest.raises(BadInput, match="cannot be ended by hand"):
        acts.done(case_of(raw_step("a", by_hand=True)).state, Act(BEN, "d"), "a")
    case = running(by_hand=True)
    case.record(*acts.done(case.state, Act(BEN, "d"), "a"))
    step = case.state.steps["a"]
    assert (step.status, step.summary, step.outcome) == ("succeeded", "done by <@U0BEN>", {"by": BEN})


@pytest.mark.parametrize(
    ("case", "hint"),
    [
        (running(), "stop it with `/maint abort REASON`"),
        (running(by_hand=True), "press Done on the run card"),
        (unknown(), "Say first, by the buttons on the run card, whether it happened"),
        (waiting()[0], "It waits for its approval"),
    ],
)
def test_what_cannot_be_retried_says_what_can_be_done_instead(case: Simulated, hint: str) -> None:
    with pytest.raises(BadInput, match=hint):
        acts.retry(case.state, case.act(), "a")


def test_only_the_unknown_is_settled_also_after_an_abort() -> None:
    with pytest.raises(BadInput, match="Nothing is asked about a"):
        acts.settle(failed().state, Act(BEN, "d"), "a", True)
    case = unknown()
    case.record(*acts.settle(case.state, case.act(), "a", False))
    assert Start("a", 2) in case.actions()
    case = unknown()
    case.record(*acts.abort(case.state, case.act(), "enough"))
    for act in (acts.retry, acts.done):
        with pytest.raises(BadInput):
            act(case.state, case.act(), "a")
    with pytest.raises(BadInput):
        acts.skip(case.state, case.act(), "a", "reason")
    case.record(*acts.settle(case.state, case.act(), "a", True))
    assert case.state.steps["a"].status == "succeeded"
    assert case.state.over


def test_the_way_back_is_answered_only_where_it_is_asked() -> None:
    case = running(reversible=True, on_failure="ask")
    case.end_attempt("a", "good")
    with pytest.raises(BadInput, match="Nothing is asked"):
        acts.answer_undo(case.state, case.act(), "a", "lift")
    case.record(*acts.abort(case.state, case.act(), "enough"))
    assert case.actions() == []
    with pytest.raises(ValueError, match="not 'perhaps'"):
        acts.answer_undo(case.state, case.act(), "a", "perhaps")
    case.record(*acts.answer_undo(case.state, case.act(), "a", "lift"))
    case.carry_out(Undo("a", 1))
    with pytest.raises(BadInput, match="Nothing is asked"):
        acts.answer_undo(case.state, case.act(), "a", "keep")
    case.end_undo("a", good=False)
    case.record(*acts.answer_undo(case.state, case.act(), "a", "keep"))
    assert case.state.over
    with pytest.raises(BadInput, match="Nothing is asked"):
        acts.answer_undo(case.state, case.act(), "a", "lift")


def test_what_was_begun_and_then_skipped_is_asked_about_and_taken_back_as_well() -> None:
    case = failed(reversible=True, on_failure="ask")
    case.record(*acts.skip(case.state, case.act(), "a", "never mind"))
    assert "Asked about in the channel: a." in what_follows(case.state)
    old = evolve(case.state, replace(case.entries[-1], kind=Kind.ABORTED, step=None, payload={"reason": "enough"}))
    assert old.over, "what an older bot has aborted stays over"
    case.record(*acts.abort(case.state, case.act(), "enough"))
    assert not case.state.over
    case.record(*acts.answer_undo(case.state, case.act(), "a", "lift"))
    assert case.actions() == [Undo("a", 1)]


def test_what_was_skipped_before_it_began_is_not_asked_about() -> None:
    case = Simulated([raw_step("a", reversible=True, on_failure="ask")])
    case.record(*acts.skip(case.state, case.act(), "a", "never mind"))
    case.record(*acts.abort(case.state, case.act(), "enough"))
    assert case.state.over


def test_nothing_is_asked_about_what_stays_anyway() -> None:
    case = running(reversible=True, on_failure="keep")
    case.end_attempt("a", "good")
    case.record(*acts.abort(case.state, case.act(), "enough"))
    assert case.state.over
    with pytest.raises(BadInput, match="Nothing is asked"):
        acts.answer_undo(case.state, case.act(), "a", "lift")


@pytest.mark.parametrize("act", [acts.retry, acts.done])
def test_a_step_that_there_is_not_is_told_with_those_there_are(act: Any) -> None:
    with pytest.raises(BadInput, match=r"no step 'upgrad'. Its steps: a") as caught:
        act(failed().state, Act(BEN, "d"), "upgrad")
    assert caught.value.field == "step"


def test_the_first_entry_carries_the_id() -> None:
    draft = acts.created("2026-11-25-night", Act(ANA, "d7"), {"title": "Night"})
    assert (draft.kind, draft.actor, draft.key) == (Kind.CREATED, ANA, "created:d7")
    assert draft.payload == {"title": "Night", "id": "2026-11-25-night"}
