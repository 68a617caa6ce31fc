"""What the public sees of a maintenance while people coordinate it in Slack: a bot in Socket Mode with its feed on."""

import dataclasses
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import icalendar
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.bot_process import BotProcess
from sandbox.server import serving
from sandbox.slack import Workspace
from sandbox.slack.people import Slack
from tests.scenarios.house import WAIT_S, config, planned, settings

RUNBOOK = """\
name: small
title: "Upgrade of {{ params.what }}"
impact: "{{ params.what }} cannot be used."
url: https://example.com/operations/
params: {what: {default: the shop}}
steps:
  - id: look
    title: Look around
    uses: command
    approval: false
    with: {argv: ["true"]}
  - id: tell
    title: Tell the users
    uses: command
    approval: true
    with: {argv: ["true"]}
  - id: work
    title: Do the work
    uses: manual
    needs: tell
    approval: true
    phase: in_progress
    with: {text: Do it.}
"""


class Bucket:
    """Keeps what is put into it."""

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}
        self.app = Starlette(routes=[Route("/feed/{name}", self.put, methods=["PUT"])])

    async def put(self, request: Request) -> Response:
        if request.headers["Authorization"] != "Bearer thebucketstoken":
            return Response(status_code=401)
        self.held[request.path_params["name"]] = await request.body()
        return Response(status_code=201)


@dataclasses.dataclass
class Public:
    """What everybody can reach: the feed of a bot, and the bucket that it is put into."""

    slack: Slack
    url: str
    bucket: Bucket
    bot: BotProcess

    def reads(self) -> list[dict[str, Any]]:
        """The maintenances, asked for as a browser asks."""
        answer = httpx.get(f"{self.url}/feed/maintenance.json", trust_env=False).raise_for_status()
        found: list[dict[str, Any]] = answer.json()["maintenances"]
        return found

    def shows(self, fits: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
        """Wait until the feed is as wanted; returns the maintenances."""
        deadline = time.monotonic() + WAIT_S
        found: list[dict[str, Any]] | httpx.ConnectError = []
        while True:
            try:
                found = self.reads()
            except httpx.ConnectError as error:
                found = error  # the bot is on its way up
            else:
                if fits(found):
                    return found
            assert time.monotonic() < deadline, found
            time.sleep(0.05)

    def is_put(self) -> None:
        """Wait until the bucket holds exactly what is served."""
        deadline = time.monotonic() + WAIT_S
        names = [f"maintenance.{ending}" for ending in ("json", "ics", "atom", "js")]
        while True:
            served = {name: httpx.get(f"{self.url}/feed/{name}", trust_env=False).content for name in names}
            if served == self.bucket.held:
                return
            assert time.monotonic() < deadline, self.bucket.held.keys()
            time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


@pytest.fixture
def public(tmp_path: Path) -> Iterator[Public]:
    port, bucket = free_port(), Bucket()
    with serving(Workspace(config()).app) as server, serving(bucket.app) as target:
        environment = settings(
            server.url,
            tmp_path,
            MAINT_PORT=str(port),
            MAINT_FEED="on",
            MAINT_FEED_PUSH_URL=f"{target.url}/feed",
            MAINT_FEED_PUSH_TOKEN="thebucketstoken",
        )
        (tmp_path / "runbooks" / "small.yml").write_text(RUNBOOK)
        bot = BotProcess(environment, tmp_path / "bot.log")
        bot.start()
        try:
            slack = Slack(server.url, WAIT_S)
            slack.wait_for_app()
            yield Public(slack, f"http://127.0.0.1:{port}", bucket, bot)
        finally:
            bot.kill()
            print(bot.log.read_text())


def test_the_public_follows_a_maintenance_from_its_approval_to_its_end(public: Public) -> None:
    ana, ben, channel = (
        public.slack.person("ana"),
        public.slack.person("ben"),
        public.slack.channel("maintenance"),
    )
    ana.says("/maint start small at in 2h for 1h")
    maintenance = planned(ana, "Upgrade of the shop")
    channel.shows("Look around (look) succeeded")
    channel.shows("Approval: Tell the users")
    assert public.reads() == [], "a plan is nobody else's business"

    ben.clicks("Approve", on="Approval: Tell the users", confirm=True)
    (first,) = public.shows(bool)
    assert (first["title"], first["impact"]) == ("Upgrade of the shop", "the shop cannot be used.")
    assert (first["status"], first["duration_s"]) == ("scheduled", 3600)
    public.is_put()

    ana.says(f"/maint extend {maintenance} 30m")
    ben.clicks("Approve", on="Extend to", confirm=True)
    (extended,) = public.shows(lambda found: found[0]["duration_s"] == 5400)
    assert (extended["id"], extended["start"]) == (first["id"], first["start"])
    calendar = icalendar.Calendar.from_ical(httpx.get(f"{public.url}/feed/maintenance.ics", trust_env=False).content)
    assert [event["SEQUENCE"] for event in calendar.walk("VEVENT")] == [1]

    ben.clicks("Approve", on="Approval: Do the work", confirm=True)
    public.shows(lambda found: found[0]["status"] == "in_progress")
    public.bot.kill()
    public.bot.start()
    public.slack.wait_for_app()
    public.shows(lambda found: found[0]["status"] == "in_progress")
    channel.shows("Do the work")
    ana.says(f"/maint done {maintenance} work")
    (over,) = public.shows(lambda found: found[0]["status"] == "completed")
    assert [change["what"] for change in over["changes"]] == ["announced", "extended", "begun", "completed"]
    public.is_put()
    log = httpx.get(f"{public.url}/feed/maintenance.atom", trust_env=False).text
    assert re.findall(r'<category term="(\w+)"', log) == ["completed", "begun", "extended", "announced"]
    assert "thebucketstoken" not in public.bot.log.read_text()


def test_a_port_that_is_taken_is_said_before_anything_is_done(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        environment = settings("http://127.0.0.1:1", tmp_path, MAINT_FEED="on", MAINT_PORT=str(port))
        ended = subprocess.run(
            [sys.executable, "-m", "bot", "serve"], env=environment, capture_output=True, text=True, check=False
        )
    assert ended.returncode == 1
    assert (
        ended.stderr.strip()
        == f"maint: Port {port} cannot be listened on (Address already in use). MAINT_PORT names it."
    )
