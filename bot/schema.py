"""The tables of the bot's own database, and how those of an older version become those of this one.

A migration is a list of statements that both databases understand, carried out once, in order. While processes of two
versions share a database, the older ones go on with the newer tables: so a migration only adds (a table, an index, a
column that may be null or has a default), and one that was released is never changed. An older version starts on newer
tables too, so that a release can be taken back.

Should older versions ever have to keep off, the migration also inserts its own number into `schema_floor`.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from bot.errors import MaintError

_FIRST = (
    """CREATE TABLE IF NOT EXISTS entries (
        maintenance TEXT NOT NULL, seq INTEGER NOT NULL, at TEXT NOT NULL, actor TEXT NOT NULL, kind TEXT NOT NULL,
        step TEXT, payload TEXT NOT NULL, key TEXT NOT NULL UNIQUE, prev_hash TEXT NOT NULL, hash TEXT NOT NULL,
        PRIMARY KEY (maintenance, seq))""",
    """CREATE INDEX IF NOT EXISTS entries_first ON entries (at, maintenance) WHERE seq = 1""",
    """CREATE INDEX IF NOT EXISTS entries_moves ON entries (maintenance, seq) WHERE kind = 'state_changed'""",
    """CREATE TABLE IF NOT EXISTS deliveries (
        maintenance TEXT NOT NULL, seq INTEGER NOT NULL, channel TEXT NOT NULL, state TEXT NOT NULL, ts TEXT,
        PRIMARY KEY (maintenance, seq))""",
    """CREATE INDEX IF NOT EXISTS deliveries_waiting ON deliveries (maintenance, seq) WHERE state <> 'posted'""",
    """CREATE TABLE IF NOT EXISTS live_messages (
        maintenance TEXT NOT NULL, name TEXT NOT NULL, channel TEXT NOT NULL, state TEXT NOT NULL, ts TEXT,
        digest TEXT NOT NULL, PRIMARY KEY (maintenance, name))""",
    """CREATE TABLE IF NOT EXISTS intents (key TEXT PRIMARY KEY, at TEXT NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS ledger (
        name TEXT NOT NULL, position INTEGER NOT NULL, recipient TEXT NOT NULL, state TEXT NOT NULL,
        detail TEXT NOT NULL DEFAULT '', PRIMARY KEY (name, recipient))""",
    """CREATE INDEX IF NOT EXISTS ledger_by_state ON ledger (name, state, position)""",
    """CREATE TABLE IF NOT EXISTS progress (
        maintenance TEXT NOT NULL, step TEXT NOT NULL, at TEXT NOT NULL, payload TEXT NOT NULL,
        PRIMARY KEY (maintenance, step))""",
    """CREATE TABLE IF NOT EXISTS pictures (digest TEXT PRIMARY KEY, content TEXT NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS leases (
        executor TEXT PRIMARY KEY, boot TEXT NOT NULL, seen_at TEXT NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS freezes (
        id TEXT NOT NULL, what TEXT NOT NULL, who TEXT NOT NULL, at TEXT NOT NULL, begins TEXT NOT NULL,
        until TEXT NOT NULL, zone TEXT NOT NULL, reason TEXT NOT NULL, channel TEXT NOT NULL,
        delivery TEXT NOT NULL UNIQUE, PRIMARY KEY (id, what))""",
)

_DOUBTS = (
    """CREATE TABLE IF NOT EXISTS doubts (
        maintenance TEXT NOT NULL, name TEXT NOT NULL, channel TEXT NOT NULL, at TEXT NOT NULL,
        PRIMARY KEY (maintenance, name))""",
)

_ENDINGS = (
    """CREATE TABLE IF NOT EXISTS endings (maintenance TEXT PRIMARY KEY, payload TEXT NOT NULL)""",
    """CREATE INDEX IF NOT EXISTS entries_aborted ON entries (maintenance) WHERE kind = 'aborted'""",
)

_SHOWN = (
    """CREATE TABLE IF NOT EXISTS shown_as (
        maintenance TEXT NOT NULL, seq INTEGER NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (maintenance, seq))""",
)

_RECIPIENTS = ("""CREATE INDEX IF NOT EXISTS ledger_by_recipient ON ledger (recipient)""",)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_FIRST, _DOUBTS, _ENDINGS, _SHOWN, _RECIPIENTS)
"""All of them, oldest first: add one at the end, also for a mere index."""
_VERSIONS = "CREATE TABLE IF NOT EXISTS schema_versions (version INTEGER PRIMARY KEY, at TEXT NOT NULL)"
_FLOOR = "CREATE TABLE IF NOT EXISTS schema_floor (version INTEGER PRIMARY KEY)"

Query = Callable[..., Sequence[dict[str, Any]]]


class TooOld(MaintError):
    """A newer version of the bot has changed the database in a way that this one must not write behind."""

    def __init__(self, floor: int, known: int) -> None:
        super().__init__(
            f"The bot's own database needs a bot that knows version {floor} of its tables, and this one knows {known}: "
            "a newer bot has worked with it. Nothing was changed. Start the newer version again."
        )


def migrate(query: Query, migrations: Sequence[Sequence[str]] = MIGRATIONS) -> int:
    """Bring the tables up to date, and return how many migrations were carried out.

    Call it inside a transaction that no other process can have at the same time. Raises `TooOld` before
    anything is changed.
    """
    query(_VERSIONS)
    query(_FLOOR)
    floor = int(query("SELECT coalesce(max(version), 0) AS version FROM schema_floor")[0]["version"])
    if floor > len(migrations):
        raise TooOld(floor, len(migrations))
    found = int(query("SELECT coalesce(max(version), 0) AS version FROM schema_versions")[0]["version"])
    for version, statements in enumerate(migrations[found:], found + 1):
        for statement in statements:
            query(statement)
        query("INSERT INTO schema_versions (version, at) VALUES (?, ?)", (version, datetime.now(UTC).isoformat()))
    return max(0, len(migrations) - found)
