"""Several processes on one PostgreSQL: who works, who speaks, and who goes on when one of them is gone."""

import dataclasses
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from starlette.types import Receive, Scope, Send

from bot.database_postgres import PostgresDatabase
from bot.entry import Kind
from bot.journal import Journal
from sandbox.bot_process import BotProcess
from sandbox.postgres.cluster import Cluster, _free_port
from sandbox.server import Server
from sandbox.slack import Config, Limits, Workspace
from sandbox.slack.config import APP
from sandbox.slack.people import Slack
from tests.postgres_fixtures import ClusterFactory
from tests.scenarios.house import House, planned, settings

TAKEOVER_S = 6
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
        called = re.fullmatch(r"/(web|worker-\w+)(/api/(.+))", scope["path"])
        if called:
            self.calls.append((called[1], called[3]))
            scope = {**scope, "path": called[2], "raw_path": called[2].encode()}
        await self.workspace.app(scope, receive, send)

    def who_posted(self, since: int = 0) -> list[str]:
        """Which processes have posted messages, one name for each message, after the first `since` calls."""
        return [who for who, what in self.calls[since:] if what == "chat.postMessage"]


class Fleet:
    """One web process and two workers on one PostgreSQL, with Slack's requests coming in by signed HTTP."""

    def __init__(self, cluster: Cluster, folder: Path, *, apart: bool = False) -> None:
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
        self.port = _free_port()
        self.processes = {
            name: BotProcess(self._environment(name, apart=apart), folder / f"{name}.log", ("serve", role))
            for name, role in (("web", "web"), ("worker-a", "worker"), ("worker-b", "worker"))
        }
        (folder / "runbooks" / "small.yml").write_text(STEPS.replace("WORLD", str(self.world)))

    def _environment(self, name: str, *, apart: bool) -> dict[str, str]:
        return {
            **settings(self.server.url, self.folder),
            "MAINT_SLACK_URL": f"{self.server.url}/{name}/api/",
            "MAINT_SLACK_MODE": "http",
            "MAINT_SLACK_SIGNING_SECRET": SIGNING_SECRET,
            "MAINT_DATABASE_URL": self.address,
            "MAINT_PORT": str(self.port),
            "MAINT_TAKEOVER_S": str(TAKEOVER_S),
            **({"MAINT_DATA_DIR": str(self.folder / name)} if apart else {}),
        }

    def begins(self) -> str:
        """Start all, and the small maintenance; returns its id once its first step runs."""
        for process in self.processes.values():
            process.start()
        until(lambda: self._is_up() or not all(one.running() for one in self.processes.values()), "they are up")
        self.slack.use_request_url(f"http://127.0.0.1:{self.port}/slack/events")
        ana = self.slack.person("ana")
        ana.says("/maint start small at now for 1h")
        maintenance = planned(ana, "A small maintenance")
        until(self.world.exists, "the first step runs")
        self.slack.channel("maintenance").shows("first started")
        return maintenance

    def _is_up(self) -> bool:
        return _answers(f"http://127.0.0.1:{self.port}/healthz") and len(self.executors()) == 2

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
        [[executor]] = self.asks("SELECT boot FROM leases WHERE executor = 'leader'")
        return self.executors().get(executor, "")

    def ends_well(self, maintenance: str) -> None:
        """The maintenance completes, each command has run once, and the channel is complete and in order."""
        self.slack.channel("maintenance").shows("The maintenance is completed")
        self.slack.channel("maintenance").shows("Completed")
        assert self.world.read_text() == "first\nsecond\n"
        self.slack.person("ana").says("/maint verify")
        self.slack.person("ana").sees("is intact")
        database = PostgresDatabase(self.address)
        try:
            entries = Journal(database).read(maintenance)
            assert Journal(database).broken_at(maintenance) is None
        finally:
            database.close()
        assert [entry.step for entry in entries if entry.kind == Kind.STEP_STARTED] == ["first", "second"]
        assert [entry.step for entry in entries if entry.kind == Kind.STEP_SUCCEEDED] == ["first", "second"]

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


@pytest.fixture
def fleet(cluster_factory: ClusterFactory, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Fleet]:
    made = Fleet(cluster_factory(18, tcp=True), tmp_path, apart=getattr(request, "param", "") == "apart")
    yield made
    made.close()
    for name, process in made.processes.items():
        request.node.add_report_section("teardown", f"log of {name}", process.log.read_text()[-8000:])


@pytest.mark.parametrize("role", ["runs", "leads"])
def test_the_other_worker_takes_over_from_a_killed_one(fleet: Fleet, role: str) -> None:
    maintenance = fleet.begins()
    leader, runner = fleet.leader(), fleet.runs_the_step()
    victim = runner if role == "runs" else leader
    print(f"{runner} runs the step, {leader} leads, {victim} is killed")
    assert set(fleet.spaces.who_posted()) == {leader}, "only the leader speaks to the channel"
    killed_at, calls = time.monotonic(), len(fleet.spaces.calls)
    fleet.processes[victim].kill()
    until(lambda: fleet.asks("SELECT 1 FROM leases WHERE executor <> 'leader'") == [(1,)], "the dead one is found out")
    print(f"found out after {time.monotonic() - killed_at:.1f} s")
    fleet.go.touch()
    fleet.ends_well(maintenance)
    [survivor] = fleet.executors().values()
    assert set(fleet.spaces.who_posted(calls)) == {survivor}
    assert fleet.leader() == survivor


def test_a_stopped_worker_hands_its_work_on(fleet: Fleet) -> None:
    maintenance = fleet.begins()
    assert fleet.processes[fleet.runs_the_step()].stop() == 0
    assert len(fleet.asks("SELECT 1 FROM leases WHERE executor <> 'leader'")) == 1
    fleet.go.touch()
    fleet.ends_well(maintenance)


@pytest.mark.parametrize("fleet", ["apart"], indirect=True)
def test_what_was_begun_on_another_machine_is_asked_about_and_not_run_again(fleet: Fleet) -> None:
    fleet.begins()
    fleet.processes[fleet.runs_the_step()].kill()
    fleet.slack.channel("maintenance").shows("it was on another machine")
    assert fleet.world.read_text() == "first\n"
    fleet.go.touch()
    fleet.slack.person("ben").clicks("It happened", on="A small maintenance")
    fleet.slack.channel("maintenance").shows("The maintenance is completed")
    assert fleet.world.read_text() == "first\nsecond\n"


def test_the_database_is_restarted_meanwhile(fleet: Fleet) -> None:
    maintenance = fleet.begins()
    fleet.cluster.stop("immediate")
    fleet.go.touch()
    time.sleep(2)  # the command ends while nobody can be told
    fleet.cluster.start()
    fleet.ends_well(maintenance)
    assert all(process.running() for process in fleet.processes.values())


def test_a_second_bot_on_one_folder_refuses_to_start(house: House, tmp_path: Path) -> None:
    house.is_open()
    second = BotProcess(house.environment, tmp_path / "second.log")
    second.start()
    assert second.exit_status(60) == 1
    assert "Another maint is running on" in second.log.read_text()
    assert house.bot.running()
