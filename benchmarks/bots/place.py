"""A stand-in for Slack and a bot in it, each a process of its own, as they are in service."""

import os
import re
import socket
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.bot_process import BotProcess
from sandbox.intercom import ADMIN_ID
from sandbox.intercom.workspace import TOKEN
from sandbox.slack.people import Slack
from tests.scenarios.house import settings

WAIT_S = 120.0
SECRET = "thesigningsecretofthisapp"


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` (0 to 1) of `values` do not exceed."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def median(values: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def rss_mb(pid: int) -> float:
    """Return the resident memory of a process in megabytes (Linux, proc(5))."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    if found is None:
        raise ValueError(f"process {pid} has no memory")
    return int(found[1]) / 1024


def cpu_ms(pid: int) -> float:
    """Return the processor's time that a process has used so far, in milliseconds (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


@contextmanager
def served(*command: str) -> Iterator[str]:
    """Run `python -m …` for the length of a `with` block; gives the first address that it prints."""
    process = subprocess.Popen([sys.executable, "-m", *command], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        found = next(found for line in process.stdout if (found := re.search(r"http://[\d.:]+", line)))
        yield found[0]
    finally:
        process.kill()
        process.wait()


@contextmanager
def slack(*, limits: bool = False) -> Iterator[Slack]:
    """Serve a workspace, with Slack's rate limits if `limits`."""
    options = ["--port", "0", "--signing-secret", SECRET, *([] if limits else ["--no-limits"])]
    with served("sandbox.slack", *options) as url:
        yield Slack(url, wait_s=WAIT_S)


@contextmanager
def intercom(contacts: int) -> Iterator[dict[str, str]]:
    """Serve a workspace of Intercom with its usual limit; gives the bot's settings for it."""
    with served("sandbox.intercom", "--everyone", "--contacts", str(contacts), "--answer-ms", "50") as url:
        yield {
            "MAINT_INTERCOM_URL": url,
            "MAINT_INTERCOM_TOKEN": TOKEN,
            "MAINT_INTERCOM_ADMIN_ID": ADMIN_ID,
        }


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@dataclass
class Bot:
    """A bot that may be started. `mode` is how Slack reaches it: `http` or `socket`."""

    process: BotProcess
    slack: Slack
    folder: Path
    mode: str
    port: int

    def is_reached(self) -> None:
        """Return when commands reach it."""
        if self.mode == "socket":
            self.slack.wait_for_app()
            return
        deadline = time.monotonic() + WAIT_S
        while True:
            try:
                self.slack.use_request_url(f"http://127.0.0.1:{self.port}/slack/events")
                if self.slack.person("ana").says("/maint help")["error"] == "":
                    return
            except (OSError, AssertionError):
                pass
            if time.monotonic() > deadline:
                raise AssertionError(f"the bot is not reached; {self.process.log.read_text()[-2000:]}")
            time.sleep(0.02)

    def is_up(self) -> None:
        """Return when its log says `maint_is_up`."""
        deadline = time.monotonic() + WAIT_S
        while "maint_is_up" not in (self.process.log.read_text() if self.process.log.exists() else ""):
            if time.monotonic() > deadline or not self.process.running():
                raise AssertionError(f"the bot is not up; {self.process.log.read_text()[-2000:]}")
            time.sleep(0.005)

    def rows(self, sql: str, *values: str) -> list[tuple[Any, ...]]:
        """Read from its database."""
        with closing(sqlite3.connect(self.folder / "data" / "maint.sqlite3", timeout=60)) as database:
            return database.execute(sql, values).fetchall()

    def until(self, sql: str, *values: str, wait_s: float = WAIT_S) -> None:
        """Return when the first value that `sql` gives is true."""
        deadline = time.monotonic() + wait_s
        while not self.rows(sql, *values)[0][0]:
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {wait_s:g} s: {sql} {values}; {self.process.log.read_text()[-2000:]}")
            time.sleep(0.05)

    def plans(self, name: str, steps: str) -> str:
        """Start a maintenance with these steps (YAML) at once; returns its id."""
        (self.folder / "runbooks" / f"{name}.yml").write_text(f"name: {name}\ntitle: {name}\nsteps:\n{steps}")
        known = len(self.rows("SELECT seq FROM entries WHERE seq = 1"))
        error = self.slack.person("ana").says(f"/maint start {name} at now for 2h")["error"]
        assert error == "", error
        self.until("SELECT count(*) > CAST(? AS INTEGER) FROM entries WHERE seq = 1", str(known))
        return str(self.rows("SELECT maintenance FROM entries WHERE seq = 1 ORDER BY at DESC LIMIT 1")[0][0])


@contextmanager
def bot(folder: Path, where: Slack, mode: str = "socket", **more: str) -> Iterator[Bot]:
    """Give a bot in the workspace that is not started yet; ended at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    environment = settings(where.url, folder, **more)
    if mode == "http":
        environment |= {"MAINT_SLACK_MODE": "http", "MAINT_SLACK_SIGNING_SECRET": SECRET, "MAINT_PORT": str(port)}
    made = Bot(BotProcess(environment, folder / "bot.log"), where, folder, mode, port)
    try:
        yield made
    finally:
        made.process.kill()
