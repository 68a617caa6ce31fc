"""What Slack carries out after all, long after its answer was lost, and after the message was posted anew.

Slack has no key for a post that is safe twice (https://docs.slack.dev/reference/methods/chat.postMessage). So what was
posted again because the channel did not have it is in doubt for some time, also through a restart: the channel is
looked at again and again, and the message that is not the one we count is changed to say that it repeats another.
"""

from datetime import datetime, timedelta

import structlog

from bot.blocks import Message, context
from bot.markup import escape
from bot.outbox import Doubt, Outbox
from bot.slack_api import Refused, SlackApi, payload_of

_LOOKS_AFTER_S = (5.0, 20.0, 60.0, 180.0, 600.0)
_LOOK_BACK_S = 600.0

log = structlog.get_logger()


class Repeats:
    """Looks for repeats. For one thread."""

    def __init__(self, slack: SlackApi, outbox: Outbox) -> None:
        self._slack = slack
        self._outbox = outbox
        self._looked_at: dict[Doubt, datetime] = {}

    def deliver(self, now: datetime) -> float | None:
        """Look where that is due; returns the seconds until the next look, None without a doubt.

        Raises as the calls of `SlackApi` do, but for what Slack refuses, which is left to `bot.verify` to name.
        """
        waits = []
        for doubt in self._outbox.doubts():
            due = _next_look(doubt, self._looked_at.get(doubt, doubt.at))
            if due is not None and due <= now:
                self._look(doubt)
                self._looked_at[doubt] = now
                due = _next_look(doubt, now)
            if due is None:
                self._outbox.forget_doubt(doubt)
                self._looked_at.pop(doubt, None)
            else:
                waits.append((due - now).total_seconds())
        return min(waits, default=None)

    def _look(self, doubt: Doubt) -> None:
        kept = self._outbox.stands_at(doubt)
        if kept is None:
            return  # it is still on its way; the next look compares with where it stands then
        since = f"{doubt.at.timestamp() - _LOOK_BACK_S:.6f}"
        try:
            own = self._slack.identity()
            for message in self._slack.history(doubt.channel, since):
                if own.wrote(message) and doubt.is_about(payload_of(message)) and message["ts"] != kept:
                    self._slack.replace(doubt.channel, str(message["ts"]), repeat(doubt))
                    log.info("repeat_marked", maintenance=doubt.maintenance, name=doubt.name, ts=message["ts"])
        except Refused as error:
            log.warning("repeat_not_marked", maintenance=doubt.maintenance, name=doubt.name, error=str(error))


def repeat(doubt: Doubt) -> Message:
    """Return what stands in the place of a message that has come twice; its metadata are no entry's any more."""
    what = f"Entry #{doubt.seq}" if doubt.seq is not None else "This message"
    text = f"{what} of {escape(doubt.maintenance)} came twice: Slack was late. It counts once, where it stands in full."
    payload = {"maintenance": doubt.maintenance, "repeats": doubt.name}
    return Message(text, [context(text)], {"event_type": "maint_repeat", "event_payload": payload})


def _next_look(doubt: Doubt, after: datetime) -> datetime | None:
    looks = (doubt.at + timedelta(seconds=after_s) for after_s in _LOOKS_AFTER_S)
    return next((at for at in looks if at > after), None)
