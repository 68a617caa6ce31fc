"""A maintenance that the public hears of, told by real entries in a real journal whose clock the test sets."""

from datetime import UTC, datetime, timedelta
from typing import Any

from bot import acts, changes
from bot.acts import Act
from bot.database import Database
from bot.entry import Kind
from bot.feed import Feed, public
from bot.journal import Draft, Journal
from bot.maintenances import Maintenances
from bot.state import State
from tests.bot.entries import ANA, BEN, ID, POLICY, begin, request
from tests.maintenance_fixtures import raw_step

START = datetime(2026, 11, 25, 9, tzinfo=UTC)
URL = "https://example.com/operations/"
IMPACT = "The shop cannot be used."


class Story:
    """`now` is the time that the journal and the feed see; it begins a day before the window."""

    def __init__(self, database: Database) -> None:
        self.now = START - timedelta(days=1)
        self.maintenances = Maintenances(Journal(database, self.clock), self.clock)
        self._numbers = iter(range(1, 10_000))

    def clock(self) -> datetime:
        return self.now

    def plan(self, maintenance: str = ID, *, start: datetime = START, **more: Any) -> None:
        """Plan a window of two hours: a look around, an approved notice, the work."""
        steps = [
            raw_step("look-around", phase="scheduled"),
            raw_step("tell-users", phase="scheduled", approval=POLICY, needs=["look-around"]),
            raw_step("secret-work", needs=["tell-users"]),
        ]
        given = {"impact": IMPACT, "params": {"url": URL}, **more}
        begin(self.maintenances, steps, now=start, maintenance=maintenance, **given)

    def state(self, maintenance: str = ID) -> State:
        return self.maintenances.state(maintenance)

    def happens(self, kind: str, step: str | None, payload: dict[str, Any], maintenance: str = ID) -> None:
        """Record one entry, a minute after the one before."""
        self.now += timedelta(minutes=1)
        draft = Draft(kind, "maint", f"{maintenance}:story:{next(self._numbers)}", step, payload)
        self.maintenances.record(maintenance, lambda _: [draft])

    def turns(self, to: str, maintenance: str = ID) -> None:
        self.happens(Kind.STATE_CHANGED, None, {"from": self.state(maintenance).status, "to": to}, maintenance)

    def does(self, step: str, maintenance: str = ID) -> None:
        self.happens(Kind.STEP_STARTED, step, {"attempt": 1}, maintenance)
        done = {"attempt": 1, "summary": "done", "facts": {"token": "s3cret"}, "files": {}}
        self.happens(Kind.STEP_SUCCEEDED, step, done, maintenance)

    def looks_around(self, maintenance: str = ID) -> None:
        """The first step runs on its own, without anybody's yes."""
        self.turns("scheduled", maintenance)
        self.does("look-around", maintenance)

    def is_announced(self, maintenance: str = ID) -> None:
        """Somebody approves the notice, and it is sent."""
        self.looks_around(maintenance)
        kind, step, payload, *_ = request("tell-users", token="t0ken")
        self.happens(kind, step, payload, maintenance)
        approved = Draft(Kind.APPROVED, BEN, f"{maintenance}:yes", step, {"token": "t0ken", "digest": "d", "of": 1})
        self.maintenances.record(maintenance, lambda _: [approved])
        self.does("tell-users", maintenance)

    def changes(self, change: str, drafts: list[Draft], maintenance: str = ID) -> None:
        """Ask for a change of the window, as its verb does, and let it be approved and done."""
        self.maintenances.record(maintenance, lambda _: drafts)
        self.does(change, maintenance)

    def moves(self, start: datetime, zone: str = "Pacific/Auckland", number: int = 1) -> None:
        self.changes(f"move-{number}", changes.move(self.state(), self._act(), start, zone, self.now))

    def extends(self, length: timedelta, number: int = 1) -> None:
        self.changes(f"extend-{number}", changes.extend(self.state(), self._act(), length, self.now))

    def cancels(self, maintenance: str = ID, number: int = 1) -> None:
        drafts = changes.cancel(self.state(maintenance), self._act(), "the vendor Acme is not ready", self.now)
        self.changes(f"cancel-{number}", drafts, maintenance)

    def aborts(self, maintenance: str = ID) -> None:
        drafts = acts.abort(self.state(maintenance), self._act(), "we found a bug")
        self.maintenances.record(maintenance, lambda _: drafts)

    def begins(self) -> None:
        self.now = max(self.now, self.state().window.start)
        self.turns("in_progress")
        self.does("secret-work")

    def feed(self) -> Feed:
        states = [self.maintenances.state(each) for each in self.maintenances.ids()]
        return public(states, self.now, of="a test")

    def _act(self) -> Act:
        return Act(ANA, f"d{next(self._numbers)}")
