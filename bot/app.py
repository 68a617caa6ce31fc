"""The composition root: the only place that sees everything, and puts one process of the bot together."""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import structlog
import uvicorn
from slack_bolt import App
from slack_sdk import WebClient
from starlette.routing import Route

import commands
import integrations
from bot.anchor import Anchor, Keeper
from bot.attempt import Attempts
from bot.build import build_step
from bot.channel import Channel
from bot.context import Surroundings
from bot.database import Database, SqliteDatabase
from bot.database_postgres import PostgresDatabase
from bot.desk import Desk
from bot.durable import DbosDurable
from bot.engine import Engine
from bot.entry import Kind
from bot.errors import BadInput
from bot.feed_publisher import Publisher
from bot.feed_push import Push
from bot.freeze_calendars import FreezeCalendars
from bot.freeze_sources import FreezeSources
from bot.freezes import Freezes
from bot.health import Answers, Check, health_routes
from bot.http import Http
from bot.journal import Journal
from bot.lease import FileLease, TableLease
from bot.ledger import Intents, Progress
from bot.lookout import Lookout, page_steps
from bot.lookups import Lookups
from bot.maintenances import Maintenances
from bot.outlook import Outlook
from bot.overrun import Circles
from bot.people import People
from bot.read_back import ReadBack
from bot.recurring import Recurring
from bot.rehearsals import Rehearsals
from bot.retention import Retention
from bot.schema import MIGRATIONS
from bot.settings import Settings
from bot.slack_api import SlackApi
from bot.socket_mode import SocketMode
from bot.step import REGISTRY, Setting
from bot.threads import Threads
from bot.web import bound, web_app
from commands.listeners import register

log = structlog.get_logger()

_DRAIN_S = 20.0
_LISTENERS = 16
_LEASE_SHARE = 0.8  # then it is found out by a sweep, a sixth of that later, and taken up a second after that
_LOST_LEASE = 75  # EX_TEMPFAIL: whoever supervises the process starts it again
_BROKEN = 70  # EX_SOFTWARE: the same
ROLES = ("all", "web", "worker")


def open_database(settings: Settings) -> Database:
    """Open the database that the settings name, creating its tables where they are missing."""
    if settings.database_url is not None:
        return PostgresDatabase(settings.database_url.get_secret_value())
    return SqliteDatabase(settings.data_dir / "maint.sqlite3")


def slack_client(settings: Settings) -> WebClient:
    """Return a client with the bot's token; nothing is asked of Slack yet."""
    return WebClient(token=settings.slack_bot_token.get_secret_value(), base_url=settings.slack_url, retry_handlers=[])


class Process:
    """One process. `role`: `web` only listens (HTTP), `worker` does the work, `all` is both."""

    def __init__(self, settings: Settings, role: str = "all", environment: Mapping[str, str] = os.environ) -> None:
        self.settings = settings
        self.role = role
        self._environment = environment
        self.stopping = threading.Event()
        self._threads = Threads(self.stopping)
        commands.load()
        integrations.load()
        self.database = open_database(settings)
        maintenances = Maintenances(Journal(self.database))
        progress = Progress(self.database)
        client = slack_client(settings)
        self.surroundings = Surroundings(
            maintenances=maintenances,
            intents=Intents(self.database),
            progress=progress,
            value_of=lambda setting: _value_of(setting, environment),
            workdir=settings.data_dir / "work",
            stopping=self.stopping,
            may_act=self._may_act,
            superseded=self._is_superseded,
        )
        self.outlook = Outlook(maintenances, progress)
        self.channel = Channel(
            client, maintenances, progress, forecast=self.outlook.line, estimates=self.outlook.estimates
        )
        lookups = Lookups()
        self.desk = Desk(
            settings=settings,
            surroundings=self.surroundings,
            people=People(client),
            slack=SlackApi(client),
            channel=self.channel,
            outlook=self.outlook,
            freezes=FreezeSources(
                Freezes(self.database), settings.freezes, FreezeCalendars(settings.freeze_calendars, lookups)
            ),
            lookups=lookups,
            build=build_step,
            wake=self._wake,
        )
        self.publisher = Publisher(maintenances, of=f"{settings.slack_url} {settings.channel}")
        self.engine: Engine | None = None
        self._socket: SocketMode | None = None
        self.lease: FileLease | TableLease | None = None
        self.attempts = Attempts(self.surroundings, build_step, ended=self._wake)
        self.app = App(
            client=client,
            signing_secret=settings.slack_signing_secret.get_secret_value() if settings.slack_signing_secret else "",
            token_verification_enabled=False,
            raise_error_for_unhandled_request=False,
            # These only acknowledge, or judge what a form says; `commands.behind` does the rest.
            listener_executor=ThreadPoolExecutor(_LISTENERS, thread_name_prefix="listener"),
        )
        register(self.app, self.desk)

    def _wake(self) -> None:
        if self.engine is not None:
            self.engine.wake()
        self.channel.wake()

    def _may_act(self) -> None:
        if self.lease is not None:
            self.lease.may_act()

    def _is_superseded(self) -> bool:
        return self.lease is not None and self.lease.superseded()

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT; returns the exit status.

        Raises `AlreadyRunning` if another process is, and `MaintError` if the port cannot be listened on.
        """
        signal.signal(signal.SIGTERM, lambda *_: self.stopping.set())
        signal.signal(signal.SIGINT, lambda *_: self.stopping.set())
        listener = bound(self.settings.port) if self._serves() else None
        lease = self._work() if self.role != "web" else None
        self._publish(lease)
        server = self._listen(listener)
        executor = lease.executor if lease is not None else ""
        log.info("maint_is_up", role=self.role, mode=self.settings.slack_mode, executor=executor)
        self.stopping.wait()
        log.info("maint_is_stopping")
        self._wake()
        server()
        if lease is not None:
            self._drain()
            lease.close()
        # The database stays open: threads that still read would crash the process, and its end closes the file.
        return _BROKEN if self._threads.broke else 0

    def _work(self) -> FileLease | TableLease:
        """Take the lease, take up what was left, and start the engine and the channel."""
        lease = self.lease = self._lease()
        durable = DbosDurable(self._dbos_url(), lease.executor, self.attempts.run)
        durable.launch()
        lease.sweep()
        self.engine = Engine(
            self.surroundings,
            build_step,
            durable,
            look_out=self._lookout().look,
            before_start=self.channel.refresh,
            after_entry=self.channel.wake,
        )
        engine = self.engine
        self._threads.start("engine", lambda: engine.run(self.stopping), needed=True)
        self._threads.start("channel", lambda: self.channel.run(self.stopping, lease.leads, lease.rest), needed=True)
        self._threads.start("endings", lambda: self.surroundings.maintenances.endings.run(self.stopping))
        self._keep_heads(lease.leads)
        self._trace(lease.leads)
        if self.settings.keep_days is not None:
            keep = timedelta(days=self.settings.keep_days)
            retention = Retention(self.surroundings.maintenances, self.surroundings.workdir, keep)
            self._threads.start("retention", lambda: retention.run(self.stopping))
        recurring = Recurring(self.desk, self.surroundings.intents, SlackApi(self.app.client), lease.leads)
        self._threads.start("recurring", lambda: recurring.run(self.stopping))
        read_back = ReadBack(self.surroundings.maintenances, self.desk.standing, lease.leads, self.settings.read_back_s)
        self._threads.start("read-back", lambda: read_back.run(self.stopping, self._wake))
        return lease

    def _keep_heads(self, leads: Callable[[], bool]) -> None:
        if self.settings.anchor_git is None:
            return
        anchor = Anchor(self.settings.anchor_git, self.settings.data_dir / "anchor", self.settings.anchor_key)
        keeper = Keeper(anchor, self.surroundings.maintenances, leads)
        self._threads.start("anchor", lambda: keeper.run(self.stopping))

    def _trace(self, leads: Callable[[], bool]) -> None:
        given = any(self._environment.get(f"OTEL_EXPORTER_OTLP_{name}ENDPOINT") for name in ("", "TRACES_"))
        if not given or self._environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
            return
        # Here, since most bots never need it, and it takes a tenth of a second and 4 MB.
        from bot.trace_export import TraceExporter, target  # noqa: PLC0415

        try:
            to = target(self._environment)
        except BadInput as error:
            # Such a variable is often set for everything on a machine: no reason to leave people without the bot.
            log.warning("traces_not_sent", error=str(error))
            return
        exporter = TraceExporter(to, self.surroundings.maintenances, self.surroundings.intents, leads)
        self._threads.start("traces", lambda: exporter.run(self.stopping))

    def _lookout(self) -> Lookout:
        circles = Circles(
            float(self.settings.answer_s), self.settings.escalate_to, page_steps(self.surroundings.value_of)
        )
        return Lookout(
            self.outlook,
            Rehearsals(self.surroundings.maintenances),
            self.surroundings.maintenances.now,
            circles,
            self.settings.approvers,
        )

    def _lease(self) -> FileLease | TableLease:
        if self.settings.database_url is None:
            return FileLease(self.settings.data_dir)
        return TableLease(
            self.settings.database_url.get_secret_value(),
            on_lost=lambda: os._exit(_LOST_LEASE),
            ttl_s=self.settings.takeover_s * _LEASE_SHARE,
            # Each of them only grows from version to version.
            knows=len(MIGRATIONS) + len(Kind) + len(REGISTRY),
        )

    def _dbos_url(self) -> str:
        if self.settings.database_url is not None:
            return self.settings.database_url.get_secret_value()
        return f"sqlite:///{self.settings.data_dir / 'maint.sqlite3'}"

    def _publish(self, lease: FileLease | TableLease | None) -> None:
        """Keep the public feed up to date, if anybody is to have it, and put it where it is to be put."""
        url, token = self.settings.feed_push_url, self.settings.feed_push_token
        pushes = url is not None and lease is not None
        if self.settings.feed == "off" and not pushes:
            return
        self.publisher.refresh()
        self._threads.start("feed", lambda: self.publisher.run(self.stopping))
        if url is None or lease is None:
            return
        secret = token.get_secret_value() if token is not None else ""
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        target = Http(url, system="The target of the feed", headers=headers, secrets=[secret])
        push = Push(target, lambda: self.publisher.documents, lease.leads, lease.may_act)
        self._threads.start("feed-push", lambda: push.run(self.stopping))

    def _serves(self) -> bool:
        """Whether a port is listened on: for Slack in HTTP mode but not in a worker, in Socket Mode for the feed.

        For the metrics always: whoever reads them has to know of each process whether it is ready.
        """
        if self.settings.metrics == "on":
            return True
        if self.settings.slack_mode == "http":
            return self.role != "worker"
        return self.role == "web" or self.settings.feed == "on"

    def _listen(self, listener: socket.socket | None) -> Callable[[], None]:
        """Start listening, to Slack and, on the port of `listener`, to HTTP; returns what stops it."""
        stops = [self._serve_http(listener)] if listener is not None else []
        if self.settings.slack_mode == "socket" and self.role != "web":
            token = self.settings.slack_app_token
            if token is None:
                raise ValueError("Socket Mode without an app token: the settings should have refused that")
            connection = self._socket = SocketMode(self.app, token.get_secret_value())
            self._threads.start("socket", lambda: connection.connect(self.stopping))
            stops.append(connection.close)

        def stop() -> None:
            for each in stops:
                each()

        return stop

    def _serve_http(self, listener: socket.socket) -> Callable[[], None]:
        feed = self.publisher if self.settings.feed == "on" else None
        # In Socket Mode nothing from Slack comes in here, and there is no secret to check it with.
        takes_slack = self.settings.slack_mode == "http" and self.role != "worker"
        asgi = web_app(self.app if takes_slack else None, feed, self._health())
        server = uvicorn.Server(uvicorn.Config(asgi, log_level="warning", access_log=False))
        # In a thread uvicorn leaves the signals to us: the engine has to come to rest too.
        thread = self._threads.start("web", lambda: server.run(sockets=[listener]))

        def stop() -> None:
            server.should_exit = True
            thread.join(10)

        return stop

    def _health(self) -> list[Route]:
        numbers = None
        if self.settings.metrics == "on":
            # Here, since most bots never need it, and it takes a tenth of a second of the start.
            from bot.metrics import Metrics  # noqa: PLC0415

            numbers = Metrics(self.surroundings.maintenances, self.channel.outbox, self.outlook).text
        ready: dict[str, Check] = {
            "process": lambda: "it is stopping" if self.stopping.is_set() else "",
            "database": Answers(self.database),
        }
        if self.lease is not None:
            ready["lease"] = lambda: "" if self.lease and self.lease.holds() else "not renewed in time"
        if self.settings.slack_mode == "socket" and self.role != "web":
            ready["slack"] = lambda: (
                "" if self._socket and self._socket.is_connected() else "the socket is not connected"
            )
        return health_routes({"threads": self._threads.fallen}, ready, numbers, self.settings.metrics_token)

    def _drain(self) -> None:
        """Give what is under way time to come to a point where it can be taken up again.

        A message that is on its way to Slack has to be known to be there or not before somebody else takes the lease.
        """
        until = time.monotonic() + _DRAIN_S
        self._threads.join(until)
        while time.monotonic() < until and self.attempts.busy():
            time.sleep(0.1)


def _value_of(setting: Setting, environment: Mapping[str, str]) -> str | None:
    return environment.get(setting.name) or setting.default
