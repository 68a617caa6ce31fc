"""Who is alive. On SQLite one process holds a file lock; on PostgreSQL each process holds a lease in a table.

A process whose lease ran out is dead to the others: one of them hands its unfinished attempts on. It may only have
been frozen, or cut off from the database, so each process also asks itself, right before it acts, whether its lease
can have run out meanwhile, by a clock that goes on while it is frozen.

While processes of two versions share a database, the newer ones begin what is new and speak to the channel; the older
ones only end what they have begun.
"""

import fcntl
import re
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import psycopg
import structlog
from dbos import DBOSClient

from bot.durable import VERSION
from bot.errors import MaintError

TTL_S = 30.0
_SWEEP_LOCK = 0x73776570
_LEADER = "leader"
_NAME = re.compile(r"maint-(\d+)_")

log = structlog.get_logger()


class AlreadyRunning(MaintError):
    """Another process works on the same database, and two would do things twice."""


class FileLease:
    """The whole data folder, for one process: an exclusive lock that the kernel drops when the process ends."""

    executor = "maint"

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file: IO[str] = (folder / "lock").open("w")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(
                f"Another maint is running on {folder}. With SQLite there can be one only: stop it, or set "
                "MAINT_DATABASE_URL to share the work through PostgreSQL."
            ) from None

    def leads(self) -> bool:
        """Whether this process is the one that speaks to the channel."""
        return True

    def holds(self) -> bool:
        """Whether no other process can have been given our work: here, always."""
        return True

    def may_act(self) -> None:
        """Return as soon as it is certain that no other process has been given our work: here, always."""

    def superseded(self) -> bool:
        """Whether a newer version of the bot runs on this database: here, never."""
        return False

    def rest(self) -> None:
        """Nobody else can want to lead."""

    def sweep(self) -> None:
        """Nobody else can have left anything."""

    def close(self) -> None:
        """Give the folder back."""
        self._file.close()


class TableLease:
    """A row in `leases`, renewed six times within its life of `ttl_s` seconds, by the database's clock.

    The executor's name is made for this process, and holds how much its version `knows`: a number that is larger in
    newer versions. Where processes differ in it, only those with the largest lead, or begin anything. One process at a
    time leads: it holds a second row, of the same life. Every process sweeps: it hands on what the dead have left, one
    sweeper at a time. `on_lost` is called once, when the lease has been taken away; the process must end then.
    """

    def __init__(self, url: str, on_lost: Callable[[], None], *, ttl_s: float = TTL_S, knows: int = 0) -> None:
        self.executor = f"maint-{knows}_{uuid.uuid4().hex[:12]}"
        self._knows = knows
        self._superseded = False
        self._resting = False
        self._url = url
        self._on_lost = on_lost
        self._ttl_s = ttl_s
        self._beat_s = ttl_s / 6
        self._stop = threading.Event()
        self._beaten = threading.Condition()
        self._held_at = _uptime_s()
        self._led_at: float | None = None
        self._client: DBOSClient | None = None
        with self._connect() as connection:
            connection.execute(
                "INSERT INTO leases (executor, boot, seen_at) VALUES (%s, %s, clock_timestamp()::text)",
                (self.executor, self.executor),
            )
            self._lead(connection, self._held_at)
        self._threads: list[threading.Thread] = []
        self._begin(self._renew)

    def _begin(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name=f"lease{work.__name__}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def sweep(self) -> None:
        """From now on, hand on what the dead have left. Call it once, when DBOS has been launched on this database."""
        self._begin(self._sweep)

    def leads(self) -> bool:
        return not self._superseded and self._led_at is not None and self._is_fresh(self._led_at)

    def rest(self) -> None:
        """What only the leader does is not under way here: a newer version may lead."""
        self._resting = self._superseded

    def superseded(self) -> bool:
        """Whether a newer version of the bot runs on this database."""
        return self._superseded

    def holds(self) -> bool:
        """Whether the lease is certain to be held now."""
        return self._is_fresh(self._held_at)

    def may_act(self) -> None:
        """Return as soon as the lease is certain to be held: at once, or after it was renewed; never if it is lost."""
        with self._beaten:
            self._beaten.wait_for(lambda: self._is_fresh(self._held_at))

    def close(self) -> None:
        """Give the lease back, so that nobody waits for it to run out. Call it when nothing is done any more."""
        self._stop.set()
        for thread in self._threads:
            thread.join(10)
        if self._client is not None:
            self._client.destroy()
        try:
            with self._connect() as connection:
                connection.execute("DELETE FROM leases WHERE boot = %s", (self.executor,))
        except psycopg.Error as error:
            log.warning("lease_left_to_run_out", error=type(error).__name__)

    def _is_fresh(self, at: float) -> bool:
        return _uptime_s() - at < self._ttl_s - self._beat_s

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(self._url, autocommit=True, connect_timeout=5, tcp_user_timeout=10_000)

    def _renew(self) -> None:
        while not self._stop.wait(self._beat_s):
            # From before the question, so that our clock runs out before the database's.
            asked_at = _uptime_s()
            try:
                with self._connect() as connection:
                    held = connection.execute(
                        "UPDATE leases SET seen_at = clock_timestamp()::text WHERE executor = %s", (self.executor,)
                    ).rowcount
                    if held:
                        self._lead(connection, asked_at)
            except psycopg.Error as error:
                # The database itself may be away. Nobody can declare us dead while it is, so go on trying.
                log.warning("lease_not_renewed", error=type(error).__name__)
                continue
            if not held:
                log.error("lease_lost", executor=self.executor)
                self._on_lost()
                return
            with self._beaten:
                self._held_at = asked_at
                self._beaten.notify_all()

    def _lead(self, connection: psycopg.Connection[tuple[Any, ...]], asked_at: float) -> None:
        """Become or stay the leader, if there is no other one whose row has not run out, and no newer version."""
        alive = connection.execute(
            "SELECT executor FROM leases WHERE seen_at::timestamptz >= clock_timestamp() - make_interval(secs => %s)",
            (self._ttl_s,),
        ).fetchall()
        superseded = max((_knows(row[0]) for row in alive), default=0) > self._knows
        if superseded != self._superseded:
            log.warning("superseded_by_a_newer_version" if superseded else "superseded_no_more")
        self._superseded = superseded
        if superseded and (self._resting or self._led_at is None):
            self._led_at = None
            connection.execute("DELETE FROM leases WHERE executor = %s AND boot = %s", (_LEADER, self.executor))
            return
        led = connection.execute(
            "INSERT INTO leases (executor, boot, seen_at) VALUES (%s, %s, clock_timestamp()::text) "
            "ON CONFLICT (executor) DO UPDATE SET boot = excluded.boot, seen_at = excluded.seen_at "
            "WHERE leases.boot = excluded.boot "
            "OR leases.seen_at::timestamptz < clock_timestamp() - make_interval(secs => %s)",
            (_LEADER, self.executor, self._ttl_s),
        ).rowcount
        self._led_at = asked_at if led else None
        self._resting = False

    def _sweep(self) -> None:
        while not self._stop.wait(self._beat_s):
            try:
                with self._connect() as connection, connection.transaction():
                    self._take_over(connection)
            except Exception:
                log.exception("lease_sweep_interrupted")

    def _take_over(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        """Hand the attempts of dead processes on. Nobody is dead before the server has been up for a lease's life."""
        settled = connection.execute(
            "SELECT pg_postmaster_start_time() < clock_timestamp() - make_interval(secs => %s) "
            "AND pg_try_advisory_xact_lock(%s)",
            (self._ttl_s, _SWEEP_LOCK),
        ).fetchone()
        if settled != (True,):
            return
        dead = connection.execute(
            "DELETE FROM leases WHERE executor <> %s "
            "AND seen_at::timestamptz < clock_timestamp() - make_interval(secs => %s) RETURNING executor",
            (_LEADER, self._ttl_s),
        ).fetchall()
        if self._client is None:
            self._client = DBOSClient(system_database_url=self._url, retry_connection_errors=False)
        # The attempts first: whoever has one claimed a lease before it, so that the later look at the leases shows it.
        pending = self._client.list_workflows(status="PENDING", load_input=False, load_output=False)
        alive = {row[0] for row in connection.execute("SELECT executor FROM leases").fetchall()}
        left = [attempt for attempt in pending if attempt.executor_id not in alive]
        if left:
            names = [attempt.workflow_id for attempt in left]
            log.warning("taking_over", executors=[row[0] for row in dead], attempts=names)
            # An attempt of another version of the workflow would be taken up by nobody: it is ended, and begun anew.
            own = [attempt.workflow_id for attempt in left if attempt.app_version == VERSION]
            if own:
                self._client.resume_workflows(own)
            if foreign := [name for name in names if name not in own]:
                self._client.cancel_workflows(foreign)


def _knows(executor: str) -> int:
    named = _NAME.match(executor)
    return int(named[1]) if named else 0


def _uptime_s() -> float:
    """Return seconds that go on while this process is stopped, and on Linux also while the machine is suspended."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
