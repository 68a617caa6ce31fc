"""Where a round of maintenances takes place: every system outside, the bot, and its journal as others read it."""

import contextlib
import dataclasses
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import psycopg
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp

from benchmarks.crashing.runbook import RUNBOOK
from bot.database import Database, SqliteDatabase
from bot.database_postgres import PostgresDatabase
from bot.journal import Journal
from bot.maintenances import Maintenances
from bot.state import State
from sandbox.bot_process import BotProcess
from sandbox.faults import Faults
from sandbox.github import GitHub
from sandbox.intercom import ADMIN_ID, Intercom
from sandbox.intercom.workspace import TOKEN as INTERCOM_TOKEN
from sandbox.jekyll.sources import BANNER_PATH, OFF
from sandbox.postgres.account import new_folder, remove_folder
from sandbox.postgres.cluster import Cluster
from sandbox.product import TOKEN, Product
from sandbox.server import Server
from sandbox.slack import Config, Limits, Workspace
from sandbox.slack.config import Room
from sandbox.slack.people import Slack
from sandbox.statuspage import KEY, PAGE_ID, Statuspage

GITHUB_TOKEN = "crash-github-token"
CONTACTS = 12
TAKEOVER_S = 6
RATES = 100
"""How many times its own rates Slack grants here."""


@dataclasses.dataclass(frozen=True)
class Site:
    """What belongs to one run alone: its room, its theme's repository, its app, its database, its command's file."""

    run: int
    channel: str
    room: str
    theme: str
    product: Product
    database: str
    effect: Path


class Place:
    """Everything of one round, started. `own` is a cluster for the bot's own database, in place of SQLite."""

    def __init__(self, runs: list[int], rules: Mapping[int, Mapping[str, int]], server: str, *, own: bool) -> None:
        self._stack = contextlib.ExitStack()
        self.folder = Path(tempfile.mkdtemp(prefix="crash-"))
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.server = server
        self.forge = GitHub(self.folder / "github")
        self.forge.add_token(GITHUB_TOKEN, limit=10**9)
        self.audience = Intercom(contacts=CONTACTS, limit=None)
        self.status = Statuspage(name="Acme", limit=None)
        self.sites = {run: self._site(run, number) for number, run in enumerate(runs)}
        self.workspace = Workspace(_config(self.sites))
        apps = Starlette(routes=[Mount(f"/{run}", site.product.app) for run, site in self.sites.items()])
        self.fronts = {
            "slack": self.workspace.faults,
            "github": self.forge.app,
            "intercom": self.audience.app,
            "status": self.status.app,
            "app": Faults(apps),
        }
        self.urls = {name: self._serve(front) for name, front in self.fronts.items()}
        self.slack = Slack(self.urls["slack"], wait_s=60)
        self._runbooks(rules)
        self.own = self._own_cluster() if own else None
        self.clock = self.folder / "clock"
        self.environment = self._environment()
        self.bot = BotProcess(self.environment, self.folder / "bot.log", module="benchmarks.crashing.shifted")
        self._stack.callback(self.bot.kill)
        self.kills = 0
        self._begins = 0
        self._database: Database | None = None
        self._maintenances: Maintenances | None = None

    def _site(self, run: int, number: int) -> Site:
        theme, database = f"acme/theme-{run}", f"work_{run}"
        self.forge.create_repository(theme, {BANNER_PATH: OFF})
        self.status.add_component(f"App {run}")
        with psycopg.connect(self.server, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {database}".encode())
            connection.execute(f"CREATE DATABASE {database} TEMPLATE shop".encode())
        self._stack.callback(self._drop, database)
        return Site(run, f"C0RUN{number:03}", f"run-{run}", theme, Product(), database, self.folder / f"effect-{run}")

    def _drop(self, database: str) -> None:
        with psycopg.connect(self.server, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)".encode())

    def _serve(self, app: ASGIApp) -> str:
        server = Server(app).start()
        self._stack.callback(server.stop)
        return server.url

    def _runbooks(self, rules: Mapping[int, Mapping[str, int]]) -> None:
        folder = self.folder / "runbooks"
        folder.mkdir()
        for run, site in self.sites.items():
            text = RUNBOOK.format(
                run=run,
                theme=site.theme,
                app=f"{self.urls['app']}/{run}",
                page=PAGE_ID,
                public=self.urls["status"],
                database=site.database,
                effect=site.effect,
                **rules[run],
            )
            (folder / f"work-{run}.yml").write_text(text)

    def _own_cluster(self) -> Cluster:
        folder = new_folder("crash-own-")
        cluster = Cluster.create(folder, 18, tcp=True)
        self._stack.callback(remove_folder, folder)
        cluster.start()
        self._stack.callback(cluster.destroy)
        cluster.create_database("maint")
        return cluster

    def _own_url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.own.port}/maint" if self.own else ""

    def _environment(self) -> dict[str, str]:
        app = Config().app
        own = {"MAINT_DATABASE_URL": self._own_url(), "MAINT_TAKEOVER_S": str(TAKEOVER_S)} if self.own else {}
        return {
            "MAINT_SLACK_BOT_TOKEN": app.bot_token,
            "MAINT_SLACK_APP_TOKEN": app.app_token,
            "MAINT_SLACK_URL": f"{self.urls['slack']}/api/",
            "MAINT_CHANNEL": next(iter(self.sites.values())).channel,
            "MAINT_APPROVERS": "S0APPROVE",
            "MAINT_CONFLICTS": "too_short=off, overlap=off, margin=off, midnight=off",
            "MAINT_DATA_DIR": str(self.folder / "data"),
            "MAINT_RUNBOOKS": str(self.folder / "runbooks"),
            "MAINT_GITHUB_URL": self.urls["github"],
            "MAINT_GITHUB_TOKEN": GITHUB_TOKEN,
            "MAINT_INTERCOM_URL": self.urls["intercom"],
            "MAINT_INTERCOM_TOKEN": INTERCOM_TOKEN,
            "MAINT_INTERCOM_ADMIN_ID": str(ADMIN_ID),
            "MAINT_STATUSPAGE_URL": f"{self.urls['status']}/v1",
            "MAINT_STATUSPAGE_KEY": KEY,
            "MAINT_APP_TOKEN": TOKEN,
            "MAINT_POSTGRES_DSN": self.server,
            "CRASH_CLOCK": str(self.clock),
            **own,
        }

    @property
    def sqlite(self) -> Path:
        """The bot's database, where it is a file."""
        return self.folder / "data" / "maint.sqlite3"

    @property
    def database(self) -> Database:
        """The bot's own database. Opened at the first use, when the bot has made it."""
        if self._database is None:
            self._database = (
                PostgresDatabase(self._own_url(), connections=3, timeout_s=2.0)
                if self.own
                else SqliteDatabase(self.sqlite, busy_timeout_s=5.0)
            )
            self._stack.callback(self._database.close)
        return self._database

    @property
    def maintenances(self) -> Maintenances:
        """The states, read from the journal."""
        if self._maintenances is None:
            self._maintenances = Maintenances(Journal(self.database))
        return self._maintenances

    def states(self) -> dict[int, list[State]]:
        """Return the states of the maintenances of each run: none before it was asked for, never two.

        Raises `Unavailable` while the database is away.
        """
        found: dict[int, list[State]] = {run: [] for run in self.sites}
        for maintenance in self.maintenances.ids():
            state = self.maintenances.state(maintenance)
            found[int(state.runbook.rpartition("-")[2])].append(state)
        return found

    def settled(self) -> bool:
        """Whether everything is in the channel, and every card shows its end, once all maintenances are over.

        A prompt that never came to the channel stays `waiting` then: there is nothing left to ask.
        """
        waiting = self.database.query(
            "SELECT 1 AS n FROM deliveries WHERE state <> 'posted' UNION ALL SELECT 1 AS n FROM live_messages "
            "WHERE state = 'posting' OR (state = 'waiting' AND substr(name, 1, 5) = 'file:') "
            "OR (name = 'card' AND state <> 'closed')"
        )
        return not waiting

    def start_bot(self) -> None:
        """Start it, again or for the first time."""
        log = self.folder / "bot.log"
        self._begins = log.stat().st_size if log.exists() else 0
        self.bot.start()

    def kill_bot(self) -> None:
        """Kill -9."""
        self.kills += 1
        self.bot.kill()

    def is_up(self) -> bool:
        """Whether the bot, since it was last started, has said that it is up."""
        with (self.folder / "bot.log").open("rb") as log:
            log.seek(self._begins)
            return b"maint_is_up" in log.read()

    def second_bot_ends(self, within_s: float) -> bool:
        """Start a second bot on the same data by mistake; whether it has refused. It is killed if it has not."""
        second = BotProcess(self.environment, self.folder / "second.log", module="benchmarks.crashing.shifted")
        second.start()
        until = time.monotonic() + within_s
        while second.running() and time.monotonic() < until:
            time.sleep(0.05)
        refused = not second.running()
        second.kill()
        return refused

    def keep(self, folder: Path) -> None:
        """Copy what tells how it came about: the bot's output, its database, its runbooks and jobs' logs."""
        shutil.copytree(self.folder / "data", folder / "data", dirs_exist_ok=True)
        for name in ("bot.log", "second.log"):
            if (self.folder / name).exists():
                shutil.copy(self.folder / name, folder / name)

    def close(self) -> None:
        """End everything, and remove it."""
        self._stack.close()


def _config(sites: Mapping[int, Site]) -> Config:
    usual = Config(limits=Limits(scale=RATES))
    rooms = tuple(Room(site.channel, site.room) for site in sites.values())
    return dataclasses.replace(usual, rooms=(*usual.rooms, *rooms))
