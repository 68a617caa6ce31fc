"""The whole story with people in it who go on, whatever happens to the bot; and what the outside has to look like."""

import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psycopg
from slack_sdk import WebClient

from bot.database import SqliteDatabase
from bot.entry import Entry, Kind
from bot.journal import Journal
from bot.slack_api import SlackApi, payload_of
from bot.verify import verify
from sandbox.demo.world import GITHUB_TOKEN, THEME, World
from sandbox.jekyll.sources import BANNER_PATH
from sandbox.slack import Config
from sandbox.slack.people import CannotDoError, Slack

PRESS_AGAIN_S = 2.0
LOOK_S = 0.5
_TABLES = ("customers", "orders", "payments", "refunds")


class People(threading.Thread):
    """Ben approves what he is asked, and presses again where nothing came of it.

    What is `unknown` he settles by looking at the outside (`looks` says for a step whether it happened there).
    """

    def __init__(self, slack: Slack, looks: Callable[[str], bool], channel: str = "maintenance") -> None:
        super().__init__(name="people", daemon=True)
        self._slack = slack
        self._ben = slack.person("ben", channel)
        self._looks = looks
        self._pressed: dict[tuple[str, str], float] = {}
        self._stop_event = threading.Event()
        self.asked_about: list[str] = []
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            revision = -1
            while not self._stop_event.is_set():
                screen = self._slack.sees("ben", self._ben.channel, revision, LOOK_S)
                revision = screen["revision"]
                for message in screen["channel"]["messages"]:
                    for action in _buttons(message):
                        self._answer(message, action)
                self._stop_event.wait(0.2)
        except Exception as error:  # noqa: BLE001 - told to the test's own thread, which raises it
            self.error = error

    def _answer(self, message: dict[str, Any], action: str) -> None:
        verb, _, step = action.partition(":")
        if verb == "approve":
            self._press(message, action)
        elif verb == "happened":
            told = self._looks(step)
            if self._press(message, action if told else f"not_happened:{step}"):
                self.asked_about.append(step)
        elif action == "retry:gate":
            # Red where other work on this machine makes the queries slow: people look, and try again.
            self._press(message, action)
        elif verb == "retry":
            raise AssertionError(f"{step} failed: {message['plain']}")

    def _press(self, message: dict[str, Any], action: str) -> bool:
        """Press, unless that was done moments ago; whether the press reached the bot."""
        key = (message["ts"], action)
        if time.monotonic() - self._pressed.get(key, 0.0) < PRESS_AGAIN_S:
            return False
        try:
            reached = not self._ben.clicks(action, on=message["ts"], confirm=True, wait=False)["error"]
        except (CannotDoError, AssertionError):
            return False  # the button had gone
        if reached:
            self._pressed[key] = time.monotonic()
        return reached

    def go_home(self) -> None:
        """End, and raise what went wrong."""
        self._stop_event.set()
        self.join(60)
        if self.error is not None:
            raise self.error


def _buttons(message: dict[str, Any]) -> Iterator[str]:
    for block in message.get("blocks") or []:
        if block["type"] == "actions":
            yield from (element["action_id"] for element in block["elements"])


class Outside:
    """What there is to see of a night in a `World`: the bot's database, the channel, and every system it touched."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rows_before = self.rows()
        self._api = SlackApi(WebClient(token=Config().app.bot_token, base_url=f"{world.slack.url}/api/"))
        self._database: SqliteDatabase | None = None

    @property
    def database(self) -> SqliteDatabase:
        """The bot's own database, which it has made by now."""
        if self._database is None:
            self._database = SqliteDatabase(self.world.folder / "bot" / "maint.sqlite3")
        return self._database

    @property
    def journal(self) -> Journal:
        return Journal(self.database)

    @property
    def maintenance(self) -> str:
        [only] = self.journal.maintenances()
        return only

    def entries(self) -> list[Entry]:
        return self.journal.read(self.maintenance)

    def length(self) -> int:
        """How many entries the journal has."""
        return int(self.database.query("SELECT count(*) AS n FROM entries")[0]["n"])

    def status(self) -> str:
        moves = [entry.payload["to"] for entry in self.entries() if entry.kind == Kind.STATE_CHANGED]
        return str(moves[-1]) if moves else "draft"

    def delivered(self) -> bool:
        """Whether everything is in the channel, and the card shows the end."""
        waiting = self.database.query(
            "SELECT 1 AS n FROM deliveries WHERE state <> 'posted' UNION ALL SELECT 1 AS n FROM live_messages "
            "WHERE state IN ('waiting', 'posting')"
        )
        card = self.database.query("SELECT state FROM live_messages WHERE name = 'card'")
        return not waiting and [row["state"] for row in card] == ["closed"]

    def rows(self) -> dict[str, int]:
        with psycopg.connect(self.world.dsn) as connection:
            counted = {}
            for table in _TABLES:
                row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
                assert row is not None
                counted[table] = int(row[0])
            return counted

    def major(self) -> int:
        with psycopg.connect(self.world.dsn) as connection:
            return connection.info.server_version // 10000

    def happened(self, step: str) -> bool:
        """What an operator finds who looks whether `step` has happened."""
        looks = {
            "app-off": lambda: self.world.product.maintenance,
            "app-on": lambda: not self.world.product.maintenance,
            "upgrade": lambda: self.major() == 18,
            "banner-on": lambda: "enabled: true" in self.banner(),
            "banner-off": lambda: "enabled: false" in self.banner(),
        }
        return bool(looks[step]())

    def banner(self) -> str:
        """What the theme would put on every page; the way from there to the live pages has its own kill test."""
        return self.world.forge.read(THEME, BANNER_PATH)

    # What must hold in the end ---------------------------------------------------------------------------------------

    def check_all(self) -> None:
        """Every effect once, the chain whole, the channel complete and in order."""
        self.check_journal()
        self.check_channel()
        self.check_github()
        self.check_intercom()
        self.check_status_page()
        self.check_app()
        self.check_postgres()

    def check_journal(self) -> None:
        entries = self.entries()
        assert self.journal.broken_at(self.maintenance) is None
        ends = {Kind.STEP_STARTED, Kind.STEP_SUCCEEDED, Kind.STEP_FAILED, Kind.STEP_UNKNOWN}
        told = Counter((entry.kind, entry.step, entry.payload["attempt"]) for entry in entries if entry.kind in ends)
        assert set(told.values()) == {1}, told
        steps = [step["id"] for step in entries[0].payload["steps"]]
        succeeded = Counter(entry.step for entry in entries if entry.kind == Kind.STEP_SUCCEEDED)
        settled = Counter(entry.step for entry in entries if entry.kind == Kind.STEP_SETTLED)
        skipped = [entry.step for entry in entries if entry.kind == Kind.STEP_SKIPPED]
        # The night begins at once: it is too late to remind anybody a day ahead.
        assert skipped == ["remind"]
        assert dict(succeeded + settled) == {step: 1 for step in steps if step not in skipped}
        moves = [entry.payload["to"] for entry in entries if entry.kind == Kind.STATE_CHANGED]
        assert moves == ["scheduled", "in_progress", "verifying", "completed"], moves
        approved = Counter(entry.step for entry in entries if entry.kind == Kind.APPROVED)
        assert set(approved.values()) == {1}, approved

    def check_channel(self) -> None:
        found = verify(self._api, self.journal, self.maintenance)
        assert found.ok, [str(finding) for finding in found.findings]
        history = sorted(self._api.history("C0MAINT01"), key=lambda message: [int(n) for n in message["ts"].split(".")])
        by_kind: dict[str, list[Any]] = {}
        for message in history:
            kind = (message.get("metadata") or {}).get("event_type", "")
            by_kind.setdefault(kind, []).append(payload_of(message))
        numbers = [payload["seq"] for payload in by_kind["maint_entry"]]
        assert numbers == list(range(1, self.length() + 1))
        assert len(by_kind["maint_card"]) == 1
        prompts = Counter(payload["name"] for payload in by_kind["maint_prompt"])
        asked = sum(entry.kind == Kind.APPROVAL_REQUESTED for entry in self.entries())
        assert set(prompts.values()) == {1}, prompts
        assert len(prompts) == asked
        files = Counter(file["name"] for message in history for file in message.get("files") or [])
        assert set(files.values()) == {1}, files

    def check_github(self) -> None:
        headers = {"Authorization": f"Bearer {GITHUB_TOKEN}"}
        url = f"{self.world.github.url}/repos/{THEME}/pulls"
        pulls = httpx.get(url, params={"state": "all"}, headers=headers).json()
        heads = sorted(pull["head"]["ref"].rpartition("/")[2] for pull in pulls)
        assert heads == ["banner-off", "banner-on"]
        assert all(pull["merged_at"] for pull in pulls)
        repository = self.world.forge.root / f"{THEME}.git"
        log = ["git", "-c", "safe.directory=*", "-C", str(repository), "log", "--format=%p", "HEAD"]
        parents = subprocess.run(log, check=True, capture_output=True, text=True).stdout.splitlines()
        assert Counter(len(line.split()) for line in parents) == {2: 2, 1: 2, 0: 1}
        assert "enabled: false" in self.banner()

    def check_intercom(self) -> None:
        audience = self.world.audience
        assert audience.summary()["duplicates"] == 0
        assert len(audience.texts) == 2
        for name, text in (("announce", audience.texts[0]), ("done", audience.texts[1])):
            rows = self.database.query(
                "SELECT recipient, state FROM ledger WHERE name = ?", (f"{self.maintenance}:{name}",)
            )
            assert rows
            counts = Counter(row["state"] for row in rows)
            assert set(counts) <= {"sent", "skipped", "unknown"}, counts
            got = {contact for contact in audience.contacts if text in audience.received(contact)}
            sent = {row["recipient"] for row in rows if row["state"] == "sent"}
            unknown = {row["recipient"] for row in rows if row["state"] == "unknown"}
            assert sent <= got <= sent | unknown

    def check_status_page(self) -> None:
        [announced] = self.world.status.incidents.values()
        told = [update.status for update in reversed(announced.updates)]
        assert told == ["scheduled", "in_progress", "verifying", "completed"]

    def check_app(self) -> None:
        assert [one.maintenance for one in self.world.product.transitions] == [True, False]

    def check_postgres(self) -> None:
        assert self.major() == 18
        assert self.rows() == self.rows_before
        work = self.world.folder / "bot" / "work" / self.maintenance / "upgrade"
        runs = [folder.name for folder in work.glob("pg_upgrade-*") if folder.is_dir()]
        assert runs == ["pg_upgrade-1"]
        log = (work / "pg_upgrade-1" / "log").read_text()
        assert log.count("Upgrade Complete") == 1
