"""The crash campaign: hundreds of whole maintenances while everything goes wrong that can, and what is true of them.

`python -m benchmarks.crash [--runs N] [--seed S] [--only K] [--together N] [--rounds-at-once N] [--evidence FOLDER]`

One run is one maintenance, from `/maint start` to its report: a banner's pull request, a mass message, the status
page, the app off and on, a command, a real VACUUM and the gate on a database of its own, approvals. Runs are played in
rounds, `--together` of them with one bot. The bot is killed (`kill -9`) before, in and after the calls and behind the
commits that were drawn for the runs; answers are lost; and things befall the whole round: Slack is away, delivers twice
or out of order, the clock jumps, the disk is full, the database is locked or restarted, a second bot is started. Three
runs of five are meddled with by people: paused, aborted, rolled back, extended, cancelled, moved, a step skipped, or a
request rejected and the step tried again.
Afterwards every effect must be there once (of what was taken back at most once, and nothing be left of it), the
journal's chain whole, and the channel complete. `--only K` plays the
round of run K again.
It ends with `crash-runs VALUE 500` and `crash-violations VALUE 0`.
"""

import argparse
import logging
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path

import psycopg

from benchmarks.crashing.play import Played, Round
from sandbox.postgres.cluster import temporary_cluster

SHOP = """
CREATE TABLE customers (id int PRIMARY KEY, name text);
CREATE TABLE orders (id int PRIMARY KEY, customer int, total numeric);
INSERT INTO customers SELECT n, 'customer ' || n FROM generate_series(1, 200) n;
INSERT INTO orders SELECT n, n % 200, n FROM generate_series(1, 2000) n;
ANALYZE;
"""


@contextmanager
def shop_server() -> Iterator[str]:
    """Run a PostgreSQL that the maintenances work on; yields its address. Each run's database is a copy of `shop`."""
    with temporary_cluster(18, tcp=True, settings={"max_connections": "300"}) as cluster:
        dsn = cluster.create_database("shop")
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(SHOP)
        yield f"host=127.0.0.1 port={cluster.port} user=postgres dbname=postgres"


def play(seed: int, number: int, runs: list[int], server: str, *, stuck_s: float, evidence: str) -> Played:
    """Play one round, in a process of its own; what breaks the campaign itself counts as wrong too."""
    # A pool that cannot connect while the server is restarted says so each time; it is meant to happen.
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
    try:
        return Round(seed, number, runs, server, stuck_s=stuck_s).play(Path(evidence))
    except Exception:  # noqa: BLE001 - a round that cannot be judged has not been passed
        return Played(number, runs, {runs[0]: [f"the campaign itself failed: {traceback.format_exc()}"]})


def told(seed: int, played: Played) -> str:
    """Return a round in one line."""
    marks = f"{played.kills} kills, {played.lost} answers lost, {', '.join(played.weather) or 'calm'}"
    asked = f"{played.settled} settled, {len(played.retried)} retried by people"
    outcome = f"{len(played.wrong)} WRONG" if played.wrong else "all well"
    runs = f"runs {played.runs[0]}-{played.runs[-1]}"
    return f"seed {seed} {runs}: {outcome} ({marks}; {asked}; {played.entries} entries; {played.took_s:.0f} s)"


class Totals:
    """What the rounds add up to."""

    def __init__(self, seed: int, evidence: Path) -> None:
        self._seed, self._evidence = seed, evidence
        self.runs = self.violations = 0
        self._kills = self._lost = self._never = self._entries = self._settled = self._presses = 0
        self._weather: Counter[str] = Counter()
        self._retried: list[str] = []
        self._turns: Counter[str] = Counter()

    def add(self, played: Played) -> None:
        """Count a round, and print it."""
        self.runs += len(played.runs)
        self.violations += sum(len(wrong) for wrong in played.wrong.values())
        self._kills += played.kills
        self._lost += played.lost
        self._never += played.never
        self._entries += played.entries
        self._settled += played.settled
        self._presses += played.presses
        self._weather.update(played.weather)
        self._retried += played.retried
        self._turns += played.turns
        print(told(self._seed, played), flush=True)
        print(f"  so far: {self.runs} runs, {self._kills} kills, {self.violations} violations", flush=True)
        for run, wrong in played.wrong.items():
            for text in wrong:
                print(f"  VIOLATION run {run} (--seed {self._seed} --only {run}): {text}", flush=True)
            print(f"  evidence: {self._evidence}/seed-{self._seed}-round-{played.round}", flush=True)

    def show(self) -> None:
        """Print the totals; the last two lines are the figures."""
        for line in self._retried[:20]:
            print(f"  retried by people: {line}")
        print(f"killed {self._kills} times; {self._lost} answers lost; {', '.join(_counted(self._weather))}")
        print(
            f"{self._entries} entries; {self._presses} presses; people said of {self._settled} steps what had happened"
        )
        print(f"what people came to want, and how it ended: {', '.join(_counted(self._turns))}")
        print(f"{self._never} of the drawn points never came (a run makes fewer calls to that system)")
        print(f"crash-runs {self.runs} 500")
        print(f"crash-violations {self.violations} 0")


def _counted(counter: Counter[str]) -> list[str]:
    return [f"{what} {count}" for what, count in sorted(counter.items())]


def rounds(runs: int, together: int, only: int | None) -> list[tuple[int, list[int]]]:
    """Return the rounds: each a number and its runs."""
    everything = [
        (number, list(range(first, min(first + together, runs))))
        for number, first in enumerate(range(0, runs, together))
    ]
    return [each for each in everything if only is None or only in each[1]]


def main() -> int:
    """Play the campaign; exit status 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--only", type=int)
    parser.add_argument("--together", type=int, default=25, help="runs in a round, with one bot")
    parser.add_argument("--rounds-at-once", type=int, default=3)
    parser.add_argument(
        "--stuck", type=float, default=300.0, help="seconds without an entry after which a round has failed"
    )
    parser.add_argument("--evidence", type=Path, default=Path(tempfile.gettempdir()) / "crash-evidence")
    given = parser.parse_args()
    totals = Totals(given.seed, given.evidence)
    with shop_server() as server, ProcessPoolExecutor(given.rounds_at_once, max_tasks_per_child=1) as pool:
        games = [
            pool.submit(play, given.seed, number, runs, server, stuck_s=given.stuck, evidence=str(given.evidence))
            for number, runs in rounds(max(given.runs, (given.only or 0) + 1), given.together, given.only)
        ]
        for game in as_completed(games):
            totals.add(game.result())
    totals.show()
    return 1 if totals.violations else 0


if __name__ == "__main__":
    sys.exit(main())
