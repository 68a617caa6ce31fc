"""`/maint skip STEP REASON`: go on without a step."""

from bot import acts
from bot.state import State
from commands.verb import Bot, Call, Reply, as_typed, pick, record, step_named, verb


@verb("skip", "skip STEP REASON", "go on without a step (never a gate)")
def skip(call: Call, bot: Bot) -> Reply:
    """Skip the step; the reason goes into the log and the report."""
    state, words = pick(call, bot)
    step, reason = step_named(state, words, "/maint skip STEP REASON", lambda each: _may_be_skipped(state, each))
    record(bot, state, call.act, "skip", lambda latest: acts.skip(latest, call.act, step, as_typed(reason)))
    return Reply(f"{step} is skipped.")


def _may_be_skipped(state: State, step: str) -> bool:
    return state.steps[step].status in {"failed", "waiting", "pending"} and not state.specs[step].gate
