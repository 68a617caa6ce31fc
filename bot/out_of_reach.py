"""Tells those who coordinate, in a direct message, that Slack does not let the bot write into their channel any more.

The card and the log are where people would look, and neither can say it: the channel was archived, or the bot was
removed from it, in the middle of a maintenance.
"""

import structlog

from bot.blocks import Message, section
from bot.errors import StepError
from bot.ledger import Intents
from bot.log_delivery import describe
from bot.maintenances import Maintenances
from bot.markup import escape, inline
from bot.outbox import Outbox
from bot.slack_api import Refused, SlackApi

log = structlog.get_logger()


class OutOfReach:
    """Says it once to each, however often it is tried again, also through a restart."""

    def __init__(self, slack: SlackApi, maintenances: Maintenances, outbox: Outbox) -> None:
        self._slack = slack
        self._maintenances = maintenances
        self._outbox = outbox
        self._intents = Intents(maintenances.journal.database)

    def tell(self, maintenance: str, error: Refused) -> None:
        """Say that the log of `maintenance` does not come, and why. What Slack does not take is left out."""
        waiting = self._outbox.undelivered(maintenance)
        state = self._maintenances.state(maintenance)
        for person in dict.fromkeys([state.coordinator, state.requester]):
            key = f"out-of-reach:{maintenance}:{error.code}:{min(waiting, default=0)}:{person}"
            if not self._intents.intend(key, self._maintenances.now()):
                continue
            text = (
                f":warning: I cannot write into <#{state.channel}> any more. {escape(describe(error))}\n"
                f"*{inline(state.title)}* (`{escape(maintenance)}`) goes on without it: steps that need nobody are "
                "done, what needs an approval waits, and the log comes later, in order, once. "
                f"`/maint status {escape(maintenance)}` works in any channel, and so do `pause` and `abort`."
            )
            payload = {"event_type": "maint_out_of_reach", "event_payload": {"maintenance": maintenance}}
            try:
                self._slack.post(person, Message(text, [section(text)], payload))
            except StepError as refused:
                log.warning("out_of_reach_not_told", maintenance=maintenance, user=person, error=str(refused))
