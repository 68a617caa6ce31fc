"""Removes what maintenances that are long over have left beside their journals: work folders and lists of recipients.

Journals stay for good: they are the record, and small.
"""

import shutil
import threading
from datetime import timedelta
from pathlib import Path

import structlog

from bot.endings import Ending
from bot.ledger import TableLedger
from bot.maintenances import Maintenances

_TICK_S = 3600.0

log = structlog.get_logger()


class Retention:
    """Keeps `keep` long after a maintenance is over. Each process removes its own folders; nothing is needed again."""

    def __init__(self, maintenances: Maintenances, workdir: Path, keep: timedelta) -> None:
        self._maintenances = maintenances
        self._workdir = workdir
        self._keep = keep
        self._removed: set[str] = set()

    def run(self, stop: threading.Event) -> None:
        """Look each hour until `stop` is set. What fails is logged, and tried again."""
        while not stop.is_set():
            try:
                self.remove()
            except Exception:
                # A full disk or a database away must not end the thread for good.
                log.exception("retention_failed")
            stop.wait(_TICK_S)

    def remove(self) -> list[str]:
        """Remove what has been kept long enough, and return the ids of the maintenances that had anything left."""
        now = self._maintenances.now()
        found = []
        for maintenance, ending in self._maintenances.endings.known().items():
            if maintenance in self._removed or ending.ended is None or now - ending.ended <= self._keep:
                continue
            if self._remove(ending):
                log.info("removed_what_was_left", maintenance=maintenance)
                found.append(maintenance)
            self._removed.add(maintenance)
        return found

    def _remove(self, ending: Ending) -> bool:
        folder = self._workdir / ending.id
        had_folder = folder.parent == self._workdir and folder.is_dir() and not folder.is_symlink()
        if had_folder:
            shutil.rmtree(folder)
        database = self._maintenances.journal.database
        rows = sum(TableLedger(database, f"{ending.id}:{name}").remove() for name in ending.ledgers)
        database.query("DELETE FROM progress WHERE maintenance = ?", (ending.id,))
        return had_folder or rows > 0
