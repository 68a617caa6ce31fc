"""What befalls a whole round: Slack away, the disk full, the database locked or restarted, a second bot, …"""

import contextlib
import resource
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator

import psycopg

from benchmarks.crashing.drawn import Weather
from benchmarks.crashing.place import RATES, Place

_SHORTEST_S, _LONGEST_S = 0.5, 5.0
_HOUR_S = 3600.0


class Skies:
    """Lets weather come over a `Place`, in a thread each. `said` gets a line for each; `wrong` what must not be."""

    def __init__(self, place: Place, said: Callable[[str], None]) -> None:
        self._place, self._said = place, said
        self._threads: list[threading.Thread] = []
        self.wrong: list[str] = []

    def come(self, weather: Weather) -> None:
        """Let it come now; it passes by itself."""
        thread = threading.Thread(target=self._over, args=(weather,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def passed(self) -> bool:
        """Whether all that came has passed."""
        return not any(thread.is_alive() for thread in self._threads)

    def _over(self, weather: Weather) -> None:
        for_s = _SHORTEST_S + weather.strength * (_LONGEST_S - _SHORTEST_S)
        try:
            self._said(f"{weather.what} for {for_s:.1f} s")
            {
                "slack-away": self._slack_away,
                "twice": self._twice,
                "out-of-order": self._out_of_order,
                "clock": self._clock,
                "disk-full": self._disk_full,
                "locked": self._locked,
                "server-restart": self._server_restart,
                "second-bot": self._second_bot,
            }[weather.what](for_s)
        except Exception as error:  # noqa: BLE001 - told by the round, which goes on
            self.wrong.append(f"the campaign itself failed over {weather.what}: {type(error).__name__}: {error}")

    def _slack_away(self, for_s: float) -> None:
        """No Web API, no response URLs, no connections: for up to an hour, by rates that are Slack's times `RATES`."""
        for_s *= _HOUR_S / RATES / _LONGEST_S
        faults = self._place.workspace.faults
        down = faults.arm("status", path="^/(api|response|upload)/", times=10**9, status=503, body="down")
        # It must come before what waits for a certain call: those wait for calls that arrive.
        faults.armed.insert(0, faults.armed.pop(faults.armed.index(down)))
        self._place.slack.disconnect_sockets(abrupt=True)
        time.sleep(for_s)
        down.times = 0

    def _twice(self, _: float) -> None:
        self._place.slack.break_delivery("duplicate", times=12)

    def _out_of_order(self, for_s: float) -> None:
        """Every other delivery is late, so that what is pressed after it arrives before it."""
        for _ in range(6):
            self._place.slack.break_delivery("delay", "interactive", delay_s=min(for_s, 2.0))
            time.sleep(0.3)

    def _clock(self, for_s: float) -> None:
        """Put the bot's clock forward by minutes, back before where it was, and right again."""
        for wrong_s in (60 * for_s, -4 * for_s, 0.0):
            self._place.clock.write_text(str(wrong_s))
            time.sleep(for_s)

    def _disk_full(self, for_s: float) -> None:
        """Not a byte can be written into any file, by the bot or by what it starts meanwhile."""
        with contextlib.suppress(ProcessLookupError):
            pid = self._place.bot.pid
            _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, most))
            time.sleep(for_s)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, most))

    def _locked(self, for_s: float) -> None:
        """Somebody else holds the bot's database; a restart of the server that comes meanwhile takes the lock along."""
        with contextlib.suppress(psycopg.OperationalError), self._lock():
            time.sleep(for_s)

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        if self._place.own is not None:
            with psycopg.connect(self._place.own.dsn("maint")) as session:
                session.execute("LOCK TABLE entries IN ACCESS EXCLUSIVE MODE")
                yield
            return
        with contextlib.closing(sqlite3.connect(self._place.sqlite, timeout=30, isolation_level=None)) as database:
            database.execute("BEGIN EXCLUSIVE")
            yield
            database.execute("ROLLBACK")

    def _server_restart(self, for_s: float) -> None:
        """Stop the bot's own PostgreSQL as a crash would, and start it again; where there is none, lock the file."""
        if self._place.own is None:
            self._locked(for_s)
            return
        self._place.own.stop("immediate")
        time.sleep(for_s / 2)
        self._place.own.start()

    def _second_bot(self, _: float) -> None:
        """Start a second bot by mistake: on SQLite it must refuse, on PostgreSQL it shares the work until it dies."""
        kills, up = self._place.kills, self._place.is_up()
        refused = self._place.second_bot_ends(within_s=25.0 if self._place.own is None else 8.0)
        if self._place.own is None and not refused and up and kills == self._place.kills:
            self.wrong.append("a second bot went on working on the same SQLite file")
