"""One workspace and one bot for many scenarios, and a room of its own for each."""

import dataclasses
import itertools
import re
import resource
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
from slack_sdk import WebClient

from sandbox.bot_process import BotProcess
from sandbox.server import Server, serving
from sandbox.slack import Config, Limits, Workspace
from sandbox.slack.config import STRANGER_APP
from sandbox.slack.config import Room as SlackRoom
from sandbox.slack.people import Channel, Person, Slack

ROOMS = 400  # more than there are scenarios, so that one process can play them all
WAIT_S = 90.0


def config() -> Config:
    """A workspace with many rooms, and with rate limits that do not make the tests slow."""
    usual = Config(limits=Limits(scale=100))
    rooms = tuple(SlackRoom(f"C0ROOM{number:03}", f"room-{number}") for number in range(1, ROOMS))
    return dataclasses.replace(usual, rooms=(*usual.rooms, *rooms))


def settings(url: str, folder: Path, **more: str) -> dict[str, str]:
    """The environment of a bot in the workspace at `url`, with its runbooks and its data in `folder`."""
    app = Config().app
    (folder / "runbooks").mkdir(exist_ok=True)
    return {
        "MAINT_SLACK_BOT_TOKEN": app.bot_token,
        "MAINT_SLACK_APP_TOKEN": app.app_token,
        "MAINT_SLACK_URL": f"{url}/api/",
        "MAINT_CHANNEL": "C0MAINT01",
        "MAINT_APPROVERS": "S0APPROVE",
        # Scenarios have short windows; those about conflicts say in their runbook what blocks.
        "MAINT_CONFLICTS": "too_short=warn",
        "MAINT_BREAK_GLASS": "on",
        "MAINT_BREAK_GLASS_AFTER_S": "1",
        "MAINT_DATA_DIR": str(folder / "data"),
        "MAINT_RUNBOOKS": str(folder / "runbooks"),
        **more,
    }


class Room:
    """A room where a scenario happens, and the people in it.

    `ana` asks for maintenances, `ben` and `chloe` may approve (chloe is an admin of the workspace), `dev` may not.
    """

    def __init__(self, house: "House", name: str) -> None:
        self.house = house
        self.name = name
        self.slack = house.slack
        self.ana, self.ben, self.chloe, self.dev = (
            house.slack.person(who, name) for who in ("ana", "ben", "chloe", "dev")
        )
        self.channel: Channel = house.slack.channel(name)
        self._planned: list[str] = []
        self.world = house.folder / f"{name}.world"
        """A file that the steps of a scenario write to: what has been done in the world outside."""

    @property
    def channel_id(self) -> str:
        """The id of the room's channel."""
        return str(self.ana.screen()["channel"]["id"])

    def runbook(self, steps: str, head: str = "", name: str = "") -> str:
        """Write a runbook with these steps (YAML; `WORLD` is the path of the file); returns its name."""
        name = name or self.name
        text = f"name: {name}\ntitle: Work in {name}\n{head}\nsteps:\n{steps}"
        (self.house.runbooks / f"{name}.yml").write_text(text.replace("WORLD", str(self.world)))
        return name

    def plans(self, steps: str, head: str = "", words: str = "at now for 30m", name: str = "") -> str:
        """Ana plans a maintenance with these steps; returns its id."""
        name = self.runbook(steps, head, name)
        self.ana.says(f"/maint start {name} {words}")
        made = planned(self.ana, f"Work in {name}")
        self._planned.append(made)
        return made

    def tidies_up(self) -> None:
        """Abort what a scenario has left, so that the next one begins with nothing under way."""
        self.house.is_open()
        for made in self._planned:
            self.ana.says(f"/maint abort {made} the scenario is over")

    def done(self) -> list[str]:
        """What the steps have written into the world."""
        return self.world.read_text().splitlines() if self.world.exists() else []

    def approves_in_time(self, person: Person, on: str) -> None:
        """Let `person` approve a request that lives for seconds: the button of the next one, where one was too late.

        Ends when the steps have done something.
        """
        deadline = time.monotonic() + WAIT_S
        while not self.done():
            assert time.monotonic() < deadline, "no approval was in time"
            with suppress(AssertionError):  # between two requests, and behind the approval, there is none
                person.clicks("Approve", on=on, confirm=True, wait=False)
            time.sleep(0.2)

    def has_done(self, *lines: str) -> None:
        """Wait until the steps have written exactly these lines into the world."""
        deadline = time.monotonic() + WAIT_S
        while self.done() != list(lines):
            assert time.monotonic() < deadline, f"{self.done()} has been done, not {lines}"
            time.sleep(0.02)

    def lets_go(self) -> None:
        """Let a step go on that waits for the file `WORLD.go`."""
        self.world.with_name(f"{self.world.name}.go").touch()

    def count(self, text: str) -> int:
        """How many messages of the room show `text`."""
        return sum(text in shown for shown in self.channel.texts())

    def log(self) -> list[str]:
        """The numbered entries of the log in the room, in order."""
        return [shown for shown in self.channel.texts() if re.match(r"#\d+ ", shown)]


def planned(person: Person, title: str) -> str:
    """Wait for the answer to `/maint start`; returns the id of the maintenance."""
    found = re.search(r"(\S+) is planned: ", person.sees(f"is planned: {title}")["plain"])
    assert found, "the answer names the id"
    return found[1].strip("`")


class House:
    """The workspace and the bot. `bot` may be killed by a scenario: the next one finds it running."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.folder = folder
        self.slack = Slack(server.url, wait_s=WAIT_S)
        self.environment = settings(server.url, folder)
        self.runbooks = folder / "runbooks"
        self.bot = BotProcess(self.environment, folder / "bot.log")
        self._numbers = itertools.count(1)

    def is_open(self) -> None:
        """Return once the bot runs and is connected, whatever the scenario before has done."""
        self.slack.comes_back()
        if not self.bot.running():
            self.bot.start()
        try:
            self.slack.wait_for_app()
        except AssertionError as error:
            alive = "runs" if self.bot.running() else "has ended"
            log = self.bot.log.read_text()[-5000:]
            raise AssertionError(f"{error}; the bot {alive}, and its log ends with:\n{log}") from None

    def restarts(self) -> None:
        """Kill the bot without warning, and start it again."""
        self.bot.kill()
        self.is_open()

    def room(self) -> Room:
        """A room that nobody has used."""
        return Room(self, f"room-{next(self._numbers)}")

    def reads_file(self, file: Mapping[str, Any]) -> str:
        """The text of a file that was shared in the workspace."""
        return httpx.get(str(file["url_private"]), trust_env=False).raise_for_status().text

    def posts_as_another_app(self, channel: str, message: Mapping[str, Any]) -> None:
        """Another app joins the channel and posts a copy of `message`, metadata and all."""
        client = WebClient(token=STRANGER_APP.bot_token, base_url=f"{self.slack.url}/api/")
        client.conversations_join(channel=channel)
        client.chat_postMessage(
            channel=channel, text=message["text"], blocks=message["blocks"], metadata=message["metadata"]
        )

    def edits(self, channel: str, message: Mapping[str, Any], text: str) -> None:
        """Somebody who has got hold of the bot's own token edits a message of its log."""
        client = WebClient(token=Config().app.bot_token, base_url=f"{self.slack.url}/api/")
        client.chat_update(channel=channel, ts=message["ts"], text=text, blocks=[])

    @contextmanager
    def database_locked(self) -> Iterator[None]:
        """Somebody else holds the bot's database for the length of a `with` block."""
        with closing(sqlite3.connect(self.folder / "data" / "maint.sqlite3", isolation_level=None)) as database:
            database.execute("BEGIN EXCLUSIVE")
            try:
                yield
            finally:
                database.execute("ROLLBACK")

    @contextmanager
    def disk_full(self) -> Iterator[None]:
        """The bot cannot write a byte into any file, its own log included, for the length of a `with` block."""
        pid = self.bot.pid
        _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, most))
        try:
            yield
        finally:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, most))

    def files(self) -> Iterable[Path]:
        """Every file that the bot has written: its log, its database, what steps left."""
        return (path for path in (self.folder / "bot.log", *(self.folder / "data").rglob("*")) if path.is_file())


@contextmanager
def open_house(folder: Path) -> Iterator[House]:
    """Serve a workspace and run a bot in it for the length of a `with` block."""
    with serving(Workspace(config()).app) as server:
        house = House(server, folder)
        try:
            yield house
        finally:
            house.bot.kill()
