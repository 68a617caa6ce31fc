"""`/maint abort REASON`: stop for good, and take down what was put up as the runbook says."""

from dataclasses import replace

from bot import acts
from bot.state import State, must_undo
from bot.unproved import unproved
from commands.verb import Bot, Call, Reply, as_typed, pick, record, verb


@verb("abort", "abort REASON", "stop for good; what was put up is taken down as the runbook says")
def abort(call: Call, bot: Bot) -> Reply:
    """Abort at once, whatever runs."""
    state, reason = pick(call, bot)
    record(bot, state, call.act, "abort", lambda latest: acts.abort(latest, call.act, as_typed(reason)))
    return Reply(f"{state.id} is aborted. {what_follows(bot.maintenances.state(state.id))}")


def what_follows(state: State) -> str:
    """Say what an abort takes down, keeps and asks about: a sentence or more."""
    state = state if state.status == "aborted" else replace(state, half_done_counts=True)
    words = []
    running = [step for step, now in state.steps.items() if now.status == "running"]
    if running:
        words.append(f"Told to stop: {', '.join(running)}.")
    standing = [step for step in state.specs if must_undo(state, step) and step not in running]
    red = {step: gate for step in standing if (gate := unproved(state, step)) is not None}
    lift = [step for step in standing if state.specs[step].on_failure == "lift" and step not in red]
    ask = [step for step in standing if step not in lift]
    if lift:
        words.append(f"Will be taken down: {', '.join(lift)}.")
    if ask:
        words.append(f"Asked about in the channel: {', '.join(ask)}.")
    words += [
        f"{gate} has not come out green: only a second person who may approve can lift {step}."
        for step, gate in red.items()
    ]
    return " ".join(words) or "Nothing has to be taken down."
