"""Patience with an outside system, while something that was put up is taken down."""

import time
from collections.abc import Callable
from typing import TypeVar

from bot.errors import Temporary
from bot.step import Context

_LIMIT_S = 60.0
Result = TypeVar("Result")


def patiently(ctx: Context, work: Callable[[], Result]) -> Result:
    """Return what `work`, which is harmless to repeat, returns; again for a minute while it raises `Temporary`.

    Raises the last `Temporary` then, and whatever else `work` raises at once.
    """
    deadline = time.monotonic() + _LIMIT_S
    while True:
        try:
            return work()
        except Temporary as error:
            wait_s = max(1.0, error.retry_after_s or 0.0)
            if time.monotonic() + wait_s > deadline:
                raise
        ctx.sleep(wait_s)
