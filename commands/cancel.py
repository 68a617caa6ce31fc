"""`/maint cancel REASON`: call it off before it has begun, and take back all that was published."""

from bot import changes
from commands.verb import Bot, Call, Reply, held, pick, record, verb


@verb("cancel", "cancel REASON", "call it off before it has begun; what was published is taken back")
def cancel(call: Call, bot: Bot) -> Reply:
    """Ask for the cancellation; the channel shows what would be taken back, and asks for its approval."""
    state, reason = pick(call, bot)
    now = bot.maintenances.now()
    record(bot, state, call.act, "cancel", lambda latest: changes.cancel(latest, call.act, reason, now))
    return Reply(f"Asked for. {state.id} is cancelled once somebody else has approved it in the channel.{held(state)}")
