"""The bot itself: how soon it answers, starts and tells, what an entry costs, and what hundreds of maintenances do.

`python -m benchmarks.bot [--quick] [--only PART]` prints what was found, and then a line for each figure that has a
goal: `name value goal`. Beside most figures stands that of a peer in the same run, since machines differ.
"""

import argparse
import os
import tempfile
from pathlib import Path

from benchmarks.bots.ack import ack
from benchmarks.bots.journal import journal
from benchmarks.bots.lag import lag
from benchmarks.bots.reading import reading
from benchmarks.bots.scale import scale
from benchmarks.bots.start import start

GOALS = {"ack-p99-ms": 250, "log-lag-p95-s": 1.5, "fold-10k-ms": 50, "start-ms": 1500, "rss-mb": 150}
MORE = {"append-ratio": 3, "steps-a-second": 5, "outage-ratio": 1.5, "verify-share": 0.25, "scale-ratio": 2}
"""The goals of what is told as well; these come first."""
PARTS = {"start": start, "journal": journal, "ack": ack, "lag": lag, "verify": reading, "scale": scale}
SIZES = {
    "runs": (5, 2, "starts of the bot"),
    "appends": (2000, 300, "entries appended"),
    "seconds": (60, 8, "how long commands are given, in each way"),
    "contacts": (100_000, 20_000, "users that are sent to meanwhile"),
    "notes": (60, 10, "entries whose lag is measured"),
    "pile": (30, 8, "steps that run while Slack is down"),
    "entries": (100_000, 5_000, "entries that are verified"),
    "maintenances": (500, 50, "maintenances on PostgreSQL"),
    "entries_each": (2000, 200, "entries of each of them"),
}


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bot", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", choices=PARTS, help="run one part of it")
    parser.add_argument("--quick", action="store_true", help="little of everything: does it work at all?")
    for name, (size, _, what) in SIZES.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, help=f"{what}: {size:,}")
    options = parser.parse_args()
    for name, (size, quick, _) in SIZES.items():
        if getattr(options, name) is None:
            setattr(options, name, quick if options.quick else size)
    figures: dict[str, float] = {}
    for part in [options.only] if options.only else PARTS:
        print(f"{part}: {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before", flush=True)
        with tempfile.TemporaryDirectory(prefix="maint-bot-") as folder:
            for name, value in PARTS[part](Path(folder), options).items():
                figures[name] = max(value, figures.get(name, 0.0))
    for name, goal in {**MORE, **GOALS}.items():
        if name in figures:
            print(f"{name} {figures[name]:.2f} {goal:g}")


if __name__ == "__main__":
    main()
