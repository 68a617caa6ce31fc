"""The forecasts of running maintenances, made from what is recorded, what has passed, and how far the steps are.

One forecast holds for everybody who looks: it is made anew at every entry of the journal, and every 30 seconds.
"""

import threading
from collections.abc import Mapping
from datetime import datetime

from bot.estimates import Estimate, Past, estimates
from bot.forecast import Forecast, Progress, forecast, forecast_words
from bot.history import History
from bot.ledger import Progress as ProgressTable
from bot.maintenances import Maintenances
from bot.state import State

EVERY_S = 30


class Outlook:
    """Forecasts; thread-safe. Its methods raise `Unavailable` while the database is away."""

    def __init__(self, maintenances: Maintenances, progress: ProgressTable) -> None:
        self._history = History(maintenances)
        self._progress = progress
        self._made: dict[str, tuple[tuple[int, int], Forecast]] = {}
        self._lock = threading.Lock()

    def past(self) -> Past:
        """Return what completed maintenances took."""
        return self._history.past()

    def forecast(self, state: State, now: datetime) -> Forecast:
        """Return the forecast of `state` at `now` (aware UTC), at most 30 seconds old."""
        made_for = (state.seq, int(now.timestamp()) // EVERY_S)
        with self._lock:
            known = self._made.get(state.id)
        if known is not None and known[0] == made_for:
            return known[1]
        made = forecast(state, now, self._progress.read(state.id), self.past())
        with self._lock:
            self._made[state.id] = (made_for, made)
        return made

    def estimates(self, state: State) -> Mapping[str, Estimate]:
        """Return how long each step of `state` is expected to take, and where that is known from."""
        return {} if state.over else estimates(state, self.past())

    def line(self, state: State, now: datetime, _: Progress | None = None) -> str:
        """Return the forecast as one line of plain text; empty when there is nothing to expect any more."""
        return "" if state.over or state.status == "aborted" else forecast_words(state, self.forecast(state, now))
