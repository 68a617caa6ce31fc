"""How long each step is expected to take, as a range, and where that is known from. Pure.

Sources, the best first: a rehearsal or the size of what is to be done, each corrected by how the last runs compared
with theirs; the last runs of the same step of the same runbook; the runbook, corrected by how other steps compared.
People's time to decide is learned in the same way.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import exp, log
from statistics import median, pstdev

from bot.spread import Spread
from bot.state import Planned, State, StepState
from bot.step_spec import StepSpec

RUNBOOK = "the runbook"
"""The source of an estimate of which nothing else is known."""
_LAST = 10
_LAST_OF_ALL = 200
_ENOUGH = 5
_SHORT_S = 5.0
_FACTOR = 4.0
_WIDTH = 0.35
"""How far an estimate is off that nobody has compared with anything: nine of ten take up to 1.6 times as long."""
_WAIT = Spread(240.0, 0.9)
"""How long people take to decide where nothing is known: four minutes, one in ten more than a quarter of an hour."""
_PATIENCE_S = 4 * 3600.0


@dataclass(frozen=True)
class Estimate:
    """A range in seconds (one in ten is shorter than `low_s`, one in ten longer than `high_s`) and its source.

    `source` is words for people, such as `the last 4 runs`.
    """

    low_s: float
    likely_s: float
    high_s: float
    source: str

    @property
    def spread(self) -> Spread:
        """The same as a distribution."""
        return Spread(self.likely_s, max(0.01, log(self.high_s / self.low_s) / _TENTHS))


_TENTHS = log(Spread(1.0, 1.0).high_s / Spread(1.0, 1.0).low_s)


@dataclass(frozen=True)
class Run:
    """What one step of a completed maintenance took, from its first start to its success: retries and all.

    `expected_s` is what its runbook said, `planned` what was known from its size or a rehearsal; `waited_s` is how
    long people took to approve it, None where nobody had to inside the window.
    """

    step: str
    took_s: float
    expected_s: float
    planned: Planned | None
    waited_s: float | None


@dataclass(frozen=True)
class Past:
    """What completed maintenances tell: runs by runbook and step, oldest first, and all of them together."""

    runs: Mapping[tuple[str, str], tuple[Run, ...]] = field(default_factory=dict)
    latest: tuple[Run, ...] = ()

    @cached_property
    def compared(self) -> Spread:
        """How the runbooks' estimates have compared with the truth: a factor, and how far it scatters."""
        likely = [run for run in self.latest if run.took_s > 0 and run.expected_s >= _SHORT_S]
        ratios = [log(min(_FACTOR, max(1 / _FACTOR, run.took_s / run.expected_s))) for run in likely]
        if len(ratios) < _ENOUGH:
            return Spread(1.0, _WIDTH)
        # Hope that was in vain is corrected; that others were quick is no reason to promise more than the runbook.
        return Spread(max(1.0, exp(median(ratios))), max(0.2, min(0.7, pstdev(ratios))))

    @cached_property
    def waits(self) -> Spread:
        """How long people take to decide about anything inside the window."""
        return _WAIT.learned([run.waited_s for run in self.latest if run.waited_s is not None][-_LAST:], trust=1.0)

    def with_runs(self, runbook: str, runs: Iterable[Run]) -> "Past":
        """Return the past with one more maintenance, keeping only as many runs as count."""
        found = dict(self.runs)
        new = tuple(runs)
        for run in new:
            key = (runbook, run.step)
            found[key] = (*found.get(key, ()), run)[-_LAST:]
        return Past(found, (*self.latest, *new)[-_LAST_OF_ALL:])


def runs_of(state: State) -> list[Run]:
    """Return the runs of a completed maintenance; of any other one there is nothing to learn."""
    if state.status != "completed" or state.rehearses is not None:
        return []
    return [
        _run(state, spec, state.steps[spec.id])
        for spec in state.specs.values()
        if spec.change is None and state.steps[spec.id].status == "succeeded" and follows(state, spec) is None
    ]


def follows(state: State, spec: StepSpec) -> str | None:
    """Return the step that `spec` keeps on until (`with: until`), if it does: it has no length of its own."""
    return spec.until if spec.until in state.specs else None


def _run(state: State, spec: StepSpec, step: StepState) -> Run:
    took_s = (step.ended_at - step.started_at).total_seconds() if step.ended_at and step.started_at else 0.0
    return Run(spec.id, took_s, spec.estimate_s, step.planned, _waited_s(state, step))


def _waited_s(state: State, step: StepState) -> float | None:
    asked = step.approval
    if asked is None or asked.decided_at is None or asked.closed != "granted":
        return None
    waited_s = (asked.decided_at - asked.requested_at).total_seconds()
    # What is asked for days ahead is decided when there is time, and says nothing about the night.
    return waited_s if asked.requested_at >= state.window.start and waited_s < _PATIENCE_S else None


def estimate_of(state: State, step: str, past: Past) -> Estimate:
    """Return how long `step` is expected to take, people's time to decide not counted."""
    spec, planned = state.specs[step], state.steps[step].planned
    runs = past.runs.get((state.runbook, step), ())
    if planned is not None:
        like = [run for run in runs if run.planned is not None and run.planned.source == planned.source]
        ratios = [run.took_s / run.planned.likely_s for run in like if run.planned is not None]
        factor = Spread(1.0, _WIDTH).learned(ratios)
        spread = Spread(max(0.5, planned.likely_s * factor.median_s), factor.width)
        return _estimate(spread, _words(_source(state, planned), len(ratios)))
    if runs:
        spread = _by_runbook(spec, past).learned([run.took_s for run in runs])
        return _estimate(spread, "the last run" if len(runs) == 1 else f"the last {len(runs)} runs")
    return _estimate(_by_runbook(spec, past), RUNBOOK)


def estimates(state: State, past: Past) -> dict[str, Estimate]:
    """Return the estimate of each step, by its id, in the order of the steps."""
    return {step: estimate_of(state, step, past) for step in state.specs}


def wait_for_people(state: State, step: str | None, past: Past) -> Spread:
    """Return how long people take to decide about `step`; with None, about anything that comes up."""
    own = [run.waited_s for run in past.runs.get((state.runbook, step or ""), ()) if run.waited_s is not None]
    return past.waits.learned(own)


def _by_runbook(spec: StepSpec, past: Past) -> Spread:
    """The runbook's estimate, and how the runbooks' estimates have compared with the truth elsewhere."""
    return Spread(max(0.5, spec.estimate_s * past.compared.median_s), past.compared.width)


def _source(state: State, planned: Planned) -> str:
    """What it is from; of a rehearsal, which one."""
    told = state.rehearsed if planned.source == "rehearsal" else {}
    return str(told.get("source", planned.source))


def _words(source: str, runs: int) -> str:
    known = {"size": "its size", "rehearsal": "the rehearsal"}.get(source, source)
    return f"{known} and the last {runs} runs" if runs > 1 else known


def _estimate(spread: Spread, source: str) -> Estimate:
    return Estimate(spread.low_s, spread.median_s, spread.high_s, source)
