"""`/maint open-on-red GATE REASON`: go on although a gate is red, if two other people approve it."""

from bot.open_on_red import open_on_red as ask
from commands.verb import Bot, Call, Reply, as_typed, first_word, pick, record, verb


@verb("open-on-red", "open-on-red GATE REASON", "go on although a gate is red; two other people have to approve it")
def open_on_red(call: Call, bot: Bot) -> Reply:
    """Ask two others; the channel shows what the gate has found and what would go on."""
    state, words = pick(call, bot)
    gate, reason = first_word(words, "The gate", "/maint open-on-red GATE REASON")
    record(bot, state, call.act, "open-on-red", lambda latest: ask(latest, call.act, gate, as_typed(reason)))
    return Reply(f"Asked for. {gate} stays closed until two other people have approved it in the channel.")
