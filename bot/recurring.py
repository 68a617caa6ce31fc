"""Plans what comes again: each occurrence once, some time ahead, as a maintenance that `maint` itself asks for.

What blocks an occurrence is said in one line, and the series goes on. Nothing of a planned one is done without the
approvals of its runbook.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from bot.blocks import Message, section
from bot.crew import BOT
from bot.database import Unavailable
from bot.desk import Desk
from bot.entry import Kind
from bot.errors import BadInput, Conflict, MaintError
from bot.evolve import planned
from bot.journal import Draft, Duplicate
from bot.ledger import Intents
from bot.markup import escape, inline
from bot.overrides import overriding
from bot.recurrence import Occurrence, clock_of, key_of, occurrences
from bot.rehearsal import rehearsable
from bot.rehearsals import Rehearsals
from bot.runbook import Runbook, maintenance_id, resolve
from bot.runbook_model import Recur
from bot.slack_api import SlackApi, payload_of
from bot.step import Window
from bot.window import local

_TICK_S = 30.0
_LOOK_BACK = timedelta(days=30)

log = structlog.get_logger()


@dataclass(frozen=True)
class _Due:
    """An occurrence that is to be planned now."""

    runbook: Runbook
    recur: Recur
    occurrence: Occurrence
    window: Window

    @property
    def key(self) -> str:
        """The same for one runbook and day, however its time or rule is changed meanwhile."""
        return key_of(self.runbook.name, self.occurrence)


class Recurring:
    """The planner. Only the process that leads plans; two that think they lead still plan each occurrence once."""

    def __init__(self, desk: Desk, intents: Intents, slack: SlackApi, leads: Callable[[], bool]) -> None:
        self._desk = desk
        self._intents = intents
        self._slack = slack
        self._leads = leads

    def run(self, stop: threading.Event) -> None:
        """Look every half minute until `stop` is set. What fails is logged, and tried again."""
        while not stop.is_set():
            try:
                self.plan()
            except Unavailable as error:
                log.warning("recurring_waits_for_the_database", error=str(error))
            except Exception:
                # A fault in one runbook must not end the series of all.
                log.exception("recurring_failed")
            stop.wait(_TICK_S)

    def plan(self) -> list[str]:
        """Plan what is due and was not planned, and return the ids of these maintenances."""
        made: list[str] = []
        if not self._leads():
            return made
        for due in self._due():
            try:
                made += self._plan(due)
            except BadInput as error:
                # It may be mended in time: it is said once, and tried again.
                self._say(due, f"it cannot be planned: {error}", f"{due.key}:wrong")
            except MaintError as error:
                log.warning("occurrence_not_planned", runbook=due.runbook.name, error=str(error))
        return made

    def _due(self) -> list[_Due]:
        now, journal = self._desk.maintenances.now(), self._desk.maintenances.journal
        due = []
        for runbook in self._runbooks().values():
            if (recur := runbook.recur) is None:
                continue
            zone = clock_of(recur.at)[1].key
            for each in occurrences(recur.rrule, recur.at, now, now + recur.ahead, recur.since):
                window = Window(each.at, each.at + runbook.window.duration, zone)
                found = _Due(runbook, recur, each, window)
                if journal.find(found.key) is None and not self._intents.known(_said(_skipped(found))):
                    due.append(found)
        return due

    def _runbooks(self) -> Mapping[str, Runbook]:
        try:
            return self._desk.runbooks
        except BadInput as error:
            log.debug("recurring_finds_no_runbooks", error=str(error))
            return {}

    def _plan(self, due: _Due) -> list[str]:
        desk = self._desk
        payload = self._payload(due)
        found = desk.conflicts(planned(payload, BOT, desk.maintenances.now()))
        blocking = [each.text for each in found if each.blocks]
        if blocking:
            self._say(due, " ".join(blocking), _skipped(due))
            return []
        payload = overriding(payload, found, "", BOT, desk.defaults["approvers"])
        made = maintenance_id(due.runbook.name, due.window.start, due.window.zone, desk.maintenances.ids())
        draft = Draft(Kind.CREATED, BOT, due.key, payload={**payload, "id": made})
        try:
            desk.maintenances.create(made, draft)
        except (Duplicate, Conflict):
            # Another process was faster, or somebody took the id just now: the next look knows.
            return []
        log.info("occurrence_planned", maintenance=made)
        desk.wake()
        return [made]

    def _payload(self, due: _Due) -> dict[str, Any]:
        defaults = self._desk.defaults
        payload = resolve(
            due.runbook,
            params=due.recur.params,
            window=due.window,
            requester=BOT,
            channel=defaults["channel"],
            approvers=tuple(defaults["approvers"]),
            levels=defaults["conflicts"],
            roles=defaults["roles"],
            environments=defaults["environments"],
        )
        recur = {"rrule": due.recur.rrule, "at": due.recur.at, "note": due.occurrence.note}
        payload = Rehearsals(self._desk.maintenances).told_in(payload, rehearsable(due.runbook))
        return {**payload, "recur": recur}

    def _say(self, due: _Due, why: str, once: str) -> None:
        """Say in the channel why an occurrence is left out: once, also after a lost answer or a crash."""
        if self._intents.known(_said(once)):
            return
        channel, now = self._desk.defaults["channel"], self._desk.maintenances.now()
        try:
            if self._intents.intend(once, now) or not self._is_there(channel, once):
                self._slack.post(channel, _line(due, why, once))
            self._intents.intend(_said(once), now)
        except MaintError as error:
            # The next look finds it in the channel, or says it then.
            log.warning("line_waits", key=once, error=str(error))

    def _is_there(self, channel: str, once: str) -> bool:
        own, since = self._slack.identity(), self._desk.maintenances.now() - _LOOK_BACK
        return any(
            own.wrote(message) and payload_of(message).get("key") == once
            for message in self._slack.history(channel, f"{since.timestamp():.6f}")
        )


def _line(due: _Due, why: str, once: str) -> Message:
    at, start = local(due.window.start, due.window.zone), due.window.start.astimezone(ZoneInfo(due.window.zone))
    text = (
        f"*{inline(due.runbook.title)}* comes again on {escape(at)}, but is not planned for then: {inline(why)}\n"
        "The series goes on. To have it all the same: "
        f"`/maint start {escape(due.runbook.name)} at {start:%Y-%m-%d %H:%M} {escape(due.window.zone)}`"
    )
    return Message(text, [section(text)], {"event_type": "maint_not_planned", "event_payload": {"key": once}})


def _skipped(due: _Due) -> str:
    return f"{due.key}:skipped"


def _said(once: str) -> str:
    return f"{once}:said"
