"""Keeps to the rate that Intercom's headers grant: uses all of it, evenly, and asks for nothing beyond.

Intercom counts requests in windows of ten seconds and tells in each answer how many remain and when the window ends
("Rate limiting" in its developer documentation: `X-RateLimit-Remaining`, `X-RateLimit-Reset` in Unix seconds).
"""

import threading
import time
from collections.abc import Callable, Mapping

_LOOK_EVERY_S = 0.25
_WINDOW_S = 10.0
_SPREAD = 0.85
"""Over how much of a window its requests are spread; the rest is there to catch up in."""
_AT_ONCE = 10
"""So many go as soon as they can: a few requests are not made to wait."""


class Limiter:
    """Grants requests. Thread-safe. Each `take` that returned True is followed by one `learn`, `lost` or `unsent`.

    What may be sent is what the server said remains, less what is on its way. When a window has ended, one request
    goes first and tells what the new one grants; without any limit in the answers, nothing is held back. What is
    granted is spread over the window: sent in one burst, it would keep everything else in the bot waiting.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._turn = threading.Lock()
        self._changed = threading.Condition()
        self._limited = True
        self._saw_a_limit = False
        self._remaining: int | None = None
        self._granted = 0
        self._window_began = self._window_ends = 0.0
        self._hold_until = 0.0
        self._on_the_way = 0
        self._scouting = False

    def take(self, stopped: Callable[[], bool]) -> bool:
        """Wait until one more request may be sent; False if `stopped` came true before."""
        while not self._turn.acquire(timeout=_LOOK_EVERY_S):  # one waits for the limit, or all would wake each time
            if stopped():
                return False
        try:
            with self._changed:
                while not stopped():
                    if self.try_take():
                        return True
                    self._changed.wait(self._look_again_in_s(self._clock()))
            return False
        finally:
            self._turn.release()

    def try_take(self) -> bool:
        """Take leave to send one more request, if there is any now."""
        with self._changed:
            if not self._may_send(self._clock()):
                return False
            self._on_the_way += 1
            self._scouting = self._limited and self._remaining is None
            return True

    def _may_send(self, now: float) -> bool:
        if now < self._hold_until:
            return False
        if not self._limited:
            return True
        if self._remaining is not None and now >= self._window_ends:
            self._remaining = None
        if self._remaining is None:
            return not self._scouting
        return self._remaining - self._on_the_way > self._kept_for_later(now)

    def _kept_for_later(self, now: float) -> float:
        """Return how many of the window's requests are not due yet."""
        spread_s = _SPREAD * (self._window_ends - self._window_began)
        if spread_s <= 0:
            return 0.0
        return max(0.0, self._granted * (1 - (now - self._window_began) / spread_s) - _AT_ONCE)

    def _look_again_in_s(self, now: float) -> float:
        """Return after how long something may have come due, should no answer arrive before."""
        over_in_s = max(self._window_ends, self._hold_until) - now
        if over_in_s <= 0:
            return _LOOK_EVERY_S
        look_in_s = min(_LOOK_EVERY_S, over_in_s)
        kept = self._kept_for_later(now)
        if self._remaining is None or kept == 0 or (free := self._remaining - self._on_the_way) <= 0:
            return look_in_s
        a_second = self._granted / (_SPREAD * (self._window_ends - self._window_began))
        return min(look_in_s, max(0.001, (kept - free) / a_second))

    def learn(self, headers: Mapping[str, str]) -> None:
        """Take in the headers (lower case) of an answer."""
        remaining, ends = _number(headers, "x-ratelimit-remaining"), _number(headers, "x-ratelimit-reset")
        with self._changed:
            self._arrived()
            if remaining is None or ends is None:
                self._limited = self._saw_a_limit  # a gateway's error page has no headers, and lifts no limit
            elif ends > self._window_ends or not self._limited:
                self._limited = self._saw_a_limit = True
                self._remaining = self._granted = int(remaining)
                self._window_began, self._window_ends = self._clock(), ends
            elif ends == self._window_ends:
                # Answers overtake one another: the lowest figure is the latest.
                known = int(remaining) if self._remaining is None else self._remaining
                self._remaining = min(known, int(remaining))
            self._changed.notify()

    def refused(self, headers: Mapping[str, str]) -> None:
        """Take in the headers of a 429: nothing more before the end that it names (`Retry-After`, or the window's)."""
        now = self._clock()
        ends = _number(headers, "x-ratelimit-reset")
        wait_s = _number(headers, "retry-after")
        until = ends if ends is not None else now + (_WINDOW_S if wait_s is None else wait_s)
        with self._changed:
            self._arrived()
            self._limited = self._saw_a_limit = True
            self._remaining = None
            # The server's clock may be a little behind ours: its window is not over when we think so.
            self._hold_until = max(self._hold_until, until, now + _LOOK_EVERY_S)
            self._changed.notify()

    def lost(self) -> None:
        """A request was sent and its answer never came: it may have been counted."""
        with self._changed:
            self._arrived()
            if self._remaining is not None:
                self._remaining -= 1
            self._changed.notify()

    def unsent(self) -> None:
        """A request could not be sent."""
        with self._changed:
            self._arrived()
            self._changed.notify()

    def _arrived(self) -> None:
        self._on_the_way -= 1
        self._scouting = False


def _number(headers: Mapping[str, str], name: str) -> float | None:
    try:
        return float(headers[name])
    except (KeyError, ValueError):
        return None
