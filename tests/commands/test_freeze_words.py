"""`/maint freeze FROM to UNTIL REASON`: times as people write them, and where the reason begins."""

from datetime import UTC, datetime

import pytest

from bot.errors import BadInput
from commands.freeze import read

NOW = datetime(2026, 11, 25, 15, tzinfo=UTC)  # a Wednesday, 16:00 in Berlin


@pytest.mark.parametrize(
    ("words", "begin", "until", "reason"),
    [
        ("18 Dec 18:00 to 5 Jan 09:00 The Christmas sale", "12-18T17:00", "01-05T08:00", "The Christmas sale"),
        ("tomorrow 5pm to 7pm on call is away", "11-26T16:00", "11-26T18:00", "on call is away"),
        ("mon 08:00 until fri 18:00 audit", "11-30T07:00", "12-04T17:00", "audit"),
        ("22:00 to 23:00 UTC 2 are away", "11-25T22:00", "11-25T23:00", "2 are away"),
        ("2026-12-01 22:00 America/New_York to 23:00 DB is new", "12-02T03:00", "12-02T04:00", "DB is new"),
        ("now to in 2 hours and 30 minutes to be sure", "11-25T15:00", "11-25T17:30", "to be sure"),
        ("fri 22:00 to sun 23:00 Pacific/Auckland: a move", "11-27T09:00", "11-29T10:00", "a move"),
    ],
)
def test_times_and_reason(words: str, begin: str, until: str, reason: str) -> None:
    found = read(words, NOW, "Europe/Berlin")
    assert (f"{found[0].at:%m-%dT%H:%M}", f"{found[1].at:%m-%dT%H:%M}", found[2]) == (begin, until, reason)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("tomorrow 20:00", "From when to when"),
        ("tomorrow 20:00 to tomorrow 19:00 x", "before it begins"),
        ("1 Dec 20:00 to 30 Nov 20:00 x", "before it begins"),
        ("tomorrow 20:00 to 4 Nov 19:00 x", "“4 Nov 19:00” is in the past"),
        ("tomorrow 20:00 to whenever", "does not begin with a time"),
        ("tomorrow to tomorrow 19:00 x", "does not say at what time"),
        ("in 3h to in 5h", "needs a reason"),
    ],
)
def test_what_is_not_clear_is_asked(words: str, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        read(words, NOW, "Europe/Berlin")
