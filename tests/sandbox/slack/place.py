"""A served workspace with the clients that tests need."""

from collections.abc import Callable

from slack_bolt import App
from slack_sdk import WebClient

from sandbox.server import Server
from sandbox.slack import Config, Limits, Workspace
from sandbox.slack.people import Slack

CHANNEL = "C0MAINT01"
CONFIG = Config(limits=Limits(enabled=False))


class Place:
    """A workspace that is being served, with the clients that tests need."""

    def __init__(self, workspace: Workspace, server: Server) -> None:
        self.workspace = workspace
        self.url = server.url
        self.slack = Slack(server.url, wait_s=60)
        self.bot = self.client(workspace.config.app.bot_token)
        self.other = self.client(workspace.config.apps[1].bot_token)

    def client(self, token: str) -> WebClient:
        return WebClient(token=token, base_url=f"{self.url}/api/", timeout=60)


Connect = Callable[[App], None]


def bolt_app(place: Place) -> App:
    config = place.workspace.config
    return App(client=place.bot, token=config.app.bot_token, signing_secret=config.app.signing_secret)
