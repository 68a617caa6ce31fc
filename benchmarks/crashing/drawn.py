"""What goes wrong in a run, drawn from its seed: nothing else decides it, so that a run can be repeated."""

import dataclasses
import random
from dataclasses import dataclass
from typing import Literal

CALLS = {"github": 40, "status": 30, "intercom": 20, "app": 10, "slack": 96}
"""About how many calls of one run go to each system; later ones never come, and their faults with them."""
ENTRIES = 47
"""About how many entries the log of one run has."""
KINDS = ("drop", "drop_after", "delay")
"""Killed before the call, after it (its answer lost), and in the middle of it (carried out after the kill)."""
TURNS = {
    "pause": (2, 40),
    "abort": (2, 44),
    "rollback": (2, 44),
    "extend": (2, 40),
    "cancel": (2, 10),
    "move": (2, 10),
    "skip": (2, 10),
    "reject": (1, 1),
}
"""What people may come to want, and the entries between which it occurs to them. What is to be cancelled or moved is
planned for later, so that the window does not begin before."""
_TURNING = 0.6
LATER = frozenset({"cancel", "move"})
WEATHER = ("slack-away", "twice", "out-of-order", "clock", "disk-full", "locked", "server-restart", "second-bot")


@dataclass(frozen=True)
class Point:
    """Where a fault falls: at call number `number` to `system`, or behind entry `number` of the run's journal."""

    system: str
    number: int
    kind: str
    kills: bool

    def __str__(self) -> str:
        """Return it in words."""
        what = {"drop": "before", "drop_after": "after", "delay": "during", "commit": "behind"}[self.kind]
        done = "killed" if self.kills else "answer lost"
        return f"{done} {what} {self.system} #{self.number + 1}"


@dataclass(frozen=True)
class Weather:
    """What befalls a whole round once its journals have `entries` entries together."""

    what: str
    entries: int
    strength: float

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.what} ({self.strength:.2f}) at {self.entries} entries"


@dataclass(frozen=True)
class Turn:
    """What people come to want of a run, once its journal has `entries` entries."""

    what: str
    entries: int


@dataclass(frozen=True)
class Drawn:
    """One run: its points, who presses how, how many have to approve, and what people come to want, if anything."""

    run: int
    points: tuple[Point, ...]
    pressing: Literal["once", "twice", "both"]
    rules: dict[str, int]
    turn: Turn | None = None


def every_point() -> list[Point]:
    """Return every point at which a bot can be killed: before, in and after every call, and behind every commit."""
    calls = [
        Point(system, number, kind, kills=True)
        for system, count in CALLS.items()
        # The calls to Slack are alike, and many: two of three are left to chance.
        for number in range(0, count, 3 if system == "slack" else 1)
        for kind in KINDS
    ]
    return calls + [Point("journal", number, "commit", kills=True) for number in range(ENTRIES)]


def draw(seed: int, run: int) -> Drawn:
    """Return what goes wrong in run `run` of the campaign of `seed`: one point in turn, and others by chance."""
    dice = random.Random(f"{seed}:{run}")
    turn = every_point()
    random.Random(f"{seed}").shuffle(turn)
    points = [turn[run % len(turn)]]
    if points[0].kind == "drop_after" and dice.random() < 0.5:
        points = [dataclasses.replace(points[0], kills=False)]
    if dice.random() < 0.5:
        points.append(_by_chance(dice, kills=dice.random() < 0.1))
    pressing: Literal["once", "twice", "both"] = dice.choice(["once", "twice", "both"])
    rules = {"banner": dice.choice([1, 2]), "off": dice.choice([1, 2])}
    return Drawn(run, tuple(points), pressing, rules, _turn(dice))


def _turn(dice: random.Random) -> Turn | None:
    """Three runs of five take a turn."""
    if dice.random() > _TURNING:
        return None
    what = dice.choice([*TURNS])
    return Turn(what, dice.randint(*TURNS[what]))


def _by_chance(dice: random.Random, *, kills: bool) -> Point:
    system = dice.choice([*CALLS])
    return Point(system, dice.randrange(CALLS[system]), "drop_after" if not kills else dice.choice(KINDS), kills)


def draw_weather(seed: int, round_: int, runs: int) -> list[Weather]:
    """Return what befalls round `round_` as a whole: five things in turn, at moments drawn by chance."""
    dice = random.Random(f"{seed}:weather:{round_}")
    chosen = [WEATHER[(5 * round_ + turn) % len(WEATHER)] for turn in range(5)]
    found = [Weather(what, dice.randrange(1, ENTRIES * runs * 4 // 5), dice.random()) for what in chosen]
    return sorted(found, key=lambda one: one.entries)


def has_own_server(round_: int) -> bool:
    """Whether the bot of this round keeps its journal in PostgreSQL: one round in five."""
    return round_ % 5 == 2
