"""One round: maintenances side by side with one bot, and everything drawn for them going wrong, until all are over."""

import contextlib
import json
import os
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.crashing.checks import Checks
from benchmarks.crashing.drawn import Drawn, Point, Turn, Weather, draw, draw_weather, has_own_server
from benchmarks.crashing.people import People
from benchmarks.crashing.place import Place
from benchmarks.crashing.weather import Skies
from bot.database import Unavailable
from bot.state import State
from sandbox.faults import Fault

_POLL_S = 0.01
_LOOK_S = 0.25
_DELAY_S = 1.0
_PATHS = {"github": "^/repos/acme/theme-{run}/", "app": "^/{run}/", "status": "^/", "intercom": "^/", "slack": "^/api/"}


@dataclass
class Played:
    """What came of a round: `wrong` by run, how often the bot was killed, what fired and what never came."""

    round: int
    runs: list[int]
    wrong: dict[int, list[str]] = field(default_factory=dict)
    kills: int = 0
    lost: int = 0
    never: int = 0
    weather: list[str] = field(default_factory=list)
    presses: int = 0
    settled: int = 0
    retried: list[str] = field(default_factory=list)
    entries: int = 0
    turns: Counter[str] = field(default_factory=Counter)
    took_s: float = 0.0


def ended_after(turn: Turn | None, states: list[State]) -> str:
    """Return in words what people came to want of a run, and how it ended."""
    status = states[0].status.replace("_", " ") if states else "not made"
    return status if turn is None else f"{turn.what}: {status}"


class Round:
    """Plays the runs `runs` of the campaign of `seed` as its round `number`. `server` is a PostgreSQL with `shop`.

    It has failed when the journals have not grown for `stuck_s` seconds. `weather` is drawn where it is not given.
    """

    def __init__(
        self,
        seed: int,
        number: int,
        runs: list[int],
        server: str,
        *,
        stuck_s: float,
        weather: list[Weather] | None = None,
    ) -> None:
        self.seed, self.number, self._stuck_s = seed, number, stuck_s
        self._drawn = {run: draw(seed, run) for run in runs}
        rules = {run: drawn.rules for run, drawn in self._drawn.items()}
        self._place = Place(runs, rules, server, own=has_own_server(number))
        self._people = People(self._place, self._drawn, self._said)
        self._skies = Skies(self._place, self._said)
        self._weather = draw_weather(seed, number, len(runs)) if weather is None else weather
        self._calls: list[tuple[Point, Fault]] = []
        self._commits: list[tuple[int, Point]] = []
        self._began = time.monotonic()
        self._lines: list[str] = []
        self.played = Played(number, runs)

    def _said(self, line: str) -> None:
        self._lines.append(f"{time.monotonic() - self._began:7.2f} s  {line}")

    def play(self, evidence: Path) -> Played:
        """Play it to its end; what is wrong is kept in a folder below `evidence`."""
        try:
            for run, drawn in self._drawn.items():
                self._arm(run, drawn)
            self._place.start_bot()
            ended = self._until_over()
            self._judge(ended=ended)
            if self.played.wrong:
                self._keep(evidence / f"seed-{self.seed}-round-{self.number}")
        finally:
            self._people.go_home()
            self._place.close()
        self.played.took_s = time.monotonic() - self._began
        return self.played

    def _arm(self, run: int, drawn: Drawn) -> None:
        for point in drawn.points:
            if point.system == "journal":
                self._commits.append((run, point))
                continue
            shared = point.system in {"slack", "intercom", "status"}
            # Calls to what all runs share are counted over all of them.
            skip = point.number * len(self._drawn) + run % len(self._drawn) if shared else point.number
            path = _PATHS[point.system].format(run=run)
            front = self._place.fronts[point.system]
            self._calls.append((point, front.arm(point.kind, path=path, skip=skip, delay_s=_DELAY_S)))

    def _until_over(self) -> bool:
        looked, parent = 0.0, os.getppid()
        grew, entries = time.monotonic(), 0
        while time.monotonic() - grew < self._stuck_s:
            if os.getppid() != parent:
                raise RuntimeError("the campaign was ended")
            if self.played.entries != entries:
                grew, entries = time.monotonic(), self.played.entries
            self._strike()
            if not self._place.bot.running():
                self._said("the bot has ended by itself, and is started again")
                self._place.start_bot()
            if time.monotonic() - looked > _LOOK_S and self._place.is_up():
                # As long as the database is away, nobody can be asked: look again.
                with contextlib.suppress(Unavailable):
                    if self._look():
                        return True
                looked = time.monotonic()
            time.sleep(_POLL_S)
        return False

    def _strike(self) -> None:
        """Kill the bot if a call has come that it was to be killed at."""
        fired = [(point, fault) for point, fault in self._calls if fault.times == 0]
        for point, fault in fired:
            self._calls.remove((point, fault))
            self._said(str(point))
            if point.kills:
                self._kill()
            else:
                self.played.lost += 1

    def _kill(self) -> None:
        self.played.kills += 1
        self._place.kill_bot()
        self._place.start_bot()

    def _look(self) -> bool:
        """Let people and the weather do what the journal makes them do; whether everything is over."""
        states = self._place.states()
        lengths = {run: sum(state.seq for state in found) for run, found in states.items()}
        self.played.entries = sum(lengths.values())
        for run, point in list(self._commits):
            if lengths[run] > point.number:
                self._commits.remove((run, point))
                self._said(f"{point} of run {run}")
                self._kill()
                return False
        while self._weather and self.played.entries >= self._weather[0].entries:
            self.played.weather.append(self._weather[0].what)
            self._skies.come(self._weather.pop(0))
        self._people.look(states)
        over = all(found and found[0].over for found in states.values())
        return over and self._skies.passed() and self._place.settled()

    def _judge(self, *, ended: bool) -> None:
        self.played.never = len(self._calls) + len(self._commits)
        for _, fault in self._calls:
            fault.times = 0
        self.played.presses, self.played.settled = self._people.presses, self._people.settled
        self.played.retried = self._people.retried
        states = self._place.states()
        checks = Checks(self._place)
        for run in self._drawn:
            turn = self._drawn[run].turn
            wrong = checks.of(run, states[run], turn)
            self.played.turns.update([ended_after(turn, states[run])])
            if wrong:
                self.played.wrong[run] = wrong
        if not ended and not self.played.wrong:
            self.played.wrong[self.played.runs[0]] = ["not everything came to the channel in time"]
        if self._skies.wrong:
            self.played.wrong.setdefault(self.played.runs[0], []).extend(self._skies.wrong)

    def _keep(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._place.keep(folder)
        (folder / "what-happened.txt").write_text("\n".join(self._lines) + "\n")
        (folder / "wrong.json").write_text(json.dumps(self.played.wrong, indent=2))
