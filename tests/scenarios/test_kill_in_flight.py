"""Killed while a request is on its way: whether or not it was carried out, it is in the end, and once."""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.database import SqliteDatabase
from bot.journal import Journal
from sandbox.bot_process import BotProcess
from sandbox.demo.world import GITHUB_TOKEN, INTERCOM_TOKEN, THEME
from sandbox.faults import Fault, Faults
from sandbox.github import GitHub
from sandbox.intercom import ADMIN_ID, Intercom
from sandbox.jekyll.sources import BANNER_PATH, OFF
from sandbox.product import TOKEN, Product
from sandbox.server import Server
from sandbox.slack import Config, Limits, Workspace
from sandbox.slack.people import Slack
from tests.scenarios.house import settings

RUNBOOK = """\
name: evening
title: An evening
window: {{duration: 1h}}
steps:
  - id: banner
    uses: banner.on
    approval: false
    with: {{repository: {theme}, text: Maintenance tonight, url: "https://example.com/"}}
  - id: tell
    uses: intercom.message
    approval: false
    with: {{body: We will be down tonight., read_back_after_s: 2}}
  - id: off
    uses: app.off
    approval: false
    with: &app
      turn_off: {{url: "{app}/admin/maintenance", method: PUT, body: {{enabled: true}}}}
      turn_on: {{url: "{app}/admin/maintenance", method: PUT, body: {{enabled: false}}}}
      read: {{url: "{app}/admin/maintenance", field: maintenance}}
  - id: back
    uses: app.on
    approval: false
    with: *app
  - id: down
    uses: banner.off
    approval: false
    with: {{repository: {theme}}}
  - id: report
    uses: report
"""
PULLS = f"/repos/{THEME}/pulls"
# Method, path, and how many matching requests to let through (after those that an earlier line has caught).
CALLS = {
    "github": [
        ("POST", f"{PULLS}$", 0),
        ("PUT", f"{PULLS}/1/merge$", 0),
    ],
    "intercom": [("POST", "^/messages$", 9)],
    "app": [("PUT", "^/admin/maintenance$", 0), ("PUT", "^/admin/maintenance$", 0)],
    # The first messages are entry #1 and the card.
    "slack": [
        ("POST", "^/api/chat.postMessage$", 0),
        ("POST", "^/api/chat.postMessage$", 1),
        ("POST", "^/api/chat.postMessage$", 6),
        ("POST", "^/api/pins.add$", 0),
        ("POST", "^/api/files.completeUploadExternal$", 0),
    ],
}


class Evening:
    """The systems outside, the bot, and how to make it all go wrong."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.forge = GitHub(folder / "github")
        self.forge.add_token(GITHUB_TOKEN)
        self.forge.create_repository(THEME, {BANNER_PATH: OFF})
        self.audience = Intercom(contacts=40)
        self.product = Product()
        self.workspace = Workspace(Config(limits=Limits(scale=100)))
        self.fronts: dict[str, Faults] = {
            "github": self.forge.app,
            "intercom": self.audience.app,
            "app": self.product.app,
            "slack": self.workspace.faults,
        }
        self.servers = {name: Server(front).start() for name, front in self.fronts.items()}
        self.slack = Slack(self.servers["slack"].url, wait_s=90)
        self.bot = BotProcess(self._environment(), folder / "bot.log")
        text = RUNBOOK.format(theme=THEME, app=self.servers["app"].url)
        (folder / "runbooks" / "evening.yml").write_text(text)
        self.journal = Journal(SqliteDatabase(folder / "data" / "maint.sqlite3"))

    def _environment(self) -> dict[str, str]:
        return settings(
            self.servers["slack"].url,
            self.folder,
            MAINT_GITHUB_URL=self.servers["github"].url,
            MAINT_GITHUB_TOKEN=GITHUB_TOKEN,
            MAINT_INTERCOM_URL=self.servers["intercom"].url,
            MAINT_INTERCOM_TOKEN=INTERCOM_TOKEN,
            MAINT_INTERCOM_ADMIN_ID=str(ADMIN_ID),
            MAINT_APP_TOKEN=TOKEN,
        )

    def arm(self, kind: str, **fields: Any) -> dict[str, Fault]:
        """Arm the fault for every call in `CALLS`; returns them by name."""
        return {
            f"{method} {path} ({number})": self.fronts[system].arm(kind, method=method, path=path, skip=skip, **fields)
            for system, calls in CALLS.items()
            for number, (method, path, skip) in enumerate(calls)
        }

    def close(self) -> None:
        self.bot.kill()
        for server in self.servers.values():
            server.stop()
        self.journal.database.close()


@pytest.fixture
def evening(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Evening]:
    made = Evening(tmp_path)
    yield made
    made.close()
    request.node.add_report_section("teardown", "bot log", made.bot.log.read_text()[-20000:])


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        pytest.param("drop", {}, id="never-carried-out"),
        pytest.param("drop_after", {}, id="carried-out-before-the-kill"),
        pytest.param("delay", {"delay_s": 1.0}, id="carried-out-after-the-kill"),
    ],
)
def test_killed_during_each_call(evening: Evening, kind: str, fields: dict[str, Any]) -> None:
    waiting = evening.arm(kind, **fields)
    evening.bot.start()
    evening.slack.wait_for_app()
    evening.slack.person("ana").says("/maint start evening at now for 1h")
    until = time.monotonic() + 150
    while waiting:
        fired = [name for name, fault in waiting.items() if fault.times == 0]
        if fired:
            evening.bot.kill()
            print("killed during", *fired)
            evening.bot.start()
        waiting = {name: fault for name, fault in waiting.items() if name not in fired}
        assert time.monotonic() < until, f"never called: {list(waiting)}"
        time.sleep(0.005)
    channel = evening.slack.channel("maintenance")
    channel.shows("The maintenance is completed")
    channel.shows("Completed")
    evening.slack.wait_for_app()
    evening.slack.person("ana").says("/maint verify")
    evening.slack.person("ana").sees("is intact")
    everything_once(evening)


def everything_once(evening: Evening) -> None:
    [maintenance] = evening.journal.maintenances()
    assert evening.journal.broken_at(maintenance) is None
    assert evening.audience.summary()["duplicates"] == 0
    ledger = evening.journal.database.query("SELECT recipient, state FROM ledger")
    got = {contact for contact in evening.audience.contacts if evening.audience.received(contact)}
    sent = {row["recipient"] for row in ledger if row["state"] == "sent"}
    unknown = {row["recipient"] for row in ledger if row["state"] == "unknown"}
    print(f"{len(sent)} sent, {len(unknown)} unknown")
    assert {row["state"] for row in ledger} <= {"sent", "unknown"}
    assert sent <= got <= sent | unknown
    assert [one.maintenance for one in evening.product.transitions] == [True, False]
    headers = {"Authorization": f"Bearer {GITHUB_TOKEN}"}
    pulls = httpx.get(f"{evening.servers['github'].url}{PULLS}", params={"state": "all"}, headers=headers).json()
    assert sorted(pull["head"]["ref"].rpartition("/")[2] for pull in pulls) == ["banner", "down"]
    assert all(pull["merged_at"] for pull in pulls)
    messages = evening.slack.channel("maintenance").messages()
    kinds = Counter((message.get("metadata") or {}).get("event_type", "") for message in messages)
    assert kinds["maint_entry"] == len(evening.journal.read(maintenance))
    assert kinds["maint_card"] == 1
    assert len(evening.slack.channel("maintenance").pinned()) == 1
    files = Counter(file["name"] for message in messages for file in message.get("files") or [])
    assert set(files.values()) == {1}
