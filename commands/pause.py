"""`/maint pause`: start no further step; what runs goes on, but a mass send holds between two messages."""

from bot import acts
from bot.waiting import what_holds
from commands.verb import Bot, Call, Reply, pick_alone, record, verb


@verb("pause", "pause", "start no further step; a mass send holds, what else runs goes on")
def pause(call: Call, bot: Bot) -> Reply:
    """Pause the maintenance."""
    state = pick_alone(call, bot)
    record(bot, state, call.act, "pause", lambda latest: acts.pause(latest, call.act))
    holds = what_holds(bot.maintenances.state(state.id))
    return Reply(f"{state.id} is paused. {holds[0].upper()}{holds[1:]}; `/maint resume` lets the rest follow.")
