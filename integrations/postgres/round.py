"""A round over every table of every database: what `postgres.vacuum` and `postgres.analyze` have in common."""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import psycopg
from pydantic import Field

from bot.step import Context, Outcome, Plan, Step
from integrations.postgres.blocked import counted, size
from integrations.postgres.capacity import Capacity, capacity
from integrations.postgres.connection import DSN, DSN_NAME, Server, Session, SettingName, system_identifier
from integrations.postgres.copies import pointed
from integrations.postgres.forecast import Track
from integrations.postgres.pictures import tables_by_time, work_and_forecast
from integrations.postgres.rights import left_out
from integrations.postgres.round_outcome import outcome
from integrations.postgres.scheduler import Done, Scheduler
from integrations.postgres.tables import Wanted, Work, outstanding, refresh_database_statistics
from integrations.postgres.watch import Watch

_LOOK_EVERY_S = 1.0
_NAMED = 5
_BYTES_PER_S = 25_000_000
"""What one session does on a slow disk: a careful guess, which the last runs correct."""
_COUNTERS_LAG_S = 10.0


class Round(Step):
    """One statement for each table, largest first over all databases, in several sessions at once.

    A table that fails does not stop the others; it is named at the end, and a retry does only what is left.
    """

    timeout_s = 6 * 3600.0
    settings = (DSN,)
    targets = ("database",)
    sized = True

    database: SettingName = DSN_NAME
    """Name of the setting that holds the connection string."""
    databases: list[str] | None = None
    """The databases to work on; without it, all that take connections."""
    jobs: int = Field(default=2, ge=1, le=64)
    """How many sessions work at the same time: as many as the server has cores to spare. Fewer are taken where the
    server has not that many connections left."""
    maintenance_work_mem: str = "auto"
    """Memory for each session (PostgreSQL's setting of this name). `auto`: up to 512MB, as far as half of the server's
    free memory reaches, and never less than the server gives by itself."""
    blocked_after_s: float = Field(default=10.0, ge=0)
    """Seconds of waiting for a lock after which the log says who holds it, and the run card offers to end that."""
    stalled_after_s: float = Field(default=600.0, gt=0)
    """Seconds without any progress after which the log warns, naming whoever holds back what may be removed."""

    @classmethod
    def on_copy(cls, with_: Mapping[str, Any], copy: str, source: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """See `Step`."""
        return pointed(with_, copy, source)

    def wanted(self) -> Wanted:
        """Return what is done with each table."""
        raise NotImplementedError

    def verb(self) -> str:
        """Return what is done, in words that a number of tables can follow."""
        raise NotImplementedError

    def plan(self, ctx: Context) -> Plan:
        """Say how many tables of what size there are, and the largest of them."""
        server = Server.of(ctx, self.database)
        ever = datetime.max.replace(tzinfo=ctx.now().tzinfo)
        with server.keeping(1):
            databases = self.databases or server.databases()
            works = outstanding(server, databases, self.wanted(), jobs=self.jobs, since=ever)
        largest = tuple(f"{work.label} ({size(work.cost_bytes)})" for work in works[:_NAMED])
        total = size(sum(work.cost_bytes for work in works))
        tables = counted(len(works), "table")
        summary = f"{self.verb()} {tables} ({total}) in {counted(self.jobs, 'session')}"
        # One large table keeps one session busy, whatever the others do.
        longest_bytes = max(sum(work.cost_bytes for work in works) / self.jobs, *(work.cost_bytes for work in works), 0)
        return Plan(summary, largest, super().plan(ctx).subject, estimate_s=max(1.0, longest_bytes / _BYTES_PER_S))

    def check(self, ctx: Context) -> None:
        """Doing it again does no harm, and `apply` leaves out what is done."""

    def apply(self, ctx: Context) -> Outcome:
        server = Server.of(ctx, self.database)
        with server.session() as monitor:
            since = self._since(ctx, monitor)
            self._wait_for_earlier_sessions(ctx, server, monitor)
            room = capacity(monitor, self.jobs)
            with server.keeping(room.sessions * room.kept):
                return self._all_done(ctx, server, monitor, room, since)

    def _all_done(self, ctx: Context, server: Server, monitor: Session, room: Capacity, since: datetime) -> Outcome:
        databases = self.databases or server.databases()
        works = outstanding(server, databases, self.wanted(), jobs=room.sessions, since=since)
        done, track = self._run(ctx, server, monitor, works, room) if works else ([], Track(0))
        if self.wanted().vacuum:
            refresh_database_statistics(server, databases)
        others = left_out(server, databases, [] if self.databases else server.shut())
        left = self._left(ctx, server, databases, since, done)
        pictures = {**tables_by_time(ctx, self.verb(), done), **work_and_forecast(ctx, self.verb(), track)}
        return outcome(self.verb(), done, left, others, pictures)

    def _since(self, ctx: Context, session: Session) -> datetime:
        """Return when this step first began on this very cluster, by the server's clock."""
        cluster = str(system_identifier(session))
        if ctx.facts.get("cluster") == cluster:
            return datetime.fromisoformat(ctx.facts["since"])
        row = session.execute("SELECT clock_timestamp() AS now").fetchone()
        now: datetime = row["now"] if row else ctx.now()
        ctx.record(f"{self.verb()} with {counted(self.jobs, 'session')}.", cluster=cluster, since=now.isoformat())
        return now

    def _wait_for_earlier_sessions(self, ctx: Context, server: Server, session: Session) -> None:
        """After a crash the server may still be at work for us: let it finish, it counts."""
        query = (
            "SELECT count(*) AS number FROM pg_stat_activity WHERE application_name = %s AND state = 'active' "
            "AND pid <> pg_backend_pid() AND query ~ '^(VACUUM|ANALYZE)'"
        )
        while (row := session.execute(query, (server.application[:63],)).fetchone()) and row["number"]:
            ctx.progress(0, None, "bytes", f"waiting for {row['number']} tables begun before a restart of the bot")
            ctx.sleep(_LOOK_EVERY_S)

    def _run(
        self,
        ctx: Context,
        server: Server,
        monitor: Session,
        works: Sequence[Work],
        room: Capacity,
    ) -> tuple[list[Done], Track]:
        memory = f"{room.memory_kb}kB" if self.maintenance_work_mem == "auto" else self.maintenance_work_mem
        settings = {
            "vacuum_cost_delay": "0",
            "maintenance_work_mem": memory,
            "track_counts": "on",
            "lc_messages": "C",
        }
        scheduler = Scheduler(server, works, jobs=room.sessions, settings=settings)
        watch = Watch(
            ctx,
            monitor,
            scheduler,
            jobs=room.sessions,
            blocked_after_s=self.blocked_after_s,
            stalled_after_s=self.stalled_after_s,
        )
        scheduler.start()
        while scheduler.alive():
            scheduler.join(_LOOK_EVERY_S)
            watch.show()
            self._heed_stop(ctx, scheduler)
        if isinstance(scheduler.fatal, psycopg.Error):
            raise server.told(scheduler.fatal, broken=True)
        if scheduler.fatal is not None:
            raise scheduler.fatal
        return scheduler.done, watch.track

    def _heed_stop(self, ctx: Context, scheduler: Scheduler) -> None:
        reason = ctx.stop_reason()
        if reason == "shutdown":
            scheduler.leave()
        elif reason is not None:
            scheduler.cancel()
        ctx.raise_if_stopped()

    def _left(
        self, ctx: Context, server: Server, databases: Sequence[str], since: datetime, done: Sequence[Done]
    ) -> list[Work]:
        """Return what the server itself says is not done. Its counters may be some moments late."""
        failed = {item.work.label for item in done if item.error}
        deadline = time.monotonic() + _COUNTERS_LAG_S
        while True:
            left = outstanding(server, databases, self.wanted(), jobs=self.jobs, since=since)
            if all(work.label in failed for work in left) or time.monotonic() > deadline:
                return left
            ctx.sleep(0.2)
