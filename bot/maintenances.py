"""Reads a maintenance's state and records what happens to it: the one door between everybody and the journal."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from bot.endings import Endings
from bot.entry import Entry
from bot.errors import BadInput, Conflict
from bot.evolve import fold
from bot.journal import Draft, Duplicate, Journal
from bot.state import State

_TRIES = 200

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the current time, aware, in UTC."""
    return datetime.now(UTC)


class Unread(Conflict):
    """A newer version of the bot has gone on with this maintenance in a way that this one does not understand."""

    def __init__(self, state: State) -> None:
        super().__init__(
            f"A newer version of the bot has gone on with {state.id}: its log has an entry that this version does not "
            f"know ({state.unread}). So this one begins nothing in it and decides nothing about it, and what you did "
            "was not recorded. What runs goes on. Try again when the newer version runs: after the deployment, or when "
            "it has been started again."
        )


class Maintenances:
    """The states of all maintenances, folded from the journal and kept up to date by reading only what is new.

    Which are over is remembered, since nothing follows then: their journals are read only when somebody asks for them.
    """

    def __init__(self, journal: Journal, clock: Clock = utc_now) -> None:
        self.journal = journal
        self.now = clock
        self.endings = Endings(self)
        self._states: dict[str, State] = {}
        self._over: set[str] | None = None
        self._lock = threading.Lock()

    def ids(self) -> list[str]:
        """Return the ids of all maintenances, oldest first."""
        return self.journal.maintenances()

    def last(self) -> dict[str, int]:
        """Return the number of the last entry of every maintenance, oldest first, in one query."""
        return self.journal.last()

    def over(self) -> frozenset[str]:
        """Return the ids of those that are known to be over, without reading their journals.

        Of an abort its entry does not say whether all is taken down: that is known once it has been summed up.
        """
        with self._lock:
            if self._over is not None:
                return frozenset(self._over)
        ended = {*self.journal.ended(), *self.endings.ids()}
        with self._lock:
            self._over = {*ended, *(name for name, state in self._states.items() if state.over)}
            return frozenset(self._over)

    def unfinished(self) -> dict[str, int]:
        """Return what `last` does, without those that are known to be over."""
        over = self.over()
        return {maintenance: last for maintenance, last in self.last().items() if maintenance not in over}

    def state(self, maintenance: str, *, last: int = 0, keep: bool = True) -> State:
        """Return the state now; where `last`, the number of an entry, has been read already, without asking again.

        Without `keep` what has to be read is not kept in memory: for what is long over.
        Raises `BadInput` if there is no such maintenance.
        """
        with self._lock:
            known = self._states.get(maintenance)
        if known is not None and 0 < last <= known.seq:
            return known
        state = fold(self.journal.read(maintenance, after=known.seq if known else 0), known)
        if state is None:
            raise BadInput(f"There is no maintenance called {maintenance}. `/maint list` shows those there are.")
        if not keep and known is None:
            return state
        with self._lock:
            latest = self._states.get(maintenance)
            if latest is None or latest.seq < state.seq:
                self._states[maintenance] = state
            if state.over and self._over is not None:
                self._over.add(maintenance)
        return state

    def active(self) -> list[State]:
        """Return the states of all maintenances for which something may still follow, oldest first."""
        states = (self.state(maintenance, last=last) for maintenance, last in self.unfinished().items())
        return [state for state in states if not state.over]

    def past(self, channel: str | None = None) -> Iterator[State]:
        """Yield the states of those that are over, of all or of those told in `channel`, the newest first.

        A journal is read when its turn comes.
        """
        unfinished = {state.id for state in self.active()}
        for maintenance in reversed(self.journal.maintenances(channel)):
            if maintenance not in unfinished:
                yield self.state(maintenance)

    def create(self, maintenance: str, draft: Draft) -> Entry:
        """Record the first entry of a new maintenance. Raises `Duplicate` or `Conflict` as the journal does."""
        return self.journal.append(maintenance, [draft], after=0)[0]

    def record(self, maintenance: str, decision: Callable[[State], list[Draft]]) -> list[Entry]:
        """Append what `decision` makes of the current state, deciding anew as often as somebody else wrote first.

        `decision` must be pure; it returns no drafts if nothing is to be recorded (any more), or raises, and then
        nothing is written. Raises `Duplicate` if what it wants to record has been recorded before, `Unread` where this
        version cannot judge the state, and `Conflict` if others were faster every time.
        """

        def judged(state: State) -> list[Draft]:
            if state.unread:
                raise Unread(state)
            return decision(state)

        return self._append(maintenance, judged)

    def happened(self, maintenance: str, draft: Draft) -> None:
        """Append what has happened, whatever the state. Raises `Duplicate` if it has been recorded before."""
        self._append(maintenance, lambda _: [draft])

    def _append(self, maintenance: str, drafts_for: Callable[[State], list[Draft]]) -> list[Entry]:
        for _ in range(_TRIES):
            state = self.state(maintenance)
            drafts = drafts_for(state)
            if not drafts:
                return []
            try:
                return self.journal.append(maintenance, drafts, after=state.seq)
            except Duplicate:
                raise
            except Conflict:
                continue
        raise Conflict(f"{maintenance} is being written to so much that this could not be recorded; try again.")
