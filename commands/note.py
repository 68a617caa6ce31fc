"""`/maint note TEXT`: write a line into the log."""

from bot import acts
from commands.verb import Bot, Call, Reply, as_typed, pick, record, verb


@verb("note", "note TEXT", "write a line into the log")
def note(call: Call, bot: Bot) -> Reply:
    """Record the words as they are; they are shown as text, never as markup."""
    state, words = pick(call, bot, over_too=True)
    record(bot, state, call.act, "note", lambda latest: acts.note(latest, call.act, bot.named(as_typed(words))))
    return Reply(f"Noted in the log of {state.id}.")
