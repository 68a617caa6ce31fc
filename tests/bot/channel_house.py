"""A channel in a real (stand-in) workspace, for the tests of what arrives there. Time is told, never slept."""

import dataclasses
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from slack_sdk import WebClient

from bot.channel import Channel
from bot.ledger import Progress
from bot.maintenances import Maintenances
from bot.messages import ENTRY_EVENT
from bot.slack_api import SlackApi
from bot.verify import Verification, verify
from sandbox.server import Server
from sandbox.slack import Config, Limits, Workspace
from sandbox.slack.people import Slack
from tests.bot.entries import CHANNEL, ID

MOST_PASSES = 400


class House:
    """A workspace, the bot's channel in it, and the clock that passes are made at."""

    def __init__(self, maintenances: Maintenances, workspace: Workspace, server: Server) -> None:
        self.maintenances = maintenances
        self.workspace = workspace
        self.faults = workspace.faults
        self.slack = Slack(server.url, wait_s=60)
        self.url = f"{server.url}/api/"
        self.bot = self.client(workspace.config.app.bot_token)
        self.other = self.client(workspace.config.apps[1].bot_token)
        self.progress = Progress(maintenances.journal.database)
        self.now = datetime.now(UTC)
        self.channel = self.restarted()

    def client(self, token: str) -> WebClient:
        return WebClient(token=token, base_url=self.url, timeout=60)

    def restarted(self) -> Channel:
        """The channel of a process that has just started: nothing in memory."""
        self.channel = Channel(self.bot, self.maintenances, self.progress, timeout_s=5)
        return self.channel

    def passes(self, until: Callable[[], object]) -> int:
        """Make passes, each when the one before said it is sensible, until `until()`; returns how many it took."""
        for number in range(MOST_PASSES):
            if until():
                return number
            wait_s = self.channel.deliver(self.now)
            self.now += timedelta(seconds=wait_s if wait_s is not None else 1.0)
        raise AssertionError(f"not after {MOST_PASSES} passes; problems: {self.channel.problems(ID)}")

    def settle(self) -> None:
        """Make passes until all is delivered, and then as many as bring every card up to date."""
        self.passes(lambda: not self.channel.outbox.pending())
        for _ in range(4):
            self.now += timedelta(seconds=2)
            self.channel.deliver(self.now)

    def history(self, channel: str = CHANNEL) -> list[dict[str, Any]]:
        """All messages, oldest first, with metadata."""
        found = self.bot.conversations_history(channel=channel, limit=999, include_all_metadata=True)["messages"]
        return list(reversed(found))

    def logged(self, maintenance: str = ID, channel: str = CHANNEL) -> list[int]:
        """The numbers of the entries in the channel, in its order."""
        payloads = [
            m["metadata"] for m in self.history(channel) if m.get("metadata", {}).get("event_type") == ENTRY_EVENT
        ]
        return [p["event_payload"]["seq"] for p in payloads if p["event_payload"]["maintenance"] == maintenance]

    def live(self, name: str, maintenance: str = ID) -> list[dict[str, Any]]:
        """The messages that are the card or the prompt `name`."""
        wanted = {"maintenance": maintenance, "name": name}
        return [m for m in self.history() if m.get("metadata", {}).get("event_payload") == wanted]

    def files(self) -> list[str]:
        return [file["name"] for message in self.history() for file in message.get("files", [])]

    def seqs(self, maintenance: str = ID) -> list[int]:
        return [entry.seq for entry in self.maintenances.journal.read(maintenance)]

    def calls(self, method: str) -> int:
        return sum(1 for request in list(self.faults.requests) if request["path"] == f"/api/{method}")

    def api(self) -> SlackApi:
        return SlackApi(self.bot, timeout_s=5)

    def verified(self, maintenance: str = ID, **options: Any) -> Verification:
        return verify(
            self.api(), self.maintenances.journal, maintenance, pause=options.pop("pause", lambda _: None), **options
        )


@pytest.fixture
def open_house(maintenances: Maintenances) -> Iterator[Callable[..., House]]:
    """Opens a house whose workspace has changed settings (see `sandbox.slack.Config`)."""
    servers: list[Server] = []

    def opened(**changes: Any) -> House:
        workspace = Workspace(dataclasses.replace(Config(limits=Limits(enabled=False)), **changes))
        servers.append(Server(workspace.app).start())
        return House(maintenances, workspace, servers[-1])

    yield opened
    for server in servers:
        server.stop()


@pytest.fixture
def house(open_house: Callable[..., House]) -> House:
    return open_house()
