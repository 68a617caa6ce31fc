"""What people do to a maintenance, as drafts for the journal. Pure: each function judges the state and raises, or
returns what to record.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from bot.checklist import unticked
from bot.entry import Kind
from bot.errors import BadInput
from bot.journal import Draft
from bot.paging import is_page
from bot.state import Approval, State, StepState, must_undo
from bot.unproved import unproved

_REASON_CHARACTERS = 1000
_HINTS: Mapping[str, str] = {
    "pending": " It has not started yet.",
    "waiting": " It waits for its approval, which is given on its request in the channel.",
    "running": " Wait for its end, or stop it with `/maint abort REASON`.",
    "unknown": " Say first, by the buttons on the run card, whether it happened.",
}
_DONE_BY_PEOPLE = " It is done by hand: press Done on the run card when it is."


@dataclass(frozen=True)
class Act:
    """Who acts (a Slack user id, taken from the signed request) and the identity of that request.

    The identity makes the key of the entry, so that a request which is delivered again is recorded once. `attempt`
    comes from a button, and guards against acting on an older situation than the one that the person saw.
    """

    user: str
    delivery: str
    attempt: int | None = None


class AlreadyDecided(BadInput):
    """Somebody was faster, or this is the second press: the text says who decided and when."""


def approve(state: State, by: str, token: str, now: datetime) -> list[Draft]:
    """Approve the open request `token`. Raises `AlreadyDecided` or `BadInput` (expired, unknown)."""
    step, approval = _open_request(state, by, token, now)
    payload: dict[str, Any] = {"token": token, "digest": approval.digest, "of": approval.count}
    glass = state.crew.glass(token)
    if glass is not None and glass.asker == by:
        payload["glass"] = True
    return [Draft(Kind.APPROVED, by, f"{state.id}:{step}:approved:{token}:{by}", step, payload)]


def reject(state: State, by: str, token: str, reason: str, now: datetime) -> list[Draft]:
    """Reject the open request `token`; the step fails, and can be retried, which asks anew."""
    step, approval = _open_request(state, by, token, now)
    payload = {"token": token, "digest": approval.digest, "reason": needed_reason(reason)}
    return [Draft(Kind.REJECTED, by, f"{state.id}:{step}:decided:{token}", step, payload)]


def try_on(state: State, act: Act, token: str) -> list[Draft]:
    """Put on record that somebody asks to be shown first what the open request `token` is about."""
    step, approval = request_of(state, token)
    _must_be_open(state)
    if approval.closed is not None or not state.specs[step].try_on:
        raise AlreadyDecided(f"{step} is not waiting for a decision any more, so nothing is sent to you.")
    payload = {"text": "Asked to be sent it first, alone.", "facts": {}}
    return [Draft(Kind.STEP_FACT, act.user, f"try:{act.delivery}", step, payload)]


def request_of(state: State, token: str) -> tuple[str, Approval]:
    """Return the step and the request that `token` belongs to. Raises `BadInput` if it has been replaced."""
    for step, now in state.steps.items():
        if now.approval is not None and now.approval.token == token:
            return step, now.approval
    raise AlreadyDecided("This request has been replaced by a newer one; look for the latest one in the channel.")


def _open_request(state: State, by: str, token: str, now: datetime) -> tuple[str, Approval]:
    step, approval = request_of(state, token)
    _must_be_open(state)
    if state.taking_down and state.specs[step].change is None:
        raise AlreadyDecided(f"{step} is no longer asked: what has been done is taken back.")
    if by in approval.approved_by and approval.closed is None:
        raise AlreadyDecided(f"You have approved {step} already; {approval.count} people have to.")
    if approval.closed is not None:
        who = ", ".join(f"<@{user}>" for user in approval.approved_by) or "somebody"
        when = f"{approval.decided_at:%H:%M} UTC" if approval.decided_at else "before"
        words = {
            "granted": f"already approved by {who} at {when}",
            "rejected": f"already rejected by <@{approval.rejected_by}> at {when}",
        }
        was = words.get(approval.closed, f"closed ({approval.closed}) at {when}")
        raise AlreadyDecided(f"{step} was {was}.")
    if state.steps[step].status != "waiting":
        raise AlreadyDecided(f"{step} is {state.steps[step].status}; nothing is asked about it any more.")
    if now >= approval.expires_at:
        raise AlreadyDecided(f"This request expired at {approval.expires_at:%H:%M} UTC; a new one is on its way.")
    return step, approval


def note(_: State, act: Act, text: str, source: Mapping[str, str] = MappingProxyType({})) -> list[Draft]:
    """Write a note into the log. Allowed at any time, also afterwards.

    `source` has `author` (a Slack user id) and `link` where it is somebody's message.
    """
    if not text.strip():
        raise BadInput("A note needs words: `/maint note TEXT`.", field="text")
    return [Draft(Kind.NOTED, act.user, f"note:{act.delivery}", payload={**source, "text": text.strip()})]


def pause(state: State, act: Act) -> list[Draft]:
    """Start no further step until resumed; pausable steps hold, what else runs goes on."""
    _must_be_open(state)
    if state.paused:
        raise BadInput(f"{state.id} is paused already. `/maint resume` lets it go on.")
    return [Draft(Kind.PAUSED, act.user, f"pause:{act.delivery}")]


def resume(state: State, act: Act) -> list[Draft]:
    """Let a paused maintenance go on."""
    _must_be_open(state)
    if not state.paused:
        raise BadInput(f"{state.id} is not paused.")
    return [Draft(Kind.RESUMED, act.user, f"resume:{act.delivery}")]


def abort(state: State, act: Act, reason: str) -> list[Draft]:
    """Stop for good. Always possible while the maintenance is not over, whatever runs."""
    _must_be_open(state)
    payload = {"reason": needed_reason(reason), "half_done": True}
    return [Draft(Kind.ABORTED, act.user, f"abort:{act.delivery}", payload=payload)]


def retry(state: State, act: Act, step: str) -> list[Draft]:
    """Try a failed step again; `attempt` (from a button) guards against acting on an older failure."""
    now = _step_in(state, step, {"failed"}, "retried")
    _same_attempt(step, now, act.attempt)
    return [Draft(Kind.STEP_RETRIED, act.user, f"retry:{act.delivery}", step, {"attempt": now.attempt})]


def look_again(state: State, act: Act) -> list[Draft]:
    """Let the latest look ahead (a preflight) look again; while it has not come out green, nothing else starts."""
    _must_be_open(state)
    if state.status not in {"draft", "scheduled"} or state.taking_down:
        raise BadInput(f"{state.id} has begun: what could have stopped it was looked for before.")
    ahead = [step for step, spec in state.specs.items() if spec.ahead]
    if not ahead:
        raise BadInput(f"{state.id} has no step that looks ahead, such as a preflight.")
    looked = [step for step in ahead if state.steps[step].status in {"succeeded", "failed"}]
    if not looked or any(state.steps[step].status == "running" for step in ahead):
        raise BadInput(f"{state.id}: the look ahead has not come to its end yet; its result comes into the channel.")
    step = looked[-1]
    return [Draft(Kind.STEP_RETRIED, act.user, f"look:{act.delivery}", step, {"attempt": state.steps[step].attempt})]


def skip(state: State, act: Act, step: str, reason: str) -> list[Draft]:
    """Go on without a step. A gate cannot be skipped: the app opens on evidence, not on patience."""
    now = _step_in(state, step, {"pending", "waiting", "failed"}, "skipped")
    _same_attempt(step, now, act.attempt)
    if state.specs[step].gate:
        raise BadInput(
            f"{step} is a gate and cannot be skipped. Mend what it found and `/maint retry {step}`, or "
            f"`/maint abort REASON`. Two people may let it go on: `/maint open-on-red {step} REASON`."
        )
    return [Draft(Kind.STEP_SKIPPED, act.user, f"skip:{act.delivery}", step, {"reason": needed_reason(reason)})]


def done(state: State, act: Act, step: str) -> list[Draft]:
    """End a step that a person does."""
    if step in state.specs and not state.specs[step].by_hand:
        raise BadInput(f"{step} is done by the bot; `done` ends only steps that a person does.")
    now = _step_in(state, step, {"running"}, "ended by hand")
    _same_attempt(step, now, act.attempt)
    if left := unticked(now.items):
        raise BadInput(f"{step} is done when all of its list is ticked. Not yet: {', '.join(map(str, left))}.")
    payload = {"attempt": now.attempt, "summary": f"done by <@{act.user}>", "facts": {"by": act.user}, "files": {}}
    return [Draft(Kind.STEP_SUCCEEDED, act.user, f"done:{act.delivery}", step, payload)]


def tick(state: State, act: Act, step: str, number: int) -> list[Draft]:
    """Tick item `number` (from 1) of a step's checklist; with the last one the step is done."""
    now = _step_in(state, step, {"running"}, "ticked")
    if not 1 <= number <= len(now.items):
        count = f"{len(now.items)} items" if now.items else "no checklist"
        raise BadInput(f"{step} has {count}; there is no item {number}.", field="item")
    item = now.items[number - 1]
    if item.by is not None:
        at = f" at {item.at:%H:%M} UTC" if item.at else ""
        raise AlreadyDecided(f"Item {number} of {step} was ticked already by <@{item.by}>{at}.")
    prefix = f"{state.id}:{step}:{now.attempt}"
    payload = {"item": number, "text": item.text, "left": len(unticked(now.items)) - 1}
    ticked = [Draft(Kind.ITEM_TICKED, act.user, f"{prefix}:tick:{number}", step, payload)]
    if payload["left"]:
        return ticked
    end = {"attempt": now.attempt, "summary": f"done by <@{act.user}>", "facts": {"by": act.user}, "files": {}}
    return [*ticked, Draft(Kind.STEP_SUCCEEDED, act.user, f"{prefix}:ticked", step, end)]


def settle(state: State, act: Act, step: str, happened: bool) -> list[Draft]:
    """Say what came of an `unknown` step, after looking: it happened, or it did not and is to be done again."""
    if known(state, step).status != "unknown":
        is_now = state.steps[step].status
        raise AlreadyDecided(
            f"Nothing is asked about {step} any more: it is {is_now} now. The log says who settled it."
        )
    now = _step_in(state, step, {"unknown"}, "settled")
    _same_attempt(step, now, act.attempt)
    if happened and state.specs[step].gate:
        raise BadInput(f"{step} is a gate: only what it measures counts. `/maint retry {step}` looks again.")
    payload = {"happened": happened, "summary": f"confirmed by <@{act.user}>", "attempt": now.attempt}
    return [Draft(Kind.STEP_SETTLED, act.user, f"settle:{act.delivery}", step, payload)]


def answer_undo(state: State, act: Act, step: str, answer: str) -> list[Draft]:
    """Say of something that is still up, after an abort or at the end, whether to `lift` it or to `keep` it."""
    now = known(state, step)
    asked = must_undo(state, step) if state.taking_down else step in state.still_up and not state.over
    asked |= is_page(state.specs[step]) and now.undo == "failed" and not state.over
    if not asked or now.undo == "running":
        raise BadInput(f"Nothing is asked about {step} (any more).")
    if answer == "keep" and state.rolling_back and "way_back" in {**now.facts, **now.outcome}:
        raise BadInput(
            f"{step} cannot be kept: what is undone after it may open the app, on something that has not been proved. "
            "Mend what it names and press Lift, or `/maint abort REASON`."
        )
    if answer not in {"lift", "keep"}:
        raise ValueError(f"an undo is answered with lift or keep, not {answer!r}")
    gate = unproved(state, step) if answer == "lift" and state.status == "aborted" else None
    if gate is not None and act.user == state.aborted_by:
        raise BadInput(
            f"You have aborted it, and {gate} has not come out green: that {step} is lifted, and users come in all the "
            "same, is for a second person who may approve."
        )
    payload = {"answer": answer, **({} if gate is None else {"unproved": gate})}
    return [Draft(Kind.UNDO_ANSWERED, act.user, f"undo:{act.delivery}", step, payload)]


def needed_reason(reason: str) -> str:
    """Return `reason` without surrounding space. Raises `BadInput` if it is empty or too long to read."""
    reason = reason.strip()
    if not reason:
        raise BadInput("A reason is needed: it is what the others and the report will read.", field="reason")
    if len(reason) > _REASON_CHARACTERS:
        raise BadInput(
            f"A reason has at most {_REASON_CHARACTERS} characters, this one has {len(reason)}.", field="reason"
        )
    return reason


def _must_be_open(state: State) -> None:
    if state.status in {"completed", "cancelled", "aborted", "rolled_back"}:
        raise BadInput(f"{state.id} is {state.status}; nothing more can be done in it.")


def known(state: State, step: str) -> StepState:
    """Return the step. Raises `BadInput`, naming those there are, if there is none of that id."""
    if step not in state.steps:
        raise BadInput(f"{state.id} has no step {step!r}. Its steps: {', '.join(state.steps)}.", field="step")
    return state.steps[step]


def _step_in(state: State, step: str, statuses: set[str], word: str) -> StepState:
    now = known(state, step)
    if state.status != "aborted" or "unknown" not in statuses:
        # What was lost can still be found out after an abort; everything else has ended with it.
        _must_be_open(state)
    if state.takes_all_back and state.specs[step].change is None and "failed" in statuses:
        raise BadInput(f"{step} cannot be {word} any more: what has been done is taken back.")
    if now.status not in statuses:
        hint = _DONE_BY_PEOPLE if state.specs[step].by_hand and now.status == "running" else _HINTS.get(now.status, "")
        raise BadInput(f"{step} is {now.status} and cannot be {word}; that works while it is {_or(statuses)}.{hint}")
    return now


def _same_attempt(step: str, now: StepState, attempt: int | None) -> None:
    if attempt is not None and attempt != now.attempt:
        raise AlreadyDecided(f"{step} is at attempt {now.attempt} now; that button belonged to attempt {attempt}.")


def _or(words: set[str]) -> str:
    return " or ".join(sorted(words))


def created(maintenance: str, act: Act, payload: Mapping[str, Any]) -> Draft:
    """Return the first entry of a maintenance; a redelivered request makes no second one."""
    return Draft(Kind.CREATED, act.user, f"created:{act.delivery}", payload={**payload, "id": maintenance})
