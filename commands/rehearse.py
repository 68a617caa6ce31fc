"""`/maint rehearse [RUNBOOK or ID] [key=value …]`: do the same on a copy, to know how long it takes and what fails."""

from collections.abc import Mapping
from typing import Any

from bot.errors import BadInput
from bot.markup import inline
from bot.rehearsal import LONGEST, NO_CONFLICTS, about, rehearsal_of
from bot.runbook import Runbook, resolve
from bot.state import State
from bot.window import Moment, make_window
from commands.start import record_created
from commands.verb import Bot, Call, Reply, verb
from commands.wish import Wish, read


@verb("rehearse", "rehearse [RUNBOOK|ID] [KEY=VALUE …]", "do it on a copy first: measures how long it takes")
def rehearse(call: Call, bot: Bot) -> Reply:
    """Plan a rehearsal that begins as soon as its copy is approved; nothing outside is told or changed by it."""
    wish = read(call.words)
    if wish.at or wish.duration or wish.override:
        raise BadInput("A rehearsal begins as soon as it is approved, and takes as long as it takes: leave out times.")
    runbook, params = _what(wish, call, bot)
    rehearsal = rehearsal_of(runbook)
    now = bot.maintenances.now()
    moment = Moment(now, call.zone)
    asked: dict[str, Any] = {
        "params": params,
        "window": make_window(moment, LONGEST),
        "requester": call.user,
        "channel": bot.room(call.channel),
        "approvers": tuple(bot.defaults["approvers"]),
        "levels": NO_CONFLICTS,
        "environments": bot.defaults["environments"],
    }
    real = resolve(runbook, **asked)
    payload = resolve(rehearsal.runbook, **asked)
    made = record_created(
        bot, rehearsal.runbook, {**payload, "rehearses": about(runbook, rehearsal, real)}, call.act, moment
    )
    return Reply(_told(made, runbook))


def _what(wish: Wish, call: Call, bot: Bot) -> tuple[Runbook, Mapping[str, Any]]:
    """Return the runbook, and the parameters: of the maintenance that is named, or as they are typed."""
    name = wish.runbook
    ids = bot.maintenances.ids()
    if not name:
        here = [state for state in bot.maintenances.active() if state.channel == call.channel and state.rehearsable]
        name = here[0].id if len(here) == 1 else _only(bot)
    if name in ids:
        state = bot.maintenances.state(name)
        runbook = bot.runbooks.get(state.runbook)
        if runbook is None:
            raise BadInput(f"{name} was made from the runbook {state.runbook}, and that is not there any more.")
        known = {key: value for key, value in state.params.items() if key in runbook.params}
        return runbook, {**known, **wish.params}
    if name not in bot.runbooks:
        mistakes = f"\n{bot.runbook_mistakes}" if bot.runbook_mistakes else ""
        raise BadInput(f"There is neither a runbook nor a maintenance called {name!r}.{mistakes}")
    return bot.runbooks[name], wish.params


def _only(bot: Bot) -> str:
    """The only runbook that can be rehearsed. Raises `BadInput` naming the choices."""
    names = [name for name, runbook in bot.runbooks.items() if runbook.rehearsal is not None]
    if len(names) != 1:
        known = ", ".join(f"`{name}`" for name in names) or "none: `rehearsal:` in a runbook says how"
        raise BadInput(f"Which runbook, or which maintenance? Runbooks that can be rehearsed: {known}.")
    return names[0]


def _told(made: State, runbook: Runbook) -> str:
    return (
        f"`{made.id}` is planned: *{inline(made.title)}*, at once. It works on a copy, tells nobody, and changes "
        f"nothing else; what it measures goes to every maintenance of `{runbook.name}` with the same values that has "
        "not begun. "
        f"Its card is in <#{made.channel}>. The copy is made once it is approved there, and removed at the end."
    )
