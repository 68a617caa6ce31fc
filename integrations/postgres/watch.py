"""Watch a scheduler at work: progress and forecast on the run card, and who keeps us waiting in the log."""

from bot.step import Context
from integrations.postgres.batches import Batch
from integrations.postgres.blocked import Blocked, blocked, span
from integrations.postgres.blockers import Blockers
from integrations.postgres.connection import Session
from integrations.postgres.forecast import Track, fractions, remaining_s
from integrations.postgres.scheduler import Scheduler
from integrations.postgres.stalled import Stalled


class Watch:
    """Looks at `scheduler` over a session of its own, `monitor`."""

    def __init__(
        self,
        ctx: Context,
        monitor: Session,
        scheduler: Scheduler,
        *,
        jobs: int,
        blocked_after_s: float,
        stalled_after_s: float,
    ) -> None:
        self._ctx = ctx
        self._monitor = monitor
        self._scheduler = scheduler
        self._jobs = jobs
        self._blocked_after_s = blocked_after_s
        waiting = scheduler.waiting()
        self._total = sum(work.cost_bytes for work in waiting)
        self.track = Track(self._total)
        self._number = len(waiting)
        self._blockers = Blockers(ctx, monitor)
        self._stalled = Stalled(ctx, monitor, after_s=stalled_after_s)
        self._told: set[tuple[str, int]] = set()

    def show(self) -> None:
        """Show how far it is, in bytes; put each table that waits too long on record, once for each blocker."""
        running = self._scheduler.running()
        finished = list(self._scheduler.done)
        shares = fractions(self._monitor, running)
        behind = {pid: work.cost_bytes * shares.get(pid, 0.0) for pid, (work, _) in running.items()}
        done = sum(item.work.cost_bytes for item in finished) + sum(behind.values())
        left_s = remaining_s(
            done=done,
            busy_s=self._scheduler.busy_s(),
            running={pid: work.cost_bytes - behind[pid] for pid, (work, _) in running.items()},
            waiting=[work.cost_bytes for work in self._scheduler.waiting()],
            jobs=self._jobs,
        )
        self.track.note(self._ctx.now(), min(done, self._total), left_s)
        parts = [f"{len(finished)} of {self._number} tables"]
        if left_s is not None:
            parts.append(f"about {span(left_s)} left")
        waits = blocked(self._monitor, running)
        for wait in waits:
            if wait.pid in running:
                parts.append(self._told_of(running[wait.pid][0], wait))
        parts += [f"now {work.label}" for work, _ in list(running.values())[:1]]
        self._blockers.heed(waits)
        blocked_pids = {wait.pid for wait in waits}
        self._stalled.look({pid: now for pid, now in running.items() if pid not in blocked_pids})
        self._ctx.progress(min(done, self._total), self._total, "bytes", ", ".join(parts))

    def _told_of(self, work: Batch, wait: Blocked) -> str:
        # Several tables soon give up their lock, and are tried one by one: only then it is known which one waits.
        if (
            len(work.works) == 1
            and wait.waiting_s >= self._blocked_after_s
            and (work.label, wait.blocker) not in self._told
        ):
            self._told.add((work.label, wait.blocker))
            self._blockers.tell(work.label, wait)
        return f"{work.label} blocked by pid {wait.blocker}"
