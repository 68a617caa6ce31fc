"""Sessions of one server that stay open between two uses."""

import threading
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

_Session = psycopg.Connection[dict[str, Any]]


class Idle:
    """Sessions that nobody needs just now, at most `most` of them, by database; the one longest idle goes first."""

    def __init__(self) -> None:
        self.most = 0
        self._lock = threading.Lock()
        self._sessions: list[tuple[str, _Session]] = []

    def take(self, dbname: str) -> _Session | None:
        """Return one to the database that is still open, if there is one: it is the caller's until given back."""
        with self._lock:
            for place, (name, session) in enumerate(self._sessions):
                if name == dbname:
                    del self._sessions[place]
                    return None if session.closed else session
        return None

    def give(self, dbname: str, session: _Session) -> None:
        """Take one back, to be kept or closed. One in the middle of something is closed."""
        if session.closed or session.info.transaction_status is not TransactionStatus.IDLE:
            session.close()
            return
        with self._lock:
            self._sessions.append((dbname, session))
        self.trim()

    def trim(self) -> None:
        """Close what is too many."""
        with self._lock:
            many = max(0, len(self._sessions) - self.most)
            gone, self._sessions = self._sessions[:many], self._sessions[many:]
        for _, session in gone:
            session.close()
