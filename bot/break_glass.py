"""`/maint break-glass`: whoever asked may approve one request themselves, when nobody else has for long. Pure.

The rule that a second person decides cannot be lifted by anybody. This is the one other way, for the night when nobody
answers: off unless a setting allows it, for one request that has waited and has been asked again, and loud.
"""

from datetime import datetime

from bot.acts import Act, needed_reason, request_of
from bot.entry import Kind
from bot.errors import BadInput
from bot.journal import Draft
from bot.markup import duration
from bot.state import State

NEVER = frozenset({"maint.open-on-red"})
"""What two people decide however late it is: that the app opens although its gate is red."""


def breakable(state: State) -> list[str]:
    """Return the steps whose approval is being waited for and could be given that way, sooner or later."""
    return [
        step
        for step, now in state.steps.items()
        if now.approval is not None
        and now.approval.closed is None
        and now.status == "waiting"
        and state.specs[step].uses not in NEVER
        and not state.over
    ]


def break_glass(state: State, act: Act, token: str, reason: str, now: datetime, *, after_s: float) -> list[Draft]:
    """Let whoever asked approve the open request `token` themselves. Raises `BadInput` saying why not.

    Only once it has waited `after_s` seconds in all and was asked again because nobody had decided (with those of
    `escalate_to`). It holds for this request alone: what is asked anew, or has changed, needs another.
    """
    step, approval = request_of(state, token)
    must_be_breakable(state, step, now, after_s)
    if now >= approval.expires_at:
        raise BadInput("That request has expired; a new one is on its way.")
    if state.crew.glass(token) is not None:
        raise BadInput(f"The glass is broken already for {step}: <@{asker_of(state, step)}> may approve it.")
    payload = {"token": token, "asker": asker_of(state, step), "reason": needed_reason(reason)}
    return [Draft(Kind.GLASS_BROKEN, act.user, f"{state.id}:{step}:glass:{token}", step, payload)]


def must_be_breakable(state: State, step: str, now: datetime, after_s: float) -> None:
    """Raise `BadInput`, saying what has to come first, unless the glass may be broken for `step` now."""
    if step in state.specs and state.specs[step].uses in NEVER:
        raise BadInput(f"{step} opens on red: two people decide that, and no glass can be broken for it.")
    if step not in breakable(state):
        raise BadInput(f"{step} waits for no approval. Waiting: {', '.join(breakable(state)) or 'none'}.")
    waits = state.steps[step]
    waited_s = (now - waits.waiting_since).total_seconds() if waits.waiting_since else 0.0
    if waited_s < after_s:
        raise BadInput(
            f"{step} has waited for {duration(waited_s)}; only after {duration(after_s)} may the glass be broken. "
            "Ask those who may approve until then."
        )
    if not waits.asked_again:
        raise BadInput(
            f"{step} has not been asked again yet: that happens when this request expires, and then others may be "
            "asked as well. Only after that may the glass be broken."
        )


def asker_of(state: State, step: str) -> str:
    """Return who asked for what `step` does, and so may not approve it: for a change, whoever asked for that."""
    return state.specs[step].asked_by or state.requester
