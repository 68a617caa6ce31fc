"""Pictures beside the journal: an entry names one by its SHA-256, and the bytes are kept here until they are shared."""

import base64
import hashlib

from bot.database import Database


class Pictures:
    """The pictures in one database, by the SHA-256 (hex) of their bytes; the same picture is there once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, content: bytes) -> str:
        """Commit a picture and return its digest."""
        digest = hashlib.sha256(content).hexdigest()
        self._database.query(
            "INSERT INTO pictures (digest, content) VALUES (?, ?) ON CONFLICT (digest) DO NOTHING",
            (digest, base64.b64encode(content).decode()),
        )
        return digest

    def read(self, digest: str) -> bytes | None:
        """Return the picture, or None if it is not here: a journal rebuilt from the channel has its pictures there."""
        rows = self._database.query("SELECT content FROM pictures WHERE digest = ?", (digest,))
        return base64.b64decode(rows[0]["content"]) if rows else None
