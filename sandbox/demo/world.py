"""Everything that the bot meets in the demo, started on loopback: each part speaks its real protocol."""

import contextlib
import dataclasses
import shutil
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ruamel.yaml import YAML
from starlette.types import ASGIApp

from sandbox.alertmanager import Alertmanager, AlertmanagerMissing
from sandbox.demo.marketing import NAMES, THEME, Marketing
from sandbox.demo.places import Places, first_page
from sandbox.github import GitHub
from sandbox.intercom import ADMIN_ID, Intercom
from sandbox.jekyll.sources import THEME as GEM
from sandbox.postgres.account import new_folder
from sandbox.postgres.binaries import binaries
from sandbox.postgres.cluster import Cluster
from sandbox.postgres.story import load_story
from sandbox.product import TOKEN, Product
from sandbox.server import Server
from sandbox.slack import Config, Limits, Workspace
from sandbox.statuspage import KEY, PAGE_ID, Statuspage

ROOT = Path(__file__).resolve().parent.parent.parent
GITHUB_TOKEN = "demo-github-token"
INTERCOM_TOKEN = "intercom-token"
_ALERT = {"service": "shop", "severity": "critical"}
Say = Callable[[str], None]


class World:
    """Starts in the order of its needs, on free ports; `stop` ends it all and removes `folder`.

    `folder` is made for it, below the temporary folder, so that PostgreSQL's own account can reach the cluster.
    `limits` are Slack's rate limits, by default the real ones; `sites` the names of the marketing sites, built by real
    Ruby with `jekyll`; `silence`: whether there are alerts to silence, if Alertmanager is on this machine; `news`:
    whether the change log in the app gets an entry.
    """

    def __init__(
        self,
        say: Say,
        *,
        scale: float,
        contacts: int,
        port: int = 0,
        limits: Limits | None = None,
        sites: Sequence[str] = NAMES,
        jekyll: bool = False,
        silence: bool = True,
        news: bool = True,
    ) -> None:
        self._limits, self._news = limits or Limits(), news
        self._stack = contextlib.ExitStack()
        self.folder = new_folder()
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.feed = f"http://127.0.0.1:{_free_port()}/feed/maintenance"
        self._outside(contacts)
        self._sites(sites, jekyll=jekyll)
        self.alerts = self._alertmanager() if silence else None
        self._database(say, scale)
        self.product = Product(self.dsn, feed=self.feed)
        self.app = self._serve(self.product.app)
        self._places: dict[str, tuple[str, str]] = {}
        self.start = self._serve(first_page(self._places))
        self.workspace = Workspace(self._slack_config())
        self.slack = self._serve(self.workspace.app, port)
        self._places.update(self._all_places())
        self._runbooks()

    def _outside(self, contacts: int) -> None:
        self.forge = GitHub(self.folder / "github")
        self.forge.add_token(GITHUB_TOKEN)
        self.github = self._serve(self.forge.app)
        self.audience = Intercom(contacts=contacts)
        self.intercom = self._serve(self.audience.app)
        self.status = Statuspage(name="Acme")
        for component in ("App", "API"):
            self.status.add_component(component)
        self.page = self._serve(self.status.app)

    def _sites(self, names: Sequence[str], *, jekyll: bool) -> None:
        self.marketing = Marketing(self.forge, self.github.url, self.folder / "sites", names=names, jekyll=jekyll)
        self._stack.callback(self.marketing.stop)
        self.cloud = self._serve(self.marketing.cloud.app)
        self.live = self._serve(self.marketing.cloud.live)

    def _alertmanager(self) -> Alertmanager | None:
        try:
            server = self._stack.enter_context(Alertmanager(self.folder / "alertmanager"))
        except AlertmanagerMissing:
            return None
        server.fire("AppDown", **_ALERT)
        return server

    def _database(self, say: Say, scale: float) -> None:
        say("PostgreSQL 14 and 18: fetching the programs")
        self.bin = {major: binaries(major) for major in (14, 18)}
        say("PostgreSQL 14: making the cluster and loading the shop (3,000,000 orders at full size)")
        self.old = Cluster.create(self.folder / "old", 14)
        self.old.start()
        self._stack.callback(self._stop_database)
        self.dsn = self.old.create_database("app")
        load_story(self.dsn, scale)

    def _serve(self, app: ASGIApp, port: int = 0) -> Server:
        server = Server(app, port).start()
        self._stack.callback(server.stop)
        return server

    def _slack_config(self) -> Config:
        config = Config(limits=self._limits)
        topic = f"All pages to look at: {self.start.url}/"
        rooms = tuple(
            dataclasses.replace(room, topic=topic) if room.name == "maintenance" else room for room in config.rooms
        )
        return dataclasses.replace(config, rooms=rooms)

    def _all_places(self) -> Places:
        """Return every page that there is to look at."""
        sites = {
            f"Site: {name}": (f"{self.live.url}/site/{name}/", "Shows the banner once its lock file has been moved")
            for name in self.marketing.names
        }
        alerts = (
            {"Silences": (f"{self.alerts.url}/api/v2/silences", "What Alertmanager keeps quiet, as it tells programs")}
            if self.alerts
            else {}
        )
        return {
            "The channel": (f"{self.slack.url}/", "Where all is asked, approved and told; switch people at the top"),
            "The app": (f"{self.app.url}/", "Carries the notice in your own time zone, and goes off and on"),
            "Status page": (f"{self.page.url}/", "Scheduled, in progress, verifying, completed"),
            **sites,
            "Intercom": (f"{self.intercom.url}/", "Who got which message"),
            "GitHub": (f"{self.github.url}/", "The pull requests of theme and sites"),
            "Feed: JSON": (f"{self.feed}.json", "For programs"),
            "Feed: calendar": (f"{self.feed}.ics", "For people's calendars"),
            "Feed: Atom": (f"{self.feed}.atom", "The change log, for feed readers"),
            **alerts,
        }

    def _runbooks(self) -> None:
        """Copy the shipped runbooks, as a team would, and give their parameters this world's values."""
        folder = self.folder / "runbooks"
        shutil.copytree(ROOT / "runbooks", folder)
        yaml = YAML()
        yaml.width = 4096
        for path in folder.glob("*.yml"):
            runbook = yaml.load(path)
            for name, value in self.parameters().items():
                if name in runbook.get("params", {}):
                    runbook["params"][name]["default"] = value
            # The night begins as soon as somebody types it, so nobody could be told a day ahead.
            runbook.get("window", {}).pop("notice", None)
            yaml.dump(runbook, path)

    def parameters(self) -> dict[str, Any]:
        """Return this world's values of the shipped runbooks' parameters."""
        return {
            "old_bin": str(self.bin[14]),
            "new_bin": str(self.bin[18]),
            "old_data": str(self.old.data),
            "new_data": str(self.folder / "new"),
            # 18 would carry them over; without them the story is what it is for every older target.
            "no_statistics": True,
            "app": self.app.url,
            "page": PAGE_ID,
            "page_url": self.page.url,
            "theme": THEME,
            "theme_gem": GEM,
            "sites": self.marketing.records(self.live.url),
            "news": self._news,
            "silence": [f'service="{_ALERT["service"]}"'] if self.alerts else [],
        }

    def environment(self) -> dict[str, str]:
        """Return the settings of the bot that lives in this world."""
        app = Config().app
        return {
            "MAINT_SLACK_BOT_TOKEN": app.bot_token,
            "MAINT_SLACK_APP_TOKEN": app.app_token,
            "MAINT_SLACK_MODE": "socket",
            "MAINT_SLACK_URL": f"{self.slack.url}/api/",
            "MAINT_CHANNEL": "C0MAINT01",
            "MAINT_APPROVERS": "S0APPROVE",
            "MAINT_DATA_DIR": str(self.folder / "bot"),
            "MAINT_RUNBOOKS": str(self.folder / "runbooks"),
            "MAINT_GITHUB_URL": self.github.url,
            "MAINT_GITHUB_TOKEN": GITHUB_TOKEN,
            "MAINT_CLOUDCANNON_URL": self.cloud.url,
            "MAINT_CLOUDCANNON_KEY": self.marketing.cloud.key,
            "MAINT_FEED": "on",
            "MAINT_PORT": str(urlsplit(self.feed).port),
            **({"MAINT_ALERTMANAGER_URL": self.alerts.url} if self.alerts else {}),
            "MAINT_INTERCOM_URL": self.intercom.url,
            "MAINT_INTERCOM_TOKEN": INTERCOM_TOKEN,
            "MAINT_INTERCOM_ADMIN_ID": str(ADMIN_ID),
            "MAINT_APP_TOKEN": TOKEN,
            "MAINT_STATUSPAGE_KEY": KEY,
            "MAINT_STATUSPAGE_URL": f"{self.page.url}/v1",
            "MAINT_POSTGRES_DSN": self.dsn,
        }

    def _stop_database(self) -> None:
        """Stop whichever major serves now: the upgrade leaves the new one running in the old one's place."""
        for data in (self.folder / "new", self.old.data):
            if (data / "postmaster.pid").exists():
                major = int((data / "PG_VERSION").read_text())
                self.old.account.run([self.bin[major] / "pg_ctl", "-D", data, "-m", "fast", "stop"], cwd=self.folder)

    def stop(self) -> None:
        """Stop everything, and remove the folder."""
        self._stack.close()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
