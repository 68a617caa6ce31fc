"""Handing a maintenance over to another coordinator, who has to accept. Pure."""

from datetime import datetime, timedelta

from bot.acts import Act, AlreadyDecided
from bot.crew import Handover
from bot.entry import Kind
from bot.errors import BadInput, NotAllowed
from bot.journal import Draft
from bot.state import State

EXPIRES = timedelta(minutes=30)


def ask(state: State, act: Act, to: str, package: str, now: datetime) -> list[Draft]:
    """Ask `to` (a Slack user id) to take over, with `package` (plain text) to read first. An open question lapses.

    Raises `BadInput` if nothing is left to coordinate, or they do it already.
    """
    if state.over:
        raise BadInput(f"{state.id} is {state.status}; there is nothing left to hand over.")
    if to == state.coordinator:
        raise BadInput(f"<@{to}> coordinates {state.id} already.")
    payload = {"to": to, "package": package, "expires_at": (now + EXPIRES).isoformat()}
    return [Draft(Kind.HANDOVER_ASKED, act.user, f"handover:{act.delivery}", payload=payload)]


def answer(state: State, act: Act, number: int, accepted: bool, now: datetime) -> list[Draft]:
    """Take over, or decline. Raises `NotAllowed` for anybody but the one who was asked, `AlreadyDecided` afterwards."""
    asked = _asked(state, number)
    if act.user != asked.to:
        raise NotAllowed(f"Only <@{asked.to}>, who was asked, can take {state.id} over.")
    if state.over:
        raise AlreadyDecided(f"{state.id} is {state.status}; there is nothing left to take over.")
    if asked.answer is not None:
        at = f" at {asked.answered_at:%H:%M} UTC" if asked.answered_at else ""
        raise AlreadyDecided(f"That has been answered already: {asked.answer}{at}.")
    if now >= asked.expires_at:
        raise AlreadyDecided(
            f"That question expired at {asked.expires_at:%H:%M} UTC. <@{state.coordinator}> still coordinates; ask for "
            "another."
        )
    payload = {"number": number, "accepted": accepted, "from": state.coordinator}
    return [Draft(Kind.HANDOVER_ANSWERED, act.user, f"{state.id}:handover:{number}", payload=payload)]


def _asked(state: State, number: int) -> Handover:
    if not 1 <= number <= len(state.crew.handovers):
        raise BadInput(f"{state.id} has not asked that; look for the latest message in the channel.")
    return state.crew.handovers[number - 1]
