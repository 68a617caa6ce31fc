"""`/maint tick STEP NUMBER`: one item of a checklist is done."""

from bot import acts
from bot.errors import BadInput
from commands.verb import Bot, Call, Reply, first_word, pick, record, verb

_USAGE = "/maint tick STEP NUMBER"


@verb("tick", "tick STEP NUMBER", "say that one item of a checklist is done")
def tick(call: Call, bot: Bot) -> Reply:
    """Tick it in the caller's name; with the last one the step is done."""
    state, words = pick(call, bot)
    step, rest = first_word(words, "The step", _USAGE)
    number, _ = first_word(rest, "The number of the item", _USAGE)
    if not number.isdecimal():
        raise BadInput(f"{number!r} is no number of an item: `{_USAGE}`.")
    record(bot, state, call.act, "tick", lambda latest: acts.tick(latest, call.act, step, int(number)))
    return Reply(f"Item {number} of {step} is ticked.")
