"""`/maint retry STEP`: try a failed step again."""

from bot import acts
from commands.verb import Bot, Call, Reply, held, pick, record, step_named, verb


@verb("retry", "retry STEP", "try a failed step again")
def retry(call: Call, bot: Bot) -> Reply:
    """Put the step back into the queue; it first looks whether its work has been done."""
    state, words = pick(call, bot)
    step, _ = step_named(state, words, "/maint retry STEP", lambda each: state.steps[each].status == "failed")
    record(bot, state, call.act, "retry", lambda latest: acts.retry(latest, call.act, step))
    return Reply(f"{step} is tried again.{held(state)}")
