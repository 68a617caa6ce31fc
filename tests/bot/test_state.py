"""Whatever happens to a maintenance, in whatever order: what `evolve` and `decide` never do, and always do."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot import acts
from bot.decide import PHASES, Action, Ask, Expire, MarkOverdue, Move, Start, Sweep, Undo, decide
from bot.entry import Entry, Kind, instant
from bot.evolve import evolve, fold
from bot.journal import Draft
from bot.state import State, must_undo, rollback_of
from bot.step_spec import due_at
from tests.bot.simulated import ID, PEOPLE, START, Simulated, runbooks
from tests.maintenance_fixtures import raw_step

SETTLED = {"succeeded", "skipped", "undone"}
ORDER = ("draft", *PHASES, "completed")


@given(steps=runbooks(), data=st.data())
@settings(max_examples=60, deadline=None)
def test_whatever_happens_the_rules_hold(steps: list[dict[str, Any]], data: st.DataObject) -> None:
    case = Simulated(steps)
    for _ in range(data.draw(st.integers(0, 60), label="events")):
        before = case.state
        case.happen(lambda below: data.draw(st.integers(0, below - 1)))
        the_rules_hold(case.state, case.actions(), case.now)
        assert decide(case.state, case.now) == case.actions()
        moved_on(before, case.state)
    assert fold(case.entries) == case.state
    half = len(case.entries) // 2
    assert fold(case.entries[half:], fold(case.entries[:half])) == case.state


def the_rules_hold(state: State, actions: list[Action], now: Any) -> None:
    steps = [action.step for action in actions if not isinstance(action, Move | Sweep)]
    assert len(steps) == len(set(steps)), "two actions for one step"
    if state.over:
        assert actions == []
    what_is_held_waits(state, actions)
    if state.status == "aborted":
        assert all(isinstance(action, Undo) for action in actions)
        assert len(actions) <= 1
    else:
        assert sum(isinstance(action, Undo) for action in actions) <= 1
    for action in actions:
        if isinstance(action, Start):
            may_start(state, action, now)
        elif isinstance(action, Ask | Expire):
            may_ask(state, action, now)
        elif isinstance(action, Undo):
            may_undo(state, action)
        elif isinstance(action, Sweep):
            assert all(step.status in SETTLED for step in state.steps.values())
            assert not any(step.undo == "running" for step in state.steps.values())
        else:
            assert action != Move("completed"), "without a look around"
    for name, spec in state.specs.items():
        assert not (spec.gate and state.steps[name].status == "skipped") or len(state.steps[name].overridden_by) == 2


def what_is_held_waits(state: State, actions: list[Action]) -> None:
    rollback = rollback_of(state)
    begun = [action for action in actions if isinstance(action, Ask | Expire | Start)]
    if rollback is not None and state.status != "aborted":
        assert all(state.specs[action.step].change == rollback for action in begun)
        assert all(isinstance(action, MarkOverdue) for action in actions if action not in begun) or state.rolling_back
    elif state.paused:
        assert all(isinstance(action, MarkOverdue) for action in actions)


def may_start(state: State, action: Start, now: Any) -> None:
    spec, step = state.specs[action.step], state.steps[action.step]
    assert all(state.steps[need].status in SETTLED for need in spec.needs)
    due = due_at(spec, state.window)
    assert due is None or now >= due
    assert step.status in {"pending", "waiting", "failed"}
    assert action.attempt == step.attempt + 1
    if step.status == "failed":
        assert step.retry_at is not None
        assert now >= step.retry_at
        assert step.attempt < spec.retry.attempts
    if spec.approval is not None:
        assert step.approval is not None
        assert step.approval.closed == "granted"
        assert len(set(step.approval.approved_by)) >= spec.approval.count


def may_ask(state: State, action: Ask | Expire, now: Any) -> None:
    spec, step = state.specs[action.step], state.steps[action.step]
    assert spec.approval is not None
    assert step.status in {"pending", "waiting"}
    if isinstance(action, Expire):
        assert step.approval is not None
        assert step.approval.closed is None
        assert now >= step.approval.expires_at
    else:
        assert step.approval is None or step.approval.closed in {"expired", "void"}


def may_undo(state: State, action: Undo) -> None:
    spec, step = state.specs[action.step], state.steps[action.step]
    assert spec.reversible
    assert step.attempt > 0
    assert step.undo not in {"done", "keep", "running"}
    assert action.attempt == step.undo_attempt + 1
    if state.rolling_back:
        names = list(state.specs)
        assert not any(must_undo(state, later) for later in names[names.index(action.step) + 1 :]), "out of order"
        return
    if state.status != "aborted":
        assert step.undo == "lift"
        assert action.step in state.still_up
        return
    assert spec.on_failure == "lift" or step.undo == "lift"
    names = list(state.specs)
    for later in names[names.index(action.step) + 1 :]:
        lifted = state.specs[later].on_failure == "lift" and must_undo(state, later)
        assert not lifted or state.steps[later].undo == "failed", "taken down out of order"


def moved_on(before: State, after: State) -> None:
    assert after.seq >= before.seq
    if before.over:
        assert after.status == before.status
    if after.status in ORDER and before.status in ORDER:
        assert ORDER.index(after.status) >= ORDER.index(before.status)
    for name in before.steps:
        step = after.steps[name]
        assert step.attempt >= before.steps[name].attempt
        assert step.undo_attempt >= before.steps[name].undo_attempt
        if before.steps[name].status in {"succeeded", "skipped", "undone"} and step.status != before.steps[name].status:
            assert step.status == "undone"
            if before.steps[name].status != "succeeded":  # skipped, but begun before: it may have stood half-way
                assert after.rolling_back or after.half_done_counts
                assert step.attempt > 0


@given(steps=runbooks(), data=st.data())
@settings(max_examples=60, deadline=None)
def test_no_maintenance_is_ever_stuck(steps: list[dict[str, Any]], data: st.DataObject) -> None:
    """From wherever it has come to: if the people answer and the steps succeed, it ends."""
    case = Simulated(steps)
    for _ in range(data.draw(st.integers(0, 40), label="events")):
        case.happen(lambda below: data.draw(st.integers(0, below - 1)))
    for _ in range(200):
        if case.state.over:
            return
        if not go_on(case):
            case.now += timedelta(hours=3)
    raise AssertionError(f"stuck: {case.state}")


def go_on(case: Simulated) -> bool:
    """Do the next thing that leads to the end; False if only time can."""
    state = case.state
    if actions := case.actions():
        case.carry_out(actions[0])
        return True
    if running := case.attempts_running():
        case.end_attempt(running[0], "good")
        return True
    if undoing := case.undos_running():
        case.end_undo(undoing[0], True)
        return True
    if state.paused:
        case.record(*acts.resume(state, case.act()))
        return True
    for name in state.specs:
        if decision := what_people_say(case, name):
            case.record(*decision)
            return True
    return False


def what_people_say(case: Simulated, name: str) -> list[Draft]:  # noqa: PLR0911 - one for each thing that is asked
    """What the people answer who want the maintenance to end; nothing where they are not asked."""
    state, step, aborted = case.state, case.state.steps[name], case.state.status == "aborted"
    if step.status == "unknown":
        return acts.settle(state, case.act(), name, True) if must_undo(state, name) or not aborted else []
    if aborted:
        return acts.answer_undo(state, case.act(), name, "lift") if must_undo(state, name) else []
    if state.rolling_back and state.specs[name].change is None:
        return acts.answer_undo(state, case.act(), name, "lift") if step.undo == "failed" else []
    if step.status == "failed" and step.retry_at is None:
        return acts.retry(state, case.act(), name)
    if step.status == "running":
        return acts.done(state, case.act(), name)
    open_ = step.approval is not None and step.approval.closed is None and case.now < step.approval.expires_at
    if step.status == "waiting" and step.approval is not None and open_:
        by = next(person for person in PEOPLE if person not in step.approval.approved_by)
        return acts.approve(state, by, step.approval.token, case.now)
    return []


@given(steps=runbooks(), kind=st.sampled_from(list(Kind)), data=st.data())
@settings(max_examples=60, deadline=None)
def test_every_kind_of_entry_is_either_taken_or_refused_in_words(
    steps: list[dict[str, Any]], kind: Kind, data: st.DataObject
) -> None:
    """A journal with an entry that ours would never hold must not break in an obscure place."""
    case = Simulated(steps)
    for _ in range(data.draw(st.integers(0, 20), label="events")):
        case.happen(lambda below: data.draw(st.integers(0, below - 1)))
    step = data.draw(st.sampled_from([*case.state.specs, "nowhere"]))
    entry = Entry(ID, case.state.seq + 1, case.now, "U0ANA", kind, step, ANYTHING, "k", case.state.hash, "h")
    refused = (
        kind == Kind.CREATED
        or (step == "nowhere" and kind.startswith(OF_STEPS))
        or (kind == Kind.APPROVED and not is_asked(case.state, step))
        or kind == Kind.HANDOVER_ANSWERED
        or (kind in CLOSINGS and case.state.steps[step].approval is None)
    )
    if refused:
        with pytest.raises(ValueError, match=f"{ID} #{entry.seq}"):
            evolve(case.state, entry)
        return
    state = evolve(case.state, entry)
    assert (state.seq, state.hash) == (entry.seq, "h")
    decide(state, case.now)


OF_STEPS = ("approv", "reject", "step_", "undo", "item_")
CLOSINGS = {Kind.REJECTED, Kind.APPROVAL_EXPIRED, Kind.APPROVAL_VOID}


def is_asked(state: State, step: str) -> bool:
    approval = state.steps[step].approval
    return approval is not None and approval.closed is None


ANYTHING: dict[str, Any] = {
    "attempt": 1, "answer": "keep", "count": 1, "approvers": [], "details": [], "digest": "d", "error": "e",
    "expires_at": START.isoformat(), "facts": {}, "files": {}, "happened": True, "reason": "r", "retry_at": None,
    "standing": {}, "takes_s": {"added": 9.0}, "source": "size", "steps": [raw_step("added")],
    "wrong": {},
    "end": START.isoformat(), "low": START.isoformat(), "high": START.isoformat(), "announced": START.isoformat(),
    "asked": [], "minutes": 5, "before": "added", "policy": None, "moment": START.isoformat(),
    "right": [], "item": 1, "left": 0, "asker": "U0ANA", "package": "p", "accepted": True, "from": "U0ANA", "number": 1,
    "summary": "s", "text": "t", "to": "in_progress", "token": "t", "timeout_s": 1.0,
}  # fmt: skip


def test_a_journal_begins_with_created_and_only_once() -> None:
    case = Simulated([raw_step("a")])
    created = case.entries[0]
    noted = Entry(ID, 1, START, "U0ANA", Kind.NOTED, None, {"text": "t"}, "k", "", "h")
    with pytest.raises(ValueError, match="begins with noted"):
        evolve(None, noted)
    with pytest.raises(ValueError, match="created"):
        evolve(case.state, created)


def test_behind_a_kind_of_a_newer_version_only_the_place_in_the_chain_moves_and_nothing_follows() -> None:
    case = Simulated([raw_step("a")])
    assert decide(case.state, START)
    newer = Entry(ID, 2, START, "maint", "weighed", "a", {"kg": 3}, "k", "h1", "h2")
    behind = Entry(ID, 3, START, "maint", Kind.STEP_STARTED, "weigh", {"attempt": 1}, "k3", "h2", "h3")
    after = fold([newer, behind], case.state)
    assert after is not None
    assert (after.seq, after.hash, after.unread) == (3, "h3", "weighed")
    assert after.steps == case.state.steps
    assert decide(after, START) == []
    assert fold([]) is None


def test_a_kind_of_a_newer_version_that_may_be_passed_over_holds_nothing_up() -> None:
    case = Simulated([raw_step("a")])
    after = evolve(case.state, Entry(ID, 2, START, "maint", "hummed", None, {"optional": True}, "k", "h1", "h2"))
    assert (after.seq, after.unread) == (2, "")
    assert decide(after, START) == decide(case.state, START)


def test_fields_that_only_a_newer_version_knows_are_passed_over() -> None:
    raw = raw_step("a", approval={"count": 2, "expires_s": 60.0, "approvers": ["U0BEN"], "by_phone": True})
    case = Simulated([{**raw, "retry": {**raw["retry"], "jitter_s": 0.5}, "colour": "red"}])
    spec = case.state.specs["a"]
    assert (spec.approval and spec.approval.count, spec.retry.attempts) == (2, raw["retry"]["attempts"])


def test_an_instant_needs_an_offset() -> None:
    assert instant("2026-11-25T22:00:00+13:00") == START
    with pytest.raises(ValueError, match="no UTC offset"):
        instant("2026-11-25T22:00:00")
