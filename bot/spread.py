"""How long something may take: a lognormal distribution, learned from runs, narrowed by what has passed. Pure.

Times of work are skewed: nothing takes less than no time, and now and then something takes three times as long. The
logarithm of such times is about normal, so a spread is the median and one number for its width.
"""

import random
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import exp, log, sqrt
from statistics import NormalDist, fmean

SAMPLES = 200
_NORMAL = NormalDist()
_LEAST = 0.01
_TENTH = _NORMAL.inv_cdf(0.9)
_NARROWEST = 0.08
_CERTAIN = 1e-9


@dataclass(frozen=True)
class Spread:
    """A lognormal time in seconds: `median_s`, and `width`, the standard deviation of its natural logarithm."""

    median_s: float
    width: float

    @property
    def low_s(self) -> float:
        """The time that one in ten stays below."""
        return self.median_s * exp(-_TENTH * self.width)

    @property
    def high_s(self) -> float:
        """The time that one in ten exceeds."""
        return self.median_s * exp(_TENTH * self.width)

    def learned(self, runs_s: Sequence[float], *, trust: float = 0.5) -> "Spread":
        """Return what is expected after `runs_s` (seconds), where this was expected before any.

        The median before counts as much as `trust` runs, the width as much as two: a first run says much about the
        middle and little about the width.
        """
        if not runs_s:
            return self
        logs = [log(max(_LEAST, run_s)) for run_s in runs_s]
        middle = (trust * log(self.median_s) + sum(logs)) / (trust + len(logs))
        about = fmean(logs)
        squares = 2 * self.width**2 + sum((each - about) ** 2 for each in logs)
        # The middle is itself only known as well as so many runs tell.
        variance = squares / (2 + len(logs)) * (1 + 1 / (1 + len(logs)))
        return Spread(exp(middle), max(_NARROWEST, sqrt(variance)))

    def blended(self, other: "Spread") -> "Spread":
        """Return what both say together; the narrower of them counts more."""
        mine, theirs = 1 / self.width**2, 1 / other.width**2
        middle = (mine * log(self.median_s) + theirs * log(other.median_s)) / (mine + theirs)
        return Spread(exp(middle), max(_NARROWEST, sqrt(1 / (mine + theirs))))

    def samples_s(self, of: str, elapsed_s: float = 0.0) -> list[float]:
        """Return `SAMPLES` equally likely times in seconds, always the same ones for the same name `of`.

        With `elapsed_s`, only times longer than that are possible any more: each sample grows with it, and none ever
        shrinks.
        """
        if elapsed_s <= 0:
            return [self.median_s * exp(self.width * _NORMAL.inv_cdf(share)) for share in _shares(of)]
        passed = _NORMAL.cdf((log(elapsed_s) - log(self.median_s)) / self.width)
        return [max(elapsed_s, self._quantile_s(passed + share * (1 - passed))) for share in _shares(of)]

    def _quantile_s(self, share: float) -> float:
        return self.median_s * exp(self.width * _NORMAL.inv_cdf(min(share, 1 - _CERTAIN)))


@lru_cache(maxsize=2048)
def _shares(of: str) -> tuple[float, ...]:
    """The middles of `SAMPLES` equal parts of 0 to 1, in an order of their own for each name."""
    order = list(range(SAMPLES))
    random.Random(zlib.crc32(of.encode())).shuffle(order)  # noqa: S311 - the same answer each time, no secret
    return tuple((place + 0.5) / SAMPLES for place in order)
