"""`/maint move TIME`: let the window begin at another time, on every surface, after one approval."""

from bot import changes
from bot.errors import BadInput
from bot.overrides import overridden, split_override
from bot.step import Window
from bot.window import parse_when
from commands.conflicts import told
from commands.verb import Bot, Call, Reply, held, pick, record, verb


@verb("move", "move TIME [override=REASON]", "move the window before it has begun; one approval changes every surface")
def move(call: Call, bot: Bot) -> Reply:
    """Ask for the move; the channel shows what would change, and asks for its approval."""
    state, words = pick(call, bot)
    words, reason = split_override(words)
    if not words:
        raise BadInput("To when? `/maint move tomorrow 22:00`.", field="at")
    now = bot.maintenances.now()
    to = parse_when(words.removeprefix("to "), now, call.zone)
    found = bot.conflicts(state, Window(to.at, to.at + (state.window.end - state.window.start), to.zone))
    kept = overridden(found, reason)
    record(
        bot, state, call.act, "move", lambda latest: changes.move(latest, call.act, to.at, to.zone, now, against=kept)
    )
    return Reply(
        f"{told(found)}Asked for. {state.id} moves once somebody else has approved it in the channel.{held(state)}"
    )
