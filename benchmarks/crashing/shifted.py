"""The bot, with a clock that can be put forward and back while it runs.

`python -m benchmarks.crashing.shifted serve` reads by how many seconds its clock is wrong from the file that the
environment variable CRASH_CLOCK names. Statuspage is asked a hundred times as often as it grants one account, as Slack
is here too: dozens of maintenances share it. Everything else is the bot as `python -m bot` starts it.
"""

import functools
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import bot.app
from bot.__main__ import run
from bot.journal import Journal
from bot.maintenances import Maintenances
from integrations.statuspage import rate

_RATES = 100


def _now() -> datetime:
    file = Path(os.environ["CRASH_CLOCK"])
    wrong_s = float(file.read_text() or 0) if file.exists() else 0.0
    return datetime.now(UTC) + timedelta(seconds=wrong_s)


if __name__ == "__main__":
    # Both take a clock, for the tests; the composition root gives them none.
    vars(bot.app)["Journal"] = functools.partial(Journal, clock=_now)
    vars(bot.app)["Maintenances"] = functools.partial(Maintenances, clock=_now)
    vars(rate)["LIMIT"] = rate.LIMIT * _RATES
    run()
