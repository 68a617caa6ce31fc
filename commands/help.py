"""`/maint help`: the verbs."""

from commands.verb import VERBS, Bot, Call, Reply, verb


@verb("help", "help [COMMAND]", "this list, or one line of it")
def help_(call: Call, bot: Bot) -> Reply:  # noqa: ARG001 - every verb has one signature
    """List every verb with its usage, by name, or the one that is asked about."""
    asked = call.words.strip().lower().removeprefix("/maint ")
    shown = [VERBS[asked]] if asked in VERBS else sorted(VERBS.values(), key=lambda each: each.name)
    lines = [f"`/maint {each.usage}` {each.help}" for each in shown]
    if len(shown) > 1:
        lines.append("Approvals are given by the buttons on the request in the channel.")
    return Reply("\n".join(lines))
