"""Intents, ledgers and progress: what a step commits about its effects before and after it has them."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from bot.database import Database, UniqueViolation
from bot.step import canonical

STATES = ("pending", "sending", "sent", "skipped", "unknown")
_PAGE = 1000
_AT_ONCE = 500
_PENDING = "(?, ?, ?, 'pending')"


class Intents:
    """The effects that were about to be had, by key. An intent is committed before its effect."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def intend(self, key: str, at: datetime) -> bool:
        """Commit the intent; False if it was committed before."""
        try:
            self._database.query("INSERT INTO intents (key, at) VALUES (?, ?)", (key, at.isoformat()))
        except UniqueViolation:
            return False
        return True

    def known(self, key: str) -> bool:
        """Whether the intent was committed and not taken back."""
        return bool(self._database.query("SELECT key FROM intents WHERE key = ?", (key,)))

    def forget(self, key: str) -> None:
        """Take the intent back: the effect has certainly not happened."""
        self._database.query("DELETE FROM intents WHERE key = ?", (key,))


class TableLedger:
    """The ledger of one mass send, in the table `ledger` (see `bot.step.Ledger` for what each method promises)."""

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._name = name

    def add(self, recipients: Iterable[str]) -> int:
        # A list, before the transaction: whoever pages through the outside must not hold up every writer meanwhile.
        everybody = list(recipients)
        with self._database.transaction():
            rows = self._database.query(
                "SELECT coalesce(max(position), 0) AS last FROM ledger WHERE name = ?", (self._name,)
            )
            last = int(rows[0]["last"])
            return sum(
                self._add(everybody[start : start + _AT_ONCE], last + start)
                for start in range(0, len(everybody), _AT_ONCE)
            )

    def _add(self, recipients: list[str], last: int) -> int:
        rows = [(self._name, last + number, recipient) for number, recipient in enumerate(recipients, 1)]
        return len(
            self._database.query(
                f"INSERT INTO ledger (name, position, recipient, state) VALUES {', '.join([_PENDING] * len(rows))} "  # noqa: S608
                "ON CONFLICT (name, recipient) DO NOTHING RETURNING position",
                [value for row in rows for value in row],
            )
        )

    def claim(self, limit: int) -> list[str]:
        while True:
            # The state is asked for twice: PostgreSQL looks again at a row that it had to wait for, and another
            # process may have claimed it meanwhile (PostgreSQL, "Transaction Isolation", Read Committed).
            rows = self._database.query(
                "UPDATE ledger SET state = 'sending' WHERE name = ? AND state = 'pending' AND recipient IN "
                "(SELECT recipient FROM ledger WHERE name = ? AND state = 'pending' ORDER BY position LIMIT ?) "
                "RETURNING recipient, position",
                (self._name, self._name, limit),
            )
            if rows or limit < 1 or not self.counts()["pending"]:
                return [row["recipient"] for row in sorted(rows, key=lambda row: int(row["position"]))]

    def settle(self, results: Iterable[tuple[str, str, str]]) -> None:
        settled = list(results)
        with self._database.transaction():
            for recipient, state, detail in settled:
                if state not in STATES:
                    raise ValueError(f"a ledger knows no state {state!r}")
                found = self._database.query(
                    "UPDATE ledger SET state = ?, detail = ? WHERE name = ? AND recipient = ? RETURNING position",
                    (state, detail, self._name, recipient),
                )
                if not found:
                    raise ValueError(f"{recipient!r} is not in the ledger {self._name}")

    def counts(self) -> dict[str, int]:
        rows = self._database.query(
            "SELECT state, count(*) AS number FROM ledger WHERE name = ? GROUP BY state", (self._name,)
        )
        return {**dict.fromkeys(STATES, 0), **{row["state"]: int(row["number"]) for row in rows}}

    def remove(self) -> int:
        """Remove all recipients, for good, and return how many there were."""
        count = sum(self.counts().values())
        self._database.query("DELETE FROM ledger WHERE name = ?", (self._name,))
        return count

    def recipients(self, state: str) -> Iterator[tuple[str, str]]:
        position, last = 0, ""
        while True:
            rows = self._database.query(
                "SELECT position, recipient, detail FROM ledger WHERE name = ? AND state = ? "
                "AND (position, recipient) > (?, ?) ORDER BY position, recipient LIMIT ?",
                (self._name, state, position, last, _PAGE),
            )
            if not rows:
                return
            for row in rows:
                yield row["recipient"], row["detail"]
            position, last = int(rows[-1]["position"]), str(rows[-1]["recipient"])

    def written_elsewhere(self, recipient: str, since: datetime) -> bool:
        rows = self._database.query(
            "SELECT name FROM ledger WHERE recipient = ? AND name <> ? AND state IN ('sending', 'sent', 'unknown')",
            (recipient, self._name),
        )
        return any(not self._was_over(row["name"], since) for row in rows)

    def _was_over(self, name: str, since: datetime) -> bool:
        """Whether the send of the ledger `name` had come to its end before `since`, or was left alone by then."""
        maintenance, _, ledger = name.rpartition(":")
        rows = self._database.query(
            "SELECT at, kind, payload FROM entries WHERE maintenance = ? ORDER BY seq", (maintenance,)
        )
        if rows and datetime.fromisoformat(rows[-1]["at"]) < since:
            return True
        ended = (
            row
            for row in rows
            if row["kind"] == "step_succeeded" and json.loads(row["payload"])["facts"].get("ledger") == ledger
        )
        last = max((datetime.fromisoformat(row["at"]) for row in ended), default=None)
        return last is not None and last < since


def counts_of_all(database: Database) -> dict[str, dict[str, int]]:
    """Return how many recipients all mass sends of a maintenance together have in each state, by maintenance."""
    found: dict[str, dict[str, int]] = {}
    for row in database.query("SELECT name, state, count(*) AS number FROM ledger GROUP BY name, state"):
        counts = found.setdefault(row["name"].rpartition(":")[0], {})
        counts[row["state"]] = counts.get(row["state"], 0) + int(row["number"])
    return found


class Progress:
    """How far each running step is: overwritten in place, shown on the run card, never part of the journal."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def set(self, maintenance: str, step: str, at: datetime, payload: dict[str, Any]) -> None:
        """Store the latest progress of a step."""
        self._database.query(
            "INSERT INTO progress (maintenance, step, at, payload) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (maintenance, step) DO UPDATE SET at = excluded.at, payload = excluded.payload",
            (maintenance, step, at.isoformat(), canonical(payload)),
        )

    def read(self, maintenance: str) -> dict[str, dict[str, Any]]:
        """Return the latest progress of each step: `done`, `total`, `unit`, `text`, and `at` (ISO 8601, UTC)."""
        rows = self._database.query("SELECT step, at, payload FROM progress WHERE maintenance = ?", (maintenance,))
        return {row["step"]: {**json.loads(row["payload"]), "at": row["at"]} for row in rows}
