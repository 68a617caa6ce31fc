"""`/maint plan`: what each step would do. Changes nothing."""

from bot.errors import BadInput, StepError
from bot.estimate_words import estimate_words
from bot.estimates import Estimate
from bot.state import State
from commands.verb import Bot, Call, Reply, pick, verb

_DETAILS = 6


@verb("plan", "plan [ID|STEP]", "what each step would do; changes nothing")
def plan(call: Call, bot: Bot) -> Reply:
    """Plan every step that has not been done, or the one named, in full; the whole text comes as a file too."""
    state, words = pick(call, bot)
    named = words.strip()
    if named and named not in state.steps:
        raise BadInput(f"{state.id} has no step {named}. Its steps: {', '.join(state.steps)}.", field="step")
    steps = [named] if named else [step for step, now in state.steps.items() if now.status != "succeeded"]
    expected = bot.estimates(state)
    texts = {step: _planned(state, step, bot, expected.get(step)) for step in steps}
    shown = "\n".join(f"*{step}* {_cut(text)}" for step, text in texts.items())
    whole = "\n\n".join(f"{step}\n{text}" for step, text in texts.items())
    return Reply(shown, files={f"{state.id}-plan.txt": whole})


def _planned(state: State, step: str, bot: Bot, expected: Estimate | None) -> str:
    try:
        planned = bot.plan(state, step)
    except StepError as error:
        return f"cannot be planned now: {error}"
    takes = (f"Takes {estimate_words(expected)}, by {expected.source}.",) if expected is not None else ()
    return bot.named("\n".join((planned.summary, *takes, *planned.details)))


def _cut(text: str) -> str:
    lines = text.splitlines()
    more = f"\n… {len(lines) - _DETAILS} more lines in the file" if len(lines) > _DETAILS else ""
    return "\n".join(lines[:_DETAILS]) + more
