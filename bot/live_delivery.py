"""Brings the run card and the prompts of one maintenance to its channel, and keeps them up to date."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import structlog

from bot.blocks import Message
from bot.card import CARD, card
from bot.checklist_prompt import checklist_prompts
from bot.estimates import Estimate
from bot.handover_prompt import handover_prompts
from bot.ledger import Progress
from bot.log_delivery import Report
from bot.maintenances import Maintenances
from bot.outbox import CLOSED, PINNED, POSTED, POSTING, Doubt, Live, LiveSlot, Outbox, once, recover
from bot.overrun_prompt import overrun_prompts
from bot.prompts import prompts, replaced_prompt
from bot.slack_api import Refused, SlackApi, payload_of
from bot.state import State

_CARD_EVERY_S = 1.5
_RUNNING_S, _ACTIVE_S = 1.5, 15.0
_LOOK_BACK_S = 86_400
_PROMPT = "approval:"

log = structlog.get_logger()

Forecast = Callable[[State, datetime, Mapping[str, Mapping[str, Any]]], str]
"""Gives the forecast of a maintenance as one line of mrkdwn, from its state, the time, and how far its steps are."""


Estimates = Callable[[State], Mapping[str, Estimate]]
"""Gives what is known of how long the steps of a maintenance take, by their ids."""


class LiveDelivery:
    """The cards and prompts of all maintenances. `deliver` is for one thread; `refresh` may run beside it."""

    def __init__(
        self,
        slack: SlackApi,
        maintenances: Maintenances,
        outbox: Outbox,
        progress: Progress,
        forecast: Forecast,
        *,
        estimates: Estimates = lambda _: {},
    ) -> None:
        self._slack = slack
        self._maintenances = maintenances
        self._outbox = outbox
        self._progress = progress
        self._forecast = forecast
        self._estimates = estimates
        self._card_at: dict[str, datetime] = {}
        self._refused: dict[tuple[str, str], str] = {}

    def deliver(self, maintenance: str, now: datetime, problems: Sequence[str], report: Report) -> float | None:
        """Post and update what has changed; nothing is posted before the first entry of the log.

        Returns the seconds until it should be looked at again (None: not before something is recorded). Raises as
        the calls of `SlackApi` do.
        """
        state = self._maintenances.state(maintenance)
        rendered = self._render(state, now, problems)
        rows = self._outbox.live(maintenance)
        begun = self._outbox.begun(maintenance)
        waits: list[float] = []
        for name in (*(name for name in rendered if name != CARD), CARD):
            live = self._settled(state, rows.get(name), name)
            if live is not None and live.is_up:
                waits += self._update(state, live, rendered[name], now, report)
            elif begun and (name == CARD or rendered[name].has_buttons):
                waits += self._post(state, name, rendered[name], now)
        for live in rows.values():
            replaced = live.name.startswith(_PROMPT) and live.name not in rendered and live.state == POSTED
            if replaced and not state.unread:
                self._show(self._slack, state, live, replaced_prompt(state, live.name))
        return self._next_look(state, waits)

    def refresh(self, slack: SlackApi, maintenance: str, problems: Sequence[str]) -> None:
        """Update through `slack` what is up already. What it shows counts as uncertain afterwards.

        `deliver` may be updating the same message at the same time with an older view, so it gets the last word: it
        finds no digest and updates once more.
        """
        state = self._maintenances.state(maintenance)
        rendered = self._render(state, self._maintenances.now(), problems)
        for name, live in self._outbox.live(maintenance).items():
            if live.is_up and name in rendered and rendered[name].digest != live.digest:
                slack.update(state.channel, live.ts, rendered[name])
                self._outbox.forget_shown(maintenance, name)

    def _render(self, state: State, now: datetime, problems: Sequence[str]) -> Mapping[str, Message]:
        progress = self._progress.read(state.id)
        made = card(
            state, progress, now, problems, self._forecast(state, now, progress), estimates=self._estimates(state)
        )
        if state.unread:
            return {CARD: made}  # what is asked now, a newer version knows, and has put there
        asked = {
            **prompts(state, now),
            **overrun_prompts(state, now),
            **handover_prompts(state, now),
            **checklist_prompts(state),
        }
        return {**asked, CARD: made}

    def _settled(self, state: State, live: Live | None, name: str) -> Live | None:
        """The row of a live message; one that was left in `posting` is looked for first."""
        if live is None or live.state != POSTING:
            return live
        if not recover(self._slot(state, name), self._find(state, name)):
            self._outbox.doubt(Doubt(state.id, name, state.channel, self._maintenances.now()))
        return self._outbox.live(state.id)[name]

    def _slot(self, state: State, name: str) -> LiveSlot:
        return LiveSlot(self._maintenances.journal.database, state.id, name, state.channel)

    def _find(self, state: State, name: str) -> str | None:
        own = self._slack.identity()
        oldest = f"{state.created_at.timestamp() - _LOOK_BACK_S:.6f}"
        for message in self._slack.history(state.channel, oldest):
            payload = payload_of(message)
            if own.wrote(message) and (payload.get("maintenance"), payload.get("name")) == (state.id, name):
                return str(message["ts"])
        return None

    def _post(self, state: State, name: str, message: Message, now: datetime) -> list[float]:
        if self._refused.get((state.id, name)) == message.digest:
            return []
        try:
            once(self._slot(state, name), lambda: self._slack.post(state.channel, message), message.digest)
        except Refused as error:
            if not error.of_content:
                raise
            self._refuse(state, name, message, error)
            return []
        if name == CARD:
            self._card_at[state.id] = now
        return [0.0]

    def _refuse(self, state: State, name: str, message: Message, error: Refused) -> None:
        """Slack does not take this content: remember it, so that it is not sent again before it has changed."""
        self._refused[state.id, name] = message.digest
        log.warning("live_message_refused", maintenance=state.id, name=name, error=str(error))

    def _update(self, state: State, live: Live, message: Message, now: datetime, report: Report) -> list[float]:
        if live.name == CARD and live.state == POSTED:
            live = self._pin(state, live, report)
        if live.digest == message.digest or self._refused.get((state.id, live.name)) == message.digest:
            return []
        if live.name == CARD:
            since = self._card_at.get(state.id)
            left_s = _CARD_EVERY_S - (now - since).total_seconds() if since else 0.0
            if left_s > 0:
                return [left_s]
            self._card_at[state.id] = now
        self._show(self._slack, state, live, message)
        return []

    def _show(self, slack: SlackApi, state: State, live: Live, message: Message) -> None:
        try:
            slack.update(state.channel, live.ts, message)
        except Refused as error:
            if error.code == "message_not_found":
                # Somebody has deleted it: it is posted anew as long as it has something to ask or to show.
                self._slot(state, live.name).release()
                return
            if not error.of_content:
                raise
            self._refuse(state, live.name, message, error)
            return
        open_ = not state.over if live.name == CARD else message.has_buttons
        shows = CLOSED if not open_ else live.state if live.name == CARD else POSTED
        self._outbox.show(state.id, live.name, shows, message.digest)

    def _pin(self, state: State, live: Live, report: Report) -> Live:
        if (state.id, "pin") in self._refused:
            return live
        try:
            self._slack.pin(state.channel, live.ts)
        except Refused as error:
            self._refused[state.id, "pin"] = error.code
            report("pin", f"The run card could not be pinned: {error}")
            return live
        self._outbox.show(state.id, CARD, PINNED, live.digest)
        return replace(live, state=PINNED)

    def _next_look(self, state: State, waits: list[float]) -> float | None:
        if not state.over:
            running = any(step.status == "running" or step.undo == "running" for step in state.steps.values())
            waits = [*waits, _RUNNING_S if running else _ACTIVE_S]
        return min(waits, default=None)
