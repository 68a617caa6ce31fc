"""What each kind of journal entry says to people. Pure: one sentence of mrkdwn, and whose words follow it.

Whoever adds a `Kind` adds its sentence here; a test holds that none is missing.
"""

from collections.abc import Callable
from dataclasses import replace

from bot.entry import Entry, Kind
from bot.markup import announced, duration, escape, inline, mention, mentions, outcome, task, when
from bot.rehearsed import rehearsal_line
from bot.said import Said, by_name
from bot.sentences_crew import CREW
from bot.sentences_promise import PROMISE
from bot.state import State, StepState, rollback_of
from bot.step_spec import StepSpec
from bot.waiting import what_holds


def said(entry: Entry, state: State) -> Said:
    """Return what `entry` says; `state` is the state right after it.

    Of what a newer version of the bot wrote, and of all behind it, only the name and the words are told.
    """
    if state.unread:
        return by_name(entry)
    if entry.step is not None and entry.step in state.specs:
        for_step = _STEP.get(entry.kind)
        if for_step is not None:
            told = for_step(entry, state.specs[entry.step], state.steps[entry.step])
            return _blocked(told, state) if _blocks(entry, state) else told
    whole = _WHOLE.get(entry.kind)
    return whole(entry, state) if whole is not None else by_name(entry)


def _created(entry: Entry, state: State) -> Said:
    long = duration((state.window.end - state.window.start).total_seconds())
    count = f"{len(state.specs)} step" + ("" if len(state.specs) == 1 else "s")
    steps = "\n".join(f"{number}. {spec.title} ({spec.id})" for number, spec in enumerate(state.specs.values(), 1))
    against = [
        f"{'Blocks' if each['blocks'] else 'Warning'}: {each['text']}" for each in entry.payload.get("conflicts", ())
    ]
    if state.rehearsable:
        against.append(rehearsal_line(state))
    return Said(
        f"*{inline(state.title)}* is planned from the runbook `{escape(state.runbook)}`: {count}. "
        f"Window: {when(state.window.start)} to {when(state.window.end)} your time, {long}; announced as "
        f"{escape(announced(state.window))}.{_again(entry)}",
        "\n".join([*against, steps]),
        "steps.txt",
    )


def _state_changed(entry: Entry, state: State) -> Said:
    to = str(entry.payload["to"])
    words = {
        "scheduled": f"The maintenance is scheduled. The window opens {when(state.window.start)}.",
        "in_progress": f"The maintenance has begun. The window ends {when(state.window.end)}.",
        "verifying": "The work is done; what came of it is being verified before anything opens.",
        "completed": f"The maintenance is completed{_took(state)}. Nothing is left to do.",
        "cancelled": "The maintenance is cancelled. Nothing more will be done.",
        "rolled_back": "The maintenance is rolled back: what it had put up is taken down.",
    }
    return Said(words.get(to, f"The maintenance is now {inline(to)}."))


def _took(state: State) -> str:
    if state.started_at is None or state.ended_at is None:
        return ""
    took = duration((state.ended_at - state.started_at).total_seconds())
    left_s = (state.window.end - state.ended_at).total_seconds()
    rest = f"{duration(left_s)} before" if left_s >= 0 else f"{duration(-left_s)} after"
    return f": it took {took} and ended {rest} the end of the window"


def _aborted(entry: Entry, _: State) -> Said:
    return Said(
        "The maintenance is aborted:",
        str(entry.payload["reason"]),
        "reason.txt",
        "No further step starts. What is to be taken down is taken down now; what needs an answer is asked on the run "
        "card.",
    )


def _again(entry: Entry) -> str:
    recur = entry.payload.get("recur")
    if recur is None:
        return ""
    note = f" {escape(recur['note'])}" if recur["note"] else ""
    return f" It comes again by itself (`{escape(recur['rrule'])}`, {escape(recur['at'])}).{note}"


def _noted(entry: Entry, _: State) -> Said:
    author, link = entry.payload.get("author"), entry.payload.get("link")
    head = f"Note, a message of {mention(str(author))} ({inline(str(link))}):" if author and link else "Note:"
    return Said(head, str(entry.payload["text"]), "note.txt")


def _change_asked(entry: Entry, state: State) -> Said:
    steps = [state.specs[raw["id"]].title for raw in entry.payload["steps"]]
    reason = str(entry.payload["reason"])
    then = f" What follows from it: {'; '.join(map(inline, steps[1:]))}." if len(steps) > 1 else ""
    held = " It is put to people once the maintenance is resumed." if state.paused and not rollback_of(state) else ""
    head = f"Asked for: {inline(steps[0])}. Nothing changes before it is approved.{held}{then}"
    return Said(head, reason, "reason.txt")


def _still_up(entry: Entry, state: State) -> Said:
    lines = [f"{state.specs[step].title} ({step}): {seen}" for step, seen in entry.payload["standing"].items()]
    return Said(
        "Everything is done, but not everything is down, so the maintenance is not completed yet:",
        "\n".join(lines),
        "still-up.txt",
        "It is looked at again every 20 seconds; Lift or Keep on the run card decides.",
    )


def _read_back(entry: Entry, state: State) -> Said:
    wrong = entry.payload["wrong"]
    right = [f"*{inline(state.specs[step].title)}*" for step in entry.payload["right"] if step in state.specs]
    again = f"People see again what they should: {', '.join(right)}." if right else ""
    if not wrong:
        return Said(again)
    lines = [f"{state.specs[step].title} ({step}) {seen}" for step, seen in wrong.items()]
    head = " ".join([again, "What people see is not what it should be:"]).strip()
    tail = "Somebody may have changed it by hand. `/maint surfaces` looks now; it is looked at again by itself."
    return Said(head, "\n".join(lines), "surfaces.txt", tail)


_WHOLE: dict[str, Callable[[Entry, State], Said]] = {
    **PROMISE,
    **CREW,
    Kind.CREATED: _created,
    Kind.STATE_CHANGED: _state_changed,
    Kind.NOTED: _noted,
    Kind.PAUSED: lambda _, state: Said(
        f"Paused: {what_holds(state)}, and no further step starts until somebody resumes."
    ),
    Kind.RESUMED: lambda *_: Said("Resumed: steps start again."),
    Kind.ABORTED: _aborted,
    Kind.CHANGE_ASKED: _change_asked,
    Kind.READ_BACK: _read_back,
    Kind.STILL_UP: _still_up,
}


def _name(spec: StepSpec) -> str:
    return f"*{inline(spec.title)}* (`{spec.id}`)" if spec.title != spec.id else f"*{inline(spec.id)}*"


def _ran(step: StepState) -> str:
    if step.attempt_at is None or step.ended_at is None:
        return ""
    took_s = (step.ended_at - step.attempt_at).total_seconds()
    return f" after {duration(took_s)}" if took_s >= 1 else ""


def _requested(entry: Entry, spec: StepSpec, step: StepState) -> Said:
    asked = entry.payload
    many = "approval" if asked["count"] == 1 else f"the approval of {asked['count']} people"
    who = mentions(tuple(asked["approvers"]), "or") or "anybody who may approve"
    until = f" until {when(step.approval.expires_at)}" if step.approval else ""
    return Said(
        f"{_name(spec)} needs {many} by {who}{until}: {inline(asked['summary'])}",
        "\n".join(asked["details"]),
        "plan.txt",
    )


def _approved(entry: Entry, spec: StepSpec, step: StepState) -> Said:
    count = step.approval.count if step.approval else 1
    by = len(step.approval.approved_by) if step.approval else 1
    glass = " *by break-glass*, by whoever asked for it" if entry.payload.get("glass") else ""
    rest = "it goes ahead." if by >= count else f"{count - by} more needed."
    share = f" ({by} of {count})" if count > 1 else ""
    return Said(f"Approved {_name(spec)}{glass}{share}: {rest}")


def _rejected(entry: Entry, spec: StepSpec, _: StepState) -> Said:
    return Said(
        f"Rejected {_name(spec)}:",
        str(entry.payload["reason"]),
        "reason.txt",
        "Nothing of it has been done; Retry on the run card asks anew.",
    )


def _void(entry: Entry, spec: StepSpec, _: StepState) -> Said:
    reason = inline(str(entry.payload.get("reason", "what would be done has changed")))
    return Said(f"The approval of {_name(spec)} no longer counts: {reason}. Nothing has been done; it is asked again.")


def _started(entry: Entry, spec: StepSpec, _: StepState) -> Said:
    attempt = int(entry.payload["attempt"])
    again = "" if attempt == 1 else f", attempt {attempt}"
    if spec.by_hand:
        whose, what = task(str(entry.payload.get("summary", "")))
        listed = "Tick off the list in the next message; its last tick ends the step."
        return Said(
            f"{_name(spec)} is now to be done by hand{whose}{again}{':' if what else '.'}",
            what,
            tail=listed if entry.payload.get("items") else "Press Done on the run card when it is.",
        )
    if spec.until:
        return Said(f"{_name(spec)} started{again}; it goes on until `{inline(spec.until)}` is done.")
    return Said(f"{_name(spec)} started{again}; it should take about {duration(spec.estimate_s)}.")


def _fact(entry: Entry, spec: StepSpec, _: StepState) -> Said:
    return Said(f"{_name(spec)}:", str(entry.payload.get("text", "")))


def _succeeded(entry: Entry, spec: StepSpec, step: StepState) -> Said:
    summary = str(entry.payload["summary"])
    if entry.actor != "maint":
        return Said(f"{_name(spec)} is {outcome(summary)}{_ran(step)}.")
    details = str(entry.payload.get("details", ""))
    words = f"{summary}\n\n{details}" if details else summary
    return Said(f"{_name(spec)} succeeded{_ran(step)}:", words, is_report=bool(details))


def _failed(entry: Entry, spec: StepSpec, step: StepState) -> Said:
    if step.retry_at is not None:
        then = f"It is tried again {when(step.retry_at)} (attempt {step.attempt + 1} of at most {spec.retry.attempts})."
    elif spec.gate:
        then = "A gate cannot be skipped: mend what it found and press Retry on the run card, or abort."
    else:
        then = "It is not tried again by itself: Retry, Skip or Abort on the run card."
    return Said(f"{_name(spec)} failed{_ran(step)}:", str(entry.payload["error"]), "error.txt", then)


def _blocks(entry: Entry, state: State) -> bool:
    step = str(entry.step)
    return entry.kind == Kind.STEP_FAILED and state.specs[step].ahead and state.steps[step].retry_at is None


def _blocked(told: Said, state: State) -> Said:
    """A look ahead is red: whoever can mend it is named, so that Slack tells them."""
    named = (spec.approval.approvers for spec in state.specs.values() if spec.approval is not None)
    approvers = state.crew.approvers or next(named, ())
    who = mentions(tuple(dict.fromkeys((state.coordinator, *approvers))))
    return replace(
        told,
        tail=f"{who}: this blocks the maintenance, and nothing else of it starts. Mend what it has found; then "
        "`/maint preflight` or Retry on the run card looks again.",
    )


def _overdue(_: Entry, spec: StepSpec, __: StepState) -> Said:
    return Said(
        f"{_name(spec)} has run longer than its time-out of {duration(spec.timeout_s)}. It is not stopped: look at it, "
        "wait, or abort."
    )


def _unknown(entry: Entry, spec: StepSpec, _: StepState) -> Said:
    return Said(
        f"It is not known whether {_name(spec)} has happened:",
        str(entry.payload["error"]),
        "error.txt",
        "Nothing is sent a second time. Look at the outside system, then press *It happened* or *It did not* on the "
        "run card.",
    )


def _settled(entry: Entry, spec: StepSpec, _: StepState) -> Said:
    if entry.payload["happened"]:
        return Said(f"Looked, and says that {_name(spec)} happened. The maintenance goes on.")
    return Said(f"Looked, and says that {_name(spec)} did not happen. It is done again.")


def _undone(entry: Entry, spec: StepSpec, _: StepState) -> Said:
    return Said(f"{_name(spec)} is taken down again:", str(entry.payload["summary"]))


def _undo_failed(entry: Entry, spec: StepSpec, _: StepState) -> Said:
    return Said(
        f"{_name(spec)} could not be taken down and is still up:",
        str(entry.payload["error"]),
        "error.txt",
        "Lift on the run card tries again, Keep leaves it.",
    )


def _undo_answered(entry: Entry, spec: StepSpec, _: StepState) -> Said:
    if entry.payload["answer"] == "keep":
        return Said(f"Decided to keep {_name(spec)}: it stays as it is.")
    red = entry.payload.get("unproved")
    although = f", ALTHOUGH {inline(red)} HAS NOT COME OUT GREEN: users come in on what is not proved" if red else ""
    return Said(f"Decided to lift {_name(spec)}: it is taken down{although}.")


_STEP: dict[str, Callable[[Entry, StepSpec, StepState], Said]] = {
    Kind.APPROVAL_REQUESTED: _requested,
    Kind.APPROVED: _approved,
    Kind.REJECTED: _rejected,
    Kind.APPROVAL_EXPIRED: lambda _, spec, __: Said(
        f"Nobody decided about {_name(spec)} in time. Nothing of it has been done; it is asked again."
    ),
    Kind.APPROVAL_VOID: _void,
    Kind.STEP_STARTED: _started,
    Kind.STEP_FACT: _fact,
    Kind.STEP_SUCCEEDED: _succeeded,
    Kind.STEP_FAILED: _failed,
    Kind.STEP_OVERDUE: _overdue,
    Kind.STEP_UNKNOWN: _unknown,
    Kind.STEP_SETTLED: _settled,
    Kind.ITEM_TICKED: lambda entry, spec, _: Said(
        f"Ticked in {_name(spec)}, {'nothing is' if not entry.payload['left'] else str(entry.payload['left'])} left:",
        str(entry.payload["text"]),
        "item.txt",
    ),
    Kind.STEP_RETRIED: lambda _, spec, __: Said(f"{_name(spec)} is to be tried again."),
    Kind.STEP_SKIPPED: lambda entry, spec, _: Said(
        f"Skipped {_name(spec)}:",
        str(entry.payload["reason"]),
        "reason.txt",
        "It is not done, and the maintenance goes on without it.",
    ),
    Kind.UNDO_STARTED: lambda _, spec, __: Said(f"{_name(spec)} is being taken down."),
    Kind.UNDONE: _undone,
    Kind.UNDO_FAILED: _undo_failed,
    Kind.UNDO_ANSWERED: _undo_answered,
}
