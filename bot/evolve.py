"""What each entry of the journal does to the state of its maintenance. Pure: no I/O, no clock."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from bot.altered import replace
from bot.change_effects import CHANGES, change_effect
from bot.checklist import items_of
from bot.crew import crew_of
from bot.entry import Entry, Kind, instant, is_understood
from bot.evolve_crew import CREW
from bot.evolve_promise import PROMISE, estimated, kept_up, sized
from bot.milestones import milestones
from bot.state import FINISHED, Approval, State, StepState
from bot.step import Window
from bot.step_spec import step_spec


def evolve(state: State | None, entry: Entry) -> State:
    """Return the state after `entry`; a kind that says nothing about the state leaves it.

    Behind an entry of a newer version that is not understood only the place in the chain moves on: what comes after
    it may rest on what it says.

    Raises `ValueError` for what no journal of ours holds: a first entry that is not `created`, a step that there is
    not, a decision that nobody asked for.
    """
    if state is None:
        if entry.kind != Kind.CREATED:
            raise ValueError(f"the journal of {entry.maintenance} begins with {entry.kind}, not with created")
        return _created(entry)
    if entry.kind == Kind.CREATED:
        raise ValueError(f"{entry.maintenance} #{entry.seq}: created a second time")
    if state.unread or not is_understood(entry):
        return replace(state, seq=entry.seq, hash=entry.hash, unread=state.unread or entry.kind)
    after = kept_up(state, _evolved(state, entry), entry)
    passed = milestones(state, after, entry.at)
    return replace(after, milestones=(*after.milestones, *passed)) if passed else after


def _evolved(state: State, entry: Entry) -> State:
    whole = _WHOLE.get(entry.kind)
    if whole is not None:
        return whole(replace(state, seq=entry.seq, hash=entry.hash), entry)
    change = _STEP.get(entry.kind)
    if change is None:
        return replace(state, seq=entry.seq, hash=entry.hash)
    if entry.step is None or entry.step not in state.steps:
        raise ValueError(f"{entry.maintenance} #{entry.seq}: {entry.kind} of a step that there is not: {entry.step}")
    steps = dict(state.steps)
    steps[entry.step] = change(steps[entry.step], entry)
    state = replace(state, seq=entry.seq, hash=entry.hash, steps=steps)
    return change_effect(state, entry) if state.specs[entry.step].uses in CHANGES else state


def fold(entries: Iterable[Entry], state: State | None = None) -> State | None:
    """Return the state after all `entries`, starting from `state`."""
    for entry in entries:
        state = evolve(state, entry)
    return state


def planned(created: Mapping[str, Any], requester: str, now: datetime, maintenance: str = "") -> State:
    """Return the state that a maintenance would have if it were made now with this payload of a `created` entry."""
    return _created(Entry(maintenance, 1, now, requester, Kind.CREATED, None, created, "", "", ""))


def _created(entry: Entry) -> State:
    made = entry.payload
    specs = {raw["id"]: step_spec(raw) for raw in made["steps"]}
    window = made["window"]
    state = State(
        id=entry.maintenance,
        title=made["title"],
        runbook=made["runbook"],
        status="draft",
        window=Window(instant(window["start"]), instant(window["end"]), window["zone"]),
        requester=entry.actor,
        channel=made["channel"],
        params=made["params"],
        specs=specs,
        steps=dict.fromkeys(specs, StepState()),
        created_at=entry.at,
        seq=entry.seq,
        hash=entry.hash,
        on_change=tuple(made.get("on_change", ())),
        impact=made.get("impact", ""),
        public=made.get("public", True),
        radar=made.get("radar", {}),
        crew=crew_of(made, entry.actor),
        rehearsable=tuple(made.get("rehearsable", ())),
        rehearses=made.get("rehearses"),
    )
    return estimated(state, made["estimated"]) if made.get("estimated") else state


def _state_changed(state: State, entry: Entry) -> State:
    to = entry.payload["to"]
    return replace(
        state,
        status=to,
        started_at=entry.at if to == "in_progress" and state.started_at is None else state.started_at,
        ended_at=entry.at if to in FINISHED else state.ended_at,
    )


def _aborted(state: State, entry: Entry) -> State:
    # What a person was doing ends here: nobody would press Done afterwards, and the way back would wait for it.
    steps = {
        name: replace(now, status="failed", ended_at=entry.at, error="Not finished: the maintenance was aborted.")
        if now.status == "running" and state.specs[name].by_hand
        else now
        for name, now in state.steps.items()
    }
    because = entry.payload["reason"]
    return replace(
        state,
        status="aborted",
        aborted_because=because,
        aborted_by=entry.actor,
        half_done_counts=bool(entry.payload.get("half_done")),
        ended_at=entry.at,
        paused=False,
        steps=steps,
    )


def _resumed(state: State, entry: Entry) -> State:
    steps = {
        name: replace(now, held_s=now.held_s + (entry.at - max(state.paused_at, now.attempt_at)).total_seconds())
        if state.specs[name].pausable and now.status == "running" and state.paused_at and now.attempt_at
        else now
        for name, now in state.steps.items()
    }
    return replace(state, paused=False, paused_by=None, paused_at=None, steps=steps)


def _change_asked(state: State, entry: Entry) -> State:
    added = {raw["id"]: step_spec(raw) for raw in entry.payload["steps"]}
    taken = sorted(added.keys() & state.specs.keys())
    if taken:
        raise ValueError(f"{entry.maintenance} #{entry.seq}: steps that there are already: {', '.join(taken)}")
    return replace(
        state,
        specs={**state.specs, **added},
        steps={**state.steps, **dict.fromkeys(added, StepState())},
    )


_WHOLE: dict[str, Callable[[State, Entry], State]] = {
    **PROMISE,
    **CREW,
    Kind.CHANGE_ASKED: _change_asked,
    Kind.READ_BACK: lambda state, entry: replace(state, wrong=entry.payload["wrong"]),
    Kind.STILL_UP: lambda state, entry: replace(state, still_up=entry.payload["standing"], looked_at=entry.at),
    Kind.STATE_CHANGED: _state_changed,
    Kind.PAUSED: lambda state, entry: replace(state, paused=True, paused_by=entry.actor, paused_at=entry.at),
    Kind.RESUMED: _resumed,
    Kind.ABORTED: _aborted,
}


def _requested(now: StepState, entry: Entry) -> StepState:
    asked = entry.payload
    approval = Approval(
        token=asked["token"],
        digest=asked["digest"],
        summary=asked["summary"],
        details=tuple(asked["details"]),
        count=asked["count"],
        approvers=tuple(asked["approvers"]),
        requested_at=entry.at,
        expires_at=instant(asked["expires_at"]),
        then=asked.get("then", {}),
    )
    again = now.approval is not None and now.approval.closed == "expired"
    return replace(
        sized(now, asked.get("estimate_s")),
        status="waiting",
        approval=approval,
        requests=now.requests + 1,
        waiting_since=now.waiting_since if again else entry.at,
        asked_again=now.asked_again + 1 if again else 0,
    )


def _approved(now: StepState, entry: Entry) -> StepState:
    approval = _open_approval(now, entry)
    by = (*approval.approved_by, entry.actor)
    granted = len(by) >= approval.count
    done = replace(
        approval,
        approved_by=by,
        closed="granted" if granted else None,
        decided_at=entry.at if granted else None,
    )
    return replace(now, approval=done)


def _closed(how: str, status: str) -> Callable[[StepState, Entry], StepState]:
    def change(now: StepState, entry: Entry) -> StepState:
        if now.approval is None:
            raise ValueError(f"{entry.maintenance} #{entry.seq}: {entry.kind} without a request")
        reason = entry.payload.get("reason")
        return replace(
            now,
            status=status,
            approval=replace(
                now.approval,
                closed=how,
                decided_at=entry.at,
                rejected_by=entry.actor if how == "rejected" else None,
            ),
            error=reason if how == "rejected" else now.error,
            ended_at=entry.at if how == "rejected" else now.ended_at,
        )

    return change


def _open_approval(now: StepState, entry: Entry) -> Approval:
    if now.approval is None or now.approval.closed is not None:
        raise ValueError(f"{entry.maintenance} #{entry.seq}: {entry.kind} without an open request")
    return now.approval


def _started(now: StepState, entry: Entry) -> StepState:
    return replace(
        sized(now, entry.payload.get("estimate_s")),
        status="running",
        attempt=entry.payload["attempt"],
        started_at=now.started_at or entry.at,
        attempt_at=entry.at,
        doing=entry.payload.get("summary"),
        items=items_of(entry.payload.get("items", ()), now.items),
        ended_at=None,
        retry_at=None,
        error=None,
        overdue=False,
        held_s=0.0,
    )


def _ticked(now: StepState, entry: Entry) -> StepState:
    number = int(entry.payload["item"])
    items = tuple(
        replace(item, by=entry.actor, at=entry.at) if at == number else item for at, item in enumerate(now.items, 1)
    )
    return replace(now, items=items)


def _succeeded(now: StepState, entry: Entry) -> StepState:
    return replace(
        now,
        status="succeeded",
        ended_at=entry.at,
        summary=entry.payload["summary"],
        outcome=entry.payload["facts"],
        error=None,
    )


def _failed(now: StepState, entry: Entry) -> StepState:
    retry_at = entry.payload["retry_at"]
    return replace(
        now,
        status="failed",
        ended_at=entry.at,
        error=entry.payload["error"],
        retry_at=None if retry_at is None else instant(retry_at),
    )


def _settled(now: StepState, entry: Entry) -> StepState:
    if entry.payload["happened"]:
        return replace(now, status="succeeded", ended_at=entry.at, error=None, summary=entry.payload["summary"])
    return _again(now, entry)


def _again(now: StepState, _: Entry) -> StepState:
    """A further attempt. A granted approval still stands: it is bound to a digest, and that is compared again."""
    kept = now.approval if now.approval is not None and now.approval.closed == "granted" else None
    return replace(now, status="pending", retry_at=None, ended_at=None, error=None, approval=kept)


def _skipped(now: StepState, entry: Entry) -> StepState:
    approval = now.approval
    if approval is not None and approval.closed is None:
        approval = replace(approval, closed="skipped", decided_at=entry.at)
    return replace(
        now,
        status="skipped",
        ended_at=entry.at,
        error=entry.payload["reason"],
        retry_at=None,
        approval=approval,
    )


_STEP: dict[str, Callable[[StepState, Entry], StepState]] = {
    Kind.APPROVAL_REQUESTED: _requested,
    Kind.APPROVED: _approved,
    Kind.REJECTED: _closed("rejected", "failed"),
    Kind.APPROVAL_EXPIRED: _closed("expired", "waiting"),
    Kind.APPROVAL_VOID: _closed("void", "waiting"),
    Kind.STEP_STARTED: _started,
    Kind.STEP_FACT: lambda now, entry: replace(now, facts={**now.facts, **entry.payload["facts"]}),
    Kind.STEP_SUCCEEDED: _succeeded,
    Kind.STEP_FAILED: _failed,
    Kind.STEP_OVERDUE: lambda now, _: replace(now, overdue=True),
    Kind.STEP_UNKNOWN: lambda now, entry: replace(
        now, status="unknown", ended_at=entry.at, error=entry.payload["error"]
    ),
    Kind.STEP_SETTLED: _settled,
    Kind.ITEM_TICKED: _ticked,
    Kind.STEP_RETRIED: _again,
    Kind.STEP_SKIPPED: _skipped,
    Kind.UNDO_STARTED: lambda now, entry: replace(now, undo="running", undo_attempt=entry.payload["attempt"]),
    Kind.UNDONE: lambda now, entry: replace(now, undo="done", status="undone", summary=entry.payload["summary"]),
    Kind.UNDO_FAILED: lambda now, entry: replace(now, undo="failed", error=entry.payload["error"]),
    Kind.UNDO_ANSWERED: lambda now, entry: replace(now, undo=entry.payload["answer"]),
}
