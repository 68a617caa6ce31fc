"""Tells the channel of freezes that were declared or lifted, once each, and the run cards of what they hit."""

from functools import partial

from bot.blocks import Message, section
from bot.database import Database
from bot.freezes import OF_FREEZES, Event, Freeze, Freezes
from bot.maintenances import Maintenances
from bot.markup import announced, cut, inline, mention, when
from bot.outbox import LiveSlot, once, recover
from bot.slack_api import SlackApi, payload_of
from bot.state import State
from bot.step import Window
from bot.window import local

_EVENT = "maint_freeze"
_LOOK_BACK_S = 86_400
_REASON_CHARACTERS = 500
_CARD_CHARACTERS = 120


class FreezeNotices:
    """Delivers as the outbox does: what was begun and not heard of is looked for in the channel before it is sent."""

    def __init__(self, slack: SlackApi, database: Database, maintenances: Maintenances) -> None:
        self._slack = slack
        self._database = database
        self._maintenances = maintenances
        self._freezes = Freezes(database)

    def deliver(self) -> bool:
        """Post what the channel has not been told; returns whether there was anything. Raises as `SlackApi` does."""
        untold = self._freezes.untold()
        for event in untold:
            slot = LiveSlot(self._database, OF_FREEZES, event.name, event.channel)
            if self._freezes.is_being_told(event) and recover(slot, self._find(event)):
                continue
            message = notice(event, hit_by(event.freeze, self._maintenances.active()))
            once(slot, partial(self._slack.post, event.channel, message), message.digest)
        return bool(untold)

    def problems(self, maintenance: str) -> list[str]:
        """Return what its card has to say of freezes that were declared after it was planned."""
        state = self._maintenances.state(maintenance)
        return [
            f"A freeze was declared for its window, until {local(each.until, state.window.zone)} ({each.id}: "
            f"{cut(each.reason, _CARD_CHARACTERS)}). Move it (/maint move), or cancel it."
            for each in self._freezes.from_now(state.window.start)
            if hit_by(each, [state])
        ]

    def _find(self, event: Event) -> str | None:
        own = self._slack.identity()
        oldest = f"{event.at.timestamp() - _LOOK_BACK_S:.6f}"
        for message in self._slack.history(event.channel, oldest):
            if own.wrote(message) and payload_of(message).get("freeze") == event.name:
                return str(message["ts"])
        return None


def hit_by(freeze: Freeze, states: list[State]) -> list[State]:
    """Return the maintenances that were planned into a time which `freeze` was declared for since."""
    return [
        state
        for state in states
        if state.status in {"draft", "scheduled"}
        and freeze.meets(state.window)
        and freeze.at is not None
        and freeze.at >= state.created_at
    ]


def notice(event: Event, hit: list[State]) -> Message:
    """Return the message that tells the channel of `event`; `hit` are the maintenances planned inside the freeze."""
    freeze = event.freeze
    if event.what == "lifted":
        text = f"❄ {mention(event.who)} has lifted {freeze.id}: {inline(freeze.reason, _REASON_CHARACTERS)}"
    else:
        text = (
            f"❄ *Freeze* from {when(freeze.begin)} to {when(freeze.until)} your time · "
            f"{announced(Window(freeze.begin, freeze.until, freeze.zone))} · declared by {mention(event.who)} "
            f"(`{freeze.id}`): {inline(freeze.reason, _REASON_CHARACTERS)}{told_hit(hit)}"
        )
    return Message(text, [section(text)], {"event_type": _EVENT, "event_payload": {"freeze": event.name}})


def told_hit(hit: list[State]) -> str:
    """Return a line of mrkdwn on what is planned inside a freeze; "" if nothing is."""
    if not hit:
        return ""
    names = ", ".join(f"`{state.id}` (asked for by {mention(state.requester)})" for state in hit)
    return (
        f"\n:warning: Planned inside it: {names}. Move or cancel what should not happen then; nothing does so itself."
    )
