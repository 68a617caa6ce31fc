"""When we now expect to be done, against the announced end. Pure.

Each step's remaining time is a spread (`bot.estimates`), narrowed by how long it runs and how far it is. The end is
computed 200 times over, each time with other times of the same spreads, along what the steps need of one another: the
middle of these ends is the forecast, and the share of them after the announced end is the chance of an overrun. The
same situation always gives the same answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import sqrt
from typing import Any
from zoneinfo import ZoneInfo

from bot.estimates import Past, estimate_of, follows, wait_for_people
from bot.spread import SAMPLES, Spread
from bot.state import State, StepState
from bot.step_spec import StepSpec, due_at
from bot.window import duration_words
from bot.zones import label

NO_PAST = Past()
Progress = Mapping[str, Mapping[str, Any]]
_OVER = frozenset({"succeeded", "skipped", "undone"})
_STUCK = frozenset({"failed", "unknown"})
_TELLING = 0.05
"""The share of its work that a step has to have shown before its speed says anything."""


@dataclass(frozen=True)
class Forecast:
    """The expected end (aware UTC): `end` is the middle, and in eight of ten cases it lies from `low` to `high`.

    `late_chance` is the probability (0 to 1) of an end after the announced one. `waits_for` is the step that people
    have to decide about first, if one does.
    """

    end: datetime
    low: datetime
    high: datetime
    announced: datetime
    late_chance: float
    waits_for: str | None = None

    @property
    def spare(self) -> timedelta:
        """How long before the announced end; negative when late."""
        return self.announced - self.end

    @property
    def is_late(self) -> bool:
        """Whether it is more likely than not to end after the announced end."""
        return self.end > self.announced


def forecast(state: State, now: datetime, progress: Progress | None = None, past: Past = NO_PAST) -> Forecast:
    """Return the forecast of `state` at `now`.

    `progress` (by step: `done`, `total`, as `Context.progress` reports them) narrows the time of a running step; `past`
    is what completed maintenances took. What is due at the announced end or later, and what changes the window, is not
    what the window was announced for, and does not count.
    """
    ends = _Ends(state, now, progress or {}, past)
    ended = [step.ended_at for step in state.steps.values() if step.ended_at is not None]
    if all(state.steps[name].status in _OVER for name in state.specs if _counts(state, name)) and ended:
        end = max(ended)
        return Forecast(end, end, end, state.window.end, float(end > state.window.end), _waits_for(state))
    samples = ends.of_all()
    low, end, high = (now + timedelta(seconds=samples[int(SAMPLES * share)]) for share in (0.1, 0.5, 0.9))
    room_s = (state.window.end - now).total_seconds()
    late = sum(sample > room_s for sample in samples) / SAMPLES
    return Forecast(end, low, high, state.window.end, late, _waits_for(state))


def forecast_line(state: State, now: datetime, progress: Progress | None = None, past: Past = NO_PAST) -> str:
    """Return the forecast as one line, empty when it is over.

    `on time, ends 18:41 NZDT (UTC+13), 19 minutes spare (5 % chance of overrun)`, or
    `late: 18:59 to 19:20 NZDT (UTC+13), likely 9 minutes after the announced end`. Times are in the zone that the
    window was announced in.
    """
    if state.over or state.status == "aborted":
        return ""
    return forecast_words(state, forecast(state, now, progress, past))


def forecast_words(state: State, found: Forecast) -> str:
    """Return `found`, a forecast of `state`, as `forecast_line` has it."""
    waits = f"; {found.waits_for} waits for people" if found.waits_for is not None else ""
    zone = ZoneInfo(state.window.zone)
    if found.is_late:
        span = f"{_clock(found.low, found.announced, zone)} to {_clock(found.high, found.low, zone)}"
        after = duration_words(found.spare)
        return f"late: {span} {label(found.end, zone)}, likely {after} after the announced end{waits}"
    ends = f"ends {_clock(found.end, found.announced, zone)} {label(found.end, zone)}"
    return f"on time, {ends}, {duration_words(found.spare)} spare ({chance_words(found.late_chance)}){waits}"


def chance_words(chance: float) -> str:
    """Return a chance of overrun (0 to 1) as `5 % chance of overrun`, in whole per cents."""
    return f"{'under 1' if chance < 0.01 else round(chance * 100)} % chance of overrun"  # noqa: PLR2004 - one per cent


def _clock(at: datetime, other: datetime, zone: ZoneInfo) -> str:
    """The time on the clocks of `zone`, with the day where it is not that of `other`."""
    there = at.astimezone(zone)
    day = "" if there.date() == other.astimezone(zone).date() else f"{there:%a} {there.day} {there:%b} "
    return f"{day}{there:%H:%M}"


def _waits_for(state: State) -> str | None:
    for name, step in state.steps.items():
        stuck = step.status in _STUCK and step.retry_at is None
        asked = step.approval is not None and step.approval.closed is None and step.status not in _OVER
        if (stuck or asked) and state.specs[name].change is None:
            return name
    return None


def _counts(state: State, step: str) -> bool:
    """Whether the announced end is a promise about `step`."""
    spec = state.specs[step]
    if spec.change is not None or (spec.due is not None and spec.due[0] == "end" and spec.due[1] >= 0):
        return False
    return all(_counts(state, need) for need in spec.needs)


class _Ends:
    """When each step ends, in seconds from now (in the past for what is over): one list of samples a step."""

    def __init__(self, state: State, now: datetime, progress: Progress, past: Past) -> None:
        self._state = state
        self._now = now
        self._progress = progress
        self._past = past
        self._known: dict[str, list[float]] = {}

    def of_all(self) -> list[float]:
        """The ends of the whole, sorted."""
        counted = [self._of(step) for step in self._state.specs if _counts(self._state, step)]
        return sorted(_latest([[0.0] * SAMPLES, *counted]))

    def _of(self, step: str) -> list[float]:
        if step not in self._known:
            self._known[step] = [0.0] * SAMPLES  # should two steps keep on until one another
            self._known[step] = self._found(self._state.specs[step], self._state.steps[step])
        return self._known[step]

    def _found(self, spec: StepSpec, step: StepState) -> list[float]:
        if step.status in _OVER:
            return [self._from_now(step.ended_at or self._now)] * SAMPLES
        if step.status == "running" and step.attempt_at is not None:
            return self._running(spec, step.attempt_at)
        begins = self._begins(spec, step)
        until = follows(self._state, spec)
        if until is not None:
            return _latest([begins, self._of(until)])
        takes = estimate_of(self._state, spec.id, self._past).spread.samples_s(spec.id)
        return [begin + took for begin, took in zip(begins, takes, strict=True)]

    def _running(self, spec: StepSpec, since: datetime) -> list[float]:
        until = follows(self._state, spec)
        if until is not None:
            return self._of(until)
        elapsed_s = max(0.0, -self._from_now(since))
        spread = estimate_of(self._state, spec.id, self._past).spread
        shown = self._progress.get(spec.id, {})
        share = shown["done"] / shown["total"] if shown.get("total") else 0.0
        if elapsed_s and _TELLING <= share <= 1:
            # What a speed says grows with the share of the work that it was measured on.
            speed = Spread(elapsed_s / share, max(0.02, 0.5 * (1 - share) / sqrt(share)))
            spread = spread.blended(speed)
        return [took - elapsed_s for took in spread.samples_s(spec.id, elapsed_s)]

    def _begins(self, spec: StepSpec, step: StepState) -> list[float]:
        """When a step that is not running starts: after what it needs, its time, and people's decision."""
        after = [self._of(need) for need in spec.needs]
        waits = [moment for moment in (due_at(spec, self._state.window), step.retry_at) if moment is not None]
        soonest = max([0.0, *map(self._from_now, waits)])
        ready = _latest([[soonest] * SAMPLES, *after])
        decided = self._decision(spec, step)
        return ready if decided is None else [begin + wait for begin, wait in zip(ready, decided, strict=True)]

    def _decision(self, spec: StepSpec, step: StepState) -> list[float] | None:
        if step.status in _STUCK:
            stuck_s = -self._from_now(step.ended_at) if step.ended_at is not None else 0.0
            return None if step.retry_at is not None else self._wait(None, spec, stuck_s)
        if spec.approval is None or (step.approval is not None and step.approval.closed == "granted"):
            return None
        is_open = step.approval is not None and step.approval.closed is None
        asked_s = -self._from_now(step.approval.requested_at) if is_open and step.approval else 0.0
        return self._wait(spec.id, spec, asked_s)

    def _wait(self, about: str | None, spec: StepSpec, waited_s: float) -> list[float]:
        wait = wait_for_people(self._state, about, self._past)
        return [took - waited_s for took in wait.samples_s(f"{spec.id}?", waited_s)]

    def _from_now(self, at: datetime) -> float:
        return (at - self._now).total_seconds()


def _latest(lists: Sequence[Sequence[float]]) -> list[float]:
    return list(lists[0]) if len(lists) == 1 else [max(each) for each in zip(*lists, strict=True)]
