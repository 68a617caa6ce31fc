"""The numbers that Prometheus reads. Each is read from the journal, so every process of one database tells the same.

What is over is counted by the database, once. A scrape reads only what is new, and what waits in the outbox.
"""

import threading
from collections import Counter
from collections.abc import Iterable, Set
from datetime import datetime

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_1_0_0, generate_latest

from bot.endings import ledgers_of
from bot.entry import Kind
from bot.ledger import STATES as SENDS
from bot.ledger import TableLedger, counts_of_all
from bot.maintenances import Maintenances
from bot.outbox import Outbox
from bot.outlook import Outlook
from bot.state import Approval, State

_STATES = ("draft", "scheduled", "in_progress", "verifying", "completed", "cancelled", "aborted", "rolled_back")
_STEPS = ("pending", "waiting", "running", "succeeded", "failed", "skipped", "unknown", "undone")
_UNDER_WAY = frozenset({"in_progress", "verifying"})
_COUNTED = {
    Kind.STEP_STARTED: ("started", "Attempts at steps that began."),
    Kind.STEP_SUCCEEDED: ("succeeded", "Attempts at steps that succeeded."),
    Kind.STEP_FAILED: ("failed", "Attempts at steps that failed, those that are tried again included."),
    Kind.STEP_UNKNOWN: ("unknown", "Attempts at steps of which it is not known whether they had their effect."),
}


class Metrics:
    """A collector of its own registry (https://prometheus.io/docs/instrumenting/writing_clientlibs/). Thread-safe."""

    def __init__(self, maintenances: Maintenances, outbox: Outbox, outlook: Outlook) -> None:
        self._maintenances = maintenances
        self._outbox = outbox
        self._outlook = outlook
        self._lock = threading.Lock()
        self._over: dict[str, str] = {}
        self._read_to: dict[str, int] = {}
        self._kinds: Counter[str] = Counter()
        self._sent: Counter[str] = Counter()
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> tuple[bytes, str]:
        """Return the numbers now in Prometheus' text format, and its media type.

        Raises `Unavailable` while the database is away.
        """
        # One scrape at a time: what is over would be counted twice.
        with self._lock:
            return generate_latest(self._registry), CONTENT_TYPE_PLAIN_1_0_0

    def describe(self) -> Iterable[Metric]:
        """Name nothing ahead: nobody else is in this registry."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Read what is new, and return all numbers. Called by the registry."""
        now = self._maintenances.now()
        active = self._read()
        yield self._by_state(active)
        steps = Counter(step.status for state in active for step in state.steps.values())
        yield _gauge("maint_steps", "Steps of maintenances that are not over.", "status", _STEPS, steps)
        yield from _approvals(active, now)
        yield from self._forecasts(active, now)
        yield from self._log(now)
        for kind, (word, told) in _COUNTED.items():
            yield CounterMetricFamily(f"maint_attempts_{word}", told, value=self._kinds[kind])
        yield self._sends(active)

    def _read(self) -> list[State]:
        last = self._maintenances.last()
        if not self._read_to:
            self._count_all()
        for maintenance, seq in last.items():
            self._count(maintenance, seq)
        active = self._maintenances.active()
        over = last.keys() - {state.id for state in active}
        if over - self._over.keys():
            self._ended(over - self._over.keys())
        return active

    def _ended(self, new: Set[str]) -> None:
        journal = self._maintenances.journal
        statuses, sent = journal.statuses(), counts_of_all(journal.database)
        for maintenance in new & statuses.keys():
            self._over[maintenance] = statuses[maintenance]
            self._sent += Counter(sent.get(maintenance, {}))

    def _count_all(self) -> None:
        for maintenance, (seq, kinds) in self._maintenances.journal.counted().items():
            self._kinds += Counter(kinds)
            self._read_to[maintenance] = seq

    def _count(self, maintenance: str, seq: int) -> None:
        """Count the entries up to number `seq` that were not counted before."""
        before = self._read_to.get(maintenance, 0)
        if seq > before:
            self._kinds += Counter(self._maintenances.journal.kinds(maintenance, after=before, upto=seq))
            self._read_to[maintenance] = seq

    def _by_state(self, active: list[State]) -> Metric:
        states = Counter([*self._over.values(), *(state.status for state in active)])
        return _gauge("maint_maintenances", "Maintenances by state.", "state", _STATES, states)

    def _forecasts(self, active: list[State], now: datetime) -> Iterable[Metric]:
        spare = GaugeMetricFamily(
            "maint_forecast_spare_seconds",
            "How long before its announced end a running maintenance is expected to end; below zero when late.",
            labels=["maintenance"],
        )
        chance = GaugeMetricFamily(
            "maint_forecast_late_ratio", "The chance (0 to 1) that it ends late.", labels=["maintenance"]
        )
        for state in active:
            if state.status in _UNDER_WAY:
                found = self._outlook.forecast(state, now)
                spare.add_metric([state.id], found.spare.total_seconds())
                chance.add_metric([state.id], found.late_chance)
        return (spare, chance)

    def _log(self, now: datetime) -> Iterable[Metric]:
        waiting, oldest = self._outbox.backlog()
        lag_s = max(0.0, (now - oldest).total_seconds()) if oldest is not None else 0.0
        return (
            GaugeMetricFamily("maint_log_waiting_entries", "Entries that are not in the channel yet.", value=waiting),
            GaugeMetricFamily("maint_log_lag_seconds", "The age of the oldest of them.", value=lag_s),
        )

    def _sends(self, active: list[State]) -> Metric:
        counts = sum((self._sends_of(state) for state in active), Counter(self._sent))
        told = "Recipients of mass sends, by what became of them."
        return _gauge("maint_send_recipients", told, "state", SENDS, counts)

    def _sends_of(self, state: State) -> Counter[str]:
        """How many recipients its mass sends have in each state."""
        database = self._maintenances.journal.database
        counts = (TableLedger(database, f"{state.id}:{name}").counts() for name in ledgers_of(state))
        return sum(map(Counter, counts), Counter())


def _approvals(active: list[State], now: datetime) -> Iterable[Metric]:
    waiting = [step.approval for state in active for step in state.steps.values() if _is_open(step.approval)]
    since = min((each.requested_at for each in waiting if each is not None), default=now)
    return (
        GaugeMetricFamily("maint_approvals_waiting", "Requests for approval that are open.", value=len(waiting)),
        GaugeMetricFamily(
            "maint_approvals_oldest_seconds", "The age of the oldest of them.", value=(now - since).total_seconds()
        ),
    )


def _is_open(approval: Approval | None) -> bool:
    return approval is not None and approval.closed is None


def _gauge(name: str, told: str, label: str, values: Iterable[str], counts: Counter[str]) -> Metric:
    """A gauge with a line for each of `values`: what is zero must not look as if it were not known."""
    family = GaugeMetricFamily(name, told, labels=[label])
    for value in dict.fromkeys([*values, *counts]):
        family.add_metric([value], counts[value])
    return family
