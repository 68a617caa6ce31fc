"""`/maint preflight`: look again, before the maintenance begins, for what would stop it."""

from bot import acts
from commands.verb import Bot, Call, Reply, pick_alone, record, verb


@verb("preflight", "preflight [ID]", "look again, before it begins, for what would stop it")
def preflight(call: Call, bot: Bot) -> Reply:
    """Let the latest preflight run once more; what it finds comes into the channel, and red blocks all else."""
    state = pick_alone(call, bot)
    record(bot, state, call.act, "preflight", lambda latest: acts.look_again(latest, call.act))
    return Reply(f"{state.id} is looked at again, and nothing else of it starts until that is green; see the channel.")
