"""Nobody on call: what PagerDuty's schedules say against a window."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from bot.lookups import Lookups
from bot.on_call import OnCall, gaps
from bot.radar import Conflict
from bot.step import Setting, Window
from integrations.pagerduty import TOKEN, URL
from sandbox.pagerduty import PagerDuty
from sandbox.server import serving

START = datetime(2026, 12, 1, 21, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(hours=4), "Europe/Berlin")


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


@pytest.fixture(scope="module")
def account() -> Iterator[tuple[PagerDuty, str]]:
    account = PagerDuty({})
    with serving(account.app) as server:
        yield account, server.url


def found(account: tuple[PagerDuty, str], schedule: str, **values: str) -> list[Conflict]:
    given = {TOKEN.name: account[0].token, URL.name: account[1], **values}

    def value_of(setting: Setting) -> str | None:
        return given.get(setting.name) or setting.default

    return OnCall([f"pagerduty:{schedule}"], value_of, Lookups(patience_s=30)).begin(WINDOW)()


def test_the_hours_that_nobody_has_are_told(account: tuple[PagerDuty, str]) -> None:
    account[0].on_call["PNIGHT1"] = [(at(-5), at(1)), (at(2), at(3))]
    [one] = found(account, "PNIGHT1")
    assert one.kind == "nobody"
    assert one.text == (
        "Nobody is on call by pagerduty:PNIGHT1: Tue 1 Dec 2026 23:00 CET (UTC+1) to Wed 2 Dec 2026 00:00 CET (UTC+1), "
        "Wed 2 Dec 2026 01:00 CET (UTC+1) to Wed 2 Dec 2026 02:00 CET (UTC+1)."
    )
    assert found(account, "PNOBODY")[0].kind == "nobody"


def test_whoever_is_on_call_always_or_on_a_later_page_counts(account: tuple[PagerDuty, str]) -> None:
    account[0].on_call["PALWAYS"] = [None]
    account[0].on_call["PMINUTE"] = [(at(number / 60), at((number + 1) / 60)) for number in range(240)]
    assert found(account, "PALWAYS") == []
    assert found(account, "PMINUTE") == []


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({TOKEN.name: "s3cret"}, "answered 401"),
        ({URL.name: "http://api.example.com"}, "has to begin with https://"),
        ({URL.name: "http://127.0.0.1:9"}, "cannot be reached"),
    ],
)
def test_what_cannot_be_asked_is_told(account: tuple[PagerDuty, str], values: dict[str, str], told: str) -> None:
    [one] = found(account, "PALWAYS", **values)
    assert one.kind == "unseen"
    assert told in one.text
    assert "s3cret" not in one.text


@pytest.mark.parametrize(
    ("shifts", "left"),
    [
        ([], [(0, 4)]),
        ([(0, 4)], []),
        ([(-9, 2), (1, 9)], []),
        ([(3, 9), (-9, 1), (-2, 0.5)], [(1, 3)]),
        ([(5, 6)], [(0, 4)]),
        ([(-3, -1), (1, 2)], [(0, 1), (2, 4)]),
    ],
)
def test_gaps(shifts: list[tuple[float, float]], left: list[tuple[float, float]]) -> None:
    assert gaps([(at(begin), at(end)) for begin, end in shifts], WINDOW) == [
        (at(begin), at(end)) for begin, end in left
    ]
