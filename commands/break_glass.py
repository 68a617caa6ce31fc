"""`/maint break-glass [STEP] [REASON]`: let whoever asked approve one request themselves; opens a form."""

from typing import Any

from bot.break_glass import breakable, must_be_breakable
from bot.errors import BadInput
from bot.state import State
from commands.modals import ask_reason, confirm_box
from commands.verb import Bot, Call, Reply, as_typed, pick, verb


@verb(
    "break-glass",
    "break-glass [STEP] [REASON]",
    "when nobody else can: let whoever asked approve one request themselves; asks for the reason, and is loud",
)
def break_glass(call: Call, bot: Bot) -> Reply:
    """Open the form, if it may be done at all."""
    state, words = pick(call, bot)
    after_s = bot.admit_glass(call.user, state)
    step, reason = _step(state, words)
    must_be_breakable(state, step, bot.maintenances.now(), after_s)
    return Reply(modal=form(state, step, as_typed(reason)))


def form(state: State, step: str, reason: str) -> dict[str, Any]:
    """Return the modal: what is going to happen, the reason, and a box to tick."""
    approval = state.steps[step].approval
    if approval is None:
        raise BadInput(f"{step} waits for no approval.")
    about = (
        f"{state.specs[step].title} ({step}): {approval.summary}\n\nWhoever asked for it may then approve it "
        "themselves, this once. Everybody in the channel is told, those who may approve by name, and it stays in the "
        "log and in the closing report."
    )
    value = f"{state.id}|{step}|{approval.token}"
    made = ask_reason("break-glass", value, about, reason)
    box = confirm_box("sure", "Nobody else can decide", "I have tried to reach the others, and it cannot wait.")
    return {**made, "blocks": [*made["blocks"], box]}


def _step(state: State, words: str) -> tuple[str, str]:
    """The step that is meant, named first or the only one that waits, and the other words."""
    first, _, rest = words.strip().partition(" ")
    if first in state.specs:
        return first, rest.strip()
    waiting = breakable(state)
    if len(waiting) == 1:
        return waiting[0], words.strip()
    if not waiting:
        raise BadInput(f"Nothing of {state.id} waits for an approval that the glass could be broken for.")
    raise BadInput(f"For which step? `/maint break-glass STEP REASON`. Waiting: {', '.join(waiting)}.")
