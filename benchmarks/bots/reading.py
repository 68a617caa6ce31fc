"""`verify` of a long log: what comparing costs, besides Slack's own pace (a page of 200 messages every 1.3 seconds).

The history is kept in a file, as Slack would answer it, and read back newest first; a plain loop that only parses the
same messages and hashes each entry is the peer.
"""

import json
import os
import time
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.bots.entries import entries
from benchmarks.bots.place import rss_mb
from bot.database import SqliteDatabase
from bot.evolve import evolve
from bot.journal import Journal, entry_hash
from bot.messages import log_message
from bot.slack_api import Identity
from bot.state import State
from bot.verify import verify

_ID = "2026-11-25-long"
_OWN = Identity("B0MAINT01", "U0MAINTBT", "T0SANDBOX")


class Kept:
    """The history of a channel, in a file with one message a line, oldest first."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._at: list[int] = []

    def identity(self) -> Identity:
        """Return who wrote the messages."""
        return _OWN

    def add(self, message: dict[str, Any]) -> None:
        """Append a message."""
        with self._file.open("ab") as file:
            self._at.append(file.tell())
            file.write(json.dumps(message).encode() + b"\n")

    def patient_history(self, channel: str, oldest: str = "0", **_: Any) -> Iterator[dict[str, Any]]:
        """Yield the messages, newest first."""
        del channel, oldest
        with self._file.open("rb") as file:
            for place in reversed(self._at):
                file.seek(place)
                yield json.loads(file.readline())


def reading(folder: Path, options: Namespace) -> dict[str, float]:
    """Return what `verify` of so many entries takes, as a share of what Slack's pace takes."""
    own, kept = Journal(SqliteDatabase(folder / "long.sqlite3")), Kept(folder / "history.jsonl")
    _write(own, kept, options.entries)
    before_mb, at = rss_mb(os.getpid()), time.perf_counter()
    found = verify(kept, own, _ID)  # type: ignore[arg-type]
    took_s, grown_mb = time.perf_counter() - at, rss_mb(os.getpid()) - before_mb
    assert found.ok, found.findings[:3]
    at = time.perf_counter()
    for message in kept.patient_history(""):
        json.dumps(message)
    for entry in own.read(_ID):
        entry_hash(entry)
    peer_s = time.perf_counter() - at
    print(
        f"{found.counted:,} entries verified in {took_s:.1f} s ({took_s / found.counted * 1e6:.0f} µs each), "
        f"{grown_mb:.0f} MB more; parsing and hashing alone {peer_s:.1f} s; Slack's pace is "
        f"{found.counted / 200 * 1.3:.0f} s"
    )
    return {"verify-share": took_s / (found.counted / 200 * 1.3)}


def _write(own: Journal, kept: Kept, count: int) -> None:
    """Write a journal and the messages of its log, all delivered."""
    state: State | None = None
    told = []
    for entry in entries(_ID, count):
        state = evolve(state, entry)
        shown = log_message(entry, state)
        ts = f"{entry.at.timestamp():.6f}"
        metadata = {
            "event_type": shown.metadata["event_type"],
            "event_payload": dict(shown.metadata["event_payload"]),
        }
        message = {"ts": ts, "bot_id": _OWN.bot_id, "text": shown.text, "blocks": list(shown.blocks)}
        kept.add({**message, "metadata": metadata})
        told.append(entry)
    own.restore(told)
    with own.database.transaction():
        for entry in told:
            own.database.query(
                "UPDATE deliveries SET state = 'posted', ts = ? WHERE maintenance = ? AND seq = ?",
                (f"{entry.at.timestamp():.6f}", _ID, entry.seq),
            )
