"""The journal: append-only, hash-chained entries. The state of a maintenance is the fold of its entries."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bot.database import Database, Row, UniqueViolation
from bot.entry import Entry, instant
from bot.errors import Conflict
from bot.state import FINISHED
from bot.step import canonical

GENESIS = "0" * 64
_AT_ONCE = 500


@dataclass(frozen=True)
class Draft:
    """An entry to be: what happened, before it has a place in the chain.

    `key` makes it happen once: a second draft with the key of an entry that exists is refused as a `Duplicate`.
    """

    kind: str
    actor: str
    key: str
    step: str | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)


class Duplicate(Conflict):
    """An entry with this key exists: what the draft says has been recorded before. `entry` is that one."""

    def __init__(self, entry: Entry) -> None:
        super().__init__(f"already recorded as {entry.maintenance} #{entry.seq}")
        self.entry = entry


def hashed_text(entry: Entry) -> str:
    """Return the canonical JSON of everything in `entry` but its own hash, the previous entry's hash included."""
    body = {
        "maintenance": entry.maintenance,
        "seq": entry.seq,
        "at": entry.at.isoformat(),
        "actor": entry.actor,
        "kind": entry.kind,
        "step": entry.step,
        "payload": dict(entry.payload),
        "key": entry.key,
        "prev_hash": entry.prev_hash,
    }
    return canonical(body)


def entry_hash(entry: Entry) -> str:
    """Return the SHA-256 (hex) of the entry's `hashed_text`."""
    return hashlib.sha256(hashed_text(entry).encode()).hexdigest()


class Journal:
    """Reads and appends entries. Thread-safe and process-safe: of two writers for one place in the chain, one wins."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.database = database
        self._clock = clock

    def append(self, maintenance: str, drafts: list[Draft], *, after: int) -> list[Entry]:
        """Append `drafts` in one transaction behind entry number `after` (0 for a new maintenance).

        Each entry waits from then on for its delivery to the channel. Raises `Duplicate` if a key is known,
        `Conflict` if the journal has moved on, and `ValueError` if two drafts have one key; nothing is written then.
        """
        if len({draft.key for draft in drafts}) < len(drafts):
            raise ValueError(f"two entries of {maintenance} with one key: {[draft.key for draft in drafts]}")
        try:
            with self.database.transaction():
                return self._append(maintenance, drafts, after)
        except UniqueViolation as error:
            for draft in drafts:
                existing = self.find(draft.key)
                if existing is not None:
                    raise Duplicate(existing) from None
            raise Conflict(f"{maintenance} has moved on from entry {after}") from error

    def _append(self, maintenance: str, drafts: list[Draft], after: int) -> list[Entry]:
        head = self._head(maintenance)
        if head[0] != after:
            for draft in drafts:
                existing = self.find(draft.key)
                if existing is not None:
                    raise Duplicate(existing)
            raise Conflict(f"{maintenance} has moved on from entry {after} to {head[0]}")
        entries: list[Entry] = []
        for draft in drafts:
            entry = self._chain(maintenance, draft, *head)
            self._insert(entry)
            entries.append(entry)
            head = (entry.seq, entry.hash, entry.at)
        return entries

    def restore(self, entries: Sequence[Entry]) -> None:
        """Write the entries of one maintenance back as they were, after the database was lost.

        The channel is searched for each before anything is posted again. Raises `Conflict` if the maintenance is
        known here, or the chain does not hold; nothing is written then.
        """
        prev_hash = GENESIS
        for number, entry in enumerate(entries, 1):
            if entry.seq != number or entry.prev_hash != prev_hash or entry_hash(entry) != entry.hash:
                raise Conflict(f"The chain of {entry.maintenance} breaks at #{number}; nothing was written.")
            prev_hash = entry.hash
        try:
            with self.database.transaction():
                for entry in entries:
                    self._insert(entry)
                self.database.query(
                    "UPDATE deliveries SET state = 'posting' WHERE maintenance = ?", (entries[0].maintenance,)
                )
        except UniqueViolation:
            raise Conflict(f"{entries[0].maintenance} is in this database already; nothing was written.") from None

    def _head(self, maintenance: str) -> tuple[int, str, datetime | None]:
        rows = self.database.query(
            "SELECT seq, hash, at FROM entries WHERE maintenance = ? ORDER BY seq DESC LIMIT 1", (maintenance,)
        )
        return (rows[0]["seq"], rows[0]["hash"], instant(rows[0]["at"])) if rows else (0, GENESIS, None)

    def _chain(self, maintenance: str, draft: Draft, seq: int, prev_hash: str, last_at: datetime | None) -> Entry:
        # A clock that was set back must not make the log run backwards.
        now = self._clock().astimezone(UTC)
        at = now if last_at is None else max(now, last_at)
        # Half a surrogate pair (from a file name, or a log cut in the middle) cannot be hashed or stored.
        payload = json.loads(canonical(dict(draft.payload)).encode(errors="replace"))
        entry = Entry(
            maintenance, seq + 1, at, draft.actor, str(draft.kind), draft.step, payload, draft.key, prev_hash, ""
        )
        return Entry(**{**vars(entry), "hash": entry_hash(entry)})

    def _insert(self, entry: Entry) -> None:
        self.database.query(
            "INSERT INTO entries (maintenance, seq, at, actor, kind, step, payload, key, prev_hash, hash) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                entry.maintenance,
                entry.seq,
                entry.at.isoformat(),
                entry.actor,
                entry.kind,
                entry.step,
                canonical(dict(entry.payload)),
                entry.key,
                entry.prev_hash,
                entry.hash,
            ),
        )
        self.database.query(
            "INSERT INTO deliveries (maintenance, seq, channel, state) VALUES (?, ?, ?, 'waiting')",
            (entry.maintenance, entry.seq, self._channel(entry)),
        )

    def _channel(self, entry: Entry) -> str:
        if entry.seq == 1:
            return str(entry.payload["channel"])
        rows = self.database.query(
            "SELECT channel FROM deliveries WHERE maintenance = ? AND seq = 1", (entry.maintenance,)
        )
        return str(rows[0]["channel"])

    def read(self, maintenance: str, *, after: int = 0) -> list[Entry]:
        """Return the entries behind number `after`, oldest first; an unknown maintenance has none."""
        rows = self.database.query(
            "SELECT * FROM entries WHERE maintenance = ? AND seq > ? ORDER BY seq", (maintenance, after)
        )
        return [_entry(row) for row in rows]

    def kinds(self, maintenance: str, *, after: int, upto: int) -> dict[str, int]:
        """Return how many entries of each kind there are behind number `after`, up to and with number `upto`."""
        rows = self.database.query(
            "SELECT kind, count(*) AS number FROM entries WHERE maintenance = ? AND seq > ? AND seq <= ? GROUP BY kind",
            (maintenance, after, upto),
        )
        return {row["kind"]: int(row["number"]) for row in rows}

    def stream(self, maintenance: str) -> Iterator[Entry]:
        """Yield all entries, oldest first, without holding more than a few hundred of them at a time."""
        after = 0
        while True:
            rows = self.database.query(
                "SELECT * FROM entries WHERE maintenance = ? AND seq > ? ORDER BY seq LIMIT ?",
                (maintenance, after, _AT_ONCE),
            )
            yield from map(_entry, rows)
            if len(rows) < _AT_ONCE:
                return
            after = rows[-1]["seq"]

    def find(self, key: str) -> Entry | None:
        """Return the entry with this idempotency key, or None."""
        rows = self.database.query("SELECT * FROM entries WHERE key = ?", (key,))
        return _entry(rows[0]) if rows else None

    def maintenances(self, channel: str | None = None) -> list[str]:
        """Return the ids of all maintenances, or of those that are told in `channel`, oldest first."""
        if channel is None:
            rows = self.database.query("SELECT maintenance FROM entries WHERE seq = 1 ORDER BY at, maintenance")
        else:
            rows = self.database.query(
                "SELECT entries.maintenance FROM entries JOIN deliveries ON deliveries.seq = 1 "
                "AND deliveries.maintenance = entries.maintenance AND deliveries.channel = ? "
                "WHERE entries.seq = 1 ORDER BY at, entries.maintenance",
                (channel,),
            )
        return [row["maintenance"] for row in rows]

    def last(self) -> dict[str, int]:
        """Return the number of the last entry of every maintenance, oldest maintenance first.

        One look into the index for each, whatever the length of the journals: this is asked every second.
        """
        rows = self.database.query(
            "SELECT maintenance, (SELECT max(seq) FROM entries AS every WHERE every.maintenance = entries.maintenance) "
            "AS last FROM entries WHERE seq = 1 ORDER BY at, maintenance"
        )
        return {row["maintenance"]: row["last"] for row in rows}

    def ended(self) -> dict[str, datetime]:
        """Return when each maintenance that is `FINISHED` became so, found without folding; no abort is among it."""
        rows = self.database.query("SELECT maintenance, at, payload FROM entries WHERE kind = 'state_changed'")
        return {row["maintenance"]: instant(row["at"]) for row in rows if json.loads(row["payload"])["to"] in FINISHED}

    def statuses(self) -> dict[str, str]:
        """Return the status of each maintenance that is `FINISHED` or aborted, found without folding."""
        rows = self.database.query("SELECT maintenance, payload FROM entries WHERE kind = 'state_changed'")
        moved = [(row["maintenance"], str(json.loads(row["payload"])["to"])) for row in rows]
        aborted = self.database.query("SELECT maintenance FROM entries WHERE kind = 'aborted'")
        return {
            **{maintenance: to for maintenance, to in moved if to in FINISHED},
            **{row["maintenance"]: "aborted" for row in aborted},
        }

    def counted(self) -> dict[str, tuple[int, dict[str, int]]]:
        """Return for each maintenance the number of its last entry, and how many of each kind there are up to it."""
        rows = self.database.query(
            "SELECT maintenance, kind, count(*) AS number, max(seq) AS last FROM entries GROUP BY maintenance, kind"
        )
        found: dict[str, tuple[int, dict[str, int]]] = {}
        for row in rows:
            last, kinds = found.get(row["maintenance"], (0, {}))
            found[row["maintenance"]] = max(last, row["last"]), {**kinds, row["kind"]: int(row["number"])}
        return found

    def heads(self) -> list[tuple[str, int, str]]:
        """Return id, number and hash of the last entry of every maintenance, by id."""
        rows = self.database.query(
            "SELECT maintenance, seq, hash FROM entries WHERE (maintenance, seq) IN "
            "(SELECT maintenance, (SELECT max(seq) FROM entries AS every WHERE every.maintenance = "
            "entries.maintenance) FROM entries WHERE seq = 1) ORDER BY maintenance"
        )
        return [(row["maintenance"], row["seq"], row["hash"]) for row in rows]

    def broken_at(self, maintenance: str) -> int | None:
        """Return the number of the first entry whose hash or place in the chain is wrong, or None if all is well."""
        prev_hash, expected = GENESIS, 1
        for entry in self.stream(maintenance):
            if entry.seq != expected or entry.prev_hash != prev_hash or entry_hash(entry) != entry.hash:
                return expected
            prev_hash, expected = entry.hash, expected + 1
        return None


def _entry(row: Row) -> Entry:
    return Entry(**{**row, "at": instant(row["at"]), "payload": json.loads(row["payload"])})
