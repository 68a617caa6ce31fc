"""What still has to reach the channel, and what is there: the tables `deliveries` and `live_messages`.

A message goes `waiting` -> `posting` -> `posted`, and each change is committed. `posting` is committed before Slack is
called, so one that is found in it (a crash, a lost answer) may be in the channel: it is looked for before it is sent.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.database import Database
from bot.entry import instant
from bot.errors import Final, Temporary

WAITING, POSTING, POSTED = "waiting", "posting", "posted"
PINNED, CLOSED, GIVEN_UP = "pinned", "closed", "given_up"
_FILE, _ENTRY = "file:", "entry:"
_CLAIMED_ELSEWHERE_S = 5.0


@dataclass(frozen=True)
class Live:
    """A message that is updated in place, or a file. `digest` is that of what it shows, "" if that is not known."""

    name: str
    state: str
    ts: str
    digest: str

    @property
    def is_up(self) -> bool:
        """Whether it is in the channel, as far as we know."""
        return self.state in {POSTED, PINNED, CLOSED}


@dataclass(frozen=True)
class Doubt:
    """A message that was posted again since `at` (aware UTC), and whose first post Slack may still carry out.

    `name` is that of a live message, or `entry:<number>:<hash>`.
    """

    maintenance: str
    name: str
    channel: str
    at: datetime

    @property
    def seq(self) -> int | None:
        """The number of the entry; None for a live message."""
        return int(self.name.split(":")[1]) if self.name.startswith(_ENTRY) else None

    def is_about(self, payload: Mapping[str, object]) -> bool:
        """Whether a message with this metadata is the one, wherever it stands."""
        key, value = ("name", self.name) if self.seq is None else ("hash", self.name.split(":")[2])
        return (payload.get("maintenance"), payload.get(key)) == (self.maintenance, value)


class Outbox:
    """Reads and moves on the rows of both tables. Every method commits before it returns."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def pending(self) -> list[str]:
        """Return the ids of the maintenances that have an entry or a file which is not in the channel."""
        rows = self._database.query(
            "SELECT maintenance FROM deliveries WHERE state <> 'posted' UNION "
            "SELECT maintenance FROM live_messages "
            "WHERE substr(name, 1, 5) = 'file:' AND state IN ('waiting', 'posting') "
            "ORDER BY 1"
        )
        return [row["maintenance"] for row in rows]

    def backlog(self) -> tuple[int, datetime | None]:
        """Return how many entries are not in the channel, and when the oldest of them was recorded."""
        [row] = self._database.query(
            "SELECT count(*) AS number, min(entries.at) AS oldest FROM deliveries JOIN entries "
            "ON entries.maintenance = deliveries.maintenance AND entries.seq = deliveries.seq "
            "WHERE deliveries.state <> 'posted'"
        )
        return int(row["number"]), None if row["oldest"] is None else instant(row["oldest"])

    def uncertain(self) -> list[str]:
        """Return the ids of the maintenances with a card or prompt of which it is not known what it shows."""
        rows = self._database.query(
            "SELECT DISTINCT maintenance FROM live_messages "
            "WHERE substr(name, 1, 5) <> 'file:' AND digest = '' AND state IN ('posted', 'pinned')"
        )
        return [row["maintenance"] for row in rows]

    def closed(self) -> set[str]:
        """Return the ids of the maintenances whose card shows their end."""
        rows = self._database.query(
            "SELECT maintenance FROM live_messages WHERE name = 'card' AND state = ?", (CLOSED,)
        )
        return {row["maintenance"] for row in rows}

    def begun(self, maintenance: str) -> bool:
        """Whether the first entry is in the channel."""
        rows = self._database.query(
            "SELECT seq FROM deliveries WHERE maintenance = ? AND seq = 1 AND state = 'posted'", (maintenance,)
        )
        return bool(rows)

    def undelivered(self, maintenance: str) -> dict[int, str]:
        """Return the state of each entry that is not in the channel or has a file that is not, by its number."""
        files = [live for live in self.live(maintenance).values() if live.name.startswith(_FILE) and not live.is_up]
        behind = {int(live.name.split(":")[1]): POSTED for live in files if live.state != GIVEN_UP}
        rows = self._database.query(
            "SELECT seq, state FROM deliveries WHERE maintenance = ? AND state <> 'posted'", (maintenance,)
        )
        return dict(sorted({**behind, **{int(row["seq"]): row["state"] for row in rows}}.items()))

    def delivered(self, maintenance: str) -> dict[int, str]:
        """Return the `ts` of each entry that is in the channel, by its number."""
        rows = self._database.query(
            "SELECT seq, ts FROM deliveries WHERE maintenance = ? AND state = 'posted' ORDER BY seq", (maintenance,)
        )
        return {int(row["seq"]): str(row["ts"]) for row in rows}

    def shown_as(self, maintenance: str, seq: int) -> str | None:
        """Return the digest of what the message of an entry showed when it was posted; None where that is not kept."""
        rows = self._database.query("SELECT digest FROM shown_as WHERE maintenance = ? AND seq = ?", (maintenance, seq))
        return str(rows[0]["digest"]) if rows else None

    def channel(self, maintenance: str) -> str:
        """Return the id of the channel that the maintenance is told in."""
        rows = self._database.query(
            "SELECT channel FROM deliveries WHERE maintenance = ? ORDER BY seq LIMIT 1", (maintenance,)
        )
        return str(rows[0]["channel"])

    def live(self, maintenance: str) -> dict[str, Live]:
        """Return the card, the prompts and the files of a maintenance, by name."""
        rows = self._database.query(
            "SELECT name, state, ts, digest FROM live_messages WHERE maintenance = ? ORDER BY name", (maintenance,)
        )
        return {row["name"]: Live(row["name"], row["state"], row["ts"] or "", row["digest"]) for row in rows}

    def doubt(self, doubt: Doubt) -> None:
        """Note that it is posted again, although it may be in the channel."""
        self._database.query(
            "INSERT INTO doubts (maintenance, name, channel, at) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (maintenance, name) DO UPDATE SET at = excluded.at",
            (doubt.maintenance, doubt.name, doubt.channel, doubt.at.isoformat()),
        )

    def doubts(self) -> list[Doubt]:
        """Return all that is in doubt."""
        rows = self._database.query("SELECT maintenance, name, channel, at FROM doubts ORDER BY at, name")
        return [Doubt(row["maintenance"], row["name"], row["channel"], instant(row["at"])) for row in rows]

    def forget_doubt(self, doubt: Doubt) -> None:
        """Note that no repeat of it is to be expected any more."""
        self._database.query("DELETE FROM doubts WHERE maintenance = ? AND name = ?", (doubt.maintenance, doubt.name))

    def stands_at(self, doubt: Doubt) -> str | None:
        """Return the `ts` of the message that counts; None while it is not in the channel."""
        if doubt.seq is None:
            live = self.live(doubt.maintenance).get(doubt.name)
            return live.ts if live is not None and live.is_up else None
        rows = self._database.query(
            "SELECT ts FROM deliveries WHERE maintenance = ? AND seq = ? AND state = 'posted'",
            (doubt.maintenance, doubt.seq),
        )
        return str(rows[0]["ts"]) if rows else None

    def show(self, maintenance: str, name: str, state: str, digest: str) -> None:
        """Note what a live message shows now."""
        self._database.query(
            "UPDATE live_messages SET state = ?, digest = ? WHERE maintenance = ? AND name = ?",
            (state, digest, maintenance, name),
        )

    def forget_shown(self, maintenance: str, name: str) -> None:
        """Note that what a live message shows is not certain, so that it is updated once more."""
        self._database.query(
            "UPDATE live_messages SET digest = '' WHERE maintenance = ? AND name = ?", (maintenance, name)
        )


class LogSlot:
    """The place of one log message in the outbox."""

    def __init__(self, database: Database, maintenance: str, seq: int, channel: str, files: Sequence[str] = ()) -> None:
        self._database = database
        self._key = (maintenance, seq)
        self._channel = channel
        self._files = files

    def claim(self) -> bool:
        """Commit that it is about to be posted; False unless it was waiting."""
        return self._move(WAITING, POSTING)

    def release(self) -> None:
        """It is certainly not in the channel: let it wait again."""
        self._move(POSTING, WAITING)

    def posted(self, ts: str, digest: str = "") -> None:
        """It is in the channel at `ts`, and shows what has `digest` ("" if that is not known). Its files wait now."""
        with self._database.transaction():
            self._database.query(
                "UPDATE deliveries SET state = 'posted', ts = ? WHERE maintenance = ? AND seq = ?", (ts, *self._key)
            )
            if digest:
                self._database.query(
                    "INSERT INTO shown_as (maintenance, seq, digest) VALUES (?, ?, ?) "
                    "ON CONFLICT (maintenance, seq) DO UPDATE SET digest = excluded.digest",
                    (*self._key, digest),
                )
            for name in self._files:
                self._database.query(
                    "INSERT INTO live_messages (maintenance, name, channel, state, digest) "
                    "VALUES (?, ?, ?, 'waiting', '') ON CONFLICT (maintenance, name) DO NOTHING",
                    (self._key[0], file_name(self._key[1], name), self._channel),
                )

    def _move(self, old: str, new: str) -> bool:
        rows = self._database.query(
            "UPDATE deliveries SET state = ? WHERE maintenance = ? AND seq = ? AND state = ? RETURNING seq",
            (new, *self._key, old),
        )
        return bool(rows)


class LiveSlot:
    """The place of the card, a prompt or a file in the outbox."""

    def __init__(self, database: Database, maintenance: str, name: str, channel: str) -> None:
        self._database = database
        self._key = (maintenance, name)
        self._channel = channel

    def claim(self) -> bool:
        """Commit that it is about to be posted; False if it is up, or somebody else is posting it."""
        rows = self._database.query(
            "INSERT INTO live_messages (maintenance, name, channel, state, digest) VALUES (?, ?, ?, 'posting', '') "
            "ON CONFLICT (maintenance, name) DO UPDATE SET state = 'posting' WHERE live_messages.state = 'waiting' "
            "RETURNING name",
            (*self._key, self._channel),
        )
        return bool(rows)

    def release(self) -> None:
        """It is certainly not in the channel: let it wait again."""
        self._set(WAITING)

    def posted(self, ts: str, digest: str = "") -> None:
        """It is in the channel at `ts` and shows what has `digest` ("" if that is not known)."""
        self._database.query(
            "UPDATE live_messages SET state = 'posted', ts = ?, digest = ? WHERE maintenance = ? AND name = ?",
            (ts, digest, *self._key),
        )

    def give_up(self) -> None:
        """It is not going to be posted."""
        self._set(GIVEN_UP)

    def _set(self, state: str) -> None:
        self._database.query(
            "UPDATE live_messages SET state = ? WHERE maintenance = ? AND name = ?", (state, *self._key)
        )


def entry_name(seq: int, hash_: str) -> str:
    """Return the name of an entry's message in `doubts`."""
    return f"{_ENTRY}{seq}:{hash_}"


def file_name(seq: int, name: str) -> str:
    """Return the name in `live_messages` of a file of entry `seq`."""
    return f"{_FILE}{seq}:{name}"


def recover(slot: LogSlot | LiveSlot, found: str | None, digest: str = "") -> bool:
    """Settle a slot that was left in `posting`: it is in the channel at `found`, or (None) it waits again."""
    if found is None:
        slot.release()
        return False
    slot.posted(found, digest)
    return True


def once(slot: LogSlot | LiveSlot, send: Callable[[], str], digest: str = "") -> str:
    """Claim the slot, send, and note the `ts` that `send` returns.

    Raises what `send` raises: after `Temporary` and `Final` it waits again; after `AnswerLost` it stays `posting`, to
    be settled by `recover`. Raises `Temporary` if somebody else has claimed it.
    """
    if not slot.claim():
        raise Temporary("Another process is posting this just now.", retry_after_s=_CLAIMED_ELSEWHERE_S)
    try:
        ts = send()
    except (Temporary, Final):
        slot.release()
        raise
    slot.posted(ts, digest)
    return ts
