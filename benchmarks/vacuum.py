"""Our database job against PostgreSQL's own programs, on the same data, right after a real pg_upgrade.

`python -m benchmarks.vacuum [--quick] [--runs N] [--jobs N] [--rows N]` prints what was measured, and then a line for
each figure: `name value goal`. A ratio above 1 means that we are faster. The programs take turns, so that a machine
that slows down slows down both, each on a fresh copy of one upgraded cluster; each run has other names for the tables
(see `benchmarks.postgres.data`); the ratio is that of the medians.
"""

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.postgres.alone import Alone
from benchmarks.postgres.data import NEW, OLD, four_databases, laid_out, made, one_database
from integrations.postgres import Analyze, Upgrade, Vacuum
from integrations.postgres.round import Round
from sandbox.postgres.account import new_folder, remove_folder
from sandbox.postgres.binaries import binaries
from sandbox.postgres.cluster import Cluster

Contender = Callable[[Cluster], None]
GOALS = {
    "vacuum-ratio": "1.15",
    "vacuum-all-ratio": "1.30",
    "plans-good-ratio": "8",
    "upgrade-ratio": "0.97",
    "eta-error": "0.15",
}
_QUICK_ROWS, _QUICK_RUNS = 600_000, 1


@dataclass
class Bench:
    """Upgraded clusters, stopped, one for each run, and the databases in them that count."""

    clusters: list[Cluster]
    databases: list[str]
    jobs: int
    eta_errors: list[float] = field(default_factory=list)

    def median_s(self, contenders: Mapping[str, Contender]) -> dict[str, float]:
        """Let the contenders take turns, each on a fresh copy; return the median seconds of each."""
        times: dict[str, list[float]] = {name: [] for name in contenders}
        for number, cluster in enumerate(self.clusters):
            turns = list(contenders.items())
            for name, run in turns if number % 2 == 0 else reversed(turns):
                with self._fresh(cluster) as copied:
                    started = time.perf_counter()
                    run(copied)
                    times[name].append(time.perf_counter() - started)
        return medians(times)

    @contextmanager
    def _fresh(self, cluster: Cluster) -> Iterator[Cluster]:
        """Copied and synced, so that all find the same in the page cache and nothing of ours is still being written."""
        folder = new_folder("maint-bench-")
        try:
            copied = cluster.copy(folder / "copy")
            os.sync()
            with copied.started():
                for dbname in self.databases:  # both find the same catalogs in the server's cache
                    with psycopg.connect(copied.dsn(dbname)) as session:
                        session.execute("SELECT sum(pg_table_size(oid)) FROM pg_class WHERE relkind = 'r'")
                yield copied
        finally:
            remove_folder(folder)

    def ours(self, cls: type[Round], **fields: Any) -> Contender:
        """Return a step of ours as a contender."""
        step = cls.model_validate({"jobs": self.jobs, **fields})

        def run(cluster: Cluster) -> None:
            with tempfile.TemporaryDirectory() as folder:
                alone = Alone(Path(folder), cluster.dsn(self.databases[0]))
                step.apply(alone)
                if cls is Vacuum and "pass" not in fields:  # the others are over in moments
                    self._note_eta(alone)

        return run

    def _note_eta(self, alone: Alone) -> None:
        took = time.perf_counter() - alone.began
        if alone.foretold:
            at, left = min(alone.foretold, key=lambda pair: abs(pair[0] - took / 2))
            self.eta_errors.append(abs(at + left - took) / took)

    def vacuumdb(self, *options: str) -> Contender:
        """Return vacuumdb as a contender."""

        def run(cluster: Cluster) -> None:
            address = ["-h", str(cluster.sockets), "-p", str(cluster.port), "-U", "postgres", "-q"]
            cluster.run("vacuumdb", *address, "-j", str(self.jobs), "--all", *options, timeout_s=3600)

        return run


def medians(times: Mapping[str, list[float]]) -> dict[str, float]:
    """Print the times of each contender and return their medians."""
    for name, seconds in times.items():
        each = " ".join(f"{second:6.2f}" for second in seconds)
        print(f"  {name:<34} {statistics.median(seconds):6.2f} s   ({each})", flush=True)
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def race_one(folder: Path, options: argparse.Namespace) -> dict[str, float]:
    """One database: VACUUM ANALYZE of everything, and the time until statistics are good."""
    print(f"One database, {NEW} right after pg_upgrade from {OLD}, {options.jobs} sessions:")
    bench = bench_of(folder, one_database(options.rows), options)
    times = bench.median_s(
        {
            "vacuumdb -z": bench.vacuumdb("-z"),
            "ours": bench.ours(Vacuum),
            "vacuumdb --analyze-in-stages": bench.vacuumdb("--analyze-in-stages"),
            "ours, statistics first": bench.ours(Analyze),
            "ours, first pass": bench.ours(Vacuum, **{"pass": "first"}),
        }
    )
    stages = times["vacuumdb --analyze-in-stages"] / times["ours, statistics first"]
    first = times["vacuumdb -z"] / times["ours, first pass"]
    print(
        f"  statistics first against --analyze-in-stages: {stages:.2f}; a first pass against vacuumdb -z: {first:.2f}"
    )
    return {
        "vacuum-ratio": times["vacuumdb -z"] / times["ours"],
        "plans-good-ratio": times["vacuumdb -z"] / times["ours, statistics first"],
        "eta-error": statistics.median(bench.eta_errors),
    }


def race_all(folder: Path, options: argparse.Namespace) -> dict[str, float]:
    """Several databases: one queue over all of them against one database after the other."""
    print(f"Four databases, {options.jobs} sessions:")
    bench = bench_of(folder, four_databases(options.rows), options)
    times = bench.median_s({"vacuumdb --all -z": bench.vacuumdb("-z"), "ours": bench.ours(Vacuum)})
    return {"vacuum-all-ratio": times["vacuumdb --all -z"] / times["ours"]}


def bench_of(folder: Path, databases: Mapping[str, str], options: argparse.Namespace) -> Bench:
    """Make the data once, and upgrade a copy of it for each run."""
    old = made(folder, databases)
    clusters = [laid_out(old, folder, layout) for layout in range(1, options.runs + 1)]
    shutil.rmtree(old.root)
    return Bench(clusters, list(databases), options.jobs)


def race_upgrade(folder: Path, options: argparse.Namespace) -> dict[str, float]:
    """The whole upgrade: our step, which checks, notes and reads back, against the bare commands typed by hand."""
    print(f"The upgrade from {OLD} to {NEW}, in link mode:")
    old = made(folder, one_database(options.rows // 4))
    times: dict[str, list[float]] = {"by hand": [], "ours": []}
    for number in range(options.runs):
        for name in list(times) if number % 2 == 0 else list(reversed(times)):
            copied = old.copy(folder / f"{name.split()[0]}-{number}")
            os.sync()
            copied.start()
            started = time.perf_counter()
            (_by_hand if name == "by hand" else _by_us)(copied)
            times[name].append(time.perf_counter() - started)
            copied.run("pg_ctl", "stop", "-m", "immediate", "-D", copied.root / "new")
            remove_folder(copied.root)
    result = medians(times)
    return {"upgrade-ratio": result["by hand"] / result["ours"]}


def _by_hand(old: Cluster) -> None:
    data, new = old.root / "new", binaries(NEW)
    account = old.account
    initdb: list[str | Path] = [new / "initdb", "-D", data, "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8"]
    account.run([*initdb, "--no-data-checksums"], cwd=old.root)
    places: list[str | Path] = ["-b", old.bin, "-B", new, "-d", old.data, "-D", data, "-U", "postgres", "-s", old.root]
    upgrade: list[str | Path] = [new / "pg_upgrade", "--link", "-p", str(old.port), *places]
    account.run([*upgrade, "--check"], cwd=old.root, timeout_s=1800)
    old.stop()
    account.run(upgrade, cwd=old.root, timeout_s=1800)
    with (data / "postgresql.conf").open("a") as conf:
        conf.write(f"\nport = {old.port}\nunix_socket_directories = '{old.sockets}'\nlisten_addresses = ''\n")
    account.run([new / "pg_ctl", "start", "-w", "-s", "-D", data, "-l", old.root / "new.log"], cwd=old.root)


def _by_us(old: Cluster) -> None:
    places = {"old_bin": old.bin, "new_bin": binaries(NEW), "old_data": old.data, "new_data": old.root / "new"}
    with tempfile.TemporaryDirectory() as folder:
        Upgrade.model_validate(places).apply(Alone(Path(folder), old.dsn()))


RACES = {"one": race_one, "all": race_all, "upgrade": race_upgrade}


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.vacuum", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=3, help="runs of each contender")
    parser.add_argument("--jobs", type=int, default=2, help="sessions of each contender")
    parser.add_argument("--rows", type=int, default=6_000_000, help="rows of the largest table")
    parser.add_argument("--only", choices=RACES, help="run one part of it")
    parser.add_argument("--quick", action="store_true", help="one run on little data: does it work at all?")
    options = parser.parse_args()
    if options.quick:
        options.rows, options.runs = _QUICK_ROWS, _QUICK_RUNS
    load = os.getloadavg()[0]
    figures: dict[str, float] = {}
    for race in [options.only] if options.only else RACES:
        folder = new_folder("maint-bench-")
        try:
            figures |= RACES[race](folder, options)
        finally:
            remove_folder(folder)
    print(
        f"{os.cpu_count()} cores, load {load:.1f} before" + (": not quiet, the figures say little" if load > 1 else "")
    )
    for name, goal in GOALS.items():
        if name in figures:
            print(f"{name} {figures[name]:.2f} {goal}")


if __name__ == "__main__":
    main()
