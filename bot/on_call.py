"""Whether somebody is on call for the whole of a window, by the schedules of `MAINT_ON_CALL`."""

from collections.abc import Callable, Iterable
from datetime import datetime

from bot.connections import ROTAS, Shift, ValueOf
from bot.errors import Final, StepError
from bot.lookups import Lookups
from bot.radar import Conflict, unseen
from bot.step import Window
from bot.window import local


class OnCall:
    """Asks for each of `schedules` (`system:id`); what they say is kept for minutes."""

    def __init__(self, schedules: Iterable[str], value_of: ValueOf, lookups: Lookups) -> None:
        self._schedules = tuple(schedules)
        self._value_of = value_of
        self._lookups = lookups

    def begin(self, window: Window) -> Callable[[], list[Conflict]]:
        """Begin to ask; returns what waits, and gives the times of `window` in which nobody is on call as conflicts."""

        def asking(schedule: str) -> Callable[[], list[Shift]]:
            return lambda: shifts_of(schedule, self._value_of, window.start, window.end)

        asked = [
            (each, self._lookups.begin(("on call", each, window.start, window.end), asking(each)))
            for each in self._schedules
        ]
        return lambda: [conflict for each, wait in asked for conflict in _conflicts(each, wait, window)]


def shifts_of(schedule: str, value_of: ValueOf, since: datetime, until: datetime) -> list[Shift]:
    """Return the spans in which somebody is on call by `schedule` (`system:id`). Raises `StepError`."""
    system, _, id_ = schedule.partition(":")
    ask = ROTAS.get(system)
    if ask is None:
        raise Final(f"{system} is not known to have schedules; MAINT_ON_CALL takes {', '.join(ROTAS)}.")
    return ask(value_of, id_, since, until)


def gaps(shifts: Iterable[Shift], window: Window) -> list[Shift]:
    """Return the spans of `window` that no shift covers."""
    found, covered = [], window.start
    for begin, end in sorted(shifts):
        if begin > covered and covered < window.end:
            found.append((covered, min(begin, window.end)))
        covered = max(covered, end)
    return [*found, (covered, window.end)] if covered < window.end else found


def _conflicts(schedule: str, wait: Callable[[], list[Shift]], window: Window) -> list[Conflict]:
    try:
        open_ones = gaps(wait(), window)
    except StepError as error:
        return [unseen(f"Who is on call by {schedule}", error, schedule)]
    if not open_ones:
        return []
    spans = ", ".join(f"{local(begin, window.zone)} to {local(end, window.zone)}" for begin, end in open_ones)
    return [Conflict("nobody", f"Nobody is on call by {schedule}: {spans}.", blocks=False, about=schedule)]
