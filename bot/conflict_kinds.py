"""The kinds of conflict that the radar knows (`bot.radar`), and what each does by default."""

import re
from typing import Literal

Level = Literal["block", "warn", "off"]

DEFAULTS: dict[str, Level] = {
    "notice": "block",
    "too_short": "block",
    "margin": "warn",
    "overlap": "block",
    "clocks": "warn",
    "midnight": "warn",
    "freeze": "block",
    "vendor": "warn",
    "holiday": "warn",
    "busy": "warn",
    "nobody": "warn",
    "unseen": "warn",
}
"""What each kind of conflict does where neither the runbook nor `MAINT_CONFLICTS` says."""

KINDS: dict[str, str] = {
    "notice": "People would hear of it later than `window: notice` wants.",
    "too_short": "By the estimates of its steps the window is too short.",
    "margin": "The estimates fit, but leave less to spare than `window: margin`.",
    "overlap": "Another maintenance works on the same thing at the same time.",
    "clocks": "Clocks change within the window, in its own zone or in one of `MAINT_ZONES`.",
    "midnight": "It runs past midnight, so that a time without a date is misread.",
    "freeze": "It falls into a freeze, of `/maint freeze`, `MAINT_FREEZES` or `MAINT_FREEZE_CALENDARS`.",
    "vendor": "A vendor of `MAINT_VENDOR_PAGES` has announced maintenance of its own for that time.",
    "holiday": "It falls on a public holiday of a country in `MAINT_HOLIDAYS`.",
    "busy": "It falls into the hours of `MAINT_BUSY_HOURS`.",
    "nobody": "A user group that has to approve is empty, or nobody is on call by a schedule of `MAINT_ON_CALL`.",
    "unseen": "Something that had to be looked at could not be.",
}

_LEVELS: dict[str, Level] = {"block": "block", "warn": "warn", "off": "off"}


def levels_of(words: str) -> dict[str, Level]:
    """Return the levels that `MAINT_CONFLICTS` gives: `notice=warn, overlap=off`. Raises `ValueError`, saying why."""
    levels: dict[str, Level] = {}
    for pair in re.split(r"[\s,]+", words.strip()) if words.strip() else ():
        kind, _, level = pair.partition("=")
        if kind not in KINDS or level not in _LEVELS:
            raise ValueError(f"expected KIND=LEVEL: one of {', '.join(KINDS)}, as one of {', '.join(_LEVELS)}")
        levels[kind] = _LEVELS[level]
    return levels
