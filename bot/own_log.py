"""Where the bot's own log goes: a stream that may fail, on a disk that may be full, without taking the bot along."""

import threading
from typing import TextIO


class Unfailing:
    """Writes to `stream`, and drops what it does not take; how many lines, it says when the stream takes some again.

    A log that raised would end whichever thread wanted to say something: the engine's, while the disk is full.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._dropped = 0

    def write(self, text: str) -> int:
        """Write `text`, or drop it; returns how many characters it has, as a stream does."""
        with self._lock:
            try:
                if self._dropped:
                    self._stream.write(f"level=warning event=log_lines_dropped count={self._dropped}\n")
                    self._stream.flush()
                    self._dropped = 0
                self._stream.write(text)
                self._stream.flush()
            except (OSError, ValueError):
                self._dropped += 1
        return len(text)

    def flush(self) -> None:
        """Nothing is held back: each line is flushed when it is written."""
