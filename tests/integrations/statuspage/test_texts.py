"""Times as readers need them, whatever the zone and the day; and the rate, on a clock of its own."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import Final
from bot.step import Window
from integrations.statuspage import look
from integrations.statuspage.client import KEY, URL, Statuspage
from integrations.statuspage.rate import Bucket
from integrations.statuspage.texts import announced, end_text, same, window_text
from sandbox.server import serving
from sandbox.statuspage import KEY as STAND_IN_KEY
from sandbox.statuspage import Statuspage as StandIn


def window(start: str, end: str, zone: str) -> Window:
    there = ZoneInfo(zone)
    first, last = (datetime.fromisoformat(text).replace(tzinfo=there).astimezone(UTC) for text in (start, end))
    return Window(first, last, zone)


@pytest.mark.parametrize(
    ("start", "end", "zone", "text"),
    [
        (
            "2026-11-25T17:00",
            "2026-11-25T19:00",
            "Pacific/Auckland",
            "Wednesday 25 November 2026, 17:00 to 19:00 NZDT (UTC+13:00), which is 04:00 to 06:00 UTC",
        ),
        (
            "2026-12-01T23:00",
            "2026-12-02T01:00",
            "Europe/Berlin",
            "Tuesday 1 December 2026, 23:00 to Wednesday 2 December 2026, 01:00 CET (UTC+01:00), which is 22:00 to "
            "Wednesday 2 December 2026, 00:00 UTC",
        ),
        (
            "2026-12-01T08:00",
            "2026-12-01T09:00",
            "Asia/Tokyo",
            "Tuesday 1 December 2026, 08:00 to 09:00 JST (UTC+09:00), which is Monday 30 November 2026, 23:00 to "
            "Tuesday 1 December 2026, 00:00 UTC",
        ),
        (
            "2026-10-25T01:00",
            "2026-10-25T05:00",
            "Europe/Berlin",
            "Sunday 25 October 2026, 01:00 CEST (UTC+02:00) to 05:00 CET (UTC+01:00), which is Saturday 24 October "
            "2026, 23:00 to Sunday 25 October 2026, 04:00 UTC",
        ),
        ("2026-12-01T08:00", "2026-12-01T09:00", "UTC", "Tuesday 1 December 2026, 08:00 to 09:00 UTC"),
        (
            "2026-12-01T08:00",
            "2026-12-01T09:00",
            "America/Sao_Paulo",
            "Tuesday 1 December 2026, 08:00 to 09:00 America/Sao_Paulo (UTC-03:00), which is 11:00 to 12:00 UTC",
        ),
    ],
)
def test_a_window_in_words(start: str, end: str, zone: str, text: str) -> None:
    assert window_text(window(start, end, zone)) == text


def test_an_end_has_its_date() -> None:
    assert end_text(window("2026-11-25T17:00", "2026-11-26T01:00", "Pacific/Auckland")) == (
        "Thursday 26 November 2026, 01:00 NZDT (UTC+13:00)"
    )


def test_components_are_named_in_an_order_of_their_own() -> None:
    night = window("2026-12-01T08:00", "2026-12-01T09:00", "UTC")
    assert announced(night, ["c", "B", "a"]) == announced(night, ["B", "a", "c"])
    assert announced(night, ["c", "B", "a"]).endswith(" During that time, a, B and c may be unavailable.")
    assert announced(night, []).endswith("08:00 to 09:00 UTC.")


def test_texts_are_the_same_however_the_page_marks_them_up() -> None:
    assert same("One.\n\nTwo & three.", "<p>One.</p><br/>Two &amp; three.")
    assert not same("One.", "Two.")


@given(st.lists(st.floats(0, 30), min_size=1, max_size=300))
def test_no_minute_ever_sees_more_than_its_share(pauses: list[float]) -> None:
    now = 0.0
    bucket = Bucket(lambda: now)
    sent: list[float] = []
    for pause in pauses:
        now += pause / 10
        now += bucket.take()
        sent.append(now)
    for first in range(len(sent)):
        assert sum(1 for at in sent[first:] if at < sent[first] + 60) <= 55


def test_a_refused_request_holds_the_others_back() -> None:
    bucket = Bucket(lambda: 0.0)
    assert bucket.take() == 0.0
    bucket.hold(7.0)
    assert bucket.take() == 7.0


def test_the_connection_is_tried() -> None:
    page = StandIn("Acme")
    with serving(page.app) as server:
        values = {URL.name: f"{server.url}/v1", KEY.name: STAND_IN_KEY}
        assert look(lambda setting: values[setting.name]) == "the key is accepted; its pages: Acme (j1nvlvyv7w27)"
        values[KEY.name] = "another-key"
        with pytest.raises(Final, match="MAINT_STATUSPAGE_KEY") as refused:
            look(lambda setting: values[setting.name])
    assert "another-key" not in str(refused.value)


def test_the_key_is_not_sent_in_the_open() -> None:
    with pytest.raises(Final, match="begin with https"):
        Statuspage("http://api.example.com/v1", "secret", lambda _: None)
