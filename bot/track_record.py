"""How maintenances have gone: on time or not, how good the forecasts were, how long people took to decide.

What is over has been read once, by whoever was first (`bot.endings`); only the latest journals are read to judge the
forecasts.
"""

import threading
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import fmean, median

from bot.endings import Ending
from bot.estimates import Past
from bot.evolve import fold
from bot.forecast import forecast
from bot.maintenances import Maintenances
from bot.step import Window

LAST = 10
_JUDGED = 20
"""Of how many completed maintenances the forecasts are judged: for each its journal is read once more."""
_SLACK = timedelta(minutes=1)
"""A minute late is on time: nobody outside would see it."""


@dataclass(frozen=True)
class Ended:
    """A maintenance that is over. `promised` is the window as it was last announced before it began, not extended.

    `began` and `ended` are aware UTC, None where that never happened; `waited_s` is how long people took to decide,
    for each approval inside the window.
    """

    id: str
    status: str
    promised: Window
    began: datetime | None
    ended: datetime | None
    extended: bool
    waited_s: tuple[float, ...]

    @property
    def planned(self) -> timedelta:
        """The length of the window."""
        return self.promised.end - self.promised.start

    @property
    def took(self) -> timedelta | None:
        """From its beginning to its end, if it had both."""
        return self.ended - self.began if self.began and self.ended else None

    @property
    def late(self) -> timedelta:
        """How long after the promised end it ended; nothing if it was on time, to the minute."""
        over = self.ended - self.promised.end if self.ended else timedelta()
        return over if over > _SLACK else timedelta()


@dataclass(frozen=True)
class Summary:
    """All maintenances that are over. Shares are from 0 to 1; what there is nothing to say about is None.

    `error_start` and `error_half` say how far off the expected end was at the start and half-way, as a mean share of
    the time that it took; `judged` is of how many.
    """

    by_status: Counter[str]
    on_time: float | None
    late_median: timedelta | None
    latest: Ended | None
    extended: int
    error_start: float | None
    error_half: float | None
    judged: int
    wait_median: timedelta | None
    wait_longest: timedelta | None
    last: Sequence[Ended]


class TrackRecord:
    """Keeps the record up to date: each maintenance is counted when it is first seen to be over. Thread-safe."""

    def __init__(self, maintenances: Maintenances) -> None:
        self._maintenances = maintenances
        self._lock = threading.Lock()
        self._seen: set[str] = set()
        self._ended: list[Ended] = []
        self._past = Past()
        self._to_judge: deque[tuple[str, Past]] = deque(maxlen=_JUDGED)
        self._errors: dict[str, tuple[float, float]] = {}

    def summary(self) -> Summary:
        """Return what there is by now. Raises `Unavailable` while the database is away."""
        with self._lock:
            for maintenance, ending in self._maintenances.endings.known(everything=True).items():
                if maintenance not in self._seen:
                    self._look(ending)
            errors = [self._judged(maintenance, past) for maintenance, past in self._to_judge]
            return _summary(self._ended, errors)

    def _look(self, ending: Ending) -> None:
        self._seen.add(ending.id)
        if ending.rehearses is not None:
            return  # nobody was promised anything
        waited = tuple(run.waited_s for run in ending.runs if run.waited_s is not None)
        self._ended.append(
            Ended(ending.id, ending.status, ending.promised, ending.began, ending.ended, ending.extended, waited)
        )
        if ending.status == "completed" and ending.began is not None:
            self._to_judge.append((ending.id, self._past))
        self._past = self._past.with_runs(ending.runbook, ending.runs) if ending.runs else self._past

    def _judged(self, maintenance: str, past: Past) -> tuple[float, float]:
        if maintenance not in self._errors:
            self._errors[maintenance] = self._judge(maintenance, past)
        return self._errors[maintenance]

    def _judge(self, maintenance: str, past: Past) -> tuple[float, float]:
        """How far off the forecast was at the start and half-way, by what was known then."""
        entries = self._maintenances.journal.read(maintenance)
        state = fold(entries)
        if state is None:
            return 0.0, 0.0
        began, end = state.started_at, forecast(state, self._maintenances.now()).end
        if began is None or end <= began:
            return 0.0, 0.0
        errors = []
        for at in (began, began + (end - began) / 2):
            then = fold(entry for entry in entries if entry.at <= at)
            expected = forecast(then, at, past=past).end if then is not None else end
            errors.append(abs(expected - end) / (end - began))
        return errors[0], errors[1]


def _summary(ended: Sequence[Ended], errors: Sequence[tuple[float, float]]) -> Summary:
    completed = [each for each in ended if each.status == "completed"]
    late = [each for each in completed if each.late]
    in_order = sorted(ended, key=lambda each: each.ended or each.promised.end)
    waits = [waited_s for each in ended for waited_s in each.waited_s]
    return Summary(
        by_status=Counter(each.status for each in ended),
        on_time=1 - len(late) / len(completed) if completed else None,
        late_median=timedelta(seconds=median(each.late.total_seconds() for each in late)) if late else None,
        latest=max(late, key=lambda each: each.late, default=None),
        extended=sum(each.extended for each in ended),
        error_start=fmean(start for start, _ in errors) if errors else None,
        error_half=fmean(half for _, half in errors) if errors else None,
        judged=len(errors),
        wait_median=timedelta(seconds=median(waits)) if waits else None,
        wait_longest=timedelta(seconds=max(waits)) if waits else None,
        last=tuple(reversed(in_order[-LAST:])),
    )
