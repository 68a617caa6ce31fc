"""Who is on call by Grafana OnCall, and the stand-in, held to what its reference shows."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from bot.errors import Final
from bot.lookups import Lookups
from bot.on_call import OnCall as Radar
from bot.radar import Conflict
from bot.step import Setting, Window
from integrations.oncall import shifts
from sandbox.oncall import API_TOKEN, OnCall
from sandbox.server import serving

START = datetime(2026, 12, 1, 22, 30, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(hours=4), "Europe/Berlin")
SCHEDULE = "SBM7DV7BKFUYU"
# "Export a schedule's final shifts" of the HTTP API reference.
PAGE_FIELDS = {"count", "next", "previous", "results", "current_page_number", "page_size", "total_pages"}
SHIFT_FIELDS = {"user_pk", "user_email", "user_username", "shift_start", "shift_end"}


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


@pytest.fixture(scope="module")
def people() -> Iterator[tuple[OnCall, str]]:
    people = OnCall(page_size=3, shifts={SCHEDULE: []})
    with serving(people.app) as server:
        yield people, server.url


def found(url: str, schedule: str = SCHEDULE, **values: str) -> list[Conflict]:
    given = {"MAINT_ONCALL_API_URL": url, "MAINT_ONCALL_API_TOKEN": API_TOKEN, **values}

    def value_of(setting: Setting) -> str | None:
        return given.get(setting.name) or setting.default

    return Radar([f"grafana:{schedule}"], value_of, Lookups(patience_s=30)).begin(WINDOW)()


def test_the_hours_that_nobody_has_are_a_conflict(people: tuple[OnCall, str]) -> None:
    people[0].shifts[SCHEDULE] = [(at(-5), at(1)), (at(2), at(9))]
    [one] = found(people[1])
    assert one.kind == "nobody"
    assert one.text == (
        f"Nobody is on call by grafana:{SCHEDULE}: "
        "Wed 2 Dec 2026 00:30 CET (UTC+1) to Wed 2 Dec 2026 01:30 CET (UTC+1)."
    )


def test_a_shift_over_midnight_and_one_on_a_later_page_count(people: tuple[OnCall, str]) -> None:
    people[0].shifts[SCHEDULE] = [(at(-20), at(9))]
    assert found(people[1]) == []
    people[0].shifts[SCHEDULE] = [(at(number / 2), at((number + 1) / 2)) for number in range(8)]
    assert found(people[1]) == []


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"MAINT_ONCALL_API_TOKEN": "s3cret"}, "answered 403"),
        ({"MAINT_ONCALL_API_TOKEN": ""}, "MAINT_ONCALL_API_TOKEN is not set"),
        ({"MAINT_ONCALL_API_URL": "http://oncall.example.com"}, "has to begin with https://"),
        ({"MAINT_ONCALL_API_URL": "http://127.0.0.1:9"}, "cannot be reached"),
        ({"MAINT_ONCALL_GRAFANA_URL": "https://another.grafana.net"}, "answered 403"),
    ],
)
def test_what_cannot_be_asked_is_told(people: tuple[OnCall, str], values: dict[str, str], told: str) -> None:
    [one] = found(people[1], **values)
    assert one.kind == "unseen"
    assert told in one.text
    assert "s3cret" not in one.text


def test_a_schedule_that_is_not_there_is_told(people: tuple[OnCall, str]) -> None:
    [one] = found(people[1], "SNOWHERE")
    assert (one.kind, "answered 404" in one.text) == ("unseen", True)


def test_the_token_of_a_service_account_names_its_stack() -> None:
    people = OnCall(stack="https://acme.grafana.net", shifts={SCHEDULE: [(at(-1), at(9))]})
    with serving(people.app) as server:
        assert found(server.url, MAINT_ONCALL_GRAFANA_URL="https://acme.grafana.net") == []


def test_what_is_not_grafana_is_told(people: tuple[OnCall, str]) -> None:
    people[0].app.arm("status", status=200, body="<html>")
    given = {"MAINT_ONCALL_API_URL": people[1], "MAINT_ONCALL_API_TOKEN": API_TOKEN}
    with pytest.raises(Final, match="is not Grafana OnCall"):
        shifts(lambda setting: given.get(setting.name), SCHEDULE, at(0), at(1))


def test_the_stand_in_has_the_fields_of_the_reference(people: tuple[OnCall, str]) -> None:
    people[0].shifts[SCHEDULE] = [(at(number), at(number + 1)) for number in range(7)]
    asked = {"start_date": "2026-12-01", "end_date": "2026-12-02"}
    with httpx.Client(base_url=people[1], headers={"Authorization": API_TOKEN}) as http:
        page = http.get(f"/api/v1/schedules/{SCHEDULE}/final_shifts", params=asked).json()
        last = http.get(page["next"]).json()
        assert set(page) == PAGE_FIELDS
        assert {frozenset(one) for one in page["results"]} == {frozenset(SHIFT_FIELDS)}
        assert page["results"][0]["shift_start"] == "2026-12-01T22:30:00Z"
        assert (page["count"], page["total_pages"], last["current_page_number"]) == (7, 3, 2)
        assert http.get(f"/api/v1/schedules/{SCHEDULE}/final_shifts").status_code == 400
