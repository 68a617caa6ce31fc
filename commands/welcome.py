"""`/maint` alone: what makes sense now."""

from commands.verb import Bot, Call, Reply


def welcome(call: Call, bot: Bot) -> Reply:
    """Answer with where things stand in this channel, and the few commands that fit."""
    active = bot.maintenances.active()
    here = [state for state in active if state.channel == call.channel] or active
    if not here:
        names = ", ".join(f"`{name}`" for name in bot.runbooks)
        return Reply(
            "Nothing is planned or running.\n`/maint start` opens a form to plan a maintenance.\n"
            f"Runbooks: {names}. `/maint help` shows everything else."
        )
    lines = []
    for state in here:
        lines.append(bot.card_text(state))
        fitting = [
            "`/maint note TEXT`",
            "`/maint resume`" if state.paused else "`/maint pause`",
            "`/maint abort REASON`",
        ]
        failed = [step for step, now in state.steps.items() if now.status == "failed" and now.retry_at is None]
        fitting += [f"`/maint retry {step}`" for step in failed]
        by_hand = [step for step, now in state.steps.items() if now.status == "running" and state.specs[step].by_hand]
        fitting += [f"`/maint done {step}`" for step in by_hand]
        lines.append("You can: " + ", ".join(fitting))
    return Reply("\n".join(lines))
