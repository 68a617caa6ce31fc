"""`/maint done STEP`: a step that a person does has been done."""

from bot import acts
from bot.state import State
from commands.verb import Bot, Call, Reply, pick, record, step_named, verb


@verb("done", "done STEP", "say that a step which a person does has been done")
def done(call: Call, bot: Bot) -> Reply:
    """End the step in the caller's name."""
    state, words = pick(call, bot)
    step, _ = step_named(state, words, "/maint done STEP", lambda each: _is_by_hand(state, each))
    record(bot, state, call.act, "done", lambda latest: acts.done(latest, call.act, step))
    return Reply(f"{step} is done.")


def _is_by_hand(state: State, step: str) -> bool:
    return state.specs[step].by_hand and state.steps[step].status == "running"
