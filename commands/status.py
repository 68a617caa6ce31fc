"""`/maint status`: where a maintenance stands."""

from commands.verb import Bot, Call, Reply, pick_alone, verb


@verb("status", "status [ID]", "where the maintenance stands")
def status(call: Call, bot: Bot) -> Reply:
    """Show what the run card shows, to the caller alone."""
    state = pick_alone(call, bot, over_too=True)
    return Reply(bot.card_text(state))
