"""Rate limits: a bucket of permissions for each method (and channel, for posting) that refills with time."""

import math
import time

from sandbox.slack.config import App, Limits
from sandbox.slack.methods import SPECIAL, Method


class Limiter:
    """Counts calls. Nothing is dropped: a call over the limit is answered 429 and changes nothing."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._buckets: dict[tuple[str, str, str], tuple[float, float]] = {}

    def wait_s(self, app: App, method: Method, channel: str) -> int:
        """0 if the call may go on (and it is counted), else whole seconds to wait, for `Retry-After`."""
        if not self.limits.enabled:
            return 0
        posting = method.name == "chat.postMessage"
        rate, burst = self._figures(method, posting=posting)
        key = (app.id, method.name, channel if posting else "")
        now = time.monotonic()
        level, then = self._buckets.get(key, (burst, now))
        level = min(burst, level + (now - then) * rate)
        if level < 1:
            self._buckets[key] = (level, now)
            return max(1, math.ceil((1 - level) / rate))
        self._buckets[key] = (level - 1, now)
        return 0

    def _figures(self, method: Method, *, posting: bool) -> tuple[float, float]:
        """(calls a second, burst)."""
        scale = self.limits.scale
        if posting:
            return self.limits.posts_per_s * scale, max(1.0, self.limits.post_burst * scale)
        per_min = self.limits.special_per_min if method.tier == SPECIAL else self.limits.tiers[method.tier - 1]
        return per_min * scale / 60, max(1.0, per_min * scale)
