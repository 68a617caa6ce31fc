"""What each maintenance that is over comes to, in a few numbers: its journal is read once, not by every process.

The table `endings` is a copy that anybody can make again from the journals: what is missing in it, after an upgrade or
a rebuild, is read a little at a time, the newest first.
"""

import json
import threading
from collections.abc import Mapping, Set
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import structlog

from bot.database import Unavailable
from bot.entry import instant
from bot.estimates import Run, runs_of
from bot.rehearsed import result_of
from bot.state import Planned, State
from bot.step import Window, canonical, read_as

if TYPE_CHECKING:
    from bot.maintenances import Maintenances

_ENTRIES_AT_ONCE = 10_000
"""About half a second of reading. Whoever asks must not wait for the journals of years; the next one reads on."""
_ONE_BY_ONE = 20
_VERSION = 1
"""Of what is kept. What an older or newer bot has kept otherwise is made again from the journal."""
_TICK_S, _READING_ON_S = 30.0, 1.0

log = structlog.get_logger()


@dataclass(frozen=True)
class Ending:
    """What a maintenance that is over comes to.

    `promised` is the window as it was last announced before it began, not extended. `began` and `ended` are aware UTC,
    None where that never happened. `runs` are those of its steps if it was completed. `rehearses` and `shown` are what
    a rehearsal is one of and what it has shown (`bot.rehearsed`). `ledgers` are the names of its mass sends.
    """

    id: str
    runbook: str
    status: str
    promised: Window
    began: datetime | None
    ended: datetime | None
    extended: bool
    runs: tuple[Run, ...]
    rehearses: Mapping[str, Any] | None
    shown: Mapping[str, Any] | None
    ledgers: tuple[str, ...]


def ending_of(state: State) -> Ending:
    """Return what `state`, which is over, comes to."""
    return Ending(
        state.id,
        state.runbook,
        state.status,
        promised(state),
        state.started_at,
        state.ended_at,
        any(each.what == "extended" for each in state.milestones),
        tuple(runs_of(state)),
        state.rehearses,
        result_of(state),
        ledgers_of(state),
    )


def ledgers_of(state: State) -> tuple[str, ...]:
    """Return the names of the lists of recipients of its mass sends; a step puts on record which one it keeps."""
    return tuple(sorted({str(step.facts["ledger"]) for step in state.steps.values() if "ledger" in step.facts}))


def promised(state: State) -> Window:
    """Return the window as it was last announced before the work began: what was extended later was late."""
    window = state.milestones[0].window if state.milestones else state.window
    for milestone in state.milestones:
        if milestone.what == "begun":
            break
        window = milestone.window
    return window


class Endings:
    """Reads and keeps the table. Thread-safe. Every method raises `Unavailable` while the database is away."""

    def __init__(self, maintenances: "Maintenances") -> None:
        self._maintenances = maintenances
        self._database = maintenances.journal.database
        self._known: dict[str, Ending] = {}
        self._unreadable: set[str] = set()
        self._lock = threading.Lock()
        self.complete = False
        """Whether what was last returned is all there is."""

    def ids(self) -> set[str]:
        """Return the ids of those that somebody has summed up."""
        return {row["maintenance"] for row in self._database.query("SELECT maintenance FROM endings")}

    def known(self, *, everything: bool = False) -> Mapping[str, Ending]:
        """Return what is known of those that are over, by id, the oldest first.

        Where journals have to be read for it, that is the newest ones, up to some thousand entries; with `everything`
        all of them, however long it takes.
        """
        while True:
            # Others, such as the forecast of what runs, get their turn in between.
            found, is_all = self._some()
            if is_all or not everything:
                self.complete = is_all
                return found

    def _some(self) -> tuple[Mapping[str, Ending], bool]:
        with self._lock:
            # Whoever has ended since, by another process too, is found on the way.
            self._maintenances.active()
            missing = self._maintenances.over() - self._known.keys() - self._unreadable
            if not missing:
                return self._known, True
            last = self._maintenances.last()
            found = {**self._known, **self._stored(missing)}
            to_read = [maintenance for maintenance in reversed(last) if maintenance in missing - found.keys()]
            left = _ENTRIES_AT_ONCE
            while to_read and left > 0:
                maintenance = to_read.pop(0)
                left -= last[maintenance]
                found.update(self._summed_up(maintenance))
            # A new one each time: whoever has the one before goes through it without a lock.
            self._known = {maintenance: found[maintenance] for maintenance in last if maintenance in found}
            return self._known, not to_read

    def run(self, stop: threading.Event) -> None:
        """Keep the table up to date until `stop` is set, so that nobody who asks has to read journals."""
        rest_s = _TICK_S
        while not stop.wait(rest_s):
            try:
                self.known()
                rest_s = _TICK_S if self.complete else _READING_ON_S
            except Unavailable as error:
                log.info("endings_wait_for_the_database", error=str(error))

    def _stored(self, wanted: Set[str]) -> dict[str, Ending]:
        if len(wanted) > _ONE_BY_ONE:
            rows = self._database.query("SELECT maintenance, payload FROM endings")
        else:
            one = "SELECT maintenance, payload FROM endings WHERE maintenance = ?"
            rows = [row for each in wanted for row in self._database.query(one, (each,))]
        told = {row["maintenance"]: json.loads(row["payload"]) for row in rows if row["maintenance"] in wanted}
        return {name: _ending(name, payload) for name, payload in told.items() if payload.get("version") == _VERSION}

    def _summed_up(self, maintenance: str) -> dict[str, Ending]:
        try:
            ending = ending_of(self._maintenances.state(maintenance, keep=False))
        except (ValueError, KeyError, TypeError):
            # One journal that nobody can read, written into by hand perhaps, must not keep all others from counting.
            log.exception("not_summed_up", maintenance=maintenance)
            self._unreadable.add(maintenance)
            return {}
        self._database.query(
            "INSERT INTO endings (maintenance, payload) VALUES (?, ?) "
            "ON CONFLICT (maintenance) DO UPDATE SET payload = excluded.payload",
            (maintenance, canonical(_payload(ending))),
        )
        return {maintenance: ending}


def _payload(ending: Ending) -> dict[str, Any]:
    window, at = ending.promised, [each and each.isoformat() for each in (ending.began, ending.ended)]
    return {
        "version": _VERSION,
        "runbook": ending.runbook,
        "status": ending.status,
        "promised": [window.start.isoformat(), window.end.isoformat(), window.zone],
        "began": at[0],
        "ended": at[1],
        "extended": ending.extended,
        "runs": [asdict(run) for run in ending.runs],
        "rehearses": ending.rehearses,
        "shown": ending.shown,
        "ledgers": list(ending.ledgers),
    }


def _ending(maintenance: str, payload: Mapping[str, Any]) -> Ending:
    start, end, zone = payload["promised"]
    began, ended = (each and instant(each) for each in (payload["began"], payload["ended"]))
    runs = [
        read_as(Run, {**run, "planned": run["planned"] and read_as(Planned, run["planned"])}) for run in payload["runs"]
    ]
    return Ending(
        maintenance,
        payload["runbook"],
        payload["status"],
        Window(instant(start), instant(end), zone),
        began,
        ended,
        payload["extended"],
        tuple(runs),
        payload["rehearses"],
        payload["shown"],
        tuple(payload["ledgers"]),
    )
