"""`/maint extend DURATION`: let the window end later, on every surface, after one approval."""

from dataclasses import replace

from bot import changes
from bot.errors import BadInput
from bot.overrides import overridden, split_override
from bot.window import parse_duration
from commands.conflicts import told
from commands.verb import Bot, Call, Reply, held, pick, record, verb


@verb("extend", "extend DURATION [override=REASON]", "let the window end later; one approval changes every surface")
def extend(call: Call, bot: Bot) -> Reply:
    """Ask for the extension; the channel shows what would change, and asks for its approval."""
    state, words = pick(call, bot)
    words, reason = split_override(words)
    if not words:
        raise BadInput("By how long? `/maint extend 30m`.", field="duration")
    length = parse_duration(words.removeprefix("by "))
    now = bot.maintenances.now()
    found = bot.conflicts(state, replace(state.window, end=state.window.end + length))
    kept = overridden(found, reason)
    record(bot, state, call.act, "extend", lambda latest: changes.extend(latest, call.act, length, now, against=kept))
    then = f"Asked for. {state.id} is extended once somebody else has approved it in the channel.{held(state)}"
    return Reply(told(found) + then)
