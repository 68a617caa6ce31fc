"""`/maint rollback REASON`: go back to where it was, after one approval, as long as that is possible."""

from bot.rollback import rollback as ask
from bot.way_back import way_back
from commands.verb import Bot, Call, Reply, as_typed, pick, record, verb


@verb("rollback", "rollback REASON", "undo what has been done, in reverse order, after somebody else's approval")
def rollback(call: Call, bot: Bot) -> Reply:
    """Ask for the way back; nothing else starts from now on, and the channel shows what would be done and lost."""
    state, reason = pick(call, bot)
    now = bot.maintenances.now()
    record(bot, state, call.act, "rollback", lambda latest: ask(latest, call.act, as_typed(reason), now))
    return Reply(
        f"Asked for; no further step of {state.id} starts. It is rolled back once somebody else has approved it in the "
        f"channel. Way back: {way_back(state, now).text}."
    )
