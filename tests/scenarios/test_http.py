"""HTTP mode: signed requests to a public address, instead of a socket."""

import dataclasses
import socket
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from sandbox.bot_process import BotProcess
from sandbox.server import serving
from sandbox.slack import Config, Workspace
from sandbox.slack.delivery import signature
from sandbox.slack.people import Slack
from tests.scenarios.house import WAIT_S, config, planned, settings

SECRET = "thesigningsecretofthisapp"
TELL = """\
name: small
title: A small maintenance
steps:
  - id: tell
    title: Tell the others
    uses: command
    approval: true
    with: {argv: ["true"]}
"""


class Site:
    """A workspace that calls a bot over HTTP at `url`."""

    def __init__(self, slack: Slack, url: str) -> None:
        self.slack = slack
        self.url = url

    def sends(
        self, text: str, *, at: float | None = None, secret: str = SECRET, trigger: str = "1.2.3"
    ) -> httpx.Response:
        """What an attacker sends: a slash command of ana's, signed with `secret` at `at` (Unix seconds)."""
        fields = {
            "command": "/maint",
            "text": text,
            "user_id": "U0ANA0001",
            "team_id": "T0SANDBOX",
            "channel_id": "C0MAINT01",
            "trigger_id": trigger,
            "api_app_id": "A0MAINT01",
            "token": "t",
        }
        body, stamp = urllib.parse.urlencode(fields), str(int(at or time.time()))
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": signature(secret, stamp, body),
        }
        return httpx.post(f"{self.url}/slack/events", content=body, headers=headers, trust_env=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("http")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    app = dataclasses.replace(Config().app, signing_secret=SECRET)
    with serving(Workspace(dataclasses.replace(config(), apps=(app,))).app) as server:
        environment = settings(
            server.url,
            folder,
            MAINT_SLACK_MODE="http",
            MAINT_SLACK_SIGNING_SECRET=SECRET,
            MAINT_PORT=str(port),
        )
        (folder / "runbooks" / "small.yml").write_text(TELL)
        bot = BotProcess(environment, folder / "bot.log")
        bot.start()
        try:
            made = Site(Slack(server.url, WAIT_S), f"http://127.0.0.1:{port}")
            _wait_until_healthy(made.url, bot)
            made.slack.use_request_url(f"{made.url}/slack/events")
            yield made
        finally:
            bot.kill()
            print(bot.log.read_text())


def test_a_maintenance_over_http(site: Site) -> None:
    ana, ben, channel = site.slack.person("ana"), site.slack.person("ben"), site.slack.channel("maintenance")
    assert ana.says("/maint start small at now")["error"] == ""
    planned(ana, "A small maintenance")
    assert ben.clicks("Approve", on="Approval: Tell the others", confirm=True)["error"] == ""
    channel.shows("The maintenance is completed")
    ana.says("/maint start")
    ana.sees_modal("Runbook")
    ana.submits(at="tomorrow 5 o'clock")
    assert "at" in ana.form_errors()
    ana.closes()
    ana.opens_home()
    ana.sees_home("Plan a maintenance")
    assert site.slack.complaints() == []


def test_it_says_that_it_is_well(site: Site) -> None:
    answer = httpx.get(f"{site.url}/healthz", trust_env=False)
    assert (answer.status_code, answer.json()) == (200, {"ok": True})


def test_a_request_with_a_wrong_signature_does_nothing(site: Site) -> None:
    assert site.sends("note forged", secret="somebodyelsessecret").status_code == 401
    site.slack.channel("maintenance").lacks("forged")


def test_a_request_that_is_played_again_later_does_nothing(site: Site) -> None:
    assert site.sends("note replayed", at=time.time() - 600).status_code == 401
    site.slack.channel("maintenance").lacks("replayed")


def test_a_request_that_is_played_again_at_once_acts_once(site: Site) -> None:
    ana, channel = site.slack.person("ana"), site.slack.channel("maintenance")
    ana.says("/maint start small at in 3h")
    made = planned(ana, "A small maintenance")
    at = time.time()
    assert [site.sends(f"note {made} played twice", at=at).status_code for _ in range(2)] == [200, 200]
    site.sends(f"note {made} and then this", trigger="9.9.9")
    channel.shows("and then this")
    assert sum("played twice" in text and "Note:" in text for text in channel.texts()) == 1


def test_a_request_without_a_signature_does_nothing(site: Site) -> None:
    answer = httpx.post(f"{site.url}/slack/events", data={"command": "/maint", "text": "help"}, trust_env=False)
    assert answer.status_code == 401


def test_other_addresses_are_not_there(site: Site) -> None:
    assert httpx.get(f"{site.url}/", trust_env=False).status_code == 404
    assert httpx.get(f"{site.url}/slack/events", trust_env=False).status_code == 405


def _wait_until_healthy(url: str, bot: BotProcess) -> None:
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            httpx.get(f"{url}/healthz", trust_env=False).raise_for_status()
        except httpx.HTTPError:
            assert time.monotonic() < deadline, Path(bot.log).read_text()
            assert bot.running(), Path(bot.log).read_text()
            time.sleep(0.05)
        else:
            return
