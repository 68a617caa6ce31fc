"""What completed maintenances took: the past that forecasts are made from."""

import threading

from bot.estimates import Past
from bot.maintenances import Maintenances


class History:
    """Keeps the past up to date: each maintenance that is over tells of its runs once it is seen to be. Thread-safe."""

    def __init__(self, maintenances: Maintenances) -> None:
        self._maintenances = maintenances
        self._told = 0
        self._past = Past()
        self._lock = threading.Lock()

    def past(self) -> Past:
        """Return the past by now. Raises `Unavailable` while the database is away."""
        with self._lock:
            known = self._maintenances.endings.known()
            if len(known) != self._told:
                past = Past()
                for ending in known.values():
                    past = past.with_runs(ending.runbook, ending.runs) if ending.runs else past
                self._past, self._told = past, len(known)
            return self._past
