"""Our mass send against a plain loop with Intercom's own SDK: rate, memory, and what being killed does.

`python -m benchmarks.send [--contacts N] [--limit N]` prints a table, and then a line for each figure: `name value
goal`. The stand-in for Intercom runs in a process of its own, counts requests in windows as Intercom does, and takes
`--answer-ms` for each, as a network would. Both senders are processes of their own too, and are killed with SIGKILL.
The rate is what the stand-in has granted, messages and all else, in the whole windows between the first message and
the last one, against what it would have granted.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.intercom import ADMIN_ID
from sandbox.intercom.workspace import TOKEN

GOALS = {"send-rate-of-limit": 0.98, "send-duplicates": 0, "send-lost": 0, "send-memory-growth-mb": 20}
SDK = "python-intercom"
SEED = 3
_LOOK_EVERY_S = 0.05
LOOP = Path(__file__).parent / "sending" / "loop.py"
HEAD = (
    f"{'':<34} {'contacts':>9} {'seconds':>8} {'sent/s':>7} {'of limit':>8} {'refused':>7} {'CPU s':>6} {'peak MB':>8} "
    f"{'twice':>6} {'lost':>6}"
)


@dataclass
class Run:
    """What one run came to. `of_limit` is None without a limit; `said` is what the sender printed last."""

    name: str
    contacts: int
    seconds: float
    of_limit: float | None
    refused: int
    cpu_s: float
    peak_mb: float
    duplicates: int
    lost: int
    said: str

    def growth_mb(self) -> float:
        """Return by how much our sender had grown over what it was before its first request."""
        told = json.loads(self.said)
        return float(told["highest_mb"] - told["before_mb"])

    def said_short(self) -> str:
        """Return what our sender said came of it."""
        return str(json.loads(self.said)["said"])

    def row(self) -> str:
        """Return it as a line of the table."""
        of_limit = "" if self.of_limit is None else f"{self.of_limit:.1%}"
        rate = (self.contacts - self.lost) / self.seconds
        return (
            f"{self.name:<34} {self.contacts:>9,} {self.seconds:>8.1f} {rate:>7.0f} {of_limit:>8} {self.refused:>7} "
            f"{self.cpu_s:>6.1f} {self.peak_mb:>8.1f} {self.duplicates:>6} {self.lost:>6}"
        )


class StandIn:
    """The stand-in for Intercom at `url`."""

    def __init__(self, url: str, contacts: int) -> None:
        self.url, self.contacts = url, contacts

    def read(self, page: str) -> dict[str, Any]:
        """Return one of its records."""
        with urllib.request.urlopen(f"{self.url}/{page}") as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def messages(self) -> int:
        """Return how many messages it has taken."""
        return int(self.read("rate.json")["messages"])


@contextmanager
def stand_in(contacts: int, limit: int, options: argparse.Namespace) -> Iterator[StandIn]:
    """Start a workspace of `contacts` active users."""
    numbers = {
        "--contacts": contacts,
        "--limit": limit,
        "--window-s": options.window_s,
        "--answer-ms": options.answer_ms,
    }
    flags = [str(part) for pair in numbers.items() for part in pair]
    command = [sys.executable, "-m", "sandbox.intercom", "--everyone", *flags]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield StandIn(process.stdout.readline().strip(), contacts)
    finally:
        process.kill()
        process.wait()


@dataclass
class Watch:
    """What was seen and used while senders ran: `first` and `last` message by the stand-in's clock (Unix seconds)."""

    first: float | None = None
    last: float = 0.0
    messages: int = 0
    cpu_s: float = 0.0
    peak_mb: float = 0.0
    kills: int = 0
    said: str = ""

    def look(self, rate: Mapping[str, Any]) -> None:
        """Take in what the stand-in has on record now."""
        if rate["messages"] > self.messages:
            self.messages, self.last = rate["messages"], rate["now"]
            self.first = self.last if self.first is None else self.first

    def run(self, command: Sequence[str], server: StandIn, kill_at: int | None) -> None:
        """Run `command` to its end, or until the stand-in has taken `kill_at` messages."""
        with tempfile.TemporaryFile("w+") as output:
            process = subprocess.Popen(command, stdout=output)
            while True:
                ended, status, usage = os.wait4(process.pid, os.WNOHANG)
                if ended:
                    break
                self.look(server.read("rate.json"))
                if kill_at is not None and self.messages >= kill_at:
                    process.kill()
                    self.kills, kill_at = self.kills + 1, None
                time.sleep(_LOOK_EVERY_S)
            process.returncode = os.waitstatus_to_exitcode(status)
            output.seek(0)
            self.said = output.read().strip()
        self.cpu_s += usage.ru_utime + usage.ru_stime
        self.peak_mb = max(self.peak_mb, usage.ru_maxrss / 1024)


def measure(name: str, command: Sequence[str], server: StandIn, kills: int = 0) -> Run:
    """Run `command` to its end, killing and starting it again `kills` times at points spread by chance."""
    points = sorted(random.Random(SEED).sample(range(1, int(server.contacts * 0.95)), kills))
    watch, started = Watch(), time.monotonic()
    for kill_at in [*points, None]:
        watch.run(command, server, kill_at)
    seconds = time.monotonic() - started
    summary, rate = server.read("summary.json"), server.read("rate.json")
    run = Run(
        f"{name}, killed {watch.kills}x" if kills else name,
        server.contacts,
        seconds,
        rate_of_limit(rate, watch.first or 0.0, watch.last),
        sum(rate["refused"].values()),
        watch.cpu_s,
        watch.peak_mb,
        summary["duplicates"],
        server.contacts - summary["recipients"],
        watch.said,
    )
    print(run.row(), flush=True)
    return run


def rate_of_limit(rate: Mapping[str, Any], first: float, last: float) -> float | None:
    """Return which share of the grant was used in the whole windows between two moments (Unix seconds).

    None without a limit, or where there is no whole window between them.
    """
    begin, end = int(first // rate["window_s"]) + 1, int(last // rate["window_s"])
    if rate["limit"] is None or end <= begin:
        return None
    windows = [rate["granted"].get(str(number), 0) for number in range(begin, end)]
    return float(sum(windows) / (rate["limit"] * len(windows)))


def ours(folder: Path, server: StandIn) -> list[str]:
    """Return the command that runs our step, on a database of its own."""
    home = Path(tempfile.mkdtemp(dir=folder))
    return [sys.executable, "-m", "benchmarks.sending.ours", str(home / "maint.sqlite3"), str(home), server.url]


def peer(folder: Path) -> tuple[str, list[str]]:
    """Install the official SDK into an environment of its own: the peer's name, and its command but for the address.

    Where it cannot be installed, the peer is a plain loop with httpx, and is called so.
    """
    python = folder / "sdk" / "bin" / "python"
    steps = [
        [sys.executable, "-m", "venv", str(folder / "sdk")],
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", SDK],
    ]
    try:
        for step in steps:
            subprocess.run(step, check=True, capture_output=True, timeout=300)
    except (subprocess.SubprocessError, OSError) as error:
        print(f"{SDK} cannot be installed ({error}); the loop below is made with plain httpx.")
        return "loop with httpx (no SDK)", [sys.executable, str(LOOP), "httpx"]
    shown = subprocess.run([str(python), "-m", "pip", "show", SDK], check=True, capture_output=True, text=True).stdout
    version = shown.split("Version: ")[1].split()[0]
    return f"loop with {SDK} {version}", [str(python), str(LOOP), "sdk"]


def race(folder: Path, options: argparse.Namespace) -> dict[str, float]:
    """Run everything there is to run; return the figures."""
    name, loop = peer(folder)
    print(HEAD, flush=True)
    runs = []
    for label, limit, kills in [
        ("ours", options.limit, 0),
        ("ours", options.limit, options.kills),
        ("ours, no limit", 0, 0),
    ]:
        with stand_in(options.contacts, limit, options) as server:
            runs.append(measure(label, ours(folder, server), server, kills))
    for kills in (0, 1):
        with stand_in(options.peer_contacts, options.limit, options) as server:
            measure(name, [*loop, server.url, TOKEN, ADMIN_ID], server, kills)
    over = sum(run.refused for run in runs)
    print(f"Over the limit: {over or 'never'}. " + "; ".join(f"{run.name}: {run.said_short()}" for run in runs))
    limited = runs[0]
    if limited.of_limit is None:
        raise SystemExit("Too few contacts to fill a window of the rate limit: more --contacts, or a lower --limit.")
    return {
        "send-rate-of-limit": limited.of_limit,
        "send-duplicates": sum(run.duplicates for run in runs),
        "send-lost": sum(run.lost for run in runs),
        "send-memory-growth-mb": max(run.growth_mb() for run in runs),
    }


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.send", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--contacts", type=int, default=100_000, help="active users to send to")
    limit_help = "requests in each window: 4167 is what Intercom grants a whole workspace, 1667 what it grants one app"
    parser.add_argument("--limit", type=int, default=4167, help=limit_help)
    parser.add_argument("--window-s", type=int, default=10, help="length of a window, in seconds")
    parser.add_argument("--answer-ms", type=float, default=50, help="what the stand-in takes for each request")
    parser.add_argument("--kills", type=int, default=10, help="how often our sender is killed")
    parser.add_argument("--peer-contacts", type=int, default=1000, help="active users that the plain loop sends to")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    print(
        f"A limit of {options.limit:,} requests in {options.window_s} s, {options.answer_ms:g} ms for each. "
        f"{os.cpu_count()} cores, load {load:.1f} before" + (": not quiet" if load > 1 else ""),
        flush=True,
    )
    with tempfile.TemporaryDirectory(prefix="maint-send-") as folder:
        figures = race(Path(folder), options)
    for figure, value in figures.items():
        print(f"{figure} {round(value, 3):g} {GOALS[figure]:g}")


if __name__ == "__main__":
    main()
