"""`/maint surfaces`: what people see now on every surface, side by side."""

from bot.markup import inline
from bot.step import Standing
from commands.verb import Bot, Call, Reply, pick, verb


@verb("surfaces", "surfaces [ID]", "what people see now of what the maintenance put up, read live")
def surfaces(call: Call, bot: Bot) -> Reply:
    """Look at everything that the maintenance has put up, and say where it differs from what it should show."""
    state, _ = pick(call, bot, over_too=True)
    found = bot.standing(state)
    if not found:
        return Reply(f"{state.id} has put nothing up yet.")
    return Reply("\n".join(f"*{step}*: {_line(seen)}" for step, seen in found.items()))


def _line(seen: Standing | str | None) -> str:
    if seen is None:
        return "○ down"
    if isinstance(seen, str):
        return f"? {inline(seen)}"
    if seen.differs:
        return f":warning: shows “{inline(seen.shown)}”, and should show “{inline(seen.wanted)}”"
    return f"● shows “{inline(seen.shown)}”"
