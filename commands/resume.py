"""`/maint resume`: let a paused maintenance go on."""

from bot import acts
from commands.verb import Bot, Call, Reply, pick_alone, record, verb


@verb("resume", "resume", "let a paused maintenance go on")
def resume(call: Call, bot: Bot) -> Reply:
    """Resume the maintenance."""
    state = pick_alone(call, bot)
    record(bot, state, call.act, "resume", lambda latest: acts.resume(latest, call.act))
    return Reply(f"{state.id} goes on.")
