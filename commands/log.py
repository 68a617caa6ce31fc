"""`/maint log [csv|json|md|html]`: the journal as a file."""

from bot.errors import BadInput
from bot.export import FORMATS
from commands.verb import Bot, Call, Reply, pick, verb


@verb("log", "log [csv|json|md|html]", "the whole log as a file (csv if you do not say)")
def log(call: Call, bot: Bot) -> Reply:
    """Hand the caller the journal in the format asked for."""
    state, words = pick(call, bot, over_too=True)
    kind = words.strip().lower() or "csv"
    if kind not in FORMATS:
        raise BadInput(f"The log comes as csv, json, md or html, not as {kind!r}.", field="format")
    entries = bot.maintenances.journal.read(state.id)
    suffix = "jsonl" if kind == "json" else kind
    return Reply(
        f"The log of {state.id}: {len(entries)} entries.", files={f"{state.id}.{suffix}": FORMATS[kind](entries)}
    )
