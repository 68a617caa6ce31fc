"""Keeps to Statuspage's rate: one request a second, measured over any 60 seconds ("Rate Limiting" in its reference).

So a few requests may follow one another at once, as long as no 60 seconds see more than 60. Some are left for people
and programs that use the same key; where those use more, the server refuses, and `hold` obeys.
"""

import hashlib
import threading
import time
from collections import deque
from collections.abc import Callable

LIMIT = 55
WINDOW_S = 60.0


class Bucket:
    """Grants `LIMIT` requests in any `WINDOW_S` seconds. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._granted: deque[float] = deque(maxlen=LIMIT)
        self._held_until = clock()

    def take(self) -> float:
        """Take leave for one request, and return the seconds to wait before it is sent; 0 for at once."""
        with self._lock:
            now = self._clock()
            free = self._granted[0] + WINDOW_S if len(self._granted) == LIMIT else now
            at = max(now, self._held_until, free)
            self._granted.append(at)
            return at - now

    def hold(self, seconds: float) -> None:
        """Send nothing for so long: the server has refused a request, whoever used up the rate."""
        with self._lock:
            self._held_until = max(self._held_until, self._clock() + seconds)


_buckets: dict[str, Bucket] = {}
_lock = threading.Lock()


def bucket_of(url: str, key: str) -> Bucket:
    """Return the bucket that everything in this process shares which uses this key of this API."""
    name = hashlib.sha256(f"{url} {key}".encode()).hexdigest()
    with _lock:
        return _buckets.setdefault(name, Bucket())
