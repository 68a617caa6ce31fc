"""What a running step offers people to do, by a button on the run card: its words, and who takes it up. Pure.

A step offers with `ctx.record(text, offer=Offer(...).facts())`, takes back with `offer=None`, and finds the token of an
offer that somebody has taken up, and who did, in `ctx.facts["taken"]`.
"""

from collections.abc import Mapping
from typing import Any

from bot.acts import Act, AlreadyDecided
from bot.entry import Kind
from bot.journal import Draft
from bot.state import State
from bot.step import Offer


def offer_of(state: State, step: str) -> Offer | None:
    """Return what a step offers now: only while it runs, and until somebody takes it up."""
    now = state.steps.get(step)
    if now is None or now.status != "running":
        return None
    offered: Mapping[str, Any] | None = now.facts.get("offer")
    if not offered or now.facts.get("taken", {}).get("token") == offered["token"]:
        return None
    return Offer(**offered)


def take(state: State, act: Act, step: str, token: str) -> list[Draft]:
    """Take up the offer `token` of a running step. Raises `AlreadyDecided` if it stands no longer."""
    offer = offer_of(state, step)
    if offer is None or offer.token != token:
        raise AlreadyDecided("That is no longer offered: somebody was faster, or it has settled itself.")
    payload = {"text": f"{offer.button}: asked for.", "facts": {"taken": {"token": token, "by": act.user}}}
    return [Draft(Kind.STEP_FACT, act.user, f"{state.id}:{step}:taken:{token}", step, payload)]
