"""What a press on a button does. `action_id` is `verb:step` or `verb`; the value is `maintenance|step|guard`."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot import acts, handover, overrun
from bot.acts import Act
from bot.break_glass import break_glass
from bot.entry import Kind
from bot.errors import BadInput
from bot.journal import Draft
from bot.offers import take
from bot.open_on_red import open_on_red
from bot.people import Person
from bot.rollback import rollback
from bot.state import State
from bot.way_back import way_back
from commands.abort import what_follows
from commands.modals import ask_address, ask_reason
from commands.verb import Bot, Reply, record

NEEDS_WORDS = frozenset({"reject", "skip", "abort", "rollback", "open-on-red", "try_on", "break-glass"})
_PARTS = 3
PRESSES = (
    "approve|reject|try_on|retry|skip|done|happened|not_happened|lift|keep|pause|resume|abort|rollback|open-on-red|"
    "more-15|more-30|more-60|go-on|take|break-glass|take-over|not-now|tick"
)
_ADDRESS = re.compile(r"[^@\s]{1,64}@[^@\s]{1,189}")


@dataclass(frozen=True)
class Press:
    """One press: what the button carried, who pressed (from the signed payload), and the press's identity."""

    verb: str
    maintenance: str
    step: str
    guard: str
    person: Person
    delivery: str

    @property
    def act(self) -> Act:
        """Who acts, for `bot.acts`; the attempt guards against an old button."""
        return Act(self.person.id, self.delivery, int(self.guard) if self.guard.isdecimal() else None)


def press_of(action_id: str, value: str, person: Person, delivery: str) -> Press:
    """Take a button's ids apart. Raises `BadInput` if they are not ours."""
    verb, parts = action_id.partition(":")[0], value.split("|")
    if verb not in PRESSES.split("|") or len(parts) != _PARTS:
        raise BadInput("That button belongs to an older version of the bot; use the newest message in the channel.")
    maintenance, step, guard = parts
    return Press(verb, maintenance, step, guard, person, delivery)


def pressed(press: Press, bot: Bot) -> Reply:
    """Do what the button says, or ask for the words that it needs first.

    Raises `BadInput` or `NotAllowed` with words for them.
    """
    state = bot.maintenances.state(press.maintenance)
    if press.verb in {"approve", "reject"}:
        _admit_approval(press, bot, state)
    bot.admit_decision(press.person.id, state, press.verb)
    if press.verb == "lift":
        bot.admit_lift(press.person, state, press.step)
    if press.verb in NEEDS_WORDS:
        about = _about(press, state, bot.maintenances.now())
        return Reply(modal=_form(press, state, f"{press.maintenance}|{press.step}|{press.guard}", about))
    record(
        bot,
        state,
        press.act,
        press.verb,
        lambda latest: _DECISIONS[press.verb](latest, press, bot.maintenances.now()),
    )
    bot.refresh(press.maintenance)
    return Reply()


def reasoned(press: Press, reason: str, bot: Bot) -> None:
    """Do what a button with a reason says. Raises like `pressed`; `field` is `reason` where the reason is at fault.

    Of `try_on` it only puts on record that it was asked for, by whoever gave `reason` as their address: see `tried_on`.
    It does not wait for Slack to show it (`Bot.refresh`): whoever submitted a form is to be answered first.
    """
    state = bot.maintenances.state(press.maintenance)
    if press.verb == "reject":
        _admit_approval(press, bot, state)
    after_s = bot.admit_glass(press.person.id, state) if press.verb == "break-glass" else 0.0
    decisions: dict[str, Callable[[State], list[Draft]]] = {
        "reject": lambda latest: acts.reject(latest, press.person.id, press.guard, reason, bot.maintenances.now()),
        "skip": lambda latest: acts.skip(latest, press.act, press.step, reason),
        "abort": lambda latest: acts.abort(latest, press.act, reason),
        "rollback": lambda latest: rollback(latest, press.act, reason, bot.maintenances.now()),
        "open-on-red": lambda latest: open_on_red(latest, press.act, press.step, reason),
        "try_on": lambda latest: acts.try_on(latest, press.act, press.guard),
        "break-glass": lambda latest: break_glass(
            latest, press.act, press.guard, reason, bot.maintenances.now(), after_s=after_s
        ),
    }
    if press.verb == "try_on" and not _ADDRESS.fullmatch(reason.strip()):
        raise BadInput("That is no e-mail address.", field="reason")
    try:
        record(bot, state, press.act, press.verb, decisions[press.verb])
    except acts.AlreadyDecided:
        if not _rejected_by_this(press, reason, bot):
            raise


def tried_on(press: Press, address: str, bot: Bot) -> Reply:
    """Show the step's effect to the one person; `reasoned` has put it on record. Raises `StepError`."""
    return Reply(bot.try_on(bot.maintenances.state(press.maintenance), press.step, address.strip()))


def _form(press: Press, state: State, value: str, about: str) -> dict[str, Any]:
    if press.verb == "try_on":
        acts.try_on(state, press.act, press.guard)  # no form for what is decided already
        return ask_address(value, state.specs[press.step].try_on, about)
    return ask_reason(press.verb, value, about)


def _rejected_by_this(press: Press, reason: str, bot: Bot) -> bool:
    """Whether this very rejection is on record: a submission that Slack delivers again is no second decision."""
    return any(
        (entry.kind, entry.actor, entry.payload.get("token"), entry.payload.get("reason"))
        == (Kind.REJECTED, press.person.id, press.guard, reason.strip())
        for entry in bot.maintenances.journal.read(press.maintenance)
    )


def _admit_approval(press: Press, bot: Bot, state: State) -> None:
    step, approval = acts.request_of(state, press.guard)
    if approval.closed is None:
        # A rejection comes by a form, which Slack wants to have answered in three seconds, and lets nothing happen.
        bot.admit_approval(press.person, state, step, fresh=press.verb == "approve")


def _about(press: Press, state: State, now: datetime) -> str:
    if press.verb == "abort":
        return f"{state.title} is stopped for good. {what_follows(state)}"
    if press.verb == "rollback":
        return (
            f"{state.title} is taken back, once somebody else has approved it. Way back: {way_back(state, now).text}."
        )
    acts.known(state, press.step)
    spec = state.specs[press.step]
    if press.verb == "open-on-red":
        return f"{spec.title} ({press.step}) is red. Two other people have to approve that it goes on all the same."
    return f"{spec.title} ({press.step}) in {state.title}."


_DECISIONS: dict[str, Callable[[State, Press, datetime], list[Draft]]] = {
    "approve": lambda state, press, now: acts.approve(state, press.person.id, press.guard, now),
    "retry": lambda state, press, _: acts.retry(state, press.act, press.step),
    "done": lambda state, press, _: acts.done(state, press.act, press.step),
    "happened": lambda state, press, _: acts.settle(state, press.act, press.step, True),
    "not_happened": lambda state, press, _: acts.settle(state, press.act, press.step, False),
    "lift": lambda state, press, _: acts.answer_undo(state, press.act, press.step, "lift"),
    "keep": lambda state, press, _: acts.answer_undo(state, press.act, press.step, "keep"),
    "pause": lambda state, press, _: acts.pause(state, press.act),
    "resume": lambda state, press, _: acts.resume(state, press.act),
    "take": lambda state, press, _: take(state, press.act, press.step, press.guard),
    "more-15": lambda state, press, now: overrun.more(state, press.act, _number(press), 15, now),
    "more-30": lambda state, press, now: overrun.more(state, press.act, _number(press), 30, now),
    "more-60": lambda state, press, now: overrun.more(state, press.act, _number(press), 60, now),
    "go-on": lambda state, press, _: overrun.go_on(state, press.act, _number(press)),
    "tick": lambda state, press, _: acts.tick(state, press.act, press.step, _number(press)),
    "take-over": lambda state, press, now: handover.answer(state, press.act, _number(press), True, now),
    "not-now": lambda state, press, now: handover.answer(state, press.act, _number(press), False, now),
}


def _number(press: Press) -> int:
    """The number of the question that a button answers."""
    return press.act.attempt or 0
