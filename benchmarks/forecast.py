"""How good the forecast is: a simulated year of maintenances, in three zones, through every change of the clocks.

`python -m benchmarks.forecast [--seed N] [--years N]` plays each maintenance against a simulated clock, through the
real state, estimates and forecast, which know nothing but estimates and what earlier maintenances took, and prints what
was measured and then a line for each figure: `name value goal`.

- `forecast-error-start`, `forecast-error-half`: how far the expected end was from the true one, as a share of the true
  length, in the mean: at the start of the window, and at half of the true length.
- `overruns-warned-in-time`: of all maintenances that ended after the announced end, the share in which people had been
  asked at least five minutes before it.
- `false-warnings`: of all maintenances that ended in time, the share in which people were asked.
"""

import argparse
import random
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil
from zoneinfo import ZoneInfo

from benchmarks.simulated_year import Night, nights, runbooks
from bot.entry import Kind
from bot.estimates import Past, runs_of
from bot.forecast import Forecast, forecast, forecast_words
from bot.overrun import Circles, watch

SEED = 2026
YEAR = 2026
LISTENS = 0.6
"""How many of those who plan a maintenance heed what they are told when the window is shorter than it will take."""
IN_TIME = timedelta(minutes=5)
GOALS = {
    "forecast-error-start": "0.15",
    "forecast-error-half": "0.10",
    "overruns-warned-in-time": "0.95",
    "false-warnings": "0.05",
}


@dataclass(frozen=True)
class Played:
    """What came of one night: the true length and that expected at its start and half-way, and the first warning."""

    ended: datetime
    announced: datetime
    error_start: float
    error_half: float
    warned: datetime | None
    clocks_changed: bool

    @property
    def is_late(self) -> bool:
        """Whether it ended after the announced end."""
        return self.ended > self.announced

    @property
    def is_warned_in_time(self) -> bool:
        """Whether people were asked while something could still be done."""
        return self.warned is not None and self.warned <= self.announced - IN_TIME


def play(night: Night, past: Past) -> Played:
    """Play one maintenance to its end, with the bot forecasting every 30 seconds and asking when it has to."""
    told: list[tuple[datetime, Forecast]] = []
    while not night.state.over:
        night.tick()
        if night.now < night.start or night.state.over:
            continue
        found = forecast(night.state, night.now, night.progress(), past)
        told.append((night.now, found))
        for draft in watch(night.state, found, night.now, Circles()):
            night.record(draft)
    ended = night.state.ended_at or night.now
    length = ended - night.start
    half = next(found for at, found in told if at >= night.start + length / 2)
    _check_words(night, told[0][1])
    asked = [entry.at for entry in night.entries if entry.kind == Kind.OVERRUN_EXPECTED]
    return Played(
        ended,
        night.end,
        abs(told[0][1].end - ended) / length,
        abs(half.end - ended) / length,
        asked[0] if asked else None,
        _offset(night.start, night.zone) != _offset(night.end, night.zone),
    )


def _check_words(night: Night, found: Forecast) -> None:
    """The line must show the clocks of the window's zone, also on the far side of their change."""
    clock = (found.low if found.is_late else found.end).astimezone(ZoneInfo(night.zone))
    words = forecast_words(night.state, found)
    if f"{clock:%H:%M}" not in words:
        raise AssertionError(f"{words} does not say {clock:%H:%M}")


def _offset(at: datetime, zone: str) -> timedelta | None:
    return at.astimezone(ZoneInfo(zone)).utcoffset()


def a_year(seed: int) -> list[Played]:
    """Play a year; the past grows with each maintenance."""
    dice = random.Random(seed)
    plans = runbooks(dice)
    past = Past()
    played: list[Played] = []
    for number, (start, zone) in enumerate(nights(YEAR, dice)):
        night = Night(dice.choice(plans), f"m{number}", start, zone, dice)
        if dice.random() < LISTENS:
            night = _listened(night, past, dice)
        played.append(play(night, past))
        past = past.with_runs(night.plan.name, runs_of(night.state))
    return played


def _listened(night: Night, past: Past, dice: random.Random) -> Night:
    """Whoever plans it takes the window that the forecast would be sure of, in quarters of an hour."""
    sure_s = (forecast(night.state, night.now, past=past).high - night.start).total_seconds()
    plan = replace(night.plan, length=timedelta(minutes=15 * ceil(sure_s / 900)))
    return Night(plan, night.id, night.start, night.zone, dice)


def figures(played: Sequence[Played]) -> dict[str, float]:
    """Return what was measured, by name."""
    late = [one for one in played if one.is_late]
    in_time = [one for one in played if not one.is_late]
    return {
        "forecast-error-start": statistics.fmean(one.error_start for one in played),
        "forecast-error-half": statistics.fmean(one.error_half for one in played),
        "overruns-warned-in-time": sum(one.is_warned_in_time for one in late) / len(late),
        "false-warnings": sum(one.warned is not None for one in in_time) / len(in_time),
    }


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.forecast", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=SEED, help="another seed is another house")
    parser.add_argument("--years", type=int, default=3, help="how many houses, each with a year of its own")
    options = parser.parse_args()
    began = time.perf_counter()
    played: list[Played] = []
    for seed in range(options.seed, options.seed + options.years):
        year = a_year(seed)
        played += year
        shown = "  ".join(f"{name} {value:.3f}" for name, value in figures(year).items())
        print(f"house {seed}: {len(year)} maintenances, {sum(one.is_late for one in year)} late  {shown}", flush=True)
    changed = sum(one.clocks_changed for one in played)
    missed = [one for one in played if one.is_late and not one.is_warned_in_time]
    print(f"clocks changed inside {changed} windows; {time.perf_counter() - began:.0f} s")
    for one in missed:
        asked = "never" if one.warned is None else f"{(one.announced - one.warned).total_seconds() / 60:.0f} min before"
        print(f"missed: ended {(one.ended - one.announced).total_seconds() / 60:.0f} min late, asked {asked}")
    for name, value in figures(played).items():
        print(f"{name} {value:.3f} {GOALS[name]}")


if __name__ == "__main__":
    main()
