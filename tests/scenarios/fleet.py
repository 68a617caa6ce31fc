"""Several processes of the bot on one PostgreSQL, and a workspace that sees which of them calls what."""

import dataclasses
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import psycopg
from starlette.types import Receive, Scope, Send

from bot.database_postgres import PostgresDatabase
from bot.entry import Entry, Kind
from bot.journal import Journal
from sandbox.bot_process import ROOT, BotProcess
from sandbox.postgres.cluster import Cluster, _free_port
from sandbox.server import Server
from sandbox.slack import Config, Limits, Workspace
from sandbox.slack.config import APP
from sandbox.slack.people import Slack
from tests.scenarios.house import planned, settings

TAKEOVER_S = 7
SIGNING_SECRET = "0123456789abcdef0123456789abcdef"
STEPS = """\
name: small
title: A small maintenance
steps:
  - id: first
    uses: command
    approval: false
    with: {argv: [sh, -c, "echo first >> WORLD; until [ -e WORLD.go ]; do sleep 0.1; done"]}
  - id: second
    uses: command
    approval: false
    with: {argv: [sh, -c, "echo second >> WORLD"]}
"""


class Workspaces:
    """A workspace that every process reaches under a path of its own, so that one sees who called what."""

    def __init__(self) -> None:
        app = dataclasses.replace(APP, signing_secret=SIGNING_SECRET)
        self.workspace = Workspace(Config(apps=(app,), limits=Limits(scale=100)))
        self.calls: list[tuple[str, str]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        called = re.fullmatch(r"/((?:web|worker)[\w-]*)(/api/(.+))", scope["path"])
        if called:
            self.calls.append((called[1], called[3]))
            scope = {**scope, "path": called[2], "raw_path": called[2].encode()}
        await self.workspace.app(scope, receive, send)

    def who_posted(self, since: int = 0) -> list[str]:
        """Which processes have posted messages, one name for each message, after the first `since` calls."""
        return [who for who, what in self.calls[since:] if what == "chat.postMessage"]


USUAL: Mapping[str, Path] = {"web": ROOT, "worker-a": ROOT, "worker-b": ROOT}


class Fleet:
    """One web process and two workers on one PostgreSQL, with Slack's requests coming in by signed HTTP.

    `of` names other processes, and for each the folder with the packages of its version. `begins` starts those in
    `first`.
    """

    def __init__(
        self,
        cluster: Cluster,
        folder: Path,
        *,
        apart: bool = False,
        of: Mapping[str, Path] = USUAL,
        first: tuple[str, ...] = (),
        steps: str = STEPS,
    ) -> None:
        cluster.start()
        cluster.create_database("maint")
        self.cluster = cluster
        self.address = f"postgresql://postgres@127.0.0.1:{cluster.port}/maint"
        self.folder = folder
        self.world = folder / "world"
        self.go = folder / "world.go"
        self.spaces = Workspaces()
        self.server = Server(self.spaces).start()
        self.slack = Slack(self.server.url, wait_s=60)
        self.ports = {name: _free_port() for name in of}
        self.first = first or tuple(of)
        self.processes = {
            name: BotProcess(
                self._environment(name, apart=apart),
                folder / f"{name}.log",
                ("serve", name.partition("-")[0]),
                root=root,
            )
            for name, root in of.items()
        }
        (folder / "runbooks" / "small.yml").write_text(steps.replace("WORLD", str(self.world)))

    def _environment(self, name: str, *, apart: bool) -> dict[str, str]:
        return {
            **settings(self.server.url, self.folder),
            "MAINT_SLACK_URL": f"{self.server.url}/{name}/api/",
            "MAINT_SLACK_MODE": "http",
            "MAINT_SLACK_SIGNING_SECRET": SIGNING_SECRET,
            "MAINT_DATABASE_URL": self.address,
            "MAINT_PORT": str(self.ports[name]),
            "MAINT_TAKEOVER_S": str(TAKEOVER_S),
            **({"MAINT_DATA_DIR": str(self.folder / name)} if apart else {}),
        }

    def begins(self) -> str:
        """Start those that come first, and the small maintenance; returns its id once its first step runs."""
        self.starts(*self.first)
        ana = self.slack.person("ana")
        ana.says("/maint start small at now for 1h")
        maintenance = planned(ana, "A small maintenance")
        until(self.world.exists, "the first step runs")
        self.slack.channel("maintenance").shows("it should take about")
        return maintenance

    def starts(self, *names: str) -> None:
        """Start these, wait until they are up, and let Slack talk to the last of them that listens."""
        for name in names:
            self.processes[name].start()
        until(lambda: all(map(self._is_up, names)) or not all(map(self._runs, names)), "they are up")
        for name in names:
            assert self._runs(name), self.processes[name].log.read_text()[-3000:]
            if name.startswith("web"):
                self.slack.use_request_url(f"http://127.0.0.1:{self.ports[name]}/slack/events")

    def _runs(self, name: str) -> bool:
        return self.processes[name].running()

    def _is_up(self, name: str) -> bool:
        if name.startswith("web"):
            return _answers(f"http://127.0.0.1:{self.ports[name]}/healthz")
        return name in self.executors().values()

    def executors(self) -> dict[str, str]:
        """The name of each worker that is up, by its executor's id."""
        found: dict[str, str] = {}
        for name, process in self.processes.items():
            if process.log.exists() and process.running():
                ids = re.findall(r"event=maint_is_up .*executor=(maint-\w+)", process.log.read_text())
                found |= {ids[-1]: name} if ids else {}
        return found

    def asks(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.address, autocommit=True) as connection:
            return connection.execute(sql.encode()).fetchall()

    def runs_the_step(self) -> str:
        """The worker that has the unfinished attempt."""
        [[executor]] = self.asks("SELECT executor_id FROM dbos.workflow_status WHERE status = 'PENDING'")
        return self.executors()[executor]

    def leader(self) -> str:
        """The worker that speaks to the channel; "" while there is none."""
        rows = self.asks("SELECT boot FROM leases WHERE executor = 'leader'")
        return self.executors().get(rows[0][0], "") if rows else ""

    def ends_well(self, maintenance: str) -> None:
        """The maintenance completes, each command has run once, and the channel is complete and in order."""
        self.slack.channel("maintenance").shows("The maintenance is completed")
        self.slack.channel("maintenance").shows("Completed")
        assert self.world.read_text() == "first\nsecond\n"
        self.slack.person("ana").says("/maint verify")
        self.slack.person("ana").sees("is intact")
        entries = self.entries(maintenance)
        assert [entry.step for entry in entries if entry.kind == Kind.STEP_STARTED] == ["first", "second"]
        assert [entry.step for entry in entries if entry.kind == Kind.STEP_SUCCEEDED] == ["first", "second"]

    def entries(self, maintenance: str) -> list[Entry]:
        """What its journal holds, which is whole."""
        database = PostgresDatabase(self.address)
        try:
            assert Journal(database).broken_at(maintenance) is None
            return Journal(database).read(maintenance)
        finally:
            database.close()

    def close(self) -> None:
        for process in self.processes.values():
            process.kill()
        self.server.stop()


def until(holds: Callable[[], object], what: str, limit_s: float = 60) -> None:
    deadline = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.05)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.TransportError:
        return False
