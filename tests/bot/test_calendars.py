"""What the calendar says against a window."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.calendars import busy_of, calendar_conflicts
from bot.errors import BadInput
from bot.radar import Conflict
from bot.step import Window

START = datetime(2026, 12, 24, 22, tzinfo=UTC)  # a Thursday; Christmas in Auckland
WINDOW = Window(START, START + timedelta(hours=2), "Pacific/Auckland")


def found(countries: tuple[str, ...] = (), busy: str = "") -> list[Conflict]:
    return calendar_conflicts(WINDOW, countries=countries, busy=busy_of(busy))


def test_holidays_are_those_of_the_day_in_the_windows_zone() -> None:
    assert [each.text for each in found(countries=("NZ", "US"))] == [
        "Fri 25 Dec 2026 is a holiday in NZ: Christmas Day.",
        "Fri 25 Dec 2026 is a holiday in US: Christmas Day.",
    ]
    assert found(countries=("XX",))[0].kind == "unseen"


def test_a_holiday_counts_while_it_lasts_where_it_is_one() -> None:
    boxing_day = Window(START + timedelta(days=1), START + timedelta(days=1, hours=2), "Pacific/Auckland")
    told = [each.text for each in calendar_conflicts(boxing_day, countries=("NZ", "US-CA"), busy=())]
    assert told == [
        "Sat 26 Dec 2026 is a holiday in NZ: Boxing Day.",
        "Fri 25 Dec 2026 is a holiday in US-CA: Christmas Day.",
    ], "on the 26th in Auckland it is Christmas in California"


@pytest.mark.parametrize(
    ("words", "busy"),
    [
        ("Mon-Fri 23:00-23:30 UTC", True),
        ("Sat-Thu 23:00-23:30 UTC", True),
        ("Fri-Wed 23:00-23:30 UTC", False),
        ("Fri 09:00-17:00 Pacific/Auckland", True),
        ("Thu 09:00-17:00 Pacific/Auckland, Sun 00:00-01:00 UTC", False),
        ("Thu 20:00-22:00 UTC", False),
    ],
)
def test_busy_hours_are_by_their_own_zone(words: str, busy: bool) -> None:
    assert bool(found(busy=words)) is busy


@pytest.mark.parametrize(
    "words", ["always", "Mon 9-17 UTC", "Mon 17:00-09:00 UTC", "Moo 09:00-17:00 UTC", "Mon 09:00-17:00 Moon"]
)
def test_other_words_for_hours_are_refused(words: str) -> None:
    with pytest.raises(BadInput, match=r"expected days|ends before"):
        busy_of(words)
