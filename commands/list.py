"""`/maint list`: the maintenances there are."""

from itertools import islice

from bot.recurrence import following, key_of
from bot.runbook import Runbook
from bot.state import State
from bot.window import local
from commands.verb import Bot, Call, Reply, verb

_PAST = 10


@verb("list", "list", "the maintenances that are planned, running and past")
def list_(call: Call, bot: Bot) -> Reply:
    """List those that are not over, then the last ten that are."""
    active = bot.maintenances.active()
    past = list(islice(bot.maintenances.past(), _PAST))
    coming = [_next(runbook, bot, call.zone) for runbook in bot.runbooks.values() if runbook.recur is not None]
    if not active and not past and not coming:
        return Reply("There is no maintenance yet. `/maint start` begins one.")
    lines = [_line(state, call.zone) for state in (*active, *past)]
    return Reply("\n".join([*lines[: len(active)], *coming, *lines[len(active) :]]))


def _next(runbook: Runbook, bot: Bot, zone: str) -> str:
    """When a runbook that recurs comes next, of what is not planned yet."""
    recur, now, journal = runbook.recur, bot.maintenances.now(), bot.maintenances.journal
    assert recur is not None  # noqa: S101 - only those that recur are asked
    for each in following(recur.rrule, recur.at, now, recur.since):
        if journal.find(key_of(runbook.name, each)) is None:
            planned = each.at - recur.ahead
            when = (
                f"to be planned {local(planned, zone)}"
                if planned > now
                else "not planned; if it is left out, the channel says why"
            )
            return f"`{runbook.name}` comes again: {local(each.at, zone)}, {when}"
    return f"`{runbook.name}` does not come again within four years"


def _line(state: State, zone: str) -> str:
    paused = ", paused" if state.paused else ""
    return f"`{state.id}` {state.status}{paused}: {local(state.window.start, zone)} to {local(state.window.end, zone)}"
