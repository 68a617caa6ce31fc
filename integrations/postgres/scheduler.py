"""Run statements on many tables over several sessions at once: one queue, largest first, nothing stops the others."""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from weakref import WeakSet

import psycopg
from psycopg.errors import InsufficientPrivilege, LockNotAvailable, QueryCanceled, UndefinedTable

from integrations.postgres.batches import Batch, batches, finished
from integrations.postgres.connection import Server, Session, first_line
from integrations.postgres.read_ahead import suit
from integrations.postgres.tables import Work

# A lock that is not to be had in this time sends the table to the end of the queue; there we wait for it.
FIRST_PATIENCE_S = 5.0


@dataclass
class Done:
    """What came of one piece of work: seconds it took, the server's warnings, and the error if it failed."""

    work: Work
    seconds: float
    warnings: list[str] = field(default_factory=list)
    error: str = ""


class Scheduler:
    """Several sessions that take work from one queue, each in a thread. Start it, watch it, and `join` it."""

    def __init__(self, server: Server, works: Sequence[Work], *, jobs: int, settings: Mapping[str, str]) -> None:
        """Prepare `jobs` threads, each with a session at a time, with `settings` set."""
        self._server = server
        self._settings = {**settings, "lock_timeout": _patience(FIRST_PATIENCE_S)}
        self._tuned: WeakSet[Session] = WeakSet()
        self._queue = deque(batches(works))
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._running: dict[int, tuple[Batch, float, Session]] = {}
        self._busy_s = 0.0
        self.done: list[Done] = []
        self.fatal: BaseException | None = None
        self._threads = [threading.Thread(target=self._work, args=(n,), daemon=True) for n in range(jobs)]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def alive(self) -> bool:
        """Whether any session still works."""
        return any(thread.is_alive() for thread in self._threads)

    def join(self, timeout_s: float) -> None:
        """Wait until all work is done, at most `timeout_s` seconds."""
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def cancel(self) -> None:
        """Take nothing more from the queue and cancel what runs."""
        self._stop.set()
        with self._lock:
            sessions = [session for _, _, session in self._running.values()]
        for session in sessions:
            with contextlib.suppress(psycopg.Error):  # it may have ended this very moment
                session.cancel_safe(timeout=5)

    def leave(self) -> None:
        """Take nothing more from the queue, and let the server end what runs without us."""
        self._stop.set()

    def running(self) -> dict[int, tuple[Batch, float]]:
        """Return what runs now: server process id to the work and the seconds since it began."""
        now = time.monotonic()
        with self._lock:
            return {s.info.backend_pid: (batch, now - at) for batch, at, s in self._running.values() if not s.closed}

    def waiting(self) -> list[Work]:
        """Return what is still in the queue."""
        with self._lock:
            return [work for batch in self._queue for work in batch.works]

    def busy_s(self) -> float:
        """Return the seconds that all sessions together have worked so far."""
        with self._lock:
            return self._busy_s + sum(time.monotonic() - at for _, at, _ in self._running.values())

    def _next(self) -> Batch | None:
        with self._lock:
            return self._queue.popleft() if self._queue and not self._stop.is_set() else None

    def _work(self, number: int) -> None:
        try:
            while (batch := self._next()) is not None:
                with self._server.borrowed(batch.dbname) as session:
                    self._tune(session)
                    self._run(number, session, batch)
        except Exception as error:  # noqa: BLE001 - carried to the thread that watches us, which raises it
            self.fatal = self.fatal or error
            self._stop.set()

    def _tune(self, session: Session) -> None:
        if session in self._tuned:
            return
        for name, value in self._settings.items():
            with contextlib.suppress(InsufficientPrivilege):  # some are for superusers; it is done all the same
                session.execute("SELECT set_config(%s, %s, false)", (name, value))
        self._tuned.add(session)

    def _run(self, number: int, session: Session, batch: Batch) -> None:
        warnings: list[str] = []

        def note(diagnostic: psycopg.errors.Diagnostic) -> None:
            if diagnostic.severity_nonlocalized == "WARNING":
                warnings.append(diagnostic.message_primary or "")

        session.add_notice_handler(note)
        started = time.monotonic()
        with self._lock:
            self._running[number] = (batch, started, session)
        try:
            left, error = self._tried(session, batch)
        finally:
            session.remove_notice_handler(note)
            took = time.monotonic() - started
            with self._lock:
                del self._running[number]
                self._busy_s += took
        with self._lock:
            self._queue.extend(left)
            again = {work for other in left for work in other.works}
            did = [work for work in batch.works if work not in again]
            self.done += [Done(work, took / len(did), warnings, error) for work in did]

    def _tried(self, session: Session, batch: Batch) -> tuple[list[Batch], str]:
        """Run a batch; return what is to be tried again, and what the server said of its one table if that failed."""
        try:
            if len(batch.works) == 1:
                if batch.first_try:
                    suit(session, batch.works[0])
                self._execute(session, batch)
                return [], ""
            return self._run_several(session, batch), ""
        except LockNotAvailable:
            return [replace(batch, first_try=False)], ""
        except UndefinedTable:
            return [], ""  # dropped since we looked: nothing is left to do
        except psycopg.Error as failed:
            if session.closed or (isinstance(failed, QueryCanceled) and self._stop.is_set()):
                raise
            return [], first_line(failed)

    def _run_several(self, session: Session, batch: Batch) -> list[Batch]:
        """Run several tables; if one of them fails, return those that are not done, each for itself."""
        row = session.execute("SELECT clock_timestamp() AS now").fetchone()
        try:
            self._execute(session, batch)
        except psycopg.Error as failed:
            if session.closed or row is None or (isinstance(failed, QueryCanceled) and self._stop.is_set()):
                raise
            done = finished(session, batch, row["now"])
            return [other for other in batch.apart() if other.works[0] not in done]
        return []

    @staticmethod
    def _execute(session: Session, batch: Batch) -> None:
        if batch.first_try:
            session.execute(batch.statement)
            return
        session.execute("SELECT set_config('lock_timeout', '0', false)")
        try:
            session.execute(batch.statement)
        finally:
            if not session.closed:
                session.execute("SELECT set_config('lock_timeout', %s, false)", (_patience(FIRST_PATIENCE_S),))


def _patience(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"
