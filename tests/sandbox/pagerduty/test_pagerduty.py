"""The stand-in answers as PagerDuty's own description of its API says, and refuses what PagerDuty refuses."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from sandbox.pagerduty import TOKEN, USER, PagerDuty
from sandbox.server import serving
from tests.sandbox.contract import Contract

NOW = datetime(2026, 11, 25, 4, 0, tzinfo=UTC)
SHOP, MAIL = "PIJ90N7", "PF9KMXH"


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def account(clock: Clock) -> PagerDuty:
    return PagerDuty({SHOP: "Shop", MAIL: "Mail"}, clock=clock)


@pytest.fixture
def http(account: PagerDuty) -> Iterator[httpx.Client]:
    headers = {
        "Authorization": f"Token token={TOKEN}",
        "Accept": "application/vnd.pagerduty+json;version=2",
        "From": USER,
    }
    with serving(account.app) as server, httpx.Client(base_url=server.url, headers=headers) as http:
        yield http


def window(start: timedelta = timedelta(), end: timedelta = timedelta(hours=1), **changes: Any) -> dict[str, Any]:
    return {
        "maintenance_window": {
            "type": "maintenance_window",
            "start_time": (NOW + start).isoformat(),
            "end_time": (NOW + end).isoformat(),
            "description": "Postgres 14 to 18",
            "services": [{"id": SHOP, "type": "service_reference"}],
            **changes,
        }
    }


def made(http: httpx.Client, **changes: Any) -> dict[str, Any]:
    answer = http.post("/maintenance_windows", json=window(**changes))
    assert answer.status_code == 201
    return dict(answer.json()["maintenance_window"])


def listed(http: httpx.Client, **asked: Any) -> list[str]:
    return [one["id"] for one in http.get("/maintenance_windows", params=asked).json()["maintenance_windows"]]


def test_every_answer_is_as_described(http: httpx.Client, clock: Clock) -> None:
    contract = Contract("pagerduty/openapiv3.maintenance-subset.json")

    def ask(method: str, path: str, status: int, **options: Any) -> Any:
        answer = http.request(method, path, **options)
        assert answer.status_code == status
        contract.check(method, path, status, answer.json() if answer.content else None)
        return answer

    id_ = ask("POST", "/maintenance_windows", 201, json=window()).json()["maintenance_window"]["id"]
    ask("POST", "/maintenance_windows", 400, json=window(end=timedelta(hours=-1)))
    ask("GET", "/maintenance_windows", 200)
    ask("GET", "/maintenance_windows", 401, headers={"Authorization": "Token token=wrong"})
    ask("GET", f"/maintenance_windows/{id_}", 200)
    ask("PUT", f"/maintenance_windows/{id_}", 200, json=window(end=timedelta(hours=2)))
    ask("GET", "/maintenance_windows/PNONE", 404)
    ask("DELETE", f"/maintenance_windows/{id_}", 204)
    clock.now += timedelta(seconds=1)
    ask("DELETE", f"/maintenance_windows/{id_}", 405)
    ask("PUT", f"/maintenance_windows/{id_}", 400, json=window(end=timedelta(hours=3)))


def test_a_service_is_in_maintenance_from_start_to_end(http: httpx.Client, account: PagerDuty, clock: Clock) -> None:
    made(http, start=timedelta(minutes=10))
    assert not account.in_maintenance(SHOP)
    clock.now += timedelta(minutes=10)
    assert account.in_maintenance(SHOP)
    assert not account.in_maintenance(MAIL)
    clock.now += timedelta(minutes=50)
    assert not account.in_maintenance(SHOP)


def test_the_same_twice_makes_two_and_a_start_in_the_past_is_now(http: httpx.Client, account: PagerDuty) -> None:
    first, second = (made(http, start=timedelta(hours=-1)) for _ in range(2))
    assert first["id"] != second["id"]
    assert datetime.fromisoformat(first["start_time"]) == NOW


def test_lists_by_words_state_and_page(http: httpx.Client, clock: Clock) -> None:
    past = made(http, end=timedelta(minutes=1), description="Mail")["id"]
    ongoing = made(http)["id"]
    future = made(http, start=timedelta(minutes=30))["id"]
    clock.now += timedelta(minutes=5)
    states = {"past": [past], "ongoing": [ongoing], "future": [future], "open": [ongoing, future]}
    assert {state: listed(http, filter=state) for state in states} == states
    assert listed(http, query="POSTGRES") == [ongoing, future]
    assert listed(http, limit=2) == [past, ongoing]
    assert listed(http, limit=2, offset=2) == [future]
    assert http.get("/maintenance_windows", params={"limit": 2}).json()["more"]


def test_deleting_ends_one_that_is_on_and_removes_one_to_come(
    http: httpx.Client, account: PagerDuty, clock: Clock
) -> None:
    ongoing, future = made(http)["id"], made(http, start=timedelta(minutes=30))["id"]
    clock.now += timedelta(minutes=5)
    for id_ in (ongoing, future):
        assert http.delete(f"/maintenance_windows/{id_}").status_code == 204
    assert list(account.windows) == [ongoing]
    assert account.windows[ongoing].ends_at == clock.now
    assert not account.in_maintenance(SHOP)


def test_what_is_malformed_is_refused(http: httpx.Client) -> None:
    wrong: list[dict[str, Any]] = [
        {"services": []},
        {"services": [{"id": "PNONE", "type": "service_reference"}]},
        {"type": "window"},
        {"end_time": "tomorrow"},
    ]
    for changes in wrong:
        answer = http.post("/maintenance_windows", json=window(**changes))
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, 2001), changes


def test_headers_that_pagerduty_demands(http: httpx.Client) -> None:
    for header, value, status in [("From", "nobody@example.com", 400), ("Accept", "application/json", 406)]:
        assert http.post("/maintenance_windows", json=window(), headers={header: value}).status_code == status


def test_the_start_of_one_that_has_begun_stays(http: httpx.Client, clock: Clock) -> None:
    id_ = made(http)["id"]
    clock.now += timedelta(minutes=5)
    moved = http.put(f"/maintenance_windows/{id_}", json=window(start=timedelta(minutes=1)))
    assert moved.status_code == 400
    assert "already started" in moved.text
    assert http.put(f"/maintenance_windows/{id_}", json=window(end=timedelta(minutes=6))).status_code == 200
