"""The threads of a process: each does one thing until the process stops, and none may end unnoticed."""

import threading
import time
from collections.abc import Callable

import structlog

log = structlog.get_logger()


class Threads:
    """Threads that all watch `stopping`. If one of them breaks, the process ends rather than going on half alive."""

    def __init__(self, stopping: threading.Event) -> None:
        self._stopping = stopping
        self._needed: list[threading.Thread] = []
        self.broke = False
        """Whether a thread ended with an error, and so the process with it."""

    def start(self, name: str, target: Callable[[], object], *, needed: bool = False) -> threading.Thread:
        """Run `target` in a thread. A `needed` one must not end before the process stops (`fallen`, `join`)."""
        thread = threading.Thread(target=lambda: self._to_its_end(name, target), name=name, daemon=True)
        if needed:
            self._needed.append(thread)
        thread.start()
        return thread

    def fallen(self) -> str:
        """Name the needed threads that have ended, which nothing but a new start mends; "" if there is none."""
        if self._stopping.is_set():
            return ""
        return ", ".join(f"{thread.name} has ended" for thread in self._needed if not thread.is_alive())

    def join(self, until: float) -> None:
        """Wait for the needed threads to end, up to `until` (`time.monotonic()`)."""
        for thread in self._needed:
            thread.join(max(0.0, until - time.monotonic()))

    def _to_its_end(self, name: str, target: Callable[[], object]) -> None:
        try:
            target()
        except Exception:
            log.exception("thread_broke", thread=name)
            self.broke = True
            self._stopping.set()
