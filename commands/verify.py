"""`/maint verify`: is the channel's log whole and true?"""

from datetime import timedelta

from bot.slack_api import HISTORY_A_SECOND
from bot.verify import Verification
from bot.window import duration_words
from commands.verb import Bot, Call, Reply, pick_alone, verb

_SHOWN = 20
_PATIENCE_S = 10.0


@verb("verify", "verify [ID]", "compare the channel's log with the journal")
def verify(call: Call, bot: Bot) -> Reply:
    """Read the channel back and name every entry that is missing, edited, out of order, doubled or forged.

    Of a long log it says first how long that takes.
    """
    state = pick_alone(call, bot, over_too=True)
    takes_s = state.seq / HISTORY_A_SECOND
    if takes_s <= _PATIENCE_S:
        return _told(state.id, bot.verify(state.id))
    words = duration_words(timedelta(seconds=round(takes_s, -1)))
    return Reply(
        f"The log of {state.id} has {state.seq:,} entries. Slack lets them be read in about {words}; what comes of it "
        "is told to you here.",
        then=lambda: _told(state.id, bot.verify(state.id)),
    )


def _told(maintenance: str, verification: Verification) -> Reply:
    if verification.ok:
        return Reply(
            f":white_check_mark: The log of {maintenance} is intact: {verification.counted} entries, in order."
        )
    shown = "\n".join(f"• {finding}" for finding in verification.findings[:_SHOWN])
    more = len(verification.findings) - _SHOWN
    rest = f"\n… and {more} more" if more > 0 else ""
    return Reply(f":rotating_light: The log of {maintenance} is not intact:\n{shown}{rest}")
