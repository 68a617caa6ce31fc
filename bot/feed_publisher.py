"""Keeps the texts of the feed up to date in memory, so that any number of readers costs the database nothing."""

import hashlib
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from bot.database import Unavailable
from bot.feed import KEPT, Feed, is_shown, public
from bot.feed_texts import as_atom, as_calendar, as_json
from bot.maintenances import Maintenances
from bot.state import State

SCRIPT = Path(__file__).with_name("feed.js")
_TICK_S = 1.0
_TRUSTED_S = 600.0
_SHORT = "public, max-age=30, stale-while-revalidate=30, stale-if-error=300"
_LONG = "public, max-age=3600"

log = structlog.get_logger()


@dataclass(frozen=True)
class Document:
    """One text of the feed, with the headers that it is served or put with."""

    body: bytes
    media_type: str
    cache_control: str

    @property
    def etag(self) -> str:
        """The entity tag, with its quotation marks (RFC 9110, section 8.8.3): that of equal texts is equal."""
        return f'"{hashlib.sha256(self.body).hexdigest()[:32]}"'


def documents_of(feed: Feed) -> dict[str, Document]:
    """Return all texts of `feed`, by file name, and the script that shows them."""
    return {
        "maintenance.json": Document(as_json(feed), "application/json", _SHORT),
        "maintenance.ics": Document(as_calendar(feed), "text/calendar; charset=utf-8", _SHORT),
        "maintenance.atom": Document(as_atom(feed), "application/atom+xml", _SHORT),
        "maintenance.js": Document(SCRIPT.read_bytes(), "text/javascript; charset=utf-8", _LONG),
    }


class Publisher:
    """Reads the states each second and makes the texts anew when the public would see a difference.

    `of` tells this feed from those of other bots (see `bot.feed.public`).
    """

    def __init__(self, maintenances: Maintenances, of: str) -> None:
        self._maintenances = maintenances
        self._of = of
        self._feed: Feed | None = None
        self._documents: Mapping[str, Document] = {}
        self._read_at = 0.0
        self._gone: set[str] | None = None

    @property
    def documents(self) -> Mapping[str, Document]:
        """The texts by file name; empty before the first reading, and when the last one is 10 minutes ago.

        While the database is away nothing can change by this bot, so that what was read last is still the truth; but
        where several processes share it, another one may have gone on.
        """
        return self._documents if time.monotonic() - self._read_at < _TRUSTED_S else {}

    def run(self, stop: threading.Event) -> None:
        """Refresh each second until `stop` is set."""
        while not stop.is_set():
            self.refresh()
            stop.wait(_TICK_S)

    def refresh(self) -> None:
        """Read the states, and make the texts anew if they would differ. An error is logged and the old ones stay."""
        try:
            feed = public(self._states(), self._maintenances.now(), of=self._of)
            if feed != self._feed:
                self._documents = documents_of(feed)
                self._feed = feed
            self._read_at = time.monotonic()
        except Unavailable as error:
            log.warning("feed_waits_for_the_database", error=str(error))
        except Exception:
            log.exception("feed_failed")

    def _states(self) -> Iterator[State]:
        """The states that may be shown now or later; what is over for good is not read again."""
        if self._gone is None:
            # What ended so long ago need not be read to be left out: that would be the journals of years.
            long_ago = self._maintenances.now() - KEPT
            self._gone = {name for name, at in self._maintenances.journal.ended().items() if at <= long_ago}
        for maintenance, last in self._maintenances.last().items():
            if maintenance in self._gone:
                continue
            try:
                state = self._maintenances.state(maintenance, last=last)
            except ValueError:
                # A journal that somebody has spoiled must not take the others out of the feed.
                log.exception("feed_leaves_out", maintenance=maintenance)
                self._gone.add(maintenance)
                continue
            if not state.public or (state.over and not is_shown(state, self._maintenances.now())):
                self._gone.add(maintenance)
            yield state
