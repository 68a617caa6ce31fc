"""Waiting for Amazon: asked again and again, through short troubles of the network, until it says so or gives up."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

from bot.errors import Temporary
from bot.step import Context

_TROUBLE_S = 600.0
T = TypeVar("T")


def way_back(why: str = "") -> dict[str, Any]:
    """Return what a step records of the way back (`bot.way_back`): possible at once with nothing lost, unless `why`."""
    return {"way_back": {"possible": not why, "takes_s": 0.0, "loses": "", "why": why}}


def wait(ctx: Context, look: Callable[[], T | None], *, every_s: float, text: Callable[[], str]) -> T:
    """Call `look` every `every_s` seconds until it returns something, and return that.

    Troubles of the network are borne for ten minutes. Raises what `look` raises, and `Stopped` when the step has to
    stop: what Amazon does goes on then.
    """
    started = time.monotonic()
    trouble_since: float | None = None
    while True:
        try:
            found = look()
            trouble_since = None
        except Temporary:
            trouble_since = trouble_since or time.monotonic()
            if time.monotonic() - trouble_since > _TROUBLE_S:
                raise
            found = None
        if found is not None:
            return found
        ctx.progress(round(time.monotonic() - started), None, "seconds", text())
        ctx.sleep(every_s)
