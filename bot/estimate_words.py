"""An estimate in words. Pure."""

from bot.estimates import Estimate
from bot.markup import duration

_MINUTE_S, _HOUR_S = 60, 3600


def estimate_words(estimate: Estimate) -> str:
    """Return the range as `14 to 31 min`, each end as exact as it can be meant: seconds, minutes, five minutes."""
    low, high = duration(_rounded(estimate.low_s)), duration(_rounded(estimate.high_s))
    return f"about {high}" if low == high else f"{low} to {high}"


def _rounded(seconds: float) -> float:
    step = 1 if seconds < _MINUTE_S else _MINUTE_S if seconds < _HOUR_S else 5 * _MINUTE_S
    return max(1, round(seconds / step)) * step
