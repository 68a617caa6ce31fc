"""Killed between any two calls, and run again: one branch, one commit, one pull request, one merge."""

import multiprocessing
import os
import signal
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.attempt import perform
from bot.context import StepContext, Surroundings
from bot.database import SqliteDatabase
from bot.entry import Kind
from bot.journal import Draft, Journal
from bot.ledger import Intents, Progress
from bot.maintenances import Maintenances
from sandbox.github import GitHub
from sandbox.server import serving
from tests.integrations.github.conftest import PATH, REPO, TEXT, TOKEN, banner_on
from tests.maintenance_fixtures import created_payload, raw_step

MAINTENANCE = "2026-11-25-kill"
CALLS = 30  # more than an undisturbed run makes


class Killer:
    """ASGI middleware: kills the process `victim` once request number `at` was carried out, before it is answered."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.at = 0
        self.seen = 0
        self.victim: int | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.seen += 1
        doomed = self.seen == self.at

        async def answer(message: Message) -> None:
            if doomed and message["type"] == "http.response.start" and self.victim is not None:
                os.kill(self.victim, signal.SIGKILL)
            await send(message)

        await self.app(scope, receive, answer)


def bot(folder: Path, url: str) -> None:
    """One run of the step as the bot would make it, in a process of its own, on the same database each time."""
    maintenances = Maintenances(Journal(SqliteDatabase(folder / "maint.sqlite3")))
    if MAINTENANCE not in maintenances.ids():
        payload = created_payload([raw_step("the-step", "banner.on")], datetime.now(UTC))
        maintenances.create(MAINTENANCE, Draft(Kind.CREATED, "U0ANA", f"{MAINTENANCE}:created", payload=payload))
    settings = {"MAINT_GITHUB_URL": url, "MAINT_GITHUB_TOKEN": TOKEN}
    surroundings = Surroundings(
        maintenances=maintenances,
        intents=Intents(maintenances.journal.database),
        progress=Progress(maintenances.journal.database),
        value_of=lambda setting: settings.get(setting.name, setting.default),
        workdir=folder / "work",
        stopping=threading.Event(),
    )
    perform(banner_on(), StepContext(surroundings, MAINTENANCE, "the-step", 1))


def run(folder: Path, url: str, killer: Killer, at: int) -> int:
    process = multiprocessing.get_context("forkserver").Process(target=bot, args=(folder, url))
    killer.seen, killer.at = 0, at
    process.start()
    killer.victim = process.pid
    process.join(60)
    assert process.exitcode is not None
    return process.exitcode


@pytest.mark.timeout(280)
def test_killed_after_any_call_and_run_again(tmp_path: Path) -> None:
    multiprocessing.set_forkserver_preload(["tests.integrations.github.test_kill"])
    kills = 0
    for at in range(1, CALLS + 1):
        folder = tmp_path / str(at)
        folder.mkdir()
        github = GitHub(folder / "github", unknown_mergeable=0)
        github.add_token(TOKEN)
        github.create_repository(REPO, {PATH: "enabled: false\n"})
        killer = Killer(github.app)
        with serving(killer) as server:
            first = run(folder, server.url, killer, at)
            if first == 0:
                break
            assert first == -signal.SIGKILL
            kills += 1
            assert run(folder, server.url, killer, 0) == 0
        pulls = github.pulls(REPO)
        assert [(pull.state, pull.merged_at is not None) for pull in pulls] == [("closed", True)], f"killed at {at}"
        commits = github.repo(REPO).git.log("refs/heads/master")
        assert len([each for each in commits if "Maint-Step: " in each.message]) == 1, f"killed at {at}"
        assert len(commits) == 3, f"killed at {at}: first commit, ours, the merge"
        assert TEXT in github.read(REPO, PATH)
        branches = [each for each in github.repo(REPO).git.refs("refs/heads/") if "/maint/" in each]
        assert len(branches) <= 1
        merges = [each["status"] for each in github.requests if each["method"] == "PUT"]
        assert merges == [200], f"killed at {at}"
    assert kills > 15
