"""Freezes: times in which nothing is to be changed. Those declared in Slack are kept here, in the table `freezes`.

Whatever was declared or lifted stays, with who and when. The table says too what the channel has not heard of yet.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from bot.database import Database, Row, UniqueViolation
from bot.entry import instant
from bot.errors import BadInput
from bot.step import Window

OF_FREEZES = "freezes"
"""In whose name the messages about freezes are in the outbox: that of no maintenance, since an id begins with a day."""


@dataclass(frozen=True)
class Freeze:
    """One freeze, from `begin` until `until` (aware UTC); `source` is where else than in Slack it was found.

    One declared in Slack has an `id` (`freeze-1`), and `who` declared it, at `at`, in the zone `zone`.
    """

    begin: datetime
    until: datetime
    reason: str
    source: str = ""
    zone: str = "UTC"
    id: str = ""
    who: str = ""
    at: datetime | None = None

    def meets(self, window: Window) -> bool:
        """Whether any of it falls into `window`."""
        return self.begin < window.end and window.start < self.until

    @property
    def about(self) -> str:
        """What names it, as a conflict (`bot.radar.Conflict.about`)."""
        return self.id or f"{self.begin.isoformat()} {self.reason}"


@dataclass(frozen=True)
class Event:
    """What happened to a freeze, by whom and when, and the channel that is to hear of it."""

    what: Literal["declared", "lifted"]
    freeze: Freeze
    who: str
    at: datetime
    channel: str

    @property
    def name(self) -> str:
        """The name of its message in the outbox."""
        return f"{self.what}:{self.freeze.id}"


class Freezes:
    """The freezes declared in Slack. Every method commits before it returns."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def declare(self, freeze: Freeze, *, channel: str, delivery: str) -> Freeze:
        """Keep a freeze that `freeze.who` declares at `freeze.at`, and return it with its id.

        `channel` is told; a second `delivery` of the same request returns what the first has made. Raises `BadInput`
        unless it ends after it begins.
        """
        if freeze.until <= freeze.begin:
            raise BadInput("That freeze would end before it begins. `/maint freeze FROM to UNTIL REASON`.")
        if freeze.at is None or not freeze.reason.strip():
            raise BadInput("A freeze needs a reason: `/maint freeze FROM to UNTIL REASON`.")
        while True:
            known = self._database.query("SELECT * FROM freezes WHERE delivery = ?", (delivery,))
            if known:
                return _freeze(known[0])
            number = self._database.query("SELECT count(*) + 1 AS next FROM freezes WHERE what = 'declared'")[0]["next"]
            made = replace(freeze, id=f"freeze-{number}")
            try:
                self._add(Event("declared", made, freeze.who, freeze.at, channel), delivery)
            except UniqueViolation:
                continue  # somebody took the number, or this very request came twice at once
            return made

    def lift(self, id_: str, who: str, at: datetime, *, channel: str, delivery: str) -> Freeze:
        """Let a freeze not count from now on, and return it. Raises `BadInput` if there is none such, or it is over."""
        freeze = next((each for each in self.from_now(at) if each.id == id_), None)
        lifted = self._database.query("SELECT * FROM freezes WHERE id = ? AND what = 'lifted'", (id_,))
        if lifted and lifted[0]["delivery"] == delivery:
            return _freeze(lifted[0])
        if freeze is None:
            raise BadInput(
                f"{id_} is lifted already."
                if lifted
                else f"There is no freeze {id_} that could be lifted. `/maint freeze` lists those there are."
            )
        try:
            self._add(Event("lifted", freeze, who, at, channel), delivery)
        except UniqueViolation:
            raise BadInput(f"{id_} is lifted already.") from None
        return freeze

    def from_now(self, now: datetime) -> list[Freeze]:
        """Return those that are not lifted and not over at `now`, the earliest first."""
        rows = self._database.query(
            "SELECT * FROM freezes WHERE what = 'declared' AND id NOT IN "
            "(SELECT id FROM freezes WHERE what = 'lifted') ORDER BY begins, id"
        )
        return [freeze for freeze in map(_freeze, rows) if freeze.until > now]

    def untold(self) -> list[Event]:
        """Return what the channel has not been told yet, the oldest first."""
        rows = self._database.query(
            "SELECT freezes.* FROM freezes LEFT JOIN live_messages AS told "
            "ON told.maintenance = ? AND told.name = freezes.what || ':' || freezes.id "
            "WHERE told.state IS NULL OR told.state IN ('waiting', 'posting') ORDER BY freezes.at, freezes.what",
            (OF_FREEZES,),
        )
        return [Event(row["what"], _freeze(row), row["who"], instant(row["at"]), row["channel"]) for row in rows]

    def is_being_told(self, event: Event) -> bool:
        """Whether the message may be in the channel: it was begun, and not heard of since."""
        return bool(
            self._database.query(
                "SELECT name FROM live_messages WHERE maintenance = ? AND name = ? AND state = 'posting'",
                (OF_FREEZES, event.name),
            )
        )

    def _add(self, event: Event, delivery: str) -> None:
        freeze = event.freeze
        times = (event.at.isoformat(), freeze.begin.isoformat(), freeze.until.isoformat())
        self._database.query(
            "INSERT INTO freezes (id, what, who, at, begins, until, zone, reason, channel, delivery) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (freeze.id, event.what, event.who, *times, freeze.zone, freeze.reason, event.channel, delivery),
        )


def _freeze(row: Row) -> Freeze:
    begin, until, at = (instant(row[name]) for name in ("begins", "until", "at"))
    return Freeze(begin, until, row["reason"], zone=row["zone"], id=row["id"], who=row["who"], at=at)
