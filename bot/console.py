"""The channel for dry runs: log lines on a text stream instead of Slack."""

import threading
from collections.abc import Sequence
from datetime import datetime
from typing import TextIO

from bot.evolve import evolve
from bot.maintenances import Maintenances
from bot.messages import log_line
from bot.state import State

_POLL_S = 0.5


class Console:
    """Prints every entry once, in order, as `bot.messages.log_line`; has the face of `bot.channel.Channel`."""

    def __init__(self, maintenances: Maintenances, stream: TextIO) -> None:
        self._maintenances = maintenances
        self._stream = stream
        self._shown: dict[str, State] = {}
        self._wake = threading.Event()

    def problems(self, maintenance: str) -> Sequence[str]:  # noqa: ARG002 - a terminal has none
        """Return what keeps the log from being complete: nothing."""
        return ()

    def wake(self) -> None:
        """Something was recorded: print it now."""
        self._wake.set()

    def refresh(self, maintenance: str) -> None:  # noqa: ARG002 - there is nothing to press
        """Show a decision: it is printed with the next entries."""
        self.wake()

    def run(self, stop: threading.Event) -> None:
        """Print until `stop` is set."""
        while not stop.is_set():
            self.deliver(self._maintenances.now())
            self._wake.wait(_POLL_S)
            self._wake.clear()
        self.deliver(self._maintenances.now())

    def deliver(self, now: datetime) -> float | None:  # noqa: ARG002 - what is printed does not depend on it
        """Print what is new; returns None, since nothing is ever outstanding."""
        for maintenance in self._maintenances.ids():
            state = self._shown.get(maintenance)
            for entry in self._maintenances.journal.read(maintenance, after=state.seq if state else 0):
                state = self._shown[maintenance] = evolve(state, entry)
                self._stream.write(f"{maintenance} {log_line(entry, state)}\n")
        self._stream.flush()
        return None
