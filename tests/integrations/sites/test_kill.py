"""Killed right after the lock was pushed, the site published, or while its build is awaited; and run again."""

import multiprocessing
import os
import signal
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.types import Message, Receive, Scope, Send

from bot.attempt import perform
from bot.context import StepContext, Surroundings
from bot.database import SqliteDatabase
from bot.entry import Kind
from bot.journal import Draft, Journal
from bot.ledger import Intents, Progress
from bot.maintenances import Maintenances
from integrations.github.site_step import SitesUpdate
from sandbox.server import serving
from tests.integrations.sites.conftest import Houses, Town
from tests.maintenance_fixtures import created_payload, raw_step

MAINTENANCE = "2026-11-25-kill"
MOMENTS = [
    ("PATCH", "/git/refs/heads/master"),
    ("POST", "/providers/branches/merge"),
    ("GET", "/builds"),
]


class Killer:
    """ASGI middleware: kills the process `victim` once a request was carried out, before it is answered."""

    def __init__(self, houses: Houses, method: str, path: str) -> None:
        self.houses, self.method, self.path = houses, method, path
        self.victim: int | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        doomed = scope["method"] == self.method and scope["path"].endswith(self.path)

        async def answer(message: Message) -> None:
            if doomed and message["type"] == "http.response.start" and self.victim is not None:
                os.kill(self.victim, signal.SIGKILL)
                self.victim = None
            await send(message)

        await self.houses(scope, receive, answer)


def bot(folder: Path, settings: dict[str, str], fields: dict[str, object]) -> None:
    """One run of the step as the bot would make it, in a process of its own, on the same database each time."""
    maintenances = Maintenances(Journal(SqliteDatabase(folder / "maint.sqlite3")))
    if MAINTENANCE not in maintenances.ids():
        payload = created_payload([raw_step("sites", "sites.update")], datetime.now(UTC))
        maintenances.create(MAINTENANCE, Draft(Kind.CREATED, "U0ANA", f"{MAINTENANCE}:created", payload=payload))
    surroundings = Surroundings(
        maintenances=maintenances,
        intents=Intents(maintenances.journal.database),
        progress=Progress(maintenances.journal.database),
        value_of=lambda setting: settings.get(setting.name, setting.default),
        workdir=folder / "work",
        stopping=threading.Event(),
    )
    perform(SitesUpdate(**fields), StepContext(surroundings, MAINTENANCE, "sites", 1))


@pytest.mark.parametrize(("method", "path"), MOMENTS)
def test_killed_and_run_again(tmp_path: Path, houses: Houses, method: str, path: str) -> None:
    multiprocessing.set_forkserver_preload(["tests.integrations.sites.test_kill"])
    on = houses.show_banner()
    killer = Killer(houses, method, path)
    with serving(killer) as server:
        town = Town(houses, server.url)
        step = town.step(only=("www",))
        codes = []
        for _ in range(2):
            fields = step.model_dump(mode="json", exclude_none=True)
            process = multiprocessing.get_context("forkserver").Process(
                target=bot, args=(tmp_path, town.settings, fields)
            )
            process.start()
            killer.victim = process.pid if not codes else None
            process.join(60)
            codes.append(process.exitcode)
    assert codes == [-signal.SIGKILL, 0]
    ours = [each for each in houses.github.repo("acme/www").git.log("production") if "Maint-Step" in each.message]
    assert len(ours) == 1
    assert f"revision: {on}" in houses.lock("www", "production")
    merges = [each for each in houses.cloud.app.requests if each["path"].endswith("/merge")]
    assert len(merges) == 1
    assert len(houses.production["www"].builds) == 1
